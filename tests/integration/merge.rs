//! Shards scanned into cases of their own and merged are the whole scan; what does not fit is refused, and nothing is left
//! half done.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use hostkin::store::{AskedState, Case, Run, State};
use serde_json::Value;

use super::ground::{Desk, Refusing, Street, page, scope, until};

/// A street on which some addresses share a page, some have their own, and one port refuses.
struct Ground {
    street: Street,
    refusing: Refusing,
}

impl Ground {
    fn new() -> Self {
        let answer = |at: std::net::Ipv4Addr| match at.octets()[3] {
            last if last % 4 == 0 => String::new(),
            last if last % 4 == 1 => page("one of many"),
            last => page(&format!("page {last}")),
        };
        Self { street: Street::new(answer), refusing: Refusing::new() }
    }

    fn scope(&self, networks: &str) -> String {
        scope(&[(networks.into(), format!("http = [{}, {}]", self.street.port, self.refusing.port))], "")
    }

    /// A desk whose case is scanned with these options.
    fn scanned(&self, networks: &str, options: &[&str]) -> Desk {
        let desk = Desk::with_case(&self.scope(networks));
        desk.hostkin(&[&["scan", "x.case"], options].concat()).done();
        desk
    }
}

fn path(desk: &Desk) -> String {
    desk.path("x.case").to_string_lossy().into_owned()
}

fn merge(into: &Desk, shards: &[&Desk]) -> super::ground::Said {
    let paths: Vec<String> = shards.iter().map(|desk| path(desk)).collect();
    let mut arguments = vec!["merge", "x.case"];
    arguments.extend(paths.iter().map(String::as_str));
    into.hostkin(&arguments)
}

fn export(desk: &Desk, what: &str) -> Vec<Value> {
    let mut rows = desk.hostkin(&["export", "x.case", what, "--json"]).done().lines();
    for row in &mut rows {
        for time in ["started_at", "first_seen", "last_seen"] {
            row.as_object_mut().unwrap().remove(time);
        }
    }
    rows
}

/// Every state of a run, in the order of indices.
fn states(case: &Case, run: &Run) -> Vec<AskedState> {
    let mut asked = case.asked(run.id).unwrap();
    let services = (0..run.hosts).flat_map(|index| (0..run.services).map(move |ordinal| (index, ordinal)));
    services.map(|(index, ordinal)| asked.state(index, ordinal).unwrap()).collect()
}

/// All that a case holds, runs and records included.
fn everything(desk: &Desk) -> (Vec<Value>, Vec<Run>, usize, Value) {
    let mut info = desk.hostkin(&["info", "x.case", "--json"]).done().lines().remove(0);
    info.as_object_mut().unwrap().remove("file_bytes");
    let case = desk.case();
    (
        desk.hostkin(&["export", "x.case", "observations", "--json"]).done().lines(),
        case.runs().unwrap(),
        case.records().unwrap().len(),
        info,
    )
}

#[test]
fn shards_merged_are_the_whole_scan() {
    let ground = Ground::new();
    let networks = "\"127.99.0.0/25\", \"127.99.9.0/29\"";
    let shards: Vec<Desk> =
        ["1/3", "2/3", "3/3"].iter().map(|shard| ground.scanned(networks, &["--shard", shard])).collect();
    let seeds: BTreeSet<u64> = shards.iter().map(|desk| desk.last_run().unwrap().seed).collect();
    assert_eq!(seeds.len(), 1, "without --seed every shard derives the same order");
    let seed = seeds.first().unwrap().to_string();
    let whole = ground.scanned(networks, &["--seed", &seed]);

    let merged = Desk::with_case(&ground.scope(networks));
    // The order in which shards are named does not matter.
    let said = merge(&merged, &[&shards[2], &shards[0], &shards[1]]).done();
    assert!(said.err.contains("all 3 shards are here"), "{}", said.err);
    let rows = export(&merged, "observations");
    assert_eq!(rows.len(), 136, "one row for each host, the refusing port has none");
    assert_eq!(rows, export(&whole, "observations"), "line by line");

    for desk in [&merged, &whole] {
        desk.hostkin(&["seed", "x.case", "127.99.0.1", "--why", "a test"]).done();
        desk.hostkin(&["link", "x.case"]).done();
    }
    for what in ["facets", "ranking", "clusters"] {
        assert_eq!(export(&merged, what), export(&whole, what), "{what}");
    }
    assert!(!export(&merged, "ranking").is_empty());

    let case = merged.case();
    let runs = case.runs().unwrap();
    let whole_run = whole.last_run().unwrap();
    for (number, (run, shard)) in (1..).zip(runs.iter().zip(&shards)) {
        let theirs = shard.last_run().unwrap();
        assert_eq!((run.shard, run.state, run.seed), ((number, 3), State::Done, whole_run.seed));
        let kept = Run { id: run.id, ..theirs.clone() };
        assert_eq!(*run, kept, "all that the shard's case says of its run");
        assert_eq!(states(&case, run), states(&shard.case(), &theirs));
    }
    assert_eq!(runs.iter().map(|run| run.hosts).sum::<u64>(), whole_run.hosts);
    let (info, alone) = (case.info().unwrap(), whole.case().info().unwrap());
    let counts = |info: &hostkin::store::CaseInfo| (info.hosts, info.observations, info.facets, info.values);
    assert_eq!(counts(&info), counts(&alone));

    let records = case.records().unwrap();
    let merges: Vec<_> = records.iter().filter(|record| record.action == "merge").collect();
    assert_eq!(merges.len(), 3, "one record a shard");
    assert_eq!((&merges[1].body["shard"], &merges[1].body["from"]), (&"2/3".into(), &"x.case".into()));
    assert_eq!(merges[1].body["records_sha256"].as_str().unwrap().len(), 64);
    let observed: u64 = merges.iter().map(|record| record.body["observations"].as_u64().unwrap()).sum();
    assert_eq!(observed, 136);
    let first = merged.hostkin(&["info", "x.case"]).done().out;
    assert!(first.contains("run 3"), "{first}");
}

#[test]
fn merging_again_adds_nothing_and_a_shard_at_a_time_ends_the_same() {
    let ground = Ground::new();
    let networks = "\"127.99.1.0/26\"";
    let shards: Vec<Desk> = ["1/2", "2/2"].iter().map(|shard| ground.scanned(networks, &["--shard", shard])).collect();
    let merged = Desk::with_case(&ground.scope(networks));
    let said = merge(&merged, &[&shards[1]]).done();
    assert!(said.err.contains("1 of 2 shards are here; missing: 1/2"), "{}", said.err);
    let said = merge(&merged, &[&shards[0], &shards[1], &shards[0]]).done();
    assert!(said.err.contains("shard 2/2 is run 1: merged before; nothing added"), "{}", said.err);
    assert!(said.err.contains("all 2 shards are here"), "{}", said.err);
    let before = everything(&merged);
    assert_eq!(before.0.len(), 64);
    let said = merge(&merged, &[&shards[0], &shards[1]]).done();
    assert_eq!(said.err.matches("nothing added").count(), 2, "{}", said.err);
    assert_eq!(everything(&merged), before);

    // A shard's own case can take the others in.
    merge(&shards[0], &[&shards[1]]).done();
    assert_eq!(export(&shards[0], "observations"), export(&merged, "observations"));
    // And a copy of what is here already, merged or scanned here, adds nothing.
    let said = merge(&merged, &[&shards[0]]).done();
    assert_eq!(said.err.matches("nothing added").count(), 2, "{}", said.err);
    assert_eq!(everything(&merged), before);
}

#[test]
fn a_shard_that_was_not_done_is_merged_again_when_it_is() {
    let ground = Ground::new();
    let networks = "\"127.99.2.0/24\"";
    let shard = Desk::with_case(&ground.scope(networks));
    let options = ["scan", "x.case", "--shard", "1/2", "--rate", "120"];
    let mut child = shard.start(&options, "said.txt");
    until("something is committed", || shard.hosts_done() > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(shard.hosts_done() < 128);

    let merged = Desk::with_case(&ground.scope(networks));
    let said = merge(&merged, &[&shard]).done();
    assert!(said.err.contains("shard 1/2 is not done"), "{}", said.err);
    let run = merged.last_run().unwrap();
    assert_eq!(
        (run.state, merged.hosts_done()),
        (State::Stopped, shard.hosts_done()),
        "what runs there is not running here"
    );

    shard.hostkin(&["scan", "x.case", "--shard", "1/2"]).done();
    let said = merge(&merged, &[&shard]).done();
    assert!(said.err.contains("more observations, 128 of 128 hosts done"), "{}", said.err);
    assert_eq!(export(&merged, "observations"), export(&shard, "observations"));
    let (case, theirs) = (merged.case(), shard.last_run().unwrap());
    let run = merged.last_run().unwrap();
    assert_eq!((run.id, run.state, &run.counters), (1, State::Done, &theirs.counters));
    assert_eq!(states(&case, &run), states(&shard.case(), &theirs));
    // A shard that stopped for good can be gone on with where it was merged into.
    let one = Desk::with_case(&ground.scope(networks));
    let mut child = one.start(&["scan", "x.case", "--shard", "2/2", "--rate", "120"], "said.txt");
    until("something is committed", || one.hosts_done() > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    merge(&merged, &[&one]).done();
    merged.hostkin(&["scan", "x.case", "--shard", "2/2"]).done();
    let run = merged.last_run().unwrap();
    assert_eq!((run.id, run.state), (2, State::Done), "a merged run can be gone on with");
    let said = merge(&merged, &[&one]).done();
    assert!(said.err.contains("nothing added"), "{}", said.err);
}

#[test]
fn what_does_not_fit_is_refused_with_the_field_that_differs() {
    let ground = Ground::new();
    let networks = "\"127.99.3.0/27\"";
    let first = ground.scanned(networks, &["--shard", "1/2"]);
    let other = |options: &[&str]| ground.scanned(networks, options);
    let scope_of_more = ground.scanned("\"127.99.3.0/27\", \"127.99.3.64/32\"", &["--shard", "2/2"]);
    let cases: Vec<(Desk, &str, &str)> = vec![
        (other(&["--shard", "2/2", "--seed", "7"]), "the seed of the order is 7", "same --seed"),
        (other(&["--shard", "2/2", "--targets", "127.99.3.0/28"]), "targets_sha256", "same --targets"),
        (other(&["--shard", "2/2", "--favicon", "off"]), "favicon is false there and true here", "same options"),
        (other(&["--shard", "2/3"]), "the number of shards is 3 there and 2 here", "one division"),
        (scope_of_more, "the scope's sha256", "same scope file"),
        (other(&["--shard", "1/2"]), "shard 1/2 was scanned twice", "--seed of its own"),
        (other(&["--seed", "7"]), "holds no scan of a shard", "--shard I/N"),
    ];
    for (desk, field, remedy) in &cases {
        let merged = Desk::with_case(&ground.scope(networks));
        let before = everything(&merged);
        let said = merge(&merged, &[&first, desk]);
        assert_eq!(said.code, Some(2), "{field}: {said:?}");
        assert!(said.err.contains(field) && said.err.contains(remedy), "{field}, {remedy}: {}", said.err);
        assert_eq!(everything(&merged), before, "{field}: the case is unchanged");
        // The same after the first is in.
        merge(&merged, &[&first]).done();
        let before = everything(&merged);
        let said = merge(&merged, &[desk]);
        assert_eq!(said.code, Some(2), "{field}: {said:?}");
        assert!(said.err.contains(field), "{field}: {}", said.err);
        assert_eq!(everything(&merged), before, "{field}: the case is unchanged");
    }
    // A case that does not hold the shards' scope.
    let stranger = Desk::with_case(&ground.scope("\"127.99.3.0/26\""));
    let said = merge(&stranger, &[&first]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("a scope this case does not hold"), "{}", said.err);
    // The case as its own shard, under another name too.
    std::fs::hard_link(first.path("x.case"), first.path("y.case")).unwrap();
    for name in ["x.case", "./x.case", "y.case"] {
        let said = first.hostkin(&["merge", "x.case", name]);
        assert!(said.code == Some(2) && said.err.contains("is the case itself"), "{said:?}");
    }
}

#[test]
fn a_file_that_is_no_case_or_newer_or_missing_is_refused() {
    let ground = Ground::new();
    let networks = "\"127.99.4.0/28\"";
    let shard = ground.scanned(networks, &["--shard", "1/2"]);
    let merged = Desk::with_case(&ground.scope(networks));
    let before = everything(&merged);
    let newer = shard.path("newer.case");
    std::fs::copy(shard.path("x.case"), &newer).unwrap();
    version_up(&newer);
    std::fs::write(shard.path("text.case"), "no case").unwrap();
    for (name, words) in
        [("newer.case", "made by a newer hostkin"), ("text.case", "is not a hostkin case"), ("none.case", "no case at")]
    {
        let (good, bad) = (path(&shard), shard.path(name));
        let said = merged.hostkin(&["merge", "x.case", &good, bad.to_str().unwrap()]);
        assert!(said.code == Some(1) && said.err.contains(words), "{name}: {said:?}");
        assert_eq!(everything(&merged), before, "{name}");
    }
}

/// Raises the schema version that stands in a case's first page (SQLite's file format, 1.3: bytes 60 to 63).
fn version_up(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[60..64].copy_from_slice(&1_000_u32.to_be_bytes());
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_merge_killed_at_any_moment_leaves_all_or_nothing() {
    let ground = Ground::new();
    let networks = "\"127.99.5.0/24\", \"127.99.6.0/24\"";
    let shards: Vec<Desk> = ["1/2", "2/2"].iter().map(|shard| ground.scanned(networks, &["--shard", shard])).collect();
    let (one, other) = (path(&shards[0]), path(&shards[1]));
    let merged = Desk::with_case(&ground.scope(networks));
    let mut broken = 0;
    for round in 0.. {
        let mut child = merged.start(&["merge", "x.case", &one, &other], "said.txt");
        std::thread::sleep(Duration::from_millis(2 + 4 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let runs = merged.case().runs().unwrap().len();
        let rows = export(&merged, "observations").len();
        match (runs, rows) {
            (0, 0) => broken += 1,
            (2, 512) => break,
            half => panic!("half a merge: {half:?}"),
        }
    }
    assert!(broken > 0, "no kill came before the end: this test shows nothing");
    merge(&merged, &[&shards[0], &shards[1]]).done();
    let whole = ground.scanned(networks, &["--seed", &shards[0].last_run().unwrap().seed.to_string()]);
    assert_eq!(export(&merged, "observations"), export(&whole, "observations"));
}
