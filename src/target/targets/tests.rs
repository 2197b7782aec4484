//! Unit tests of [`Targets`].

use std::path::Path;

use super::*;
use crate::target::read_lines;

/// Grants are (networks, ports), all within the lab's ranges.
fn scope(grants: &[(&str, &str)], exclude: &str) -> Scope {
    let head = "schema = \"hostkin/scope/1\"\ntitle = \"t\"\nauthority = \"a\"\nlab = true\n\
        valid_from = 2026-01-01T00:00:00Z\nvalid_until = 2027-01-01T00:00:00Z";
    let mut text = vec![head.to_owned()];
    for (networks, ports) in grants {
        text.push(format!("[[grant]]\nnetworks = [{networks}]\nports = {{ {ports} }}"));
    }
    text.push(format!("[exclude]\nnetworks = [{exclude}]"));
    let text = text.join("\n");
    Scope::parse(&text, Path::new("scope.toml"), None).unwrap()
}

fn lines(text: &str) -> Vec<TargetLine> {
    read_lines(text.as_bytes(), Path::new("list")).unwrap()
}

fn show(host: &Host) -> String {
    let service = |one: &Service| {
        let name = one.name.as_ref().map(|name| format!("@{name}")).unwrap_or_default();
        format!("{}{}{name}", one.speech, one.port)
    };
    format!("{} {}", host.address, host.services.iter().map(service).collect::<Vec<_>>().join(" "))
}

fn all(targets: &Targets) -> Vec<String> {
    (0..targets.hosts()).map(|position| show(&targets.host(position).unwrap())).collect()
}

#[test]
fn overlapping_grants_give_each_address_once_with_all_its_services() {
    let scope = scope(
        &[("\"127.0.0.0/30\"", "ssh = [22]"), ("\"127.0.0.2/31\", \"::1\"", "ssh = [22], tls = [8443, 443]")],
        "\"127.0.0.1/32\"",
    );
    let targets = Targets::from_scope(&scope).unwrap();
    assert_eq!(
        all(&targets),
        [
            "127.0.0.0 ssh22",
            "127.0.0.2 tls443 tls8443 ssh22",
            "127.0.0.3 tls443 tls8443 ssh22",
            "::1 tls443 tls8443 ssh22"
        ]
    );
    assert_eq!(targets.services(), 10);
    assert_eq!(targets.host(4), None);
}

#[test]
fn an_address_and_its_position_find_each_other() {
    let scope = scope(&[("\"127.0.0.0/24\", \"127.9.0.0/28\", \"::1\"", "ssh = [22]")], "\"127.0.0.77\"");
    let targets = Targets::from_scope(&scope).unwrap();
    for position in 0..targets.hosts() {
        let host = targets.host(position).unwrap();
        assert_eq!(targets.position_of(host.address), Some(position));
    }
    for outside in ["127.0.0.77", "127.0.1.0", "126.255.255.255", "::2", "255.255.255.255"] {
        assert_eq!(targets.position_of(outside.parse().unwrap()), None, "{outside}");
    }
}

#[test]
fn the_digest_is_of_the_hosts_not_of_how_they_are_written() {
    let whole = scope(&[("\"127.0.0.0/24\"", "ssh = [22], tls = [443]")], "");
    let halves = scope(
        &[
            ("\"127.0.0.128/25\"", "tls = [443], ssh = [22]"),
            ("\"127.0.0.0/25\"", "ssh = [22]"),
            ("\"127.0.0.0/25\"", "tls = [443]"),
        ],
        "",
    );
    let (one, other) = (Targets::from_scope(&whole).unwrap(), Targets::from_scope(&halves).unwrap());
    assert_eq!(one.digest(), other.digest());
    let listed = Targets::from_lines(&whole, &lines("127.0.0.0/25\n127.0.0.128/25")).unwrap();
    assert_eq!(one.digest(), listed.digest());
    let less = Targets::from_lines(&whole, &lines("127.0.0.0/25")).unwrap();
    assert_ne!(one.digest(), less.digest());
}

#[test]
fn names_and_ports_ride_on_their_address() {
    let scope = scope(&[("\"127.0.0.0/29\"", "ssh = [22], tls = [443], http = [80]")], "");
    let list = "127.0.0.1:22\nwww.example@127.0.0.1:443\nb.example@127.0.0.1\n127.0.0.2\n127.0.0.1:443\n";
    let targets = Targets::from_lines(&scope, &lines(list)).unwrap();
    assert_eq!(
        all(&targets),
        [
            "127.0.0.1 tls443 tls443@b.example tls443@www.example http80@b.example ssh22 ssh22@b.example",
            "127.0.0.2 tls443 http80 ssh22"
        ]
    );
}

#[test]
fn what_the_scope_does_not_permit_is_left_out_with_the_reason() {
    let scope = scope(&[("\"127.0.0.0/29\"", "ssh = [22]")], "\"127.0.0.3\"");
    let list = "127.0.0.1\n127.0.0.1:23\n192.0.2.1\n127.0.0.3\n127.1.0.0/16\nx.example@127.0.0.9\n9.9.9.9\n";
    let targets = Targets::from_lines(&scope, &lines(list)).unwrap();
    assert_eq!(all(&targets), ["127.0.0.1 ssh22"]);
    let why: Vec<String> = targets.left_out().iter().map(|one| format!("{} {}", one.target.line, one.why)).collect();
    assert_eq!(
        why,
        [
            "2 the scope grants ssh 22 at 127.0.0.1, not port 23",
            "3 192.0.2.1 is in a special-purpose block (192.0.2.0/24 Documentation (TEST-NET-1), RFC 5737), which is never asked",
            "4 127.0.0.3 is excluded by the scope (127.0.0.3/32)",
            "5 no grant of the scope holds 127.1.0.0",
            "6 no grant of the scope holds 127.0.0.9",
            "7 no grant of the scope holds 9.9.9.9",
        ]
    );
    assert_eq!(targets.left_out_in_all(), 6);
}

#[test]
fn ipv6_can_be_granted_widely_but_is_visited_by_list() {
    let text = include_str!("../../../scopes/example.toml").replace("2001:db8:7::/120", "2a00::/16");
    let scope = Scope::parse(&text, Path::new("scope.toml"), None).unwrap();
    let error = Targets::from_scope(&scope).unwrap_err().to_string();
    assert!(error.starts_with("2a00:: to 2a00:ffff:"), "{error}");
    let listed = Targets::from_lines(&scope, &lines("2a00:1::/112\n[2a00:2::7]:443")).unwrap();
    assert_eq!(listed.hosts(), 65_537);
}
