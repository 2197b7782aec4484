//! Runs: scans, which can be continued, and imports.

use std::collections::BTreeMap;
use std::net::IpAddr;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Action, Case, Position, Result, StoreError, count, int, leaf, record, scope, time};
use crate::clock::Timestamp;

/// A run's number, from 1.
pub type RunId = i64;

/// What a run was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RunKind {
    /// Our own questions.
    Scan,
    /// Others' answers.
    Import,
}

impl RunKind {
    /// The stable word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scan => "scan",
            Self::Import => "import",
        }
    }
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Under way, or broken off without a word.
    Running,
    /// Every host of the plan is done.
    Done,
    /// Stopped by its operator; can be continued.
    Stopped,
    /// Ended by a fault of ours; can be continued.
    Failed,
}

impl State {
    const ALL: [Self; 4] = [Self::Running, Self::Done, Self::Stopped, Self::Failed];

    /// The stable word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

/// What a scan is going to do: enough to tell it, repeat it or defend it later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSpec {
    /// SHA-256 over everything that decides which index means which host and what it is asked: a run is continued only
    /// by the same plan.
    pub plan_sha256: [u8; 32],
    /// The resolved configuration.
    pub plan: Value,
    /// Seed of the order.
    pub seed: u64,
    /// The scope file's text, as read.
    pub scope_text: String,
    /// The limits in force.
    pub limits: Value,
    /// Version of this program.
    pub version: String,
    /// Which part of how many: `(1, 1)` for all.
    pub shard: (u32, u32),
    /// Addresses in the plan.
    pub hosts: u64,
    /// Services asked of each address: the number of ordinals.
    pub services: u32,
    /// Who starts it.
    pub actor: String,
    /// Now.
    pub at: Timestamp,
}

/// What a run has done so far, all its parts together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Hosts done.
    pub hosts: u64,
    /// Services asked.
    pub services: u64,
    /// Connections opened.
    pub connections: u64,
    /// Services that answered.
    pub answered: u64,
    /// Bytes sent on the wire.
    pub bytes_sent: u64,
    /// Bytes heard on the wire.
    pub bytes_heard: u64,
    /// Time spent running.
    pub lasted_ms: u64,
    /// Processor time spent.
    pub cpu_ms: u64,
    /// Largest resident memory of any part.
    pub peak_rss_bytes: u64,
    /// How many services ended in which outcome, by the outcome's word.
    pub outcomes: BTreeMap<String, u64>,
    /// Connections to hosts that were begun and are not done: a limit per host counts them in the next part too.
    pub unfinished: BTreeMap<IpAddr, u32>,
}

/// Where an unfinished scan can be taken up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunState {
    /// The run.
    pub id: RunId,
    /// The seed of its order.
    pub seed: u64,
    /// Which indices are done.
    pub position: Position,
    /// What it has done so far.
    pub counters: Counters,
}

/// A run as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// Scan or import.
    pub kind: RunKind,
    /// How it stands.
    pub state: State,
    /// Digest of its plan.
    pub plan_sha256: [u8; 32],
    /// The resolved configuration.
    pub plan: Value,
    /// Seed of the order.
    pub seed: u64,
    /// Digest of its scope; `None` for imports.
    pub scope_sha256: Option<[u8; 32]>,
    /// The limits in force.
    pub limits: Value,
    /// Version of the program that started it.
    pub version: String,
    /// Which part of how many.
    pub shard: (u32, u32),
    /// Addresses in the plan.
    pub hosts: u64,
    /// Services asked of each address.
    pub services: u32,
    /// Start.
    pub started_at: Timestamp,
    /// End; `None` while it runs or when it was broken off.
    pub ended_at: Option<Timestamp>,
    /// Which indices are done; empty for imports.
    pub position: Position,
    /// What it has done so far.
    pub counters: Counters,
    /// The summary written at its end.
    pub summary: Option<Value>,
}

impl Run {
    /// True when `scan` with the same plan goes on with it.
    #[must_use]
    pub fn can_be_continued(&self) -> bool {
        self.kind == RunKind::Scan && self.state != State::Done
    }
}

impl Case {
    /// Writes down that a scan begins. Results go through a [`RunWriter`](super::RunWriter).
    ///
    /// # Errors
    /// When the case cannot be written.
    pub fn begin_run(&mut self, spec: &RunSpec) -> Result<RunId> {
        let transaction = self.write()?;
        let scope_sha256 = scope::keep(&transaction, &spec.scope_text)?;
        let insert =
            "INSERT INTO runs (kind, state, plan_sha256, plan, seed, scope_sha256, limits, version, shard, shards,
                                        hosts, services, started_at_ms)
                      VALUES ('scan', 'running', ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        transaction.execute(
            insert,
            params![
                &spec.plan_sha256[..],
                spec.plan.to_string(),
                spec.seed.to_string(),
                &scope_sha256[..],
                spec.limits.to_string(),
                spec.version,
                spec.shard.0,
                spec.shard.1,
                int(spec.hosts),
                spec.services,
                spec.at.as_millisecond(),
            ],
        )?;
        let run = transaction.last_insert_rowid();
        let counters = record::to_json(&Counters::default())?;
        let start = "INSERT INTO progress (run, low, done, counters, fence) VALUES (?1, 0, x'', ?2, 0)";
        transaction.execute(start, params![run, counters.to_string()])?;
        let body = json!({
            "run": run, "plan_sha256": scope::hex(&spec.plan_sha256), "scope_sha256": scope::hex(&scope_sha256),
            "seed": spec.seed.to_string(), "hosts": spec.hosts, "version": spec.version, "plan": spec.plan,
            "limits": spec.limits,
        });
        record::append(&transaction, spec.at, &spec.actor, Action::ScanStarted, &run.to_string(), &body)?;
        transaction.commit()?;
        Ok(run)
    }

    /// The latest scan of this plan that is not done, if there is one.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn unfinished_run(&self, plan_sha256: &[u8; 32]) -> Result<Option<RunState>> {
        let read =
            "SELECT id FROM runs WHERE kind = 'scan' AND state <> 'done' AND plan_sha256 = ?1 ORDER BY id DESC LIMIT 1";
        let id = self.connection.query_row(read, [&plan_sha256[..]], |row| row.get(0)).optional()?;
        id.map(|id| self.run_state(id)).transpose()
    }

    /// Where a scan stands.
    ///
    /// # Errors
    /// `NoRun` when there is no such scan.
    pub fn run_state(&self, id: RunId) -> Result<RunState> {
        let _snapshot = self.snapshot()?;
        let read = "SELECT seed FROM runs WHERE id = ?1 AND kind = 'scan'";
        let seed: Option<String> = self.connection.query_row(read, [id], |row| row.get(0)).optional()?;
        let seed = read_seed(&seed.ok_or(StoreError::NoRun { run: id })?)?;
        let (position, counters) = progress(&self.connection, id)?;
        Ok(RunState { id, seed, position, counters })
    }

    /// All runs, oldest first.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn runs(&self) -> Result<Vec<Run>> {
        let _snapshot = self.snapshot()?;
        all(&self.connection)
    }

    /// Writes down how a scan ended. `Stopped` and `Failed` ones can be continued later.
    ///
    /// # Errors
    /// `NoRun` when there is no such scan.
    pub fn end_run(&mut self, id: RunId, state: State, summary: &Value, actor: &str, at: Timestamp) -> Result<()> {
        let transaction = self.write()?;
        let update = "UPDATE runs SET state = ?2, summary = ?3, ended_at_ms = ?4 WHERE id = ?1 AND kind = 'scan'";
        let changed =
            transaction.execute(update, params![id, state.as_str(), summary.to_string(), at.as_millisecond()])?;
        if changed == 0 {
            return Err(StoreError::NoRun { run: id });
        }
        leaf::seal_waiting(&transaction, at, actor, 1)?;
        let body = json!({ "run": id, "state": state.as_str(), "summary": summary });
        record::append(&transaction, at, actor, Action::ScanEnded, &id.to_string(), &body)?;
        transaction.commit()?;
        Ok(())
    }
}

/// All runs, oldest first.
pub(super) fn all(connection: &Connection) -> Result<Vec<Run>> {
    let mut statement = connection.prepare_cached("SELECT * FROM runs ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next()? {
        let mut run = read_run(row)?;
        if run.kind == RunKind::Scan {
            (run.position, run.counters) = progress(connection, run.id)?;
        }
        runs.push(run);
    }
    Ok(runs)
}

/// A scan's position and counters.
pub(super) fn progress(connection: &Connection, run: RunId) -> Result<(Position, Counters)> {
    let mut statement = connection.prepare_cached("SELECT low, done, counters FROM progress WHERE run = ?1")?;
    let mut rows = statement.query([run])?;
    let row = rows.next()?.ok_or(StoreError::NoRun { run })?;
    let position = Position { low: count(row.get(0)?), done: row.get(1)? };
    Ok((position, record::parse(row.get_ref(2)?.as_str().unwrap_or_default(), "a run's counters")?))
}

fn read_run(row: &Row<'_>) -> Result<Run> {
    let state: String = row.get("state")?;
    let scope_sha256: Option<Vec<u8>> = row.get("scope_sha256")?;
    let summary: Option<String> = row.get("summary")?;
    let ended_at: Option<i64> = row.get("ended_at_ms")?;
    let digest =
        |bytes: Vec<u8>| <[u8; 32]>::try_from(bytes).map_err(|_| StoreError::damaged("a digest of another length"));
    Ok(Run {
        id: row.get("id")?,
        kind: if row.get::<_, String>("kind")? == "scan" { RunKind::Scan } else { RunKind::Import },
        state: State::ALL
            .into_iter()
            .find(|one| one.as_str() == state)
            .ok_or_else(|| StoreError::damaged("a run in an unknown state"))?,
        plan_sha256: digest(row.get("plan_sha256")?)?,
        plan: record::parse(&row.get::<_, String>("plan")?, "a run's plan")?,
        seed: read_seed(&row.get::<_, String>("seed")?)?,
        scope_sha256: scope_sha256.map(digest).transpose()?,
        limits: record::parse(&row.get::<_, String>("limits")?, "a run's limits")?,
        version: row.get("version")?,
        shard: (row.get("shard")?, row.get("shards")?),
        hosts: count(row.get("hosts")?),
        services: row.get("services")?,
        started_at: time(row.get("started_at_ms")?)?,
        ended_at: ended_at.map(time).transpose()?,
        position: Position::default(),
        counters: Counters::default(),
        summary: summary.map(|text| record::parse(&text, "a run's summary")).transpose()?,
    })
}

fn read_seed(text: &str) -> Result<u64> {
    text.parse().map_err(|_| StoreError::damaged("a run's seed is no number"))
}
