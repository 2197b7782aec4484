//! `data`: files of public data in the case.

use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::Date;
use serde_json::{Value, json};

use super::args::Form;
use super::exit::{Exit, Stop};
use super::knowledge::{datasets, newest_origins, place};
use super::term::{Output, Term, counted};
use super::{VERSION, actor, find};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::facet::escape_terminal;
use crate::range::fact::Use;
use crate::range::pack::Packer;
use crate::range::read::{How, Reading, read};
use crate::range::{Dataset, FactKind, Format};
use crate::report::Rows;
use crate::store::{Case, StoredDataset};

/// `data`
#[derive(Debug, Subcommand)]
pub enum Data {
    /// Take files in: each with its digest, source, date and licence note.
    #[command(after_help = FORMATS_HELP)]
    Import(DataImport),
    /// The files that the case holds.
    List(DataList),
}

/// Forms of files, for the help.
const FORMATS_HELP: &str = "\
Forms (plain, gzip, bzip2 or zstd):
  pfx2as riswhois ip2asn ipasn mrt     who announces a prefix; mrt also gives neighbours on paths
  as-rel as2org as-names peeringdb     relations, holders and names of ASes
  delegated country rpsl               what registries gave out, and to whom
  drop asn-drop netset abusech list-csv    deny lists
  misp cloud datacenters               ranges of clouds, CDNs, scanners: innocents

The form is recognised where the file says it beyond doubt. A plain list of addresses (netset) does
not say what it lists: without --kind it is a deny list.

Nothing is fetched. A file that is cut or damaged is refused, with what was whole and where it ends;
--partial keeps what was whole. The case is then unchanged, or has the whole of it.";

/// `data import`
#[derive(Debug, Args)]
pub struct DataImport {
    /// The case file.
    pub case: PathBuf,
    /// The files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Their form.
    #[arg(long, value_name = "FORM", value_parser = form)]
    pub format: Option<Format>,
    /// Where they came from; without it the file's name.
    #[arg(long, value_name = "TEXT")]
    pub source: Option<String>,
    /// The day they speak of, where neither content nor name says it, or says it wrongly.
    #[arg(long, value_name = "DATE")]
    pub date: Option<Date>,
    /// A note on their licence; without it what is known of the form.
    #[arg(long, value_name = "TEXT")]
    pub licence: Option<String>,
    /// What the list or table is called: files of one name are its states at several days.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// What a list of ranges is of.
    #[arg(long, value_enum)]
    pub kind: Option<Kind>,
    /// Keep what was whole of a file that is cut or damaged.
    #[arg(long)]
    pub partial: bool,
}

/// What a list of ranges is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Deny-listed.
    Deny,
    /// A mainstream cloud or hoster.
    Cloud,
    /// A content delivery network.
    Cdn,
    /// Research scanners.
    Scanner,
    /// Tor exits.
    Tor,
    /// People at home or on telephones.
    Access,
    /// Other well-known services.
    WellKnown,
}

/// `data list`
#[derive(Debug, Args)]
pub struct DataList {
    /// The case file.
    pub case: PathBuf,
    /// In which form.
    #[command(flatten)]
    pub form: Form,
}

fn form(word: &str) -> Result<Format, String> {
    let all: Vec<&str> = Format::ALL.iter().map(|format| format.as_str()).collect();
    Format::read(word).ok_or_else(|| format!("no such form; there are {}", all.join(", ")))
}

pub(super) fn run(data: &Data, term: &Term) -> Result<Exit, Stop> {
    match data {
        Data::Import(args) => import(args, term),
        Data::List(args) => list(args, term),
    }
}

fn import(args: &DataImport, term: &Term) -> Result<Exit, Stop> {
    let mut case = Case::open(&args.case)?;
    let clock = SystemClock::new();
    let (mut done, mut failed, mut lost, mut origins) = (0, 0, false, false);
    for file in &args.files {
        match one(&mut case, file, args, clock.now()) {
            Ok((stored, reading)) => {
                done += 1;
                lost |= reading.lost > 0 || reading.flaw.is_some();
                origins |= reading.counts.contains_key(&FactKind::Origins);
                tell(&stored, &reading, file, clock.now(), term);
            }
            Err(error) => {
                failed += 1;
                term.error(&error);
            }
        }
    }
    if origins {
        place_hosts(&mut case, term)?;
    }
    Ok(match (done, failed) {
        (_, 0) if !lost => Exit::Done,
        (0, _) => Exit::Fault,
        _ => Exit::Part,
    })
}

/// Sets origin AS and prefix of hosts that have none, by the newest tables; a case without tables stays as it is.
pub(super) fn place_hosts(case: &mut Case, term: &Term) -> Result<(), Stop> {
    let Some(knowledge) = newest_origins(case)? else { return Ok(()) };
    let placed = case.place_hosts(|address| place(&knowledge, address))?;
    if placed > 0 {
        term.say(format!("{} got origin AS and prefix", counted(placed, "host")));
    }
    Ok(())
}

/// Takes one file in, or leaves the case as it was.
fn one(case: &mut Case, path: &Path, args: &DataImport, now: Timestamp) -> anyhow::Result<(StoredDataset, Reading)> {
    let shown = path.display().to_string();
    let name = path.file_name().map_or_else(|| shown.clone(), |name| name.to_string_lossy().into_owned());
    let unread = || format!("nothing of `{shown}` was taken in");
    let file: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(File::open(path).with_context(unread)?)
    };
    let used_for = args.kind.and_then(Kind::used_for);
    let how = How { format: args.format, name: args.name.clone(), used_for };
    // Read first, packed in memory, and written after: the case is not held while a large file is read.
    let (mut packer, mut parts) = (Packer::default(), Vec::new());
    let mut taker = |fact| -> Result<(), Box<dyn Error + Send + Sync>> {
        parts.extend(packer.add(&fact)?);
        Ok(())
    };
    let reading = read(file, &name, &how, &mut taker).with_context(unread)?;
    parts.extend(packer.finish()?);
    let row = dataset(&reading, &name, args, now).with_context(unread)?;
    let parts = parts.iter().map(|part| (part.kind.as_str(), part.rows, part.body.as_slice()));
    let stored = case.import_dataset(&actor(), VERSION, row, parts).with_context(unread)?;
    Ok((stored, reading))
}

/// The row of a file that was read, or why it is refused.
fn dataset(reading: &Reading, name: &str, args: &DataImport, now: Timestamp) -> anyhow::Result<StoredDataset> {
    let mut warnings = reading.remarks.clone();
    if let Some(flaw) = &reading.flaw {
        let whole = whole_before(reading);
        if !args.partial || reading.facts() == 0 {
            let advice = if reading.facts() > 0 { "; --partial takes in what was whole" } else { "" };
            return Err(anyhow!("{flaw}").context(format!("{whole}{advice}")));
        }
        warnings.push(format!("only what was whole was taken in ({whole}): {flaw}"));
    }
    let date = args.date.or(reading.date).ok_or_else(|| {
        anyhow!("neither its content nor its name says what day it speaks of; say it with --date 2026-11-22")
    })?;
    let counts: serde_json::Map<String, Value> =
        reading.counts.iter().map(|(kind, count)| (kind.as_str().to_owned(), json!(count))).collect();
    Ok(StoredDataset {
        id: 0,
        sha256: reading.sha256,
        bytes: reading.bytes,
        format: reading.format.as_str().to_owned(),
        name: reading.name.clone(),
        source: args.source.clone().unwrap_or_else(|| name.to_owned()),
        date: date.to_string(),
        licence: args.licence.clone().unwrap_or_else(|| reading.format.licence().to_owned()),
        whole: reading.whole,
        counts: Value::Object(counts),
        warnings: json!(warnings),
        imported_at: now,
    })
}

/// What had been read before a flaw.
fn whole_before(reading: &Reading) -> String {
    let facts: Vec<String> = reading.counts.iter().map(|(kind, count)| format!("{count} {}", kind.as_str())).collect();
    let facts = if facts.is_empty() { "nothing".to_owned() } else { facts.join(", ") };
    match reading.records {
        0 => format!("read as `{}`: {facts}, and then a flaw", reading.format),
        records => {
            let plural = if records == 1 { "" } else { "s" };
            format!("read as `{}`: {records} whole record{plural} with {facts}, and then a flaw", reading.format)
        }
    }
}

fn tell(stored: &StoredDataset, reading: &Reading, file: &Path, now: Timestamp, term: &Term) {
    let shown = escape_terminal(&file.display().to_string());
    for remark in stored.warnings.as_array().into_iter().flatten().filter_map(Value::as_str) {
        term.warn(format!("{shown}: {}", escape_terminal(remark)));
    }
    let today = now.to_zoned(jiff::tz::TimeZone::UTC).date();
    if stored.date.parse().is_ok_and(|date: Date| date > today) {
        term.warn(format!(
            "{shown}: it speaks of {}, a day to come; if that is wrong, import it again with --date",
            stored.date
        ));
    }
    let counts: Vec<String> = reading.counts.iter().map(|(kind, count)| format!("{count} {}", kind.as_str())).collect();
    term.say(format!(
        "dataset {}: {} of {} as {}, {}",
        stored.id,
        escape_terminal(&stored.name),
        stored.date,
        stored.format,
        counts.join(", ")
    ));
}

impl Kind {
    /// The use of ranges; `None` for a deny list.
    fn used_for(self) -> Option<Use> {
        match self {
            Self::Deny => None,
            Self::Cloud => Some(Use::Cloud),
            Self::Cdn => Some(Use::Cdn),
            Self::Scanner => Some(Use::Scanner),
            Self::Tor => Some(Use::Tor),
            Self::Access => Some(Use::Access),
            Self::WellKnown => Some(Use::WellKnown),
        }
    }
}

fn list(args: &DataList, term: &Term) -> Result<Exit, Stop> {
    let case = Case::open_read_only(&args.case)?;
    let known = datasets(&case)?;
    let mut rows = Rows::new(&[
        "dataset", "date", "name", "format", "facts", "whole", "bytes", "source", "licence", "sha256", "warnings",
        "counts",
    ]);
    let people = args.form.format() == super::args::Format::Table;
    for one in &known {
        rows.push(row(one, people));
    }
    if people {
        rows.columns.truncate(9);
        rows.rows.iter_mut().for_each(|row| row.truncate(9));
    }
    if !rows.rows.is_empty() || !people {
        find::write(&rows, args.form, Output::open(None)?)?;
    }
    term.say(match rows.rows.len() {
        0 => "no datasets yet; `hostkin data import` takes files in".to_owned(),
        count => counted(u64::try_from(count).unwrap_or(u64::MAX), "dataset"),
    });
    Ok(Exit::Done)
}

fn row(one: &Dataset, people: bool) -> Vec<Value> {
    let counts: serde_json::Map<String, Value> =
        one.counts.iter().map(|(kind, count)| (kind.as_str().to_owned(), json!(count))).collect();
    let facts: Vec<String> = one.counts.iter().map(|(kind, count)| format!("{count} {}", kind.as_str())).collect();
    let hex = crate::seal::hex(&one.sha256);
    vec![
        json!(one.id),
        json!(one.date.to_string()),
        json!(one.name),
        json!(one.format.as_str()),
        if people { json!(facts.join(", ")) } else { json!(one.counts.values().sum::<u64>()) },
        json!(one.whole),
        json!(one.bytes),
        json!(one.source),
        json!(one.licence),
        json!(hex),
        json!(one.warnings),
        Value::Object(counts),
    ]
}
