//! A run: dispatcher, workers, back-pressure, resume, shards.
//!
//! One thread per core, each with its own single-threaded runtime; one host on one worker, its connections one after the
//! other. Hosts are pulled, never pushed: a worker takes the next index of the order when it has room. Results go one
//! way, through one bounded channel and a byte budget, to the writer, which commits them together with the position.
//! When the writer is behind, finished hosts wait in their worker's places and no new connection starts.
//!
//! With discovery by SYN a thread of its own stands before the workers: it takes the indices, hands those that answer to
//! the workers and the others straight to the writer. Window, position and resume are the same.

mod dispatch;
mod feed;
mod networks;
mod progress;
mod stage;
mod usage;
mod worker;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use dispatch::Dispatcher;
use feed::Feed;
pub use networks::{GiveUp, GiveUpError, GivenUp, Networks};
pub use progress::{Progress, Summary};
pub use usage::{raise_descriptor_limit, reserve_descriptors, usage};

use crate::discover::Discovery;
use crate::net::{Door, Stopper};
use crate::probe::{HuntSettings, Settings};
use crate::store::{Counters, HostDone, QuietHost, RunId, RunWriter, StoreError};
use crate::target::{Host, Order, Targets};

/// Hosts that may wait for the writer.
const QUEUE: usize = 1024;
/// Bytes heard that may wait for the writer, in KiB.
const QUEUE_KIB: usize = 64 * 1024;

/// Everything a run needs.
pub struct Run {
    /// The case file.
    pub case: PathBuf,
    /// The run's row.
    pub id: RunId,
    /// What earlier parts of the run counted.
    pub before: Counters,
    /// Who to ask.
    pub targets: Arc<Targets>,
    /// In which order.
    pub order: Order,
    /// What to ask.
    pub settings: Settings,
    /// What to look for; `None` asks everything of everybody.
    pub hunting: Option<HuntSettings>,
    /// When a hunt leaves out the rest of a network; `None` never.
    pub networks: Option<Networks>,
    /// Who answers.
    pub discovery: Discovery,
    /// The door.
    pub door: Door,
    /// Stops everything when the case cannot be written or the scope ends.
    pub stopper: Stopper,
    /// Counters for the one who watches.
    pub progress: Arc<Progress>,
    /// Hosts at once, all workers together.
    pub in_flight: usize,
    /// Worker threads.
    pub workers: usize,
    /// Indices that may be outstanding.
    pub window: u64,
}

/// Why a run ended before its end, beside a request to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// The case could not be written; what was committed stands.
    #[error(
        "the case could not be written, so the scan stopped; everything committed stands, and `hostkin scan` goes on from there"
    )]
    Store(#[from] StoreError),
    /// SYNs could not be sent or heard any more.
    #[error("discovery by SYN failed, so the scan stopped: {0}; `--discovery connect` goes on without it")]
    Discovery(std::io::Error),
    /// A worker could not start or died.
    #[error("a worker thread failed: {0}")]
    Worker(String),
}

/// What the workers share.
struct Shared {
    dispatcher: Dispatcher,
    targets: Arc<Targets>,
    order: Order,
    settings: Settings,
    hunting: Option<HuntSettings>,
    networks: Option<Networks>,
    feed: Feed,
    door: Door,
    stopper: Stopper,
    progress: Arc<Progress>,
    budget: Arc<Semaphore>,
}

impl Shared {
    /// The host at an index of the order.
    fn host(&self, index: u64) -> Option<Host> {
        self.order.position(index).and_then(|position| self.targets.host(position))
    }
}

/// What is done, on its way to the writer.
enum Finished {
    /// A host, with its room in the queue and its place, which are held until it is committed.
    Host(Box<(HostDone, OwnedSemaphorePermit, Door)>),
    /// Hosts that said nothing.
    Quiet(Vec<QuietHost>),
}

/// Carries a run to its end, to a request to stop, or to a fault.
///
/// Returns true when every host of the shard is done.
///
/// # Errors
/// When the case cannot be written or a worker dies. What was committed stands.
pub fn run(run: Run) -> Result<bool, ScanError> {
    let total = run.order.len();
    let writer = RunWriter::open(&run.case, run.id)?;
    run.progress.hosts_total.store(total, std::sync::atomic::Ordering::Relaxed);
    let position = writer.position().clone();
    run.progress.hosts_done.store(position.low + position.done_above(), std::sync::atomic::Ordering::Relaxed);
    let shared = Arc::new(Shared {
        dispatcher: Dispatcher::new(total, run.window.max(64), position),
        targets: run.targets,
        order: run.order,
        settings: run.settings,
        hunting: run.hunting,
        networks: run.networks,
        feed: match run.discovery {
            Discovery::Connect => Feed::order(),
            Discovery::Syn(_) => Feed::sifted(),
        },
        door: run.door,
        stopper: run.stopper.clone(),
        progress: run.progress,
        budget: Arc::new(Semaphore::new(QUEUE_KIB)),
    });
    let (sender, receiver) = mpsc::channel(QUEUE);
    let each = run.in_flight.div_ceil(run.workers.max(1)).max(1);
    // All workers have what they need before the first asks anybody.
    let runtimes = (0..run.workers.max(1)).map(|_| worker::runtime()).collect::<std::io::Result<Vec<_>>>();
    let runtimes = runtimes.map_err(|error| ScanError::Worker(error.to_string()))?;
    std::thread::scope(|scope| {
        // A thread may not be had; the others are not to ask everybody before that is said.
        let _guard = StopOnPanic(&run.stopper);
        let (stopper, before) = (run.stopper.clone(), run.before);
        let writing = scope.spawn({
            let shared = Arc::clone(&shared);
            move || {
                let _guard = StopOnPanic(&stopper);
                let result = writer::write(receiver, writer, &before, &shared);
                if result.is_err() {
                    stopper.stop();
                }
                result
            }
        });
        let workers: Vec<_> = runtimes
            .into_iter()
            .map(|runtime| {
                let (shared, sender) = (Arc::clone(&shared), sender.clone());
                scope.spawn(move || {
                    let _guard = StopOnPanic(&shared.stopper);
                    worker::work(&runtime, &shared, &sender, each);
                })
            })
            .collect();
        let sifting = match run.discovery {
            Discovery::Connect => None,
            Discovery::Syn(syn) => {
                let (shared, sender) = (Arc::clone(&shared), sender.clone());
                Some(scope.spawn(move || {
                    let _guard = StopOnPanic(&shared.stopper);
                    stage::sift(&shared, sender, *syn)
                }))
            }
        };
        drop(sender);
        let mut failed = None;
        for worker in workers {
            if worker.join().is_err() {
                failed = Some("it panicked; please report this".to_owned());
                run.stopper.stop();
            }
        }
        let sifted = sifting.map_or(Ok(Ok(())), std::thread::ScopedJoinHandle::join);
        let panicked = |_| ScanError::Worker("the writer panicked; please report this".to_owned());
        let done = writing.join().map_err(panicked)??;
        sifted
            .map_err(|_| ScanError::Worker("discovery panicked; please report this".to_owned()))?
            .map_err(ScanError::Discovery)?;
        match failed {
            Some(words) => Err(ScanError::Worker(words)),
            None => Ok(done >= total),
        }
    })
}

/// Stops the run when its thread panics: what the others wait for would never come.
struct StopOnPanic<'a>(&'a Stopper);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}

/// How many hosts to have in flight: enough to keep the permitted rate busy, within what descriptors allow.
///
/// `rate` is connections a second; `dead` how long a dead address holds its place; `descriptors` what the system grants.
#[must_use]
pub fn in_flight(rate: Option<f64>, dead: Duration, descriptors: u64, most: usize) -> usize {
    let spare = usize::try_from(descriptors.saturating_sub(256)).unwrap_or(usize::MAX).max(16);
    let most = most.min(spare);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a small positive range")]
    let wanted = rate.map(|rate| (rate * (dead.as_secs_f64() + 2.0)).ceil().clamp(64.0, 1e6) as usize);
    wanted.map_or(most, |wanted| wanted.min(most))
}
