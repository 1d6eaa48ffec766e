package clients

import (
	"slices"

	"signet/storage"
)

// MayAsk reports whether the client may ask for access tokens for the resource: where its access names it, or, for users, where the
// resource is open to every client.
func MayAsk(c storage.Client, r storage.Resource, itself bool) bool {
	return r.ID == storage.DefaultResource || accessTo(c, r.ID) != nil || r.Open && !itself
}

// ScopesAt are the scopes of the resource's own that the client may ask for: in the name of users, or in its own. The default resource has none.
func ScopesAt(c storage.Client, r storage.Resource, itself bool) []string {
	var all []string
	access := accessTo(c, r.ID)
	for _, s := range r.Scopes {
		switch {
		case access != nil && len(access.Scopes) > 0 && !slices.Contains(access.Scopes, s.Name):
		case access == nil && (itself || !r.Open):
		default:
			all = append(all, s.Name)
		}
	}
	return all
}

// accessTo is the client's own entry for a resource; nil: it has none.
func accessTo(c storage.Client, resource string) *storage.Access {
	if n := slices.IndexFunc(c.Access, func(a storage.Access) bool { return a.Resource == resource }); n >= 0 {
		return &c.Access[n]
	}
	return nil
}

// Is reports whether the client is one of these resources, as a server: see [storage.Client.Resources].
func Is(c storage.Client, resources []string) bool {
	return slices.ContainsFunc(resources, func(r string) bool { return slices.Contains(c.Resources, r) })
}
