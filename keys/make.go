package keys

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"

	"signet/storage"
)

// fill makes the keys that the draft asks for, several at a time: two RSA keys take most of a first start.
func (k *Keys) fill(d *draft) error {
	for i := range d.Seals {
		if s := &d.Seals[i]; s.Wrapped == nil {
			makeSealKey(k.master, s)
		}
	}
	opened, err := openSealKeys(k.master, d.Seals)
	if err != nil {
		return err
	}
	last := d.Seals[len(d.Seals)-1].ID
	for i := range d.MACs {
		if m := &d.MACs[i]; m.Sealed == nil {
			m.Sealed, m.Seal = opened[last].seal(macPurpose(m.ID), randomKey()), last
		}
	}
	if s := &d.Subjects; s.Sealed == nil {
		s.Sealed, s.Seal = opened[last].seal(subjectPurpose(s.ID), randomKey()), last
	}
	if a := &d.Audit; a.Sealed == nil {
		if err := makeAudit(a, opened[last], last); err != nil {
			return err
		}
		d.note("audit key %s made", a.KID)
	}
	var all sync.WaitGroup
	var made []*storage.KeyPair
	for pair := range d.pairs() {
		if unmade(pair) {
			made = append(made, pair)
		}
	}
	errs := make([]error, len(made))
	for i, pair := range made {
		all.Go(func() { errs[i] = k.make(pair, opened[last], last) })
	}
	all.Wait()
	for _, pair := range made {
		d.note("%s key %s made, %s", pair.Alg, pair.KID, d.state(*pair, d.now))
	}
	return errors.Join(append(errs, distinct(d.pairs()))...)
}

// make makes one key pair and seals its private part.
func (k *Keys) make(s *storage.KeyPair, seal sealer, sealID uint32) error {
	key, err := k.generate(s.Alg)
	if err != nil {
		return fmt.Errorf("keys: making a key for %s: %w", s.Alg, err)
	}
	if kind, ok := kindOf(s.Alg); !ok || !kind.fits(key.Public()) {
		return fmt.Errorf("keys: the key made for %s is of another kind or too small", s.Alg)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	if s.Public, err = x509.MarshalPKIXPublicKey(key.Public()); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	s.KID = newKID()
	s.Sealed, s.Seal = seal.seal(pairPurpose(s.Alg, s.KID), private), sealID
	return nil
}

// newKID returns 80 random bits as letters and digits: short, since every token carries it, and never taken for an option on the
// command line.
func newKID() string { return strings.ToLower(rand.Text()[:16]) }

// distinct refuses a ring in which two rows have one key: RFC 8725 section 3.1, "each key MUST be used with exactly one algorithm".
func distinct(pairs iter.Seq[*storage.KeyPair]) error {
	seen := map[string]bool{}
	for s := range pairs {
		if unmade(s) { // making it failed
			continue
		}
		if seen[s.KID] || seen[string(s.Public)] {
			return fmt.Errorf("keys: key %s (%s) is in the ring twice", s.KID, s.Alg)
		}
		seen[s.KID], seen[string(s.Public)] = true, true
	}
	return nil
}

// openPair unseals the private part of s, and holds it against the public one: what is published must be what signs or decrypts.
func openPair(s storage.KeyPair, seals map[uint32]sealer) (crypto.Signer, error) {
	return openFor(pairPurpose(s.Alg, s.KID), s, seals)
}

func openFor(purpose string, s storage.KeyPair, seals map[uint32]sealer) (crypto.Signer, error) {
	seal, ok := seals[s.Seal]
	if !ok {
		return nil, fmt.Errorf("keys: key %s (%s) is sealed with key %d, which the ring lacks", s.KID, s.Alg, s.Seal)
	}
	der, err := seal.open(purpose, s.Sealed)
	if err != nil {
		return nil, fmt.Errorf("keys: key %s (%s) does not open: the store is damaged or was changed by hand", s.KID, s.Alg)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("keys: key %s (%s): %w", s.KID, s.Alg, err)
	}
	private, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("keys: key %s (%s) has no public part", s.KID, s.Alg)
	}
	if r, ok := private.(*rsa.PrivateKey); ok {
		r.Precompute() // without it each use takes twice as long
	}
	if !samePublic(private.Public(), s.Public) {
		return nil, fmt.Errorf("keys: the two halves of key %s (%s) do not belong together", s.KID, s.Alg)
	}
	return private, nil
}
