package resources

import (
	"fmt"
	"slices"

	"signet/clients"
	"signet/storage"
)

// Missing tells what a client names that is not among all resources, a sentence for each, for the operator to read. It is no fault: it may be
// added later. Until then whoever asks for it gets invalid_target or invalid_scope.
func Missing(c storage.Client, all []storage.Resource) (told []string) {
	find := func(field, id string) *storage.Resource {
		i := slices.IndexFunc(all, func(r storage.Resource) bool { return r.ID == id })
		if i < 0 {
			told = append(told, fmt.Sprintf("%s names %s, which is no resource here yet", field, id))
			return nil
		}
		return &all[i]
	}
	for _, a := range c.Access {
		r := find("access", a.Resource)
		for _, s := range a.Scopes {
			if r != nil && !slices.ContainsFunc(r.Scopes, func(own storage.Scope) bool { return own.Name == s }) {
				told = append(told, fmt.Sprintf("access names the scope %s, which %s does not have yet", s, r.ID))
			}
		}
	}
	if c.DefaultResource != storage.DefaultResource {
		r := find("default_resource", c.DefaultResource)
		if r != nil && !clients.MayAsk(c, *r, !clients.SignsIn(c)) {
			told = append(told, fmt.Sprintf("default_resource names %s, to which the client has no access", r.ID))
		}
	}
	for _, id := range c.Resources {
		find("resources", id)
	}
	return told
}
