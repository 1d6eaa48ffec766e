package clients

import (
	"errors"
	"slices"
	"strings"

	"signet/fields"
	"signet/storage"
)

const maxAccess = 50

// access is written as "URL scope scope"; the URL alone stands for all of the resource's scopes.
var access = fields.Field[storage.Client]{
	Name: "access", Many: true,
	Help: "an API that it may ask for access to, with these of its scopes, \"URL SCOPE SCOPE\"; with all of them if none is named",
	Set: func(c *storage.Client, values []string) error {
		if len(values) == 1 && values[0] == "" {
			values = nil
		}
		var all []storage.Access
		for _, v := range values {
			words := strings.Fields(v)
			if len(words) == 0 {
				return errors.New("holds an empty entry; write the API's URL, and behind it the scopes")
			}
			a := storage.Access{Resource: words[0]}
			if len(words) > 1 {
				a.Scopes = words[1:]
			}
			all = append(all, a)
		}
		c.Access = all
		return nil
	},
	Get: func(c *storage.Client) (values []string) {
		for _, a := range c.Access {
			values = append(values, accessValue(a))
		}
		return values
	},
}

func accessValue(a storage.Access) string {
	return strings.Join(append([]string{a.Resource}, a.Scopes...), " ")
}

// validateAPIs holds what a client says of resources to their form. Whether they are there is not asked: the order in which resources and
// clients are added does not matter, and [signet/resources.Missing] tells what is not there.
func validateAPIs(f *fields.Faults, c storage.Client) {
	if len(c.Access) > maxAccess {
		f.Add("access", "names more than %d APIs", maxAccess)
		return
	}
	for i, a := range c.Access {
		bad := func(problem string) { f.CheckValue("access", accessValue(a), problem) }
		bad(fields.Resource(a.Resource))
		if slices.ContainsFunc(c.Access[:i], func(b storage.Access) bool { return b.Resource == a.Resource }) {
			bad(fields.Quote(a.Resource) + " is there twice; name all scopes behind one another")
		}
		bad(repeated(a.Scopes))
		for _, s := range a.Scopes {
			bad(fields.Scope(s))
			if slices.Contains(Scopes, s) {
				bad(s + " is about a person and goes with every API; name it in scopes")
			}
		}
	}
	if c.DefaultResource != "" {
		f.Check("default_resource", fields.Resource(c.DefaultResource))
	}
	if len(c.Resources) > maxURIs {
		f.Add("resources", "are more than %d", maxURIs)
		return
	}
	f.Check("resources", repeated(c.Resources))
	for _, r := range c.Resources {
		f.CheckValue("resources", r, fields.Resource(r))
	}
	if len(c.Resources) > 0 && Public(c) { // RFC 7662 section 2.1: tokens are not told about to whoever asks
		f.Add("resources", "are for clients that authenticate themselves")
	}
	if c.Exchange != "" {
		f.OneOf("token_exchange", c.Exchange, storage.ExchangeDelegation, storage.ExchangeImpersonation)
	}
	if c.IntrospectionAlg != "" {
		f.OneOf("introspection_signed_response_alg", c.IntrospectionAlg, KeyAlgs...)
	}
}

// OnlyResource is the resource of the requests of a service that may call one API and nothing else; "" if it is not such a one.
func OnlyResource(c storage.Client) string {
	if c.Type == Service && len(c.Access) == 1 && len(c.Scopes) == 0 && fields.Resource(c.Access[0].Resource) == "" {
		return c.Access[0].Resource
	}
	return storage.DefaultResource
}

// Names are all resources that the client names.
func Names(c storage.Client) []string {
	all := slices.Clone(c.Resources)
	for _, a := range c.Access {
		all = append(all, a.Resource)
	}
	if c.DefaultResource != storage.DefaultResource {
		all = append(all, c.DefaultResource)
	}
	return all
}
