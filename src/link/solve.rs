//! Logistic regression by Newton's method: what every fit of this module rests on.
//!
//! Deterministic: rows are taken in the order given, sums are made in that order.

/// One observation: its terms, the share of the outcome (0 to 1), and its weight.
pub(super) struct Row {
    pub(super) terms: Vec<f64>,
    pub(super) share: f64,
    pub(super) weight: f64,
}

/// Coefficients (the first term should be the constant 1) that minimise the weighted log loss plus `ridge[i] * c[i]^2 / 2`.
/// Coefficients are held within `bounds[i]`.
pub(super) fn logistic(rows: &[Row], ridge: &[f64], bounds: &[(f64, f64)]) -> Vec<f64> {
    let n = ridge.len();
    let mut coef = vec![0.0_f64; n];
    for (c, (low, high)) in coef.iter_mut().zip(bounds) {
        *c = c.max(*low).min(*high);
    }
    let mut loss = loss_of(rows, &coef, ridge);
    for _ in 0..60 {
        let mut gradient: Vec<f64> = coef.iter().zip(ridge).map(|(c, r)| r * c).collect();
        let mut hessian = vec![vec![0.0; n]; n];
        for (i, row) in hessian.iter_mut().enumerate() {
            if let (Some(cell), Some(r)) = (row.get_mut(i), ridge.get(i)) {
                *cell = r.max(1e-9);
            }
        }
        for row in rows {
            let z: f64 = row.terms.iter().zip(&coef).map(|(t, c)| t * c).sum();
            let p = 1.0 / (1.0 + (-z.clamp(-35.0, 35.0)).exp());
            let slope = row.weight * (p - row.share);
            let curve = (row.weight * p * (1.0 - p)).max(1e-12);
            for ((t, g), line) in row.terms.iter().zip(&mut gradient).zip(&mut hessian) {
                if *t == 0.0 {
                    continue;
                }
                *g += slope * t;
                for (u, cell) in row.terms.iter().zip(line) {
                    *cell += curve * t * u;
                }
            }
        }
        // Coefficients at a bound that want to go beyond it stay out of the step.
        let inside =
            |((c, (low, high)), g): ((&f64, &(f64, f64)), &f64)| (c > low || *g < 0.0) && (c < high || *g > 0.0);
        let free: Vec<bool> = coef.iter().zip(bounds).zip(&gradient).map(inside).collect();
        let step = solve(&hessian, &gradient, &free);
        let mut scale = 1.0;
        let mut moved = false;
        while scale > 1e-4 {
            let tried: Vec<f64> = coef
                .iter()
                .zip(&step)
                .zip(bounds)
                .map(|((c, s), (low, high))| (c - scale * s).max(*low).min(*high))
                .collect();
            let new = loss_of(rows, &tried, ridge);
            if new < loss - 1e-10 * loss.abs() {
                coef = tried;
                loss = new;
                moved = true;
                break;
            }
            scale /= 2.0;
        }
        if !moved {
            break;
        }
    }
    coef
}

fn loss_of(rows: &[Row], coef: &[f64], ridge: &[f64]) -> f64 {
    let penalty: f64 = coef.iter().zip(ridge).map(|(c, r)| r * c * c / 2.0).sum();
    rows.iter().fold(penalty, |sum, row| {
        let z: f64 = row.terms.iter().zip(coef).map(|(t, c)| t * c).sum();
        // log(1 + e^z) - y z, without overflow
        sum + row.weight * (z.max(0.0) + (-z.abs()).exp().ln_1p() - row.share * z)
    })
}

/// Solves `hessian x = gradient` over the free coordinates by Gaussian elimination with pivoting; 0 elsewhere.
fn solve(hessian: &[Vec<f64>], gradient: &[f64], free: &[bool]) -> Vec<f64> {
    let places: Vec<usize> = free.iter().enumerate().filter(|(_, one)| **one).map(|(i, _)| i).collect();
    let mut lines: Vec<Vec<f64>> = places
        .iter()
        .filter_map(|i| {
            let row = hessian.get(*i)?;
            let mut line: Vec<f64> = places.iter().filter_map(|j| row.get(*j).copied()).collect();
            line.push(*gradient.get(*i)?);
            Some(line)
        })
        .collect();
    let size = lines.len();
    for column in 0..size {
        let size_of = |line: &Vec<f64>| line.get(column).copied().unwrap_or(0.0).abs();
        let best = (column..size).max_by(|a, b| {
            let (a, b) = (lines.get(*a).map_or(0.0, size_of), lines.get(*b).map_or(0.0, size_of));
            a.total_cmp(&b)
        });
        let Some(best) = best else { break };
        lines.swap(column, best);
        let Some(pivot) = lines.get(column).cloned() else { break };
        let lead = pivot.get(column).copied().unwrap_or(0.0);
        if lead.abs() < 1e-12 {
            continue;
        }
        for (place, line) in lines.iter_mut().enumerate() {
            if place == column {
                continue;
            }
            let factor = line.get(column).copied().unwrap_or(0.0) / lead;
            if factor != 0.0 {
                for (cell, from) in line.iter_mut().zip(&pivot) {
                    *cell -= factor * from;
                }
            }
        }
    }
    let mut out = vec![0.0; free.len()];
    for (row, (place, line)) in places.iter().zip(&lines).enumerate() {
        let lead = line.get(row).copied().unwrap_or(0.0);
        if let (Some(slot), Some(value)) = (out.get_mut(*place), line.last()) {
            *slot = if lead.abs() < 1e-12 { 0.0 } else { value / lead };
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);

    #[test]
    fn a_known_logistic_is_found_again() {
        let rows: Vec<Row> = (-20..=20)
            .map(|i| {
                let x = f64::from(i) / 5.0;
                Row { terms: vec![1.0, x], share: 1.0 / (1.0 + (-(0.5 + 2.0 * x)).exp()), weight: 1.0 }
            })
            .collect();
        let found = logistic(&rows, &[0.0, 0.0], &[FREE, FREE]);
        assert!((found[0] - 0.5).abs() < 1e-4 && (found[1] - 2.0).abs() < 1e-4, "{found:?}");
    }

    #[test]
    fn a_bound_holds() {
        let rows: Vec<Row> = (-20..=20)
            .map(|i| Row { terms: vec![1.0, f64::from(i)], share: f64::from(u8::from(i < 0)), weight: 1.0 })
            .collect();
        let found = logistic(&rows, &[0.1, 0.1], &[FREE, (0.0, f64::INFINITY)]);
        assert!(found[1].abs() < 1e-12 && found[0].is_finite(), "{found:?}");
    }
}
