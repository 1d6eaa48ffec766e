package storage

import (
	"context"
	"iter"
	"time"
)

// Kind names what a row is.
type Kind string

// The kinds, in the order in which rows leave a store: what others speak of comes before them.
const (
	KindRemoved     Kind = "removed"     // RemovedID
	KindClient      Kind = "client"      // Client
	KindResource    Kind = "resource"    // Resource
	KindUser        Kind = "user"        // User
	KindRing        Kind = "ring"        // Ring
	KindBrowser     Kind = "browser"     // Browser
	KindSession     Kind = "session"     // Session
	KindConsent     Kind = "consent"     // Consent
	KindFamily      Kind = "family"      // Family
	KindInitial     Kind = "initial"     // InitialToken
	KindCode        Kind = "code"        // Code
	KindDevice      Kind = "device"      // DeviceGrant
	KindInteraction Kind = "interaction" // Interaction that counts for the limit of its address
	KindAnswered    Kind = "answered"    // Interaction that does not count any more
	KindKept        Kind = "kept"        // KeptRequest
	KindAssertion   Kind = "assertion"   // SpentAssertion
	KindDenied      Kind = "denied"      // DeniedToken
	KindNotice      Kind = "notice"      // Notice
	KindHistory     Kind = "history"     // History
	KindMark        Kind = "mark"        // Mark
	KindRecord      Kind = "record"      // audit.Record, in the order of the chain, which leaves as it is to the last byte
	KindCheckpoint  Kind = "checkpoint"  // audit.Checkpoint
	KindEntry       Kind = "entry"       // audit.Entry that is not in the chain yet, in the order of the commits
)

// Kinds are all of them, in their order.
var Kinds = []Kind{
	KindRemoved, KindClient, KindResource, KindUser, KindRing, KindBrowser, KindSession, KindConsent, KindFamily, KindInitial, KindCode,
	KindDevice, KindInteraction, KindAnswered, KindKept, KindAssertion, KindDenied, KindNotice, KindHistory, KindMark, KindRecord, KindCheckpoint, KindEntry,
}

// Row is one record as it moves from store to store: its kind, and its bytes in the encoding of package codec, which all backends
// share. What a backend makes of it (keys, indexes, columns) it makes anew.
type Row struct {
	Kind   Kind
	Record []byte
}

// RemovedID is an id that is never given again.
type RemovedID struct {
	Kind Kind   `json:"kind"` // KindClient or KindUser
	ID   string `json:"id"`
}

// SpentAssertion is a client assertion that was used.
type SpentAssertion struct {
	Client   string    `json:"client"`
	JTI      Hash      `json:"jti"`
	Expires  time.Time `json:"expires"` // until when it is remembered, to the microsecond
	Replayed bool      `json:"replayed,omitempty"`
}

// DeniedToken is an access token that was denied.
type DeniedToken struct {
	JTI     Hash      `json:"jti"`
	Expires time.Time `json:"expires"` // until when it is remembered, to the microsecond
}

// Mark is one number of the status list that is marked: see [Statuses].
type Mark struct {
	Number uint64    `json:"number"`
	Until  time.Time `json:"until"` // when it is forgotten
}

// Rows are rows on their way, or why they do not come. A record is good until the next one is asked for.
type Rows = iter.Seq2[Row, error]

// Moving gives all rows out, and takes all of another store in.
type Moving interface {
	// Export gives out all rows as they are at one moment, kind after kind; acts go on meanwhile. What is left of expired rows is among
	// them. The snapshot keeps the space of what is changed meanwhile from being used again, so who reads shall not dawdle.
	Export(ctx context.Context) Rows
	// Import stores the rows of an Export, reads them back and compares the two. The store must be as it was made, with no row but the
	// first entry of its log, which the log of the rows replaces; otherwise: ErrExists. Entries that are not in the chain may be put at its end
	// by it. An Import that fails leaves a store that is as it was, or one that refuses to be opened.
	Import(ctx context.Context, all Rows) error
}

// Fault is something in a store that should not be.
type Fault struct {
	Kind    Kind   `json:"kind,omitempty"` // of the row; empty: none in particular
	Key     string `json:"key,omitempty"`  // the row's, for people
	Problem string `json:"problem"`
}

// Login is one entry of the index of sign-in names, as a check reads it.
type Login struct{ Key, Sub string }

// Checked is a store that can look at itself.
type Checked interface {
	// Check reads everything, calls row with each row that can be read, as Export does, and login with each name that leads to a user, and
	// calls fault with what only the backend can know: rows that cannot be read, pages, indexes, columns.
	Check(ctx context.Context, row func(Row) error, login func(Login), fault func(Fault)) error
}
