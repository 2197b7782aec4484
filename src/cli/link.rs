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
use crate::link::{self, Builder, Population, Weights, columns_version};
use crate::store::{Case, StoreError};

/// Seeds named in a message.
const MOST_NAMED: usize = 5;

pub(super) fn run(args: &CaseOnly, term: &Term) -> Result<Exit, Stop> {
    let mut case = Case::open(&args.case)?;
    let findings = link(&mut case)?;
    tell(&findings, &case, term)?;
    Ok(Exit::Done)
}

/// Links the case's hosts and keeps what was found.
pub(super) fn link(case: &mut Case) -> Result<Findings, Stop> {
    let (seeds, verdicts) = (case.seeds()?, case.verdicts()?);
    let population = population(case, &seeds)?;
    let findings = link::run(&population, &seeds, &verdicts, &Weights::builtin()?, &Labels::builtin()?);
    keep_columns(case, &population)?;
    case.save_findings(&findings, &actor(), SystemClock::new().now())?;
    Ok(findings)
}

/// All hosts of the case, as the linkage sees them: from the columns that are kept, where they are of the case as it
/// stands, else from every observation.
pub(super) fn population(case: &Case, seeds: &[Seed]) -> Result<Population, Stop> {
    let kept =
        if case.has_columns(&columns_version())? { Population::from_parts(|part| case.column(part))? } else { None };
    let mut population = match kept {
        Some(kept) => kept,
        None => made(case)?,
    };
    for subject in seeds.iter().map(|seed| &seed.subject) {
        if let Subject::Facet(kind, value) = subject {
            population.watch(subject, showing(case, kind, value)?);
        }
    }
    Ok(population)
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

/// Keeps the columns in the case, unless those of its present state are there.
pub(super) fn keep_columns(case: &mut Case, population: &Population) -> Result<(), StoreError> {
    let version = columns_version();
    if case.has_columns(&version)? {
        return Ok(());
    }
    case.save_columns(&version, Population::parts().into_iter().map(|part| (part, population.to_part(part))))
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
