//! `redact` and `retention`: data that must go, with a record that says so.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args as ClapArgs;
use jiff::SignedDuration;

use super::actor;
use super::case::facet_subject;
use super::exit::{Exit, Stop};
use super::term::{Term, counted};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::finding::Subject;
use crate::store::{Case, Erase, Erased, Retention as Kept};

/// `redact`
#[derive(Debug, ClapArgs)]
pub struct Redact {
    /// The case file.
    pub case: PathBuf,
    /// A host, or KIND=VALUE for every observation that shows this facet.
    #[arg(value_name = "IP|KIND=VALUE", required_unless_present = "record")]
    pub what: Option<String>,
    /// What this record says, instead.
    #[arg(long, value_name = "N", conflicts_with = "what")]
    pub record: Option<i64>,
    /// Why. It stays on record: do not repeat here what must go.
    #[arg(long, value_name = "TEXT")]
    pub why: String,
}

/// `retention`
#[derive(Debug, ClapArgs)]
pub struct Retention {
    /// The case file.
    pub case: PathBuf,
    /// Keep the bytes heard so many days, or `forever`. What was read from them stays.
    #[arg(long, value_name = "DAYS|forever", value_parser = days)]
    pub captures: Option<Days>,
    /// Keep observations so many days, or `forever`.
    #[arg(long, value_name = "DAYS|forever", value_parser = days)]
    pub observations: Option<Days>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
    /// Erase what is older than the setting now.
    #[arg(long)]
    pub apply: bool,
}

/// A number of days; `None` is forever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(Option<u32>);

fn days(text: &str) -> Result<Days, String> {
    if text == "forever" {
        return Ok(Days(None));
    }
    let number = text.strip_suffix('d').unwrap_or(text).parse::<u32>().ok().filter(|days| (1..=36_500).contains(days));
    number.map(|days| Days(Some(days))).ok_or_else(|| "write a number of days, like 180, or `forever`".to_owned())
}

pub(super) fn redact(args: &Redact, term: &Term) -> Result<Exit, Stop> {
    let what = match (&args.what, args.record) {
        (_, Some(record)) => Erase::Record(record),
        (Some(text), None) => match text.parse::<IpAddr>() {
            Ok(host) => Erase::Host(host),
            Err(_) => match facet_subject(text)? {
                Subject::Facet(kind, value) => Erase::Facet(kind, value.into_bytes()),
                Subject::Host(host) => Erase::Host(host),
            },
        },
        (None, None) => return Err(Stop::usage(anyhow!("say what to erase: an address, KIND=VALUE, or --record N"))),
    };
    let mut case = Case::open(&args.case)?;
    let erased = case.erase(&what, &args.why, &actor(), SystemClock::new().now())?;
    tell(&erased, &args.case, term);
    Ok(Exit::Done)
}

fn tell(erased: &Erased, case: &std::path::Path, term: &Term) {
    term.say(format!(
        "erased {}, the bytes of {}, what {} said, {} as a whole; a record says so, and the rest still verifies",
        counted(erased.observations, "observation"),
        counted(erased.captures, "observation"),
        counted(erased.records, "record"),
        counted(erased.hosts, "host"),
    ));
    if erased.results {
        term.say(format!("the results spoke of it and went too: run `hostkin link {}`", case.display()));
    }
    for place in &erased.remains {
        term.warn(format!(
            "it still stands in {}, which says what was permitted, sent or done and is kept",
            crate::facet::escape_terminal(place)
        ));
    }
    term.say("copies, bundles and exports made earlier are not touched");
}

pub(super) fn retention(args: &Retention, term: &Term) -> Result<Exit, Stop> {
    let changes = args.captures.is_some() || args.observations.is_some();
    let now = SystemClock::new().now();
    if !changes && !args.apply {
        let case = Case::open_read_only(&args.case)?;
        show(&case, case.retention()?, now)?;
        return Ok(Exit::Done);
    }
    let mut case = Case::open(&args.case)?;
    let mut kept = case.retention()?;
    if changes {
        let why =
            args.why.as_deref().ok_or_else(|| Stop::usage(anyhow!("say why with --why TEXT: it goes on record")))?;
        kept.captures_days = args.captures.map_or(kept.captures_days, |days| days.0);
        kept.observations_days = args.observations.map_or(kept.observations_days, |days| days.0);
        case.set_retention(kept, why, &actor(), now)?;
    }
    if args.apply {
        let mut any = false;
        if let Some(moment) = before(now, kept.observations_days)
            && case.older_than(moment)?.1 > 0
        {
            tell(&case.erase(&Erase::ObservationsBefore(moment), "retention", &actor(), now)?, &args.case, term);
            any = true;
        }
        if let Some(moment) = before(now, kept.captures_days)
            && case.older_than(moment)?.0 > 0
        {
            tell(&case.erase(&Erase::CapturesBefore(moment), "retention", &actor(), now)?, &args.case, term);
            any = true;
        }
        if !any {
            term.say("nothing is older than it may be");
        }
    }
    show(&case, kept, now)?;
    Ok(Exit::Done)
}

/// The moment before which things are too old.
fn before(now: Timestamp, days: Option<u32>) -> Option<Timestamp> {
    days.and_then(|days| now.checked_sub(SignedDuration::from_hours(i64::from(days) * 24)).ok())
}

fn show(case: &Case, kept: Kept, now: Timestamp) -> Result<(), Stop> {
    use std::io::Write as _;
    let mut out = super::term::Output::open(None)?;
    let older = |days| before(now, days).map(|moment| case.older_than(moment)).transpose();
    let words =
        |days: Option<u32>| days.map_or("as long as the case".to_owned(), |days| counted(u64::from(days), "day"));
    let (captures, _) = older(kept.captures_days)?.unwrap_or_default();
    let (_, observations) = older(kept.observations_days)?.unwrap_or_default();
    writeln!(out, "bytes heard   {}; {captures} older, still there", words(kept.captures_days))?;
    writeln!(out, "observations  {}; {observations} older, still there", words(kept.observations_days))?;
    out.finish()?;
    Ok(())
}
