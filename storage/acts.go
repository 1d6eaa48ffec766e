package storage

import (
	"context"
	"time"

	"signet/audit"
)

// Clients holds the registered apps.
type Clients interface {
	// Client returns the client with this id, as the last acknowledged change left it. Unknown: ErrNotFound.
	Client(ctx context.Context, id string) (Client, error)
	// Clients returns all clients, by id.
	Clients(ctx context.Context) ([]Client, error)
	// SaveClient stores c and returns it with its next revision. c.Revision says which revision the change was made from: 0
	// makes a new client (ErrExists when the id is taken), any other must be the stored one (ErrConflict; ErrNotFound when the
	// client is gone). The series of the client's own access tokens stays as it is stored, whatever c says; it moves on, which ends
	// them, when what the client authenticates with changes.
	SaveClient(ctx context.Context, c Client, o Change) (Client, error)
	// RemoveClient removes a client, whatever its revision. What was issued to it is refused from then on: nobody can authenticate as
	// it, its families are dead (see FamilyState), and ids are never given twice. The number of its own access tokens is marked (see
	// Statuses), those of its families are not: however many they are, none is walked, and their access tokens end by their time for
	// who does not ask. Unknown: ErrNotFound.
	RemoveClient(ctx context.Context, id string, o Change) error
	// EndService ends the access tokens of this series and earlier ones that the client got for itself: the client's series moves on, and
	// its revision. Ending what has ended, or is of an unknown client, is no error.
	EndService(ctx context.Context, id string, series uint32, o Change) error
}

// Assertions remembers which client assertions were used (RFC 7523 section 3, item 7).
type Assertions interface {
	// SpendAssertion remembers the jti of a client's assertion until it expires. Of concurrent calls with one client and jti exactly
	// one succeeds; the others are ErrSpent, as is every later one before expires, whatever its own expires is. The first that is
	// ErrSpent is recorded.
	SpendAssertion(ctx context.Context, client, jti string, expires time.Time, o Change) error
}

// InitialTokens holds the initial access tokens that the operator makes (RFC 7591 section 3).
type InitialTokens interface {
	// SaveInitialToken stores a new token (ErrExists when its id is taken), and InitialTokens lists those that are neither used up nor
	// expired at now, oldest first.
	SaveInitialToken(ctx context.Context, t InitialToken, o Change) error
	InitialTokens(ctx context.Context, now time.Time) ([]InitialToken, error)
	// RemoveInitialToken ends a token before its time. Unknown: ErrNotFound.
	RemoveInitialToken(ctx context.Context, id ID, o Change) error
	// InitialToken returns the token of h. Unknown or another secret: ErrNotFound; used up: ErrSpent; too old at now: ErrExpired.
	InitialToken(ctx context.Context, h Handle, now time.Time) (InitialToken, error)
	// RegisterClient stores a new client and, if token is not zero, counts one use of that initial access token, in one commit; refused
	// as by InitialToken and SaveClient. Of concurrent calls no more succeed than the token has uses.
	RegisterClient(ctx context.Context, c Client, token Handle, o Change) (Client, error)
}

// Resources holds the APIs that accept our access tokens.
type Resources interface {
	// Resource returns the resource with this id. Unknown: ErrNotFound.
	Resource(ctx context.Context, id string) (Resource, error)
	// Resources returns all resources, by id.
	Resources(ctx context.Context) ([]Resource, error)
	// SaveResource is to resources what SaveClient is to clients.
	SaveResource(ctx context.Context, r Resource, o Change) (Resource, error)
	// RemoveResource removes a resource, whatever its revision. Its id may be given again: it is the API's own address. Unknown: ErrNotFound.
	RemoveResource(ctx context.Context, id string, o Change) error
}

// Denials remembers single access tokens that were revoked, where what they came from goes on.
type Denials interface {
	// DenyToken remembers the jti until the token expires, and records it. Twice is no error.
	DenyToken(ctx context.Context, jti string, expires time.Time, client string, o Change) error
	// Denied reports whether the token was denied before this call began.
	Denied(ctx context.Context, jti string) (bool, error)
}

// Users holds the accounts.
type Users interface {
	// User returns the user with this sub, as the last acknowledged change left it. Unknown: ErrNotFound.
	User(ctx context.Context, sub string) (User, error)
	// UserByLogin finds the user who signs in with this name or e-mail address, in the form of LoginKey. Unknown: ErrNotFound.
	UserByLogin(ctx context.Context, login string) (User, error)
	// Users returns all users, by name.
	Users(ctx context.Context) ([]User, error)
	// DeclaredUsers returns those whom the configuration file declares ([OriginFile]), by name. It reads no others.
	DeclaredUsers(ctx context.Context) ([]User, error)
	// SaveUser stores u and returns it with its next revision. Revisions are compared as in SaveClient. A name or address that
	// another user signs in with, as a name or as an address, is ErrExists. When end is true everything that was begun in the user's name ends in the
	// same commit, as by [Endings.EndUser]: the epoch moves on. A user who becomes disabled, or whose password changes, ends so whatever end says.
	SaveUser(ctx context.Context, u User, end bool, o Change) (User, error)
	// RemoveUser removes a user and frees the name and the address. Sessions and families of the sub are dead from then on. Unknown:
	// ErrNotFound.
	RemoveUser(ctx context.Context, sub string, o Change) error
}

// Change says when and on whose behalf a record is changed, for the audit log.
type Change struct {
	Now    time.Time
	Origin audit.Origin
	Detail string // what changed, in a few words; no secret
	// Keep is a session that goes on where the act ends a user's: the one in which the user asked for it.
	Keep ID
	// AccessLife is how long access tokens live at the most, where that is known: what EndAccess and EndService mark stays marked for so long, and an
	// hour. A client can have that done as often as it likes. Zero: LongestAccess.
	AccessLife time.Duration
}

// Rings holds the key material.
type Rings interface {
	// Ring returns the ring; before the first SaveRing that is a Ring of revision 0.
	Ring(ctx context.Context) (Ring, error)
	// SaveRing stores r and returns it with its next revision. Of concurrent calls from one revision exactly one succeeds; the
	// others are ErrConflict and change nothing.
	SaveRing(ctx context.Context, r Ring, o Change) (Ring, error)
}

// Browsers finds out who is signed in.
type Browsers interface {
	// Browser returns the browser that h is the cookie of and its sessions that are live at now, the last used one last.
	// A browser that is unknown, expired or has another secret: ErrNotFound.
	Browser(ctx context.Context, h Handle, now time.Time) (Browser, []SessionUser, error)
}

// SessionUser is a session with its user, from one snapshot.
type SessionUser struct {
	Session Session
	User    User
}

// Consents remembers what users allowed.
type Consents interface {
	// Consent returns what the user allowed the client so far. Nothing: ErrNotFound.
	Consent(ctx context.Context, user, client string) (Consent, error)
}

// Interactions holds the authorization requests for which the browser is being asked something.
type Interactions interface {
	// BeginInteraction stores i. When limit interactions of i.Address, not expired and not spent by a code, are stored already: ErrTooMany.
	BeginInteraction(ctx context.Context, i Interaction, limit int) error
	// Interaction returns the interaction of h. Unknown or another secret: ErrNotFound; finished: ErrSpent; too old: ErrExpired.
	Interaction(ctx context.Context, h Handle, now time.Time) (Interaction, error)
	// SignIn signs a user in at a browser, in one commit: see SignIn. The user must still be the one whose credentials were
	// checked: another epoch, disabled or removed is ErrEnded. An interaction that is not open is refused as by Interaction.
	SignIn(ctx context.Context, s SignIn) (SignedIn, error)
	// SelectSession goes on with a session that is live at the browser already: the interaction's Session becomes it, and Chosen is set, since a
	// choice proves nothing; SignIn takes it back. A session that is not live, or not of this browser: ErrEnded. An interaction that is not
	// open is refused as by Interaction.
	SelectSession(ctx context.Context, h Handle, browser Handle, session ID, now time.Time) error
	// EndInteraction spends an interaction without a code: the user declined what a names (client, and user and session where somebody is
	// signed in), or it cannot be given. It counts for its address's limit until it expires. Of
	// concurrent calls, Authorize's among them, one succeeds; refused as by Interaction.
	EndInteraction(ctx context.Context, h Handle, a Authorization, o Change) error
}

// SignIn is one successful sign-in.
type SignIn struct {
	// Interaction is the request in whose course it happened. Its Session becomes that of the sign-in. An interaction that returns to a page of
	// ours ([Interaction.Return]) is spent by it.
	Interaction Handle
	// Old is the browser's handle until now; zero if it had none, ignored when it is not live. Its row is removed: the browser's id changes at each sign-in,
	// so that an id known from before is worth nothing. Its sessions move to the new browser. The one of the same account goes on as Session says
	// (when, how, until when, from where), with its own ID, Created and Clients: its sid stays, so that the clients that know it hear when it ends.
	Old Handle
	// Browser is the new row; its Sessions are set by the act: those that moved, the one of this sign-in last; its Expires is the latest of theirs.
	Browser Browser
	// Session is the new row, where none goes on.
	Session Session
	// Device is the hash of the browser's device cookie; zero: it has none.
	Device Hash
	Origin audit.Origin
}

// KeptRequests holds requests that came by POST, for the moment until the browser asks for them by GET.
type KeptRequests interface {
	// KeepRequest stores k. When limit requests of k.Address that were not taken are stored already, from the last KeptWindow:
	// ErrTooMany. Anybody can have a request kept, so what one address can fill is bounded.
	KeepRequest(ctx context.Context, k KeptRequest, limit int) error
	// TakeRequest returns and removes the request of h. Of concurrent calls exactly one gets it; the others, and too late ones:
	// ErrNotFound.
	TakeRequest(ctx context.Context, h Handle, now time.Time) (KeptRequest, error)
}

// Codes answers authorization requests and spends authorization codes.
type Codes interface {
	// Authorize stores what an authorization is answered with and all that led to it, in one commit: see Issue. The session must be live
	// and the user's epoch unchanged, otherwise ErrEnded or ErrExpired.
	Authorize(ctx context.Context, i Issue) error
	// RedeemCode spends a code and stores the family that it turns into, in one commit, if [Code.Redeem] agrees and the user may still
	// sign in and has not withdrawn what the client had, even if it was allowed anew since (ErrEnded otherwise; for a code without offline_access the session must be live as well). The
	// family's authorization is the code's. Of concurrent calls one returns nil. A later one, expired or not, ends that family, and
	// the one of the front channel that was issued with the code, in its own commit and returns ErrSpent, however often, with the code,
	// which names the family; the first is recorded. Any other refusal leaves the code as good as it was; the first five of a code are
	// recorded, and those after them write nothing. Unknown code or another secret: ErrNotFound, and nothing is written.
	RedeemCode(ctx context.Context, r Redemption, f Family) (Redeemed, error)
}

// Issue is one authorization and what its response carries. Neither code nor family: an ID token alone.
type Issue struct {
	Authorization Authorization
	// Code is the code, if there is one. Its Authorization, Withdrawn and Front are set by the act.
	Code *Code
	// Front is the family of an access token that the response itself carries, if it carries one. Its Authorization in the store is set by the
	// act, see [Authorization.InFront]. Its Status is set to the number that the store gives it, here as well: the token carries it.
	Front *Family
	// Interaction is spent by it, where the browser was asked something: of concurrent calls one succeeds; refused as by
	// [Interactions.Interaction]. Zero: nobody was asked.
	Interaction Handle
	// Consent is remembered where the user was asked and agreed: its scopes, claims and resources are added to those allowed before.
	Consent *Consent
	// Idle moves the session's idle expiry to Now+Idle, at most to its Expires. The row is written only when that gains a tenth
	// of Idle or more, when the last use that it tells of was a day ago, or when the client takes part in the session for the first time.
	Idle   time.Duration
	Now    time.Time
	Origin audit.Origin
}

// Redeemed is what a code stood for, from the snapshot in which it was spent.
type Redeemed struct {
	Code   Code
	Family Family
	User   User
}

// Families moves lines of refresh tokens on, and ends them.
type Families interface {
	// GrantFamily stores a family that no code and no session of the user's led to (its authorization has no session, and no offline_access), and
	// returns it with its number. The user must be the one of that epoch and may not be disabled, otherwise ErrEnded.
	GrantFamily(ctx context.Context, f Family, o Change) (Family, error)
	// RotateFamily does what [Family.Rotate] decides, in one commit, and returns the row as it now is and its user, from one
	// snapshot. Of concurrent calls with the current generation one moves the family; the others are the ones that come within the window and
	// return the same row. ErrReused and ErrAhead have ended the family; every other refusal writes nothing. Unknown: ErrNotFound.
	RotateFamily(ctx context.Context, r Rotation) (Family, User, error)
	// EndFamily ends a family, its refresh tokens and its access tokens, if it belongs to the client: RFC 7009 section 2.1. Another client's:
	// ErrOtherClient. Ending what has ended, or is unknown, is no error.
	EndFamily(ctx context.Context, id ID, client string, o Change) error
	// EndAccess ends the family's access tokens of this series and earlier ones, and leaves the refresh tokens: the family's series moves on.
	// Refused and repeated like EndFamily.
	EndAccess(ctx context.Context, id ID, series uint32, client string, o Change) error
	// Family returns a family with what decides whether it lives, from one snapshot, as the last acknowledged act left it. Unknown: ErrNotFound.
	Family(ctx context.Context, id ID) (FamilyState, error)
}

// FamilyState is a family with the rows that it lives by. The zero Client and the zero User were removed; the zero Session was
// swept, or there never was one.
type FamilyState struct {
	Family  Family
	Client  Client
	User    User
	Session Session
}

// Live says whether tokens of the family are good at the instant now: nil, ErrEnded or ErrExpired. What was authorized without
// offline_access lives by its session.
func (s FamilyState) Live(now time.Time) error {
	if s.Client.ID != s.Family.Authorization.Client || len(s.Client.GrantTypes) == 0 { // removed, or put out of use
		return ErrEnded
	}
	if err := s.Family.Live(s.User, now); err != nil || s.Family.Authorization.Offline || s.Family.Authorization.Session.IsZero() {
		return err
	}
	return s.Session.Live(s.User, now)
}

// Audit is the security log: a chain of records, each with the entries of a commit or of several ([audit.Record]). A backend may keep entries
// beside the chain for a moment; they are as durable as those in it.
type Audit interface {
	// Record stores entries of events that change nothing else, such as a failed sign-in, in one commit.
	Record(ctx context.Context, entries ...audit.Entry) error
	// Entries calls f with each entry in the order of their commits, until f fails, and returns that error. It chains first.
	Entries(ctx context.Context, f func(audit.Entry) error) error
	// Chain puts what is kept beside the chain at its end. All entries that were acknowledged before it began are in the chain by its return.
	Chain(ctx context.Context) error
	// Chained says what the chain is.
	Chained(ctx context.Context) (Chain, error)
	// Records calls f with each record of the chain from a sequence on, until f fails, and returns that error. Those of days before since, which
	// may be zero, it may leave out, and those that come after it began it does.
	Records(ctx context.Context, from uint64, since time.Time, f func(audit.Record) error) error
	// SaveCheckpoint stores a checkpoint. One that is not over a record as it is in the chain: ErrConflict. One over a record that has one is no error.
	SaveCheckpoint(ctx context.Context, c audit.Checkpoint) error
	// Checkpoints returns those over records with a sequence from from to to, in their order. There is one over the record before the first
	// that is kept, where Sweep dropped some.
	Checkpoints(ctx context.Context, from, to uint64) ([]audit.Checkpoint, error)
}

// Chain is the chain of the log, as it is at one moment.
type Chain struct {
	First      uint64           // sequence of the first record that is kept; 0: there is none
	Last       audit.Link       // the last one
	Checkpoint audit.Checkpoint // the newest; zero: there is none
	// Due are the last records of days that are over, since that checkpoint: each wants one of its own, for Sweep drops nothing without.
	Due []audit.Link
}

// Upkeep is what time asks for.
type Upkeep interface {
	// Sweep deletes at most limit rows of what expired before its margin: one hour for rows that live in buckets, 24 hours for
	// families, sessions, browsers, denied access tokens and initial access tokens (since they were used up, if that came first), retention for the audit log, whose days go as a whole,
	// from the oldest on, behind a checkpoint over the last record of each; the last day stays. Settled notices go after NoticeLife, marks once no
	// access token needs them. It returns how many it deleted and whether there is more. What has expired is
	// refused without it; Sweep only frees the space.
	Sweep(ctx context.Context, now time.Time, retention time.Duration, limit int) (deleted int, more bool, err error)
	// Ready reports whether acts can be done: nil, or why not.
	Ready(ctx context.Context) error
	// Close ends the store after the acts under way.
	Close() error
}

// Store is all of it: what a backend offers and storagetest tests.
type Store interface {
	Clients
	Assertions
	InitialTokens
	Resources
	Users
	Rings
	Browsers
	Consents
	Interactions
	KeptRequests
	Codes
	Devices
	Families
	Denials
	Audit
	Upkeep
	Endings
	Outbox
	Statuses
	Histories
}
