package admin

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"signet/claims"
	"signet/storage"
)

// NewPreview asks what a client would get of a user; the answer is an [issue.Preview].
type NewPreview struct {
	User   string `json:"user"` // name, address or sub
	Client string `json:"client_id"`
	Scope  string `json:"scope"`            // as in a request; empty: all that the client may ask for
	Claims string `json:"claims,omitempty"` // the claims parameter, as in a request
}

func (a *api) preview(w http.ResponseWriter, r *http.Request) error {
	var n NewPreview
	if err := read(r, &n); err != nil {
		return err
	}
	u, err := a.findUser(r.Context(), n.User)
	if err != nil {
		return err
	}
	c, err := a.Store.Client(r.Context(), n.Client)
	if errors.Is(err, storage.ErrNotFound) {
		return refuse(http.StatusNotFound, "no client has the id %q; signet client list shows all", n.Client)
	}
	if err != nil {
		return err
	}
	tokens, err := a.Tokens()
	if err != nil {
		return err
	}
	scopes, err := previewScopes(n.Scope, c, tokens.Claims.Scopes())
	if err != nil {
		return err
	}
	var asked claims.Asked
	if n.Claims != "" {
		if asked, err = claims.Parse(n.Claims); err != nil {
			return &Error{http.StatusUnprocessableEntity, []Problem{{"claims", err.Error()}}}
		}
	}
	p, err := tokens.Preview(r.Context(), c, u, scopes, asked)
	switch {
	case errors.Is(err, storage.ErrNotFound): // of the access tokens' resource, which a server's first start makes
		return refuse(http.StatusConflict, "no server has run on this data yet, so it is not settled what access tokens are like; start it once")
	case err != nil:
		return err
	}
	return write(w, p)
}

// previewScopes are those that a request would be granted. What one would be refused for is refused here.
func previewScopes(scope string, c storage.Client, known []string) ([]string, error) {
	if scope == "" {
		return c.Scopes, nil
	}
	var scopes []string
	for _, s := range strings.Fields(scope) {
		switch {
		case !slices.Contains(known, s):
			return nil, &Error{http.StatusUnprocessableEntity, []Problem{{"scope", s + " means nothing here, and a request that names it is answered as if it did not"}}}
		case !slices.Contains(c.Scopes, s):
			return nil, &Error{http.StatusUnprocessableEntity, []Problem{{"scope", "the client may not ask for " + s + "; signet client set can add it"}}}
		case !slices.Contains(scopes, s):
			scopes = append(scopes, s)
		}
	}
	return scopes, nil
}

// findUser finds by sub, and then by name or address: scripts have the sub, people the name. The sub is first because it is what is sent
// once it is known who is meant; nobody takes that place by choosing another's sub as a name.
func (a *api) findUser(ctx context.Context, name string) (storage.User, error) {
	u, err := a.Store.User(ctx, name)
	if errors.Is(err, storage.ErrNotFound) {
		u, err = a.Store.UserByLogin(ctx, name)
	}
	if errors.Is(err, storage.ErrNotFound) {
		return u, refuse(http.StatusNotFound, "no user has the name, address or sub %q; signet user list shows all", name)
	}
	return u, err
}
