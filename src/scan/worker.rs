//! One worker thread: its own runtime, and as many hosts at once as it has places.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};

use super::feed::Work;
use super::{Finished, QUEUE_KIB, Shared, writer};
use crate::net::Door;
use crate::observation::{Capture, CutShort, Observation, Outcome, Presence, Presences, Service};
use crate::probe::{self, Asked};
use crate::target::Host;

/// How long to leave new hosts alone while the run's limit is taken up by those that were begun.
const BUSY: Duration = Duration::from_millis(10);

/// Hosts taken up before the line of the run is looked at again with them in it.
const AT_ONCE: usize = 64;

/// What a worker runs on.
pub(super) fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Works until the order is exhausted or a stop is asked for.
pub(super) fn work(runtime: &Runtime, shared: &Arc<Shared>, sender: &mpsc::Sender<Finished>, places: usize) {
    LocalSet::new().block_on(runtime, async {
        let mut hosts = JoinSet::new();
        let stop = shared.door.stop().clone();
        let mut ended = false;
        loop {
            // Made before the pull, so that a commit between the two is not missed.
            let moved = shared.feed.moved(&shared.dispatcher);
            let mut full = false;
            let room = shared.door.room();
            let busy = room == 0;
            let mut taken_up = 0;
            while !ended && !full && hosts.len() < places && taken_up < room.min(AT_ONCE) && !stop.is_asked() {
                match shared.feed.pull(&shared.dispatcher) {
                    Work::Host(index, known) => {
                        taken_up += 1;
                        hosts.spawn_local(one_host(Arc::clone(shared), sender.clone(), index, known));
                    }
                    Work::Wait => full = true,
                    Work::End => ended = true,
                }
            }
            if hosts.is_empty() && (ended || stop.is_asked()) {
                return;
            }
            if taken_up > 0 && taken_up == room.min(AT_ONCE) {
                // Those just taken up line up first; then the line tells whether there is room for more.
                tokio::task::yield_now().await;
                while hosts.try_join_next().is_some() {}
                continue;
            }
            tokio::select! {
                Some(_) = hosts.join_next() => {}
                () = moved, if full => {}
                () = tokio::time::sleep(BUSY), if busy => {}
                () = stop.asked(), if hosts.is_empty() => {}
            }
        }
    });
}

/// Asks one host and hands on what it gave. A host cut off by a stop is not handed on: the next run asks it again.
async fn one_host(shared: Arc<Shared>, sender: mpsc::Sender<Finished>, index: u64, known: Presences) {
    shared.progress.in_flight.fetch_add(1, Ordering::Relaxed);
    // Every index below the order's length has a host.
    let Some(host) = shared.host(index) else { return };
    let door = shared.door.for_host();
    if left_out(&shared, host.address) {
        shared.progress.in_flight.fetch_sub(1, Ordering::Relaxed);
        shared.progress.left_out.fetch_add(1, Ordering::Relaxed);
        let asked: Vec<Asked> = host.services.iter().map(unasked).collect();
        return hand_on(&shared, &sender, index, (&host, door), asked).await;
    }
    // Kept until the host is committed: what it holds in memory counts as long.
    let kept = door.clone();
    let asking = pin!(async {
        match &shared.hunting {
            None => (probe::host(&door, &host, known, &shared.settings, false).await, None),
            Some(hunting) => {
                let (asked, verdict) = probe::hunted(&door, &host, known, &shared.settings, hunting).await;
                (asked, Some(verdict))
            }
        }
    });
    let (asked, verdict) = or_panic(asking).await.unwrap_or_else(|| (broken(&shared, &host), None));
    shared.progress.in_flight.fetch_sub(1, Ordering::Relaxed);
    if asked.iter().any(was_stopped) {
        if shared.door.is_over() {
            shared.stopper.stop();
        }
        return;
    }
    if let Some(verdict) = verdict.filter(|_| asked.iter().any(|one| one.presence == Presence::Heard)) {
        shared.progress.count_verdict(verdict);
        if let Some(networks) = &shared.networks
            && !is_seed(&shared, host.address)
        {
            networks.hear(host.address, verdict);
        }
    }
    hand_on(&shared, &sender, index, (&host, kept), asked).await;
}

/// True for a host whose network the hunt has given up; a seed is always asked.
pub(super) fn left_out(shared: &Shared, address: IpAddr) -> bool {
    shared.networks.as_ref().is_some_and(|networks| networks.is_given_up(address)) && !is_seed(shared, address)
}

fn is_seed(shared: &Shared, address: IpAddr) -> bool {
    shared.hunting.as_ref().is_some_and(|hunting| hunting.hunt.is_seed(address))
}

fn unasked(service: &Service) -> Asked {
    Asked { service: service.clone(), presence: Presence::Unasked, observations: Vec::new(), stopped: false }
}

/// Gives a finished host to the writer, once there is room.
async fn hand_on(
    shared: &Shared,
    sender: &mpsc::Sender<Finished>,
    index: u64,
    (host, kept): (&Host, Door),
    asked: Vec<Asked>,
) {
    let kib = asked.iter().map(weight).sum::<usize>().div_ceil(1024).clamp(1, QUEUE_KIB);
    let room = Arc::clone(&shared.budget).acquire_many_owned(u32::try_from(kib).unwrap_or(u32::MAX)).await;
    let Ok(room) = room else { return };
    shared.progress.queued.fetch_add(1, Ordering::Relaxed);
    let asn = shared.door.origin(host.address);
    let finished = Finished::Host(Box::new((writer::done(index, host.address, asn, asked), room, kept)));
    // The writer is gone only when it failed; the run stops then and says so.
    let _ = sender.send(finished).await;
}

/// Carries the work to its end, or to its panic (`None`): one broken probe must cost no more than its own host.
async fn or_panic<T>(mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(polled) => polled.map(Some),
        // What it held was dropped as it unwound, and it is not polled again.
        Err(_) => Poll::Ready(None),
    })
    .await
}

fn was_stopped(asked: &Asked) -> bool {
    asked.observations.iter().any(|(observation, _)| observation.outcome == Outcome::Stopped) || asked.stopped
}

fn weight(asked: &Asked) -> usize {
    let exchange = |one: &crate::observation::Exchange| {
        let chain = one.session.as_ref().map_or(0, |session| session.chain.iter().map(|blob| blob.0.len()).sum());
        one.heard.len() + one.sent.len() + chain + 256
    };
    let row = |(observation, reading): &(Observation, crate::proto::Reading)| {
        let facets: usize = reading.facets.iter().map(|facet| facet.stored().len() + 128).sum();
        facets + observation.capture.exchanges.iter().map(exchange).sum::<usize>()
    };
    asked.observations.iter().map(row).sum()
}

/// A probe of ours panicked: one row per service says so, and the run goes on.
fn broken(shared: &Shared, host: &Host) -> Vec<Asked> {
    tracing::error!(address = %host.address, "a probe panicked; please report this");
    let row = |service: &crate::observation::Service| {
        let capture = Capture { cut_short: Some(CutShort::Failed), asked_as: service.asked_as(), ..Capture::default() };
        let reading = probe::read(service.speech, &capture);
        let observation = Observation {
            service: service.clone(),
            over_tls: false,
            started_at: shared.door.clock().now(),
            outcome: reading.outcome,
            detail: reading.detail.clone(),
            capture,
        };
        Asked {
            service: service.clone(),
            presence: Presence::Heard,
            observations: vec![(observation, reading)],
            stopped: false,
        }
    };
    host.services.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_under_way_is_an_answer_and_not_the_end() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let work = |fails: bool| async move {
            tokio::task::yield_now().await;
            assert!(!fails, "a probe broke");
            7
        };
        assert_eq!(runtime.block_on(or_panic(pin!(work(false)))), Some(7));
        assert_eq!(runtime.block_on(or_panic(pin!(work(true)))), None);
    }
}
