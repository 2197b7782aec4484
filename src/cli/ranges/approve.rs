//! Approved candidates as a draft of a scope, each with a control sample.

use std::collections::BTreeMap;
use std::io::Write as _;

use anyhow::anyhow;
use ipnet::IpNet;
use serde_json::json;

use super::Ranges;
use super::show::object;
use crate::cli::actor;
use crate::cli::case::scope_as_kept;
use crate::cli::exit::{Exit, Stop};
use crate::cli::term::{Output, Term, counted};
use crate::clock::{Clock as _, SystemClock};
use crate::facet::escape_terminal;
use crate::range::{AddressRange, Candidate, Control, Knowledge, Ranking, control};
use crate::scope::{Proposal, draft};
use crate::store::{Action, Case};

/// Records the choice and writes a draft.
pub(super) fn approve(
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
    let mut excluded: Vec<IpNet> = decided
        .iter()
        .filter(|(range, approved)| !**approved && !chosen.iter().any(|one| one.range.to_string() == **range))
        .flat_map(|(range, _)| ranking.candidates.iter().filter(move |one| one.range.to_string() == *range))
        .flat_map(|one| one.range.networks())
        .collect();
    let scope = scope_as_kept(case)?;
    // Whoever asked to be left alone under the case's scope is left alone under the next one.
    excluded.extend(scope.excluded());
    excluded.sort_unstable();
    excluded.dedup();
    for one in chosen {
        for network in excluded.iter().filter(|network| AddressRange::of(**network).meets(&one.range)) {
            let part = if AddressRange::of(*network).holds(&one.range) { "all" } else { "a part" };
            term.warn(format!(
                "{part} of {} lies in {network}, which was rejected or which the case's scope excludes: the draft leaves that out",
                one.range
            ));
        }
    }
    let title = format!("{}: candidate ranges", scope.title());
    let text = draft(&title, &proposals, &excluded, &scope.opt_out_files());
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
