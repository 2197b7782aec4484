//! Pages that differ in a few words: families of 64-bit simhashes.
//!
//! A family has a leader, and every member is near the leader itself, never only near another member: families do not
//! chain from page to page. Leaders are chosen by how many hosts show a hash, then by value, so that the order of import
//! does not matter.

use std::collections::{BTreeMap, HashMap};

/// Members differ from their leader in at most this many of 64 bits. Measured on templated pages with a few changed
/// words (source: the reference experiment's noise of 3 % a bit, 2 bits on average, 4 between two members).
const FARTHEST: u32 = 12;
/// Most leaders looked at in one bucket: bounds the work on hostile input.
const BUCKET: usize = 256;

/// The leader of each hash given; a hash that comes several times counts so often.
pub(super) fn families(hashes: impl Iterator<Item = u64>) -> HashMap<u64, u64> {
    let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
    for hash in hashes {
        *counts.entry(hash).or_default() += 1;
    }
    let mut ordered: Vec<(u64, u32)> = counts.into_iter().collect();
    ordered.sort_by_key(|(hash, count)| (std::cmp::Reverse(*count), *hash));
    let mut buckets: HashMap<(u32, u64), Vec<u64>> = HashMap::new();
    let mut leaders = HashMap::with_capacity(ordered.len());
    for (hash, _) in ordered {
        let near = bands(hash)
            .filter_map(|band| buckets.get(&band))
            .flat_map(|bucket| bucket.iter().take(BUCKET))
            .map(|leader| ((leader ^ hash).count_ones(), *leader))
            .min();
        match near {
            Some((distance, leader)) if distance <= FARTHEST => {
                leaders.insert(hash, leader);
            }
            _ => {
                leaders.insert(hash, hash);
                for band in bands(hash) {
                    buckets.entry(band).or_default().push(hash);
                }
            }
        }
    }
    leaders
}

/// The four 16-bit bands: two hashes that differ in at most three bits share one for certain.
fn bands(hash: u64) -> impl Iterator<Item = (u32, u64)> {
    (0..4_u32).map(move |band| (band, hash >> (16 * band) & 0xffff))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_pages_are_one_family_and_far_ones_are_not() {
        let found = families([0xffff_0000_ffff_0000, 0xffff_0000_ffff_0001, 0x1234_5678_9abc_def0].into_iter());
        assert_eq!(found[&0xffff_0000_ffff_0001], found[&0xffff_0000_ffff_0000]);
        assert_ne!(found[&0x1234_5678_9abc_def0], found[&0xffff_0000_ffff_0000]);
    }

    #[test]
    fn families_do_not_chain_and_do_not_depend_on_order() {
        // Each differs from the next in 8 bits, the ends from each other in 16.
        let chain = [0x0000_u64, 0x00ff, 0xffff];
        let forward = families(chain.into_iter());
        let backward = families(chain.into_iter().rev());
        assert_eq!(forward, backward);
        assert_ne!(forward[&0x0000], forward[&0xffff]);
    }
}
