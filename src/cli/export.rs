//! `export`: results as rows; what else can be written stands in files of its own.

use std::io::Write as _;
use std::path::Path;

use anyhow::anyhow;
use serde_json::json;

use super::args::{Export, Form, Format, What};
use super::case::since_link;
use super::exit::{Exit, Stop};
use super::find::write;
use super::term::{Output, Term, width};
use super::{bundle, report as report_page, share};
use crate::facet::{FacetKind, show_bytes};
use crate::finding::Findings;
use crate::report::{self, HostSight, RowForm, RowStream, Rows, Sights};
use crate::store::{Case, ObservationFilter, StoreError};

pub(super) fn run(args: &Export, term: &Term) -> Result<Exit, Stop> {
    args.sharing.fits(args)?;
    let form = form(args)?;
    if !args.host.is_empty() && args.what != What::Bundle {
        return Err(Stop::usage(anyhow!("--host goes with `bundle` only")));
    }
    if !matches!(args.what, What::Facets | What::Observations | What::Scope | What::TimestampRequest) {
        warn_of_age(args, term)?;
    }
    match args.what {
        What::Stix | What::Misp | What::Graphml | What::Nodes | What::Edges | What::Denylist | What::Abuse => {
            return share::run(args, form, term);
        }
        What::Bundle | What::TimestampRequest => return bundle::run(args, term),
        What::Report | What::Typst => return report_page::run(args, term),
        _ => {}
    }
    let case = Case::open_read_only(&args.case)?;
    let rows = |rows: Rows| write(&rows.defanged(args.sharing.defang), form, output(args)?);
    match args.what {
        What::Clusters => {
            let (findings, sights) = (findings(&case)?, sights(&case)?);
            let short = form.format() == Format::Table;
            let rows = if short {
                report::clusters_in_short(&findings, &sights)
            } else {
                report::clusters(&findings, &sights)
            };
            write(&rows.defanged(args.sharing.defang), form, output(args)?)?;
        }
        What::Ranking => rows(report::ranking(&findings(&case)?))?,
        What::Facets => rows(facets(&case)?)?,
        What::Observations => observations(&case, args, form)?,
        What::Scope => {
            let mut out = output(args)?;
            out.write_all(case.scope()?.text.as_bytes())?;
            out.finish()?;
        }
        _ => {}
    }
    Ok(Exit::Done)
}

/// Says so when what goes out is older than what is known. A list that blocks or accuses is not made of what was taken back.
fn warn_of_age(args: &Export, term: &Term) -> Result<(), Stop> {
    let Some(since) = since_link(&Case::open_read_only(&args.case)?.records()?) else { return Ok(()) };
    let words = format!("{}: run `hostkin link {}` first", since.words, args.case.display());
    if since.taken_back && matches!(args.what, What::Denylist | What::Abuse) {
        return Err(anyhow!("{words}; nothing was written").into());
    }
    term.warn(words);
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
    let defang = args.sharing.defang;
    let mut out = output(args)?;
    let row_form = match form.format() {
        Format::Jsonl => {
            case.observations::<Stop>(&filter, |one| {
                let mut line = report::stored_observation_json(&one);
                if defang {
                    report::defang_value(&mut line);
                }
                Ok(report::write_json_line(&mut out, &line)?)
            })?;
            return Ok(out.finish()?);
        }
        Format::Table => RowForm::Table(width()),
        Format::Csv => RowForm::Csv,
    };
    let mut rows = RowStream::new(out, row_form, &report::OBSERVATION_COLUMNS);
    case.observations::<Stop>(&filter, |one| {
        let mut row = report::observation_row(&one);
        if defang {
            row.iter_mut().for_each(report::defang_value);
        }
        Ok(rows.push(row)?)
    })?;
    Ok(rows.finish()?.finish()?)
}
