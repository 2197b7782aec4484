//! A scan as a hunt: what the seeds show on record, in which order it is asked for, and what `plan` says about it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::anyhow;

use super::args::{HuntBy, Scan};
use super::exit::Stop;
use super::plan::ScanPlan;
use super::seed::shown;
use super::term::Term;
use crate::facet::{FacetKind, Labels, escape_terminal};
use crate::finding::Subject;
use crate::observation::{Exchange, Speech};
use crate::probe::hunt::{Background, By, Hunt, SeedFacts, ServiceFacts, Telling, has_own_issuer, leaf_of};
use crate::probe::{HuntSettings, Proof, Want};
use crate::scan::{GiveUp, Networks, Progress};
use crate::store::{Action, Case, ObservationFilter, RunId, StoreError};

/// Seeds named by `plan` before the rest is counted.
const NAMED: usize = 5;

/// Makes the plan a hunt where that is asked for, or by default where a seed has observations on record.
///
/// An unfinished run goes before: a scan that began as a full capture, or with what was on record then, goes on so.
pub(super) fn settle(plan: &mut ScanPlan, args: &Scan, case: &Case) -> Result<(), Stop> {
    if args.full {
        return Ok(());
    }
    let (by, lead) = match args.hunt_by {
        HuntBy::Auto => (By::Each, None),
        HuntBy::Jarm => (By::First, Some(Telling::Jarm)),
        HuntBy::Ssh => (By::First, Some(Telling::Ssh)),
        HuntBy::Http => (By::First, Some(Telling::Http)),
        HuntBy::Any => (By::Any, None),
    };
    let give_up = args.give_up.as_deref().map(str::parse::<GiveUp>).transpose().map_err(Stop::usage)?;
    let asked_for = args.hunt || args.hunt_by != HuntBy::Auto || give_up.is_some();
    if !args.new && !asked_for && case.unfinished_run(&plan.digest())?.is_some() {
        return Ok(());
    }
    let Some(hunt) = gather(case, plan.settings.want, by, lead)? else {
        return if asked_for { Err(nothing_to_hunt()) } else { Ok(()) };
    };
    if let Some(lead) = lead
        && hunt.services.first() != Some(&lead)
    {
        let lead = lead.as_str();
        return Err(Stop::usage(anyhow!(
            "no seed shows anything in {lead} to hunt by; see `hostkin export CASE facets`"
        )));
    }
    if !hunt.unseen.is_empty() {
        let names: Vec<String> = hunt.unseen.iter().take(NAMED).map(|name| escape_terminal(name)).collect();
        plan.notes.push(format!(
            "the hunt cannot look for {} of the seeds, of which nothing telling is on record: {}; `--targets` and `--full` observe them",
            hunt.unseen.len(),
            names.join(", ")
        ));
    }
    let proof = args.proof.map_or(Proof::Needed, |_| plan.settings.proof);
    let proof_of_matches = plan.settings.proof;
    plan.settings.proof = proof;
    plan.give_up = give_up;
    let earlier = if args.new { None } else { unfinished(plan, case, &hunt, proof_of_matches)? };
    let hunt = Arc::new(earlier.unwrap_or(hunt));
    plan.hunting = Some(HuntSettings { hunt, proof_of_matches });
    Ok(())
}

fn nothing_to_hunt() -> Stop {
    Stop::usage(anyhow!(
        "there is nothing to hunt for: no seed of this case has anything telling on record. Give one with `hostkin seed`, observe it with `hostkin scan --full --targets ADDRESS`, then hunt"
    ))
}

/// The hunt of an unfinished run that is this one but for what came on record since: it was fixed when the run began.
fn unfinished(plan: &mut ScanPlan, case: &Case, hunt: &Hunt, proof_of_matches: Proof) -> Result<Option<Hunt>, Stop> {
    for run in case.runs()?.into_iter().rev().filter(crate::store::Run::can_be_continued) {
        let Some(Ok(earlier)) = run.plan.get("hunt").cloned().map(serde_json::from_value::<Hunt>) else { continue };
        if (earlier.names(), earlier.by, earlier.lead) != (hunt.names(), hunt.by, hunt.lead) {
            continue;
        }
        plan.hunting = Some(HuntSettings { hunt: Arc::new(earlier.clone()), proof_of_matches });
        if plan.digest() == run.plan_sha256 {
            return Ok(Some(earlier));
        }
    }
    Ok(None)
}

/// What is on record of the seeds, and of everybody else.
fn gather(case: &Case, want: Want, by: By, lead: Option<Telling>) -> Result<Option<Hunt>, Stop> {
    let seeds = case.seeds()?;
    if seeds.is_empty() {
        return Ok(None);
    }
    let mut facts: Vec<SeedFacts> = Vec::new();
    let mut addresses: Vec<IpAddr> = Vec::new();
    for seed in &seeds {
        let name = shown(&seed.subject);
        if facts.iter().any(|known| known.name == name) {
            continue;
        }
        let services = match &seed.subject {
            Subject::Host(address) => {
                addresses.push(*address);
                services_of(case, *address)?
            }
            Subject::Facet(kind, value) => {
                FacetKind::from_str(kind).ok().and_then(|kind| facet_of(kind, value)).into_iter().collect()
            }
        };
        facts.push(SeedFacts { name, services });
    }
    if facts.iter().all(|seed| seed.services.is_empty()) {
        return Ok(None);
    }
    let background = background(case, &addresses)?;
    let labels = Labels::builtin().map_err(anyhow::Error::from)?;
    Ok(Hunt::new(&facts, want, by, lead, &labels, &background))
}

/// What others show, as far as they were asked without regard to the seeds: who was captured in full by a hunt was chosen
/// for being like one, and would make the seed's values look common.
fn background(case: &Case, seeds: &[IpAddr]) -> Result<Background, Stop> {
    let mut background = Background::default();
    for run in case.runs()?.into_iter().filter(|run| run.plan.get("hunt").is_none()) {
        let filter = ObservationFilter { run: Some(run.id), ..ObservationFilter::default() };
        case.observations::<StoreError>(&filter, |one| {
            if !one.over_tls && !seeds.contains(&one.address) {
                one.facets.iter().for_each(|facet| background.add(facet.kind, &facet.value));
            }
            Ok(())
        })?;
    }
    Ok(background)
}

/// What each service of a seed showed when it was last looked at: of each telling kind the last values, since a later look may
/// have heard less. What others heard stands only where we have heard nothing ourselves.
fn services_of(case: &Case, address: IpAddr) -> Result<Vec<ServiceFacts>, Stop> {
    let telling = [
        FacetKind::TlsJarm,
        FacetKind::CertSpkiSha256,
        FacetKind::SshKexinitSha256,
        FacetKind::SshHostKey,
        FacetKind::HttpHeaderOrder,
    ];
    let filter = ObservationFilter { network: Some(address.into()), captures: true, ..ObservationFilter::default() };
    let mut services: BTreeMap<_, ServiceFacts> = BTreeMap::new();
    case.observations::<StoreError>(&filter, |one| {
        let Ok(speech) = one.protocol.parse::<Speech>() else { return Ok(()) };
        if !one.over_tls && one.facets.iter().any(|facet| telling.contains(&facet.kind)) {
            let facets = one.facets.into_iter().map(|facet| (facet.kind, facet.value)).collect();
            let own_issuer = one.capture.is_some_and(|capture| capture.exchanges.iter().any(issued_privately));
            let facts = ServiceFacts { speech, imported: one.capture_sha256.is_none(), own_issuer, facets };
            // Looks come in the order of the runs.
            match services.entry((one.port, speech, one.name)) {
                Entry::Vacant(place) => drop(place.insert(facts)),
                Entry::Occupied(mut place) => place.get_mut().look_again(facts),
            }
        }
        Ok(())
    })?;
    Ok(services.into_values().collect())
}

/// True where this connection showed a certificate of somebody's own authority.
fn issued_privately(exchange: &Exchange) -> bool {
    leaf_of(exchange).is_some_and(|leaf| has_own_issuer(&leaf))
}

/// A facet given as a seed, as the service that shows it; `None` for kinds that a hunt does not ask for first.
fn facet_of(kind: FacetKind, value: &str) -> Option<ServiceFacts> {
    let speech = match kind {
        FacetKind::TlsJarm | FacetKind::CertSpkiSha256 => Speech::Tls,
        FacetKind::SshHostKey | FacetKind::SshKexinitSha256 | FacetKind::SshHasshServer => Speech::Ssh,
        FacetKind::HttpHeaderOrder => Speech::Http,
        _ => return None,
    };
    Some(ServiceFacts { speech, imported: false, own_issuer: false, facets: vec![(kind, value.as_bytes().to_vec())] })
}

/// The networks of a run that can be given up: those that an earlier part of it gave up stay so.
pub(super) fn networks(plan: &ScanPlan, case: &Case, run: RunId) -> Result<Option<Networks>, Stop> {
    let Some(test) = plan.give_up else { return Ok(None) };
    let records = case.records()?.into_iter();
    let of_run = records.filter(|one| one.action == Action::GaveUp.as_str() && one.subject == run.to_string());
    let given_up =
        of_run.filter_map(|one| one.body.get("network")?.as_str()?.split('/').next()?.parse::<Ipv4Addr>().ok());
    Ok(Some(Networks::new(test, given_up)))
}

/// What `plan` says of a hunt; empty for a full capture.
pub(super) fn words(plan: &ScanPlan) -> String {
    let mut out = String::new();
    let Some(HuntSettings { hunt, .. }) = &plan.hunting else { return out };
    let services: Vec<&str> = hunt.services.iter().map(|one| one.as_str()).collect();
    let seeds: Vec<String> = hunt.seeds.iter().take(NAMED).map(|seed| escape_terminal(&seed.seed)).collect();
    let more = hunt.seeds.len().saturating_sub(seeds.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let rule = match hunt.by {
        By::First => {
            "the first of these services that a host offers decides: it is like a seed's, or the host is ruled out"
        }
        By::Each => {
            "a host is ruled out only when its TLS and its SSH, those that it offers, both differ from every seed's; HTTP speaks where neither answers"
        }
        By::Any => "a host is ruled out only when each of these services that it offers differs from every seed's",
    };
    let _ = writeln!(out, "hunt             for {}{more}; a time-out rules nobody out", seeds.join(", "));
    let _ = writeln!(out, "                 in the order {}: {rule}", services.join(", "));
    if hunt.services.contains(&Telling::Jarm) {
        let order: Vec<String> = hunt.jarm_order.iter().map(u8::to_string).collect();
        let _ = writeln!(
            out,
            "                 JARM's probes in the order {}, up to the first that differs",
            order.join(" ")
        );
    }
    let _ = writeln!(
        out,
        "                 if all answer and differ at once, some {} connections; one like a seed costs a full capture\n",
        if_all_differ(plan, hunt)
    );
    if let Some(test) = &plan.give_up {
        let percent = |share: f64| format!("{:.2} %", share * 100.0);
        let _ = writeln!(
            out,
            "give up          a /24 after {} answering hosts that all differ (from 4 of its /27s or more); hosts like a seed put that off, and enough of them end the test",
            test.hosts_needed()
        );
        let _ = writeln!(
            out,
            "                 overlooked: at most about {} of the /24s in which {} or more of the answering hosts are like a seed",
            percent(test.miss),
            percent(test.share)
        );
        let _ = writeln!(
            out,
            "                 kept for good: at most about {} of those in which {} or fewer look alike by chance",
            percent(test.keep),
            percent(test.chance)
        );
        let few: Vec<String> =
            [1, 2, 5, 10].iter().map(|like| format!("{like} in {}", percent(test.overlooks(200, *like)))).collect();
        let _ = writeln!(
            out,
            "                 of 200 answering hosts with so many like a seed, all are overlooked: {}\n",
            few.join(", ")
        );
    }
    out
}

/// Connections if every service answers and each host differs at its first answers.
fn if_all_differ(plan: &ScanPlan, hunt: &Hunt) -> u128 {
    let each = |services: &[(Speech, u16)]| {
        let of = |telling: &Telling| services.iter().filter(|(speech, _)| *speech == telling.speech()).count() as u128;
        let kinds: Vec<u128> = hunt.services.iter().map(of).filter(|count| *count > 0).collect();
        match hunt.by {
            By::First => kinds.into_iter().take(1).sum(),
            By::Each => {
                let both = hunt.services.iter().filter(|one| **one != Telling::Http).map(of).sum();
                if both > 0 { both } else { kinds.into_iter().sum() }
            }
            By::Any => kinds.into_iter().sum::<u128>(),
        }
    };
    let all = plan.targets.stretches().map(|(range, services)| range.count() * each(&services)).sum::<u128>();
    all / u128::from(plan.shard.count().max(1))
}

/// What the hunt made of those who answered.
pub(super) fn tell(progress: &Progress, term: &Term) {
    let load = |one: &std::sync::atomic::AtomicU64| one.load(Ordering::Relaxed);
    term.say(format!(
        "  hunt: {} hosts are like a seed, {} could not be told (all of these captured in full), {} ruled out",
        load(&progress.like),
        load(&progress.open),
        load(&progress.ruled_out)
    ));
    let left_out = load(&progress.left_out);
    if left_out > 0 {
        term.say(format!("  {left_out} hosts were not asked, in networks that were given up (records `gave_up`)"));
    }
}
