-- Schema 1 of a hostkin case. Numbers end in their unit; `_ms` at the end of a time is milliseconds of UTC since 1970.
-- Tables are ours to change by migration; the views at the foot are for other programs and keep their columns.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value ANY
) STRICT, WITHOUT ROWID;

-- Every change of the case, oldest first. Seeds and verdicts are derived from here and stand nowhere else.
CREATE TABLE records (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms   INTEGER NOT NULL,
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    body    TEXT NOT NULL CHECK (json_valid(body))
) STRICT;
CREATE INDEX records_by_action ON records (action);
CREATE TRIGGER records_are_not_edited BEFORE UPDATE ON records
BEGIN SELECT RAISE(ABORT, 'records are never edited'); END;
CREATE TRIGGER records_are_not_removed BEFORE DELETE ON records
BEGIN SELECT RAISE(ABORT, 'records are never removed'); END;

CREATE TABLE scopes (
    sha256 BLOB NOT NULL PRIMARY KEY CHECK (length(sha256) = 32),
    text   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    kind          TEXT NOT NULL CHECK (kind IN ('scan', 'import')),
    state         TEXT NOT NULL CHECK (state IN ('running', 'done', 'stopped', 'failed')),
    plan_sha256   BLOB NOT NULL CHECK (length(plan_sha256) = 32),
    plan          TEXT NOT NULL CHECK (json_valid(plan)),
    seed          TEXT NOT NULL,                      -- decimal: an unsigned 64-bit number does not fit an SQLite integer
    scope_sha256  BLOB REFERENCES scopes (sha256),    -- null for an import: nothing is sent
    limits        TEXT NOT NULL CHECK (json_valid(limits)),
    version       TEXT NOT NULL,
    shard         INTEGER NOT NULL,
    shards        INTEGER NOT NULL,
    hosts         INTEGER NOT NULL,                   -- addresses in the plan
    services      INTEGER NOT NULL,                   -- services asked of each address
    started_at_ms INTEGER NOT NULL,
    ended_at_ms   INTEGER,
    summary       TEXT CHECK (summary IS NULL OR json_valid(summary))
) STRICT;

-- How far a scan is. Written in the transaction that holds the results it speaks of.
CREATE TABLE progress (
    run      INTEGER PRIMARY KEY REFERENCES runs (id),
    low      INTEGER NOT NULL,                        -- every index below is done
    done     BLOB NOT NULL,                           -- bit i (least significant first): index low + i is done
    counters TEXT NOT NULL CHECK (json_valid(counters)),
    fence    INTEGER NOT NULL                         -- raised by each process that takes the run up; a commit with an old one fails
) STRICT;

-- Two bits per service asked, by permuted index: 0 not asked, 1 silent, 2 refused, 3 heard. A row holds 1024 indices.
CREATE TABLE asked (
    run   INTEGER NOT NULL REFERENCES runs (id),
    chunk INTEGER NOT NULL,
    bits  BLOB NOT NULL,
    PRIMARY KEY (run, chunk)
) STRICT, WITHOUT ROWID;

CREATE TABLE hosts (
    id               INTEGER PRIMARY KEY,
    address          BLOB NOT NULL UNIQUE,            -- 4 or 6, then the octets: sorts as the number does
    ip               TEXT NOT NULL,
    asn              INTEGER,
    prefix           TEXT,
    first_seen_at_ms INTEGER,
    last_seen_at_ms  INTEGER,
    sightings        INTEGER NOT NULL
) STRICT;
CREATE INDEX hosts_by_asn ON hosts (asn) WHERE asn IS NOT NULL;

-- What was heard, content-addressed: SHA-256 of the CBOR of a capture, and that CBOR under zstd.
CREATE TABLE captures (
    id     INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    length INTEGER NOT NULL,                          -- bytes before compression
    body   BLOB NOT NULL
) STRICT;

CREATE TABLE observations (
    id            INTEGER PRIMARY KEY,
    run           INTEGER NOT NULL REFERENCES runs (id),
    host          INTEGER NOT NULL REFERENCES hosts (id),
    port          INTEGER NOT NULL CHECK (port BETWEEN 0 AND 65535),   -- 0 where an import names none
    protocol      TEXT NOT NULL,
    over_tls      INTEGER NOT NULL CHECK (over_tls IN (0, 1)),
    name          TEXT NOT NULL,                      -- empty when asked by address
    outcome       TEXT NOT NULL,
    detail        TEXT,
    started_at_ms INTEGER NOT NULL,
    connections   INTEGER NOT NULL,
    bytes_sent    INTEGER NOT NULL,
    bytes_heard   INTEGER NOT NULL,
    timed_out     TEXT,                               -- imports only: groups that were asked and did not answer in time
    capture       INTEGER REFERENCES captures (id),   -- null for imports
    UNIQUE (host, port, protocol, over_tls, name, run)
) STRICT;
CREATE INDEX observations_by_run ON observations (run);

-- Interned values. The id is the first 63 bits of SHA-256(kind, 0, value), or the next free one where two values meet.
CREATE TABLE facet_values (
    id    INTEGER PRIMARY KEY,
    kind  TEXT NOT NULL,
    value BLOB NOT NULL
) STRICT;
CREATE INDEX port_sets ON facet_values (id) WHERE kind = 'ports.open';

CREATE TABLE facets (
    observation INTEGER NOT NULL,
    place       INTEGER NOT NULL,                     -- order within the observation
    value       INTEGER NOT NULL,
    extra       TEXT,
    PRIMARY KEY (observation, place)
) STRICT, WITHOUT ROWID;

-- What the last linkage found. Dropped and rebuilt by each.
CREATE TABLE findings (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    made_at_ms INTEGER NOT NULL,
    weights    TEXT NOT NULL,
    hosts      INTEGER NOT NULL,
    background INTEGER NOT NULL
) STRICT;
CREATE TABLE clusters (
    place  INTEGER PRIMARY KEY,
    id     TEXT NOT NULL,
    seeded INTEGER NOT NULL CHECK (seeded IN (0, 1)),
    purity REAL NOT NULL
) STRICT;
CREATE TABLE links (
    id                         INTEGER PRIMARY KEY,
    cluster                    INTEGER REFERENCES clusters (place),    -- null: a row of the ranking
    provider                   TEXT NOT NULL,
    seed                       TEXT NOT NULL,
    ip                         TEXT NOT NULL,
    score                      REAL NOT NULL,
    log10_lr                   REAL NOT NULL,
    log10_lr_without_strongest REAL NOT NULL,
    rank                       INTEGER NOT NULL,
    level                      TEXT NOT NULL,
    reasons                    TEXT NOT NULL,
    against                    TEXT NOT NULL,
    evidence                   TEXT NOT NULL
) STRICT;

-- The views: a promise to other programs.

CREATE VIEW v_hosts AS
SELECT ip, asn, prefix, first_seen_at_ms, last_seen_at_ms, sightings FROM hosts;

CREATE VIEW v_services AS
SELECT h.ip, o.port, o.protocol, o.over_tls, nullif(o.name, '') AS name, o.run, o.outcome, o.detail, o.started_at_ms,
       o.connections, o.bytes_sent, o.bytes_heard, lower(hex(c.sha256)) AS capture_sha256, o.id AS observation
FROM observations o JOIN hosts h ON h.id = o.host LEFT JOIN captures c ON c.id = o.capture;

CREATE VIEW v_facets AS
SELECT h.ip, o.port, o.protocol, o.over_tls, nullif(o.name, '') AS name, o.run, v.kind, CAST(v.value AS TEXT) AS value,
       f.extra, f.observation, f.value AS value_id
FROM facets f JOIN facet_values v ON v.id = f.value JOIN observations o ON o.id = f.observation JOIN hosts h ON h.id = o.host;

CREATE VIEW v_links AS
SELECT provider, seed, ip, score, log10_lr, log10_lr_without_strongest, rank, level, reasons, against, evidence
FROM links WHERE cluster IS NULL;

CREATE VIEW v_clusters AS
SELECT c.id AS cluster_id, c.seeded, c.purity, l.ip, l.score, l.log10_lr, l.level, l.reasons, l.against, l.evidence
FROM clusters c JOIN links l ON l.cluster = c.place;

CREATE VIEW v_runs AS
SELECT r.id AS run, r.kind, r.state, lower(hex(r.plan_sha256)) AS plan_sha256, r.seed, lower(hex(r.scope_sha256)) AS scope_sha256,
       r.version, r.shard, r.shards, r.hosts, r.services, r.started_at_ms, r.ended_at_ms, r.summary
FROM runs r;
