package decide

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/codec"
)

// Lasts says whether a session has not been ended yet, by itself or with its user. One whose time is over is among them: nobody told
// the clients that took part in it, so ending it has a meaning.
func Lasts(session storage.Session, user storage.User, now time.Time) bool {
	return !errors.Is(session.Live(user, now), storage.ErrEnded)
}

// Runs is to families what [Lasts] is to sessions: whether ending this one has to mark its number. What was ended before has its
// number marked already; of what is merely too old an access token may still be out. The session of a family without offline_access
// need not be asked: where it was ended, its families were as well.
func Runs(f storage.Family, user storage.User, now time.Time) bool {
	return !errors.Is(f.Live(user, now), storage.ErrEnded)
}

// Listed says whether a family is one of those that [storage.Endings] lists. The session is asked for only where the answer depends
// on it.
func Listed(f storage.Family, user storage.User, session func() storage.Session, now time.Time) bool {
	return f.Live(user, now) == nil && (f.Authorization.Offline || f.Authorization.Session.IsZero() || Lasts(session(), user, now))
}

// EndingID names an ending by what it ends and when: acts are pure, so an act that runs again names it alike. what is the kind of
// ending, parts are of any length.
func EndingID(now time.Time, what string, parts ...[]byte) (id storage.ID) {
	h := sha256.New()
	write := func(part []byte) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		h.Write(part)
	}
	write([]byte("signet ending"))
	write([]byte(what))
	write(binary.BigEndian.AppendUint64(nil, uint64(now.UnixNano())))
	for _, part := range parts {
		write(part)
	}
	binary.BigEndian.PutUint64(id[:8], uint64(now.UnixMilli())<<16)
	copy(id[6:], h.Sum(nil))
	return id
}

// Ending is what an act ends, families aside, and what the act stores for it.
type Ending struct {
	ID       storage.ID
	Sessions []storage.Session // to be stored: they have ended
	Changed  []storage.Session // to be stored: they go on in the new epoch, or are without the client
	Notices  []storage.Notice
	Entries  []audit.Entry
}

// Ended is the act's answer, given how many families died.
func (e Ending) Ended(families int) storage.Ended {
	return storage.Ended{ID: e.ID, Sessions: e.Sessions, Families: families, Notices: len(e.Notices)}
}

// end ends a session.
func (e *Ending) end(session storage.Session, o storage.Change) {
	session.Ended, session.EndedBy = codec.UTC(o.Now), o.Detail
	e.Sessions = append(e.Sessions, session)
	e.Entries = append(e.Entries, audit.Entry{
		Time: o.Now, Event: audit.SignedOut, Origin: o.Origin, User: session.User, Session: session.ID.String(), Detail: o.Detail,
	})
}

// notify owes a client word of a session.
func (e *Ending) notify(session storage.Session, client string, now time.Time) {
	now = codec.UTC(now)
	e.Notices = append(e.Notices, storage.Notice{
		Ending: e.ID, Number: uint32(len(e.Notices)), Client: client, User: session.User, Session: session.ID,
		State: storage.NoticePending, Created: now, Next: now,
	})
}

// notifyAll owes word of the ended sessions to the clients that took part in them and want to know.
func (e *Ending) notifyAll(told func(client string) bool, now time.Time) {
	for _, session := range e.Sessions {
		for _, client := range session.Clients {
			if told(client) {
				e.notify(session, client, now)
			}
		}
	}
}

// EndSessions ends those of the sessions that last; each comes once. told says whether a client has a backchannel_logout_uri. The
// families that die are those for which [WithSession] holds.
func EndSessions(sessions []storage.SessionUser, told func(client string) bool, o storage.Change) (e Ending) {
	var ids [][]byte
	for _, su := range sessions {
		if Lasts(su.Session, su.User, o.Now) {
			e.end(su.Session, o)
			ids = append(ids, slices.Clone(su.Session.ID[:]))
		}
	}
	if len(ids) > 0 {
		e.ID = EndingID(o.Now, "sessions", ids...)
	}
	e.notifyAll(told, o.Now)
	return e
}

// WithSession says whether a family dies when its session ends.
func WithSession(f storage.Family, user storage.User, now time.Time) bool {
	return !f.Authorization.Offline && Runs(f, user, now)
}

// NextEpoch is a user for whom everything that was begun is over.
func NextEpoch(u storage.User) storage.User {
	u.Revision++
	u.Epoch++
	return u
}

// EndUser ends the sessions of a user whose row was before and is after now (zero: removed), but for the one to keep: that goes on
// in the new epoch, if it is live and the user may still sign in. All families that ran before die. What is said of the user
// themselves is not among the entries.
func EndUser(before, after storage.User, sessions []storage.Session, told func(client string) bool, o storage.Change) Ending {
	e := Ending{ID: EndingID(o.Now, "user", []byte(before.Sub), binary.BigEndian.AppendUint64(nil, before.Epoch))}
	for _, session := range sessions {
		switch {
		case !Lasts(session, before, o.Now):
		case session.ID == o.Keep && session.Live(before, o.Now) == nil && !after.Disabled && after.Sub != "":
			session.Epoch = after.Epoch
			e.Changed = append(e.Changed, session)
		default:
			e.end(session, o)
		}
	}
	e.notifyAll(told, o.Now)
	return e
}

// UserEnded is the entry about a user for whom everything was ended.
func UserEnded(sub string, o storage.Change) audit.Entry {
	return audit.Entry{Time: o.Now, Event: audit.UserEnded, Origin: o.Origin, User: sub, Detail: o.Detail}
}

// Withdraw takes back what a user allowed a client. Sessions that have ended forget the client too: a code for offline access outlives its
// session, and is held to what that says (see [Redeem]). consented says whether there is a consent to forget; families are those of the
// user for this client that run: all of them end, by audit.ConsentWithdrawn. The ID is zero where there is nothing to take back.
func Withdraw(user storage.User, client string, consented bool, sessions []storage.Session, families []storage.Family,
	told func(client string) bool, o storage.Change) (e Ending) {
	parts := [][]byte{[]byte(user.Sub), []byte(client)}
	var last []storage.Session // of those that forget the client
	for _, session := range sessions {
		if session.Epoch != user.Epoch || !slices.Contains(session.Clients, client) {
			continue
		}
		session = withoutClient(session, client)
		e.Changed = append(e.Changed, session)
		parts = append(parts, slices.Clone(session.ID[:]))
		if Lasts(session, user, o.Now) { // the client was told of the others
			last = append(last, session)
		}
	}
	if !consented && len(e.Changed) == 0 && len(families) == 0 {
		return e
	}
	e.Entries = append(e.Entries, audit.Entry{
		Time: o.Now, Event: audit.ConsentWithdrawn, Origin: o.Origin, Client: client, User: user.Sub, Detail: o.Detail,
	})
	for _, f := range families {
		e.Entries = append(e.Entries, FamilyEntry(audit.FamilyEnded, f, o))
		parts = append(parts, slices.Clone(f.ID[:]))
	}
	e.ID = EndingID(o.Now, "consent", parts...)
	if told(client) {
		for _, session := range last {
			e.notify(session, client, o.Now)
		}
	}
	return e
}

// withoutClient is a session that forgets a client, and counts that.
func withoutClient(session storage.Session, client string) storage.Session {
	session.Clients = slices.DeleteFunc(slices.Clone(session.Clients), func(c string) bool { return c == client })
	session.Withdrawn = slices.Clone(session.Withdrawn)
	i := slices.IndexFunc(session.Withdrawn, func(w storage.Withdrawal) bool { return w.Client == client })
	if i < 0 {
		i, session.Withdrawn = len(session.Withdrawn), append(session.Withdrawn, storage.Withdrawal{Client: client})
	}
	session.Withdrawn[i].Times++
	return session
}

// MarkUntil is when a mark that is made now is forgotten, given how long access tokens live (0: not known): a whole second, which every backend
// can keep.
func MarkUntil(now time.Time, life time.Duration) time.Time {
	if life <= 0 || life > storage.LongestAccess {
		life = storage.LongestAccess
	}
	return codec.UTC(now).Add(life + storage.MarkMargin + time.Second - 1).Truncate(time.Second)
}

// ClaimNotice is a notice as it is about to be attempted.
func ClaimNotice(n storage.Notice, until time.Time) storage.Notice {
	n.Attempts++
	n.Next = codec.UTC(until)
	return n
}

// SettleNotice is a stored notice after the attempt that n tells of, and the entries about it: see [storage.Outbox].
func SettleNotice(stored, n storage.Notice, o storage.Change) (storage.Notice, []audit.Entry, error) {
	if stored.State != storage.NoticePending || stored.Attempts != n.Attempts {
		return stored, nil, storage.ErrConflict
	}
	stored.State, stored.Next, stored.Settled, stored.Problem = n.State, codec.UTC(n.Next), codec.UTC(n.Settled), n.Problem
	event := audit.NoticeDelivered
	switch n.State {
	case storage.NoticePending:
		stored.Settled = time.Time{}
		return stored, nil, nil
	case storage.NoticeFailed:
		event = audit.NoticeFailed
	}
	if stored.Settled.IsZero() {
		stored.Settled = codec.UTC(o.Now)
	}
	return stored, []audit.Entry{{
		Time: o.Now, Event: event, Origin: o.Origin, Client: stored.Client, User: stored.User, Session: stored.Session.String(),
		Detail: Join(stored.Problem, o.Detail),
	}}, nil
}
