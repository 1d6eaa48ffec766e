package keys

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/audit"
	"signet/storage"
)

// auditor signs the checkpoints of the audit log.
type auditor struct {
	key    audit.Key
	signer signer
}

// makeAudit makes the audit key. Its kid is its fingerprint.
func makeAudit(s *storage.KeyPair, seal sealer, sealID uint32) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("keys: making the audit key: %w", err)
	}
	key, err := audit.NewKey(public)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	if s.Public, err = x509.MarshalPKIXPublicKey(public); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	s.KID, s.Active = key.Fingerprint(), s.Created
	s.Sealed, s.Seal = seal.seal(auditPurpose(s.KID), der), sealID
	return nil
}

// putBack keeps the audit key that this server knows where the ring has none any more: a server of before there was one has saved it without.
func (d *draft) putBack(before *snapshot) {
	if before == nil || before.audit == nil || d.Audit.KID != "" { // the snapshot has kept it
		return
	}
	d.Audit = before.ring.Audit
	d.note("audit key %s put back, which an older server had left out", d.Audit.KID)
}

// openAudit opens the audit key. A ring from before there was one has none until the next change.
func (s *snapshot) openAudit() error {
	pair := s.ring.Audit
	if pair.KID == "" {
		return nil
	}
	private, err := openFor(auditPurpose(pair.KID), pair, s.seals)
	if err != nil {
		return err
	}
	public, ok := private.Public().(ed25519.PublicKey)
	alg, known := algorithmOf(pair.Alg)
	if !ok || !known || pair.Alg != string(jose.EdDSA) {
		return errors.New("keys: the audit key is of another kind than EdDSA needs")
	}
	key, err := audit.NewKey(public)
	if err != nil || key.Fingerprint() != pair.KID {
		return errors.New("keys: the audit key is not the one that its fingerprint says: the store is damaged or was changed by hand")
	}
	s.audit = &auditor{key: key, signer: signer{kid: pair.KID, alg: alg, private: crypto.Signer(private)}}
	return nil
}

// AuditKey returns the public half of the key that signs the checkpoints of the audit log, and when it was made.
func (k *Keys) AuditKey() (audit.Key, time.Time) {
	now := k.current.Load()
	return now.audit.key, now.ring.Audit.Created
}

// SignCheckpoint returns what a checkpoint says as a JWS in compact form, of the type [audit.CheckpointType].
func (k *Keys) SignCheckpoint(c audit.Claims) (string, error) {
	claims, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("keys: %w", err)
	}
	return k.current.Load().audit.signer.sign(audit.CheckpointType, claims)
}
