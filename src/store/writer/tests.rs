//! Unit tests of [`RunWriter`].

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
    writer.commit(&batch, &position, &Counters { hosts: position.low + position.done_above(), ..Counters::default() })
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
    let mut try_one = |batch: &[HostDone], position: &Position| writer.commit(batch, position, &Counters::default());
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
