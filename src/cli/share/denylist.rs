//! `export CASE denylist --as FORMAT`: the list, and beside it what came and what went since the export before.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use ipnet::IpNet;
use serde_json::{Value, json};

use super::registry::networks;
use crate::cli::actor;
use crate::cli::args::Export;
use crate::cli::case::moment;
use crate::cli::exit::Stop;
use crate::cli::term::{Output, Term, counted};
use crate::clock::{Clock as _, SystemClock};
use crate::facet::escape_terminal;
use crate::report::Dossier;
use crate::report::denylist::{Change, Denylist, Format, Rules, denylist};
use crate::store::{Action, Case, StoreError};

/// What the records of deny lists are filed under.
const SUBJECT: &str = "denylist";
/// Hosts left out that are named on the terminal.
const MOST_TOLD: usize = 10;

pub(super) fn run(case: &mut Case, args: &Export, dossier: &Dossier, own: &[IpAddr], term: &Term) -> Result<(), Stop> {
    let sharing = &args.sharing;
    let Some(format) = sharing.list.map(super::args::ListFormat::format) else {
        let words = Format::ALL.map(Format::as_str).join(", ");
        return Err(Stop::usage(anyhow!("say which format with --as: {words}")));
    };
    let marking = sharing.marking(args.what);
    let mut allow: Vec<IpNet> = own.iter().map(|one| IpNet::from(*one)).collect();
    // Imports may name any address; no list of ours blocks somebody's own network.
    if !dossier.case.lab {
        allow.extend(crate::scope::special::blocks().map_err(Stop::usage)?.iter().map(|block| block.network));
    }
    for path in &sharing.allow {
        allow.extend(networks(path)?);
    }
    let now = SystemClock::new().now();
    let rules = Rules {
        least_score: sharing.least.unwrap_or(0.95),
        days: i64::from(sharing.days.unwrap_or(90)),
        ranges: sharing.ranges,
        allow,
        at: sharing.at.as_deref().map(moment).transpose()?.unwrap_or(now),
    };
    // All on record: who never finished a sentence is somebody too.
    let mut others = BTreeSet::new();
    case.host_facts::<StoreError>(|host| {
        others.insert(host.address);
        Ok(())
    })?;
    let list = denylist(dossier, &others, &rules);
    tell(&list, term);
    let write = |change: Change<'_>| format.write(change, &dossier.case, marking);
    let whole = write(Change::Whole(&list.entries));
    let Some(path) = &args.output else {
        let mut out = Output::open(None)?;
        out.write_all(whole.as_bytes())?;
        return Ok(out.finish()?);
    };
    let before = last(case, format)?;
    let files = [
        (path.clone(), whole),
        (with_ending(path, "add"), write(Change::Added(&list.added(&before)))),
        (with_ending(path, "remove"), write(Change::Removed(&list.removed(&before)))),
    ];
    let mut outputs = Vec::new();
    for (path, text) in &files {
        let mut out = Output::create(path, args.force)?;
        out.write_all(text.as_bytes())?;
        out.settle()?;
        outputs.push(out);
    }
    // All is on the disk but for the names: now it is on record, then it is there.
    let entries: Vec<String> = list.entries.iter().map(|entry| entry.network.to_string()).collect();
    let body = json!({
        "format": format.as_str(), "entries": entries, "tlp": marking.tlp.to_string(), "pap": marking.pap.to_string(),
        "sha256": files.first().map(|(_, text)| crate::scope::sha256_hex(text.as_bytes())),
    });
    case.record(now, &actor(), Action::Export, SUBJECT, &body)?;
    outputs.into_iter().try_for_each(Output::finish)?;
    let (new, gone) = (list.added(&before).len(), list.removed(&before).len());
    term.say(format!(
        "{} listed; since the export before: {new} new ({}), {gone} gone ({})",
        counted(u64::try_from(list.entries.len()).unwrap_or(u64::MAX), "network"),
        with_ending(path, "add").display(),
        with_ending(path, "remove").display()
    ));
    Ok(())
}

/// What was left out, for the person.
fn tell(list: &Denylist, term: &Term) {
    for (address, why) in list.left_out.iter().take(MOST_TOLD) {
        term.say(format!("left out: {address}: {}", escape_terminal(why)));
    }
    if list.left_out.len() > MOST_TOLD {
        term.say(format!("left out: {} more", list.left_out.len() - MOST_TOLD));
    }
}

/// The networks of the last list of this format.
fn last(case: &Case, format: Format) -> Result<BTreeSet<IpNet>, Stop> {
    let of_format = |body: &Value| body.get("format").and_then(Value::as_str) == Some(format.as_str());
    let records = case.records()?;
    let mut lists =
        records.iter().rev().filter(|record| record.action == Action::Export.as_str() && record.subject == SUBJECT);
    let last = lists.find(|record| of_format(&record.body));
    let entries = last.and_then(|record| record.body.get("entries")).and_then(Value::as_array);
    Ok(entries.into_iter().flatten().filter_map(|one| one.as_str()?.parse().ok()).collect())
}

/// `list.nft` with `add`: `list.nft.add`.
fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{ending}"));
    path.with_file_name(name)
}
