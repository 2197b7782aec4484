//! Shards of one scan, each scanned into a case of its own, become runs of one case.
//!
//! Everything happens in one transaction: what stops it (a kill, a full disk, a damaged shard) leaves the case as it was.
//! Each shard's run stays a run, with its shard number, seed, scope, position and bits. Values and captures are found by
//! what they are, never by their numbers. Merging again adds only what a shard has gained since.

mod copy;
mod fit;
#[cfg(test)]
mod tests;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Transaction;
use serde_json::json;

use super::{Action, Case, Result, Run, RunId, RunKind, StoreError, leaf, record, run, scope};
use crate::clock::Timestamp;
use crate::finding::Seed;
use copy::Copied;
use fit::{Part, Standing};

/// Why shards were not merged. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MergeRefusal {
    /// The case was given as its own shard.
    #[error("`{path}` is the case itself; name only the shards' cases after it")]
    Itself {
        /// As given.
        path: PathBuf,
    },
    /// A shard that cannot be read.
    #[error("the shard `{path}` cannot be taken over; nothing was merged")]
    Shard {
        /// As given.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Box<StoreError>,
    },
    /// A case without a scan of a shard.
    #[error("`{path}` holds no scan of a shard; make one with `hostkin scan {path} --shard I/N`")]
    NoShard {
        /// As given.
        path: PathBuf,
    },
    /// Shards of different plans.
    #[error(
        "run {run} of `{path}` is not of the same scan as {other}: {field} is {found} there and {wanted} here; {remedy}"
    )]
    Plan {
        /// As given.
        path: PathBuf,
        /// Its run.
        run: RunId,
        /// What it was compared with.
        other: String,
        /// What differs.
        field: String,
        /// What the shard has.
        found: String,
        /// What it should have.
        wanted: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The case does not stand under the shards' scope.
    #[error(
        "run {run} of `{path}` went by a scope this case does not hold (sha256 {sha256}); merge into a case under that scope: `hostkin new CASE --scope FILE`"
    )]
    Scope {
        /// As given.
        path: PathBuf,
        /// Its run.
        run: RunId,
        /// The scope's digest.
        sha256: String,
    },
    /// Two scans of one part.
    #[error(
        "shard {shard}/{shards} was scanned twice: run {run} of `{path}` and {other}. Merge one of them; a further round of the same shards needs a --seed of its own"
    )]
    Overlap {
        /// As given.
        path: PathBuf,
        /// Its run.
        run: RunId,
        /// The part.
        shard: u32,
        /// Of how many.
        shards: u32,
        /// Who has it too.
        other: String,
    },
    /// One scan went on in two places.
    #[error(
        "run {run} of `{path}` and {other} are one scan that went on in two places, each with hosts the other lacks; merge one of them into a new case"
    )]
    Forked {
        /// As given.
        path: PathBuf,
        /// Its run.
        run: RunId,
        /// The other.
        other: String,
    },
}

/// What became of one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergedAs {
    /// It is a run of the case now.
    New,
    /// It was there already, and what it has gained since was added.
    Grown,
    /// It was there already; nothing was added.
    Known,
}

/// One shard after the merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergedShard {
    /// Where it came from.
    pub path: PathBuf,
    /// Its run in the case.
    pub run: RunId,
    /// Which part of how many.
    pub shard: (u32, u32),
    /// What became of it.
    pub how: MergedAs,
    /// Observations added.
    pub observations: u64,
    /// Hosts done, and hosts of the shard.
    pub hosts: (u64, u64),
}

/// What a merge did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// The shards named, by their number.
    pub shards: Vec<MergedShard>,
    /// Parts of this scan the case holds now, ascending.
    pub held: Vec<u32>,
    /// Of how many.
    pub count: u32,
    /// Runs of shards of other scans, which were left where they are.
    pub left: Vec<(PathBuf, RunId)>,
    /// Seeds that a shard's case has and this one lacks. They are not taken over: a seed is somebody's word for one case.
    pub seeds: Vec<Seed>,
}

impl Case {
    /// Takes the scans of shards over from their cases, as runs of this one. All or nothing.
    ///
    /// # Errors
    /// `Merge` when they do not fit together or to this case, or cannot be read; as any write otherwise.
    pub fn merge(&mut self, shards: &[PathBuf], actor: &str, at: Timestamp) -> Result<Merged> {
        let sources: Vec<(PathBuf, Self)> =
            shards.iter().map(|path| Ok((path.clone(), self.open_shard(path)?))).collect::<Result<_>>()?;
        // Held to the end: a shard that is still being scanned is taken as it stands now.
        let _views: Vec<_> = sources
            .iter()
            .map(|(path, shard)| shard.snapshot().map_err(|error| unreadable(path, error)))
            .collect::<Result<_>>()?;
        let mut parts = Vec::new();
        for (source, (path, shard)) in sources.iter().enumerate() {
            let runs = shard.runs().map_err(|error| unreadable(path, error))?;
            let before = parts.len();
            parts.extend(runs.into_iter().filter(is_shard).map(|run| Part { source, path: path.clone(), run }));
            if parts.len() == before {
                return Err(MergeRefusal::NoShard { path: path.clone() }.into());
            }
        }
        let own_seeds = self.seeds()?;
        let transaction = self.write()?;
        let own: Vec<Run> = run::all(&transaction)?;
        let fitting = fit::fit(parts, &own)?;
        let mut merged = Merged { left: fitting.left, count: fitting.count, held: fitting.held, ..Merged::default() };
        let mut changed = false;
        for (part, standing) in fitting.taken {
            let Some((path, shard)) = sources.get(part.source) else { continue };
            let (how, into, copied) = match standing {
                Standing::Known(into) => (MergedAs::Known, into, Copied::default()),
                Standing::New => {
                    demand_scope(&transaction, &part)?;
                    let into = copy::begin(&transaction, &part.run)?;
                    (MergedAs::New, into, take(&transaction, shard, &part, into)?)
                }
                Standing::Grown(into) => {
                    copy::go_on(&transaction, &part.run, into)?;
                    (MergedAs::Grown, into, take(&transaction, shard, &part, into)?)
                }
            };
            if how != MergedAs::Known {
                changed = true;
                let body = body(path, shard, &part.run, into, how, &copied).map_err(|error| unreadable(path, error))?;
                leaf::put_missing(&transaction, Some(into))?;
                leaf::seal_waiting(&transaction, at, actor, 1)?;
                record::append(&transaction, at, actor, Action::Merge, &into.to_string(), &body)?;
            }
            merged.shards.push(MergedShard {
                path: part.path,
                run: into,
                shard: part.run.shard,
                how,
                observations: copied.observations,
                hosts: (part.run.position.low.saturating_add(part.run.position.done_above()), part.run.hosts),
            });
        }
        if changed {
            transaction.execute_batch("DROP INDEX IF EXISTS facets_by_value")?;
            transaction.commit()?;
        } else {
            drop(transaction);
        }
        for (path, shard) in &sources {
            for seed in shard.seeds().map_err(|error| unreadable(path, error))? {
                let same = |one: &Seed| one.subject == seed.subject && one.provider == seed.provider;
                if !own_seeds.iter().chain(&merged.seeds).any(same) {
                    merged.seeds.push(seed);
                }
            }
        }
        Ok(merged)
    }

    fn open_shard(&self, path: &Path) -> Result<Self> {
        let file = |path: &Path| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
        if file(path).is_some_and(|found| Some(found) == file(&self.path)) {
            return Err(MergeRefusal::Itself { path: path.to_owned() }.into());
        }
        Self::open_read_only(path).map_err(|error| unreadable(path, error))
    }
}

fn unreadable(path: &Path, error: StoreError) -> StoreError {
    match error {
        // These name the file, or are a refusal already.
        StoreError::Merge(_)
        | StoreError::Missing { .. }
        | StoreError::NotACase { .. }
        | StoreError::Newer { .. }
        | StoreError::Older { .. } => error,
        other => MergeRefusal::Shard { path: path.to_owned(), source: Box::new(other) }.into(),
    }
}

fn is_shard(run: &Run) -> bool {
    run.kind == RunKind::Scan && run.shard.1 > 1
}

/// A run may only stand under an authorisation that this case was opened with or has used.
fn demand_scope(transaction: &Transaction<'_>, part: &Part) -> Result<()> {
    let sha256 = part.run.scope_sha256.unwrap_or_default();
    let held = "SELECT count(*) FROM scopes WHERE sha256 = ?1";
    if transaction.query_row(held, [&sha256[..]], |row| row.get::<_, i64>(0))? == 0 {
        let (path, run) = (part.path.clone(), part.run.id);
        return Err(MergeRefusal::Scope { path, run, sha256: scope::hex(&sha256) }.into());
    }
    Ok(())
}

fn take(transaction: &Transaction<'_>, shard: &Case, part: &Part, into: RunId) -> Result<Copied> {
    copy::results(transaction, &shard.connection, &part.run, into).map_err(|error| match error {
        error @ StoreError::Damaged(_) => unreadable(&part.path, error),
        other => other,
    })
}

/// The record of one shard: where it came from, what it is, and digests of its own records and results.
fn body(
    path: &Path,
    shard: &Case,
    from: &Run,
    into: RunId,
    how: MergedAs,
    copied: &Copied,
) -> Result<serde_json::Value> {
    let told = copy::records(&shard.connection, from.id)?;
    Ok(json!({
        "run": into,
        "how": if how == MergedAs::New { "new" } else { "grown" },
        "from": path.file_name().map(|name| name.to_string_lossy()),
        "from_run": from.id,
        "shard": format!("{}/{}", from.shard.0, from.shard.1),
        "state": from.state.as_str(),
        "plan_sha256": scope::hex(&from.plan_sha256),
        "scope_sha256": from.scope_sha256.map(|sha256| scope::hex(&sha256)),
        "seed": from.seed.to_string(),
        "version": from.version,
        "started_at": from.started_at.to_string(),
        "hosts": from.hosts,
        "hosts_done": from.position.low.saturating_add(from.position.done_above()),
        "counters": record::to_json(&from.counters)?,
        "observations": copied.seen,
        "observations_sha256": scope::hex(&copied.sha256),
        "observations_added": copied.observations,
        "records": told.number,
        "records_sha256": scope::hex(&told.sha256),
        "back_off": told.notices,
        "own_addresses": told.own,
    }))
}
