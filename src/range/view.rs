//! What the pictures of a report show: the /24s around a seed, and an AS among its neighbours. Facts only; `report` draws.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use jiff::civil::Date;

use super::density::listed_in;
use super::fact::{Asn, Listed, Use};
use super::knowledge::{Knowledge, Role};
use super::rank::Ranking;
use super::reason::Link;
use super::sibling::Siblings;
use super::span::AddressRange;

/// Upstreams and siblings shown of an AS.
const MOST: usize = 10;

/// One /24 of the map.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cell {
    /// The strongest tie to the seed, if it lies in a candidate.
    pub link: Option<Link>,
    /// Share of its addresses that lists name one by one or as a network, 0 to 1.
    pub listed: f64,
    /// Whether a list names it as a whole.
    pub listed_whole: bool,
    /// Whether a cloud, CDN or the like is known in it.
    pub named: bool,
    /// Whether the seed is in it.
    pub seed: bool,
}

/// The /16 around a seed, /24 by /24.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbourhood {
    /// The seed.
    pub seed: Ipv4Addr,
    /// 256 cells by their third byte.
    pub cells: Vec<Cell>,
}

/// An AS with what is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Which.
    pub asn: Asn,
    /// Its name; strangers' text.
    pub name: String,
    /// Whether a list names it, or a network that it announces.
    pub listed: bool,
    /// What ties it to the AS in the middle, in words; empty for upstreams.
    pub tie: String,
}

/// An AS among its upstreams and siblings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Surroundings {
    /// The AS itself.
    pub centre: Node,
    /// Its upstreams.
    pub upstreams: Vec<Node>,
    /// Upstreams not shown.
    pub more_upstreams: usize,
    /// Its siblings.
    pub siblings: Vec<Node>,
    /// Siblings not shown.
    pub more_siblings: usize,
}

/// The map of a seed's /16.
#[must_use]
pub fn neighbourhood(knowledge: &Knowledge, ranking: &Ranking, seed: Ipv4Addr, now: Option<Date>) -> Neighbourhood {
    let base = seed.to_bits() & 0xffff_0000;
    let mut links: BTreeMap<u32, Link> = BTreeMap::new();
    for candidate in &ranking.candidates {
        let (IpAddr::V4(first), IpAddr::V4(last)) = (candidate.range.start(), candidate.range.end()) else { continue };
        let Some(link) = candidate.reasons.iter().map(|one| one.link).filter(|link| link.widens()).min() else {
            continue;
        };
        let first = first.to_bits().max(base);
        let last = last.to_bits().min(base | 0xffff);
        if first <= last {
            for block in (first >> 8)..=(last >> 8) {
                let known = links.entry(block & 0xff).or_insert(link);
                *known = link.min(*known);
            }
        }
    }
    let cell = |third: u32| {
        let start = Ipv4Addr::from_bits(base | third << 8);
        let Ok(net) = IpNet::new(IpAddr::V4(start), 24) else { return Cell::default() };
        let range = AddressRange::of(net);
        let whole = knowledge.listings_in(&range, now).iter().any(|(_, listing)| match &listing.listed {
            Listed::Addresses(one) => one.holds(&range),
            _ => false,
        });
        Cell {
            link: links.get(&third).copied(),
            listed: listed_in(knowledge, &range, now).share(),
            listed_whole: whole,
            named: knowledge.named_in(&range, now).iter().any(|one| one.used_for != Use::ReverseName),
            seed: seed.to_bits() >> 8 == start.to_bits() >> 8,
        }
    };
    Neighbourhood { seed, cells: (0..256).map(cell).collect() }
}

/// An AS with its upstreams and siblings.
#[must_use]
pub fn surroundings(knowledge: &Knowledge, siblings: &Siblings<'_>, asn: Asn, now: Option<Date>) -> Surroundings {
    let node = |asn: Asn, tie: String| Node {
        asn,
        name: siblings.name(asn).to_owned(),
        listed: !knowledge.listings_of(asn, now).is_empty()
            || knowledge.prefixes_of(asn, now).iter().take(256).any(|found| {
                let range = AddressRange::of(found.prefix);
                knowledge
                    .listings_in(&range, now)
                    .iter()
                    .any(|(_, listing)| matches!(&listing.listed, Listed::Addresses(one) if one.count() >= 256))
            }),
        tie,
    };
    let upstreams: Vec<Asn> = knowledge
        .neighbours(asn, now)
        .into_iter()
        .filter(|one| one.role == Role::Provider)
        .map(|one| one.asn)
        .collect();
    let tied = siblings.of(asn);
    let words = |sibling: &super::sibling::Sibling| {
        sibling.ties.first().map(|(tie, _)| tie.words().to_owned()).unwrap_or_default()
    };
    Surroundings {
        centre: node(asn, String::new()),
        more_upstreams: upstreams.len().saturating_sub(MOST),
        upstreams: upstreams.into_iter().take(MOST).map(|asn| node(asn, String::new())).collect(),
        more_siblings: tied.len().saturating_sub(MOST),
        siblings: tied.iter().take(MOST).map(|one| node(one.asn, words(one))).collect(),
    }
}
