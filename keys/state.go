package keys

import (
	"time"

	"signet/storage"
)

// State is where a signing key is in its life. See the package comment.
type State string

// The states, in the order in which a key goes through them; Revoked can follow on any.
const (
	Next    State = "next"
	Active  State = "active"
	Retired State = "retired"
	Kept    State = "kept"
	Gone    State = "gone"
	Revoked State = "revoked"
)

// Published reports whether a key in this state is in the JWKS.
func (s State) Published() bool { return s == Next || s == Active || s == Retired }

// Accepted reports whether a key in this state verifies. A next one does: another server may have made it active already.
func (s State) Accepted() bool { return s.Published() || s == Kept }

// lag is how long a server may go on with what it knew before a change: a minute until it reloads the ring, and a minute by which
// its clock may differ.
const lag = 2 * time.Minute

// schedule is how long keys live in each state.
type schedule struct {
	rotate   time.Duration // active
	announce time.Duration // next, at least
	token    time.Duration // the longest life of a signed token
	session  time.Duration // the longest life of a session: how long an ID token may come back as a hint
	family   time.Duration // the longest life of a family
}

// state is where k is at the instant now.
func (s schedule) state(k storage.SigningKey, now time.Time) State {
	switch {
	case !k.Revoked.IsZero() && !now.Before(s.forgotten(k.Revoked)):
		return Gone
	case !k.Revoked.IsZero():
		return Revoked
	case k.Active.IsZero():
		return Next
	case k.Retired.IsZero():
		return Active
	case now.Before(s.unpublished(k.Retired)):
		return Retired
	case now.Before(s.forgotten(k.Retired)):
		return Kept
	}
	return Gone
}

// unpublished is when the last token of a key that ceased to sign at the instant t has expired everywhere.
func (s schedule) unpublished(t time.Time) time.Time { return t.Add(s.token + lag) }

// forgotten is when the last session in which such a token was issued has ended too.
func (s schedule) forgotten(t time.Time) time.Time { return s.unpublished(t).Add(s.session) }

// due is when next takes over from active: at the end of active's time, or as soon as possible if the operator asked for it, but
// never before next was announced long enough.
func (s schedule) due(active, next storage.SigningKey) time.Time {
	at := next.Created.Add(s.announce)
	if end := active.Active.Add(s.rotate); active.Asked.IsZero() && end.After(at) {
		return end
	}
	return at
}
