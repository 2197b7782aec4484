//! Copies one run with its results from a shard's case into a transaction of another.

use std::collections::HashMap;
use std::net::IpAddr;

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, Transaction, params};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::super::observation::read_outcome;
use super::super::row::{Memory, NewRow, Rows, Sighting};
use super::super::{Action, Result, Run, RunId, State, StoreError, address, asked, count, int, record, time};
use crate::clock::Timestamp;
use crate::observation::Seen;

/// Values whose numbers in both cases are remembered.
const REMEMBERED: usize = 1 << 18;
/// Most notices of networks that a record repeats.
const MOST_NOTICES: usize = 1_000;

/// What was copied.
#[derive(Debug, Default)]
pub(super) struct Copied {
    /// Observations that are new to the case.
    pub(super) observations: u64,
    /// Observations of the run in the shard's case.
    pub(super) seen: u64,
    /// Over all of these.
    pub(super) sha256: [u8; 32],
}

/// Makes the run's row, without results.
pub(super) fn begin(to: &Transaction<'_>, run: &Run) -> Result<RunId> {
    let insert = "INSERT INTO runs (kind, state, plan_sha256, plan, seed, scope_sha256, limits, version, shard, shards,
                                    hosts, services, started_at_ms)
                  VALUES ('scan', 'stopped', ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    to.execute(
        insert,
        params![
            &run.plan_sha256[..],
            run.plan.to_string(),
            run.seed.to_string(),
            run.scope_sha256.map(|sha256| sha256.to_vec()),
            run.limits.to_string(),
            run.version,
            run.shard.0,
            run.shard.1,
            int(run.hosts),
            run.services,
            run.started_at.as_millisecond(),
        ],
    )?;
    let into = to.last_insert_rowid();
    to.execute("INSERT INTO progress (run, low, done, counters, fence) VALUES (?1, 0, x'', '{}', 0)", [into])?;
    go_on(to, run, into)?;
    Ok(into)
}

/// Brings a run's state and position to those of the shard. Whoever goes on with the run here is shut out.
pub(super) fn go_on(to: &Transaction<'_>, run: &Run, into: RunId) -> Result<()> {
    // What runs there does not run here.
    let state = if run.state == State::Running { State::Stopped } else { run.state };
    to.execute(
        "UPDATE runs SET state = ?2, ended_at_ms = ?3, summary = ?4 WHERE id = ?1",
        params![
            into,
            state.as_str(),
            run.ended_at.map(Timestamp::as_millisecond),
            run.summary.as_ref().map(Value::to_string)
        ],
    )?;
    to.execute(
        "UPDATE progress SET low = ?2, done = ?3, counters = ?4, fence = fence + 1 WHERE run = ?1",
        params![into, int(run.position.low), run.position.done, record::to_json(&run.counters)?.to_string()],
    )?;
    Ok(())
}

/// Copies bits, hosts, observations, captures, values and facets of one run. Hosts that the run has here already stay.
pub(super) fn results(to: &Transaction<'_>, from: &Connection, run: &Run, into: RunId) -> Result<Copied> {
    asked::copy(from, to, run.id, into)?;
    let (mut memory, mut rows) = (Memory::new()?, Rows::new(to)?);
    let (mut values, mut host) = (Values::new(from)?, Host::new(to, into)?);
    let mut digest = Sha256::new();
    let mut copied = Copied::default();
    let read = "SELECT o.id, h.address, h.asn, h.prefix, o.port, o.protocol, o.over_tls, o.name, o.outcome, o.detail,
                       o.started_at_ms, o.connections, o.bytes_sent, o.bytes_heard, o.timed_out,
                       c.sha256, c.length, c.body
                FROM hosts h CROSS JOIN observations o ON o.host = h.id LEFT JOIN captures c ON c.id = o.capture
                WHERE o.run = ?1 ORDER BY h.address, o.port, o.protocol, o.over_tls, o.name";
    let mut statement = from.prepare_cached(read)?;
    let mut found = statement.query([run.id])?;
    while let Some(row) = found.next()? {
        take_in(&mut digest, row)?;
        copied.seen = copied.seen.saturating_add(1);
        let started_at = time(row.get(10)?)?;
        let Some(id) = host.id(&mut rows, row, Seen::once(started_at))? else { continue };
        let sha256 = row.get_ref(15)?.as_blob_or_null().map_err(|_| StoreError::damaged("a digest that is no blob"))?;
        let body = row.get_ref(17)?.as_blob_or_null().map_err(|_| StoreError::damaged("a capture that is no blob"))?;
        let capture = match (sha256, body) {
            (Some(sha256), Some(body)) => Some(rows.capture(sha256, row.get(16)?, body)?),
            _ => None,
        };
        let (protocol, name): (String, String) = (row.get(5)?, row.get(7)?);
        let (detail, timed_out): (Option<String>, Option<String>) = (row.get(9)?, row.get(14)?);
        let observation = rows.row(&NewRow {
            run: into,
            host: id,
            port: row.get(4)?,
            protocol: &protocol,
            over_tls: row.get(6)?,
            name: &name,
            outcome: read_outcome(row.get_ref(8)?.as_str().unwrap_or_default())?,
            detail: detail.as_deref(),
            started_at,
            connections: count(row.get(11)?),
            bytes: (count(row.get(12)?), count(row.get(13)?)),
            timed_out: timed_out.as_deref(),
            capture,
        })?;
        let Some(observation) = observation else { continue };
        copied.observations = copied.observations.saturating_add(1);
        values.facets(&mut rows, &mut memory, row.get(0)?, observation)?;
    }
    copied.sha256 = digest.finalize().into();
    Ok(copied)
}

/// One line of the digest over a run's observations: where, what, when, how it ended, and the digest of what was heard.
fn take_in(digest: &mut Sha256, row: &Row<'_>) -> Result<()> {
    let address = address::from_key(row.get_ref(1)?.as_blob().unwrap_or_default())?;
    let (port, protocol, over_tls, name): (u16, String, bool, String) =
        (row.get(4)?, row.get(5)?, row.get(6)?, row.get(7)?);
    let (outcome, started_at_ms, sha256): (String, i64, Option<Vec<u8>>) = (row.get(8)?, row.get(10)?, row.get(15)?);
    let heard = sha256.map(|sha256| super::super::scope::hex(&sha256));
    let line = serde_json::json!([address, port, protocol, over_tls, name, outcome, started_at_ms, heard]);
    digest.update(line.to_string());
    digest.update(b"\n");
    Ok(())
}

/// The host that is being copied.
struct Host<'a> {
    has: CachedStatement<'a>,
    known: CachedStatement<'a>,
    into: RunId,
    address: Option<IpAddr>,
    id: Option<i64>,
}

impl<'a> Host<'a> {
    fn new(to: &'a Connection, into: RunId) -> Result<Self> {
        let has = "SELECT EXISTS (SELECT 1 FROM observations o JOIN hosts h ON h.id = o.host
                                  WHERE h.address = ?1 AND o.run = ?2)";
        let known = "SELECT asn IS NOT NULL, last_seen_at_ms FROM hosts WHERE address = ?1";
        let (has, known) = (to.prepare_cached(has)?, to.prepare_cached(known)?);
        Ok(Self { has, known, into, address: None, id: None })
    }

    /// Our number of the host of this row; `None` when the run has it already. Counts one sight a host and run.
    fn id(&mut self, rows: &mut Rows<'_>, row: &Row<'_>, seen: Seen) -> Result<Option<i64>> {
        let key = row.get_ref(1)?.as_blob().unwrap_or_default();
        let address = address::from_key(key)?;
        let is_next = self.address != Some(address);
        if is_next {
            self.address = Some(address);
            self.id = None;
            if self.has.query_row(params![key, self.into], |row| row.get(0))? {
                return Ok(None);
            }
        } else if self.id.is_none() {
            return Ok(None);
        }
        // An origin learned later than this sight stays.
        let known = self.known.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let is_later = matches!(known, Some((true, Some(at))) if seen.last.as_millisecond() < at);
        let prefix: Option<String> = row.get(3)?;
        let (asn, prefix) =
            if is_later { (None, None) } else { (row.get(2)?, prefix.and_then(|text| text.parse().ok())) };
        let seen = Seen { count: u64::from(is_next), ..seen };
        self.id = Some(rows.host(&Sighting::new(address, asn, prefix, seen))?);
        Ok(self.id)
    }
}

/// Facets, whose values have other numbers there than here.
struct Values<'a> {
    facets: CachedStatement<'a>,
    value: CachedStatement<'a>,
    known: HashMap<i64, i64>,
}

impl<'a> Values<'a> {
    fn new(from: &'a Connection) -> Result<Self> {
        Ok(Self {
            facets: from
                .prepare_cached("SELECT place, value, extra FROM facets WHERE observation = ?1 ORDER BY place")?,
            value: from.prepare_cached("SELECT kind, value FROM facet_values WHERE id = ?1")?,
            known: HashMap::new(),
        })
    }

    fn facets(&mut self, rows: &mut Rows<'_>, memory: &mut Memory, theirs: i64, ours: i64) -> Result<()> {
        let mut found = self.facets.query([theirs])?;
        while let Some(row) = found.next()? {
            let (place, value): (i64, i64) = (row.get(0)?, row.get(1)?);
            let extra =
                row.get_ref(2)?.as_str_or_null().map_err(|_| StoreError::damaged("a remark that is no text"))?;
            let id = if let Some(id) = self.known.get(&value) {
                *id
            } else {
                let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
                let read: Option<(String, Vec<u8>)> = self.value.query_row([value], read).optional()?;
                let (kind, bytes) = read.ok_or_else(|| StoreError::damaged("a facet without its value"))?;
                let id = rows.value(memory, &kind, &bytes)?;
                if self.known.len() >= REMEMBERED {
                    self.known.clear();
                }
                self.known.insert(value, id);
                id
            };
            rows.facet_of(ours, place, id, extra)?;
        }
        Ok(())
    }
}

/// What the records of a shard's case say.
pub(super) struct Told {
    /// How many there are.
    pub(super) number: u64,
    /// A digest over all of them.
    pub(super) sha256: [u8; 32],
    /// What is said of networks that were slowed.
    pub(super) notices: Vec<Value>,
    /// The addresses that it sent from, or that a person called its own.
    pub(super) own: Vec<Value>,
}

/// Reads the records of the shard's case.
pub(super) fn records(from: &Connection, run: RunId) -> Result<Told> {
    let read = "SELECT seq, at_ms, actor, action, subject, body FROM records ORDER BY seq";
    let mut statement = from.prepare_cached(read)?;
    let mut rows = statement.query([])?;
    let (mut number, mut digest, mut notices, mut own) = (0_u64, Sha256::new(), Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let (seq, at, actor, action, subject, body): (i64, i64, String, String, String, String) =
            (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
        number = number.saturating_add(1);
        digest.update(serde_json::json!([seq, at, actor, action, subject, body]).to_string());
        digest.update(b"\n");
        if action == Action::BackOff.as_str() && subject == run.to_string() && notices.len() < MOST_NOTICES {
            notices.push(record::parse(&body, "a record")?);
        }
        if action == Action::Note.as_str() && subject == record::OWN_ADDRESSES && own.len() < MOST_NOTICES {
            let said: Value = record::parse(&body, "a record")?;
            own.extend(said.get("addresses").and_then(Value::as_array).into_iter().flatten().cloned());
        }
    }
    Ok(Told { number, sha256: digest.finalize().into(), notices, own })
}
