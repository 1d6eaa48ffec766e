// Package register lets apps register themselves, and look after their registration: OpenID Connect Dynamic Client Registration 1.0,
// RFC 7591 and RFC 7592.
//
//	POST   /register               a new client; 201 with its id, its secret and its registration access token
//	GET    /register/{client_id}   what is registered
//	PUT    /register/{client_id}   all of it anew; what is left out gets its default
//	DELETE /register/{client_id}   204
//
// The operator's policy is off (the routes do not exist), token (with an initial access token that the operator made, within its
// limits) or open.
//
// What is sent is read by [metadata.Object]: a member that we do not know is ignored and not echoed. A value that we cannot honour is
// refused: an app that registers for encrypted ID tokens must not get plain ones. The answer says what is in force, defaults included. When anything is wrong nothing is stored and no use of a token is counted.
//
// A registration access token is good for one client. An update makes a new one; the one that it came with stays good until the
// new one is first used, so that a lost answer does not lock the app out.
package register
