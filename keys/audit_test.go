package keys_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"signet/audit"
	"signet/keys"
	"signet/keys/keystest"
	"signet/storage"
)

func auditKey(k *keys.Keys) audit.Key {
	key, _ := k.AuditKey()
	return key
}

func TestAuditKey(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c, store := newClock(), new(keystest.Rings)
	k := open(t, options(store, c))
	key, made := k.AuditKey()
	t.Run("it is made at the first start, sealed, and is no token key", func(t *testing.T) {
		ring, err := store.Ring(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if ring.Audit.KID != key.Fingerprint() || !made.Equal(start) || len(ring.Audit.Sealed) < ed25519.PrivateKeySize {
			t.Errorf("%+v", ring.Audit)
		}
		if slices.Contains(published(t, k), ring.Audit.KID) {
			t.Error("it is in the JWKS")
		}
		for _, i := range k.List() {
			if i.KID == ring.Audit.KID {
				t.Error("it is in the list of those that rotate")
			}
		}
		if err := k.Revoke(ctx, ring.Audit.KID, storage.Change{}); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("it can be revoked: %v", err)
		}
	})
	t.Run("any JOSE library verifies a checkpoint", func(t *testing.T) {
		want := audit.Claims{Issuer: "https://id.example.com", IssuedAt: 1, Sequence: 2, Hash: audit.Hash{3}, First: 1}
		signed, err := k.SignCheckpoint(want)
		if err != nil {
			t.Fatal(err)
		}
		encoded, _ := json.Marshal(key)
		var jwk jose.JSONWebKey
		if err := jwk.UnmarshalJSON(encoded); err != nil {
			t.Fatal(err)
		}
		jws, err := jose.ParseSignedCompact(signed, []jose.SignatureAlgorithm{jose.EdDSA})
		if err != nil {
			t.Fatal(err)
		}
		payload, err := jws.Verify(jwk)
		if err != nil {
			t.Fatal(err)
		}
		var got audit.Claims
		if err := json.Unmarshal(payload, &got); err != nil || got != want {
			t.Errorf("%+v: %v", got, err)
		}
		if opened, err := key.Open(signed); err != nil || opened != want {
			t.Errorf("%+v: %v", opened, err)
		}
	})
	t.Run("it stays, whatever rotates", func(t *testing.T) {
		if _, err := k.Rotate(ctx, keys.RotateOptions{Now: true, Force: true}, storage.Change{}); err != nil {
			t.Fatal(err)
		}
		for range 500 {
			c.pass(day)
			tick(t, k)
		}
		if !auditKey(k).Equal(key) || !auditKey(open(t, options(store, c))).Equal(key) {
			t.Error("it is another one")
		}
	})
	t.Run("a server of before there was one may leave it out of the ring, and it is put back", func(t *testing.T) {
		ring, err := store.Ring(ctx)
		if err != nil {
			t.Fatal(err)
		}
		want := ring.Audit
		ring.Audit = storage.KeyPair{}
		if _, err := store.SaveRing(ctx, ring, storage.Change{}); err != nil {
			t.Fatal(err)
		}
		tick(t, k)
		if ring, err = store.Ring(ctx); err != nil || ring.Audit.KID != want.KID || !auditKey(k).Equal(key) {
			t.Errorf("%+v: %v", ring.Audit, err)
		}
	})
	t.Run("one that does not fit its fingerprint is refused", func(t *testing.T) {
		other := new(keystest.Rings)
		open(t, options(other, c))
		ring, err := other.Ring(ctx)
		if err != nil {
			t.Fatal(err)
		}
		ring.Audit.KID = key.Fingerprint()
		if _, err := other.SaveRing(ctx, ring, storage.Change{}); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Open(ctx, options(other, c)); err == nil {
			t.Error("accepted")
		}
	})
}
