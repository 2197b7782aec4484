//! Leaves: every observation is sealed with the digests of what was heard and of what was read from it. Leaves are written
//! in the transaction that writes the observation; a record `sealed` holds the Merkle root over a stretch of them.

use std::collections::BTreeSet;

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params};
use serde_json::{Value, json};

use super::chain::{self, Entry, Salts};
use super::{Action, Result, RunId, StoreError, address, record};
use crate::clock::Timestamp;
use crate::seal::{self, Digest, Leaf, ReadingText};

/// A scan seals when so many leaves wait, and at its end.
pub(super) const WAITING: i64 = 1024;
/// Most leaves under one record.
const MOST: u32 = 4096;

/// The columns that [`leaf_of`] reads.
pub(super) const COLUMNS: &str =
    "o.id, o.run, h.address, o.port, o.protocol, o.over_tls, o.name, o.started_at_ms, o.connections,
     o.bytes_sent, o.bytes_heard, o.timed_out, c.sha256, o.outcome, o.detail";

/// Puts leaves in within one transaction.
pub(super) struct Leaves<'a> {
    insert: CachedStatement<'a>,
    salts: Salts,
}

impl<'a> Leaves<'a> {
    pub(super) fn new(connection: &'a Connection) -> Result<Self> {
        let insert = "INSERT INTO leaves (observation, hash, reading, salt) VALUES (?1, ?2, ?3, ?4)";
        Ok(Self { insert: connection.prepare_cached(insert)?, salts: Salts::default() })
    }

    /// Puts the leaf of an observation in; its salt and the reading's digest are filled in here.
    pub(super) fn put(&mut self, observation: i64, leaf: Leaf, reading: &str) -> Result<()> {
        self.put_digest(observation, leaf, ReadingText::digest(reading))
    }

    /// The same for a reading whose digest is known.
    fn put_digest(&mut self, observation: i64, mut leaf: Leaf, digest: Digest) -> Result<()> {
        let salt = self.salts.next()?;
        leaf.salt = seal::hex(&salt);
        leaf.reading_sha256 = seal::hex(&digest);
        self.insert.execute(params![observation, &leaf.hash()[..], &digest[..], &salt[..]])?;
        Ok(())
    }
}

/// An observation as it will be sealed, from [`COLUMNS`]; salt and the reading's digest are left empty.
pub(super) fn leaf_of(row: &Row<'_>) -> Result<Leaf> {
    let name: String = row.get(6)?;
    let capture: Option<Digest> = row.get(12)?;
    Ok(Leaf {
        salt: String::new(),
        run: row.get(1)?,
        ip: address::from_key(row.get_ref(2)?.as_blob().unwrap_or_default())?.to_string(),
        port: row.get(3)?,
        protocol: row.get(4)?,
        over_tls: row.get(5)?,
        name: (!name.is_empty()).then_some(name),
        started_at_ms: row.get(7)?,
        connections: row.get(8)?,
        bytes_sent: row.get(9)?,
        bytes_heard: row.get(10)?,
        timed_out: row.get(11)?,
        capture_sha256: capture.map(|sha256| seal::hex(&sha256)),
        reading_sha256: String::new(),
    })
}

/// What was read from stored observations, kinds that this program does not know included.
pub(super) struct Readings<'a> {
    facets: CachedStatement<'a>,
}

impl<'a> Readings<'a> {
    pub(super) fn new(connection: &'a Connection) -> Result<Self> {
        let read = "SELECT v.kind, v.value, f.extra FROM facets f LEFT JOIN facet_values v ON v.id = f.value
                    WHERE f.observation = ?1 ORDER BY f.place";
        Ok(Self { facets: connection.prepare_cached(read)? })
    }

    /// The text of one observation's reading. A facet whose value is gone stands without kind, and fits no digest.
    pub(super) fn text(&mut self, observation: i64, outcome: &str, detail: Option<&str>) -> Result<String> {
        let mut text = ReadingText::new(outcome, detail);
        let mut rows = self.facets.query([observation])?;
        let odd = |_| StoreError::damaged("a facet of another type than it must have");
        while let Some(row) = rows.next()? {
            let kind = row.get_ref(0)?.as_str_or_null().map_err(odd)?;
            let value = row.get_ref(1)?.as_blob_or_null().map_err(odd)?;
            let extra = row.get_ref(2)?.as_str_or_null().map_err(odd)?;
            text.facet(kind.unwrap_or_default(), value.unwrap_or_default(), extra);
        }
        Ok(text.finish())
    }
}

/// Puts leaves in for the observations that have none: of one run, or of all. Gives how many.
pub(super) fn put_missing(connection: &Connection, run: Option<RunId>) -> Result<u64> {
    let sql = format!(
        "SELECT {COLUMNS} FROM observations o JOIN hosts h ON h.id = o.host LEFT JOIN captures c ON c.id = o.capture
         WHERE (?1 IS NULL OR o.run = ?1) AND NOT EXISTS (SELECT 1 FROM leaves l WHERE l.observation = o.id) ORDER BY o.id"
    );
    put_from(connection, &sql, run)
}

/// Puts leaves in for the observations from `first` on, which an import has just put in one after the other. `readings` are
/// the digests of what was read, in their order; those of rows in `changed` are made anew.
pub(super) fn put_import(
    connection: &Connection,
    first: i64,
    readings: &[Digest],
    changed: &BTreeSet<i64>,
) -> Result<()> {
    let sql = format!(
        "SELECT {COLUMNS} FROM observations o JOIN hosts h ON h.id = o.host LEFT JOIN captures c ON c.id = o.capture
         WHERE o.id >= ?1 ORDER BY o.id"
    );
    let (mut leaves, mut texts) = (Leaves::new(connection)?, Readings::new(connection)?);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([first])?;
    for (known, expected) in readings.iter().zip(first..) {
        let row = rows.next()?.ok_or_else(|| StoreError::damaged("an observation that was put in and is not there"))?;
        let observation: i64 = row.get(0)?;
        if observation != expected {
            return Err(StoreError::damaged("observations of an import that do not follow each other"));
        }
        let digest = if changed.contains(&observation) { reading_of(row, &mut texts, observation)? } else { *known };
        leaves.put_digest(observation, leaf_of(row)?, digest)?;
    }
    Ok(())
}

/// The digest of what was read from an observation, from [`COLUMNS`].
fn reading_of(row: &Row<'_>, readings: &mut Readings<'_>, observation: i64) -> Result<Digest> {
    let odd = |_| StoreError::damaged("an outcome that is no text");
    let outcome = row.get_ref(13)?.as_str().map_err(odd)?;
    let detail = row.get_ref(14)?.as_str_or_null().map_err(odd)?;
    Ok(ReadingText::digest(&readings.text(observation, outcome, detail)?))
}

/// Puts one more leaf in for an observation that was read anew.
pub(super) fn put_again(connection: &Connection, observation: i64) -> Result<()> {
    let sql = format!(
        "SELECT {COLUMNS} FROM observations o JOIN hosts h ON h.id = o.host LEFT JOIN captures c ON c.id = o.capture
         WHERE o.id = ?1"
    );
    put_from(connection, &sql, Some(observation))?;
    Ok(())
}

fn put_from(connection: &Connection, sql: &str, number: Option<i64>) -> Result<u64> {
    let (mut leaves, mut readings) = (Leaves::new(connection)?, Readings::new(connection)?);
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([number])?;
    let mut put = 0;
    while let Some(row) = rows.next()? {
        let observation = row.get(0)?;
        let digest = reading_of(row, &mut readings, observation)?;
        leaves.put_digest(observation, leaf_of(row)?, digest)?;
        put += 1;
    }
    Ok(put)
}

/// Seals the leaves that wait, when there are at least so many.
pub(super) fn seal_waiting(connection: &Connection, at: Timestamp, actor: &str, at_least: i64) -> Result<()> {
    let last: i64 =
        connection.prepare_cached("SELECT coalesce(max(number), 0) FROM leaves")?.query_row([], |row| row.get(0))?;
    let mut sealed = sealed_upto(connection)?;
    if last.saturating_sub(sealed) < at_least {
        return Ok(());
    }
    while sealed < last {
        let read = "SELECT hash FROM leaves WHERE number > ?1 ORDER BY number LIMIT ?2";
        let mut statement = connection.prepare_cached(read)?;
        let hashes = statement.query_map(params![sealed, MOST], |row| row.get(0))?;
        let hashes: Vec<Digest> = hashes.collect::<rusqlite::Result<_>>()?;
        let upto = sealed.saturating_add(i64::try_from(hashes.len()).unwrap_or(i64::MAX));
        if hashes.is_empty() {
            return Err(StoreError::damaged("leaves are missing; `hostkin verify` tells which"));
        }
        let body =
            json!({ "first": sealed.saturating_add(1), "last": upto, "raw_sha256": seal::hex(&seal::root(&hashes)) });
        chain::append(connection, &Entry { at, actor, action: Action::Sealed, subject: "", body: &body }, |_| {
            Ok(None)
        })?;
        sealed = upto;
    }
    Ok(())
}

/// The last leaf that a record seals.
fn sealed_upto(connection: &Connection) -> Result<i64> {
    let read = "SELECT body FROM records WHERE action = ?1 ORDER BY seq DESC LIMIT 1";
    let body: Option<String> =
        connection.prepare_cached(read)?.query_row([Action::Sealed.as_str()], |row| row.get(0)).optional()?;
    let Some(body) = body else { return Ok(0) };
    let body: Value = record::parse(&body, "a record")?;
    body.get("last").and_then(Value::as_i64).ok_or_else(|| StoreError::damaged("a record that seals nothing"))
}
