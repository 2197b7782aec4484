//! What was not asked is never told as asked: a scope that ends, a fault of our own, a file that is half read.

use serde_json::Value;

use super::ground::{Desk, Refusing, scope};

/// The scope of one refusing port on 256 addresses, which holds for `seconds` more, at 40 connections a second.
fn short_scope(port: u16, seconds: i64) -> String {
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    let text =
        scope(&[("\"127.92.0.0/24\"".into(), format!("http = [{port}]"))], "[limits]\nconnections_per_second = 40");
    text.replace("valid_until = 2100-01-01T00:00:00Z", &format!("valid_until = {until:.0}"))
}

#[test]
fn a_scope_that_ends_while_a_scan_runs_stops_it_and_gives_nobody_up() {
    let refusing = Refusing::new();
    let desk = Desk::with_case(&short_scope(refusing.port, 3));
    let said = desk.hostkin(&["scan", "x.case", "--summary", "s.json"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(said.err.contains("the scope ended on"), "{said:?}");
    let summary: Value = serde_json::from_slice(&std::fs::read(desk.path("s.json")).unwrap()).unwrap();
    assert_eq!((&summary["complete"], &summary["hosts"]), (&Value::Bool(false), &summary["services"]), "{summary}");
    let before = desk.hosts_done();
    assert!(before > 0 && before < 256, "{before} hosts were done");

    std::fs::write(desk.path("scope.toml"), short_scope(refusing.port, 3_600)).unwrap();
    desk.hostkin(&["scan", "x.case"]).done();
    let run = desk.last_run().unwrap();
    assert_eq!((run.id, run.counters.hosts, run.counters.services), (1, 256, 256), "the same run, and everybody asked");
}

#[test]
fn a_source_address_that_is_not_ours_is_wrong_use_and_asks_nobody() {
    let refusing = Refusing::new();
    let desk = Desk::with_case(&short_scope(refusing.port, 3_600));
    let said = desk.hostkin(&["scan", "x.case", "--source", "203.0.113.9"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("cannot send from 203.0.113.9"), "{said:?}");
    assert!(desk.last_run().is_none(), "no run was begun");
    let said = desk.hostkin(&["probe", "127.92.0.1", "--scope", "scope.toml", "--source", "203.0.113.9"]);
    assert_eq!(said.code, Some(2), "{said:?}");
}

#[test]
fn a_service_we_could_not_ask_by_our_own_fault_has_a_row_that_says_so() {
    let refusing = Refusing::new();
    // An IPv6 source cannot send to IPv4: every connection fails on this side of the wire.
    let text = short_scope(refusing.port, 3_600).replace("127.92.0.0/24", "127.92.0.0/30");
    let desk = Desk::with_case(&text);
    let said = desk.hostkin(&["scan", "x.case", "--source", "::1"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(said.err.contains("4 failed"), "{said:?}");
    let rows = desk.hostkin(&["export", "x.case", "observations", "--json"]).done().lines();
    let outcomes: Vec<&str> = rows.iter().map(|row| row["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["failed"; 4], "{rows:?}");
}

#[test]
fn the_peak_of_memory_is_our_own_and_not_that_of_whoever_started_us() {
    let refusing = Refusing::new();
    let desk = Desk::with_case(&short_scope(refusing.port, 3_600).replace("127.92.0.0/24", "127.92.0.0/30"));
    // 400 MB of ours, really in use, while the program starts.
    let ballast = std::hint::black_box(vec![1u8; 400 << 20]);
    desk.hostkin(&["scan", "x.case", "--summary", "s.json"]).done();
    drop(ballast);
    let summary: Value = serde_json::from_slice(&std::fs::read(desk.path("s.json")).unwrap()).unwrap();
    assert!(summary["peak_rss_bytes"].as_u64().unwrap() < 200 << 20, "{summary}");
}

#[test]
fn a_line_that_gives_no_host_does_not_cost_the_files_after_it() {
    let desk = Desk::with_case(&short_scope(1, 3_600));
    std::fs::write(desk.path("a.jsonl"), "{\"ip\":\"198.51.100.1\",\"server\":\"x\"}\nno json\n").unwrap();
    std::fs::write(desk.path("b.jsonl"), "{\"ip\":\"198.51.100.2\",\"server\":\"x\"}\n").unwrap();
    let said = desk.hostkin(&["import", "x.case", "hosts", "a.jsonl", "b.jsonl"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    let found = desk.hostkin(&["find", "x.case", "http.server=x", "--json"]).done().lines();
    assert_eq!(found.len(), 2, "{said:?}");
}
