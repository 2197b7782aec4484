//! Features of where an AS's addresses and its number come from.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::civil::Date;

use super::Behaviour;
use crate::range::fact::{Asn, FactKind, ObjectClass, Resource};
use crate::range::knowledge::Knowledge;

impl Behaviour {
    /// What delegations tell of its space and its number.
    pub(super) fn registries(&mut self, knowledge: &Knowledge, date: Option<Date>) {
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
            if let (Resource::Numbers(from, to), Some(day)) = (one.resource, one.date) {
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
    /// Addresses (IPv4) whose smallest registered range belongs to another organisation than the AS itself: leased or a
    /// customer's own. Only where the registry names both organisations.
    pub(super) fn leases(&mut self, knowledge: &Knowledge, date: Option<Date>) {
        if !knowledge.datasets().any(|one| one.count(FactKind::Objects) > 0) {
            return;
        }
        let mut orgs: BTreeMap<Asn, Option<String>> = BTreeMap::new();
        let mut shares: BTreeMap<Asn, (f64, f64)> = BTreeMap::new();
        for found in knowledge.each_announced(date).filter(|found| found.prefix.addr().is_ipv4()) {
            let mut holder: Option<Option<String>> = None;
            for asn in found.origins {
                let own = orgs.entry(*asn).or_insert_with(|| {
                    knowledge.object(ObjectClass::AutNum, &asn.to_string(), date).and_then(|object| object.org)
                });
                let Some(own) = own else { continue };
                let holder = holder.get_or_insert_with(|| {
                    let objects = knowledge.registry_at(found.prefix.network(), date);
                    objects.into_iter().find(|one| one.class == ObjectClass::Inetnum).and_then(|one| one.org)
                });
                let Some(holder) = holder else { continue };
                let addresses = 2f64.powi(32 - i32::from(found.prefix.prefix_len()));
                let (leased, all) = shares.entry(*asn).or_default();
                *all += addresses;
                if !holder.eq_ignore_ascii_case(own) {
                    *leased += addresses;
                }
            }
        }
        for (asn, (leased, all)) in shares {
            self.set(asn, "leased", leased / all);
        }
    }
}
