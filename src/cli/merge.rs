//! `merge`: the scans of shards, each from a case of its own, become runs of one case.

use anyhow::Error;

use super::actor;
use super::args::Merge;
use super::exit::{Exit, Stop};
use super::seed::shown;
use super::term::Term;
use crate::clock::{Clock, SystemClock};
use crate::store::{Case, MergeRefusal, Merged, MergedAs, MergedShard, StoreError};

/// Missing shards named at most.
const MOST_NAMED: usize = 20;

pub(super) fn run(args: &Merge, term: &Term) -> Result<Exit, Stop> {
    let mut case = Case::open(&args.case)?;
    let merged = case.merge(&args.shards, &actor(), SystemClock::new().now()).map_err(refused)?;
    if merged.shards.iter().any(|shard| shard.how != MergedAs::Known) {
        case.build_postings()?;
    }
    tell(&merged, term);
    Ok(Exit::Done)
}

/// Shards that do not fit were wrongly named; one that cannot be read is a fault.
fn refused(error: StoreError) -> Stop {
    match &error {
        StoreError::Merge(refusal) if !matches!(**refusal, MergeRefusal::Shard { .. }) => {
            Stop::usage(Error::new(error))
        }
        _ => error.into(),
    }
}

fn tell(merged: &Merged, term: &Term) {
    for shard in &merged.shards {
        term.say(line(shard));
    }
    for (path, run) in &merged.left {
        term.warn(format!("run {run} of `{}` is of another scan and was left there", path.display()));
    }
    for shard in merged.shards.iter().filter(|shard| shard.hosts.0 < shard.hosts.1) {
        let ((part, count), path) = (shard.shard, shard.path.display());
        term.warn(format!(
            "shard {part}/{count} is not done; finish it with `hostkin scan {path} --shard {part}/{count}` and merge it again"
        ));
    }
    if !merged.seeds.is_empty() {
        let subjects: Vec<String> = merged.seeds.iter().take(MOST_NAMED).map(|seed| shown(&seed.subject)).collect();
        term.warn(format!(
            "a shard's case has seeds that this one lacks ({}); record them with `hostkin seed` if they hold here",
            subjects.join(", ")
        ));
    }
    let missing: Vec<String> = (1..=merged.count)
        .filter(|part| merged.held.binary_search(part).is_err())
        .take(MOST_NAMED)
        .map(|part| format!("{part}/{}", merged.count))
        .collect();
    if missing.is_empty() {
        term.step(format!("all {} shards are here", merged.count));
    } else {
        let held = merged.held.len();
        term.step(format!("{held} of {} shards are here; missing: {}", merged.count, missing.join(", ")));
    }
}

fn line(shard: &MergedShard) -> String {
    let what = match shard.how {
        MergedAs::New => format!("{} observations", shard.observations),
        MergedAs::Grown => format!("{} more observations", shard.observations),
        MergedAs::Known => "merged before; nothing added".to_owned(),
    };
    let ((part, count), (done, hosts)) = (shard.shard, shard.hosts);
    format!(
        "shard {part}/{count} is run {}: {what}, {done} of {hosts} hosts done ({})",
        shard.run,
        shard.path.display()
    )
}
