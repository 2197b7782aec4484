//! `export`, the part that leaves the house: STIX, MISP, graphs, deny lists, abuse reports.

mod abuse;
mod args;
mod denylist;
mod imported;
mod own;
mod registry;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::net::IpAddr;

use anyhow::anyhow;

use super::VERSION;
use super::args::{Export, Form, What};
use super::case::{as_of, scope_as_kept};
use super::exit::{Exit, Stop};
use super::export::{findings, output, sights};
use super::find::write;
use super::term::Term;
use crate::finding::{Cluster, Finding, Findings, Subject};
use crate::report::{self, CaseLabel, Cleaner, Depth, Dossier, HostSight, Registry, Sights, Standing};
use crate::store::{Case, ObservationFilter};

pub(super) use args::Sharing;

pub(super) use abuse::log_of;
pub(super) use own::{Own, addresses, known, remember};

pub(super) fn run(args: &Export, form: Form, term: &Term) -> Result<Exit, Stop> {
    let sharing = &args.sharing;
    let mut case = if args.records() { Case::open(&args.case)? } else { Case::open_read_only(&args.case)? };
    let own = own::addresses(&mut case, &sharing.own)?;
    let mut registry = sharing.registry.as_deref().map(registry::read).transpose()?.unwrap_or_default();
    let findings = findings(&case)?;
    let chosen = chosen(&findings, &sharing.cluster, args)?;
    let mut sights = sights(&case)?;
    let found = imported::look_up(&case, args.what, &asked(&chosen, &sights))?;
    registry.add(found.registry);
    let cleaner = Cleaner::new(&own.addresses, sharing.minimise);
    let dossier = dossier(&case, &chosen, &mut sights, &registry, &cleaner, own.known)?;
    let marking = sharing.marking(args.what);
    let depth = match args.what {
        What::Stix | What::Misp => Depth::Bytes,
        What::Abuse => Depth::Services,
        _ => Depth::Reasons,
    };
    marking.check(&dossier, depth).map_err(Stop::usage)?;
    match args.what {
        What::Stix => json(args, &report::stix(&dossier, marking, sharing.promote))?,
        What::Misp => json(args, &report::misp(&dossier, marking, sharing.promote))?,
        What::Nodes => write(&report::nodes(&dossier).defanged(sharing.defang), form, output(args)?)?,
        What::Edges => write(&report::edges(&dossier).defanged(sharing.defang), form, output(args)?)?,
        What::Denylist => denylist::run(&mut case, args, &dossier, &own.addresses, term)?,
        What::Abuse => abuse::run(&mut case, args, &dossier, registry, found.remarks, term)?,
        _ => {
            let mut out = output(args)?;
            out.write_all(report::graphml(&dossier).as_bytes())?;
            out.finish()?;
        }
    }
    Ok(Exit::Done)
}

/// The hosts of the chosen clusters, each once, and what is known of them.
fn asked(chosen: &[&Cluster], sights: &Sights) -> Vec<imported::Asked> {
    let addresses: BTreeSet<IpAddr> = chosen.iter().flat_map(|one| &one.members).map(|one| one.address).collect();
    let asked = |address: IpAddr| {
        let sight = sights.get(&address);
        imported::Asked {
            address,
            asn: sight.and_then(|sight| sight.asn),
            last_seen: sight.and_then(|sight| sight.last_seen.or(sight.first_seen)),
        }
    };
    addresses.into_iter().map(asked).collect()
}

/// Writes one JSON value, with characters that move a cursor as numbers.
fn json(args: &Export, value: &serde_json::Value) -> Result<(), Stop> {
    let mut out = output(args)?;
    report::write_json_line(&mut out, value)?;
    Ok(out.finish()?)
}

/// The chosen clusters with all that is known of their hosts.
fn dossier(
    case: &Case,
    chosen: &[&Cluster],
    sights: &mut Sights,
    registry: &Registry,
    cleaner: &Cleaner,
    own_known: bool,
) -> Result<Dossier, Stop> {
    let standings = standings(case)?;
    let mut dossier = Dossier::new(label(case)?, own_known);
    for cluster in chosen {
        dossier.add_cluster(cluster, cleaner, |member: &Finding| {
            let mut sight: HostSight = sights.get_mut(&member.address).map(std::mem::take).unwrap_or_default();
            sight.asn = sight.asn.or_else(|| registry.origin_of(member.address));
            let holder = registry.holder_of(member.address).cloned();
            let standing = standings.get(&(cluster.id.clone(), member.address)).copied().unwrap_or(Standing::Found);
            // A host of two clusters is looked up twice.
            sights.insert(member.address, sight.clone());
            (sight, standing, holder)
        });
    }
    case.observations::<Stop>(&ObservationFilter::default(), |one| {
        dossier.add_observation(&one, cleaner);
        Ok(())
    })?;
    Ok(dossier)
}

/// The clusters that were named, or all that grew from a seed.
fn chosen<'a>(findings: &'a Findings, named: &[String], args: &Export) -> Result<Vec<&'a Cluster>, Stop> {
    if let Some(unknown) = named.iter().find(|name| !findings.clusters.iter().any(|cluster| cluster.id == **name)) {
        let known: Vec<&str> = findings.clusters.iter().map(|cluster| cluster.id.as_str()).collect();
        return Err(Stop::usage(anyhow!("there is no cluster \"{unknown}\"; there are: \"{}\"", known.join("\", \""))));
    }
    let is_chosen = |cluster: &&Cluster| {
        if named.is_empty() { cluster.seeded } else { named.contains(&cluster.id) }
    };
    let chosen: Vec<_> = findings.clusters.iter().filter(is_chosen).collect();
    if chosen.is_empty() {
        return Err(anyhow!(
            "no cluster of this case grew from a seed, so there is nothing to share; record a seed and link again, or name a cluster with --cluster (`hostkin export {} clusters` lists them)",
            args.case.display()
        )
        .into());
    }
    Ok(chosen)
}

/// What people said of hosts: by provider and address, the last word.
fn standings(case: &Case) -> Result<BTreeMap<(String, IpAddr), Standing>, Stop> {
    let mut standings = BTreeMap::new();
    for verdict in case.verdicts()? {
        let standing = if verdict.confirmed { Standing::Confirmed } else { Standing::Rejected };
        standings.insert((verdict.provider, verdict.address), standing);
    }
    for seed in case.seeds()? {
        if let Subject::Host(address) = seed.subject {
            standings.entry((seed.provider, address)).or_insert(Standing::Confirmed);
        }
    }
    Ok(standings)
}

/// What identifies the case.
fn label(case: &Case) -> Result<CaseLabel, Stop> {
    let scope = scope_as_kept(case)?;
    let records = case.records()?;
    Ok(CaseLabel {
        title: scope.title().to_owned(),
        authority: scope.authority().to_owned(),
        contact: scope.contact().map(str::to_owned),
        page: scope.page().map(str::to_owned),
        scope_sha256: scope.sha256().to_owned(),
        version: VERSION.to_owned(),
        opened_at: records.first().map(|record| record.at).unwrap_or_default(),
        as_of: as_of(&records),
        lab: scope.is_lab(),
    })
}
