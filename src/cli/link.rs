//! `link`: weighs shared habits against the background.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::actor;
use super::args::CaseOnly;
use super::exit::{Exit, Stop};
use super::term::Term;
use crate::clock::{Clock, SystemClock};
use crate::facet::Labels;
use crate::finding::{Findings, Seed, Subject};
use crate::link::{Builder, Linkage, Population, Weights, columns_version};
use crate::store::{Case, ColumnsStamp, KeptColumns, StoreError};

/// Seeds named in a message.
const MOST_NAMED: usize = 5;
/// From so many hosts on it takes seconds to make columns.
const SLOW_FROM: u64 = 50_000;

pub(super) fn run(args: &CaseOnly, term: &Term) -> Result<Exit, Stop> {
    let mut case = Case::open(&args.case)?;
    let findings = link(&mut case)?;
    tell(&findings, &case, term)?;
    Ok(Exit::Done)
}

/// Links the case's hosts and keeps what was found.
pub(super) fn link(case: &mut Case) -> Result<Findings, Stop> {
    let (seeds, verdicts) = (case.seeds()?, case.verdicts()?);
    let (population, stamp) = columns(case, &seeds, None)?;
    let findings = Linkage::new(&population, &Weights::builtin()?, &Labels::builtin()?).run(&seeds, &verdicts);
    if let Some(stamp) = stamp {
        keep_columns(case, &stamp, &population)?;
    }
    case.save_findings(&findings, &actor(), SystemClock::new().now())?;
    Ok(findings)
}

/// All hosts of the case, as the linkage sees them: from the columns that are kept, with the hosts added that were heard
/// since, else from every observation. Where that takes long enough to wonder, it says so, and how not to do it each time.
pub(super) fn population(case: &Case, seeds: &[Seed], term: Option<&Term>) -> Result<Population, Stop> {
    Ok(columns(case, seeds, term)?.0)
}

/// The same, with the state of the case that it is of where that is not kept yet.
fn columns(case: &Case, seeds: &[Seed], term: Option<&Term>) -> Result<(Population, Option<ColumnsStamp>), Stop> {
    let version = columns_version();
    // Before anything is read: what is heard meanwhile is then read once more.
    let stamp = case.columns_stamp(&version)?;
    let (kept, is_current) = match case.kept_columns(&version)? {
        KeptColumns::Current => (Population::from_parts(|part| unpacking(case, part))?, true),
        KeptColumns::Behind(heard) => (updated(case, &heard)?, false),
        KeptColumns::Unfit => (None, false),
    };
    let is_kept = is_current && kept.is_some();
    let mut population = if let Some(kept) = kept {
        kept
    } else {
        if let Some(term) = term.filter(|_| case.hosts_at_most().is_ok_and(|hosts| hosts >= SLOW_FROM)) {
            let path = case.path().display();
            term.say(format!("reading all hosts anew takes a while; after `hostkin link {path}` it does not"));
        }
        made(case)?
    };
    for subject in seeds.iter().map(|seed| &seed.subject) {
        if let Subject::Facet(kind, value) = subject {
            population.watch(subject, showing(case, kind, value)?);
        }
    }
    Ok((population, (!is_kept).then_some(stamp)))
}

/// Reads a part of the columns, and gives what unpacks it.
fn unpacking(case: &Case, part: &str) -> Result<impl FnOnce() -> Option<Vec<u8>> + Send + use<>, StoreError> {
    let packed = case.column(part)?;
    Ok(move || packed.unpack())
}

/// Makes the columns from every observation.
fn made(case: &Case) -> Result<Population, Stop> {
    let mut builder = Builder::new();
    case.host_facts::<StoreError>(|host| {
        builder.add(&host);
        Ok(())
    })?;
    Ok(builder.finish())
}

/// The columns that are kept, with these hosts added.
fn updated(case: &Case, heard: &[IpAddr]) -> Result<Option<Population>, StoreError> {
    let Some(kept) = Population::from_all_parts(|part| unpacking(case, part))? else { return Ok(None) };
    let mut builder = Builder::to_add();
    case.facts_of::<StoreError>(heard, |host| {
        builder.add(&host);
        Ok(())
    })?;
    kept.updated(builder, |address| case.host(address))
}

/// Keeps the columns in the case, made from its state of `stamp`.
pub(super) fn keep_columns(case: &mut Case, stamp: &ColumnsStamp, population: &Population) -> Result<(), StoreError> {
    let parts = Population::parts().into_iter().map(|part| {
        let body = population.to_part(&part);
        (part, body)
    });
    case.save_columns(stamp, parts)
}

/// The hosts that show a facet now.
fn showing(case: &Case, kind: &str, value: &str) -> Result<Vec<IpAddr>, Stop> {
    let quoted = value.replace('\\', "\\\\").replace('\'', "\\'");
    let mut hosts = Vec::new();
    case.find::<StoreError>(&format!("{kind}='{quoted}'"), |found| {
        if !found.matched.is_empty() {
            hosts.push(found.address);
        }
        Ok(())
    })?;
    Ok(hosts)
}

fn tell(findings: &Findings, case: &Case, term: &Term) -> Result<(), Stop> {
    let seeded = findings.clusters.iter().filter(|cluster| cluster.seeded);
    for cluster in seeded {
        term.step(format!(
            "\"{}\": {} of {} hosts, purity {:.2}",
            crate::facet::escape_terminal(&cluster.id),
            cluster.members.len(),
            findings.hosts,
            cluster.purity
        ));
    }
    let blind = findings.clusters.iter().filter(|cluster| !cluster.seeded).count();
    if blind > 0 {
        term.say(format!("{blind} further groups of like hosts, without a seed: hypotheses"));
    }
    let path = case.path().display();
    let hosts: Vec<IpAddr> = case
        .seeds()?
        .iter()
        .filter_map(|seed| match seed.subject {
            Subject::Host(ip) => Some(ip),
            Subject::Facet(..) => None,
        })
        .collect();
    let heard: BTreeSet<IpAddr> = findings.ranking.iter().map(|one| one.address).collect();
    let unheard: Vec<String> =
        hosts.iter().filter(|ip| !heard.contains(ip)).take(MOST_NAMED).map(ToString::to_string).collect();
    if case.seeds()?.is_empty() {
        term.warn(format!(
            "this case has no seed; record a confirmed host with `hostkin seed {path} ADDRESS --why TEXT`"
        ));
    } else if findings.ranking.is_empty() && !unheard.is_empty() {
        term.warn(format!(
            "{} was not heard yet, so that no host can be compared with it; run `hostkin scan {path}`",
            unheard.join(", ")
        ));
    } else if findings.ranking.is_empty() {
        term.warn("no host of this case shows what the seeds show");
    }
    term.say(format!(
        "next: hostkin export {path} clusters, hostkin why {path} ADDRESS, hostkin export {path} report -o report.html"
    ));
    Ok(())
}
