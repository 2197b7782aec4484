-- Evidence: every record is a link of one chain, every observation a leaf under a record `sealed`. docs/EVIDENCE.md has the
-- texts that are hashed.

-- One line for each record, in its order; each names the digest of the line before.
CREATE TABLE chain (
    seq  INTEGER PRIMARY KEY REFERENCES records (seq),
    line TEXT NOT NULL,
    salt BLOB CHECK (salt IS NULL OR length(salt) = 16)     -- null once the record's subject and body were erased
) STRICT;
CREATE TRIGGER chain_is_not_cut BEFORE DELETE ON chain
BEGIN SELECT RAISE(ABORT, 'the chain is never cut'); END;
CREATE TRIGGER chain_is_not_edited BEFORE UPDATE ON chain
WHEN NEW.seq IS NOT OLD.seq OR NEW.line IS NOT OLD.line OR NEW.salt IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'the chain is never edited'); END;

-- Ed25519 signatures over lines.
CREATE TABLE signatures (
    seq        INTEGER PRIMARY KEY REFERENCES chain (seq),
    public_key BLOB NOT NULL CHECK (length(public_key) = 32),
    signature  BLOB NOT NULL CHECK (length(signature) = 64)
) STRICT;

-- Answers of time-stamp authorities (RFC 3161), by the record that took them in.
CREATE TABLE stamps (
    seq      INTEGER PRIMARY KEY REFERENCES records (seq),
    response BLOB NOT NULL
) STRICT;

-- A leaf for each observation, without gaps; one more where it was read anew. A record `sealed` holds the root over a
-- stretch of them.
CREATE TABLE leaves (
    number      INTEGER PRIMARY KEY,
    observation INTEGER,                                      -- null once erased
    hash        BLOB NOT NULL CHECK (length(hash) = 32),
    reading     BLOB CHECK (reading IS NULL OR length(reading) = 32),   -- digest of what was read
    salt        BLOB CHECK (salt IS NULL OR length(salt) = 16)
) STRICT;
CREATE INDEX leaves_by_observation ON leaves (observation);
CREATE TRIGGER leaves_are_not_removed BEFORE DELETE ON leaves
BEGIN SELECT RAISE(ABORT, 'leaves are never removed'); END;

CREATE TRIGGER leaves_are_not_edited BEFORE UPDATE ON leaves
WHEN NEW.number IS NOT OLD.number OR NEW.hash IS NOT OLD.hash OR NEW.observation IS NOT NULL OR NEW.reading IS NOT NULL
  OR NEW.salt IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'leaves are erased, never edited'); END;

-- A record's subject and body may be erased, and nothing else of it may change.
DROP TRIGGER records_are_not_edited;
CREATE TRIGGER records_are_not_edited BEFORE UPDATE ON records
WHEN NEW.seq IS NOT OLD.seq OR NEW.at_ms IS NOT OLD.at_ms OR NEW.actor IS NOT OLD.actor OR NEW.action IS NOT OLD.action
  OR NEW.subject IS NOT '' OR NEW.body IS NOT '{"erased":true}'
BEGIN SELECT RAISE(ABORT, 'records are never edited'); END;
