// Package storage says what Signet keeps and what may happen to it.
//
// Its records are plain data. Its interfaces are acts, not get and put: an act is one step of the protocol (spend a code, move
// a family on, sign a browser in) with a concurrency contract in its comment, done in one commit and durable before it returns.
// Three methods instead of one (look up, decide, write) would leave a gap between each two, and a crash or a second caller would
// find it. Each sentence of a contract is one test in storagetest, which every backend runs.
//
// The decisions inside the acts are pure functions of the record, in this package ([Code.Redeem], [Family.Rotate],
// [Session.Live]), so that each backend decides alike and a refusal stands beside the clause that asks for it. Acts are pure as
// well: time, ids and randomness are inputs, since a backend may run an act again after a rollback.
//
// Every act that writes derives its audit entries from its result and stores them in the same commit.
//
// The interfaces are small and named for what they hold; a room embeds those it needs in its store.go. What a comment calls
// "unknown" is [ErrNotFound]. Beside the errors that a contract names, any act can return [ErrBusy] (try again soon),
// [ErrNoSpace] (nothing was written; the operator must act), [ErrUnavailable] (the backend is away and may come back) or an unnamed error
// (the backend failed).
package storage

import "errors"

// What an act answers when it refuses. Refusals are results: nothing of the act was stored, unless its contract says otherwise.
var (
	// ErrNotFound: no such row, or a secret that does not fit it; the two are one answer.
	ErrNotFound = errors.New("not found")
	// ErrExists: the name or address is taken.
	ErrExists = errors.New("exists already")
	// ErrConflict: the row was changed by another since it was read. Read again, decide again.
	ErrConflict = errors.New("changed meanwhile")
	// ErrSpent: a one-time thing was used before.
	ErrSpent = errors.New("used already")
	// ErrExpired: its time is over.
	ErrExpired = errors.New("expired")
	// ErrEnded: the session, the family or the account behind it was ended.
	ErrEnded = errors.New("ended")
	// ErrOtherClient: it was issued to another client.
	ErrOtherClient = errors.New("issued to another client")
	// ErrRedirectURI: the redirect URI is not the one that was authorized.
	ErrRedirectURI = errors.New("another redirect URI was authorized")
	// ErrVerifier: the PKCE verifier does not fit the challenge, is missing, or answers no challenge.
	ErrVerifier = errors.New("code verifier does not fit")
	// ErrScope: more was asked for than was granted.
	ErrScope = errors.New("scope exceeds what was granted")
	// ErrTarget: a resource was asked for that was not granted.
	ErrTarget = errors.New("resource exceeds what was granted")
	// ErrPending: the user has not decided yet.
	ErrPending = errors.New("not decided yet")
	// ErrSlowDown: it was asked for before its time.
	ErrSlowDown = errors.New("asked too soon")
	// ErrDenied: the user declined.
	ErrDenied = errors.New("declined")
	// ErrReused: a refresh token from before the current one came back after its window; its family is now ended.
	ErrReused = errors.New("refresh token used before")
	// ErrAhead: a refresh token newer than the row (the store was restored from a backup); its family is now ended.
	ErrAhead = errors.New("refresh token newer than the store")
	// ErrTooMany: a limit on stored things was reached.
	ErrTooMany = errors.New("too many")
	// ErrBusy: the queue of acts is full.
	ErrBusy = errors.New("storage is busy")
	// ErrNoSpace: the disk is full; the act was rolled back.
	ErrNoSpace = errors.New("no space left for storage")
	// ErrUnavailable: the backend does not answer, or broke off. Whether the act happened is unknown.
	ErrUnavailable = errors.New("storage is not available")
)
