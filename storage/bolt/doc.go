// Package bolt keeps everything of Signet in one bbolt file.
//
// # The file
//
// Top-level buckets, one per kind of row. A row is one version byte and the CBOR of its record (package codec).
//
//	meta           format, version: whose file it is and who may open it
//	clients        client id                   Client
//	resources      0x00 ‖ resource             Resource (the default resource's id is empty, and bbolt has no empty keys)
//	users          sub                         User
//	logins         LoginKey                    sub: names and addresses share one name space
//	declared       sub                         nothing: the users whom the configuration file declares
//	removed        kind ‖ id                   when: an id that was taken is never given again
//	ring           "ring"                      Ring
//	browsers       ID                          Browser
//	sessions       ID                          Session
//	consents       len(sub) ‖ sub ‖ client     Consent
//	families       ID                          Family; its sequence is the last number of the status list
//	begun          len(sub) ‖ sub ‖ session [‖ family]   nothing: what was begun in a user's name (begun.go)
//	codes          slot → ID                   Code
//	devices        slot → ID                   DeviceGrant
//	usercodes      slot → user code            ID: of the device, in the same slot
//	interactions   slot → ID                   Interaction
//	open           slot → kind ‖ address ‖ 0x00 ‖ ID   until when: what the limits of addresses count (interactions.go)
//	kept           slot → ID                   KeptRequest
//	assertions     slot → client ‖ SHA-256     of a jti: until when it is spent
//	initial        ID                          InitialToken
//	denied         SHA-256 of a jti            DeniedToken
//	notices        ending ‖ number             Notice
//	outbox         state ‖ instant ‖ ending ‖ number   since when: pending notices as they are due, settled ones as they were settled (outbox.go)
//	marks          hour → number               until when: the hour in which marks of the status list are forgotten (marks.go)
//	histories      sub                         History
//	audit          segment → sequence          audit.Record: the entries of one commit, chained to the one before
//	checkpoints    sequence                    audit.Checkpoint
//
// A slot is ten minutes of expiry: the ID of a short-lived row's handle is made for the instant at which the row expires, so
// the handle names its slot (slots.go), and sweeping drops a slot as a whole. A segment is one UTC day of the audit log
// (audit.go). IDs begin with their time, so rows that are written together lie on the same pages.
// Files of version 1 lack assertions and initial, those before 4 begun, notices, outbox, marks, histories and checkpoints, those
// before 5 devices, usercodes and denied; [Open] adds them. It also chains the audit log of files before version 4 (chain.go), makes their index of what was begun, and gives numbers to their
// families and clients (indexed.go).
//
// # The committer
//
// What writes is an act: a function that reads, decides, and only then writes. Acts wait in a bounded queue; one goroutine
// (committer.go) takes all that wait, runs them in one transaction, commits it with one fsync, and answers them. There is no
// timer: while one commit is on its way to the disk the next batch gathers. A full queue is [storage.ErrBusy] at once.
//
// bbolt has no savepoint. So a refusal is a result and not a failure: nothing has to be undone for it. An act that fails (the
// storage does, or it panics) before its first write is answered alone; after a write the transaction is rolled back and
// its acts run again one by one, so that only the culprit gets the error. Acts are therefore pure: time, ids and randomness are
// inputs. An act whose caller left before it began is skipped.
//
// A commit that finds no space on the disk was rolled back: its acts are [storage.ErrNoSpace], and the next act tries again.
// After any other failed commit nobody knows what is on the disk: no act is answered as done, the store refuses everything
// from then on, and Options.Fatal is called, which ends the process unless a test says otherwise. The next start reads what
// is really there.
//
// # Reads
//
// Reads see the last commit and never wait for the committer. Clients, resources and users are remembered as decoded rows
// (cache.go). The rows that the store answers with are shared with those caches where an act returns them ([Store.RotateFamily],
// [Store.RedeemCode], [Store.Family], [Store.Browser]): read them, do not change what their slices and pointers lead to. The
// look-ups ([Store.Client], [Store.Resource], [Store.User], [Store.UserByLogin]) return copies that are the caller's own,
// since that is where changes begin.
//
// # Damage
//
// A map of a damaged file can end a process: the fault has no error value. [Open] reads the file's size, its meta pages, its
// list of free pages and its root by itself before bbolt maps it, and every transaction runs with faults turned into panics
// and panics into errors.
package bolt
