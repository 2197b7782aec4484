//! `export`: results as rows, and the report.

use std::io::Write as _;
use std::path::Path;

use anyhow::anyhow;
use serde_json::json;

use super::VERSION;
use super::args::{Export, Form, Format, What};
use super::case::scope_as_kept;
use super::exit::{Exit, Stop};
use super::find::write;
use super::term::Output;
use crate::facet::{FacetKind, show_bytes};
use crate::finding::Findings;
use crate::report::{self, CaseFacts, HostSight, Rows, RunFacts, Sights};
use crate::store::{Case, ObservationFilter, RunKind, StoreError, StoredObservation};

pub(super) fn run(args: &Export) -> Result<Exit, Stop> {
    let case = Case::open_read_only(&args.case)?;
    let to = args.output.as_deref();
    let form = form(args)?;
    match args.what {
        What::Clusters => {
            let (findings, sights) = (findings(&case)?, sights(&case)?);
            let short = form.format() == Format::Table;
            let rows = if short {
                report::clusters_in_short(&findings, &sights)
            } else {
                report::clusters(&findings, &sights)
            };
            write(&rows, form, to)?;
        }
        What::Ranking => write(&report::ranking(&findings(&case)?), form, to)?,
        What::Facets => write(&facets(&case)?, form, to)?,
        What::Observations => observations(&case, args, form)?,
        What::Report => write_text(&page(&case)?, to)?,
        What::Scope => write_text(&case.scope()?.text, to)?,
    }
    Ok(Exit::Done)
}

/// The form asked for, or that the file's name asks for. Text has none.
fn form(args: &Export) -> Result<Form, Stop> {
    let asked = args.form.format.is_some() || args.form.json;
    match args.what {
        What::Report if asked => {
            Err(Stop::usage(anyhow!("the report is one HTML page; it takes neither --format nor --json")))
        }
        What::Scope if asked => {
            Err(Stop::usage(anyhow!("the scope is written as it was read; it takes neither --format nor --json")))
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

fn write_text(text: &str, to: Option<&Path>) -> Result<(), Stop> {
    let mut out = Output::open(to)?;
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

/// One row per observation; as JSON lines the whole object, else its plain columns.
fn observations(case: &Case, args: &Export, form: Form) -> Result<(), Stop> {
    // With captures, so that the count of connections is that of the row.
    let filter = ObservationFilter::default();
    if form.format() == Format::Jsonl {
        let mut out = Output::open(args.output.as_deref())?;
        case.observations::<Stop>(&filter, |one| Ok(report::write_json_line(&mut out, &object(&one))?))?;
        out.finish()?;
        return Ok(());
    }
    let mut rows =
        Rows::new(&["ip", "port", "protocol", "name", "outcome", "detail", "started_at", "connections", "facets"]);
    case.observations::<StoreError>(&filter, |one| {
        let facets: Vec<String> =
            one.facets.iter().map(|facet| format!("{}={}", facet.kind, show_bytes(&facet.value))).collect();
        let protocol = if one.over_tls { format!("{}/tls", one.protocol) } else { one.protocol.clone() };
        rows.push(vec![
            json!(one.address.to_string()),
            json!(one.port),
            json!(protocol),
            json!(one.name),
            json!(one.outcome.as_str()),
            json!(one.detail),
            json!(format!("{:.3}", one.started_at)),
            json!(one.connections),
            json!(facets),
        ]);
        Ok(())
    })?;
    write(&rows, form, args.output.as_deref())
}

/// A stored observation as the object of DESIGN 4.3.
fn object(one: &StoredObservation) -> serde_json::Value {
    let facets: Vec<serde_json::Value> = one.facets.iter().map(crate::store::StoredFacet::to_json).collect();
    let mut object = json!({
        "schema": "hostkin/observation/1",
        "ip": one.address.to_string(),
        "port": one.port,
        "protocol": one.protocol,
        "name": one.name,
        "outcome": one.outcome.as_str(),
        "detail": one.detail,
        "started_at": format!("{:.3}", one.started_at),
        "connections": one.connections,
        "bytes_sent": one.bytes_sent,
        "bytes_heard": one.bytes_heard,
        "facets": facets,
    });
    if one.over_tls
        && let Some(map) = object.as_object_mut()
    {
        map.insert("over".to_owned(), "tls".into());
    }
    object
}

/// The report.
pub(super) fn page(case: &Case) -> Result<String, Stop> {
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
        as_of: records.last().map(|record| time(record.at)).unwrap_or_default(),
        hosts: info.hosts,
        observations: info.observations,
        facets: info.facets,
        bytes_heard: info.runs.iter().map(|run| run.counters.bytes_heard).sum(),
        runs: runs.collect(),
        pictures: super::pictures::pictures(case)?,
    };
    Ok(report::html(&facts, &info.seeds, &findings, &sights(case)?)?)
}

/// Writes the report to a file, for `demo`.
pub(super) fn write_page(case: &Case, to: &Path) -> Result<(), Stop> {
    write_text(&page(case)?, Some(to))
}
