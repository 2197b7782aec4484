//! How alike the holders of a value are in everything else: the guard against promiscuous values.
//!
//! A host key baked into a public image, a certificate of a CDN or of an appliance is shared by strangers. Counting
//! holders does not show it; looking at what else they have in common does. A value whose holders are strangers counts
//! less.

use std::collections::{BTreeSet, HashMap};

use super::pair;
use super::population::{Population, at, small};
use super::rung::Rung;
use super::weights::Weights;
use crate::facet::Group;

/// Most holders looked at.
const SAMPLE: u32 = 12;
/// Two holders are alike when their other groups together say so at least this strongly: ln 4.
const ALIKE: f64 = 1.386_294_361_119_890_6;
/// From this share of alike pairs on a value counts in full. Hosts of one operator differ too, by drift and by what
/// customers do, so that half of the pairs is a good mark for one hand.
const FULL: f64 = 0.4;

/// Likeness by value, computed once each.
#[derive(Debug, Default)]
pub(super) struct Likeness {
    known: HashMap<(Rung, u32), f64>,
}

impl Likeness {
    /// The factor, 0 to 1, at which agreement in this value counts.
    pub(super) fn of(&mut self, population: &Population, weights: &Weights, rung: Rung, code: u32) -> f64 {
        if !is_judged(rung) {
            return 1.0;
        }
        *self.known.entry((rung, code)).or_insert_with(|| measure(population, weights, rung, code))
    }
}

/// Rungs whose values are taken for one owner's: only these are judged. Stacks and networks are shared by strangers
/// anyway, and their frequency says so.
fn is_judged(rung: Rung) -> bool {
    matches!(
        rung,
        Rung::HostKey | Rung::Certificate | Rung::CertKey | Rung::Body | Rung::FaviconTitle | Rung::ComputerName
    )
}

fn measure(population: &Population, weights: &Weights, rung: Rung, code: u32) -> f64 {
    let holders = population.column(rung).holders(code);
    let sample = spread(holders);
    let own = rung.group();
    let (mut alike, mut told) = (0_u32, 0_u32);
    for (one, other) in pairs(&sample) {
        let ratios = pair::ratios(population, weights, one, other);
        let others = Group::ALL.iter().zip(&ratios).filter(|(group, ratio)| {
            // An image brings its key and its SSH server together.
            let same_cause = **group == own || (own == Group::Key && **group == Group::Sshd);
            !same_cause && ratio.observed
        });
        let (seen, sum) = others.fold((false, 0.0), |(_, sum), (_, ratio)| (true, sum + ratio.ln.max(0.0)));
        told += u32::from(seen);
        alike += u32::from(seen && sum >= ALIKE);
    }
    // Too few pairs prove nothing: one is added that is alike.
    let share = f64::from(alike + 1) / f64::from(told + 1);
    (share / FULL).min(1.0)
}

/// At most [`SAMPLE`] holders, evenly spread.
fn spread(holders: &[u32]) -> Vec<u32> {
    let total = small(holders.len());
    let taken = total.min(SAMPLE);
    (0..taken).filter_map(|i| holders.get(at(i * (total / taken.max(1)))).copied()).collect()
}

/// Each of the sample with the next, the second next and the fifth next.
fn pairs(sample: &[u32]) -> BTreeSet<(u32, u32)> {
    let mut out = BTreeSet::new();
    for step in [1, 2, 5] {
        for (one, other) in sample.iter().zip(sample.iter().cycle().skip(step)) {
            if one != other {
                out.insert((*one.min(other), *one.max(other)));
            }
        }
    }
    out
}
