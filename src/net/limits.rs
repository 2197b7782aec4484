//! Whose turn it is: limits for the run, each host, each network and each AS, counted per connection.
//!
//! The whole run is paced by `governor` with a credit of 10 ms (its default burst, a full second, would let everything
//! out at once); a thread hands its permits to waiting connections in the order they came. Hosts, networks and ASes keep
//! the earliest time of their next connection (GCRA without burst); all must agree at the moment of dialling, so no
//! window of any of them ever holds more than it may. Cells are forgotten once they no longer bind.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as GovernorClock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Semaphore;

use crate::clock::Clock;

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

impl Rates {
    /// True when no host, network or AS limit is set.
    fn is_unlimited(&self) -> bool {
        self.host.is_none() && self.network.is_none() && self.asn.is_none() && self.host_total.is_none()
    }
}

/// Longest time a new host steps back for begun ones before it asks again.
const MOST_YIELD: Duration = Duration::from_millis(200);

/// The host has had all the connections it may get in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

/// The limits of a run and where they stand.
pub struct Limiter {
    rates: Rates,
    clock: Arc<dyn Clock>,
    cells: Mutex<Cells>,
    pacer: Option<Arc<Pacer>>,
}

impl std::fmt::Debug for Limiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limiter").field("rates", &self.rates).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Cells {
    hosts: HashMap<IpAddr, HostCell>,
    networks: HashMap<IpAddr, Cell>,
    systems: HashMap<u32, Cell>,
    since_trim: u32,
}

#[derive(Clone, Copy, Default)]
struct HostCell {
    next: Duration,
    used: u32,
    /// The host is finished with; the cell stays only as long as it binds.
    finished: bool,
}

/// A network or an AS.
#[derive(Clone, Copy, Default)]
struct Cell {
    /// Earliest time of its next connection.
    next: Duration,
    /// Hosts begun that wait for this cell or the run: new ones let them go first.
    begun_waiting: u32,
}

impl Limiter {
    /// Limits with nothing used up.
    #[must_use]
    pub fn new(rates: Rates, clock: Arc<dyn Clock>) -> Self {
        let pacer = rates.run.map(|rate| Pacer::start(rate, Arc::clone(&clock)));
        Self { rates, clock, cells: Mutex::default(), pacer }
    }

    /// Waits until one connection to `address` may be opened now. Hosts that were begun go before new ones, so that few are
    /// half done at any moment.
    ///
    /// # Errors
    /// When the host has had all it may get.
    pub async fn turn(&self, address: IpAddr, asn: Option<u32>) -> Result<(), Exhausted> {
        if self.pacer.is_none() && self.rates.is_unlimited() {
            return Ok(());
        }
        // A host's own limit holds back nobody else.
        while let Some(wait) = self.host_wait(address)? {
            tokio::time::sleep(wait).await;
        }
        let begun = self.is_begun(address);
        let _queued = begun.then(|| Queued::new(self, address, asn));
        loop {
            // The narrow limits first: a slow network must not use up the run's turns.
            if let Err(wait) = self.ask(address, asn, false)? {
                tokio::time::sleep(wait).await;
                continue;
            }
            if let Some(pacer) = &self.pacer {
                pacer.wait(begun).await;
            }
            match self.ask(address, asn, true)? {
                Ok(()) => return Ok(()),
                Err(wait) => {
                    if let Some(pacer) = &self.pacer {
                        pacer.give_back();
                    }
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// The host is finished with: its count may be forgotten.
    pub fn forget(&self, address: IpAddr) {
        let now = self.clock.elapsed();
        let mut cells = self.lock();
        if let Some(cell) = cells.hosts.get_mut(&address) {
            cell.finished = true;
            if cell.next <= now {
                cells.hosts.remove(&address);
            }
        }
    }

    /// Connections that hosts begun and not finished have had: what a later part of the run must count too.
    #[must_use]
    pub fn spent(&self) -> Vec<(IpAddr, u32)> {
        if self.rates.host_total.is_none() {
            return Vec::new();
        }
        let cells = self.lock();
        let begun = cells.hosts.iter().filter(|(_, cell)| !cell.finished && cell.used > 0);
        begun.map(|(address, cell)| (*address, cell.used)).collect()
    }

    /// Takes over what an earlier part of the run spent on hosts it did not finish.
    pub fn restore(&self, spent: impl IntoIterator<Item = (IpAddr, u32)>) {
        let mut cells = self.lock();
        for (address, used) in spent {
            cells.hosts.entry(address).or_default().used += used;
        }
    }

    fn is_begun(&self, address: IpAddr) -> bool {
        self.lock().hosts.get(&address).is_some_and(|cell| cell.used > 0)
    }

    /// How long the host's own limit still holds.
    fn host_wait(&self, address: IpAddr) -> Result<Option<Duration>, Exhausted> {
        let now = self.clock.elapsed();
        let host = self.lock().hosts.get(&address).copied().unwrap_or_default();
        if self.rates.host_total.is_some_and(|most| host.used >= most) {
            return Err(Exhausted);
        }
        Ok(host.next.checked_sub(now).filter(|wait| !wait.is_zero()))
    }

    /// Cells held, for `-v` and tests.
    #[must_use]
    pub fn held(&self) -> usize {
        let cells = self.lock();
        cells.hosts.len() + cells.networks.len() + cells.systems.len()
    }

    fn lock(&self) -> MutexGuard<'_, Cells> {
        self.cells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the host, network and AS limits, and takes the turn when `take` is set and all agree; else how long to wait.
    fn ask(&self, address: IpAddr, asn: Option<u32>, take: bool) -> Result<Result<(), Duration>, Exhausted> {
        let rates = &self.rates;
        let now = self.clock.elapsed();
        let network = network_of(address);
        let mut cells = self.lock();
        let host = cells.hosts.get(&address).copied().unwrap_or_default();
        if rates.host_total.is_some_and(|most| host.used >= most) {
            return Err(Exhausted);
        }
        let mut ready = host.next;
        let mut yields = Duration::ZERO;
        let wide =
            [(rates.network, cells.networks.get(&network)), (rates.asn, asn.and_then(|asn| cells.systems.get(&asn)))];
        for (rate, cell) in wide {
            if let (Some(rate), Some(cell)) = (rate, cell) {
                ready = ready.max(cell.next);
                if host.used == 0 && cell.begun_waiting > 0 {
                    yields = yields.max(interval(rate).min(MOST_YIELD));
                }
            }
        }
        let wait = ready.saturating_sub(now).max(yields);
        if !wait.is_zero() {
            return Ok(Err(wait));
        }
        if take {
            let cell = cells.hosts.entry(address).or_default();
            cell.used += 1;
            cell.finished = false;
            if let Some(rate) = rates.host {
                cell.next = now + interval(rate);
            }
            if let Some(rate) = rates.network {
                cells.networks.entry(network).or_default().next = now + interval(rate);
            }
            if let (Some(rate), Some(asn)) = (rates.asn, asn) {
                cells.systems.entry(asn).or_default().next = now + interval(rate);
            }
            cells.trim(now);
        }
        Ok(Ok(()))
    }
}

/// A begun host in the queues of its network and AS; leaves them when dropped, also when a stop cuts its wait off.
struct Queued<'a> {
    limiter: &'a Limiter,
    network: IpAddr,
    asn: Option<u32>,
}

impl<'a> Queued<'a> {
    fn new(limiter: &'a Limiter, address: IpAddr, asn: Option<u32>) -> Self {
        let network = network_of(address);
        let mut cells = limiter.lock();
        cells.networks.entry(network).or_default().begun_waiting += 1;
        if let Some(asn) = asn {
            cells.systems.entry(asn).or_default().begun_waiting += 1;
        }
        Self { limiter, network, asn }
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        let mut cells = self.limiter.lock();
        if let Some(cell) = cells.networks.get_mut(&self.network) {
            cell.begun_waiting = cell.begun_waiting.saturating_sub(1);
        }
        if let Some(cell) = self.asn.and_then(|asn| cells.systems.get_mut(&asn)) {
            cell.begun_waiting = cell.begun_waiting.saturating_sub(1);
        }
    }
}

impl Cells {
    /// Every 4096 turns forgets cells that no longer bind, so that memory stays flat.
    fn trim(&mut self, now: Duration) {
        self.since_trim += 1;
        if self.since_trim >= 4096 {
            self.since_trim = 0;
            self.networks.retain(|_, cell| cell.next > now || cell.begun_waiting > 0);
            self.systems.retain(|_, cell| cell.next > now || cell.begun_waiting > 0);
            self.hosts.retain(|_, cell| cell.next > now || !cell.finished);
        }
    }
}

fn interval(rate: f64) -> Duration {
    Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX / 4)
}

/// The first address of the IPv4 /24 or IPv6 /48 that holds `address`.
#[must_use]
pub fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) & 0xffff_ff00).into()),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & (u128::MAX << 80)).into()),
    }
}

/// Hands the run's permits to waiting connections: those of begun hosts first, and in the order they came.
struct Pacer {
    begun: Lane,
    new: Lane,
    sleeping: Mutex<bool>,
    bell: Condvar,
}

/// A queue for permits.
struct Lane {
    turns: Semaphore,
    /// Those who wait and were granted no permit yet.
    waiting: AtomicU64,
}

impl Lane {
    fn new() -> Self {
        Self { turns: Semaphore::new(0), waiting: AtomicU64::new(0) }
    }

    /// One permit for one of those who wait and were granted none yet; false when there is none.
    fn grant(&self) -> bool {
        let one_less = |waiting: u64| waiting.checked_sub(1);
        let granted = self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_less).is_ok();
        if granted {
            self.turns.add_permits(1);
        }
        granted
    }
}

type RunLimiter = RateLimiter<NotKeyed, InMemoryState, RunClock, NoOpMiddleware<RunInstant>>;

impl Pacer {
    fn start(rate: f64, clock: Arc<dyn Clock>) -> Arc<Self> {
        let pacer =
            Arc::new(Self { begun: Lane::new(), new: Lane::new(), sleeping: Mutex::new(false), bell: Condvar::new() });
        let limiter = run_limiter(rate, clock);
        let weak = Arc::downgrade(&pacer);
        std::thread::spawn(move || {
            while let Some(pacer) = weak.upgrade() {
                pacer.round(&limiter);
            }
        });
        pacer
    }

    /// One round of the thread: permits for those who wait, then a short sleep, or a long one when nobody does.
    fn round(&self, limiter: &RunLimiter) {
        if !self.is_wanted() {
            let guard = self.sleeping.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = self.bell.wait_timeout(guard, Duration::from_millis(50));
            return;
        }
        while self.is_wanted() && limiter.check().is_ok() {
            self.grant();
        }
        std::thread::sleep(Duration::from_micros(500));
    }

    fn is_wanted(&self) -> bool {
        self.begun.waiting.load(Ordering::Acquire) > 0 || self.new.waiting.load(Ordering::Acquire) > 0
    }

    async fn wait(&self, begun: bool) {
        let lane = if begun { &self.begun } else { &self.new };
        lane.waiting.fetch_add(1, Ordering::AcqRel);
        self.bell.notify_one();
        // The semaphore is never closed. A wait that is dropped leaves its permit for the next: never more than were granted.
        if let Ok(permit) = lane.turns.acquire().await {
            permit.forget();
        }
    }

    /// A turn that could not be used goes to the next in line, and with nobody in line is gone: kept, it would be a credit
    /// on top of the rate.
    fn give_back(&self) {
        self.grant();
    }

    fn grant(&self) {
        let _ = self.begun.grant() || self.new.grant();
    }
}

/// The run's limiter: `rate` a second with a credit of 10 ms, at least one connection.
fn run_limiter(rate: f64, clock: Arc<dyn Clock>) -> RunLimiter {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range of u32 first")]
    let credit = (rate / 100.0).clamp(1.0, 1e6) as u32;
    let quota = Quota::with_period(interval(rate)).unwrap_or(Quota::per_hour(NonZeroU32::MIN));
    let quota = quota.allow_burst(NonZeroU32::new(credit).unwrap_or(NonZeroU32::MIN));
    RateLimiter::direct_with_clock(quota, RunClock(clock))
}

/// Our clock, as governor wants it.
#[derive(Clone)]
struct RunClock(Arc<dyn Clock>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RunInstant(Duration);

impl GovernorClock for RunClock {
    type Instant = RunInstant;

    fn now(&self) -> RunInstant {
        RunInstant(self.0.elapsed())
    }
}

impl Reference for RunInstant {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_sub(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.saturating_sub(duration.into()))
    }
}

impl std::ops::Add<Nanos> for RunInstant {
    type Output = Self;

    fn add(self, other: Nanos) -> Self {
        Self(self.0 + Duration::from(other))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::clock::{FakeClock, Timestamp};

    fn limiter(rates: Rates) -> (Limiter, Arc<FakeClock>) {
        let clock = Arc::new(FakeClock::at(Timestamp::UNIX_EPOCH));
        let shared: Arc<dyn Clock> = Arc::<FakeClock>::clone(&clock);
        (Limiter::new(rates, shared), clock)
    }

    #[test]
    fn the_run_never_exceeds_rate_times_time_plus_ten_milliseconds_of_credit() {
        for rate in [1.0, 100.0, 1_000.0, 50_000.0] {
            let clock = Arc::new(FakeClock::at(Timestamp::UNIX_EPOCH));
            let shared: Arc<dyn Clock> = Arc::<FakeClock>::clone(&clock);
            let limiter = run_limiter(rate, shared);
            let mut granted = 0u64;
            let mut millis = 0u64;
            for step in [0u64, 1, 1, 3, 40, 1, 2_000, 1, 7, 60_000, 1, 1, 1] {
                clock.advance(Duration::from_millis(step));
                millis += step;
                while limiter.check().is_ok() {
                    granted += 1;
                }
                let credit = (rate / 100.0).max(1.0);
                let most = rate * (millis as f64 / 1_000.0) + credit + 1.0;
                assert!((granted as f64) <= most, "{granted} granted by {millis} ms at {rate}/s");
            }
        }
    }

    #[test]
    fn a_machine_that_slept_gets_no_burst() {
        let clock = Arc::new(FakeClock::at(Timestamp::UNIX_EPOCH));
        let shared: Arc<dyn Clock> = Arc::<FakeClock>::clone(&clock);
        let limiter = run_limiter(200.0, shared);
        clock.advance(Duration::from_hours(1));
        let burst = std::iter::from_fn(|| limiter.check().ok()).count();
        assert!(burst <= 2, "{burst} at once after an hour's sleep");
    }

    #[test]
    fn hosts_and_networks_do_not_catch_up_after_a_sleep() {
        let (limiter, clock) = limiter(Rates { host: Some(2.0), network: Some(20.0), ..Rates::default() });
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(limiter.ask(host, None, true), Ok(Ok(())));
        clock.advance(Duration::from_hours(1));
        assert_eq!(limiter.ask(host, None, true), Ok(Ok(())));
        assert_eq!(limiter.ask(host, None, true), Ok(Err(Duration::from_millis(500))), "an hour missed is gone");
        let neighbour = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
        assert_eq!(limiter.ask(neighbour, None, true), Ok(Err(Duration::from_millis(50))));
    }

    #[test]
    fn a_corrected_wall_clock_changes_no_pace() {
        let (limiter, clock) = limiter(Rates { host: Some(1.0), ..Rates::default() });
        let run = run_limiter(1.0, Arc::<FakeClock>::clone(&clock));
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(limiter.ask(host, None, true), Ok(Ok(())));
        assert!(run.check().is_ok());
        for utc in [Timestamp::MAX, Timestamp::UNIX_EPOCH, Timestamp::MIN] {
            clock.set_utc(utc);
            assert_eq!(limiter.ask(host, None, true), Ok(Err(Duration::from_secs(1))));
            assert!(run.check().is_err());
        }
        clock.advance(Duration::from_secs(1));
        assert_eq!(limiter.ask(host, None, true), Ok(Ok(())));
        assert!(run.check().is_ok());
    }

    #[test]
    fn a_host_gets_no_more_than_its_total() {
        let (limiter, _) = limiter(Rates { host_total: Some(2), ..Rates::default() });
        let host = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(limiter.ask(host, None, true), Ok(Ok(())));
        assert_eq!(limiter.ask(host, None, true), Ok(Ok(())));
        assert_eq!(limiter.ask(host, None, true), Err(Exhausted));
    }

    #[test]
    fn neighbours_in_a_network_wait_for_each_other() {
        let (limiter, clock) = limiter(Rates { network: Some(20.0), ..Rates::default() });
        let first = IpAddr::V4(Ipv4Addr::new(127, 0, 5, 1));
        let second = IpAddr::V4(Ipv4Addr::new(127, 0, 5, 200));
        let stranger = IpAddr::V4(Ipv4Addr::new(127, 0, 6, 1));
        assert_eq!(limiter.ask(first, None, true), Ok(Ok(())));
        assert_eq!(limiter.ask(second, None, true), Ok(Err(Duration::from_millis(50))));
        assert_eq!(limiter.ask(stranger, None, true), Ok(Ok(())));
        clock.advance(Duration::from_millis(50));
        assert_eq!(limiter.ask(second, None, true), Ok(Ok(())));
    }

    #[test]
    fn turns_given_back_leave_no_credit_behind() {
        let rates = Rates { run: Some(2_000.0), network: Some(100.0), ..Rates::default() };
        let limiter = Arc::new(Limiter::new(rates, crate::clock::SystemClock::shared()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for last in 0..40 {
                let limiter = Arc::clone(&limiter);
                tasks.spawn(async move { limiter.turn(IpAddr::V4(Ipv4Addr::new(127, 0, 7, last)), None).await });
            }
            while let Some(turn) = tasks.join_next().await {
                assert_eq!(turn.unwrap(), Ok(()));
            }
        });
        // Neighbours woke together, and all but one of them had to wait again.
        let pacer = limiter.pacer.as_ref().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(
            pacer.begun.turns.available_permits() + pacer.new.turns.available_permits(),
            0,
            "permits that nobody waits for would go out in one burst later"
        );
    }

    #[test]
    fn networks_are_24_and_48() {
        assert_eq!(network_of("127.1.2.3".parse().unwrap()), "127.1.2.0".parse::<IpAddr>().unwrap());
        assert_eq!(network_of("2001:db8:1:2::3".parse().unwrap()), "2001:db8:1::".parse::<IpAddr>().unwrap());
    }
}
