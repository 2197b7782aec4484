//! From confirmed hosts to the set they are likely part of, and how far that set can be trusted.
//!
//! Rounds: count the set, gather hosts that share a value with it that is not too common, score them, keep the best.
//! The set may at most grow fourfold in a round, and it is counted anew in each, so that a host that came in by mistake
//! falls out again when the set no longer supports it. Then the set is judged without labels (purity): does it point back
//! to the confirmed hosts, and do its members fit them alone? What the set says is believed only so far.

use std::collections::BTreeSet;

use super::counted::Counted;
use super::fleet::{self, Fleets};
use super::logistic::log_odds;
use super::population::{Population, small};
use super::rung::{Rung, is_provider_side};
use super::score::{Ground, Member, Profile, Scored, weight_in};
use super::tied::{self, Tied};
use crate::facet::Group;

/// Rounds of growth.
const ROUNDS: u32 = 6;
/// Postings read in one round.
pub(super) const BUDGET: usize = 30_000;
/// A value shown by more hosts than this, or than 1 in 100, gathers no candidates.
const TOO_COMMON: u32 = 300;
/// Candidates have at least these log odds: a probability of a thousandth. Nobody is listed below that, and low scores are
/// not read upwards ([`super::kept`]).
const LIKELY: f64 = -6.9;
/// A log ratio from which a group ties a member to the seeds (purity).
const TIES: f64 = 1.0;
/// Up to this many hosts a provider may be a large part of the population, and its own hosts have to be kept out of the
/// background from the start ([`kin`]).
const SMALL: usize = 2000;

/// A set grown from confirmed hosts.
#[derive(Debug)]
pub(super) struct Grown {
    /// Its hosts with their weights, and their counts; confirmed hosts have weight 1.
    pub(super) set: Counted,
    /// Its hosts that are tied to the confirmed ones.
    pub(super) tied: Tied,
    /// The confirmed hosts alone, counted.
    pub(super) seeds: Profile,
    /// The confirmed hosts, ascending.
    pub(super) confirmed: Vec<u32>,
    /// How far the set is believed, 0 to 1.
    pub(super) purity: f64,
    /// The figures that purity was judged by; none when nothing grew.
    pub(super) checks: Vec<f64>,
    /// The fleets it is made of.
    pub(super) fleets: Fleets,
    /// Hosts that may belong, ascending, with what the set says of them.
    pub(super) candidates: Vec<(u32, Scored)>,
}

impl Grown {
    /// Finds the candidates, with what the set says of each: all that share a value with it that is not too common.
    pub(super) fn gather(&mut self, ground: Ground<'_>) {
        let hosts = gather(ground.population, &self.set.hosts, &self.set.members);
        self.candidates = self.scored(ground, hosts).collect();
    }

    /// The same without those whose log odds are below [`LIKELY`].
    fn gather_likely(&mut self, ground: Ground<'_>) {
        self.keep_likely(ground, within(ground, &self.set, LIKELY));
    }

    /// The same among the candidates of a set that comes no less far, and the members.
    pub(super) fn gather_among(&mut self, ground: Ground<'_>, candidates: &[(u32, Scored)]) {
        let members = self.set.members.iter().map(|one| one.0);
        let mut hosts: Vec<u32> = candidates.iter().map(|one| one.0).chain(members).collect();
        hosts.sort_unstable();
        hosts.dedup();
        self.keep_likely(ground, hosts);
    }

    /// Takes these for candidates, without those that are not likely; confirmed hosts always are.
    fn keep_likely(&mut self, ground: Ground<'_>, hosts: Vec<u32>) {
        let is_likely =
            |(host, scored): &(u32, Scored)| scored.log_odds >= LIKELY || is_confirmed(&self.confirmed, *host);
        self.candidates = self.scored(ground, hosts).filter(is_likely).collect();
    }

    fn scored(&self, ground: Ground<'_>, hosts: Vec<u32>) -> impl Iterator<Item = (u32, Scored)> {
        let hosts = hosts.into_iter().filter(move |host| may_come(ground.population, &self.confirmed, *host));
        hosts.map(move |host| (host, self.score(ground, host)))
    }

    /// What the set says of one of its candidates.
    pub(super) fn candidate(&self, host: u32) -> Option<&Scored> {
        let place = self.candidates.binary_search_by_key(&host, |one| one.0).ok()?;
        self.candidates.get(place).map(|one| &one.1)
    }

    /// What the set says of a host.
    pub(super) fn score(&self, ground: Ground<'_>, host: u32) -> Scored {
        self.set.score(ground, host)
    }

    /// The probability that a host belongs, with the set believed as far as the host's fleet is; below that, the lesser of
    /// what the set and what the confirmed hosts alone say.
    pub(super) fn probability(&self, ground: Ground<'_>, host: u32, by_set: &Scored) -> f64 {
        let set = by_set.probability();
        let own = f64::from(u8::from(is_confirmed(&self.confirmed, host)));
        let alone = self.seeds.score(ground, host, own).probability();
        let trust = self.fleets.trust_of(ground, host, by_set);
        trust * set + (1.0 - trust) * set.min(alone)
    }
}

/// Grows a set from `seeds` (ascending). Hosts in `barred` never come in.
pub(super) fn grow(ground: Ground<'_>, seeds: &[u32], barred: &BTreeSet<u32>) -> Grown {
    grow_judged_by(ground, seeds, seeds, barred)
}

/// The same where `confirmed` hosts beside the seeds judge the set's fleets.
pub(super) fn grow_judged_by(ground: Ground<'_>, seeds: &[u32], confirmed: &[u32], barred: &BTreeSet<u32>) -> Grown {
    let mut grown = set_judged_by(ground, seeds, confirmed, barred);
    grown.gather_likely(ground);
    grown
}

/// The same without candidates, for a set that may be dropped before anybody asks for them.
pub(super) fn grow_set(ground: Ground<'_>, seeds: &[u32], barred: &BTreeSet<u32>) -> Grown {
    set_judged_by(ground, seeds, seeds, barred)
}

fn set_judged_by(ground: Ground<'_>, seeds: &[u32], judges: &[u32], barred: &BTreeSet<u32>) -> Grown {
    let population = ground.population;
    let confirmed: Vec<Member> = seeds.iter().map(|host| (*host, 1.0)).collect();
    let kin = kin(ground, &confirmed, barred);
    let mut set = Counted::confirmed(ground, confirmed, &kin);
    let seed_profile = set.hosts.clone();
    for round in 0..ROUNDS - 1 {
        let least = threshold(round);
        let scored: Vec<(u32, f64)> = within(ground, &set, (least / (1.0 - least)).ln())
            .into_iter()
            .filter(|host| may_come(population, seeds, *host))
            .map(|host| (host, set.score(ground, host).probability()))
            .collect();
        let next = keep(&scored, seeds, barred, set.hosts.mass, least);
        let same = next.iter().map(|one| one.0).eq(set.members.iter().map(|one| one.0));
        if same && round >= 2 {
            break;
        }
        set = Counted::grown(ground, next, seeds, &kin);
    }
    let mut fleets = fleet::fleets(ground, &set.members, &set.hosts, seeds);
    let stays = tied::by_fleet(ground, &fleets);
    if stays.len() < set.members.len() {
        set = Counted::grown(ground, stays, seeds, &kin);
        fleets = fleet::fleets(ground, &set.members, &set.hosts, seeds);
    }
    let tied = Tied::new(ground, &set.members, seeds);
    let core = fleets.members.first().cloned().unwrap_or_default();
    let checks = checks(ground, seeds, &core, &seed_profile, &kin);
    let purity = if checks.is_empty() { 1.0 } else { ground.weights.purity.probability(&checks) };
    fleet::judge(ground, &mut fleets, judges, purity);
    let candidates = Vec::new();
    Grown { set, tied, fleets, seeds: seed_profile, confirmed: seeds.to_vec(), purity, checks, candidates }
}

/// The hosts that may score these log odds, and the members; ascending.
fn within(ground: Ground<'_>, set: &Counted, least: f64) -> Vec<u32> {
    let listed = listed(ground.population, &set.hosts, BUDGET);
    // The mean of two counts is never above both.
    let mut near: Vec<u32> = ground.hands.with_reach(|reach| {
        let near = set.views().flat_map(|(profile, members)| reach.within(ground, profile, &listed, members, least));
        near.collect()
    });
    near.sort_unstable();
    near.dedup();
    near
}

/// Who answers on every port is attributed to nobody.
fn may_come(population: &Population, seeds: &[u32], host: u32) -> bool {
    !population.answers_everywhere(host) || is_confirmed(seeds, host)
}

/// How sure a host must be to come in.
fn threshold(round: u32) -> f64 {
    if round == 0 { 0.97 } else { 0.9 }
}

pub(super) fn is_confirmed(seeds: &[u32], host: u32) -> bool {
    seeds.binary_search(&host).is_ok()
}

/// The members of the next round: the confirmed hosts, and the best of the others.
fn keep(scored: &[(u32, f64)], seeds: &[u32], barred: &BTreeSet<u32>, mass: f64, least: f64) -> Vec<Member> {
    let mut best: Vec<(f64, u32)> = scored
        .iter()
        .filter(|(host, _)| !is_confirmed(seeds, *host) && !barred.contains(host))
        .map(|(host, p)| (*p, *host))
        .filter(|(p, _)| *p >= least)
        .collect();
    best.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    // At most four times the set and four more.
    let room =
        std::iter::successors(Some(1_usize), |n| Some(n + 1)).take_while(|n| f64::from(small(*n)) <= 4.0 * mass + 4.0);
    best.truncate(room.last().unwrap_or(1));
    let mut members: Vec<Member> = best.into_iter().map(|(p, host)| (host, p)).collect();
    members.extend(seeds.iter().map(|host| (*host, 1.0)));
    members.sort_by_key(|member| member.0);
    members
}

/// Hosts that share a value with the set that is not too common, rarest values first, and the set itself; ascending.
pub(super) fn gather(population: &Population, profile: &Profile, members: &[Member]) -> Vec<u32> {
    let mut hosts: Vec<u32> = members.iter().map(|member| member.0).collect();
    for (rung, code) in listed(population, profile, BUDGET) {
        hosts.extend_from_slice(population.column(rung).holders(code));
    }
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}

/// The values whose holders are looked at: those that are not too common, rarest first, as far as the budget of postings
/// goes.
pub(super) fn listed(population: &Population, profile: &Profile, budget: usize) -> Vec<(Rung, u32)> {
    let most = TOO_COMMON.max(small(population.len()) / 100);
    let mut values: Vec<(f64, u32, Rung, u32)> = Vec::new();
    for (rung, held) in profile.rungs().flat_map(|(rung, one)| one.all().map(move |held| (rung, held))) {
        let count = population.column(rung).count(held.code);
        if (2..=most).contains(&count) {
            values.push((f64::from(count) / held.mass.max(0.01).sqrt(), count, rung, held.code));
        }
    }
    values.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.2, a.3).cmp(&(b.2, b.3))));
    let mut left = budget;
    let within = values.into_iter().map_while(|(_, count, rung, code)| {
        left = left.checked_sub(usize::try_from(count).ok()?)?;
        Some((rung, code))
    });
    within.collect()
}

/// In a small population a provider's own hosts are a good part of what its habits are compared with, and its habits
/// look common because of itself. Kin are hosts that agree with the confirmed ones in three groups or more, one of them
/// the provider's side, on values that are no known default, not shared by strangers, and shown by at most a quarter of
/// all. They are not evidence yet; they only do not count as background, on either side.
fn kin(ground: Ground<'_>, confirmed: &[Member], barred: &BTreeSet<u32>) -> Vec<u32> {
    let population = ground.population;
    if population.len() > SMALL {
        return Vec::new();
    }
    let profile = Profile::new(ground, confirmed, &[]);
    let quarter = small(population.len()) / 4;
    let agrees = |host: u32| {
        let ratios = profile.ratios(ground, host, weight_in(confirmed, host));
        let telling = Group::ALL.into_iter().zip(ratios).filter(|(_, ratio)| {
            ratio.hit.is_some_and(|(rung, code)| {
                let held = profile.held(rung, code);
                let own_hand = held.is_some_and(|held| held.habit.is_none() && held.hand >= 0.5);
                own_hand && population.column(rung).count(code) <= quarter.max(2)
            })
        });
        let (all, provider) =
            telling.fold((0, 0), |(all, side), (group, _)| (all + 1, side + u32::from(is_provider_side(group))));
        all >= 3 && provider >= 1
    };
    (0..small(population.len())).filter(|host| !barred.contains(host) && agrees(*host)).collect()
}

/// By what a grown set is judged: figures that need no labels.
pub(super) const CHECKS: [&str; 7] = [
    "reverse_logit",
    "mean_seed_logit",
    "share_seed_p>.5",
    "log_mass",
    "share_2_groups",
    "share_3_groups",
    "reverse_groups",
];

/// The figures of [`CHECKS`]; none when nothing grew.
fn checks(ground: Ground<'_>, seeds: &[u32], members: &[Member], seed_profile: &Profile, kin: &[u32]) -> Vec<f64> {
    let grown: Vec<Member> = members.iter().filter(|member| !is_confirmed(seeds, member.0)).copied().collect();
    if grown.is_empty() {
        return Vec::new();
    }
    let without = Profile::new(ground, &grown, kin);
    let back: Vec<Scored> = seeds.iter().map(|seed| without.score(ground, *seed, 0.0)).collect();
    let alone: Vec<Scored> = grown.iter().map(|(host, _)| seed_profile.score(ground, *host, 0.0)).collect();
    let ties = |scored: &Scored| f64::from(small(scored.ratios.iter().filter(|ratio| ratio.ln > TIES).count()));
    let mean = |values: &mut dyn Iterator<Item = f64>| {
        let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
        sum / f64::max(count, 1.0)
    };
    let share = |test: &dyn Fn(&Scored) -> bool| mean(&mut alone.iter().map(|one| f64::from(u8::from(test(one)))));
    let mass: f64 = members.iter().map(|member| member.1).sum();
    vec![
        mean(&mut back.iter().map(|one| log_odds(one.probability()))),
        mean(&mut alone.iter().map(|one| log_odds(one.probability()))),
        share(&|one| one.probability() > 0.5),
        mass.ln(),
        share(&|one| ties(one) >= 2.0),
        share(&|one| ties(one) >= 3.0),
        mean(&mut back.iter().map(ties)),
    ]
}

/// What is left of a set's claim to a host when others claim it too: (1 + O) / (1 + O + sum of the others' odds). All
/// claims together are then one distribution over the sets and the background.
pub(super) fn left_by_rivals(own: f64, rivals: impl Iterator<Item = f64>) -> f64 {
    let odds = |log: f64| log.clamp(-30.0, 30.0).exp();
    let mine = 1.0 + odds(own);
    mine / (mine + rivals.map(odds).sum::<f64>())
}
