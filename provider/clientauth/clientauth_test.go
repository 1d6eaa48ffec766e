package clientauth

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"signet/clients"
	"signet/provider/oauth"
	"signet/storage"
	"signet/storage/bolt"
)

const issuer = "https://op.example/tenant"

// house is an Authenticator over a real store with one client for each method.
type house struct {
	*Authenticator
	id     map[string]string
	secret map[string]string
}

func newHouse(t *testing.T) house {
	t.Helper()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	store, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "signet.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	h := house{New(Options{Store: store, Issuer: issuer, Now: func() time.Time { return now }}), map[string]string{}, map[string]string{}}
	for name, method := range map[string]string{"basic": clients.AuthBasic, "basic2": clients.AuthBasic, "post": clients.AuthPost, "public": clients.AuthNone} {
		c, err := clients.New(clients.Web, name, now)
		if err != nil {
			t.Fatal(err)
		}
		c.TokenEndpointAuthMethod = method
		if clients.NeedsSecret(c) {
			h.secret[name], c.SecretHash = clients.NewSecret()
		}
		if _, err := store.SaveClient(t.Context(), c, storage.Change{Now: now}); err != nil {
			t.Fatal(err)
		}
		h.id[name] = c.ID
	}
	return h
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// escaped is what a client sends that form-encodes even what needs no encoding, as openid-client does.
func escaped(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteString("%" + string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15]))
	}
	return b.String()
}

// ask sends a request with these Authorization headers and this form, given as names and values.
func (h house) ask(t *testing.T, headers []string, form ...string) (storage.Client, *oauth.Error) {
	t.Helper()
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Add(form[i], form[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, v := range headers {
		r.Header.Add("Authorization", v)
	}
	p, err := oauth.ReadForm(httptest.NewRecorder(), r)
	if err != nil {
		t.Fatal(err)
	}
	c, err := h.Authenticate(r, p)
	if err == nil {
		return c, nil
	}
	var e *oauth.Error
	if !errors.As(err, &e) || c.ID != "" {
		t.Fatalf("%v with the client %q", err, c.ID)
	}
	return c, e
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id, secret := h.id, h.secret
	const nobody = "abcdefghijklmnopqrstuvwx"
	for name, c := range map[string]struct {
		headers []string
		form    []string
		client  string     // who it is; "" if refused
		code    oauth.Code // of the refusal
		word    string     // of its description
	}{
		"RFC 6749 2.3.1: Basic":                  {[]string{basic(id["basic"], secret["basic"])}, nil, "basic", "", ""},
		"RFC 6749 2.3.1: Basic, form-encoded":    {[]string{basic(escaped(id["basic"]), escaped(secret["basic"]))}, nil, "basic", "", ""},
		"RFC 7235 2.1: the scheme in other case": {[]string{"bAsIc" + basic(id["basic"], secret["basic"])[5:]}, nil, "basic", "", ""},
		"Basic with its own client_id":           {[]string{basic(id["basic"], secret["basic"])}, []string{"client_id", id["basic"]}, "basic", "", ""},
		"Basic with an empty client_secret":      {[]string{basic(id["basic"], secret["basic"])}, []string{"client_secret", ""}, "basic", "", ""},
		"RFC 6749 2.3.1: in the body":            {nil, []string{"client_id", id["post"], "client_secret", secret["post"]}, "post", "", ""},
		"RFC 6749 3.2.1: client_id alone":        {nil, []string{"client_id", id["public"]}, "public", "", ""},
		"client_id and an empty secret":          {nil, []string{"client_id", id["public"], "client_secret", ""}, "public", "", ""},

		"wrong secret, Basic":                            {[]string{basic(id["basic"], "wrong")}, nil, "", oauth.InvalidClient, refused},
		"no secret, Basic":                               {[]string{basic(id["basic"], "")}, nil, "", oauth.InvalidClient, refused},
		"unknown, Basic":                                 {[]string{basic(nobody, "wrong")}, nil, "", oauth.InvalidClient, refused},
		"wrong secret, body":                             {nil, []string{"client_id", id["post"], "client_secret", "wrong"}, "", oauth.InvalidClient, refused},
		"unknown, body":                                  {nil, []string{"client_id", nobody, "client_secret", "wrong"}, "", oauth.InvalidClient, refused},
		"unknown, client_id alone":                       {nil, []string{"client_id", nobody}, "", oauth.InvalidClient, refused},
		"another client's secret":                        {[]string{basic(id["basic"], secret["basic2"])}, nil, "", oauth.InvalidClient, refused},
		"the secret in another case":                     {[]string{basic(id["basic"], strings.ToLower(secret["basic"]))}, nil, "", oauth.InvalidClient, refused},
		"the secret and a space":                         {[]string{basic(id["basic"], secret["basic"]+"+")}, nil, "", oauth.InvalidClient, refused},
		"a confidential client without its secret":       {nil, []string{"client_id", id["basic"]}, "", oauth.InvalidClient, refused},
		"a public client with a secret":                  {nil, []string{"client_id", id["public"], "client_secret", "x"}, "", oauth.InvalidClient, refused},
		"a public client with Basic":                     {[]string{basic(id["public"], "")}, nil, "", oauth.InvalidClient, refused},
		"a public client with Basic and a secret":        {[]string{basic(id["public"], "x")}, nil, "", oauth.InvalidClient, refused},
		"the body where Basic is registered":             {nil, []string{"client_id", id["basic"], "client_secret", secret["basic"]}, "", oauth.InvalidClient, "registered for the token_endpoint_auth_method client_secret_basic"},
		"Basic where the body is registered":             {[]string{basic(id["post"], secret["post"])}, nil, "", oauth.InvalidClient, "registered for the token_endpoint_auth_method client_secret_post"},
		"the body with a wrong secret, Basic registered": {nil, []string{"client_id", id["basic"], "client_secret", "wrong"}, "", oauth.InvalidClient, refused},

		"RFC 6749 2.3: two methods":                 {[]string{basic(id["basic"], secret["basic"])}, []string{"client_id", id["basic"], "client_secret", secret["basic"]}, "", oauth.InvalidRequest, "two ways"},
		"RFC 6749 2.3: two methods, a secret alone": {[]string{basic(id["basic"], secret["basic"])}, []string{"client_secret", secret["basic"]}, "", oauth.InvalidRequest, "two ways"},
		"Basic of one, client_id of another":        {[]string{basic(id["basic"], secret["basic"])}, []string{"client_id", id["basic2"]}, "", oauth.InvalidClient, "not the client of the Authorization header"},
		"Basic of one, client_id of a public one":   {[]string{basic(id["basic"], secret["basic"])}, []string{"client_id", id["public"]}, "", oauth.InvalidClient, "not the client of the Authorization header"},
		"two Authorization headers":                 {[]string{basic(id["basic"], secret["basic"]), basic(id["basic"], secret["basic"])}, nil, "", oauth.InvalidClient, "twice"},
		"Bearer":                                    {[]string{"Bearer x"}, []string{"client_id", id["public"]}, "", oauth.InvalidClient, "another scheme"},
		"an empty Authorization header":             {[]string{""}, []string{"client_id", id["public"]}, "", oauth.InvalidClient, "another scheme"},
		"Basic and nothing":                         {[]string{"Basic"}, nil, "", oauth.InvalidClient, "no colon"},
		"not base64":                                {[]string{"Basic !"}, nil, "", oauth.InvalidClient, "not base64"},
		"base64url":                                 {[]string{"Basic " + base64.URLEncoding.EncodeToString([]byte("a:\xff\xfe\xfb"))}, nil, "", oauth.InvalidClient, "not base64"},
		"no colon":                                  {[]string{"Basic " + base64.StdEncoding.EncodeToString([]byte(id["basic"]))}, nil, "", oauth.InvalidClient, "no colon"},
		"no id":                                     {[]string{basic("", secret["basic"])}, nil, "", oauth.InvalidClient, "no client id"},
		"not UTF-8":                                 {[]string{basic(id["basic"], "\xff")}, nil, "", oauth.InvalidClient, "not UTF-8"},
		"not UTF-8, escaped":                        {[]string{basic(id["basic"], "%ff")}, nil, "", oauth.InvalidClient, "not UTF-8"},
		"a control character, escaped":              {[]string{basic(id["basic"]+"%00", secret["basic"])}, nil, "", oauth.InvalidClient, "not UTF-8"},
		"broken percent-encoding":                   {[]string{basic(id["basic"], "%4")}, nil, "", oauth.InvalidClient, "percent-encoding"},
		"nobody at all":                             {nil, nil, "", oauth.InvalidClient, "client_id, HTTP Basic or client_assertion is missing"},
		"a secret of nobody":                        {nil, []string{"client_secret", secret["post"]}, "", oauth.InvalidClient, "client_id, HTTP Basic or client_assertion is missing"},
		"an assertion without its type":             {nil, []string{"client_id", id["public"], "client_assertion", "x"}, "", oauth.InvalidClient, "client_assertion_type must be"},
		"an assertion's type beside a secret":       {[]string{basic(id["basic"], secret["basic"])}, []string{"client_assertion_type", "x"}, "", oauth.InvalidClient, "client_assertion_type must be"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, e := h.ask(t, c.headers, c.form...)
			if c.client != "" {
				if e != nil || got.ID != id[c.client] {
					t.Fatalf("%q, %v", got.Name, e)
				}
				return
			}
			if e == nil || e.Code != c.code || !strings.Contains(e.Description, c.word) {
				t.Fatalf("%q, %v; want %s: …%s…", got.Name, e, c.code, c.word)
			}
			for _, s := range append(c.form, secret["basic"], secret["post"]) {
				if len(s) > 20 && s != "client_assertion_type" && strings.Contains(e.Error(), s) {
					t.Errorf("the error holds what was sent: %v", e)
				}
			}
			w := httptest.NewRecorder()
			oauth.WriteError(w, httptest.NewRequest(http.MethodPost, "/token", nil), e)
			status, challenge := http.StatusUnauthorized, ""
			if c.code == oauth.InvalidRequest {
				status = http.StatusBadRequest
			} else if len(c.headers) > 0 && c.headers[0] != "" { // RFC 6749 5.2
				challenge = `Basic realm="` + issuer + `"`
			}
			if w.Code != status || w.Header().Get("WWW-Authenticate") != challenge {
				t.Errorf("%d with the challenge %q, want %d and %q", w.Code, w.Header().Get("WWW-Authenticate"), status, challenge)
			}
		})
	}
}

// down is a store that cannot answer.
type down struct{ storage.Assertions }

func (down) Client(context.Context, string) (storage.Client, error) {
	return storage.Client{}, storage.ErrBusy
}

func TestStoreFails(t *testing.T) {
	t.Parallel()
	h := house{Authenticator: New(Options{Store: down{}, Issuer: issuer})}
	if _, e := h.ask(t, []string{basic("a", "b")}); e == nil || e.Code != oauth.TemporarilyUnavailable || e.Challenge != "" || !errors.Is(e, storage.ErrBusy) {
		t.Errorf("%v; the client is not to blame", e)
	}
}

// None of what a fault of ours could store lets somebody in.
func TestNoSecretFits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]storage.Client{
		"a secret method without a hash": {ID: "a", TokenEndpointAuthMethod: clients.AuthBasic},
		"no method":                      {ID: "a"},
	} {
		h := house{Authenticator: New(Options{Store: one{client: c}, Issuer: issuer})}
		for _, secret := range []string{"", "0", "x"} {
			if _, e := h.ask(t, nil, "client_id", "a", "client_secret", secret); e == nil {
				t.Errorf("%s: %q passes in the body", name, secret)
			}
			if _, e := h.ask(t, []string{basic("a", url.QueryEscape(secret))}); e == nil {
				t.Errorf("%s: %q passes in Basic", name, secret)
			}
		}
	}
}

type one struct {
	storage.Assertions
	client storage.Client
}

func (o one) Client(context.Context, string) (storage.Client, error) { return o.client, nil }

// What is read is clean text, and reads the same when it is written again.
func FuzzParseBasic(f *testing.F) {
	for _, s := range []string{basic("id", "secret"), basic("a%3Ab", "c+d%25"), "Basic", "basic  YTpi ", "Bearer x", basic("", ""), "Basic YTpi\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		id, secret, err := parseBasic(header)
		if err != nil {
			if id != "" || secret != "" {
				t.Errorf("%q: %v, and yet %q, %q", header, err, id, secret)
			}
			return
		}
		if id == "" || !utf8.ValidString(id+secret) || strings.ContainsFunc(id+secret, unicode.IsControl) {
			t.Errorf("%q: %q, %q", header, id, secret)
		}
		id2, secret2, err := parseBasic(basic(url.QueryEscape(id), url.QueryEscape(secret)))
		if err != nil || id2 != id || secret2 != secret {
			t.Errorf("%q reads as %q, %q, then as %q, %q: %v", header, id, secret, id2, secret2, err)
		}
	})
}
