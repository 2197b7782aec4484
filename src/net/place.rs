//! How much one host may leave in memory before what it said is on record.
//!
//! A few KiB are anybody's. A host that says more needs one of a bounded number of places, which it keeps until its
//! results are committed; while all are taken, its connections are not read on (the kernel's small receive buffer holds
//! the rest back) and its deadlines stand still. So thousands of hosts that talk at length at once cannot fill the
//! memory, and hosts with a place always come to their end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes that any one connection may bring.
const CONNECTION: usize = 16 * 1024;
/// Bytes that all connections to one host may bring together.
const HOST: usize = 64 * 1024;
/// Hosts that may bring more at one time; each at most some 4 MiB.
pub(super) const PLACES: usize = 96;

/// What one host holds.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Semaphore>,
    heard: AtomicUsize,
    held: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Place {
    pub(super) fn new(places: Arc<Semaphore>) -> Self {
        Self { places, heard: AtomicUsize::new(0), held: Mutex::new(None) }
    }

    /// Adds to what the host brought.
    pub(super) fn add(&self, bytes: usize) {
        self.heard.fetch_add(bytes, Ordering::Relaxed);
    }

    /// True when a connection that brought `so_far` may be read on without a place.
    pub(super) fn may_read(&self, so_far: usize) -> bool {
        let small = so_far < CONNECTION && self.heard.load(Ordering::Relaxed) < HOST;
        small || self.is_held()
    }

    /// True when the host has a place.
    pub(super) fn is_held(&self) -> bool {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Waits for a place, and keeps it.
    pub(super) async fn take(&self) {
        // The semaphore is never closed.
        if let Ok(permit) = Arc::clone(&self.places).acquire_owned().await {
            *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(permit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_host_that_says_much_keeps_its_place_until_it_is_dropped() {
        let places = Arc::new(Semaphore::new(1));
        let (first, second) = (Place::new(Arc::clone(&places)), Place::new(Arc::clone(&places)));
        assert!(first.may_read(100) && !first.may_read(CONNECTION));
        first.take().await;
        assert!(first.may_read(1 << 20) && first.is_held() && !second.is_held());
        second.add(HOST);
        assert!(!second.may_read(0), "many short answers count together");
        let waits = tokio::time::timeout(std::time::Duration::from_millis(20), second.take());
        assert!(waits.await.is_err(), "the only place is taken");
        drop(first);
        second.take().await;
        assert!(second.may_read(1 << 20));
    }
}
