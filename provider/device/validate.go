package device

import (
	"context"

	"signet/provider/issue"
	"signet/provider/oauth"
	"signet/storage"
)

// validate says whether the request may be: RFC 8628 section 3.1, with the rules for scope and resource of the authorization endpoint.
func (e *Endpoint) validate(ctx context.Context, c storage.Client, p oauth.Params) (storage.DeviceGrant, error) {
	d := storage.DeviceGrant{Client: c.ID, Resources: e.Issuer.Asked(c, p.All("resource"))}
	resources, err := e.Issuer.Resolve(ctx, c, d.Resources, issue.ForUser)
	if err != nil {
		return d, err
	}
	d.Scopes, err = e.Issuer.Ask(ctx, c, resources, p.Words("scope"), true)
	d.Access = issue.AskedAt(c, resources, d.Scopes)
	return d, err
}
