package bolt

import (
	"context"
	"errors"
	"slices"
	"time"

	"signet/audit"
	"signet/storage"
)

const codeRows slots[storage.Code] = "codes"

// Authorize implements [storage.Codes].
func (s *Store) Authorize(ctx context.Context, i storage.Issue) error {
	return s.do(ctx, func(t *tx) error {
		var interaction storage.Interaction
		asked := i.Interaction != storage.Handle{}
		if asked {
			var err error
			if interaction, err = t.openInteraction(i.Interaction, i.Now); err != nil {
				return err
			}
		}
		a := i.Authorization
		session, _ := sessionRows.get(t, a.Session[:])
		user, _ := s.users.get(t, a.User)
		if err := session.Live(user, i.Now); err != nil {
			return err
		}
		if user.Epoch != a.Epoch {
			return storage.ErrEnded
		}

		if asked {
			t.spend(interaction)
			t.uncount(countInteraction, interaction.Address, interaction.ID, interaction.Expires)
		}
		if i.Consent != nil {
			consent := *i.Consent
			consent.User, consent.Client = a.User, a.Client
			t.addConsent(consent, i.Now)
			t.record(authorized(audit.ConsentGiven, a, i.Now, i.Origin))
		}
		if used, worth := use(session, a.Client, i.Idle, i.Now); worth {
			sessionRows.put(t, used.ID[:], used)
		}
		t.issue(i)
		return nil
	})
}

// issue stores what the response carries.
func (t *tx) issue(i storage.Issue) {
	if i.Front != nil {
		front := asStored(*i.Front)
		front.Authorization = i.Authorization.InFront()
		familyRows.put(t, front.ID[:], front)
		t.record(familyEntry(audit.TokenIssued, front, storage.Change{Now: i.Now, Origin: i.Origin}))
	}
	if i.Code != nil {
		code := *i.Code
		code.Authorization = i.Authorization
		if i.Front != nil {
			code.Front = i.Front.ID
		}
		codeRows.put(t, code.ID, code)
		t.record(authorized(audit.CodeIssued, i.Authorization, i.Now, i.Origin))
	}
	if i.Front == nil && i.Code == nil {
		t.record(authorized(audit.IDTokenIssued, i.Authorization, i.Now, i.Origin))
	}
}

// authorized is an entry about an authorization.
func authorized(event audit.Event, a storage.Authorization, now time.Time, origin audit.Origin) audit.Entry {
	return audit.Entry{Time: now, Event: event, Origin: origin, Client: a.Client, User: a.User, Session: a.Session.String()}
}

// use returns the session after a use by a client, and whether that is worth a write.
func use(session storage.Session, client string, idle time.Duration, now time.Time) (storage.Session, bool) {
	until := now.Add(idle)
	if until.After(session.Expires) {
		until = session.Expires
	}
	gain := until.Sub(session.IdleExpires)
	newcomer := !slices.Contains(session.Clients, client)
	if !newcomer && (gain <= 0 || gain < idle/10) {
		return session, false
	}
	if newcomer {
		session.Clients = append(slices.Clip(session.Clients), client)
	}
	if gain > 0 {
		session.IdleExpires = until
	}
	session.LastUsed = now
	return session, true
}

// RedeemCode implements [storage.Codes].
func (s *Store) RedeemCode(ctx context.Context, r storage.Redemption, f storage.Family) (redeemed storage.Redeemed, err error) {
	err = s.do(ctx, func(t *tx) error {
		code, ok := byHandle(t, codeRows, r.Code, func(c storage.Code) storage.Hash { return c.SecretHash })
		if !ok {
			return storage.ErrNotFound
		}
		user, _ := s.users.get(t, code.Authorization.User)
		err := redeemable(t, code, user, r)
		switch {
		case errors.Is(err, storage.ErrSpent):
			t.replayed(code, r)
			redeemed = storage.Redeemed{Code: code}
			return err
		case err != nil:
			t.refused(code, r, err)
			return err
		}
		family := asStored(f)
		family.Authorization = code.Authorization
		code.Spent, code.Family = true, family.ID
		codeRows.put(t, code.ID, code)
		familyRows.put(t, family.ID[:], family)
		t.record(codeEntry(audit.CodeRedeemed, code, r, ""))
		redeemed = storage.Redeemed{Code: code, Family: family, User: user}
		return nil
	})
	return redeemed, err
}

// redeemable says whether r may have what the code stands for, its user and its session considered.
func redeemable(t *tx, code storage.Code, user storage.User, r storage.Redemption) error {
	if err := code.Redeem(r); err != nil {
		return err
	}
	a := code.Authorization
	if user.Sub != a.User || user.Disabled || user.Epoch != a.Epoch {
		return storage.ErrEnded
	}
	if a.Offline {
		return nil
	}
	session, _ := sessionRows.get(t, a.Session[:])
	return session.Live(user, r.Now)
}

// replayed ends the family that a spent code turned into, and the one that was issued with it: RFC 6749 section 4.1.2. Only the code's own client gets here ([storage.Code.Redeem] asks for it
// first); it need not know the redirect URI or the verifier.
func (t *tx) replayed(code storage.Code, r storage.Redemption) {
	for _, id := range []storage.ID{code.Family, code.Front} {
		if family, ok := familyRows.get(t, id[:]); ok && family.Ended.IsZero() {
			t.endFamily(family, audit.CodeReplayed, r.Now)
		}
	}
	if code.Replayed {
		return
	}
	code.Replayed = true
	codeRows.put(t, code.ID, code)
	t.record(codeEntry(audit.CodeReplayed, code, r, ""))
}

// recordedRefusals bounds what one code can add to the audit log: who has it may come with it as often as they like.
const recordedRefusals = 5

func (t *tx) refused(code storage.Code, r storage.Redemption, why error) {
	if code.Refused >= recordedRefusals {
		return
	}
	code.Refused++
	codeRows.put(t, code.ID, code)
	t.record(codeEntry(audit.CodeRefused, code, r, why.Error()))
}

func codeEntry(event audit.Event, code storage.Code, r storage.Redemption, detail string) audit.Entry {
	e := authorized(event, code.Authorization, r.Now, r.Origin)
	e.Client = r.Client // who came with it
	e.Family, e.Detail = code.Family.String(), detail
	return e
}
