// Package clientauth says which client is calling: RFC 6749 sections 2.3 and 3.2.1, OpenID Connect Core 9. Every endpoint that
// clients call directly asks here, and nowhere else.
//
// A request says who is calling in one way: in the Authorization header (client_secret_basic), in the body with a secret
// (client_secret_post), by an assertion that it signed with its secret or its key (client_secret_jwt, private_key_jwt; assertion.go), or
// in the body by its client_id alone (none). It must be the way that the client is registered for. A method is one row of the table in
// methods.go: where its credentials are, and what makes them good.
//
// What is wrong is not told apart for those who do not hold the secret: an unknown client and a wrong secret get the same answer
// after the same work. (For an assertion the work differs: a client's id is no secret.) The operator's log has the cause.
//
// An assertion is good once: its jti is spent when all else about it was found good, and remembered until it expires. Its audience is
// the issuer or the token endpoint's URL, at whichever endpoint it comes, and no other beside it.
package clientauth
