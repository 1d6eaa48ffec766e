package token

import (
	"context"
	"slices"
	"strings"

	"signet/audit"
	"signet/clients"
	"signet/provider/issue"
	"signet/provider/oauth"
	"signet/provider/trail"
	"signet/storage"
)

// service is the client credentials grant: RFC 6749 section 4.4. Nothing is stored for it: its access tokens live by the client's own row,
// and there is no refresh token (section 4.4.3), since the client can ask again.
func (e *Endpoint) service(ctx context.Context, r request) (issue.Granted, error) {
	c := r.client
	if clients.Public(c) { // section 4.4: "MUST only be used by confidential clients"
		return issue.Granted{}, oauth.Errorf(oauth.UnauthorizedClient, "the grant type %s is for clients that authenticate themselves", clients.GrantService)
	}
	g := issue.Granted{Client: c, Service: true}
	if err := e.aimService(&g, r); err != nil {
		return g, err
	}
	return g, e.Record.Record(ctx, audit.Entry{
		Time: e.Now(), Event: audit.ServiceIssued, Origin: trail.Of(ctx).Origin(), Client: c.ID, Detail: strings.Join(g.Scopes, " "),
	})
}

// aimService sets target and scopes of a token for the client itself: the scopes that it asks for, or all that it may have at the resources
// (RFC 6749 section 3.3, "a pre-defined default value").
func (e *Endpoint) aimService(g *issue.Granted, r request) (err error) {
	may := e.serviceMay(r.client, r.named)
	if g.Scopes, err = serviceScopes(may, r.params.Words("scope")); err != nil {
		return err
	}
	g.Target, err = e.Issuer.Target(r.named, g.Scopes)
	return err
}

// serviceMay are the scopes that the client may have for itself at these resources, as far as they still mean something here.
func (e *Endpoint) serviceMay(c storage.Client, named []storage.Resource) (may []string) {
	for _, s := range clients.ServiceScopes(c) {
		if slices.Contains(e.Issuer.Claims.Scopes(), s) {
			may = append(may, s)
		}
	}
	for _, r := range named {
		may = append(may, clients.ScopesAt(c, r, true)...)
	}
	return may
}

// serviceScopes are those asked for, or all that the client may have.
func serviceScopes(may, asked []string) ([]string, error) {
	if len(asked) == 0 {
		return may, nil
	}
	for _, s := range asked {
		switch {
		case slices.Contains(may, s):
		case slices.Contains(clients.Scopes, s):
			return nil, oauth.Errorf(oauth.InvalidScope, "the scope %s is about a person, and nobody has signed in", s)
		default:
			return nil, oauth.Errorf(oauth.InvalidScope, "scope asks for more than this client may have")
		}
	}
	return asked, nil
}
