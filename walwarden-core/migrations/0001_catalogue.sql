-- Chains and their rows, jobs and their write-ahead notes. Times are Unix milliseconds, digests 32 bytes.

PRAGMA application_id = 0x57574341; -- "WWCA"

CREATE TABLE chain (
    chain_id TEXT NOT NULL PRIMARY KEY,
    org_id TEXT NOT NULL,
    database_id TEXT, -- null: the organisation's own chain
    mirrored_through INTEGER NOT NULL DEFAULT 0, -- the last seq known to lie in the destination
    checkpoint_size INTEGER,
    checkpoint_note TEXT,
    CHECK ((checkpoint_size IS NULL) = (checkpoint_note IS NULL))
) STRICT;

CREATE UNIQUE INDEX chain_subject ON chain (org_id, ifnull(database_id, ''));

-- The head of a chain is its row with the highest seq; nothing else says where it ends.
CREATE TABLE event (
    chain_id TEXT NOT NULL REFERENCES chain,
    seq INTEGER NOT NULL CHECK (seq >= 1),
    row BLOB NOT NULL, -- the exact canonical bytes
    PRIMARY KEY (chain_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER event_never_changes BEFORE UPDATE ON event
BEGIN SELECT raise(ABORT, 'a row of an audit chain is never changed'); END;

CREATE TRIGGER event_never_goes BEFORE DELETE ON event
BEGIN SELECT raise(ABORT, 'a row of an audit chain is never removed'); END;

CREATE TABLE job (
    job_id TEXT NOT NULL PRIMARY KEY,
    chain_id TEXT NOT NULL REFERENCES chain,
    kind TEXT NOT NULL CHECK (kind IN ('backup', 'restore')),
    state TEXT NOT NULL,
    finished INTEGER NOT NULL CHECK (finished IN (0, 1)),
    queued_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    attempt INTEGER NOT NULL,
    not_before INTEGER,
    failure TEXT,
    manifest_sha256 BLOB CHECK (length(manifest_sha256) = 32),
    artifact_key TEXT,
    size_bytes INTEGER,
    uploads TEXT NOT NULL DEFAULT '[]', -- JSON: pairs of object name and upload id
    receipt BLOB,
    manifest BLOB,
    lease_holder TEXT,
    lease_until INTEGER,
    lease_millis INTEGER, -- for how long it was given
    CHECK ((lease_holder IS NULL) = (lease_until IS NULL)),
    CHECK ((lease_holder IS NULL) = (lease_millis IS NULL))
) STRICT;

CREATE INDEX job_of_chain ON job (chain_id, queued_at);
CREATE INDEX job_unfinished ON job (queued_at) WHERE finished = 0;
CREATE INDEX job_manifest ON job (manifest_sha256) WHERE manifest_sha256 IS NOT NULL;
