//! The only reader of time.
//!
//! Two clocks are kept apart: [`Clock::now`] is UTC, for what is written down; [`Clock::elapsed`] is monotonic and
//! stands still while the machine sleeps, for deadlines and limits, so that neither a corrected wall clock nor a
//! suspended machine causes a burst.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use jiff::Timestamp;

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
