//! `why`: the reasons for and against one host, or a pair.

use std::fmt::Write as _;
use std::io::Write as _;

use anyhow::anyhow;

use super::args::Why;
use super::exit::{Exit, Stop};
use super::link::population;
use super::term::{Output, width};
use crate::facet::{Labels, escape_terminal};
use crate::finding::{Seed, Subject};
use crate::link::{self, Against, Explanation, Weights};
use crate::report;
use crate::store::Case;

pub(super) fn run(args: &Why) -> Result<Exit, Stop> {
    let case = Case::open_read_only(&args.case)?;
    let (seeds, verdicts) = (case.seeds()?, case.verdicts()?);
    let population = population(&case, &seeds)?;
    for address in std::iter::once(args.ip).chain(args.other) {
        if !population.contains(address) {
            return Err(Stop::usage(anyhow!(
                "nothing was ever heard from {address} in this case; `hostkin plan` says whether a scan would ask it"
            )));
        }
    }
    let against: Vec<Against> = match args.other {
        Some(other) => vec![Against::Host(other)],
        None => providers(&seeds, args.ip).into_iter().map(Against::Provider).collect(),
    };
    if against.is_empty() {
        return Err(Stop::usage(anyhow!(
            "this case has no seed to compare with; record one with `hostkin seed`, or name a second address"
        )));
    }
    let (weights, labels) = (Weights::builtin()?, Labels::builtin()?);
    let mut out = Output::open(None)?;
    let mut explained = 0;
    for one in &against {
        let Some(explanation) = link::why(&population, &seeds, &verdicts, &weights, &labels, args.ip, one) else {
            continue;
        };
        explained += 1;
        if args.json {
            serde_json::to_writer(&mut out, &explanation)?;
            out.write_all(b"\n")?;
        } else {
            out.write_all(words(&explanation).as_bytes())?;
        }
    }
    if explained == 0 {
        return Err(anyhow!(
            "no seed of this case was observed, so there is nothing to compare {} with; scan the seed first",
            args.ip
        )
        .into());
    }
    out.finish()?;
    Ok(Exit::Done)
}

/// Providers to compare with: the one whose seed the host is, or all.
fn providers(seeds: &[Seed], ip: std::net::IpAddr) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for seed in seeds {
        if !names.contains(&seed.provider) {
            names.push(seed.provider.clone());
        }
    }
    let own = seeds.iter().find(|seed| seed.subject == Subject::Host(ip)).map(|seed| seed.provider.clone());
    own.map_or(names, |own| vec![own])
}

/// The explanation for people: plain words first, then the table.
fn words(one: &Explanation) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{} and {}", one.address, escape_terminal(&one.against));
    let _ = writeln!(out, "{}\n", escape_terminal(&one.summary));
    let mut list = |head: &str, items: &[String]| {
        for item in items {
            let _ = writeln!(out, "  {head:<9}{}", escape_terminal(item));
        }
    };
    list("for", &one.reasons);
    list("against", &one.counter);
    if !one.not_observed.is_empty() {
        let _ = writeln!(out, "  not observed, so without weight: {}", escape_terminal(&one.not_observed.join(", ")));
    }
    let _ = writeln!(out, "\n{}", report::evidence_table(&one.evidence, width()));
    let _ = writeln!(
        out,
        "set of {} ({} confirmed), purity {:.2}; prior odds 10^{:.1}; all evidence 10^{:.1}, without its strongest group 10^{:.1}\nprobability {:.4} in the set, {:.4} by the confirmed hosts alone, {:.4} in the end\n",
        one.set_size,
        one.confirmed,
        one.purity,
        one.log10_prior,
        one.log10_lr,
        one.log10_lr_without_strongest,
        one.score_in_set,
        one.score_by_seeds,
        one.score
    );
    out
}
