//! Linkage: how much shared habits move the odds that two hosts have one operator.
//!
//! In: the facets of all hosts of a case ([`Builder`]), seeds and verdicts. Out: for each provider the hosts by
//! calibrated probability, clusters, and for every link the reasons for and against ([`Linkage`]). Reads neither
//! network nor store; the same input in any order gives the same result.
//!
//! How: values become columns of codes ([`Population`]); each group of facets gives one likelihood ratio, whichever of
//! its levels decides it (`score`); a set grows from the confirmed hosts and is judged by label-free checks (`grow`);
//! providers share out the hosts they claim among themselves and the background (`provider`); the level of a claim
//! bounds its score (`claim`). Values whose holders are strangers (`hand`) and known defaults (`defaults`) count
//! less. What no seed explains is offered as clusters that are hypotheses (`blind`). Method and figures:
//! docs/LINKAGE.md.

mod aside;
mod ask;
mod average;
mod blind;
mod builder;
mod cells;
mod checks;
mod claim;
mod column;
mod columns;
mod counted;
mod defaults;
mod explain;
mod family;
mod findings;
mod fit;
mod fleet;
mod grow;
mod hand;
mod kept;
mod logistic;
mod pair;
mod parallel;
mod parts;
mod pattern;
mod population;
mod provider;
mod reach;
mod read;
mod regrow;
mod reliability;
mod rung;
mod score;
mod solve;
mod theory;
mod tied;
mod update;
mod view;
mod weights;
mod why;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::facet::Labels;
use crate::finding::{Findings, Seed, Verdict};

pub use ask::{Answer, Question, Shared};
pub use builder::Builder;
pub use checks::{Check, CheckVerdict, Holder, Known, Nearby, checks, shared_address};
pub use columns::columns_version;
pub use fit::{Plan, World, fit};
pub use population::Population;
pub use reliability::{Bin, Labelled, Reliability, reliability};
pub use weights::{Weights, WeightsError};
pub use why::{Against, Explanation};

use defaults::Defaults;
use hand::Hands;
use score::Ground;

/// All that is asked about one population. What is learned of a value by one question is kept for the next, so that several
/// questions should go to one of these.
#[derive(Debug)]
pub struct Linkage<'a> {
    population: &'a Population,
    weights: &'a Weights,
    defaults: Defaults<'a>,
    hands: Hands,
}

impl<'a> Linkage<'a> {
    /// Nothing is computed before it is asked for.
    #[must_use]
    pub fn new(population: &'a Population, weights: &'a Weights, labels: &'a Labels) -> Self {
        Self { population, weights, defaults: Defaults::new(labels), hands: Hands::default() }
    }

    fn ground(&self) -> Ground<'_> {
        Ground::new(self.population, self.weights, &self.defaults, &self.hands)
    }

    /// Links all hosts to the providers of `seeds`, with the analyst's `verdicts`, and groups the rest.
    #[must_use]
    pub fn run(&self, seeds: &[Seed], verdicts: &[Verdict]) -> Findings {
        let providers = provider::providers(self.ground(), seeds, verdicts);
        findings::findings(self.ground(), &providers, true)
    }

    /// As [`Linkage::run`], without clusters that no seed explains.
    #[must_use]
    pub fn rank(&self, seeds: &[Seed], verdicts: &[Verdict]) -> Findings {
        let providers = provider::providers(self.ground(), seeds, verdicts);
        findings::findings(self.ground(), &providers, false)
    }

    /// The score of each host that [`Linkage::rank`] lists, in its order, without reasons.
    #[must_use]
    pub fn scores(&self, seeds: &[Seed], verdicts: &[Verdict]) -> Vec<(IpAddr, f64)> {
        let providers = provider::providers(self.ground(), seeds, verdicts);
        findings::scores(self.ground(), &providers)
    }

    /// The hosts whose confirmation or rejection would teach most, at most `most`.
    #[must_use]
    pub fn ask(&self, seeds: &[Seed], verdicts: &[Verdict], most: usize) -> Vec<Question> {
        ask::questions(self.ground(), seeds, verdicts, most)
    }

    /// The sets of all providers, grown once, for several questions about them.
    #[must_use]
    pub fn grow(&self, seeds: &[Seed], verdicts: &[Verdict]) -> Sets<'_> {
        Sets { linkage: self, providers: provider::providers(self.ground(), seeds, verdicts) }
    }

    /// The reasons for and against one link. `None` when the host, or what it is compared with, is not in the population.
    #[must_use]
    pub fn why(&self, seeds: &[Seed], verdicts: &[Verdict], address: IpAddr, against: &Against) -> Option<Explanation> {
        match against {
            Against::Provider(name) => self.grow(seeds, verdicts).why(address, name),
            Against::Host(other) => why::against_host(self.ground(), address, *other),
        }
    }
}

/// What was grown from the seeds and verdicts of all providers.
#[derive(Debug)]
pub struct Sets<'a> {
    linkage: &'a Linkage<'a>,
    providers: provider::Providers,
}

impl Sets<'_> {
    /// The reasons for and against one link to a provider. `None` when host or provider are not in the population.
    #[must_use]
    pub fn why(&self, address: IpAddr, provider: &str) -> Option<Explanation> {
        why::against_provider(self.linkage.ground(), &self.providers, address, provider)
    }
}
