//! What went through the door so far.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Own addresses remembered at most. A machine sends from one or two; this only keeps a strange one from filling memory.
const MOST_OWN: usize = 256;

/// What went through the door so far.
#[derive(Debug, Default)]
pub struct Traffic {
    pub(super) connections: AtomicU64,
    pub(super) syns: AtomicU64,
    pub(super) bytes_sent: AtomicU64,
    pub(super) bytes_heard: AtomicU64,
    own: RwLock<BTreeSet<IpAddr>>,
}

impl Traffic {
    /// Connections, bytes sent, bytes heard.
    #[must_use]
    pub fn totals(&self) -> (u64, u64, u64) {
        let read = |one: &AtomicU64| one.load(Ordering::Relaxed);
        (read(&self.connections), read(&self.bytes_sent), read(&self.bytes_heard))
    }

    /// Takes in the address that a connection left from.
    pub(super) fn left_from(&self, address: IpAddr) {
        let known = self.own.read().is_ok_and(|own| own.contains(&address) || own.len() >= MOST_OWN);
        if !known && let Ok(mut own) = self.own.write() {
            own.insert(address);
        }
    }

    /// The addresses of this machine that connections left from, in order. Those before a translation (NAT) are not the ones
    /// that the far side saw.
    #[must_use]
    pub fn own(&self) -> Vec<IpAddr> {
        self.own.read().map(|own| own.iter().copied().collect()).unwrap_or_default()
    }

    /// SYNs sent for discovery alone.
    #[must_use]
    pub fn syns(&self) -> u64 {
        self.syns.load(Ordering::Relaxed)
    }
}
