//! `probe`: one-off, no case; full capture, observations to standard output.

use std::io::Write as _;
use std::sync::Arc;

use anyhow::anyhow;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet};

use super::args::Probe;
use super::exit::{Exit, Stop};
use super::interrupt;
use super::plan::{lines, rates};
use super::scan::sendable;
use super::term::{Output, Term};
use crate::clock::SystemClock;
use crate::net::{Door, Limiter, stop_switch};
use crate::observation::{Outcome, Presences, Speech};
use crate::probe::{self, Asked, Settings};
use crate::report::{observation_json, write_json_line};
use crate::scope::{Narrowing, Scope};
use crate::target::Targets;

/// Hosts asked at once.
const AT_ONCE: usize = 64;

pub(super) fn run(args: &Probe, term: &Term) -> Result<Exit, Stop> {
    let clock = SystemClock::shared();
    let scope = Scope::load(&args.scope, clock.as_ref()).map_err(Stop::scope)?;
    let mut settings = Settings::full(scope.page().map(str::to_owned));
    if let Some(only) = &args.only {
        settings.want =
            only.parse().map_err(|error| Stop::usage(anyhow!("{error}: --only takes some of jarm,cert,http,ssh")))?;
    }
    let speeches: Vec<Speech> = Speech::ALL.into_iter().filter(|speech| settings.want.speech(*speech)).collect();
    let narrowing = Narrowing { speeches: Some(speeches), ..Narrowing::default() };
    let scope = scope.narrow(&narrowing).map_err(Stop::usage)?.scope;
    let targets = Targets::from_lines(&scope, &lines(&args.targets)?).map_err(Stop::usage)?;
    for left in targets.left_out() {
        term.warn(format!("not asked: {}: {}", left.target.network, left.why));
    }
    if targets.hosts() == 0 {
        return Err(Stop::scope(anyhow!("the scope permits none of these targets; nothing was sent")));
    }
    sendable(args.source)?;
    let (stopper, stop) = stop_switch();
    interrupt::catch(&stopper, term)?;
    let limiter = Arc::new(Limiter::new(rates(&scope), Arc::clone(&clock)));
    let door = Door::new(Arc::new(scope), limiter, clock, stop.clone()).with_source(args.source);
    let answered = ask(&targets, &door, &settings)?;
    Ok(match (stop.is_asked(), targets.left_out_in_all(), answered) {
        (true, ..) => Exit::Interrupted,
        (false, 0, _) => Exit::Done,
        (false, ..) => Exit::Part,
    })
}

/// Asks all and prints as answers come. Returns how many observations answered.
fn ask(targets: &Targets, door: &Door, settings: &Settings) -> Result<u64, Stop> {
    let mut out = Output::open(None)?;
    let mut answered = 0;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let (sender, mut receiver) = mpsc::channel::<Vec<Asked>>(AT_ONCE);
        let mut hosts = (0..targets.hosts()).filter_map(|position| targets.host(position));
        let mut tasks = JoinSet::new();
        let mut ended = false;
        loop {
            while !ended && tasks.len() < AT_ONCE && !door.stop().is_asked() {
                let Some(host) = hosts.next() else {
                    ended = true;
                    break;
                };
                let (door, settings, sender) = (door.for_host(), settings.clone(), sender.clone());
                tasks.spawn_local(async move {
                    let asked = probe::host(&door, &host, Presences::NONE, &settings, true).await;
                    let _ = sender.send(asked).await;
                });
            }
            tokio::select! {
                Some(asked) = receiver.recv() => answered += print(&mut out, &asked)?,
                Some(result) = tasks.join_next() => {
                    if let Err(error) = result {
                        tracing::error!(%error, "a probe panicked; please report this");
                    }
                }
                else => break,
            }
            if tasks.is_empty() && (ended || door.stop().is_asked()) {
                while let Ok(asked) = receiver.try_recv() {
                    answered += print(&mut out, &asked)?;
                }
                break;
            }
        }
        Ok::<(), Stop>(())
    })?;
    out.finish()?;
    Ok(answered)
}

fn print(out: &mut Output, asked: &[Asked]) -> Result<u64, Stop> {
    let mut answered = 0;
    for (observation, reading) in asked.iter().flat_map(|one| &one.observations) {
        write_json_line(out, &observation_json(observation, &reading.facets))?;
        answered += u64::from(observation.outcome == Outcome::Answered);
    }
    out.flush()?;
    Ok(answered)
}
