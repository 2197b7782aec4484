//! The chain of records: each record's line names the digest of the line before, and is written with it.

use std::fs::File;
use std::io::Read as _;
use std::sync::OnceLock;

use ring::rand::{SecureRandom as _, SystemRandom};
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Action, Case, Result, StoreError, leaf, time};
use crate::clock::{MachineTime, Timestamp};
use crate::seal::{self, Details, Digest, RecordLine, Salt};

/// The body of a record whose details were erased.
pub(super) const ERASED: &str = r#"{"erased":true}"#;

/// A record to append.
pub(super) struct Entry<'a> {
    pub(super) at: Timestamp,
    pub(super) actor: &'a str,
    pub(super) action: Action,
    pub(super) subject: &'a str,
    pub(super) body: &'a Value,
}

/// A record with what seals it, as they stand in the case. Each half may be missing in a case that was tampered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainedRecord {
    /// The record's place.
    pub seq: i64,
    /// The sealed line.
    pub line: Option<String>,
    /// Time, actor and action as the record itself has them.
    pub columns: Option<(String, String, String)>,
    /// What it is about and what was said, as sealed; `None` once erased.
    pub details: Option<String>,
    /// The signature over the line, where there is one.
    pub signature: Option<LineSignature>,
}

/// An Ed25519 signature over a record's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineSignature {
    /// The signer's public key.
    pub public_key: [u8; 32],
    /// The signature.
    pub signature: [u8; 64],
}

impl Case {
    /// All records with their lines, oldest first.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn chain(&self) -> Result<Vec<ChainedRecord>> {
        let read = "SELECT coalesce(c.seq, r.seq), c.line, c.salt, r.at_ms, r.actor, r.action, r.subject, r.body,
                           s.public_key, s.signature
                    FROM chain c FULL JOIN records r ON r.seq = c.seq LEFT JOIN signatures s ON s.seq = c.seq ORDER BY 1";
        let mut statement = self.connection.prepare_cached(read)?;
        let mut rows = statement.query([])?;
        let mut records = Vec::new();
        while let Some(row) = rows.next()? {
            let salt: Option<Salt> = row.get(2)?;
            let at: Option<i64> = row.get(3)?;
            let columns = match at {
                Some(at) => Some((moment(time(at)?), row.get(4)?, row.get(5)?)),
                None => None,
            };
            let details = match (salt, &columns) {
                (Some(salt), Some(_)) => {
                    Details::text(&salt, &row.get::<_, String>(6)?, row.get_ref(7)?.as_str().unwrap_or_default())
                }
                _ => None,
            };
            let public_key: Option<[u8; 32]> = row.get(8)?;
            let signature: Option<[u8; 64]> = row.get(9)?;
            records.push(ChainedRecord {
                seq: row.get(0)?,
                line: row.get(1)?,
                columns,
                details,
                signature: public_key
                    .zip(signature)
                    .map(|(public_key, signature)| LineSignature { public_key, signature }),
            });
        }
        Ok(records)
    }

    /// The last record's place and line.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn last_line(&self) -> Result<(i64, String)> {
        last(&self.connection)?.ok_or_else(|| StoreError::damaged("a case without records"))
    }

    /// True when the last record is a signed head: nothing was changed since.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn is_signed(&self) -> Result<bool> {
        let read = "SELECT r.action = 'head' AND EXISTS (SELECT 1 FROM signatures s WHERE s.seq = r.seq)
                    FROM records r ORDER BY r.seq DESC LIMIT 1";
        Ok(self.connection.query_row(read, [], |row| row.get(0)).optional()?.unwrap_or(false))
    }

    /// Seals what waits, appends a record `head` about the chain so far and stores the signature that `sign` gives over
    /// its line, all in one transaction.
    ///
    /// # Errors
    /// When the case cannot be written.
    pub fn sign_head(
        &mut self,
        at: Timestamp,
        actor: &str,
        public_key: &[u8; 32],
        sign: impl FnOnce(&str) -> [u8; 64],
    ) -> Result<()> {
        let transaction = self.write()?;
        leaf::seal_waiting(&transaction, at, actor, 1)?;
        let (records, line) = last(&transaction)?.ok_or_else(|| StoreError::damaged("a case without records"))?;
        let leaves: i64 = transaction.query_row("SELECT coalesce(max(number), 0) FROM leaves", [], |row| row.get(0))?;
        let body = json!({
            "records": records, "last_sha256": seal::hex(&seal::sha256(line.as_bytes())), "leaves": leaves,
            "public_key": seal::hex(public_key),
        });
        let seq =
            append(&transaction, &Entry { at, actor, action: Action::Head, subject: "", body: &body }, |_| Ok(None))?;
        let (_, line) = last(&transaction)?.ok_or_else(|| StoreError::damaged("a case without records"))?;
        transaction
            .execute("INSERT INTO signatures VALUES (?1, ?2, ?3)", params![seq, &public_key[..], &sign(&line)[..]])?;
        transaction.commit()?;
        Ok(())
    }

    /// Takes an answer of a time-stamp authority in with the record that says so.
    ///
    /// # Errors
    /// When the case cannot be written.
    pub fn keep_stamp(
        &mut self,
        at: Timestamp,
        actor: &str,
        subject: &str,
        body: &Value,
        response: &[u8],
    ) -> Result<()> {
        let transaction = self.write()?;
        let entry = Entry { at, actor, action: Action::Timestamp, subject, body };
        let seq = append(&transaction, &entry, |_| Ok(None))?;
        transaction.execute("INSERT INTO stamps VALUES (?1, ?2)", params![seq, response])?;
        transaction.commit()?;
        Ok(())
    }

    /// The answers of time-stamp authorities, by the records that took them in.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn stamps(&self) -> Result<Vec<(i64, Vec<u8>)>> {
        let mut statement = self.connection.prepare_cached("SELECT seq, response FROM stamps ORDER BY seq")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// Appends a record and its line, in one transaction that holds the write lock from its start: of two processes that
/// append at once, the second sees the first's. `derived` is given the record's salt and says what was derived.
///
/// The body's `scope_sha256`, `raw_sha256` (or an import's `sha256`) are named in the line too; without a scope of its own a
/// record stands under the case's.
pub(super) fn append(
    connection: &Connection,
    entry: &Entry<'_>,
    derived: impl FnOnce(&Salt) -> Result<Option<Digest>>,
) -> Result<i64> {
    if connection.is_autocommit() {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        let seq = put(&transaction, entry, derived)?;
        transaction.commit()?;
        return Ok(seq);
    }
    put(connection, entry, derived)
}

fn put(
    connection: &Connection,
    entry: &Entry<'_>,
    derived: impl FnOnce(&Salt) -> Result<Option<Digest>>,
) -> Result<i64> {
    let before = last(connection)?;
    let body = entry.body.to_string();
    let insert = "INSERT INTO records (at_ms, actor, action, subject, body) VALUES (?1, ?2, ?3, ?4, ?5)";
    let seq = connection.prepare_cached(insert)?.insert(params![
        entry.at.as_millisecond(),
        entry.actor,
        entry.action.as_str(),
        entry.subject,
        body
    ])?;
    if before.as_ref().map_or(0, |(last, _)| *last).saturating_add(1) != seq {
        return Err(StoreError::damaged(
            "its last record stands outside of the chain; `hostkin verify` on a copy tells more",
        ));
    }
    let salt = salt()?;
    let machine = MachineTime::now();
    let own = |key: &str| entry.body.get(key).and_then(Value::as_str).map(str::to_owned);
    let kept = || connection.query_row("SELECT value FROM meta WHERE key = 'scope_sha256'", [], |row| row.get(0));
    let scope_sha256 = match own("scope_sha256") {
        Some(own) => Some(own),
        None => kept().optional()?.flatten(),
    };
    let line = RecordLine {
        monotonic_ms: machine.since_boot_ms,
        boot: machine.boot,
        clock_offset_us: machine.offset_us.map(|(offset, _)| offset),
        clock_max_error_us: machine.offset_us.map(|(_, most)| most),
        tool: format!("hostkin {}", env!("CARGO_PKG_VERSION")),
        build_sha256: build().map(str::to_owned),
        scope_sha256,
        raw_sha256: own("raw_sha256").or_else(|| own("sha256")),
        derived_sha256: derived(&salt)?.map(|digest| seal::hex(&digest)),
        ..line(
            seq,
            entry.at,
            entry.actor,
            entry.action.as_str(),
            &details(&salt, entry.subject, &body)?,
            before.as_ref(),
        )
    };
    keep(connection, seq, &line, &salt)?;
    Ok(seq)
}

/// A line that says what is known of any record.
fn line(
    seq: i64,
    at: Timestamp,
    actor: &str,
    action: &str,
    details: &str,
    before: Option<&(i64, String)>,
) -> RecordLine {
    let previous = before.map_or_else(RecordLine::no_previous, |(_, line)| seal::hex(&seal::sha256(line.as_bytes())));
    RecordLine {
        schema: RecordLine::SCHEMA.to_owned(),
        seq: super::count(seq),
        at: moment(at),
        monotonic_ms: None,
        boot: None,
        clock_offset_us: None,
        clock_max_error_us: None,
        actor: actor.to_owned(),
        tool: "hostkin".to_owned(),
        build_sha256: None,
        scope_sha256: None,
        action: action.to_owned(),
        raw_sha256: None,
        derived_sha256: None,
        details_sha256: seal::hex(&Details::digest(details)),
        previous,
    }
}

fn details(salt: &Salt, subject: &str, body: &str) -> Result<String> {
    Details::text(salt, subject, body).ok_or_else(|| StoreError::damaged("a record whose body is no JSON"))
}

fn keep(connection: &Connection, seq: i64, line: &RecordLine, salt: &Salt) -> Result<()> {
    let insert = "INSERT INTO chain (seq, line, salt) VALUES (?1, ?2, ?3)";
    connection.prepare_cached(insert)?.execute(params![seq, line.to_text(), &salt[..]])?;
    Ok(())
}

fn last(connection: &Connection) -> Result<Option<(i64, String)>> {
    let read = "SELECT seq, line FROM chain ORDER BY seq DESC LIMIT 1";
    Ok(connection.prepare_cached(read)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Chains the records and seals the observations of a case that is older than the chain, with a record that says so: what
/// stands before that record is sealed as it was found, not as it was made.
pub(super) fn take_up_older(connection: &Connection) -> Result<()> {
    let read = "SELECT seq, at_ms, actor, action, subject, body FROM records ORDER BY seq";
    let mut statement = connection.prepare(read)?;
    let mut rows = statement.query([])?;
    let mut before = None;
    let mut records = 0_u64;
    while let Some(row) = rows.next()? {
        let (seq, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        let (actor, action): (String, String) = (row.get(2)?, row.get(3)?);
        let (subject, body): (String, String) = (row.get(4)?, row.get(5)?);
        let salt = salt()?;
        let line = line(seq, time(at)?, &actor, &action, &details(&salt, &subject, &body)?, before.as_ref());
        keep(connection, seq, &line, &salt)?;
        before = Some((seq, line.to_text()));
        records += 1;
    }
    drop(rows);
    if records == 0 {
        return Ok(());
    }
    let leaves = leaf::put_missing(connection, None)?;
    let at = now();
    let body = json!({ "records": records, "observations": leaves, "why": "this case is older than the chain" });
    append(connection, &Entry { at, actor: "", action: Action::Chained, subject: "", body: &body }, |_| Ok(None))?;
    leaf::seal_waiting(connection, at, "", 1)
}

/// UTC now, for records that nobody hands a time to.
pub(super) fn now() -> Timestamp {
    use crate::clock::{Clock as _, SystemClock};
    SystemClock::new().now()
}

/// A moment as it stands in a line.
fn moment(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Salts, drawn many at a time: one call to the system for each would be a good part of what a leaf costs.
#[derive(Debug, Default)]
pub(super) struct Salts(Vec<Salt>);

impl Salts {
    /// The next, never given before.
    pub(super) fn next(&mut self) -> Result<Salt> {
        if let Some(salt) = self.0.pop() {
            return Ok(salt);
        }
        let mut block = [Salt::default(); 256];
        fill(block.as_flattened_mut())?;
        self.0.extend(block);
        self.next()
    }
}

pub(super) fn salt() -> Result<Salt> {
    let mut salt = Salt::default();
    fill(&mut salt)?;
    Ok(salt)
}

fn fill(bytes: &mut [u8]) -> Result<()> {
    SystemRandom::new().fill(bytes).map_err(|_| StoreError::Database("the system gives no random numbers".into()))
}

/// SHA-256 of this program's file, read once.
fn build() -> Option<&'static str> {
    static BUILD: OnceLock<Option<String>> = OnceLock::new();
    let read = || -> std::io::Result<String> {
        let mut file = File::open("/proc/self/exe").or_else(|_| File::open(std::env::current_exe()?))?;
        let mut digest = Sha256::new();
        let mut block = vec![0; 1 << 16];
        loop {
            let count = file.read(&mut block)?;
            let Some(part) = block.get(..count).filter(|part| !part.is_empty()) else { break };
            digest.update(part);
        }
        Ok(seal::hex(&digest.finalize()))
    };
    BUILD.get_or_init(|| read().ok()).as_deref()
}
