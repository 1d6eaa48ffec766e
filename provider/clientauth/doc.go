// Package clientauth says which client is calling: RFC 6749 sections 2.3 and 3.2.1, OpenID Connect Core 9. Every endpoint that
// clients call directly asks here, and nowhere else.
//
// A request says who is calling in one way: in the Authorization header (client_secret_basic), in the body with a secret
// (client_secret_post), or in the body by its client_id alone (none). It must be the way that the client is registered for. A method
// is one row of the table in methods.go: where its credentials are, and what makes them good.
//
// What is wrong is not told apart for those who do not hold the secret: an unknown client and a wrong secret get the same answer
// after the same work. The operator's log has the cause.
package clientauth
