package postgres

import (
	"context"
	"errors"

	"signet/audit"
	"signet/storage"
	"signet/storage/internal/decide"
)

const (
	// selectIssue is all that an authorization depends on.
	selectIssue = `SELECT i.revision, i.record, s.revision, s.record, u.revision, u.record, c.revision, c.record
		FROM (SELECT) one LEFT JOIN signet.interactions i ON i.id = $1 LEFT JOIN signet.sessions s ON s.id = $2
			LEFT JOIN signet.users u ON u.sub = $3 LEFT JOIN signet.consents c ON c.sub = $3 AND c.client = $4`
	selectCode = `SELECT c.revision, c.record, u.revision, u.record, s.revision, s.record
		FROM signet.codes c LEFT JOIN signet.users u ON u.sub = c.sub LEFT JOIN signet.sessions s ON s.id = c.session WHERE c.id = $1`
	insertCode    = `INSERT INTO signet.codes (id, sub, session, record) VALUES ($1, $2, $3, $4)`
	selectConsent = `SELECT revision, record FROM signet.consents WHERE sub = $1 AND client = $2`
	insertConsent = `INSERT INTO signet.consents (sub, client, record) VALUES ($1, $2, $3)`
)

var (
	updateCode    = guarded(`UPDATE signet.codes SET revision = revision + 1, record = $3 WHERE id = $1 AND revision = $2`)
	updateConsent = guarded(`UPDATE signet.consents SET revision = revision + 1, record = $4 WHERE sub = $1 AND client = $2 AND revision = $3`)
)

// Consent implements [storage.Consents].
func (s *Store) Consent(ctx context.Context, user, client string) (storage.Consent, error) {
	return lookUp[storage.Consent](ctx, s, selectConsent, user, client)
}

// Authorize implements [storage.Codes].
func (s *Store) Authorize(ctx context.Context, i storage.Issue) error {
	return s.do(ctx, func(a *act) error {
		auth := i.Authorization
		var interaction got[storage.Interaction]
		var session got[storage.Session]
		var user got[storage.User]
		var consent got[storage.Consent]
		a.read(selectIssue, []any{i.Interaction.ID[:], auth.Session[:], auth.User, auth.Client}, &interaction, &session, &user, &consent)
		asked := i.Interaction != storage.Handle{}
		if asked {
			if err := openInteraction(interaction, i.Interaction, i.Now); err != nil {
				return err
			}
		}
		if err := decide.Authorize(auth, session.Record, user.Record, i.Now); err != nil {
			return err
		}

		if asked {
			interaction.Record = decide.SpendInteraction(interaction.Record)
			a.updateInteraction(interaction, false)
		}
		if i.Consent != nil {
			a.write(sameUser, auth.User, user.Revision) // who is removed meanwhile leaves no consent behind
			a.addConsent(consent, *i.Consent, i)
		}
		if used, worth := decide.UseSession(session.Record, auth.Client, i.Idle, i.Now); worth {
			a.updateSession(used, session.Revision)
		} else {
			a.write(sameSession, auth.Session[:], session.Revision) // who ends it meanwhile knows of this client
		}
		a.issue(i, session.Record)
		return nil
	})
}

func (a *act) addConsent(old got[storage.Consent], c storage.Consent, i storage.Issue) {
	c.User, c.Client = i.Authorization.User, i.Authorization.Client
	row := a.row(decide.AddConsent(old.Record, c, i.Now))
	if old.Found {
		a.write(updateConsent, c.User, c.Client, old.Revision, row)
	} else {
		a.write(insertConsent, c.User, c.Client, row)
	}
	a.record(decide.Consented(i))
}

// issue stores what the response carries.
func (a *act) issue(i storage.Issue, session storage.Session) {
	code, front, entries := decide.Issued(i, session)
	if front != nil {
		a.insertFamily(*front, &i.Front.Status)
	}
	if code != nil {
		a.write(insertCode, code.ID[:], code.Authorization.User, code.Authorization.Session[:], a.row(*code))
	}
	a.record(entries...)
}

// RedeemCode implements [storage.Codes].
func (s *Store) RedeemCode(ctx context.Context, r storage.Redemption, f storage.Family) (redeemed storage.Redeemed, err error) {
	err = s.do(ctx, func(a *act) error {
		redeemed = storage.Redeemed{}
		var code got[storage.Code]
		var user got[storage.User]
		var session got[storage.Session]
		a.read(selectCode, []any{r.Code.ID[:]}, &code, &user, &session)
		if !code.Found || !code.Record.SecretHash.Matches(r.Code.Secret[:]) {
			return storage.ErrNotFound
		}
		err := decide.Redeem(code.Record, user.Record, func() storage.Session { return session.Record }, r)
		switch {
		case errors.Is(err, storage.ErrSpent):
			redeemed = storage.Redeemed{Code: code.Record}
			a.replayed(code, r)
			return err
		case err != nil:
			a.refused(code, r, err)
			return err
		}
		spent, family := decide.Spend(code.Record, f)
		a.updateCode(spent, code.Revision)
		if family.Authorization.Offline { // what the family lives by stays as it was until it is there: who ends that meanwhile finds it
			a.write(sameUser, family.Authorization.User, user.Revision)
		}
		if session.Found { // so does what says that nothing was withdrawn
			a.write(sameSession, family.Authorization.Session[:], session.Revision)
		}
		redeemed = storage.Redeemed{Code: spent, Family: family, User: user.Record}
		a.insertFamily(family, &redeemed.Family.Status)
		a.record(decide.CodeEntry(audit.CodeRedeemed, spent, r, ""))
		return nil
	})
	return redeemed, err
}

func (a *act) updateCode(code storage.Code, revision int64) {
	a.write(updateCode, code.ID[:], revision, a.row(code))
}

// replayed ends the family that a spent code turned into, and the one that was issued with it: RFC 6749 section 4.1.2.
func (a *act) replayed(code got[storage.Code], r storage.Redemption) {
	var family gotFamily
	a.each(`SELECT revision, record, status FROM signet.families WHERE id = $1 OR id = $2 ORDER BY id`, []any{code.Record.Family[:], code.Record.Front[:]}, func() {
		if family.Record.Ended.IsZero() {
			a.endFamily(family, audit.CodeReplayed, r.Now)
		}
	}, &family)
	if code.Record.Replayed {
		return
	}
	code.Record.Replayed = true
	a.updateCode(code.Record, code.Revision)
	a.record(decide.CodeEntry(audit.CodeReplayed, code.Record, r, ""))
}

func (a *act) refused(code got[storage.Code], r storage.Redemption, why error) {
	counted, worth := decide.Refuse(code.Record)
	if !worth {
		return
	}
	a.updateCode(counted, code.Revision)
	a.record(decide.CodeEntry(audit.CodeRefused, counted, r, why.Error()))
}
