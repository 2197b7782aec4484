//! `scan`: begins or continues a run, shows how far it is, and says what it did.

use std::fs::{File, TryLockError};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, anyhow};
use serde_json::{Value, json};

use super::args::{DiscoveryArg, Scan};
use super::case::scope_in_force;
use super::data::place_hosts;
use super::exit::{Exit, Stop};
use super::plan::ScanPlan;
use super::progress::Watch;
use super::scope::span;
use super::term::Term;
use super::{VERSION, actor, hunt, interrupt, share};
use crate::clock::{Clock, SystemClock};
use crate::discover::{Discovery, Patience, Syn};
use crate::net::{Door, Limiter, Stop as Asked, Stopper, Timing, can_send_from, stop_switch};
use crate::observation::Outcome;
use crate::scan::{self, Progress, Run, ScanError, Summary};
use crate::store::{Action, Case, Counters, Run as RunRow, RunId, RunSpec, State, StoreError};
use crate::target::Order;

/// Most hosts at once, whatever the rate: with 1.5 seconds for a dead address, some 13,000 of these a second.
const MOST_IN_FLIGHT: usize = 20_000;
/// Indices that may be outstanding: more than the places, so that slow hosts do not hold the quick ones up.
const WINDOW: u64 = 65_536;
/// The same for discovery by SYN without a limit: some ten thousand SYNs a second, all of them silent, for a cool-down.
const WIDEST: u64 = 262_144;
/// How long after its last SYN a host may answer: longer than a connection waits, since waiting costs nothing here.
const COOL_DOWN: Duration = Duration::from_secs(3);
/// From how many services on SYNs pay by themselves.
const WORTH_SYN: u128 = 4_096;

pub(super) fn run(args: &Scan, term: &Term) -> Result<Exit, Stop> {
    let (stopper, stop) = stop_switch();
    let interrupts = interrupt::catch(&stopper, term);
    let (summary, stopped) = scan(args, term, &stopper, &stop)?;
    interrupts?;
    Ok(match (summary.complete, stopped) {
        (true, _) if !summary.outcomes.contains_key(Outcome::Failed.as_str()) => Exit::Done,
        (false, true) => Exit::Interrupted,
        _ => Exit::Part,
    })
}

/// The whole verb, for `demo` too. Returns the summary and whether the operator asked for a stop.
pub(super) fn scan(args: &Scan, term: &Term, stopper: &Stopper, stop: &Asked) -> Result<(Summary, bool), Stop> {
    let clock = SystemClock::shared();
    args.summary.as_deref().map_or(Ok(()), may_write_summary)?;
    let mut case = Case::open(&args.case)?;
    let _held = hold(&args.case)?;
    let scope = scope_in_force(&case, clock.as_ref(), term)?;
    let mut plan = ScanPlan::new(args, &scope)?;
    hunt::settle(&mut plan, args, &case)?;
    for note in &plan.notes {
        term.warn(note);
    }
    sendable(args.source)?;
    let timing = Timing::default();
    let patience = Patience { cool_down: COOL_DOWN, repeats: args.syn_repeats };
    let (discovery, note) = discovery(args, &plan, patience);
    if let Some(note) = &note {
        term.warn(note);
    }
    let (id, seed, before) = begin(&mut case, args, &plan, discovery.id(), clock.as_ref(), term)?;
    let said_no = said_no(&case, id)?;
    let networks = hunt::networks(&plan, &case, id)?;
    drop(case);

    let descriptors = scan::raise_descriptor_limit().unwrap_or(1024);
    let in_flight = args
        .in_flight
        .unwrap_or_else(|| scan::in_flight(plan.rates.run, timing.connect, descriptors, MOST_IN_FLIGHT))
        .clamp(1, usize::try_from(descriptors.saturating_sub(64)).unwrap_or(usize::MAX).max(1));
    // Sockets, and some for the case and the opt-out files. Without it the scan is only less even.
    let _ = scan::reserve_descriptors(in_flight.saturating_add(48));
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let limiter = Arc::new(Limiter::new(plan.rates, Arc::clone(&clock)));
    limiter.restore(before.unfinished.clone());
    limiter.back_off().restore(said_no);
    let door = Door::new(Arc::new(plan.scope.clone()), limiter, Arc::clone(&clock), stop.clone())
        .with_timing(timing)
        .with_source(args.source);
    let order = Order::new(seed, plan.targets.hosts(), plan.shard);
    let progress = Arc::new(Progress::default());
    let watch = Watch::start(&progress, &door, term);
    let started = clock.elapsed();
    let (cpu_before, _) = scan::usage();
    tracing::info!(run = id, hosts = order.len(), in_flight, workers, "scan begins");
    let found_by = discovery.id();
    let window = window(&discovery, plan.rates.run, patience);
    let result = scan::run(Run {
        case: args.case.clone(),
        id,
        before,
        targets: Arc::new(plan.targets.clone()),
        order,
        settings: plan.settings.clone(),
        hunting: plan.hunting.clone(),
        networks,
        discovery: discovery.for_run(id),
        door: door.clone(),
        stopper: stopper.clone(),
        progress: Arc::clone(&progress),
        in_flight,
        workers,
        window,
    });
    watch.stop();
    let seconds = clock.elapsed().saturating_sub(started).as_secs_f64();
    let complete = matches!(result, Ok(true));
    let summary = summarise(id, complete, seconds, cpu_before, seed, &plan, &door, &progress, (found_by, note));
    let own: Vec<IpAddr> = args.source.into_iter().chain(door.traffic().own()).collect();
    finish(&args.case, id, &result, (&summary, &own), clock.as_ref(), term)?;
    if result.is_ok() {
        place_hosts(&mut Case::open(&args.case)?, term)?;
    }
    if let Some(path) = &args.summary {
        write_summary(path, &summary)?;
    }
    tell(&summary, &args.case, term);
    if plan.hunting.is_some() {
        hunt::tell(&progress, term);
    }
    if door.is_over() {
        let until = plan.scope.valid_until();
        term.warn(format!("the scope ended on {until}, so the scan stopped; ask the authority for a new one"));
    }
    let backed_off = progress.backed_off.load(Ordering::Relaxed);
    if backed_off > 0 {
        let withheld = progress.withheld.load(Ordering::Relaxed);
        term.warn(format!(
            "networks were slowed or stopped {backed_off} times because they failed more or said no; {withheld} services \
             were not asked for that (counted as unreachable). The case's records say which and why"
        ));
    }
    if let Some(failed) = summary.outcomes.get(Outcome::Failed.as_str()) {
        term.warn(format!(
            "{failed} services could not be asked by a fault of this machine or program; their rows say why"
        ));
    }
    result?;
    Ok((summary, stop.is_asked() && !door.is_over()))
}

/// Networks that told an earlier part of the run not to ask.
fn said_no(case: &Case, run: RunId) -> Result<Vec<IpAddr>, Stop> {
    let (action, subject) = (Action::BackOff.as_str(), run.to_string());
    let records = case.records()?.into_iter().filter(|record| record.action == action && record.subject == subject);
    let stopped = records.filter(|record| record.body.get("what").is_some_and(|what| what == "stopped"));
    let network = |body: &Value| body.get("network")?.as_str()?.split('/').next()?.parse().ok();
    Ok(stopped.filter_map(|record| network(&record.body)).collect())
}

/// Refuses a source that is no address of this machine before anything is recorded.
pub(super) fn sendable(source: Option<IpAddr>) -> Result<(), Stop> {
    source.map_or(Ok(()), |source| can_send_from(source).map_err(|words| Stop::usage(anyhow!(words))))
}

/// How this run finds out who answers, and why not otherwise.
fn discovery(args: &Scan, plan: &ScanPlan, patience: Patience) -> (Discovery, Option<String>) {
    let worth = match args.discovery {
        DiscoveryArg::Connect => false,
        DiscoveryArg::Syn => true,
        DiscoveryArg::Auto => services_for_syn(plan) >= WORTH_SYN && leaves_room_for_syns(plan, patience),
    };
    if !worth {
        return (Discovery::Connect, None);
    }
    match Syn::open(args.source, patience) {
        Ok(syn) => (Discovery::Syn(Box::new(syn)), None),
        Err(why) => (Discovery::Connect, Some(format!("discovery by connections, not by SYN: {why}"))),
    }
}

/// True when every host's limit of connections has room for a SYN to each of its ports beside a full capture.
fn leaves_room_for_syns(plan: &ScanPlan, patience: Patience) -> bool {
    let Some(most) = plan.rates.host_total else { return true };
    plan.targets.stretches().all(|(_, services)| {
        let each = u64::from(patience.repeats) + 1;
        let costs = services.iter().map(|(speech, _)| plan.settings.most_connections(*speech) + each);
        costs.sum::<u64>() <= u64::from(most)
    })
}

/// Services of this shard that lie beyond this machine, on IPv4.
fn services_for_syn(plan: &ScanPlan) -> u128 {
    let beyond = |address: IpAddr| address.is_ipv4() && !address.is_loopback();
    let stretches = plan.targets.stretches().filter(|(range, _)| beyond(range.first));
    let all = stretches.fold(0u128, |sum, (range, services)| sum + range.count() * services.len() as u128);
    all / u128::from(plan.shard.count().max(1))
}

/// Indices that may be outstanding. A host asked by SYN holds its place for a cool-down, whatever the rate.
fn window(discovery: &Discovery, rate: Option<f64>, patience: Patience) -> u64 {
    if matches!(discovery, Discovery::Connect) {
        return WINDOW;
    }
    let seconds = patience.cool_down.as_secs_f64() * f64::from(patience.repeats + 1) + 2.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a small positive range")]
    rate.map_or(WIDEST, |rate| (rate * seconds).clamp(WINDOW as f64, WIDEST as f64) as u64)
}

/// Takes up an unfinished run of the same plan, or begins one.
fn begin(
    case: &mut Case,
    args: &Scan,
    plan: &ScanPlan,
    discovery: &str,
    clock: &dyn Clock,
    term: &Term,
) -> Result<(RunId, u64, Counters), Stop> {
    let plan_sha256 = plan.digest();
    let unfinished = if args.new { None } else { case.unfinished_run(&plan_sha256)? };
    if let Some(state) = unfinished {
        let done = state.position.low + state.position.done_above();
        term.say(format!("going on with run {}: {done} hosts are done", state.id));
        if args.seed.is_some_and(|seed| seed != state.seed) {
            term.warn(format!("--seed is not used: run {} keeps its own; --new starts another", state.id));
        }
        let mut counters = state.counters;
        let killed = case.runs()?.iter().any(|run| run.id == state.id && run.state == State::Running);
        if killed {
            // What the last moments before a kill sent is not on record: one connection more for each host begun.
            counters.unfinished.values_mut().for_each(|spent| *spent += 1);
        }
        return Ok((state.id, state.seed, counters));
    }
    // SQLite's and JSON's numbers are signed: 63 bits.
    let drawn = || if plan.shard.count() > 1 { plan.shared_seed() } else { random_seed() };
    let seed = args.seed.unwrap_or_else(drawn) & (u64::MAX >> 1);
    if plan.shard.count() > 1 {
        let same = |run: &RunRow| run.plan_sha256 == plan_sha256 && run.seed == seed;
        if let Some(run) = case.runs()?.iter().find(|run| same(run)) {
            term.warn(format!(
                "run {} was this shard in this order too, and `merge` takes one of them; give every shard of a further round a --seed of its own",
                run.id
            ));
        }
    }
    let services = plan.targets.stretches().map(|(_, services)| services.len()).max().unwrap_or(0);
    let hosts = Order::new(seed, plan.targets.hosts(), plan.shard).len();
    let id = case.begin_run(&RunSpec {
        plan_sha256,
        plan: plan.config(discovery),
        seed,
        scope_text: plan.scope.text().to_owned(),
        limits: plan.limits(),
        version: VERSION.to_owned(),
        shard: (plan.shard.index(), plan.shard.count()),
        hosts,
        services: u32::try_from(services).unwrap_or(u32::MAX).max(1),
        actor: actor(),
        at: clock.now(),
    })?;
    term.say(format!("run {id}: {hosts} hosts, {} services", plan.targets.services()));
    Ok((id, seed, Counters::default()))
}

fn random_seed() -> u64 {
    let mut bytes = [0; 8];
    crate::proto::Entropy::fill(&mut crate::net::SystemEntropy, &mut bytes);
    u64::from_le_bytes(bytes)
}

#[expect(clippy::too_many_arguments, reason = "it gathers one record from where its parts are")]
fn summarise(
    run: RunId,
    complete: bool,
    seconds: f64,
    cpu_before: Duration,
    seed: u64,
    plan: &ScanPlan,
    door: &Door,
    progress: &Progress,
    (discovery, note): (&str, Option<String>),
) -> Summary {
    let (connections, bytes_sent, bytes_heard) = door.traffic().totals();
    let syns = door.traffic().syns();
    let lost = progress.answers_lost.load(Ordering::Relaxed);
    let missed =
        (lost > 0).then(|| format!("{lost} answers came faster than they could be taken: hosts may be missing"));
    let (cpu, peak_rss_bytes) = scan::usage();
    let outcomes = progress.outcomes();
    Summary {
        run,
        complete,
        hosts: progress.hosts_asked.load(Ordering::Relaxed),
        services: progress.services.load(Ordering::Relaxed),
        connections,
        syns,
        answered: progress.answered.load(Ordering::Relaxed),
        bytes_sent,
        bytes_heard,
        seconds,
        cpu_seconds: cpu.saturating_sub(cpu_before).as_secs_f64(),
        peak_rss_bytes,
        rate_asked: plan.rates.run,
        rate_reached: if seconds > 0.0 { (connections + syns) as f64 / seconds } else { 0.0 },
        seed,
        shard: plan.shard.to_string(),
        discovery: discovery.to_owned(),
        discovery_note: missed.or(note),
        scope_sha256: plan.scope.sha256().to_owned(),
        version: VERSION.to_owned(),
        outcomes,
    }
}

/// Closes the run's row and makes the case quick to search.
fn finish(
    path: &Path,
    id: RunId,
    result: &Result<bool, ScanError>,
    (summary, own): (&Summary, &[IpAddr]),
    clock: &dyn Clock,
    term: &Term,
) -> Result<(), Stop> {
    let state = match result {
        // Another process goes on with the run; its state is that one's to tell.
        Err(ScanError::Store(StoreError::TakenOver { .. })) => return Ok(()),
        Ok(true) => State::Done,
        Ok(false) => State::Stopped,
        Err(_) => State::Failed,
    };
    let mut case = match Case::open(path) {
        Ok(case) => case,
        // The run's own error is told instead.
        Err(_) if result.is_err() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let summary: Value = json!(summary);
    let closed = case
        .end_run(id, state, &summary, &actor(), clock.now())
        .and_then(|()| share::remember(&mut case, id, own, clock.now()))
        .and_then(|()| if state == State::Done { case.build_postings() } else { Ok(()) });
    match closed {
        Err(error) if result.is_err() => term.warn(format!("the end of the run could not be recorded: {error}")),
        other => other?,
    }
    Ok(())
}

/// Holds the case for this scan until the file is closed: two scans of one case would send at twice the rate.
///
/// Not a lock of SQLite's kind: readers, `seed` and `link` go on beside a scan.
fn hold(case: &Path) -> Result<File, Stop> {
    let file = File::open(case).with_context(|| format!("cannot open `{}`", case.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(anyhow!(
            "another hostkin is scanning under `{}` now; wait for it, or stop it with Ctrl-C. Nothing was sent",
            case.display()
        )
        .into()),
        Err(TryLockError::Error(error)) => {
            Err(anyhow::Error::new(error).context(format!("cannot lock `{}`", case.display())).into())
        }
    }
}

/// A summary may replace an earlier summary, and nothing else.
fn may_write_summary(path: &Path) -> Result<(), Stop> {
    let Ok(bytes) = std::fs::read(path) else { return Ok(()) };
    let earlier = serde_json::from_slice::<Value>(&bytes).is_ok_and(|value| value.get("scope_sha256").is_some());
    if earlier || bytes.is_empty() {
        return Ok(());
    }
    Err(Stop::usage(anyhow!(
        "`{}` exists and is no scan summary; nothing was sent. Choose another name for --summary",
        path.display()
    )))
}

fn write_summary(path: &Path, summary: &Summary) -> Result<(), Stop> {
    let text = serde_json::to_string_pretty(summary)? + "\n";
    // A summary is written again by the next part of a run.
    std::fs::write(path, text).with_context(|| format!("cannot write the summary to `{}`", path.display()))?;
    Ok(())
}

/// The summary for people.
fn tell(summary: &Summary, case: &Path, term: &Term) {
    let outcomes: Vec<String> = summary.outcomes.iter().map(|(word, count)| format!("{count} {word}")).collect();
    let state = if summary.complete { "done" } else { "stopped" };
    term.step(format!(
        "run {} {state}: {} hosts, {} services, {} observations answered",
        summary.run, summary.hosts, summary.services, summary.answered
    ));
    term.say(format!(
        "  {} connections{} in {} ({:.0} a second{}), {:.1} MB heard, {:.1} CPU seconds, {} MB at most",
        summary.connections,
        if summary.syns > 0 { format!(" and {} SYNs", summary.syns) } else { String::new() },
        span(summary.seconds),
        summary.rate_reached,
        summary.rate_asked.map_or(String::new(), |rate| format!(" of {rate:.0} permitted")),
        summary.bytes_heard as f64 / 1e6,
        summary.cpu_seconds,
        summary.peak_rss_bytes / 1_000_000,
    ));
    if let Some(note) = &summary.discovery_note {
        term.say(format!("  {note}"));
    }
    if !outcomes.is_empty() {
        term.say(format!("  {}", outcomes.join(", ")));
    }
    if !summary.complete {
        term.say(format!(
            "  nothing committed is lost; `hostkin scan {}` with the same options goes on",
            case.display()
        ));
    }
}
