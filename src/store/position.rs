//! How far a run is: a low watermark and the done bits of the window above it.

/// Which indices of a run are done. Default: none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Every index below is done.
    pub low: u64,
    /// Bit `i`, least significant first, says that index `low + i` is done. Bits beyond the end are not.
    pub done: Vec<u8>,
}

impl Position {
    /// Nothing done from `low` on; all below counts as done.
    #[must_use]
    pub fn from(low: u64) -> Self {
        Self { low, done: Vec::new() }
    }

    /// True when `index` needs not be asked again.
    #[must_use]
    pub fn is_done(&self, index: u64) -> bool {
        match index.checked_sub(self.low) {
            None => true,
            Some(offset) => {
                let byte = usize::try_from(offset / 8).ok().and_then(|at| self.done.get(at)).copied().unwrap_or(0);
                byte & (1 << (offset % 8)) != 0
            }
        }
    }

    /// Marks `index` done and moves the watermark up over all that is done, eight indices at a time. False when it was
    /// done before. The window grows to `index`: keep what is outstanding bounded.
    pub fn mark(&mut self, index: u64) -> bool {
        let Some(offset) = index.checked_sub(self.low) else { return false };
        let Ok(at) = usize::try_from(offset / 8) else { return false };
        if self.done.len() <= at {
            self.done.resize(at.saturating_add(1), 0);
        }
        let Some(byte) = self.done.get_mut(at) else { return false };
        let bit = 1 << (offset % 8);
        let new = *byte & bit == 0;
        *byte |= bit;
        let full = self.done.iter().take_while(|byte| **byte == u8::MAX).count();
        if full > 0 {
            self.done.drain(..full);
            self.low = self.low.saturating_add(u64::try_from(full).unwrap_or(0).saturating_mul(8));
        }
        new
    }

    /// True when every index that is done in `other` is done here.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        // What lies between the two watermarks must be marked here, and no more than our window can be.
        let between = other.low.saturating_sub(self.low);
        if between > u64::try_from(self.done.len()).unwrap_or(u64::MAX).saturating_mul(8) {
            return false;
        }
        let below = (0..between).all(|offset| self.is_done(self.low.saturating_add(offset)));
        let marked = (0_u64..).zip(&other.done).filter(|(_, byte)| **byte != 0);
        below
            && marked
                .flat_map(|(at, byte)| (0..8).filter(move |bit| byte & (1 << bit) != 0).map(move |bit| at * 8 + bit))
                .all(|offset| self.is_done(other.low.saturating_add(offset)))
    }

    /// How many indices from `low` on are done.
    #[must_use]
    pub fn done_above(&self) -> u64 {
        self.done.iter().map(|byte| u64::from(byte.count_ones())).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_position_says_done_of_exactly_what_was_marked(start in 0_u64..1_000, mut marks in prop::collection::vec(0_u64..300, 0..300)) {
            let mut position = Position::from(start);
            let mut told = std::collections::BTreeSet::new();
            for mark in marks.drain(..) {
                let index = start + mark;
                prop_assert_eq!(position.mark(index), told.insert(index));
            }
            for index in 0..start + 320 {
                prop_assert_eq!(position.is_done(index), index < start || told.contains(&index), "index {}", index);
            }
            prop_assert_eq!(position.low - start + position.done_above(), u64::try_from(told.len()).unwrap());
        }
    }

    proptest! {
        #[test]
        fn a_position_covers_another_when_it_has_all_of_its_marks(
            one in prop::collection::btree_set(0_u64..40, 0..40),
            other in prop::collection::btree_set(0_u64..40, 0..40),
            low in 0_u64..20,
        ) {
            let marked = |start, marks: &std::collections::BTreeSet<u64>| {
                let mut position = Position::from(start);
                for mark in marks {
                    position.mark(*mark);
                }
                position
            };
            let all = |start, marks: &std::collections::BTreeSet<u64>| (0..start).chain(marks.iter().copied()).collect::<std::collections::BTreeSet<u64>>();
            prop_assert_eq!(marked(low, &one).covers(&marked(0, &other)), all(low, &one).is_superset(&all(0, &other)));
            prop_assert_eq!(marked(0, &one).covers(&marked(low, &other)), all(0, &one).is_superset(&all(low, &other)));
        }
    }

    #[test]
    fn a_hostile_position_costs_no_time() {
        assert!(!Position::default().covers(&Position::from(u64::MAX)));
        assert!(!Position::from(u64::MAX).covers(&Position { low: u64::MAX - 3, done: vec![255; 9] }));
    }

    #[test]
    fn the_window_slides_and_stays_small() {
        let mut position = Position::default();
        for index in (0..80_000).rev().collect::<Vec<_>>().chunks(100).rev().flatten() {
            position.mark(*index);
        }
        assert_eq!(position, Position::from(80_000));
    }
}
