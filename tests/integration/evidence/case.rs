//! A case with everything in it, made by the library; and that it verifies.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hostkin::clock::Timestamp;
use hostkin::evidence::{Report, Signer, verify_bundle, verify_case, write_bundle};
use hostkin::finding::{Cluster, Finding, Findings, Level, Seed, Subject};
use hostkin::observation::{
    Blob, Capture, End, Exchange, HandshakeSignature, Observation, Outcome, Service, Session, Speech, Step,
};
use hostkin::probe;
use hostkin::store::{
    Action, AskedState, Case, Counters, HostDone, NewCase, RunId, RunSpec, RunWriter, ServiceDone, State,
};
use serde_json::{Value, json};

pub(super) const ACTOR: &str = "tester";

pub(super) fn at() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// An SSH key exchange with a real server: banner, lists, and a host key that is proven.
fn ssh() -> Capture {
    let all: Vec<Value> = serde_json::from_str(include_str!("../../golden/ssh/captures.json")).unwrap();
    let one = all.iter().find(|one| one["case"] == "kex-curve25519-sha256@libssh.org").unwrap();
    Capture::from_cbor(&STANDARD.decode(one["capture"].as_str().unwrap()).unwrap()).unwrap()
}

/// A TLS session whose `CertificateVerify` proves the key.
fn tls() -> Capture {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let certificate =
        rcgen::CertificateParams::new(vec!["host.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    let mut message = vec![0x20; 64];
    message.extend_from_slice(b"TLS 1.3, server CertificateVerify\0");
    message.extend_from_slice(&[7; 32]);
    let signature = ring::signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key.serialize_der()).unwrap();
    let signature = signature.sign(&message).as_ref().to_vec();
    let session = Session {
        version: 0x0304,
        cipher_suite: 0x1301,
        chain: vec![Blob(certificate.der().to_vec())],
        proof: Some(HandshakeSignature { scheme: 0x0807, message, signature }),
        complete: true,
        ..Session::default()
    };
    let exchange = Exchange { session: Some(session), ..Exchange::unsent(Step::Session(true), End::Done, None) };
    Capture { asked_as: "192.0.2.1".to_owned(), exchanges: vec![exchange], ..Capture::default() }
}

pub(super) fn new_case(path: &Path) -> Case {
    let new = NewCase {
        scope_text: "schema = \"hostkin/scope/1\"\n".to_owned(),
        scope_title: "a test".to_owned(),
        scope_path: None,
        actor: ACTOR.to_owned(),
        at: at(),
        version: "0".to_owned(),
    };
    Case::create(path, &new).unwrap()
}

pub(super) fn begin(case: &mut Case) -> RunId {
    let spec = RunSpec {
        plan_sha256: [1; 32],
        plan: json!({ "targets": "192.0.2.0/24" }),
        seed: 7,
        scope_text: "schema = \"hostkin/scope/1\"\n".to_owned(),
        limits: json!({}),
        version: "0".to_owned(),
        shard: (1, 1),
        hosts: 256,
        services: 2,
        actor: ACTOR.to_owned(),
        at: at(),
    };
    case.begin_run(&spec).unwrap()
}

/// A host that says two things; what it says differs from host to host in its asked name alone.
fn host(index: u64) -> HostDone {
    let address = IpAddr::from([192, 0, 2, u8::try_from(index).unwrap()]);
    let heard = |speech: Speech, mut capture: Capture| {
        capture.asked_as = address.to_string();
        let reading = probe::read(speech, &capture);
        assert_eq!(reading.outcome, Outcome::Answered, "{:?}", reading.detail);
        let service = Service { address, port: 22, speech, name: None };
        let observation = Observation {
            service,
            over_tls: false,
            started_at: at(),
            outcome: reading.outcome,
            detail: reading.detail.clone(),
            capture,
        };
        ServiceDone {
            ordinal: u32::from(speech == Speech::Tls),
            state: AskedState::Heard,
            heard: vec![(observation, reading)],
        }
    };
    let services = vec![heard(Speech::Ssh, ssh()), heard(Speech::Tls, tls())];
    HostDone { index, address, asn: None, prefix: None, services }
}

/// Commits hosts of the run.
pub(super) fn commit(writer: &mut RunWriter, hosts: std::ops::Range<u64>) {
    let mut position = writer.position().clone();
    let batch: Vec<HostDone> = hosts.map(host).collect();
    for done in &batch {
        position.mark(done.index);
    }
    writer.commit(&batch, &position, &Counters::default()).unwrap();
}

pub(super) fn link(case: &mut Case, hosts: std::ops::Range<u8>) {
    let finding = |rank: u8| Finding {
        provider: "seeds".to_owned(),
        seed: "192.0.2.0".to_owned(),
        address: IpAddr::from([192, 0, 2, rank]),
        score: 0.5 / f64::from(rank + 1),
        log10_lr: 1.25,
        log10_lr_without_strongest: 0.1,
        rank: u64::from(rank) + 1,
        level: Level::Provider,
        reasons: vec!["the same key".to_owned()],
        against: Vec::new(),
        evidence: Vec::new(),
    };
    let findings: Vec<Finding> = hosts.map(finding).collect();
    let cluster = Cluster { id: "seeds".to_owned(), seeded: true, purity: 1.0, members: findings.clone() };
    let all = Findings { weights: "w".to_owned(), hosts: 3, background: 1, ranking: findings, clusters: vec![cluster] };
    case.save_findings(&all, ACTOR, at()).unwrap();
}

pub(super) fn seed(case: &mut Case, last: u8) {
    let seed = Seed {
        provider: "seeds".to_owned(),
        subject: Subject::Host(IpAddr::from([192, 0, 2, last])),
        why: "told by the register".to_owned(),
        source: None,
        date: None,
        recorded_at: at(),
    };
    case.add_seed(&seed, ACTOR).unwrap();
}

/// A folder with `x.case` of so many hosts, linked and signed, and its key.
pub(super) fn folder(hosts: u8) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.case");
    let mut case = new_case(&path);
    let signer = Signer::create(&folder.path().join("x.case.key")).unwrap();
    signer.sign(&mut case, at(), ACTOR).unwrap();
    seed(&mut case, 0);
    let run = begin(&mut case);
    let mut writer = RunWriter::open(&path, run).unwrap();
    commit(&mut writer, 0..u64::from(hosts));
    drop(writer);
    case.end_run(run, State::Done, &json!({}), ACTOR, at()).unwrap();
    link(&mut case, 0..hosts);
    signer.sign(&mut case, at(), ACTOR).unwrap();
    (folder, path)
}

/// One folder with a case of one host and its bundle, made once for all tests.
pub(super) fn small() -> &'static (tempfile::TempDir, PathBuf) {
    static SMALL: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    SMALL.get_or_init(|| {
        let (folder, path) = folder(1);
        let bundle = folder.path().join("x.tar");
        export(&path, None, &bundle);
        (folder, bundle)
    })
}

pub(super) fn export(case: &Path, hosts: Option<&[IpAddr]>, to: &Path) {
    let case = Case::open_read_only(case).unwrap();
    write_bundle(&case, hosts, std::fs::File::create(to).unwrap()).unwrap();
}

pub(super) fn checked(path: &Path) -> Report {
    if path.extension().is_some_and(|end| end == "tar") {
        verify_bundle(path, &[], &probe::read).unwrap()
    } else {
        verify_case(&Case::open_read_only(path).unwrap(), &[], &probe::read).unwrap()
    }
}

/// Every fault as text; a case without faults fails the test.
pub(super) fn faults(path: &Path) -> String {
    let report = checked(path);
    assert!(!report.is_clean(), "nothing was found");
    report.faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

pub(super) fn clean(path: &Path) -> Report {
    let report = checked(path);
    assert_eq!(report.faults, [], "{}", path.display());
    report
}

pub(super) fn hostkin(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostkin"));
    command.args(arguments).current_dir(folder).env("NO_COLOR", "1").env_remove("HOSTKIN_KEY");
    command.output().unwrap()
}

#[test]
fn a_case_and_its_bundle_verify_and_proofs_are_checked_again() {
    let (folder, path) = folder(3);
    let bundle = folder.path().join("b.tar");
    export(&path, None, &bundle);
    for report in [clean(&path), clean(&bundle)] {
        assert_eq!((report.observations, report.derived, report.results, report.scopes), (6, 6, 6, 1));
        assert!(report.proofs >= 6, "an SSH and a TLS key a host: {}", report.proofs);
        assert_eq!((report.heads, report.signed_upto, report.signers.len()), (2, report.records, 1));
        assert_eq!(report.notes, Vec::<String>::new());
    }
}

#[test]
fn the_same_case_gives_the_same_bytes() {
    let (folder, path) = folder(2);
    let (one, other) = (folder.path().join("1.tar"), folder.path().join("2.tar"));
    export(&path, None, &one);
    export(&path, None, &other);
    assert_eq!(std::fs::read(one).unwrap(), std::fs::read(other).unwrap());
}

#[test]
fn a_bundle_verifies_in_another_folder_in_words() {
    let (folder, _) = folder(1);
    let made = hostkin(folder.path(), &["export", "x.case", "bundle", "-o", "b.tar"]);
    assert!(made.status.success(), "{made:?}");
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::rename(folder.path().join("b.tar"), elsewhere.path().join("b.tar")).unwrap();
    let said = hostkin(elsewhere.path(), &["verify", "b.tar"]);
    let words = String::from_utf8(said.stdout).unwrap();
    assert!(said.status.success() && words.contains("b.tar: everything is as it was sealed"), "{words}");
    // And why each host is in, from the bundle alone.
    let why = hostkin(elsewhere.path(), &["why", "b.tar"]);
    let why = String::from_utf8(why.stdout).unwrap();
    assert!(why.contains("192.0.2.0") && why.contains("50.0 %") && why.contains("the same key"), "{why}");
    let why = hostkin(elsewhere.path(), &["why", "b.tar", "192.0.2.0"]);
    let why = String::from_utf8(why.stdout).unwrap();
    assert!(why.contains("192.0.2.0 is attributed to seeds") && why.contains("for      the same key"), "{why}");
    let mut spoilt = std::fs::read(elsewhere.path().join("b.tar")).unwrap();
    let place = spoilt.windows(12).position(|window| window == b"the same key").unwrap();
    spoilt[place] = b'T';
    std::fs::write(elsewhere.path().join("spoilt.tar"), spoilt).unwrap();
    let why = hostkin(elsewhere.path(), &["why", "spoilt.tar"]);
    assert_eq!(why.status.code(), Some(1), "{why:?}");
    assert!(why.stdout.is_empty() && String::from_utf8_lossy(&why.stderr).contains("hostkin verify"), "{why:?}");
    let json = hostkin(elsewhere.path(), &["verify", "b.tar", "--json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    let (signer, last) = (json["signers"][0].as_str().unwrap(), json["last_sha256"].as_str().unwrap());
    assert!(words.contains(signer) && words.contains(last));
    assert_eq!((&json["ok"], &json["derived"]), (&json!(true), &json!(2)));
    assert!(hostkin(elsewhere.path(), &["verify", "b.tar", "--signer", signer, "--contains", last]).status.success());
    for other in [["--signer", &"0".repeat(64)], ["--contains", &"0".repeat(64)]] {
        let said = hostkin(elsewhere.path(), &["verify", "b.tar", other[0], other[1]]);
        assert_eq!(said.status.code(), Some(1));
        assert!(String::from_utf8(said.stdout).unwrap().contains("WRONG"), "{other:?}");
    }
}

#[test]
fn what_is_signed_by_another_key_is_seen_when_one_insists() {
    let (folder, path) = folder(1);
    let mine = clean(&path).signers;
    let mut case = Case::open(&path).unwrap();
    let other = Signer::create(&folder.path().join("other.key")).unwrap();
    seed(&mut case, 9);
    other.sign(&mut case, at(), ACTOR).unwrap();
    let report = checked(&path);
    assert!(report.is_clean() && report.notes.concat().contains("signs in place of"), "{report:?}");
    let report = verify_case(&case, &mine, &probe::read).unwrap();
    assert!(report.faults[0].place.contains("(head), its signature"), "{:?}", report.faults);
}

#[test]
fn two_who_write_at_once_make_one_chain() {
    let (_folder, path) = folder(1);
    let before = clean(&path).records;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut case = Case::open(&path).unwrap();
                for number in 0..25 {
                    case.record(at(), ACTOR, Action::Note, "", &json!({ "number": number })).unwrap();
                }
            });
        }
    });
    assert_eq!(clean(&path).records, before + 100);
}

#[test]
fn what_a_kill_leaves_behind_is_sealed_by_the_next_who_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.case");
    let mut case = new_case(&path);
    let run = begin(&mut case);
    let mut writer = RunWriter::open(&path, run).unwrap();
    commit(&mut writer, 0..2);
    drop(writer);
    let report = clean(&path);
    assert!(report.notes.concat().contains("4 observations wait for their seal"), "{:?}", report.notes);
    drop(RunWriter::open(&path, run).unwrap());
    let report = clean(&path);
    assert_eq!((report.observations, report.notes.concat().contains("wait for")), (4, false));
}

#[test]
fn times_that_cannot_be_and_a_case_that_nobody_signed_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.case");
    let mut case = new_case(&path);
    let run = begin(&mut case);
    let mut writer = RunWriter::open(&path, run).unwrap();
    commit(&mut writer, 0..2);
    drop(writer);
    let before = at() - jiff::SignedDuration::from_secs(3600);
    case.end_run(run, State::Done, &json!({}), ACTOR, before).unwrap();
    drop(case);
    let notes = clean(&path).notes.join("\n");
    assert!(notes.contains("4 of the observations bear a time after that of the record that seals them"), "{notes}");
    let said = hostkin(folder.path(), &["verify", "x.case"]);
    let words = String::from_utf8(said.stdout).unwrap();
    assert!(words.contains("NOBODY SIGNED IT") && words.contains("says that it was written at"), "{words}");
    let said = hostkin(folder.path(), &["sign", "x.case"]);
    assert!(said.status.success(), "{said:?}");
    let words = String::from_utf8(hostkin(folder.path(), &["verify", "x.case"]).stdout).unwrap();
    assert!(!words.contains("NOBODY"), "{words}");
}

#[test]
fn a_long_scan_is_sealed_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.case");
    let mut case = new_case(&path);
    let run = begin(&mut case);
    let mut writer = RunWriter::open(&path, run).unwrap();
    // One thing heard, so that the test is quick: a thousand names of one host.
    let mut done = host(0);
    let first = done.services.remove(0);
    done.services.clear();
    for number in 0..1100 {
        let mut one = first.clone();
        one.heard[0].0.service.name = Some(format!("{number}.example"));
        one.ordinal = 0;
        done.services.push(one);
    }
    let mut position = writer.position().clone();
    position.mark(0);
    writer.commit(&[done], &position, &Counters::default()).unwrap();
    let sealed = case.records().unwrap().into_iter().filter(|record| record.action == "sealed").count();
    assert_eq!(sealed, 1);
    assert_eq!(clean(&path).observations, 1100);
}

#[test]
fn a_case_older_than_the_chain_is_chained_as_it_was_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.case");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(include_str!("../../../src/store/001_case.sql")).unwrap();
    let scope = "schema = 1";
    old.execute_batch("PRAGMA application_id = 0x686b696e; PRAGMA user_version = 1;").unwrap();
    let sha256 = <sha2::Sha256 as sha2::Digest>::digest(scope);
    old.execute("INSERT INTO scopes VALUES (?1, ?2)", rusqlite::params![&sha256[..], scope]).unwrap();
    old.execute("INSERT INTO meta VALUES ('scope_sha256', ?1)", [super::tar::hex(&sha256)]).unwrap();
    old.execute_batch(
        "INSERT INTO records (at_ms, actor, action, subject, body) VALUES (1, 'a', 'new', '', '{}'), (2, 'b', 'note', 'x', '{\"k\": 1}');
         INSERT INTO runs (kind, state, plan_sha256, plan, seed, limits, version, shard, shards, hosts, services, started_at_ms)
             VALUES ('import', 'done', zeroblob(32), '{}', '0', '{}', '0', 1, 1, 0, 0, 1);
         INSERT INTO hosts (id, address, ip, sightings) VALUES (1, x'04c0000201', '192.0.2.1', 1);
         INSERT INTO observations (id, run, host, port, protocol, over_tls, name, outcome, started_at_ms, connections, bytes_sent, bytes_heard)
             VALUES (1, 1, 1, 0, 'ssh', 0, '', 'answered', 1, 0, 0, 0);
         INSERT INTO facet_values VALUES (7, 'ssh.banner', x'5353482d'), (8, 'some.later_kind', x'ff');
         INSERT INTO facets VALUES (1, 0, 7, NULL), (1, 1, 8, '{\"a\":1}');",
    )
    .unwrap();
    drop(old);
    drop(Case::open(&path).unwrap());
    let report = clean(&path);
    assert_eq!((report.records, report.observations, report.imported), (4, 1, 1));
    let actions: Vec<String> =
        Case::open_read_only(&path).unwrap().records().unwrap().into_iter().map(|record| record.action).collect();
    assert_eq!(actions, ["new", "note", "chained", "sealed"]);
    // Opened again, nothing is chained twice.
    drop(Case::open(&path).unwrap());
    assert_eq!(clean(&path).records, 4);
}

#[test]
fn a_file_that_is_there_stays_unless_it_is_to_be_replaced() {
    let (folder, _) = folder(1);
    let bundle = folder.path().join("b.tar");
    std::fs::write(&bundle, "mine").unwrap();
    let refused = hostkin(folder.path(), &["export", "x.case", "bundle", "-o", "b.tar"]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(std::fs::read(&bundle).unwrap(), b"mine");
    assert!(hostkin(folder.path(), &["export", "x.case", "bundle", "-o", "b.tar", "--force"]).status.success());
    clean(&bundle);
}

#[test]
fn a_full_disk_leaves_nothing_half_written() {
    let (folder, _) = folder(24);
    let before = std::fs::read_dir(folder.path()).unwrap().count();
    // No file may grow beyond 64 KB (or 128, by the shell), and the signal that says so is not taken.
    let script = "trap '' XFSZ; ulimit -f 128; exec \"$0\" export x.case bundle -o b.tar";
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_hostkin")]).current_dir(folder.path());
    let said = command.output().unwrap();
    let words = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(1), "{words}");
    assert!(words.contains("cannot write") && words.contains("b.tar"), "{words}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), before);
}

#[test]
fn every_verb_leaves_a_signature_and_the_key_is_its_owners() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = tempfile::tempdir().unwrap();
    std::fs::write(
        desk.path().join("s.toml"),
        super::super::ground::scope(&[("\"127.0.0.1\"".into(), "ssh = [1]".into())], ""),
    )
    .unwrap();
    let run = |arguments: &[&str]| {
        let said = hostkin(desk.path(), arguments);
        assert!(said.status.success(), "{said:?}");
        String::from_utf8(said.stderr).unwrap()
    };
    let said = run(&["new", "x.case", "--scope", "s.toml"]);
    let key = desk.path().join("x.case.key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    run(&["seed", "x.case", "127.0.0.1", "--why", "told"]);
    let report = clean(&desk.path().join("x.case"));
    assert_eq!((report.heads, report.signed_upto), (2, report.records));
    assert!(said.contains(&report.signers[0]), "{said}");
    // The private key stands nowhere in the case.
    let pem = std::fs::read_to_string(&key).unwrap();
    let der = STANDARD.decode(pem.lines().nth(1).unwrap()).unwrap();
    let case = std::fs::read(desk.path().join("x.case")).unwrap();
    assert!(!case.windows(32).any(|window| window == &der[16..]));
    // Without the key the change stands, unsigned, and that is said.
    std::fs::rename(&key, desk.path().join("away")).unwrap();
    let said = run(&["seed", "x.case", "127.0.0.1", "--why", "told again"]);
    assert!(said.contains("not signed"), "{said}");
    let refused = hostkin(desk.path(), &["export", "x.case", "bundle", "-o", "b.tar"]);
    assert_eq!(refused.status.code(), Some(1), "a bundle ends with a signature: {refused:?}");
    let said = run(&["sign", "x.case", "--key", "away"]);
    assert!(said.contains(&report.signers[0]), "{said}");
    run(&["export", "x.case", "bundle", "-o", "b.tar"]);
}
