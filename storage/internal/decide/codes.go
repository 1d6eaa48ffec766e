package decide

import (
	"slices"
	"strings"
	"time"

	"signet/audit"
	"signet/storage"
)

// Authorize says whether an authorization may be answered: its session must be live and its user's epoch unchanged.
func Authorize(a storage.Authorization, session storage.Session, user storage.User, now time.Time) error {
	if err := session.Live(user, now); err != nil {
		return err
	}
	if user.Epoch != a.Epoch {
		return storage.ErrEnded
	}
	return nil
}

// Issued completes what the response of an authorization in a session carries, and returns the entries about it.
func Issued(i storage.Issue, session storage.Session) (code *storage.Code, front *storage.Family, entries []audit.Entry) {
	if i.Front != nil {
		f := AsStored(*i.Front)
		f.Authorization = i.Authorization.InFront()
		front = &f
		entries = append(entries, FamilyEntry(audit.TokenIssued, f, storage.Change{Now: i.Now, Origin: i.Origin}))
	}
	if i.Code != nil {
		c := *i.Code
		c.Authorization, c.Withdrawn = i.Authorization, session.TimesWithdrawn(i.Authorization.Client)
		if i.Front != nil {
			c.Front = i.Front.ID
		}
		code = &c
		entries = append(entries, Authorized(audit.CodeIssued, i.Authorization, i.Now, i.Origin))
	}
	if i.Front == nil && i.Code == nil {
		entries = append(entries, Authorized(audit.IDTokenIssued, i.Authorization, i.Now, i.Origin))
	}
	return code, front, entries
}

// Authorized is an entry about an authorization.
func Authorized(event audit.Event, a storage.Authorization, now time.Time, origin audit.Origin) audit.Entry {
	return audit.Entry{Time: now, Event: event, Origin: origin, Client: a.Client, User: a.User, Session: a.Session.String()}
}

// Consented is the entry about a consent that was given with an authorization.
func Consented(i storage.Issue) audit.Entry {
	e := Authorized(audit.ConsentGiven, i.Authorization, i.Now, i.Origin)
	e.Detail = strings.Join(i.Consent.Scopes, " ")
	return e
}

// Declined is the entry about an authorization that did not come about.
func Declined(a storage.Authorization, o storage.Change) audit.Entry {
	e := Authorized(audit.ConsentDenied, a, o.Now, o.Origin)
	e.Detail = o.Detail
	return e
}

// Redeem says whether r may have what the code stands for, its user and its session considered. The session is asked for only
// where the answer depends on it; one that is gone is zero.
func Redeem(code storage.Code, user storage.User, session func() storage.Session, r storage.Redemption) error {
	if err := code.Redeem(r); err != nil {
		return err
	}
	return claimable(code.Authorization, code.Withdrawn, user, session, r.Now)
}

// claimable says whether what a user allowed, when the session counted so many withdrawals of the client, may still turn into a family.
func claimable(a storage.Authorization, withdrawn uint32, user storage.User, session func() storage.Session, now time.Time) error {
	if user.Sub != a.User || user.Disabled || user.Epoch != a.Epoch {
		return storage.ErrEnded
	}
	in := session()
	switch {
	case in.ID == a.Session && (!slices.Contains(in.Clients, a.Client) || in.TimesWithdrawn(a.Client) != withdrawn): // withdrawn meanwhile
		return storage.ErrEnded
	case a.Offline: // it outlives the session
		return nil
	}
	return in.Live(user, now)
}

// Spend is a code as spent on the family f, and that family with the code's authorization.
func Spend(code storage.Code, f storage.Family) (storage.Code, storage.Family) {
	f = AsStored(f)
	f.Authorization = code.Authorization
	code.Spent, code.Family = true, f.ID
	return code, f
}

// recordedRefusals bounds what one code can add to the audit log: who has it may come with it as often as they like.
const recordedRefusals = 5

// Refuse counts a refusal of a code, and says whether it is one of those that are recorded.
func Refuse(code storage.Code) (storage.Code, bool) {
	if code.Refused >= recordedRefusals {
		return code, false
	}
	code.Refused++
	return code, true
}

// CodeEntry is an entry about an attempt to spend a code.
func CodeEntry(event audit.Event, code storage.Code, r storage.Redemption, detail string) audit.Entry {
	e := Authorized(event, code.Authorization, r.Now, r.Origin)
	e.Client = r.Client // who came with it
	e.Family, e.Detail = code.Family.String(), detail
	return e
}
