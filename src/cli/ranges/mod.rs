//! `ranges`: where to look next, and why; and what a person decides of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use jiff::civil::Date;
use serde_json::json;

use super::actor;
use super::exit::{Exit, Stop};
use super::knowledge::knowledge;
use super::term::{Term, counted};
use crate::clock::{Clock, SystemClock};
use crate::facet::escape_terminal;
use crate::range::{Candidate, FactKind, Ranking, rank};
use crate::store::{Action, Case};

mod approve;
mod show;
mod start;

pub(super) use self::show::wrapped;
pub(super) use self::start::{day, looked, starts};

/// What `ranges` says of its figures.
const RANGES_HELP: &str = "\
Expected hosts are a working value that sets the order: reasons are joined as independent
chances, what speaks against lowers them, and hosts of the case that were looked at correct them.
A range is a candidate only where a file ties it to the seed; a deny list, a score or a shared
upstream alone makes none.

  hostkin ranges x.case                       the table
  hostkin ranges x.case --why 3               everything about the third
  hostkin ranges x.case --approve 1 2 -o draft.toml
  hostkin ranges x.case --reject 203.0.113.0/24 --because \"a university's\"

Approving permits nothing: it writes a draft that a person completes and confirms.";

/// `ranges`
#[derive(Debug, Args)]
#[command(after_help = RANGES_HELP)]
pub struct Ranges {
    /// The case file.
    pub case: PathBuf,
    /// Tell everything about one candidate: its number or its network.
    #[arg(long, value_name = "N", conflicts_with_all = ["approve", "reject"])]
    pub why: Option<String>,
    /// Approve candidates, by number or network: recorded, and written into a scope draft.
    #[arg(long, value_name = "N", num_args = 1.., conflicts_with = "reject")]
    pub approve: Vec<String>,
    /// Reject candidates, by number or network: recorded, and left out of drafts.
    #[arg(long, value_name = "N", num_args = 1..)]
    pub reject: Vec<String>,
    /// Why it was approved or rejected, for the record.
    #[arg(long, value_name = "TEXT")]
    pub because: Option<String>,
    /// The draft's file; it must not exist yet. Without it, standard output.
    #[arg(short, long, value_name = "FILE", requires = "approve")]
    pub output: Option<PathBuf>,
    /// Leave the control sample out of the draft.
    #[arg(long, requires = "approve")]
    pub no_control: bool,
    /// Use only files up to this day.
    #[arg(long, value_name = "DATE")]
    pub date: Option<Date>,
    /// All candidates instead of the first 25.
    #[arg(long)]
    pub all: bool,
    /// One JSON object for each candidate.
    #[arg(long)]
    pub json: bool,
}

impl Ranges {
    /// True when a verdict on a range goes on record.
    pub(super) fn records(&self) -> bool {
        !self.approve.is_empty() || !self.reject.is_empty()
    }
}

pub(super) fn run(args: &Ranges, term: &Term) -> Result<Exit, Stop> {
    let changes = !args.approve.is_empty() || !args.reject.is_empty();
    let mut case = if changes { Case::open(&args.case)? } else { Case::open_read_only(&args.case)? };
    let starts = starts(&case)?;
    if starts.iter().all(|start| !start.is_seed) {
        return Err(Stop::usage(anyhow!(
            "this case has no seed host to start from; record one: `hostkin seed {} ADDRESS --why TEXT`",
            args.case.display()
        )));
    }
    let knowledge = knowledge(&case, &FactKind::ALL)?;
    let ranking = rank(&knowledge, &starts, &looked(&case)?, args.date);
    let decided = decided(&case)?;
    if let Some(which) = &args.why {
        let candidate = pick(&ranking, which)?;
        return show::why(&knowledge, candidate, &decided, args);
    }
    if !args.approve.is_empty() {
        let chosen = picks(&ranking, &args.approve)?;
        return approve::approve(&mut case, &knowledge, &ranking, &chosen, &decided, args, term);
    }
    if !args.reject.is_empty() {
        let chosen = picks(&ranking, &args.reject)?;
        for candidate in &chosen {
            let body = json!({ "range": candidate.range.to_string(), "why": args.because });
            case.record(
                SystemClock::new().now(),
                &actor(),
                Action::RangeRejected,
                &candidate.range.to_string(),
                &body,
            )?;
        }
        term.say(format!("recorded: {} rejected; drafts leave them out", counted(chosen.len() as u64, "range")));
        return Ok(Exit::Done);
    }
    show::table(&knowledge, &ranking, &decided, args, term)
}

/// What was decided of ranges, by their text: true for approved. The last word counts.
fn decided(case: &Case) -> Result<BTreeMap<String, bool>, Stop> {
    let mut decided = BTreeMap::new();
    for record in case.records()? {
        if record.action == Action::RangeApproved.as_str() {
            decided.insert(record.subject, true);
        } else if record.action == Action::RangeRejected.as_str() {
            decided.insert(record.subject, false);
        }
    }
    Ok(decided)
}

/// A candidate by its number or its network.
fn pick<'a>(ranking: &'a Ranking, which: &str) -> Result<&'a Candidate, Stop> {
    let found = match which.parse::<usize>() {
        Ok(number) => ranking.candidates.iter().find(|one| one.number == number),
        Err(_) => ranking.candidates.iter().find(|one| one.range.to_string() == which),
    };
    found.ok_or_else(|| {
        Stop::usage(anyhow!(
            "`{}` is no candidate; give a number from 1 to {}, or a network as the table shows it",
            escape_terminal(which),
            ranking.candidates.len()
        ))
    })
}

fn picks<'a>(ranking: &'a Ranking, which: &[String]) -> Result<Vec<&'a Candidate>, Stop> {
    let mut chosen: Vec<&Candidate> = Vec::new();
    for one in which {
        let candidate = pick(ranking, one)?;
        if !chosen.iter().any(|other| other.number == candidate.number) {
            chosen.push(candidate);
        }
    }
    Ok(chosen)
}

fn state(decided: &BTreeMap<String, bool>, candidate: &Candidate) -> Option<&'static str> {
    decided.get(&candidate.range.to_string()).map(|approved| if *approved { "approved" } else { "rejected" })
}
