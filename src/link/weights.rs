//! The numbers of the method that were fitted, as data: `weights.json`.
//!
//! A weight below 1 says that agreement in a group is worth less than its likelihood ratio, because customers carry
//! certificates and pages between providers and because groups are not independent. The file names where and on what it
//! was fitted; its name goes into every result.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::explain::rounded;
use super::kept::Kept;
use super::logistic::{Check, Logistic};
use super::rung::GROUPS;
use crate::facet::Group;

/// Fitted weights with their name.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    name: String,
    source: String,
    /// SHA-256 of the text they were read from, its first 16 hex digits.
    digest: String,
    fitted_at_hosts: f64,
    groups: [GroupWeights; GROUPS],
    /// Weights of a host against a set.
    pub(super) seed: Sum,
    /// Whether a grown set is still its seed's.
    pub(super) purity: Logistic,
    /// Whether a fleet that a set grew over is the confirmed hosts'.
    pub(super) fleet: Logistic,
    /// Whether a set grown around another host is the confirmed hosts'.
    pub(super) theory: Logistic,
    /// Whether a host of a cluster without a seed is of the operator of most of its hosts.
    pub(super) member: Logistic,
    /// What scores have kept.
    pub(super) kept: Kept,
    /// Whether a shared value shows one hand ([`super::hand`]).
    hand: BTreeMap<String, Logistic>,
}

/// How one group counts.
#[derive(Clone, Copy, Debug, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupWeights {
    /// Concentration: how much is expected from values not seen in the set yet.
    pub(super) alpha: f64,
    /// Weight of a positive log likelihood ratio of a host against a set.
    #[serde(rename = "for")]
    pub(super) support: f64,
    /// Weight of a negative one.
    pub(super) against: f64,
    /// Weight of a positive one where the holders of the value are certainly one hand.
    pub(super) one_hand: f64,
}

/// What is added to the sum over the groups, in natural logarithms.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
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
    /// Weight of how surely the best value of the supporting groups is of one hand ([`super::score::surety`]).
    pub(super) hand: f64,
}

/// Why weights were not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// Not JSON of this form.
    #[error("cannot read the weights")]
    Json(#[from] serde_json::Error),
    /// Another version of the form.
    #[error("weights have the schema `{0}`; this program reads `hostkin/weights/3`")]
    Schema(String),
    /// A group without weights.
    #[error("weights name no group `{0}`")]
    Missing(&'static str),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    name: String,
    source: String,
    fitted_at_hosts: f64,
    groups: BTreeMap<String, GroupWeights>,
    seed: Sum,
    purity: Logistic,
    fleet: Logistic,
    theory: Logistic,
    #[serde(default)]
    member: Logistic,
    #[serde(default)]
    kept: Kept,
    hand: BTreeMap<String, Logistic>,
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
        if file.schema != "hostkin/weights/3" {
            return Err(WeightsError::Schema(file.schema));
        }
        let mut groups = [GroupWeights::default(); GROUPS];
        for (slot, group) in groups.iter_mut().zip(Group::ALL) {
            *slot = *file.groups.get(group.as_str()).ok_or(WeightsError::Missing(group.as_str()))?;
        }
        let File { name, source, fitted_at_hosts, seed, purity, hand, fleet, theory, member, kept, .. } = file;
        let digest = digest(text.as_bytes());
        Ok(Self { name, source, digest, fitted_at_hosts, groups, seed, purity, fleet, theory, member, kept, hand })
    }

    /// Whether a shared value of a group shows one hand; `None` where that was not fitted.
    pub(super) fn hand(&self, group: Group) -> Option<&Logistic> {
        self.hand.get(group.as_str())
    }

    /// The population at which the base rate was fitted.
    pub(super) fn fitted_at_hosts(&self) -> f64 {
        self.fitted_at_hosts
    }

    /// The same under another name.
    pub(super) fn named(&self, name: &str, source: &str) -> Self {
        Self { name: name.to_owned(), source: source.to_owned(), ..self.clone() }
    }

    /// The same with other weights for hands, where there are some.
    pub(super) fn with_hands(&self, fitted: BTreeMap<Group, Logistic>) -> Self {
        let mut hand = self.hand.clone();
        hand.extend(fitted.into_iter().map(|(group, one)| (group.as_str().to_owned(), one)));
        Self { hand, ..self.clone() }
    }

    /// The same with other weights for the sum over groups: the coefficients of [`super::fit`], in its order.
    pub(super) fn with_sum(&self, coefficients: &[f64]) -> Self {
        let mut out = self.clone();
        let read = |place: usize| rounded(coefficients.get(place).copied().unwrap_or(0.0), 5);
        for (place, slot) in (1..).zip(&mut out.groups) {
            let fitted = (read(place), read(place + GROUPS), read(place + 2 * GROUPS));
            // A group that the populations do not show has no weight but the one it had.
            if fitted.0 > 0.0 || fitted.1 > 0.0 || fitted.2 > 0.0 {
                (slot.support, slot.against, slot.one_hand) = fitted;
            }
        }
        let rest = 1 + 3 * GROUPS;
        let [size, two, three, hand] = [0, 1, 2, 3].map(|place| read(rest + place));
        out.seed = Sum { base: read(0), size, two, three, hand };
        out
    }

    /// The same with other trust in sets, fleets and theories.
    pub(super) fn with_trusts(&self, sets: &[Check], fleets: &[Check], theories: &[Check]) -> Self {
        Self {
            purity: Logistic::fit(&super::grow::CHECKS.map(str::to_owned), sets),
            fleet: Logistic::fit(&super::fleet::names(), fleets),
            theory: Logistic::fit(&super::theory::names(), theories),
            ..self.clone()
        }
    }

    /// The same with other membership of clusters without a seed.
    pub(super) fn with_members(&self, members: &[Check]) -> Self {
        Self { member: Logistic::fit(&super::blind::names(), members), ..self.clone() }
    }

    /// The same with another table of what scores keep.
    pub(super) fn with_kept(&self, kept: Kept) -> Self {
        Self { kept, ..self.clone() }
    }

    /// The same with its own digest: the last step of a fit.
    pub(super) fn sealed(self) -> Self {
        Self { digest: digest(self.to_json().as_bytes()), ..self }
    }

    /// As a file.
    #[must_use]
    pub fn to_json(&self) -> String {
        let file = File {
            schema: "hostkin/weights/3".to_owned(),
            name: self.name.clone(),
            source: self.source.clone(),
            fitted_at_hosts: self.fitted_at_hosts,
            groups: Group::ALL.iter().zip(self.groups).map(|(group, one)| (group.as_str().to_owned(), one)).collect(),
            seed: self.seed,
            purity: self.purity.clone(),
            hand: self.hand.clone(),
            fleet: self.fleet.clone(),
            theory: self.theory.clone(),
            member: self.member.clone(),
            kept: self.kept.clone(),
        };
        serde_json::to_string_pretty(&file).unwrap_or_default()
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
    pub(super) fn prior(&self, hosts: f64, mass: f64) -> f64 {
        let sum = &self.seed;
        let share = (self.fitted_at_hosts * mass.max(1.0) / hosts.max(1.0)).ln();
        let most = PRIOR_AT_MOST.max(EXPECTED / hosts.max(2.0 * EXPECTED)).ln();
        (sum.base + (self.fitted_at_hosts / hosts.max(1.0)).ln() + sum.size * share).min(most)
    }
}

/// The first 16 hex digits of the SHA-256 of a text.
fn digest(text: &[u8]) -> String {
    let sha256: [u8; 32] = Sha256::digest(text).into();
    format!("{:016x}", u64::from_be_bytes(sha256.first_chunk::<8>().copied().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weights_that_come_with_the_program_are_well_formed() {
        let weights = Weights::builtin().unwrap();
        assert_eq!(weights.name(), "landscape-6");
        assert!(weights.groups().iter().all(|group| group.alpha > 0.0 && group.support > 0.0 && group.against >= 0.0));
        assert_eq!(weights.purity.len(), super::super::grow::CHECKS.len());
    }

    #[test]
    fn a_small_case_starts_from_odds_that_one_group_cannot_turn() {
        let weights = Weights::builtin().unwrap();
        for hosts in [1.0, 10.0, 70.0, 150.0, 1000.0] {
            let one_group = f64::max(hosts / 3.0, 1.0).ln();
            let prior = weights.prior(hosts, 1.0);
            assert!(prior <= -0.69, "{hosts}: {prior}");
            assert!(hosts > 150.0 || prior + one_group <= 0.0, "{hosts}: {prior}");
        }
        let large = weights.prior(1e6, 1.0);
        assert!(large < weights.prior(5e4, 1.0), "{large}");
    }

    #[test]
    fn weights_without_a_group_or_of_another_schema_are_refused() {
        let text = include_str!("weights.json");
        let other = text.replace("hostkin/weights/3", "hostkin/weights/9");
        assert!(matches!(Weights::from_json(&other), Err(WeightsError::Schema(_))));
        let missing = text.replace("\"mail\"", "\"post\"");
        assert!(matches!(Weights::from_json(&missing), Err(WeightsError::Missing("mail"))));
    }
}
