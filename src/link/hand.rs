//! Whether a shared value shows one hand: how likely another holder of it has the same operator.
//!
//! A frequency alone does not tell a fleet's own key from the key of a public image. What the holders have in common in
//! the *other* groups does, and where they stand. A sample of pairs of holders is compared group by group; a logistic
//! regression, fitted on labelled worlds, turns what they agree in into a probability. Holders that are likely the
//! seed's own are then no background for it (`score`), and a value of another hand speaks against.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError, RwLock};

use super::pair;
use super::population::{Population, at, small};
use super::reach::Reach;
use super::rung::{GROUPS, Rung};
use super::score::Ground;
use super::weights::Weights;
use crate::facet::{Group, Habit};

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
/// Up to so many holders are searched for a host, which stays in the processor's cache; of more, the host is asked.
const SEARCHED: usize = 1 << 14;
/// A value that so large a share of the population shows is nobody's own.
const NOBODYS: f64 = 0.5;

/// What is known of a value whatever the set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// Whose default it is, if it is one.
    pub(super) habit: Option<Habit>,
    /// The probability that another holder of it has the operator of a given one; 0 for a default, and for a value that
    /// everybody shows.
    pub(super) hand: f64,
}

/// What is known by value, computed once each.
#[derive(Debug, Default)]
pub(super) struct Hands {
    known: RwLock<HashMap<(Rung, u32), Told>>,
    reach: Mutex<Vec<Reach>>,
}

impl Hands {
    /// Lends room for sums by host, used again and again.
    pub(super) fn with_reach<T>(&self, work: impl FnOnce(&mut Reach) -> T) -> T {
        let pool = || self.reach.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reach = pool().pop().unwrap_or_default();
        let out = work(&mut reach);
        pool().push(reach);
        out
    }

    /// What is known of this value.
    pub(super) fn of(&self, ground: Ground<'_>, rung: Rung, code: u32) -> Told {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&(rung, code)).copied();
        if let Some(known) = known {
            return known;
        }
        let habit = ground.defaults.habit(rung, ground.population.column(rung).value(code));
        let hand = if habit.is_some() { 0.0 } else { hand(ground.population, ground.weights, rung, code) };
        let told = Told { habit, hand };
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert((rung, code), told);
        told
    }
}

fn hand(population: &Population, weights: &Weights, rung: Rung, code: u32) -> f64 {
    let common = f64::from(population.column(rung).count(code)) / population.size().max(1.0);
    weights
        .hand(rung.group())
        .filter(|_| common < NOBODYS)
        .map_or(0.0, |fitted| fitted.probability(&terms(population, weights, rung, code)) * (1.0 - common / NOBODYS))
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
    let sample: Vec<u32> = spread(holders).collect();
    let own = rung.group();
    let mut sums = [0.0_f64; GROUPS];
    let mut nearest = vec![0.0_f64; sample.len()];
    let (mut alike, mut total, mut against, mut count) = (0.0, 0.0, 0.0, 0.0);
    for (left, right) in pairs(sample.len()) {
        let (Some(one), Some(other)) = (sample.get(left), sample.get(right)) else { continue };
        let ratios = pair::ratios(population, weights, *one, *other);
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
        for place in [left, right] {
            if let Some(best) = nearest.get_mut(place) {
                *best = best.max(sum.min(2.0 * MOST));
            }
        }
        alike += f64::from(u8::from(sum >= ALIKE));
        total += sum.min(2.0 * MOST);
        against += minus;
    }
    let size = f64::from(small(holders.len())).max(2.0).ln();
    let many = f64::max(count, 1.0);
    let rungs = Rung::ALL.iter().filter(|one| one.group() == own).map(|one| f64::from(u8::from(*one == rung)));
    let groups = sums.iter().map(|sum| sum / many);
    let near = nearest.iter().sum::<f64>() / f64::from(small(nearest.len())).max(1.0);
    let kin = nearest.iter().filter(|sum| **sum >= 2.0 * ALIKE).count();
    let kin = f64::from(small(kin)) / f64::from(small(nearest.len())).max(1.0);
    let covered = coverage(population, rung, code, &sample);
    let rest = [alike / many, total / many, against / many, near, kin, covered];
    rungs.chain([size]).chain(groups).chain(rest).collect()
}

/// How much of their own kind the holders are: of the hosts that share another not too common value with a holder, the
/// share that shows this value too; for each holder the highest over the other groups, then the mean.
fn coverage(population: &Population, own: Rung, code: u32, sample: &[u32]) -> f64 {
    let column = population.column(own);
    let all = column.holders(code);
    let shows = |host: u32| {
        if all.len() <= SEARCHED { all.binary_search(&host).is_ok() } else { column.codes(host).contains(&code) }
    };
    let mut sum = 0.0;
    for host in sample {
        let mut best = 0.0_f64;
        for (_, other) in population.columns().filter(|(rung, _)| rung.group() != own.group()) {
            for theirs in other.codes(*host) {
                let holders = other.holders(*theirs);
                if (FEW..=MANY).contains(&holders.len()) {
                    let (looked, both) =
                        spread(holders).fold((0, 0_u32), |(n, both), one| (n + 1, both + u32::from(shows(one))));
                    best = best.max(f64::from(both.saturating_sub(1)) / f64::from(looked - 1));
                }
            }
        }
        sum += best;
    }
    sum / f64::from(small(sample.len())).max(1.0)
}

/// At most [`SAMPLE`] holders, evenly spread.
fn spread(holders: &[u32]) -> impl Iterator<Item = u32> {
    let total = u64::from(small(holders.len()));
    let taken = total.min(u64::from(SAMPLE));
    (0..taken).filter_map(move |i| holders.get(at(u32::try_from(i * total / taken.max(1)).unwrap_or(0))).copied())
}

/// Each of a sample of this length with some others on the ring, by their places.
fn pairs(length: usize) -> Vec<(usize, usize)> {
    let mut out: Vec<(usize, usize)> = STEPS
        .iter()
        .flat_map(|step| (0..length).map(move |one| (one, (one + step) % length)))
        .filter(|(one, other)| one != other)
        .map(|(one, other)| (one.min(other), one.max(other)))
        .collect();
    out.sort_unstable();
    out.dedup();
    out
}
