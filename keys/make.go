package keys

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
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
	var all sync.WaitGroup
	var made []int
	errs := make([]error, len(d.Signing))
	for i := range d.Signing {
		if unmade(d.Signing[i]) {
			made = append(made, i)
			all.Go(func() { errs[i] = k.make(&d.Signing[i], opened[last], last) })
		}
	}
	all.Wait()
	for _, i := range made {
		d.note("%s key %s made, %s", d.Signing[i].Alg, d.Signing[i].KID, d.state(d.Signing[i], d.now))
	}
	return errors.Join(append(errs, distinct(d.Signing))...)
}

// make makes one signing key and seals its private part.
func (k *Keys) make(s *storage.SigningKey, seal sealer, sealID uint32) error {
	key, err := k.generate(s.Alg)
	if err != nil {
		return fmt.Errorf("keys: making a key for %s: %w", s.Alg, err)
	}
	if a, ok := algorithmOf(s.Alg); !ok || !a.fits(key.Public()) {
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
	s.Sealed, s.Seal = seal.seal(signingPurpose(s.Alg, s.KID), private), sealID
	return nil
}

// newKID returns 80 random bits as letters and digits: short, since every token carries it, and never taken for an option on the
// command line.
func newKID() string { return strings.ToLower(rand.Text()[:16]) }

// distinct refuses a ring in which two rows have one key: RFC 8725 section 3.1, "each key MUST be used with exactly one algorithm".
func distinct(signing []storage.SigningKey) error {
	seen := make(map[string]bool, 2*len(signing))
	for _, s := range signing {
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

// openSigning unseals the private part of s.
func openSigning(s storage.SigningKey, seals map[uint32]sealer) (crypto.Signer, error) {
	seal, ok := seals[s.Seal]
	if !ok {
		return nil, fmt.Errorf("keys: key %s (%s) is sealed with key %d, which the ring lacks", s.KID, s.Alg, s.Seal)
	}
	der, err := seal.open(signingPurpose(s.Alg, s.KID), s.Sealed)
	if err != nil {
		return nil, fmt.Errorf("keys: key %s (%s) does not open: the store is damaged or was changed by hand", s.KID, s.Alg)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("keys: key %s (%s): %w", s.KID, s.Alg, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("keys: key %s (%s) cannot sign", s.KID, s.Alg)
	}
	return signer, nil
}
