package authorize

import (
	"context"

	"signet/clients"
	"signet/provider/issue"
	"signet/provider/oauth"
	"signet/storage"
)

// scopes finds out what is asked for, and where it is to be good: RFC 6749 section 3.3, RFC 8707 section 2.1.
func (e *Endpoint) scopes(ctx context.Context) check {
	return func(p oauth.Params, c storage.Client, req *storage.Request) error {
		req.Resources = e.Issuer.Asked(c, p.All("resource"))
		resources, err := e.Issuer.Resolve(ctx, c, req.Resources, issue.ForUser)
		if err != nil {
			return err
		}
		if req.Scopes, err = e.Issuer.Ask(ctx, c, resources, p.Words("scope"), clients.Carries(req.ResponseType, clients.ResponseCode)); err != nil {
			return err
		}
		req.Access = issue.AskedAt(c, resources, req.Scopes)
		if clients.Carries(req.ResponseType, clients.ResponseToken) { // it is for all of them, and nobody can ask for one of them later
			_, err = e.Issuer.Target(resources, req.Scopes)
		}
		return err
	}
}
