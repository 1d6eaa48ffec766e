// Package logout ends the sessions of a browser at the client's or the user's wish: OpenID Connect RP-Initiated Logout 1.0. Clients that took part hear
// of it through the browser (front.go: OpenID Connect Front-Channel Logout 1.0) and from the server itself (package ending).
//
//	GET  /logout           ends the session at once where the hint is of this browser's session and no wrong way back is named; else it asks
//	POST /logout           the same by form: a cross-site POST carries no cookie of ours, so it is kept and sent round by GET
//	GET  /logout/posted    ... to here, once
//	POST /logout/confirm   the answer to the question
//	GET  /logout/done      says that one is signed out, and which clients have been told
//
// A link must not sign anybody out against their will, so the question is asked whenever the request is not surely theirs (section 2).
// The way back is taken only to an address that is registered, byte for byte, for a client that is certain.
package logout
