package keys

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/storage"
)

// snapshot is the ring at one moment, ready for use. It is never changed.
type snapshot struct {
	policy     *policy
	ring       storage.Ring
	infos      []Info
	signers    map[string]*signer    // by alg
	verifiers  map[string]*verifier  // by kid
	decrypters map[string]*decrypter // by kid
	jwks       []byte
	etag       string
	seals      map[uint32]sealer
	macs       map[uint32][]byte
	subjects   []byte // makes pairwise subs
	audit      *auditor
}

// newSnapshot prepares the ring for use at the instant now. Keys that before has prepared already are taken from it.
func (k *Keys) newSnapshot(ring storage.Ring, p *policy, now time.Time, before *snapshot) (*snapshot, error) {
	if ring.Audit.KID == "" && before != nil { // see putBack
		ring.Audit = before.ring.Audit
	}
	s := &snapshot{
		policy:     p,
		ring:       ring,
		infos:      p.infos(ring, now),
		signers:    make(map[string]*signer, len(p.algs)),
		verifiers:  make(map[string]*verifier, len(ring.Signing)),
		decrypters: make(map[string]*decrypter, len(ring.Encryption)),
		macs:       make(map[uint32][]byte, len(ring.MACs)),
	}
	var err error
	if s.seals, err = openSealKeys(k.master, ring.Seals); err != nil {
		return nil, err
	}
	if err := s.openMACs(); err != nil {
		return nil, err
	}
	for _, key := range ring.Signing {
		if _, known := algorithmOf(key.Alg); !known { // a newer server's
			continue
		}
		state := p.schedule.state(key, now)
		if !state.Accepted() {
			continue
		}
		if err := s.prepareVerifier(key, before); err != nil {
			return nil, err
		}
		if state != Active || !p.signs(key.Alg) {
			continue
		}
		if err := s.prepareSigner(key, before); err != nil {
			return nil, err
		}
	}
	for _, key := range ring.Encryption {
		if !p.on(key.Alg) || !p.schedule.state(key, now).Accepted() {
			continue
		}
		if err := s.prepareDecrypter(key, before); err != nil {
			return nil, err
		}
	}
	return s, s.publish()
}

func (s *snapshot) openMACs() error {
	for _, m := range s.ring.MACs {
		seal, ok := s.seals[m.Seal]
		if !ok {
			return fmt.Errorf("keys: MAC key %d is sealed with key %d, which the ring lacks", m.ID, m.Seal)
		}
		key, err := seal.open(macPurpose(m.ID), m.Sealed)
		if err != nil {
			return fmt.Errorf("keys: MAC key %d does not open: the store is damaged or was changed by hand", m.ID)
		}
		s.macs[m.ID] = key
	}
	return errors.Join(s.openSubjects(), s.openAudit())
}

// openSubjects opens the key of pairwise subs. A ring from before there was one has none until the next change.
func (s *snapshot) openSubjects() error {
	m := s.ring.Subjects
	if m.ID == 0 {
		return nil
	}
	seal, ok := s.seals[m.Seal]
	if !ok {
		return fmt.Errorf("keys: the subject key is sealed with key %d, which the ring lacks", m.Seal)
	}
	key, err := seal.open(subjectPurpose(m.ID), m.Sealed)
	if err != nil {
		return errors.New("keys: the subject key does not open: the store is damaged or was changed by hand")
	}
	s.subjects = key
	return nil
}

// prepareVerifier makes the verifier of key, or takes the one that before had: a kid stands for one key for ever. before may be nil.
func (s *snapshot) prepareVerifier(key storage.KeyPair, before *snapshot) (err error) {
	if before != nil {
		if v, ok := before.verifiers[key.KID]; ok {
			s.verifiers[key.KID] = v
			return nil
		}
	}
	s.verifiers[key.KID], err = newVerifier(key)
	return err
}

// prepareSigner does the same for the signer of an active key.
func (s *snapshot) prepareSigner(key storage.KeyPair, before *snapshot) (err error) {
	if before != nil {
		if w, ok := before.signers[key.Alg]; ok && w.kid == key.KID {
			s.signers[key.Alg] = w
			return nil
		}
	}
	s.signers[key.Alg], err = newSigner(key, s.verifiers[key.KID].alg, s.seals)
	return err
}

// prepareDecrypter does the same for a key that is encrypted to.
func (s *snapshot) prepareDecrypter(key storage.KeyPair, before *snapshot) (err error) {
	if before != nil {
		if c, ok := before.decrypters[key.KID]; ok {
			s.decrypters[key.KID] = c
			return nil
		}
	}
	s.decrypters[key.KID], err = newDecrypter(key, s.seals)
	return err
}

// publish renders the JWKS (RFC 7517 section 5) and its strong ETag. Only public parts ever get here.
func (s *snapshot) publish() error {
	set := struct {
		Keys []jose.JSONWebKey `json:"keys"`
	}{Keys: []jose.JSONWebKey{}}
	for _, i := range s.infos {
		if public := s.public(i.KID); public != nil && i.State.Published(i.Alg) {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: public, KeyID: i.KID, Algorithm: i.Alg, Use: i.Use})
		}
	}
	body, err := json.Marshal(set)
	if err != nil {
		return fmt.Errorf("keys: rendering the JWKS: %w", err)
	}
	digest := sha256.Sum256(body)
	s.jwks, s.etag = body, `"`+base64.RawURLEncoding.EncodeToString(digest[:16])+`"`
	return nil
}

// public is the public half of a key that this server uses; nil if it does not.
func (s *snapshot) public(kid string) crypto.PublicKey {
	if v := s.verifiers[kid]; v != nil {
		return v.public
	}
	if c := s.decrypters[kid]; c != nil {
		return c.private.Public()
	}
	return nil
}

// verifier is the public half of a signing key.
type verifier struct {
	alg    *algorithm
	public crypto.PublicKey
}

func newVerifier(key storage.KeyPair) (*verifier, error) {
	a, ok := algorithmOf(key.Alg)
	if !ok {
		return nil, fmt.Errorf("keys: key %s is for %q, an algorithm that this version does not know", key.KID, key.Alg)
	}
	public, err := x509.ParsePKIXPublicKey(key.Public)
	if err != nil {
		return nil, fmt.Errorf("keys: key %s (%s): %w", key.KID, key.Alg, err)
	}
	if !a.fits(public) {
		return nil, fmt.Errorf("keys: key %s is of another kind than %s needs", key.KID, key.Alg)
	}
	return &verifier{alg: a, public: public}, nil
}

// signer is the private half of an active key, with its JWS headers encoded.
type signer struct {
	kid     string
	alg     *algorithm
	private crypto.Signer
	headers map[string]string // typ → base64url of the header, with the dot that follows it
}

// preparedTyps are the kinds of tokens that are signed often. Headers for others are encoded when needed.
var preparedTyps = []string{"", "JWT", "at+jwt", "logout+jwt", "statuslist+jwt", "secevent+jwt"}

func newSigner(key storage.KeyPair, a *algorithm, seals map[uint32]sealer) (*signer, error) {
	private, err := openPair(key, seals)
	if err != nil {
		return nil, err
	}
	w := &signer{kid: key.KID, alg: a, private: private, headers: make(map[string]string, len(preparedTyps))}
	for _, typ := range preparedTyps {
		w.headers[typ] = encodeHeader(a.name, key.KID, typ)
	}
	return w, nil
}

// samePublic reports whether key is the one that der encodes.
func samePublic(key crypto.PublicKey, der []byte) bool {
	own, err := x509.MarshalPKIXPublicKey(key)
	return err == nil && bytes.Equal(own, der)
}
