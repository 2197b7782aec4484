//! Linkage: how much shared habits move the odds that two hosts have one operator.
//!
//! In: the facets of all hosts of a case ([`Builder`]), seeds and verdicts. Out: for each provider the hosts by
//! calibrated probability, clusters, and for every link the reasons for and against ([`run`], [`why`]). Reads neither
//! network nor store; the same input in any order gives the same result.
//!
//! How: values become columns of codes ([`Population`]); each group of facets gives one likelihood ratio, whichever of
//! its levels decides it (`score`); a set grows from the confirmed hosts and is judged by label-free checks (`grow`);
//! providers share out the hosts they claim among themselves and the background (`provider`); the level of a claim
//! bounds its score (`claim`). Values whose holders are strangers (`hand`) and known defaults (`defaults`) count
//! less. What no seed explains is offered as clusters that are hypotheses (`blind`). Method and figures:
//! docs/LINKAGE.md.

mod blind;
mod claim;
mod defaults;
mod explain;
mod family;
mod findings;
mod fit;
mod fleet;
mod grow;
mod hand;
mod logistic;

mod pair;
mod pattern;
mod population;
mod provider;
mod read;
mod rung;
mod score;
mod solve;
mod theory;
mod weights;
mod why;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::facet::Labels;
use crate::finding::{Findings, Seed, Verdict};

pub use fit::{Labelled, Plan, Reliability, fit, reliability};
pub use population::{Builder, Population};
pub use weights::{Weights, WeightsError};
pub use why::{Against, Explanation};

use defaults::Defaults;
use hand::Hands;
use score::Ground;

/// Links all hosts of a population to the providers of `seeds`, with the analyst's `verdicts`, and groups the rest.
#[must_use]
pub fn run(
    population: &Population,
    seeds: &[Seed],
    verdicts: &[Verdict],
    weights: &Weights,
    labels: &Labels,
) -> Findings {
    let defaults = Defaults::new(labels);
    let hands = Hands::default();
    let ground = Ground { population, weights, defaults: &defaults, hands: &hands };
    let providers = provider::providers(ground, seeds, verdicts);
    findings::findings(ground, &providers, true)
}

/// As [`run`], without the hypotheses.
#[must_use]
pub fn run_seeds(
    population: &Population,
    seeds: &[Seed],
    verdicts: &[Verdict],
    weights: &Weights,
    labels: &Labels,
) -> Findings {
    let defaults = Defaults::new(labels);
    let hands = Hands::default();
    let ground = Ground { population, weights, defaults: &defaults, hands: &hands };
    let providers = provider::providers(ground, seeds, verdicts);
    findings::findings(ground, &providers, false)
}

/// The reasons for and against one link. `None` when the host, or what it is compared with, is not in the population.
#[must_use]
pub fn why(
    population: &Population,
    seeds: &[Seed],
    verdicts: &[Verdict],
    weights: &Weights,
    labels: &Labels,
    address: IpAddr,
    against: &Against,
) -> Option<Explanation> {
    let defaults = Defaults::new(labels);
    let hands = Hands::default();
    let ground = Ground { population, weights, defaults: &defaults, hands: &hands };
    match against {
        Against::Provider(name) => {
            let providers = provider::providers(ground, seeds, verdicts);
            why::against_provider(ground, &providers, address, name)
        }
        Against::Host(other) => why::against_host(ground, address, *other),
    }
}
