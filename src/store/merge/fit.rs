//! Which shards fit together, and which of them the case has already.

use std::path::PathBuf;

use serde_json::Value;

use super::super::{Result, Run, RunId, RunKind, State, scope};
use super::MergeRefusal;

/// Keys of a plan that may differ between the shards of one scan: the part itself, and the way hosts are found, which
/// depends on the rights a machine gives.
const OWN: [&str; 2] = ["shard", "discovery"];

/// A scan of a shard in one of the cases named.
#[derive(Debug)]
pub(super) struct Part {
    /// Which of the cases.
    pub(super) source: usize,
    /// Its path, as given.
    pub(super) path: PathBuf,
    /// The scan.
    pub(super) run: Run,
}

/// How a shard stands to the case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not there.
    New,
    /// There, as this run, with fewer hosts done.
    Grown(RunId),
    /// There, as this run, with all that the shard has.
    Known(RunId),
}

/// What is to be done.
#[derive(Debug)]
pub(super) struct Fitting {
    /// Shards by number.
    pub(super) taken: Vec<(Part, Standing)>,
    /// Scans of shards that belong to another plan.
    pub(super) left: Vec<(PathBuf, RunId)>,
    /// Parts the case holds after the merge.
    pub(super) held: Vec<u32>,
    /// Of how many.
    pub(super) count: u32,
}

/// Sorts the parts out. The measure is the scan whose shards the case still lacks some of; a case with none takes the
/// latest that the first shard has and the case has not.
pub(super) fn fit(parts: Vec<Part>, own: &[Run]) -> Result<Fitting> {
    let Some((measure, whose)) = measure(&parts, own) else {
        return Ok(Fitting { taken: Vec::new(), left: Vec::new(), held: Vec::new(), count: 0 });
    };
    demand_a_fitting_one_of_each(&parts, &measure, &whose)?;
    let mut fitting = Fitting { taken: Vec::new(), left: Vec::new(), held: Vec::new(), count: measure.shard.1 };
    let mut fresh: Vec<Part> = Vec::new();
    for part in parts {
        if difference(&part.run, &measure).is_some() {
            fitting.left.push((part.path, part.run.id));
            continue;
        }
        // The same scan given twice: the copy that is further on counts.
        match fresh.iter_mut().find(|other| other.run.shard == part.run.shard) {
            None => fresh.push(part),
            Some(other) => {
                let name = format!("run {} of `{}`", other.run.id, other.path.display());
                if !matches!(compare(&part, &other.run, &name)?, Standing::Known(_)) {
                    *other = part;
                }
            }
        }
    }
    for part in fresh {
        let standing = match own.iter().find(|run| is_same_scan(run, &measure) && covers(run, &part.run)) {
            None => Standing::New,
            Some(run) => compare(&part, run, &format!("run {} of this case", run.id))?,
        };
        fitting.taken.push((part, standing));
    }
    fitting.taken.sort_by_key(|(part, _)| part.run.shard);
    let here = own.iter().filter(|run| difference(run, &measure).is_none()).map(|run| run.shard.0);
    fitting.held = here.chain(fitting.taken.iter().map(|(part, _)| part.run.shard.0)).collect();
    fitting.held.sort_unstable();
    fitting.held.dedup();
    Ok(fitting)
}

/// The run that every other is held against, and the words for it.
fn measure(parts: &[Part], own: &[Run]) -> Option<(Run, String)> {
    let lacking = own.iter().rev().filter(|run| run.kind == RunKind::Scan && run.shard.1 > 1).find(|run| {
        let count = own.iter().filter(|other| difference(other, run).is_none()).count();
        u32::try_from(count).unwrap_or(u32::MAX) < run.shard.1
    });
    if let Some(run) = lacking {
        return Some((run.clone(), format!("run {} of this case", run.id)));
    }
    let first = parts.first()?;
    let ours: Vec<&Part> = parts.iter().filter(|part| part.source == first.source).collect();
    let new = |part: &&&Part| !own.iter().any(|run| is_copy(run, &part.run));
    let chosen = ours.iter().rev().find(new).or(ours.last())?;
    Some((chosen.run.clone(), format!("run {} of `{}`", chosen.run.id, chosen.path.display())))
}

/// Each case named must have a scan of the plan; where one has none, its latest is named with what differs.
fn demand_a_fitting_one_of_each(parts: &[Part], measure: &Run, whose: &str) -> Result<()> {
    let mut last: Option<&Part> = None;
    for part in parts.iter().rev() {
        if last.is_some_and(|last| last.source == part.source) {
            continue;
        }
        last = Some(part);
        if parts.iter().any(|one| one.source == part.source && difference(&one.run, measure).is_none()) {
            continue;
        }
        if let Some(differs) = difference(&part.run, measure) {
            return Err(MergeRefusal::Plan {
                path: part.path.clone(),
                run: part.run.id,
                other: whose.to_owned(),
                field: differs.field,
                found: differs.found,
                wanted: differs.wanted,
                remedy: differs.remedy,
            }
            .into());
        }
    }
    Ok(())
}

/// The standing of a part to another scan of it.
fn compare(part: &Part, other: &Run, name: &str) -> Result<Standing> {
    let (path, run) = (part.path.clone(), part.run.id);
    let (shard, shards) = part.run.shard;
    if !is_copy(&part.run, other) {
        return Err(MergeRefusal::Overlap { path, run, shard, shards, other: name.to_owned() }.into());
    }
    let (held, gained) = (other.position.covers(&part.run.position), part.run.position.covers(&other.position));
    let is_closed_since = held && gained && part.run.state == State::Done && other.state != State::Done;
    if held && !is_closed_since {
        return Ok(Standing::Known(other.id));
    }
    if gained {
        return Ok(Standing::Grown(other.id));
    }
    Err(MergeRefusal::Forked { path, run, other: name.to_owned() }.into())
}

/// True for the same scan in two files: begun once, at one moment.
fn is_copy(one: &Run, other: &Run) -> bool {
    let key = |run: &Run| (run.plan_sha256, run.seed, run.shard, run.started_at.as_millisecond());
    key(one) == key(other)
}

/// True when both visit the same hosts in the same order, however they are parted.
fn is_same_scan(one: &Run, other: &Run) -> bool {
    one.kind == RunKind::Scan && differences(one, other).all(|differs| differs.field == COUNT)
}

/// True when a scan of ours visits hosts of this part.
fn covers(own: &Run, part: &Run) -> bool {
    own.shard.1 != part.shard.1 || own.shard.0 == part.shard.0
}

/// What differs between two plans, and what to do about it.
struct Difference {
    field: String,
    found: String,
    wanted: String,
    remedy: &'static str,
}

const COUNT: &str = "the number of shards";

fn difference(found: &Run, wanted: &Run) -> Option<Difference> {
    if found.kind != RunKind::Scan {
        let words = |run: &Run| run.kind.as_str().to_owned();
        return Some(Difference {
            field: "the kind of run".to_owned(),
            found: words(found),
            wanted: words(wanted),
            remedy: "merge scans",
        });
    }
    differences(found, wanted).next()
}

/// All that differs, what an operator decides first.
fn differences<'a>(found: &'a Run, wanted: &'a Run) -> impl Iterator<Item = Difference> + 'a {
    let mut all = Vec::new();
    let mut tell = |field: &str, [found, wanted]: [String; 2], remedy| {
        if found != wanted {
            all.push(Difference { field: field.to_owned(), found, wanted, remedy });
        }
    };
    let digest = |run: &Run| run.scope_sha256.map_or("none".to_owned(), |sha256| scope::hex(&sha256));
    tell(
        "the scope's sha256",
        [digest(found), digest(wanted)],
        "scan every shard under the same scope file, byte for byte",
    );
    let text = |run: &Run, key: &str| run.plan.get(key).map_or("not set".to_owned(), Value::to_string);
    let keys = |run: &'a Run| run.plan.as_object().into_iter().flat_map(|plan| plan.keys());
    let mut names: Vec<&String> = keys(found).chain(keys(wanted)).filter(|key| !OWN.contains(&key.as_str())).collect();
    names.sort();
    names.dedup();
    for key in names {
        let remedy = match key.as_str() {
            "targets_sha256" => "scan every shard with the same --targets, scope and --only",
            _ => "scan every shard with the same options",
        };
        tell(key, [text(found, key), text(wanted, key)], remedy);
    }
    tell(
        "the number of services of a host",
        [found.services.to_string(), wanted.services.to_string()],
        "scan every shard with the same options",
    );
    tell(
        "the seed of the order",
        [found.seed.to_string(), wanted.seed.to_string()],
        "scan every shard with the same --seed, or none of them with one",
    );
    tell(
        COUNT,
        [found.shard.1.to_string(), wanted.shard.1.to_string()],
        "merge shards of one division; others go into a case of their own",
    );
    all.into_iter()
}
