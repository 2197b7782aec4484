//! How likely an unlisted IPv4 /24 is to be put on a list of hijacked and criminal networks within half a year, from where
//! it lies.
//!
//! Two score cards, fitted by logistic regression on the entries that came to Spamhaus DROP from 2025-03-04 to 2025-09-18
//! and tried on those of the half year after (`tests/bench/ranges`, which also fits them again): one for space of ASes
//! that are reported by name (ASN-DROP, an operator table, the case's own seeds), one for all other space. What counts is
//! how many listed networks begin near by, at several distances, how far the nearest is, and whether the space is known as
//! hosting. Each new entry weighs one, however large it is.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use jiff::civil::Date;

use super::fact::{Asn, Listed, Use};
use super::knowledge::Knowledge;

/// /24s in IPv4.
const BLOCKS: usize = 1 << 24;
/// Prefix lengths at which listed networks near by are counted.
pub const SCALES: [u8; 4] = [20, 16, 12, 8];
/// A listed network of this length or longer counts as small; the prefix length in bits.
const SMALL: u32 = 1024;
/// The largest distance that is told apart, in /24s.
const FAR: u32 = 4096;

/// What a score card is about, in the order of its weights.
pub const FEATURES: [&str; 7] = [
    "small listed networks in the same /20",
    "in the same /16",
    "in the same /12",
    "in the same /8",
    "large listed networks in the same /12",
    "nearness of the next listed network",
    "known as hosting",
];

/// Weights of a logistic regression: log-odds at nought, then one per feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Card {
    /// Log-odds where every feature is nought.
    pub base: f64,
    /// One per feature.
    pub weights: [f64; 7],
}

/// For space of ASes that nobody has reported.
pub const OTHERS: Card = Card { base: -11.69, weights: [0.64, 0.42, 0.26, 0.41, 0.03, 0.30, 0.39] };
/// For space of reported ASes.
pub const REPORTED: Card = Card { base: -5.64, weights: [0.36, 0.44, 0.0, 0.0, 0.0, 0.13, 0.0] };

/// The state of the deny lists on one day, ready to give features of any /24.
pub struct Hazard {
    /// Listed networks of up to 1,024 addresses that begin in each block, by scale.
    small: [Vec<u16>; 4],
    /// Larger ones by /12.
    large: Vec<u16>,
    /// First and last /24 of each listed network, ascending, joined.
    listed: Vec<(u32, u32)>,
    /// First and last /24 of each range known as hosting, ascending, joined.
    hosting: Vec<(u32, u32)>,
    /// First and last /24 announced by reported ASes, ascending, joined.
    reported: Vec<(u32, u32)>,
}

impl std::fmt::Debug for Hazard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hazard")
            .field("listed", &self.listed.len())
            .field("reported", &self.reported.len())
            .finish_non_exhaustive()
    }
}

impl Hazard {
    /// Reads the lists as of `date`. `reported` are ASes that are known by name; those on lists of ASes count by themselves.
    #[must_use]
    pub fn new(knowledge: &Knowledge, date: Option<Date>, reported: &BTreeSet<Asn>) -> Self {
        let table = |bits: u8| vec![0u16; 1 << bits];
        let mut small = SCALES.map(table);
        let mut large = table(12);
        let (mut listed, mut ases) = (Vec::new(), reported.clone());
        let mut seen = BTreeSet::new();
        for (_, listing) in knowledge.each_listing(date) {
            let range = match &listing.listed {
                Listed::Number(asn) => {
                    ases.insert(*asn);
                    continue;
                }
                Listed::Addresses(range) => range,
                Listed::Certificate(_) => continue,
            };
            let (IpAddr::V4(start), IpAddr::V4(end)) = (range.start(), range.end()) else { continue };
            // Lists of hosts are another measure (density); an entry listed twice is one.
            if end.to_bits() - start.to_bits() < 255 || !seen.insert((start, end)) {
                continue;
            }
            listed.push((start.to_bits() >> 8, end.to_bits() >> 8));
            let is_small = end.to_bits() - start.to_bits() < SMALL;
            let count = |table: &mut Vec<u16>, bits: u8| {
                if let Some(one) = table.get_mut((start.to_bits() >> (32 - u32::from(bits))) as usize) {
                    *one = one.saturating_add(1);
                }
            };
            if is_small {
                small.iter_mut().zip(SCALES).for_each(|(table, bits)| count(table, bits));
            } else {
                count(&mut large, 12);
            }
        }
        let mut theirs = Vec::new();
        for asn in ases {
            for found in knowledge.prefixes_of(asn, date) {
                if let (IpAddr::V4(first), IpAddr::V4(last)) = (found.prefix.network(), found.prefix.broadcast()) {
                    theirs.push((first.to_bits() >> 8, last.to_bits() >> 8));
                }
            }
        }
        let everything =
            super::span::AddressRange::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::BROADCAST));
        let named = everything.map(|all| knowledge.named_in(&all, date)).unwrap_or_default();
        let hosting = named.into_iter().filter(|one| one.used_for == Use::Cloud);
        let hosting = hosting.filter_map(|one| match (one.addresses.start(), one.addresses.end()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => Some((first.to_bits() >> 8, last.to_bits() >> 8)),
            _ => None,
        });
        Self { small, large, listed: joined(listed), hosting: joined(hosting.collect()), reported: joined(theirs) }
    }

    /// How many networks stand on the lists, neighbours joined.
    #[must_use]
    pub fn listed_networks(&self) -> usize {
        self.listed.len()
    }

    /// Whether a /24 is on a list, in whole or in part. A /24 is given by its first three bytes.
    #[must_use]
    pub fn is_listed(&self, block: u32) -> bool {
        holds(&self.listed, block)
    }

    /// Whether a /24 is announced by a reported AS.
    #[must_use]
    pub fn is_reported(&self, block: u32) -> bool {
        holds(&self.reported, block)
    }

    /// The features of a /24, in the order of [`FEATURES`].
    #[must_use]
    pub fn features(&self, block: u32) -> [f64; 7] {
        let counted = |table: &Vec<u16>, bits: u8| {
            let at = (block >> (24 - u32::from(bits))) as usize;
            f64::from(table.get(at).copied().unwrap_or(0)).ln_1p()
        };
        let mut features = [0.0; 7];
        let counts = self.small.iter().zip(SCALES).map(|(table, bits)| counted(table, bits));
        let nearness = 12.0 - f64::from(self.distance(block).clamp(1, FAR)).log2();
        let rest = [counted(&self.large, 12), nearness, f64::from(u8::from(holds(&self.hosting, block)))];
        for (to, value) in features.iter_mut().zip(counts.chain(rest)) {
            *to = value;
        }
        features
    }

    /// /24s to the nearest listed network; 0 inside one.
    #[must_use]
    pub fn distance(&self, block: u32) -> u32 {
        let at = self.listed.partition_point(|(first, _)| *first <= block);
        let before = at.checked_sub(1).and_then(|before| self.listed.get(before));
        let before = before.map_or(FAR, |(_, last)| block.saturating_sub(*last));
        let after = self.listed.get(at).map_or(FAR, |(first, _)| first - block);
        before.min(after)
    }

    /// The chance that this /24 comes to the lists within half a year.
    #[must_use]
    pub fn chance(&self, block: u32) -> f64 {
        let card = if self.is_reported(block) { &REPORTED } else { &OTHERS };
        card.chance(&self.features(block))
    }

    /// All /24s of public space that are not listed, likeliest first, those with a chance of `least` or more.
    #[must_use]
    pub fn ranked(&self, least: f64) -> Vec<(u32, f64)> {
        let mut all: Vec<(u32, f64)> = (0..u32::try_from(BLOCKS).unwrap_or(u32::MAX))
            .filter(|block| is_public(*block) && !self.is_listed(*block))
            .map(|block| (block, self.chance(block)))
            .filter(|(_, chance)| *chance >= least)
            .collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        all
    }
}

impl Card {
    /// The chance that the features speak of.
    #[must_use]
    pub fn chance(&self, features: &[f64; 7]) -> f64 {
        let odds = self.base + self.weights.iter().zip(features).map(|(weight, value)| weight * value).sum::<f64>();
        1.0 / (1.0 + (-odds).exp())
    }
}

/// Public unicast space, roughly: what lists can name.
#[must_use]
pub fn is_public(block: u32) -> bool {
    !matches!(block >> 16, 0 | 10 | 127 | 224..)
}

/// Ranges sorted and joined where they touch or overlap.
fn joined(mut ranges: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    ranges.sort_unstable();
    let mut out: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match out.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = (*end).max(last),
            _ => out.push((first, last)),
        }
    }
    out
}

/// Whether a sorted list of ranges holds a /24.
fn holds(ranges: &[(u32, u32)], block: u32) -> bool {
    let at = ranges.partition_point(|(first, _)| *first <= block);
    at.checked_sub(1).and_then(|before| ranges.get(before)).is_some_and(|(_, last)| block <= *last)
}
