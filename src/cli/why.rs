//! `why`: the reasons for and against one host, or a pair.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use anyhow::anyhow;

use super::args::Why;
use super::case::scope_as_kept;
use super::exit::{Exit, Stop};
use super::link::population;
use super::on_record::{Holders, OnRecord};
use super::term::{Output, Term, width};
use super::why_bundle;
use crate::evidence;
use crate::facet::{Labels, escape_terminal, show_percent};
use crate::finding::{Seed, Subject};
use crate::link::{self, Against, CheckVerdict, Explanation, Known, Linkage, Weights};
use crate::observation::Speech;
use crate::probe::Want;
use crate::report;
use crate::scope::{Narrowing, Scope};
use crate::store::{AskedState, Case, Run, RunKind};
use crate::target::{Order, Shard, Targets};

/// Groups named among what would change a claim.
const MOST_HINGES: usize = 3;

pub(super) fn run(args: &Why, term: &Term) -> Result<Exit, Stop> {
    if evidence::is_bundle(&args.case) {
        return why_bundle::run(args);
    }
    let case = Case::open_read_only(&args.case)?;
    let ip = args.ip.ok_or_else(|| {
        Stop::usage(anyhow!(
            "name a host; `hostkin export {} clusters` lists those that are linked",
            args.case.display()
        ))
    })?;
    let (seeds, verdicts) = (case.seeds()?, case.verdicts()?);
    if args.other == Some(ip) {
        return Err(Stop::usage(anyhow!("{ip} is named twice; name two hosts, or one to compare it with the seeds")));
    }
    let population = population(&case, &seeds, Some(term))?;
    for address in std::iter::once(ip).chain(args.other) {
        if !population.contains(address) {
            return Err(Stop::usage(anyhow!("{}", unheard(&case, address)?)));
        }
    }
    if args.other.is_none() && seeds.is_empty() {
        return Err(Stop::usage(anyhow!(
            "this case has no seed to compare with; record one with `hostkin seed`, or name a second address"
        )));
    }
    let (weights, labels) = (Weights::builtin()?, Labels::builtin()?);
    let linkage = Linkage::new(&population, &weights, &labels);
    let explanations: Vec<Explanation> = if let Some(other) = args.other {
        linkage.why(&seeds, &verdicts, ip, &Against::Host(other)).into_iter().collect()
    } else {
        let sets = linkage.grow(&seeds, &verdicts);
        providers(&seeds, ip).iter().filter_map(|name| sets.why(ip, name)).collect()
    };
    if explanations.is_empty() {
        return Err(anyhow!(
            "no seed of this case was heard yet, so there is nothing to compare {} with; run `hostkin scan {}`",
            ip,
            args.case.display()
        )
        .into());
    }
    let known = OnRecord::of(&case, &Holders::of(&case)?, ip)?;
    let mut out = Output::open(None)?;
    for mut explanation in explanations {
        let beside = Known { nearby: explanation.nearby, ..known.beside() };
        explanation.checks = link::checks(&explanation.evidence, &beside);
        if args.json {
            report::write_json_line(&mut out, &explanation)?;
        } else {
            out.write_all(words(&explanation).as_bytes())?;
        }
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

/// Why nothing is known of an address: out of the scope, asked and not answering, or not asked.
fn unheard(case: &Case, address: IpAddr) -> Result<String, Stop> {
    let kept = scope_as_kept(case)?;
    if !kept.reach().iter().any(|reach| reach.addresses.contains(address)) {
        let why = kept.why_not(SocketAddr::new(address, 0), None);
        return Ok(format!("nothing was ever heard from {address}, and no scan of this case asks it: {why}"));
    }
    let mut scopes = vec![kept];
    // With its opt-out files, where it is still there.
    scopes.extend(Scope::read(scopes.first().map_or(Path::new(""), Scope::path)).ok());
    for run in case.runs()?.iter().rev().filter(|run| run.kind == RunKind::Scan) {
        if let Some(told) = scopes.iter().find_map(|scope| asked(case, run, scope, address).ok().flatten()) {
            return Ok(format!("nothing was ever heard from {address}: run {} asked it, and {told}", run.id));
        }
    }
    Ok(format!("nothing was ever heard from {address} in this case; `hostkin plan` says whether a scan would ask it"))
}

/// What became of the services of an address in a run; `None` when it did not ask, or its plan cannot be told again.
fn asked(case: &Case, run: &Run, scope: &Scope, address: IpAddr) -> Result<Option<String>, Stop> {
    let words = run.plan.get("want").and_then(serde_json::Value::as_array).into_iter().flatten();
    let want: Want = words.filter_map(serde_json::Value::as_str).collect::<Vec<_>>().join(",").parse()?;
    let speeches = Speech::ALL.into_iter().filter(|speech| want.speech(*speech)).collect();
    let scope = scope.narrow(&Narrowing { speeches: Some(speeches), ..Narrowing::default() })?.scope;
    let targets = Targets::from_scope(&scope)?;
    if run.plan.get("targets_sha256").and_then(serde_json::Value::as_str) != Some(targets.digest()) {
        return Ok(None);
    }
    let order = Order::new(run.seed, targets.hosts(), Shard::new(run.shard.0, run.shard.1)?);
    let index =
        targets.position_of(address).and_then(|position| order.index_of(position).map(|index| (position, index)));
    let Some((position, index)) = index else { return Ok(None) };
    let services = targets.host(position).map_or(0, |host| host.services.len());
    let mut bits = case.asked(run.id)?;
    let (mut silent, mut refused) = (0, 0);
    for ordinal in 0..u32::try_from(services).unwrap_or(0) {
        match bits.state(index, ordinal)? {
            AskedState::Silent => silent += 1,
            AskedState::Refused => refused += 1,
            AskedState::NotAsked | AskedState::Heard => {}
        }
    }
    let told = [(refused, "refused"), (silent, "stayed silent")];
    let told: Vec<String> = told
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} of its {services} services {word}"))
        .collect();
    Ok((!told.is_empty()).then(|| told.join(", ")))
}

/// What would change the claim, and which of the known dangers were looked for.
fn doubts(one: &Explanation) -> String {
    let mut out = String::new();
    if !one.hinges.is_empty() {
        let hinges: Vec<&str> = one.hinges.iter().take(MOST_HINGES).map(|hinge| hinge.words.as_str()).collect();
        let _ = writeln!(out, "\nwhat would change that (now {} in the set):", show_percent(one.score_in_set));
        let _ = writeln!(out, "  {}", hinges.join("; "));
    }
    let of = |verdict| one.checks.iter().filter(move |check| check.verdict == verdict);
    let (failed, unknown) = (of(CheckVerdict::Failed).count(), of(CheckVerdict::NotCheckable).count());
    let passed: Vec<&str> = of(CheckVerdict::Passed).map(|check| check.danger.as_str()).collect();
    if !one.checks.is_empty() {
        let _ = writeln!(
            out,
            "\nknown ways to be wrong: {failed} failed, {unknown} not checkable, {} passed",
            passed.len()
        );
    }
    for verdict in [CheckVerdict::Failed, CheckVerdict::NotCheckable] {
        for check in of(verdict) {
            let _ = writeln!(out, "  {:<14} {}: {}", verdict.as_str(), check.danger, escape_terminal(&check.words));
        }
    }
    if !passed.is_empty() {
        let _ = writeln!(out, "  {:<14} {}", "passed", passed.join(", "));
    }
    out
}

/// The explanation for people: plain words first, then the table.
fn words(one: &Explanation) -> String {
    let mut out = String::new();
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
    out.push_str(&doubts(one));
    let _ = writeln!(out, "\n{}", report::evidence_table(&one.evidence, Some(width())));
    let _ = writeln!(
        out,
        "LR: how many times more often the set shows what this host shows than other hosts do (below 1 it speaks against); counted: after discounts for copies and known defaults.\n"
    );
    let _ = write!(
        out,
        "set of {} ({} confirmed), purity {:.2}; prior odds 10^{:.1}; all evidence 10^{:.1}, without its strongest group 10^{:.1}\nprobability {} in the set, {} by the confirmed hosts alone\n",
        one.set_size,
        one.confirmed,
        one.purity,
        one.log10_prior,
        one.log10_lr,
        one.log10_lr_without_strongest,
        show_percent(one.score_in_set),
        show_percent(one.score_by_seeds)
    );
    if let (Some(heard), Some(rarer), Some(commoner)) = (one.score_as_heard, one.score_if_rarer, one.score_if_commoner)
    {
        let _ = writeln!(
            out,
            "with rivals and level {}; {} if strangers showed what is shared seven times as often, {} if a third as often",
            show_percent(heard),
            show_percent(commoner),
            show_percent(rarer)
        );
        let _ =
            write!(out, "the mean of these three (the last counts half), as such means have held on labelled hosts: ");
    }
    let _ = writeln!(out, "{} in the end\n", show_percent(one.score));
    out
}
