package decide

import (
	"bytes"
	"math"
	"slices"

	"signet/storage"
)

// SaveClient is c as it follows on old, whose revision was compared before and which is zero for a new client. What the client got for
// itself ends when what it authenticates with changes: whoever found the old secret has nothing left.
func SaveClient(old, c storage.Client) storage.Client {
	c.Revision, c.ServiceSeries, c.ServiceStatus = old.Revision+1, old.ServiceSeries, old.ServiceStatus
	if old.Revision > 0 && !sameCredentials(old, c) {
		c.ServiceSeries, c.ServiceStatus = next(c.ServiceSeries), 0
	}
	return c
}

// ServiceNumber says what becomes of the number of a client's own access tokens where c, of [SaveClient] or [EndService], follows on
// old: the one to mark (0: none), and whether c needs a fresh one.
func ServiceNumber(old, c storage.Client) (ended uint64, fresh bool) {
	if c.ServiceSeries != old.ServiceSeries {
		ended = old.ServiceStatus
	}
	return ended, c.ServiceStatus == 0 && slices.Contains(c.GrantTypes, "client_credentials")
}

func sameCredentials(a, b storage.Client) bool {
	return a.TokenEndpointAuthMethod == b.TokenEndpointAuthMethod && a.SecretHash == b.SecretHash && bytes.Equal(a.JWKS, b.JWKS) && a.JWKSURI == b.JWKSURI
}

// EndService is a client whose own access tokens of a series and earlier ones are ended, and whether that changes it.
func EndService(c storage.Client, series uint32) (storage.Client, bool) {
	if series != c.ServiceSeries || series == math.MaxUint32 {
		return c, false
	}
	c.Revision, c.ServiceSeries, c.ServiceStatus = c.Revision+1, next(series), 0
	return c, true
}

// next is the series that follows. None begins anew.
func next(series uint32) uint32 { return min(series, math.MaxUint32-1) + 1 }
