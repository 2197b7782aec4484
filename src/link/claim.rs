//! What may be claimed: the level, and what it does to the score.
//!
//! A page or a certificate goes where its customer goes. Without a group of the provider's side (key, sshd, web, rdp,
//! ports, net) agreement proves the same *content*, not the same provider (notes/linkage.md section 6, rule 3); and no
//! single group carries a claim about a provider, whatever its ratio, because copied values are cheap (rule 5).

use super::grow::Grown;
use super::rung::{GROUPS, Rung, is_provider_side};
use super::score::{Ground, Profile, Ratio, Scored};
use crate::facet::{Group, Habit};
use crate::finding::Level;

/// A group takes part in a claim from this counted log ratio on: ln 2, where the verbal scale begins.
pub(super) const COUNTS: f64 = core::f64::consts::LN_2;
/// What the provider's side has to count together before a claim can be about the provider: ln 5.
const PROVIDER_SIDE: f64 = 1.609_437_912_434_100_3;
/// A claim that is not about the provider stays below this score, in its order.
const BELOW_EVEN: f64 = 0.45;
/// Score from which a host is in its provider's cluster.
pub(super) const IN_CLUSTER: f64 = 0.5;

/// The level at which a host's agreement with a set holds.
pub(super) fn level(profile: &Profile, scored: &Scored) -> Level {
    let groups = || Group::ALL.into_iter().zip(scored.counted).zip(scored.ratios);
    let habit = |ratio: &Ratio| ratio.hit.and_then(|(rung, code)| profile.held(rung, code)?.habit);
    // A known default ranks a host and carries no claim.
    let in_favour = || groups().filter(|((_, counted), ratio)| *counted >= COUNTS && habit(ratio).is_none());
    let supports = in_favour().count();
    let provider: f64 = in_favour().filter(|((group, _), _)| is_provider_side(*group)).map(|((_, c), _)| c).sum();
    if supports >= 2 && provider >= PROVIDER_SIDE {
        return Level::Provider;
    }
    if in_favour().any(|((group, _), _)| !is_provider_side(group)) {
        return Level::Tenant;
    }
    let lone = in_favour().map(|((_, _), ratio)| ratio.hit.map(|(rung, _)| rung)).next().flatten();
    match lone {
        Some(Rung::Prefix | Rung::Asn) | None => {}
        Some(_) => return Level::Vendor,
    }
    match groups().filter_map(|(_, ratio)| habit(&ratio)).min() {
        Some(Habit::Vendor) => Level::Vendor,
        Some(Habit::Distribution) => Level::Distribution,
        Some(Habit::Tenant | Habit::Provider) | None => Level::Chance,
    }
}

/// The same for a host of a grown set: what is not tied to the confirmed hosts ([`super::tied`]) is no claim about their
/// provider either, however much it has in common with others that came in with it.
pub(super) fn tied_level(ground: Ground<'_>, grown: &Grown, host: u32, scored: &Scored) -> Level {
    let level = level(&grown.set.hosts, scored);
    if level == Level::Provider { grown.tied.level(ground, host) } else { level }
}

/// The score that goes with a level: a claim that is not about the provider never reaches even odds. Order is kept.
pub(super) fn bound(score: f64, level: Level) -> f64 {
    if level == Level::Provider || score <= BELOW_EVEN {
        score
    } else {
        BELOW_EVEN + (IN_CLUSTER - BELOW_EVEN) * 0.8 * (score - BELOW_EVEN) / (1.0 - BELOW_EVEN)
    }
}

/// The sum of all counted evidence, and the same without the strongest group; natural logarithms.
pub(super) fn totals(counted: &[f64; GROUPS]) -> (f64, f64) {
    let sum: f64 = counted.iter().sum();
    let strongest = counted.iter().fold(0.0_f64, |most, one| most.max(*one));
    (sum, sum - strongest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_below_the_provider_keeps_its_order_and_stays_below_even_odds() {
        let scores = [0.0, 0.2, 0.45, 0.6, 0.9, 1.0];
        let bounded: Vec<f64> = scores.iter().map(|score| bound(*score, Level::Tenant)).collect();
        assert!(bounded.is_sorted_by(|a, b| a < b));
        assert!(bounded.iter().all(|score| *score < IN_CLUSTER));
        assert!((bound(0.9, Level::Provider) - 0.9).abs() < 1e-12);
    }

    #[test]
    fn the_strongest_group_is_left_out_once() {
        let (all, without) = totals(&[3.0, 1.0, -0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert!((all - 3.5).abs() < 1e-12 && (without - 0.5).abs() < 1e-12);
    }
}
