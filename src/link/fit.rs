//! Fitting the weights on labelled populations.

use std::collections::{BTreeMap, BTreeSet};

use super::defaults::Defaults;
use super::grow::{gather, grow};
use super::hand::{self, Hands};
use super::population::{Population, at, small};
use super::rung::{GROUPS, Rung, is_provider_side};
use super::score::{Ground, Member, Profile, weight_in};
use super::solve::{Row, logistic};
use super::weights::{Check, Logistic, Weights};
use crate::facet::{Group, Labels};

/// A population of which the operators are known.
#[derive(Debug)]
pub struct Labelled<'a> {
    /// The hosts.
    pub population: &'a Population,
    /// The operator of each host by its place; `None` for a host that stands alone.
    pub operators: Vec<Option<u32>>,
    /// Hosts that may be seeds.
    pub seeds: Vec<u32>,
}

/// What a host that is no seed counts in the fit of hands. Without such hosts no public image's key would be met.
const OTHERS: f64 = 0.25;
/// One in so many of them is looked at.
const ONE_IN: f64 = 0.2;

/// Fits [`Weights::hand`]: the share of other holders of a host's value that have the host's operator. Seeds count in
/// full; a sample of all other hosts counts less.
pub fn hands(worlds: &[Labelled<'_>], weights: &Weights) -> Weights {
    let mut rows: BTreeMap<Group, Vec<Check>> = BTreeMap::new();
    for (number, world) in worlds.iter().enumerate() {
        let of = |host: u32| world.operators.get(at(host)).copied().flatten();
        let mut shown: BTreeMap<(Rung, u32), (f64, f64)> = BTreeMap::new();
        let seeds: BTreeSet<u32> = world.seeds.iter().copied().collect();
        for host in 0..small(world.operators.len()) {
            let counts = if seeds.contains(&host) {
                1.0
            } else if draw(&[u64::from(small(number)), u64::from(host)]) < ONE_IN {
                OTHERS
            } else {
                continue;
            };
            for (rung, column) in world.population.columns() {
                if counts < 1.0 && rung != Rung::HostKey {
                    continue;
                }
                for code in column.codes(host) {
                    let holders = column.holders(*code);
                    // A long list is looked at in part.
                    let step = holders.len().div_ceil(200);
                    let looked = holders.iter().step_by(step).filter(|other| **other != host);
                    let (same, all) = looked.fold((0.0, 0.0), |(same, all), other| {
                        (same + f64::from(u8::from(of(host).is_some() && of(*other) == of(host))), all + 1.0)
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
    let fitted = rows.iter().map(|(group, rows)| {
        let names = hand::names(*group);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        (group.as_str().to_owned(), Logistic::fit(&names, rows))
    });
    weights.with_hand(fitted.collect())
}

/// Draws without a generator's state: a hash of where it is used.
fn draw(parts: &[u64]) -> f64 {
    let mut x = 0x9e37_79b9_7f4a_7c15_u64;
    for part in parts {
        x ^= *part;
        x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
    }
    f64::from(u32::try_from(x >> 32).unwrap_or(0)) / 4_294_967_296.0
}

/// So many of the hosts, drawn by hash, ascending.
fn drawn(hosts: &[u32], count: usize, salt: u64) -> Vec<u32> {
    let mut order: Vec<(f64, u32)> = hosts.iter().map(|host| (draw(&[salt, u64::from(*host)]), *host)).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut out: Vec<u32> = order.into_iter().take(count).map(|(_, host)| host).collect();
    out.sort_unstable();
    out
}

/// The terms of the sum over groups for one host, in the order constant, for, against, for of one hand by group, size, two, three.
fn sum_terms(ground: Ground<'_>, profile: &Profile, host: u32, own: f64) -> Vec<f64> {
    let full = profile.ratios(ground, host, own);
    let mut ratios = full;
    for (ratio, group) in ratios.iter_mut().zip(Group::ALL) {
        if is_provider_side(group) {
            ratio.hand = 0.0;
        }
    }
    let mut out = vec![1.0];
    let ln = |ratio: &super::score::Ratio| ratio.ln.clamp(-5.0, 12.0);
    out.extend(ratios.iter().map(|ratio| ln(ratio).max(0.0) * (1.0 - ratio.hand)));
    out.extend(ratios.iter().map(|ratio| ln(ratio).min(0.0)));
    out.extend(ratios.iter().map(|ratio| ln(ratio).max(0.0) * ratio.hand));
    let supports = ratios.iter().filter(|ratio| ln(ratio) > 1.0).count();
    out.push((50_000.0 * profile.mass.max(1.0) / ground.population.size()).ln());
    out.push(f64::from(u8::from(supports >= 2)));
    out.push(f64::from(u8::from(supports >= 3)));
    out.push(full.iter().filter(|ratio| ln(ratio) > 1.0).map(|ratio| ratio.hand).fold(0.0, f64::max));
    out
}

/// The rows that one set teaches.
fn rows_of(ground: Ground<'_>, world: &Labelled<'_>, seed: u32, members: &[Member], salt: u64, out: &mut Vec<Row>) {
    let profile = Profile::new(ground, members, &[]);
    let of = |host: u32| world.operators.get(at(host)).copied().flatten();
    for host in gather(ground.population, &profile, members) {
        if host == seed || ground.population.answers_everywhere(host) {
            continue;
        }
        let terms = sum_terms(ground, &profile, host, weight_in(members, host));
        let same = of(host).is_some() && of(host) == of(seed);
        let sum: f64 = terms.iter().skip(1).take(3 * GROUPS).sum();
        let kept = if same {
            1.0
        } else if sum < 3.0 {
            0.08
        } else if sum < 6.0 {
            0.4
        } else {
            1.0
        };
        if draw(&[salt, u64::from(seed), u64::from(host)]) < kept {
            out.push(Row { terms, share: f64::from(u8::from(same)), weight: 1.0 / kept });
        }
    }
}

/// Fits the weights of a host against a set.
pub fn sums(worlds: &[Labelled<'_>], weights: &Weights, labels: &Labels, seeds: usize, clean: bool) -> Weights {
    let mut rows = Vec::new();
    for (number, world) in worlds.iter().enumerate() {
        let defaults = Defaults::new(labels);
        let hands = Hands::default();
        let ground = Ground { population: world.population, weights, defaults: &defaults, hands: &hands };
        let salt = u64::from(small(number));
        for (place, seed) in drawn(&world.seeds, seeds, salt).into_iter().enumerate() {
            let of = world.operators.get(at(seed)).copied().flatten();
            let mine: Vec<u32> = (0..small(world.operators.len()))
                .filter(|host| *host != seed && world.operators.get(at(*host)).copied().flatten() == of)
                .collect();
            for size in [1_usize, 3, 12, 40] {
                if (size > 1 && size + 1 > mine.len()) || !clean {
                    break;
                }
                let mut members: Vec<Member> =
                    drawn(&mine, size - 1, salt + 100 * u64::from(seed)).into_iter().map(|host| (host, 1.0)).collect();
                members.push((seed, 1.0));
                members.sort_by_key(|member| member.0);
                rows_of(ground, world, seed, &members, salt, &mut rows);
            }
            if place % 2 == 0 {
                let grown = grow(ground, &[seed], &BTreeSet::new());
                rows_of(ground, world, seed, &grown.members, salt, &mut rows);
            }
        }
    }
    let count = 5 + 3 * GROUPS;
    let mut least = vec![0.0; count];
    for free in [0, count - 4, count - 3, count - 2, count - 1] {
        if let Some(slot) = least.get_mut(free) {
            *slot = f64::NEG_INFINITY;
        }
    }
    let ridge = vec![3.0; count];
    let coef = logistic(&rows, &ridge, &least);
    weights.with_sum(&coef)
}

/// Results are judged host by host, so that a large fleet counts for more.
fn weight(members: usize) -> f64 {
    f64::from(small(members.min(200))).sqrt()
}

/// Fits the purity, and then the trust in fleets and theories.
pub fn purity(worlds: &[Labelled<'_>], weights: &Weights, labels: &Labels, seeds: usize) -> Weights {
    let mut checks: Vec<Check> = Vec::new();
    let mut fleets: Vec<Check> = Vec::new();
    let mut theories: Vec<Check> = Vec::new();
    for (number, world) in worlds.iter().enumerate() {
        let defaults = Defaults::new(labels);
        let hands = Hands::default();
        let ground = Ground { population: world.population, weights, defaults: &defaults, hands: &hands };
        for (place, seed) in drawn(&world.seeds, 3 * seeds, u64::from(small(number)) + 7).into_iter().enumerate() {
            let grown = grow(ground, &[seed], &BTreeSet::new());
            let of = |host: u32| world.operators.get(at(host)).copied().flatten();
            let right = |members: &[Member]| {
                let others = members.iter().filter(|member| member.0 != seed);
                let (right, all) = others.fold((0.0, 0.0), |(right, all), (host, q)| {
                    (right + q * f64::from(u8::from(of(*host) == of(seed))), all + q)
                });
                right / f64::max(all, 1e-9)
            };
            for (number, (figures, members)) in grown.fleets.figures.iter().zip(&grown.fleets.members).enumerate() {
                if place % 3 > 0 {
                    break;
                }
                if number == 0 {
                    if !grown.checks.is_empty() {
                        checks.push((grown.checks.clone(), right(members), weight(members.len())));
                    }
                } else {
                    fleets.push((figures.clone(), right(members), weight(members.len())));
                }
            }
            for theory in super::grow::theories(ground, &grown, &BTreeSet::new(), true) {
                let core = theory.grown.fleets.members.first().map_or(&[][..], |part| part);
                theories.push((theory.figures.clone(), right(core), weight(core.len())));
            }
        }
    }
    weights.with_purity(&checks).with_fleets(&fleets, &theories)
}
