//! One host against a set: one likelihood ratio per group, and their sum.
//!
//! For a set C with weights q and a group with rungs from specific to general, from the general end:
//!
//! ```text
//! R = ((W(v) - d) / f(v) + (a + d D) R') / (T + a)
//! ```
//!
//! `v` is the host's value, `W` the mass of C that shows it, `T` the mass of C observed on the rung, `D` the number of
//! distinct values in C, `f` the share of hosts outside C that show `v`, `a` the group's concentration, `d` = 1/2, `R'`
//! the rung below and 1 below the last. It is the Pitman-Yor predictive over the background (notes/linkage.md section
//! 3). The host's own share in C is taken out. A value no other host shows says nothing on its rung; a group that was
//! not observed has the ratio 1.
//!
//! Of several values of a host on one rung the one that says most is taken, once. A member with several values adds its
//! whole weight to each `W` but shares it out in `D`, so that its number of keys is no evidence.

use super::defaults::{Defaults, ceiling};
use super::hand::{Hands, Told};
use super::logistic::probability;
use super::population::{Population, at, small};
use super::rung::{GROUPS, RUNGS, Rung, SPANS, is_provider_side};
use super::weights::{GroupWeights, Sum, Weights};
use crate::facet::{Group, Habit};

/// The Pitman-Yor discount.
pub(super) const DISCOUNT: f64 = 0.5;
/// Bounds of a group's log likelihood ratio before weights; those the weights were fitted with.
pub(super) const BOUNDS: (f64, f64) = (-5.0, 12.0);
/// A group supports a claim from this log likelihood ratio on; that the weights were fitted with.
pub(super) const SUPPORTS: f64 = 1.0;
/// With n background hosts and no hit a frequency is at most about 3/n, so that no group may count more than n/3.
const RULE_OF_THREE: f64 = 3.0;

/// Another page, certificate or mail banner tells of another customer, hardly of another provider: at most a half, as a
/// natural logarithm.
const CUSTOMERS_DIFFER: f64 = -core::f64::consts::LN_2;

/// How surely the holders of a value are one hand, on the scale of log odds: from 0 for strangers to some 9.2.
pub(super) fn surety(hand: f64) -> f64 {
    /// Nobody is surer than so.
    const LEAST: f64 = 0.01;
    ((hand + LEAST) / (1.0 - hand + LEAST)).ln() - (LEAST / (1.0 + LEAST)).ln()
}

/// A host and its weight in a set.
pub(super) type Member = (u32, f64);

/// What one group says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Ratio {
    /// False when host or set did not show the group.
    pub(super) observed: bool,
    /// Natural log of the likelihood ratio; 0 when not observed.
    pub(super) ln: f64,
    /// The most specific rung on which host and set agree, and the value.
    pub(super) hit: Option<(Rung, u32)>,
    /// How likely the holders of the value are one hand.
    pub(super) hand: f64,
}

impl Ratio {
    /// Nothing seen, nothing said.
    pub(super) const UNOBSERVED: Self = Self { observed: false, ln: 0.0, hit: None, hand: 0.0 };
}

/// What is handed to every computation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ground<'a> {
    pub(super) population: &'a Population,
    pub(super) weights: &'a Weights,
    pub(super) defaults: &'a Defaults<'a>,
    pub(super) hands: &'a Hands,
    /// How much more common than heard shared values are taken to be among strangers ([`super::view`]).
    pub(super) strangers: f64,
}

impl<'a> Ground<'a> {
    /// With strangers as they were heard.
    pub(super) fn new(
        population: &'a Population,
        weights: &'a Weights,
        defaults: &'a Defaults<'a>,
        hands: &'a Hands,
    ) -> Self {
        Self { population, weights, defaults, hands, strangers: 1.0 }
    }
}

/// A value that members of a set show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) code: u32,
    /// Mass of members that show it.
    pub(super) mass: f64,
    /// Number of members that show it.
    pub(super) members: u32,
    /// One over its share among hosts outside the set.
    rarity: f64,
    /// Whose default it is, if it is one.
    pub(super) habit: Option<Habit>,
    /// How likely another holder has the operator of one ([`Hands`]).
    pub(super) hand: f64,
}

impl Held {
    /// What agreement in it adds for a host outside the set, before it is shared out.
    pub(super) fn gain(&self) -> f64 {
        (self.mass - DISCOUNT.min(0.5 * self.mass)) * self.rarity
    }
}

/// One rung of a set.
#[derive(Clone, Debug, Default)]
pub(super) struct RungProfile {
    /// By code, ascending.
    held: Vec<Held>,
    /// Mass of members observed here.
    pub(super) mass: f64,
    /// Number of distinct values, soft.
    distinct: f64,
    /// A bit for each value, by the end of its code: most values of most hosts are not in the set, and are told by this.
    sieve: Vec<u64>,
}

impl RungProfile {
    /// False for a value that no member shows.
    fn may_hold(&self, code: u32) -> bool {
        let bits = self.sieve.get(at(code >> 6) & self.sieve.len().wrapping_sub(1));
        bits.is_some_and(|bits| bits >> (code & 63) & 1 == 1)
    }

    /// Some sixteen bits for each value, so that few others meet one.
    fn make_sieve(&mut self) {
        self.sieve = vec![0; (self.held.len() / 4).next_power_of_two()];
        let mask = self.sieve.len() - 1;
        for held in &self.held {
            if let Some(bits) = self.sieve.get_mut(at(held.code >> 6) & mask) {
                *bits |= 1 << (held.code & 63);
            }
        }
    }

    /// The ratio with this rung, from that of the rungs below; `gain` is 0 where host and set differ.
    fn step(&self, weights: &GroupWeights, own: f64, mass: f64, gain: f64, below: f64) -> f64 {
        let distinct = (self.distinct - own).max(0.0);
        (gain + (weights.alpha + DISCOUNT * distinct) * below) / (mass + weights.alpha)
    }

    /// All values that members share with anybody, by code.
    pub(super) fn all(&self) -> impl Iterator<Item = &Held> {
        self.held.iter()
    }

    /// The entry of a value.
    pub(super) fn held(&self, code: u32) -> Option<&Held> {
        let place = self.held.binary_search_by_key(&code, |held| held.code).ok()?;
        self.held.get(place)
    }
}

/// A set, counted.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    rungs: [RungProfile; RUNGS],
    /// Sum of the weights.
    pub(super) mass: f64,
    /// Highest log ratio each group may count for.
    ceilings: [f64; GROUPS],
    /// Hosts outside the set in which each group was observed.
    pub(super) background: [f64; GROUPS],
    /// For each group the log ratio of a host that shares nothing with the set, by which of the rungs it has shared values
    /// on: most groups of most hosts.
    quiet: [Vec<f64>; GROUPS],
}

/// A value of one member.
struct Shown {
    code: u32,
    /// What the member counts.
    weight: f64,
    /// The same, shared out among its values.
    share: f64,
    /// Its weight in the set.
    whole: f64,
}

/// What all groups together say of one host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scored {
    pub(super) ratios: [Ratio; GROUPS],
    /// Natural log of what each group counts, after hands, weight and cap.
    pub(super) counted: [f64; GROUPS],
    /// Log odds with prior and corrections.
    pub(super) log_odds: f64,
    /// True where the host is more likely of another fleet of the set's provider ([`super::counted`]).
    pub(super) another_fleet: bool,
}

impl Scored {
    /// As a probability.
    pub(super) fn probability(&self) -> f64 {
        probability(self.log_odds)
    }

    /// What agreement in several groups, or in a value of one hand, adds; one group may be left out.
    fn together(&self, sum: &Sum, left_out: Option<Group>) -> f64 {
        let groups = Group::ALL.into_iter().zip(&self.ratios);
        let supporting = groups.filter(|(group, ratio)| Some(*group) != left_out && ratio.ln.min(BOUNDS.1) > SUPPORTS);
        let (count, hand) =
            supporting.fold((0, 0.0_f64), |(count, hand), (_, ratio)| (count + 1, hand.max(ratio.hand)));
        let two = if count >= 2 { sum.two } else { 0.0 };
        let three = if count >= 3 { sum.three } else { 0.0 };
        two + three + sum.hand * surety(hand)
    }

    /// The log odds without one group.
    pub(super) fn without(&self, ground: Ground<'_>, group: Group) -> f64 {
        let sum = &ground.weights.seed;
        self.log_odds - of_group(&self.counted, group) - self.together(sum, None) + self.together(sum, Some(group))
    }
}

impl Profile {
    /// Counts a set. `kin` are hosts outside the set that are not to count as background.
    pub(super) fn new(ground: Ground<'_>, members: &[Member], kin: &[u32]) -> Self {
        Self::shared(ground, members, members, kin)
    }

    /// The same where the members, whose weights say how far they are no background, count by `shares`: the same hosts.
    pub(super) fn shared(ground: Ground<'_>, members: &[Member], shares: &[Member], kin: &[u32]) -> Self {
        let Ground { population, weights, hands, strangers, .. } = ground;
        let mut kin: Vec<u32> = kin.to_vec();
        kin.retain(|host| members.binary_search_by_key(host, |member| member.0).is_err());
        let kin_mass = f64::from(small(kin.len()));
        let mut rungs: [RungProfile; RUNGS] = std::array::from_fn(|_| RungProfile::default());
        let mut background = [0.0_f64; GROUPS];
        for ((rung, column), profile) in population.columns().zip(&mut rungs) {
            let mut values: Vec<Shown> = Vec::new();
            let mut inside = 0.0;
            let observed = members.iter().zip(shares).filter(|((host, _), _)| column.is_observed(*host));
            for ((host, whole), (_, weight)) in observed {
                inside += whole;
                profile.mass += weight;
                let codes = column.codes(*host);
                if codes.is_empty() {
                    profile.distinct += weight.min(1.0);
                }
                let share = weight / f64::from(small(codes.len()).max(1));
                values.extend(codes.iter().map(|code| Shown { code: *code, weight: *weight, share, whole: *whole }));
            }
            values.sort_unstable_by_key(|value| value.code);
            let outside = population.size() - inside - kin_mass + 1.0;
            for same in values.chunk_by(|a, b| a.code == b.code) {
                let Some(Shown { code, .. }) = same.first() else { continue };
                let mass: f64 = same.iter().map(|value| value.weight).sum();
                let share: f64 = same.iter().map(|value| value.share).sum();
                let whole: f64 = same.iter().map(|value| value.whole).sum();
                profile.distinct += share.min(1.0);
                let kin_here = kin.iter().filter(|host| column.codes(**host).contains(code)).count();
                let others = f64::from(column.count(*code)) - whole - f64::from(small(kin_here));
                let Told { habit, hand } = hands.of(ground, rung, *code);
                let rarity = outside / (others.max(0.0) * (1.0 - hand) + 0.5);
                // Odds, not shares, are taken for so much higher: a share is at most 1.
                let rarity = 1.0 + (rarity - 1.0).max(0.0) / strangers;
                profile.held.push(Held { code: *code, mass, members: small(same.len()), rarity, habit, hand });
            }
            if let Some(seen) = background.get_mut(group_place(rung)) {
                *seen = seen.max(f64::from(column.observed()) - inside);
            }
        }
        rungs.iter_mut().for_each(RungProfile::make_sieve);
        let ceilings = background.map(|seen| (seen / RULE_OF_THREE).max(1.0).ln());
        let mut quiet: [Vec<f64>; GROUPS] = std::array::from_fn(|_| Vec::new());
        for ((slot, span), weights) in quiet.iter_mut().zip(SPANS).zip(weights.groups()) {
            *slot = (0..1_usize << (span.1 - span.0)).map(|shows| silence(&rungs, span, weights, shows)).collect();
        }
        Self { rungs, mass: shares.iter().map(|member| member.1).sum(), ceilings, background, quiet }
    }

    /// All rungs.
    pub(super) fn rungs(&self) -> impl Iterator<Item = (Rung, &RungProfile)> {
        Rung::ALL.into_iter().zip(&self.rungs)
    }

    /// The rung of this profile.
    pub(super) fn rung(&self, rung: Rung) -> Option<&RungProfile> {
        self.rungs.get(rung.place())
    }

    /// The most that a group, by its place, may count.
    pub(super) fn ceiling(&self, group: usize) -> Option<f64> {
        self.ceilings.get(group).copied()
    }

    /// The entry of a value.
    pub(super) fn held(&self, rung: Rung, code: u32) -> Option<&Held> {
        self.rung(rung)?.held(code)
    }

    /// What each group says of a host whose own weight in the set is `own`.
    pub(super) fn ratios(&self, ground: Ground<'_>, host: u32, own: f64) -> [Ratio; GROUPS] {
        // A bit for each rung: where the host shows anything, where others show it too, and where members may.
        let (mut observed, mut shows, mut hits) = (0_u32, 0_u32, 0_u32);
        for (place, (codes, profile)) in ground.population.row(host).zip(&self.rungs).enumerate() {
            let Some(codes) = codes.filter(|_| profile.mass > 0.0) else { continue };
            observed |= 1 << place;
            shows |= u32::from(!codes.is_empty()) << place;
            hits |= u32::from(codes.iter().any(|code| profile.may_hold(*code))) << place;
        }
        let mut out = [Ratio::UNOBSERVED; GROUPS];
        let groups = SPANS.iter().zip(&self.quiet).zip(ground.weights.groups());
        for (slot, ((span, quiet), weights)) in out.iter_mut().zip(groups) {
            let of_group = |bits: u32| (bits >> span.0) & ((1 << (span.1 - span.0)) - 1);
            if own > 0.0 || of_group(hits) != 0 {
                *slot = self.ratio(ground, *span, weights, host, own);
            } else if of_group(observed) != 0 {
                let ln = quiet.get(at(of_group(shows))).copied().unwrap_or(0.0);
                *slot = Ratio { observed: true, ln, ..Ratio::UNOBSERVED };
            }
        }
        out
    }

    /// What one group says of a host.
    fn ratio(&self, ground: Ground<'_>, span: (usize, usize), weights: &GroupWeights, host: u32, own: f64) -> Ratio {
        let mut slot = Ratio::UNOBSERVED;
        let mut ratio = 1.0_f64;
        let mut set_observed = false;
        let rungs = Rung::ALL.iter().zip(&self.rungs).skip(span.0).zip(ground.population.span(span));
        for ((rung, profile), column) in rungs.rev() {
            if !column.is_observed(host) {
                continue;
            }
            slot.observed = true;
            let mass = (profile.mass - own).max(0.0);
            set_observed |= mass > 0.0;
            let codes = column.codes(host);
            if codes.is_empty() || mass <= 0.0 {
                continue;
            }
            let mut best: Option<(f64, &Held)> = None;
            for held in codes.iter().filter_map(|code| profile.held(*code)) {
                let left = held.mass - own;
                if left > 1e-9 {
                    let gain = (left - DISCOUNT.min(0.5 * left)) * held.rarity;
                    if best.is_none_or(|(most, _)| gain > most) {
                        best = Some((gain, held));
                    }
                }
            }
            ratio = profile.step(weights, own, mass, best.map_or(0.0, |(gain, _)| gain), ratio);
            if let Some((_, held)) = best {
                ratio = ratio.min(ceiling(held.habit, ground.population.size()));
                slot.hit = Some((*rung, held.code));
                slot.hand = held.hand;
            }
        }
        slot.observed &= set_observed;
        slot.ln = if slot.observed { ln(ratio) } else { 0.0 };
        slot
    }

    /// A host against this set: each group's weighted evidence, the prior, and what agreement in several groups, or in a
    /// value of one hand, adds.
    pub(super) fn score(&self, ground: Ground<'_>, host: u32, own: f64) -> Scored {
        let ratios = self.ratios(ground, host, own);
        let mut counted = [0.0; GROUPS];
        let groups = ratios.iter().zip(Group::ALL).zip(ground.weights.groups()).zip(&self.ceilings);
        for (slot, (((ratio, group), weights), ceiling)) in counted.iter_mut().zip(groups) {
            let ln = ratio.ln.clamp(BOUNDS.0, BOUNDS.1);
            if ln > 0.0 {
                let weight = weights.support + (weights.one_hand - weights.support) * ratio.hand;
                *slot = (weight * ln).min(*ceiling);
            } else {
                *slot = (weights.against * ln).max(if is_provider_side(group) {
                    f64::NEG_INFINITY
                } else {
                    CUSTOMERS_DIFFER
                });
            }
        }
        let prior = ground.weights.prior(ground.population.size(), self.mass);
        let log_odds = prior + counted.iter().sum::<f64>();
        let mut scored = Scored { ratios, counted, log_odds, another_fleet: false };
        scored.log_odds += scored.together(&ground.weights.seed, None);
        scored
    }
}

/// The log ratio of a group on whose rungs a host, no member, shows nothing of the set's; a bit of `shows` for each rung
/// where it has a shared value.
fn silence(rungs: &[RungProfile; RUNGS], span: (usize, usize), weights: &GroupWeights, shows: usize) -> f64 {
    let mut ratio = 1.0_f64;
    for (bit, profile) in rungs.iter().take(span.1).skip(span.0).enumerate().rev() {
        if shows >> bit & 1 == 1 && profile.mass > 0.0 {
            ratio = profile.step(weights, 0.0, profile.mass.max(0.0), 0.0, ratio);
        }
    }
    ln(ratio)
}

/// A ratio's natural logarithm.
fn ln(ratio: f64) -> f64 {
    ratio.max(1e-9).ln()
}

/// The place of a rung's group in [`Group::ALL`].
fn group_place(rung: Rung) -> usize {
    Group::ALL.iter().position(|group| *group == rung.group()).unwrap_or(usize::MAX)
}

/// The weight of a host in a sorted set; 0 outside.
pub(super) fn weight_in(members: &[Member], host: u32) -> f64 {
    let place = members.binary_search_by_key(&host, |member| member.0).ok();
    place.and_then(|place| members.get(place)).map_or(0.0, |member| member.1)
}

/// Reads a fixed array by group.
pub(super) fn of_group<T: Copy + Default>(values: &[T; GROUPS], group: Group) -> T {
    Group::ALL.iter().zip(values).find(|(one, _)| **one == group).map_or_else(T::default, |(_, value)| *value)
}
