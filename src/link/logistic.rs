//! A logistic regression on named, standardised terms, as the weights hold it.

use serde::{Deserialize, Serialize};

use super::explain::rounded;
use super::population::small;
use super::solve::{Row, logistic};

/// The ridge of every term but the constant.
const RIDGE: f64 = 10.0;
/// Decimals kept of what was fitted.
const DECIMALS: i32 = 5;

/// The values of the terms (not a number where nothing was observed, which says nothing), the share that was right, and how much the row counts.
pub(super) type Check = (Vec<f64>, f64, f64);

/// A fitted regression.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Logistic {
    base: f64,
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Term {
    name: String,
    mean: f64,
    sd: f64,
    weight: f64,
}

impl Term {
    /// A value on the scale of the fit; 0 where nothing was observed.
    fn standard(&self, value: f64) -> f64 {
        if value.is_nan() { 0.0 } else { (value - self.mean) / self.sd }
    }
}

impl Logistic {
    /// Fits terms of these names.
    pub(super) fn fit(names: &[String], checks: &[Check]) -> Self {
        let mut terms: Vec<Term> = Vec::new();
        for (place, name) in names.iter().enumerate() {
            let values = || checks.iter().filter_map(|(values, ..)| values.get(place)).filter(|value| !value.is_nan());
            let n = f64::from(small(values().count())).max(1.0);
            let mean = rounded(values().sum::<f64>() / n, DECIMALS);
            let sd = (values().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
            // A term that never changes says nothing.
            let sd = if sd < 1e-3 { 1.0 } else { rounded(sd, DECIMALS) };
            terms.push(Term { name: name.clone(), mean, sd, weight: 0.0 });
        }
        let rows: Vec<Row> = checks
            .iter()
            .map(|(values, share, weight)| {
                let standard = terms.iter().zip(values).map(|(term, value)| term.standard(*value));
                Row { terms: std::iter::once(1.0).chain(standard).collect(), share: *share, weight: *weight }
            })
            .collect();
        let ridge: Vec<f64> = std::iter::once(0.0).chain(names.iter().map(|_| RIDGE)).collect();
        let fitted = logistic(&rows, &ridge, &vec![(f64::NEG_INFINITY, f64::INFINITY); ridge.len()]);
        let mut fitted = fitted.into_iter().map(|one| rounded(one, DECIMALS));
        let base = fitted.next().unwrap_or(0.0);
        for (term, weight) in terms.iter_mut().zip(fitted) {
            term.weight = weight;
        }
        Self { base, terms }
    }

    /// The probability for the terms' values, in their order.
    pub(super) fn probability(&self, values: &[f64]) -> f64 {
        let standard = self.terms.iter().zip(values);
        probability(standard.fold(self.base, |sum, (term, value)| sum + term.weight * term.standard(*value)))
    }

    /// Number of terms.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.terms.len()
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
    fn a_term_that_never_changes_gets_no_weight_and_one_that_tells_gets_some() {
        let checks: Vec<Check> =
            (0..100).map(|i| (vec![1.0, f64::from(i)], f64::from(u8::from(i >= 50)), 1.0)).collect();
        let fitted = Logistic::fit(&["same".to_owned(), "tells".to_owned()], &checks);
        assert_eq!(fitted.terms[0].weight, 0.0);
        assert!(fitted.probability(&[1.0, 99.0]) > 0.8 && fitted.probability(&[1.0, 0.0]) < 0.2);
        assert!((fitted.probability(&[1.0, f64::NAN]) - 0.5).abs() < 0.01, "what was not observed says nothing");
    }
}
