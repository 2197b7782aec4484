//! `verify`: is everything as it was sealed, and does it say what it is said to say?

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args as ClapArgs;

use super::exit::{Exit, Stop};
use super::term::{Output, counted};
use crate::evidence::{self, Report};
use crate::facet::escape_terminal;
use crate::probe;
use crate::store::{Case, StoreError};

/// Faults shown one by one to a person.
const MOST_SHOWN: usize = 40;

/// `verify`
#[derive(Debug, ClapArgs)]
#[command(after_help = VERIFY_HELP)]
pub struct Verify {
    /// A case file, or a bundle made by `hostkin export CASE bundle`.
    #[arg(value_name = "CASE|BUNDLE")]
    pub file: PathBuf,
    /// Insist that this signer signed all of it: a fingerprint, or a file with the public key. May be given more than once.
    #[arg(long, value_name = "FINGERPRINT|FILE")]
    pub signer: Vec<String>,
    /// Insist that a record with this digest is in the chain: one you noted, printed or had stamped earlier.
    #[arg(long, value_name = "DIGEST")]
    pub contains: Vec<String>,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
}

const VERIFY_HELP: &str = "Needs nothing but the file. Checks the chain of records, the signatures and every digest, reads every \
fingerprint again from the bytes heard, and checks again the proofs by which servers showed that they hold their keys.\n\
Anything wrong: exit code 1, and named. docs/EVIDENCE.md says how to check by hand.";

pub(super) fn run(args: &Verify) -> Result<Exit, Stop> {
    let signers: Vec<String> = args
        .signer
        .iter()
        .map(|text| evidence::fingerprint_of_file(text))
        .collect::<Result<_, _>>()
        .map_err(Stop::usage)?;
    let is_bundle = evidence::is_bundle(&args.file);
    let mut report = if is_bundle {
        evidence::verify_bundle(&args.file, &signers, &probe::read)?
    } else {
        let case = Case::open_read_only(&args.file).map_err(|error| match error {
            StoreError::NotACase { path } => anyhow!("`{}` is neither a case nor a bundle of one", path.display()),
            other => other.into(),
        })?;
        evidence::verify_case(&case, &signers, &probe::read)?
    };
    for digest in &args.contains {
        report.demand(&digest.to_ascii_lowercase());
    }
    let mut out = Output::open(None)?;
    if args.json {
        crate::report::write_json_line(&mut out, &report.to_json())?;
    } else {
        out.write_all(words(&report, &args.file.display().to_string(), is_bundle).as_bytes())?;
    }
    out.finish()?;
    Ok(if report.is_clean() { Exit::Done } else { Exit::Fault })
}

/// The report as a person reads it.
fn words(report: &Report, file: &str, is_bundle: bool) -> String {
    let mut lines = Vec::new();
    for fault in report.faults.iter().take(MOST_SHOWN) {
        lines.push(format!("WRONG  {}", fault.place));
        lines.push(format!("       expected {}", fault.expected));
        lines.push(format!("       found    {}", fault.found));
    }
    let shown = u64::try_from(report.faults.len().min(MOST_SHOWN)).unwrap_or(0);
    if report.fault_count > shown {
        lines.push(format!("WRONG  {} more; --json lists up to 10,000", report.fault_count - shown));
    }
    if !lines.is_empty() {
        lines.push(String::new());
    }
    let verdict = match report.fault_count {
        0 if report.heads == 0 => {
            "everything is as it was sealed, but NOBODY SIGNED IT: anybody can make such a file".to_owned()
        }
        0 => "everything is as it was sealed".to_owned(),
        1 => "1 THING IS WRONG".to_owned(),
        many => format!("{many} THINGS ARE WRONG"),
    };
    lines.push(format!("{}: {verdict}", escape_terminal(file)));
    let mut row = |head: &str, text: String| lines.push(format!("  {head:<13} {text}"));
    row("records", format!("{} in one chain; the last has the digest {}", report.records, report.last_sha256));
    // A bundle cut back to an earlier signature verifies: its reader should see where it ends.
    row("", format!("and says that it was written at {}", escape_terminal(&report.last_at)));
    if report.heads > 0 {
        row("signed", format!("{}, up to record {}, by", counted_times(report.heads), report.signed_upto));
        for signer in &report.signers {
            row("", format!("{signer}  (compare it with the one you were given)"));
        }
    }
    row("observations", format!("{} sealed; {} read again from the bytes heard", report.observations, report.derived));
    if report.imported > 0 {
        row("", format!("{} made by others, without bytes to read again", report.imported));
    }
    row("facets", format!("{} came out the same", report.facets));
    row("proofs", format!("{} that a server holds its key, checked again", report.proofs));
    row(
        "results",
        format!(
            "{}, as they were sealed (not worked out again); {}",
            counted(report.results, "row"),
            counted(report.scopes, "scope")
        ),
    );
    if is_bundle && report.results > 0 && report.is_clean() {
        row("", format!("hostkin why {} shows them: each host that is attributed, and why", escape_terminal(file)));
    }
    if report.erased > 0 || report.captures_erased > 0 {
        let (whole, bytes) = (report.erased, report.captures_erased);
        row("erased", format!("{whole} as a whole, the bytes of {bytes}; records say so"));
    }
    for note in &report.notes {
        row("note", escape_terminal(note));
    }
    lines.join("\n") + "\n"
}

fn counted_times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}
