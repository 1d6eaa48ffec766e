package demo

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"
)

// signIn sends the browser to the provider: OpenID Connect Core 3.1.2.1, RFC 7636 4.3.
func (a *app) signIn(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := asking(r)
	defer cancel()
	party, err := a.party(ctx)
	if err != nil {
		a.noProvider(w, err)
		return
	}
	l := login{state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	opts := []rp.AuthURLOpt{
		rp.WithCodeChallenge(oauth2.S256ChallengeFromVerifier(l.verifier)),
		rp.AuthURLOpt(rp.WithURLParam("nonce", l.nonce)),
	}
	switch prompt := r.URL.Query().Get("prompt"); prompt {
	case "login", "consent":
		opts = append(opts, rp.WithPrompt(prompt))
	}
	s := a.session(r)
	if s == nil {
		s = a.begin(w, nil)
	}
	s.add(l)
	http.Redirect(w, r, rp.AuthURL(l.state, party, opts...), http.StatusSeeOther)
}

// callback takes the provider's answer: Core 3.1.2.5 to 3.1.3.8.
func (a *app) callback(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	s := a.session(r)
	var l login
	known := false
	if s != nil {
		l, known = s.take(q.Get("state"))
	}
	switch iss := q.Get("iss"); {
	case !known: // RFC 6749 10.12; a reload of this page comes here too
		a.fail(w, http.StatusBadRequest, problem{
			Title: "No such sign-in",
			What:  "The answer’s state belongs to no sign-in that was begun in this browser, or to one that is finished already.",
			How:   "Begin again from this app. If it goes on, check that the browser accepts cookies.",
			Again: "/signin",
		})
	case iss != "" && iss != a.Issuer: // RFC 9207 2.4
		a.fail(w, http.StatusBadRequest, problem{Title: "Answer from another provider", What: "The answer names the issuer " + iss + ", this app asked " + a.Issuer + ".", Again: "/signin"})
	case q.Get("error") != "": // RFC 6749 4.1.2.1, Core 3.1.2.6
		a.fail(w, http.StatusOK, refused("The provider said no", q.Get("error"), q.Get("error_description")))
	case q.Get("code") == "":
		a.fail(w, http.StatusBadRequest, problem{Title: "Neither code nor error", What: "The provider sent the browser back with an empty answer.", Again: "/signin"})
	default:
		a.exchange(w, r, s, l, q.Get("code"))
	}
}

// exchange turns the code into tokens and signs the browser in under a new session id.
func (a *app) exchange(w http.ResponseWriter, r *http.Request, s *session, l login, code string) {
	ctx, cancel := asking(r)
	defer cancel()
	party, err := a.party(ctx)
	if err != nil {
		a.noProvider(w, err)
		return
	}
	tokens, err := rp.CodeExchange[*oidc.IDTokenClaims](ctx, code, party, rp.WithCodeVerifier(l.verifier))
	if err == nil && !same(tokens.IDTokenClaims.Nonce, l.nonce) { // Core 3.1.3.7, number 11
		err = errors.New("the ID token’s nonce is not the one that was sent")
	}
	if err != nil {
		a.Log.WarnContext(ctx, "demo: code exchange", "error", err)
		a.fail(w, http.StatusBadGateway, faultOf("The code could not be exchanged", err))
		return
	}
	g := a.grantOf(ctx, party, tokens)
	g.nonce = l.nonce
	fresh := a.begin(w, s)
	fresh.mu.Lock()
	fresh.grant = g
	fresh.mu.Unlock()
	http.Redirect(w, r, "/tokens", http.StatusSeeOther)
}

// grantOf keeps the tokens and asks userinfo. Without an answer one is signed in all the same.
func (a *app) grantOf(ctx context.Context, party rp.RelyingParty, t *oidc.Tokens[*oidc.IDTokenClaims]) *grant {
	g := &grant{
		idToken: t.IDToken, accessToken: t.AccessToken, refreshToken: t.RefreshToken,
		accessExpires: t.Expiry, received: a.Now(),
	}
	if t.IDTokenClaims != nil {
		g.sub, g.sid = t.IDTokenClaims.Subject, t.IDTokenClaims.SessionID
	}
	return g.ask(ctx, party)
}

func (g *grant) ask(ctx context.Context, party rp.RelyingParty) *grant {
	info, err := rp.Userinfo[claims](ctx, g.accessToken, oidc.BearerToken, g.sub, party)
	if err != nil {
		g.userinfoFault = err.Error()
		return g
	}
	g.userinfo = info
	return g
}

// refresh uses the refresh token: Core 12. One at a time per session, so that two clicks make two steps and not a fork.
func (a *app) refresh(w http.ResponseWriter, r *http.Request) {
	s := a.session(r)
	if s == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grant == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	if s.grant.refreshToken == "" {
		a.fail(w, http.StatusConflict, problem{Title: "No refresh token", What: "The provider gave none, or refused the last one.", How: "Sign in again to get one.", Again: "/signin"})
		return
	}
	ctx, cancel := asking(r)
	defer cancel()
	party, err := a.party(ctx)
	if err != nil {
		a.noProvider(w, err)
		return
	}
	next, err := a.renew(ctx, party, s.grant)
	if err != nil {
		a.Log.WarnContext(ctx, "demo: refresh", "error", err)
		if p := faultOf("The tokens could not be refreshed", err); p.Code == "invalid_grant" { // it will never be good again
			s.grant.refreshToken = ""
		}
		a.fail(w, http.StatusBadGateway, faultOf("The tokens could not be refreshed", err))
		return
	}
	s.grant = next
	http.Redirect(w, r, "/tokens", http.StatusSeeOther)
}

func (a *app) renew(ctx context.Context, party rp.RelyingParty, old *grant) (*grant, error) {
	t, err := rp.RefreshTokens[*oidc.IDTokenClaims](ctx, party, old.refreshToken, "", "")
	if err != nil {
		return nil, err
	}
	if c := t.IDTokenClaims; c != nil {
		switch { // Core 12.2
		case c.Subject != old.sub:
			return nil, errors.New("the new ID token is about another subject")
		case c.Nonce != "" && !same(c.Nonce, old.nonce):
			return nil, errors.New("the new ID token has another nonce")
		}
	}
	before := *old
	before.before = nil
	next := &grant{
		idToken: t.IDToken, accessToken: t.AccessToken, refreshToken: t.RefreshToken,
		accessExpires: t.Expiry, received: a.Now(), sub: old.sub, nonce: old.nonce, sid: old.sid, before: &before,
	}
	if next.idToken == "" { // Core 12.2: the answer "might not contain an id_token"
		next.idToken = old.idToken
	}
	if next.refreshToken == "" { // RFC 6749 6: the old one stays good
		next.refreshToken = old.refreshToken
	}
	return next.ask(ctx, party), nil
}

// signOut ends the app's own session first, then asks the provider to end its: RP-Initiated Logout 2.
func (a *app) signOut(w http.ResponseWriter, r *http.Request) {
	s, g := a.signedIn(r)
	if g == nil {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	fresh := a.begin(w, s)
	ctx, cancel := asking(r)
	defer cancel()
	party, err := a.party(ctx)
	if err != nil {
		a.noProvider(w, err)
		return
	}
	end, err := url.Parse(party.GetEndSessionEndpoint())
	if err != nil || end.Host == "" { // the provider offers no logout: signed out here, and that is all
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	state := rand.Text()
	fresh.mu.Lock()
	fresh.signedOut = state
	fresh.mu.Unlock()
	q := end.Query()
	q.Set("id_token_hint", g.idToken)
	q.Set("client_id", a.ClientID)
	q.Set("post_logout_redirect_uri", a.BaseURL+"/")
	q.Set("state", state)
	end.RawQuery = q.Encode()
	http.Redirect(w, r, end.String(), http.StatusSeeOther)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// noProvider says that discovery failed.
func (a *app) noProvider(w http.ResponseWriter, err error) {
	a.Log.Warn("demo: the provider was not found", "error", err)
	a.fail(w, http.StatusBadGateway, problem{
		Title: "The provider does not answer",
		What:  "This app looked for its discovery document at " + a.Issuer + oidc.DiscoveryEndpoint + ".",
		How:   "Check that the provider runs there, then try again.",
		Said:  err.Error(),
		Again: "/signin",
	})
}

// faultOf makes a problem of what the library returned: the provider's own words where there are any.
func faultOf(title string, err error) problem {
	var retrieve *oauth2.RetrieveError
	if errors.As(err, &retrieve) && retrieve.ErrorCode != "" {
		return refused(title, retrieve.ErrorCode, retrieve.ErrorDescription)
	}
	var said *oidc.Error
	if errors.As(err, &said) && said.ErrorType != "" {
		return refused(title, string(said.ErrorType), said.Description)
	}
	return problem{Title: title, What: "The provider’s answer was not one that this app can accept.", Said: err.Error(), Again: "/signin"}
}

// refused puts the specification's error codes into words.
func refused(title, code, description string) problem {
	return problem{Title: title, What: errorTexts[code], Code: code, Said: description, Again: "/signin"}
}

// errorTexts: RFC 6749 4.1.2.1 and 5.2, OpenID Connect Core 3.1.2.6.
var errorTexts = map[string]string{
	"access_denied":             "You, or the provider, declined.",
	"login_required":            "Somebody has to sign in, and this request did not allow to ask.",
	"consent_required":          "Somebody has to agree, and this request did not allow to ask.",
	"interaction_required":      "The provider has to ask something, and this request did not allow it.",
	"invalid_request":           "The provider could not make sense of the request.",
	"invalid_scope":             "This app asked for a scope that it may not have.",
	"invalid_client":            "The provider does not take this app’s client id and secret.",
	"invalid_grant":             "The code or refresh token is not good any more.",
	"unauthorized_client":       "This app may not do that.",
	"unsupported_response_type": "The provider does not do the code flow for this app.",
	"server_error":              "The provider met a fault of its own.",
	"temporarily_unavailable":   "The provider is busy. Try again in a moment.",
}
