// Package keyset holds the public keys of clients: what their jwks may say, and where the keys of a jwks_uri come from (OpenID Connect
// Registration 2, RFC 7517 section 5).
//
// [Parse] holds a set to the rules. [Keys] finds the key for a purpose. What a jwks_uri answered is kept in memory, for as long as its
// server allows and within bounds of ours. It is fetched again when that time is over, and when a key is asked for that it does not
// have: so a client rotates its keys without a word to us. Two things are held against each other here. Anybody can ask for a key that
// is not there, so one client's keys are not fetched more often than once in ten seconds, and whoever asks for a key that is there does
// not wait for a fetch meanwhile. And a client's server can fail for a while, so what it said before stays good for a day.
package keyset
