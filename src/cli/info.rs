//! `info`: what a case holds.

use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::{Value, json};

use super::args::Info;
use super::exit::{Exit, Stop};
use super::seed::shown;
use super::term::{Output, counted, seconds};
use crate::facet::escape_terminal;
use crate::report::write_json_line;
use crate::store::{Case, CaseInfo, Run, RunKind};

/// Records shown at the end.
const LAST: usize = 5;

pub(super) fn run(args: &Info) -> Result<Exit, Stop> {
    let case = Case::open_read_only(&args.case)?;
    let info = case.info()?;
    let records = case.records()?;
    let mut out = Output::open(None)?;
    if args.json {
        write_json_line(&mut out, &object(&info))?;
    } else {
        let mut text = words(&info);
        text.push_str("\nlast records\n");
        for record in records.iter().rev().take(LAST).rev() {
            let _ = writeln!(
                text,
                "  {}  {}  {}  {}",
                seconds(record.at),
                escape_terminal(&record.actor),
                escape_terminal(&record.action),
                escape_terminal(&record.subject)
            );
        }
        out.write_all(text.as_bytes())?;
    }
    out.finish()?;
    Ok(Exit::Done)
}

fn words(info: &CaseInfo) -> String {
    let mut out = String::new();
    let mut line = |name: &str, text: String| {
        let _ = writeln!(out, "{name:<14}{}", escape_terminal(&text));
    };
    line("scope", format!("\"{}\"", info.scope.title));
    line("opened", info.created_at.map_or(String::new(), seconds));
    line("file", format!("{:.1} MB, schema {}", info.file_bytes as f64 / 1e6, info.schema));
    line("hosts", info.hosts.to_string());
    line("observations", info.observations.to_string());
    line("facets", format!("{} ({} values)", info.facets, info.values));
    line(
        "heard",
        format!(
            "{} captures, {:.1} MB, {:.1} MB as stored",
            info.captures,
            info.capture_bytes as f64 / 1e6,
            info.stored_capture_bytes as f64 / 1e6
        ),
    );
    line("linked", info.linked_at.map_or("never; run `hostkin link`".to_owned(), seconds));
    for seed in &info.seeds {
        line("seed", format!("{} of \"{}\": {}", shown(&seed.subject), seed.provider, seed.why));
    }
    if info.seeds.is_empty() {
        line("seed", "none; record one with `hostkin seed`".to_owned());
    }
    for verdict in &info.verdicts {
        let word = if verdict.confirmed { "confirmed" } else { "rejected" };
        line("verdict", format!("{} {word} for \"{}\": {}", verdict.address, verdict.provider, verdict.why));
    }
    for run in &info.runs {
        let more = if run.can_be_continued() { "; `hostkin scan` with the same options goes on" } else { "" };
        line(
            &format!("run {}", run.id),
            match run.kind {
                RunKind::Import => format!("import on {}: {}", seconds(run.started_at), counted(run.hosts, "host")),
                RunKind::Scan => format!(
                    "scan {} since {}: {} of {} hosts, {} connections{more}",
                    run.state.as_str(),
                    seconds(run.started_at),
                    run.counters.hosts,
                    run.hosts,
                    run.counters.connections
                ),
            },
        );
    }
    out
}

fn object(info: &CaseInfo) -> Value {
    let run = |run: &Run| {
        json!({
            "id": run.id, "kind": run.kind.as_str(), "state": run.state.as_str(), "hosts_total": run.hosts,
            "hosts_done": if run.kind == RunKind::Import { run.hosts } else { run.counters.hosts }, "connections": run.counters.connections, "seed": run.seed,
            "can_be_continued": run.can_be_continued(), "started_at": run.started_at.to_string(),
            "ended_at": run.ended_at.map(|at| at.to_string()), "plan": run.plan, "version": run.version,
        })
    };
    json!({
        "scope": info.scope.title, "schema": info.schema, "file_bytes": info.file_bytes, "hosts": info.hosts,
        "observations": info.observations, "facets": info.facets, "values": info.values, "captures": info.captures,
        "capture_bytes": info.capture_bytes, "stored_capture_bytes": info.stored_capture_bytes,
        "seeds": info.seeds, "verdicts": info.verdicts,
        "linked_at": info.linked_at.map(|at| at.to_string()),
        "runs": info.runs.iter().map(run).collect::<Vec<_>>(),
    })
}
