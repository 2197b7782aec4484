//! What is erased is gone from the file, and the rest still verifies.

use std::path::Path;

use hostkin::store::{Case, Erase};

use super::case::{ACTOR, at, clean, export, faults, folder, hostkin, link};

/// True when the file, or what stands beside it, holds these bytes.
fn holds(path: &Path, bytes: &[u8]) -> bool {
    ["", "-wal"].iter().any(|more| {
        let mut name = path.as_os_str().to_owned();
        name.push(more);
        std::fs::read(name).is_ok_and(|held| held.windows(bytes.len()).any(|window| window == bytes))
    })
}

#[test]
fn an_erased_host_is_gone_and_the_rest_verifies() {
    let (folder, path) = folder(3);
    assert!(holds(&path, b"192.0.2.0"));
    let said = hostkin(folder.path(), &["redact", "x.case", "192.0.2.0", "--why", "asked by its owner"]);
    assert!(said.status.success(), "{said:?}");
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("erased 2 observations") && said.contains("the results spoke of it"), "{said}");
    assert!(said.contains("still stands in the plan or summary of run 1"), "{said}");
    let report = clean(&path);
    assert_eq!((report.observations, report.erased, report.results), (4, 2, 0));
    assert_eq!(report.signed_upto, report.records);
    // The network that the plan and the record of it name ends in the same digits; nothing else may be left.
    let case = std::fs::read(&path).unwrap();
    let left =
        case.windows(9).enumerate().filter(|(at, window)| *window == b"192.0.2.0" && case[at + 9] != b'/').count();
    assert_eq!(left, 0);
    let mut case = Case::open(&path).unwrap();
    assert!(case.seeds().unwrap().is_empty(), "the seed was that host");
    link(&mut case, 1..3);
    drop(case);
    assert!(hostkin(folder.path(), &["sign", "x.case"]).status.success());
    let bundle = folder.path().join("b.tar");
    export(&path, None, &bundle);
    let report = clean(&bundle);
    assert_eq!((report.observations, report.erased, report.results), (4, 2, 4));
}

#[test]
fn a_value_goes_with_every_observation_that_shows_it() {
    let (folder, path) = folder(2);
    let said = hostkin(folder.path(), &["redact", "x.case", "cert.san=DNS:host.example", "--why", "a name"]);
    assert!(said.status.success(), "{said:?}");
    assert!(!holds(&path, b"host.example"));
    let report = clean(&path);
    assert_eq!((report.observations, report.erased), (2, 2));
}

#[test]
fn a_name_that_a_record_or_a_plan_still_holds_is_listed_and_the_rest_verifies() {
    let (folder, path) = folder(2);
    let mut case = Case::open(&path).unwrap();
    let body = serde_json::json!({ "text": "host.example belongs to somebody, who asked" });
    let note = case.record(at(), ACTOR, hostkin::store::Action::Note, "", &body).unwrap();
    drop(case);
    let said = hostkin(folder.path(), &["redact", "x.case", "cert.san=DNS:host.example", "--why", "a name"]);
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("it still stands in record") && said.contains("is kept"), "{said}");
    clean(&path);
    let number = hostkin(folder.path(), &["redact", "x.case", "--record", &note.to_string(), "--why", "a name"]);
    assert!(number.status.success(), "{number:?}");
    assert!(!holds(&path, b"host.example"), "what a person wrote can go too, by its number");
    clean(&path);
}

#[test]
fn what_a_record_says_can_go_and_what_holds_the_chain_cannot() {
    let (folder, path) = folder(1);
    assert!(holds(&path, b"told by the register"));
    assert!(hostkin(folder.path(), &["redact", "x.case", "--record", "4", "--why", "a slip"]).status.success());
    assert!(!holds(&path, b"told by the register"));
    clean(&path);
    for record in ["1", "2", "3", "99"] {
        let refused = hostkin(folder.path(), &["redact", "x.case", "--record", record, "--why", "a slip"]);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    }
    let unknown = hostkin(folder.path(), &["redact", "x.case", "203.0.113.1", "--why", "a slip"]);
    assert_eq!(unknown.status.code(), Some(1));
    clean(&path);
}

#[test]
fn what_is_kept_how_long_is_a_setting_and_what_is_older_goes() {
    let (folder, path) = folder(2);
    let run = |arguments: &[&str]| {
        let said = hostkin(folder.path(), arguments);
        assert!(said.status.success(), "{said:?}");
        String::from_utf8(said.stdout).unwrap()
    };
    assert!(run(&["retention", "x.case"]).contains("bytes heard   as long as the case"));
    let refused = hostkin(folder.path(), &["retention", "x.case", "--captures", "180"]);
    assert_eq!(refused.status.code(), Some(2), "the reason is missing");
    run(&["retention", "x.case", "--captures", "180", "--why", "our policy"]);
    clean(&path);
    let mut case = Case::open(&path).unwrap();
    let later = "2027-11-22T12:00:00Z".parse().unwrap();
    let erased = case.erase(&Erase::CapturesBefore(later), "retention", ACTOR, at()).unwrap();
    assert_eq!((erased.captures, erased.observations), (4, 0));
    let report = clean(&path);
    assert_eq!((report.observations, report.derived, report.captures_erased), (4, 0, 4));
    // What was read stays, and rereading changes nothing of it.
    assert!(hostkin(folder.path(), &["reread", "x.case"]).status.success());
    assert_eq!(clean(&path).captures_erased, 4);
    let bundle = folder.path().join("b.tar");
    export(&path, None, &bundle);
    assert_eq!(clean(&bundle).captures_erased, 4);
    let erased = case.erase(&Erase::ObservationsBefore(later), "retention", ACTOR, at()).unwrap();
    assert_eq!((erased.observations, erased.hosts), (4, 2));
    assert_eq!(clean(&path).erased, 4);
}

#[test]
fn erasing_without_a_record_is_found_out() {
    let (_folder, path) = folder(1);
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute_batch("UPDATE leaves SET observation = NULL, reading = NULL, salt = NULL WHERE number = 1").unwrap();
    drop(raw);
    assert!(faults(&path).contains("leaf 1: expected an observation, found none, and no record says why"));
}
