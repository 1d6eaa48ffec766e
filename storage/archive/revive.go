package archive

import (
	"maps"
	"math"
	"slices"
	"time"

	"signet/storage"
	"signet/storage/codec"
	"signet/storage/internal/decide"
	"signet/storage/rows"
)

// Revival says how a backup becomes a store again.
type Revival struct {
	Now     time.Time
	Given   uint64 // the highest number of the status list in the backup: [Summary.Given]
	SignOut bool   // everything that was begun in anybody's name is over
}

// Revive is what of a backup becomes alive again. A store that was restored is behind what it handed out after the backup, and
// nothing that was spent since may be good again:
//
//   - Codes that were not spent are left out, for they may be now; their people start again, within the minute that a code lives. Spent
//     ones stay: who comes with one a second time still ends its family.
//   - Device authorizations are like codes: those that were not spent are left out, and their devices begin anew.
//   - Interactions and kept requests are left out likewise.
//   - Initial access tokens with a number of uses are left out, since nobody knows how many are left. Those with any number stay.
//   - Access tokens that clients got for themselves are over, whether or not they were revoked since: their clients ask for others. Their
//     numbers in the status list are marked, and the clients get fresh ones.
//   - Assertions that were spent stay, and access tokens that were denied: they only ever refuse.
//   - Families stay at the generation of the backup. A refresh token that is newer than its row closes the family
//     ([storage.ErrAhead]), and its person signs in again.
//   - Notices that were owed are owed, and due at once: whoever had claimed one worked for the store of yesterday. One that was delivered since
//     is delivered again, which [storage.Outbox] promises nobody to be spared.
//
// What was ended since (sessions, families, users, keys) is alive again: nobody knows of it any more. With SignOut the epoch of every user
// moves on, which ends all of it, and everybody signs in again; the families that end so are marked, and the clients of the sessions are owed
// word, as by any other ending.
//
// Numbers of the status list go on after the highest of the backup, so one that was given since is given again. Who has it from then on shares it
// with access tokens of a family that the store knows nothing of, for the day that those live at most. Marking it refuses them as well, which is
// right; and what marked it since was lost with the rest.
func Revive(all storage.Rows, r Revival) storage.Rows {
	return func(yield func(storage.Row, error) bool) {
		a := afterlife{Revival: r, told: map[string]bool{}, users: map[string]storage.User{}, marks: map[uint64]bool{}}
		for row, err := range all {
			if err != nil {
				yield(row, err)
				return
			}
			if !a.before(row.Kind, yield) {
				return
			}
			row, keep, err := a.revived(row)
			if (keep || err != nil) && !yield(row, err) || err != nil {
				return
			}
		}
		a.before("", yield)
	}
}

// afterlife is a revival under way. Rows come in the order of storage.Kinds: who is spoken of before who speaks.
type afterlife struct {
	Revival
	told  map[string]bool         // clients that want to hear of logouts
	users map[string]storage.User // as they were; with SignOut

	notices []storage.Notice // that are owed beside those of the backup
	marks   map[uint64]bool  // that are made beside those of the backup
}

// leap is more series than any client used since a backup.
const leap = 1 << 16

func (a *afterlife) revived(row storage.Row) (_ storage.Row, keep bool, err error) {
	switch row.Kind {
	case storage.KindInteraction, storage.KindAnswered, storage.KindKept:
		return row, false, nil
	case storage.KindSession, storage.KindFamily:
		if !a.SignOut {
			return row, true, nil
		}
	case storage.KindCode, storage.KindDevice, storage.KindInitial, storage.KindUser, storage.KindClient, storage.KindNotice, storage.KindMark:
	default:
		return row, true, nil
	}
	record, err := rows.Decode(row)
	if err != nil {
		return row, false, err
	}
	switch r := record.(type) {
	case storage.Code:
		return row, r.Spent, nil
	case storage.DeviceGrant:
		return row, r.State == storage.DeviceSpent, nil
	case storage.InitialToken:
		return row, r.Uses < 0, nil
	case storage.Client:
		row, err = rows.Encode(row.Kind, a.client(r))
	case storage.User:
		if a.SignOut {
			a.users[r.Sub] = storage.User{Sub: r.Sub, Epoch: r.Epoch, Disabled: r.Disabled}
			r.Epoch++
			row, err = rows.Encode(row.Kind, r)
		}
	case storage.Session:
		row, err = rows.Encode(row.Kind, a.signedOut(r))
	case storage.Family:
		if r.Status != 0 && decide.Runs(r, a.users[r.Authorization.User], a.Now) {
			a.marks[r.Status] = true
		}
	case storage.Notice:
		if r.State == storage.NoticePending && r.Next.After(a.Now) {
			r.Next = codec.UTC(a.Now)
			row, err = rows.Encode(row.Kind, r)
		}
	case storage.Mark:
		delete(a.marks, r.Number)
	}
	return row, true, err
}

// client ends what a client got for itself.
func (a *afterlife) client(c storage.Client) storage.Client {
	a.told[c.ID] = c.BackchannelLogoutURI != ""
	c.ServiceSeries = min(c.ServiceSeries, math.MaxUint32-leap) + leap
	if c.ServiceStatus != 0 {
		a.marks[c.ServiceStatus] = true
		a.Given++
		c.ServiceStatus = a.Given
	}
	return c
}

// signedOut ends a session.
func (a *afterlife) signedOut(s storage.Session) storage.Session {
	ending := decide.EndSessions([]storage.SessionUser{{Session: s, User: a.users[s.User]}}, func(client string) bool { return a.told[client] },
		storage.Change{Now: a.Now, Detail: "a backup was restored"})
	a.notices = append(a.notices, ending.Notices...)
	if len(ending.Sessions) == 0 {
		return s
	}
	return ending.Sessions[0]
}

// before gives out what is made here and belongs before rows of a kind; the kind "" comes after all.
func (a *afterlife) before(kind storage.Kind, yield func(storage.Row, error) bool) bool {
	passed := func(own storage.Kind) bool {
		return kind == "" || slices.Index(storage.Kinds, kind) > slices.Index(storage.Kinds, own)
	}
	give := func(kind storage.Kind, record any) bool {
		row, err := rows.Encode(kind, record)
		return yield(row, err) && err == nil
	}
	if passed(storage.KindNotice) {
		for _, n := range a.notices {
			if !give(storage.KindNotice, n) {
				return false
			}
		}
		a.notices = nil
	}
	if passed(storage.KindMark) {
		for _, number := range slices.Sorted(maps.Keys(a.marks)) {
			if !give(storage.KindMark, storage.Mark{Number: number, Until: decide.MarkUntil(a.Now, 0)}) {
				return false
			}
		}
		clear(a.marks)
	}
	return true
}
