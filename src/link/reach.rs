//! Which hosts can come into a set in a round at all, without scoring them.
//!
//! Most hosts that share one value with a set share nothing else. What each value can add at most is known beforehand: with
//! `S` the sum over the rungs of a group of the highest gain, each divided by `T + a` (see `score`), a ratio is never above
//! `1 + S`, since `a + d D` is never above `T + a`. Logarithm, weight and cap are concave, so that several values add at
//! most what each adds alone. A host is scored only if the sum reaches the threshold; nothing else changes.

use super::population::at;
use super::rung::{GROUPS, Rung, SPANS};
use super::score::{BOUNDS, Ground, Held, Member, Profile};

/// For sums of 32-bit numbers.
const MARGIN: f32 = 0.01;

/// Sums by host, empty between rounds.
#[derive(Debug, Default)]
pub(super) struct Reach {
    sums: Vec<f32>,
    touched: Vec<u32>,
}

/// What one rung and group of a profile can add.
struct Bound {
    /// For each rung the highest gain among values whose holders are not listed.
    common: Vec<f64>,
    /// For each group `1 + S` of these.
    ratios: [f64; GROUPS],
}

impl Reach {
    /// The hosts among the holders of `listed` that may score log odds of `least`, and the members; ascending.
    pub(super) fn within(
        &mut self,
        ground: Ground<'_>,
        profile: &Profile,
        listed: &[(Rung, u32)],
        members: &[Member],
        least: f64,
    ) -> Vec<u32> {
        self.sums.resize(ground.population.len(), 0.0);
        let bound = Bound::new(ground, profile, listed);
        let base = bound.base(ground, profile);
        let mut out: Vec<u32> = members.iter().map(|member| member.0).collect();
        for (rung, code) in listed {
            let Some(held) = profile.held(*rung, *code) else { continue };
            let more = rounded_up(bound.more(ground, profile, *rung, held));
            for host in ground.population.column(*rung).holders(*code) {
                if let Some(sum) = self.sums.get_mut(at(*host)) {
                    if *sum == 0.0 {
                        self.touched.push(*host);
                    }
                    *sum += more;
                }
            }
        }
        let needed = rounded_down(least - base);
        for host in self.touched.drain(..) {
            if let Some(sum) = self.sums.get_mut(at(host)) {
                if *sum >= needed {
                    out.push(host);
                }
                *sum = 0.0;
            }
        }
        out.sort_unstable();
        out.dedup();
        out
    }
}

impl Bound {
    fn new(ground: Ground<'_>, profile: &Profile, listed: &[(Rung, u32)]) -> Self {
        let mut listed = listed.to_vec();
        listed.sort_unstable();
        let mut common = Vec::new();
        for (rung, one) in profile.rungs() {
            let rest = one.all().filter(|held| listed.binary_search(&(rung, held.code)).is_err());
            common.push(rest.map(Held::gain).fold(0.0, f64::max));
        }
        let mut ratios = [1.0; GROUPS];
        for ((slot, span), weights) in ratios.iter_mut().zip(SPANS).zip(ground.weights.groups()) {
            let rungs = profile.rungs().zip(&common).take(span.1).skip(span.0);
            *slot += rungs.map(|((_, one), gain)| gain / (one.mass + weights.alpha)).sum::<f64>();
        }
        Self { common, ratios }
    }

    /// What a host may score that shows nothing of what is listed.
    fn base(&self, ground: Ground<'_>, profile: &Profile) -> f64 {
        let sum = &ground.weights.seed;
        let groups = self.ratios.iter().enumerate().map(|(group, ratio)| counted(ground, profile, group, *ratio));
        let together = sum.two.max(0.0) + sum.three.max(0.0) + sum.hand.max(0.0);
        ground.weights.prior(ground.population.size(), profile.mass) + groups.sum::<f64>() + together
    }

    /// What a value adds to that at most.
    fn more(&self, ground: Ground<'_>, profile: &Profile, rung: Rung, held: &Held) -> f64 {
        let place = SPANS.iter().position(|span| (span.0..span.1).contains(&rung.place())).unwrap_or(0);
        let (Some(ratio), Some(weights)) = (self.ratios.get(place), ground.weights.groups().get(place)) else {
            return f64::INFINITY;
        };
        let common = self.common.get(rung.place()).copied().unwrap_or(0.0);
        let mass = profile.rung(rung).map_or(0.0, |one| one.mass);
        let more = (held.gain() - common).max(0.0) / (mass + weights.alpha);
        counted(ground, profile, place, ratio + more) - counted(ground, profile, place, *ratio)
    }
}

/// The most that a group counts with such a ratio.
fn counted(ground: Ground<'_>, profile: &Profile, group: usize, ratio: f64) -> f64 {
    let (Some(weights), Some(ceiling)) = (ground.weights.groups().get(group), profile.ceiling(group)) else {
        return f64::INFINITY;
    };
    // What speaks against would have to speak for it: nothing is known then.
    if weights.against < 0.0 {
        return f64::INFINITY;
    }
    (weights.support.max(weights.one_hand).max(0.0) * ratio.ln().clamp(0.0, BOUNDS.1)).min(ceiling)
}

#[expect(clippy::cast_possible_truncation, reason = "a margin is left for what is lost")]
fn rounded_up(value: f64) -> f32 {
    value as f32 + MARGIN / 64.0
}

#[expect(clippy::cast_possible_truncation, reason = "a margin is left for what is lost")]
fn rounded_down(value: f64) -> f32 {
    value as f32 - MARGIN
}
