//! Things with address ranges, sorted, so that those holding an address are found in well under a microsecond.
//!
//! Ranges stand by start, wider ones first. Each knows the nearest one before it that ends later: a search starts at the
//! last range that begins at or before the address and jumps over all that end too early. For nested prefixes these jumps
//! climb the nesting. A table of every 64th start makes the search short. Built in one pass, read-only after.

use std::net::IpAddr;

use super::span::AddressRange;

/// Things of both families, sorted by their ranges.
#[derive(Debug)]
pub struct Sorted<T> {
    items: Vec<T>,
    v4: Spans<u32>,
    v6: Spans<u128>,
}

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self { items: Vec::new(), v4: Spans::new(&[]), v6: Spans::new(&[]) }
    }
}

impl<T> Sorted<T> {
    /// Sorts `items` by the ranges that `range` gives; equal ranges keep their order.
    #[must_use]
    pub fn new(mut items: Vec<T>, range: impl Fn(&T) -> AddressRange) -> Self {
        let before = |a: &AddressRange, b: &AddressRange| a.start().cmp(&b.start()).then(b.end().cmp(&a.end()));
        if !items.is_sorted_by(|a, b| before(&range(a), &range(b)).is_le()) {
            items.sort_by(|a, b| before(&range(a), &range(b)));
        }
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for item in &items {
            let range = range(item);
            match (range.start(), range.end()) {
                (IpAddr::V4(start), IpAddr::V4(end)) => v4.push((start.to_bits(), end.to_bits())),
                (IpAddr::V6(start), IpAddr::V6(end)) => v6.push((start.to_bits(), end.to_bits())),
                _ => {}
            }
        }
        Self { items, v4: Spans::new(&v4), v6: Spans::new(&v6) }
    }

    /// All, by start, wider ones first; IPv4 before IPv6.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.items
    }

    /// How many of each family.
    #[must_use]
    pub fn lengths(&self) -> (usize, usize) {
        (self.v4.len(), self.v6.len())
    }

    /// Those that hold the address, the last to begin first: for nested ranges, smallest first.
    pub fn covering(&self, address: IpAddr) -> impl Iterator<Item = &T> {
        let (v4, v6) = match address {
            IpAddr::V4(v4) => (Some(self.v4.covering(v4.to_bits())), None),
            IpAddr::V6(v6) => (None, Some(self.v6.covering(v6.to_bits()))),
        };
        let base = self.v4.len();
        let places = v4.into_iter().flatten().chain(v6.into_iter().flatten().map(move |at| base + at));
        places.filter_map(|at| self.items.get(at))
    }

    /// Those that begin inside `range`, by start. With those that [`Self::covering`] its first address they are all that
    /// share an address with it.
    #[must_use]
    pub fn beginning_in(&self, range: &AddressRange) -> &[T] {
        let places = match (range.start(), range.end()) {
            (IpAddr::V4(start), IpAddr::V4(end)) => self.v4.beginning(start.to_bits(), end.to_bits()),
            (IpAddr::V6(start), IpAddr::V6(end)) => {
                let (from, to) = self.v6.beginning(start.to_bits(), end.to_bits());
                (self.v4.len() + from, self.v4.len() + to)
            }
            _ => (0, 0),
        };
        self.items.get(places.0..places.1).unwrap_or_default()
    }
}

/// Where nothing stands before.
const NONE: u32 = u32::MAX;

/// Every so many starts stand once more in a table that a processor keeps at hand.
const STEP: usize = 64;

/// Ranges of one family.
#[derive(Debug)]
struct Spans<K> {
    starts: Vec<K>,
    /// Every [`STEP`]th of `starts`.
    samples: Vec<K>,
    /// For each its end, and the nearest one before it that ends later.
    ends: Vec<(K, u32)>,
}

impl<K: Copy + Ord> Spans<K> {
    /// `ranges` stand by start, wider ones first.
    fn new(ranges: &[(K, K)]) -> Self {
        let mut ends = Vec::with_capacity(ranges.len());
        let mut open: Vec<(u32, K)> = Vec::new();
        for (place, (_, end)) in (0u32..).zip(ranges) {
            while open.last().is_some_and(|(_, other)| other <= end) {
                open.pop();
            }
            ends.push((*end, open.last().map_or(NONE, |(at, _)| *at)));
            open.push((place, *end));
        }
        let starts: Vec<K> = ranges.iter().map(|(start, _)| *start).collect();
        let samples = starts.iter().step_by(STEP).copied().collect();
        Self { starts, samples, ends }
    }

    fn len(&self) -> usize {
        self.starts.len()
    }

    /// How many begin at or before `key`.
    fn upto(&self, key: K) -> usize {
        let Some(block) = self.samples.partition_point(|start| *start <= key).checked_sub(1) else { return 0 };
        let low = block * STEP;
        let high = (low + STEP).min(self.starts.len());
        low + self.starts.get(low..high).map_or(0, |some| some.partition_point(|start| *start <= key))
    }

    /// Places of those that begin from `start` to `end`.
    fn beginning(&self, start: K, end: K) -> (usize, usize) {
        let before = self.starts.partition_point(|one| *one < start);
        (before, self.upto(end))
    }

    fn covering(&self, key: K) -> Covering<'_, K> {
        Covering { spans: self, key, next: self.upto(key).checked_sub(1) }
    }
}

/// Walks the ranges that hold a key.
struct Covering<'a, K> {
    spans: &'a Spans<K>,
    key: K,
    next: Option<usize>,
}

impl<K: Copy + Ord> Iterator for Covering<'_, K> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        loop {
            let at = self.next?;
            let (end, later) = *self.spans.ends.get(at)?;
            if end >= self.key {
                self.next = at.checked_sub(1);
                return Some(at);
            }
            // All between here and there end here or earlier.
            self.next = Some(later).filter(|place| *place != NONE).map(|place| place as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    fn range(start: u32, end: u32) -> AddressRange {
        AddressRange::new(Ipv4Addr::from_bits(start).into(), Ipv4Addr::from_bits(end).into()).unwrap()
    }

    #[test]
    fn the_smallest_of_nested_prefixes_comes_first() {
        let texts = ["0.0.0.0/0", "198.51.100.0/24", "198.51.0.0/16", "198.51.100.255/32", "2001:db8::/32", "::/0"];
        let all = texts.map(|text| AddressRange::of(text.parse().unwrap()));
        let sorted = Sorted::new(all.to_vec(), |range| *range);
        let found = |ip: &str| sorted.covering(ip.parse().unwrap()).map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(found("198.51.100.255"), ["198.51.100.255/32", "198.51.100.0/24", "198.51.0.0/16", "0.0.0.0/0"]);
        assert_eq!(found("198.51.101.0"), ["198.51.0.0/16", "0.0.0.0/0"]);
        assert_eq!(found("2001:db8::1"), ["2001:db8::/32", "::/0"]);
        assert_eq!(found("ffff::"), ["::/0"]);
        let inside = AddressRange::of("198.51.0.0/16".parse().unwrap());
        assert_eq!(sorted.beginning_in(&inside).len(), 3);
    }

    #[test]
    fn nothing_holds_nothing() {
        let sorted = Sorted::<AddressRange>::default();
        assert_eq!(sorted.covering(IpAddr::V6(Ipv6Addr::LOCALHOST)).count(), 0);
        assert!(sorted.beginning_in(&range(0, u32::MAX)).is_empty());
    }

    proptest! {
        #[test]
        fn any_ranges_are_found_as_by_looking_at_each(
            raw in prop::collection::vec((0u32..40, 0u32..40, 0u32..3), 0..40),
            asked in (0u32..45, 0u32..3),
        ) {
            let put = |low: u32, upper: u32| low + (upper << 16) + 0xffd8;
            let all: Vec<AddressRange> = raw
                .iter()
                .map(|(a, b, upper)| range(put(*a.min(b), *upper), put(*a.max(b), *upper)))
                .collect();
            let key = put(asked.0, asked.1);
            let address = IpAddr::V4(Ipv4Addr::from_bits(key));
            let mut expected: Vec<_> = all.iter().filter(|range| range.contains(address)).copied().collect();
            let asked_range = range(key, key + 7);
            let mut begin: Vec<_> = all.iter().filter(|range| asked_range.contains(range.start())).copied().collect();
            let sorted = Sorted::new(all, |range| *range);
            let mut found: Vec<_> = sorted.covering(address).copied().collect();
            prop_assert!(found.windows(2).all(|two| two[0].start() >= two[1].start()));
            let mut beginning = sorted.beginning_in(&asked_range).to_vec();
            for list in [&mut expected, &mut found, &mut begin, &mut beginning] {
                list.sort();
            }
            prop_assert_eq!(found, expected);
            prop_assert_eq!(beginning, begin);
        }
    }
}
