package keys

import (
	"time"

	"signet/storage"
)

// State is where a key is in its life. See the package comment.
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

// Published reports whether a key of alg in this state is in the JWKS. Of those that are encrypted to it is the active one alone:
// clients take any that they find there.
func (s State) Published(alg string) bool {
	return s == Active || (s == Next || s == Retired) && !encrypts(alg)
}

// Accepted reports whether a key in this state verifies or decrypts. A next one does: another server may have made it active already.
func (s State) Accepted() bool { return s == Next || s == Active || s == Retired || s == Kept }

// lag is how long a server may go on with what it knew before a change: a minute until it reloads the ring, and a minute by which
// its clock may differ.
const lag = 2 * time.Minute

// late is how long after its retirement a key still decrypts: clients may have its public part from a JWKS of hours ago, and what they
// encrypted to it may have waited in a browser or at a request_uri.
const late = 24 * time.Hour

// schedule is how long keys live in each state.
type schedule struct {
	rotate   time.Duration // active
	announce time.Duration // next, at least
	token    time.Duration // the longest life of a signed token
	session  time.Duration // the longest life of a session: how long an ID token may come back as a hint
	family   time.Duration // the longest life of a family
}

// of is the schedule of the keys of alg. One that is encrypted to goes the same way as one that signs, with other times: it is
// published once every server knows it, and after its retirement only what is under way still comes back.
func (s schedule) of(alg string) schedule {
	if encrypts(alg) {
		s.announce, s.token, s.session = lag, late, 0
	}
	return s
}

// state is where k is at the instant now.
func (s schedule) state(k storage.KeyPair, now time.Time) State {
	s = s.of(k.Alg)
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
func (s schedule) due(active, next storage.KeyPair) time.Time {
	s = s.of(next.Alg)
	at := next.Created.Add(s.announce)
	if end := active.Active.Add(s.rotate); active.Asked.IsZero() && end.After(at) {
		return end
	}
	return at
}
