//! `seed` and `unseed`: confirmed hosts and facets, as records.

use anyhow::anyhow;

use super::actor;
use super::args::{Seed as SeedArgs, Unseed};
use super::case::{facet_subject, moment};
use super::exit::{Exit, Stop};
use super::term::Term;
use crate::clock::{Clock, SystemClock};
use crate::finding::{Seed, Subject};
use crate::store::Case;

/// The provider's name where none is given.
const UNNAMED: &str = "seeds";

pub(super) fn add(args: &SeedArgs, term: &Term) -> Result<Exit, Stop> {
    let subject = subject(args.ip, args.facet.as_deref())?;
    if args.why.trim().is_empty() {
        return Err(Stop::usage(anyhow!("--why is empty; say in your words why this is confirmed, a reader will ask")));
    }
    let mut case = Case::open(&args.case)?;
    let seed = Seed {
        provider: args.provider.clone().unwrap_or_else(|| UNNAMED.to_owned()),
        subject,
        why: args.why.clone(),
        source: args.source.clone(),
        date: args.date.as_deref().map(moment).transpose()?,
        recorded_at: SystemClock::new().now(),
    };
    case.add_seed(&seed, &actor())?;
    term.say(format!("recorded: {} is of provider \"{}\"", shown(&seed.subject), seed.provider));
    Ok(Exit::Done)
}

pub(super) fn remove(args: &Unseed, term: &Term) -> Result<Exit, Stop> {
    let subject = subject(args.ip, args.facet.as_deref())?;
    let mut case = Case::open(&args.case)?;
    case.remove_seed(&subject, None, &args.why, &actor(), SystemClock::new().now())?;
    term.say(format!("recorded: {} is withdrawn; the former record stays in the case", shown(&subject)));
    Ok(Exit::Done)
}

fn subject(ip: Option<std::net::IpAddr>, facet: Option<&str>) -> Result<Subject, Stop> {
    match (ip, facet) {
        (Some(ip), _) => Ok(Subject::Host(ip)),
        (None, Some(facet)) => facet_subject(facet),
        (None, None) => Err(Stop::usage(anyhow!("give an address, or --facet KIND=VALUE"))),
    }
}

/// A subject as text.
pub(super) fn shown(subject: &Subject) -> String {
    match subject {
        Subject::Host(ip) => ip.to_string(),
        Subject::Facet(kind, value) => format!("{kind}={value}"),
    }
}
