package storage

import (
	"context"
	"time"

	"signet/audit"
)

// Endings ends what was begun in a user's name, and keeps word of it for the clients that took part.
//
// Everything that ends sessions or a user (these acts, [Users.SaveUser] where it ends, [Users.RemoveUser]) does three things more in the same
// commit: each family that dies by it has its status marked (see [Statuses]); each client of each session that ends, if it has a
// backchannel_logout_uri, gets a [Notice]; the log gets its entries. So a server that is killed after the act owes no less than one
// that is not.
type Endings interface {
	// EndSessions ends these sessions: from its return on they sign nobody in, and the families that live by them are dead; families with
	// offline_access go on (Back-Channel Logout 2.7). What has ended, or is unknown, is passed over: of concurrent calls one ends a session.
	EndSessions(ctx context.Context, ids []ID, o Change) (Ended, error)
	// EndUser ends everything that was begun in the user's name: sessions, families, codes (the epoch moves on). The session o.Keep, if
	// it is live, goes on in the new epoch. Unknown: ErrNotFound.
	EndUser(ctx context.Context, sub string, o Change) (Ended, error)
	// Withdraw takes back what the user allowed the client: the consent goes, the families that the user's sessions gave it end, codes that
	// are under way are worth nothing, whatever the user allows afterwards, and the sessions forget the client, which gets a notice for each. Nothing to take back is no error.
	Withdraw(ctx context.Context, sub, client string, o Change) (Ended, error)

	// Sessions returns the user's sessions that are live at now, the last used one last. Families returns the user's families that have neither
	// ended nor expired by their own dates, oldest first. Consents returns what the user allowed, by client. An unknown user has none.
	Sessions(ctx context.Context, sub string, now time.Time) ([]Session, error)
	Families(ctx context.Context, sub string, now time.Time) ([]Family, error)
	Consents(ctx context.Context, sub string) ([]Consent, error)
	// Session returns one session, live or not, with its user. Unknown: ErrNotFound.
	Session(ctx context.Context, id ID) (SessionUser, error)
}

// Ended is what an act ended.
type Ended struct {
	// ID names the ending, and leads to its notices. Zero: nothing ended.
	ID       ID
	Sessions []Session // as they now are
	Families int       // that died by it
	Notices  int       // that wait in the outbox
}

// NoticeState is how far a notice is.
type NoticeState string

// The states. Pending ones are tried again.
const (
	NoticePending   NoticeState = "pending"
	NoticeDelivered NoticeState = "delivered"
	NoticeFailed    NoticeState = "failed" // for good
)

// NoticeLife is how long a settled notice is kept, for receipts.
const NoticeLife = 7 * 24 * time.Hour

// Notice tells one client that one session has ended (OpenID Connect Back-Channel Logout 1.0). It holds what a logout token is made of and not
// the token, which is signed when it is sent.
type Notice struct {
	Ending  ID     `json:"ending"`
	Number  uint32 `json:"number"` // among the notices of its ending
	Client  string `json:"client"`
	User    string `json:"user"`    // sub
	Session ID     `json:"session"` // what sid is made of

	State    NoticeState `json:"state"`
	Created  time.Time   `json:"created"`
	Attempts uint32      `json:"attempts"`
	Next     time.Time   `json:"next"` // of the next attempt; of one under way: until when it is nobody else's
	Settled  time.Time   `json:"settled,omitzero"`
	Problem  string      `json:"problem,omitempty"` // why the last attempt failed, in a few words
}

// Outbox holds the notices that are owed.
type Outbox interface {
	// ClaimNotices returns pending notices whose time has come, the longest waiting first, at most limit. Each is counted as attempted, and nobody
	// else gets it before the instant until: whoever claimed it settles it by then, or it is due again. Of concurrent calls, on any node,
	// one gets a notice.
	ClaimNotices(ctx context.Context, now, until time.Time, limit int) ([]Notice, error)
	// SettleNotice stores how an attempt went: n as it was claimed, with State, Next, Settled and Problem changed. When it was claimed again
	// meanwhile (by Attempts), nothing is stored and it returns ErrConflict. A notice that is settled is recorded. Unknown: ErrNotFound.
	SettleNotice(ctx context.Context, n Notice, o Change) error
	// Notices returns the notices of an ending, by number.
	Notices(ctx context.Context, ending ID) ([]Notice, error)
	// Owed returns how many notices are pending and the instant since when the oldest is; and failed ones with them, newest last, at most limit.
	Owed(ctx context.Context, limit int) (pending int, since time.Time, failed []Notice, err error)
}

// Statuses is what the status list tells of access tokens that resource servers verify alone. A family, and a client for itself, has a number
// that its access tokens carry ([Family.Status], [Client.ServiceStatus]); the store gives numbers in order, each once. What ends
// before its time has its number marked in the same commit, until no access token that carries it can be alive any more.
type Statuses interface {
	// Marked returns the marks that are kept at now, and how many numbers were given so far. The marks of an ending are in it from the
	// ending's return on.
	Marked(ctx context.Context, now time.Time) (Marks, error)
}

// Marks are the numbers whose access tokens are no longer good.
type Marks struct {
	Given   uint64   // numbers are 1 to Given
	Numbers []uint64 // in ascending order
}

// LongestAccess is how long an access token lives at the most.
const LongestAccess = 24 * time.Hour

// MarkMargin is how much longer than the tokens that it is about a mark is kept, whatever the clocks; MarkLife is for how long that is, where
// nothing is known of the tokens (see [Change.AccessLife]).
const (
	MarkMargin = time.Hour
	MarkLife   = LongestAccess + MarkMargin
)

// Histories is what users are shown of the sign-ins to their account.
type Histories interface {
	// History returns the user's history; of who has none, or is unknown, an empty one.
	History(ctx context.Context, sub string) (History, error)
	// SignInFailed notes a sign-in to a user's account that failed, and records the entries, in one commit. Of an unknown user it records
	// the entries alone.
	SignInFailed(ctx context.Context, sub string, n SignInNote, entries ...audit.Entry) error
}

// History is bounded: the oldest goes first.
type History struct {
	User    string       `json:"user"`
	Devices []Device     `json:"devices,omitempty"` // the last used one last
	Notes   []SignInNote `json:"notes,omitempty"`   // newest last
}

// How much a history holds.
const (
	HistoryDevices  = 20
	HistoryNotes    = 40
	HistoryFailures = 20 // of the notes: so that guesses do not push out who was in
)

// Device is a browser at which the user signed in, known by a cookie that grants nothing.
type Device struct {
	Hash  Hash      `json:"hash"` // of the cookie
	First time.Time `json:"first"`
	Last  time.Time `json:"last"`
}

// SignInNote is one sign-in, or an attempt at one.
type SignInNote struct {
	Time      time.Time `json:"time"`
	Failed    bool      `json:"failed,omitempty"`
	Address   string    `json:"address,omitempty"`
	UserAgent string    `json:"user_agent,omitempty"`
	AMR       []string  `json:"amr,omitempty"`
	Client    string    `json:"client,omitempty"`  // for which it was; empty: for the user's own pages
	Session   ID        `json:"session,omitempty"` // that it began or went on with
	Unusual   []string  `json:"unusual,omitempty"` // see UnusualDevice and its neighbours
}

// What can be unusual about a sign-in. The first sign-in of all is usual.
const (
	UnusualDevice   = "device"   // a browser at which the user was never signed in
	UnusualNetwork  = "network"  // an address whose network (/24, /48) is not in the history
	UnusualFailures = "failures" // three or more failed attempts came right before it
)

// SignedIn is what [Interactions.SignIn] did.
type SignedIn struct {
	Session Session // as it now is: the new one, or the one that goes on
	Note    SignInNote
}
