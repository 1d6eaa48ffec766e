-- compatible: 3
--
-- The audit log is a chain of records, each with the hash of the one before. signet.audit is where entries wait for their place in it, for
-- seconds. What is in it now, from before there was a chain, is chained by the first node that runs.
--
-- Not for older programs: they would back up a log without its chain, and drop the key that signs checkpoints from the ring.
CREATE TABLE signet.records (
	sequence bigint PRIMARY KEY,
	day      integer NOT NULL, -- of its segment: since 1970, UTC
	record   bytea NOT NULL
);

CREATE TABLE signet.checkpoints (
	sequence bigint PRIMARY KEY, -- of the record that it is over
	anchor   boolean NOT NULL DEFAULT false, -- that record and those before it are dropped, as the retention says
	record   bytea NOT NULL
);

-- A queue now: what is written is deleted soon.
DROP INDEX signet.audit_by_time;
ALTER TABLE signet.audit SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
