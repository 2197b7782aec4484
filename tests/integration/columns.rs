//! The linkage's columns in the case: which are kept, when they are taken, and that hosts added to them later give what
//! all hosts together give, byte for byte, whatever ends the program meanwhile.

use std::time::Duration;

use hostkin::link::{Builder, Population, columns_version};
use hostkin::store::{Case, KeptColumns, StoreError};

use super::ground::{Desk, Street, page, scope};
use super::verdicts::{desk, names, world};

/// Rounds of killing.
const KILLS: u64 = 8;

fn kept(desk: &Desk) -> KeptColumns {
    desk.case().kept_columns(&columns_version()).unwrap()
}

/// All columns, made from every observation.
fn made(case: &Case) -> Population {
    let mut builder = Builder::new();
    case.host_facts::<StoreError>(|host| {
        builder.add(&host);
        Ok(())
    })
    .unwrap();
    builder.finish()
}

/// Fails unless the columns that are kept are those made from the case.
fn are_those_made(desk: &Desk) {
    assert_eq!(kept(desk), KeptColumns::Current);
    let case = desk.case();
    let made = made(&case);
    for part in Population::parts() {
        assert!(case.column(&part).unwrap().unpack().unwrap() == made.to_part(&part), "{part}");
    }
}

fn import(desk: &Desk, lines: &str) {
    std::fs::write(desk.path("more.jsonl"), lines).unwrap();
    desk.hostkin(&["import", "x.case", "hosts", "more.jsonl"]).done();
}

#[test]
fn columns_kept_by_an_import_are_those_made_from_the_case() {
    are_those_made(&desk());
}

#[test]
fn hosts_imported_later_are_added_to_the_columns() {
    let desk = desk();
    // New, one with a key and a page that one host alone showed; and one that is known and shows other things now.
    let lines =
        "{\"ip\":\"203.0.113.99\",\"hassh\":\"hassh-b\",\"ssh_banner\":\"SSH-2.0-fleet-b\",\"ssh_key\":\"SHA256:s17\"}
{\"ip\":\"192.0.2.254\",\"ssh_key\":\"SHA256:a3\",\"body\":\"body-a7\",\"title\":\"new\"}
{\"ip\":\"198.51.100.9\",\"ssh_key\":\"SHA256:another\",\"hassh\":\"hassh-b\",\"ssh_banner\":\"SSH-2.0-fleet-b\"}\n";
    import(&desk, lines);
    let heard = ["192.0.2.254", "198.51.100.9", "203.0.113.99"].map(|ip| ip.parse().unwrap());
    assert_eq!(kept(&desk), KeptColumns::Behind(heard.to_vec()));
    // Who only reads adds them for itself.
    let why = desk.hostkin(&["why", "x.case", "203.0.113.99", "203.0.113.5"]).done();
    assert!(why.out.contains("same SSH banner"), "{}", why.out);
    assert_eq!(kept(&desk), KeptColumns::Behind(heard.to_vec()));
    desk.hostkin(&["link", "x.case"]).done();
    are_those_made(&desk);
    assert!(!names(&desk).is_empty());
}

#[test]
fn hosts_scanned_later_are_added_to_the_columns() {
    let street = Street::new(|at| page(&format!("of {at}")));
    let grants = [("\"127.93.0.0/28\"".to_owned(), format!("http = [{}]", street.port))];
    let desk = Desk::with_case(&scope(&grants, ""));
    import(&desk, &world());
    assert_eq!(kept(&desk), KeptColumns::Current);
    desk.hostkin(&["scan", "x.case", "--favicon", "off"]).done();
    assert!(matches!(kept(&desk), KeptColumns::Behind(heard) if heard.len() == 16));
    desk.hostkin(&["link", "x.case"]).done();
    are_those_made(&desk);
    // Reading anew may change any host.
    desk.hostkin(&["reread", "x.case"]).done();
    assert_eq!(kept(&desk), KeptColumns::Unfit);
    desk.hostkin(&["link", "x.case"]).done();
    are_those_made(&desk);
}

#[test]
fn columns_of_other_rules_or_of_a_state_that_is_not_known_are_not_taken() {
    let desk = desk();
    assert_eq!(desk.case().kept_columns("other rules").unwrap(), KeptColumns::Unfit);
    // A line without any service moves a known host and leaves no observation.
    import(&desk, "{\"ip\":\"198.51.100.9\",\"asn\":64999}\n");
    assert_eq!(kept(&desk), KeptColumns::Unfit);
    desk.hostkin(&["link", "x.case"]).done();
    are_those_made(&desk);
}

#[test]
fn whoever_reads_a_large_case_without_columns_is_told_how_to_wait_only_once() {
    let desk = desk();
    let said = || desk.hostkin(&["why", "x.case", "198.51.100.9", "203.0.113.5"]).done().err;
    let connection = rusqlite::Connection::open(desk.path("x.case")).unwrap();
    let of = |stamp: &str| {
        connection.execute("UPDATE columns SET body = ?1 WHERE part = ''", [stamp.as_bytes()]).unwrap();
    };
    of("other rules 0 0 0");
    assert_eq!(said(), "", "a small case needs no words");
    // As if hosts had been erased: their number is what counts here.
    let host = "INSERT INTO hosts (id, address, ip, sightings) VALUES (60000, x'04c6336463', '198.51.100.99', 0)";
    connection.execute(host, []).unwrap();
    assert!(said().contains("after `hostkin link x.case` it does not"), "{}", said());
    desk.hostkin(&["link", "x.case"]).done();
    assert_eq!(said(), "");
}

#[test]
fn damaged_columns_are_made_again() {
    let desk = desk();
    let connection = rusqlite::Connection::open(desk.path("x.case")).unwrap();
    let before = desk.hostkin(&["why", "x.case", "198.51.100.9", "203.0.113.5"]).done();
    for part in Population::parts() {
        connection.execute("UPDATE columns SET body = substr(body, 1, 7) WHERE part = ?1", [&part]).unwrap();
    }
    let after = desk.hostkin(&["why", "x.case", "198.51.100.9", "203.0.113.5"]).done();
    assert_eq!((after.out, after.err), (before.out, before.err));
    desk.hostkin(&["link", "x.case"]).done();
    are_those_made(&desk);
}

#[test]
fn a_linkage_that_is_killed_leaves_the_old_columns_or_the_new() {
    let desk = desk();
    import(&desk, "{\"ip\":\"203.0.113.99\",\"hassh\":\"hassh-b\",\"ssh_banner\":\"SSH-2.0-fleet-b\"}\n");
    let behind = kept(&desk);
    let mut old = 0;
    for kill in 0..KILLS {
        let mut child = desk.start(&["link", "x.case"], "said.txt");
        std::thread::sleep(Duration::from_millis(kill * kill * 8));
        // It may have ended by itself.
        let _ = child.kill();
        child.wait().unwrap();
        let now = kept(&desk);
        assert!(now == behind || now == KeptColumns::Current, "after kill {kill}: {now:?}");
        old += u32::from(now == behind);
        let parts = |part: &str| desk.case().column(part).map(|packed| move || packed.unpack());
        assert!(Population::from_all_parts(parts).unwrap().is_some(), "after kill {kill}");
    }
    assert!(old > 0, "no kill came before the end");
    desk.hostkin(&["link", "x.case"]).done();
    are_those_made(&desk);
}
