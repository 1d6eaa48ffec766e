package issue

import (
	"context"
	"slices"

	"signet/clients"
	"signet/provider/oauth"
	"signet/storage"
)

// Ask returns those of the scopes asked for that a client may ask users for at these resources: RFC 6749 section 3.3, RFC 8707 section 2.1.
// Who names an API and no scope wants what the client may have there. offline says that an answer can have a refresh token; otherwise
// offline_access is passed over (OpenID Connect Core 11: "MUST ignore").
func (i *Issuer) Ask(ctx context.Context, c storage.Client, resources []storage.Resource, asked []string, offline bool) (scopes []string, err error) {
	var own []string // of the resources
	issuerAlone := true
	for _, r := range resources {
		own = append(own, clients.ScopesAt(c, r, false)...)
		issuerAlone = issuerAlone && r.ID == storage.DefaultResource
	}
	if len(asked) == 0 && !issuerAlone { // RFC 6749 section 3.3: "a pre-defined default value"
		asked = own
	}
	var unknown []string
	for _, s := range asked {
		take, known, err := i.ask(s, own, c, offline)
		switch {
		case err != nil:
			return nil, err
		case !known:
			unknown = append(unknown, s)
		case take && !slices.Contains(scopes, s):
			scopes = append(scopes, s)
		}
	}
	if err := i.foreign(ctx, unknown); err != nil {
		return nil, err
	}
	if len(scopes) == 0 && issuerAlone {
		return nil, oauth.Errorf(oauth.InvalidScope, "scope is missing, or holds nothing that this server knows")
	}
	return scopes, nil
}

// ask decides about one scope: what we do not know is left out (OpenID Connect Core 3.1.2.1: "SHOULD be ignored"), what the client may not have
// is refused (RFC 6749 section 3.3), and nothing that was understood is dropped in silence.
func (i *Issuer) ask(s string, own []string, c storage.Client, offline bool) (take, known bool, err error) {
	switch {
	case slices.Contains(own, s):
		return true, true, nil
	case !slices.Contains(i.Claims.Scopes(), s):
		return false, false, nil
	case s == "offline_access" && !offline:
		return false, true, nil
	case !slices.Contains(c.Scopes, s):
		return false, true, oauth.Errorf(oauth.InvalidScope, "this client may not ask for the scope %s", s)
	case s == "offline_access" && !clients.Allows(c, clients.GrantRefresh): // Core 11
		return false, true, oauth.Errorf(oauth.InvalidScope, "offline_access needs a client that is registered for the refresh_token grant")
	}
	return true, true, nil
}

// foreign refuses scopes that some resource has, and none that the request is for. Anybody can send thousands of words: the resources are read once.
func (i *Issuer) foreign(ctx context.Context, scopes []string) error {
	if len(scopes) == 0 {
		return nil
	}
	all, err := i.Resources.Resources(ctx)
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for _, r := range all {
		for _, own := range r.Scopes {
			named[own.Name] = true
		}
	}
	for _, s := range scopes {
		if named[s] {
			return oauth.Errorf(oauth.InvalidScope, "the scope %s is of an API that this request does not name, or that this client may not ask for it; resource names APIs", s)
		}
	}
	return nil
}

// AskedAt is what a client asks users for at resources, as it is shown to them and remembered: see [storage.Request.Access].
func AskedAt(c storage.Client, resources []storage.Resource, scopes []string) (all []string) {
	for _, r := range resources {
		if r.ID == storage.DefaultResource {
			continue
		}
		all = append(all, r.ID)
		for _, s := range clients.ScopesAt(c, r, false) {
			if slices.Contains(scopes, s) {
				all = append(all, r.ID+" "+s)
			}
		}
	}
	return all
}
