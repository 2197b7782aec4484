//! What went through the door so far.

use std::sync::atomic::{AtomicU64, Ordering};

/// What went through the door so far.
#[derive(Debug, Default)]
pub struct Traffic {
    pub(super) connections: AtomicU64,
    pub(super) syns: AtomicU64,
    pub(super) bytes_sent: AtomicU64,
    pub(super) bytes_heard: AtomicU64,
}

impl Traffic {
    /// Connections, bytes sent, bytes heard.
    #[must_use]
    pub fn totals(&self) -> (u64, u64, u64) {
        let read = |one: &AtomicU64| one.load(Ordering::Relaxed);
        (read(&self.connections), read(&self.bytes_sent), read(&self.bytes_heard))
    }

    /// SYNs sent for discovery alone.
    #[must_use]
    pub fn syns(&self) -> u64 {
        self.syns.load(Ordering::Relaxed)
    }
}
