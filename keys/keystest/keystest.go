// Package keystest gives tests keys that cost nothing to make.
//
// Its fixture keys are in the open: they are for tests alone, and nothing but tests may import this package.
package keystest

import (
	"cmp"
	"context"
	"crypto"
	"crypto/x509"
	_ "embed"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"signet/keys"
	"signet/storage"
)

// testdata/keys.pem was made by `go run ./make > testdata/keys.pem` in this folder.
//
//go:embed testdata/keys.pem
var fixtures []byte

// blocks are the fixtures' PKCS #8 blocks by kind. They are parsed when asked for.
var blocks = sync.OnceValue(func() map[string][][]byte {
	kinds := map[string][][]byte{}
	for rest := fixtures; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return kinds
		}
		kind := block.Headers["Kind"]
		kinds[kind] = append(kinds[kind], block.Bytes)
	}
})

// kindOf names the fixtures that fit an algorithm.
func kindOf(alg string) string {
	switch {
	case strings.HasPrefix(alg, "RS"), strings.HasPrefix(alg, "PS"):
		return "RSA"
	case strings.HasPrefix(alg, "ECDH"):
		return "ES256" // the same curve
	}
	return alg
}

// Generator returns a function for [keys.Options.Generate]. It hands out the fixture keys, each once, and makes new ones when they
// are used up. Each generator begins anew: two rings of two generators have the same keys.
func Generator() func(alg string) (crypto.Signer, error) {
	var mutex sync.Mutex
	used := map[string]int{}
	return func(alg string) (crypto.Signer, error) {
		kind := kindOf(alg)
		mutex.Lock()
		n := used[kind]
		used[kind]++
		mutex.Unlock()
		if n >= len(blocks()[kind]) {
			return keys.Generate(alg)
		}
		key, err := x509.ParsePKCS8PrivateKey(blocks()[kind][n])
		if err != nil {
			return nil, fmt.Errorf("keystest: %w", err)
		}
		return key.(crypto.Signer), nil
	}
}

// Generate is one generator for the whole process: no key is handed out twice.
var Generate = Generator()

// Master returns a master key that is the same every time.
func Master() *keys.Master { return keys.NewMaster([32]byte{0: 't', 1: 'e', 2: 's', 3: 't'}) }

// New returns keys as o says. What o leaves open is made for tests: a ring in memory, the fixture keys, [Master].
func New(tb testing.TB, o keys.Options) *keys.Keys {
	tb.Helper()
	if o.Store == nil {
		o.Store = new(Rings)
	}
	if o.Generate == nil {
		o.Generate = Generator()
	}
	o.Master = cmp.Or(o.Master, Master())
	k, err := keys.Open(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// Rings keeps a ring in memory, for tests of what only reads keys. The zero value holds none.
type Rings struct {
	mutex   sync.Mutex
	ring    storage.Ring
	changes []storage.Change
}

// Ring is [storage.Rings.Ring].
func (r *Rings) Ring(ctx context.Context) (storage.Ring, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.ring, ctx.Err()
}

// SaveRing is [storage.Rings.SaveRing].
func (r *Rings) SaveRing(ctx context.Context, ring storage.Ring, o storage.Change) (storage.Ring, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if err := ctx.Err(); err != nil {
		return storage.Ring{}, err
	}
	if ring.Revision != r.ring.Revision {
		return storage.Ring{}, storage.ErrConflict
	}
	ring.Revision++
	r.ring = ring
	r.changes = append(r.changes, o)
	return ring, nil
}

// Changes returns what was saved, in order.
func (r *Rings) Changes() []storage.Change {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return slices.Clone(r.changes)
}
