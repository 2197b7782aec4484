//! Whose turn it is: limits for the run, each host, each network and each AS, counted per connection.
//!
//! Every limit has a line: who comes is given the next free place, one period behind the last, and sleeps until then.
//! Lines go from narrow to wide, so that a slow network uses up none of the run's places. What holds a limit is not the
//! line but [`Limiter::take`], asked right before dialling: a place that came late, because the machine was busy, is
//! used only if all limits still agree at that moment. The run agrees to what is at most 8 ms ahead of its rate; a host,
//! a network or an AS to as many connections in a second as its rate says. What was missed is never made up for later.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

mod cells;

pub use cells::network_of;

use self::cells::{CREDIT, Cells, Key, Narrow, seconds};
use super::backoff::BackOff;
use crate::clock::Clock;

/// A new host joins lines no longer than this (or two places): hosts that were begun go first, so that few are half done
/// at any moment, and a stop costs little.
const SHORT: Duration = Duration::from_millis(100);

/// Longest sleep before a new host looks at the lines again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

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

#[cfg(test)]
mod tests;
