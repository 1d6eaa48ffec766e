package bolt

import (
	"context"
	"time"

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

// SignIn implements [storage.Interactions]. It happens when its session is created.
func (s *Store) SignIn(ctx context.Context, in storage.SignIn) (done storage.SignedIn, err error) {
	err = s.do(ctx, func(t *tx) error {
		now := in.Session.Created
		interaction, err := t.openInteraction(in.Interaction, now)
		if err != nil {
			return err
		}
		user, _ := s.users.get(t, in.Session.User)
		old, hadOld := t.liveBrowser(in.Old, now)
		var before []storage.SessionUser
		if hadOld {
			before = s.liveSessions(t, old, now)
		}
		history, _ := historyRows.get(t, []byte(user.Sub))
		d, err := decide.SignIn(in, interaction, user, before, history)
		if err != nil {
			return err
		}
		if hadOld {
			browserRows.delete(t, old.ID[:])
		}
		t.storeSignIn(d)
		done = storage.SignedIn{Session: d.Session, Note: d.Note}
		return nil
	})
	return done, err
}

func (t *tx) storeSignIn(d decide.SignedIn) {
	browserRows.put(t, d.Browser.ID[:], d.Browser)
	for _, session := range d.Moved {
		sessionRows.put(t, session.ID[:], session)
	}
	if d.GoesOn {
		sessionRows.put(t, d.Session.ID[:], d.Session)
	} else {
		t.beginSession(d.Session)
	}
	interactionRows.put(t, d.Interaction.ID, d.Interaction)
	historyRows.put(t, []byte(d.History.User), d.History)
	t.record(d.Entry)
}

// SelectSession implements [storage.Interactions].
func (s *Store) SelectSession(ctx context.Context, h, browser storage.Handle, session storage.ID, now time.Time) error {
	return s.do(ctx, func(t *tx) error {
		i, err := t.openInteraction(h, now)
		if err != nil {
			return err
		}
		b, _ := t.liveBrowser(browser, now)
		var su storage.SessionUser
		su.Session, _ = sessionRows.get(t, session[:])
		su.User, _ = s.users.get(t, su.Session.User)
		if i, err = decide.SelectSession(i, b, su, now); err != nil {
			return err
		}
		interactionRows.put(t, i.ID, i)
		return nil
	})
}
