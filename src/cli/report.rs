//! `export report` and `export typst`: what the case says, for readers.

use std::io::Write as _;
use std::path::Path;

use super::VERSION;
use super::args::{Export, What};
use super::case::{as_of, scope_as_kept};
use super::exit::{Exit, Stop};
use super::export::{output, sights};
use super::term::Output;
use crate::report::{self, CaseFacts, CaseFile, RunFacts};
use crate::store::{Case, RunKind};

pub(super) fn run(args: &Export) -> Result<Exit, Stop> {
    let case = Case::open_read_only(&args.case)?;
    let text = if args.what == What::Report { page(&case)? } else { report::typst(&case_file(&case)?)? };
    write_text(&text, output(args)?)?;
    Ok(Exit::Done)
}

fn write_text(text: &str, mut out: Output) -> Result<(), Stop> {
    out.write_all(text.as_bytes())?;
    out.finish()?;
    Ok(())
}

/// The report as a page.
fn page(case: &Case) -> Result<String, Stop> {
    Ok(report::html(&case_file(case)?)?)
}

/// What the report says, whatever its form.
fn case_file(case: &Case) -> Result<CaseFile, Stop> {
    let findings = case.findings()?.map(|(findings, _)| findings).unwrap_or_default();
    let info = case.info()?;
    let scope = scope_as_kept(case)?;
    let records = case.records()?;
    let time = |at: crate::clock::Timestamp| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let runs = info.runs.iter().map(|run| RunFacts {
        id: run.id,
        kind: run.kind.as_str().to_owned(),
        state: run.state.as_str().to_owned(),
        started: time(run.started_at),
        ended: run.ended_at.map(time).unwrap_or_default(),
        hosts: if run.kind == RunKind::Import { run.hosts } else { run.counters.hosts },
        hosts_total: run.hosts,
        connections: run.counters.connections,
        seed: run.seed.to_string(),
    });
    let facts = CaseFacts {
        title: scope.title().to_owned(),
        authority: scope.authority().to_owned(),
        contact: scope.contact().unwrap_or_default().to_owned(),
        page: scope.page().unwrap_or_default().to_owned(),
        valid_from: time(scope.valid_from()),
        valid_until: time(scope.valid_until()),
        scope_sha256: scope.sha256().to_owned(),
        scope_text: scope.text().to_owned(),
        version: VERSION.to_owned(),
        as_of: time(as_of(&records)),
        hosts: info.hosts,
        observations: info.observations,
        facets: info.facets,
        bytes_heard: info.runs.iter().map(|run| run.counters.bytes_heard).sum(),
        runs: runs.collect(),
        digests: Vec::new(),
    };
    Ok(report::case_file(&facts, &info.seeds, &findings, &sights(case)?))
}

/// Writes the report to a file, for `demo`.
pub(super) fn write_page(case: &Case, to: &Path) -> Result<(), Stop> {
    write_text(&page(case)?, Output::create(to, false)?)
}
