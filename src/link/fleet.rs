//! The parts a grown set is made of, and how far each is believed to be the confirmed hosts'.
//!
//! Members that share a value of one hand are one fleet. A set often grows from fleet to fleet over weaker evidence: a
//! network, a stack, a customer's page. Where that bridge is wrong, the whole other fleet is, and its hosts support each
//! other. So the fleets are told apart, and each is judged against the fleet of the confirmed hosts by figures that need
//! no labels; a host is believed only as far as its fleet.

use std::collections::{BTreeMap, HashMap};

use super::logistic::log_odds;
use super::parts::Parts;
use super::population::small;
use super::rung::{GROUPS, Rung};
use super::score::{Ground, Member, Profile, Scored, weight_in};
use crate::facet::Group;

/// Holders of a value are one hand from this share on.
const ONE_HAND: f64 = 0.7;
/// A log ratio from which a group ties a member to a set.
const TIES: f64 = 1.0;
/// Most hosts of a fleet or core that are looked at.
const LOOKED_AT: usize = 40;

/// A set by its fleets.
#[derive(Debug, Default)]
pub(super) struct Fleets {
    /// How far each is believed, 0 to 1; the first holds the confirmed hosts.
    pub(super) trust: Vec<f64>,
    /// The figures by which each was judged; empty for the first.
    pub(super) figures: Vec<Vec<f64>>,
    /// The members of each, ascending.
    pub(super) members: Vec<Vec<Member>>,
    /// The fleet that shows a value of one hand.
    by_value: BTreeMap<(Rung, u32), usize>,
    /// How far the members that show a value are believed, by their weights.
    shown: HashMap<(Rung, u32), f64>,
    /// The mean trust over all members.
    pub(super) mean: f64,
}

/// Values that can make a fleet: what a provider or its script sets up, not where a host stands.
fn makes_a_fleet(rung: Rung) -> bool {
    !matches!(rung.group(), Group::Net | Group::Ports | Group::Mail)
}

/// The members with such weights that each fleet counts as one host, and the hosts of no fleet together with that of the
/// confirmed hosts; ascending.
pub(super) fn shares(ground: Ground<'_>, members: &[Member], profile: &Profile, confirmed: &[u32]) -> Vec<Member> {
    let mut out: Vec<Member> = Vec::new();
    let mut rest: Vec<Member> = Vec::new();
    for (place, part) in fleets(ground, members, profile, confirmed).members.into_iter().enumerate() {
        if place == 0 || part.len() < 2 {
            rest.extend(part);
        } else {
            out.extend(as_one(&part));
        }
    }
    out.extend(as_one(&rest));
    out.sort_by_key(|member| member.0);
    out
}

/// Members with such weights that all together count as one host.
pub(super) fn as_one(members: &[Member]) -> Vec<Member> {
    let mass = members.iter().map(|member| member.1).sum::<f64>().max(1.0);
    members.iter().map(|(host, weight)| (*host, weight / mass)).collect()
}

/// Parts a set into fleets; nobody is judged yet.
pub(super) fn fleets(ground: Ground<'_>, members: &[Member], profile: &Profile, confirmed: &[u32]) -> Fleets {
    let mut roots = Parts::new(members.len());
    let place = |host: u32| members.binary_search_by_key(&host, |member| member.0).ok();
    let mut first_of: BTreeMap<(Rung, u32), usize> = BTreeMap::new();
    for (rung, one) in profile.rungs().filter(|(rung, _)| makes_a_fleet(*rung)) {
        for held in one.all().filter(|held| held.hand >= ONE_HAND) {
            let holders = ground.population.column(rung).holders(held.code);
            let mut inside = holders.iter().filter_map(|host| place(*host));
            let Some(first) = inside.next() else { continue };
            first_of.insert((rung, held.code), first);
            for other in inside {
                roots.join(first, other);
            }
        }
    }
    // All confirmed hosts are one provider's.
    let mut seeds = confirmed.iter().filter_map(|host| place(*host));
    let core = seeds.next().unwrap_or(0);
    for seed in seeds {
        roots.join(core, seed);
    }
    let core = roots.root(core);
    let mut order: BTreeMap<usize, usize> = BTreeMap::from([(core, 0)]);
    let mut parts: Vec<Vec<Member>> = vec![Vec::new()];
    for (spot, member) in members.iter().enumerate() {
        let next = parts.len();
        let number = *order.entry(roots.root(spot)).or_insert(next);
        if number == next {
            parts.push(Vec::new());
        }
        if let Some(part) = parts.get_mut(number) {
            part.push(*member);
        }
    }
    let by_value =
        first_of.into_iter().filter_map(|(value, first)| Some((value, *order.get(&roots.root(first))?))).collect();
    Fleets { members: parts, by_value, ..Fleets::default() }
}

impl Fleets {
    /// The fleet whose hand a host shows, if any: the most believed of several.
    pub(super) fn of(&self, ground: Ground<'_>, host: u32) -> Option<usize> {
        let mut best: Option<usize> = None;
        for (rung, column) in ground.population.columns().filter(|(rung, _)| makes_a_fleet(*rung)) {
            for code in column.codes(host) {
                if let Some(fleet) = self.by_value.get(&(rung, *code)) {
                    let trust = |one: usize| self.trust.get(one).copied().unwrap_or(0.0);
                    if best.is_none_or(|other| trust(*fleet) > trust(other)) {
                        best = Some(*fleet);
                    }
                }
            }
        }
        best
    }

    /// How far a host of the set, or a candidate, is believed: as its fleet is; one of no fleet as those members are that
    /// show what it agrees in, each group by what it counts.
    pub(super) fn trust_of(&self, ground: Ground<'_>, host: u32, scored: &Scored) -> f64 {
        if let Some(trust) = self.of(ground, host).and_then(|fleet| self.trust.get(fleet)) {
            return *trust;
        }
        let (sum, all) = scored.ratios.iter().zip(&scored.counted).fold((0.0, 0.0), |(sum, all), (ratio, counted)| {
            match ratio.hit.and_then(|value| self.shown.get(&value)).filter(|_| *counted > 0.0) {
                Some(trust) => (sum + trust * counted, all + counted),
                None => (sum, all),
            }
        });
        if all > 0.0 { sum / all } else { self.mean }
    }
}

/// Some of a list, evenly spread.
fn some(members: &[Member]) -> Vec<Member> {
    let step = members.len().div_ceil(LOOKED_AT).max(1);
    members.iter().step_by(step).copied().collect()
}

/// The figures by which `part` is judged to be run by the operator of `core`. Names: [`names`].
pub(super) fn figures(ground: Ground<'_>, core: &[Member], part: &[Member], confirmed: &[u32]) -> Vec<f64> {
    let by_core = Profile::new(ground, core, &[]);
    let by_part = Profile::new(ground, part, &[]);
    let back: Vec<Scored> =
        some(core).iter().map(|(host, _)| by_part.score(ground, *host, weight_in(part, *host))).collect();
    let forth: Vec<Scored> =
        some(part).iter().map(|(host, _)| by_core.score(ground, *host, weight_in(core, *host))).collect();
    let seeds =
        confirmed.iter().map(|host| log_odds(by_part.score(ground, *host, weight_in(part, *host)).probability()));
    let ties = |scored: &Scored| f64::from(small(scored.ratios.iter().filter(|ratio| ratio.ln > TIES).count()));
    let logit = |scored: &Scored| log_odds(scored.probability());
    let hand = |scored: &Scored| {
        scored.ratios.iter().filter(|ratio| ratio.ln > TIES).map(|ratio| ratio.hand).fold(0.0, f64::max)
    };
    let mass = |members: &[Member]| members.iter().map(|member| member.1).sum::<f64>();
    let mut out = vec![
        mean(back.iter().map(logit)),
        mean(forth.iter().map(logit)),
        seeds.fold(f64::NEG_INFINITY, f64::max),
        mass(core).max(1.0).ln(),
        mass(part).max(0.1).ln(),
        mean(back.iter().map(ties)),
        mean(forth.iter().map(ties)),
        mean(forth.iter().map(hand)),
    ];
    for place in 0..GROUPS {
        let ln = |scored: &Scored| scored.ratios.get(place).map_or(0.0, |ratio| ratio.ln.clamp(-2.0, 8.0));
        out.push(mean(forth.iter().map(ln)));
    }
    out
}

/// Names of the figures.
pub(super) fn names() -> Vec<String> {
    let sums = [
        "core_by_fleet",
        "fleet_by_core",
        "seed_by_fleet",
        "core_mass",
        "fleet_mass",
        "ties_back",
        "ties_forth",
        "one_hand",
    ];
    let groups = Group::ALL.into_iter().map(|group| format!("by {}", group.as_str()));
    sums.into_iter().map(str::to_owned).chain(groups).collect()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / f64::max(count, 1.0)
}

/// Members with these hosts, ascending.
fn with(members: &[Member], hosts: &[u32]) -> Vec<Member> {
    let is_new = |host: &&u32| members.binary_search_by_key(*host, |member| member.0).is_err();
    let mut all: Vec<Member> = hosts.iter().filter(is_new).map(|host| (*host, 1.0)).collect();
    all.extend(members);
    all.sort_by_key(|member| member.0);
    all
}

/// Judges every fleet but the first with the fitted regression, by the first and all confirmed hosts; `core_trust` is the
/// first's.
pub(super) fn judge(ground: Ground<'_>, fleets: &mut Fleets, confirmed: &[u32], core_trust: f64) {
    let Some((core, others)) = fleets.members.split_first() else { return };
    let core = with(core, confirmed);
    let found: Vec<Vec<f64>> = others.iter().map(|part| figures(ground, &core, part, confirmed)).collect();
    fleets.trust = std::iter::once(core_trust)
        .chain(found.iter().map(|figures| ground.weights.fleet.probability(figures) * core_trust.max(0.5)))
        .collect();
    fleets.figures = std::iter::once(Vec::new()).chain(found).collect();
    let mass = |part: &Vec<Member>| part.iter().map(|member| member.1).sum::<f64>();
    let all: f64 = fleets.members.iter().map(mass).sum();
    let weighted: f64 = fleets.members.iter().zip(&fleets.trust).map(|(part, trust)| mass(part) * trust).sum();
    fleets.mean = weighted / all.max(1e-9);
    let believed: BTreeMap<u32, (f64, f64)> = fleets
        .members
        .iter()
        .zip(&fleets.trust)
        .flat_map(|(part, trust)| part.iter().map(|(host, weight)| (*host, (*weight, *trust))))
        .collect();
    // Member by member, not holder by holder: half of all hosts may show a value.
    let mut shown: HashMap<(Rung, u32), (f64, f64)> = HashMap::new();
    for (host, (weight, trust)) in believed {
        for (rung, column) in ground.population.columns() {
            for code in column.codes(host) {
                let (sum, all) = shown.entry((rung, *code)).or_default();
                *sum += weight * trust;
                *all += weight;
            }
        }
    }
    fleets.shown = shown.into_iter().map(|(value, (sum, all))| (value, sum / f64::max(all, 1e-9))).collect();
}
