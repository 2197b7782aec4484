//! A hunt against a full capture of the same street: the same hosts are found, for a fraction of the connections, and
//! what was cut short says so.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use hostkin::observation::Outcome;
use hostkin::store::{AskedState, ObservationFilter, State, StoreError};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::ground::{Desk, Street, hang, hear, page, say, scope, until};
use super::run::{LISTS, kexinit};

const KILLS: u32 = 20;
/// Hosts in a /23, all of them alive.
const HOSTS: u16 = 512;

/// What a host of the street plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// The provider's: every habit.
    Provider,
    /// The provider's, and its first TLS connection is never answered.
    Lossy,
    /// The provider's SSH behind another's TLS.
    SshOnly,
    /// A stranger with the provider's TLS stack.
    SameJarm,
    /// A stranger with the provider's `Server` header.
    SameServer,
    /// A stranger who takes his time.
    Late,
    /// Anybody else.
    Stranger,
}

fn number(at: Ipv4Addr) -> u16 {
    let [_, _, third, fourth] = at.octets();
    u16::from(third % 2) * 256 + u16::from(fourth)
}

fn role(at: Ipv4Addr) -> Role {
    match number(at) {
        407 => Role::Lossy,
        250 => Role::SshOnly,
        n if n % 100 == 7 => Role::Provider,
        n if n % 50 == 11 => Role::SameJarm,
        n if n % 5 == 3 => Role::SameServer,
        n if n % 20 == 14 => Role::Late,
        _ => Role::Stranger,
    }
}

/// A `ServerHello` with the cipher that `choose` takes of those offered; an alert where it takes none.
fn hello(client: &[u8], choose: impl Fn(&[u16]) -> Option<u16>) -> Vec<u8> {
    let sid = usize::from(client[43]);
    let at = 44 + sid;
    let length = usize::from(u16::from_be_bytes([client[at], client[at + 1]]));
    let offered: Vec<u16> =
        client[at + 2..at + 2 + length].chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    let Some(cipher) = choose(&offered) else { return vec![21, 3, 3, 0, 2, 2, 40] };
    let mut bytes = vec![22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3];
    bytes.extend([7; 32]);
    bytes.push(0);
    bytes.extend(cipher.to_be_bytes());
    bytes.push(0);
    bytes
}

fn tls(at: Ipv4Addr, times: u32, stream: &TcpStream) {
    if role(at) == Role::Lossy && times == 1 {
        return hang(stream);
    }
    let client = hear(stream);
    if client.len() < 80 {
        return;
    }
    if role(at) == Role::Late {
        std::thread::sleep(Duration::from_millis(700));
    }
    let own = matches!(role(at), Role::Provider | Role::Lossy | Role::SameJarm);
    let many = |offered: &[u16]| offered.len() > 40;
    let answer = match number(at) / 20 % 4 {
        _ if own => hello(&client, |offered| offered.last().copied()),
        0 => hello(&client, |offered| offered.get(1).copied()),
        1 => hello(&client, |_| None),
        2 => hello(&client, |offered| if many(offered) { offered.last() } else { offered.get(2) }.copied()),
        _ => hello(&client, |offered| offered.get(3).copied()),
    };
    say(stream, &answer);
}

fn http(at: Ipv4Addr) -> String {
    match role(at) {
        Role::Provider | Role::Lossy => page("x").replace("Server: small", "Server: own\r\nX-Own: 1"),
        Role::SameServer => page("y").replace("Server: small", "Server: own\r\nX-Other: 1"),
        _ => page("z"),
    }
}

fn ssh(at: Ipv4Addr, stream: &TcpStream) {
    let mut lists = LISTS;
    if matches!(role(at), Role::Provider | Role::Lossy | Role::SshOnly) {
        lists[4] = "hmac-sha2-512";
    }
    hear(stream);
    say(stream, b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
    say(stream, &kexinit(&lists));
    hear(stream);
}

/// The street, and a case whose seed was observed.
struct Ground {
    desk: Desk,
    tls: Street,
    http: Street,
    ssh: Street,
}

impl Ground {
    fn new(net: &str) -> Self {
        let tls = Street::speaking(|at, times, stream| drop(std::thread::spawn(move || tls(at, times, &stream))));
        let http = Street::new(http);
        let ssh = Street::speaking(|at, _, stream| drop(std::thread::spawn(move || ssh(at, &stream))));
        let ports = format!("tls = [{}], http = [{}], ssh = [{}]", tls.port, http.port, ssh.port);
        let desk = Desk::with_case(&scope(&[(format!("\"{net}.0/23\""), ports)], ""));
        let seed = format!("{net}.7");
        desk.hostkin(&["scan", "x.case", "--targets", &seed, "--favicon", "off"]).done();
        desk.hostkin(&["seed", "x.case", &seed, "--why", "the test says so"]).done();
        Self { desk, tls, http, ssh }
    }

    /// Connections so far, by the far sides' own count.
    fn connections(&self) -> u32 {
        self.tls.connections() + self.http.connections() + self.ssh.connections()
    }

    fn connections_to(&self, role_wanted: Role) -> (u32, u32) {
        let all = [&self.tls, &self.http, &self.ssh].map(Street::asked);
        let mut hosts = BTreeSet::new();
        let mut count = 0;
        for (at, times) in all.iter().flatten().filter(|(at, _)| role(**at) == role_wanted) {
            hosts.insert(*at);
            count += times;
        }
        (count, u32::try_from(hosts.len()).unwrap())
    }

    /// Hosts that share a facet's value with the seed.
    fn sharing(&self, kind: &str) -> BTreeSet<String> {
        let seed = self.seed_value(kind);
        let found = self.desk.hostkin(&["find", "x.case", &format!("{kind}='{seed}'"), "--json"]).done();
        found.lines().iter().map(|row| row["ip"].as_str().unwrap().to_owned()).collect()
    }

    fn seed_value(&self, kind: &str) -> String {
        let mut value = None;
        let case = self.desk.case();
        case.observations::<StoreError>(&ObservationFilter { run: Some(1), ..Default::default() }, |one| {
            let found = one.facets.iter().find(|facet| facet.kind.as_str() == kind);
            value = value.take().or(found.map(|facet| String::from_utf8(facet.value.clone()).unwrap()));
            Ok(())
        })
        .unwrap();
        value.unwrap()
    }
}

fn addresses(net: &str, wanted: impl Fn(Role) -> bool) -> BTreeSet<String> {
    let [a, b, c]: [u8; 3] = net.split('.').map(|part| part.parse().unwrap()).collect::<Vec<_>>().try_into().unwrap();
    let hosts =
        (0..HOSTS).map(|n| Ipv4Addr::new(a, b, c + u8::try_from(n / 256).unwrap(), u8::try_from(n % 256).unwrap()));
    hosts.filter(|at| wanted(role(*at))).map(|at| at.to_string()).collect()
}

#[test]
fn a_hunt_finds_what_a_full_capture_finds_for_a_fraction_of_the_connections() {
    let full = Ground::new("127.93.2");
    let before = full.connections();
    full.desk.hostkin(&["scan", "x.case", "--full", "--favicon", "off"]).done();
    let full_connections = full.connections() - before;

    let hunt = Ground::new("127.93.4");
    let before = hunt.connections();
    let plan = hunt.desk.hostkin(&["plan", "x.case"]).done();
    assert!(plan.out.contains("for 127.93.4.7") && plan.out.contains("in the order jarm"), "{}", plan.out);
    assert_eq!(hunt.connections(), before, "a plan sends nothing");
    let said = hunt.desk.hostkin(&["scan", "x.case", "--favicon", "off", "--summary", "s.json"]).done();
    let hunt_connections = hunt.connections() - before;
    assert!(said.err.contains("ruled out"), "a seed on record makes it a hunt: {}", said.err);

    let expected = |net| addresses(net, |role| matches!(role, Role::Provider | Role::Lossy | Role::SameJarm));
    assert_eq!(full.sharing("tls.jarm"), expected("127.93.2"));
    assert_eq!(hunt.sharing("tls.jarm"), expected("127.93.4"));
    let own = |net| addresses(net, |role| matches!(role, Role::Provider | Role::Lossy));
    assert_eq!(hunt.sharing("http.header_order"), own("127.93.4"));
    assert_eq!(
        hunt.sharing("ssh.kexinit_sha256"),
        addresses("127.93.4", |role| matches!(role, Role::Provider | Role::Lossy | Role::SshOnly))
    );

    assert!(
        hunt_connections * 4 <= full_connections,
        "{hunt_connections} connections of the hunt, {full_connections} of the full capture"
    );
    for role in [Role::Stranger, Role::SameServer, Role::Late] {
        let (connections, hosts) = hunt.connections_to(role);
        // Everybody here offers both TLS and SSH.
        assert!(connections * 10 <= hosts * 26, "{role:?}: {connections} connections to {hosts} hosts");
    }
    let (connections, hosts) = hunt.connections_to(Role::SshOnly);
    assert!(connections >= 12 * hosts, "captured in full for its SSH: {connections}");
    let summary: Value = serde_json::from_slice(&std::fs::read(hunt.desk.path("s.json")).unwrap()).unwrap();
    assert_eq!(summary["connections"], hunt_connections);
    cut_short_as_what_it_is(&hunt);
}

/// Every host that is ruled out has one row which says by what, no JARM, and services that were not asked.
fn cut_short_as_what_it_is(hunt: &Ground) {
    let case = hunt.desk.case();
    let mut pruned = BTreeSet::new();
    case.observations::<StoreError>(&ObservationFilter { run: Some(2), captures: true, ..Default::default() }, |one| {
        let kinds: Vec<&str> = one.facets.iter().map(|facet| facet.kind.as_str()).collect();
        if one.outcome == Outcome::Pruned {
            assert!(!kinds.contains(&"tls.jarm") && !kinds.contains(&"tls.jarm_raw"), "{kinds:?}");
            let last = one.capture.unwrap().exchanges.pop().unwrap();
            assert_eq!(one.detail, Some(format!("ruled out by {}", last.step)));
            assert!(!last.end.is_timeout());
            pruned.insert(one.address.to_string());
        }
        Ok(())
    })
    .unwrap();
    let strangers = |role| !matches!(role, Role::Provider | Role::Lossy | Role::SshOnly | Role::SameJarm);
    assert_eq!(pruned, addresses("127.93.4", strangers));
    let totals = case.asked(2).unwrap().totals().unwrap();
    assert_eq!(totals[0].heard, u64::from(HOSTS));
    let alive = u64::from(HOSTS) - pruned.len() as u64;
    let mut rest = [totals[1].heard, totals[2].heard];
    rest.sort_unstable();
    assert_eq!(rest, [alive, u64::from(HOSTS)], "SSH was asked of everybody, HTTP of nobody else");
    assert_eq!(case.asked(2).unwrap().state(u64::from(HOSTS), 0).unwrap(), AskedState::NotAsked);
    // A better parser reads the same of it.
    let before = hunt.desk.hostkin(&["export", "x.case", "observations", "--json"]).done().out;
    hunt.desk.hostkin(&["reread", "x.case"]).done();
    assert_eq!(hunt.desk.hostkin(&["export", "x.case", "observations", "--json"]).done().out, before);
}

#[test]
fn hunted_by_tls_alone_a_stranger_costs_one_connection_and_who_shares_only_the_ssh_is_missed() {
    let ground = Ground::new("127.93.6");
    ground.desk.hostkin(&["scan", "x.case", "--hunt", "--hunt-by", "jarm", "--favicon", "off"]).done();
    for role in [Role::Stranger, Role::SameServer, Role::SshOnly] {
        let (connections, hosts) = ground.connections_to(role);
        assert!(connections * 10 <= hosts * 16, "{role:?}: {connections} connections to {hosts} hosts");
    }
    assert_eq!(
        ground.sharing("ssh.kexinit_sha256"),
        addresses("127.93.6", |role| matches!(role, Role::Provider | Role::Lossy))
    );
}

#[test]
fn hunted_by_any_service_nobody_is_ruled_out_by_less_than_all_three() {
    let ground = Ground::new("127.93.14");
    ground.desk.hostkin(&["scan", "x.case", "--hunt", "--hunt-by", "any", "--favicon", "off"]).done();
    let (connections, hosts) = ground.connections_to(Role::Stranger);
    assert!(connections >= 3 * hosts && connections * 10 <= hosts * 36, "{connections} connections to {hosts} hosts");
}

#[test]
fn an_interrupted_hunt_goes_on_as_it_began_although_more_is_on_record() {
    let ground = Ground::new("127.93.8");
    let desk = &ground.desk;
    let options = ["scan", "x.case", "--favicon", "off", "--rate", "100"];
    let mut child = desk.start(&options, "said.txt");
    until("something is committed", || desk.case().runs().unwrap().len() == 2 && desk.hosts_done() > 60);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let said = desk.hostkin(&["scan", "x.case", "--favicon", "off"]).done();
    assert!(said.err.contains("going on with run 2"), "{}", said.err);
    let runs = desk.case().runs().unwrap();
    assert_eq!((runs.len(), runs[1].state, runs[1].counters.hosts), (2, State::Done, u64::from(HOSTS)));
    assert_eq!(runs[1].plan["hunt"]["services"], serde_json::json!(["jarm", "ssh", "http"]));
    assert_eq!(
        ground.sharing("tls.jarm").len(),
        addresses("127.93.8", |role| { matches!(role, Role::Provider | Role::Lossy | Role::SameJarm) }).len()
    );
}

#[test]
fn a_hunt_killed_twenty_times_ends_as_one_that_was_never_killed() {
    let options = ["scan", "x.case", "--hunt", "--favicon", "off", "--in-flight", "8"];
    let whole = Ground::new("127.93.14");
    let seed = whole.connections();
    whole.desk.hostkin(&options).done();
    let needed = whole.connections() - seed;

    let killed = Ground::new("127.93.16");
    let (desk, options) = (&killed.desk, [&options[..], &["--rate", "70"]].concat());
    let mut before = 0;
    for kill in 0..KILLS {
        let mut child = desk.start(&options, "said.txt");
        until("something is committed", || {
            assert!(child.try_wait().unwrap().is_none(), "ended before kill {kill}");
            desk.case().runs().unwrap().len() == 2 && desk.hosts_done() > before
        });
        child.kill().unwrap();
        child.wait().unwrap();
        before = desk.hosts_done();
        assert!(before < u64::from(HOSTS), "{before} hosts were done before kill {kill}: too fast for this test");
    }
    desk.hostkin(&options[..7]).done();

    let (runs, runs_whole) = (desk.case().runs().unwrap(), whole.desk.case().runs().unwrap());
    assert_eq!((runs.len(), runs[1].state, runs[1].counters.hosts), (2, State::Done, u64::from(HOSTS)));
    assert_eq!(runs[1].counters.outcomes, runs_whole[1].counters.outcomes, "each counted once");
    assert_eq!(rows(&killed), rows(&whole));
    let totals = |ground: &Ground| ground.desk.case().asked(2).unwrap().totals().unwrap();
    assert_eq!(totals(&killed), totals(&whole));
    let expected = |role| matches!(role, Role::Provider | Role::Lossy | Role::SameJarm);
    assert_eq!(killed.sharing("tls.jarm"), addresses("127.93.16", expected));
    // What was in flight or not yet committed at a kill is asked again, and nothing else.
    let again = (killed.connections() - seed).saturating_sub(needed);
    assert!(again < KILLS * (8 * 13 + 70), "{again} connections were made again");
}

/// What the hunt stored of each host, by its number: outcome and detail of each protocol. Each service has one row.
fn rows(ground: &Ground) -> BTreeMap<(u16, String, bool), (Outcome, Option<String>)> {
    let mut rows = BTreeMap::new();
    let filter = ObservationFilter { run: Some(2), ..Default::default() };
    let each = |one: hostkin::store::StoredObservation| {
        let std::net::IpAddr::V4(at) = one.address else { unreachable!() };
        let before = rows.insert((number(at), one.protocol, one.over_tls), (one.outcome, one.detail));
        assert_eq!(before, None, "{at} is there twice");
        Ok(())
    };
    ground.desk.case().observations::<StoreError>(&filter, each).unwrap();
    rows
}

#[test]
fn a_network_that_is_given_up_is_on_record_and_its_other_hosts_count_as_not_asked() {
    let ground = Ground::new("127.93.12");
    let desk = &ground.desk;
    let options = ["x.case", "--favicon", "off", "--give-up", "0.3:0.1", "--in-flight", "8"];
    let plan = desk.hostkin(&[&["plan"], &options[..]].concat()).done();
    assert!(plan.out.contains("a /24 after 19 answering hosts"), "{}", plan.out);
    let said = desk.hostkin(&[&["scan"], &options[..]].concat()).done();
    assert!(said.err.contains("were not asked, in networks that were given up"), "{}", said.err);
    let case = desk.case();
    let records = case.records().unwrap();
    let given_up: Vec<_> = records.iter().filter(|one| one.action == "gave_up").collect();
    assert!(
        !given_up.is_empty()
            && given_up.iter().all(|one| one.subject == "2" && one.body["network"].as_str().unwrap().ends_with("/24"))
    );
    let totals = case.asked(2).unwrap().totals().unwrap();
    assert!(totals[0].heard < u64::from(HOSTS) / 2, "{totals:?}");
    assert_eq!(case.runs().unwrap()[1].counters.hosts, u64::from(HOSTS), "those left out are done too");
    assert!(ground.sharing("tls.jarm").contains("127.93.12.7"), "the seed is asked whatever its network");
    for wrong in ["2", "0.1:0.2"] {
        assert_eq!(desk.hostkin(&["scan", "x.case", "--give-up", wrong]).code, Some(2));
    }
}

#[test]
fn a_hunt_without_anything_to_hunt_for_is_refused_and_says_what_to_do() {
    let desk = Desk::with_case(&scope(&[("\"127.93.10.0/30\"".to_owned(), "http = [9]".to_owned())], ""));
    let said = desk.hostkin(&["scan", "x.case", "--hunt"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("--full --targets"), "{}", said.err);
    desk.hostkin(&["seed", "x.case", "127.93.10.1", "--why", "x"]).done();
    assert_eq!(desk.hostkin(&["scan", "x.case", "--hunt"]).code, Some(2), "a seed nobody has looked at");
    assert_eq!(desk.hostkin(&["scan", "x.case", "--hunt", "--full"]).code, Some(2));
}
