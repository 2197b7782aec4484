//! Features of who carries an AS.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::Behaviour;
use crate::range::fact::{Asn, FactKind};
use crate::range::knowledge::Knowledge;
use crate::range::peering::{Cone, Peering};

impl Behaviour {
    /// What relationships tell.
    pub(super) fn peering(&mut self, knowledge: &Knowledge, date: Option<Date>) {
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
                self.set(asn, "link_stability", stability(&sets));
            }
        }
        self.listed = listed;
    }
}

/// The share of all upstreams ever met that are in at least four of five tables.
fn stability(sets: &[&BTreeSet<Asn>]) -> f64 {
    let mut times: BTreeMap<Asn, usize> = BTreeMap::new();
    for asn in sets.iter().copied().flatten() {
        *times.entry(*asn).or_default() += 1;
    }
    let lasting = times.values().filter(|tables| **tables * 5 >= sets.len() * 4).count();
    lasting as f64 / times.len().max(1) as f64
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
