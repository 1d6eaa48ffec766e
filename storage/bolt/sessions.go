package bolt

import (
	"context"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/internal/decide"
)

const (
	browserRows table[storage.Browser] = "browsers"
	sessionRows table[storage.Session] = "sessions"
)

// Browser implements [storage.Browsers].
func (s *Store) Browser(ctx context.Context, h storage.Handle, now time.Time) (b storage.Browser, live []storage.SessionUser, err error) {
	err = s.view(ctx, func(t *tx) error {
		var ok bool
		if b, ok = t.liveBrowser(h, now); !ok {
			return storage.ErrNotFound
		}
		live = s.liveSessions(t, b, now)
		return nil
	})
	return b, live, err
}

// liveBrowser returns the browser that h is the cookie of, if it is good at the instant now.
func (t *tx) liveBrowser(h storage.Handle, now time.Time) (storage.Browser, bool) {
	b, ok := browserRows.get(t, h.ID[:])
	if !ok || !b.SecretHash.Matches(h.Secret[:]) || !now.Before(b.Expires) {
		return storage.Browser{}, false
	}
	return b, true
}

// liveSessions returns the browser's live sessions, the last used one last.
func (s *Store) liveSessions(t *tx, b storage.Browser, now time.Time) []storage.SessionUser {
	all := make([]storage.SessionUser, len(b.Sessions))
	for i, id := range b.Sessions {
		all[i].Session, _ = sessionRows.get(t, id[:])
		all[i].User, _ = s.users.get(t, all[i].Session.User)
	}
	return decide.LiveSessions(all, now)
}

// EndSession ends one session.
func (s *Store) EndSession(ctx context.Context, id storage.ID, o storage.Change) error {
	return s.do(ctx, func(t *tx) error {
		if session, ok := sessionRows.get(t, id[:]); ok && session.Ended.IsZero() {
			t.endSession(session, o)
		}
		return nil
	})
}

func (t *tx) endSession(session storage.Session, o storage.Change) {
	ended, entry := decide.EndSession(session, o)
	sessionRows.put(t, ended.ID[:], ended)
	t.record(entry)
}

// SignIn implements [storage.Interactions]. It happens when its session is created.
func (s *Store) SignIn(ctx context.Context, in storage.SignIn) (done storage.SignedIn, err error) {
	err = s.do(ctx, func(t *tx) error {
		now := in.Session.Created
		interaction, err := t.openInteraction(in.Interaction, now)
		if err != nil {
			return err
		}
		user, ok := s.users.get(t, in.Session.User)
		if !ok || user.Disabled || user.Epoch != in.Session.Epoch {
			return storage.ErrEnded
		}
		var before []storage.SessionUser
		if old, ok := t.liveBrowser(in.Old, now); ok {
			before = s.liveSessions(t, old, now)
			browserRows.delete(t, old.ID[:])
		}

		browser, session := in.Browser, in.Session
		browser.Sessions = t.moveSessions(before, browser.ID, session.User, storage.Change{Now: now, Origin: in.Origin, Detail: "signed in again"})
		browser.Sessions = append(browser.Sessions, session.ID)
		session.Browser = browser.ID
		interaction.Session = session.ID
		browserRows.put(t, browser.ID[:], browser)
		sessionRows.put(t, session.ID[:], session)
		interactionRows.put(t, interaction.ID, interaction)
		t.record(audit.Entry{
			Time: now, Event: audit.SignInSucceeded, Origin: in.Origin,
			Client: interaction.Request.Client, User: session.User, Session: session.ID.String(),
		})
		done = storage.SignedIn{Session: session}
		return nil
	})
	return done, err
}

// moveSessions moves sessions to another browser and returns their ids. Those of the account that signs in there end instead.
func (t *tx) moveSessions(sessions []storage.SessionUser, to storage.ID, account string, o storage.Change) (moved []storage.ID) {
	for _, su := range sessions {
		if su.Session.User == account {
			t.endSession(su.Session, o)
			continue
		}
		su.Session.Browser = to
		sessionRows.put(t, su.Session.ID[:], su.Session)
		moved = append(moved, su.Session.ID)
	}
	return moved
}
