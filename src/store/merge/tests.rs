//! Merging where the numbers in two cases differ, and where it must fail.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rusqlite::params;
use serde_json::json;

use super::super::{
    AskedState, Case, Counters, HostDone, NewCase, ObservationFilter, RunId, RunSpec, RunWriter, ServiceDone, State,
    StoreError, intern,
};
use super::{MergeRefusal, MergedAs};
use crate::clock::Timestamp;
use crate::facet::{Facet, FacetKind};
use crate::observation::{Capture, End, Exchange, Observation, Outcome, Service, Speech, Step};
use crate::proto::Reading;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

fn case(path: &Path) -> Case {
    let new = NewCase {
        scope_text: "scope".into(),
        scope_title: "test".into(),
        scope_path: None,
        actor: "tester".into(),
        at: at(0),
        version: "0".into(),
    };
    Case::create(path, &new).unwrap()
}

/// Begins a shard of 100 hosts.
fn begin(case: &mut Case, shard: (u32, u32), seed: u64, started_ms: i64) -> RunId {
    let spec = RunSpec {
        plan_sha256: [u8::try_from(shard.0).unwrap(); 32],
        plan: json!({ "favicon": true, "shard": shard.0, "discovery": shard.0 }),
        seed,
        scope_text: "scope".into(),
        limits: json!({}),
        version: "0".into(),
        shard,
        hosts: 100,
        services: 1,
        actor: "tester".into(),
        at: at(started_ms),
    };
    case.begin_run(&spec).unwrap()
}

/// Commits these hosts, heard at this moment with this title.
fn commit(path: &Path, run: RunId, hosts: &[u64], ms: i64, title: &str) {
    let mut writer = RunWriter::open(path, run).unwrap();
    let mut position = writer.position().clone();
    let batch: Vec<HostDone> = hosts
        .iter()
        .map(|index| {
            position.mark(*index);
            let address = IpAddr::from([192, 0, 2, u8::try_from(*index).unwrap()]);
            let heard = format!("{index} {title}").into_bytes();
            let exchange = Exchange { heard, ..Exchange::unsent(Step::Page, End::Closed, None) };
            let observation = Observation {
                service: Service { address, port: 80, speech: Speech::Http, name: None },
                over_tls: false,
                started_at: at(ms),
                outcome: Outcome::Answered,
                detail: None,
                capture: Capture { exchanges: vec![exchange], ..Capture::default() },
            };
            let facets = vec![Facet::new(FacetKind::HttpTitle, title), Facet::new(FacetKind::HttpServer, "x")];
            let reading = Reading { outcome: Outcome::Answered, detail: None, facets };
            let service = ServiceDone { ordinal: 0, state: AskedState::Heard, heard: vec![(observation, reading)] };
            HostDone {
                index: *index,
                address,
                asn: Some(u32::try_from(ms).unwrap()),
                prefix: None,
                services: vec![service],
            }
        })
        .collect();
    writer.commit(&batch, &position, &Counters { hosts: position.done_above(), ..Counters::default() }).unwrap();
}

/// A shard's case with these hosts done.
fn shard(path: &Path, shard: (u32, u32), hosts: &[u64], ms: i64, title: &str) -> PathBuf {
    let mut case = case(path);
    let run = begin(&mut case, shard, 7, 1);
    commit(path, run, hosts, ms, title);
    path.to_owned()
}

fn merge(case: &mut Case, shards: &[PathBuf]) -> super::Result<super::Merged> {
    case.merge(shards, "tester", at(9))
}

fn titles(case: &Case) -> Vec<String> {
    let mut titles = Vec::new();
    case.observations::<StoreError>(&ObservationFilter::default(), |row| {
        assert_eq!(row.facets.len(), 2);
        titles.push(String::from_utf8(row.facets[0].value.clone()).unwrap());
        Ok(())
    })
    .unwrap();
    titles
}

fn number(case: &Case, sql: &str) -> i64 {
    case.connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn values_that_have_other_numbers_there_are_found_by_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let one = shard(&folder.path().join("1"), (1, 2), &[1, 2], 10, "mine");
    let two = shard(&folder.path().join("2"), (2, 2), &[3], 10, "mine");
    let mut into = case(&folder.path().join("all"));
    // A stranger holds the number of `mine` here, and one of the shards holds `mine` under another number.
    let natural = intern::natural_id(&intern::digest(FacetKind::HttpTitle, b"mine"));
    let squat = "INSERT INTO facet_values VALUES (?1, 'http.title', CAST('squatter' AS BLOB))";
    into.connection.execute(squat, [natural]).unwrap();
    let moved = rusqlite::Connection::open(&two).unwrap();
    for sql in ["UPDATE facet_values SET id = ?2 WHERE id = ?1", "UPDATE facets SET value = ?2 WHERE value = ?1"] {
        moved.execute(sql, [natural, natural + 5]).unwrap();
    }
    // A kind that this program does not know is kept.
    moved.execute("INSERT INTO facet_values VALUES (1, 'later.kind', x'01')", []).unwrap();
    moved.execute("INSERT INTO facets SELECT observation, 9, 1, NULL FROM facets LIMIT 1", []).unwrap();
    drop(moved);
    merge(&mut into, &[one, two]).unwrap();
    assert_eq!(titles(&into), ["mine", "mine", "mine"]);
    assert_eq!(number(&into, "SELECT count(*) FROM facet_values WHERE kind = 'http.title'"), 2);
    assert_eq!(number(&into, "SELECT count(*) FROM v_facets WHERE kind = 'later.kind' AND ip = '192.0.2.3'"), 1);
    assert_eq!(intern::find(&into.connection, FacetKind::HttpTitle, b"mine").unwrap(), Some(natural + 1));
}

#[test]
fn sightings_count_each_run_once_and_the_later_origin_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("1");
    let mut theirs = case(&path);
    // Another run of the shard's own case is not taken over, and its sights are not counted.
    let own = begin(&mut theirs, (1, 1), 1, 1);
    commit(&path, own, &[1], 90, "own");
    let run = begin(&mut theirs, (1, 2), 7, 2);
    commit(&path, run, &[1, 2], 20, "shard");
    let mut into = case(&folder.path().join("all"));
    let before = begin(&mut into, (1, 1), 1, 3);
    commit(&folder.path().join("all"), before, &[1], 30, "before");
    merge(&mut into, std::slice::from_ref(&path)).unwrap();
    let read = "SELECT group_concat(ip || ' ' || first_seen_at_ms || ' ' || last_seen_at_ms || ' ' || sightings || ' ' \
                || asn, '; ' ORDER BY ip) FROM hosts";
    let sights = |case: &Case| -> String { case.connection.query_row(read, [], |row| row.get(0)).unwrap() };
    assert_eq!(sights(&into), "192.0.2.1 20 30 2 30; 192.0.2.2 20 20 1 20");

    commit(&path, run, &[3], 40, "shard");
    assert_eq!(merge(&mut into, &[path]).unwrap().shards[0].how, MergedAs::Grown);
    assert_eq!(sights(&into), "192.0.2.1 20 30 2 30; 192.0.2.2 20 20 1 20; 192.0.2.3 40 40 1 40");
    assert_eq!(into.asked(2).unwrap().totals().unwrap()[0].heard, 3);
}

#[test]
fn a_scan_that_went_on_in_two_places_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let one = shard(&folder.path().join("1"), (1, 2), &[1, 2], 10, "a");
    let mut into = case(&folder.path().join("all"));
    merge(&mut into, std::slice::from_ref(&one)).unwrap();
    commit(&one, 1, &[5], 11, "there");
    commit(into.path(), 1, &[6], 11, "here");
    let refusal = merge(&mut into, std::slice::from_ref(&one)).unwrap_err();
    assert!(
        matches!(&refusal, StoreError::Merge(refusal) if matches!(**refusal, MergeRefusal::Forked { .. })),
        "{refusal}"
    );
    // Caught up, it is the shard's again, and who goes on with it here is shut out.
    let mut here = RunWriter::open(into.path(), 1).unwrap();
    commit(&one, 1, &[6], 12, "there too");
    assert_eq!(merge(&mut into, &[one]).unwrap().shards[0].observations, 1, "what is here stays");
    assert_eq!(titles(&into), ["a", "a", "there", "here"]);
    let position = into.run_state(1).unwrap().position;
    assert!(matches!(here.commit(&[], &position, &Counters::default()), Err(StoreError::TakenOver { .. })));
}

#[test]
fn a_full_disk_leaves_the_case_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let hosts: Vec<u64> = (0..90).collect();
    let long = "t".repeat(60_000);
    let one = shard(&folder.path().join("1"), (1, 2), &[99], 10, "small");
    let two = shard(&folder.path().join("2"), (2, 2), &hosts, 10, &long);
    let mut into = case(&folder.path().join("all"));
    let before = (into.runs().unwrap(), into.records().unwrap());
    let pages = number(&into, "PRAGMA page_count");
    into.connection.pragma_update_and_check(None, "max_page_count", pages + 3, |_| Ok(())).unwrap();
    assert!(matches!(merge(&mut into, &[one.clone(), two.clone()]), Err(StoreError::Full)));
    assert_eq!((into.runs().unwrap(), into.records().unwrap()), before);
    assert_eq!(titles(&into).len(), 0);
    into.connection.pragma_update_and_check(None, "max_page_count", 1_000_000, |_| Ok(())).unwrap();
    assert_eq!(merge(&mut into, &[one, two]).unwrap().held, [1, 2]);
    assert_eq!(titles(&into).len(), 91);
}

#[test]
fn a_shard_with_other_bytes_than_its_digests_name_is_refused_whole() {
    let folder = tempfile::tempdir().unwrap();
    let one = shard(&folder.path().join("1"), (1, 2), &[1], 10, "a");
    let two = shard(&folder.path().join("2"), (2, 2), &[2, 3], 10, "b");
    let touch = |sql: &str| rusqlite::Connection::open(&two).unwrap().execute(sql, params![]).unwrap();
    touch("UPDATE captures SET body = (SELECT body FROM captures WHERE id = 1) WHERE id = 2");
    let mut into = case(&folder.path().join("all"));
    let refusal = merge(&mut into, &[one, two.clone()]).unwrap_err();
    assert!(refusal.to_string().contains("cannot be taken over"), "{refusal}");
    assert_eq!((into.runs().unwrap().len(), number(&into, "SELECT count(*) FROM captures")), (0, 0));
    touch("DELETE FROM facet_values");
    assert!(merge(&mut into, &[two]).is_err());
    assert_eq!(number(&into, "SELECT count(*) FROM observations"), 0);
}

#[test]
fn a_running_shard_is_taken_as_it_stands_and_stays_open_here() {
    let folder = tempfile::tempdir().unwrap();
    let one = shard(&folder.path().join("1"), (1, 2), &[1], 10, "a");
    let mut theirs = Case::open(&one).unwrap();
    let mut into = case(&folder.path().join("all"));
    merge(&mut into, std::slice::from_ref(&one)).unwrap();
    assert_eq!(into.runs().unwrap()[0].state, State::Stopped);
    // It ended without another host: its state is news.
    theirs.end_run(1, State::Done, &json!({ "connections": 1 }), "tester", at(50)).unwrap();
    assert_eq!(merge(&mut into, std::slice::from_ref(&one)).unwrap().shards[0].how, MergedAs::Grown);
    assert_eq!(into.runs().unwrap()[0].state, State::Done);
    assert_eq!(merge(&mut into, &[one]).unwrap().shards[0].how, MergedAs::Known);
    assert_eq!(number(&into, "SELECT count(*) FROM records WHERE action = 'merge'"), 2);
}
