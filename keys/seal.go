package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"

	"signet/storage"
)

// sealer is AES-256-GCM with a random nonce in front of the ciphertext. The purpose is the additional data: what was sealed for
// one thing opens for no other.
type sealer struct{ aead cipher.AEAD }

const keySize = 32

func newSealer(key []byte) (sealer, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return sealer{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return sealer{aead}, err
}

func (s sealer) seal(purpose string, plain []byte) []byte {
	return s.aead.Seal(nil, nil, plain, []byte("signet "+purpose))
}

func (s sealer) open(purpose string, sealed []byte) ([]byte, error) {
	return s.aead.Open(nil, nil, sealed, []byte("signet "+purpose))
}

// What is sealed in the ring. Each purpose names the row, so that no sealed part can be moved to another one.
func sealPurpose(id uint32) string              { return fmt.Sprintf("seal key %d", id) }
func macPurpose(id uint32) string               { return fmt.Sprintf("mac key %d", id) }
func subjectPurpose(id uint32) string           { return fmt.Sprintf("subject key %d", id) }
func roomPurpose(id uint32, name string) string { return fmt.Sprintf("room %d %s", id, name) }

func auditPurpose(kid string) string { return "audit key " + kid }

func pairPurpose(alg, kid string) string {
	if encrypts(alg) {
		return "encryption key " + alg + " " + kid
	}
	return "signing key " + alg + " " + kid
}

// makeSealKey makes the key of s and wraps it.
func makeSealKey(m *Master, s *storage.SealKey) {
	key := randomKey()
	s.Wrapped = m.sealer.seal(sealPurpose(s.ID), key)
}

// openSealKeys unwraps the ring's seal keys. A master key that does not fit is ErrMasterKey.
func openSealKeys(m *Master, seals []storage.SealKey) (map[uint32]sealer, error) {
	opened := make(map[uint32]sealer, len(seals))
	for _, s := range seals {
		key, err := m.sealer.open(sealPurpose(s.ID), s.Wrapped)
		if err != nil {
			return nil, fmt.Errorf("%w: it does not open seal key %d", ErrMasterKey, s.ID)
		}
		if opened[s.ID], err = newSealer(key); err != nil {
			return nil, fmt.Errorf("keys: seal key %d: %w", s.ID, err)
		}
	}
	return opened, nil
}

func randomKey() []byte {
	key := make([]byte, keySize)
	rand.Read(key) // never fails: crypto/rand ends the process instead
	return key
}

var errSealed = errors.New("keys: what was sealed does not open: damaged, or sealed for another purpose or ring")

// Seal encrypts what a room must be able to read again, such as a client secret. The purpose says what it is and whose, and must
// be given again to Unseal. The result is seal key id (4 bytes) ‖ nonce (12) ‖ ciphertext ‖ tag (16).
func (k *Keys) Seal(purpose string, plain []byte) []byte {
	now := k.current.Load()
	id := now.ring.Seals[len(now.ring.Seals)-1].ID
	return append(binary.BigEndian.AppendUint32(nil, id), now.seals[id].seal(roomPurpose(id, purpose), plain)...)
}

// Unseal opens what Seal sealed for the same purpose.
func (k *Keys) Unseal(purpose string, sealed []byte) ([]byte, error) {
	if len(sealed) < 4 {
		return nil, errSealed
	}
	id := binary.BigEndian.Uint32(sealed)
	s, ok := k.current.Load().seals[id]
	if !ok {
		return nil, errSealed
	}
	plain, err := s.open(roomPurpose(id, purpose), sealed[4:])
	if err != nil {
		return nil, errSealed
	}
	return plain, nil
}
