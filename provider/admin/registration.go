package admin

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"signet/clients"
	"signet/fields"
	"signet/storage"
)

// NewInitialToken asks for an initial access token, by which apps register themselves (RFC 7591 section 3).
type NewInitialToken struct {
	Uses       int      `json:"uses"`                  // how many registrations; 0: any number
	ExpiresIn  int64    `json:"expires_in"`            // seconds; 0: never
	Scopes     []string `json:"scopes,omitempty"`      // what its clients may ask for at the most; empty: all
	GrantTypes []string `json:"grant_types,omitempty"` // likewise
	Note       string   `json:"note,omitempty"`
}

// InitialTokenSecret is a token as it is stored, and what to hand out. This answer is the only place where that is ever seen.
type InitialTokenSecret struct {
	Token  storage.InitialToken `json:"token"`
	Secret string               `json:"initial_access_token"`
}

// maxNote is for one line of a list.
const maxNote = 200

func (n NewInitialToken) validate(scopes []string) error {
	var f fields.Faults
	if n.Uses < 0 {
		f.Add("uses", "is a number of registrations, or 0 for any number")
	}
	if n.ExpiresIn < 0 || n.ExpiresIn > int64(10*365*24*time.Hour/time.Second) {
		f.Add("expires", "is a time up to ten years, or 0 for never")
	}
	if n.Note != "" {
		f.Check("note", fields.Text(n.Note, maxNote))
	}
	for _, s := range n.Scopes {
		f.OneOf("scopes", s, scopes...)
	}
	for _, g := range n.GrantTypes {
		f.OneOf("grant_types", g, slices.DeleteFunc(slices.Clone(clients.GrantTypes), func(g string) bool { return slices.Contains(clients.OperatorGrants, g) })...)
	}
	return f.Err()
}

func (a *api) addInitialToken(w http.ResponseWriter, r *http.Request) error {
	var n NewInitialToken
	if err := read(r, &n); err != nil {
		return err
	}
	if err := n.validate(slices.Concat(clients.Scopes, a.Scopes)); err != nil {
		return err
	}
	now := a.Now()
	h := storage.NewHandle(now)
	t := storage.InitialToken{
		ID: h.ID, SecretHash: h.Hash(), Note: n.Note, Uses: n.Uses, Created: now,
		Scopes: slices.Compact(slices.Sorted(slices.Values(n.Scopes))), GrantTypes: slices.Compact(slices.Sorted(slices.Values(n.GrantTypes))),
	}
	if n.Uses == 0 {
		t.Uses = -1
	}
	if n.ExpiresIn > 0 {
		t.Expires = now.Add(time.Duration(n.ExpiresIn) * time.Second)
	}
	if err := a.Store.SaveInitialToken(r.Context(), t, a.change(r, strings.TrimSpace("made "+n.Note))); err != nil {
		return err
	}
	return writeStatus(w, http.StatusCreated, InitialTokenSecret{t, h.String()})
}

func (a *api) listInitialTokens(w http.ResponseWriter, r *http.Request) error {
	all, err := a.Store.InitialTokens(r.Context(), a.Now())
	if err != nil {
		return err
	}
	return write(w, append([]storage.InitialToken{}, all...))
}

func (a *api) removeInitialToken(w http.ResponseWriter, r *http.Request) error {
	sent := param(r, "id")
	unknown := refuse(http.StatusNotFound, "no initial access token has the id %q; signet client token list shows all", sent)
	id, err := storage.ParseID(sent)
	if err != nil || id.IsZero() {
		return unknown
	}
	err = a.Store.RemoveInitialToken(r.Context(), id, a.change(r, "removed"))
	if errors.Is(err, storage.ErrNotFound) {
		return unknown
	}
	if err != nil {
		return err
	}
	return write(w, struct {
		ID storage.ID `json:"id"`
	}{id})
}
