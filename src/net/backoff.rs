//! Back-off: slower where a network's failures rise, and no more where it says no.
//!
//! A sample is one service that was there, and how its last connection went. Each network (IPv4 /24, IPv6 /48) and each
//! AS keeps its last 64 samples; when the share of failures among them is more than twice the network's usual one, with
//! at least 16 samples and 6 failures, its rate is halved and the samples start anew. The usual share is what came before
//! those 64, and as long as that is little, what is usual in the rest of the run. The rate grows back by 5 % of the
//! limit a minute and never passes it; without a limit there is nothing to halve.
//!
//! A network says no by ICMP "administratively prohibited" from somewhere other than the host (a host's own firewall
//! speaks for that host alone), or our own machine's rules do: it is not asked any more in this run.
//!
//! Pure but for a lock: time comes with each call. Memory is bounded; the least used networks are forgotten first.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::limits::{Rates, network_of};
use crate::clock::{Clock, Timestamp};
use crate::observation::{End, Exchange};

/// Samples judged together.
const WINDOW: u32 = 64;
/// Fewest samples, and fewest failures among them, that slow a network.
const FEWEST: u32 = 16;
const FEWEST_FAILED: u32 = 6;
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
const FLOOR: f64 = 1.0 / 16.0;
/// Networks and ASes remembered.
const MOST_CELLS: usize = 1 << 16;
/// Networks that said no, in each of two generations. Forgetting one costs one connection to be told again.
const MOST_STOPPED: usize = 1 << 18;
/// Notices that wait to be recorded; further ones are only counted.
const MOST_NOTICES: usize = 10_000;

/// How asking one service went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sample {
    /// It was there to the end.
    Fine,
    /// It was there, and then fell silent, hung up by a reset, or could not be reached again.
    Failed,
}

impl Sample {
    /// The sample that the connections to one service make; `None` when it was never there, or nothing of it was asked.
    #[must_use]
    pub fn of(exchanges: &[Exchange]) -> Option<Self> {
        let asked = |one: &&Exchange| !matches!(one.end, End::OutOfScope | End::Stopped | End::Failed);
        let stood = |one: &Exchange| {
            !one.heard.is_empty()
                || matches!(one.end, End::Done | End::Closed | End::Reset | End::ReadTimedOut | End::Full)
        };
        let last = exchanges.iter().rev().find(asked)?;
        if !exchanges.iter().any(stood) {
            return None;
        }
        let failed = last.heard.is_empty() && !matches!(last.end, End::Done | End::Closed | End::Full);
        Some(if failed { Self::Failed } else { Self::Fine })
    }
}

/// A network that was slowed or is not asked any more.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// When.
    pub at: Timestamp,
    /// Which: `192.0.2.0/24`, `AS64496`.
    pub network: String,
    /// The part of its limit it may have now; 0 when it is not asked any more.
    pub part: f64,
    /// Why, in words.
    pub why: String,
}

/// Where every network stands.
#[derive(Debug)]
pub struct BackOff {
    /// Whether there is a limit to halve.
    networks: bool,
    systems: bool,
    /// False as long as nothing is slowed or stopped, so that most calls need no lock.
    acts: AtomicBool,
    withheld: AtomicU64,
    state: Mutex<State>,
}

impl BackOff {
    /// For these limits.
    #[must_use]
    pub fn new(rates: &Rates) -> Self {
        Self {
            networks: rates.network.is_some(),
            systems: rates.asn.is_some(),
            acts: AtomicBool::new(false),
            withheld: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    /// Takes in how asking a service went.
    pub fn learn(&self, address: IpAddr, asn: Option<u32>, sample: Sample, clock: &dyn Clock) {
        let (now, failed) = (clock.elapsed(), sample == Sample::Failed);
        let keys =
            [self.networks.then(|| Key::Network(network_of(address))), asn.filter(|_| self.systems).map(Key::System)];
        let mut state = self.lock();
        for key in keys.into_iter().flatten() {
            if let Some((part, why)) = state.sample(key, failed, now) {
                self.acts.store(true, Ordering::Release);
                state.tell(Notice { at: clock.now(), network: key.to_string(), part, why });
            }
        }
    }

    /// The network of `address` said no: it is not asked any more.
    pub fn stop(&self, address: IpAddr, why: &str, clock: &dyn Clock) {
        let network = network_of(address);
        let mut state = self.lock();
        if state.stopped.put(network) {
            state.tell(Notice {
                at: clock.now(),
                network: Key::Network(network).to_string(),
                part: 0.0,
                why: why.to_owned(),
            });
        }
        self.acts.store(true, Ordering::Release);
    }

    /// Takes over what an earlier part of the run was told; nothing is recorded again.
    pub fn restore(&self, networks: impl IntoIterator<Item = IpAddr>) {
        let mut state = self.lock();
        for network in networks {
            state.stopped.put(network_of(network));
            self.acts.store(true, Ordering::Release);
        }
    }

    /// True when the network of `address` is not asked any more.
    #[must_use]
    pub fn is_stopped(&self, address: IpAddr) -> bool {
        self.acts.load(Ordering::Acquire) && self.lock().stopped.has(network_of(address))
    }

    /// The rate that the network of `address` may have of its limit now.
    #[must_use]
    pub fn network_rate(&self, address: IpAddr, limit: f64, now: Duration) -> f64 {
        self.rate(Key::Network(network_of(address)), limit, now)
    }

    /// The rate that an AS may have of its limit now.
    #[must_use]
    pub fn system_rate(&self, asn: u32, limit: f64, now: Duration) -> f64 {
        self.rate(Key::System(asn), limit, now)
    }

    fn rate(&self, key: Key, limit: f64, now: Duration) -> f64 {
        if !self.acts.load(Ordering::Acquire) {
            return limit;
        }
        self.lock().cells.get(&key).map_or(limit, |cell| limit * cell.part(now))
    }

    /// Counts a service that was not asked because its network said no.
    pub(super) fn withhold(&self) {
        self.withheld.fetch_add(1, Ordering::Relaxed);
    }

    /// Services not asked because their network said no.
    #[must_use]
    pub fn withheld(&self) -> u64 {
        self.withheld.load(Ordering::Relaxed)
    }

    /// What happened since this was last asked, oldest first.
    #[must_use]
    pub fn notices(&self) -> Vec<Notice> {
        if !self.acts.load(Ordering::Acquire) {
            return Vec::new();
        }
        self.lock().notices.drain(..).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Key {
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
struct State {
    cells: HashMap<Key, Cell>,
    stopped: Stopped,
    notices: VecDeque<Notice>,
    /// All samples of the run, of networks and of ASes apart.
    usual: [Tally; 2],
}

impl State {
    /// Adds a sample; the part that is left, and why, when it slows the network.
    fn sample(&mut self, key: Key, failed: bool, now: Duration) -> Option<(f64, String)> {
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
    fn trim(&mut self, now: Duration) {
        let mut order: Vec<(bool, Duration, Key)> =
            self.cells.iter().map(|(key, cell)| (cell.part(now) < 1.0, cell.touched, *key)).collect();
        order.sort_unstable();
        for (_, _, key) in order.iter().take(MOST_CELLS / 2) {
            self.cells.remove(key);
        }
    }

    fn tell(&mut self, notice: Notice) {
        tracing::info!(network = notice.network, part = notice.part, why = notice.why, "back-off");
        if self.notices.len() < MOST_NOTICES {
            self.notices.push_back(notice);
        }
    }
}

/// Samples counted.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    failed: f64,
    all: f64,
}

impl Tally {
    fn add(&mut self, failed: bool) {
        self.failed += f64::from(u8::from(failed));
        self.all += 1.0;
    }

    /// Without what `other` counted.
    fn less(self, other: Self) -> Self {
        Self { failed: (self.failed - other.failed).max(0.0), all: (self.all - other.all).max(0.0) }
    }

    /// The share of failures, with a guess that weighs as many samples.
    fn share(self, guess: f64, weight: f64) -> f64 {
        (self.failed + guess * weight) / (self.all + weight)
    }
}

/// One network or AS.
#[derive(Clone, Copy, Debug)]
struct Cell {
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
    fn new(now: Duration) -> Self {
        Self { window: 0, length: 0, past: Tally::default(), left: 1.0, since: now, touched: now }
    }

    fn add(&mut self, failed: bool, now: Duration) {
        if self.length == WINDOW {
            self.past.add(self.window >> (WINDOW - 1) & 1 == 1);
        } else {
            self.length += 1;
        }
        self.window = self.window << 1 | u64::from(failed);
        self.touched = now;
    }

    /// Halves the rate when failures have risen.
    fn judge(&mut self, usual: &Tally, now: Duration) -> Option<(f64, String)> {
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
    fn part(&self, now: Duration) -> f64 {
        let minutes = now.saturating_sub(self.since).as_secs_f64() / 60.0;
        (self.left + BACK_PER_MINUTE * minutes).min(1.0)
    }
}

/// Networks that said no: two generations, of which the older is let go when the younger is full.
#[derive(Debug, Default)]
struct Stopped {
    young: HashSet<IpAddr>,
    old: HashSet<IpAddr>,
}

impl Stopped {
    fn has(&self, network: IpAddr) -> bool {
        self.young.contains(&network) || self.old.contains(&network)
    }

    /// True when it is new.
    fn put(&mut self, network: IpAddr) -> bool {
        if self.has(network) {
            return false;
        }
        if self.young.len() >= MOST_STOPPED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(network)
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "halves are exact")]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;
    use crate::clock::FakeClock;
    use crate::observation::Step;

    const LIMIT: f64 = 20.0;

    fn limited() -> (BackOff, FakeClock) {
        let rates = Rates { network: Some(LIMIT), asn: Some(50.0), ..Rates::default() };
        (BackOff::new(&rates), FakeClock::at(Timestamp::UNIX_EPOCH))
    }

    fn host(network: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(127, 1, network, 9))
    }

    fn learn(back_off: &BackOff, clock: &FakeClock, network: u8, samples: &str) {
        for letter in samples.chars() {
            let sample = if letter == 'x' { Sample::Failed } else { Sample::Fine };
            back_off.learn(host(network), Some(64_496), sample, clock);
        }
    }

    fn rate(back_off: &BackOff, clock: &FakeClock, network: u8) -> f64 {
        back_off.network_rate(host(network), LIMIT, clock.elapsed())
    }

    #[test]
    fn a_network_whose_failures_rise_is_halved_and_comes_back_by_a_twentieth_a_minute() {
        let (back_off, clock) = limited();
        learn(&back_off, &clock, 1, &".".repeat(100));
        learn(&back_off, &clock, 1, "xxxxx");
        assert_eq!(rate(&back_off, &clock, 1), LIMIT, "five can be chance");
        learn(&back_off, &clock, 1, "x");
        let expected = rate(&back_off, &clock, 1);
        assert_eq!(expected, LIMIT / 2.0);
        assert_eq!(rate(&back_off, &clock, 2), LIMIT, "the neighbour is not");
        let notices: Vec<Notice> =
            back_off.notices().into_iter().filter(|one| !one.network.starts_with("AS")).collect();
        assert_eq!((notices.len(), notices[0].network.as_str(), notices[0].part), (1, "127.1.1.0/24", 0.5));
        assert!(notices[0].why.contains("of the last 64"), "{}", notices[0].why);
        clock.advance(Duration::from_mins(4));
        assert!((rate(&back_off, &clock, 1) - LIMIT * 0.7).abs() < 1e-9);
        clock.advance(Duration::from_hours(9));
        assert_eq!(rate(&back_off, &clock, 1), LIMIT, "never above the limit");
        assert!(back_off.notices().is_empty(), "told once");
    }

    #[test]
    fn a_network_that_always_failed_so_is_left_at_its_rate() {
        let (back_off, clock) = limited();
        // A third of all resets everything, here and elsewhere.
        for round in 0..200 {
            for network in 1..4 {
                learn(&back_off, &clock, network, if round % 3 == 0 { "x" } else { "." });
            }
            // The first rounds may be taken for a rise.
            if round == 60 {
                clock.advance(Duration::from_hours(1));
            }
        }
        assert_eq!(rate(&back_off, &clock, 2), LIMIT);
    }

    #[test]
    fn fifteen_samples_are_not_enough_and_sixteen_are() {
        let (back_off, clock) = limited();
        learn(&back_off, &clock, 1, &"x".repeat(15));
        assert_eq!(rate(&back_off, &clock, 1), LIMIT);
        learn(&back_off, &clock, 1, "x");
        assert_eq!(rate(&back_off, &clock, 1), LIMIT / 2.0);
        learn(&back_off, &clock, 1, &"x".repeat(15));
        assert_eq!(rate(&back_off, &clock, 1), LIMIT / 2.0, "the next halving needs samples of its own");
        learn(&back_off, &clock, 1, &"x".repeat(300));
        assert_eq!(rate(&back_off, &clock, 1), LIMIT * FLOOR, "some is left");
        assert!(back_off.system_rate(64_496, 50.0, clock.elapsed()) < 50.0, "the AS is slower too");
        assert_eq!(back_off.system_rate(64_497, 50.0, clock.elapsed()), 50.0);
    }

    #[test]
    fn without_limits_only_a_no_counts() {
        let back_off = BackOff::new(&Rates { run: Some(5_000.0), ..Rates::default() });
        let clock = FakeClock::at(Timestamp::UNIX_EPOCH);
        learn(&back_off, &clock, 1, &"x".repeat(1_000));
        assert!(back_off.notices().is_empty() && !back_off.is_stopped(host(1)));
        back_off.stop(host(1), "prohibited", &clock);
        back_off.stop(host(1), "prohibited", &clock);
        assert!(back_off.is_stopped(IpAddr::V4(Ipv4Addr::new(127, 1, 1, 200))) && !back_off.is_stopped(host(2)));
        let notices = back_off.notices();
        assert_eq!((notices.len(), notices[0].part, notices[0].why.as_str()), (1, 0.0, "prohibited"));
    }

    #[test]
    fn what_is_restored_is_stopped_without_a_notice() {
        let (back_off, _) = limited();
        back_off.restore([IpAddr::V4(Ipv4Addr::new(127, 1, 5, 0))]);
        assert!(back_off.is_stopped(host(5)) && back_off.notices().is_empty());
    }

    #[test]
    fn memory_is_bounded_and_the_slowed_are_remembered_longest() {
        let mut state = State::default();
        let key = |number: u32| Key::Network(IpAddr::V4((number << 8).into()));
        let mut at = Duration::ZERO;
        for _ in 0..16 {
            state.sample(key(0), true, at);
        }
        for number in 1..200_000 {
            at += Duration::from_micros(1);
            state.sample(key(number), false, at);
            assert!(state.cells.len() <= MOST_CELLS);
        }
        assert!(state.cells[&key(0)].part(at) < 0.51);
        for number in 0..3 * u32::try_from(MOST_STOPPED).unwrap() {
            state.stopped.put(IpAddr::V4((number << 8).into()));
        }
        assert!(state.stopped.young.len() <= MOST_STOPPED && state.stopped.old.len() <= MOST_STOPPED);
    }

    #[test]
    fn a_service_that_was_there_and_went_is_a_failure_and_a_dead_one_is_nothing() {
        let one = |end, heard: &[u8]| Exchange { heard: heard.to_vec(), ..Exchange::unsent(Step::Page, end, None) };
        let of = |exchanges: &[Exchange]| Sample::of(exchanges);
        for end in [End::Refused, End::Unreachable, End::ConnectTimedOut, End::OutOfScope, End::Failed, End::Stopped] {
            assert_eq!(of(&[one(end, b"")]), None, "{end:?}");
        }
        for end in [End::Reset, End::ReadTimedOut] {
            assert_eq!(of(&[one(end, b"")]), Some(Sample::Failed), "{end:?}");
            assert_eq!(of(&[one(end, b"x")]), Some(Sample::Fine), "{end:?} after an answer");
        }
        let there = one(End::Done, b"x");
        for end in [End::ConnectTimedOut, End::Refused, End::Unreachable, End::Reset] {
            assert_eq!(of(&[there.clone(), one(end, b"")]), Some(Sample::Failed), "{end:?} later");
        }
        assert_eq!(
            of(&[one(End::Reset, b""), there.clone()]),
            Some(Sample::Fine),
            "one probe of many that is not liked"
        );
        assert_eq!(of(&[there, one(End::Stopped, b"")]), Some(Sample::Fine));
        assert_eq!(of(&[one(End::Closed, b"")]), Some(Sample::Fine));
    }

    proptest! {
        #[test]
        fn the_rate_stays_between_its_floor_and_its_limit_and_halves_only_on_samples_of_its_own(
            steps in prop::collection::vec((any::<bool>(), 0_u64..90), 1..600),
        ) {
            let (back_off, clock) = limited();
            let (mut since, mut failed_since) = (0, 0);
            for (failed, seconds) in steps {
                clock.advance(Duration::from_secs(seconds));
                let before = rate(&back_off, &clock, 1);
                learn(&back_off, &clock, 1, if failed { "x" } else { "." });
                let after = rate(&back_off, &clock, 1);
                since += 1;
                failed_since += u32::from(failed);
                prop_assert!((LIMIT * FLOOR..=LIMIT).contains(&after));
                if after < before {
                    prop_assert!((after - (before / 2.0).max(LIMIT * FLOOR)).abs() < 1e-9);
                    prop_assert!(since >= FEWEST && failed_since >= FEWEST_FAILED);
                    (since, failed_since) = (0, 0);
                } else {
                    prop_assert!((after - before).abs() < 1e-9);
                }
            }
        }

        #[test]
        fn a_network_that_never_fails_is_never_slowed(others in prop::collection::vec(any::<bool>(), 0..300)) {
            let (back_off, clock) = limited();
            for failed in others {
                learn(&back_off, &clock, 2, if failed { "x" } else { "." });
                learn(&back_off, &clock, 1, ".");
                prop_assert_eq!(rate(&back_off, &clock, 1), LIMIT);
            }
        }
    }
}
