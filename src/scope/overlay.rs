//! Sets of addresses laid over each other: disjoint segments, each with the layers that cover it.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::address::{AddressSet, Range, before, step};

/// Layers laid over each other.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    /// Ascending and disjoint; together all addresses of all layers.
    pub segments: Vec<Segment>,
    /// Which layers can lie over each other somewhere, each ascending; segments point here.
    pub combinations: Vec<Vec<usize>>,
}

/// Addresses that the same layers cover.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The addresses.
    pub range: Range,
    /// The place of their layers in [`Overlay::combinations`].
    pub combination: usize,
}

impl Overlay {
    /// Lays these sets over each other; a layer's number is its place.
    #[must_use]
    pub fn new<'a>(layers: impl IntoIterator<Item = &'a AddressSet>) -> Self {
        // Where layers begin (true) and where they are over. At the end of a family there is no "over".
        let mut edges: Vec<(IpAddr, usize, bool)> = Vec::new();
        for (layer, set) in layers.into_iter().enumerate() {
            for range in set.ranges() {
                edges.push((range.first, layer, true));
                edges.extend(step(range.last, 1).map(|over| (over, layer, false)));
            }
        }
        edges.sort_unstable();

        let mut overlay = Self::default();
        let mut known = HashMap::new();
        let mut active = BTreeSet::new();
        let mut open: Option<IpAddr> = None;
        for (at, layer, begins) in edges {
            if let Some(first) = open.filter(|first| *first != at) {
                if first.is_ipv4() == at.is_ipv4() {
                    overlay.push(first, before(at).unwrap_or(at), &active, &mut known);
                } else {
                    overlay.push(first, highest(first), &active, &mut known);
                    active.clear();
                }
            }
            open = Some(at);
            if begins {
                active.insert(layer)
            } else {
                active.remove(&layer)
            };
        }
        if let Some(first) = open {
            overlay.push(first, highest(first), &active, &mut known);
        }
        overlay
    }

    fn push(&mut self, first: IpAddr, last: IpAddr, active: &BTreeSet<usize>, known: &mut HashMap<Vec<usize>, usize>) {
        if active.is_empty() {
            return;
        }
        let layers: Vec<usize> = active.iter().copied().collect();
        let combination = *known.entry(layers).or_insert_with_key(|layers| {
            self.combinations.push(layers.clone());
            self.combinations.len().saturating_sub(1)
        });
        self.segments.push(Segment { range: Range { first, last }, combination });
    }
}

fn highest(family_of: IpAddr) -> IpAddr {
    match family_of {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::BROADCAST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(u128::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;

    use super::*;

    fn lay(layers: &[&[&str]]) -> Vec<String> {
        let sets: Vec<AddressSet> =
            layers.iter().map(|one| AddressSet::new(one.iter().map(|text| text.parse::<IpNet>().unwrap()))).collect();
        let overlay = Overlay::new(&sets);
        let show = |one: &Segment| {
            format!("{}-{} {:?}", one.range.first, one.range.last, overlay.combinations[one.combination])
        };
        overlay.segments.iter().map(show).collect()
    }

    #[test]
    fn a_set_within_another_splits_it_in_three() {
        let parts = lay(&[&["10.0.0.0/24"], &["10.0.0.64/26"]]);
        assert_eq!(parts, ["10.0.0.0-10.0.0.63 [0]", "10.0.0.64-10.0.0.127 [0, 1]", "10.0.0.128-10.0.0.255 [0]"]);
    }

    #[test]
    fn the_ends_of_both_families_are_kept() {
        let parts = lay(&[&["255.255.255.255/32", "ffff::/16"], &["255.255.255.254/31", "::/128"]]);
        assert_eq!(
            parts,
            [
                "255.255.255.254-255.255.255.254 [1]",
                "255.255.255.255-255.255.255.255 [0, 1]",
                "::-:: [1]",
                "ffff::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff [0]"
            ]
        );
    }

    #[test]
    fn nothing_over_nothing_is_nothing() {
        assert!(lay(&[&[], &[]]).is_empty());
    }
}
