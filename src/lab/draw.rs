//! Draws that repeat: every choice of a plan comes from its seed and a label, so that one choice more leaves the others
//! as they were.

use ring::digest::{SHA256, digest};

/// `SplitMix64` (Steele, Lea and Flood 2014), started from a digest of seed and label. Not for secrets.
#[derive(Clone, Debug)]
pub(super) struct Draw(u64);

impl Draw {
    /// The draws of `label` in the street of `seed`.
    pub(super) fn new(seed: u64, label: &str) -> Self {
        let bytes = material(seed, label);
        Self(bytes.first_chunk::<8>().map_or(seed, |head| u64::from_be_bytes(*head)))
    }

    /// 64 even bits.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number under `count`; 0 when `count` is 0.
    pub(super) fn below(&mut self, count: usize) -> usize {
        let wide = u128::from(self.next()) * u128::try_from(count).unwrap_or(0);
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// One of `from`; the default when there is none.
    pub(super) fn pick<T: Copy + Default>(&mut self, from: &[T]) -> T {
        from.get(self.below(from.len())).copied().unwrap_or_default()
    }

    /// Puts `items` in a drawn order (Fisher and Yates).
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// 32 bytes for `label` in the street of `seed`: the seeds of SSH host keys, and the start of all draws.
pub(super) fn material(seed: u64, label: &str) -> [u8; 32] {
    let text = format!("hostkin lab {seed} {label}");
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(digest(&SHA256, text.as_bytes()).as_ref()) {
        *to = *from;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_label_draw_the_same_and_others_do_not() {
        let four = |seed, label| {
            let mut draw = Draw::new(seed, label);
            [draw.next(), draw.next(), draw.next(), draw.next()]
        };
        assert_eq!(four(1, "a"), four(1, "a"));
        assert_ne!(four(1, "a"), four(1, "b"));
        assert_ne!(four(1, "a"), four(2, "a"));
    }

    #[test]
    fn a_shuffle_keeps_every_item() {
        let mut items: Vec<u8> = (0..50).collect();
        Draw::new(3, "x").shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<u8>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<u8>>());
    }
}
