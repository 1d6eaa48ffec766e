package logout

import (
	"context"
	"errors"
	"log/slog"
	"net/url"

	"signet/clients"
	"signet/provider/issue"
	"signet/provider/oauth"
	"signet/provider/problem"
	"signet/provider/trail"
	"signet/storage"
	"signet/web"
)

// request is what a logout request comes to.
type request struct {
	params oauth.Params
	client storage.Client // zero: nobody knows who asks
	hint   issue.Hint     // zero: none, or none that counts
	back   string         // where the browser goes afterwards; "": our own page
	amiss  bool           // a way back was named that is none
}

// read establishes what counts: RP-Initiated Logout 2 and 3. Whatever fails to be validated is not used; the user can still sign out.
func (e *Endpoint) read(ctx context.Context, p oauth.Params) (request, error) {
	req := request{params: p}
	trail.Of(ctx).Locales(p.Words("ui_locales"))
	if err := p.Repeated(); err != nil {
		return req, err
	}
	id := p.Get("client_id")
	if p.Has("id_token_hint") {
		hint, err := e.Issuer.ParseHint(ctx, p.Get("id_token_hint"))
		switch {
		case errors.Is(err, issue.ErrHint):
			note(ctx, "id_token_hint is not an ID token of this issuer")
			return req, nil
		case err != nil:
			return req, err
		case id != "" && id != hint.Client: // section 2: "MUST verify that the Client Identifier matches"
			return req, &problem.Problem{Title: "This sign-out request is invalid", What: "The request names one app, and its id_token_hint another.",
				Who: problem.Developer, How: "client_id and id_token_hint have to be of the same client (RP-Initiated Logout 2)."}
		}
		req.hint, id = hint, hint.Client
	}
	if id == "" {
		return req, nil
	}
	client, err := e.Store.Client(ctx, id)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		note(ctx, "client_id is unknown")
		req.hint = issue.Hint{}
		return req, nil
	case err != nil:
		return req, err
	}
	req.client = client
	if uri := p.Get("post_logout_redirect_uri"); uri != "" && !clients.PostLogoutRedirectURI(client, uri) {
		note(ctx, "post_logout_redirect_uri is not registered for the client")
		req.amiss = true
	} else if uri != "" {
		req.back = withState(uri, p.Get("state"))
	}
	return req, nil
}

// withState is the way back with the client's state, if it sent one: section 3.
func withState(uri, state string) string {
	if state == "" {
		return uri
	}
	return uri + oauth.Joint(uri) + url.Values{"state": {state}}.Encode()
}

// note tells the log why a request was not followed in full.
func note(ctx context.Context, reason string) {
	trail.Of(ctx).Note(slog.String("reason", reason))
}

// app is the client as the pages show it; the zero App where nobody knows who asks.
func (r request) app() web.App {
	if r.client.ID == "" {
		return web.App{}
	}
	return web.App{Name: r.client.Name, URI: r.client.ClientURI}
}
