//! Sets grown around other hosts, for seeds that lead nowhere.
//!
//! A host that its customer changed, or that its provider set up unlike the others, has no value of its own that leads
//! on: each single host that is a little like it stays doubtful. But the set grown around one of those may know the seed:
//! its network, its stack and its ports together are what that set's hosts show. So sets are grown around the best
//! candidates, and each is judged by figures that need no labels. At most one of several can be right, and they share the
//! odds with each other and with none.
//!
//! Where several hosts are confirmed, each also grows a set by itself: hosts of different fleets dilute each other in one
//! count, and such a set needs no fit.

use std::collections::BTreeSet;

use super::fleet;
use super::grow::{Grown, grow, grow_set, is_confirmed};
use super::score::{Ground, Scored, weight_in};

/// A core that found no more than so many hosts led nowhere.
const LED_NOWHERE: usize = 4;
/// Sets are grown around hosts of at least this probability.
const FROM: f64 = 0.01;
/// Around at most so many.
const TRIED: usize = 8;
/// A set that grew to fewer is none.
const SMALLEST: usize = 4;
/// Most confirmed hosts that grow a set of their own.
const EACH: usize = 12;
/// One that fits less is dropped.
const FITS: f64 = 0.02;

/// A set grown around another host.
#[derive(Debug)]
pub(super) struct Theory {
    /// The host it grew from.
    pub(super) around: u32,
    /// The set.
    pub(super) grown: Grown,
    /// By what it is judged ([`fleet::names`]); empty around a confirmed host.
    pub(super) figures: Vec<f64>,
    /// The probability that it is the confirmed hosts' operator's.
    pub(super) fit: f64,
}

impl Theory {
    /// True for the set of a single confirmed host.
    pub(super) fn is_confirmed(&self) -> bool {
        self.figures.is_empty()
    }

    /// What the set says of a host, and the probability that the host is the confirmed hosts' operator's because it is
    /// the set's. `None` for a host that the set does not come near.
    pub(super) fn claim(&self, ground: Ground<'_>, host: u32) -> Option<(Scored, f64)> {
        let place = self.grown.candidates.binary_search_by_key(&host, |one| one.0).ok()?;
        let scored = self.grown.candidates.get(place)?.1;
        Some((scored, self.fit * self.grown.probability(ground, host, &scored)))
    }
}

/// The theories that the confirmed hosts of a set fit, with their shares; none when the set led somewhere.
pub(super) fn theories(ground: Ground<'_>, grown: &Grown, barred: &BTreeSet<u32>) -> Vec<Theory> {
    let mut found = all(ground, grown, barred);
    found.retain(|theory| theory.fit >= FITS);
    let odds = |fit: f64| fit / (1.0 - fit).max(1e-6);
    let sum: f64 = 1.0 + found.iter().map(|theory| odds(theory.fit)).sum::<f64>();
    for theory in &mut found {
        theory.fit = odds(theory.fit) / sum;
        theory.grown.gather(ground);
    }
    found.extend(each(ground, grown, barred));
    found
}

/// The sets that single confirmed hosts grow, where several are confirmed: hosts of different fleets dilute each other.
/// Such a set is the provider's as far as it is pure.
fn each(ground: Ground<'_>, grown: &Grown, barred: &BTreeSet<u32>) -> Vec<Theory> {
    let confirmed = &grown.confirmed;
    if confirmed.len() < 2 {
        return Vec::new();
    }
    let step = confirmed.len().div_ceil(EACH);
    let own =
        |host: &u32| Theory { around: *host, grown: grow(ground, &[*host], barred), figures: Vec::new(), fit: 1.0 };
    confirmed.iter().step_by(step).map(own).collect()
}

/// All theories, each judged for itself, without candidates.
pub(super) fn all(ground: Ground<'_>, grown: &Grown, barred: &BTreeSet<u32>) -> Vec<Theory> {
    let core = grown.fleets.members.first().map_or(&[][..], |core| core);
    if core.len() > grown.confirmed.len() + LED_NOWHERE {
        return Vec::new();
    }
    let outside = |host: u32| {
        !is_confirmed(&grown.confirmed, host) && weight_in(&grown.members, host) <= 0.0 && !barred.contains(&host)
    };
    let mut pool: Vec<(f64, u32)> = grown
        .candidates
        .iter()
        .filter(|(host, _)| outside(*host))
        .map(|(host, scored)| (scored.probability(), *host))
        .filter(|(p, _)| *p >= FROM)
        .collect();
    pool.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut out: Vec<Theory> = Vec::new();
    let mut covered: BTreeSet<u32> = BTreeSet::new();
    let mut tried = 0;
    for (_, around) in pool {
        if tried == TRIED {
            break;
        }
        if covered.contains(&around) {
            continue;
        }
        tried += 1;
        let theirs = grow_set(ground, &[around], barred);
        covered.extend(theirs.members.iter().map(|member| member.0));
        if theirs.members.len() >= SMALLEST {
            let part = theirs.fleets.members.first().map_or(&[][..], |part| part);
            let figures = fleet::figures(ground, core, part, &grown.confirmed);
            let fit = ground.weights.theory.probability(&figures);
            out.push(Theory { around, grown: theirs, figures, fit });
        }
    }
    out
}
