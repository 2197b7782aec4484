//! Which hosts can come into a set in a round at all, without scoring them.
//!
//! Most hosts that share one value with a set share nothing else. What each value can add at most is known beforehand: with
//! `S` the sum over the rungs of a group of the highest gain, each divided by `T + a` (see `score`), a ratio is never above
//! `1 + S`, since `a + d D` is never above `T + a`. Logarithm, weight and cap are concave, so that several values add at
//! most what each adds alone. A host is scored only if the sum reaches the threshold; nothing else changes.

use super::population::at;
use super::rung::{GROUPS, Rung, SPANS};
use super::score::{BOUNDS, Ground, Held, Member, Profile, surety};
use super::weights::GroupWeights;

/// For sums of 32-bit numbers.
const MARGIN: f32 = 0.01;

/// Sums by host, empty between rounds.
#[derive(Debug, Default)]
pub(super) struct Reach {
    sums: Vec<f32>,
    touched: Vec<u32>,
}

/// What the values whose holders are not listed can give a host at most: any host may show them.
struct Bound {
    /// For each rung the highest gain.
    gains: Vec<f64>,
    groups: [Common; GROUPS],
    /// The highest probability of one hand.
    hand: f64,
}

/// The same for one group.
#[derive(Clone, Copy)]
struct Common {
    /// `1 + S`.
    ratio: f64,
    /// The highest weight of its logarithm.
    weight: f64,
    /// The highest weight of any value of the set.
    most: f64,
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
        let mut out =
            Self { gains: Vec::new(), groups: [Common { ratio: 1.0, weight: 0.0, most: 0.0 }; GROUPS], hand: 0.0 };
        for (rung, one) in profile.rungs() {
            let mut gain = 0.0_f64;
            let Some((group, weights)) = group_of(ground, rung) else { continue };
            let Some(common) = out.groups.get_mut(group) else { continue };
            for held in one.all() {
                let weight = weight(weights, held);
                common.most = common.most.max(weight);
                if listed.binary_search(&(rung, held.code)).is_err() {
                    gain = gain.max(held.gain());
                    common.weight = common.weight.max(weight);
                    out.hand = out.hand.max(held.hand);
                }
            }
            common.ratio += gain / (one.mass + weights.alpha);
            out.gains.push(gain);
        }
        out
    }

    /// What a host may score that shows nothing of what is listed.
    fn base(&self, ground: Ground<'_>, profile: &Profile) -> f64 {
        let sum = &ground.weights.seed;
        // What speaks against would have to speak for it: nothing is known then.
        if ground.weights.groups().iter().any(|weights| weights.against < 0.0) {
            return f64::INFINITY;
        }
        let counted = |(place, one): (usize, &Common)| {
            (one.weight * logarithm(one.ratio)).min(profile.ceiling(place).unwrap_or(f64::INFINITY))
        };
        let groups: f64 = self.groups.iter().enumerate().map(counted).sum();
        let together = sum.two.max(0.0) + sum.three.max(0.0) + sum.hand.max(0.0) * surety(self.hand);
        ground.weights.prior(ground.population.size(), profile.mass) + groups + together
    }

    /// What a value adds to that at most. Its weight may be above the common ones', and theirs may count for it.
    fn more(&self, ground: Ground<'_>, profile: &Profile, rung: Rung, held: &Held) -> f64 {
        let Some((group, weights)) = group_of(ground, rung) else { return f64::INFINITY };
        let Some(common) = self.groups.get(group) else { return f64::INFINITY };
        let gain = self.gains.get(rung.place()).copied().unwrap_or(0.0);
        let mass = profile.rung(rung).map_or(0.0, |one| one.mass);
        let before = logarithm(common.ratio);
        let after = logarithm(common.ratio + (held.gain() - gain).max(0.0) / (mass + weights.alpha));
        (weight(weights, held) - common.weight).max(0.0) * before
            + common.most * (after - before)
            + ground.weights.seed.hand.max(0.0) * (surety(held.hand) - surety(self.hand)).max(0.0)
    }
}

/// The place of a rung's group, and its weights.
fn group_of(ground: Ground<'_>, rung: Rung) -> Option<(usize, &GroupWeights)> {
    let place = SPANS.iter().position(|span| (span.0..span.1).contains(&rung.place()))?;
    Some((place, ground.weights.groups().get(place)?))
}

/// How much the logarithm counts where a value is agreed in.
fn weight(weights: &GroupWeights, held: &Held) -> f64 {
    (weights.support + (weights.one_hand - weights.support) * held.hand).max(0.0)
}

/// A ratio's logarithm within the bounds; never below 0.
fn logarithm(ratio: f64) -> f64 {
    ratio.ln().clamp(0.0, BOUNDS.1)
}

#[expect(clippy::cast_possible_truncation, reason = "a margin is left for what is lost")]
fn rounded_up(value: f64) -> f32 {
    value as f32 + MARGIN / 64.0
}

#[expect(clippy::cast_possible_truncation, reason = "a margin is left for what is lost")]
fn rounded_down(value: f64) -> f32 {
    value as f32 - MARGIN
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::hand::Hands;
    use super::super::population::small;
    use super::super::{Builder, Defaults, Weights, grow};
    use super::*;
    use crate::facet::{FacetKind, HostFacts, Labels};

    #[test]
    fn no_host_that_reaches_the_threshold_is_left_out() {
        let mut builder = Builder::new();
        for n in 0..3000_u32 {
            let mut host = HostFacts::new(std::net::Ipv4Addr::from(0xc633_0000 + n * 37).into());
            let mut put = |kind, value: String| host.facets.push((kind, value.into_bytes()));
            let fleet = n % 40;
            put(FacetKind::SshHostKey, if fleet == 3 { "image".into() } else { format!("key {n}") });
            put(FacetKind::SshBanner, format!("banner {}", if n % 3 == 0 { fleet } else { n % 7 }));
            put(FacetKind::HttpServer, format!("server {}", n % 5));
            put(FacetKind::HttpHeaderOrder, format!("order {}", if n % 2 == 0 { fleet } else { n % 11 }));
            put(FacetKind::CertSubject, format!("CN=a, O=o{}", n * 7 % 60));
            put(FacetKind::HttpBodySha256, format!("body {}", n * 13 % 900));
            host.asn = Some(64_500 + n * n % 70);
            builder.add(&host);
        }
        let population = builder.finish();
        let (weights, labels) = (Weights::builtin().unwrap(), Labels::builtin().unwrap());
        let (defaults, hands) = (Defaults::new(&labels), Hands::default());
        let ground = Ground::new(&population, &weights, &defaults, &hands);
        let mut left_out = 0;
        for seed in (0..60).map(|n| n * 49) {
            let members = grow::grow(ground, &[seed], &BTreeSet::new()).set.members;
            let profile = Profile::new(ground, &members, &[]);
            let listed = grow::listed(&population, &profile, grow::BUDGET);
            for least in [-4.0, 0.0, 2.0, 4.0] {
                let within = hands.with_reach(|reach| reach.within(ground, &profile, &listed, &members, least));
                for host in grow::gather(&population, &profile, &members) {
                    let own = super::super::score::weight_in(&members, host);
                    let reaches = profile.score(ground, host, own).log_odds >= least;
                    assert!(!reaches || within.binary_search(&host).is_ok(), "{host} of {seed} at {least}");
                    left_out += u32::from(within.binary_search(&host).is_err());
                }
            }
            assert!(small(members.len()) >= 1);
        }
        assert!(left_out > 10_000, "{left_out}");
    }
}
