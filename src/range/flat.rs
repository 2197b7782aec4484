//! The longest match in three reads of memory.
//!
//! Nested prefixes cut the line of addresses into stretches, in each of which one prefix is the longest. The stretches
//! stand sorted with their answers beside them; every 64th start stands once more in a small table that a processor
//! keeps at hand. So a search costs one block of neighbours and its answer, however many prefixes there are. Where a
//! read from memory costs a quarter of a microsecond, that is what counts.

/// The answer where no prefix is.
const NONE: u32 = u32::MAX;

/// Every so many starts stand in the table.
const STEP: usize = 64;

/// Stretches of one family.
#[derive(Debug, Default)]
pub(super) struct Flat<K> {
    /// Where each stretch starts, and the place of its prefix.
    stretches: Vec<(K, u32)>,
    samples: Vec<K>,
}

/// A number that addresses are.
pub(super) trait Bits: Copy + Ord {
    /// The next one; `None` after the last.
    fn next(self) -> Option<Self>;
}

impl Bits for u32 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Bits for u128 {
    fn next(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl<K: Bits> Flat<K> {
    /// `prefixes` with their first and last address, sorted by the first, wider ones first, and nested: of two that share
    /// an address one holds the other.
    pub(super) fn new(prefixes: impl Iterator<Item = (K, K)>) -> Self {
        let mut flat = Self { stretches: Vec::new(), samples: Vec::new() };
        let mut open: Vec<(K, u32)> = Vec::new();
        for (place, (start, end)) in (0u32..).zip(prefixes) {
            while let Some((last, _)) = open.last().copied().filter(|(last, _)| *last < start) {
                flat.close(last, &mut open);
            }
            flat.put(start, place);
            open.push((end, place));
        }
        while let Some((last, _)) = open.last().copied() {
            flat.close(last, &mut open);
        }
        flat.stretches.shrink_to_fit();
        flat.samples = flat.stretches.iter().step_by(STEP).map(|(start, _)| *start).collect();
        flat
    }

    /// The innermost prefix ends at `last`: behind it the one around it answers.
    fn close(&mut self, last: K, open: &mut Vec<(K, u32)>) {
        open.pop();
        if let Some(next) = last.next() {
            self.put(next, open.last().map_or(NONE, |(_, place)| *place));
        }
    }

    fn put(&mut self, start: K, place: u32) {
        if self.stretches.last().is_some_and(|(before, _)| *before == start) {
            self.stretches.pop();
        }
        if self.stretches.last().map_or(NONE, |(_, before)| *before) != place {
            self.stretches.push((start, place));
        }
    }

    /// The place of the longest prefix that holds `key`.
    pub(super) fn longest(&self, key: K) -> Option<usize> {
        let block = self.samples.partition_point(|start| *start <= key).checked_sub(1)?;
        let low = block * STEP;
        let some = self.stretches.get(low..(low + STEP).min(self.stretches.len()))?;
        let at = some.partition_point(|(start, _)| *start <= key).checked_sub(1)?;
        some.get(at).filter(|(_, place)| *place != NONE).map(|(_, place)| *place as usize)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ends_of_the_line_are_inside() {
        let flat = Flat::new([(0, u32::MAX), (u32::MAX, u32::MAX)].into_iter());
        assert_eq!((flat.longest(0), flat.longest(u32::MAX - 1), flat.longest(u32::MAX)), (Some(0), Some(0), Some(1)));
        assert_eq!(Flat::<u32>::new(std::iter::empty()).longest(7), None);
    }

    proptest! {
        #[test]
        fn the_longest_match_is_that_found_by_looking_at_each(
            raw in prop::collection::vec((0u32..1024, 0u32..11), 0..200),
            keys in prop::collection::vec(0u32..1030, 20),
        ) {
            // Prefixes of ten bits, in the lowest and the highest addresses.
            let mut all: Vec<(u32, u32)> = raw
                .iter()
                .flat_map(|(address, host)| {
                    let start = address >> host << host;
                    let end = start + (1 << host) - 1;
                    [(start, end), (start.wrapping_sub(1024), end.wrapping_sub(1024))]
                })
                .collect();
            all.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
            all.dedup();
            let flat = Flat::new(all.iter().copied());
            for key in keys.iter().flat_map(|key| [*key, key.wrapping_sub(1030)]) {
                let holds = |(_, (start, end)): &(usize, &(u32, u32))| *start <= key && key <= *end;
                let expected = all.iter().enumerate().filter(holds).min_by_key(|(_, (start, end))| end - start);
                prop_assert_eq!(flat.longest(key), expected.map(|(place, _)| place), "{}", key);
            }
        }
    }
}
