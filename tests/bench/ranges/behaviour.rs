//! Features of 80,000 ASes: how long they take. The ASes are made up.

use std::net::Ipv4Addr;
use std::time::Instant;

use hostkin::range::fact::{Listed, Listing, Origin, Relation, Relationship};
use hostkin::range::{AddressRange, Asn, Behaviour, Dataset, Fact, FactKind, Format, Held, Knowledge};
use ipnet::{IpNet, Ipv4Net};
use jiff::civil::{Date, date};

const ASES: u32 = 80_000;
const PREFIXES: u32 = 1_000_000;

/// Prints seconds.
#[expect(clippy::disallowed_methods, reason = "it measures time")]
pub(crate) fn run() {
    let tables = (1..=2).map(|day| {
        table(date(2026, 1, day), i64::from(day), FactKind::Origins, origins(u32::try_from(day).unwrap_or(1)))
    });
    let mut all: Vec<Held> = tables.collect();
    all.push(table(date(2026, 1, 2), 3, FactKind::Relationships, links()));
    all.push(table(date(2026, 1, 2), 4, FactKind::Listings, listings()));
    let knowledge = Knowledge::new(all);
    let begin = Instant::now();
    let behaviour = Behaviour::new(&knowledge, None);
    let seconds = begin.elapsed().as_secs_f64();
    println!("{} ASes, 2 tables of {PREFIXES} prefixes: {seconds:.1} s", behaviour.len());
    let begin = Instant::now();
    println!("{:?} in {:.3} s", behaviour.score(Asn(1_000)), begin.elapsed().as_secs_f64());
}

fn table(day: Date, id: i64, kind: FactKind, facts: Vec<Fact>) -> Held {
    let counts = std::iter::once((kind, facts.len() as u64)).collect();
    let about = Dataset {
        id,
        format: Format::Ipasn,
        name: kind.as_str().to_owned(),
        source: String::new(),
        date: day,
        sha256: [0; 32],
        bytes: 0,
        licence: String::new(),
        counts,
        whole: true,
        warnings: Vec::new(),
    };
    Held::new(about, facts)
}

fn block(n: u32) -> IpNet {
    IpNet::V4(Ipv4Net::new(Ipv4Addr::from_bits((n + (1 << 16)) << 8), 24).unwrap_or_default())
}

fn origins(shift: u32) -> Vec<Fact> {
    let one = |n: u32| {
        Fact::Origin(Origin {
            prefix: block(n),
            origins: vec![Asn(1 + (n / 7 * 7919 + u32::from(n.is_multiple_of(50)) * shift) % ASES)],
            is_set: false,
            peers_seen: Some(n % 90),
        })
    };
    (0..PREFIXES).map(one).collect()
}

fn links() -> Vec<Fact> {
    let one = |n: u32| {
        let provider = if n.is_multiple_of(20) { n % 12 } else { n / 20 * 20 } + 1;
        Fact::Relationship(Relationship {
            a: Asn(provider),
            b: Asn(n + 1),
            relation: Relation::ProviderCustomer,
            inferred: false,
        })
    };
    (12..ASES).filter(|n| !n.is_multiple_of(20) || *n > 12).map(one).collect()
}

fn listings() -> Vec<Fact> {
    let one = |n: u32| {
        Fact::Listing(Listing {
            listed: Listed::Addresses(AddressRange::of(block(n * 600))),
            list: "list".to_owned(),
            reason: None,
            since: None,
            until: None,
            domain: None,
            lists: None,
        })
    };
    (0..1_600).map(one).collect()
}
