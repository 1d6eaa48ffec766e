package session

import (
	"crypto/rand"
	"net/http"
	"slices"

	"signet/provider/trail"
	"signet/storage"
)

// Proof is how somebody has just proved who they are.
type Proof struct {
	ACR string
	AMR []string // RFC 8176 section 2
}

// ByPassword is the proof that a password is.
func ByPassword() Proof { return Proof{ACR: ACRPassword, AMR: []string{"pwd"}} }

// Notices tells users of what happens to their account, in the background.
type Notices interface {
	// NewDevice tells of a sign-in at a browser that was never used for it. languages are those of that browser, best first. It does not wait.
	NewDevice(u storage.User, n storage.SignInNote, languages []string)
}

// SignIn signs a user in at r's browser in the course of an interaction, hands the browser its cookies, and has the user told where the browser is
// a new one. Keep says that the user chose to stay signed in there. It is refused as by [storage.Interactions.SignIn].
func (s *Sessions) SignIn(w http.ResponseWriter, r *http.Request, interaction storage.Handle, u storage.User, p Proof, keep bool) (storage.Session, error) {
	b, err := s.begin(r, u, p, keep)
	if err != nil {
		return storage.Session{}, err
	}
	b.act.Interaction = interaction
	in, err := s.Store.SignIn(r.Context(), b.act)
	if err != nil {
		return storage.Session{}, err
	}
	s.begun(w, b, in)
	if s.Notices != nil && slices.Contains(in.Note.Unusual, storage.UnusualDevice) {
		s.Notices.NewDevice(u, in.Note, trail.Of(r.Context()).Languages)
	}
	return in.Session, nil
}

// beginning is a sign-in at a browser, before it is stored.
type beginning struct {
	act             storage.SignIn
	before          []storage.SessionUser // live there until now
	state           string                // the browser's until now
	browser, device storage.Handle
}

// begin makes the act, but for its interaction.
func (s *Sessions) begin(r *http.Request, u storage.User, p Proof, keep bool) (beginning, error) {
	before, old, err := s.Of(r)
	if err != nil {
		return beginning{}, err
	}
	now := s.Now()
	b := beginning{before: before, state: s.Cookies.Get(r, stateCookie), browser: storage.NewHandle(now)}
	if b.device, err = storage.ParseHandle(s.Cookies.Get(r, deviceCookie)); err != nil {
		b.device = storage.NewHandle(now)
	}
	if goesOn, ok := ByUser(before, u.Sub); ok { // who chose it need not choose it each time they are asked
		keep = keep || goesOn.Session.Kept
	}
	idle, absolute := min(s.Idle, s.Absolute), s.Absolute
	if keep {
		idle, absolute = s.Kept, s.Kept
	}
	origin := trail.Of(r.Context()).Origin()
	b.act = storage.SignIn{
		Old: old, Device: b.device.Hash(), Origin: origin,
		Browser: storage.Browser{ID: b.browser.ID, SecretHash: b.browser.Hash(), Created: now, Expires: now.Add(absolute)},
		Session: storage.Session{
			ID: storage.NewID(now), Browser: b.browser.ID, User: u.Sub, Epoch: u.Epoch,
			AuthTime: now, ACR: p.ACR, AMR: p.AMR, Kept: keep,
			Created: now, LastUsed: now, IdleExpires: now.Add(idle), Expires: now.Add(absolute),
			Address: origin.Address, UserAgent: UserAgent(r),
		},
	}
	return b, nil
}

// begun hands the browser its cookies once the act is stored. They stay when the browser is closed if the user wants that of one of the
// accounts; how long each session lives is its own.
func (s *Sessions) begun(w http.ResponseWriter, b beginning, in storage.SignedIn) {
	live := slices.DeleteFunc(slices.Clone(b.before), func(s storage.SessionUser) bool { return s.Session.User == in.Session.User })
	live = append(live, storage.SessionUser{Session: in.Session})
	s.Cookies.Keep(w, browserCookie, b.browser.String(), s.life(live))
	s.Cookies.Keep(w, deviceCookie, b.device.String(), deviceLife)
	if !isOf(b.state, live) {
		b.state = stateOf(rand.Text(), live)
	}
	s.Cookies.Show(w, stateCookie, b.state, s.life(live))
}
