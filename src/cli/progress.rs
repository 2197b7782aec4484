//! How far a scan is, drawn on a terminal; with `-v` a line now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::term::Term;
use crate::net::Door;
use crate::scan::Progress;

/// How often the figures are drawn.
const DRAW: Duration = Duration::from_millis(250);
/// How often `-v` gets a line.
const LOG: u32 = 40;

/// The watcher; stops when told to.
pub(super) struct Watch {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(super) fn start(progress: &Arc<Progress>, door: &Door, term: &Term) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (progress, door, draws, ended) = (Arc::clone(progress), door.clone(), term.draws(), Arc::clone(&over));
        let thread = std::thread::spawn(move || watch(&progress, &door, draws, &ended));
        Self { over, thread: Some(thread) }
    }

    pub(super) fn stop(mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn watch(progress: &Progress, door: &Door, draws: bool, over: &AtomicBool) {
    let bar = if draws { ProgressBar::no_length() } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{bar:24} {pos}/{len} hosts  {msg}  {eta} left");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    let load = |one: &std::sync::atomic::AtomicU64| one.load(Ordering::Relaxed);
    let mut last = (0, door.clock().elapsed());
    let mut ticks = 0;
    while !over.load(Ordering::Relaxed) {
        std::thread::park_timeout(DRAW);
        let (connections, _, _) = door.traffic().totals();
        let opened = connections + door.traffic().syns();
        let now = door.clock().elapsed();
        let passed = now.saturating_sub(last.1).as_secs_f64();
        let rate = if passed > 0.0 { (opened - last.0) as f64 / passed } else { 0.0 };
        last = (opened, now);
        bar.set_length(load(&progress.hosts_total));
        bar.set_position(load(&progress.hosts_done));
        let (answered, failed) = (load(&progress.answered), load(&progress.failed));
        bar.set_message(format!("{rate:.0}/s  {answered} answers  {failed} errors"));
        ticks += 1;
        if ticks % LOG == 0 {
            tracing::info!(
                hosts_done = load(&progress.hosts_done),
                in_flight = load(&progress.in_flight),
                queued = load(&progress.queued),
                connections,
                syns = door.traffic().syns(),
                answered,
                failed,
                "scan goes on"
            );
        }
    }
    bar.finish_and_clear();
}
