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
func (e *Endpoint) service(ctx context.Context, c storage.Client, p oauth.Params) (issue.Granted, error) {
	if clients.Public(c) { // section 4.4: "MUST only be used by confidential clients"
		return issue.Granted{}, oauth.Errorf(oauth.UnauthorizedClient, "the grant type %s is for clients that authenticate themselves", clients.GrantService)
	}
	scopes, err := serviceScopes(e.serviceMay(c), p.Words("scope"))
	if err != nil {
		return issue.Granted{}, err
	}
	err = e.Record.Record(ctx, audit.Entry{
		Time: e.Now(), Event: audit.ServiceIssued, Origin: trail.Of(ctx).Origin(), Client: c.ID, Detail: strings.Join(scopes, " "),
	})
	return issue.Granted{Client: c, Service: true, Scopes: scopes}, err
}

// serviceMay are the scopes that the client may have for itself, as far as they still mean something here.
func (e *Endpoint) serviceMay(c storage.Client) []string {
	return slices.DeleteFunc(clients.ServiceScopes(c), func(s string) bool { return !slices.Contains(e.Issuer.Claims.Scopes(), s) })
}

// serviceScopes are those asked for, or all that the client may have: RFC 6749 section 3.3, "a pre-defined default value".
func serviceScopes(may, asked []string) ([]string, error) {
	if len(asked) == 0 {
		return may, nil
	}
	for _, s := range asked {
		switch {
		case slices.Contains(clients.Scopes, s):
			return nil, oauth.Errorf(oauth.InvalidScope, "the scope %s is about a person, and nobody has signed in", s)
		case !slices.Contains(may, s):
			return nil, oauth.Errorf(oauth.InvalidScope, "scope asks for more than this client may have")
		}
	}
	return asked, nil
}
