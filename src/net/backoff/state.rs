//! How each network and AS has fared, and when it is slowed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use super::Notice;

/// Samples judged together.
const WINDOW: u32 = 64;
/// Fewest samples, and fewest failures among them, that slow a network.
pub(super) const FEWEST: u32 = 16;
pub(super) const FEWEST_FAILED: u32 = 6;
/// How far above the usual the share of failures must rise.
const RISE: f64 = 2.0;
/// A share above this is too much, whatever is usual.
const MOST_USUAL: f64 = 0.9;
/// The usual share before anything is known, and how many samples that guess weighs.
const GUESS: f64 = 0.05;
const GUESS_WEIGHT: f64 = 20.0;
/// How many samples of a network's own make its own past weigh as much as the rest of the run.
const OWN_WEIGHT: f64 = 16.0;
/// The part of the limit that is given back in a minute.
const BACK_PER_MINUTE: f64 = 0.05;
/// The smallest part of the limit that is left.
pub(super) const FLOOR: f64 = 1.0 / 16.0;
/// Networks and ASes remembered.
pub(super) const MOST_CELLS: usize = 1 << 16;
/// Networks that said no, in each of two generations. Forgetting one costs one connection to be told again.
pub(super) const MOST_STOPPED: usize = 1 << 18;
/// Notices that wait to be recorded; further ones are only counted.
const MOST_NOTICES: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key {
    Network(IpAddr),
    System(u32),
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Network(first) => write!(f, "{first}/{}", if first.is_ipv4() { 24 } else { 48 }),
            Self::System(asn) => write!(f, "AS{asn}"),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) cells: HashMap<Key, Cell>,
    pub(super) stopped: Stopped,
    pub(super) notices: VecDeque<Notice>,
    /// All samples of the run, of networks and of ASes apart.
    usual: [Tally; 2],
}

impl State {
    /// Adds a sample; the part that is left, and why, when it slows the network.
    pub(super) fn sample(&mut self, key: Key, failed: bool, now: Duration) -> Option<(f64, String)> {
        if self.cells.len() >= MOST_CELLS && !self.cells.contains_key(&key) {
            self.trim(now);
        }
        let [networks, systems] = &mut self.usual;
        let usual = if matches!(key, Key::Network(_)) { networks } else { systems };
        usual.add(failed);
        let cell = self.cells.entry(key).or_insert_with(|| Cell::new(now));
        cell.add(failed, now);
        cell.judge(usual, now)
    }

    /// Forgets the half that was used longest ago, those at their full rate first.
    pub(super) fn trim(&mut self, now: Duration) {
        let mut order: Vec<(bool, Duration, Key)> =
            self.cells.iter().map(|(key, cell)| (cell.part(now) < 1.0, cell.touched, *key)).collect();
        order.sort_unstable();
        for (_, _, key) in order.iter().take(MOST_CELLS / 2) {
            self.cells.remove(key);
        }
    }

    pub(super) fn tell(&mut self, notice: Notice) {
        tracing::info!(network = notice.network, part = notice.part, why = notice.why, "back-off");
        if self.notices.len() < MOST_NOTICES {
            self.notices.push_back(notice);
        }
    }
}

/// Samples counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    failed: f64,
    all: f64,
}

impl Tally {
    pub(super) fn add(&mut self, failed: bool) {
        self.failed += f64::from(u8::from(failed));
        self.all += 1.0;
    }

    /// Without what `other` counted.
    pub(super) fn less(self, other: Self) -> Self {
        Self { failed: (self.failed - other.failed).max(0.0), all: (self.all - other.all).max(0.0) }
    }

    /// The share of failures, with a guess that weighs as many samples.
    pub(super) fn share(self, guess: f64, weight: f64) -> f64 {
        (self.failed + guess * weight) / (self.all + weight)
    }
}

/// One network or AS.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// The last samples, the newest lowest; set where it failed.
    window: u64,
    length: u32,
    /// Samples that have left the window.
    past: Tally,
    /// The part of the limit left at `since`.
    left: f64,
    since: Duration,
    touched: Duration,
}

impl Cell {
    pub(super) fn new(now: Duration) -> Self {
        Self { window: 0, length: 0, past: Tally::default(), left: 1.0, since: now, touched: now }
    }

    pub(super) fn add(&mut self, failed: bool, now: Duration) {
        if self.length == WINDOW {
            self.past.add(self.window >> (WINDOW - 1) & 1 == 1);
        } else {
            self.length += 1;
        }
        self.window = self.window << 1 | u64::from(failed);
        self.touched = now;
    }

    /// Halves the rate when failures have risen.
    pub(super) fn judge(&mut self, usual: &Tally, now: Duration) -> Option<(f64, String)> {
        let failed = self.window.count_ones();
        if self.length < FEWEST || failed < FEWEST_FAILED {
            return None;
        }
        let here = Tally { failed: f64::from(failed), all: f64::from(self.length) };
        let elsewhere = usual.less(here).less(self.past).share(GUESS, GUESS_WEIGHT);
        let baseline = self.past.share(elsewhere, OWN_WEIGHT);
        let share = here.failed / here.all;
        if share <= (RISE * baseline).min(MOST_USUAL) {
            return None;
        }
        self.left = (self.part(now) / 2.0).max(FLOOR);
        self.since = now;
        let why = format!(
            "{failed} of the last {} services that were there failed; {:.0} % is usual",
            self.length,
            baseline * 100.0
        );
        // The next halving needs samples of its own. What is judged does not become the usual.
        (self.window, self.length) = (0, 0);
        Some((self.left, why))
    }

    /// The part of the limit left now.
    pub(super) fn part(&self, now: Duration) -> f64 {
        let minutes = now.saturating_sub(self.since).as_secs_f64() / 60.0;
        (self.left + BACK_PER_MINUTE * minutes).min(1.0)
    }
}

/// Networks that said no: two generations, of which the older is let go when the younger is full.
#[derive(Debug, Default)]
pub(super) struct Stopped {
    pub(super) young: HashSet<IpAddr>,
    pub(super) old: HashSet<IpAddr>,
}

impl Stopped {
    pub(super) fn has(&self, network: IpAddr) -> bool {
        self.young.contains(&network) || self.old.contains(&network)
    }

    /// True when it is new.
    pub(super) fn put(&mut self, network: IpAddr) -> bool {
        if self.has(network) {
            return false;
        }
        if self.young.len() >= MOST_STOPPED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(network)
    }
}
