//! The command line: one file per verb. Joins the stages; nothing names this module.

mod args;
mod ask;
mod bundle;
mod calibrate;
mod case;
mod data;
mod demo;
mod diff;
mod exit;
mod export;
mod find;
mod generate;
mod hunt;
mod import;
mod info;
mod interrupt;
mod knowledge;
mod lab;
mod link;
mod look;
mod merge;
mod new;
mod on_record;
mod outcome;
mod pictures;
mod plan;
mod probe;
mod progress;
mod ranges;
mod redact;
mod report;
mod reread;
mod scan;
mod scope;
mod seed;
mod share;
mod sign;
mod term;
mod verdict;
mod verify;
mod why;
mod why_bundle;

use std::io::IsTerminal;

pub use args::Args;
use args::Verb;
pub use exit::Exit;
use exit::Stop;
use term::Term;

/// Runs what was typed.
#[must_use]
pub fn run(args: Args) -> Exit {
    let term = Term::new(args.color, args.quiet);
    start_log(args.verbose, args.quiet);
    let changed = changes(&args.verb).map(std::path::Path::to_owned);
    let result = match args.verb {
        Verb::Demo(demo) => demo::run(&demo, &term),
        Verb::Lab(lab) => lab::run(&lab, &term),
        Verb::New(new) => new::run(&new, &term),
        Verb::Info(info) => info::run(&info),
        Verb::Scope(scope) => scope::run(&scope),
        Verb::Seed(seed) => seed::add(&seed, &term),
        Verb::Unseed(unseed) => seed::remove(&unseed, &term),
        Verb::Confirm(judge) => verdict::run(&judge, true, &term),
        Verb::Reject(judge) => verdict::run(&judge, false, &term),
        Verb::Calibrate(calibrate) => calibrate::run(&calibrate, &term),
        Verb::Ask(ask) => ask::run(&ask, &term),
        Verb::Data(data) => data::run(&data, &term),
        Verb::Ranges(ranges) => ranges::run(&ranges, &term),
        Verb::As(look) => look::look_as(&look),
        Verb::Ip(look) => look::look_ip(&look),
        Verb::Plan(scan) => plan::run(&scan, &term),
        Verb::Scan(scan) => scan::run(&scan, &term),
        Verb::Merge(merge) => merge::run(&merge, &term),
        Verb::Probe(probe) => probe::run(&probe, &term),
        Verb::Import(import) => import::run(&import, &term),
        Verb::Reread(only) => reread::run(&only, &term),
        Verb::Link(only) => link::run(&only, &term),
        Verb::Why(why) => why::run(&why, &term),
        Verb::Find(find) => find::run(&find, &term),
        Verb::Diff(diff) => diff::run(&diff, &term),
        Verb::Export(export) => export::run(&export, &term),
        Verb::Verify(verify) => verify::run(&verify),
        Verb::Sign(sign) => sign::run(&sign, &term),
        Verb::Redact(redact) => redact::redact(&redact, &term),
        Verb::Retention(retention) => redact::retention(&retention, &term),
        Verb::Outcome(one) => outcome::run(&one, &term),
        Verb::Generate(generate) => generate::run(&generate),
    };
    // Whatever became of it: what is on record is signed.
    if let Some(case) = changed {
        sign::after(&case, &term);
    }
    match result {
        Ok(exit) => exit,
        Err(Stop { error, .. }) if is_broken_pipe(&error) => Exit::Done,
        Err(Stop { exit, error }) => {
            term.error(&error);
            exit
        }
    }
}

/// The case that a verb changes, if it changes one.
fn changes(verb: &Verb) -> Option<&std::path::Path> {
    match verb {
        Verb::New(new) => Some(&new.case),
        Verb::Seed(seed) => Some(&seed.case),
        Verb::Unseed(unseed) => Some(&unseed.case),
        Verb::Scan(scan) => Some(&scan.case),
        Verb::Merge(merge) => Some(&merge.case),
        Verb::Confirm(judge) | Verb::Reject(judge) => Some(&judge.case),
        Verb::Data(data::Data::Import(import)) => Some(&import.case),
        Verb::Ranges(ranges) => ranges.records().then_some(ranges.case.as_path()),
        Verb::Import(import) => Some(&import.case),
        Verb::Reread(only) | Verb::Link(only) => Some(&only.case),
        // Those that a later export goes by are on record.
        Verb::Export(export) => export.records().then_some(export.case.as_path()),
        Verb::Outcome(one) => one.report.is_some().then_some(one.case.as_path()),
        Verb::Redact(redact) => Some(&redact.case),
        Verb::Retention(retention) if retention.apply || retention.why.is_some() => Some(&retention.case),
        _ => None,
    }
}

/// A reader who has seen enough is no fault.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| {
        // serde_json names what lies below the error of the pipe, but not that error itself.
        let json = || cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind).or_else(json)
    };
    error.chain().any(|cause| kind(cause) == Some(std::io::ErrorKind::BrokenPipe))
}

fn start_log(verbose: u8, quiet: u8) {
    let level = match (verbose, quiet) {
        (0, 0) => "warn",
        (0, _) => "error",
        (1, _) => "info",
        (2, _) => "debug",
        _ => "trace",
    };
    let filter = tracing_subscriber::EnvFilter::new(format!("hostkin={level}"));
    let colors = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colors)
        .with_target(false)
        .try_init();
}

/// Who changes the case: `HOSTKIN_ACTOR`, or else the account.
fn actor() -> String {
    ["HOSTKIN_ACTOR", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

/// This program's version.
const VERSION: &str = env!("CARGO_PKG_VERSION");
