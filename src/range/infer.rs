//! Who sells transit to whom, worked out from AS paths.
//!
//! After L. Gao, "On inferring autonomous system relationships in the Internet" (2001): a path climbs from customers to
//! providers up to its best connected AS and falls to customers after it, so a pair met before the top is customer and
//! provider, and one met behind it provider and customer. A pair met only *at* the top may be two peers; it is taken for
//! peers where neither is far better connected, and where no path shows otherwise. Peerings that no collector sees stay
//! unseen. What comes out is marked as inferred.

use std::collections::HashMap;

use super::fact::{Adjacency, Asn, Relation, Relationship};

/// Two that meet only at the top of paths are peers unless one has this many times the other's neighbours.
const PEERS_WITHIN: usize = 10;

/// The relation of each pair, ascending by its two numbers.
#[must_use]
pub fn infer(adjacencies: &[Adjacency]) -> Vec<Relationship> {
    /// What speaks for each of the two being the other's provider.
    #[derive(Default)]
    struct Votes {
        first_provides: u64,
        second_provides: u64,
    }
    let mut votes: HashMap<(Asn, Asn), Votes> = HashMap::new();
    for one in adjacencies {
        let (climbing, falling) = (u64::from(one.climbing), u64::from(one.falling));
        let in_order = one.left < one.right;
        let pair = if in_order { (one.left, one.right) } else { (one.right, one.left) };
        let both = votes.entry(pair).or_default();
        let (left_provides, right_provides) = if in_order {
            (&mut both.first_provides, &mut both.second_provides)
        } else {
            (&mut both.second_provides, &mut both.first_provides)
        };
        *left_provides += falling;
        *right_provides += climbing;
    }
    let mut degree: HashMap<Asn, usize> = HashMap::new();
    for (a, b) in votes.keys() {
        *degree.entry(*a).or_default() += 1;
        *degree.entry(*b).or_default() += 1;
    }
    let mut links: Vec<Relationship> = votes
        .into_iter()
        .map(|((first, second), votes)| {
            let of = |asn: &Asn| degree.get(asn).copied().unwrap_or(0);
            let (one, other) = (of(&first), of(&second));
            let (provider, customer) = match votes.first_provides.cmp(&votes.second_provides) {
                std::cmp::Ordering::Greater => (first, second),
                std::cmp::Ordering::Less => (second, first),
                std::cmp::Ordering::Equal if one > other.saturating_mul(PEERS_WITHIN) => (first, second),
                std::cmp::Ordering::Equal if other > one.saturating_mul(PEERS_WITHIN) => (second, first),
                std::cmp::Ordering::Equal => {
                    return Relationship { a: first, b: second, relation: Relation::Peer, inferred: true };
                }
            };
            Relationship { a: provider, b: customer, relation: Relation::ProviderCustomer, inferred: true }
        })
        .collect();
    links.sort_by_key(|link| (link.a.min(link.b), link.a.max(link.b)));
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(left: u32, right: u32, climbing: u32, falling: u32) -> Adjacency {
        Adjacency { left: Asn(left), right: Asn(right), paths: climbing + falling + 1, climbing, falling }
    }

    #[test]
    fn a_pair_behind_the_top_is_provider_and_customer() {
        let links = infer(&[pair(10, 20, 0, 3), pair(30, 20, 2, 0), pair(1, 2, 0, 0)]);
        let words: Vec<_> = links.iter().map(|link| (link.a.0, link.b.0, link.relation, link.inferred)).collect();
        assert_eq!(
            words,
            [
                (1, 2, Relation::Peer, true),
                (10, 20, Relation::ProviderCustomer, true),
                (20, 30, Relation::ProviderCustomer, true)
            ]
        );
    }

    #[test]
    fn one_far_better_connected_at_the_top_provides() {
        let mut all: Vec<Adjacency> = (100..120).map(|other| pair(5, other, 0, 1)).collect();
        all.push(pair(5, 6, 0, 0));
        let links = infer(&all);
        let link = links.iter().find(|link| link.b == Asn(6)).unwrap();
        assert_eq!((link.a, link.relation), (Asn(5), Relation::ProviderCustomer));
    }
}
