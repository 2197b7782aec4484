-- Schema 2: files of public data. The record of each import stands in `records`; what the file said stands here.

CREATE TABLE datasets (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256         BLOB NOT NULL CHECK (length(sha256) = 32),   -- of the file as it lay on disk
    bytes          INTEGER NOT NULL,
    format         TEXT NOT NULL,
    name           TEXT NOT NULL,                     -- the table or list that it is a state of
    source         TEXT NOT NULL,
    date           TEXT NOT NULL,                     -- the day it speaks of, 2026-04-01
    licence        TEXT NOT NULL,
    whole          INTEGER NOT NULL CHECK (whole IN (0, 1)),
    counts         TEXT NOT NULL CHECK (json_valid(counts)),    -- facts of each kind
    warnings       TEXT NOT NULL CHECK (json_valid(warnings)),
    imported_at_ms INTEGER NOT NULL
) STRICT;

-- Its facts, some thousands of one kind in a part (`range/pack.rs`).
CREATE TABLE dataset_parts (
    id      INTEGER PRIMARY KEY,
    dataset INTEGER NOT NULL REFERENCES datasets (id) DEFERRABLE INITIALLY DEFERRED,
    kind    TEXT NOT NULL,
    rows    INTEGER NOT NULL,
    body    BLOB NOT NULL
) STRICT;
CREATE INDEX dataset_parts_by_kind ON dataset_parts (dataset, kind);

CREATE VIEW v_datasets AS
SELECT id AS dataset, lower(hex(sha256)) AS sha256, bytes, format, name, source, date, licence, whole, counts, warnings,
       imported_at_ms
FROM datasets;
