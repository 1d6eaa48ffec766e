package requestobject

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"signet/fetch"
	"signet/provider/jwt"
	"signet/provider/oauth"
	"signet/storage"
)

// site answers by URL without its fragment, as servers do.
type site struct {
	objects map[string]string
	calls   int
}

func (s *site) Get(_ context.Context, uri string, _ ...string) (fetch.Document, error) {
	s.calls++
	uri, _, _ = strings.Cut(uri, "#")
	body, ok := s.objects[uri]
	if !ok {
		return fetch.Document{}, errors.New("no route to host")
	}
	return fetch.Document{Body: []byte(body)}, nil
}

// byURI is a good request around a request_uri.
func byURI(uri string) oauth.Params {
	v := url.Values{"client_id": {"app"}, "response_type": {"code"}, "scope": {"openid"}, "state": {"outer"}, "request_uri": {uri}}
	return must(oauth.ParseQuery(v.Encode()))
}

func TestRequestURI(t *testing.T) {
	t.Parallel()
	const at = "https://app.example/"
	signed := sign("RS256", rsaKey(), good)
	open := unsigned(claims{"alg": "none"}, good, "")
	forged := sign("ES256", ecKeys()[3], good)
	right, wrong := "#"+hashOf([]byte(signed)), "#"+hashOf([]byte("another"))
	objects := map[string]string{at + "signed": signed, at + "open": open, at + "forged": forged, at + "html": "<html>", at + "lines": signed + "\n", at + "none": "", at + "long": strings.Repeat("x", jwt.Max+1)}
	for name, row := range map[string]struct {
		registered, sent string
		unsigned         bool
		code             oauth.Code // "": good
		fetches          int        // of two requests
	}{
		"Core 6.2: registered":                                  {at + "signed", at + "signed", false, "", 2},
		"Core 6.2: registered with its hash, remembered":        {at + "signed" + right, at + "signed" + right, false, "", 1},
		"Core 6.2: the hash is new, and the place registered":   {at + "signed", at + "signed" + right, false, "", 1},
		"a signed object under another's hash":                  {at + "signed" + wrong, at + "signed" + wrong, false, "", 2},
		"an end of line behind the object":                      {at + "lines", at + "lines", false, "", 2},
		"unsigned, where it is let in":                          {at + "open", at + "open", true, "", 2},
		"unsigned under its hash":                               {at + "open", at + "open#" + hashOf([]byte(open)), true, "", 1},
		"unsigned, where it is not let in":                      {at + "open", at + "open", false, oauth.InvalidRequestObject, 2},
		"Core 6.2: unsigned under another's hash":               {at + "open" + wrong, at + "open" + wrong, true, "", 2},
		"... where it is not let in":                            {at + "open" + wrong, at + "open" + wrong, false, oauth.InvalidRequestObject, 2},
		"a forged one under another's hash":                     {at + "forged" + wrong, at + "forged" + wrong, true, oauth.InvalidRequestObject, 2},
		"forged":                                                {at + "forged", at + "forged", true, oauth.InvalidRequestObject, 2},
		"a page":                                                {at + "html", at + "html", true, oauth.InvalidRequestObject, 2},
		"nothing":                                               {at + "none", at + "none", true, oauth.InvalidRequestObject, 2},
		"longer than 16 KiB":                                    {at + "long", at + "long", true, oauth.InvalidRequestObject, 2},
		"longer than 16 KiB, under its hash":                    {at + "long", at + "long#" + hashOf([]byte(objects[at+"long"])), true, oauth.InvalidRequestObject, 2},
		"unreachable":                                           {at + "gone", at + "gone", true, oauth.InvalidRequestURI, 2},
		"RFC 9101 10.4.1: not registered":                       {at + "signed", at + "open", true, oauth.InvalidRequestURI, 0},
		"registered with another hash":                          {at + "signed" + wrong, at + "signed" + right, true, oauth.InvalidRequestURI, 0},
		"registered with a hash and sent without":               {at + "signed" + right, at + "signed", true, oauth.InvalidRequestURI, 0},
		"with a query more":                                     {at + "signed", at + "signed?x", true, oauth.InvalidRequestURI, 0},
		"below what is registered":                              {at, at + "signed", true, oauth.InvalidRequestURI, 0},
		"in another case":                                       {at + "signed", "HTTPS://app.example/signed", true, oauth.InvalidRequestURI, 0},
		"an address inside":                                     {at + "signed", "http://169.254.169.254/", true, oauth.InvalidRequestURI, 0},
		"RFC 9126 2.2: a urn, which no pushed request gave out": {at + "signed", "urn:ietf:params:oauth:request_uri:x", true, oauth.InvalidRequestURI, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &site{objects: objects}
			r := reader(row.unsigned)
			r.Fetch = s
			c := app(func(c *storage.Client) { c.RequestURIs = []string{row.registered} })
			for range 2 {
				p, _, err := r.Merge(t.Context(), c, byURI(row.sent))
				var e *oauth.Error
				switch {
				case row.code == "" && (err != nil || p.Get("state") != "inner" || p.Has("request_uri")):
					t.Errorf("%s, %v", p.Encode(), err)
				case row.code != "" && (!errors.As(err, &e) || e.Code != row.code):
					t.Errorf("%v, want %s", err, row.code)
				case row.code != "" && strings.Contains(e.Description, "example"):
					t.Errorf("it echoes: %s", e.Description)
				}
			}
			if s.calls != row.fetches {
				t.Errorf("fetched %d times, want %d", s.calls, row.fetches)
			}
		})
	}
	t.Run("Core 6.1: request beside request_uri", func(t *testing.T) {
		t.Parallel()
		s := &site{objects: objects}
		r := reader(false)
		r.Fetch = s
		_, _, err := r.Merge(t.Context(), app(), request(signed, "request_uri", at+"signed"))
		var e *oauth.Error
		if !errors.As(err, &e) || e.Code != oauth.InvalidRequest || s.calls != 0 {
			t.Errorf("%v after %d fetches", err, s.calls)
		}
	})
}
