//! The case as its users see it: made, closed, killed, damaged, opened again.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests")]

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hostkin::clock::Timestamp;
use hostkin::facet::{Facet, FacetKind, Group, HostFacts};
use hostkin::finding::{Cluster, Evidence, Finding, Findings, Level, Seed, Subject, Verdict};
use hostkin::observation::{Capture, End, Exchange, Observation, Outcome, Service, Speech, Step};
use hostkin::proto::Reading;
use hostkin::store::{
    Action, AskedState, Case, Counters, HostDone, ImportSpec, NewCase, ObservationFilter, Position, RunId, RunSpec,
    RunWriter, ServiceDone, State, StoreError, What,
};
use serde_json::json;

const PLAN: [u8; 32] = [7; 32];

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

fn new_case() -> NewCase {
    NewCase {
        scope_text: "title = \"Pivot\"\n".into(),
        scope_title: "Pivot".into(),
        scope_path: Some("scopes/pivot.toml".into()),
        actor: "ada".into(),
        at: at(1_000),
        version: "0.1.0".into(),
    }
}

fn spec(hosts: u64) -> RunSpec {
    RunSpec {
        plan_sha256: PLAN,
        plan: json!({ "rate": 10 }),
        seed: u64::MAX,
        scope_text: "title = \"Pivot\"\n".into(),
        limits: json!({ "connections_per_second": 200 }),
        version: "0.1.0".into(),
        shard: (1, 1),
        hosts,
        services: 2,
        actor: "ada".into(),
        at: at(2_000),
    }
}

fn made(folder: &Path) -> Case {
    Case::create(&folder.join("pivot.case"), &new_case()).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn reading(outcome: Outcome, facets: Vec<Facet>) -> Reading {
    Reading { outcome, detail: None, facets }
}

/// One service asked, with what came of it.
struct Ask {
    address: &'static str,
    port: u16,
    speech: Speech,
    at_ms: i64,
    outcome: Outcome,
    facets: Vec<Facet>,
}

impl Ask {
    fn done(self, index: u64) -> HostDone {
        let address = ip(self.address);
        let heard = format!("{address} {} {}", self.port, self.at_ms).into_bytes();
        let exchange =
            Exchange { heard, wire_sent: 10, wire_heard: 20, ..Exchange::unsent(Step::Page, End::Closed, None) };
        let observation = Observation {
            service: Service { address, port: self.port, speech: self.speech, name: None },
            over_tls: false,
            started_at: at(self.at_ms),
            outcome: self.outcome,
            detail: None,
            capture: Capture {
                asked_as: address.to_string(),
                exchanges: vec![exchange],
                request_version: 1,
                cut_short: None,
            },
        };
        let heard = vec![(observation, reading(self.outcome, self.facets))];
        let service = ServiceDone { ordinal: 0, state: AskedState::Heard, heard };
        HostDone {
            index,
            address,
            asn: Some(64_496),
            prefix: Some("192.0.2.0/24".parse().unwrap()),
            services: vec![service],
        }
    }
}

/// Runs a whole scan over these answers and ends it.
fn scanned(case: &mut Case, asks: Vec<Ask>) -> RunId {
    let run = case.begin_run(&spec(asks.len().try_into().unwrap())).unwrap();
    let mut writer = RunWriter::open(case.path(), run).unwrap();
    let mut position = Position::default();
    let batch: Vec<HostDone> = (0..).zip(asks).map(|(index, ask)| ask.done(index)).collect();
    for host in &batch {
        position.mark(host.index);
    }
    writer.commit(&batch, &position, &Counters::default()).unwrap();
    case.end_run(run, State::Done, &json!({ "hosts": batch.len() }), "ada", at(3_000)).unwrap();
    run
}

fn facts(case: &Case) -> Vec<HostFacts> {
    let mut hosts = Vec::new();
    case.host_facts::<StoreError>(|host| {
        hosts.push(host);
        Ok(())
    })
    .unwrap();
    hosts
}

fn found(case: &Case, query: &str) -> Vec<String> {
    let mut hosts = Vec::new();
    case.find::<StoreError>(query, |host| {
        hosts.push(host.address.to_string());
        Ok(())
    })
    .unwrap();
    hosts
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_new_case_holds_its_scope_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let case = made(folder.path());
    let scope = case.scope().unwrap();
    assert_eq!(
        (scope.title.as_str(), scope.text.as_str(), scope.path.as_deref()),
        ("Pivot", "title = \"Pivot\"\n", Some("scopes/pivot.toml"))
    );
    let records = case.records().unwrap();
    assert_eq!(
        records.iter().map(|one| (one.action.as_str(), one.actor.as_str())).collect::<Vec<_>>(),
        [("new", "ada")]
    );
    let info = case.info().unwrap();
    assert_eq!((info.created_at, info.hosts, info.records), (Some(at(1_000)), 0, 1));
    drop(case);
    assert_eq!(files(folder.path()), ["pivot.case"]);
}

#[test]
fn an_existing_file_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.case");
    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(Case::create(&path, &new_case()), Err(StoreError::Exists { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    assert_eq!(files(folder.path()), ["a.case"]);
}

#[test]
fn errors_of_opening_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let missing = Case::open(&path("none.case")).unwrap_err().to_string();
    assert!(missing.contains("hostkin new ") && missing.contains("none.case"), "{missing}");
    assert!(matches!(Case::create(&path("no/such/a.case"), &new_case()), Err(StoreError::NoFolder { .. })));

    std::fs::write(path("text"), "certainly no database, but longer than a header of one hundred bytes ".repeat(9))
        .unwrap();
    std::fs::write(path("empty"), "").unwrap();
    rusqlite::Connection::open(path("other")).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    for name in ["text", "empty", "other", "."] {
        assert!(matches!(Case::open(&path(name)), Err(StoreError::NotACase { .. })), "{name}");
        assert!(matches!(Case::open_read_only(&path(name)), Err(StoreError::NotACase { .. })), "{name}");
    }

    drop(made(folder.path()));
    rusqlite::Connection::open(path("pivot.case")).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let newer = Case::open(&path("pivot.case")).unwrap_err().to_string();
    assert!(newer.contains("made by a newer hostkin (schema 99, this program knows "), "{newer}");
    assert!(newer.ends_with("): update hostkin"), "{newer}");
}

#[test]
fn a_damaged_file_is_told_and_not_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = made(folder.path());
    let asks = (0..200).map(|port| Ask {
        address: "192.0.2.1",
        port: 1000 + port,
        speech: Speech::Http,
        at_ms: 5,
        outcome: Outcome::Answered,
        facets: vec![Facet::new(FacetKind::HttpTitle, format!("title {port}").repeat(20))],
    });
    scanned(&mut case, asks.collect());
    let path = case.path().to_owned();
    drop(case);
    let whole = std::fs::read(&path).unwrap();
    let mut told = 0;
    for page in 1..whole.len() / 8192 {
        let mut bytes = whole.clone();
        bytes[page * 8192..page * 8192 + 4096].fill(0xa5);
        std::fs::write(&path, &bytes).unwrap();
        let read = Case::open(&path).and_then(|case| {
            case.host_facts::<StoreError>(|_| Ok(()))?;
            case.observations::<StoreError>(
                &ObservationFilter { captures: true, ..ObservationFilter::default() },
                |_| Ok(()),
            )?;
            case.info().map(|_| ())
        });
        match read {
            Err(StoreError::Damaged(_) | StoreError::Database(_)) => told += 1,
            Err(other) => panic!("page {page}: {other}"),
            Ok(()) => {} // a page that no reading needs, such as one of an index
        }
    }
    assert!(told > 5, "{told} pages were missed");
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let cut = Case::open(&path).and_then(|case| case.host_facts::<StoreError>(|_| Ok(())));
    assert!(matches!(cut, Err(StoreError::Damaged(_))));
}

#[test]
fn a_case_locked_by_another_process_is_told_and_readers_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = made(folder.path());
    let other = rusqlite::Connection::open(case.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(case.record(at(1), "ada", Action::Note, "", &json!({})), Err(StoreError::Locked)));
    assert_eq!(Case::open_read_only(case.path()).unwrap().records().unwrap().len(), 1);
    other.execute_batch("ROLLBACK").unwrap();
    case.record(at(1), "ada", Action::Note, "", &json!({})).unwrap();
}

#[test]
fn a_case_opened_for_reading_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    drop(made(folder.path()));
    let mut case = Case::open_read_only(&folder.path().join("pivot.case")).unwrap();
    assert!(matches!(case.record(at(1), "ada", Action::Note, "", &json!({})), Err(StoreError::ReadOnly)));
}

#[test]
fn records_are_final_even_for_other_programs() {
    let folder = tempfile::tempdir().unwrap();
    let case = made(folder.path());
    let other = rusqlite::Connection::open(case.path()).unwrap();
    assert!(other.execute("UPDATE records SET actor = 'nobody'", []).is_err());
    assert!(other.execute("DELETE FROM records", []).is_err());
}

#[test]
fn seeds_follow_from_records() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = made(folder.path());
    let seed = |provider: &str, subject: Subject, why: &str, ms: i64| Seed {
        provider: provider.into(),
        subject,
        why: why.into(),
        source: None,
        date: None,
        recorded_at: at(ms),
    };
    let host = Subject::Host(ip("192.0.2.1"));
    let facet = Subject::Facet("ssh.host_key".into(), "SHA256:a".into());
    case.add_seed(&seed("a", host.clone(), "first word", 10), "ada").unwrap();
    case.add_seed(&seed("b", host.clone(), "", 11), "ada").unwrap();
    case.add_seed(&seed("a", facet.clone(), "", 12), "ada").unwrap();
    case.add_seed(&seed("a", host.clone(), "second word", 13), "bob").unwrap();
    let short = |case: &Case| case.seeds().unwrap().into_iter().map(|one| (one.provider, one.why)).collect::<Vec<_>>();
    let pair = |provider: &str, why: &str| (provider.to_owned(), why.to_owned());
    assert_eq!(short(&case), [pair("a", "second word"), pair("b", ""), pair("a", "")]);
    case.remove_seed(&host, Some("b"), "mistake", "ada", at(14)).unwrap();
    assert_eq!(short(&case), [pair("a", "second word"), pair("a", "")]);
    assert!(matches!(case.remove_seed(&host, Some("b"), "again", "ada", at(15)), Err(StoreError::NoSeed { .. })));
    case.remove_seed(&host, None, "gone", "ada", at(16)).unwrap();
    case.remove_seed(&facet, None, "gone", "ada", at(17)).unwrap();
    assert_eq!(short(&case), []);
    case.add_seed(&seed("a", host, "back", 18), "ada").unwrap();
    assert_eq!(short(&case), [pair("a", "back")]);
    assert_eq!(case.records().unwrap().len(), 9);
}

#[test]
fn the_last_verdict_on_a_host_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = made(folder.path());
    for (address, confirmed, ms) in [("192.0.2.1", true, 1), ("192.0.2.2", true, 2), ("192.0.2.1", false, 3)] {
        let verdict =
            Verdict { provider: "a".into(), address: ip(address), confirmed, why: "w".into(), recorded_at: at(ms) };
        case.add_verdict(&verdict, "ada").unwrap();
    }
    let verdicts: Vec<_> =
        case.verdicts().unwrap().into_iter().map(|one| (one.address.to_string(), one.confirmed)).collect();
    assert_eq!(verdicts, [("192.0.2.2".to_owned(), true), ("192.0.2.1".to_owned(), false)]);
}

#[test]
fn what_a_scan_heard_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = made(folder.path());
    let facets = vec![
        Facet::new(FacetKind::SshHostKey, "SHA256:b")
            .with("type", "ssh-ed25519")
            .with("bits", 256)
            .with("proven", true),
        Facet::new(FacetKind::SshBanner, b"SSH-2.0-\xff".to_vec()),
        Facet::new(FacetKind::SshBanner, b"SSH-2.0-\xff".to_vec()),
        Facet::list(FacetKind::HttpHeaderNames, vec![b"Server".to_vec(), b"Date".to_vec()]),
    ];
    let ask = |address, port| Ask {
        address,
        port,
        speech: Speech::Ssh,
        at_ms: 1_234,
        outcome: Outcome::Answered,
        facets: facets.clone(),
    };
    let run = scanned(
        &mut case,
        vec![
            ask("192.0.2.10", 22),
            ask("192.0.2.9", 2222),
            ask("192.0.2.9", 22),
            ask("2001:db8::1", 22),
            ask("9.9.9.9", 22),
        ],
    );
    let mut rows = Vec::new();
    let all = ObservationFilter { captures: true, ..ObservationFilter::default() };
    case.observations::<StoreError>(&all, |row| {
        rows.push(row);
        Ok(())
    })
    .unwrap();
    let order: Vec<_> = rows.iter().map(|row| format!("{} {}", row.address, row.port)).collect();
    assert_eq!(order, ["9.9.9.9 22", "192.0.2.9 22", "192.0.2.9 2222", "192.0.2.10 22", "2001:db8::1 22"]);
    let row = &rows[1];
    assert_eq!(
        row.facets.iter().map(hostkin::store::StoredFacet::to_json).collect::<Vec<_>>(),
        facets.iter().map(Facet::to_json).collect::<Vec<_>>()
    );
    assert_eq!(
        (row.run, row.connections, row.bytes_sent, row.bytes_heard, row.started_at),
        (run, 1, 10, 20, at(1_234))
    );
    let original = ask("192.0.2.9", 22).done(0).services.remove(0).heard.remove(0).0;
    assert_eq!(row.to_observation().unwrap(), original);

    let counted = |filter: ObservationFilter| {
        let mut count = 0;
        case.observations::<StoreError>(&filter, |row| {
            assert_eq!(row.capture, None);
            count += 1;
            Ok(())
        })
        .unwrap();
        count
    };
    assert_eq!(
        counted(ObservationFilter { network: Some("192.0.2.0/29".parse().unwrap()), ..ObservationFilter::default() }),
        0
    );
    assert_eq!(
        counted(ObservationFilter { network: Some("192.0.2.8/29".parse().unwrap()), ..ObservationFilter::default() }),
        3
    );
    assert_eq!(counted(ObservationFilter { run: Some(run + 1), ..ObservationFilter::default() }), 0);
    assert_eq!(counted(ObservationFilter { run: Some(run), ..ObservationFilter::default() }), 5);
}

#[test]
fn the_last_conclusive_look_at_a_service_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = made(folder.path());
    let ssh =
        |at_ms, outcome, facets| Ask { address: "192.0.2.1", port: 22, speech: Speech::Ssh, at_ms, outcome, facets };
    let banner = |text: &str| vec![Facet::new(FacetKind::SshBanner, text)];
    let tls =
        |at_ms, outcome, facets| Ask { address: "192.0.2.1", port: 443, speech: Speech::Tls, at_ms, outcome, facets };
    scanned(&mut case, vec![ssh(10, Outcome::Answered, banner("old")), tls(11, Outcome::TimedOut, Vec::new())]);
    scanned(&mut case, vec![ssh(20, Outcome::Answered, banner("new"))]);
    scanned(&mut case, vec![ssh(30, Outcome::TimedOut, Vec::new())]);
    let host = facts(&case).remove(0);
    assert_eq!(host.facets, [(FacetKind::SshBanner, b"new".to_vec())]);
    assert_eq!((host.open_ports.as_slice(), host.all_ports), ([22].as_slice(), false));
    assert_eq!(host.timed_out, [Group::Cert, Group::Web]);
    assert_eq!((host.asn, host.first_seen, host.last_seen), (Some(64_496), Some(at(10)), Some(at(30))));
    assert_eq!(host.prefix, Some("192.0.2.0/24".parse().unwrap()));

    // One group of an unfinished look is known, the other is not.
    scanned(&mut case, vec![tls(40, Outcome::Incomplete, vec![Facet::new(FacetKind::CertSha256, "aa")])]);
    let host = facts(&case).remove(0);
    assert_eq!(
        (host.timed_out.as_slice(), host.open_ports.as_slice()),
        ([Group::Web].as_slice(), [22, 443].as_slice())
    );
    // Something else answers now: what was known is no longer so.
    scanned(&mut case, vec![ssh(50, Outcome::Mismatch, Vec::new())]);
    assert_eq!(facts(&case).remove(0).facets, [(FacetKind::CertSha256, b"aa".to_vec())]);
}

fn import_spec() -> ImportSpec {
    ImportSpec {
        source: "feed.jsonl".into(),
        format: "hosts".into(),
        sha256: None,
        actor: "ada".into(),
        at: at(5_000),
        version: "0.1.0".into(),
    }
}

fn flat(address: &str) -> HostFacts {
    let mut host = HostFacts::new(ip(address));
    host.asn = Some(64_511);
    host.open_ports = vec![22, 443];
    host.facets = vec![
        (FacetKind::CertSha256, b"aa".to_vec()),
        (FacetKind::HttpTitle, b"Log in".to_vec()),
        (FacetKind::SshHostKey, b"SHA256:a".to_vec()),
        (FacetKind::RdpBuild, b"10.0".to_vec()),
        (FacetKind::SmtpBanner, b"220 x".to_vec()),
    ];
    host.timed_out = vec![Group::Sshd, Group::Web];
    host
}

#[test]
fn imported_hosts_come_back_as_they_were_given() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = made(folder.path());
    let mut dated = flat("2001:db8::7");
    dated.first_seen = Some(at(100));
    dated.last_seen = Some(at(200));
    dated.all_ports = true;
    let bare = HostFacts::new(ip("192.0.2.77"));
    let hosts = [flat("192.0.2.200"), dated.clone(), bare.clone()];
    let counts = case.import_hosts::<StoreError>(&import_spec(), hosts.into_iter().map(Ok)).unwrap();
    assert_eq!((counts.hosts, counts.new_hosts, counts.facets), (3, 3, 12));
    let sorted = |mut host: HostFacts| {
        host.facets.sort();
        host
    };
    let read: Vec<HostFacts> = facts(&case).into_iter().map(sorted).collect();
    assert_eq!(read, [sorted(bare), sorted(flat("192.0.2.200")), sorted(dated)]);
    assert_eq!(case.records().unwrap().last().unwrap().action, "import");

    // The same file again, now with one address in two lines.
    let mut more = HostFacts::new(ip("192.0.2.200"));
    more.open_ports = vec![8080];
    more.facets = vec![(FacetKind::HttpTitle, b"Other".to_vec())];
    let counts =
        case.import_hosts::<StoreError>(&import_spec(), [flat("192.0.2.200"), more].into_iter().map(Ok)).unwrap();
    assert_eq!((counts.hosts, counts.new_hosts), (2, 0));
    let host = facts(&case).remove(1);
    assert_eq!(host.open_ports, [22, 443, 8080]);
    assert_eq!(host.facets.iter().filter(|(kind, _)| *kind == FacetKind::HttpTitle).count(), 2);
    assert_eq!(host.timed_out, [Group::Sshd, Group::Web]);
}

#[test]
fn an_import_that_fails_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = made(folder.path());
    let before = case.info().unwrap();
    let hosts = (1..=3000).map(|number| match number {
        3000 => Err(StoreError::Damaged("line 3000".into())),
        _ => Ok(flat(&format!("10.0.{}.{}", number / 250, number % 250))),
    });
    assert!(matches!(case.import_hosts(&import_spec(), hosts), Err(StoreError::Damaged(line)) if line == "line 3000"));
    let after = case.info().unwrap();
    assert_eq!(
        (after.hosts, after.values, after.records, after.runs),
        (before.hosts, before.values, before.records, before.runs)
    );
}

#[test]
fn hosts_are_found_by_what_they_show() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = made(folder.path());
    let ask =
        |address, port, speech, facets| Ask { address, port, speech, at_ms: 1, outcome: Outcome::Answered, facets };
    let key = |name: &str| Facet::new(FacetKind::SshHostKey, name);
    scanned(
        &mut case,
        vec![
            ask("192.0.2.1", 22, Speech::Ssh, vec![key("SHA256:a")]),
            ask("192.0.2.2", 22, Speech::Ssh, vec![key("SHA256:a")]),
            ask(
                "192.0.2.2",
                80,
                Speech::Http,
                vec![Facet::new(FacetKind::HttpTitle, b"A\0b\xff Panel'; DROP TABLE hosts --".to_vec())],
            ),
            ask("192.0.2.3", 22, Speech::Ssh, vec![key("SHA256:b")]),
        ],
    );
    let mut flat = HostFacts::new(ip("198.51.100.1"));
    flat.open_ports = vec![80, 3389];
    flat.asn = Some(64_511);
    case.import_hosts::<StoreError>(&import_spec(), [Ok(flat)]).unwrap();
    let check = |case: &Case| {
        assert_eq!(found(case, "ssh.host_key=SHA256:a"), ["192.0.2.1", "192.0.2.2"]);
        assert_eq!(found(case, "ssh.host_key=SHA256:a and not port=80"), ["192.0.2.1"]);
        assert_eq!(found(case, "port=80"), ["192.0.2.2", "198.51.100.1"]);
        assert_eq!(found(case, "port=8"), [""; 0]);
        assert_eq!(found(case, "http.title~panel"), ["192.0.2.2"]);
        assert_eq!(found(case, r#"http.title~"'; DROP TABLE hosts --""#), ["192.0.2.2"]);
        assert_eq!(found(case, "http.title='A\0b\\xff Panel\\'; DROP TABLE hosts --'"), ["192.0.2.2"]);
        assert_eq!(found(case, "ip=192.0.2.2/31 or asn=64511"), ["192.0.2.2", "192.0.2.3", "198.51.100.1"]);
        assert_eq!(found(case, "not asn=64496"), ["198.51.100.1"]);
        assert_eq!(
            found(case, "not (ssh.host_key=SHA256:a or ssh.host_key=SHA256:nowhere)"),
            ["192.0.2.3", "198.51.100.1"]
        );
    };
    check(&case);
    case.build_postings().unwrap();
    check(&case);
    let mut matched = Vec::new();
    case.find::<StoreError>("ssh.host_key~sha256 and http.title~PANEL", |host| {
        matched.extend(host.matched.into_iter().map(|(port, kind, _)| (port, kind)));
        Ok(())
    })
    .unwrap();
    assert_eq!(matched, [(22, FacetKind::SshHostKey), (80, FacetKind::HttpTitle)]);
    assert!(matches!(case.find::<StoreError>("port=", |_| Ok(())), Err(StoreError::Query(_))));
}

#[test]
fn a_rereading_stores_what_differs_and_only_that() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = made(folder.path());
    let ask = |address| Ask {
        address,
        port: 80,
        speech: Speech::Http,
        at_ms: 1,
        outcome: Outcome::Answered,
        facets: vec![Facet::new(FacetKind::HttpTitle, "old")],
    };
    let run = scanned(&mut case, vec![ask("192.0.2.1"), ask("192.0.2.2")]);
    case.import_hosts::<StoreError>(&import_spec(), [Ok(flat("192.0.2.9"))]).unwrap();
    let same = reading(Outcome::Answered, vec![Facet::new(FacetKind::HttpTitle, "old")]);
    let counts = case.reread("ada", at(9), |_| same.clone()).unwrap();
    assert_eq!((counts.observations, counts.changed, counts.damaged), (2, 0, 0));
    let better = reading(Outcome::Mismatch, vec![Facet::new(FacetKind::HttpTitle, "new").with("probe", 1)]);
    let counts = case
        .reread(
            "ada",
            at(9),
            |heard| if heard.service.address == ip("192.0.2.1") { better.clone() } else { same.clone() },
        )
        .unwrap();
    assert_eq!((counts.observations, counts.changed, counts.damaged), (2, 1, 0));
    let mut titles = Vec::new();
    case.observations::<StoreError>(&ObservationFilter { run: Some(run), ..ObservationFilter::default() }, |row| {
        titles.push((row.outcome, row.facets[0].to_json().to_string()));
        Ok(())
    })
    .unwrap();
    assert_eq!(titles[0], (Outcome::Mismatch, r#"{"kind":"http.title","value":"new","probe":1}"#.into()));
    assert_eq!(titles[1], (Outcome::Answered, r#"{"kind":"http.title","value":"old"}"#.into()));

    let other = rusqlite::Connection::open(case.path()).unwrap();
    other.execute("UPDATE captures SET sha256 = zeroblob(32) WHERE id = 1", []).unwrap();
    let counts = case.reread("ada", at(9), |_| better.clone()).unwrap();
    assert_eq!((counts.observations, counts.changed, counts.damaged), (2, 1, 1));
}

#[test]
fn two_runs_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = made(folder.path());
    let ask = |address, port, outcome, title: &str| Ask {
        address,
        port,
        speech: Speech::Http,
        at_ms: 1,
        outcome,
        facets: vec![Facet::new(FacetKind::HttpTitle, title), Facet::new(FacetKind::HttpServer, "nginx")],
    };
    let first = scanned(
        &mut case,
        vec![ask("192.0.2.1", 80, Outcome::Answered, "a"), ask("192.0.2.2", 80, Outcome::Answered, "b")],
    );
    let second = scanned(
        &mut case,
        vec![
            ask("192.0.2.2", 80, Outcome::Mismatch, "c"),
            ask("192.0.2.2", 81, Outcome::Answered, "b"),
            ask("10.0.0.1", 80, Outcome::Answered, "d"),
        ],
    );
    let changes: Vec<_> = case
        .diff(first, second)
        .unwrap()
        .into_iter()
        .map(|one| (one.address.to_string(), one.port, one.what))
        .collect();
    let title = What::Facet { kind: FacetKind::HttpTitle, before: vec![b"b".to_vec()], after: vec![b"c".to_vec()] };
    let outcome = What::Outcome { before: Outcome::Answered, after: Outcome::Mismatch };
    let expected = [
        ("10.0.0.1".to_owned(), 80, What::Gained),
        ("192.0.2.1".to_owned(), 80, What::Lost),
        ("192.0.2.2".to_owned(), 80, outcome),
        ("192.0.2.2".to_owned(), 80, title),
        ("192.0.2.2".to_owned(), 81, What::Gained),
    ];
    assert_eq!(changes, expected);
    assert_eq!(case.diff(second, second).unwrap(), []);
    assert!(matches!(case.diff(first, 99), Err(StoreError::NoRun { run: 99 })));
}

fn finding(address: &str, score: f64) -> Finding {
    let evidence = Evidence {
        group: "key".into(),
        agrees_at: Some("ssh.host_key".into()),
        value: None,
        in_set: 0.1 + 0.2,
        set_size: 1.0 / 3.0,
        others: 3,
        background: 7,
        log10_lr: -1e-300,
        log10_counted: 12.345_678_901_234_567,
        observed: true,
        default_of: Some("vendor".into()),
        likeness: 0.25,
        words: "w".into(),
    };
    Finding {
        provider: "a".into(),
        seed: "192.0.2.1".into(),
        address: ip(address),
        score,
        log10_lr: 0.1 + 0.7,
        log10_lr_without_strongest: -3.0,
        rank: 1,
        level: Level::Tenant,
        reasons: vec!["r".into()],
        against: Vec::new(),
        evidence: vec![evidence],
    }
}

#[test]
fn findings_come_back_to_the_last_bit_and_replace_those_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = made(folder.path());
    assert_eq!(case.findings().unwrap(), None);
    let cluster = Cluster { id: "a".into(), seeded: true, purity: 0.3, members: vec![finding("192.0.2.2", 0.7)] };
    let first = Findings {
        weights: "w 1".into(),
        hosts: 10,
        background: 8,
        ranking: vec![finding("192.0.2.3", 0.1)],
        clusters: vec![cluster],
    };
    case.save_findings(&Findings::default(), "ada", at(1)).unwrap();
    case.save_findings(&first, "ada", at(2)).unwrap();
    assert_eq!(case.findings().unwrap(), Some((first.clone(), at(2))));
    // Many numbers: most survive a careless reader of decimals, some do not.
    let mut many = first.clone();
    let evidence = many.ranking[0].evidence[0].clone();
    let numbers = (1_u32..2_000).map(|step| f64::from(step).sqrt().ln() / 3.7);
    many.ranking[0].evidence = numbers.map(|in_set| Evidence { in_set, ..evidence.clone() }).collect();
    case.save_findings(&many, "ada", at(2)).unwrap();
    assert!(case.findings().unwrap().unwrap().0 == many);
    case.save_findings(&first, "ada", at(2)).unwrap();
    let mut broken = first.clone();
    broken.ranking[0].evidence[0].in_set = f64::INFINITY;
    assert!(matches!(case.save_findings(&broken, "ada", at(3)), Err(StoreError::NotFinite { .. })));
    assert_eq!(case.findings().unwrap(), Some((first, at(2))));
    let other = rusqlite::Connection::open(case.path()).unwrap();
    let rows = |view: &str| {
        other.query_row(&format!("SELECT group_concat(ip) FROM {view}"), [], |row| row.get::<_, String>(0)).unwrap()
    };
    assert_eq!((rows("v_links"), rows("v_clusters")), ("192.0.2.3".into(), "192.0.2.2".into()));
}

#[test]
fn asked_bits_are_those_that_were_set_across_chunks_and_resumes() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = made(folder.path());
    let run = case.begin_run(&spec(5_000)).unwrap();
    let state = |index: u64, ordinal: u32| match (index * 7 + u64::from(ordinal)) % 3 {
        0 => AskedState::Silent,
        1 => AskedState::Refused,
        _ => AskedState::NotAsked,
    };
    let mut position = Position::default();
    for (turn, start) in [0_u64, 900, 3000].into_iter().enumerate() {
        // Each turn is a process of its own.
        let mut writer = RunWriter::open(case.path(), run).unwrap();
        assert_eq!(writer.position(), &position, "turn {turn}");
        for part in 0..3 {
            let batch: Vec<HostDone> = (start + part * 300..start + (part + 1) * 300)
                .map(|index| {
                    let services =
                        (0..2).map(|ordinal| ServiceDone { ordinal, state: state(index, ordinal), heard: Vec::new() });
                    HostDone { index, address: ip("192.0.2.1"), asn: None, prefix: None, services: services.collect() }
                })
                .collect();
            for host in &batch {
                position.mark(host.index);
            }
            writer.commit(&batch, &position, &Counters::default()).unwrap();
        }
    }
    let mut asked = case.asked(run).unwrap();
    let mut totals = [[0_u64; 2]; 2];
    for index in 0..5_000 {
        for ordinal in 0..2 {
            let told = index < 1_800 || (3_000..3_900).contains(&index);
            let expected = if told { state(index, ordinal) } else { AskedState::NotAsked };
            assert_eq!(asked.state(index, ordinal).unwrap(), expected, "{index} {ordinal}");
            match expected {
                AskedState::Silent => totals[ordinal as usize][0] += 1,
                AskedState::Refused => totals[ordinal as usize][1] += 1,
                _ => {}
            }
        }
    }
    let read: Vec<_> = asked.totals().unwrap().iter().map(|one| [one.silent, one.refused]).collect();
    assert_eq!(read, totals);
    assert_eq!(asked.state(0, 2).unwrap(), AskedState::NotAsked);
    assert_eq!(case.info().unwrap().hosts, 0, "the dead get no row");
}

/// Hosts of the killed scan.
const HOSTS: u64 = 6_000;

/// What host `index` gave: every third is dead, the others have a key of their own and a banner in common.
fn killed_host(index: u64) -> HostDone {
    let address = IpAddr::from(u32::try_from(0x0a00_0000 + index).unwrap().to_be_bytes());
    let service = Service { address, port: 22, speech: Speech::Ssh, name: None };
    let heard = index.to_string().repeat(300).into_bytes();
    let exchange = Exchange { heard, ..Exchange::unsent(Step::Kex(String::new()), End::Done, None) };
    let capture = Capture { exchanges: vec![exchange], ..Capture::default() };
    let observation =
        Observation { service, over_tls: false, started_at: at(1), outcome: Outcome::Answered, detail: None, capture };
    let facets = vec![
        Facet::new(FacetKind::SshBanner, "SSH-2.0-x"),
        Facet::new(FacetKind::SshHostKey, format!("SHA256:{index}")),
    ];
    let dead = index.is_multiple_of(3);
    let (state, heard) = if dead {
        (AskedState::Silent, Vec::new())
    } else {
        (AskedState::Heard, vec![(observation, reading(Outcome::Answered, facets))])
    };
    let services = vec![ServiceDone { ordinal: 1, state, heard }];
    HostDone { index, address, asn: None, prefix: None, services }
}

/// Goes on with the run until it is whole, completing hosts out of order within a window, in batches of 37.
fn go_on(path: &Path) {
    let case = Case::open(path).unwrap();
    let state = case.unfinished_run(&PLAN).unwrap().unwrap();
    let mut writer = RunWriter::open(path, state.id).unwrap();
    let (mut position, mut counters) = (state.position, state.counters);
    let mut batch = Vec::new();
    for block in 0..HOSTS.div_ceil(500) {
        for step in 0..500 {
            let index = block * 500 + step * 7 % 500;
            if index >= HOSTS || position.is_done(index) {
                continue;
            }
            position.mark(index);
            counters.hosts += 1;
            batch.push(killed_host(index));
            if batch.len() == 37 {
                writer.commit(&batch, &position, &counters).unwrap();
                batch.clear();
            }
        }
    }
    writer.commit(&batch, &position, &counters).unwrap();
}

/// Not a test by itself: the process that the next test kills. Does nothing unless told where the case is.
#[test]
fn a_process_to_be_killed() {
    if let Some(path) = std::env::var_os("HOSTKIN_TEST_KILLED_CASE") {
        go_on(&PathBuf::from(path));
    }
}

#[test]
fn a_scan_killed_again_and_again_stores_every_host_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = made(folder.path());
    let run = case.begin_run(&spec(HOSTS)).unwrap();
    let mut kills = 0;
    let mut before = 0;
    for turn in 0..12 {
        let mut child =
            child("store::a_process_to_be_killed").env("HOSTKIN_TEST_KILLED_CASE", case.path()).spawn().unwrap();
        // Let it commit something, then kill it wherever it is.
        let deadline = 500;
        for _ in 0..deadline {
            if case.run_state(run).unwrap().counters.hosts > before || child.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(turn * 3));
        kills += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        before = whole(&case, run);
    }
    assert!(kills > 0, "no process lived long enough to be killed");
    go_on(case.path());
    assert_eq!(whole(&case, run), HOSTS);
    let hosts = facts(&case);
    assert_eq!(hosts.len(), usize::try_from(HOSTS - HOSTS / 3).unwrap());
    assert!(hosts.iter().all(|host| host.facets.len() == 2));
}

/// Checks that position, rows and bits speak of the same hosts; gives how many are done.
fn whole(case: &Case, run: RunId) -> u64 {
    let state = case.run_state(run).unwrap();
    let mut asked = case.asked(run).unwrap();
    let mut rows = std::collections::BTreeSet::new();
    case.observations::<StoreError>(&ObservationFilter { captures: true, ..ObservationFilter::default() }, |row| {
        assert!(row.facets.len() == 2 && row.capture.is_some());
        assert!(rows.insert(row.address), "{} is there twice", row.address);
        Ok(())
    })
    .unwrap();
    let mut done = 0;
    for index in 0..HOSTS {
        let host = killed_host(index);
        let expected = if state.position.is_done(index) { host.services[0].state } else { AskedState::NotAsked };
        assert_eq!(asked.state(index, 1).unwrap(), expected, "host {index}");
        assert_eq!(rows.contains(&host.address), expected == AskedState::Heard, "host {index}");
        done += u64::from(state.position.is_done(index));
    }
    assert_eq!(state.counters.hosts, done);
    done
}

/// This test program again, running one test alone.
#[expect(clippy::disallowed_methods, reason = "a process to kill must be another one")]
fn child(test: &str) -> std::process::Command {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--quiet"]).stdout(std::process::Stdio::null());
    command
}

/// Not a test by itself: the same checks, by a user without the right to write. Does nothing unless told where.
#[test]
fn a_reader_without_rights() {
    if let Some(folder) = std::env::var_os("HOSTKIN_TEST_READ_ONLY_FOLDER") {
        without_rights(&PathBuf::from(folder));
    }
}

fn without_rights(folder: &Path) {
    let path = folder.join("pivot.case");
    assert!(matches!(Case::create(&folder.join("new.case"), &new_case()), Err(StoreError::ReadOnly)));
    assert!(matches!(Case::open(&path), Err(StoreError::ReadOnly)));
    assert!(matches!(RunWriter::open(&path, 1), Err(StoreError::ReadOnly)));
    let case = Case::open_read_only(&path).unwrap();
    assert_eq!(facts(&case).len(), 1);
    assert_eq!(case.info().unwrap().hosts, 1);
}

#[cfg(unix)]
#[test]
fn a_read_only_folder_can_be_read_and_says_why_it_cannot_be_written() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;

    let folder = tempfile::tempdir().unwrap();
    // A name that would break a URI.
    let locked = folder.path().join("a ?#%41 b");
    std::fs::create_dir(&locked).unwrap();
    let mut case = made(&locked);
    let ask = Ask {
        address: "192.0.2.1",
        port: 22,
        speech: Speech::Ssh,
        at_ms: 1,
        outcome: Outcome::Answered,
        facets: Vec::new(),
    };
    scanned(&mut case, vec![ask]);
    drop(case);
    let rights = |path: &Path, mode| set_permissions(path, Permissions::from_mode(mode)).unwrap();
    rights(folder.path(), 0o755);
    rights(&locked.join("pivot.case"), 0o444);
    rights(&locked, 0o555);
    if std::fs::File::create(locked.join("probe")).is_ok() {
        // A superuser may write everywhere: let nobody try, from a copy of this program that nobody may run.
        std::fs::remove_file(locked.join("probe")).unwrap();
        let program = folder.path().join("program");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        rights(&program, 0o755);
        let mut command = child("store::a_reader_without_rights");
        let mut as_nobody = clone_for(&mut command, &program);
        let status = as_nobody.uid(65_534).gid(65_534).env("HOSTKIN_TEST_READ_ONLY_FOLDER", &locked).status().unwrap();
        assert!(status.success());
    } else {
        without_rights(&locked);
    }
    rights(&locked, 0o755);
}

/// The same arguments for another copy of the program.
#[cfg(unix)]
#[expect(clippy::disallowed_methods, reason = "another user must be another process")]
fn clone_for(command: &mut std::process::Command, program: &Path) -> std::process::Command {
    let mut other = std::process::Command::new(program);
    other.args(command.get_args()).current_dir("/");
    other
}

#[test]
fn reading_a_case_leaves_no_file_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut case = made(folder.path());
    case.record(at(1), "ada", Action::Note, "", &json!({})).unwrap();
    drop(case);
    let case = Case::open_read_only(&folder.path().join("pivot.case")).unwrap();
    assert_eq!(case.records().unwrap().len(), 2);
    drop(case);
    assert_eq!(files(folder.path()), ["pivot.case"]);
}
