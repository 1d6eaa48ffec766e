// Package token answers the token endpoint: RFC 6749 section 3.2, OpenID Connect Core 3.1.3 and 12.
//
//	POST /token
//
// It is one pipeline: read the form, authenticate the client, see whether it may use the grant, let the grant say what it is
// worth, make the tokens. A grant is one file and fills in only what is its own, so none can forget a step.
//
// What a grant spends is spent in one commit before the tokens are made. A crash in between costs the client one sign-in or, at a
// refresh, nothing: the same refresh token gives the same successor again. The other order could give two answers for one code.
package token
