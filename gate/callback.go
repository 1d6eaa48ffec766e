package gate

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// callback takes the issuer's answer: OpenID Connect Core 3.1.2.5 to 3.1.3.8.
func (p *party) callback(w http.ResponseWriter, r *http.Request) {
	v := p.finish(r)
	p.gate.note(v)
	w.Header().Set("Referrer-Policy", "no-referrer")
	p.gate.write(w, v, true)
}

func (p *party) finish(r *http.Request) *verdict {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || r.Method != http.MethodGet {
		return malformed("this is no answer of the issuer")
	}
	for _, values := range q {
		if len(values) != 1 { // RFC 6749 section 3.1
			return malformed("the answer has a parameter twice")
		}
	}
	state := q.Get("state")
	var l login
	if !plain(state) || !p.open(r, loginOf(state), &l) || !same(l.State, state) || p.gate.now().Unix() >= l.Until { // RFC 6749 section 10.12
		return malformed("this sign-in was not begun in this browser, or is over; begin again, and check that the browser accepts cookies")
	}
	over := p.cookie(loginOf(state), "", 0)
	refuse := func(v *verdict) *verdict {
		v.cookies = append(v.cookies, over)
		return v
	}
	m, err := p.gate.issuer.metadata.get(r.Context(), nil)
	switch {
	case err != nil:
		return p.gate.unavailable("the issuer cannot be reached", err)
	case q.Get("iss") != "" && q.Get("iss") != p.gate.config.Issuer, q.Get("iss") == "" && m.NamesItself: // RFC 9207 section 2.4
		return refuse(malformed("the answer is not that of the issuer"))
	case q.Get("error") != "":
		return refuse(p.refused(q.Get("error")))
	case q.Get("code") == "":
		return refuse(malformed("the answer holds neither a code nor an error"))
	}
	cookies, refused := p.redeem(r.Context(), m, q.Get("code"), l)
	if refused != nil {
		return refuse(refused)
	}
	return &verdict{status: http.StatusSeeOther, location: p.gate.config.Origin + l.Return, cookies: append(cookies, over)}
}

// refused says what an error code of RFC 6749 section 4.1.2.1 means to a person.
func (p *party) refused(code string) *verdict {
	v := &verdict{status: http.StatusForbidden, description: "the issuer did not sign you in"}
	known := []string{"access_denied", "invalid_scope", "invalid_target", "unauthorized_client", "server_error", "temporarily_unavailable", "invalid_request"}
	switch {
	case code == "access_denied":
		v.description = "the sign-in was declined"
	case slices.Contains(known, code):
		v.cause = errors.New("the issuer says " + code)
	}
	return v
}

// redeem exchanges a code and makes the session's cookies.
func (p *party) redeem(ctx context.Context, m metadata, code string, l login) ([]*http.Cookie, *verdict) {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, p.gate.issuer.http)
	options := append(p.resource(), oauth2.VerifierOption(l.Verifier))
	answer, err := p.client(m).Exchange(ctx, code, options...)
	if err != nil {
		return nil, p.failed("the code could not be exchanged", err)
	}
	raw, _ := answer.Extra("id_token").(string)
	claims, err := p.idToken(ctx, raw, answer.AccessToken, l.Nonce)
	if err != nil {
		return nil, p.failed("the ID token is not good", err)
	}
	t, refused := p.gate.accept(ctx, answer.AccessToken)
	switch {
	case refused != nil && refused.status == http.StatusServiceUnavailable:
		return nil, refused
	case refused != nil:
		return nil, p.failed("the access token is not good", errors.New(refused.description))
	case t.bound != nil || t.Claims["sub"] != claims["sub"]:
		return nil, p.failed("the access token is not that of the ID token", nil)
	}
	s, life := p.keep(*t, claims)
	sealed, err := p.seal(sessionCookie, s)
	if err != nil {
		return nil, p.failed("the session cannot be kept", err)
	}
	hint, err := p.seal(hintCookie, raw)
	if err != nil { // too long: the issuer then asks before it signs out
		hint = ""
	}
	return []*http.Cookie{p.cookie(sessionCookie, sealed, life), p.cookie(hintCookie, hint, life)}, nil
}

// idToken verifies one: Core 3.1.3.7, at_hash by 3.1.3.8.
func (p *party) idToken(ctx context.Context, raw, access, nonce string) (claims map[string]any, err error) {
	var names []string
	for _, a := range algorithms {
		names = append(names, string(a))
	}
	verifier := oidc.NewVerifier(p.gate.config.Issuer, keySet{p.gate.issuer}, &oidc.Config{
		ClientID: p.config.ClientID, SupportedSigningAlgs: names, Now: p.gate.now,
	})
	token, err := verifier.Verify(ctx, raw)
	if err != nil {
		return nil, err
	}
	if !same(token.Nonce, nonce) {
		return nil, errors.New("the nonce is another")
	}
	if token.AccessTokenHash != "" {
		if err := token.VerifyAccessToken(access); err != nil {
			return nil, err
		}
	}
	return claims, token.Claims(&claims)
}

// keySet is the issuer's keys as the library wants them.
type keySet struct{ issuer *issuer }

func (k keySet) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, _, err := k.issuer.signed(ctx, jwt, "JWT", "")
	return payload, err
}

func (p *party) failed(description string, cause error) *verdict {
	v := &verdict{status: http.StatusBadGateway, description: description + "; begin again", cause: errors.New("sign-in: " + description)}
	if cause != nil {
		v.cause = fmt.Errorf("sign-in: %s: %w", description, cause)
	}
	return v
}

// plain is the form of our states.
func plain(state string) bool {
	return len(state) >= 20 && len(state) <= 64 && strings.Trim(state, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
