// Package check reads a whole store and says what is wrong with it: rows that cannot be read, rows that speak of what never was, an index
// that disagrees with its rows, and what should have been deleted long ago. What only a backend can know (pages, keys, columns) it asks the
// backend for, see [storage.Checked]. It changes nothing.
//
// What waits to be swept is no fault: rows of removed users and clients, and of ended sessions, are dead and go when they expire.
package check

import (
	"context"
	"fmt"
	"slices"
	"time"

	"signet/audit"
	"signet/storage"
	"signet/storage/internal/decide"
	"signet/storage/rows"
)

// Report is what a check found.
type Report struct {
	Rows   map[storage.Kind]uint64 `json:"rows"`
	Found  uint64                  `json:"found"`  // how many faults there are
	Faults []storage.Fault         `json:"faults"` // the first of them
	Late   uint64                  `json:"late"`   // rows that should have been deleted days ago
	Oldest time.Time               `json:"oldest,omitzero"`
}

// Total is how many rows were read.
func (r Report) Total() (n uint64) {
	for _, rows := range r.Rows {
		n += rows
	}
	return n
}

// listed bounds the faults of a report.
const listed = 100

// Run checks a store, as of the instant now. Its error is that the store could not be read.
func Run(ctx context.Context, store storage.Checked, now time.Time) (Report, error) {
	c := &checker{
		now: now, report: Report{Rows: map[storage.Kind]uint64{}, Faults: []storage.Fault{}},
		users: map[string]bool{}, clients: map[string]bool{}, logins: map[string]string{}, macs: map[uint32]bool{},
	}
	if err := store.Check(ctx, c.row, c.login, c.fault); err != nil {
		return c.report, err
	}
	c.unanswered()
	c.shared()
	return c.report, nil
}

// checker is a check under way. Rows come in the order of storage.Kinds: who is spoken of before who speaks.
type checker struct {
	now    time.Time
	report Report

	users, clients map[string]bool   // that there are, or were
	numbers        []uint64          // of the status list, that something has
	logins         map[string]string // that users should be found by
	macs           map[uint32]bool   // keys of refresh tokens
	chain          audit.Link        // how far the audit log came
}

func (c *checker) fault(f storage.Fault) {
	if c.report.Found++; len(c.report.Faults) < listed {
		c.report.Faults = append(c.report.Faults, f)
	}
}

// row looks at one row.
func (c *checker) row(row storage.Row) error {
	c.report.Rows[row.Kind]++
	record, err := rows.Decode(row)
	if err != nil {
		c.fault(storage.Fault{Kind: row.Kind, Key: fmt.Sprintf("no. %d", c.report.Rows[row.Kind]), Problem: err.Error()})
		return nil
	}
	if n := rows.Number(record); n != 0 && row.Kind != storage.KindMark {
		c.numbers = append(c.numbers, n)
	}
	switch r := record.(type) {
	case storage.RemovedID:
		if r.Kind == storage.KindUser {
			c.users[r.ID] = false
		} else {
			c.clients[r.ID] = false
		}
	case storage.Client:
		c.new(c.clients, row.Kind, r.ID)
	case storage.User:
		c.new(c.users, row.Kind, r.Sub)
		for _, key := range decide.LoginKeys(r) {
			c.logins[key] = r.Sub
		}
	case storage.Ring:
		for _, mac := range r.MACs {
			c.macs[mac.ID] = true
		}
	case storage.Browser:
		c.swept(longMargin, r.Expires)
	case storage.Session:
		c.known(row.Kind, r.ID.String(), r.User, "")
		c.swept(longMargin, r.Expires, r.IdleExpires)
	case storage.Consent:
		c.known(row.Kind, r.User+" "+r.Client, r.User, r.Client)
		c.leftBehind(row.Kind, r.User+" "+r.Client, r.User)
	case storage.Family:
		c.family(row.Kind, r)
	case storage.InitialToken:
		c.swept(longMargin, r.Expires)
	case storage.Code:
		c.known(row.Kind, r.ID.String(), r.Authorization.User, r.Authorization.Client)
		c.swept(shortMargin, r.Expires)
	case storage.DeviceGrant:
		if r.Authorization.User != "" { // nobody has agreed to the others; their client may be one that is stored by the first yes
			c.known(row.Kind, r.ID.String(), r.Authorization.User, r.Authorization.Client)
		}
		c.swept(shortMargin, r.Expires)
	case storage.Interaction:
		c.swept(shortMargin, r.Expires)
	case storage.KeptRequest:
		c.swept(shortMargin, r.Expires)
	case storage.SpentAssertion:
		c.swept(shortMargin, r.Expires)
	case storage.DeniedToken:
		c.swept(longMargin, r.Expires)
	case storage.Notice:
		c.notice(row.Kind, r)
	case storage.History:
		c.known(row.Kind, r.User, r.User, "")
		c.leftBehind(row.Kind, r.User, r.User)
	case storage.Mark:
		c.swept(0, r.Until)
	case audit.Record:
		c.link(r)
	case audit.Entry:
		if c.report.Oldest.IsZero() || r.Time.Before(c.report.Oldest) {
			c.report.Oldest = r.Time
		}
	}
	return nil
}

// new notes an id, which must be neither taken nor removed.
func (c *checker) new(ids map[string]bool, kind storage.Kind, id string) {
	if there, ever := ids[id]; ever {
		problem := "it was removed, and is there again"
		if there {
			problem = "it is there twice"
		}
		c.fault(storage.Fault{Kind: kind, Key: id, Problem: problem})
	}
	ids[id] = true
}

// known finds rows of users and clients that never were. An empty client is none.
func (c *checker) known(kind storage.Kind, key, user, client string) {
	if _, ever := c.users[user]; !ever {
		c.fault(storage.Fault{Kind: kind, Key: key, Problem: fmt.Sprintf("there never was a user %q", user)})
	}
	if _, ever := c.clients[client]; !ever && client != "" {
		c.fault(storage.Fault{Kind: kind, Key: key, Problem: fmt.Sprintf("there never was a client %q", client)})
	}
}

// leftBehind finds what should have gone with its user.
func (c *checker) leftBehind(kind storage.Kind, key, user string) {
	if there, ever := c.users[user]; ever && !there {
		c.fault(storage.Fault{Kind: kind, Key: key, Problem: "its user was removed, and it was left behind"})
	}
}

func (c *checker) notice(kind storage.Kind, n storage.Notice) {
	key := fmt.Sprintf("%s/%d", n.Ending, n.Number)
	c.known(kind, key, n.User, n.Client)
	switch n.State {
	case storage.NoticePending:
		if !n.Settled.IsZero() {
			c.fault(storage.Fault{Kind: kind, Key: key, Problem: "it is pending, and was settled"})
		}
	case storage.NoticeDelivered, storage.NoticeFailed:
		if n.Settled.IsZero() {
			c.fault(storage.Fault{Kind: kind, Key: key, Problem: "it does not say when it was settled, so it is never deleted"})
		}
		c.swept(storage.NoticeLife, n.Settled)
	default:
		c.fault(storage.Fault{Kind: kind, Key: key, Problem: fmt.Sprintf("its state is %.20q, which is none", string(n.State))})
	}
}

func (c *checker) family(kind storage.Kind, f storage.Family) {
	c.known(kind, f.ID.String(), f.Authorization.User, f.Authorization.Client)
	c.swept(longMargin, f.Expires, f.IdleExpires)
	alive := f.Ended.IsZero() && c.now.Before(f.Expires) && c.now.Before(f.IdleExpires)
	if alive && f.Authorization.Offline && !c.macs[f.MACKey] {
		c.fault(storage.Fault{Kind: kind, Key: f.ID.String(), Problem: fmt.Sprintf("the key of its refresh tokens, %d, is not in the ring", f.MACKey)})
	}
}

// link holds a record of the audit log to the one before. Whether a checkpoint vouches for it is for audit verify to say, which has the key.
func (c *checker) link(r audit.Record) {
	at := storage.Fault{Kind: storage.KindRecord, Key: fmt.Sprint(r.Sequence)}
	switch {
	case r.Sum() != r.Hash:
		at.Problem = "it was changed: its hash is another"
	case c.chain.Sequence > 0 && r.Sequence != c.chain.Sequence+1:
		at.Problem = fmt.Sprintf("it comes after record %d", c.chain.Sequence)
	case c.chain.Sequence > 0 && r.Previous != c.chain.Hash:
		at.Problem = "it does not follow on the record before it"
	}
	if at.Problem != "" {
		c.fault(at)
	}
	c.chain = r.Link()
	if t := r.Time(); c.report.Oldest.IsZero() || t.Before(c.report.Oldest) {
		c.report.Oldest = t
	}
}

// The margins after which the sweeper deletes ([storage.Upkeep]), and the days that it may be late: no server may have run meanwhile.
const (
	shortMargin = time.Hour
	longMargin  = 24 * time.Hour
	patience    = 48 * time.Hour
)

// swept counts a row that should not be there any more. Zero instants are never.
func (c *checker) swept(margin time.Duration, expiries ...time.Time) {
	for _, at := range expiries {
		if !at.IsZero() && at.Add(margin+patience).Before(c.now) {
			c.report.Late++
			return
		}
	}
}

// login compares an entry of the index of sign-in names with the users.
func (c *checker) login(l storage.Login) {
	sub, ok := c.logins[l.Key]
	switch {
	case !ok:
		c.fault(storage.Fault{Kind: storage.KindUser, Key: l.Sub, Problem: fmt.Sprintf("the sign-in name %q leads to it, but is not its own", l.Key)})
	case sub != l.Sub:
		c.fault(storage.Fault{Kind: storage.KindUser, Key: sub, Problem: fmt.Sprintf("its sign-in name %q leads to %s", l.Key, l.Sub)})
	}
	delete(c.logins, l.Key)
}

// unanswered finds names that lead nowhere.
func (c *checker) unanswered() {
	for name, sub := range c.logins {
		c.fault(storage.Fault{Kind: storage.KindUser, Key: sub, Problem: fmt.Sprintf("its sign-in name %q does not lead to it", name)})
	}
}

// shared finds numbers of the status list that two have: who revokes one of them revokes the other.
func (c *checker) shared() {
	slices.Sort(c.numbers)
	for i, n := range c.numbers {
		if i > 0 && c.numbers[i-1] == n {
			c.fault(storage.Fault{Problem: fmt.Sprintf("the number %d of the status list was given twice", n)})
		}
	}
}
