//! `export`: results as rows, and the report.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::anyhow;
use serde_json::json;

use super::VERSION;
use super::args::{Export, Form, Format, What};
use super::case::{as_of, scope_as_kept};
use super::exit::{Exit, Stop};
use super::find::write_to;
use super::share;
use super::term::{Output, Term, counted, width};
use crate::evidence;
use crate::facet::{FacetKind, show_bytes};
use crate::finding::Findings;
use crate::report::{self, CaseFacts, CaseFile, HostSight, RowForm, RowStream, Rows, RunFacts, Sights};
use crate::seal::hex;
use crate::store::{Case, ObservationFilter, RunKind, StoreError};

pub(super) fn run(args: &Export, term: &Term) -> Result<Exit, Stop> {
    args.sharing.fits(args)?;
    let form = form(args)?;
    if !args.host.is_empty() && args.what != What::Bundle {
        return Err(Stop::usage(anyhow!("--host goes with `bundle` only")));
    }
    if matches!(
        args.what,
        What::Stix | What::Misp | What::Graphml | What::Nodes | What::Edges | What::Denylist | What::Abuse
    ) {
        return share::run(args, form, term);
    }
    if matches!(args.what, What::Bundle | What::TimestampRequest) {
        // What waits is sealed and signed first, where the case may be written.
        super::sign::after(&args.case, term);
    }
    let case = Case::open_read_only(&args.case)?;
    let rows = |rows: Rows| write_to(&rows.defanged(args.sharing.defang), form, output(args)?);
    match args.what {
        What::Clusters => {
            let (findings, sights) = (findings(&case)?, sights(&case)?);
            let short = form.format() == Format::Table;
            let rows = if short {
                report::clusters_in_short(&findings, &sights)
            } else {
                report::clusters(&findings, &sights)
            };
            write_to(&rows.defanged(args.sharing.defang), form, output(args)?)?;
        }
        What::Ranking => rows(report::ranking(&findings(&case)?))?,
        What::Facets => rows(facets(&case)?)?,
        What::Observations => observations(&case, args, form)?,
        What::Report => write_text(&page(&case)?, output(args)?)?,
        What::Typst => write_text(&report::typst(&case_file(&case)?)?, output(args)?)?,
        What::Scope => write_text(&case.scope()?.text, output(args)?)?,
        What::Bundle => bundle(&case, args, term)?,
        What::TimestampRequest => {
            let (record, digest, question) = evidence::request(&case)?;
            refuse_terminal(args, "a question for a time-stamp authority")?;
            let mut out = output(args)?;
            out.write_all(&question)?;
            out.finish()?;
            term.say(format!(
                "record {record} with the digest {}: send the file to an authority you trust, as",
                hex(&digest)
            ));
            term.say("application/timestamp-query, and take its answer in with `hostkin import timestamp CASE FILE`");
        }
        _ => {}
    }
    Ok(Exit::Done)
}

/// Bytes that no terminal can show.
fn refuse_terminal(args: &Export, what: &str) -> Result<(), Stop> {
    if args.output.is_none() && std::io::stdout().is_terminal() {
        return Err(Stop::usage(anyhow!("{what} is no text for a terminal; give a file with -o FILE")));
    }
    Ok(())
}

/// Writes a bundle, whole or of chosen hosts.
fn bundle(case: &Case, args: &Export, term: &Term) -> Result<(), Stop> {
    refuse_terminal(args, "a bundle")?;
    let mut out = output(args)?;
    let hosts = (!args.host.is_empty()).then_some(args.host.as_slice());
    let counts = evidence::write_bundle(case, hosts, &mut out)?;
    out.finish()?;
    let file = args.output.as_deref().map_or("FILE".to_owned(), |path| path.display().to_string());
    term.say(format!(
        "{}: {}, {} with the bytes of {}",
        file,
        counted(counts.records, "record"),
        counted(counts.observations, "observation"),
        counts.captures
    ));
    if counts.waiting > 0 {
        term.warn(format!(
            "{} not sealed yet and left out; a scan is under way",
            counted(counts.waiting, "observation")
        ));
    }
    match counts.signers.as_slice() {
        [] => term.warn("nothing in it is signed: it shows that nothing was changed, not by whom it was made"),
        signers => term.say(format!("signer  {}  (give this on another way than the file)", signers.join(", "))),
    }
    term.say(format!("anybody checks it with: hostkin verify {file}"));
    Ok(())
}

/// The form asked for, or that the file's name asks for. Text has none.
fn form(args: &Export) -> Result<Form, Stop> {
    let asked = args.form.format.is_some() || args.form.json;
    match args.what {
        What::Stix | What::Misp | What::Graphml | What::Denylist | What::Abuse if asked => {
            Err(Stop::usage(anyhow!("this export has a form of its own; it takes neither --format nor --json")))
        }
        What::Report if asked => {
            Err(Stop::usage(anyhow!("the report is one HTML page; it takes neither --format nor --json")))
        }
        What::Typst if asked => {
            Err(Stop::usage(anyhow!("the Typst source is one text; it takes neither --format nor --json")))
        }
        What::Scope if asked => {
            Err(Stop::usage(anyhow!("the scope is written as it was read; it takes neither --format nor --json")))
        }
        What::Bundle | What::TimestampRequest if asked => {
            Err(Stop::usage(anyhow!("this is one file of its own form; it takes neither --format nor --json")))
        }
        _ if asked => Ok(args.form),
        _ => {
            let ending = args.output.as_deref().and_then(Path::extension).and_then(std::ffi::OsStr::to_str);
            let format = match ending.map(str::to_ascii_lowercase).as_deref() {
                Some("csv") => Some(Format::Csv),
                Some("jsonl" | "ndjson" | "json") => Some(Format::Jsonl),
                _ => None,
            };
            Ok(Form { format, ..args.form })
        }
    }
}

/// Where the export goes.
pub(super) fn output(args: &Export) -> Result<Output, Stop> {
    Ok(match &args.output {
        Some(path) => Output::create(path, args.force)?,
        None => Output::open(None)?,
    })
}

fn write_text(text: &str, mut out: Output) -> Result<(), Stop> {
    out.write_all(text.as_bytes())?;
    out.finish()?;
    Ok(())
}

/// The last findings; an error that says how to get some where there are none.
pub(super) fn findings(case: &Case) -> Result<Findings, Stop> {
    let found = case.findings()?;
    let (findings, _) = found
        .ok_or_else(|| anyhow!("this case was never linked; run `hostkin link {}` first", case.path().display()))?;
    Ok(findings)
}

/// First and last sight, ports and network of every host.
pub(super) fn sights(case: &Case) -> Result<Sights, Stop> {
    let mut sights = Sights::new();
    case.host_facts::<StoreError>(|host| {
        let sight = HostSight {
            first_seen: host.first_seen,
            last_seen: host.last_seen,
            ports: host.open_ports,
            asn: host.asn,
            prefix: host.prefix.map(|prefix| prefix.to_string()),
        };
        sights.insert(host.address, sight);
        Ok(())
    })?;
    Ok(sights)
}

/// Every facet value with the number of hosts that show it now.
fn facets(case: &Case) -> Result<Rows, Stop> {
    let mut counts = std::collections::BTreeMap::<(FacetKind, Vec<u8>), u64>::new();
    case.host_facts::<StoreError>(|host| {
        for facet in host.facets {
            *counts.entry(facet).or_default() += 1;
        }
        Ok(())
    })?;
    let mut rows = Rows::new(&["kind", "value", "hosts"]);
    for ((kind, value), hosts) in counts {
        rows.push(vec![json!(kind.as_str()), json!(show_bytes(&value)), json!(hosts)]);
    }
    Ok(rows)
}

/// One row per observation, written as it is read; as JSON lines the whole object, else its plain columns.
fn observations(case: &Case, args: &Export, form: Form) -> Result<(), Stop> {
    let filter = ObservationFilter::default();
    let mut out = output(args)?;
    let row_form = match form.format() {
        Format::Jsonl => {
            case.observations::<Stop>(&filter, |one| {
                Ok(report::write_json_line(&mut out, &report::stored_observation_json(&one))?)
            })?;
            return Ok(out.finish()?);
        }
        Format::Table => RowForm::Table(width()),
        Format::Csv => RowForm::Csv,
    };
    let mut rows = RowStream::new(out, row_form, &report::OBSERVATION_COLUMNS);
    case.observations::<Stop>(&filter, |one| Ok(rows.push(report::observation_row(&one))?))?;
    Ok(rows.finish()?.finish()?)
}

/// The report as a page.
pub(super) fn page(case: &Case) -> Result<String, Stop> {
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
