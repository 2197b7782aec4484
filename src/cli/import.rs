//! `import`: what others observed.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use anyhow::Context;
use sha2::{Digest as _, Sha256};

use super::args::{Import, ImportFormat};
use super::exit::{Exit, Stop};
use super::link::keep_columns;
use super::term::{Term, counted};
use super::{VERSION, actor};
use crate::clock::{Clock, SystemClock};
use crate::evidence;
use crate::facet::flat::{FlatError, FlatHosts, KEYS};
use crate::link::{Builder, columns_version};
use crate::store::{Case, ImportSpec, StoreError};

/// Remarks shown one by one; the rest are counted.
const MOST_REMARKS: usize = 10;

pub(super) fn run(import: &Import, term: &Term) -> Result<Exit, Stop> {
    match import.format {
        ImportFormat::Hosts => hosts(import, term),
        ImportFormat::Timestamp => {
            import.files.iter().try_for_each(|file| stamp(&import.case, file, term))?;
            Ok(Exit::Done)
        }
    }
}

fn hosts(import: &Import, term: &Term) -> Result<Exit, Stop> {
    let Import { case: path, files, .. } = import;
    let mut case = Case::open(path)?;
    let clock = SystemClock::new();
    let (mut lost, mut empty) = (false, false);
    // The columns of a case that had nothing are made on the way, without reading it all again.
    let mut columns = (files.len() == 1 && case.is_empty()?).then(Builder::new);
    let mut taken = 0;
    for file in files {
        let source = file.display().to_string();
        let input: Box<dyn BufRead> = if file.as_os_str() == "-" {
            Box::new(BufReader::new(std::io::stdin()))
        } else {
            Box::new(BufReader::with_capacity(1 << 16, open(file)?))
        };
        let mut remarks = Remarks::default();
        let spec = ImportSpec {
            source: source.clone(),
            format: "hosts".to_owned(),
            sha256: digest(file)?,
            actor: actor(),
            at: clock.now(),
            version: VERSION.to_owned(),
        };
        let mut hosts = FlatHosts::new(input)
            .filter_map(|line| match line {
                Ok(mut host) => {
                    host.notes.iter().for_each(|note| remarks.add(host.line, note));
                    if let Some(columns) = &mut columns {
                        // As the case gives hosts back; the import keeps what was said.
                        let unknown = host.facts.unknown();
                        let said = std::mem::replace(&mut host.facts.timed_out, unknown);
                        columns.add(&host.facts);
                        host.facts.timed_out = said;
                    }
                    Some(Ok(host.facts))
                }
                Err(error @ FlatError::Io { .. }) => Some(Err(Broken::File(error))),
                Err(error) => {
                    remarks.lost += 1;
                    remarks.add(0, &error.to_string());
                    None
                }
            })
            .peekable();
        // A file without any host leaves no run behind.
        let counts = match hosts.peek() {
            Some(_) => Some(
                case.import_hosts(&spec, &mut hosts).with_context(|| format!("nothing of {source} was taken in"))?,
            ),
            None => None,
        };
        drop(hosts);
        remarks.tell(&source, term);
        empty |= counts.is_none();
        taken += counts.map_or(0, |counts| counts.hosts);
        lost |= remarks.lost > 0;
        match counts {
            Some(counts) => term.say(format!(
                "run {}: {} from {source}, {} of them new, {}",
                counts.run,
                counted(counts.hosts, "host"),
                counts.new_hosts,
                counted(counts.facets, "facet")
            )),
            None => term.warn(format!(
                "{source} gave no host, so that nothing was taken in; `hostkin import --help` shows the form"
            )),
        }
    }
    // An address that came in several lines is put together by the store alone.
    if let Some(columns) = columns.filter(|columns| columns.len() as u64 == taken && taken > 0) {
        let stamp = case.columns_stamp(&columns_version())?;
        keep_columns(&mut case, &stamp, &columns.finish())?;
    }
    Ok(if lost || empty { Exit::Part } else { Exit::Done })
}

/// Longest answer of a time-stamp authority read.
const MOST_ANSWER: u64 = 1 << 20;

/// Takes in the answer of a time-stamp authority.
fn stamp(path: &Path, file: &Path, term: &Term) -> Result<(), Stop> {
    let mut case = Case::open(path)?;
    let mut answer = Vec::new();
    open(file)?
        .take(MOST_ANSWER)
        .read_to_end(&mut answer)
        .with_context(|| format!("cannot read `{}`", file.display()))?;
    let (record, stamp) = evidence::import_stamp(&mut case, &answer, SystemClock::new().now(), &actor())
        .with_context(|| format!("`{}` was not taken in", file.display()))?;
    term.say(format!(
        "record {record} existed at {}, says the authority (number {}); `openssl ts -verify` checks its signature",
        stamp.at, stamp.serial
    ));
    Ok(())
}

/// SHA-256 of a file; standard input passes only once and stays without.
fn digest(file: &Path) -> anyhow::Result<Option<[u8; 32]>> {
    if file.as_os_str() == "-" {
        return Ok(None);
    }
    let mut input = open(file)?;
    let mut digest = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        let count = input.read(&mut block).with_context(|| format!("cannot read `{}`", file.display()))?;
        let Some(heard) = block.get(..count).filter(|heard| !heard.is_empty()) else { break };
        digest.update(heard);
    }
    Ok(Some(digest.finalize().into()))
}

fn open(file: &Path) -> anyhow::Result<File> {
    File::open(file).with_context(|| format!("cannot read `{}`", file.display()))
}

/// Why an import ended.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    File(FlatError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What there is to say about a file's lines.
#[derive(Default)]
struct Remarks {
    first: Vec<String>,
    count: usize,
    lost: u64,
    unknown_key: bool,
}

impl Remarks {
    fn add(&mut self, line: u64, text: &str) {
        self.unknown_key |= text.starts_with("unknown key");
        self.count += 1;
        if self.first.len() < MOST_REMARKS {
            let place = if line == 0 { String::new() } else { format!("line {line}: ") };
            self.first.push(format!("{place}{}", crate::facet::escape_terminal(text)));
        }
    }

    fn tell(&self, source: &str, term: &Term) {
        for text in &self.first {
            term.warn(format!("{source}: {text}"));
        }
        if self.unknown_key {
            term.warn(format!("{source}: known keys are {}", KEYS.join(" ")));
        }
        if self.count > self.first.len() {
            term.warn(format!("{source}: {} remarks in all", self.count));
        }
        if self.lost > 0 {
            term.warn(format!("{source}: {} gave no host", counted(self.lost, "line")));
        }
    }
}
