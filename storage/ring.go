package storage

import "time"

// Ring is all key material: what signs tokens, what request objects are encrypted to, what makes refresh tokens, and what seals
// all of it. It is one row, changed as a whole, so that a rotation happens once however many servers attempt it.
type Ring struct {
	Revision uint64    `json:"revision"` // 0: not stored yet
	Seals    []SealKey `json:"seals"`    // the last one seals, the others still open
	Signing  []KeyPair `json:"signing"`
	MACs     []MACKey  `json:"macs"` // the last one is used for new families
	// Encryption is what clients encrypt request objects to. Most rings have none: it has to be turned on.
	Encryption []KeyPair `json:"encryption,omitempty"`
	// Subjects makes pairwise subs. It is made once and stays: with another key every user of a pairwise client would be a stranger.
	Subjects MACKey `json:"subjects,omitzero"`
	// Audit signs the checkpoints of the audit log. It is made once and stays: it is what exports are held to.
	Audit KeyPair `json:"audit,omitzero"`
}

// SealKey is an AES-256 key, wrapped by the master key, which is not in the store.
type SealKey struct {
	ID      uint32    `json:"id"`
	Wrapped []byte    `json:"wrapped"`
	Created time.Time `json:"created"`
}

// KeyPair is one key of the ring, for one algorithm. Its state follows from its times and the clock; see the keys package.
type KeyPair struct {
	KID     string    `json:"kid"`
	Alg     string    `json:"alg"`              // JWS for signing, JWE for encryption
	Public  []byte    `json:"public"`           // PKIX, DER
	Sealed  []byte    `json:"sealed"`           // PKCS #8, DER, sealed; empty once it must not be used any more
	Seal    uint32    `json:"seal"`             // which SealKey
	Created time.Time `json:"created"`          // a signing key is published from then on
	Active  time.Time `json:"active,omitzero"`  // when it began to sign, or was published to be encrypted to; zero: it is the next one
	Asked   time.Time `json:"asked,omitzero"`   // when the operator asked that the next one take over ahead of the schedule
	Retired time.Time `json:"retired,omitzero"` // when it ceased to
	Revoked time.Time `json:"revoked,omitzero"` // by the operator; neither published nor accepted from then on
}

// MACKey makes the refresh tokens of the families begun while it was the last, or pairwise subs.
type MACKey struct {
	ID      uint32    `json:"id"`
	Sealed  []byte    `json:"sealed"`
	Seal    uint32    `json:"seal"`
	Created time.Time `json:"created"`
}
