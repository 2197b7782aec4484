//! Sets grown around other hosts, for seeds that lead nowhere.
//!
//! A host that its customer changed, or that its provider set up unlike the others, has no value of its own that leads
//! on: each single host that is a little like it stays doubtful. But the set grown around one of those may know the seed:
//! its network, its stack and its ports together are what that set's hosts show. So sets are grown around the best
//! candidates, and each is judged by figures that need no labels. What tells most is how many hosts outside the set are as
//! good as the confirmed one: where hundreds are, it is there by chance.
//!
//! Where several hosts are confirmed, each also grows a set by itself: hosts of different fleets dilute each other in one
//! count, and such a set needs no fit.

use std::collections::BTreeSet;

use super::fleet;
use super::grow::{Grown, grow_judged_by, grow_set, is_confirmed};
use super::logistic::log_odds;
use super::population::small;
use super::score::{Ground, Member, Scored, weight_in};

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
/// Hosts that are less good than the confirmed ones by no more than so much, in log odds, are as good.
const NEAR: f64 = 1.0;
/// One that fits less is dropped.
const FITS: f64 = 0.02;

/// A set grown around another host.
#[derive(Debug)]
pub(super) struct Theory {
    /// The host it grew from.
    pub(super) around: u32,
    /// The set.
    pub(super) grown: Grown,
    /// By what it is judged ([`names`]); empty around a confirmed host.
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
        let scored = *self.grown.candidate(host)?;
        Some((scored, self.fit * self.grown.probability(ground, host, &scored)))
    }
}

/// The theories that the confirmed hosts of a set fit; none of other hosts when the set led somewhere.
pub(super) fn theories(ground: Ground<'_>, grown: &Grown, barred: &BTreeSet<u32>) -> Vec<Theory> {
    let mut found = all(ground, grown, barred);
    found.retain(|theory| theory.fit >= FITS);
    found.extend(each(ground, grown, barred));
    found
}

/// The sets that single confirmed hosts grow, where several are confirmed: hosts of different fleets dilute each other.
/// Such a set is the provider's as far as it is pure; its other fleets are judged by all confirmed hosts.
fn each(ground: Ground<'_>, grown: &Grown, barred: &BTreeSet<u32>) -> Vec<Theory> {
    let confirmed = &grown.confirmed;
    if confirmed.len() < 2 {
        return Vec::new();
    }
    let step = confirmed.len().div_ceil(EACH);
    let own = |host: &u32| {
        let grown = grow_judged_by(ground, &[*host], confirmed, barred);
        Theory { around: *host, grown, figures: Vec::new(), fit: 1.0 }
    };
    confirmed.iter().step_by(step).map(own).collect()
}

/// All theories about other hosts, each judged for itself.
pub(super) fn all(ground: Ground<'_>, grown: &Grown, barred: &BTreeSet<u32>) -> Vec<Theory> {
    let core = grown.fleets.members.first().map_or(&[][..], |core| core);
    let nowhere = grown.confirmed.len() + LED_NOWHERE;
    if core.len() > nowhere {
        return Vec::new();
    }
    let is_large = grown.set.members.len() > nowhere;
    let mut pool: Vec<(f64, u32)> = grown
        .candidates
        .iter()
        .filter(|(host, _)| is_outside(&grown.confirmed, grown, *host) && !barred.contains(host))
        .map(|(host, scored)| (scored.probability(), *host))
        .filter(|(p, _)| *p >= FROM)
        .collect();
    pool.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut out: Vec<Theory> = Vec::new();
    let mut covered: BTreeSet<u32> = BTreeSet::new();
    let mut tried = 0;
    for (p, around) in pool {
        if tried == TRIED {
            break;
        }
        if covered.contains(&around) {
            continue;
        }
        tried += 1;
        let mut theirs = grow_set(ground, &[around], barred);
        covered.extend(theirs.set.members.iter().map(|member| member.0));
        // A large set of no fleet that comes back to the confirmed hosts is the set that there is already.
        let comes_back = is_large && grown.confirmed.iter().any(|host| weight_in(&theirs.set.members, *host) > 0.0);
        if theirs.set.members.len() >= SMALLEST && !comes_back {
            theirs.gather(ground);
            let figures = figures(ground, core, &theirs, &grown.confirmed, p);
            let fit = ground.weights.theory.probability(&figures);
            out.push(Theory { around, grown: theirs, figures, fit });
        }
    }
    out
}

/// True for a host that is neither confirmed nor in the set.
fn is_outside(confirmed: &[u32], grown: &Grown, host: u32) -> bool {
    !is_confirmed(confirmed, host) && weight_in(&grown.set.members, host) <= 0.0
}

/// The figures by which a set is judged to be the confirmed hosts' operator's: those of its fleet, and how many hosts
/// outside it are as good as the confirmed ones. `around` is the probability of the host it grew from. Names: [`names`].
fn figures(ground: Ground<'_>, core: &[Member], theirs: &Grown, confirmed: &[u32], around: f64) -> Vec<f64> {
    let part = theirs.fleets.members.first().map_or(&[][..], |part| part);
    let best = confirmed.iter().map(|host| theirs.score(ground, *host).log_odds).fold(f64::NEG_INFINITY, f64::max);
    let is_in = confirmed.iter().any(|host| weight_in(&theirs.set.members, *host) > 0.0);
    let (mut above, mut near, mut likely) = (0_u32, 0_u32, 0.0);
    for (_, scored) in theirs.candidates.iter().filter(|(host, _)| is_outside(confirmed, theirs, *host)) {
        above += u32::from(scored.log_odds >= best);
        if scored.log_odds >= best - NEAR {
            near += 1;
            likely += scored.probability();
        }
    }
    let mut out = fleet::figures(ground, core, part, confirmed);
    out.extend([
        log_odds(around),
        f64::from(u8::from(is_in)),
        f64::from(above).ln_1p(),
        f64::from(near).ln_1p(),
        f64::ln_1p(likely),
        theirs.purity,
        f64::from(small(theirs.set.members.len())).ln(),
        best.clamp(-10.0, 10.0),
    ]);
    out
}

/// Names of the figures.
pub(super) fn names() -> Vec<String> {
    let own = ["around", "is_in", "above", "near", "likely_near", "purity", "members", "seed"];
    fleet::names().into_iter().chain(own.map(str::to_owned)).collect()
}
