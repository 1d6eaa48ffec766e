package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"time"

	"signet/storage"
)

// MACKey returns the id of the MAC key for new families.
func (k *Keys) MACKey() uint32 {
	return macInUse(k.current.Load().ring.MACs, k.now())
}

// macInUse is the newest key that every server knows by now.
func macInUse(macs []storage.MACKey, now time.Time) uint32 {
	for i := len(macs) - 1; i > 0; i-- {
		if !now.Before(macs[i].Created.Add(macDelay)) {
			return macs[i].ID
		}
	}
	return macs[0].ID
}

// MAC returns the HMAC-SHA-256 of data under the MAC key with this id, for the caller to compare in constant time. A key that is
// not, or no longer, in the ring is ErrMACKey: nothing that it made can be live.
func (k *Keys) MAC(key uint32, data []byte) (mac [sha256.Size]byte, err error) {
	secret, ok := k.current.Load().macs[key]
	if !ok {
		return mac, fmt.Errorf("%w: %d", ErrMACKey, key)
	}
	h := hmac.New(sha256.New, secret)
	h.Write(data)
	h.Sum(mac[:0])
	return mac, nil
}

// SubjectMAC returns the HMAC-SHA-256 of data under the key of pairwise subs. This key is never rotated, whatever becomes of the
// others: what was made with it must come out the same for as long as the store exists.
func (k *Keys) SubjectMAC(data []byte) (mac [sha256.Size]byte, err error) {
	secret := k.current.Load().subjects
	if secret == nil {
		return mac, fmt.Errorf("%w: the ring has none for subjects", ErrMACKey)
	}
	h := hmac.New(sha256.New, secret)
	h.Write(data)
	h.Sum(mac[:0])
	return mac, nil
}
