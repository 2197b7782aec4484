//! Average linkage on a sparse graph.
//!
//! Two clusters join while the average over *all* their pairs is high enough, and a pair that was never compared counts as
//! no agreement: nothing chains along one shared value.

use std::collections::{BTreeMap, BinaryHeap};

use super::population::small;

/// Two clusters join while the average over their pairs is at least this.
const JOIN: f64 = 0.05;

/// A possible merger: the best first, then the lowest hosts.
#[derive(Debug, PartialEq)]
struct Merger {
    average: f64,
    one: u32,
    other: u32,
}

impl Eq for Merger {}

impl Ord for Merger {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.average.total_cmp(&other.average).then_with(|| (other.one, other.other).cmp(&(self.one, self.other)))
    }
}

impl PartialOrd for Merger {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Average linkage on a sparse graph; a missing edge counts as 0. Groups of two hosts or more, each ascending.
pub(super) fn average_linkage(mut near: BTreeMap<u32, BTreeMap<u32, f64>>) -> Vec<Vec<u32>> {
    // A cluster is known by one of its hosts; `near` holds sums over pairs.
    let mut members: BTreeMap<u32, Vec<u32>> = near.keys().map(|host| (*host, vec![*host])).collect();
    let mut heap: BinaryHeap<Merger> = BinaryHeap::new();
    for (one, others) in &near {
        let later = others.iter().filter(|(other, _)| *other > one);
        heap.extend(later.map(|(other, p)| Merger { average: *p, one: *one, other: *other }));
    }
    let average = |sum: f64, left: usize, right: usize| sum / (f64::from(small(left)) * f64::from(small(right)));
    while let Some(Merger { average: expected, one, other }) = heap.pop() {
        if expected < JOIN {
            break;
        }
        let sizes = members.get(&one).zip(members.get(&other)).map(|(a, b)| (a.len(), b.len()));
        let sum = near.get(&one).and_then(|others| others.get(&other)).copied();
        let (Some((left, right)), Some(sum)) = (sizes, sum) else { continue };
        // An entry of an earlier state of these two says too much: they come again with what is true now.
        let now = average(sum, left, right);
        if (now - expected).abs() > 1e-12 {
            if now >= JOIN {
                heap.push(Merger { average: now, one, other });
            }
            continue;
        }
        let gone = members.remove(&other).unwrap_or_default();
        members.entry(one).or_default().extend(gone);
        let theirs = near.remove(&other).unwrap_or_default();
        let size = left + right;
        let mut own = near.remove(&one).unwrap_or_default();
        own.remove(&other);
        for (third, p) in theirs.into_iter().filter(|(third, _)| *third != one) {
            let sum = own.entry(third).or_default();
            *sum += p;
            if let Some(back) = near.get_mut(&third) {
                back.remove(&other);
                back.insert(one, *sum);
            }
            // The average with everybody else can only have fallen: their entries are corrected when they come up.
            let average = average(*sum, size, members.get(&third).map_or(1, Vec::len));
            if average >= JOIN {
                heap.push(Merger { average, one: one.min(third), other: one.max(third) });
            }
        }
        near.insert(one, own);
    }
    let mut out: Vec<Vec<u32>> = members.into_values().filter(|hosts| hosts.len() >= 2).collect();
    for hosts in &mut out {
        hosts.sort_unstable();
    }
    out.sort_unstable();
    out
}
