-- The linkage's columns, made from all observations; dropped and rebuilt. `part` is '' for the stamp that says of which state
-- of the case they are; bodies are under zstd, `length` is their size before.
CREATE TABLE columns (
    part   TEXT NOT NULL PRIMARY KEY,
    length INTEGER NOT NULL,
    body   BLOB NOT NULL
) STRICT;
