//! Networks that say no or fail more than they did: slower or not at all, on record; and a machine short of its own means,
//! which is nobody else's fault.

use std::time::Duration;

use hostkin::clock::Timestamp;
use hostkin::store::{Action, AskedState, Case, State};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};

use super::ground::{Desk, Street, page, scope, until};

fn summary(desk: &Desk) -> Value {
    serde_json::from_slice(&std::fs::read(desk.path("summary.json")).unwrap()).unwrap()
}

#[test]
fn a_network_that_said_no_is_not_asked_by_a_later_part_of_the_run_either() {
    let street = Street::new(|at| page(&format!("page of {at}")));
    let networks = "\"127.98.10.0/25\", \"127.98.11.0/25\"";
    let desk = Desk::with_case(&scope(&[(networks.into(), format!("http = [{}]", street.port))], ""));
    let mut child = desk.start(&["scan", "x.case", "--rate", "200", "--favicon", "off"], "said.txt");
    until("something is committed", || desk.hosts_done() > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    let done = desk.hosts_done();
    assert!(done < 200, "{done} hosts were done: too fast for this test");

    let body = json!({ "network": "127.98.11.0/24", "what": "stopped", "part": 0.0, "why": "a test" });
    let mut case = Case::open(&desk.path("x.case")).unwrap();
    case.record(Timestamp::UNIX_EPOCH, "tester", Action::BackOff, "1", &body).unwrap();
    drop(case);
    let before = street.asked();
    let said = desk.hostkin(&["scan", "x.case", "--favicon", "off", "--summary", "summary.json"]).done();
    let theirs = |asked: &std::collections::BTreeMap<std::net::Ipv4Addr, u32>| {
        asked.iter().filter(|(at, _)| at.octets()[2] == 11).map(|(_, count)| count).sum::<u32>()
    };
    assert_eq!(theirs(&street.asked()), theirs(&before), "nobody there was asked again");
    assert_eq!(street.asked().keys().filter(|at| at.octets()[2] == 10).count(), 128, "the neighbours were");

    let case = desk.case();
    let run = case.runs().unwrap().remove(0);
    assert_eq!((run.state, run.counters.hosts), (State::Done, 256));
    let mut asked = case.asked(1).unwrap();
    let states: Vec<AskedState> = (0..256).map(|index| asked.state(index, 0).unwrap()).collect();
    let unasked = states.iter().filter(|state| **state == AskedState::NotAsked).count();
    let rows = desk.hostkin(&["export", "x.case", "observations", "--json"]).done().lines();
    assert_eq!(rows.len() + unasked, 256, "who was not asked has no row");
    assert!(unasked > 0);
    assert_eq!(summary(&desk)["outcomes"]["unreachable"], unasked, "{}", said.err);
    assert_eq!(run.counters.outcomes["unreachable"], u64::try_from(unasked).unwrap());
}

#[test]
fn a_network_whose_services_fall_silent_is_slowed_and_that_is_on_record() {
    // The first is heard and kept waiting; all others wait behind it: connected, and not a word.
    let street = Street::new(|_| {
        std::thread::sleep(Duration::from_secs(30));
        String::new()
    });
    let grants = [("\"127.98.12.0/28\", \"127.98.12.16/29\"".to_owned(), format!("http = [{}]", street.port))];
    let limits = "[limits]\nper_network_per_second = 100\nper_host_per_second = 100\nper_host_connections = 100\n\
        connections_per_second = 1000\nper_asn_per_second = 1000";
    let desk = Desk::with_case(&scope(&grants, limits));
    let said = desk.hostkin(&["scan", "x.case", "--favicon", "off"]).done();
    assert!(said.err.contains("slowed or stopped 1 times"), "{}", said.err);
    let records = desk.case().records().unwrap();
    let notice = records.iter().find(|record| record.action == "back_off").unwrap();
    assert_eq!((notice.subject.as_str(), notice.actor.as_str()), ("1", "tester"));
    assert_eq!((&notice.body["network"], &notice.body["what"]), (&"127.98.12.0/24".into(), &"slowed".into()));
    assert_eq!(notice.body["part"], 0.5);

    // Without limits nothing is slowed.
    let lab = Desk::with_case(&scope(&grants, ""));
    lab.hostkin(&["scan", "x.case", "--favicon", "off"]).done();
    assert!(lab.case().records().unwrap().iter().all(|record| record.action != "back_off"));
}

/// Descriptors the program is left with: its own files and a few connections, of the 64 it has planned for.
const DESCRIPTORS: u64 = 44;

#[test]
fn a_machine_out_of_descriptors_loses_and_misjudges_no_host() {
    let street = Street::new(|at| {
        std::thread::sleep(Duration::from_millis(10));
        page(&format!("page of {at}"))
    });
    let networks = "\"127.98.13.0/24\"".to_owned();
    let desk = Desk::with_case(&scope(&[(networks, format!("http = [{}]", street.port))], ""));
    let options = ["scan", "x.case", "--favicon", "off", "--in-flight", "64", "--summary", "summary.json"];
    let mut child = desk.start(&options, "said.txt");
    until("somebody was asked", || street.connections() > 0);
    let limit = Rlimit { current: Some(DESCRIPTORS), maximum: Some(DESCRIPTORS) };
    prlimit(Some(Pid::from_child(&child)), Resource::Nofile, limit).unwrap();
    let status = child.wait().unwrap();
    let said = std::fs::read_to_string(desk.path("said.txt")).unwrap();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(
        said.contains("connections wait for means of this machine"),
        "never short: this test shows nothing: {said}"
    );
    let summary = summary(&desk);
    assert_eq!(summary["outcomes"], json!({ "answered": 256 }));
    assert_eq!(summary["connections"], 256, "what was never sent is not counted");
    assert_eq!(street.asked().len(), 256);
    assert!(street.asked().values().all(|count| *count == 1));
    let totals = desk.case().asked(1).unwrap().totals().unwrap();
    assert_eq!((totals[0].heard, totals[0].refused, totals[0].silent), (256, 0, 0));
}
