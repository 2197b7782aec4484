//! Pairs of ASes that stand beside each other on paths, counted as the file passes by.
//!
//! A path's best connected AS is judged by the neighbours met so far, so that one pass is enough: the first few thousand
//! prefixes settle it, and pairs are later judged by the majority of their paths.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::super::error::{Place, ReadError};
use super::super::out::Out;
use crate::range::fact::{Adjacency, Asn, Fact};

/// A full table of all collectors together has well under a million.
const MOST_PAIRS: usize = 3_000_000;

/// Mixes numbers fast. A hostile file may slow its own reading; nothing is looked up for anybody else.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0.rotate_left(23) ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

type Mixed = BuildHasherDefault<Mix>;

#[derive(Default)]
struct Counts {
    paths: u32,
    climbing: u32,
    falling: u32,
}

/// All pairs so far.
#[derive(Default)]
pub(super) struct Neighbours {
    pairs: HashMap<(Asn, Asn), Counts, Mixed>,
    /// For each AS how many pairs it is in.
    degree: HashMap<Asn, u32, Mixed>,
}

impl Neighbours {
    /// Counts the pairs of a path met `times` times.
    pub(super) fn path(&mut self, hops: &[Option<Asn>], times: u32) -> Result<(), ReadError> {
        let degree = |hop: &Option<Asn>| hop.and_then(|asn| self.degree.get(&asn)).copied().unwrap_or(0);
        // The first of equals: nearer to the collector, where paths are at their top more often.
        let top = (0..).zip(hops).max_by_key(|(at, hop)| (degree(hop), std::cmp::Reverse(*at))).map_or(0, |(at, _)| at);
        for (at, pair) in (0..).zip(hops.windows(2)) {
            let [Some(left), Some(right)] = pair else { continue };
            let counts = match self.pairs.entry((*left, *right)) {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(new) => {
                    *self.degree.entry(*left).or_default() += 1;
                    *self.degree.entry(*right).or_default() += 1;
                    new.insert(Counts::default())
                }
            };
            counts.paths = counts.paths.saturating_add(times);
            if at + 1 < top {
                counts.climbing = counts.climbing.saturating_add(times);
            } else if at > top {
                counts.falling = counts.falling.saturating_add(times);
            }
        }
        if self.pairs.len() > MOST_PAIRS {
            return Err(ReadError::broken(
                Place::File,
                "more than three million pairs of ASes: no routing table has so many",
            ));
        }
        Ok(())
    }

    /// Hands all pairs on, ascending.
    pub(super) fn end(self, out: &mut Out<'_>) -> Result<(), ReadError> {
        let mut all: Vec<_> = self.pairs.into_iter().collect();
        all.sort_unstable_by_key(|(pair, _)| *pair);
        for ((left, right), Counts { paths, climbing, falling }) in all {
            out.fact(Fact::Adjacency(Adjacency { left, right, paths, climbing, falling }))?;
        }
        Ok(())
    }
}
