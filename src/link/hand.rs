//! Whether a shared value shows one hand: how likely another holder of it has the same operator.
//!
//! A frequency alone does not tell a fleet's own key from the key of a public image. What the holders have in common in
//! the *other* groups does, and where they stand. A sample of pairs of holders is compared group by group; a logistic
//! regression, fitted on labelled worlds, turns what they agree in into a probability. Holders that are likely the
//! seed's own are then no background for it (`score`), and a value of another hand speaks against.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::pair;
use super::population::{Population, at, small};
use super::rung::{GROUPS, Rung};
use super::weights::Weights;
use crate::facet::Group;

/// Most holders looked at.
const SAMPLE: u32 = 24;
/// Each of the sample is compared with these on the ring.
const STEPS: [usize; 4] = [1, 2, 5, 9];
/// Two holders are alike when their other groups together say so at least this strongly: ln 4.
const ALIKE: f64 = 1.386_294_361_119_890_6;
/// A group's log ratio counts at most so much for a pair.
const MOST: f64 = 6.0;
/// A value is one of a kind of hosts when so many show it.
const FEW: usize = 4;
/// And no more than these.
const MANY: usize = 400;
/// A value that so large a share of the population shows is nobody's own.
const NOBODYS: f64 = 0.5;

/// Shares by value, computed once each.
#[derive(Debug, Default)]
pub(super) struct Hands {
    known: RefCell<HashMap<(Rung, u32), f64>>,
}

impl Hands {
    /// The probability that another holder of this value has the operator of a given one. A value that everybody shows
    /// is nobody's.
    pub(super) fn of(&self, population: &Population, weights: &Weights, rung: Rung, code: u32) -> f64 {
        if let Some(known) = self.known.borrow().get(&(rung, code)) {
            return *known;
        }
        let share = weights.hand(rung.group()).map_or(0.0, |fitted| {
            let common = f64::from(population.column(rung).count(code)) / population.size().max(1.0);
            fitted.probability(&terms(population, weights, rung, code)) * (1.0 - common / NOBODYS).max(0.0)
        });
        self.known.borrow_mut().insert((rung, code), share);
        share
    }
}

/// Names of the terms for values of a group.
pub(super) fn names(group: Group) -> Vec<String> {
    let rungs = Rung::ALL.into_iter().filter(|rung| rung.group() == group).map(|rung| rung.name().to_owned());
    let groups = Group::ALL.into_iter().map(|group| format!("agree in {}", group.as_str()));
    let rest = ["alike", "agreement", "disagreement", "nearest", "kin", "covered"].map(str::to_owned);
    rungs.chain(["ln holders".to_owned()]).chain(groups).chain(rest).collect()
}

/// True for values that are taken for one owner's: where their holders are strangers, a reader is told. Stacks and networks
/// are shared by strangers anyway, and their frequency says so.
pub(super) fn is_ones_own(rung: Rung) -> bool {
    matches!(
        rung,
        Rung::HostKey | Rung::Certificate | Rung::CertKey | Rung::Body | Rung::FaviconTitle | Rung::ComputerName
    )
}

/// What is known of a value without labels, in the order of [`names`].
pub(super) fn terms(population: &Population, weights: &Weights, rung: Rung, code: u32) -> Vec<f64> {
    let holders = population.column(rung).holders(code);
    let sample = spread(holders);
    let own = rung.group();
    let mut sums = [0.0_f64; GROUPS];
    let mut nearest: BTreeMap<u32, f64> = BTreeMap::new();
    let (mut alike, mut total, mut against, mut count) = (0.0, 0.0, 0.0, 0.0);
    for (one, other) in pairs(&sample) {
        let ratios = pair::ratios(population, weights, one, other);
        let mut sum = 0.0;
        let mut minus = 0.0;
        for ((group, ratio), slot) in Group::ALL.iter().zip(&ratios).zip(&mut sums) {
            // An image brings its key and its SSH server together.
            let same_cause = *group == own || (own == Group::Key && *group == Group::Sshd);
            if same_cause || !ratio.observed {
                continue;
            }
            let ln = ratio.ln.clamp(-MOST, MOST);
            *slot += ln.max(0.0);
            sum += ln.max(0.0);
            minus += ln.min(0.0);
        }
        count += 1.0;
        for host in [one, other] {
            let best: &mut f64 = nearest.entry(host).or_default();
            *best = best.max(sum.min(2.0 * MOST));
        }
        alike += f64::from(u8::from(sum >= ALIKE));
        total += sum.min(2.0 * MOST);
        against += minus;
    }
    let size = f64::from(small(holders.len())).max(2.0).ln();
    let many = f64::max(count, 1.0);
    let rungs = Rung::ALL.iter().filter(|one| one.group() == own).map(|one| f64::from(u8::from(*one == rung)));
    let groups = sums.iter().map(|sum| sum / many);
    let near = nearest.values().sum::<f64>() / f64::from(small(nearest.len())).max(1.0);
    let kin = nearest.values().filter(|sum| **sum >= 2.0 * ALIKE).count();
    let kin = f64::from(small(kin)) / f64::from(small(nearest.len())).max(1.0);
    let covered = coverage(population, rung, code, &sample);
    let rest = [alike / many, total / many, against / many, near, kin, covered];
    rungs.chain([size]).chain(groups).chain(rest).collect()
}

/// How much of their own kind the holders are: of the hosts that share another not too common value with a holder, the
/// share that shows this value too; for each holder the highest over the other groups, then the mean.
fn coverage(population: &Population, own: Rung, code: u32, sample: &[u32]) -> f64 {
    let column = population.column(own);
    let mut sum = 0.0;
    for host in sample {
        let mut best = 0.0_f64;
        for (_, other) in population.columns().filter(|(rung, _)| rung.group() != own.group()) {
            for theirs in other.codes(*host) {
                let holders = other.holders(*theirs);
                if (FEW..=MANY).contains(&holders.len()) {
                    let looked = spread(holders);
                    let both = looked.iter().filter(|one| column.codes(**one).contains(&code)).count();
                    best = best.max(f64::from(small(both.saturating_sub(1))) / f64::from(small(looked.len()) - 1));
                }
            }
        }
        sum += best;
    }
    sum / f64::from(small(sample.len())).max(1.0)
}

/// At most [`SAMPLE`] holders, evenly spread.
fn spread(holders: &[u32]) -> Vec<u32> {
    let total = u64::from(small(holders.len()));
    let taken = total.min(u64::from(SAMPLE));
    (0..taken).filter_map(|i| holders.get(at(u32::try_from(i * total / taken.max(1)).unwrap_or(0))).copied()).collect()
}

/// Each of the sample with some others on the ring.
fn pairs(sample: &[u32]) -> BTreeSet<(u32, u32)> {
    let mut out = BTreeSet::new();
    for step in STEPS {
        for (one, other) in sample.iter().zip(sample.iter().cycle().skip(step)) {
            if one != other {
                out.insert((*one.min(other), *one.max(other)));
            }
        }
    }
    out
}
