package admin

import (
	"errors"
	"net/http"
	"time"

	"signet/audit"
	"signet/keys"
	"signet/storage"
)

// Rotation asks for a rotation; see [keys.RotateOptions].
type Rotation struct {
	Alg   string `json:"alg,omitempty"`
	Now   bool   `json:"now,omitempty"`
	Force bool   `json:"force,omitempty"`
}

func (a *api) listKeys(w http.ResponseWriter, _ *http.Request) error {
	k, err := a.Keys()
	if err != nil {
		return err
	}
	return write(w, k.List())
}

// AuditKey is the key that signs the checkpoints of the audit log.
type AuditKey struct {
	Fingerprint string    `json:"fingerprint"`
	Created     time.Time `json:"created"`
	JWK         audit.Key `json:"jwk"`
	PEM         string    `json:"pem"`
}

func (a *api) auditKey(w http.ResponseWriter, _ *http.Request) error {
	k, err := a.Keys()
	if err != nil {
		return err
	}
	key, made := k.AuditKey()
	pem, err := key.PEM()
	if err != nil {
		return err
	}
	return write(w, AuditKey{key.Fingerprint(), made, key, pem})
}

func (a *api) rotateKeys(w http.ResponseWriter, r *http.Request) error {
	var o Rotation
	if err := read(r, &o); err != nil {
		return err
	}
	k, err := a.Keys()
	if err != nil {
		return err
	}
	list, err := k.Rotate(r.Context(), keys.RotateOptions{Alg: o.Alg, Now: o.Now, Force: o.Force}, a.change(r, "rotation asked for"))
	if err != nil {
		return err
	}
	return write(w, list)
}

func (a *api) revokeKey(w http.ResponseWriter, r *http.Request) error {
	k, err := a.Keys()
	if err != nil {
		return err
	}
	kid := param(r, "kid")
	err = k.Revoke(r.Context(), kid, a.change(r, "revoked "+kid))
	if errors.Is(err, storage.ErrNotFound) {
		return refuse(http.StatusNotFound, "no key has the kid %q; signet key list shows all", kid)
	}
	if err != nil {
		return err
	}
	return write(w, k.List())
}
