//! The writer's thread: takes what waits, up to a batch, and commits it with the position.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio::sync::mpsc;

use super::{Finished, Networks, ScanError, Shared, usage};
use crate::net::Notice;
use crate::observation::Presence;
use crate::store::{Action, AskedState, Counters, HostDone, QuietHost, RunWriter, ServiceDone, StoreError};

/// Hosts in one transaction.
const BATCH: usize = 2048;
/// How long a batch may gather while little comes.
const GATHER: Duration = Duration::from_millis(100);
/// How often the counters are written although no host was finished: what was sent is on record, whatever happens next.
const HEARTBEAT: Duration = Duration::from_millis(250);
/// How often a case locked by a reader is tried again.
const TRIES: u32 = 5;

/// Commits until every sender is gone. Returns how many hosts of the run are done.
pub(super) fn write(
    mut receiver: mpsc::Receiver<Finished>,
    mut writer: RunWriter,
    before: &Counters,
    shared: &Arc<Shared>,
) -> Result<u64, ScanError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| ScanError::Worker(error.to_string()))?;
    let started = shared.door.clock().elapsed();
    let mut batch = Vec::new();
    let mut written = None;
    let mut notices = VecDeque::new();
    loop {
        let waited =
            runtime.block_on(async { tokio::time::timeout(HEARTBEAT, receiver.recv_many(&mut batch, BATCH)).await });
        let over = matches!(waited, Ok(0));
        if !over && batch.len() < BATCH / 4 && !batch.is_empty() && !receiver.is_closed() {
            std::thread::sleep(GATHER);
            while batch.len() < BATCH
                && let Ok(more) = receiver.try_recv()
            {
                batch.push(more);
            }
        }
        shared.progress.queued.fetch_sub(batch.len() as u64, Ordering::Relaxed);
        tell(&mut writer, &mut notices, shared, over)?;
        let (mut hosts, mut quiet, mut held) = (Vec::new(), Vec::new(), Vec::new());
        for finished in batch.drain(..) {
            match finished {
                // Room and place are held until the commit.
                Finished::Host(one) => {
                    let (host, room, place) = *one;
                    hosts.push(host);
                    held.push((room, place));
                }
                Finished::Quiet(those) => quiet.extend(those),
            }
        }
        let indices = hosts.iter().map(|host| host.index).chain(quiet.iter().map(|host| host.index));
        let position = shared.dispatcher.position_with(indices);
        shared.progress.count(&hosts, &quiet);
        let addresses = || hosts.iter().map(|host| host.address).chain(quiet.iter().map(|host| host.address));
        let lasted = shared.door.clock().elapsed().saturating_sub(started);
        let counters = counters(before, shared, lasted, &position, addresses());
        given_up(&mut writer, shared)?;
        let sent = Some((counters.connections, counters.unfinished.len()));
        if addresses().next().is_some() || written != sent {
            commit(&mut writer, (&hosts, &quiet), &position, &counters)?;
            written = sent;
        }
        drop(held);
        shared.door.forget(addresses());
        shared.progress.hosts_done.store(position.low + position.done_above(), Ordering::Relaxed);
        shared.dispatcher.committed(position);
        if over {
            let position = writer.position();
            return Ok(position.low + position.done_above());
        }
    }
}

/// Records which networks were slowed or are not asked any more. A case locked by a reader keeps them for the next round,
/// and in the `last` one is waited for.
fn tell(writer: &mut RunWriter, notices: &mut VecDeque<Notice>, shared: &Shared, last: bool) -> Result<(), StoreError> {
    let mut tries = 0;
    let back_off = shared.door.back_off();
    shared.progress.withheld.store(back_off.withheld(), Ordering::Relaxed);
    notices.extend(back_off.notices());
    while let Some(notice) = notices.front() {
        let what = if notice.part > 0.0 { "slowed" } else { "stopped" };
        let body = json!({ "network": notice.network, "what": what, "part": notice.part, "why": notice.why });
        match writer.record(notice.at, Action::BackOff, &body) {
            Err(StoreError::Locked) if !last => return Ok(()),
            Err(StoreError::Locked) if tries < TRIES => {
                tries += 1;
                continue;
            }
            other => other?,
        }
        shared.progress.backed_off.fetch_add(1, Ordering::Relaxed);
        notices.pop_front();
    }
    Ok(())
}

/// Records which networks a hunt gave up: before the hosts that were left out for it, so that nothing is missing without a
/// word.
fn given_up(writer: &mut RunWriter, shared: &Shared) -> Result<(), StoreError> {
    for one in shared.networks.iter().flat_map(Networks::untold) {
        tracing::info!(network = one.network, differ = one.differ, "a network was given up");
        let body = json!({ "network": one.network, "differ": one.differ, "like": one.like, "test": one.test });
        let mut tries = 0;
        while let Err(error) = writer.record(shared.door.clock().now(), Action::GaveUp, &body) {
            tries += 1;
            if !matches!(error, StoreError::Locked) || tries > TRIES {
                return Err(error);
            }
        }
    }
    Ok(())
}

fn commit(
    writer: &mut RunWriter,
    (hosts, quiet): (&[HostDone], &[QuietHost]),
    position: &crate::store::Position,
    counters: &Counters,
) -> Result<(), StoreError> {
    let mut tries = 0;
    loop {
        match writer.commit_all(hosts, quiet, position, counters) {
            Err(StoreError::Locked) if tries < TRIES => tries += 1,
            Err(error) => return Err(error),
            Ok(committed) => {
                if committed.repeated > 0 {
                    tracing::warn!(
                        repeated = committed.repeated,
                        "services asked twice in this run; the first answer stays"
                    );
                }
                return Ok(());
            }
        }
    }
}

/// What the whole run counts now: its earlier parts and this one.
fn counters(
    before: &Counters,
    shared: &Shared,
    lasted: Duration,
    position: &crate::store::Position,
    done: impl Iterator<Item = IpAddr>,
) -> Counters {
    let mut unfinished: BTreeMap<IpAddr, u32> = shared.door.spent().into_iter().collect();
    if !unfinished.is_empty() {
        for address in done {
            unfinished.remove(&address);
        }
    }
    let (connections, sent, heard) = shared.door.traffic().totals();
    let progress = &shared.progress;
    let (cpu, peak) = usage();
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let mut outcomes = before.outcomes.clone();
    for (word, count) in progress.outcomes() {
        *outcomes.entry(word).or_default() += count;
    }
    Counters {
        hosts: position.low + position.done_above(),
        services: before.services + progress.services.load(Ordering::Relaxed),
        connections: before.connections + connections,
        answered: before.answered + progress.answered.load(Ordering::Relaxed),
        bytes_sent: before.bytes_sent + sent,
        bytes_heard: before.bytes_heard + heard,
        lasted_ms: before.lasted_ms + millis(lasted),
        cpu_ms: before.cpu_ms + millis(cpu),
        peak_rss_bytes: before.peak_rss_bytes.max(peak),
        outcomes,
        unfinished,
    }
}

/// What the case keeps of one host.
pub(super) fn done(index: u64, address: IpAddr, asn: Option<u32>, asked: Vec<crate::probe::Asked>) -> HostDone {
    let services = asked.into_iter().enumerate().map(|(place, one)| ServiceDone {
        ordinal: u32::try_from(place).unwrap_or(u32::MAX),
        state: state(one.presence),
        heard: one.observations,
    });
    HostDone { index, address, asn, prefix: None, services: services.collect() }
}

fn state(presence: Presence) -> AskedState {
    match presence {
        Presence::Unasked => AskedState::NotAsked,
        Presence::Silent => AskedState::Silent,
        Presence::Refused => AskedState::Refused,
        Presence::Heard => AskedState::Heard,
    }
}
