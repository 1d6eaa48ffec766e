// Package audit names the security events that Signet records.
//
// An entry is never written by itself: the act of [signet/storage] that causes it derives the entry from its own result and
// stores it in the same commit, so that nothing happens unrecorded and nothing is recorded that did not happen. Entries hold
// ids, never secrets: no token, no code, no password, no cookie.
//
// What writes nothing has no commit. A failed sign-in is recorded on its own. An access token that a client gets for itself is recorded
// by a [Later], so it costs no trip to the disk; of a server that is killed, the entries of its last second are missing.
package audit

import "time"

// Event is what happened, as a dotted name that stays the same for ever.
type Event string

// The events. A failure has an event of its own, so that an auditor can filter without reading details.
const (
	SignInSucceeded     Event = "signin.succeeded"
	SignInFailed        Event = "signin.failed"
	SignedOut           Event = "session.ended"
	ConsentGiven        Event = "consent.given"
	ConsentDenied       Event = "consent.denied"
	ConsentWithdrawn    Event = "consent.withdrawn"
	CodeIssued          Event = "code.issued"
	TokenIssued         Event = "token.issued"   // an access token, by the authorization endpoint
	IDTokenIssued       Event = "idtoken.issued" // by the authorization endpoint, and nothing else
	CodeRedeemed        Event = "code.redeemed"
	CodeReplayed        Event = "code.replayed"
	CodeRefused         Event = "code.refused"
	ServiceIssued       Event = "service.issued"    // an access token for a client itself; recorded a moment later, see [Later]
	AssertionGranted    Event = "assertion.granted" // an access token for the subject of another issuer's assertion
	TokenExchanged      Event = "token.exchanged"   // recorded a moment later, like service.issued
	DeviceBegun         Event = "device.begun"
	DeviceApproved      Event = "device.approved"
	DeviceDenied        Event = "device.denied"
	DeviceRedeemed      Event = "device.redeemed"
	DeviceReplayed      Event = "device.replayed"
	TokenRefreshed      Event = "token.refreshed"
	RefreshReused       Event = "token.reused"
	RefreshAhead        Event = "token.ahead"
	FamilyEnded         Event = "family.ended"
	AccessEnded         Event = "access.ended"
	AccessDenied        Event = "access.denied"    // one access token alone
	NoticeDelivered     Event = "notice.delivered" // a client was told that a session ended
	NoticeFailed        Event = "notice.failed"    // and will not be told any more
	ClientSaved         Event = "client.saved"
	ClientRemoved       Event = "client.removed"
	AssertionReplayed   Event = "assertion.replayed"
	InitialTokenSaved   Event = "initialtoken.saved"
	InitialTokenRemoved Event = "initialtoken.removed"
	UserSaved           Event = "user.saved"
	UserRemoved         Event = "user.removed"
	UserEnded           Event = "user.ended"
	ResourceSaved       Event = "resource.saved"
	ResourceRemoved     Event = "resource.removed"
	RingSaved           Event = "keys.changed"
	StoreInitialized    Event = "store.initialized"
	StoreBackedUp       Event = "store.backedup"
	StoreRestored       Event = "store.restored"
	StoreMoved          Event = "store.moved" // here, from another store
	ConfigReloaded      Event = "config.reloaded"
	LimitReached        Event = "limit.reached" // the first time in a minute
)

// Origin says on whose behalf an act runs. The zero Origin is the server itself (a timer, the start).
type Origin struct {
	Trace   string `json:"trace,omitempty"`   // the request's trace id, as in the log
	Address string `json:"address,omitempty"` // the browser's or client's address, as trusted proxies vouch for it
	Actor   string `json:"actor,omitempty"`   // an operator: "uid 1000", "file"; empty for users and clients
}

// Entry is one recorded event.
type Entry struct {
	Time    time.Time `json:"time"`
	Event   Event     `json:"event"`
	Origin            // flattened
	Client  string    `json:"client,omitempty"`  // client id
	User    string    `json:"user,omitempty"`    // sub
	Session string    `json:"session,omitempty"` // session id; never the cookie
	Family  string    `json:"family,omitempty"`  // family id
	Detail  string    `json:"detail,omitempty"`  // what changed or why it was refused, in a few words
}
