package admin

import (
	"errors"
	"net/http"

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
