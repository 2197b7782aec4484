//! Clusters without a seed: hypotheses.
//!
//! Hosts that share a value that is not too common, or two values that are not too common together, are compared two by
//! two; average linkage joins what agrees on average over *all* pairs, where a pair never compared counts as no
//! agreement, so that nothing chains along one shared value. The groups then join where they know each other, and take in
//! single hosts ([`super::regrow`]). Work is bounded: a common list gives each host a few neighbours on a ring instead of
//! all pairs.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::average::average_linkage;
use super::claim::{self, IN_CLUSTER};
use super::explain::rounded;
use super::findings::bare;
use super::grow::listed;
use super::logistic::log_odds;
use super::population::{Population, small};
use super::regrow;
use super::rung::Rung;
use super::score::{Ground, Member, Profile, Ratio, SUPPORTS, Scored};
use crate::facet::Group;
use crate::finding::{Cluster, Finding, Level};

/// Values shown by more hosts than this block no pairs by themselves.
const TOO_COMMON: usize = 300;
/// Up to this length all pairs of a list are compared, beyond it each host with the next [`RING`].
const ALL_PAIRS: usize = 12;
/// Neighbours on the ring.
const RING: usize = 6;
/// Pairs below this are no edge.
const EDGE: f64 = 0.05;
/// Rounds in which hypotheses join and take in single hosts.
const ROUNDS: usize = 2;
/// A hypothesis has at least so many hosts.
const SMALLEST: usize = 3;

/// Members of less are not listed, nor what is left of a hypothesis when it is too small then.
const LISTED: f64 = 0.02;

/// A value whose holders are one hand with at least this probability counts as one's own.
const ONE_HAND: f64 = 0.5;
/// Share of a hypothesis's members that show such a value.
const OF_ONE_HAND: f64 = 0.4;

/// Rungs whose single values block pairs.
const SINGLE: [Rung; 12] = [
    Rung::HostKey,
    Rung::SshdSetup,
    Rung::Hassh,
    Rung::Certificate,
    Rung::CertKey,
    Rung::CertScript,
    Rung::WebStack,
    Rung::HeaderOrder,
    Rung::Body,
    Rung::FaviconTitle,
    Rung::PageFamily,
    Rung::ComputerName,
];
/// Pairs of rungs whose values together block pairs.
const DOUBLE: [(Rung, Rung); 13] = [
    (Rung::SshdSetup, Rung::WebStack),
    (Rung::SshdSetup, Rung::Prefix),
    (Rung::WebStack, Rung::Prefix),
    (Rung::CertScript, Rung::WebStack),
    (Rung::CertScript, Rung::Prefix),
    (Rung::CertNames, Rung::SshdSetup),
    (Rung::SshdSetup, Rung::PortSet),
    (Rung::WebStack, Rung::PortSet),
    (Rung::Hassh, Rung::Asn),
    (Rung::HeaderOrder, Rung::Asn),
    (Rung::CertScript, Rung::Asn),
    (Rung::ComputerName, Rung::Prefix),
    (Rung::ComputerName, Rung::Asn),
];

/// Clusters among the hosts that are not in `taken`, largest first, named `c-1` and on; `names` are not used again.
pub(super) fn clusters(ground: Ground<'_>, taken: &BTreeSet<u32>, names: &BTreeSet<&str>) -> Vec<Cluster> {
    let mut found: Vec<(f64, Vec<(u32, Finding)>)> = Vec::new();
    for one in hypotheses(ground, taken) {
        let mut members: Vec<(u32, Finding)> = Vec::new();
        for (host, scored) in &one.members {
            let score = rounded(ground.weights.member.probability(&one.terms(scored)), 9);
            if score >= LISTED {
                let finding = bare(ground, &one.profile, scored, *host, 1.0);
                members.push((*host, Finding { score, level: Level::Provider, ..finding }));
            }
        }
        if members.len() < SMALLEST {
            continue;
        }
        members.sort_by(|a, b| b.1.score.total_cmp(&a.1.score).then(a.0.cmp(&b.0)));
        let sum: f64 = members.iter().map(|(_, member)| member.score).sum();
        found.push((rounded(sum / f64::from(small(members.len())), 6), members));
    }
    found.sort_by_key(|(_, members)| (Reverse(members.len()), members.iter().map(|one| one.0).min()));
    let ids = (1_u64..).map(|number| format!("c-{number}")).filter(|id| !names.contains(id.as_str()));
    found
        .into_iter()
        .zip(ids)
        .map(|((purity, members), id)| {
            let members = members.into_iter().zip(1_u64..).map(|((_, mut one), rank)| {
                one.provider.clone_from(&id);
                one.rank = rank;
                one
            });
            Cluster { seeded: false, purity, members: members.collect(), id: id.clone() }
        })
        .collect()
}

/// Pairs worth comparing, ascending.
fn blocked(population: &Population, free: &dyn Fn(&u32) -> bool) -> Vec<(u32, u32)> {
    let most = TOO_COMMON.max(population.len() / 100);
    let mut out = Vec::new();
    for rung in SINGLE {
        let column = population.column(rung);
        for code in 0..column.shared() {
            if column.holders(code).len() <= most {
                pairs_of(
                    &column.holders(code).iter().filter(|host| free(host)).copied().collect::<Vec<u32>>(),
                    &mut out,
                );
            }
        }
    }
    for (one, other) in DOUBLE {
        let (left, right) = (population.column(one), population.column(other));
        let mut both: Vec<(u32, u32, u32)> = (0..small(population.len()))
            .filter(free)
            .filter_map(|host| Some((*left.codes(host).first()?, *right.codes(host).first()?, host)))
            .collect();
        both.sort_unstable();
        for list in both.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).filter(|list| list.len() <= most) {
            pairs_of(&list.iter().map(|one| one.2).collect::<Vec<u32>>(), &mut out);
        }
    }
    out.sort_unstable();
    out.dedup();
    out
}

/// All pairs of a short ascending list, neighbours on a ring of a long one.
fn pairs_of(hosts: &[u32], out: &mut Vec<(u32, u32)>) {
    let reach = if hosts.len() <= ALL_PAIRS { hosts.len() } else { RING };
    for (place, host) in hosts.iter().enumerate() {
        out.extend(hosts.iter().skip(place + 1).take(reach).map(|other| (*host, *other)));
    }
}

/// Two hosts compared: one is taken for a set of its own.
struct Alone {
    profile: Profile,
}

impl Alone {
    fn new(ground: Ground<'_>, host: u32) -> Self {
        Self { profile: Profile::new(ground, &[(host, 1.0)], &[]) }
    }

    /// The probability that another host has the same operator.
    fn alike(&self, ground: Ground<'_>, other: u32) -> f64 {
        self.profile.score(ground, other, 0.0).probability()
    }
}

/// A group of hosts that may be one operator's.
#[derive(Debug)]
pub(super) struct Hypothesis {
    /// All hosts that were put together, ascending: those that were left out are counted too.
    hosts: Vec<u32>,
    profile: Profile,
    /// Its hosts, ascending, with what the others say of each.
    pub(super) members: Vec<(u32, Scored)>,
    /// What is known of it as a whole, without labels: the mean of each of [`of_host`], and its size.
    figures: Vec<f64>,
}

impl Hypothesis {
    /// What it says of any host.
    pub(super) fn score(&self, ground: Ground<'_>, host: u32) -> Scored {
        let own = f64::from(u8::from(self.hosts.binary_search(&host).is_ok()));
        self.profile.score(ground, host, own)
    }

    /// The rarest values that its hosts show, up to so many postings.
    pub(super) fn rarest(&self, ground: Ground<'_>, postings: usize) -> Vec<(Rung, u32)> {
        listed(ground.population, &self.profile, postings)
    }

    /// Whether a host is a member.
    pub(super) fn holds(&self, host: u32) -> bool {
        self.members.binary_search_by_key(&host, |member| member.0).is_ok()
    }

    /// The level at which a host agrees with it.
    pub(super) fn level(&self, scored: &Scored) -> Level {
        claim::level(&self.profile, scored)
    }

    /// The terms by which the place of a member is judged, in the order of [`names`].
    pub(super) fn terms(&self, scored: &Scored) -> Vec<f64> {
        self.figures.iter().copied().chain(of_host(scored)).collect()
    }
}

/// What is known of one member: its log odds, in how many groups it agrees, how likely that is one hand, and what each
/// group says. Where no network is known (nothing at all was ever fitted on such hosts) that group has no figure.
fn of_host(scored: &Scored) -> impl Iterator<Item = f64> {
    let ties = scored.ratios.iter().filter(|ratio| ratio.ln > SUPPORTS).count();
    let hand = scored.ratios.iter().filter(|ratio| ratio.ln > SUPPORTS).map(|ratio| ratio.hand).fold(0.0, f64::max);
    let groups = Group::ALL.into_iter().zip(scored.ratios).map(|(group, ratio)| {
        if group == Group::Net && !ratio.observed { f64::NAN } else { ratio.ln.clamp(-2.0, 8.0) }
    });
    [log_odds(scored.probability()), f64::from(small(ties)), hand].into_iter().chain(groups)
}

/// Names of the terms of membership.
pub(super) fn names() -> Vec<String> {
    let sums = ["log_odds", "ties", "one_hand"].map(str::to_owned);
    let groups = Group::ALL.into_iter().map(|group| format!("by {}", group.as_str()));
    let own: Vec<String> = sums.into_iter().chain(groups).collect();
    let mean = own.iter().map(|name| format!("mean {name}"));
    mean.chain(["ln size".to_owned()]).chain(own.iter().cloned()).collect()
}

/// The hypotheses among the hosts that are not in `taken`.
pub(super) fn hypotheses(ground: Ground<'_>, taken: &BTreeSet<u32>) -> Vec<Hypothesis> {
    let free = |host: &u32| !taken.contains(host) && !ground.population.answers_everywhere(*host);
    let pairs = blocked(ground.population, &free);
    let mut edges: BTreeMap<u32, BTreeMap<u32, f64>> = BTreeMap::new();
    let mut alike: Vec<(u32, u32)> = Vec::new();
    for of_one in pairs.chunk_by(|a, b| a.0 == b.0) {
        let Some((one, _)) = of_one.first() else { continue };
        let alone = Alone::new(ground, *one);
        for (_, other) in of_one {
            let p = alone.alike(ground, *other);
            if p >= EDGE {
                edges.entry(*one).or_default().insert(*other, p);
                edges.entry(*other).or_default().insert(*one, p);
                alike.push((*one, *other));
            }
        }
    }
    let groups = average_linkage(edges);
    let mut found: Vec<Hypothesis> = groups.into_iter().filter_map(|hosts| hypothesis(ground, &hosts)).collect();
    for _ in 0..ROUNDS {
        found = regrow::regrown(ground, found, &alike, &free);
    }
    found
}

/// Judges a group of hosts. Who is not provider-like against the rest, or scores too low, is left out. A group is one only
/// if enough of its members show a value of one hand: people on their own with the same stock software agree in several
/// groups too.
pub(super) fn hypothesis(ground: Ground<'_>, hosts: &[u32]) -> Option<Hypothesis> {
    if hosts.len() < SMALLEST {
        return None;
    }
    let members: Vec<Member> = hosts.iter().map(|host| (*host, 1.0)).collect();
    let profile = Profile::new(ground, &members, &[]);
    let mut members: Vec<(u32, Scored)> = hosts.iter().map(|host| (*host, profile.score(ground, *host, 1.0))).collect();
    let of_one_hand = members.iter().filter(|(_, one)| one.ratios.iter().any(shows_one_hand)).count();
    if f64::from(small(of_one_hand)) < OF_ONE_HAND * f64::from(small(hosts.len())) {
        return None;
    }
    members.retain(|(_, one)| one.probability() >= IN_CLUSTER && claim::level(&profile, one) == Level::Provider);
    if members.len() < SMALLEST {
        return None;
    }
    let all: Vec<Vec<f64>> = members.iter().map(|(_, one)| of_host(one).collect()).collect();
    let mean = |place: usize| {
        let known = all.iter().filter_map(|one| one.get(place)).filter(|value| !value.is_nan());
        let (sum, count) = known.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
        // Not a number where none is known.
        sum / count
    };
    let mut figures: Vec<f64> = (0..all.first().map_or(0, Vec::len)).map(mean).collect();
    figures.push(f64::from(small(members.len())).ln());
    Some(Hypothesis { hosts: hosts.to_vec(), profile, members, figures })
}

/// True when a group agrees in a value whose holders are more likely one hand than not.
fn shows_one_hand(ratio: &Ratio) -> bool {
    ratio.ln > SUPPORTS && ratio.hand >= ONE_HAND
}
