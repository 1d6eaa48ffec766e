package keys

import (
	"time"

	"signet/storage"
)

// Lag and MACDelay are what tests reckon with.
const (
	Lag      = lag
	MACDelay = macDelay
	MACLife  = macLife
)

// StateOf is the state of a key under a schedule of these lifetimes.
func StateOf(k storage.KeyPair, token, session time.Duration, now time.Time) State {
	return schedule{token: token, session: session}.state(k, now)
}

// FixedLength is fixedLength.
var FixedLength = fixedLength

// SignBare makes a signature of input without the JWS around it.
func (k *Keys) SignBare(alg string, input []byte) ([]byte, error) {
	w := k.current.Load().signers[alg]
	return w.alg.sign(w.private, input)
}
