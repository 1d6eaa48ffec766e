-- compatible: 1
--
-- One row, one record: the bytes of package codec. Columns beside it are what is searched, joined or compared, and nothing else.
-- Text is compared by its bytes (COLLATE "C"): a change of the system's collation rules cannot break an index.

-- What a guarded write calls when it finds another revision than was read.
CREATE FUNCTION signet.stale() RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	RAISE EXCEPTION 'changed meanwhile' USING ERRCODE = 'serialization_failure';
END
$$;

-- A row without a record is a client that was removed: its id is never given again. Users likewise.
CREATE TABLE signet.clients (
	id       text COLLATE "C" PRIMARY KEY,
	revision bigint NOT NULL,
	record   bytea
);

CREATE TABLE signet.resources (
	id       text COLLATE "C" PRIMARY KEY,
	revision bigint NOT NULL,
	record   bytea NOT NULL
);

CREATE TABLE signet.users (
	sub      text COLLATE "C" PRIMARY KEY,
	revision bigint NOT NULL,
	record   bytea
);

-- Names and addresses share one name space.
CREATE TABLE signet.logins (
	login text COLLATE "C" PRIMARY KEY,
	sub   text COLLATE "C" NOT NULL
);

CREATE TABLE signet.ring (
	one      boolean PRIMARY KEY DEFAULT true CHECK (one),
	revision bigint NOT NULL,
	record   bytea NOT NULL
);

CREATE TABLE signet.browsers (
	id       bytea PRIMARY KEY,
	revision bigint NOT NULL DEFAULT 1,
	sessions bytea[] NOT NULL,
	expires  timestamptz NOT NULL,
	record   bytea NOT NULL
);

-- Sessions and families are written again and again. No column that such a write changes has an index, and pages keep room, so that
-- the new version of a row stays on its page and no index is touched (a HOT update). That is why the sweeper walks these tables
-- by their key and does not look for what has expired.
CREATE TABLE signet.sessions (
	id       bytea PRIMARY KEY,
	revision bigint NOT NULL DEFAULT 1,
	sub      text COLLATE "C" NOT NULL,
	expires  timestamptz, -- idle or not; null: never
	record   bytea NOT NULL
) WITH (fillfactor = 80);

CREATE TABLE signet.families (
	id       bytea PRIMARY KEY,
	revision bigint NOT NULL DEFAULT 1,
	client   text COLLATE "C" NOT NULL,
	sub      text COLLATE "C" NOT NULL,
	session  bytea NOT NULL,
	expires  timestamptz, -- idle or not; null: never
	record   bytea NOT NULL
) WITH (fillfactor = 75);

CREATE TABLE signet.consents (
	sub      text COLLATE "C" NOT NULL,
	client   text COLLATE "C" NOT NULL,
	revision bigint NOT NULL DEFAULT 1,
	record   bytea NOT NULL,
	PRIMARY KEY (sub, client)
);

-- The id of a short-lived row begins with the instant at which the row expires: its primary key is the index that sweeping needs.
CREATE TABLE signet.codes (
	id       bytea PRIMARY KEY,
	revision bigint NOT NULL DEFAULT 1,
	sub      text COLLATE "C" NOT NULL,
	session  bytea NOT NULL,
	record   bytea NOT NULL
) WITH (fillfactor = 80);

CREATE TABLE signet.interactions (
	id       bytea PRIMARY KEY,
	revision bigint NOT NULL DEFAULT 1,
	address  text COLLATE "C" NOT NULL,
	counts   boolean NOT NULL DEFAULT true, -- for the limit of its address
	record   bytea NOT NULL
);
CREATE INDEX interactions_of_address ON signet.interactions (address, id) WHERE counts;

CREATE TABLE signet.kept (
	id      bytea PRIMARY KEY,
	address text COLLATE "C" NOT NULL,
	created timestamptz NOT NULL,
	record  bytea NOT NULL
);
CREATE INDEX kept_of_address ON signet.kept (address, created);

CREATE TABLE signet.assertions (
	client   text COLLATE "C" NOT NULL,
	jti      bytea NOT NULL, -- SHA-256
	expires  timestamptz NOT NULL,
	replayed boolean NOT NULL DEFAULT false, -- and that was recorded
	PRIMARY KEY (client, jti)
);
CREATE INDEX assertions_by_expiry ON signet.assertions (expires);

CREATE TABLE signet.initial (
	id       bytea PRIMARY KEY,
	revision bigint NOT NULL DEFAULT 1,
	expires  timestamptz, -- null: never
	record   bytea NOT NULL
);

-- The log is written at its end alone, so a block range index finds what is old and costs an insert next to nothing.
CREATE TABLE signet.audit (
	sequence bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	time     timestamptz NOT NULL,
	record   bytea NOT NULL
);
CREATE INDEX audit_by_time ON signet.audit USING brin (time) WITH (pages_per_range = 32, autosummarize = on);
