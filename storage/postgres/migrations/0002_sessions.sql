-- compatible: 1
--
-- Programs of version 1 go on beside this. They read and write none of what is new here: a family that they begin has no number, and
-- gets one when a newer node first rotates it; what they end gets no mark and no notice, and a record that they write again lacks the
-- members that they do not know. So nodes are replaced within the hour, and what the last old one ended reaches clients and the status
-- list by expiry alone. Families from before have no number either: no access token carries one until the next rotation.

-- All at once: who writes waits at the first table, and does not hold one that this needs.
LOCK TABLE signet.users, signet.sessions, signet.families IN ACCESS EXCLUSIVE MODE;

-- What of a user's is to be ended, or shown. No write of a row changes these columns, so updates still touch no index.
CREATE INDEX sessions_of_user ON signet.sessions (sub);
CREATE INDEX families_of_user ON signet.families (sub, session);

-- The numbers of the status list: 1, 2, 3 and so on. Those of acts that failed are never used.
CREATE SEQUENCE signet.numbers;

-- The column is the number; the record repeats it, but for the write that gave it, and those of programs that do not know it.
ALTER TABLE signet.families ADD COLUMN status bigint NOT NULL DEFAULT 0; -- 0: none

CREATE TABLE signet.marks (
	number    bigint PRIMARY KEY,
	forgotten timestamptz NOT NULL
);
CREATE INDEX marks_by_end ON signet.marks (forgotten);

-- The columns attempts and next are right where the record disagrees: a claim is one statement, and changes no record.
CREATE TABLE signet.outbox (
	ending   bytea NOT NULL,
	number   bigint NOT NULL,
	attempts bigint NOT NULL,
	next     timestamptz NOT NULL,
	created  timestamptz NOT NULL,
	state    text COLLATE "C" NOT NULL,
	settled  timestamptz, -- null: it is pending
	record   bytea NOT NULL,
	PRIMARY KEY (ending, number)
) WITH (fillfactor = 80);
CREATE INDEX outbox_due ON signet.outbox (next) WHERE settled IS NULL;
CREATE INDEX outbox_settled ON signet.outbox (settled) WHERE settled IS NOT NULL;

CREATE TABLE signet.histories (
	sub      text COLLATE "C" PRIMARY KEY,
	revision bigint NOT NULL DEFAULT 1,
	record   bytea NOT NULL
) WITH (fillfactor = 80);
