//! Fitting the weights on labelled populations: generated worlds, or a team's own closed cases.
//!
//! In: populations of which the operators are known ([`World`]). Out: [`Weights`].
//! Six steps, each with the result of those before it:
//!
//! 1. what shows that the holders of a value are one hand (`hand`);
//! 2. what each group's agreement counts (`score`), on sets of confirmed hosts drawn from an operator and on sets as
//!    growth really makes them;
//! 3. how far a grown set is believed (`grow`), and each of its fleets (`fleet`);
//! 4. how far a set grown around another host is (`theory`);
//! 5. what is kept of the scores that come of all this (`kept`);
//! 6. which hosts of a cluster without a seed are one operator's (`blind`).
//!
//! All are logistic regressions with a ridge. The same worlds, start and plan give the same weights: what is drawn is
//! drawn by hash.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::blind;
use super::defaults::Defaults;
use super::grow::{grow, is_confirmed};
use super::hand::{self, Hands};
use super::kept::Kept;
use super::logistic::{Check, Logistic};
use super::population::{Population, at, small};
use super::provider::{Provider, providers};
use super::rung::{GROUPS, Rung};
use super::score::{BOUNDS, Ground, Member, Profile, SUPPORTS, surety, weight_in};
use super::solve::{Row, logistic};
use super::theory;
use super::weights::Weights;
use crate::clock::Timestamp;
use crate::facet::{Group, Labels};
use crate::finding::{Seed, Subject};

/// What a host that is no seed counts in the fit of hands. Without such hosts no public image's key would be met.
const OTHERS: f64 = 0.25;
/// One in five of them is looked at.
const ONE_IN: f64 = 0.2;
/// Of a long list of holders so many are looked at.
const HOLDERS: usize = 200;
/// Sizes of the sets drawn from an operator.
const SIZES: [usize; 4] = [1, 3, 12, 40];
/// Ridge of the sum over groups.
const RIDGE: f64 = 3.0;
/// A fleet counts by the root of its members, up to so many: results are judged host by host, but the hosts of one fleet
/// are right or wrong together.
const FLEET_COUNTS: usize = 200;
/// Claims of less are not looked at.
const SAID: f64 = 0.005;

/// A population of which the operators are known.
#[derive(Debug)]
pub struct World<'a> {
    population: &'a Population,
    /// By place; `None` for a host that stands alone.
    operators: Vec<Option<u32>>,
    seeds: Vec<u32>,
}

impl<'a> World<'a> {
    /// A population with the operator of each host that has one, and the hosts that may be seeds. Hosts that `operators`
    /// does not name stand alone; addresses outside the population are passed over.
    #[must_use]
    pub fn new(population: &'a Population, operators: &BTreeMap<IpAddr, String>, seeds: &BTreeSet<IpAddr>) -> Self {
        let names: BTreeSet<&String> = operators.values().collect();
        let numbers: BTreeMap<&String, u32> = names.into_iter().zip(0..).collect();
        let mut by_place = vec![None; population.len()];
        for (address, name) in operators {
            let place = population.find(*address).and_then(|host| by_place.get_mut(at(host)));
            if let Some(slot) = place {
                *slot = numbers.get(name).copied();
            }
        }
        let mut seeds: Vec<u32> = seeds.iter().filter_map(|address| population.find(*address)).collect();
        seeds.sort_unstable();
        Self { population, operators: by_place, seeds }
    }

    fn operator(&self, host: u32) -> Option<u32> {
        self.operators.get(at(host)).copied().flatten()
    }

    fn same(&self, one: u32, other: u32) -> bool {
        self.operator(one).is_some() && self.operator(one) == self.operator(other)
    }

    /// The weight of the members that are not confirmed, and are the confirmed hosts' operator's, as a share.
    fn right(&self, members: &[Member], confirmed: &[u32]) -> f64 {
        let same = |host: u32| confirmed.first().is_some_and(|one| self.same(host, *one));
        let others = members.iter().filter(|member| !is_confirmed(confirmed, member.0));
        let (right, all) = others.fold((0.0, 0.0), |(right, all), (host, weight)| {
            (right + weight * f64::from(u8::from(same(*host))), all + weight)
        });
        right / f64::max(all, 1e-9)
    }

    /// All hosts of a host's operator but itself.
    fn fellows(&self, host: u32) -> Vec<u32> {
        (0..small(self.population.len())).filter(|other| *other != host && self.same(*other, host)).collect()
    }

    /// Confirmed hosts for the fit: two of three times one, else two to five of one operator.
    fn confirmed(&self, plan: &Plan, salt: &[u64]) -> Vec<Vec<u32>> {
        let firsts = drawn(&self.seeds, 3 * plan.seeds, salt);
        let more = |(place, first): (usize, u32)| {
            let others = if place % 3 == 2 { 1 + place / 3 % 4 } else { 0 };
            let salt = [salt, &[u64::from(first)]].concat();
            let mut out: Vec<u32> = if others == 0 { Vec::new() } else { drawn(&self.fellows(first), others, &salt) };
            out.push(first);
            out.sort_unstable();
            out
        };
        firsts.into_iter().enumerate().map(more).collect()
    }
}

/// What is fitted, and on how much.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The new weights' name.
    pub name: String,
    /// On what they were fitted, for the record.
    pub source: String,
    /// Seeds drawn from each population.
    pub seeds: usize,
    /// Decides which.
    pub random: u64,
}

/// Fits all weights but the concentrations, starting from `start`. A group that no population shows keeps its own.
#[must_use]
pub fn fit(worlds: &[World<'_>], start: &Weights, labels: &Labels, plan: &Plan) -> Weights {
    let mut weights = start.named(&plan.name, &plan.source).with_hands(hands(worlds, start, plan));
    for _ in 0..2 {
        weights = sums(worlds, &weights, labels, plan);
    }
    weights = trusts(worlds, &weights, labels, plan).with_kept(Kept::default());
    let claims = claims(worlds, &weights, labels, plan);
    weights.with_kept(Kept::fit(&claims)).with_members(&members(worlds, &weights, labels)).sealed()
}

/// Whether a value shows one hand: the share of other holders of a host's value that have the host's operator. Seeds
/// count in full. For host keys a sample of all other hosts counts too.
fn hands(worlds: &[World<'_>], weights: &Weights, plan: &Plan) -> BTreeMap<Group, Logistic> {
    let mut rows: BTreeMap<Group, Vec<Check>> = BTreeMap::new();
    for (number, world) in (0_u64..).zip(worlds) {
        let mut shown: BTreeMap<(Rung, u32), (f64, f64)> = BTreeMap::new();
        for host in 0..small(world.population.len()) {
            let is_seed = world.seeds.binary_search(&host).is_ok();
            if !is_seed && draw(&[plan.random, number, u64::from(host)]) >= ONE_IN {
                continue;
            }
            let counts = if is_seed { 1.0 } else { OTHERS };
            for (rung, column) in world.population.columns().filter(|(rung, _)| is_seed || *rung == Rung::HostKey) {
                for code in column.codes(host) {
                    let holders = column.holders(*code);
                    let looked = holders.iter().step_by(holders.len().div_ceil(HOLDERS)).filter(|one| **one != host);
                    let (same, all) = looked.fold((0.0, 0.0), |(same, all), other| {
                        (same + f64::from(u8::from(world.same(host, *other))), all + 1.0)
                    });
                    let entry = shown.entry((rung, *code)).or_default();
                    entry.0 += counts * same / f64::max(all, 1.0);
                    entry.1 += counts;
                }
            }
        }
        for ((rung, code), (share, counts)) in shown {
            let terms = hand::terms(world.population, weights, rung, code);
            rows.entry(rung.group()).or_default().push((terms, share / counts, counts.sqrt()));
        }
    }
    rows.iter().map(|(group, rows)| (*group, Logistic::fit(&hand::names(*group), rows))).collect()
}

/// The weights of the sum over groups.
fn sums(worlds: &[World<'_>], weights: &Weights, labels: &Labels, plan: &Plan) -> Weights {
    let mut rows = Vec::new();
    for (number, world) in (0_u64..).zip(worlds) {
        let defaults = Defaults::new(labels);
        let hands = Hands::default();
        let ground = Ground::new(world.population, weights, &defaults, &hands);
        for (place, seed) in drawn(&world.seeds, plan.seeds, &[plan.random, number]).into_iter().enumerate() {
            let theirs = world.fellows(seed);
            for size in SIZES.into_iter().filter(|size| *size == 1 || *size < theirs.len()) {
                let salt = [plan.random, number, u64::from(seed), u64::from(small(size))];
                let mut members: Vec<Member> =
                    drawn(&theirs, size - 1, &salt).into_iter().chain([seed]).map(|host| (host, 1.0)).collect();
                members.sort_by_key(|member| member.0);
                rows_of(ground, world, seed, &members, plan, &mut rows);
            }
            if place % 2 == 0 {
                let grown = grow(ground, &[seed], &BTreeSet::new());
                rows_of(ground, world, seed, &grown.set.members, plan, &mut rows);
            }
        }
    }
    // Agreement never counts against, disagreement never for; agreement in a value of strangers never for more than it says.
    // The constants are free.
    let mut bounds = vec![(0.0, f64::INFINITY); 3 * GROUPS + 5];
    for (_, most) in bounds.iter_mut().skip(1).take(GROUPS) {
        *most = 1.0;
    }
    let constants = [0, 3 * GROUPS + 1, 3 * GROUPS + 2, 3 * GROUPS + 3, 3 * GROUPS + 4];
    for (place, slot) in bounds.iter_mut().enumerate() {
        if constants.contains(&place) {
            *slot = (f64::NEG_INFINITY, f64::INFINITY);
        }
    }
    let ridge = vec![RIDGE; bounds.len()];
    weights.with_sum(&logistic(&rows, &ridge, &bounds))
}

/// The rows that one set teaches: its candidates. Of strangers that agree in little, a part stands for all.
fn rows_of(ground: Ground<'_>, world: &World<'_>, seed: u32, members: &[Member], plan: &Plan, out: &mut Vec<Row>) {
    let profile = Profile::new(ground, members, &[]);
    for host in super::grow::gather(ground.population, &profile, members) {
        if host == seed || ground.population.answers_everywhere(host) {
            continue;
        }
        let terms = sum_terms(ground, &profile, host, weight_in(members, host));
        let same = world.same(host, seed);
        let agreement: f64 = terms.iter().skip(1).take(3 * GROUPS).sum();
        let kept = match agreement {
            _ if same => 1.0,
            little if little < 3.0 => 0.08,
            some if some < 6.0 => 0.4,
            _ => 1.0,
        };
        if draw(&[plan.random, u64::from(seed), u64::from(host)]) < kept {
            out.push(Row { terms, share: f64::from(u8::from(same)), weight: 1.0 / kept });
        }
    }
}

/// The terms of the sum for one host: the constant; by group agreement, disagreement, and agreement in values of one hand;
/// the set's size; two groups, three groups, one hand. [`Weights::with_sum`] reads the coefficients in this order.
fn sum_terms(ground: Ground<'_>, profile: &Profile, host: u32, own: f64) -> Vec<f64> {
    let ratios = profile.ratios(ground, host, own);
    let ln = |ratio: &super::score::Ratio| ratio.ln.clamp(BOUNDS.0, BOUNDS.1);
    let supports: Vec<f64> = ratios.iter().filter(|ratio| ln(ratio) > SUPPORTS).map(|ratio| ratio.hand).collect();
    let share = (ground.weights.fitted_at_hosts() * profile.mass.max(1.0) / ground.population.size().max(1.0)).ln();
    let mut out = vec![1.0];
    out.extend(ratios.iter().map(|ratio| ln(ratio).max(0.0) * (1.0 - ratio.hand)));
    out.extend(ratios.iter().map(|ratio| ln(ratio).min(0.0)));
    out.extend(ratios.iter().map(|ratio| ln(ratio).max(0.0) * ratio.hand));
    out.push(share);
    out.push(f64::from(u8::from(supports.len() >= 2)));
    out.push(f64::from(u8::from(supports.len() >= 3)));
    out.push(surety(supports.into_iter().fold(0.0, f64::max)));
    out
}

/// How far grown sets, their fleets, and sets around other hosts are believed.
fn trusts(worlds: &[World<'_>], weights: &Weights, labels: &Labels, plan: &Plan) -> Weights {
    let (mut sets, mut fleets, mut theories): (Vec<Check>, Vec<Check>, Vec<Check>) = Default::default();
    let counts = |members: &[Member]| f64::from(small(members.len().min(FLEET_COUNTS))).sqrt();
    for (number, world) in (0_u64..).zip(worlds) {
        let defaults = Defaults::new(labels);
        let hands = Hands::default();
        let ground = Ground::new(world.population, weights, &defaults, &hands);
        for seeds in world.confirmed(plan, &[plan.random, number, 1]) {
            let grown = grow(ground, &seeds, &BTreeSet::new());
            let mut parts = grown.fleets.members.iter().zip(&grown.fleets.figures);
            if let (Some((core, _)), false) = (parts.next(), grown.checks.is_empty()) {
                sets.push((grown.checks.clone(), world.right(core, &seeds), counts(core)));
            }
            fleets.extend(parts.map(|(part, figures)| (figures.clone(), world.right(part, &seeds), counts(part))));
            for one in theory::all(ground, &grown, &BTreeSet::new()) {
                let core = one.grown.fleets.members.first().map_or(&[][..], |core| core);
                theories.push((one.figures.clone(), world.right(core, &seeds), counts(core)));
            }
        }
    }
    weights.with_trusts(&sets, &fleets, &theories)
}

/// What is said of the candidates of seeds, each its own provider, and whether it is true.
fn claims(worlds: &[World<'_>], weights: &Weights, labels: &Labels, plan: &Plan) -> Vec<(f64, bool)> {
    let mut out = Vec::new();
    for (number, world) in (0_u64..).zip(worlds) {
        let defaults = Defaults::new(labels);
        let hands = Hands::default();
        let ground = Ground::new(world.population, weights, &defaults, &hands);
        for confirmed in world.confirmed(plan, &[plan.random, number, 2]) {
            let seed = |host: &u32| Seed {
                provider: String::new(),
                subject: Subject::Host(world.population.address(*host)),
                why: String::new(),
                source: None,
                date: None,
                recorded_at: Timestamp::UNIX_EPOCH,
            };
            let Some(first) = confirmed.first() else { continue };
            let found = providers(ground, &confirmed.iter().map(seed).collect::<Vec<Seed>>(), &[]);
            let candidates = found.all.first().map(Provider::candidates).unwrap_or_default();
            for other in candidates.into_iter().filter(|other| !is_confirmed(&confirmed, *other)) {
                if let Some(claim) = found.claim(ground, 0, other).filter(|claim| claim.said >= SAID) {
                    out.push((claim.said, world.same(*first, other)));
                }
            }
        }
    }
    out
}

/// Members of clusters without a seed, and whether each is of the operator of most of its cluster.
fn members(worlds: &[World<'_>], weights: &Weights, labels: &Labels) -> Vec<Check> {
    let mut out = Vec::new();
    for world in worlds {
        let defaults = Defaults::new(labels);
        let hands = Hands::default();
        let ground = Ground::new(world.population, weights, &defaults, &hands);
        for one in blind::hypotheses(ground, &BTreeSet::new()) {
            let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
            for operator in one.members.iter().filter_map(|(host, _)| world.operator(*host)) {
                *counts.entry(operator).or_default() += 1;
            }
            let most = counts.into_iter().filter(|(_, count)| *count >= 2).max_by_key(|(_, count)| *count);
            let weight = 1.0 / f64::from(small(one.members.len())).sqrt();
            for (host, scored) in &one.members {
                let right = most.is_some_and(|(operator, _)| world.operator(*host) == Some(operator));
                out.push((one.terms(scored), f64::from(u8::from(right)), weight));
            }
        }
    }
    out
}

/// So many of the hosts, drawn by hash, ascending.
fn drawn(hosts: &[u32], count: usize, salt: &[u64]) -> Vec<u32> {
    let key = |host: u32| draw(&[salt, &[u64::from(host)]].concat());
    let mut order: Vec<(f64, u32)> = hosts.iter().map(|host| (key(*host), *host)).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut out: Vec<u32> = order.into_iter().take(count).map(|(_, host)| host).collect();
    out.sort_unstable();
    out
}

/// A number in [0, 1) that depends on `parts` alone (`SplitMix64`, Steele, Lea and Flood 2014).
fn draw(parts: &[u64]) -> f64 {
    let mut x = 0_u64;
    for part in parts {
        x = (x ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
    }
    f64::from(u32::try_from(x >> 32).unwrap_or(0)) / 4_294_967_296.0
}
