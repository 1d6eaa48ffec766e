// Package ending tells clients that sessions have ended: OpenID Connect Back-Channel Logout 1.0.
//
// What ends a session, whoever wished it, is an act of the store ([storage.Endings]), and the same commit leaves a notice in the outbox for each
// client that is to be told. So no notice is lost, and who ends something waits for nobody. From there on it is this room's:
//
//	waking.go     a store that wakes the worker when an act has left notices
//	worker.go     claims what is due, a few at a time, and stores how it went
//	courier.go    one attempt: makes a logout token and posts it
//	reply.go      what an answer means, and how it is said
//	schedule.go   when the next attempt is
//	receipts.go   how far an ending is, client by client, for pages and for the operator
//
// A notice is delivered at least once: a server that is killed between the client's answer and its own commit asks again, with another token.
// All nodes on one store share the outbox. A claim is a lease of half a minute, so what a node had in hand when it was killed is another's soon.
package ending
