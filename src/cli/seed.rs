//! `seed` and `unseed`: confirmed hosts and facets, as records.

use anyhow::anyhow;

use super::actor;
use super::args::{Seed as SeedArgs, Unseed};
use super::case::{facet_subject, moment, scope_as_kept};
use super::exit::{Exit, Stop};
use super::term::Term;
use crate::clock::{Clock, SystemClock};
use crate::facet::escape_terminal;
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
    let seeds = case.seeds()?;
    let (provider, remark) = provider(args.provider.as_deref(), &seeds)?;
    if let Some(other) = seeds.iter().find(|seed| seed.subject == subject && seed.provider != provider) {
        return Err(Stop::usage(anyhow!(
            "{} is a seed of \"{}\" already, and a host has one provider; take that back first: `hostkin unseed {} {} --why TEXT`",
            shown(&subject),
            other.provider,
            args.case.display(),
            typed(&subject)
        )));
    }
    let seed = Seed {
        provider,
        subject,
        why: args.why.clone(),
        source: args.source.clone(),
        date: args.date.as_deref().map(moment).transpose()?,
        recorded_at: SystemClock::new().now(),
    };
    case.add_seed(&seed, &actor())?;
    term.say(format!("recorded: {} is of provider \"{}\"", shown(&seed.subject), escape_terminal(&seed.provider)));
    if let Some(remark) = remark {
        term.say(escape_terminal(&remark));
    }
    if let Subject::Host(ip) = seed.subject
        && !scope_as_kept(&case)?.reach().iter().any(|reach| reach.addresses.contains(ip))
    {
        term.warn(format!(
            "{ip} is not in the scope: no scan asks it, so that it counts only once `hostkin import` brings what others saw of it"
        ));
    }
    Ok(Exit::Done)
}

/// The provider a seed is of, and what there is to say about that. Without a name: the case's only one.
fn provider(given: Option<&str>, seeds: &[Seed]) -> Result<(String, Option<String>), Stop> {
    let mut known: Vec<&str> = seeds.iter().map(|seed| seed.provider.as_str()).collect();
    known.sort_unstable();
    known.dedup();
    let Some(given) = given else {
        return match known.as_slice() {
            [] => Ok((UNNAMED.to_owned(), None)),
            [one] => {
                Ok(((*one).to_owned(), Some(format!("--provider was not given: \"{one}\" is the case's only one"))))
            }
            many => Err(Stop::usage(anyhow!(
                "this case has several providers; say which with --provider: \"{}\"",
                many.join("\", \"")
            ))),
        };
    };
    let given = given.trim();
    if given.is_empty() {
        return Err(Stop::usage(anyhow!("--provider is empty; give a name, or leave it out")));
    }
    if known.contains(&given) || known.is_empty() {
        return Ok((given.to_owned(), None));
    }
    if let Some(near) = known.iter().find(|name| plain(name) == plain(given)) {
        return Err(Stop::usage(anyhow!(
            "this case has the provider \"{near}\"; did you mean that? \"{given}\" differs only in case or spaces"
        )));
    }
    let others = known.join("\", \"");
    let remark = format!(
        "note: \"{given}\" is a new provider beside \"{others}\"; seeds of one provider count as evidence against the other"
    );
    Ok((given.to_owned(), Some(remark)))
}

/// A name without case and spaces.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// A subject as it is typed.
fn typed(subject: &Subject) -> String {
    match subject {
        Subject::Host(ip) => ip.to_string(),
        Subject::Facet(..) => format!("--facet '{}'", shown(subject)),
    }
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
        (None, None) => Err(Stop::usage(anyhow!("give the confirmed host's address, or a facet: --facet KIND=VALUE"))),
    }
}

/// A subject as text.
pub(super) fn shown(subject: &Subject) -> String {
    match subject {
        Subject::Host(ip) => ip.to_string(),
        Subject::Facet(kind, value) => format!("{kind}={value}"),
    }
}
