// Package limit bounds how much work anybody can cause: what costs a signature, a password hash, a commit or a fetch. Discovery, the
// JWKS, health checks and our own assets cost nothing and are not counted.
//
// Who is counted depends on what is certain:
//
//   - A client that authenticated itself is counted by its id, wherever it calls from: one backend may speak for a million people.
//   - Whoever brings an access token has as much again, by that client and address: a token proves that somebody got it, and not that the
//     client asks. So nobody who has one can shut the client out.
//   - Whoever did neither, is counted by address: browsers, public clients (whose id anybody can send), and all that was refused. Of IPv6 the
//     /64 is one address. Behind trusted proxies it is the address that they vouch for.
//   - Attempts to authenticate as one client from one address have a bucket besides, which failures alone empty. While it is empty
//     nothing is compared, so it bounds guessing; and it is of that client alone, so a backend with an old secret does not shut out its
//     neighbours. A failure also costs its address as much as [failure] requests.
//   - Registrations have a bucket by address: each is a row that stays. What we fetch to know an app that nobody registered empties it too.
//
// How fast an account's password can be guessed is not bounded here but in package users, where it is known what failed.
//
// Each is a token bucket of golang.org/x/time/rate in a table of bounded size; the row that was not used for the longest time makes
// room. A bucket that is full says the same as none, so what is forgotten is only how much somebody used a moment ago. All tables together
// stay below [MaxMemory] bytes, however many addresses there are.
//
// An answer is 429 (RFC 6585 section 4) with Retry-After. The first of a bucket in a minute is a warning in the log and an entry of the
// audit log; those that follow are logged at the level debug, so that a flood of requests is no flood of lines.
package limit
