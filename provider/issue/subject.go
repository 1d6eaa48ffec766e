package issue

import (
	"encoding/base64"
	"errors"

	"signet/clients"
	"signet/storage"
)

const subjectDomain = "signet subject\x00"

// Subject is the user's sub towards a client: OpenID Connect Core 8. Clients of the type public all see the user's own. Pairwise
// ones see a MAC over their sector and that (Core 8.1), so that two sectors cannot find out by it that they share a user, and all
// clients of one sector see the same. Its key is the ring's subject key, which is never rotated.
func (i *Issuer) Subject(c storage.Client, u storage.User) (string, error) {
	if c.SubjectType != clients.SubjectPairwise {
		return u.Sub, nil
	}
	sector := clients.Sector(c)
	if sector == "" {
		return "", errors.New("a pairwise client has no sector; name a sector_identifier_uri, or redirect URIs of one host")
	}
	mac, err := i.Keys.SubjectMAC([]byte(subjectDomain + sector + "\x00" + u.Sub))
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(mac[:]), nil
}
