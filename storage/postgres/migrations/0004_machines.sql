-- compatible: 4
--
-- Not for older programs: they cannot read a resource with scopes, would write clients again without what those may call, and would take
-- denied access tokens for good ones.

-- The id begins with the instant at which the row expires, as that of a code does.
CREATE TABLE signet.devices (
	id        bytea PRIMARY KEY,
	revision  bigint NOT NULL DEFAULT 1,
	user_code text COLLATE "C" NOT NULL UNIQUE,
	address   text COLLATE "C" NOT NULL,
	counts    boolean NOT NULL, -- for the limit of its address: nobody has decided
	expires   timestamptz NOT NULL,
	sub       text COLLATE "C" NOT NULL, -- who agreed; empty: nobody
	session   bytea NOT NULL,
	record    bytea NOT NULL
) WITH (fillfactor = 70); -- a poll writes it again, and changes no column that has an index
CREATE INDEX devices_of_address ON signet.devices (address, id) WHERE counts;

-- Single access tokens that were revoked.
CREATE TABLE signet.denied (
	jti     bytea PRIMARY KEY, -- SHA-256
	expires timestamptz NOT NULL
);
CREATE INDEX denied_by_expiry ON signet.denied (expires);
