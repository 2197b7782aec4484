//! `link`: weighs shared habits against the background.

use super::actor;
use super::args::CaseOnly;
use super::exit::{Exit, Stop};
use super::term::Term;
use crate::clock::{Clock, SystemClock};
use crate::facet::Labels;
use crate::finding::{Findings, Seed};
use crate::link::{self, Builder, Population, Weights};
use crate::store::{Case, StoreError};

pub(super) fn run(args: &CaseOnly, term: &Term) -> Result<Exit, Stop> {
    let mut case = Case::open(&args.case)?;
    let findings = link(&mut case)?;
    tell(&findings, &args.case, term);
    Ok(Exit::Done)
}

/// Links the case's hosts and keeps what was found.
pub(super) fn link(case: &mut Case) -> Result<Findings, Stop> {
    let (seeds, verdicts) = (case.seeds()?, case.verdicts()?);
    let population = population(case, &seeds)?;
    let findings = link::run(&population, &seeds, &verdicts, &Weights::builtin()?, &Labels::builtin()?);
    case.save_findings(&findings, &actor(), SystemClock::new().now())?;
    Ok(findings)
}

/// All hosts of the case, as the linkage sees them.
pub(super) fn population(case: &Case, seeds: &[Seed]) -> Result<Population, Stop> {
    let mut builder = Builder::watching(seeds);
    case.host_facts::<StoreError>(|host| {
        builder.add(&host);
        Ok(())
    })?;
    Ok(builder.finish())
}

fn tell(findings: &Findings, case: &std::path::Path, term: &Term) {
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
    if findings.ranking.is_empty() {
        term.warn("no provider has a seed among these hosts; record one with `hostkin seed`, and scan it too");
    }
    let case = case.display();
    term.say(format!(
        "next: hostkin export {case} clusters, hostkin why {case} ADDRESS, hostkin export {case} report -o report.html"
    ));
}
