//! Shards of one seed are disjoint and together complete; a run keeps its seed; `--new` starts another.

use std::collections::BTreeSet;

use hostkin::store::State;
use serde_json::Value;

use super::ground::{Desk, Street, page, scope};

fn street() -> Street {
    Street::new(|at| page(&format!("page of {at}")))
}

fn text(street: &Street, networks: &str, more: &str) -> String {
    scope(&[(networks.into(), format!("http = [{}]", street.port))], more)
}

/// Rows without when, as text: one for each service.
fn rows(desk: &Desk) -> BTreeSet<String> {
    let lines = desk.hostkin(&["export", "x.case", "observations", "--json"]).done().lines();
    let count = lines.len();
    let rows: BTreeSet<String> = lines
        .into_iter()
        .map(|mut row| {
            row.as_object_mut().unwrap().remove("started_at");
            row.to_string()
        })
        .collect();
    assert_eq!(rows.len(), count, "no service twice");
    rows
}

fn summary(desk: &Desk) -> Value {
    serde_json::from_slice(&std::fs::read(desk.path("summary.json")).unwrap()).unwrap()
}

#[test]
fn three_shards_in_three_cases_are_disjoint_and_together_the_whole() {
    let street = street();
    // Not a multiple of three.
    let text = text(&street, "\"127.96.0.0/25\", \"127.96.9.0/29\"", "[exclude]\nnetworks = [\"127.96.0.16/28\"]");
    let whole = Desk::with_case(&text);
    whole.hostkin(&["scan", "x.case", "--seed", "4"]).done();
    let whole = rows(&whole);
    assert_eq!(whole.len(), 128 + 8 - 16);

    let mut all = BTreeSet::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let desk = Desk::with_case(&text);
        let options = ["scan", "x.case", "--seed", "4", "--shard", shard, "--summary", "summary.json"];
        desk.hostkin(&options).done();
        let part = rows(&desk);
        assert!((39..=41).contains(&part.len()), "{shard}: {}", part.len());
        assert!(part.is_disjoint(&all), "{shard} asked what another had");
        all.extend(part);
        let summary = summary(&desk);
        assert_eq!((&summary["shard"], &summary["seed"]), (&shard.into(), &4.into()));
    }
    assert_eq!(all, whole);
}

#[test]
fn shards_share_the_rate_between_them() {
    let street = street();
    let text = text(&street, "\"127.96.1.0/29\"", "[limits]\nconnections_per_second = 90");
    let desk = Desk::with_case(&text);
    desk.hostkin(&["scan", "x.case", "--seed", "4", "--shard", "2/3", "--summary", "summary.json"]).done();
    assert_eq!(summary(&desk)["rate_asked"], 30.0);
}

#[test]
fn a_resumed_run_keeps_its_seed_and_another_shard_is_another_run() {
    let street = street();
    let desk = Desk::with_case(&text(&street, "\"127.96.2.0/24\"", ""));
    let mut child = desk.start(&["scan", "x.case", "--seed", "21", "--rate", "200", "--in-flight", "8"], "said.txt");
    super::ground::until("something is committed", || desk.hosts_done() > 0);
    child.kill().unwrap();
    child.wait().unwrap();

    // Another share of the hosts is another plan.
    desk.hostkin(&["scan", "x.case", "--seed", "5", "--shard", "1/64"]).done();
    let runs = desk.case().runs().unwrap();
    assert_eq!((runs.len(), runs[1].seed, runs[1].hosts), (2, 5, 4));

    let resumed = desk.hostkin(&["scan", "x.case", "--seed", "22", "--summary", "summary.json"]).done();
    assert!(resumed.err.contains("going on with run 1"), "{}", resumed.err);
    assert!(resumed.err.contains("--seed is not used"), "{}", resumed.err);
    assert_eq!(summary(&desk)["seed"], 21);
    let runs = desk.case().runs().unwrap();
    assert_eq!((runs.len(), runs[0].seed, runs[0].state, runs[0].counters.hosts), (2, 21, State::Done, 256));
}

#[test]
fn new_starts_another_run_although_one_is_unfinished() {
    let street = street();
    let desk = Desk::with_case(&text(&street, "\"127.96.3.0/25\"", ""));
    let mut child = desk.start(&["scan", "x.case", "--seed", "1", "--rate", "200", "--in-flight", "8"], "said.txt");
    super::ground::until("something is committed", || desk.hosts_done() > 0);
    child.kill().unwrap();
    child.wait().unwrap();

    let options = ["scan", "x.case", "--new", "--seed", "2", "--favicon", "on"];
    let new = desk.hostkin(&options).done();
    assert!(new.err.contains("run 2: 128 hosts"), "{}", new.err);
    let runs = desk.case().runs().unwrap();
    assert_eq!(runs.len(), 2);
    assert!(runs[0].can_be_continued(), "the first waits to be continued");
    assert_eq!((runs[1].seed, runs[1].state, runs[1].counters.hosts), (2, State::Done, 128));

    // Without it the unfinished one is taken up; and once both are done, a scan is a third.
    let first = desk.hostkin(&["scan", "x.case"]).done();
    assert!(first.err.contains("going on with run 1"), "{}", first.err);
    desk.hostkin(&["scan", "x.case"]).done();
    let runs = desk.case().runs().unwrap();
    assert_eq!(runs.iter().map(|run| run.state).collect::<Vec<_>>(), [State::Done; 3]);
    assert_ne!(runs[2].seed, runs[0].seed, "drawn at random");
    let both = desk.hostkin(&["diff", "x.case", "1", "2", "--json"]).done();
    assert_eq!(both.out, "", "the same street says the same twice");
}
