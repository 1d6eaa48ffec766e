package authorize

import (
	"errors"
	"net/http"
	"strings"

	"signet/clients"
	"signet/provider/clientdocs"
	"signet/provider/oauth"
	"signet/provider/problem"
	"signet/provider/trail"
	"signet/storage"
	"signet/web"
)

// target is where an answer goes, once that is certain.
type target struct {
	client      storage.Client
	redirectURI string // as it was sent, which is as it is registered
	mode        string // query, fragment or form_post
	state       string
	silent      bool            // prompt=none: a page that answers may be framed
	object      storage.OneTime // the request object, where it may be used once
	// sessionState is what a response says of the login state, once that was looked at (Session Management 2); "": nothing. A failed
	// authentication has it too (section 3.1).
	sessionState string
	fault        error // what is wrong with it, for the client to know
}

// target finds out whose request it is and where the answer goes, and returns the parameters with those of a request object in their
// places. Nothing of an object that is not good is believed: what is wrong with it goes to the redirect URI beside it, if that is
// registered. An error is for the person in front of the browser: nothing is sent to an address that is not certain. RFC 6749 section
// 4.1.2.1, RFC 9700 section 4.11.
func (e *Endpoint) target(r *http.Request, sent oauth.Params) (target, oauth.Params, error) {
	ctx := r.Context()
	trail.Of(ctx).Locales(sent.Words("ui_locales"))
	id := sent.Single("client_id")
	if id == "" {
		return target{}, sent, invalid("The app did not say which app it is: client_id is missing, or was sent more than once.")
	}
	client, err := e.client(r, id)
	if err != nil {
		return target{}, sent, err
	}
	p, once, fault := e.Objects.Merge(ctx, client, sent)
	if fault != nil {
		p = sent
	}
	trail.Of(ctx).Locales(p.Words("ui_locales"))
	uri := p.Single("redirect_uri")
	switch {
	case fault != nil && !clients.RedirectURI(client, uri):
		return target{}, p, fault
	case uri == "": // OpenID Connect Core 3.1.2.1: REQUIRED
		return target{}, p, invalid("The app did not say where to send you back: redirect_uri is missing, or was sent more than once.")
	case !clients.RedirectURI(client, uri):
		return target{}, p, notRegistered(client)
	}
	t := target{client: client, object: once, fault: fault, redirectURI: uri, mode: defaultMode(p.Get("response_type")), state: p.Single("state"), silent: p.Single("prompt") == "none"}
	if mode := p.Single("response_mode"); responseModes[mode] && (mode != "form_post" || postable(uri)) && (mode != "query" || t.mode == "query") {
		t.mode = mode
	}
	return t, p, nil
}

// defaultMode: OAuth 2.0 Multiple Response Types 5. What may carry a token never goes through the query, and neither do its errors.
func defaultMode(responseType string) string {
	if clients.Carries(responseType, clients.ResponseToken, clients.ResponseIDToken) {
		return "fragment"
	}
	return "query"
}

// postable reports whether a form can be posted to the redirect URI: apps with a scheme of their own are opened, and get no body.
func postable(uri string) bool {
	return strings.HasPrefix(uri, "http://") || strings.HasPrefix(uri, "https://")
}

// client returns the client of a request.
func (e *Endpoint) client(r *http.Request, id string) (storage.Client, error) {
	client, err := e.Clients.Client(r, id)
	if errors.Is(err, storage.ErrNotFound) {
		return client, &problem.Problem{Title: "This app is not registered", What: "No app is registered here under the client_id that was sent.",
			Who: problem.Developer, How: "Compare the app’s client_id with the one that “signet client list” shows."}
	}
	return client, clientdocs.Explain(err)
}

// responseModes: OAuth 2.0 Multiple Response Types 2.1, Form Post Response Mode.
var responseModes = map[string]bool{"query": true, "fragment": true, "form_post": true}

func invalid(what web.Text) error {
	return &problem.Problem{Title: "This sign-in request is invalid", What: what, Who: problem.Developer,
		How: "The app has to send it in the authorization request (OpenID Connect Core 3.1.2.1)."}
}

func notRegistered(c storage.Client) error {
	return &problem.Problem{Title: "Not a registered address", What: "The address that the app wants you sent back to is not registered for it.",
		Who: problem.Developer, How: "redirect_uri has to equal one of the app’s registered redirect URIs, character by character. “signet client show” lists them.",
		Client: web.App{Name: c.Name, URI: c.ClientURI}}
}
