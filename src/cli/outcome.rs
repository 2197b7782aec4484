//! `outcome`: what became of abuse reports, and how long hosts outlive them.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args as ClapArgs, ValueEnum};
use serde_json::json;

use super::actor;
use super::args::{Form, Format};
use super::case::{as_of, moment};
use super::exit::{Exit, Stop};
use super::find::write;
use super::share::log_of;
use super::term::{Output, Term};
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::facet::escape_terminal;
use crate::report::Rows;
use crate::report::abuse::{Event, Log, Written};
use crate::store::{Action, Case};

/// `outcome`
#[derive(Debug, ClapArgs)]
pub struct Outcome {
    /// The case file.
    pub case: PathBuf,
    /// The report's id or the beginning of it, as in its subject and file name; nothing to list all.
    #[arg(requires = "event")]
    pub report: Option<String>,
    /// What became of it.
    #[arg(value_enum)]
    pub event: Option<EventWord>,
    /// The one host it is about; all of the report's otherwise.
    #[arg(long, value_name = "ADDRESS")]
    pub host: Option<IpAddr>,
    /// When, if not now.
    #[arg(long, value_name = "DATE")]
    pub date: Option<String>,
    /// What was answered, in short.
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Output form of the list.
    #[command(flatten)]
    pub form: Form,
}

/// What can become of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EventWord {
    /// You sent it.
    Sent,
    /// The recipient said that it arrived, or that something will be done.
    Acknowledged,
    /// The recipient said that nothing will be done.
    Refused,
    /// No answer in the time you gave.
    Ignored,
    /// The host no longer answers, or is in other hands.
    HostGone,
}

impl EventWord {
    fn event(self) -> Event {
        match self {
            Self::Sent => Event::Sent,
            Self::Acknowledged => Event::Acknowledged,
            Self::Refused => Event::Refused,
            Self::Ignored => Event::Ignored,
            Self::HostGone => Event::HostGone,
        }
    }
}

pub(super) fn run(args: &Outcome, term: &Term) -> Result<Exit, Stop> {
    let (Some(report), Some(event)) = (&args.report, args.event) else { return list(args, term) };
    let event = event.event();
    let now = SystemClock::new().now();
    let on = args.date.as_deref().map(moment).transpose()?.unwrap_or(now);
    let mut case = Case::open(&args.case)?;
    let log = log_of(&case.records()?);
    let known = find(&log, report, args)?.clone();
    check(&log, &known, event, on, now, args)?;
    let body = json!({ "event": event.as_str(), "on": on.to_string(), "host": args.host.map(|host| host.to_string()), "note": args.note });
    case.record(now, &actor(), Action::Outcome, &known.id, &body)?;
    let host = args.host.map(|host| format!(" ({host})")).unwrap_or_default();
    term.say(format!(
        "recorded: report {} to {}: {}{host} on {}",
        known.id,
        escape_terminal(&known.to),
        event.as_str(),
        on.strftime("%Y-%m-%d")
    ));
    Ok(Exit::Done)
}

/// The one report whose id begins so.
fn find<'a>(log: &'a Log, begins: &str, args: &Outcome) -> Result<&'a Written, Stop> {
    let mut fits = log.written.iter().filter(|one| one.id.starts_with(&begins.to_ascii_lowercase()));
    match (fits.next(), fits.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(Stop::usage(anyhow!("several reports begin with `{begins}`; give more of the id"))),
        (None, _) => Err(Stop::usage(anyhow!(
            "no report of this case begins with `{begins}`; `hostkin outcome {}` lists them",
            args.case.display()
        ))),
    }
}

/// Refuses what cannot be so.
fn check(log: &Log, report: &Written, event: Event, on: Timestamp, now: Timestamp, args: &Outcome) -> Result<(), Stop> {
    if let Some(host) = args.host.filter(|host| !report.hosts.contains(host)) {
        return Err(Stop::usage(anyhow!("{host} is not in this report")));
    }
    if on > now {
        return Err(Stop::usage(anyhow!("{} has not come yet", on.strftime("%Y-%m-%d"))));
    }
    let sent = log.of(&report.id).find(|line| line.event == Event::Sent);
    match (event, sent) {
        (Event::Sent, Some(line)) => {
            Err(Stop::usage(anyhow!("this report is on record as sent on {}", line.on.strftime("%Y-%m-%d"))))
        }
        (Event::Sent, None) => Ok(()),
        (_, None) => Err(Stop::usage(anyhow!("this report is not on record as sent; record that first"))),
        (_, Some(line)) if on < line.on => Err(Stop::usage(anyhow!(
            "the report was sent on {}, after {}",
            line.on.strftime("%Y-%m-%d"),
            on.strftime("%Y-%m-%d")
        ))),
        _ => Ok(()),
    }
}

/// Every report with what became of it, and how long hosts live on.
fn list(args: &Outcome, term: &Term) -> Result<Exit, Stop> {
    let case = Case::open_read_only(&args.case)?;
    let records = case.records()?;
    let log = log_of(&records);
    let mut rows = Rows::new(&["report", "to", "hosts", "event", "on", "host", "note"]);
    for report in &log.written {
        let head = [json!(report.id), json!(report.to), json!(report.hosts.len())];
        let mut any = false;
        for line in log.of(&report.id) {
            any = true;
            let host = line.host.map(|host| host.to_string());
            let tail = [json!(line.event.as_str()), json!(format!("{:.0}", line.on)), json!(host), json!(line.note)];
            rows.push(head.iter().cloned().chain(tail).collect());
        }
        if !any {
            let tail = [json!("written"), json!(null), json!(null), json!(null)];
            rows.push(head.into_iter().chain(tail).collect());
        }
    }
    if !rows.rows.is_empty() || args.form.format() != Format::Table {
        write(&rows, args.form, Output::open(None)?)?;
    }
    let longevity = log.longevity(as_of(&records));
    match longevity.words() {
        Some(words) if args.form.format() == Format::Table => {
            let mut out = Output::open(None)?;
            writeln!(out, "\n{words}")?;
            out.finish()?;
        }
        Some(words) => term.say(words),
        None => term.say("no report is on record as sent"),
    }
    Ok(Exit::Done)
}
