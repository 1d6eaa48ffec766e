// Package keys holds all key material: it makes, seals, rotates and publishes the signing keys, signs and verifies tokens with
// them, makes the MACs of refresh tokens, and decrypts what clients encrypt to us.
//
// # The ring
//
// Everything is one row of the store, [storage.Ring]. A change is a compare-and-swap of the whole row: read it, decide, save it
// from the revision that was read; on [storage.ErrConflict] read and decide again. So a rotation happens once, however many
// servers share the store. The decisions are pure functions of the row and the clock (plan.go); a key to be made has no kid
// until it has been made (make.go).
//
// # The states of a signing key
//
// A state is not stored. It follows from the key's times, the clock and the lifetimes of what keys sign (state.go):
//
//	next      published, does not sign yet
//	active    published, signs
//	retired   published until the last token that it signed has expired; its private part is deleted
//	kept      not published, but accepted: it verifies ID token hints until the longest session has ended
//	gone      removed from the ring by the next tick
//	revoked   neither published nor accepted
//
// Each algorithm has keys of its own and always a next, announced [Options.Announce] before it signs, since gateways cache a
// JWKS for hours. Only where there was no key at all (first start, an algorithm turned on later) does one sign at once.
//
// Servers reload the ring each minute. What must be known everywhere before it is used waits for that: a MAC key makes tokens
// five minutes after it was made, and a retired key stays published two minutes longer than its tokens live.
//
// # The keys that clients encrypt to
//
// They are there only if an algorithm of [Options.Encryption] is on, and take the same way (schedule.of) with a difference: whoever has
// the public part uses it from that moment on, and may go on for long. So a next one is not published but decrypts already, for as long
// as it takes until every server knows it; an active one is published, the only one of its algorithm; a retired one is not, and decrypts
// for another day, which is why its private part stays until it is gone.
//
// # The snapshot
//
// Requests never touch the store and parse no key. Sign, Verify, Decrypt, JWKS, MAC and SubjectMAC read one immutable snapshot behind an
// atomic pointer, made anew when the ring or a state changed: signers with their headers encoded, public keys by kid, the JWKS as bytes
// with an ETag.
//
// # The audit key
//
// One Ed25519 key signs the checkpoints of the audit log and nothing else (audit.go). It is not published in the JWKS and takes no part in the
// rotation: who keeps its fingerprint can hold every export to it, and another key in its place would look like a forgery.
//
// # Sealing
//
// Private parts are sealed with AES-256-GCM under a seal key of the ring, which in turn is wrapped by the [Master] key, which is in a
// file of its own and never in the store. So the master key can be changed without touching what is sealed, and a copy of the
// store alone signs nothing.
package keys
