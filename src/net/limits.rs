//! Whose turn it is: limits for the run, each host, each network and each AS, counted per connection.
//!
//! Every limit has a line: who comes is given the next free place, one period behind the last, and sleeps until then.
//! Lines go from narrow to wide, so that a slow network uses up none of the run's places. What holds a limit is not the
//! line but [`Limiter::take`], asked right before dialling: a place that came late, because the machine was busy, is
//! used only if all limits still agree at that moment. The run agrees to what is at most 8 ms ahead of its rate; a host,
//! a network or an AS to as many connections in a second as its rate says. What was missed is never made up for later.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::backoff::BackOff;
use crate::clock::Clock;

/// How far ahead of its rate the run may be. On the wire it may be 10 ms; the rest is for what can pass between taking
/// a turn and the packet's departure.
const CREDIT: Duration = Duration::from_millis(8);

/// The same for those who do not line up: what is left of the credit is for those who do.
const CREDIT_BESIDE: Duration = Duration::from_millis(6);

/// A narrow limit's second lasts this long, for the same reason.
const SECOND: f64 = 1.004;

/// Places in a narrow line stand this much wider than the rate asks: one that comes some milliseconds late still leaves
/// a full second between the first and the last of a second's worth.
const WIDER: f64 = 1.010;

/// A new host joins lines no longer than this (or two places): hosts that were begun go first, so that few are half done
/// at any moment, and a stop costs little.
const SHORT: Duration = Duration::from_millis(100);

/// Longest sleep before a new host looks at the lines again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Most connections a narrow cell remembers; limits above it are held over shorter stretches than a second.
const MOST_REMEMBERED: f64 = 4096.0;

/// Turns between two looks for cells that no longer bind.
const TRIM_EVERY: u32 = 4096;

/// Limits as numbers; `None` is unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Connections a second, whole run.
    pub run: Option<f64>,
    /// Connections a second to each IPv4 /24 and IPv6 /48.
    pub network: Option<f64>,
    /// Connections a second to each host.
    pub host: Option<f64>,
    /// Connections to each host in all.
    pub host_total: Option<u32>,
    /// Connections a second to each AS.
    pub asn: Option<f64>,
}

/// Why a turn was not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTurn {
    /// The host has had all the connections it may get in this run.
    Exhausted,
    /// Not now: wait this long, then in the run's line again.
    NotYet(Duration),
}

/// What stands in the way of one who does not line up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The run's pace, or those who line up for it.
    Run,
    /// The network or the AS, this long.
    Network(Duration),
    /// The host, this long.
    Host(Duration),
    /// Nothing to wait for: the host has had all it may get in this run.
    Exhausted,
}

/// The limits of a run and where they stand.
pub struct Limiter {
    rates: Rates,
    clock: Arc<dyn Clock>,
    cells: Mutex<Cells>,
    back_off: BackOff,
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limiter").field("rates", &self.rates).finish_non_exhaustive()
    }
}

impl Limiter {
    /// Limits with nothing used up.
    #[must_use]
    pub fn new(rates: Rates, clock: Arc<dyn Clock>) -> Self {
        Self { rates, clock, cells: Mutex::default(), back_off: BackOff::new(&rates) }
    }

    /// Waits in the lines of the host, its network and its AS, then in the run's. After that a turn can be
    /// taken. A host that has had all it may get waits for nothing.
    pub async fn line_up(&self, address: IpAddr, asn: Option<u32>) {
        if self.is_exhausted(&self.lock(), address) {
            return;
        }
        while let Some(time) = self.steps_back(address, asn) {
            wait(time).await;
        }
        for (key, rate) in self.narrow(address, asn) {
            let now = self.clock.elapsed();
            let place = self.lock().narrow.entry(key).or_default().line_up(rate, now);
            wait(place.saturating_sub(now)).await;
        }
        self.line_up_again(Duration::ZERO).await;
    }

    /// How long a new host leaves the lines to those that were begun; `None` when it may join.
    fn steps_back(&self, address: IpAddr, asn: Option<u32>) -> Option<Duration> {
        let cells = self.lock();
        if cells.used.contains_key(&address) {
            return None;
        }
        let now = self.clock.elapsed();
        let too_long = |free: Duration, rate: f64| free.saturating_sub(now).checked_sub(SHORT.max(seconds(2.0 / rate)));
        let run = self.rates.run.and_then(|rate| too_long(cells.run.free, rate));
        let wide = self.narrow(address, asn).filter(|(key, _)| !matches!(key, Key::Host(_)));
        let narrow = wide.filter_map(|(key, rate)| too_long(cells.narrow.get(&key)?.free, rate)).max();
        run.max(narrow).filter(|time| !time.is_zero()).map(|time| time.min(LOOK_AGAIN))
    }

    /// How many new hosts the run's line has room for now: none while it is long, since more would only wait outside it.
    #[must_use]
    pub fn room(&self) -> usize {
        let Some(rate) = self.rates.run else { return usize::MAX };
        let ahead = self.lock().run.free.saturating_sub(self.clock.elapsed());
        let left = SHORT.max(seconds(2.0 / rate)).saturating_sub(ahead).as_secs_f64() * rate;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to a small positive range"
        )]
        let room = left.ceil().clamp(0.0, 1e6) as usize;
        room
    }

    /// Waits as long as a turn was refused for, then in the run's line.
    pub async fn line_up_again(&self, refused_for: Duration) {
        wait(refused_for).await;
        if let Some(rate) = self.rates.run {
            let now = self.clock.elapsed();
            let place = self.lock().run.line_up(rate, now);
            wait(place.saturating_sub(now)).await;
        }
    }

    /// Takes the turn for one connection to `address`, which is to be dialled at once: nothing may be waited for between
    /// this and dialling.
    ///
    /// # Errors
    /// When the host has had all it may get, or a limit does not agree right now.
    pub fn take(&self, address: IpAddr, asn: Option<u32>) -> Result<(), NoTurn> {
        let mut cells = self.lock();
        // Read behind the lock: waiting for it must not make the turn older than it looks.
        let now = self.clock.elapsed();
        if self.is_exhausted(&cells, address) {
            return Err(NoTurn::Exhausted);
        }
        let narrow = |(key, rate)| cells.narrow.get(&key).map_or(Duration::ZERO, |cell: &Narrow| cell.ready(rate));
        let ready = self.narrow(address, asn).map(narrow).max().unwrap_or_default();
        if ready > now {
            return Err(NoTurn::NotYet(ready.saturating_sub(now)));
        }
        if self.rates.run.is_some() && cells.run.ready() > now {
            // Its place in the line is lost: the place after the last one follows.
            return Err(NoTurn::NotYet(Duration::ZERO));
        }
        for (key, rate) in self.narrow(address, asn) {
            cells.narrow.entry(key).or_default().take(rate, now);
        }
        if let Some(rate) = self.rates.run {
            cells.run.take(rate, now);
        }
        *cells.used.entry(address).or_default() += 1;
        cells.trim(now);
        Ok(())
    }

    /// Takes a turn for one SYN without lining up, where nobody has the next place in any of the lines: what was begun is
    /// finished before more is begun. Like a place in a line, but one that is a little late keeps its time.
    ///
    /// # Errors
    /// What stands in the way.
    pub fn step_in(&self, address: IpAddr, asn: Option<u32>) -> Result<(), Wait> {
        if self.rates == Rates::default() {
            return Ok(());
        }
        let mut cells = self.lock();
        let now = self.clock.elapsed();
        if self.is_exhausted(&cells, address) {
            return Err(Wait::Exhausted);
        }
        let mut longest = Duration::ZERO;
        let mut wait = None;
        for (key, rate) in self.narrow(address, asn) {
            let ready = cells.narrow.get(&key).map_or(Duration::ZERO, |cell| cell.ready(rate).max(cell.free));
            if let Some(time) = ready.checked_sub(now).filter(|time| *time > longest) {
                longest = time;
                wait = Some(if matches!(key, Key::Host(_)) { Wait::Host(time) } else { Wait::Network(time) });
            }
        }
        if self.rates.run.is_some() && cells.run.ready_beside().max(cells.run.free) > now {
            wait = wait.or(Some(Wait::Run));
        }
        if let Some(wait) = wait {
            return Err(wait);
        }
        let late = now.saturating_sub(CREDIT);
        for (key, rate) in self.narrow(address, asn) {
            let cell = cells.narrow.entry(key).or_default();
            cell.line_up(rate, late);
            cell.take(rate, now);
        }
        if let Some(rate) = self.rates.run {
            cells.run.take(rate, now);
            cells.run.free = cells.run.free.max(cells.run.ready_beside());
        }
        *cells.used.entry(address).or_default() += 1;
        cells.trim(now);
        Ok(())
    }

    /// Where networks are slowed below their limits.
    #[must_use]
    pub fn back_off(&self) -> &BackOff {
        &self.back_off
    }

    /// A turn that our own machine could not use is not one that the host has had.
    pub(super) fn unspent(&self, address: IpAddr) {
        if let Some(used) = self.lock().used.get_mut(&address) {
            *used = used.saturating_sub(1);
        }
    }

    /// These hosts are finished with: their counts may be forgotten.
    pub fn forget(&self, addresses: impl Iterator<Item = IpAddr>) {
        let mut addresses = addresses.peekable();
        // A few at a time: nobody's turn should wait for this.
        while addresses.peek().is_some() {
            let mut cells = self.lock();
            if cells.used.is_empty() {
                return;
            }
            for address in addresses.by_ref().take(256) {
                cells.used.remove(&address);
            }
        }
    }

    /// Connections that hosts begun and not finished have had: what a later part of the run must count too. Empty when
    /// no such limit is set.
    #[must_use]
    pub fn spent(&self) -> Vec<(IpAddr, u32)> {
        if self.rates.host_total.is_none() {
            return Vec::new();
        }
        self.lock().used.iter().map(|(address, used)| (*address, *used)).collect()
    }

    /// Takes over what an earlier part of the run spent on hosts it did not finish.
    pub fn restore(&self, spent: impl IntoIterator<Item = (IpAddr, u32)>) {
        let mut cells = self.lock();
        for (address, used) in spent {
            *cells.used.entry(address).or_default() += used;
        }
    }

    /// Cells held, for `-v` and tests.
    #[must_use]
    pub fn held(&self) -> usize {
        let cells = self.lock();
        cells.narrow.len() + cells.used.len()
    }

    fn is_exhausted(&self, cells: &Cells, address: IpAddr) -> bool {
        self.rates.host_total.is_some_and(|most| cells.used.get(&address).is_some_and(|used| *used >= most))
    }

    /// The narrow limits that bind this address, narrowest first; less where a network is slowed.
    fn narrow(&self, address: IpAddr, asn: Option<u32>) -> impl Iterator<Item = (Key, f64)> + use<> {
        let Rates { host, network, asn: system, .. } = self.rates;
        let (now, back_off) = (self.clock.elapsed(), &self.back_off);
        let keys = [
            host.map(|rate| (Key::Host(address), rate)),
            network.map(|rate| (Key::Network(network_of(address)), back_off.network_rate(address, rate, now))),
            system.zip(asn).map(|(rate, asn)| (Key::System(asn), back_off.system_rate(asn, rate, now))),
        ];
        keys.into_iter().flatten()
    }

    fn lock(&self) -> MutexGuard<'_, Cells> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn wait(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// The first address of the IPv4 /24 or IPv6 /48 that holds `address`.
#[must_use]
pub fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) & 0xffff_ff00).into()),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & (u128::MAX << 80)).into()),
    }
}

#[derive(Default)]
struct Cells {
    narrow: HashMap<Key, Narrow>,
    /// Connections to each host that was begun and is not forgotten.
    used: HashMap<IpAddr, u32>,
    run: Wide,
    since_trim: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Host(IpAddr),
    Network(IpAddr),
    System(u32),
}

impl Cells {
    /// Now and then forgets what no longer binds, so that memory stays flat.
    fn trim(&mut self, now: Duration) {
        self.since_trim += 1;
        if self.since_trim >= TRIM_EVERY {
            self.since_trim = 0;
            self.narrow.retain(|_, cell| cell.binds_until > now);
        }
    }
}

/// The limit of one host, network or AS: a line, and when its last connections were.
#[derive(Default)]
struct Narrow {
    /// The next free place in the line.
    free: Duration,
    /// The last connections, as many as the rate allows in its stretch; oldest first.
    recent: VecDeque<Duration>,
    binds_until: Duration,
}

impl Narrow {
    fn line_up(&mut self, rate: f64, now: Duration) -> Duration {
        let place = self.free.max(now);
        self.free = place + seconds(WIDER / rate);
        self.binds_until = self.binds_until.max(self.free);
        place
    }

    /// When the next connection may be made at the earliest.
    fn ready(&self, rate: f64) -> Duration {
        let (count, stretch) = stretch(rate);
        // A rate that was lowered counts fewer than are remembered.
        let first = self.recent.len().checked_sub(count).and_then(|at| self.recent.get(at));
        first.map_or(Duration::ZERO, |first| *first + stretch)
    }

    fn take(&mut self, rate: f64, now: Duration) {
        let (count, stretch) = stretch(rate);
        while self.recent.len() >= count {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.binds_until = self.binds_until.max(now + stretch);
    }
}

/// As many connections as may be made in which time: those of a second for usual rates.
fn stretch(rate: f64) -> (usize, Duration) {
    let count = rate.ceil().clamp(1.0, MOST_REMEMBERED);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a small positive range")]
    (count as usize, seconds(SECOND * count / rate))
}

/// The limit of the whole run: a line, and when the next connection is due by the rate.
#[derive(Default)]
struct Wide {
    /// The next free place in the line.
    free: Duration,
    due: Duration,
}

impl Wide {
    fn line_up(&mut self, rate: f64, now: Duration) -> Duration {
        let place = self.free.max(now);
        self.free = place + seconds(1.0 / rate);
        place
    }

    /// When the next connection may be made at the earliest.
    fn ready(&self) -> Duration {
        self.due.saturating_sub(CREDIT)
    }

    /// The same for one who does not line up.
    fn ready_beside(&self) -> Duration {
        self.due.saturating_sub(CREDIT_BESIDE)
    }

    fn take(&mut self, rate: f64, now: Duration) {
        self.due = self.due.max(now) + seconds(1.0 / rate);
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 4)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::clock::{FakeClock, Timestamp};

    const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn limiter(rates: Rates) -> (Limiter, Arc<FakeClock>) {
        let clock = Arc::new(FakeClock::at(Timestamp::UNIX_EPOCH));
        let shared: Arc<dyn Clock> = Arc::<FakeClock>::clone(&clock);
        (Limiter::new(rates, shared), clock)
    }

    /// Takes all turns that are given now.
    fn take_all(limiter: &Limiter, address: IpAddr) -> u64 {
        std::iter::from_fn(|| limiter.take(address, None).ok()).map(|()| 1).sum()
    }

    #[test]
    fn the_run_never_exceeds_rate_times_time_plus_ten_milliseconds_of_credit() {
        for rate in [1.0, 100.0, 1_000.0, 50_000.0] {
            let (limiter, clock) = limiter(Rates { run: Some(rate), ..Rates::default() });
            let (mut taken, mut millis) = (0, 0);
            for step in [0u64, 1, 1, 3, 40, 1, 2_000, 1, 7, 60_000, 1, 1, 1] {
                clock.advance(Duration::from_millis(step));
                millis += step;
                taken += take_all(&limiter, HOST);
                let most = rate * (millis as f64 / 1_000.0) + rate * 0.010 + 1.0;
                assert!((taken as f64) <= most, "{taken} taken by {millis} ms at {rate}/s");
            }
        }
    }

    #[test]
    fn places_in_the_runs_line_that_come_up_to_eight_milliseconds_late_are_all_used() {
        for rate in [7.0, 100.0, 1_000.0, 20_000.0] {
            let mut run = Wide::default();
            let mut refused = 0;
            for place in 0..5_000u64 {
                let place = seconds(place as f64 / rate) + Duration::from_micros(place * 7_919 % 7_900);
                refused += u32::from(run.ready() > place);
                run.take(rate, place);
            }
            assert_eq!(refused, 0, "at {rate}/s");
        }
    }

    #[test]
    fn a_machine_that_slept_gets_no_burst() {
        let (limiter, clock) = limiter(Rates { run: Some(200.0), network: Some(20.0), ..Rates::default() });
        assert_eq!(take_all(&limiter, HOST), 2);
        clock.advance(Duration::from_hours(1));
        assert_eq!(take_all(&limiter, HOST), 2);
    }

    #[test]
    fn a_slowed_network_gets_its_part_and_at_no_time_more_than_its_limit() {
        let (limiter, clock) = limiter(Rates { network: Some(20.0), ..Rates::default() });
        for _ in 0..16 {
            limiter.back_off().learn(HOST, None, super::super::Sample::Failed, clock.as_ref());
        }
        let mut taken: Vec<Duration> = Vec::new();
        // Slowed at first, and at its limit again after ten minutes.
        for _ in 0..900_000 {
            clock.advance(Duration::from_millis(1));
            while limiter.take(HOST, None).is_ok() {
                taken.push(clock.elapsed());
            }
        }
        for window in taken.windows(21) {
            assert!(window[20].saturating_sub(window[0]) > Duration::from_secs(1));
        }
        let within = |from: u64, to: u64| taken.iter().filter(|at| (from..to).contains(&at.as_secs())).count();
        assert!((595..=640).contains(&within(0, 60)), "{} in the first minute", within(0, 60));
        assert!((1_150..=1_200).contains(&within(720, 780)), "{} in a later one", within(720, 780));
    }

    #[test]
    fn a_place_in_line_is_one_period_behind_the_last_and_idle_time_is_not_saved_up() {
        let at = Duration::from_millis;
        let mut run = Wide::default();
        assert_eq!([0, 0, 0].map(|now| run.line_up(100.0, at(now))), [0, 10, 20].map(at));
        assert_eq!([500, 501, 502].map(|now| run.line_up(100.0, at(now))), [500, 510, 520].map(at));
        let mut network = Narrow::default();
        assert_eq!([0, 0, 7].map(|now| network.line_up(10.0, at(now))), [0, 101, 202].map(at));
    }

    #[test]
    fn no_second_holds_more_than_a_host_a_network_or_an_as_may_get() {
        for (rates, rate) in [
            (Rates { host: Some(2.0), ..Rates::default() }, 2.0),
            (Rates { network: Some(20.0), ..Rates::default() }, 20.0),
            (Rates { asn: Some(7.5), ..Rates::default() }, 7.5),
            (Rates { network: Some(500.0), ..Rates::default() }, 500.0),
            (Rates { host: Some(0.2), ..Rates::default() }, 0.2),
        ] {
            let (limiter, clock) = limiter(rates);
            let mut taken: Vec<Duration> = Vec::new();
            // Somebody tries all the time, at irregular moments.
            for step in 0..40_000u64 {
                clock.advance(Duration::from_micros(step * 7_919 % 1_900));
                while limiter.take(HOST, Some(64_500)).is_ok() {
                    taken.push(clock.elapsed());
                }
            }
            let (most, _) = stretch(rate);
            for run in taken.windows(most + 1) {
                let length = run[most].saturating_sub(run[0]);
                assert!(length >= Duration::from_secs(1), "{} in {length:?} at {rate}/s", most + 1);
            }
            let reached = taken.len() as f64 / clock.elapsed().as_secs_f64();
            assert!(reached > rate * 0.97 - 0.1, "{reached} of {rate}");
        }
    }

    #[test]
    fn a_corrected_wall_clock_changes_no_pace() {
        let (limiter, clock) = limiter(Rates { run: Some(1.0), host: Some(1.0), ..Rates::default() });
        assert_eq!(take_all(&limiter, HOST), 1);
        for utc in [Timestamp::MAX, Timestamp::UNIX_EPOCH, Timestamp::MIN] {
            clock.set_utc(utc);
            assert_eq!(limiter.take(HOST, None), Err(NoTurn::NotYet(Duration::from_millis(1_004))));
        }
        clock.advance(Duration::from_millis(1_004));
        assert_eq!(take_all(&limiter, HOST), 1);
    }

    #[test]
    fn a_host_gets_no_more_than_its_total() {
        let (limiter, _) = limiter(Rates { host_total: Some(2), ..Rates::default() });
        assert_eq!([(); 3].map(|()| limiter.take(HOST, None)), [Ok(()), Ok(()), Err(NoTurn::Exhausted)]);
    }

    #[test]
    fn neighbours_in_a_network_share_its_limit_and_strangers_do_not() {
        let (limiter, clock) = limiter(Rates { network: Some(1.0), ..Rates::default() });
        let [first, second, stranger] =
            ["127.0.5.1", "127.0.5.200", "127.0.6.1"].map(|text| text.parse::<IpAddr>().unwrap());
        assert_eq!(limiter.take(first, None), Ok(()));
        assert_eq!(limiter.take(second, None), Err(NoTurn::NotYet(Duration::from_millis(1_004))));
        assert_eq!(limiter.take(stranger, None), Ok(()));
        clock.advance(Duration::from_millis(1_004));
        assert_eq!(limiter.take(second, None), Ok(()));
    }

    #[test]
    fn who_does_not_line_up_gets_the_whole_rate_and_no_more() {
        for rate in [10.0, 1_000.0, 20_000.0] {
            let (limiter, clock) = limiter(Rates { run: Some(rate), ..Rates::default() });
            let mut taken = 0u32;
            // Looked at every two milliseconds for ten seconds.
            for _ in 0..5_000 {
                clock.advance(Duration::from_millis(2));
                taken += std::iter::from_fn(|| limiter.step_in(HOST, None).ok()).map(|()| 1u32).sum::<u32>();
            }
            let share = f64::from(taken) / (rate * 10.0);
            assert!((0.99..=1.01).contains(&share), "{taken} in ten seconds at {rate}/s");
        }
    }

    #[test]
    fn who_does_not_line_up_is_told_what_stands_in_the_way() {
        let rates = Rates { run: Some(1_000.0), network: Some(10.0), host: Some(2.0), host_total: Some(2), asn: None };
        let (limiter, clock) = limiter(rates);
        let [one, two] = ["127.0.8.1", "127.0.8.2"].map(|text| text.parse::<IpAddr>().unwrap());
        clock.advance(Duration::from_secs(1));
        assert_eq!(limiter.step_in(one, None), Ok(()));
        assert!(matches!(limiter.step_in(two, None), Err(Wait::Network(_))));
        assert!(matches!(limiter.step_in(one, None), Err(Wait::Host(_))));
        clock.advance(Duration::from_millis(101));
        assert_eq!(limiter.step_in(two, None), Ok(()), "nothing was taken before");
        clock.advance(Duration::from_secs(1));
        assert_eq!(limiter.step_in(one, None), Ok(()));
        clock.advance(Duration::from_secs(1));
        assert_eq!(limiter.step_in(one, None), Err(Wait::Exhausted));
    }

    #[test]
    fn those_who_line_up_go_before_those_who_do_not() {
        let (limiter, clock) = limiter(Rates { run: Some(100.0), ..Rates::default() });
        clock.advance(Duration::from_secs(1));
        let now = clock.elapsed();
        for _ in 0..3 {
            limiter.lock().run.line_up(100.0, now);
        }
        assert_eq!(limiter.step_in(HOST, None), Err(Wait::Run));
        clock.advance(Duration::from_millis(29));
        assert_eq!(limiter.step_in(HOST, None), Err(Wait::Run));
        clock.advance(Duration::from_millis(1));
        assert_eq!(limiter.step_in(HOST, None), Ok(()));
    }

    #[test]
    fn a_refused_turn_uses_nothing_up() {
        let rates = Rates { run: Some(1.0), network: Some(1.0), host_total: Some(2), ..Rates::default() };
        let (limiter, clock) = limiter(rates);
        let other: IpAddr = "127.0.6.1".parse().unwrap();
        assert_eq!(limiter.take(HOST, None), Ok(()));
        assert_eq!(take_all(&limiter, HOST) + take_all(&limiter, other), 0);
        clock.advance(Duration::from_secs(1));
        assert_eq!(limiter.take(other, None), Ok(()));
        clock.advance(Duration::from_secs(1));
        assert_eq!(limiter.take(HOST, None), Ok(()));
    }

    #[test]
    fn cells_that_no_longer_bind_are_forgotten() {
        let rates = Rates { host: Some(2.0), network: Some(20.0), host_total: Some(5), ..Rates::default() };
        let (limiter, clock) = limiter(rates);
        for number in 0..20_000u32 {
            let address = IpAddr::V4((0x7f00_0000 + number * 256).into());
            assert_eq!(limiter.take(address, None), Ok(()));
            limiter.forget([address].into_iter());
            clock.advance(Duration::from_millis(5));
        }
        assert!(limiter.held() < 10_000, "{} cells", limiter.held());
    }

    #[test]
    fn networks_are_24_and_48() {
        assert_eq!(network_of("127.1.2.3".parse().unwrap()), "127.1.2.0".parse::<IpAddr>().unwrap());
        assert_eq!(network_of("2001:db8:1:2::3".parse().unwrap()), "2001:db8:1::".parse::<IpAddr>().unwrap());
    }
}
