//! Killed, interrupted and taken up again: whatever ends the program, a scan that goes on ends as one that never ended.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use hostkin::store::{AskedState, Case, Run, State};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::ground::{Desk, Refusing, Street, page, scope, until};

/// Hosts in a /22.
const HOSTS: u64 = 1024;
/// Of which this many ports are asked: four that answer and one that refuses.
const ANSWERING: usize = 4;
const KILLS: u32 = 20;
/// Hosts at once.
const IN_FLIGHT: u64 = 32;
/// Connections a second: slow enough for twenty kills to fit.
const RATE: &str = "900";

/// The ports of a street on which every address has pages of its own, some hang up, and one port refuses.
struct Ports {
    streets: Vec<Street>,
    refusing: Refusing,
}

impl Ports {
    fn new() -> Self {
        let street = |place: usize| {
            Street::new(move |at| {
                let number = u32::from(at);
                if number % 16 == u32::try_from(place).unwrap() {
                    return String::new();
                }
                page(&format!("{place} of {number}"))
            })
        };
        Self { streets: (0..ANSWERING).map(street).collect(), refusing: Refusing::new() }
    }

    fn scope(&self, networks: &str) -> String {
        let mut ports: Vec<u16> = self.streets.iter().map(|street| street.port).collect();
        ports.push(self.refusing.port);
        scope(&[(networks.into(), format!("http = {ports:?}"))], "")
    }

    fn connections(&self) -> u64 {
        self.streets.iter().map(|street| u64::from(street.connections())).sum()
    }
}

/// What the case says of every service, without when.
fn timeless(desk: &Desk) -> Vec<Value> {
    let mut rows = desk.hostkin(&["export", "x.case", "observations", "--json"]).done().lines();
    for row in &mut rows {
        assert!(row.as_object_mut().unwrap().remove("started_at").is_some());
    }
    rows
}

/// The bits of every service of the last run, in the order of indices.
fn bits(case: &Case, hosts: u64) -> Vec<AskedState> {
    let run = case.runs().unwrap().pop().unwrap();
    let mut asked = case.asked(run.id).unwrap();
    let services = (0..hosts).flat_map(|index| (0..run.services).map(move |ordinal| (index, ordinal)));
    services.map(|(index, ordinal)| asked.state(index, ordinal).unwrap()).collect()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_scan_killed_twenty_times_ends_as_one_that_was_never_killed() {
    hostkin::scan::raise_descriptor_limit().unwrap();
    let ports = Ports::new();
    let text = ports.scope("\"127.91.0.0/22\"");
    let options = ["scan", "x.case", "--seed", "11", "--favicon", "off", "--in-flight", "32"];

    let whole = Desk::with_case(&text);
    whole.hostkin(&options).done();
    let connections = ports.connections();
    assert_eq!(connections, HOSTS * ANSWERING as u64, "one connection to each service");

    let killed = Desk::with_case(&text);
    let options = [&options[..], &["--rate", RATE]].concat();
    let mut before = 0;
    for kill in 0..KILLS {
        let mut child = killed.start(&options, "said.txt");
        until("something is committed", || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "ended before kill {kill}: {}", said(&killed));
            killed.hosts_done() > before
        });
        child.kill().unwrap();
        child.wait().unwrap();
        before = killed.hosts_done();
        assert!(before < HOSTS, "{before} hosts were done before kill {kill}: too fast for this test");
    }
    killed.hostkin(&options).done();

    let runs = killed.case().runs().unwrap();
    assert_eq!(runs.len(), 1, "every part went on with the same run");
    assert_eq!((runs[0].state, runs[0].counters.hosts), (State::Done, HOSTS));
    let told = |run: &Run| (run.counters.services, run.counters.answered, run.counters.outcomes.clone());
    assert_eq!(told(&runs[0]), told(&whole.last_run().unwrap()), "each counted once");
    let (one, other) = (timeless(&whole), timeless(&killed));
    assert_eq!(one.len(), usize::try_from(HOSTS).unwrap() * ANSWERING, "the refused have no row");
    assert_eq!(one, other, "line by line");
    let mut services = BTreeMap::new();
    for row in &other {
        *services.entry((row["ip"].to_string(), row["port"].to_string())).or_insert(0) += 1;
    }
    assert!(services.len() == other.len() && services.values().all(|count| *count == 1), "each exactly once");
    let states = bits(&whole.case(), HOSTS);
    assert_eq!(states, bits(&killed.case(), HOSTS));
    let count = |wanted| states.iter().filter(|state| **state == wanted).count();
    assert_eq!((count(AskedState::Heard), count(AskedState::Refused)), (other.len(), 1024));

    // What was in flight or not yet committed at a kill is asked again, and nothing else.
    let again = ports.connections() - 2 * connections;
    let window = u64::from(KILLS) * (IN_FLIGHT + 150) * ANSWERING as u64;
    assert!(again > 0 && again < window, "{again} services were asked again");
}

/// What the program said on standard error.
fn said(desk: &Desk) -> String {
    std::fs::read_to_string(desk.path("said.txt")).unwrap()
}

#[test]
fn an_interrupted_scan_commits_says_so_and_goes_on_later() {
    let ports = Ports::new();
    let desk = Desk::with_case(&ports.scope("\"127.91.4.0/25\""));
    let options =
        ["scan", "x.case", "--rate", "80", "--in-flight", "8", "--favicon", "off", "--summary", "summary.json"];
    for polite in [Signal::INT, Signal::TERM] {
        let before = desk.hosts_done();
        let mut child = desk.start(&options, "said.txt");
        until("something is committed", || desk.hosts_done() > before);
        signal(&child, polite);
        assert_eq!(child.wait().unwrap().code(), Some(130), "{}", said(&desk));
        assert!(said(&desk).contains("stopping"), "{}", said(&desk));
        assert!(said(&desk).contains("goes on"), "it says how to go on: {}", said(&desk));
        let run = desk.last_run().unwrap();
        assert_eq!(run.state, State::Stopped);
        assert!(run.can_be_continued() && run.counters.hosts < 128 && desk.hosts_done() > before);
        let summary: Value = serde_json::from_slice(&std::fs::read(desk.path("summary.json")).unwrap()).unwrap();
        assert_eq!(summary["complete"], false);
    }
    let last = desk.hostkin(&["scan", "x.case", "--favicon", "off"]).done();
    assert!(last.err.contains("going on with run 1"), "{}", last.err);
    let runs = desk.case().runs().unwrap();
    assert_eq!((runs.len(), runs[0].state, runs[0].counters.hosts), (1, State::Done, 128));
    assert_eq!(timeless(&desk).len(), 128 * ANSWERING);
    let counted: u32 = runs[0].counters.outcomes.values().map(|count| u32::try_from(*count).unwrap()).sum();
    assert_eq!(counted, 128 * 5, "counters of all parts together count every service once");
}

#[test]
fn a_second_interrupt_ends_at_once_and_loses_nothing_committed() {
    let ports = Ports::new();
    let desk = Desk::with_case(&ports.scope("\"127.91.5.0/25\""));
    let options = ["scan", "x.case", "--rate", "80", "--in-flight", "8", "--favicon", "off"];
    let mut child = desk.start(&options, "said.txt");
    until("something is committed", || desk.hosts_done() > 0);
    // Somebody else holds the case, so that the scan cannot commit and an orderly end takes its time.
    let holder = rusqlite::Connection::open(desk.path("x.case")).unwrap();
    holder.busy_timeout(Duration::from_secs(5)).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let committed = desk.hosts_done();
    let connections = ports.connections();
    until("something waits to be committed", || ports.connections() > connections);
    signal(&child, Signal::INT);
    until("it says that it is stopping", || said(&desk).contains("stopping"));
    std::thread::sleep(Duration::from_millis(300));
    assert!(child.try_wait().unwrap().is_none(), "it still waits to commit: {}", said(&desk));
    let asked = Instant::now();
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    holder.execute_batch("ROLLBACK").unwrap();
    drop(holder);
    assert_eq!(desk.hosts_done(), committed);
    desk.hostkin(&["scan", "x.case", "--favicon", "off"]).done();
    assert_eq!(timeless(&desk).len(), 128 * ANSWERING);
}

#[test]
fn an_interrupted_probe_ends_too() {
    let address = Ipv4Addr::new(127, 91, 6, 1);
    let silent = super::ground::far_side(address, super::ground::hang);
    let good = super::ground::far_side(Ipv4Addr::new(127, 91, 6, 2), |stream| {
        super::ground::hear(stream);
        super::ground::say(stream, page("fine").as_bytes());
    });
    let grant = |at: std::net::SocketAddrV4| (format!("\"{}\"", at.ip()), format!("http = [{}]", at.port()));
    let desk = Desk::new(&scope(&[grant(silent), grant(good)], ""));
    let out = desk.path("out.jsonl");
    let mut command = desk.command(&["probe", "127.91.6.0/24", "--scope", "scope.toml"]);
    let mut child = command.stdout(std::fs::File::create(&out).unwrap()).stderr(Stdio::null()).spawn().unwrap();
    until("the first row is there", || !std::fs::read_to_string(&out).unwrap().is_empty());
    let asked = Instant::now();
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    let rows: Vec<Value> =
        std::fs::read_to_string(&out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let outcomes: Vec<&str> = rows.iter().map(|row| row["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["answered", "stopped"]);
}

#[test]
fn a_scope_that_ends_while_a_scan_runs_stops_it_and_a_renewed_one_goes_on() {
    let ports = Ports::new();
    let text = ports.scope("\"127.91.8.0/24\"");
    let soon = hostkin::clock::Timestamp::now() + Duration::from_secs(4);
    let desk = Desk::with_case(&text.replace("2100-01-01T00:00:00Z", &soon.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()));
    let options = ["scan", "x.case", "--favicon", "off", "--rate", "150", "--in-flight", "16"];
    let ended = desk.hostkin(&options);
    assert_eq!(ended.code, Some(4), "done in part: {ended:?}");
    assert!(ended.err.contains("the scope ended on"), "{}", ended.err);
    let run = desk.last_run().unwrap();
    assert_eq!(run.state, State::Stopped);
    assert!(run.counters.hosts > 0 && run.counters.hosts < 256, "{} hosts", run.counters.hosts);
    let sent = ports.connections();
    let late = desk.hostkin(&options);
    assert_eq!((late.code, ports.connections()), (Some(3), sent), "and now it is refused from the start: {late:?}");

    std::fs::write(desk.path("scope.toml"), &text).unwrap();
    desk.hostkin(&["scan", "x.case", "--favicon", "off"]).done();
    let runs = desk.case().runs().unwrap();
    assert_eq!((runs.len(), runs[0].state), (1, State::Done));
    assert_eq!(timeless(&desk).len(), 256 * ANSWERING, "nobody was passed over because the scope had ended");
}
