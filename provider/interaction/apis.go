package interaction

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"signet/storage"
	"signet/web"
)

// Resources finds the APIs whose scopes are put into words; a [storage.Resources] is one.
type Resources interface {
	Resource(ctx context.Context, id string) (storage.Resource, error)
}

// APIs says what scopes let a client do at these resources, and returns those that are of none of them, for [Words]. A scope that two of them
// have is said of both. Resources that were removed are left out.
func APIs(ctx context.Context, store Resources, resources, scopes []string) (apis []web.API, rest []string, err error) {
	taken := map[string]bool{}
	for _, id := range resources {
		r, err := store.Resource(ctx, id)
		switch {
		case id == storage.DefaultResource, errors.Is(err, storage.ErrNotFound):
			continue
		case err != nil:
			return nil, nil, err
		}
		api := web.API{Name: r.Name, Address: address(id)}
		for _, s := range r.Scopes {
			if slices.Contains(scopes, s.Name) {
				api.Scopes = append(api.Scopes, web.ScopeLine{Name: s.Name, Text: web.Text(s.Text)})
				taken[s.Name] = true
			}
		}
		apis = append(apis, api)
	}
	rest = slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return taken[s] })
	return apis, rest, nil
}

// address is what people can recognise a resource by: its host, if it has one.
func address(id string) string {
	if u, err := url.Parse(id); err == nil && u.Host != "" {
		return u.Host
	}
	return id
}
