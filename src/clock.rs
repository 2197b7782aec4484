//! The only reader of time.
//!
//! Two clocks are kept apart: [`Clock::now`] is UTC, for what is written down; [`Clock::elapsed`] is monotonic and
//! stands still while the machine sleeps, for deadlines and limits, so that neither a corrected wall clock nor a
//! suspended machine causes a burst.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use jiff::Timestamp;

/// What the machine says of its clocks beside UTC: written into every record of a case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MachineTime {
    /// Milliseconds since the machine was started, sleep included.
    pub since_boot_ms: Option<u64>,
    /// The kernel's name for this start of the machine: times since boot are compared only where these are equal.
    pub boot: Option<String>,
    /// What the kernel still has to add to UTC to reach its time source, in microseconds, and the most by which it may
    /// be wrong; `None` where the clock is not kept by a time source.
    pub offset_us: Option<(i64, i64)>,
}

impl MachineTime {
    /// Asks the kernel.
    #[must_use]
    pub fn now() -> Self {
        let since = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let ms = u64::try_from(since.tv_sec).ok().map(|seconds| {
            seconds.saturating_mul(1_000).saturating_add(u64::try_from(since.tv_nsec / 1_000_000).unwrap_or(0))
        });
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok();
        let boot = boot.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        Self { since_boot_ms: ms, boot, offset_us: kernel_offset() }
    }
}

/// The kernel's estimate of its own error (`adjtimex(2)`); `None` while nothing keeps the clock.
#[expect(unsafe_code, reason = "adjtimex(2) with a struct that outlives the call; no safe crate here offers it")]
fn kernel_offset() -> Option<(i64, i64)> {
    // SAFETY: `timex` is plain integers, for which zero is a value; zero modes ask and change nothing.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live `timex` of our own.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    if state < 0 || state == libc::TIME_ERROR || timex.status & libc::STA_UNSYNC != 0 {
        return None;
    }
    let in_nanoseconds = timex.status & libc::STA_NANO != 0;
    let offset = if in_nanoseconds { timex.offset / 1_000 } else { timex.offset };
    Some((offset, timex.maxerror))
}

/// A source of time, handed in wherever time matters.
pub trait Clock: Send + Sync {
    /// UTC now.
    fn now(&self) -> Timestamp;
    /// Monotonic time since the clock was made.
    fn elapsed(&self) -> Duration;
}

/// The machine's own clocks.
#[derive(Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one reader of monotonic time")]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }

    /// The same, shared.
    #[must_use]
    pub fn shared() -> Arc<dyn Clock> {
        Arc::new(Self::new())
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one reader of UTC")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// A clock that moves only when told to: for tests of limits and dates.
#[derive(Debug)]
pub struct FakeClock {
    utc_ms: AtomicI64,
    elapsed_ns: AtomicU64,
}

impl FakeClock {
    /// A clock standing at `utc`.
    #[must_use]
    pub fn at(utc: Timestamp) -> Self {
        Self { utc_ms: AtomicI64::new(utc.as_millisecond()), elapsed_ns: AtomicU64::new(0) }
    }

    /// Moves both clocks on by `by`.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.utc_ms.fetch_add(ms, Ordering::SeqCst);
        self.elapsed_ns.fetch_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Sets UTC alone, as a corrected wall clock does.
    pub fn set_utc(&self, utc: Timestamp) {
        self.utc_ms.store(utc.as_millisecond(), Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.utc_ms.load(Ordering::SeqCst)).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.elapsed_ns.load(Ordering::SeqCst))
    }
}
