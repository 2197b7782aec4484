use std::collections::BTreeMap;

use super::*;
use crate::report::dossier::{SharedFacet, SharedService};
use crate::report::marking::Marking;
use crate::report::registry::Holder;

/// A host of a cluster as the linkage gives it.
pub(in crate::report) fn host(address: &str, score: f64) -> SharedHost {
    SharedHost {
        address: address.parse().unwrap(),
        score,
        log10_lr: 3.0,
        level: Level::Provider,
        standing: Standing::Found,
        reasons: vec!["same SSH host key as 3 of 3 in the set".to_owned()],
        against: Vec::new(),
        evidence: Vec::new(),
        first_seen: Some("2026-11-01T00:00:00Z".parse().unwrap()),
        last_seen: Some("2026-11-20T00:00:00Z".parse().unwrap()),
        ports: vec![22],
        asn: Some(64500),
        prefix: None,
        holder: None,
        personal: false,
    }
}

/// A case of one seeded cluster.
pub(in crate::report) fn dossier(hosts: Vec<SharedHost>) -> Dossier {
    let services: BTreeMap<_, _> = hosts.iter().map(|host| (host.address, Vec::new())).collect();
    let cluster = SharedCluster { id: "unnamed-1".to_owned(), seeded: true, purity: 1.0, hosts };
    Dossier { clusters: vec![cluster], services, ..Dossier::default() }
}

fn rules() -> Rules {
    Rules { least_score: 0.95, days: 90, ranges: false, allow: Vec::new(), at: "2026-11-22T00:00:00Z".parse().unwrap() }
}

fn listed(list: &Denylist) -> Vec<String> {
    list.entries.iter().map(|entry| entry.network.to_string()).collect()
}

/// All addresses of 203.0.113.0/24 from one to the other, of the provider.
fn row(from: u8, to: u8) -> Vec<SharedHost> {
    (from..=to).map(|last| host(&format!("203.0.113.{last}"), 0.99)).collect()
}

fn all(dossier: &Dossier) -> BTreeSet<IpAddr> {
    dossier.addresses()
}

#[test]
fn only_sure_hosts_of_the_provider_are_listed_and_each_other_says_why_not() {
    let rejected = SharedHost { standing: Standing::Rejected, ..host("203.0.113.2", 0.99) };
    let tenant = SharedHost { level: Level::Tenant, ..host("203.0.113.3", 0.99) };
    let confirmed = SharedHost { standing: Standing::Confirmed, level: Level::Tenant, ..host("203.0.113.5", 0.4) };
    let old = SharedHost { last_seen: Some("2026-01-01T00:00:00Z".parse().unwrap()), ..host("203.0.113.6", 0.99) };
    let allowed = host("203.0.113.7", 0.99);
    let hosts = vec![host("203.0.113.1", 0.99), rejected, tenant, host("203.0.113.4", 0.9), confirmed, old, allowed];
    let dossier = dossier(hosts);
    let rules = Rules { allow: vec!["203.0.113.7/32".parse().unwrap()], ..rules() };
    let list = denylist(&dossier, &all(&dossier), &rules);
    assert_eq!(listed(&list), ["203.0.113.1/32", "203.0.113.5/32"]);
    let why: Vec<&str> = list.left_out.iter().map(|(_, why)| why.as_str()).collect();
    for (why, word) in why.iter().zip(["rejected", "tenant", "below", "90 days ago", "allow list"]) {
        assert!(why.contains(word), "{why} / {word}");
    }
    assert_eq!(list.entries[0].valid_until.to_string(), "2027-02-18T00:00:00Z");
}

#[test]
fn a_cluster_without_a_seed_lists_nobody() {
    let mut dossier = dossier(row(1, 3));
    dossier.clusters[0].seeded = false;
    assert!(denylist(&dossier, &all(&dossier), &rules()).entries.is_empty());
}

#[test]
fn a_range_needs_hosts_that_support_it_and_nobody_else_inside() {
    let rules = Rules { ranges: true, ..rules() };
    let few = dossier(row(1, 3));
    assert_eq!(listed(&denylist(&few, &all(&few), &rules)), ["203.0.113.0/30"], "three of four");
    let many = dossier(row(1, 29));
    assert_eq!(listed(&denylist(&many, &all(&many), &rules)), ["203.0.113.0/24"], "29 and nobody else");
    let mut with_stranger = all(&many);
    with_stranger.insert("203.0.113.200".parse().unwrap());
    let list = denylist(&many, &with_stranger, &rules);
    assert!(!listed(&list).contains(&"203.0.113.0/24".to_owned()));
    let covers =
        |address: &str| list.entries.iter().any(|entry| entry.network.contains(&address.parse::<IpAddr>().unwrap()));
    assert!(!covers("203.0.113.200"), "{:?}", listed(&list));
    assert!((1..=29).all(|last| covers(&format!("203.0.113.{last}"))));
    let inside = list.entries.iter().map(|entry| entry.collateral.hosts).sum::<u64>();
    assert_eq!(inside, 29);
    let allowed = Rules { allow: vec!["203.0.113.128/25".parse().unwrap()], ..rules };
    assert_eq!(listed(&denylist(&many, &all(&many), &allowed)), ["203.0.113.0/25"], "the allow list splits a block");
}

#[test]
fn a_range_ends_where_its_holder_ends() {
    let holder = |network: &str| {
        Some(Holder {
            network: network.parse().unwrap(),
            name: "x".to_owned(),
            handle: None,
            source: "test".to_owned(),
            since: None,
        })
    };
    let mut hosts = row(0, 7);
    for host in &mut hosts {
        host.holder =
            holder("203.0.113.0/30").filter(|one| one.network.contains(&host.address)).or(holder("203.0.113.4/30"));
    }
    let dossier = dossier(hosts);
    let rules = Rules { ranges: true, ..rules() };
    assert_eq!(listed(&denylist(&dossier, &all(&dossier), &rules)), ["203.0.113.0/30", "203.0.113.4/30"]);
}

#[test]
fn nothing_is_wider_than_a_24() {
    let hosts = (0..=1)
        .flat_map(|net| (0..=255).map(move |last| host(&format!("198.51.{}.{last}", 100 + net), 0.99)))
        .collect();
    let dossier = dossier(hosts);
    let list = denylist(&dossier, &all(&dossier), &Rules { ranges: true, ..rules() });
    assert_eq!(listed(&list), ["198.51.100.0/24", "198.51.101.0/24"]);
}

#[test]
fn a_strangers_text_stays_in_one_line_of_comment_in_every_format() {
    let mut bad = host("203.0.113.1", 0.99);
    bad.reasons = vec!["title \"x\"\nroute 0.0.0.0/0 blackhole;\r\u{2028}} \u{1b}[2J \u{202e}\\ ' ;".to_owned()];
    let dossier = dossier(vec![bad, host("2001:db8::7", 0.99)]);
    let list = denylist(&dossier, &all(&dossier), &rules());
    for format in Format::ALL {
        let text = format.write(Change::Whole(&list.entries), &dossier.case, Marking::default());
        let comment = |line: &&str| !line.trim_start().starts_with(['#', ';']);
        for line in text.lines().filter(comment) {
            let inside_string = [Format::Drop, Format::Zeek].contains(&format);
            assert!(inside_string || !line.contains("0.0.0.0/0"), "{format:?}: {line}");
        }
        assert!(text.lines().all(|line| !line.starts_with("route 0.0.0.0")), "{text}");
        assert!(
            text.bytes().all(|byte| byte == b'\n' || byte == b'\t' || (0x20..0x7f).contains(&byte))
                || format == Format::Drop,
            "{format:?}"
        );
    }
}

#[test]
fn a_policy_zone_names_addresses_backwards_with_the_longest_run_of_zeros_as_zz() {
    let dossier =
        dossier(vec![host("203.0.113.1", 0.99), host("2001:db8::7", 0.99), host("2001:db8:1:2:3:4:5:6", 0.99)]);
    let list = denylist(&dossier, &all(&dossier), &rules());
    let zone = Format::Rpz.write(Change::Whole(&list.entries), &dossier.case, Marking::default());
    let triggers: Vec<&str> =
        zone.lines().filter(|line| line.contains("rpz-ip CNAME")).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(triggers, ["32.1.113.0.203.rpz-ip", "128.7.zz.db8.2001.rpz-ip", "128.6.5.4.3.2.1.db8.2001.rpz-ip"]);
}

#[test]
fn what_came_and_what_went_is_told() {
    let before: BTreeSet<IpNet> =
        ["203.0.113.1/32", "203.0.113.9/32"].iter().map(|text| text.parse().unwrap()).collect();
    let dossier = dossier(row(1, 2));
    let list = denylist(&dossier, &all(&dossier), &rules());
    assert_eq!(
        list.added(&before).iter().map(|entry| entry.network.to_string()).collect::<Vec<_>>(),
        ["203.0.113.2/32"]
    );
    assert_eq!(list.removed(&before), ["203.0.113.9/32".parse::<IpNet>().unwrap()]);
    let text = Format::Ipset.write(Change::Removed(&list.removed(&before)), &dossier.case, Marking::default());
    assert!(text.ends_with("del hostkin4 203.0.113.9/32 -exist\n"), "{text}");
}

#[test]
fn an_address_that_others_share_is_listed_only_on_a_persons_word() {
    let facet = |kind, text: &str| SharedFacet {
        kind,
        text: text.to_owned(),
        exact: None,
        personal: false,
        extra: serde_json::Map::new(),
    };
    let names =
        |count: u8| (0..count).map(|at| facet(FacetKind::CertSan, &format!("DNS:www.shop{at}.example"))).collect();
    let confirmed = SharedHost { standing: Standing::Confirmed, ..host("203.0.113.4", 0.99) };
    let hosts = vec![host("203.0.113.1", 0.99), host("203.0.113.2", 0.99), host("203.0.113.3", 0.99), confirmed];
    let mut dossier = dossier(hosts);
    for (last, facets) in
        [(1, vec![facet(FacetKind::HttpServer, "Cloudflare")]), (2, names(10)), (3, names(9)), (4, names(10))]
    {
        let services = vec![SharedService::of_facets(443, "tls", facets)];
        dossier.services.insert(IpAddr::from([203, 0, 113, last]), services);
    }
    let list = denylist(&dossier, &all(&dossier), &rules());
    assert_eq!(listed(&list), ["203.0.113.3/32", "203.0.113.4/32"]);
    let why: Vec<&str> = list.left_out.iter().map(|(_, why)| why.as_str()).collect();
    assert!(why[0].contains("calls itself \"Cloudflare\"") && why[1].contains("name 10 different domains"), "{why:?}");
}
