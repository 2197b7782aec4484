//! Sets of addresses as sorted, disjoint ranges. IPv4 sorts before IPv6; the two never mix.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Addresses of one family, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// The lowest.
    pub first: IpAddr,
    /// The highest; never below the first.
    pub last: IpAddr,
}

impl Range {
    /// How many addresses; `u128::MAX` for all of IPv6.
    #[must_use]
    pub fn count(&self) -> u128 {
        number(self.last).saturating_sub(number(self.first)).saturating_add(1)
    }
}

impl From<IpNet> for Range {
    fn from(network: IpNet) -> Self {
        Self { first: network.network(), last: network.broadcast() }
    }
}

impl From<IpAddr> for Range {
    fn from(address: IpAddr) -> Self {
        Self { first: address, last: address }
    }
}

/// The address as a number within its family.
#[must_use]
pub fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

/// The address `by` steps above; `None` past the end of its family.
#[must_use]
pub fn step(address: IpAddr, by: u128) -> Option<IpAddr> {
    let sum = number(address).checked_add(by)?;
    match address {
        IpAddr::V4(_) => u32::try_from(sum).ok().map(|low| IpAddr::V4(Ipv4Addr::from(low))),
        IpAddr::V6(_) => Some(IpAddr::V6(Ipv6Addr::from(sum))),
    }
}

/// The address below; `None` at the start of its family.
pub(super) fn before(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => u32::from(v4).checked_sub(1).map(|low| IpAddr::V4(Ipv4Addr::from(low))),
        IpAddr::V6(v6) => u128::from(v6).checked_sub(1).map(|low| IpAddr::V6(Ipv6Addr::from(low))),
    }
}

/// `one <= other`, for IPv4 without a detour over bytes: this is asked for every packet.
fn at_most(one: IpAddr, other: IpAddr) -> bool {
    match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => u32::from(one) <= u32::from(other),
        _ => one <= other,
    }
}

/// A set of addresses. Two sets with the same members are equal.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AddressSet {
    /// Sorted, disjoint, and never touching.
    ranges: Vec<Range>,
}

impl AddressSet {
    /// The addresses of these ranges, in any order, overlapping or not.
    #[must_use]
    pub fn new<R: Into<Range>>(ranges: impl IntoIterator<Item = R>) -> Self {
        let mut sorted: Vec<Range> = ranges.into_iter().map(Into::into).collect();
        sorted.sort_unstable();
        let mut merged: Vec<Range> = Vec::with_capacity(sorted.len());
        for range in sorted {
            match merged.last_mut() {
                Some(open) if range.first <= open.last || step(open.last, 1) == Some(range.first) => {
                    open.last = open.last.max(range.last);
                }
                _ => merged.push(range),
            }
        }
        merged.shrink_to_fit();
        Self { ranges: merged }
    }

    /// Its ranges, ascending, with gaps between them.
    #[must_use]
    pub fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// True when nobody is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many addresses; `u128::MAX` when they are more than that.
    #[must_use]
    pub fn count(&self) -> u128 {
        self.ranges.iter().fold(0, |sum, range| sum.saturating_add(range.count()))
    }

    /// Whether the address is in it, by binary search.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let above = self.ranges.partition_point(|range| at_most(range.first, address));
        above.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|range| at_most(address, range.last))
    }

    /// Those in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::new(self.ranges.iter().chain(&other.ranges).copied())
    }

    /// Those in both.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        let (mut ours, mut theirs) = (self.ranges.iter().peekable(), other.ranges.iter().peekable());
        while let (Some(a), Some(b)) = (ours.peek(), theirs.peek()) {
            let (first, last) = (a.first.max(b.first), a.last.min(b.last));
            if first <= last {
                both.push(Range { first, last });
            }
            if a.last <= b.last {
                ours.next()
            } else {
                theirs.next()
            };
        }
        Self { ranges: both }
    }

    /// Those in this one and not in the other.
    #[must_use]
    pub fn subtract(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut holes = other.ranges.iter().peekable();
        for range in &self.ranges {
            let mut from = Some(range.first);
            while let (Some(first), Some(hole)) = (from, holes.peek()) {
                if hole.last < first {
                    holes.next();
                    continue;
                }
                if hole.first > range.last {
                    break;
                }
                if let Some(last) = before(hole.first).filter(|last| *last >= first && hole.first > first) {
                    left.push(Range { first, last });
                }
                from = step(hole.last, 1).filter(|next| *next <= range.last);
            }
            if let Some(first) = from {
                left.push(Range { first, last: range.last });
            }
        }
        Self { ranges: left }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(networks: &[&str]) -> AddressSet {
        AddressSet::new(networks.iter().map(|text| text.parse::<IpNet>().unwrap()))
    }

    fn text(set: &AddressSet) -> Vec<String> {
        set.ranges().iter().map(|range| format!("{}-{}", range.first, range.last)).collect()
    }

    #[test]
    fn neighbours_become_one_range_and_families_stay_apart() {
        let both = set(&["10.0.1.0/24", "10.0.0.0/24", "10.0.0.7/32", "255.255.255.255/32", "::/128"]);
        assert_eq!(text(&both), ["10.0.0.0-10.0.1.255", "255.255.255.255-255.255.255.255", "::-::"]);
        assert_eq!(both.count(), 514);
    }

    #[test]
    fn the_ends_of_a_family_can_be_cut_off() {
        let all = set(&["0.0.0.0/0"]).subtract(&set(&["0.0.0.0/32", "255.255.255.255/32"]));
        assert_eq!(text(&all), ["0.0.0.1-255.255.255.254"]);
        let all = set(&["::/0"]).subtract(&set(&["::/1"]));
        assert_eq!(text(&all), ["8000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]);
        assert!(all.subtract(&set(&["8000::/1"])).is_empty());
    }

    #[test]
    fn all_of_ipv6_is_counted_without_overflow() {
        assert_eq!(set(&["::/0", "0.0.0.0/0"]).count(), u128::MAX);
    }

    /// Small sets at the top of IPv4, so that the end of the family is met.
    fn few() -> impl Strategy<Value = Vec<(u32, u32)>> {
        prop::collection::vec((0u32..60, 0u32..9), 0..8)
    }

    fn both_ways(spans: &[(u32, u32)]) -> (AddressSet, BTreeSet<u32>) {
        let base = u32::MAX - 63;
        let ranges = spans.iter().map(|(first, more)| Range {
            first: IpAddr::V4((base + first).into()),
            last: IpAddr::V4((base + (first + more).min(63)).into()),
        });
        let plain = spans.iter().flat_map(|(first, more)| *first..=(first + more).min(63)).collect();
        (AddressSet::new(ranges), plain)
    }

    fn members(set: &AddressSet) -> BTreeSet<u32> {
        let base = u32::MAX - 63;
        (0..64).filter(|at| set.contains(IpAddr::V4((base + at).into()))).collect()
    }

    proptest! {
        #[test]
        fn set_arithmetic_agrees_with_plain_sets(a in few(), b in few()) {
            let ((a, plain_a), (b, plain_b)) = (both_ways(&a), both_ways(&b));
            prop_assert_eq!(members(&a.union(&b)), &plain_a | &plain_b);
            prop_assert_eq!(members(&a.intersect(&b)), &plain_a & &plain_b);
            prop_assert_eq!(members(&a.subtract(&b)), &plain_a - &plain_b);
            prop_assert_eq!(a.subtract(&b).count(), (&plain_a - &plain_b).len() as u128);
            let again = AddressSet::new(a.subtract(&b).ranges().iter().copied());
            prop_assert_eq!(again, a.subtract(&b));
        }
    }
}
