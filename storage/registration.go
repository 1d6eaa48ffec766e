package storage

import "time"

// InitialToken lets apps register themselves (RFC 7591 section 3), within the limits that the operator set. The handle travels, the
// hash is kept.
type InitialToken struct {
	ID         ID        `json:"id"`
	SecretHash Hash      `json:"-" cbor:"secret"`
	Note       string    `json:"note,omitempty"`        // the operator's own words
	Uses       int       `json:"uses"`                  // how many registrations are left; negative: any number
	Scopes     []string  `json:"scopes,omitempty"`      // what the clients may ask for at the most; empty: the policy's default
	GrantTypes []string  `json:"grant_types,omitempty"` // likewise
	Created    time.Time `json:"created"`
	Expires    time.Time `json:"expires,omitzero"` // zero: never
}
