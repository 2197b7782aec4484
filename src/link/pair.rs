//! Two hosts compared: one likelihood ratio per group, by the profile formula for a set of one.
//!
//! For each rung from the general one up: `R = ((1 - d) / f + (a + d) R') / (1 + a)` where the two agree, and without the
//! first term where they differ; `f` is the share of other hosts that show the value, `R'` the rung below. Reference:
//! notes/linkage.md section 3 with one member.

use super::population::Population;
use super::rung::{GROUPS, Rung};
use super::score::{DISCOUNT, Ratio};
use super::weights::Weights;
use crate::facet::Group;

/// What each group says of two hosts, in the order of [`Group::ALL`].
pub(super) fn ratios(population: &Population, weights: &Weights, one: u32, other: u32) -> [Ratio; GROUPS] {
    let mut out = [Ratio::UNOBSERVED; GROUPS];
    let mut rungs = population.columns().rev().peekable();
    for ((group, group_weights), slot) in Group::ALL.iter().zip(weights.groups()).zip(&mut out).rev() {
        let mut ratio = 1.0;
        let mut observed = false;
        while let Some((rung, column)) = rungs.next_if(|(rung, _): &(Rung, _)| rung.group() == *group) {
            if !(column.is_observed(one) && column.is_observed(other)) {
                continue;
            }
            observed = true;
            let theirs = column.codes(other);
            if theirs.is_empty() {
                continue;
            }
            let shared = column.codes(one).iter().filter(|code| theirs.contains(code));
            let rarest = shared.min_by_key(|code| (column.count(**code), **code)).copied();
            let gain = rarest.map_or(0.0, |code| {
                (1.0 - DISCOUNT) * population.size() / (f64::from(column.count(code).saturating_sub(1)) + 0.5)
            });
            ratio = (gain + (group_weights.alpha + DISCOUNT) * ratio) / (1.0 + group_weights.alpha);
            if let Some(code) = rarest {
                slot.hit = Some((rung, code));
            }
        }
        slot.observed = observed;
        slot.ln = if observed { f64::max(ratio, 1e-9).ln() } else { 0.0 };
    }
    out
}
