package clients

import (
	"strings"
	"testing"
)

func TestLogoutURIs(t *testing.T) {
	t.Parallel()
	const front, back = "frontchannel_logout_uri", "backchannel_logout_uri"
	for name, c := range map[string]struct {
		typ         string
		redirect    string // "": https://app.example/cb
		front, back string
		fields      string // of the faults, joined by spaces
	}{
		"Front-Channel Logout 2, Back-Channel Logout 2.2: with a query": {Web, "", "https://app.example/out?tenant=a&b=%20", "https://other.example:8443/out?tenant=a", ""},
		"neither is needed":                                                      {Web, "", "", "", ""},
		"Front-Channel Logout 2: a fragment":                                     {Web, "", "https://app.example/out#", "", front},
		"Back-Channel Logout 2.2: a fragment":                                    {Web, "", "", "https://app.example/out#x", back},
		"Front-Channel Logout 2: relative":                                       {Web, "", "/out", "", front},
		"Back-Channel Logout 2.2: relative":                                      {Web, "", "", "//app.example/out", back},
		"Front-Channel Logout 2: another host":                                   {Web, "", "https://www.app.example/out", "", front},
		"Front-Channel Logout 2: another port":                                   {Web, "", "https://app.example:8443/out", "", front},
		"Front-Channel Logout 2: another scheme":                                 {Web, "http://localhost:443/cb", "https://localhost/out", "", front},
		"Front-Channel Logout 2: the port of the scheme, written":                {Web, "", "https://app.example:443/out", "", ""},
		"Front-Channel Logout 2: capitals in the host":                           {Web, "https://App.example/cb", "https://app.EXAMPLE/out", "", ""},
		"Front-Channel Logout 2: what only begins like the host":                 {Web, "", "https://app.example.evil.example/out", "", front},
		"Front-Channel Logout 2: three names of loopback are three hosts":        {Web, "http://localhost:3000/cb", "http://127.0.0.1:3000/out", "", front},
		"http on loopback, with a secret":                                        {Web, "http://localhost:3000/cb", "http://localhost:3000/out", "http://127.0.0.1:4000/out", ""},
		"Front-Channel Logout 2: http is for confidential clients":               {SPA, "http://localhost:3000/cb", "http://localhost:3000/out", "", front},
		"Back-Channel Logout 2.2: http is for confidential clients":              {SPA, "http://localhost:3000/cb", "", "http://localhost:3000/out", back},
		"a page with a server of its own":                                        {SPA, "", "https://app.example/out", "https://api.app.example/out", ""},
		"http beyond loopback":                                                   {Web, "", "http://app.example/out", "http://app.example/out", back + " " + front},
		"a scheme of its own":                                                    {Native, "com.example.app:/cb", "com.example.app:/out", "com.example.app:/out", back + " " + front},
		"a scheme of its own has no origin, whatever follows it":                 {Native, "com.example.app://app.example/cb", "https://app.example/out", "", front},
		"a native app whose maker has a server":                                  {Native, "com.example.app:/cb", "", "https://app.example/out", ""},
		"a script":                                                               {Web, "", "javascript:alert(1)", "data:,", back + " " + front},
		"a user name in front of the host":                                       {Web, "", "https://app.example@evil.example/", "https://u:p@app.example/", back + " " + front},
		"nobody signs in to a service":                                           {Service, "", "https://app.example/out", "https://app.example/out", back + " " + front},
		"what would be a wildcard where the frame's source is named in a policy": {Web, "", "https://*.example/out", "", front},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := valid(t, c.typ)
			if c.typ != Service {
				client.RedirectURIs = []string{"https://app.example/cb"}
			}
			if c.redirect != "" {
				client.RedirectURIs = []string{c.redirect}
			}
			client.FrontchannelLogoutURI, client.BackchannelLogoutURI = c.front, c.back
			if got := strings.Join(faulty(t, Validate(client)), " "); got != c.fields {
				t.Errorf("faults of %q, want %q: %v", got, c.fields, Validate(client))
			}
		})
	}
}

// Whatever is let in can be framed, or sent to, as it was registered.
func FuzzLogoutURIs(f *testing.F) {
	for _, uri := range []string{"https://app.example/out?a=b", "http://localhost/", "https://app.example:443/", "https://[::1]/", "https://app.example#", "https://a;b/"} {
		f.Add(uri)
	}
	client := valid(f, Web)
	client.RedirectURIs = []string{"https://app.example/cb"}
	f.Fuzz(func(t *testing.T, uri string) {
		c := client
		c.FrontchannelLogoutURI, c.BackchannelLogoutURI = uri, uri
		if uri == "" || Validate(c) != nil {
			return
		}
		rest, ok := strings.CutPrefix(strings.ToLower(uri), "https://app.example")
		rest = strings.TrimPrefix(rest, ":443")
		if !ok || rest != "" && rest[0] != '/' && rest[0] != '?' || strings.ContainsAny(uri, "#\r\n\"<> \\") {
			t.Errorf("%q is let in", uri)
		}
	})
}

// A client that lost its redirect URIs keeps none of these.
func TestLogoutNeedsARedirectURI(t *testing.T) {
	t.Parallel()
	c := valid(t, Web)
	c.GrantTypes, c.ResponseTypes, c.RedirectURIs = []string{GrantService}, nil, nil
	c.FrontchannelLogoutURI = "https://app.example/out"
	if got := faulty(t, Validate(c)); len(got) != 1 || got[0] != "frontchannel_logout_uri" {
		t.Error(got)
	}
}
