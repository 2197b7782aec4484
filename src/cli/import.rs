//! `import`: what others observed.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use anyhow::Context;
use sha2::{Digest as _, Sha256};

use super::args::{Import, ImportFormat};
use super::exit::{Exit, Stop};
use super::term::{Term, counted};
use super::{VERSION, actor};
use crate::clock::{Clock, SystemClock};
use crate::facet::flat::{FlatError, FlatHosts, KEYS};
use crate::store::{Case, ImportSpec, StoreError};

/// Remarks shown one by one; the rest are counted.
const MOST_REMARKS: usize = 10;

pub(super) fn run(import: &Import, term: &Term) -> Result<Exit, Stop> {
    let Import { case: path, format: ImportFormat::Hosts, files } = import;
    let mut case = Case::open(path)?;
    let clock = SystemClock::new();
    let (mut lost, mut empty) = (false, false);
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
                Ok(host) => {
                    host.notes.iter().for_each(|note| remarks.add(host.line, note));
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
    case.build_postings()?;
    Ok(if lost || empty { Exit::Part } else { Exit::Done })
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
