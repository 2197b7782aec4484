//! How an AS behaves, feature by feature, beside ASes of like size. Never a verdict on an AS.
//!
//! Features after `ASwatch` (Konte et al., SIGCOMM 2015), Testart et al. (IMC 2019) and ASMATRA (Wagner et al., IM 2013), as far
//! as files of origins, relationships, delegations and lists tell them: fragmentation, churn, visibility, age, spread over
//! registries, upstreams and their reputation. Each has a value, a percentile among ASes of like size, and words. The
//! combined score is the mean of percentiles; it is told only together with its base rate and with how many ASes that nobody
//! lists score as high.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::density::Densities;
use super::fact::{Asn, Listed};
use super::knowledge::Knowledge;

mod feature;
mod registry;
mod space;
mod upstreams;

pub use self::feature::{About, FEATURES, Score, Value};

/// Fewest ASes of like size to compare with.
pub const FEWEST: usize = 20;
/// Fewest features of a combined score.
const FEWEST_FEATURES: usize = 3;

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
            if let Listed::Number(asn) = listing.listed {
                listed.insert(asn);
            }
        }
        let mut all = Self { listed, ..Self::default() };
        all.space(knowledge, &densities, date);
        all.history(knowledge, date);
        all.registries(knowledge, date);
        all.leases(knowledge, date);
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
