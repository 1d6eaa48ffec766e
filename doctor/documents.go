package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"signet/provider/oauth"
)

// discovery reads the metadata, which all that follows needs: OpenID Connect Discovery 4.
func (e *examination) discovery(ctx context.Context) bool {
	a, err := e.get(ctx, oauth.OpenIDConfigurationPath)
	at := e.base + oauth.OpenIDConfigurationPath
	switch {
	case err != nil:
		e.say("discovery", Failure, at, "see whether signet runs (signet status), and whether the name and the proxy lead to it", "it cannot be reached: %v", err)
		return false
	case a.StatusCode/100 == 3:
		e.say("discovery", Failure, at, "name the issuer as it is served, or take the redirect away: apps do not follow it", "it answers with a redirect to %q", a.Header.Get("Location"))
		return false
	case a.StatusCode != http.StatusOK:
		e.say("discovery", Failure, at, "let the proxy pass the whole path to signet, the issuer's own included", "it answers %d", a.StatusCode)
		return false
	}
	e.clock(a)
	if err := json.Unmarshal(a.body, &e.metadata); err != nil {
		e.say("discovery", Failure, at, "see what answers there: signet does not", "the answer is no JSON, but %s", a.Header.Get("Content-Type"))
		return false
	}
	e.sameIssuer(at)
	e.cached(ctx, "discovery", a)
	if got := a.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/json") {
		e.say("discovery", Warning, at, "let the proxy pass Content-Type", "the document comes as %q, not as application/json", got)
	}
	return true
}

// sameIssuer: OpenID Connect Discovery 4.3: "MUST be identical". And every link must lead there.
func (e *examination) sameIssuer(at string) {
	said := e.said("issuer")
	fix := "set issuer to " + e.Issuer + " there, or name it everywhere as " + strconv.Quote(said)
	switch {
	case said == e.Issuer:
		e.ok("issuer", "discovery says it byte for byte")
	case strings.TrimSuffix(said, "/") == e.base:
		e.say("issuer", Failure, at, fix, "it says %q: the slash at the end differs, and apps compare byte for byte", said)
	case strings.TrimPrefix(said, "http://") == strings.TrimPrefix(e.Issuer, "https://"):
		e.say("issuer", Failure, at, "set issuer to the https URL; signet says what it is configured to, whatever X-Forwarded-Proto says", "it says %q, by http", said)
	default:
		e.say("issuer", Failure, at, fix, "it says %q", said)
	}
	if said != e.Issuer {
		return // and the links with it
	}
	var away []string
	for name, v := range e.metadata {
		link, ok := v.(string)
		ours := strings.HasSuffix(name, "_endpoint") || name == "jwks_uri" || name == "check_session_iframe"
		if ok && ours && !strings.HasPrefix(link, e.base+"/") {
			away = append(away, name)
		}
	}
	if slices.Sort(away); len(away) > 0 {
		e.say("links", Failure, at, fix, "%s lead elsewhere, to %s for one", strings.Join(away, ", "), e.said(away[0]))
	}
}

// cached holds a document against what caches need: Cache-Control with an age, and an ETag that is answered by 304 (RFC 9110 section 13).
func (e *examination) cached(ctx context.Context, check string, a answer) {
	control := a.Header.Get("Cache-Control")
	if !strings.Contains(control, "max-age=") || strings.Contains(control, "no-store") {
		e.say(check, Warning, a.at, "let the proxy pass Cache-Control", "it says Cache-Control %q: apps fetch it anew each time", control)
		return
	}
	tag := a.Header.Get("ETag")
	if tag == "" {
		e.say(check, Warning, a.at, "let the proxy pass ETag; some drop it where they compress", "it has no ETag: apps fetch the whole anew each time")
		return
	}
	again, err := e.ask(ctx, http.MethodGet, a.at, "", "If-None-Match", tag)
	switch {
	case err != nil:
		e.say(check, Warning, a.at, "", "the second request failed: %v", err)
	case again.StatusCode != http.StatusNotModified:
		e.say(check, Warning, a.at, "let the proxy pass If-None-Match, and ETag as it is", "what is fetched again comes whole (%d), not as 304", again.StatusCode)
	default:
		e.ok(check, "%d bytes, %s, answered again by 304", len(a.body), control)
	}
}

// second is the document of RFC 8414, which some libraries read instead. Where the issuer has a path it is at the host's root.
func (e *examination) second(ctx context.Context) {
	at := e.issuer.Scheme + "://" + e.issuer.Host + oauth.OAuthMetadataPath + strings.TrimSuffix(e.issuer.EscapedPath(), "/")
	a, err := e.ask(ctx, http.MethodGet, at, "")
	var other map[string]any
	switch {
	case err != nil:
		e.say("metadata", Warning, at, "let the proxy lead this path to signet as well", "it cannot be reached: %v", err)
	case a.StatusCode != http.StatusOK || json.Unmarshal(a.body, &other) != nil || other["issuer"] != e.metadata["issuer"]:
		e.say("metadata", Warning, at, "let the proxy lead this path to signet as well: it is at the host's root (RFC 8414 section 3)", "the document for OAuth libraries is not there (%d)", a.StatusCode)
	default:
		e.ok("metadata", "OAuth libraries find theirs too (RFC 8414)")
	}
}

// keys reads the key set: RFC 7517.
func (e *examination) keys(ctx context.Context) {
	at := e.endpoint("jwks_uri")
	if at == "" {
		e.say("jwks", Failure, e.base+oauth.OpenIDConfigurationPath, "see what answers there: signet names its own", "discovery names no key set of the issuer")
		return
	}
	a, err := e.ask(ctx, http.MethodGet, at, "")
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	switch {
	case err != nil:
		e.say("jwks", Failure, at, "let the proxy lead this path to signet", "it cannot be reached: %v", err)
		return
	case a.StatusCode != http.StatusOK || json.Unmarshal(a.body, &set) != nil:
		e.say("jwks", Failure, at, "let the proxy lead this path to signet", "it is no key set, but the status %d", a.StatusCode)
		return
	}
	e.cached(ctx, "jwks", a)
	e.keySet(at, set.Keys)
}

// privateMembers are those that no published key may have: RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1.
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

func (e *examination) keySet(at string, keys []map[string]any) {
	var ids, algs []string
	halves := map[string]string{} // of the public half's members, its key id
	before := len(e.findings)
	for _, k := range keys {
		id, alg := fmt.Sprint(k["kid"]), fmt.Sprint(k["alg"])
		if slices.ContainsFunc(privateMembers, func(m string) bool { return k[m] != nil }) {
			e.say("keys", Failure, at, "take this server off the net and make new keys (signet key revoke "+id+")", "key %s is published with its private half", id)
		}
		if slices.Contains(ids, id) {
			e.say("keys", Failure, at, "see what answers there: signet gives each key an id of its own", "two keys have the id %s", id)
		}
		half := fmt.Sprint(k["n"], k["x"], k["y"])
		if other, twice := halves[half]; twice && other != id {
			e.say("keys", Failure, at, "see what answers there: signet makes a key for each id", "the keys %s and %s are one", other, id)
		}
		ids, algs, halves[half] = append(ids, id), append(algs, alg), id
	}
	if announced, ok := e.metadata["id_token_signing_alg_values_supported"].([]any); ok {
		for _, alg := range announced {
			if alg := fmt.Sprint(alg); alg != "none" && !strings.HasPrefix(alg, "HS") && !slices.Contains(algs, alg) {
				e.say("keys", Failure, at, "see signet key list, and whether a cache answers there", "discovery announces %s, and no key is for it", alg)
			}
		}
	}
	e.stale(at, ids)
	if len(keys) == 0 {
		e.say("keys", Failure, at, "see signet key list", "there is no key")
	} else if len(e.findings) == before {
		e.ok("keys", "%d, each another, for %s", len(keys), strings.Join(slices.Compact(slices.Sorted(slices.Values(algs))), ", "))
	}
}

// stale: what arrives must be what the server publishes. A cache that holds on to a key set makes good tokens look forged.
func (e *examination) stale(at string, ids []string) {
	for _, id := range e.Published {
		if !slices.Contains(ids, id) {
			e.say("keys", Failure, at, "have the cache before it keep the key set no longer than its Cache-Control says, and empty it now",
				"key %s is published by the server and does not arrive", id)
			return
		}
	}
}

// headers looks at what protects people's browsers: RFC 6797, Content Security Policy 3.
func (e *examination) headers(ctx context.Context) {
	a, err := e.get(ctx, "/")
	if err != nil {
		e.say("headers", Warning, e.base+"/", "", "the first page cannot be reached: %v", err)
		return
	}
	before := len(e.findings)
	want := func(s Status, name, fix string, good func(string) bool) {
		switch value := a.Header.Get(name); {
		case value == "":
			e.say("headers", s, a.at, fix, "pages come without %s", name)
		case !good(value):
			e.say("headers", s, a.at, fix, "pages come with %s %q", name, value)
		case len(a.Header.Values(name)) > 1:
			e.say("headers", Warning, a.at, "let either signet or the proxy set it, not both", "pages come with %s twice", name)
		}
	}
	const pass = "let the proxy pass it as signet sets it"
	if e.issuer.Scheme == "https" {
		want(Warning, "Strict-Transport-Security", pass, func(v string) bool { return maxAge(v) >= 180*24*3600 })
	}
	want(Failure, "Content-Security-Policy", pass, func(v string) bool {
		return strings.Contains(v, "default-src 'none'") && strings.Contains(v, "frame-ancestors 'none'") && !strings.Contains(v, "unsafe-inline")
	})
	want(Warning, "X-Content-Type-Options", pass, func(v string) bool { return strings.EqualFold(v, "nosniff") })
	want(Warning, "Referrer-Policy", pass+": with no-referrer our own forms are refused as another site's", func(v string) bool { return v == "same-origin" })
	if len(e.findings) == before {
		e.ok("headers", "pages carry their policy, and cannot be framed")
	}
}

// maxAge is the directive of that name.
func maxAge(v string) int {
	for d := range strings.SplitSeq(v, ";") {
		if seconds, ok := strings.CutPrefix(strings.TrimSpace(d), "max-age="); ok {
			n, _ := strconv.Atoi(strings.Trim(seconds, `"`))
			return n
		}
	}
	return 0
}

// methods asks endpoints in the wrong way: RFC 6749 section 3.2 and RFC 9110 section 15.5.6. A proxy that answers by itself, or makes
// another method of it, is found out.
func (e *examination) methods(ctx context.Context) {
	before := len(e.findings)
	for _, c := range []struct{ method, at, allow string }{
		{http.MethodGet, e.endpoint("token_endpoint"), http.MethodPost},
		{http.MethodGet, e.endpoint("revocation_endpoint"), http.MethodPost},
		{http.MethodGet, e.endpoint("introspection_endpoint"), http.MethodPost},
		{http.MethodDelete, e.base + oauth.OpenIDConfigurationPath, http.MethodGet},
		{http.MethodPost, e.endpoint("jwks_uri"), http.MethodGet},
	} {
		if c.at == "" {
			continue
		}
		a, err := e.ask(ctx, c.method, c.at, "")
		switch {
		case err != nil:
			e.say("methods", Failure, c.at, "let the proxy lead this path to signet", "%s cannot be asked: %v", c.method, err)
		case a.StatusCode == http.StatusMethodNotAllowed && strings.Contains(a.Header.Get("Allow"), c.allow):
		default:
			e.say("methods", Failure, c.at, "let the proxy lead this path to signet, with the method as it came", "%s is answered %d with Allow %q, not 405 with %s",
				c.method, a.StatusCode, a.Header.Get("Allow"), c.allow)
		}
	}
	if len(e.findings) == before {
		e.ok("methods", "endpoints are reached, and refuse the wrong ones by themselves")
	}
}

// crossOrigin: apps in browsers call these from their own origin, and introspection from none (Fetch, section 3.3).
func (e *examination) crossOrigin(ctx context.Context) {
	const origin = "https://app.example"
	before := len(e.findings)
	for _, c := range []struct {
		at, method string
		open       bool
	}{
		{e.base + oauth.OpenIDConfigurationPath, http.MethodGet, true},
		{e.endpoint("jwks_uri"), http.MethodGet, true},
		{e.endpoint("token_endpoint"), http.MethodPost, true},
		{e.endpoint("userinfo_endpoint"), http.MethodGet, true},
		{e.endpoint("introspection_endpoint"), http.MethodPost, false},
		{e.endpoint("authorization_endpoint"), http.MethodGet, false},
	} {
		if c.at == "" {
			continue
		}
		a, err := e.ask(ctx, http.MethodOptions, c.at, "", "Origin", origin, "Access-Control-Request-Method", c.method, "Access-Control-Request-Headers", "authorization")
		if err != nil {
			continue // methods has said so
		}
		allowed := a.Header.Values("Access-Control-Allow-Origin")
		switch {
		case c.open && len(allowed) == 0:
			e.say("cors", Failure, c.at, "let the proxy pass OPTIONS to signet and the headers Access-Control-… from it", "apps in browsers are not let in: no Access-Control-Allow-Origin")
		case len(allowed) > 1:
			e.say("cors", Failure, c.at, "take the proxy's own Access-Control-Allow-Origin away", "Access-Control-Allow-Origin is there twice, and browsers refuse that")
		case !c.open && len(allowed) > 0:
			e.say("cors", Failure, c.at, "take the proxy's own Access-Control-Allow-Origin away", "other sites' scripts may call it, which only servers and people should")
		case a.Header.Get("Access-Control-Allow-Credentials") == "true":
			e.say("cors", Failure, c.at, "take the proxy's own Access-Control-Allow-Credentials away", "other sites' scripts may call it with people's cookies")
		}
	}
	if len(e.findings) == before {
		e.ok("cors", "apps in browsers may call what is theirs, and nothing else")
	}
}

// registration asks to register with a body that is no JSON: who is not let in hears of that first.
func (e *examination) registration(ctx context.Context) {
	at := e.endpoint("registration_endpoint")
	if at == "" {
		return
	}
	a, err := e.ask(ctx, http.MethodPost, at, "{", "Content-Type", "application/json")
	switch {
	case err != nil:
		e.say("registration", Failure, at, "let the proxy lead this path to signet, or set registration: off", "it cannot be reached: %v", err)
	case a.StatusCode == http.StatusUnauthorized:
		e.ok("registration", "apps register themselves with a token of yours")
	case a.StatusCode == http.StatusTooManyRequests || bytes.Contains(a.body, []byte(oauth.TemporarilyUnavailable)):
		e.ok("registration", "too many were asked for just now; see another time")
	case e.local():
		e.ok("registration", "anybody on this machine may register apps")
	default:
		e.say("registration", Warning, at, "if that is not meant, set registration: token", "anybody on the internet may register apps here")
	}
}
