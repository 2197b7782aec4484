//! What scores have kept: a reliability table by which the last figure is read.
//!
//! Sums of evidence are too sure of themselves where sets are wrong as a whole. How often each strength of claim was true
//! on labelled worlds is known, and a score is what was kept of what was said. Order is never changed.

use serde::{Deserialize, Serialize};

use super::explain::rounded;
use super::logistic::{log_odds, probability};

/// Classes of what was said, by log odds; beyond the ends everything is one class.
const EDGES: [f64; 13] = [-5.0, -4.0, -3.5, -3.0, -2.5, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.5, 6.5];
/// A class of fewer claims is joined to its neighbour.
const ENOUGH: f64 = 50.0;

/// The table: log odds as said, and as kept, both ascending.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    said: Vec<f64>,
    kept: Vec<f64>,
}

/// Claims of one class while the table is made.
#[derive(Clone, Copy, Default)]
struct Class {
    claims: f64,
    said: f64,
    trues: f64,
}

impl Class {
    fn and(self, other: Self) -> Self {
        Self { claims: self.claims + other.claims, said: self.said + other.said, trues: self.trues + other.trues }
    }

    /// Two more claims, one of them true, stand for what was not seen.
    fn share(&self) -> f64 {
        (self.trues + 1.0) / (self.claims + 2.0)
    }
}

impl Kept {
    /// The table of claims: the probability said, and whether it was true.
    pub(super) fn fit(claims: &[(f64, bool)]) -> Self {
        let mut classes = [Class::default(); EDGES.len() + 1];
        for (said, is_true) in claims {
            let said = log_odds(*said);
            let place = EDGES.iter().take_while(|edge| said >= **edge).count();
            if let Some(class) = classes.get_mut(place) {
                *class = class.and(Class { claims: 1.0, said, trues: f64::from(u8::from(*is_true)) });
            }
        }
        // Neighbours that are few, or that stand against the order, are one class (pool adjacent violators).
        let mut pooled: Vec<Class> = Vec::new();
        for class in classes.into_iter().filter(|class| class.claims > 0.0) {
            pooled.push(class);
            while let [.., before, last] = pooled.as_slice() {
                if before.claims >= ENOUGH && last.claims >= ENOUGH && before.share() < last.share() {
                    break;
                }
                let both = before.and(*last);
                pooled.truncate(pooled.len() - 2);
                pooled.push(both);
            }
        }
        Self {
            said: pooled.iter().map(|class| rounded(class.said / class.claims, 5)).collect(),
            kept: pooled.iter().map(|class| rounded(log_odds(class.share()), 5)).collect(),
        }
    }

    /// What is kept of a probability said; itself without a table. Between the classes' means in straight lines of log
    /// odds, beyond them with the last difference.
    pub(super) fn read(&self, said: f64) -> f64 {
        let exact = (said / (1.0 - said).max(1e-12)).max(1e-12).ln();
        let after = self.said.iter().take_while(|one| exact >= **one).count();
        let knot = |place: usize| Some((*self.said.get(place)?, *self.kept.get(place)?));
        let below = after.checked_sub(1).and_then(knot);
        let kept = match (below, knot(after)) {
            (Some((x0, y0)), Some((x1, y1))) => y0 + (y1 - y0) * (exact - x0) / (x1 - x0).max(1e-9),
            (Some((x, y)), None) | (None, Some((x, y))) => exact + y - x,
            (None, None) => exact,
        };
        probability(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_was_half_true_is_read_as_half_and_order_stays() {
        let claims: Vec<(f64, bool)> = (0..4000)
            .map(|n| {
                let said = f64::from(n % 100) / 100.0;
                (said, f64::from(n / 100 % 40) / 40.0 < said * said)
            })
            .collect();
        let table = Kept::fit(&claims);
        assert!((table.read(0.7) - 0.49).abs() < 0.06, "{}", table.read(0.7));
        let read: Vec<f64> = (1..100).map(|n| table.read(f64::from(n) / 100.0)).collect();
        assert!(read.is_sorted_by(|a, b| a < b), "{read:?}");
    }

    #[test]
    fn without_a_table_a_score_is_itself() {
        for said in [0.001, 0.5, 0.93] {
            assert!((Kept::default().read(said) - said).abs() < 1e-9);
        }
    }
}
