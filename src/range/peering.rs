//! The graph of customers and providers: cones, what is listed in them, and who enables the listed.
//!
//! The enabler score is a personalised `PageRank` (Page et al., 1999; used so by Wagner et al., IM 2013, as ASMATRA): a walk starts at
//! a listed AS, climbs from customer to provider, and begins anew now and then. An AS where many such walks pass is behind
//! many listed ones; since large carriers are behind everybody, the score is divided by that of walks from all ASes alike.

use std::collections::{BTreeMap, BTreeSet};

use super::fact::{Asn, Relation, Relationship};

/// Chance of climbing on instead of beginning anew.
const DAMPING: f64 = 0.85;
/// Rounds of the iteration; what is left after them is below a thousandth.
const ROUNDS: usize = 40;

/// Customers and providers by place.
#[derive(Debug, Default)]
pub struct Peering {
    asns: Vec<Asn>,
    providers: Vec<Vec<u32>>,
    customers: Vec<Vec<u32>>,
}

/// What is behind a provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cone {
    /// ASes that reach the Internet through it, directly or through others, itself not counted.
    pub ases: u32,
    /// Of these, listed ones.
    pub listed: u32,
}

impl Peering {
    /// Takes the relationships of one day.
    #[must_use]
    pub fn new(relationships: &[Relationship]) -> Self {
        let links = relationships.iter().filter(|one| one.relation == Relation::ProviderCustomer);
        let mut asns: Vec<Asn> = links.clone().flat_map(|one| [one.a, one.b]).collect();
        asns.sort_unstable();
        asns.dedup();
        let mut graph = Self { providers: vec![Vec::new(); asns.len()], customers: vec![Vec::new(); asns.len()], asns };
        for link in links {
            if let (Some(provider), Some(customer)) = (graph.place(link.a), graph.place(link.b)) {
                if let Some(list) = graph.customers.get_mut(provider) {
                    list.extend(u32::try_from(customer));
                }
                if let Some(list) = graph.providers.get_mut(customer) {
                    list.extend(u32::try_from(provider));
                }
            }
        }
        graph
    }

    fn place(&self, asn: Asn) -> Option<usize> {
        self.asns.binary_search(&asn).ok()
    }

    /// Direct providers of an AS.
    pub fn providers(&self, asn: Asn) -> impl Iterator<Item = Asn> {
        let places = self.place(asn).and_then(|place| self.providers.get(place));
        places.into_iter().flatten().filter_map(|place| self.asns.get(*place as usize).copied())
    }

    /// The direct providers of every AS that has some.
    #[must_use]
    pub fn by_customer(&self) -> BTreeMap<Asn, BTreeSet<Asn>> {
        let named =
            |places: &Vec<u32>| places.iter().filter_map(|place| self.asns.get(*place as usize).copied()).collect();
        let all = self.asns.iter().zip(&self.providers).filter(|(_, places)| !places.is_empty());
        all.map(|(asn, places)| (*asn, named(places))).collect()
    }

    /// How many direct customers an AS has.
    #[must_use]
    pub fn customers(&self, asn: Asn) -> usize {
        self.place(asn).and_then(|place| self.customers.get(place)).map_or(0, Vec::len)
    }

    /// The cone of every AS that has customers.
    #[must_use]
    pub fn cones(&self, is_listed: impl Fn(Asn) -> bool) -> BTreeMap<Asn, Cone> {
        let listed: Vec<bool> = self.asns.iter().map(|asn| is_listed(*asn)).collect();
        let mut seen = vec![u32::MAX; self.asns.len()];
        let mut stack: Vec<u32> = Vec::new();
        let mut cones = BTreeMap::new();
        for (round, asn) in (0u32..).zip(&self.asns) {
            let Some(own) = self.customers.get(round as usize).filter(|own| !own.is_empty()) else { continue };
            let mut cone = Cone::default();
            if let Some(mark) = seen.get_mut(round as usize) {
                *mark = round;
            }
            stack.extend(own);
            while let Some(place) = stack.pop() {
                let at = place as usize;
                let Some(mark) = seen.get_mut(at).filter(|mark| **mark != round) else { continue };
                *mark = round;
                cone.ases += 1;
                cone.listed += u32::from(listed.get(at).copied().unwrap_or(false));
                stack.extend(self.customers.get(at).into_iter().flatten());
            }
            cones.insert(*asn, cone);
        }
        cones
    }

    /// The enabler score of every AS: how many times more often walks from listed ASes pass it than walks from all; 1 is
    /// usual. Empty when no AS of the graph is listed.
    #[must_use]
    pub fn enablers(&self, is_listed: impl Fn(Asn) -> bool) -> BTreeMap<Asn, f64> {
        let listed: Vec<bool> = self.asns.iter().map(|asn| is_listed(*asn)).collect();
        let count = listed.iter().filter(|one| **one).count();
        if count == 0 {
            return BTreeMap::new();
        }
        let from_listed: Vec<f64> = listed.iter().map(|one| if *one { 1.0 / count as f64 } else { 0.0 }).collect();
        let from_all = vec![1.0 / self.asns.len() as f64; self.asns.len()];
        let (bad, all) = (self.walk(&from_listed), self.walk(&from_all));
        let ratio = |(asn, (bad, all)): (&Asn, (&f64, &f64))| (*asn, bad / all.max(f64::MIN_POSITIVE));
        // Where a listed AS starts is no enabling: its own start is taken off on both sides.
        let less = |rank: Vec<f64>, start: &[f64]| -> Vec<f64> {
            rank.iter().zip(start).map(|(rank, start)| (rank - (1.0 - DAMPING) * start).max(0.0)).collect()
        };
        let (bad, all) = (less(bad, &from_listed), less(all, &from_all));
        self.asns.iter().zip(bad.iter().zip(&all)).filter(|(_, (_, all))| **all > 0.0).map(ratio).collect()
    }

    fn walk(&self, start: &[f64]) -> Vec<f64> {
        let mut rank = start.to_vec();
        for _ in 0..ROUNDS {
            let mut next: Vec<f64> = start.iter().map(|one| (1.0 - DAMPING) * one).collect();
            for (own, providers) in rank.iter().zip(&self.providers) {
                let each = DAMPING * own / providers.len().max(1) as f64;
                for provider in providers {
                    if let Some(one) = next.get_mut(*provider as usize) {
                        *one += each;
                    }
                }
            }
            rank = next;
        }
        rank
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sells(a: u32, b: u32) -> Relationship {
        Relationship { a: Asn(a), b: Asn(b), relation: Relation::ProviderCustomer, inferred: false }
    }

    #[test]
    fn the_upstream_of_the_listed_outranks_the_carrier_above_everybody() {
        // 1 carries all; 10 serves two listed and one other; 20 serves eight others.
        let mut links = vec![sells(1, 10), sells(1, 20), sells(10, 100), sells(10, 101), sells(10, 102)];
        links.extend((200..208).map(|customer| sells(20, customer)));
        let graph = Peering::new(&links);
        let listed = |asn: Asn| matches!(asn.0, 100 | 101);
        let scores = graph.enablers(listed);
        assert!(scores[&Asn(10)] > 2.0 && scores[&Asn(10)] > scores[&Asn(1)] && scores[&Asn(20)] < 0.1, "{scores:?}");
        let cones = graph.cones(listed);
        assert_eq!(cones[&Asn(1)], Cone { ases: 13, listed: 2 });
        assert_eq!(cones[&Asn(10)], Cone { ases: 3, listed: 2 });
        assert!(graph.enablers(|_| false).is_empty());
    }

    #[test]
    fn a_circle_of_providers_ends() {
        let graph = Peering::new(&[sells(1, 2), sells(2, 3), sells(3, 1)]);
        assert_eq!(graph.cones(|_| false)[&Asn(1)].ases, 2);
    }
}
