//! `export report` and `export typst`: what the case says, for readers.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use super::VERSION;
use super::args::{Export, What};
use super::case::{as_of, last_change, scope_as_kept, since_link};
use super::exit::{Exit, Stop};
use super::export::{output, sights};
use super::link::population;
use super::on_record::{Holders, OnRecord};
use super::share::{self, Own};
use super::term::{Output, Term};
use crate::evidence::fingerprint;
use crate::facet::Labels;
use crate::finding::Findings;
use crate::link::{self, Known, Linkage, Weights};
use crate::report::{self, CaseFacts, CaseFile, Cleaner, DETAILED, HostChecks, Marking, Picture, RunFacts};
use crate::seal::{hex, sha256};
use crate::store::{Case, CaseInfo, Record, RunKind};

pub(super) fn run(args: &Export, term: &Term) -> Result<Exit, Stop> {
    let sharing = &args.sharing;
    let (case, own) = if args.records() {
        let mut case = Case::open(&args.case)?;
        let own = share::addresses(&mut case, &sharing.own)?;
        (case, own)
    } else {
        let case = Case::open_read_only(&args.case)?;
        let own = share::known(&case)?;
        (case, own)
    };
    let is_page = args.what == What::Report;
    let (mut file, mut pictures) =
        shared(&case, &own, sharing.marking(args.what), sharing.minimise, is_page, Some(term))?;
    if sharing.defang {
        file.defang();
        pictures.iter_mut().for_each(Picture::defang);
    }
    let text = if is_page { report::html(&file, &pictures)? } else { report::typst(&file)? };
    write_text(&text, output(args)?)?;
    Ok(Exit::Done)
}

/// The report and its pictures without what is taken out of everything that is shared; refused under a marking too open for
/// what is inside.
fn shared(
    case: &Case,
    own: &Own,
    marking: Marking,
    minimise: bool,
    with_pictures: bool,
    term: Option<&Term>,
) -> Result<(CaseFile, Vec<Picture>), Stop> {
    let (mut file, contact) = case_file(case, marking, term)?;
    let cleaner = Cleaner::new(&own.addresses, minimise).keeping(contact.as_deref());
    let mut personal = file.clean(&cleaner);
    let mut pictures = if with_pictures { super::pictures::pictures(case, &cleaner)? } else { Vec::new() };
    for picture in &mut pictures {
        if picture.clean(&cleaner) {
            personal.push("the pictures".to_owned());
        }
    }
    marking.check_places(Vec::new(), personal, own.known).map_err(Stop::usage)?;
    Ok((file, pictures))
}

fn write_text(text: &str, mut out: Output) -> Result<(), Stop> {
    out.write_all(text.as_bytes())?;
    out.finish()?;
    Ok(())
}

/// What the report says, whatever its form; and the mailbox that scanned hosts are told.
fn case_file(case: &Case, marking: Marking, term: Option<&Term>) -> Result<(CaseFile, Option<String>), Stop> {
    let findings = case.findings()?.map(|(findings, _)| findings).unwrap_or_default();
    let info = case.info()?;
    let scope = scope_as_kept(case)?;
    let records = case.records()?;
    let time = |at: crate::clock::Timestamp| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string();
    let runs = info.runs.iter().map(|run| RunFacts {
        id: run.id,
        kind: run.kind.as_str().to_owned(),
        hunt: run.plan.get("hunt").is_some_and(|hunt| !hunt.is_null()),
        state: run.state.as_str().to_owned(),
        started: time(run.started_at),
        ended: run.ended_at.map(time).unwrap_or_default(),
        hosts: if run.kind == RunKind::Import { run.hosts } else { run.counters.hosts },
        hosts_total: run.hosts,
        connections: run.counters.connections,
        seed: run.seed.to_string(),
    });
    let contact = scope.contact().map(|contact| contact.strip_prefix("mailto:").unwrap_or(contact).to_owned());
    let facts = CaseFacts {
        marking,
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
        out_of_date: since_link(&records).map(|since| since.words).unwrap_or_default(),
        hosts: info.hosts,
        observations: info.observations,
        facets: info.facets,
        bytes_heard: info.runs.iter().map(|run| run.counters.bytes_heard).sum(),
        runs: runs.collect(),
        checks: checks(case, &info, &findings, term)?,
        digests: digests(case, &records)?,
    };
    Ok((report::case_file(&facts, &info.seeds, &findings, &sights(case)?), contact))
}

/// The named dangers of the hosts whose evidence the report lays out, as `why` says them.
fn checks(case: &Case, info: &CaseInfo, findings: &Findings, term: Option<&Term>) -> Result<HostChecks, Stop> {
    let mut all = HostChecks::new();
    let grown: Vec<_> = findings.clusters.iter().filter(|cluster| cluster.seeded).collect();
    if grown.is_empty() {
        return Ok(all);
    }
    let (population, weights, labels) = (population(case, &info.seeds, term)?, Weights::builtin()?, Labels::builtin()?);
    let linkage = Linkage::new(&population, &weights, &labels);
    let sets = linkage.grow(&info.seeds, &info.verdicts);
    let holders = Holders::of(case)?;
    for cluster in grown {
        let members = cluster.members.iter().take(DETAILED);
        for one in members.filter_map(|member| sets.why(member.address, &cluster.id)) {
            let known = OnRecord::of(case, &holders, one.address)?;
            let beside = Known { nearby: one.nearby, ..known.beside() };
            all.insert((cluster.id.clone(), one.address), link::checks(&one.evidence, &beside));
        }
    }
    Ok(all)
}

/// What the report can be checked by: the last record that says something, who signs, the public files it rests on.
fn digests(case: &Case, records: &[Record]) -> Result<Vec<(String, String)>, Stop> {
    let mut out = Vec::new();
    let mut signers = BTreeSet::new();
    let last = last_change(records).map(|record| record.seq);
    for record in case.chain()? {
        if Some(record.seq) == last
            && let Some(line) = &record.line
        {
            out.push((format!("SHA-256 of record {}, the last change", record.seq), hex(&sha256(line.as_bytes()))));
        }
        signers.extend(record.signature.map(|signature| fingerprint(&signature.public_key)));
    }
    out.extend(signers.into_iter().map(|signer| ("key that signs the chain".to_owned(), signer)));
    let data = case.datasets()?.into_iter();
    out.extend(data.map(|one| (format!("SHA-256 of {}, {} ({})", one.name, one.date, one.source), hex(&one.sha256))));
    Ok(out)
}

/// Writes the report to a file, for `demo`.
pub(super) fn write_page(case: &Case, to: &Path) -> Result<(), Stop> {
    let (file, pictures) = shared(case, &share::known(case)?, Marking::default(), false, true, None)?;
    write_text(&report::html(&file, &pictures)?, Output::create(to, false)?)
}
