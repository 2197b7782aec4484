//! The writer of one scan: a connection of its own, owned by the thread that writes. A batch of hosts with all that was
//! heard, and the run's position, are one transaction.

use std::collections::HashSet;
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
use crate::observation::{Observation, Seen};
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
        let mut told = HashSet::with_capacity(batch.len());
        let mut wrong = |index| !position.is_done(index) || self.position.is_done(index) || !told.insert(index);
        if let Some(host) = batch.iter().find(|host| wrong(host.index)) {
            return Err(StoreError::Position { index: host.index });
        }
        let written = self.write(batch, position, counters);
        if written.is_ok() {
            self.position.clone_from(position);
        } else {
            // Ids and bits of what was rolled back are not in the file.
            self.memory.known.forget();
            self.open.forget();
        }
        written
    }

    fn write(&mut self, batch: &[HostDone], position: &Position, counters: &Counters) -> Result<Committed> {
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
mod tests {
    use super::super::{Case, NewCase, RunSpec, State};
    use super::*;
    use crate::facet::{Facet, FacetKind};
    use crate::observation::{Capture, End, Exchange, Outcome, Service, Speech, Step};

    /// A case with one run of hosts that ask two services.
    fn case(folder: &Path) -> (Case, RunId) {
        let at = Timestamp::UNIX_EPOCH;
        let new = NewCase {
            scope_text: "schema".into(),
            scope_title: "test".into(),
            scope_path: None,
            actor: "tester".into(),
            at,
            version: "0".into(),
        };
        let mut case = Case::create(&folder.join("a.case"), &new).unwrap();
        let spec = RunSpec {
            plan_sha256: [1; 32],
            plan: serde_json::json!({}),
            seed: u64::MAX,
            scope_text: "schema".into(),
            limits: serde_json::json!({}),
            version: "0".into(),
            shard: (1, 1),
            hosts: 100_000,
            services: 2,
            actor: "tester".into(),
            at,
        };
        let run = case.begin_run(&spec).unwrap();
        (case, run)
    }

    fn host(index: u64) -> HostDone {
        let address = IpAddr::from(u32::try_from(0x0a00_0000 + index).unwrap().to_be_bytes());
        let service = Service { address, port: 22, speech: Speech::Ssh, name: None };
        // Noise that no compression makes small.
        let noise: Vec<u8> = (0_u64..64)
            .flat_map(|block| super::super::scope::digest(&[index.to_le_bytes(), block.to_le_bytes()].concat()))
            .collect();
        let exchange = Exchange { heard: noise, ..Exchange::unsent(Step::Kex(String::new()), End::Done, None) };
        let observation = Observation {
            service,
            over_tls: false,
            started_at: Timestamp::from_millisecond(i64::try_from(index).unwrap()).unwrap(),
            outcome: Outcome::Answered,
            detail: None,
            capture: Capture { exchanges: vec![exchange], ..Capture::default() },
        };
        let facets = vec![
            Facet::new(FacetKind::SshBanner, "SSH-2.0-x"),
            Facet::new(FacetKind::SshHostKey, format!("SHA256:{index}")),
        ];
        let reading = Reading { outcome: Outcome::Answered, detail: None, facets };
        let heard = ServiceDone { ordinal: 0, state: AskedState::Heard, heard: vec![(observation, reading)] };
        let dead = ServiceDone { ordinal: 1, state: AskedState::Silent, heard: Vec::new() };
        HostDone { index, address, asn: None, prefix: None, services: vec![heard, dead] }
    }

    fn commit(writer: &mut RunWriter, hosts: std::ops::Range<u64>) -> Result<Committed> {
        let mut position = writer.position().clone();
        let batch: Vec<HostDone> = hosts.map(host).collect();
        for done in &batch {
            position.mark(done.index);
        }
        writer.commit(
            &batch,
            &position,
            &Counters { hosts: position.low + position.done_above(), ..Counters::default() },
        )
    }

    fn banners(case: &Case) -> u64 {
        let mut hosts = 0;
        case.host_facts::<StoreError>(|host| {
            assert_eq!(host.facets.len(), 2);
            hosts += 1;
            Ok(())
        })
        .unwrap();
        hosts
    }

    #[test]
    fn a_full_disk_loses_the_batch_it_met_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (case, run) = case(folder.path());
        let mut writer = RunWriter::open(case.path(), run).unwrap();
        commit(&mut writer, 0..100).unwrap();
        let pages: i64 = writer.connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
        writer.connection.pragma_update_and_check(None, "max_page_count", pages + 3, |_| Ok(())).unwrap();
        assert!(matches!(commit(&mut writer, 100..300), Err(StoreError::Full)));
        assert_eq!(writer.position(), &case.run_state(run).unwrap().position);
        assert_eq!((case.run_state(run).unwrap().counters.hosts, banners(&case)), (100, 100));
        // Space was made: the batch goes in, in smaller parts, although its values and bits were met before.
        writer.connection.pragma_update_and_check(None, "max_page_count", 1_000_000, |_| Ok(())).unwrap();
        assert_eq!(commit(&mut writer, 100..102).unwrap().observations, 2);
        assert_eq!(case.asked(run).unwrap().totals().unwrap()[0].heard, 102);
        assert_eq!(commit(&mut writer, 102..300).unwrap().observations, 198);
        assert_eq!((case.run_state(run).unwrap().counters.hosts, banners(&case)), (300, 300));
        let totals = case.asked(run).unwrap().totals().unwrap();
        assert_eq!((totals[0].heard, totals[0].silent, totals[1].silent, totals[1].heard), (300, 0, 300, 0));
        assert_eq!(
            case.connection.pragma_query_value(None, "integrity_check", |row| row.get::<_, String>(0)).unwrap(),
            "ok"
        );
    }

    #[test]
    fn a_second_process_on_the_run_shuts_the_first_out() {
        let folder = tempfile::tempdir().unwrap();
        let (case, run) = case(folder.path());
        let mut first = RunWriter::open(case.path(), run).unwrap();
        commit(&mut first, 0..10).unwrap();
        let mut second = RunWriter::open(case.path(), run).unwrap();
        assert!(matches!(commit(&mut first, 10..20), Err(StoreError::TakenOver { .. })));
        commit(&mut second, 10..15).unwrap();
        assert_eq!(banners(&case), 15);
    }

    #[test]
    fn a_host_is_committed_once_and_only_with_its_mark() {
        let folder = tempfile::tempdir().unwrap();
        let (case, run) = case(folder.path());
        let mut writer = RunWriter::open(case.path(), run).unwrap();
        commit(&mut writer, 0..10).unwrap();
        let position = writer.position().clone();
        let mut try_one =
            |batch: &[HostDone], position: &Position| writer.commit(batch, position, &Counters::default());
        assert!(matches!(try_one(&[host(9)], &position), Err(StoreError::Position { index: 9 })));
        assert!(matches!(try_one(&[host(10)], &position), Err(StoreError::Position { index: 10 })));
        let mut marked = position.clone();
        marked.mark(10);
        assert!(matches!(try_one(&[host(10), host(10)], &marked), Err(StoreError::Position { index: 10 })));
        let mut odd = host(10);
        odd.services[1].ordinal = 2;
        assert!(matches!(try_one(&[odd], &marked), Err(StoreError::Ordinal { ordinal: 2, services: 2, .. })));
        try_one(&[host(10)], &marked).unwrap();
        assert_eq!(banners(&case), 11);
    }

    #[test]
    fn a_service_named_twice_by_the_plan_keeps_its_first_row() {
        let folder = tempfile::tempdir().unwrap();
        let (case, run) = case(folder.path());
        let mut writer = RunWriter::open(case.path(), run).unwrap();
        let mut twin = host(0);
        twin.index = 1;
        twin.services[0].heard[0].1.facets.clear();
        let mut position = Position::default();
        position.mark(0);
        position.mark(1);
        let committed = writer.commit(&[host(0), twin], &position, &Counters::default()).unwrap();
        assert_eq!(committed, Committed { observations: 1, repeated: 1 });
        assert_eq!(banners(&case), 1);
    }

    #[test]
    fn a_run_that_is_done_is_not_taken_up_again() {
        let folder = tempfile::tempdir().unwrap();
        let (mut case, run) = case(folder.path());
        let at = Timestamp::UNIX_EPOCH;
        case.end_run(run, State::Stopped, &serde_json::json!({}), "tester", at).unwrap();
        RunWriter::open(case.path(), run).unwrap();
        case.end_run(run, State::Done, &serde_json::json!({}), "tester", at).unwrap();
        assert!(matches!(RunWriter::open(case.path(), run), Err(StoreError::NoRun { run: no }) if no == run));
        assert_eq!(case.unfinished_run(&[1; 32]).unwrap(), None);
    }
}
