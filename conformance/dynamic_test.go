package conformance

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"

	"signet/provider/admin"
)

// The modules of the plans dynamic and 3rdparty-init-login that the others do not have.

func idTokenRS256(r *run) {
	if f := r.browser().flow(r.client("id_token_signed_response_alg", "RS256")); f.idToken == "" { // whose algorithm each flow checks
		r.Error("there is no ID token")
	}
}

func userinfoRS256(r *run) {
	c := r.client("userinfo_signed_response_alg", "RS256")
	f := r.browser().flow(c)
	if f.userinfo["iss"] != r.issuer || f.userinfo["aud"] != c.id {
		r.Errorf("Core 5.3.2: UserInfo is not a JWT of ours for the client: %v", f.userinfo)
	}
}

// withoutRedirectURI: two are registered, and none is sent.
func withoutRedirectURI(r *run) {
	c := r.client("redirect_uris", []string{redirectURI, redirectURI + "/second"})
	r.errorPage(r.browser().visit(r.params(c, "redirect_uri", "")), "redirect_uri", "invalid")
}

// redirectURIQuery: RFC 6749 section 3.1.2: a query that is registered "MUST be retained".
func redirectURIQuery(r *run) {
	const query = "dummy1=lorem&dummy2=ipsum"
	b := r.browser()
	b.query = query
	b.flow(r.client("redirect_uris", []string{redirectURI + "?" + query}))
}

func redirectURIRefused(registered, sent string) func(*run) {
	return func(r *run) {
		c := r.client("redirect_uris", []string{registered})
		r.errorPage(r.browser().visit(r.params(c, "redirect_uri", sent)), "not registered", "invalid")
	}
}

// registrationRefused sends a registration with a fault in it: RFC 7591 section 3.2.2.
func registrationRefused(code string, change ...any) func(*run) {
	return func(r *run) { r.notRegistered(code, change...) }
}

func (r *run) notRegistered(code string, change ...any) {
	r.Helper()
	a := r.registration(r.wants(change...))
	if described, _ := a.json["error_description"].(string); a.status != http.StatusBadRequest || a.json["error"] != code || !strings.Contains(described, change[0].(string)) {
		r.Errorf("%d %s, want %s that names %s", a.status, a.body, code, change[0])
	}
}

// logoURI: Registration 2. The logo is on a page before consent, as an image from the provider's own address.
func logoURI(r *run) {
	var picture bytes.Buffer
	r.must(png.Encode(&picture, image.NewGray(image.Rect(0, 0, 4, 4))))
	site := r.site()
	site.put("/logo.png", "image/png", picture.Bytes())
	r.looked = true
	found, c := false, r.client("logo_uri", site.url("/logo.png"))
	for n := 0; n < 20 && !found; n++ { // a page waits a second for a logo; where that was not enough, the next page has it
		for _, src := range beforeConsent(r.browser().flow(c).visit, "img", "src") {
			if strings.HasPrefix(src, "/") {
				src = r.issuer + src
			}
			a := r.get(src)
			found = found || strings.HasPrefix(src, r.issuer) && a.status == http.StatusOK && a.header.Get("Content-Type") == "image/png" && a.body == picture.String()
		}
	}
	if !found {
		r.Error("no page shows the logo")
	}
}

func linkedBeforeConsent(name, uri string) func(*run) {
	return func(r *run) {
		r.looked = true
		if !slices.Contains(beforeConsent(r.browser().flow(r.client(name, uri)).visit, "a", "href"), uri) {
			r.Errorf("no page links to %s", uri)
		}
	}
}

// beforeConsent are the values of an attribute on the pages that the person saw.
func beforeConsent(v visit, element, name string) (values []string) {
	for _, page := range v.pages {
		for n := range page.Descendants() {
			if n.Type == html.ElementNode && n.Data == element {
				values = append(values, attr(n, name))
			}
		}
	}
	return values
}

func jwksURI(r *run) {
	site := r.site()
	site.putJSON(r, "/jwks", public(signingKey(0)))
	r.browser().flow(r.client("jwks", nil, "jwks_uri", site.url("/jwks")))
}

// sectorURI: Registration 5: the document lists all redirect URIs.
func sectorURI(r *run) {
	site := r.site()
	site.putJSON(r, "/sector", []string{redirectURI})
	r.browser().flow(r.client("sector_identifier_uri", site.url("/sector"), "subject_type", "pairwise"))
}

func sectorBad(r *run) {
	site := r.site()
	site.putJSON(r, "/sector", []string{"https://other.example/callback"})
	r.notRegistered("invalid_client_metadata", "sector_identifier_uri", site.url("/sector"), "subject_type", "pairwise")
}

// rotateKeys: Core 10.1.1. The operator rotates between two looks at the keys.
func rotateKeys(r *run) {
	c, b := r.client(), r.browser()
	before, old := b.flow(c), r.keys
	r.pass(24 * time.Hour) // for so long a key is announced before it signs
	r.must(r.operator.Do(r.Context(), http.MethodPost, admin.Rotation{Alg: "RS256"}, nil, "keys", "rotate"))
	r.discover() // which fails where two keys have one kid
	added := false
	for _, key := range r.keys.Keys {
		added = added || len(old.Key(key.KeyID)) == 0
	}
	if !added {
		r.Error("no key is new")
	}
	for _, key := range old.Keys {
		if len(r.keys.Key(key.KeyID)) == 0 {
			r.Errorf("%s is gone, and what it signed is still good", key.KeyID)
		}
	}
	if kidOf(r, before.idToken) == kidOf(r, b.flow(c).idToken) {
		r.Error("the old key signs on")
	}
}

// kidOf is the kid of a token that verifies by the keys as they are.
func kidOf(r *run, token string) string {
	r.Helper()
	r.verify(token, "RS256")
	return header(r, token)["kid"].(string)
}

// clientKeyRotation: Core 10.1.1. The client adds a key to its jwks_uri, and signs with it a minute later.
func clientKeyRotation(r *run) {
	site := r.site()
	site.putJSON(r, "/jwks", public(signingKey(0)))
	c := r.client("jwks", nil, "jwks_uri", site.url("/jwks"))
	f := r.browser().flow(c, "scope", "openid offline_access", "prompt", "consent")
	if f.refreshToken == "" {
		r.skip("no refresh token was issued")
	}
	site.putJSON(r, "/jwks", public(signingKey(1), signingKey(0)))
	r.pass(time.Minute)
	c.key = signingKey(1)
	r.exchange(&f, r.refresh(c, f.refreshToken), "")
}

// requestURISigned is mandatory for the profile.
func requestURISigned(r *run) {
	if !r.says("request_uri_parameter_supported", true) || !r.lists("request_object_signing_alg_values_supported", "RS256") {
		r.Error("request objects by reference, signed with RS256, are not advertised")
	}
	r.byReference("RS256", func(object map[string]any) string { return r.sign(signingKey(0), object) })
}

// assertionForIssuer: RFC 7523 section 3, item 3, as RFC 7523bis narrows it. As in the suite, it is a flow like any other where no code is.
func assertionForIssuer(r *run) {
	c := r.client()
	c.audience = r.issuer
	r.browser().flow(c)
}

// initiateLogin: Core 4. The URI is kept, and said again at the registration and to whoever asks for it.
func initiateLogin(r *run) {
	const name, uri = "initiate_login_uri", "https://suite.example/initiate"
	a := r.registration(r.wants(name, uri))
	if a.status != http.StatusCreated || a.json[name] != uri {
		r.Errorf("registered as %d %s", a.status, a.body)
	}
	c := r.client(name, uri)
	if a := r.manage(http.MethodGet, c); a.status != http.StatusOK || a.json[name] != uri {
		r.Errorf("RFC 7592 2.1: read as %d %s", a.status, a.body)
	}
}
