package authorize

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"signet/provider/interaction"
	"signet/provider/issue"
	"signet/provider/oauth"
	"signet/provider/trail"
	"signet/web"
)

// answer is the one writer of authorization responses, errors included: RFC 6749 section 4.1.2, OAuth 2.0 Multiple Response Types
// 2.1, Form Post Response Mode, iss by RFC 9207, and session_state by Session Management 2. The redirect URI goes out byte for byte as it was registered.
func (e *Endpoint) answer(w http.ResponseWriter, r *http.Request, t target, params url.Values) {
	params.Set("iss", e.Issuer.Issuer)
	if t.state != "" {
		params.Set("state", t.state)
	}
	if t.sessionState != "" {
		params.Set("session_state", t.sessionState)
	}
	switch t.mode {
	case "form_post":
		page := web.FormPost{Action: t.redirectURI, Client: app(t), Fields: fields(params), Frameable: t.silent}
		e.Pages.Write(w, http.StatusOK, page, trail.Of(r.Context()).Languages...)
	case "fragment":
		oauth.SeeOther(w, t.redirectURI+"#"+params.Encode())
	default:
		oauth.SeeOther(w, t.redirectURI+oauth.Joint(t.redirectURI)+params.Encode())
	}
}

// success is an authorization response: RFC 6749 sections 4.1.2 and 4.2.2, OpenID Connect Core 3.2.2.5 and 3.3.2.5.
func success(code string, t issue.Tokens) url.Values {
	params := url.Values{}
	if code != "" {
		params.Set("code", code)
	}
	if t.AccessToken != "" {
		params.Set("access_token", t.AccessToken)
		params.Set("token_type", t.TokenType)
		params.Set("expires_in", strconv.FormatInt(t.ExpiresIn, 10))
		params.Set("scope", t.Scope)
	}
	if t.IDToken != "" {
		params.Set("id_token", t.IDToken)
	}
	return params
}

// refuse answers the client with an error: RFC 6749 section 4.1.2.1.
func (e *Endpoint) refuse(w http.ResponseWriter, r *http.Request, t target, err error) {
	answer := oauth.AsError(err)
	oauth.Note(r, answer)
	params := url.Values{"error": {string(answer.Code)}}
	if answer.Description != "" {
		params.Set("error_description", answer.Description)
	}
	e.answer(w, r, t, params)
}

// fields are the parameters in a fixed order.
func fields(params url.Values) []web.Field {
	var all []web.Field
	for name := range params {
		all = append(all, web.Field{Name: name, Value: params.Get(name)})
	}
	slices.SortFunc(all, func(a, b web.Field) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func app(t target) web.App { return interaction.App(t.client, t.redirectURI) }
