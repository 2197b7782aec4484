//! `export`: results as rows, and the report.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde_json::json;

use super::VERSION;
use super::args::{Export, Form, Format, What};
use super::case::scope_as_kept;
use super::exit::{Exit, Stop};
use super::find::write;
use super::term::{Output, Term, counted};
use crate::evidence;
use crate::facet::{FacetKind, show_bytes};
use crate::finding::Findings;
use crate::report::{self, CaseFacts, CaseFile, HostSight, Rows, RunFacts, Sights};
use crate::seal::hex;
use crate::store::{Case, ObservationFilter, RunKind, StoreError, StoredObservation};

pub(super) fn run(args: &Export, term: &Term) -> Result<Exit, Stop> {
    let form = form(args)?;
    if !args.host.is_empty() && args.what != What::Bundle {
        return Err(Stop::usage(anyhow!("--host goes with `bundle` only")));
    }
    if matches!(args.what, What::Bundle | What::TimestampRequest) {
        // What waits is sealed and signed first, where the case may be written.
        super::sign::after(&args.case, term);
    }
    let case = Case::open_read_only(&args.case)?;
    let target = Target::new(args.output.as_deref(), args.force);
    let to = target.write_to();
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
        What::Observations => observations(&case, to, form)?,
        What::Report => write_text(&page(&case)?, to)?,
        What::Typst => write_text(&report::typst(&case_file(&case)?)?, to)?,
        What::Scope => write_text(&case.scope()?.text, to)?,
        What::Bundle => bundle(&case, args, to, term)?,
        What::TimestampRequest => {
            let (record, digest, question) = evidence::request(&case)?;
            refuse_terminal(to, "a question for a time-stamp authority")?;
            let mut out = Output::open(to)?;
            out.write_all(&question)?;
            out.finish()?;
            term.say(format!(
                "record {record} with the digest {}: send the file to an authority you trust, as",
                hex(&digest)
            ));
            term.say("application/timestamp-query, and take its answer in with `hostkin import timestamp CASE FILE`");
        }
    }
    target.place()?;
    Ok(Exit::Done)
}

/// Where an export goes: with `--force`, beside the file that it then replaces in one step.
struct Target<'a> {
    path: Option<&'a Path>,
    beside: Option<PathBuf>,
}

impl<'a> Target<'a> {
    fn new(path: Option<&'a Path>, force: bool) -> Self {
        let beside = path.filter(|path| force && path.exists()).map(|path| {
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(format!(".{}.new", std::process::id()));
            path.with_file_name(name)
        });
        Self { path, beside }
    }

    fn write_to(&self) -> Option<&Path> {
        self.beside.as_deref().or(self.path)
    }

    fn place(&self) -> anyhow::Result<()> {
        if let (Some(from), Some(to)) = (&self.beside, self.path) {
            std::fs::rename(from, to).with_context(|| format!("cannot replace `{}`", to.display()))?;
        }
        Ok(())
    }
}

impl Drop for Target<'_> {
    fn drop(&mut self) {
        // Gone by its new name, unless something failed.
        if let Some(beside) = &self.beside {
            let _ = std::fs::remove_file(beside);
        }
    }
}

/// Bytes that no terminal can show.
fn refuse_terminal(to: Option<&Path>, what: &str) -> Result<(), Stop> {
    if to.is_none() && std::io::stdout().is_terminal() {
        return Err(Stop::usage(anyhow!("{what} is no text for a terminal; give a file with -o FILE")));
    }
    Ok(())
}

/// Writes a bundle, whole or of chosen hosts.
fn bundle(case: &Case, args: &Export, to: Option<&Path>, term: &Term) -> Result<(), Stop> {
    refuse_terminal(to, "a bundle")?;
    let mut out = Output::open(to)?;
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
fn observations(case: &Case, to: Option<&Path>, form: Form) -> Result<(), Stop> {
    // With captures, so that the count of connections is that of the row.
    let filter = ObservationFilter::default();
    if form.format() == Format::Jsonl {
        let mut out = Output::open(to)?;
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
    write(&rows, form, to)
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
        as_of: records.last().map(|record| time(record.at)).unwrap_or_default(),
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
    write_text(&page(case)?, Some(to))
}
