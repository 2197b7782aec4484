//! A seeded random order over positions, without holding it: a permutation that can be asked for any place.
//!
//! A generalised Feistel network (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002): positions
//! are written as `left + a * right` with a * b just above their number; eight rounds add a keyed hash of one half to
//! the other; what falls outside is sent through again. All arithmetic is on `u64`, so the order of a seed is the same
//! on every machine. It spreads load and hides no secrets: the seed is stored with the run.

use std::str::FromStr;

/// Rounds of the network. Four give a random-looking order; eight cost some nanoseconds more and leave no doubt for
/// tiny numbers of hosts.
const ROUNDS: usize = 8;

/// One part of a scan: part `index` of `count`, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shard {
    index: u32,
    count: u32,
}

/// Why a text is no shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a shard; write it like `2/8`: the second of eight parts")]
pub struct ShardError(pub String);

impl Shard {
    /// The whole scan.
    pub const WHOLE: Self = Self { index: 1, count: 1 };

    /// Part `index` of `count`, counted from 1.
    ///
    /// # Errors
    /// [`ShardError`] when there is no such part.
    pub fn new(index: u32, count: u32) -> Result<Self, ShardError> {
        if (1..=count).contains(&index) {
            Ok(Self { index, count })
        } else {
            Err(ShardError(format!("{index}/{count}")))
        }
    }

    /// Which part, from 1.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    /// Of how many.
    #[must_use]
    pub fn count(self) -> u32 {
        self.count
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let wrong = || ShardError(text.chars().take(40).flat_map(char::escape_debug).collect());
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse::<u32>().ok()).flatten().ok_or_else(wrong)
        };
        Self::new(number(index)?, number(count)?).map_err(|_| wrong())
    }
}

/// The order in which a shard visits positions `0..hosts`. The shards of one seed are disjoint and together complete,
/// and each is a random sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    seed: u64,
    hosts: u64,
    shard: Shard,
    /// Numbers of left and right halves; their product is at least `hosts`.
    left: u64,
    right: u64,
    keys: [u64; ROUNDS],
}

impl Order {
    /// The order of `hosts` positions under `seed`, of which `shard` visits its part.
    #[must_use]
    pub fn new(seed: u64, hosts: u64, shard: Shard) -> Self {
        let root = hosts.isqrt();
        let left = if root.saturating_mul(root) < hosts { root.saturating_add(1) } else { root }.max(1);
        let right = hosts.div_ceil(left).max(1);
        let mut state = seed;
        let keys = [(); ROUNDS].map(|()| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            mix(state)
        });
        Self { seed, hosts, shard, left, right, keys }
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The part that is visited.
    #[must_use]
    pub fn shard(&self) -> Shard {
        self.shard
    }

    /// How many positions the shard visits.
    #[must_use]
    pub fn len(&self) -> u64 {
        let count = u64::from(self.shard.count);
        self.hosts.saturating_sub(self.skip()).div_ceil(count)
    }

    /// True when it visits none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The position visited as `n`-th, from 0; `None` from [`Order::len`] on. A run is resumed by going on at its `n`.
    #[must_use]
    pub fn position(&self, n: u64) -> Option<u64> {
        let index = n.checked_mul(u64::from(self.shard.count))?.checked_add(self.skip())?;
        if index >= self.hosts {
            return None;
        }
        // A permutation that leaves `0..hosts` comes back into it: index itself is there.
        let mut place = self.forth(index);
        while place >= self.hosts {
            place = self.forth(place);
        }
        Some(place)
    }

    /// The `n` at which this shard visits the position; `None` when another shard does, or nobody.
    #[must_use]
    pub fn index_of(&self, position: u64) -> Option<u64> {
        if position >= self.hosts {
            return None;
        }
        let mut place = self.back(position);
        while place >= self.hosts {
            place = self.back(place);
        }
        let ahead = place.checked_sub(self.skip())?;
        let count = u64::from(self.shard.count);
        ahead.checked_rem(count).filter(|rest| *rest == 0)?;
        ahead.checked_div(count)
    }

    fn skip(&self) -> u64 {
        u64::from(self.shard.index.saturating_sub(1))
    }

    fn split(&self, place: u64) -> (u64, u64) {
        let right = place.checked_div(self.left).unwrap_or(0);
        (place.wrapping_sub(right.wrapping_mul(self.left)), right)
    }

    fn join(&self, left: u64, right: u64) -> u64 {
        right.wrapping_mul(self.left).wrapping_add(left)
    }

    /// Once through the network.
    fn forth(&self, place: u64) -> u64 {
        let (mut left, mut right) = self.split(place);
        for (round, key) in self.keys.iter().enumerate() {
            if round % 2 == 0 {
                left = add(left, hash(right, *key, self.left), self.left);
            } else {
                right = add(right, hash(left, *key, self.right), self.right);
            }
        }
        self.join(left, right)
    }

    /// The same, undone.
    fn back(&self, place: u64) -> u64 {
        let (mut left, mut right) = self.split(place);
        for (round, key) in self.keys.iter().enumerate().rev() {
            if round % 2 == 0 {
                left = take(left, hash(right, *key, self.left), self.left);
            } else {
                right = take(right, hash(left, *key, self.right), self.right);
            }
        }
        self.join(left, right)
    }
}

/// `a + b` modulo `modulus`, both below it.
fn add(a: u64, b: u64, modulus: u64) -> u64 {
    let sum = a.wrapping_add(b);
    if sum >= modulus { sum.wrapping_sub(modulus) } else { sum }
}

/// `a - b` modulo `modulus`, both below it.
fn take(a: u64, b: u64, modulus: u64) -> u64 {
    if a >= b { a.wrapping_sub(b) } else { a.wrapping_add(modulus).wrapping_sub(b) }
}

/// A keyed hash of `value`, below `below`.
fn hash(value: u64, key: u64, below: u64) -> u64 {
    let wide = u128::from(mix(value ^ key)).wrapping_mul(u128::from(below)) >> 64;
    u64::try_from(wide).unwrap_or(0)
}

/// The finaliser of `SplitMix64` (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014).
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn visited(order: &Order) -> Vec<u64> {
        (0..order.len()).map(|n| order.position(n).unwrap()).collect()
    }

    fn assert_complete(seed: u64, hosts: u64) {
        let order = Order::new(seed, hosts, Shard::WHOLE);
        let mut met = vec![false; usize::try_from(hosts).unwrap()];
        for n in 0..order.len() {
            let position = order.position(n).unwrap();
            assert!(!std::mem::replace(&mut met[usize::try_from(position).unwrap()], true), "{position} twice");
        }
        assert!(met.iter().all(|met| *met));
        assert_eq!(order.position(hosts), None);
    }

    #[test]
    fn every_position_is_visited_exactly_once() {
        for hosts in [0, 1, 2, 3, 4, 5, 255, 256, 65_537, 1_000_003] {
            assert_complete(7, hosts);
        }
    }

    #[test]
    fn the_order_of_a_seed_never_changes() {
        // Runs are resumed by position: these values are a promise to files on disk.
        assert_eq!(visited(&Order::new(1, 10, Shard::WHOLE)), GOLDEN_TEN);
        let large = Order::new(42, 1 << 48, Shard::WHOLE);
        let ends = [0, 1, 2, (1 << 48) - 1].map(|n| large.position(n).unwrap());
        assert_eq!(ends, GOLDEN_LARGE);
        let odd = Order::new(9, 3_000_017, Shard::WHOLE);
        assert_eq!([0, 1, 2, 3_000_016].map(|n| odd.position(n).unwrap()), GOLDEN_ODD);
        assert_eq!(ends.map(|position| large.index_of(position).unwrap()), [0, 1, 2, (1 << 48) - 1]);
    }

    #[test]
    fn no_network_is_visited_in_a_burst() {
        for seed in 0..20 {
            let order = Order::new(seed, 1 << 16, Shard::WHOLE);
            let places = visited(&order);
            for window in places.chunks(256) {
                let mut hits = [0u32; 256];
                for place in window {
                    hits[usize::try_from(place >> 8).unwrap()] += 1;
                }
                // Of 256 throws at 256 networks, more than 10 on one happen about once in a hundred million networks.
                assert!(hits.iter().all(|hits| *hits <= 10), "seed {seed}: {hits:?}");
            }
        }
    }

    #[test]
    fn neighbours_and_seeds_are_unrelated() {
        let (one, other) = (Order::new(1, 100_000, Shard::WHOLE), Order::new(2, 100_000, Shard::WHOLE));
        let (a, b) = (visited(&one), visited(&other));
        let close = a.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) < 100).count();
        assert!((100..300).contains(&close), "about 200 of 100 000 by chance: {close}");
        let same = a.iter().zip(&b).filter(|(a, b)| a == b).count();
        assert!(same < 10, "about 1 by chance: {same}");
    }

    #[test]
    fn all_orders_of_three_occur() {
        let mut seen: Vec<Vec<u64>> = (0..200).map(|seed| visited(&Order::new(seed, 3, Shard::WHOLE))).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 6);
    }

    #[test]
    fn a_shard_is_written_as_part_of_whole() {
        assert_eq!("2/8".parse::<Shard>(), Shard::new(2, 8));
        for wrong in ["", "1", "0/2", "3/2", "1/0", "a/b", "+1/2", "1/2/3", "1/99999999999"] {
            assert!(wrong.parse::<Shard>().unwrap_err().to_string().contains("write it like `2/8`"), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_number_is_permuted(seed: u64, hosts in 1u64..3_000) {
            assert_complete(seed, hosts);
        }

        #[test]
        fn a_position_knows_its_place(seed: u64, hosts in 1u64..(1 << 48), n: u64) {
            let order = Order::new(seed, hosts, Shard::WHOLE);
            let n = n % hosts;
            prop_assert_eq!(order.index_of(order.position(n).unwrap()), Some(n));
        }

        #[test]
        fn shards_are_disjoint_and_complete(seed: u64, hosts in 0u64..2_000, count in 1u32..20) {
            let whole = Order::new(seed, hosts, Shard::WHOLE);
            let mut all = Vec::new();
            for index in 1..=count {
                let part = Order::new(seed, hosts, Shard::new(index, count).unwrap());
                for n in 0..part.len() {
                    let position = part.position(n).unwrap();
                    prop_assert_eq!(part.index_of(position), Some(n));
                    all.push(position);
                }
                prop_assert_eq!(part.position(part.len()), None);
            }
            for position in &all {
                prop_assert!(whole.index_of(*position).is_some());
            }
            all.sort_unstable();
            prop_assert_eq!(all, (0..hosts).collect::<Vec<_>>());
        }
    }

    // Computed with a second, independent implementation of the description above.
    const GOLDEN_TEN: [u64; 10] = [1, 9, 3, 4, 6, 5, 8, 7, 0, 2];
    const GOLDEN_LARGE: [u64; 4] = [27_376_127_783_456, 172_668_688_518_664, 39_592_137_955_558, 20_934_748_123_263];
    const GOLDEN_ODD: [u64; 4] = [612_328, 2_118_345, 451_277, 2_564_374];
}
