package tokeninfo

import (
	"time"

	"signet/provider/clientauth"
	"signet/provider/issue"
	"signet/provider/limit"
)

// Options is what the endpoints work with.
type Options struct {
	Store   Store
	Clients *clientauth.Authenticator
	Limits  *limit.Limits // of userinfo; the others' are Clients'
	Issuer  *issue.Issuer
	Now     func() time.Time
}

// Endpoint is the three endpoints.
type Endpoint struct{ Options }

// New returns the endpoints of a provider.
func New(o Options) *Endpoint { return &Endpoint{o} }
