//! How densely deny lists name a network, with shrinkage, and for how long.
//!
//! A small network with one listed address looks worse than a large one with a hundred; so each share is drawn towards what
//! is usual for networks of like size: a beta distribution fitted to them by its first two moments (empirical Bayes).
//! Addresses of known research scanners and Tor exits do not count: they are listed for what they are, and the densest
//! networks of the lists are theirs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::civil::Date;

use super::fact::{Asn, FactKind, Listed, Use};
use super::knowledge::Knowledge;
use super::span::AddressRange;

/// Listed addresses of a network of some size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Count {
    /// Listed addresses.
    pub listed: u64,
    /// All addresses.
    pub addresses: u64,
}

impl Count {
    /// The plain share, 0 to 1.
    #[must_use]
    pub fn share(self) -> f64 {
        if self.addresses == 0 { 0.0 } else { self.listed as f64 / self.addresses as f64 }
    }

    /// Networks of one class are of like size: a factor of eight.
    #[must_use]
    pub fn class(self) -> u32 {
        self.addresses.max(1).ilog2() / 3
    }
}

/// What is usual for networks of like size: a beta distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usual {
    /// Its first parameter: listed addresses that every network is taken to have beforehand.
    pub alpha: f64,
    /// Its second: unlisted ones.
    pub beta: f64,
}

impl Usual {
    /// Fits the two parameters to networks of like size by mean and variance; little data gives a wide distribution around
    /// the mean.
    #[must_use]
    pub fn fit(counts: &[Count]) -> Self {
        let all = counts.len() as f64;
        let mean = (counts.iter().map(|one| one.share()).sum::<f64>() / all.max(1.0)).clamp(1e-7, 0.999);
        let variance = counts.iter().map(|one| (one.share() - mean).powi(2)).sum::<f64>() / (all - 1.0).max(1.0);
        // A share wanders by chance too; what is left is how networks differ.
        let mean_size = counts.iter().map(|one| one.addresses as f64).sum::<f64>() / all.max(1.0);
        let by_chance = mean * (1.0 - mean) / mean_size.max(1.0);
        let between = (variance - by_chance).max(mean * (1.0 - mean) / 10_000.0);
        let weight = (mean * (1.0 - mean) / between - 1.0).clamp(1.0, 10_000.0);
        Self { alpha: mean * weight, beta: (1.0 - mean) * weight }
    }

    /// The share of a network drawn towards what is usual.
    #[must_use]
    pub fn shrunk(&self, count: Count) -> f64 {
        (count.listed as f64 + self.alpha) / (count.addresses as f64 + self.alpha + self.beta)
    }

    /// The usual share.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.alpha / (self.alpha + self.beta)
    }
}

/// Listed shares of all ASes on one day, and what is usual for each class of size.
#[derive(Debug, Default)]
pub struct Densities {
    counts: BTreeMap<Asn, Count>,
    usual: BTreeMap<u32, Usual>,
}

impl Densities {
    /// Counts the announced and the listed addresses (IPv4) of every AS.
    #[must_use]
    pub fn new(knowledge: &Knowledge, date: Option<Date>) -> Self {
        let mut counts: BTreeMap<Asn, Count> = BTreeMap::new();
        let mut covered: Option<u32> = None;
        for found in knowledge.each_announced(date) {
            let (IpAddr::V4(first), IpAddr::V4(last)) = (found.prefix.network(), found.prefix.broadcast()) else {
                continue;
            };
            // Prefixes come in address order, wider ones first: what a wider one holds is counted with it.
            let (first, last) = (first.to_bits(), last.to_bits());
            let from = covered.map_or(first, |end| first.max(end.saturating_add(1)));
            if covered.is_none_or(|end| last > end) {
                for asn in found.origins {
                    counts.entry(*asn).or_default().addresses += u64::from(last - from) + 1;
                }
                covered = Some(last);
            }
        }
        for (asn, listed) in listed_by_as(knowledge, date) {
            let count = counts.entry(asn).or_default();
            count.listed = listed.min(count.addresses.max(1));
        }
        let mut classes: BTreeMap<u32, Vec<Count>> = BTreeMap::new();
        for count in counts.values() {
            classes.entry(count.class()).or_default().push(*count);
        }
        let usual = classes.into_iter().map(|(class, counts)| (class, Usual::fit(&counts))).collect();
        Self { counts, usual }
    }

    /// Listed and all addresses of an AS.
    #[must_use]
    pub fn count(&self, asn: Asn) -> Count {
        self.counts.get(&asn).copied().unwrap_or_default()
    }

    /// The shrunk share of an AS; that of its class where nothing is known of it.
    #[must_use]
    pub fn share(&self, asn: Asn) -> f64 {
        self.shrunk(self.count(asn))
    }

    /// A share drawn towards what is usual for its size.
    #[must_use]
    pub fn shrunk(&self, count: Count) -> f64 {
        self.usual(count).shrunk(count)
    }

    /// What is usual for networks of this size.
    #[must_use]
    pub fn usual(&self, count: Count) -> Usual {
        let near = self.usual.range(..=count.class()).next_back().or_else(|| self.usual.iter().next());
        near.map_or(Usual { alpha: 0.01, beta: 99.99 }, |(_, usual)| *usual)
    }

    /// All ASes with their counts, ascending.
    pub fn each(&self) -> impl Iterator<Item = (Asn, Count)> {
        self.counts.iter().map(|(asn, count)| (*asn, *count))
    }
}

/// Whether an address is one of a known scanner or a Tor exit.
fn is_excused(knowledge: &Knowledge, address: IpAddr, date: Option<Date>) -> bool {
    knowledge.named_at(address, date).iter().any(|named| matches!(named.used_for, Use::Scanner | Use::Tor))
}

/// Listed addresses of every AS, each address once however many lists name it.
fn listed_by_as(knowledge: &Knowledge, date: Option<Date>) -> BTreeMap<Asn, u64> {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for (_, listing) in knowledge.each_listing(date) {
        let Listed::Addresses(range) = &listing.listed else { continue };
        let (IpAddr::V4(first), IpAddr::V4(last)) = (range.start(), range.end()) else { continue };
        ranges.push((first.to_bits(), last.to_bits()));
    }
    ranges.sort_unstable();
    let mut listed: BTreeMap<Asn, u64> = BTreeMap::new();
    let mut next = 0u64;
    for (first, last) in ranges {
        let mut at = u64::from(first).max(next);
        while at <= u64::from(last) {
            // Announcements change at /24 borders and no finer.
            let end = (at | 0xff).min(u64::from(last));
            let address = IpAddr::V4(u32::try_from(at).unwrap_or(u32::MAX).into());
            if let Some(found) = knowledge.origins_at(address, date)
                && !is_excused(knowledge, address, date)
            {
                for asn in found.origins {
                    *listed.entry(*asn).or_default() += end - at + 1;
                }
            }
            at = end + 1;
        }
        next = next.max(at);
    }
    listed
}

/// Listed addresses inside a range, each once, without scanners and Tor exits.
#[must_use]
pub fn listed_in(knowledge: &Knowledge, range: &AddressRange, date: Option<Date>) -> Count {
    let (IpAddr::V4(first), IpAddr::V4(last)) = (range.start(), range.end()) else { return Count::default() };
    let (first, last) = (first.to_bits(), last.to_bits());
    let mut inside: Vec<(u32, u32)> = Vec::new();
    for (_, listing) in knowledge.listings_in(range, date) {
        let Listed::Addresses(one) = &listing.listed else { continue };
        let (IpAddr::V4(start), IpAddr::V4(end)) = (one.start(), one.end()) else { continue };
        if start != end || !is_excused(knowledge, IpAddr::V4(start), date) {
            inside.push((start.to_bits().max(first), end.to_bits().min(last)));
        }
    }
    inside.sort_unstable();
    let (mut listed, mut next) = (0u64, u64::from(first));
    for (start, end) in inside {
        let from = u64::from(start).max(next);
        listed += (u64::from(end) + 1).saturating_sub(from);
        next = next.max(u64::from(end) + 1);
    }
    Count { listed, addresses: u64::from(last - first) + 1 }
}

/// How long lists have named a range, over their dated states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Longevity {
    /// The list.
    pub list: String,
    /// States of the list on hand.
    pub states: usize,
    /// Those that name the range.
    pub named_in: usize,
    /// The first such state, or since when the list itself says.
    pub first: Date,
    /// The last.
    pub last: Date,
}

/// For each list that ever named a part of `range` up to `date`: in how many of its states, from when to when.
#[must_use]
pub fn longevity(knowledge: &Knowledge, range: &AddressRange, date: Option<Date>) -> Vec<Longevity> {
    let lists = knowledge.datasets().filter(|one| one.count(FactKind::Listings) > 0);
    let lists = lists.filter(|one| date.is_none_or(|day| one.date <= day));
    let mut found: BTreeMap<(super::Format, &str), Longevity> = BTreeMap::new();
    for list in lists {
        let entries = knowledge.listings_in(range, Some(list.date));
        let named: Vec<_> = entries.into_iter().filter(|(dataset, _)| dataset.id == list.id).collect();
        let since = named.iter().filter_map(|(_, listing)| listing.since).min();
        let first = since.unwrap_or(list.date);
        let one = found.entry((list.format, &list.name)).or_insert_with(|| Longevity {
            list: list.name.clone(),
            states: 0,
            named_in: 0,
            first: Date::MAX,
            last: Date::MIN,
        });
        one.states += 1;
        if !named.is_empty() {
            one.named_in += 1;
            one.first = one.first.min(first);
            one.last = one.last.max(list.date);
        }
    }
    found.into_values().filter(|one| one.named_in > 0).collect()
}
