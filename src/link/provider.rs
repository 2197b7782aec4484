//! Providers: what is confirmed and rejected of each, the set grown from it, and who else claims a host.

use std::collections::{BTreeMap, BTreeSet};

use super::claim;
use super::grow::{Grown, left_by_rivals};
use super::logistic::probability;
use super::population::Population;
use super::score::{Ground, Scored};
use super::theory::Theory;
use super::view::{Said, VIEWS, View, views};
use crate::finding::{Level, Seed, Subject, Verdict};

/// A provider with everything known of it.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) name: String,
    /// The first seed as recorded: an address, or a facet as `kind=value`.
    pub(super) first_seed: String,
    /// Why each confirmed host is one, in the words of seeds and verdicts.
    pub(super) confirmed: BTreeMap<u32, String>,
    /// Hosts an analyst rejected.
    pub(super) rejected: BTreeMap<u32, String>,
    /// With strangers as they were heard.
    pub(super) heard: View,
    /// With strangers taken for less and for more alike.
    otherwise: Vec<View>,
}

/// All providers of a case, and what each says of the hosts it may claim.
#[derive(Debug)]
pub(super) struct Providers {
    pub(super) all: Vec<Provider>,
    /// In each view, for each host the log odds (against background) of every provider that claims it.
    claims: Vec<BTreeMap<u32, Vec<(usize, f64)>>>,
}

/// One provider's claim to one host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    /// Calibrated probability, bounded by the level.
    pub(super) score: f64,
    /// The mean of all views, before it is calibrated.
    pub(super) said: f64,
    /// What each view says, that with strangers as heard first; `None` of a confirmed host.
    pub(super) views: Option<[f64; VIEWS]>,
    pub(super) level: Level,
    pub(super) scored: Scored,
    /// The strongest other provider, with its share of this host's odds.
    pub(super) rival: Option<(usize, f64)>,
    /// The place of the theory that claims it, where that says more than the provider's own set.
    pub(super) theory: Option<usize>,
}

impl Provider {
    /// What is grown, view by view.
    fn views(&self) -> impl Iterator<Item = &View> {
        std::iter::once(&self.heard).chain(&self.otherwise)
    }

    /// All hosts that may be its, ascending.
    pub(super) fn candidates(&self) -> Vec<u32> {
        let mut all: Vec<u32> = self.views().flat_map(View::candidates).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// A bound of the score of its claim to a host, for the price of a search.
    pub(super) fn at_most(&self, ground: Ground<'_>, host: u32) -> f64 {
        if self.confirmed.contains_key(&host) {
            return 1.0;
        }
        let said: f64 = self.views().map(|view| view.at_most(host)).sum();
        // A little more, for the last digits.
        ground.weights.kept.read((said * (1.0 + 1e-9)).min(1.0))
    }

    /// The theory by which a claim was made, if it was.
    pub(super) fn theory(&self, claim: &Claim) -> Option<&Theory> {
        claim.theory.and_then(|place| self.heard.theories.get(place))
    }

    /// The set by which a claim was made.
    pub(super) fn set(&self, claim: &Claim) -> &Grown {
        self.theory(claim).map_or(&self.heard.grown, |theory| &theory.grown)
    }
}

/// What seeds and verdicts say of one provider, before anything is computed.
#[derive(Debug, Default)]
struct Words {
    first_seed: Option<String>,
    confirmed: BTreeMap<u32, String>,
    rejected: BTreeMap<u32, String>,
}

/// Grows a set for each provider that has a confirmed host in the population.
pub(super) fn providers(ground: Ground<'_>, seeds: &[Seed], verdicts: &[Verdict]) -> Providers {
    let words = gather_words(ground.population, seeds, verdicts);
    let mut all = Vec::new();
    for (name, one) in &words {
        if one.confirmed.is_empty() {
            continue;
        }
        let others = words.iter().filter(|(other, _)| *other != name).flat_map(|(_, other)| other.confirmed.keys());
        let barred: BTreeSet<u32> =
            others.chain(one.rejected.keys()).filter(|host| !one.confirmed.contains_key(host)).copied().collect();
        let confirmed: Vec<u32> = one.confirmed.keys().copied().collect();
        let (heard, otherwise) = views(ground, &confirmed, &barred, one.rejected.keys().copied());
        all.push(Provider {
            name: name.clone(),
            first_seed: one.first_seed.clone().unwrap_or_default(),
            confirmed: one.confirmed.clone(),
            rejected: one.rejected.clone(),
            heard,
            otherwise,
        });
    }
    let mut claims: Vec<BTreeMap<u32, Vec<(usize, f64)>>> = vec![BTreeMap::new(); VIEWS];
    for (place, provider) in all.iter().enumerate() {
        for (view, claims) in provider.views().zip(&mut claims) {
            for (host, scored) in &view.grown.candidates {
                claims.entry(*host).or_default().push((place, scored.log_odds));
            }
        }
    }
    Providers { all, claims }
}

/// Sorts what seeds and verdicts say by provider. The order they are given in does not matter: the earliest recorded
/// seed is the first, and of two words on one host the later holds.
fn gather_words(population: &Population, seeds: &[Seed], verdicts: &[Verdict]) -> BTreeMap<String, Words> {
    let mut words: BTreeMap<String, Words> = BTreeMap::new();
    let mut seeds: Vec<&Seed> = seeds.iter().collect();
    seeds.sort_by(|a, b| (a.recorded_at, &a.subject, &a.why).cmp(&(b.recorded_at, &b.subject, &b.why)));
    for seed in seeds {
        let one = words.entry(seed.provider.clone()).or_default();
        let shown = match &seed.subject {
            Subject::Host(address) => address.to_string(),
            Subject::Facet(kind, value) => format!("{kind}={value}"),
        };
        one.first_seed.get_or_insert(shown);
        for host in population.subjects(&seed.subject) {
            one.confirmed.entry(host).or_insert_with(|| format!("confirmed as a seed: {}", seed.why));
        }
    }
    let mut verdicts: Vec<&Verdict> = verdicts.iter().collect();
    verdicts.sort_by_key(|one| (one.recorded_at, one.address, one.confirmed));
    for verdict in verdicts {
        let Some(host) = population.find(verdict.address) else { continue };
        let Some(one) = words.get_mut(&verdict.provider) else { continue };
        if verdict.confirmed {
            one.rejected.remove(&host);
            one.confirmed.entry(host).or_insert_with(|| format!("confirmed by an analyst: {}", verdict.why));
        } else {
            one.confirmed.remove(&host);
            one.rejected.insert(host, verdict.why.clone());
        }
    }
    words
}

impl Providers {
    /// The claim of the provider at `place` to a host; `None` for a host it cannot claim: rejected, or another's.
    pub(super) fn claim(&self, ground: Ground<'_>, place: usize, host: u32) -> Option<Claim> {
        let provider = self.all.get(place)?;
        if provider.confirmed.contains_key(&host) {
            let (score, level, scored) = (1.0, Level::Provider, provider.heard.grown.score(ground, host));
            return Some(Claim { score, said: score, views: None, level, scored, rival: None, theory: None });
        }
        let anothers = self.all.iter().any(|other| other.confirmed.contains_key(&host));
        if anothers || provider.rejected.contains_key(&host) || ground.population.answers_everywhere(host) {
            return None;
        }
        let of = |claims: &BTreeMap<u32, Vec<(usize, f64)>>| -> Vec<(usize, f64)> {
            claims.get(&host).into_iter().flatten().filter(|(other, _)| *other != place).copied().collect()
        };
        let all = provider.views().zip(&self.claims);
        let all = all.map(|(view, claims)| (view, view.say(ground, host, of(claims).iter().map(|rival| rival.1))));
        let all: Vec<(&View, Said)> = all.collect();
        let said: f64 = all.iter().map(|(view, said)| view.weighted(said)).sum();
        let shown = all.first()?.1;
        let mut views = [0.0; VIEWS];
        views.iter_mut().zip(&all).for_each(|(slot, (_, said))| *slot = said.probability);
        let mut rivals = self.claims.first().map(of).unwrap_or_default();
        rivals.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let rival = rivals.first().map(|(other, log)| {
            let others = rivals.iter().filter(|(one, _)| one != other).map(|rival| rival.1);
            (*other, probability(*log) * left_by_rivals(*log, others.chain([shown.own])))
        });
        let Said { level, scored, theory, .. } = shown;
        let score = claim::bound(ground.weights.kept.read(said), level);
        Some(Claim { score, said, views: Some(views), level, scored, rival, theory })
    }
}
