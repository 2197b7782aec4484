//! Which verdicts would teach most: for uncertain hosts both answers are tried out, and what the ranking would be after
//! each is compared with what it is.
//!
//! A question is worth the expected change of the ranking, `p |change if confirmed| + (1 - p) |change if rejected|`,
//! summed over all other hosts. Trying out costs two linkages a host, so that only the most promising hosts are tried:
//! uncertain ones whose rare values many other undecided hosts show. Of hosts made alike one is asked about, and a host
//! that another question settles is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::claim::IN_CLUSTER;
use super::explain::{hosts, rounded, shown};
use super::population::small;
use super::provider::{Providers, providers};
use super::rung::Rung;
use super::score::Ground;
use crate::clock::Timestamp;
use crate::facet::Group;
use crate::finding::{Seed, Verdict};

/// Hosts tried out for each provider.
const TRIED: usize = 12;
/// A host is uncertain between these probabilities.
const UNCERTAIN: (f64, f64) = (0.02, 0.98);
/// Values on more hosts than this, or than 1 in 100, tie nobody.
const TOO_COMMON: u32 = 300;
/// Most hosts looked at to see how far a host's values reach.
const REACH: usize = 2000;
/// A change of score from which a host counts among those that an answer moves.
const MOVES: f64 = 0.05;
/// Shared values named.
const NAMED: usize = 3;

/// What one answer would do to the provider's cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Hosts that would come in, beside the one asked about.
    pub joining: u64,
    /// Hosts that would go.
    pub leaving: u64,
}

/// A value of the host that those whose place hangs on the answer show too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// The facet kinds of the value.
    pub agrees_at: String,
    /// The value, shown.
    pub value: String,
    /// How many of these hosts show it.
    pub hosts: u64,
    /// What it is, in plain words.
    pub words: String,
}

/// A host to look at by hand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Of which provider.
    pub provider: String,
    /// The host.
    pub address: IpAddr,
    /// Its calibrated probability as it stands.
    pub score: f64,
    /// Expected change of the ranking: the sum over all other hosts of how much their score moves.
    pub teaches: f64,
    /// Hosts that come in or go by either answer.
    pub hinges: u64,
    /// What a confirmation does.
    pub if_confirmed: Answer,
    /// What a rejection does.
    pub if_rejected: Answer,
    /// By what these hosts hang together with it, most shared first.
    pub shared: Vec<Shared>,
    /// In one sentence.
    pub words: String,
}

/// The ranking of one provider: score by host.
type Standing = BTreeMap<u32, f64>;

/// The questions of all providers, those that teach most first, at most `most`.
pub(super) fn questions(ground: Ground<'_>, seeds: &[Seed], verdicts: &[Verdict], most: usize) -> Vec<Question> {
    let now = providers(ground, seeds, verdicts);
    let mut found: Vec<(Question, BTreeSet<u32>, u32)> = Vec::new();
    for (place, provider) in now.all.iter().enumerate() {
        let standing = standing(ground, &now, &provider.name);
        for (host, p) in promising(ground, &now, place, &standing) {
            let after = |confirmed: bool| {
                let mut tried = verdicts.to_vec();
                let address = ground.population.address(host);
                tried.retain(|one| one.address != address || one.provider != provider.name);
                // Later than any word that stands.
                let last = verdicts.iter().map(|one| one.recorded_at).max().unwrap_or(Timestamp::UNIX_EPOCH);
                let (why, name) = (String::new(), provider.name.clone());
                tried.push(Verdict { provider: name, address, confirmed, why, recorded_at: last });
                let after = providers(ground, seeds, &tried);
                self::standing(ground, &after, &provider.name)
            };
            let (confirmed, rejected) =
                (Effect::of(&standing, &after(true), host), Effect::of(&standing, &after(false), host));
            if confirmed.moved.is_empty() && rejected.moved.is_empty() {
                continue;
            }
            let teaches = p * confirmed.change + (1.0 - p) * rejected.change;
            let hinges: BTreeSet<u32> = [&confirmed, &rejected]
                .iter()
                .flat_map(|one| one.joining.iter().chain(&one.leaving))
                .copied()
                .collect();
            let moved: BTreeSet<u32> = confirmed.moved.union(&rejected.moved).copied().collect();
            let shared = shared(ground, host, if hinges.is_empty() { &moved } else { &hinges });
            let question = Question {
                provider: provider.name.clone(),
                address: ground.population.address(host),
                score: rounded(standing.get(&host).copied().unwrap_or(0.0), 9),
                teaches: rounded(teaches, 6),
                hinges: hosts(hinges.len()),
                if_confirmed: confirmed.answer(),
                if_rejected: rejected.answer(),
                words: words(&confirmed.answer(), &rejected.answer(), hinges.len(), moved.len(), &shared),
                shared,
            };
            found.push((question, hinges, host));
        }
    }
    found.sort_by(|a, b| b.0.teaches.total_cmp(&a.0.teaches).then_with(|| a.0.address.cmp(&b.0.address)));
    let mut settled: BTreeSet<(String, u32)> = BTreeSet::new();
    let mut out = Vec::new();
    for (question, hinges, host) in found {
        if out.len() == most || question.teaches <= 0.0 {
            break;
        }
        if settled.contains(&(question.provider.clone(), host)) {
            continue;
        }
        settled.extend(hinges.into_iter().map(|one| (question.provider.clone(), one)));
        out.push(question);
    }
    out
}

/// What every candidate of a provider scores; confirmed hosts are not asked about and do not move.
fn standing(ground: Ground<'_>, all: &Providers, name: &str) -> Standing {
    let Some((place, provider)) = all.all.iter().enumerate().find(|(_, one)| one.name == name) else {
        return Standing::new();
    };
    let open = provider.candidates().into_iter().filter(|host| !provider.confirmed.contains_key(host));
    open.filter_map(|host| Some((host, all.claim(ground, place, host)?.score))).collect()
}

/// Uncertain hosts whose values reach many others, the most promising first, with the probability of a confirmation.
fn promising(ground: Ground<'_>, all: &Providers, place: usize, standing: &Standing) -> Vec<(u32, f64)> {
    let Some(provider) = all.all.get(place) else { return Vec::new() };
    let mut found: Vec<(f64, u32, f64)> = Vec::new();
    for (host, score) in standing {
        // A set is sure of what too little ties to it; nobody else is.
        let grown = &provider.heard.grown;
        let by_set = || grown.probability(ground, *host, &grown.score(ground, *host));
        let p = if grown.tied.holds(ground, *host) { by_set().max(*score) } else { *score };
        if (UNCERTAIN.0..=UNCERTAIN.1).contains(&p) {
            let reach = reach(ground, *host).into_iter();
            let open = reach.filter(|other| standing.get(other).is_none_or(|score| *score < UNCERTAIN.1)).count();
            found.push((p * (1.0 - p) * f64::from(small(open) + 1).ln(), *host, p));
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut made_alike: BTreeSet<Vec<(Rung, u32)>> = BTreeSet::new();
    found.retain(|(_, host, _)| made_alike.insert(telling(ground, *host).collect()));
    found.into_iter().take(TRIED).map(|(_, host, p)| (host, p)).collect()
}

/// The values of a host that tie it to others: shared, not too common, not of the network.
fn telling(ground: Ground<'_>, host: u32) -> impl Iterator<Item = (Rung, u32)> {
    let most = TOO_COMMON.max(small(ground.population.len()) / 100);
    let columns = ground.population.columns().filter(|(rung, _)| !matches!(rung.group(), Group::Net | Group::Ports));
    columns.flat_map(move |(rung, column)| {
        let codes = column.codes(host).iter().filter(move |code| column.count(**code) <= most);
        codes.map(move |code| (rung, *code))
    })
}

/// Other hosts that show a telling value of this one, at most [`REACH`].
fn reach(ground: Ground<'_>, host: u32) -> BTreeSet<u32> {
    let mut out = BTreeSet::new();
    for (rung, code) in telling(ground, host) {
        out.extend(ground.population.column(rung).holders(code).iter().filter(|other| **other != host).take(REACH));
        if out.len() >= REACH {
            break;
        }
    }
    out
}

/// What an answer changes.
struct Effect {
    change: f64,
    joining: BTreeSet<u32>,
    leaving: BTreeSet<u32>,
    moved: BTreeSet<u32>,
}

impl Effect {
    /// Compares two rankings, without the host asked about.
    fn of(before: &Standing, after: &Standing, asked: u32) -> Self {
        let mut out = Self { change: 0.0, joining: BTreeSet::new(), leaving: BTreeSet::new(), moved: BTreeSet::new() };
        let all: BTreeSet<u32> = before.keys().chain(after.keys()).copied().filter(|host| *host != asked).collect();
        for host in all {
            let [old, new] = [before, after].map(|one| one.get(&host).copied().unwrap_or(0.0));
            out.change += (new - old).abs();
            if (new - old).abs() >= MOVES {
                out.moved.insert(host);
            }
            match (old >= IN_CLUSTER, new >= IN_CLUSTER) {
                (false, true) => out.joining.insert(host),
                (true, false) => out.leaving.insert(host),
                _ => false,
            };
        }
        out
    }

    fn answer(&self) -> Answer {
        Answer { joining: hosts(self.joining.len()), leaving: hosts(self.leaving.len()) }
    }
}

/// The values of a host that most of the moved ones show, one a group.
fn shared(ground: Ground<'_>, host: u32, moved: &BTreeSet<u32>) -> Vec<Shared> {
    let mut best: BTreeMap<&str, (usize, Rung, u32)> = BTreeMap::new();
    for (rung, code) in telling(ground, host) {
        let column = ground.population.column(rung);
        let showing = moved.iter().filter(|other| column.codes(**other).contains(&code)).count();
        let slot = best.entry(rung.group().as_str()).or_insert((0, rung, code));
        // Rungs come from specific to general: a general one has to be shown by more.
        if showing > slot.0 {
            *slot = (showing, rung, code);
        }
    }
    let mut all: Vec<(usize, Rung, u32)> = best.into_values().filter(|one| one.0 > 0).collect();
    all.sort_by_key(|(showing, rung, code)| (std::cmp::Reverse(*showing), *rung, *code));
    let shared = all.into_iter().take(NAMED).map(|(showing, rung, code)| Shared {
        agrees_at: rung.name().to_owned(),
        value: shown(ground.population.column(rung).value(code)),
        hosts: hosts(showing),
        words: rung.words().to_owned(),
    });
    shared.collect()
}

/// The question's worth in one sentence.
fn words(confirmed: &Answer, rejected: &Answer, hinges: usize, moved: usize, shared: &[Shared]) -> String {
    let change = |answer: &Answer| match (answer.joining, answer.leaving) {
        (0, 0) => "changes nobody's place".to_owned(),
        (joining, 0) => format!("brings in {joining} more"),
        (0, leaving) => format!("puts {leaving} out"),
        (joining, leaving) => format!("brings in {joining} more and puts {leaving} out"),
    };
    let answers = || format!("a confirmation {}, a rejection {}", change(confirmed), change(rejected));
    let head = match (hinges, moved) {
        (0, some) => format!("no other host comes in or goes by the answer; the scores of {some} move"),
        (1, _) => format!("1 other host hinges on it: {}", answers()),
        (some, _) => format!("{some} other hosts hinge on it: {}", answers()),
    };
    let by: Vec<String> = shared.iter().map(|one| format!("{} ({} of them)", one.words, one.hosts)).collect();
    let by = if by.is_empty() { String::new() } else { format!("; shared: {}", by.join(", ")) };
    format!("{head}{by}")
}
