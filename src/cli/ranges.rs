//! `ranges`: where to look next, and why; and what a person decides of it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use ipnet::IpNet;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::actor;
use super::case::scope_as_kept;
use super::exit::{Exit, Stop};
use super::find::write;
use super::knowledge::knowledge;
use super::term::{Output, Term, counted, width};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::facet::escape_terminal;
use crate::finding::{Level, Subject};
use crate::range::{
    AddressRange, Candidate, Control, FactKind, Knowledge, Looked, Ranking, Siblings, Start, control, rank,
};
use crate::report::Rows;
use crate::scope::{Proposal, draft};
use crate::store::{Action, Case, StoreError};

/// Rows shown unless `--all` asks for more.
const SHOWN: usize = 25;

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
        return why(&knowledge, candidate, &decided, args);
    }
    if !args.approve.is_empty() {
        let chosen = picks(&ranking, &args.approve)?;
        return approve(&mut case, &knowledge, &ranking, &chosen, &decided, args, term);
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
    table(&knowledge, &ranking, &decided, args, term)
}

/// The seeds, and the hosts that the linkage counts with them.
pub(super) fn starts(case: &Case) -> Result<Vec<Start>, Stop> {
    let mut starts = Vec::new();
    for seed in case.seeds()? {
        if let Subject::Host(address) = seed.subject {
            let date = seed.date.map(day);
            starts.push(Start { address, date, is_seed: true });
        }
    }
    for (address, ours) in matches(case)? {
        if ours && !starts.iter().any(|start| start.address == address) {
            starts.push(Start { address, date: None, is_seed: false });
        }
    }
    Ok(starts)
}

/// Hosts that the last linkage ranks, and whether it counts them as a provider's.
fn matches(case: &Case) -> Result<BTreeMap<std::net::IpAddr, bool>, Stop> {
    let findings = case.findings()?.map(|(findings, _)| findings).unwrap_or_default();
    let mut hosts = BTreeMap::new();
    for one in &findings.ranking {
        let ours = one.score >= 0.5 && one.level != Level::Chance;
        let known = hosts.entry(one.address).or_insert(false);
        *known |= ours;
    }
    for verdict in case.verdicts()? {
        hosts.insert(verdict.address, verdict.confirmed);
    }
    Ok(hosts)
}

/// Every host on record, as ranking needs it.
pub(super) fn looked(case: &Case) -> Result<Looked, Stop> {
    let mut ours = matches(case)?;
    for seed in case.seeds()? {
        if let Subject::Host(address) = seed.subject {
            ours.insert(address, true);
        }
    }
    let mut hosts = Vec::new();
    case.host_facts::<StoreError>(|host| {
        hosts.push((host.address, ours.get(&host.address).copied().unwrap_or(false)));
        Ok(())
    })?;
    hosts.sort_unstable();
    Ok(Looked { hosts })
}

/// The day of a moment, UTC.
pub(super) fn day(at: Timestamp) -> Date {
    at.to_zoned(jiff::tz::TimeZone::UTC).date()
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

fn table(
    knowledge: &Knowledge,
    ranking: &Ranking,
    decided: &BTreeMap<String, bool>,
    args: &Ranges,
    term: &Term,
) -> Result<Exit, Stop> {
    if args.json {
        let mut out = Output::open(None)?;
        for candidate in &ranking.candidates {
            crate::report::write_json_line(&mut out, &object(knowledge, candidate, decided))?;
        }
        out.finish()?;
    } else {
        let siblings = Siblings::new(knowledge, args.date, true);
        let mut rows =
            Rows::new(&["n", "range", "announced by", "per 1000", "hosts", "connections", "reasons", "against"]);
        let most = if args.all { usize::MAX } else { SHOWN };
        for one in ranking.candidates.iter().take(most) {
            let who: Vec<String> = one
                .origins
                .iter()
                .map(|asn| match siblings.name(*asn) {
                    "" => asn.to_string(),
                    name => format!("{asn} {name}"),
                })
                .collect();
            let number = match state(decided, one) {
                Some(word) => format!("{} {word}", one.number),
                None => one.number.to_string(),
            };
            let mut reasons: Vec<&str> = one.reasons.iter().take(2).map(|reason| reason.words.as_str()).collect();
            let more = format!("and {} more: --why {}", one.reasons.len().saturating_sub(2), one.number);
            if one.reasons.len() > 2 {
                reasons.push(&more);
            }
            let against: Vec<&str> = one.collateral.iter().chain(&one.against).map(String::as_str).collect();
            rows.push(vec![
                json!(number),
                json!(one.range.to_string()),
                json!(who),
                json!(format!("{:.1}", one.per_thousand)),
                json!(format!("{:.1}", one.expected)),
                json!(format!("{:.0}", one.connections)),
                json!(reasons),
                json!(against),
            ]);
        }
        write(&rows, super::args::Form { format: None, json: false }, Output::open(None)?)?;
    }
    for words in &ranking.refused {
        term.warn(format!("not followed: {}", escape_terminal(words)));
    }
    for words in &ranking.evidence {
        term.say(format!("evidence: {}", escape_terminal(words)));
    }
    let hidden = ranking.candidates.len().saturating_sub(if args.all || args.json { usize::MAX } else { SHOWN });
    if hidden > 0 {
        term.say(format!("{hidden} further candidates: --all"));
    }
    if ranking.left_out > 0 {
        term.say(format!(
            "{} candidates beyond the first {} were left out",
            ranking.left_out,
            ranking.candidates.len()
        ));
    }
    term.say("per 1000: new hosts of the provider to expect for a thousand connections; a working value for the order, no promise");
    Ok(Exit::Done)
}

/// A candidate as JSON.
fn object(knowledge: &Knowledge, one: &Candidate, decided: &BTreeMap<String, bool>) -> Value {
    let files = |ids: &[i64]| -> Vec<String> {
        ids.iter().filter_map(|id| knowledge.dataset(*id)).map(|file| format!("{} {}", file.name, file.date)).collect()
    };
    let reasons: Vec<Value> = one
        .reasons
        .iter()
        .map(|reason| json!({ "link": reason.link.as_str(), "words": reason.words, "share": reason.share, "files": files(&reason.datasets) }))
        .collect();
    json!({
        "schema": "hostkin/range/1",
        "number": one.number,
        "range": one.range.to_string(),
        "networks": one.range.networks().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "origins": one.origins.iter().map(|asn| asn.0).collect::<Vec<_>>(),
        "expected": one.expected,
        "connections": one.connections,
        "per_thousand": one.per_thousand,
        "share": one.share,
        "as_of": one.as_of.map(|day| day.to_string()),
        "state": state(decided, one),
        "reasons": reasons,
        "against": one.against,
        "collateral": one.collateral,
    })
}

/// Everything about one candidate.
fn why(knowledge: &Knowledge, one: &Candidate, decided: &BTreeMap<String, bool>, args: &Ranges) -> Result<Exit, Stop> {
    let mut out = Output::open(None)?;
    if args.json {
        crate::report::write_json_line(&mut out, &object(knowledge, one, decided))?;
        out.finish()?;
        return Ok(Exit::Done);
    }
    let say = |text: &str| wrapped(&escape_terminal(text), width().into());
    writeln!(
        out,
        "{}  candidate {}{}",
        one.range,
        one.number,
        state(decided, one).map(|word| format!(", {word}")).unwrap_or_default()
    )?;
    writeln!(
        out,
        "expected: {:.1} new hosts of the provider for {:.0} connections ({:.1} per thousand); {:.1} % of occupied addresses",
        one.expected,
        one.connections,
        one.per_thousand,
        100.0 * one.share
    )?;
    if let Some(day) = one.as_of {
        writeln!(out, "by files up to {day}")?;
    }
    writeln!(out, "\nfor")?;
    for reason in &one.reasons {
        writeln!(out, "  - {}", say(&reason.words))?;
        for file in reason.datasets.iter().filter_map(|id| knowledge.dataset(*id)) {
            writeln!(
                out,
                "      file {}: {} of {}, from {}",
                file.id,
                escape_terminal(&file.name),
                file.date,
                escape_terminal(&file.source)
            )?;
        }
    }
    writeln!(out, "\nagainst")?;
    for words in one.collateral.iter().chain(&one.against) {
        writeln!(out, "  - {}", say(words))?;
    }
    if one.collateral.is_empty() && one.against.is_empty() {
        writeln!(out, "  - nothing in the files; that is weak, since files know few innocents by name")?;
    }
    out.finish()?;
    Ok(Exit::Done)
}

/// Text broken at spaces, further lines indented.
pub(super) fn wrapped(text: &str, width: usize) -> String {
    let (mut out, mut used) = (String::new(), 4);
    for word in text.split(' ') {
        let length = word.chars().count();
        if used + length + 1 > width && used > 4 {
            out.push_str("\n    ");
            used = 4;
        } else if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
        used += length + 1;
    }
    out
}

/// Records the choice and writes a draft.
fn approve(
    case: &mut Case,
    knowledge: &Knowledge,
    ranking: &Ranking,
    chosen: &[&Candidate],
    decided: &BTreeMap<String, bool>,
    args: &Ranges,
    term: &Term,
) -> Result<Exit, Stop> {
    if let Some(huge) = chosen.iter().find(|one| !one.range.start().is_ipv4() && one.range.count() > 65_536) {
        return Err(Stop::usage(anyhow!(
            "{} has too many addresses to be asked one by one; give known addresses to `scan --targets`",
            huge.range
        )));
    }
    let suspected: Vec<AddressRange> = ranking.candidates.iter().map(|one| one.range).collect();
    let mut proposals = Vec::new();
    for one in chosen {
        let mut why = vec![format!(
            "{}: {:.1} new hosts expected for {:.0} connections",
            one.range, one.expected, one.connections
        )];
        why.extend(one.reasons.iter().map(|reason| format!("for: {}", reason.words)));
        why.extend(one.collateral.iter().chain(&one.against).map(|words| format!("against: {words}")));
        proposals.push(Proposal { name: one.range.to_string(), why, networks: one.range.networks() });
    }
    let mut control_networks: Vec<IpNet> = Vec::new();
    if !args.no_control {
        for one in chosen {
            let Control { range, networks, words } =
                control(knowledge, one.range, &suspected, &ranking.ases, args.date);
            let fresh: Vec<IpNet> = networks.into_iter().filter(|net| !control_networks.contains(net)).collect();
            if fresh.is_empty() {
                term.warn(format!("no control sample for {range}: {}", escape_terminal(&words)));
                continue;
            }
            control_networks.extend(&fresh);
            let why = vec![
                format!("control sample for {range}: {words}"),
                "not suspected; without such a background no shared habit counts. Scan it with `--full`".to_owned(),
            ];
            proposals.push(Proposal { name: format!("control for {range}"), why, networks: fresh });
        }
    }
    let rejected: Vec<IpNet> = decided
        .iter()
        .filter(|(range, approved)| !**approved && !chosen.iter().any(|one| one.range.to_string() == **range))
        .flat_map(|(range, _)| ranking.candidates.iter().filter(move |one| one.range.to_string() == *range))
        .flat_map(|one| one.range.networks())
        .collect();
    let title = scope_as_kept(case)?.title().to_owned();
    let text = draft(&format!("{title}: candidate ranges"), &proposals, &rejected);
    let mut out = Output::open(args.output.as_deref())?;
    out.write_all(text.as_bytes())?;
    out.finish()?;
    for one in chosen {
        let body = json!({ "range": one.range.to_string(), "why": args.because, "candidate": object(knowledge, one, &BTreeMap::new()),
            "draft": args.output.as_ref().map(|path| path.display().to_string()) });
        case.record(SystemClock::new().now(), &actor(), Action::RangeApproved, &one.range.to_string(), &body)?;
    }
    term.say(format!("recorded: {} approved. This permits nothing yet", counted(chosen.len() as u64, "range")));
    if let Some(path) = &args.output {
        term.say(format!("next: read and complete {0}, then `hostkin scope check {0}`", path.display()));
    }
    Ok(Exit::Done)
}
