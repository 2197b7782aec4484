//! How an AS behaves, feature by feature, beside ASes of like size. Never a verdict on an AS.
//!
//! Features after `ASwatch` (Konte et al., SIGCOMM 2015), Testart et al. (IMC 2019) and ASMATRA (Wagner et al., IM 2013), as far
//! as files of origins, relationships, delegations and lists tell them: fragmentation, churn, visibility, age, spread over
//! registries, upstreams and their reputation. Each has a value, a percentile among ASes of like size, and words. The
//! combined score is the mean of percentiles; it is told only together with its base rate and with how many ASes that nobody
//! lists score as high.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;

use super::density::Densities;
use super::fact::{Asn, FactKind, ObjectClass};
use super::knowledge::Knowledge;
use super::peering::{Cone, Peering};

/// Fewest ASes of like size to compare with.
pub const FEWEST: usize = 20;
/// Fewest features of a combined score.
const FEWEST_FEATURES: usize = 3;

/// A feature: its stable word, what it is in plain words, and which end of it is the unusual one.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Stable word, in JSON.
    pub name: &'static str,
    /// In plain words.
    pub words: &'static str,
    /// `Some(true)`: high values speak for a shifting, leased network; `Some(false)`: low ones; `None`: not part of the score.
    pub high: Option<bool>,
}

const fn about(name: &'static str, words: &'static str, high: Option<bool>) -> About {
    About { name, words, high }
}

/// All features, in the order of values.
pub const FEATURES: [About; 22] = [
    about("prefixes", "networks it announces", None),
    about("addresses", "IPv4 addresses it announces", None),
    about("fragmentation", "networks announced for each that would do, were neighbours joined", Some(true)),
    about("share_24", "share of its networks that are as small as can be (256 addresses)", Some(true)),
    about("mean_length", "mean prefix length of its IPv4 networks", None),
    about("spread_8", "blocks of 16 million addresses that its networks are strewn over", Some(true)),
    about("spread_16", "blocks of 65,536 addresses that its networks are strewn over", None),
    about("shared_origin", "share of its networks that another AS announces too", None),
    about("visibility", "share of the observers on file that see its networks (median)", Some(false)),
    about("churn", "share of its networks that changed from one table on file to the next", Some(true)),
    about("uptime", "share of the tables on file in which it announces anything", Some(false)),
    about("gone", "times it vanished between two tables on file", Some(true)),
    about("registries", "regional registries that its addresses come from", Some(true)),
    about("top_registry", "share of its networks from its commonest registry", Some(false)),
    about("countries", "countries that its addresses are registered in", Some(true)),
    about("providers", "upstreams on file", None),
    about("customers", "customers on file", None),
    about("provider_churn", "share of its upstreams that changed from one table on file to the next", Some(true)),
    about("provider_listed", "share of its upstreams' other customers that are listed (mean)", Some(true)),
    about("provider_size", "size of its upstreams, as the mean logarithm of the ASes behind them", Some(false)),
    about("age_days", "days since its number was given out", Some(false)),
    about("enabler", "how much more often walks up from listed ASes pass it than walks from all; 1 is usual", None),
];

/// One value of an AS.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    /// The value.
    pub value: f64,
    /// Share of ASes of like size with a lower value, counting half of those with the same, 0 to 1; `None` where fewer than
    /// [`FEWEST`] have one.
    pub percentile: Option<f64>,
}

/// The combined score and what it is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Mean of the percentiles that count, each turned so that 1 is the unusual end.
    pub score: f64,
    /// Features that took part.
    pub features: usize,
    /// ASes that have a score.
    pub ases: usize,
    /// Of these, ASes that are listed by name or announce a listed network: the base rate.
    pub listed: usize,
    /// Listed ASes that score as high or higher.
    pub listed_as_high: usize,
    /// ASes that nobody lists and that score as high or higher: innocents, as far as anybody knows.
    pub unlisted_as_high: usize,
}

/// The features of all ASes on one day.
#[derive(Debug, Default)]
pub struct Behaviour {
    values: BTreeMap<Asn, [f64; FEATURES.len()]>,
    /// For each class of size and feature the values, ascending.
    sorted: BTreeMap<u32, Vec<Vec<f64>>>,
    scores: BTreeMap<Asn, f64>,
    listed: BTreeSet<Asn>,
}

impl Behaviour {
    /// Computes all features of all ASes that announce anything on `date`, or are in its relationships.
    #[must_use]
    pub fn new(knowledge: &Knowledge, date: Option<Date>) -> Self {
        let densities = Densities::new(knowledge, date);
        let mut listed: BTreeSet<Asn> =
            densities.each().filter(|(_, count)| count.listed >= 256).map(|(asn, _)| asn).collect();
        for (_, listing) in knowledge.each_listing(date) {
            if let super::fact::Listed::Number(asn) = listing.listed {
                listed.insert(asn);
            }
        }
        let mut all = Self { listed, ..Self::default() };
        all.space(knowledge, &densities, date);
        all.history(knowledge, date);
        all.registries(knowledge, date);
        all.peering(knowledge, date);
        all.percentiles();
        all
    }

    /// The values of an AS in the order of [`FEATURES`]; `None` where the files do not tell. `None` altogether where they
    /// do not know the AS.
    #[must_use]
    pub fn values(&self, asn: Asn) -> Option<Vec<Option<Value>>> {
        let values = self.values.get(&asn)?;
        let class = self.sorted.get(&class(values));
        let one = |(place, value): (usize, &f64)| {
            let like = class.and_then(|class| class.get(place))?;
            (!value.is_nan())
                .then(|| Value { value: *value, percentile: (like.len() >= FEWEST).then(|| percentile(like, *value)) })
        };
        Some(values.iter().enumerate().map(one).collect())
    }

    /// ASes of like size that an AS is compared with, itself too.
    #[must_use]
    pub fn peers(&self, asn: Asn) -> usize {
        let class = self.values.get(&asn).and_then(|values| self.sorted.get(&class(values)));
        class.and_then(|class| class.first()).map_or(0, Vec::len)
    }

    /// The combined score with its base rate; `None` where fewer than three features are known.
    #[must_use]
    pub fn score(&self, asn: Asn) -> Option<Score> {
        let score = *self.scores.get(&asn)?;
        let as_high = |listed: bool| {
            let high = self
                .scores
                .iter()
                .filter(|(other, value)| **other != asn && **value >= score && self.listed.contains(other) == listed);
            high.count()
        };
        Some(Score {
            score,
            features: self.counted(asn).len(),
            ases: self.scores.len(),
            listed: self.scores.keys().filter(|asn| self.listed.contains(asn)).count(),
            listed_as_high: as_high(true),
            unlisted_as_high: as_high(false),
        })
    }

    /// How many ASes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn set(&mut self, asn: Asn, name: &str, value: f64) {
        let place = FEATURES.iter().position(|one| one.name == name);
        let values = self.values.entry(asn).or_insert([f64::NAN; FEATURES.len()]);
        if let Some(one) = place.and_then(|place| values.get_mut(place)) {
            *one = value;
        }
    }

    /// What the newest table of origins tells.
    fn space(&mut self, knowledge: &Knowledge, densities: &Densities, date: Option<Date>) {
        #[derive(Default)]
        struct Space {
            v4: Vec<(u32, u8)>,
            all: u32,
            shared: u32,
            seen: Vec<u32>,
        }
        let mut spaces: BTreeMap<Asn, Space> = BTreeMap::new();
        let mut most_seen = 0;
        for found in knowledge.each_announced(date) {
            most_seen = most_seen.max(found.peers_seen.unwrap_or(0));
            for asn in found.origins {
                let space = spaces.entry(*asn).or_default();
                space.all += 1;
                space.shared += u32::from(found.origins.len() > 1);
                space.seen.extend(found.peers_seen);
                if let IpNet::V4(net) = found.prefix {
                    space.v4.push((net.network().to_bits(), net.prefix_len()));
                }
            }
        }
        for (asn, mut space) in spaces {
            self.set(asn, "prefixes", f64::from(space.all));
            self.set(asn, "addresses", densities.count(asn).addresses as f64);
            self.set(asn, "shared_origin", f64::from(space.shared) / f64::from(space.all.max(1)));
            if most_seen > 1 && !space.seen.is_empty() {
                space.seen.sort_unstable();
                let median = space.seen.get(space.seen.len() / 2).copied().unwrap_or(0);
                self.set(asn, "visibility", f64::from(median) / f64::from(most_seen));
            }
            let count = space.v4.len() as f64;
            if space.v4.is_empty() {
                continue;
            }
            let nets: Vec<ipnet::Ipv4Net> = space
                .v4
                .iter()
                .filter_map(|(bits, length)| ipnet::Ipv4Net::new((*bits).into(), *length).ok())
                .collect();
            let joined = ipnet::Ipv4Net::aggregate(&nets).len() as f64;
            self.set(asn, "fragmentation", count / joined.max(1.0));
            let small = space.v4.iter().filter(|(_, length)| *length == 24).count() as f64;
            self.set(asn, "share_24", small / count);
            self.set(asn, "mean_length", space.v4.iter().map(|(_, length)| f64::from(*length)).sum::<f64>() / count);
            for (name, shift) in [("spread_8", 24), ("spread_16", 16)] {
                let blocks: BTreeSet<u32> = space.v4.iter().map(|(bits, _)| bits >> shift).collect();
                self.set(asn, name, blocks.len() as f64);
            }
        }
    }

    /// What several tables of origins tell together.
    fn history(&mut self, knowledge: &Knowledge, date: Option<Date>) {
        #[derive(Default, Clone, Copy)]
        struct Past {
            tables: u32,
            gone: u32,
            steps: u32,
            churn: f64,
        }
        let tables = knowledge.datasets().filter(|one| one.count(FactKind::Origins) > 0 && one.whole);
        let days: BTreeSet<Date> =
            tables.map(|one| one.date).filter(|day| date.is_none_or(|last| *day <= last)).collect();
        if days.len() < 2 {
            return;
        }
        let mut past: BTreeMap<Asn, Past> = BTreeMap::new();
        let mut before: BTreeMap<Asn, BTreeSet<IpNet>> = BTreeMap::new();
        for day in &days {
            let mut now: BTreeMap<Asn, BTreeSet<IpNet>> = BTreeMap::new();
            for found in knowledge.each_announced(Some(*day)) {
                for asn in found.origins {
                    now.entry(*asn).or_default().insert(found.prefix);
                }
            }
            for (asn, networks) in &now {
                let one = past.entry(*asn).or_default();
                one.tables += 1;
                if let Some(earlier) = before.get(asn) {
                    let both = networks.intersection(earlier).count() as f64;
                    let either = (networks.len() + earlier.len()) as f64 - both;
                    one.steps += 1;
                    one.churn += 1.0 - both / either.max(1.0);
                }
            }
            for asn in before.keys().filter(|asn| !now.contains_key(asn)) {
                past.entry(*asn).or_default().gone += 1;
            }
            before = now;
        }
        let all = days.len() as f64;
        let known: Vec<Asn> = self.values.keys().copied().collect();
        for asn in known {
            let one = past.get(&asn).copied().unwrap_or_default();
            self.set(asn, "uptime", f64::from(one.tables) / all);
            self.set(asn, "gone", f64::from(one.gone));
            if one.steps > 0 {
                self.set(asn, "churn", one.churn / f64::from(one.steps));
            }
        }
    }

    /// What delegations tell of its space and its number.
    fn registries(&mut self, knowledge: &Knowledge, date: Option<Date>) {
        let has = knowledge.datasets().any(|one| one.count(FactKind::Delegations) > 0);
        let mut given: BTreeMap<Asn, BTreeMap<String, u32>> = BTreeMap::new();
        let mut countries: BTreeMap<Asn, BTreeSet<String>> = BTreeMap::new();
        if has {
            for found in knowledge.each_announced(date) {
                let IpAddr::V4(_) = found.prefix.network() else { continue };
                let Some(one) = knowledge.delegations_at(found.prefix.network(), date).into_iter().next() else {
                    continue;
                };
                for asn in found.origins {
                    *given.entry(*asn).or_default().entry(one.registry.clone()).or_default() += 1;
                    if !one.country.is_empty() {
                        countries.entry(*asn).or_default().insert(one.country.clone());
                    }
                }
            }
        }
        for (asn, registries) in given {
            let all: u32 = registries.values().sum();
            self.set(asn, "registries", registries.len() as f64);
            self.set(
                asn,
                "top_registry",
                f64::from(registries.values().copied().max().unwrap_or(0)) / f64::from(all.max(1)),
            );
        }
        for (asn, countries) in countries {
            self.set(asn, "countries", countries.len() as f64);
        }
        let today = date.or_else(|| knowledge.datasets().map(|one| one.date).max());
        let Some(today) = today else { return };
        let mut dated: BTreeMap<Asn, Date> = BTreeMap::new();
        for one in knowledge.each_delegation(date) {
            if let (super::fact::Resource::Numbers(from, to), Some(day)) = (one.resource, one.date) {
                for number in from.0..=to.0.min(from.0.saturating_add(10_000)) {
                    dated.insert(Asn(number), day);
                }
            }
        }
        let known: Vec<Asn> = self.values.keys().copied().collect();
        let objects = knowledge.datasets().any(|one| one.count(FactKind::Objects) > 0);
        for asn in known {
            let made =
                || knowledge.object(ObjectClass::AutNum, &asn.to_string(), date).and_then(|object| object.created);
            let day = dated.get(&asn).copied().or_else(|| if objects { made() } else { None });
            if let Some(day) = day {
                let days = today.since(day).map_or(0, |span| span.get_days());
                self.set(asn, "age_days", f64::from(days));
            }
        }
    }

    /// What relationships tell.
    fn peering(&mut self, knowledge: &Knowledge, date: Option<Date>) {
        let (_, relationships) = knowledge.relationships(date);
        if relationships.is_empty() {
            return;
        }
        let graph = Peering::new(relationships);
        let listed = std::mem::take(&mut self.listed);
        let cones = graph.cones(|asn| listed.contains(&asn));
        let enablers = graph.enablers(|asn| listed.contains(&asn));
        let earlier = earlier_providers(knowledge, date);
        let known: Vec<Asn> = self.values.keys().copied().collect();
        for asn in known {
            let providers: Vec<Asn> = graph.providers(asn).collect();
            self.set(asn, "customers", graph.customers(asn) as f64);
            self.set(asn, "providers", providers.len() as f64);
            if let Some(score) = enablers.get(&asn) {
                self.set(asn, "enabler", *score);
            }
            if providers.is_empty() {
                continue;
            }
            let itself = u32::from(listed.contains(&asn));
            let of = |provider: &Asn| cones.get(provider).copied().unwrap_or(Cone { ases: 1, listed: itself });
            let listed_share = |cone: Cone| {
                f64::from(cone.listed.saturating_sub(itself)) / f64::from(cone.ases.saturating_sub(1).max(1))
            };
            let count = providers.len() as f64;
            self.set(asn, "provider_listed", providers.iter().map(|one| listed_share(of(one))).sum::<f64>() / count);
            self.set(
                asn,
                "provider_size",
                providers.iter().map(|one| f64::from(of(one).ases).ln_1p()).sum::<f64>() / count,
            );
            let now: BTreeSet<Asn> = providers.into_iter().collect();
            let mut sets: Vec<&BTreeSet<Asn>> = earlier.iter().filter_map(|day| day.get(&asn)).collect();
            sets.push(&now);
            if sets.len() > 1 {
                let steps = sets.windows(2).map(|pair| match pair {
                    [one, two] => 1.0 - one.intersection(two).count() as f64 / one.union(two).count().max(1) as f64,
                    _ => 0.0,
                });
                self.set(asn, "provider_churn", steps.sum::<f64>() / (sets.len() - 1) as f64);
            }
        }
        self.listed = listed;
    }

    fn percentiles(&mut self) {
        for values in self.values.values() {
            let columns = self.sorted.entry(class(values)).or_insert_with(|| vec![Vec::new(); FEATURES.len()]);
            for (column, value) in columns.iter_mut().zip(values) {
                if !value.is_nan() {
                    column.push(*value);
                }
            }
        }
        self.sorted.values_mut().flatten().for_each(|column| column.sort_by(f64::total_cmp));
        for asn in self.values.keys() {
            let counted = self.counted(*asn);
            if counted.len() >= FEWEST_FEATURES {
                self.scores.insert(*asn, counted.iter().sum::<f64>() / counted.len() as f64);
            }
        }
    }

    /// The percentiles that count for the score.
    fn counted(&self, asn: Asn) -> Vec<f64> {
        let values = self.values(asn).unwrap_or_default();
        let turned = values.iter().zip(FEATURES).filter_map(|(value, about)| {
            let percentile = value.as_ref()?.percentile?;
            Some(if about.high? { percentile } else { 1.0 - percentile })
        });
        turned.collect()
    }
}

/// Providers of every AS in earlier tables of relationships, oldest first.
fn earlier_providers(knowledge: &Knowledge, date: Option<Date>) -> Vec<BTreeMap<Asn, BTreeSet<Asn>>> {
    let tables = knowledge.datasets().filter(|one| one.count(FactKind::Relationships) > 0);
    let days: BTreeSet<Date> = tables.map(|one| one.date).filter(|day| date.is_none_or(|last| *day <= last)).collect();
    let days: Vec<Date> = days.into_iter().collect();
    let Some((_, earlier)) = days.split_last() else { return Vec::new() };
    let providers = |day: &Date| {
        let graph = Peering::new(knowledge.relationships(Some(*day)).1);
        graph.by_customer()
    };
    earlier.iter().map(providers).collect()
}

/// ASes of one class announce like much: a factor of eight.
fn class(values: &[f64; FEATURES.len()]) -> u32 {
    let addresses = values.get(1).copied().filter(|value| !value.is_nan()).unwrap_or(0.0);
    // Up to all of IPv4, 8^11.
    (1..12).filter(|step| addresses >= 8f64.powi(*step)).map(|_| 1).sum()
}

/// The share of `sorted` below `value`, with half of those equal.
fn percentile(sorted: &[f64], value: f64) -> f64 {
    let below = sorted.partition_point(|one| *one < value);
    let not_above = sorted.partition_point(|one| *one <= value);
    (below + not_above) as f64 / (2 * sorted.len().max(1)) as f64
}
