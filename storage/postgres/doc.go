// Package postgres keeps everything of Signet in one PostgreSQL database, 15 or later, for any number of nodes.
//
// # The schema
//
// Everything is in the schema signet, and its names are written in full, so nothing depends on a search path. migrations/ says what
// the tables are for. A row is a record in the bytes of package codec, and beside it the columns that are searched, joined or
// compared. What a record means is decided in Go, by package storage and package decide, as for every backend.
//
// The migrations lead forward only. [Open] runs those that are missing in one transaction under an advisory lock: of several nodes that
// start at once one does it. Each says which older programs may go on with the schema that it leaves, so that nodes can be replaced
// one by one; a program that is too old for a schema is refused with [ErrNewer].
//
// # An act
//
// An act is two round trips: one statement that reads all that the act depends on, in one snapshot, and one pipeline that writes,
// which PostgreSQL commits as a whole or not at all. What only reads is one; what only inserts (BeginInteraction, BeginDevice, SpendAssertion, DenyToken) is
// one as well. No transaction is open between the two, no lock is held while this machine thinks, and a node that dies leaves
// nothing behind.
//
// In between another act may have written. So each row has a revision, and each write of a row names the one that it follows on
// (guarded in act.go). Where that is no longer the row's, the statement fails the pipeline as a serialization failure, and the act
// runs anew, after a random pause, at most twelve times; [storage.ErrBusy] after that. Acts are pure, so that is the same as if it
// had come later. Two that insert one key are told apart by the key: the second one fails, runs anew, and finds the row.
//
// READ COMMITTED is enough for that: whatever an act changes it has guarded. What it only read may be older than its commit by those
// milliseconds, and that is harmless where rows say of each other what is dead (epoch, session, client). Where more hangs on it than life, an act
// holds what it read until its commit (sameUser, sameSession): a consent or a history beside a user who is removed, and whatever is begun or gets
// a number beside an ending. An ending owes a mark for each family and a notice for each client, so it has to see all of them: it reads them
// all (endings.go: a few round trips more), and after it has written what they live by it looks whether others have come. SERIALIZABLE would make every act
// pay for what few need.
//
// The audit entries are in the same pipeline. Their order is that of an identity column: of two acts of which one was answered before
// the other began it is the order of the commits; of two at the same time it is the order in which they wrote. A number
// that was never used is an act that failed. There they wait for seconds at most until a node chains them ([Store.Chain]); one that was committed
// later than another with a higher number comes behind it in the chain.
//
// # What can go wrong
//
// An act that was answered is on PostgreSQL's disk, with synchronous_commit as it is by default, and on its synchronous standby where
// there is one. When the connection breaks in a commit nobody knows whether it happened: the act is reported as failed. Whoever
// repeats it finds what the contracts say of repetitions: a family gives the same successor within its window, what was ended stays ended,
// a ring or client that was saved is a conflict. A code that was spent so is spent. What was committed so can be seen before it is on the
// standby; whoever is told that it is done has waited for that all the same ([act.confirm]).
//
// A connection that breaks before anything was written costs another attempt and nothing else. The pool makes new connections by
// itself once PostgreSQL is back. Every act has a deadline ([Options].Timeout), and begun acts are finished though their caller left, since cancelling
// costs the connection. Among several hosts in the URL the one that takes writes is chosen, again after a failover.
//
// # Behind a pooler
//
// There is no state of sessions: no SET, no LISTEN, no temporary table, no session lock, no cursor. A pooler that hands out
// connections by the transaction can stand in between. By default statements are prepared once for a connection; a pooler that does not
// follow prepared statements (PgBouncer does since 1.21, with max_prepared_statements) needs default_query_exec_mode=exec in the URL.
//
// # Time and caches
//
// Acts are given the time, here as elsewhere, and what nodes compare with each other's are times that differ by what their clocks do.
// [Store.Ready] compares this machine's clock with PostgreSQL's, which is the same for all nodes, and a node that is more than five
// seconds off is not ready.
//
// Nothing is cached: each look-up is one round trip by primary key, and a change is seen by every node from its commit on.
package postgres
