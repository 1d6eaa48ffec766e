package interaction

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"signet/clients"
	"signet/storage"
	"signet/web"
)

// Resources finds the APIs whose scopes are put into words; a [storage.Resources] is one.
type Resources interface {
	Resource(ctx context.Context, id string) (storage.Resource, error)
}

// APIs says what a client can do where it has access, which is written as in [storage.Request.Access], and returns those of the scopes that are of
// no resource there, for [Words]. What the client may not ask for there is left out, and so are resources that were removed.
func APIs(ctx context.Context, store Resources, c storage.Client, access, scopes []string) (apis []web.API, rest []string, err error) {
	taken := map[string]bool{}
	for _, id := range access {
		if strings.Contains(id, " ") { // a scope, which its resource's turn looks for
			continue
		}
		r, err := store.Resource(ctx, id)
		switch {
		case id == storage.DefaultResource, errors.Is(err, storage.ErrNotFound):
			continue
		case err != nil:
			return nil, nil, err
		}
		api := web.API{Name: r.Name, Address: address(id)}
		may := clients.ScopesAt(c, r, false)
		for _, s := range r.Scopes {
			if !slices.Contains(access, id+" "+s.Name) {
				continue
			}
			taken[s.Name] = true
			if slices.Contains(may, s.Name) {
				api.Scopes = append(api.Scopes, web.ScopeLine{Name: s.Name, Text: web.Text(s.Text)})
			}
		}
		apis = append(apis, api)
	}
	rest = slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return taken[s] })
	return apis, rest, nil
}

// Access is each of these scopes at each of these resources, for [APIs], where nothing tells them apart.
func Access(resources, scopes []string) (all []string) {
	for _, r := range resources {
		all = append(all, r)
		for _, s := range scopes {
			all = append(all, r+" "+s)
		}
	}
	return all
}

// address is what people can recognise a resource by: its host, if it has one.
func address(id string) string {
	if u, err := url.Parse(id); err == nil && u.Host != "" {
		return u.Host
	}
	return id
}
