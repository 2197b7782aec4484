//! Where the limits stand: for each host, network and AS a line and the moments of its last connections, for the run a line
//! and the moment the next connection is due.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

/// How far ahead of its rate the run may be. On the wire it may be 10 ms; the rest is for what can pass between taking
/// a turn and the packet's departure.
pub(super) const CREDIT: Duration = Duration::from_millis(8);

/// The same for those who do not line up: what is left of the credit is for those who do.
const CREDIT_BESIDE: Duration = Duration::from_millis(6);

/// A narrow limit's second lasts this long, for the same reason.
const SECOND: f64 = 1.004;

/// Places in a narrow line stand this much wider than the rate asks: one that comes some milliseconds late still leaves
/// a full second between the first and the last of a second's worth.
const WIDER: f64 = 1.010;

/// Most connections a narrow cell remembers; limits above it are held over shorter stretches than a second.
const MOST_REMEMBERED: f64 = 4096.0;

/// Turns between two looks for cells that no longer bind.
const TRIM_EVERY: u32 = 4096;

/// The first address of the IPv4 /24 or IPv6 /48 that holds `address`.
#[must_use]
pub fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) & 0xffff_ff00).into()),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & (u128::MAX << 80)).into()),
    }
}

#[derive(Default)]
pub(super) struct Cells {
    pub(super) narrow: HashMap<Key, Narrow>,
    /// Connections to each host that was begun and is not forgotten.
    pub(super) used: HashMap<IpAddr, u32>,
    pub(super) run: Wide,
    since_trim: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Host(IpAddr),
    Network(IpAddr),
    System(u32),
}

impl Cells {
    /// Now and then forgets what no longer binds, so that memory stays flat.
    pub(super) fn trim(&mut self, now: Duration) {
        self.since_trim += 1;
        if self.since_trim >= TRIM_EVERY {
            self.since_trim = 0;
            self.narrow.retain(|_, cell| cell.binds_until > now);
        }
    }
}

/// The limit of one host, network or AS: a line, and when its last connections were.
#[derive(Default)]
pub(super) struct Narrow {
    /// The next free place in the line.
    pub(super) free: Duration,
    /// The last connections, as many as the rate allows in its stretch; oldest first.
    recent: VecDeque<Duration>,
    binds_until: Duration,
}

impl Narrow {
    pub(super) fn line_up(&mut self, rate: f64, now: Duration) -> Duration {
        let place = self.free.max(now);
        self.free = place.saturating_add(seconds(WIDER / rate));
        self.binds_until = self.binds_until.max(self.free);
        place
    }

    /// When the next connection may be made at the earliest.
    pub(super) fn ready(&self, rate: f64) -> Duration {
        let (count, stretch) = stretch(rate);
        // A rate that was lowered counts fewer than are remembered.
        let first = self.recent.len().checked_sub(count).and_then(|at| self.recent.get(at));
        first.map_or(Duration::ZERO, |first| first.saturating_add(stretch))
    }

    pub(super) fn take(&mut self, rate: f64, now: Duration) {
        let (count, stretch) = stretch(rate);
        while self.recent.len() >= count {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.binds_until = self.binds_until.max(now.saturating_add(stretch));
    }
}

/// As many connections as may be made in which time: those of a second for usual rates.
pub(super) fn stretch(rate: f64) -> (usize, Duration) {
    let count = rate.ceil().clamp(1.0, MOST_REMEMBERED);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a small positive range")]
    (count as usize, seconds(SECOND * count / rate))
}

/// The limit of the whole run: a line, and when the next connection is due by the rate.
#[derive(Default)]
pub(super) struct Wide {
    /// The next free place in the line.
    pub(super) free: Duration,
    due: Duration,
}

impl Wide {
    pub(super) fn line_up(&mut self, rate: f64, now: Duration) -> Duration {
        let place = self.free.max(now);
        self.free = place.saturating_add(seconds(1.0 / rate));
        place
    }

    /// When the next connection may be made at the earliest.
    pub(super) fn ready(&self) -> Duration {
        self.due.saturating_sub(CREDIT)
    }

    /// The same for one who does not line up.
    pub(super) fn ready_beside(&self) -> Duration {
        self.due.saturating_sub(CREDIT_BESIDE)
    }

    pub(super) fn take(&mut self, rate: f64, now: Duration) {
        self.due = self.due.max(now).saturating_add(seconds(1.0 / rate));
    }
}

/// As a time; what is longer than a clock can count is as good as never.
pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 4)
}
