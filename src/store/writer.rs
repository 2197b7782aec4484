//! The writer of one scan: a connection of its own, owned by the thread that writes. A batch of hosts with all that was
//! heard, and the run's position, are one transaction.

use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde_json::Value;

use super::asked::OpenChunks;
use super::row::{Memory, Rows, Sighting};
use super::run::progress;
use super::{
    Access, Action, AskedState, Counters, Position, Result, RunId, StoreError, chain, connect, int, leaf, record,
    schema,
};
use crate::clock::Timestamp;
use crate::observation::{Observation, Presences, Seen};
use crate::proto::Reading;

/// All that one address gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostDone {
    /// Its index in the run's order.
    pub index: u64,
    /// The address.
    pub address: IpAddr,
    /// Origin AS, where known.
    pub asn: Option<u32>,
    /// Announced prefix, where known.
    pub prefix: Option<IpNet>,
    /// Its services, in any order; those left out were not asked.
    pub services: Vec<ServiceDone>,
}

/// What became of one service of one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceDone {
    /// Its place among the services the run asks of each address, from 0.
    pub ordinal: u32,
    /// What became of it.
    pub state: AskedState,
    /// What was heard: no row for a dead one, two where a page came over TLS. Outcome and detail are the reading's.
    pub heard: Vec<(Observation, Reading)>,
}

/// An address of which nothing was heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuietHost {
    /// Its index in the run's order.
    pub index: u64,
    /// The address.
    pub address: IpAddr,
    /// What became of its services, by their places; those that do not fit in were not asked.
    pub services: Presences,
}

/// What a commit put into the case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// Observations stored.
    pub observations: u64,
    /// Observations left out, because this run holds one of the same service (address, port, protocol, name) already:
    /// the first one stays. Only a plan that names a service twice has these.
    pub repeated: u64,
}

/// Writes the results of one scan.
#[derive(Debug)]
pub struct RunWriter {
    connection: Connection,
    run: RunId,
    actor: String,
    fence: i64,
    position: Position,
    memory: Memory,
    open: OpenChunks,
}

impl RunWriter {
    /// Takes up a scan that is not done, with a connection of its own. Whoever wrote this run before can no longer.
    /// Drops the index of [`Case::build_postings`](super::Case::build_postings).
    ///
    /// # Errors
    /// `NoRun` when there is no such scan or it is done; as [`Case::open`](super::Case::open) otherwise.
    pub fn open(path: &Path, run: RunId) -> Result<Self> {
        let mut connection = connect(path, Access::Write)?;
        schema::migrate(&mut connection)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let up =
            "UPDATE runs SET state = 'running', ended_at_ms = NULL WHERE id = ?1 AND kind = 'scan' AND state <> 'done'";
        if transaction.execute(up, [run])? == 0 {
            return Err(StoreError::NoRun { run });
        }
        let fence = "UPDATE progress SET fence = fence + 1 WHERE run = ?1 RETURNING fence";
        let fence =
            transaction.query_row(fence, [run], |row| row.get(0)).optional()?.ok_or(StoreError::NoRun { run })?;
        transaction.execute_batch("DROP INDEX IF EXISTS facets_by_value")?;
        let (position, _) = progress(&transaction, run)?;
        let actor = started_by(&transaction, run)?;
        // What waits since a part that was broken off.
        leaf::seal_waiting(&transaction, chain::now(), &actor, 1)?;
        transaction.commit()?;
        let open = OpenChunks::new(&connection, run)?;
        Ok(Self { connection, run, actor, fence, position, memory: Memory::new()?, open })
    }

    /// The run being written.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }

    /// The position last committed.
    #[must_use]
    pub fn position(&self) -> &Position {
        &self.position
    }

    /// Appends a record about this run, in the name of whoever began it.
    ///
    /// # Errors
    /// As [`RunWriter::commit`].
    pub fn record(&mut self, at: Timestamp, action: Action, body: &Value) -> Result<()> {
        record::append(&self.connection, at, &self.actor, action, &self.run.to_string(), body)?;
        Ok(())
    }

    /// Stores a batch. `position` marks every host of the batch done and is committed with it; `counters` are those of
    /// the whole run so far, earlier parts included. When this fails nothing of the batch is stored, and the same batch
    /// can be tried again.
    ///
    /// # Errors
    /// `Full`, `Locked`, `ReadOnly`, `Damaged`; `TakenOver` when another process goes on with the run; `Position` and
    /// `Ordinal` for contradictions of our own.
    pub fn commit(&mut self, batch: &[HostDone], position: &Position, counters: &Counters) -> Result<Committed> {
        self.commit_all(batch, &[], position, counters)
    }

    /// The same with hosts of which nothing was heard: they have no rows.
    ///
    /// # Errors
    /// As [`RunWriter::commit`].
    pub fn commit_all(
        &mut self,
        batch: &[HostDone],
        quiet: &[QuietHost],
        position: &Position,
        counters: &Counters,
    ) -> Result<Committed> {
        let mut told: Vec<u64> =
            batch.iter().map(|host| host.index).chain(quiet.iter().map(|host| host.index)).collect();
        told.sort_unstable();
        let twice = told.windows(2).find_map(|two| if let [a, b] = two { (a == b).then_some(*a) } else { None });
        let wrong = |index: &u64| !position.is_done(*index) || self.position.is_done(*index);
        if let Some(index) = twice.or_else(|| told.iter().copied().find(wrong)) {
            return Err(StoreError::Position { index });
        }
        let written = self.write(batch, quiet, position, counters);
        if written.is_ok() {
            self.position.clone_from(position);
        } else {
            // Ids and bits of what was rolled back are not in the file.
            self.memory.known.forget();
            self.open.forget();
        }
        written
    }

    fn write(
        &mut self,
        batch: &[HostDone],
        quiet: &[QuietHost],
        position: &Position,
        counters: &Counters,
    ) -> Result<Committed> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        save_progress(&transaction, self.run, self.fence, position, counters)?;
        let mut committed = Committed::default();
        {
            let mut rows = Rows::new(&transaction)?;
            for host in batch {
                put_host(&mut rows, &mut self.memory, self.run, host, &mut committed)?;
                for service in &host.services {
                    self.open.set(&transaction, host.index, service.ordinal, service.state)?;
                }
            }
        }
        for host in quiet {
            self.open.set_all(&transaction, host.index, host.services)?;
        }
        self.open.write(&transaction, position.low)?;
        leaf::seal_waiting(&transaction, chain::now(), &self.actor, leaf::WAITING)?;
        transaction.commit()?;
        Ok(committed)
    }
}

/// Who began the run.
fn started_by(connection: &Connection, run: RunId) -> Result<String> {
    let read = "SELECT actor FROM records WHERE action = ?1 AND subject = ?2 ORDER BY seq DESC LIMIT 1";
    let started = params![Action::ScanStarted.as_str(), run.to_string()];
    Ok(connection.query_row(read, started, |row| row.get(0)).optional()?.unwrap_or_default())
}

/// Hosts that said nothing get no row.
fn put_host(
    rows: &mut Rows<'_>,
    memory: &mut Memory,
    run: RunId,
    host: &HostDone,
    committed: &mut Committed,
) -> Result<()> {
    let heard = || host.services.iter().flat_map(|service| &service.heard);
    let Some(seen) = heard().map(|(observation, _)| Seen::once(observation.started_at)).reduce(Seen::merge) else {
        return Ok(());
    };
    let seen = Seen { count: 1, ..seen };
    let id = rows.host(&Sighting::new(host.address, host.asn, host.prefix, seen))?;
    for (observation, reading) in heard() {
        if rows.observation(memory, run, id, observation, reading)? {
            committed.observations += 1;
        } else {
            committed.repeated += 1;
        }
    }
    Ok(())
}

fn save_progress(
    transaction: &Transaction<'_>,
    run: RunId,
    fence: i64,
    position: &Position,
    counters: &Counters,
) -> Result<()> {
    let update = "UPDATE progress SET low = ?3, done = ?4, counters = ?5 WHERE run = ?1 AND fence = ?2";
    let counters = record::to_json(counters)?.to_string();
    let mut statement = transaction.prepare_cached(update)?;
    if statement.execute(params![run, fence, int(position.low), position.done, counters])? == 0 {
        return Err(StoreError::TakenOver { run });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
