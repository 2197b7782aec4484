//! How the program ends: the code and the words for everything that can be wrong with a scope, a case, a command line, a
//! disk or a reader; and that what it writes is the same each time and can be read again.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ground::{Desk, Refusing, Said, Street, far_side, hear, page, say, scope};

fn street() -> Street {
    Street::new(|at| page(&format!("page of {at}, {}", u32::from(at) % 7)))
}

fn grants(street: &Street, networks: &str) -> Vec<(String, String)> {
    vec![(networks.to_owned(), format!("http = [{}]", street.port))]
}

/// Checks the code and that the words hold each of these; says nothing on standard output.
fn refused(said: &Said, code: i32, words: &[&str]) {
    assert_eq!(said.code, Some(code), "{said:?}");
    assert_eq!(said.out, "", "{said:?}");
    for word in words {
        assert!(said.err.contains(word), "`{word}` is not in: {}", said.err);
    }
}

// ---- scopes ----

#[test]
fn a_scope_that_is_not_in_order_sends_nothing_and_says_what_to_write() {
    let street = street();
    let good = scope(&grants(&street, "\"127.97.0.1\""), "");
    let cases: &[(&str, String, &[&str])] = &[
        ("empty", String::new(), &["scope.toml:1", "`schema` is missing", "hostkin/scope/1"]),
        ("not TOML", "title = ".into(), &["scope.toml:1", "not valid TOML"]),
        ("binary", "\0\u{1}\u{2}".into(), &["scope.toml"]),
        (
            "no authority",
            good.replace("authority = \"The test itself\"\n", ""),
            &["`authority` is missing", "add a line"],
        ),
        ("no grant", scope(&[], ""), &["grant"]),
        ("a word too many", format!("colour = 1\n{good}"), &["unknown key `colour`"]),
        ("no dates", good.replace("valid_until", "valid_til"), &["`valid_til`", "valid_until"]),
        ("expired", good.replace("2100-01-01", "2021-01-01"), &["has expired", "ask the authority"]),
        ("too early", good.replace("2020-01-01", "2099-01-01"), &["not yet valid", "`valid_from`"]),
        ("no contact", good.replace("lab = true", "lab = false"), &["`contact` is missing", "mailto:"]),
        ("no opt-out file", format!("{good}[exclude]\nfiles = [\"gone.txt\"]"), &["gone.txt"]),
    ];
    for (label, text, words) in cases {
        let desk = Desk::new(text);
        let new = desk.hostkin(&["new", "x.case", "--scope", "scope.toml"]);
        refused(&new, 3, words);
        refused(&desk.hostkin(&["probe", "127.97.0.1", "--scope", "scope.toml"]), 3, words);
        assert_eq!(desk.names(), ["scope.toml"], "{label}: no case was left behind");
        let check = desk.hostkin(&["scope", "check", "scope.toml"]);
        assert_eq!(check.code, Some(3), "{label}: {check:?}");
    }
    let desk = Desk::new(&good);
    for arguments in [
        &["new", "x.case", "--scope", "nowhere.toml"][..],
        &["probe", "127.97.0.1", "--scope", "nowhere.toml"],
        &["scope", "check", "nowhere.toml"],
    ] {
        refused(&desk.hostkin(arguments), 3, &["cannot read scope file nowhere.toml"]);
    }
    assert_eq!(street.connections(), 0, "nothing was sent");
}

#[test]
fn a_scope_that_changes_after_the_case_was_opened_counts_as_it_is_now() {
    let street = street();
    let good = scope(&grants(&street, "\"127.97.1.0/30\""), "");
    let desk = Desk::with_case(&good);
    let write = |text: &str| std::fs::write(desk.path("scope.toml"), text).unwrap();

    std::fs::remove_file(desk.path("scope.toml")).unwrap();
    refused(&desk.hostkin(&["scan", "x.case"]), 3, &["scope file of this case is gone", "Nothing was sent"]);
    refused(&desk.hostkin(&["plan", "x.case"]), 3, &["scope file of this case is gone"]);
    write(&good.replace("2100-01-01", "2021-01-01"));
    refused(&desk.hostkin(&["scan", "x.case"]), 3, &["has expired"]);
    write(&good.replace("lab = true", "lab = true\n["));
    refused(&desk.hostkin(&["scan", "x.case"]), 3, &["not valid TOML"]);
    write(&good.replace("127.97.1.0/30", "10.0.0.0/30"));
    refused(&desk.hostkin(&["scan", "x.case"]), 3, &["`10.0.0.0/30` is outside", "take it out"]);
    write(&good);
    refused(&desk.hostkin(&["scan", "x.case", "--targets", "127.97.9.0/24"]), 3, &["127.97.9.0", "Nothing was sent"]);
    assert_eq!(street.connections(), 0);
    assert!(desk.last_run().is_none(), "no run was begun");

    write(&good.replace("/30", "/31"));
    let narrower = desk.hostkin(&["scan", "x.case", "--favicon", "off"]).done();
    assert!(narrower.err.contains("not the text this case was opened with"), "{}", narrower.err);
    assert_eq!(street.asked().keys().map(|at| at.octets()[3]).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn targets_outside_the_scope_are_named_and_the_rest_is_asked() {
    let street = street();
    let desk = Desk::new(&scope(&grants(&street, "\"127.97.2.0/30\""), ""));
    let part = desk.hostkin(&["probe", "127.97.2.1", "127.97.3.1", "127.97.2.2:1", "--scope", "scope.toml"]);
    assert_eq!(part.code, Some(4), "{part:?}");
    assert_eq!(part.lines().len(), 1);
    assert!(part.err.contains("127.97.3.1") && part.err.contains("127.97.2.2"), "{}", part.err);
    refused(&desk.hostkin(&["probe", "127.97.3.1", "--scope", "scope.toml"]), 3, &["nothing was sent"]);
    assert_eq!(street.asked().into_keys().collect::<Vec<_>>(), [Ipv4Addr::new(127, 97, 2, 1)]);
}

// ---- use ----

#[test]
fn wrong_use_is_told_apart_from_faults() {
    let street = street();
    let desk = Desk::with_case(&scope(&grants(&street, "\"127.97.4.0/30\""), ""));
    for (arguments, word) in [
        (&[][..], "Usage"),
        (&["fly"], "fly"),
        (&["scan"], "CASE"),
        (&["new", "y.case"], "--scope"),
        (&["seed", "x.case", "127.97.4.1"], "--why"),
        (&["seed", "x.case", "127.97.4.1", "--why", " "], "--why"),
        (&["seed", "x.case", "nobody", "--why", "x"], "nobody"),
        (&["seed", "x.case", "--facet", "a.b=c", "--why", "x"], "a.b"),
        (&["seed", "x.case", "127.97.4.1", "--why", "x", "--date", "today"], "today"),
        (&["scan", "x.case", "--only", "telnet"], "telnet"),
        (&["scan", "x.case", "--only", "ssh"], "the scope grants http"),
        (&["scan", "x.case", "--shard", "4/3"], "4/3"),
        (&["scan", "x.case", "--rate", "0"], "rate"),
        (&["scan", "x.case", "--rate", "-1"], "-1"),
        (&["scan", "x.case", "--rate", "nan"], "rate"),
        (&["scan", "x.case", "--targets", "nowhere.txt"], "nowhere.txt"),
        (&["scan", "x.case", "--source", "192.0.2.1"], "cannot send from 192.0.2.1"),
        (&["probe", "127.97.4.1", "--scope", "scope.toml", "--source", "192.0.2.1"], "an address of this machine"),
        (&["probe", "example.org", "--scope", "scope.toml"], "example.org"),
        (&["find", "x.case", "colour = red"], "colour"),
        (&["export", "x.case", "everything"], "everything"),
        (&["export", "x.case", "report", "--format", "csv"], "one HTML page"),
        (&["seed", "x.case", "--why", "x"], "--facet"),
        (&["why", "x.case", "127.97.4.1", "127.97.4.1"], "named twice"),
        (&["diff", "x.case", "1", "2"], "there is no run 1; `hostkin info x.case` lists them"),
        (&["export", "x.case", "ranking", "--json", "--format", "csv"], "--format"),
    ] {
        refused(&desk.hostkin(arguments), 2, &[word]);
    }
    assert_eq!(street.connections(), 0);
    assert!(desk.last_run().is_none(), "no run was begun");
    for arguments in [
        &["--help"][..],
        &["scan", "--help"],
        &["--version"],
        &["generate", "man"],
        &["generate", "completions", "bash"],
    ] {
        let said = desk.hostkin(arguments).done();
        assert!(said.out.contains("hostkin") && said.err.is_empty(), "{said:?}");
    }
}

#[test]
fn a_seed_has_one_provider_and_one_way_to_write_it() {
    let street = street();
    let text = scope(&grants(&street, "\"127.97.4.0/30\""), "");
    let desk = Desk::with_case(&text);
    let seed = |more: &[&str]| desk.hostkin(&[&["seed", "x.case"], more, &["--why", "x"]].concat());
    seed(&["127.97.4.1", "--provider", "Alpha"]).done();
    let second = seed(&["127.97.4.2"]).done();
    assert!(second.err.contains("\"Alpha\" is the case's only one"), "{}", second.err);
    refused(&seed(&["127.97.4.3", "--provider", "al pha"]), 2, &["did you mean"]);
    refused(&seed(&["127.97.4.1", "--provider", "Beta"]), 2, &["hostkin unseed x.case 127.97.4.1"]);
    let other = seed(&["192.0.2.1", "--provider", "Beta"]).done();
    assert!(other.err.contains("evidence against") && other.err.contains("not in the scope"), "{}", other.err);
    refused(&seed(&["127.97.4.3"]), 2, &["\"Alpha\", \"Beta\""]);
    assert_eq!(desk.case().seeds().unwrap().len(), 3);

    let linked = desk.hostkin(&["link", "x.case"]).done();
    assert!(linked.err.contains("127.97.4.1") && linked.err.contains("not heard yet"), "{}", linked.err);
    assert_eq!(desk.hostkin(&["export", "x.case", "scope"]).done().out, text);
}

#[test]
fn what_was_asked_and_what_was_not_can_be_told_apart() {
    let street = street();
    let desk = Desk::with_case(&scope(&grants(&street, "\"127.97.14.0/29\""), ""));
    desk.hostkin(&["scan", "x.case", "--favicon", "off"]).done();
    let plan = desk.hostkin(&["plan", "x.case", "--favicon", "off"]).done();
    assert!(plan.out.contains("done before") && plan.out.contains("run 1"), "{}", plan.out);
    desk.hostkin(&["scan", "x.case", "--targets", "127.97.14.0/30", "--favicon", "off"]).done();
    let diff = desk.hostkin(&["diff", "x.case", "1", "2", "--json"]).done();
    assert!(diff.err.contains("did not ask the same (targets)"), "{}", diff.err);
    assert_eq!(diff.lines().len(), 4);
    refused(&desk.hostkin(&["why", "x.case", "192.0.2.1"]), 2, &["no scan of this case asks it"]);

    std::fs::write(desk.path("none.jsonl"), "{\"ip\" 1}\n").unwrap();
    let none = desk.hostkin(&["import", "x.case", "hosts", "none.jsonl"]);
    refused(&none, 4, &["line 1 is not a JSON object: expected `:`, column 7", "nothing was taken in"]);
    std::fs::write(desk.path("one.jsonl"), "{\"ip\":\"192.0.2.1\",\"ports\":[22],\"colour\":1}\n").unwrap();
    let one = desk.hostkin(&["import", "x.case", "hosts", "one.jsonl"]).done();
    assert!(one.err.contains("run 3: 1 host from") && one.err.contains("known keys are ip asn"), "{}", one.err);
    assert!(desk.hostkin(&["info", "x.case"]).done().out.contains(": 1 host\n"));
    assert!(desk.hostkin(&["find", "x.case", "port=23"]).done().err.contains("no host fits"));
    desk.hostkin(&["export", "x.case", "facets", "-o", "facets.csv"]).done();
    assert!(std::fs::read_to_string(desk.path("facets.csv")).unwrap().starts_with("kind,value,hosts\n"));
}

// ---- cases ----

#[test]
fn what_is_no_case_is_told_and_left_as_it_is() {
    let street = street();
    let desk = Desk::with_case(&scope(&grants(&street, "\"127.97.5.0/30\""), ""));
    std::fs::write(desk.path("notes.txt"), "My notes, longer than the header of a database. ".repeat(40)).unwrap();
    std::fs::write(desk.path("empty"), "").unwrap();
    std::fs::copy(desk.path("x.case"), desk.path("newer.case")).unwrap();
    let newer = rusqlite::Connection::open(desk.path("newer.case")).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    newer.close().unwrap();
    let before = |name: &str| std::fs::read(desk.path(name)).unwrap();
    let kept = (before("notes.txt"), before("newer.case"));
    for verb in [
        &["scan"][..],
        &["plan"],
        &["info"],
        &["link"],
        &["reread"],
        &["export", "observations"],
        &["export", "report"],
        &["find", "port=1"],
        &["why", "127.0.0.1"],
        &["seed", "127.0.0.1", "--why", "x"],
    ] {
        let on = |case: &'static str| {
            let (verb, rest) = verb.split_first().unwrap();
            desk.hostkin(&[&[*verb, case], rest].concat())
        };
        refused(&on("nowhere.case"), 1, &["nowhere.case"]);
        refused(&on("notes.txt"), 1, &["`notes.txt` is not a hostkin case"]);
        refused(&on("empty"), 1, &["`empty` is not a hostkin case"]);
        refused(&on("."), 1, &["is not a hostkin case"]);
        refused(&on("newer.case"), 1, &["made by a newer hostkin", "update hostkin"]);
    }
    assert_eq!(kept, (before("notes.txt"), before("newer.case")));
    assert!(before("empty").is_empty());
    assert_eq!(street.connections(), 0);
}

#[test]
fn nothing_that_exists_is_overwritten() {
    let street = street();
    let desk = Desk::with_case(&scope(&grants(&street, "\"127.97.6.0/30\""), ""));
    std::fs::write(desk.path("mine.txt"), "mine").unwrap();
    refused(
        &desk.hostkin(&["new", "mine.txt", "--scope", "scope.toml"]),
        1,
        &["`mine.txt` exists already", "another name"],
    );
    refused(&desk.hostkin(&["new", "x.case", "--scope", "scope.toml"]), 1, &["`x.case` exists already"]);
    for what in ["observations", "facets", "report"] {
        let said = desk.hostkin(&["export", "x.case", what, "-o", "mine.txt"]);
        refused(&said, 1, &["`mine.txt` exists already", "nothing was written"]);
    }
    assert_eq!(std::fs::read_to_string(desk.path("mine.txt")).unwrap(), "mine");
    refused(&desk.hostkin(&["export", "x.case", "facets", "-o", "no/such/folder"]), 1, &["no/such/folder"]);
    refused(&desk.hostkin(&["new", "no/x.case", "--scope", "scope.toml"]), 1, &["folder", "make it first"]);
    refused(&desk.hostkin(&["export", "x.case", "ranking"]), 1, &["never linked", "hostkin link x.case"]);
    assert!(!desk.names().iter().any(|name| name.contains("part")), "{:?}", desk.names());
    desk.hostkin(&["export", "x.case", "facets", "-o", "yours.txt"]).done();
    assert!(desk.names().contains(&"yours.txt".to_owned()));
}

#[test]
fn a_folder_that_cannot_be_written_to_can_be_read_and_says_why_not() {
    use std::fs::{Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;

    let street = street();
    let desk = Desk::with_case(&scope(&grants(&street, "\"127.97.7.0/30\""), ""));
    desk.hostkin(&["scan", "x.case"]).done();
    let before = street.connections();
    let rights = |name: &str, mode| set_permissions(desk.path(name), Permissions::from_mode(mode)).unwrap();
    // A superuser may write everywhere: let nobody try, from a copy of the program that nobody may run.
    let superuser = rustix::process::geteuid().is_root();
    let program = tempfile::tempdir().unwrap();
    set_permissions(program.path(), Permissions::from_mode(0o755)).unwrap();
    let copy = program.path().join("hostkin");
    std::fs::copy(env!("CARGO_BIN_EXE_hostkin"), &copy).unwrap();
    rights("x.case", 0o444);
    rights("scope.toml", 0o444);
    rights("", 0o555);
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&copy);
        command.args(arguments).current_dir(desk.path("")).stdin(Stdio::null());
        if superuser {
            command.uid(65_534).gid(65_534);
        }
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    };
    for arguments in [
        &["scan", "x.case"][..],
        &["link", "x.case"],
        &["reread", "x.case"],
        &["seed", "x.case", "127.97.7.1", "--why", "x"],
        &["new", "y.case", "--scope", "scope.toml"],
    ] {
        refused(&run(arguments), 1, &["cannot be written to", "copy the case"]);
    }
    refused(&run(&["export", "x.case", "facets", "-o", "y.csv"]), 1, &["y.csv"]);
    assert_eq!(run(&["export", "x.case", "observations", "--json"]).done().lines().len(), 4);
    assert!(run(&["info", "x.case"]).done().out.contains('4'));
    assert!(run(&["plan", "x.case"]).done().err.contains("nothing was sent"));
    rights("", 0o755);
    assert_eq!(street.connections(), before, "a scan that cannot keep what it hears asks nobody");
}

// ---- readers and disks ----

/// A case with rows enough to fill any pipe.
fn filled(third: u8) -> (Desk, Street) {
    let street = street();
    let desk = Desk::with_case(&scope(&grants(&street, &format!("\"127.97.{third}.0/24\"")), ""));
    desk.hostkin(&["scan", "x.case", "--favicon", "off", "--seed", "3"]).done();
    desk.hostkin(&["seed", "x.case", &format!("127.97.{third}.7"), "--why", "a test", "--provider", "=Seven"]).done();
    desk.hostkin(&["seed", "x.case", &format!("127.97.{third}.14"), "--why", "a test", "--provider", "=Seven"]).done();
    (desk, street)
}

const EXPORTS: [&[&str]; 5] = [
    &["export", "x.case", "observations", "--json"],
    &["export", "x.case", "observations", "--format", "csv"],
    &["export", "x.case", "observations"],
    &["export", "x.case", "facets", "--json"],
    &["find", "-q", "x.case", "http.server=small", "--format", "csv"],
];

#[test]
fn a_reader_who_has_seen_enough_is_no_fault() {
    let (desk, _street) = filled(8);
    for arguments in EXPORTS {
        let mut child = desk.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        reader.read_line(&mut String::new()).unwrap();
        drop(reader);
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_full_disk_is_told() {
    let (desk, _street) = filled(9);
    for arguments in EXPORTS {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = desk.command(arguments).stdout(full).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(err.contains("No space left"), "{arguments:?}: {err}");
    }
}

// ---- what is written ----

/// DESIGN 4.3.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read for its form")]
struct ObservationRow {
    schema: String,
    ip: std::net::IpAddr,
    port: u16,
    protocol: String,
    name: Option<String>,
    outcome: String,
    detail: Option<String>,
    started_at: String,
    connections: u64,
    bytes_sent: u64,
    bytes_heard: u64,
    over: Option<String>,
    facets: Vec<FacetRow>,
}

/// A facet of it.
#[derive(Deserialize)]
#[expect(dead_code, reason = "read for its form")]
struct FacetRow {
    kind: String,
    value: Value,
}

/// DESIGN 4.6.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read for its form")]
struct ClusterRow {
    cluster_id: String,
    ip: std::net::IpAddr,
    score: f64,
    log10_lr: f64,
    level: String,
    first_seen: String,
    last_seen: String,
    ports: Vec<u16>,
    asn: Option<u32>,
    prefix: Option<String>,
    reasons: Vec<Value>,
    against: Vec<Value>,
    evidence: Vec<Value>,
}

/// DESIGN 4.6.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read for its form")]
struct RankingRow {
    provider: String,
    seed: String,
    ip: std::net::IpAddr,
    score: f64,
    log10_lr: f64,
    rank: u64,
    reasons: Vec<Value>,
    against: Vec<Value>,
}

/// DESIGN 4.7.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "read for its form")]
struct SummaryFile {
    run: i64,
    complete: bool,
    hosts: u64,
    services: u64,
    connections: u64,
    answered: u64,
    bytes_sent: u64,
    bytes_heard: u64,
    seconds: f64,
    cpu_seconds: f64,
    peak_rss_bytes: u64,
    rate_asked: Option<f64>,
    rate_reached: f64,
    seed: u64,
    shard: String,
    discovery: String,
    scope_sha256: String,
    version: String,
    outcomes: std::collections::BTreeMap<String, u64>,
}

/// Every line, read again with unknown fields refused.
fn read_again<T: DeserializeOwned>(said: &Said) -> Vec<T> {
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    said.out.lines().map(read).collect()
}

#[test]
fn lines_can_be_read_again_and_the_same_case_gives_the_same_bytes() {
    let (desk, street) = filled(10);
    desk.hostkin(&["link", "x.case"]).done();
    let asked = street.connections();
    let export = |what: &[&str]| desk.hostkin(&[&["export", "x.case"], what].concat()).done();

    assert_eq!(read_again::<ObservationRow>(&export(&["observations", "--json"])).len(), 256);
    let clusters = read_again::<ClusterRow>(&export(&["clusters", "--json"]));
    let ranking = read_again::<RankingRow>(&export(&["ranking", "--json"]));
    assert!(!clusters.is_empty() && !ranking.is_empty());
    assert!(ranking.iter().all(|row| row.score >= 0.001 && row.score <= 1.0));

    for what in ["clusters", "ranking", "observations", "facets"] {
        for form in ["table", "csv", "jsonl"] {
            let one = export(&[what, "--format", form]).out;
            assert_eq!(one, export(&[what, "--format", form]).out, "{what} as {form}");
            assert!(!one.is_empty());
        }
        let lines = export(&[what, "--json"]).lines();
        let csv = export(&[what, "--format", "csv"]).out;
        let mut csv = csv::Reader::from_reader(csv.as_bytes());
        let columns = csv.headers().unwrap().clone();
        assert_eq!(csv.records().count(), lines.len(), "{what}");
        if what != "observations" {
            let keys: std::collections::BTreeSet<&str> = columns.iter().collect();
            assert!(
                lines.iter().all(|row| row
                    .as_object()
                    .unwrap()
                    .keys()
                    .map(String::as_str)
                    .collect::<std::collections::BTreeSet<_>>()
                    == keys),
                "{what}"
            );
        }
    }
    let csv = export(&["ranking", "--format", "csv"]).out;
    assert!(csv.contains("'=Seven") && !csv.contains("\n=Seven"), "a formula stays text: {csv}");
    let report = export(&["report"]).out;
    assert_eq!(report, export(&["report"]).out);
    export(&["report", "-o", "report.html"]);
    assert_eq!(report, std::fs::read_to_string(desk.path("report.html")).unwrap());

    // Linked again, the same findings come out.
    let before = (export(&["clusters", "--json"]).out, export(&["ranking", "--json"]).out);
    desk.hostkin(&["link", "x.case"]).done();
    assert_eq!(before, (export(&["clusters", "--json"]).out, export(&["ranking", "--json"]).out));

    // And read again, what was heard says the same.
    let observations = export(&["observations", "--json"]).out;
    let reread = desk.hostkin(&["reread", "x.case"]).done();
    assert!(reread.err.contains("256 observations read again, 0 of them"), "{}", reread.err);
    assert_eq!(observations, export(&["observations", "--json"]).out);
    assert_eq!(street.connections(), asked, "nobody was asked for all this");
}

#[test]
fn a_summary_has_the_promised_keys_and_figures_that_add_up() {
    let (street, refusing) = (street(), Refusing::new());
    let ports = format!("http = [{}, {}]", street.port, refusing.port);
    let desk =
        Desk::with_case(&scope(&[("\"127.97.11.0/28\"".into(), ports)], "[limits]\nconnections_per_second = 500"));
    desk.hostkin(&["scan", "x.case", "--favicon", "off", "--summary", "summary.json"]).done();
    let text = std::fs::read_to_string(desk.path("summary.json")).unwrap();
    let summary: SummaryFile = serde_json::from_str(&text).unwrap();
    assert!(summary.complete);
    assert_eq!((summary.hosts, summary.services, summary.connections, summary.answered), (16, 32, 32, 16));
    assert_eq!(summary.outcomes.into_iter().collect::<Vec<_>>(), [("answered".into(), 16), ("refused".into(), 16)]);
    assert_eq!((summary.rate_asked, summary.shard.as_str()), (Some(500.0), "1/1"));
    assert!(summary.bytes_sent > 0 && summary.bytes_heard > 0 && summary.rate_reached <= 510.0);
    let info: Value = serde_json::from_str(&desk.hostkin(&["info", "x.case", "--json"]).done().out).unwrap();
    assert!(info.is_object());
}

#[test]
fn a_dead_address_costs_probe_a_row_and_scan_a_bit() {
    let refusing = Refusing::new();
    let answering = far_side(Ipv4Addr::new(127, 97, 12, 1), |stream| {
        hear(stream);
        say(stream, page("here").as_bytes());
    });
    let ports = format!("http = [{}, {}]", answering.port(), refusing.port);
    let desk = Desk::with_case(&scope(&[("\"127.97.12.1\"".into(), ports)], ""));
    let mut probed: Vec<String> = desk
        .hostkin(&["probe", "127.97.12.1", "--scope", "scope.toml"])
        .done()
        .lines()
        .iter()
        .map(|row| row["outcome"].as_str().unwrap().to_owned())
        .collect();
    probed.sort();
    assert_eq!(probed, ["answered", "refused"]);
    desk.hostkin(&["scan", "x.case"]).done();
    let scanned = desk.hostkin(&["export", "x.case", "observations", "--json"]).done().lines();
    assert_eq!(scanned.len(), 1);
}

#[test]
fn what_a_fault_of_our_own_left_unasked_is_a_row_and_not_a_success() {
    let street = street();
    let desk = Desk::with_case(&scope(&grants(&street, "\"127.97.13.0/31\""), ""));
    // An address of this machine, but of another family than the targets'.
    let part = desk.hostkin(&["scan", "x.case", "--source", "::1"]);
    assert_eq!(part.code, Some(4), "{part:?}");
    assert!(part.err.contains("2 services could not be asked"), "{}", part.err);
    let rows = desk.hostkin(&["export", "x.case", "observations", "--json"]).done().lines();
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!(row["outcome"], "failed");
        assert!(row["detail"].as_str().unwrap().contains("cannot send from ::1"), "{row}");
    }
    assert_eq!(street.connections(), 0);
}
