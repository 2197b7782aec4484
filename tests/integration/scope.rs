//! The scope from file to permit, and the targets it gives: every refusal with its words, and by random scopes that
//! nothing beyond the grants is ever admitted or visited.

#![expect(clippy::unwrap_used, reason = "tests: a wrong fixture should stop them")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hostkin::clock::{Clock as _, FakeClock, SystemClock, Timestamp};
use hostkin::observation::Speech;
use hostkin::scope::{Limits, Narrowing, Refusal, Scope, ScopeError};
use hostkin::target::{Order, Shard, Targets};
use ipnet::IpNet;
use proptest::prelude::*;

const EXAMPLE: &str = include_str!("../../scopes/example.toml");

/// The example with networks that are no documentation ranges. Nothing here sends.
fn usable() -> String {
    EXAMPLE
        .replace("203.0.113.", "198.60.5.")
        .replace("198.51.100.0", "198.60.6.0")
        .replace("2001:db8:7::", "2a0f:db8:7::")
        .replace("files = [\"opt-out.txt\"]", "files = []")
}

fn parse(text: &str) -> Result<Scope, ScopeError> {
    Scope::parse(text, Path::new("scope.toml"), Some(Path::new("scopes")))
}

fn day(text: &str) -> Timestamp {
    format!("{text}T00:00:00Z").parse().unwrap()
}

fn socket(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// What a full capture of a service costs at most.
fn cost(speech: Speech) -> u64 {
    match speech {
        Speech::Tls => 13,
        Speech::Http => 2,
        Speech::Ssh => 4,
    }
}

fn refused(from: &str, to: &str) -> String {
    let text = usable();
    assert!(text.contains(from), "the example has no {from}");
    parse(&text.replacen(from, to, 1)).unwrap_err().to_string()
}

#[test]
fn the_example_says_what_the_contract_says() {
    let scope = parse(EXAMPLE).unwrap();
    assert_eq!(scope.title(), "Pivot from 203.0.113.7");
    assert_eq!(scope.authority(), "Research agreement 2026-14, Example University CERT");
    assert_eq!(scope.contact(), Some("mailto:scan@example.org"));
    assert_eq!(scope.page(), Some("https://scan.example.org/"));
    assert_eq!((scope.valid_from(), scope.valid_until()), (day("2026-11-01"), day("2026-12-31")));
    assert!(!scope.is_lab());
    assert_eq!(scope.limits(), &Limits::DEFAULT);
    assert_eq!(scope.grants()[0].services, [(Speech::Tls, 443), (Speech::Http, 80), (Speech::Ssh, 22)]);
    assert_eq!(scope.text(), EXAMPLE);
    assert_eq!(scope.sha256().len(), 64);
    assert_eq!(scope.opt_out().files()[0].addresses, 65);
}

#[test]
fn limits_left_out_are_the_defaults_and_in_a_lab_none() {
    let start = usable().find("[limits]").unwrap();
    assert_eq!(parse(&usable()[..start]).unwrap().limits(), &Limits::DEFAULT);
    let one = format!("{}[limits]\nper_host_per_second = 0.5\n", &usable()[..start]);
    assert_eq!(parse(&one).unwrap().limits(), &Limits { per_host_per_second: Some(0.5), ..Limits::DEFAULT });
    let lab = Scope::read(Path::new("scopes/lab.toml")).unwrap();
    assert!(lab.is_lab());
    assert_eq!(lab.limits(), &Limits::UNLIMITED);
}

#[test]
fn every_refusal_names_the_line_and_says_how_to_mend_it() {
    for (from, to, words) in WRONG {
        let error = refused(from, to);
        assert!(error.starts_with(&format!("scope.toml:{words}")), "\n{from} -> {to}\nwanted {words}\n   got {error}");
    }
}

#[test]
fn a_scope_without_a_grant_is_refused() {
    let text = usable();
    let start = text.find("[[grant]]").unwrap();
    let error = parse(&text[..start]).unwrap_err().to_string();
    assert_eq!(error, "scope.toml:1: `grant` is missing in the scope; add a line like `[[grant]]`");
    let error = parse(&format!("{}grant = []\n", &text[..start])).unwrap_err().to_string();
    assert!(error.starts_with("scope.toml:1: `grant` is missing"), "{error}");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scope.toml");
    assert!(Scope::read(&path).unwrap_err().to_string().starts_with("cannot read scope file "));
    std::fs::write(&path, b"title = \"x\"\nauthority = \"\xff\"\n").unwrap();
    assert!(
        Scope::read(&path).unwrap_err().to_string().ends_with("scope.toml:2: not UTF-8 text; save the file as UTF-8")
    );
    std::fs::write(&path, vec![b'#'; 5 << 20]).unwrap();
    assert!(Scope::read(&path).unwrap_err().to_string().contains("is longer than"));
    std::fs::write(folder.path().join("opt-out.txt"), "192.0.2.1\n192.0.2\n").unwrap();
    std::fs::write(&path, EXAMPLE).unwrap();
    let error = Scope::read(&path).unwrap_err().to_string();
    assert!(error.contains("opt-out.txt:2: `192.0.2` is not an address or CIDR"), "{error}");
}

#[test]
fn dates_outside_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scope.toml");
    std::fs::write(&path, usable()).unwrap();
    let clock = FakeClock::at(day("2026-10-01"));
    let error = Scope::load(&path, &clock).unwrap_err();
    assert!(matches!(error, ScopeError::NotYetValid { .. }));
    assert!(error.to_string().contains("is not yet valid: it begins on 2026-11-01T00:00:00Z"), "{error}");
    clock.set_utc(day("2026-11-01"));
    assert!(Scope::load(&path, &clock).is_ok());
    clock.set_utc(day("2026-12-31"));
    let error = Scope::load(&path, &clock).unwrap_err();
    assert!(matches!(error, ScopeError::Expired { .. }));
    assert!(error.to_string().contains("has expired: it ended on 2026-12-31T00:00:00Z"), "{error}");
}

#[test]
fn only_what_is_granted_is_admitted_and_every_refusal_says_why() {
    let scope = parse(&usable()).unwrap();
    let now = day("2026-11-20");
    let ask = |to: &str, speech| scope.admit(socket(to), speech, now);
    let permit = ask("198.60.5.7:443", Speech::Tls).unwrap();
    assert_eq!((permit.to(), permit.speech(), permit.issued_at()), (socket("198.60.5.7:443"), Speech::Tls, now));
    assert!(scope.still_admits(&permit, now).is_ok());
    assert_eq!(scope.still_admits(&permit, day("2027-01-01")), Err(Refusal::Expired { until: day("2026-12-31") }));
    assert_eq!(permit.spend(), socket("198.60.5.7:443"));
    assert!(ask("[2a0f:db8:7::ff]:22", Speech::Ssh).is_ok());

    let words = |to: &str, speech| ask(to, speech).unwrap_err().to_string();
    assert_eq!(
        words("198.60.5.7:443", Speech::Ssh),
        "the scope grants tls 443, http 80, ssh 22 at 198.60.5.7, not ssh 443"
    );
    assert_eq!(words("198.60.7.1:22", Speech::Ssh), "no grant of the scope holds 198.60.7.1");
    assert_eq!(words("[2a0f:db8:7::100]:22", Speech::Ssh), "no grant of the scope holds 2a0f:db8:7::100");
    assert_eq!(words("198.60.5.200:22", Speech::Ssh), "198.60.5.200 is excluded by the scope (198.60.5.128/25)");
    assert_eq!(
        words("127.0.0.1:22", Speech::Ssh),
        "127.0.0.1 is in a special-purpose block (127.0.0.0/8 Loopback, RFC 1122 section 3.2.1.3), which is never asked"
    );
    assert!(words("[::ffff:198.60.5.7]:22", Speech::Ssh).contains("IPv4-mapped Address"));
    let early = scope.admit(socket("198.60.5.7:443"), Speech::Tls, day("2026-10-31")).unwrap_err();
    assert!(early.is_passing());
    assert_eq!(early.to_string(), "the scope begins on 2026-11-01T00:00:00Z");
}

#[test]
fn a_grant_of_everything_still_holds_no_special_purpose_block() {
    let text = usable().replace("\"198.60.5.0/24\", \"2a0f:db8:7::/120\"", "\"0.0.0.0/0\", \"::/0\"");
    let scope = parse(&text).unwrap();
    let now = day("2026-11-20");
    for special in ["10.0.0.1", "127.0.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "198.18.0.1", "0.0.0.0"]
        .into_iter()
        .chain(["::1", "fe80::1", "ff02::1", "::ffff:9.9.9.9", "2002::1", "64:ff9b::1", "fd00::1", "2001:db8::1"])
    {
        let to = SocketAddr::new(special.parse().unwrap(), 22);
        let refusal = scope.admit(to, Speech::Ssh, now).unwrap_err();
        assert!(matches!(refusal, Refusal::SpecialPurpose { .. }), "{special}: {refusal}");
    }
    assert!(scope.admit(socket("9.9.9.9:22"), Speech::Ssh, now).is_ok());
    assert!(scope.admit(socket("[2a00::1]:22"), Speech::Ssh, now).is_ok());
}

#[test]
fn a_lab_may_ask_loopback_and_benchmarking_and_needs_no_contact() {
    let text = "schema = \"hostkin/scope/1\"\ntitle = \"t\"\nauthority = \"a\"\nlab = true\n\
        valid_from = 2026-01-01T00:00:00Z\nvalid_until = 2027-01-01T00:00:00Z\n\
        [[grant]]\nnetworks = [\"127.0.0.0/8\", \"::1\", \"198.18.0.0/15\"]\nports = { ssh = [22] }\n";
    let scope = parse(text).unwrap();
    for own in ["127.77.1.2:22", "[::1]:22", "198.19.255.255:22"] {
        assert!(scope.admit(socket(own), Speech::Ssh, day("2026-06-01")).is_ok(), "{own}");
    }
    assert_eq!(scope.grants()[0].name, "grant 1");
    // A network that holds the loopback address and more.
    let error = parse(&text.replace("::1", "::/127")).unwrap_err().to_string();
    assert!(error.starts_with("scope.toml:8: `::/127` is outside 127.0.0.0/8, ::1 and 198.18.0.0/15"), "{error}");
}

#[test]
fn an_opt_out_holds_within_a_second_of_real_time() {
    let folder = tempfile::tempdir().unwrap();
    let (path, list) = (folder.path().join("scope.toml"), folder.path().join("opt-out.txt"));
    let clock = SystemClock::new();
    let text = usable().replace("files = []", "files = [\"opt-out.txt\"]");
    let text = text.replace("2026-11-01T", "2020-01-01T").replace("2026-12-31T", "2120-01-01T");
    std::fs::write(&path, text).unwrap();
    std::fs::write(&list, "# nobody yet\n").unwrap();
    let scope = Scope::load(&path, &clock).unwrap();
    let ask = |to| scope.admit(socket(to), Speech::Ssh, clock.now());
    assert!(ask("198.60.5.7:22").is_ok());
    let permit = ask("198.60.5.8:22").unwrap();

    std::fs::write(&list, "198.60.5.7\n198.60.5.8\n").unwrap();
    let written = clock.elapsed();
    while ask("198.60.5.7:22").is_ok() {
        assert!(clock.elapsed() < written + Duration::from_secs(1), "still admitted after a second");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(matches!(scope.still_admits(&permit, clock.now()), Err(Refusal::OptedOut { .. })));
    assert!(ask("198.60.5.9:22").is_ok());
}

#[test]
fn a_scope_read_without_its_opt_out_files_admits_nobody() {
    let text = usable().replace("files = []", "files = [\"opt-out.txt\"]");
    let scope = Scope::parse(&text, Path::new("stored"), None).unwrap();
    let refusal = scope.admit(socket("198.60.5.7:22"), Speech::Ssh, day("2026-11-20")).unwrap_err();
    assert!(refusal.to_string().contains("without its opt-out file opt-out.txt"), "{refusal}");
}

#[test]
fn flags_narrow_and_never_widen() {
    let scope = parse(&usable()).unwrap();
    let now = day("2026-11-20");
    let by = |by: Narrowing| scope.narrow(&by);

    let slow = by(Narrowing { connections_per_second: Some(5.0), ..Narrowing::default() }).unwrap();
    assert_eq!((slow.scope.limits().connections_per_second, slow.notes.len()), (Some(5.0), 0));
    let fast = by(Narrowing { connections_per_second: Some(5_000.0), ..Narrowing::default() }).unwrap();
    assert_eq!(fast.scope.limits().connections_per_second, Some(200.0));
    assert_eq!(
        fast.notes,
        ["the scope permits 200 connections per second; 5000 were asked for, and 200 stay in force"]
    );
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = by(Narrowing { connections_per_second: Some(rate), ..Narrowing::default() }).unwrap_err();
        assert!(error.to_string().contains("is no rate"), "{error}");
    }

    let only = by(Narrowing { speeches: Some(vec![Speech::Ssh]), ..Narrowing::default() }).unwrap().scope;
    assert!(only.admit(socket("198.60.5.7:22"), Speech::Ssh, now).is_ok());
    let refusal = only.admit(socket("198.60.5.7:443"), Speech::Tls, now).unwrap_err();
    assert_eq!(refusal.to_string(), "198.60.5.7:443 is in the scope, but the options of this run leave it out");
    assert_eq!(only.sha256(), scope.sha256());
    let error = by(Narrowing { speeches: Some(Vec::new()), ..Narrowing::default() }).unwrap_err();
    assert_eq!(error.to_string(), "nothing of what was asked for is granted: the scope grants tls, http, ssh");

    let networks = Some(vec!["198.60.5.0/30".parse().unwrap(), "9.9.9.0/24".parse().unwrap()]);
    let near = by(Narrowing { networks, ..Narrowing::default() }).unwrap().scope;
    assert!(near.admit(socket("198.60.5.3:22"), Speech::Ssh, now).is_ok());
    assert!(near.admit(socket("198.60.5.4:22"), Speech::Ssh, now).is_err());
    assert!(near.admit(socket("9.9.9.9:22"), Speech::Ssh, now).is_err());

    let shared = by(Narrowing { shards: Some(4), ..Narrowing::default() }).unwrap().scope;
    assert_eq!(shared.limits().connections_per_second, Some(50.0));
    assert_eq!(shared.limits().per_network_per_second, Some(5.0));
    assert_eq!(shared.limits().per_host_per_second, Some(2.0));
    assert_eq!(shared.limits().per_host_connections, Some(32));
}

#[test]
fn the_check_of_the_example_names_what_empties_its_grants() {
    let scope = Scope::read(Path::new("scopes/example.toml")).unwrap();
    let told = scope.explain(day("2026-11-20"), &cost);
    assert_eq!(told.not_in_force, None);
    assert!(told.grants.iter().all(hostkin::scope::GrantExplained::is_emptied));
    let removed: Vec<String> =
        told.grants[0].removed.iter().map(|one| format!("{} {}", one.addresses, one.by)).collect();
    assert_eq!(
        removed,
        ["256 203.0.113.0/24 Documentation (TEST-NET-3), RFC 5737", "256 2001:db8::/32 Documentation, RFC 3849"]
    );
    assert_eq!((told.grants[1].name.as_str(), told.grants[1].line), ("second range of the same provider", 17));
    assert_eq!((told.total.addresses, told.total.connections, told.most_per_host), (0, 0, 0));
    assert_eq!(told.most_per_network, None);
    assert!(told.grants[0].removed.iter().all(|one| one.by.contains("RFC")));
    let late = scope.explain(day("2027-01-01"), &cost);
    assert!(late.not_in_force.unwrap().contains("has expired"));
}

#[test]
fn the_check_gives_numbers() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("opt-out.txt"), "198.60.5.66\n198.60.6.0/31\n").unwrap();
    let text = usable().replace("files = []", "files = [\"opt-out.txt\"]");
    let scope = Scope::parse(&text, Path::new("scope.toml"), Some(folder.path())).unwrap();
    let told = scope.explain(day("2026-11-20"), &cost);

    let first = &told.grants[0];
    assert_eq!((first.written, first.left.addresses), (512, 127 + 256));
    let removed: Vec<(u128, &str)> = first.removed.iter().map(|one| (one.addresses, one.by.as_str())).collect();
    assert_eq!(removed, [(128, "[exclude] networks"), (1, "opt-out files")]);
    assert_eq!(told.total.addresses, 127 + 256 + 126);
    assert_eq!(told.total.services, [("tls", 383 + 252), ("http", 383 + 252), ("ssh", 383 + 252)]);
    // One of each costs 19, two of each 38: the scope lets no host have more than 32.
    assert_eq!(told.total.connections, 383 * 19 + 126 * 32);
    assert_eq!(told.most_per_host, 32);
    assert_eq!(told.most_per_network, Some(("2a0f:db8:7::/48".parse().unwrap(), 256 * 19)));
    assert_eq!(told.most_per_asn, None);
    // 4864 connections to one network at 20 a second take longer than 11309 in all at 200.
    assert_eq!((told.time.seconds, told.time.bound_by), (Some(256.0 * 19.0 / 20.0), Some("per_network_per_second")));

    let v4 = |address: IpAddr| Some(if address.is_ipv4() { 64_500 } else { 64_501 });
    let told = scope.with_origins(Arc::new(v4)).explain(day("2026-11-20"), &cost);
    assert_eq!(told.most_per_asn, Some((64_500, 127 * 19 + 126 * 32)));
}

#[test]
fn a_scope_of_all_addresses_is_explained_without_overflow() {
    let text = usable().replace("\"198.60.5.0/24\", \"2a0f:db8:7::/120\"", "\"0.0.0.0/0\", \"::/0\"");
    let told = parse(&text).unwrap().explain(day("2026-11-20"), &cost);
    assert!(told.total.addresses > 1 << 127);
    assert_eq!(told.total.connections, u128::MAX);
    assert!(told.time.seconds.unwrap() > 1e30);
}

#[test]
fn an_unlimited_lab_has_no_permitted_time() {
    let told = Scope::read(Path::new("scopes/lab.toml")).unwrap().explain(day("2026-11-20"), &cost);
    assert_eq!((told.time.seconds, told.time.bound_by), (None, None));
    assert_eq!(told.total.addresses, 65_536);
    assert_eq!(told.most_per_network, Some(("127.77.0.0/24".parse().unwrap(), 256 * 19)));
}

/// Networks and services.
type RandomGrant = (Vec<IpNet>, Vec<(Speech, u16)>);

/// A random scope within 198.60.0.0/22 and a bit of what surrounds it, as text, and what it says.
#[derive(Clone, Debug)]
struct Random {
    grants: Vec<RandomGrant>,
    excluded: Vec<IpNet>,
    opted_out: Vec<IpNet>,
}

fn network() -> impl Strategy<Value = IpNet> {
    let near = (0u32..1_024, 22u8..=32).prop_map(|(low, length)| (Ipv4Addr::from(0xc63c_0000 + low), length));
    // Networks that hold special-purpose blocks, wholly or in part.
    let special = prop_oneof![
        Just((Ipv4Addr::new(192, 0, 0, 0), 23)),
        Just((Ipv4Addr::new(198, 18, 0, 0), 24)),
        Just((Ipv4Addr::new(192, 88, 98, 0), 23))
    ];
    prop_oneof![8 => near, 1 => special]
        .prop_map(|(address, length)| IpNet::new(address.into(), length).unwrap().trunc())
}

fn service() -> impl Strategy<Value = (Speech, u16)> {
    (prop::sample::select(Speech::ALL.to_vec()), prop::sample::select(vec![22u16, 80, 443]))
}

fn random() -> impl Strategy<Value = Random> {
    let grant = (prop::collection::vec(network(), 1..4), prop::collection::vec(service(), 1..4));
    let few = || prop::collection::vec(network(), 0..4);
    (prop::collection::vec(grant, 1..4), few(), few()).prop_map(|(grants, excluded, opted_out)| Random {
        grants,
        excluded,
        opted_out,
    })
}

impl Random {
    fn scope(&self) -> Scope {
        let list = |networks: &[IpNet]| networks.iter().map(|one| format!("\"{one}\"")).collect::<Vec<_>>().join(", ");
        let usable = usable();
        let mut text = vec![usable[..usable.find("[[grant]]").unwrap()].to_owned()];
        for (networks, services) in &self.grants {
            let mut ports: BTreeMap<Speech, Vec<String>> = BTreeMap::new();
            for (speech, port) in services {
                ports.entry(*speech).or_default().push(port.to_string());
            }
            let ports: Vec<String> =
                ports.iter().map(|(speech, ports)| format!("{speech} = [{}]", ports.join(", "))).collect();
            text.push(format!("[[grant]]\nnetworks = [{}]\nports = {{ {} }}", list(networks), ports.join(", ")));
        }
        text.push(format!("[exclude]\nnetworks = [{}]\nfiles = [\"out.txt\"]", list(&self.excluded)));
        let text = text.join("\n");
        let folder = tempfile::tempdir().unwrap();
        let lines: Vec<String> = self.opted_out.iter().map(ToString::to_string).collect();
        std::fs::write(folder.path().join("out.txt"), lines.join("\n")).unwrap();
        // The folder is gone after this; at a clock that stands still the lists are looked at once, here.
        let scope = Scope::parse(&text, Path::new("scope.toml"), Some(folder.path())).unwrap();
        let _ = scope.opt_out().addresses(day("2026-11-20"));
        scope
    }

    /// The plain meaning of the contract, address by address.
    fn permits(&self, address: IpAddr, speech: Speech, port: u16) -> bool {
        let in_any = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&address));
        let special = ["192.0.0.0/24", "198.18.0.0/15", "192.88.99.0/24"].map(|text| text.parse().unwrap());
        let granted =
            |(networks, services): &(Vec<IpNet>, Vec<_>)| in_any(networks) && services.contains(&(speech, port));
        self.grants.iter().any(granted) && !in_any(&self.excluded) && !in_any(&self.opted_out) && !in_any(&special)
    }

    fn around(&self) -> Vec<IpAddr> {
        let all = self.grants.iter().flat_map(|(networks, _)| networks).chain(&self.excluded).chain(&self.opted_out);
        let near = |network: &IpNet| {
            let IpAddr::V4(first) = network.network() else { return Vec::new() };
            let IpAddr::V4(last) = network.broadcast() else { return Vec::new() };
            let (first, last) = (u32::from(first), u32::from(last));
            let middle = first + (last - first) / 2;
            [first - 1, first, middle, last, last + 1].map(|low| IpAddr::V4(low.into())).to_vec()
        };
        all.flat_map(near).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn admitted_is_granted_less_excluded(random in random()) {
        let scope = random.scope();
        for address in random.around() {
            for speech in Speech::ALL {
                for port in [22, 80, 443, 8443] {
                    let admitted = scope.admit(SocketAddr::new(address, port), speech, day("2026-11-20")).is_ok();
                    prop_assert_eq!(admitted, random.permits(address, speech, port), "{} {} {}", address, speech, port);
                }
            }
        }
    }

    #[test]
    fn visited_is_what_is_granted_and_each_service_once(random in random(), seed: u64, parts in 1u32..5) {
        let scope = random.scope();
        let targets = Targets::from_scope(&scope).unwrap();
        let mut visited = BTreeSet::new();
        for part in 1..=parts {
            let order = Order::new(seed, targets.hosts(), Shard::new(part, parts).unwrap());
            for n in 0..order.len() {
                let host = targets.host(order.position(n).unwrap()).unwrap();
                prop_assert!(!host.services.is_empty());
                for service in host.services {
                    let admitted = scope.admit(service.socket(), service.speech, day("2026-11-20"));
                    // Opt-outs are met on the way; everything else must be admitted.
                    prop_assert!(matches!(admitted, Ok(_) | Err(Refusal::OptedOut { .. })), "{:?}", admitted);
                    prop_assert!(visited.insert((service.address, service.port, service.speech)));
                }
            }
        }
        prop_assert_eq!(visited.len() as u128, targets.services());
        let told = scope.explain(day("2026-11-20"), &cost);
        let open = visited.iter().filter(|(address, _, _)| !random.opted_out.iter().any(|one| one.contains(address)));
        let hosts: BTreeSet<IpAddr> = open.clone().map(|(address, _, _)| *address).collect();
        prop_assert_eq!(told.total.addresses, hosts.len() as u128);
        prop_assert_eq!(told.total.services.iter().map(|(_, count)| count).sum::<u128>(), open.clone().count() as u128);
        let mut networks: BTreeMap<IpNet, u128> = BTreeMap::new();
        for host in &hosts {
            let wanted: u64 = open.clone().filter(|(address, _, _)| address == host).map(|(_, _, speech)| cost(*speech)).sum();
            *networks.entry(IpNet::new(*host, 24).unwrap().trunc()).or_default() += u128::from(wanted.min(32));
        }
        prop_assert_eq!(told.total.connections, networks.values().sum::<u128>());
        prop_assert_eq!(told.most_per_network.map(|(_, most)| most), networks.values().max().copied());
        prop_assert_eq!(told.most_per_network.is_none_or(|(network, most)| networks[&network] == most), true);
    }

    #[test]
    fn a_narrowed_scope_admits_no_more(random in random(), only in prop::collection::vec(network(), 0..4), speech in service()) {
        let scope = random.scope();
        let by = Narrowing { networks: Some(only.clone()), speeches: Some(vec![speech.0]), ..Narrowing::default() };
        let Ok(narrowed) = scope.narrow(&by) else { return Ok(()) };
        for address in random.around() {
            for port in [22, 80, 443] {
                let to = SocketAddr::new(address, port);
                let wider = scope.admit(to, speech.0, day("2026-11-20")).is_ok();
                let wanted = only.iter().any(|network| network.contains(&address));
                prop_assert_eq!(narrowed.scope.admit(to, speech.0, day("2026-11-20")).is_ok(), wider && wanted);
            }
        }
    }

    #[test]
    fn any_text_gives_a_value(text in "(.|\n){0,200}") {
        let _ = parse(&text);
    }
}

/// What in the usable example is exchanged for what, and how the refusal begins behind the file's name.
const WRONG: &[(&str, &str, &str)] = &[
    (
        "schema = \"hostkin/scope/1\"",
        "",
        "1: `schema` is missing in the scope; add a line like `schema = \"hostkin/scope/1\"`",
    ),
    ("hostkin/scope/1", "hostkin/scope/9", "3: schema `hostkin/scope/9` is not known"),
    ("title = \"Pivot from 198.60.5.7\"", "title = 7", "4: `title` is a whole number, not a text in quotes"),
    ("title = \"Pivot from 198.60.5.7\"", "title = \" \"", "4: `title` is empty; write it like"),
    ("title = \"Pivot from 198.60.5.7\"", "title = \"a\\nb\"", "4: `title` must be one line"),
    ("authority = ", "authorty = ", "5: unknown key `authorty` in the scope; did you mean `authority`?"),
    ("authority = \"Research agreement 2026-14, Example University CERT\"", "", "1: `authority` is missing"),
    ("contact = \"mailto:scan@example.org\"", "", "1: `contact` is missing in the scope; add a line like"),
    ("mailto:scan@example.org", "scan@example.org", "6: contact `scan@example.org` is neither a mail address"),
    ("mailto:scan@example.org", "mailto:nobody", "6: contact `mailto:nobody` is neither"),
    ("https://scan.example.org/\"", "ftp://x\"", "7: page `ftp://x` is not a web address"),
    ("https://scan.example.org/\"", "https://\"", "7: page `https://` is not a web address"),
    ("2026-11-01T00:00:00Z", "\"2026-11-01\"", "8: `valid_from` is a text, not a date without quotes"),
    ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00", "8: `valid_from` needs date, time and offset"),
    (
        "2026-11-01T00:00:00Z",
        "2026-11-01",
        "8: `valid_from` needs date, time and offset; write it like `valid_from = 2026-11-01T00:00:00Z`",
    ),
    (
        "2026-12-31T00:00:00Z",
        "2025-12-31T00:00:00Z",
        "9: `valid_until` (2025-12-31T00:00:00Z) is not after `valid_from` (2026-11-01T00:00:00Z)",
    ),
    ("lab = false", "lab = \"no\"", "10: `lab` is a text, not true or false"),
    ("lab = false", "lab = true", "14: `198.60.5.0/24` is outside 127.0.0.0/8, ::1 and 198.18.0.0/15"),
    ("lab = false", "lab = false\nlab = true", "11: not valid TOML: duplicate key"),
    ("lab = false", "lab = ", "10: not valid TOML:"),
    ("name = \"seed", "nmae = \"seed", "13: unknown key `nmae` in [[grant]]; did you mean `name`?"),
    (
        "name = \"second range of the same provider\"",
        "name = \"seed neighbourhood\"",
        "17: a second grant is called `seed neighbourhood`",
    ),
    ("networks = [\"198.60.5.0/24\", \"2a0f:db8:7::/120\"]", "", "12: `networks` is missing in [[grant]]"),
    ("networks = [\"198.60.5.0/24\", \"2a0f:db8:7::/120\"]", "networks = []", "14: `networks` is empty"),
    (
        "networks = [\"198.60.5.0/24\", ",
        "networks = [\n  \"198.60.5.7/24\", ",
        "15: `198.60.5.7/24` has bits set behind its prefix; write `198.60.5.0/24` for the network or `198.60.5.7` for the one address",
    ),
    (
        "2a0f:db8:7::/120",
        "2a0f:db8:7::/129",
        "14: `2a0f:db8:7::/129` has no usable prefix length; after the `/` stands a number from 0 to 128",
    ),
    ("2a0f:db8:7::/120", "example.org", "14: `example.org` is not an address or CIDR"),
    ("\"2a0f:db8:7::/120\"", "24", "14: `networks` is a whole number, not a text in quotes"),
    ("{ ssh = [22], http = [80], tls = [443] }", "{ }", "15: the grant names no port"),
    ("ports = { ssh = [22], http = [80], tls = [443] }", "", "12: `ports` is missing in [[grant]]"),
    ("ssh = [22],", "ssh = [],", "15: ssh has no ports"),
    ("ssh = [22],", "ssh = 22,", "15: `ssh` is a whole number, not a list of ports"),
    ("ssh = [22],", "ssh = [0],", "15: port 0 of ssh does not exist; ports go from 1 to 65535"),
    ("ssh = [22],", "ssh = [65536],", "15: port 65536 of ssh does not exist"),
    ("ssh = [22],", "ssh = [-1],", "15: port -1 of ssh does not exist"),
    ("ssh = [22],", "ssh = [\"22\"],", "15: port (a text) of ssh does not exist"),
    ("ssh = [22],", "shs = [22],", "15: `shs` is not a protocol of a grant; did you mean `ssh`?"),
    (
        "ssh = [22],",
        "https = [443],",
        "15: `https` is not a protocol of a grant; https rides on tls: write `tls = [443]`",
    ),
    ("ssh = [22],", "telnet = [23],", "15: `telnet` is not a protocol of a grant; known are tls, http, ssh"),
    ("[exclude]", "[exclud]", "22: unknown key `exclud` in the scope; did you mean `exclude`?"),
    (
        "networks = [\"198.60.5.128/25\"]",
        "network = [\"198.60.5.128/25\"]",
        "23: unknown key `network` in [exclude]; did you mean `networks`?",
    ),
    ("198.60.5.128/25", "198.60.5.129/25", "23: `198.60.5.129/25` has bits set"),
    ("files = []", "files = [\"nowhere.txt\"]", "24: cannot read opt-out file scopes/nowhere.txt"),
    (
        "connections_per_second = 200",
        "connections_per_second = 0",
        "27: `connections_per_second` is 0; a limit is a number above 0",
    ),
    ("connections_per_second = 200", "connections_per_second = inf", "27: `connections_per_second` is inf; a limit"),
    ("per_network_per_second = 20", "per_network_per_second = -1", "28: `per_network_per_second` is -1; a limit"),
    ("per_host_per_second = 2", "per_host_per_second = nan", "29: `per_host_per_second` is nan; a limit"),
    ("per_host_connections = 32", "per_host_connections = 1.5", "30: `per_host_connections` is 1.5; a limit"),
    (
        "per_asn_per_second = 50",
        "per_asn_per_second = \"50\"",
        "31: `per_asn_per_second` is a text, not a decimal number",
    ),
    (
        "per_asn_per_second = 50",
        "per_as_per_second = 50",
        "31: unknown key `per_as_per_second` in [limits]; did you mean `per_asn_per_second`?",
    ),
];
