package authorize

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"signet/clients"
	"signet/provider/issue"
	"signet/provider/oauth"
	"signet/storage"
)

// What a client may have us keep, in bytes.
const (
	maxState = 8 << 10
	maxNonce = 2 << 10
	maxHint  = 1 << 10 // each of login_hint, acr_values, ui_locales
)

// check holds one part of a request against the rules, and writes it down.
type check func(oauth.Params, storage.Client, *storage.Request) error

// validate says whether the request may be, clause by clause. An error goes to the client, whose redirect URI is certain by now.
func (e *Endpoint) validate(ctx context.Context, p oauth.Params, t target) (storage.Request, error) {
	req := storage.Request{
		Client: t.client.ID, RedirectURI: t.redirectURI, ResponseMode: t.mode, State: t.state, Nonce: p.Get("nonce"),
		Challenge: p.Get("code_challenge"), LoginHint: p.Get("login_hint"), ACRValues: p.Words("acr_values"), UILocales: p.Words("ui_locales"),
		Object: t.object,
	}
	if len(req.ACRValues) == 0 { // Registration 2: "Voluntary Claim"; what is asked for explicitly "overrides these default values"
		req.ACRValues = t.client.DefaultACRValues
	}
	if t.fault != nil {
		return req, t.fault
	}
	if err := p.Repeated(); err != nil { // RFC 6749 section 3.1
		return req, err
	}
	for _, check := range []check{
		unsupported, responseType, sizes, e.scopes(ctx), idToken, pkce, prompt, maxAge, e.hint(ctx), e.claims,
	} {
		if err := check(p, t.client, &req); err != nil {
			return req, err
		}
	}
	return req, nil
}

// unsupported refuses what would change the meaning of the request if it were ignored: OpenID Connect Core 7.2.1 and 3.1.2.6.
func unsupported(p oauth.Params, _ storage.Client, _ *storage.Request) error {
	if p.Has("registration") {
		return oauth.Errorf(oauth.RegistrationNotSupported, "the registration parameter is not supported")
	}
	return nil
}

// responseType: RFC 6749 section 3.1.1 and 4.1.2.1; response_mode: OAuth 2.0 Multiple Response Types 2.1.
func responseType(p oauth.Params, c storage.Client, req *storage.Request) error {
	sent := p.Get("response_type")
	known, ok := clients.ResponseType(sent)
	req.ResponseType = known
	switch mode := p.Get("response_mode"); {
	case mode != "" && !responseModes[mode]:
		return oauth.Errorf(oauth.InvalidRequest, "response_mode must be query, fragment or form_post")
	case mode == "form_post" && !postable(req.RedirectURI): // Form Post Response Mode 2: "transmitted via the HTTP POST method"
		return oauth.Errorf(oauth.InvalidRequest, "response_mode form_post needs a redirect_uri of https or http")
	case mode == "query" && defaultMode(sent) != "query": // OAuth 2.0 Multiple Response Types 5
		return oauth.Errorf(oauth.InvalidRequest, "response_mode query is for response_type code alone")
	case sent == "":
		return oauth.Errorf(oauth.InvalidRequest, "response_type is missing")
	case !ok:
		return oauth.Errorf(oauth.UnsupportedResponseType, "response_type must be %s", strings.Join(clients.ResponseTypes, ", "))
	case !slices.Contains(c.ResponseTypes, known):
		return oauth.Errorf(oauth.UnauthorizedClient, "this client is not registered for response_type %s", known)
	}
	for _, grant := range clients.ResponseGrants(known) { // Registration 2: the metadata decides, whoever wrote it
		if !clients.Allows(c, grant) {
			return oauth.Errorf(oauth.UnauthorizedClient, "this client is not registered for the grant type %s, which response_type %s needs", grant, known)
		}
	}
	return nil
}

func sizes(p oauth.Params, _ storage.Client, req *storage.Request) error {
	switch {
	case len(req.State) > maxState:
		return oauth.Errorf(oauth.InvalidRequest, "state is longer than 8 KiB")
	case len(req.Nonce) > maxNonce:
		return oauth.Errorf(oauth.InvalidRequest, "nonce is longer than 2 KiB")
	}
	for _, name := range []string{"login_hint", "acr_values", "ui_locales"} {
		if len(p.Get(name)) > maxHint {
			return oauth.Errorf(oauth.InvalidRequest, "%s is longer than 1 KiB", name)
		}
	}
	return nil
}

// idToken: an ID token that leaves the authorization endpoint says for which request it was made (OpenID Connect Core 3.2.2.1, 3.3.2.11),
// and is for requests of OpenID Connect alone.
func idToken(_ oauth.Params, _ storage.Client, req *storage.Request) error {
	switch {
	case !clients.Carries(req.ResponseType, clients.ResponseIDToken):
		return nil
	case req.Nonce == "":
		return oauth.Errorf(oauth.InvalidRequest, "nonce is missing: response_type %s needs one", req.ResponseType)
	case !slices.Contains(req.Scopes, "openid"):
		return oauth.Errorf(oauth.InvalidScope, "response_type %s needs the scope openid", req.ResponseType)
	}
	return nil
}

// challengeForm is what S256 makes: 256 bits in base64url.
var challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// pkce: RFC 7636 section 4.3 and 4.4.1, RFC 9700 section 2.1.1. Without a code there is nothing to protect by it.
func pkce(p oauth.Params, c storage.Client, req *storage.Request) error {
	method := p.Get("code_challenge_method")
	switch {
	case !clients.Carries(req.ResponseType, clients.ResponseCode):
		req.Challenge = ""
		return nil
	case req.Challenge == "" && method != "":
		return oauth.Errorf(oauth.InvalidRequest, "code_challenge_method was sent without code_challenge")
	case req.Challenge == "" && c.PKCE != storage.PKCEOptional:
		return oauth.Errorf(oauth.InvalidRequest, "code_challenge is missing: this client must use PKCE with S256")
	case req.Challenge == "":
		return nil
	case method != "S256": // 4.3: an absent method means plain, which shows the verifier to whoever sees the request
		return oauth.Errorf(oauth.InvalidRequest, "code_challenge_method must be S256")
	case !challengeForm.MatchString(req.Challenge):
		return oauth.Errorf(oauth.InvalidRequest, "code_challenge is not a SHA-256 hash in base64url without padding")
	}
	return nil
}

// prompts that we know.
var prompts = []string{"none", "login", "consent", "select_account"}

// prompt: OpenID Connect Core 3.1.2.1.
func prompt(p oauth.Params, _ storage.Client, req *storage.Request) error {
	req.Prompt = p.Words("prompt")
	for _, v := range req.Prompt {
		switch {
		case !slices.Contains(prompts, v):
			return oauth.Errorf(oauth.InvalidRequest, "prompt must be %s", strings.Join(prompts, ", "))
		case v == "none" && len(req.Prompt) > 1:
			return oauth.Errorf(oauth.InvalidRequest, "prompt none goes with no other value")
		}
	}
	return nil
}

// maxAge: OpenID Connect Core 3.1.2.1; default_max_age of Registration 2 where the request has none.
func maxAge(p oauth.Params, c storage.Client, req *storage.Request) error {
	if !p.Has("max_age") {
		req.MaxAge = c.DefaultMaxAge
		return nil
	}
	age, err := strconv.ParseUint(p.Get("max_age"), 10, 31)
	if err != nil {
		return oauth.Errorf(oauth.InvalidRequest, "max_age must be a number of seconds")
	}
	seconds := int(age)
	req.MaxAge = &seconds
	return nil
}

// hint: OpenID Connect Core 3.1.2.1, id_token_hint.
func (e *Endpoint) hint(ctx context.Context) check {
	return func(p oauth.Params, _ storage.Client, req *storage.Request) error {
		if !p.Has("id_token_hint") {
			return nil
		}
		hint, err := e.Issuer.ParseHint(ctx, p.Get("id_token_hint"))
		if errors.Is(err, issue.ErrHint) {
			return oauth.Errorf(oauth.InvalidRequest, "id_token_hint is not an ID token of this issuer").Because(err)
		}
		req.HintedUser = hint.Subject
		return err
	}
}
