//! The numbers of the method that were fitted, as data: `weights.json`.
//!
//! A weight below 1 says that agreement in a group is worth less than its likelihood ratio, because customers carry
//! certificates and pages between providers and because groups are not independent. The file names where and on what it
//! was fitted; its name goes into every result.

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::rung::GROUPS;
use crate::facet::Group;

/// Fitted weights with their name.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    name: String,
    /// SHA-256 of the text they were read from, its first 16 hex digits.
    digest: String,
    fitted_at_hosts: f64,
    groups: [GroupWeights; GROUPS],
    /// Weights of a host against a set.
    pub(super) seed: Sum,
    /// Weights of two hosts.
    pub(super) pair: Sum,
    /// Whether a grown set is still its seed's.
    pub(super) purity: Logistic,
}

/// How one group counts.
#[derive(Clone, Copy, Debug, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupWeights {
    /// Concentration: how much is expected from values not seen in the set yet.
    pub(super) alpha: f64,
    /// Weight of a positive log likelihood ratio of a host against a set.
    #[serde(rename = "for")]
    pub(super) support: f64,
    /// Weight of a negative one.
    pub(super) against: f64,
    /// The same for two hosts.
    pub(super) pair_for: f64,
    /// The same for two hosts.
    pub(super) pair_against: f64,
}

/// What is added to the sum over the groups, in natural logarithms.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sum {
    /// Log odds of a random host, before any evidence.
    pub(super) base: f64,
    /// Weight of the log of the set's share of the population.
    pub(super) size: f64,
    /// Added when two groups or more support: agreement in several is worth less than the product.
    pub(super) two: f64,
    /// Added when three groups or more support.
    pub(super) three: f64,
}

/// A logistic regression on standardised terms.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Logistic {
    base: f64,
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Term {
    #[serde(rename = "name")]
    _name: String,
    mean: f64,
    sd: f64,
    weight: f64,
}

impl Logistic {
    /// The probability for the terms' values, in their order.
    pub(super) fn probability(&self, values: &[f64]) -> f64 {
        let sum = self
            .terms
            .iter()
            .zip(values)
            .fold(self.base, |sum, (term, value)| sum + term.weight * (value - term.mean) / term.sd);
        probability(sum)
    }
}

/// Why weights were not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// Not JSON of this form.
    #[error("cannot read the weights")]
    Json(#[from] serde_json::Error),
    /// Another version of the form.
    #[error("weights have the schema `{0}`; this program reads `hostkin/weights/1`")]
    Schema(String),
    /// A group without weights.
    #[error("weights name no group `{0}`")]
    Missing(&'static str),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    name: String,
    #[serde(rename = "source")]
    _source: String,
    fitted_at_hosts: f64,
    groups: std::collections::BTreeMap<String, GroupWeights>,
    seed: Sum,
    pair: Sum,
    purity: Logistic,
}

/// Prior odds are never taken above one in fifty, or above three hosts in a population of fewer than 150. The fitted
/// base rate is that of an operator among 50,000 hosts, and moves with the population as ln(50,000 / N), because an
/// operator does not grow with the scan. Carried on to a case of seventy hosts that would call every stranger the
/// provider's before any evidence. Who chose the seventy hosts is not known to the formula, so the claim of a small case
/// has to come from agreement: one group counts at most a third of its background hosts and so cannot reach even odds
/// there by itself, and two or three can.
const PRIOR_AT_MOST: f64 = 1.0 / 50.0;
/// Hosts of a provider that are expected beforehand in a population too small to say.
const EXPECTED: f64 = 3.0;

impl Weights {
    /// The weights that come with the program.
    ///
    /// # Errors
    /// When the file is not well formed; a test holds that it is.
    pub fn builtin() -> Result<Self, WeightsError> {
        Self::from_json(include_str!("weights.json"))
    }

    /// Reads weights.
    ///
    /// # Errors
    /// When the text is not a set of weights of the version this program reads.
    pub fn from_json(text: &str) -> Result<Self, WeightsError> {
        let file: File = serde_json::from_str(text)?;
        if file.schema != "hostkin/weights/1" {
            return Err(WeightsError::Schema(file.schema));
        }
        let mut groups = [GroupWeights::default(); GROUPS];
        for (slot, group) in groups.iter_mut().zip(Group::ALL) {
            *slot = *file.groups.get(group.as_str()).ok_or(WeightsError::Missing(group.as_str()))?;
        }
        let File { name, fitted_at_hosts, seed, pair, purity, .. } = file;
        let sha256: [u8; 32] = Sha256::digest(text).into();
        let digest = format!("{:016x}", u64::from_be_bytes(sha256.first_chunk::<8>().copied().unwrap_or_default()));
        Ok(Self { name, digest, fitted_at_hosts, groups, seed, pair, purity })
    }

    /// Name and version, for the record.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name, version and digest, as every result names the weights it used.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{} (sha256 {}\u{2026})", self.name, self.digest)
    }

    /// How each group counts, in the order of [`Group::ALL`].
    pub(super) fn groups(&self) -> &[GroupWeights; GROUPS] {
        &self.groups
    }

    /// Log odds before any evidence, in a population of `hosts`, for a set of mass `mass`.
    pub(super) fn prior(&self, sum: &Sum, hosts: f64, mass: f64) -> f64 {
        let share = (self.fitted_at_hosts * mass.max(1.0) / hosts.max(1.0)).ln();
        let most = PRIOR_AT_MOST.max(EXPECTED / hosts.max(2.0 * EXPECTED)).ln();
        let base = (sum.base + (self.fitted_at_hosts / hosts.max(1.0)).ln()).min(most);
        base + sum.size * share
    }
}

/// The probability of log odds.
pub(super) fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds.clamp(-30.0, 30.0)).exp())
}

/// The log odds of a probability, held within 1 to 10,000 each way.
pub(super) fn log_odds(probability: f64) -> f64 {
    let p = probability.clamp(1e-4, 1.0 - 1e-4);
    (p / (1.0 - p)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_that_come_with_the_program_are_well_formed() {
        let weights = Weights::builtin().unwrap();
        assert_eq!(weights.name(), "landscape-1");
        assert!(weights.groups().iter().all(|group| group.alpha > 0.0 && group.support > 0.0 && group.against >= 0.0));
        assert_eq!(weights.purity.terms.len(), 7);
    }

    #[test]
    fn a_small_case_starts_from_odds_that_one_group_cannot_turn() {
        let weights = Weights::builtin().unwrap();
        for hosts in [1.0, 10.0, 70.0, 150.0, 1000.0] {
            let one_group = f64::max(hosts / 3.0, 1.0).ln();
            let prior = weights.prior(&weights.seed, hosts, 1.0);
            assert!(prior <= -0.69, "{hosts}: {prior}");
            assert!(hosts > 150.0 || prior + one_group <= 0.0, "{hosts}: {prior}");
        }
        let large = weights.prior(&weights.seed, 1e6, 1.0);
        assert!(large < weights.prior(&weights.seed, 5e4, 1.0), "{large}");
    }

    #[test]
    fn weights_without_a_group_or_of_another_schema_are_refused() {
        let text = include_str!("weights.json");
        let other = text.replace("hostkin/weights/1", "hostkin/weights/9");
        assert!(matches!(Weights::from_json(&other), Err(WeightsError::Schema(_))));
        let missing = text.replace("\"mail\"", "\"post\"");
        assert!(matches!(Weights::from_json(&missing), Err(WeightsError::Missing("mail"))));
    }
}
