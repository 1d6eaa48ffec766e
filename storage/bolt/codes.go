package bolt

import (
	"context"
	"errors"

	"signet/audit"
	"signet/storage"
	"signet/storage/internal/decide"
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
		if err := decide.Authorize(a, session, user, i.Now); err != nil {
			return err
		}

		if asked {
			t.spend(interaction)
			t.uncount(countInteraction, interaction.Address, interaction.ID, interaction.Expires)
		}
		if i.Consent != nil {
			consent := *i.Consent
			consent.User, consent.Client = a.User, a.Client
			t.addConsent(consent, i.Now)
			t.record(decide.Consented(i))
		}
		if used, worth := decide.UseSession(session, a.Client, i.Idle, i.Now); worth {
			sessionRows.put(t, used.ID[:], used)
		}
		t.issue(i, session)
		return nil
	})
}

// issue stores what the response carries.
func (t *tx) issue(i storage.Issue, session storage.Session) {
	code, front, entries := decide.Issued(i, session)
	if front != nil {
		i.Front.Status = t.beginFamily(*front).Status
	}
	if code != nil {
		codeRows.put(t, code.ID, *code)
	}
	t.recordAll(entries)
}

// RedeemCode implements [storage.Codes].
func (s *Store) RedeemCode(ctx context.Context, r storage.Redemption, f storage.Family) (redeemed storage.Redeemed, err error) {
	err = s.do(ctx, func(t *tx) error {
		code, ok := byHandle(t, codeRows, r.Code, func(c storage.Code) storage.Hash { return c.SecretHash })
		if !ok {
			return storage.ErrNotFound
		}
		user, _ := s.users.get(t, code.Authorization.User)
		err := decide.Redeem(code, user, func() storage.Session {
			session, _ := sessionRows.get(t, code.Authorization.Session[:])
			return session
		}, r)
		switch {
		case errors.Is(err, storage.ErrSpent):
			s.replayed(t, code, r)
			redeemed = storage.Redeemed{Code: code}
			return err
		case err != nil:
			t.refused(code, r, err)
			return err
		}
		code, family := decide.Spend(code, f)
		codeRows.put(t, code.ID, code)
		family = t.beginFamily(family)
		t.record(decide.CodeEntry(audit.CodeRedeemed, code, r, ""))
		redeemed = storage.Redeemed{Code: code, Family: family, User: user}
		return nil
	})
	return redeemed, err
}

// replayed ends the family that a spent code turned into, and the one that was issued with it: RFC 6749 section 4.1.2. Only the code's own client gets here ([storage.Code.Redeem] asks for it
// first); it need not know the redirect URI or the verifier.
func (s *Store) replayed(t *tx, code storage.Code, r storage.Redemption) {
	for _, id := range []storage.ID{code.Family, code.Front} {
		if family, ok := familyRows.get(t, id[:]); ok && family.Ended.IsZero() {
			s.endFamily(t, family, audit.CodeReplayed, r.Now)
		}
	}
	if code.Replayed {
		return
	}
	code.Replayed = true
	codeRows.put(t, code.ID, code)
	t.record(decide.CodeEntry(audit.CodeReplayed, code, r, ""))
}

func (t *tx) refused(code storage.Code, r storage.Redemption, why error) {
	code, worth := decide.Refuse(code)
	if !worth {
		return
	}
	codeRows.put(t, code.ID, code)
	t.record(decide.CodeEntry(audit.CodeRefused, code, r, why.Error()))
}
