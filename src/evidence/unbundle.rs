//! Verifies a bundle with nothing but the bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::archive::{Archive, Entry, FOLDER, MOST_TEXT, sum_line};
use super::bundle::last_digest;
use super::chain::{self, Chain};
use super::layout::{self, Manifest, ResultLine, SignatureLine};
use super::observed::Reread;
use super::report::Report;
use super::sign::{fingerprint, public_pem};
use super::{EvidenceError, case, timestamp};
use crate::facet::escape_terminal;
use crate::seal::{RecordLine, ResultRow, hex, unhex};
use crate::store::{ChainedRecord, LineSignature};

/// Largest packed capture: what unpacks to 64 MiB is never longer packed.
pub(super) const MOST_CAPTURE: u64 = 65 << 20;

/// True when the file begins like a bundle, even a damaged one.
#[must_use]
pub fn is_bundle(path: &Path) -> bool {
    use std::io::Read as _;
    let mut start = [0; 262];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && (start.starts_with(FOLDER.as_bytes()) || start.ends_with(b"ustar"))
}

/// Checks a bundle. With `signers`, only heads signed by one of these fingerprints count, and the last record must be covered.
///
/// # Errors
/// When the file cannot be read; what is wrong inside is in the report.
pub fn verify_bundle(path: &Path, signers: &[String], reread: Reread<'_>) -> Result<Report, EvidenceError> {
    let mut report = Report::default();
    let archive = Archive::open(path)?;
    if let Some(fault) = &archive.fault {
        report.add(fault.clone());
    }
    let bundle = Bundle { archive, path };
    bundle.sums(&mut report)?;
    let manifest = bundle.manifest(&mut report)?;
    let hosts = manifest.as_ref().and_then(|manifest| manifest.hosts.clone());
    let records = bundle.records(&mut report)?;
    let from = if hosts.is_some() { chain::From::Part } else { chain::From::Bundle };
    let chain = chain::check(&records, from, signers, &mut report);
    let mut met = Met::default();
    bundle.observations(&chain, hosts.as_deref(), reread, &mut met, &mut report)?;
    bundle.results(&chain, hosts.as_deref(), &mut met, &mut report)?;
    bundle.others(&chain, &met, &mut report)?;
    bundle.is_what_it_says(manifest.as_ref(), &chain, &met, &mut report);
    if let Some(hosts) = &hosts {
        let all = chain.stretches.last().map_or(0, |stretch| stretch.last);
        report.withheld = all.saturating_sub(met.leaves);
        report.notes.push(format!(
            "this bundle holds what concerns {} of the case: {} of its {all} sealed observations are left out. Nothing shows that none \
             of them is of the same host; the whole bundle would",
            hosts.join(", "),
            report.withheld
        ));
        if !chain.untold.is_empty() {
            let untold: Vec<String> = chain.untold.iter().map(|(action, count)| format!("{count} {action}")).collect();
            report.notes.push(format!("records that do not show what they say: {}", untold.join(", ")));
        }
    }
    Ok(report)
}

/// The rows of results that a bundle holds, as they stand there: whoever shows them verifies the bundle first.
///
/// # Errors
/// When the file cannot be read. A line that is no row is left out; [`verify_bundle`] names it.
pub fn results(path: &Path) -> Result<Vec<ResultRow>, EvidenceError> {
    let bundle = Bundle { archive: Archive::open(path)?, path };
    let text = match bundle.archive.find(layout::RESULTS) {
        Some(entry) => bundle.text_of(entry, &mut Report::default())?,
        None => String::new(),
    };
    let row = |line: &str| serde_json::from_str(serde_json::from_str::<ResultLine<'_>>(line).ok()?.row.get()).ok();
    Ok(text.lines().filter_map(row).collect())
}

/// What was met on the way.
#[derive(Default)]
pub(super) struct Met {
    pub(super) leaves: u64,
    pub(super) observations: u64,
    pub(super) results: u64,
    pub(super) captures: BTreeSet<String>,
}

/// A bundle under verification.
pub(super) struct Bundle<'a> {
    pub(super) archive: Archive,
    path: &'a Path,
}

impl Bundle<'_> {
    /// A text of the bundle, empty when it is not there. Its absence is told.
    pub(super) fn text(&self, name: &str, report: &mut Report) -> Result<String, EvidenceError> {
        let Some(entry) = self.archive.find(name) else {
            report.fault(format!("file {name}"), "it in the bundle", "none");
            return Ok(String::new());
        };
        self.text_of(entry, report)
    }

    pub(super) fn text_of(&self, entry: &Entry, report: &mut Report) -> Result<String, EvidenceError> {
        let name = format!("file {}", escape_terminal(&entry.name));
        if entry.size > MOST_TEXT {
            report.fault(name, format!("at most {MOST_TEXT} bytes"), format!("{} bytes", entry.size));
            return Ok(String::new());
        }
        let Ok(text) = String::from_utf8(self.bytes(entry)?) else {
            report.fault(name, "text in UTF-8", "other bytes");
            return Ok(String::new());
        };
        Ok(text)
    }

    pub(super) fn bytes(&self, entry: &Entry) -> Result<Vec<u8>, EvidenceError> {
        let io = |source| EvidenceError::Io { path: self.path.to_owned(), source };
        self.archive.read(entry).map_err(io)
    }

    /// Every file is as `SHA256SUMS` says, is there once, and has a name that belongs in a bundle.
    fn sums(&self, report: &mut Report) -> Result<(), EvidenceError> {
        let text = self.text(layout::SUMS, report)?;
        let mut named: BTreeMap<&str, &str> = BTreeMap::new();
        for (at, line) in (1..).zip(text.lines()) {
            match line.split_once("  ") {
                Some((sum, name)) if unhex::<32>(sum).is_some() && named.insert(name, sum).is_none() => {}
                _ => report.fault(
                    format!("file SHA256SUMS, line {at}"),
                    "a digest and the name of a file",
                    "another text",
                ),
            }
        }
        let mut expected = String::new();
        let mut seen = BTreeSet::new();
        for entry in &self.archive.entries {
            let name = format!("file {}", escape_terminal(&entry.name));
            if !seen.insert(&entry.name) {
                report.fault(&name, "it once", "it twice");
            }
            if !is_known(&entry.name) {
                report.fault(&name, "nothing of this name", "a file");
            }
            if entry.name == layout::SUMS {
                continue;
            }
            expected.push_str(&sum_line(&entry.sha256, &entry.name));
            let found = hex(&entry.sha256);
            match named.remove(entry.name.as_str()) {
                Some(sum) if sum == found => {}
                Some(sum) => report.fault(name, format!("digest {sum} (SHA256SUMS)"), format!("digest {found}")),
                None => report.fault(name, "a line in SHA256SUMS", "none"),
            }
        }
        for (name, sum) in &named {
            report.fault(
                format!("file {}", escape_terminal(name)),
                format!("digest {sum} (SHA256SUMS)"),
                "no such file",
            );
        }
        if report.is_clean() && expected != text {
            report.fault("file SHA256SUMS", "one line a file, in their order", "another order or other text");
        }
        if self.archive.entries.last().is_none_or(|last| last.name != layout::SUMS) && self.archive.fault.is_none() {
            report.fault("file SHA256SUMS", "it as the last file", "another");
        }
        if self.text(layout::README_FILE, report)? != layout::README {
            report.fault("file README.txt", "the text of every bundle of this form", "another text");
        }
        Ok(())
    }

    fn manifest(&self, report: &mut Report) -> Result<Option<Manifest>, EvidenceError> {
        let text = self.text(layout::MANIFEST, report)?;
        let manifest: Option<Manifest> = serde_json::from_str(&text).ok();
        let manifest = manifest.filter(|manifest| manifest.schema == layout::SCHEMA && manifest.to_text() == text);
        if manifest.is_none() {
            report.fault("file manifest.json", format!("the form {}", layout::SCHEMA), "another text");
        }
        Ok(manifest)
    }

    fn records(&self, report: &mut Report) -> Result<Vec<ChainedRecord>, EvidenceError> {
        let mut signatures = BTreeMap::new();
        let text = self.text(layout::SIGNATURES, report)?;
        let mut before = 0;
        for (at, line) in (1..).zip(text.lines()) {
            let read: Option<SignatureLine> = serde_json::from_str(line).ok();
            let both = read.and_then(|read| Some((read.seq, unhex(&read.public_key)?, unhex(&read.signature)?)));
            match both {
                Some((seq, public_key, signature)) if seq > before => {
                    before = seq;
                    signatures.insert(seq, LineSignature { public_key, signature });
                }
                _ => report.fault(format!("file signatures.jsonl, line {at}"), "the next signature", "another text"),
            }
        }
        let (lines, details) = (self.text(layout::RECORDS, report)?, self.text(layout::DETAILS, report)?);
        if lines.lines().count() != details.lines().count() {
            let count = |text: &str| format!("{} lines", text.lines().count());
            report.fault("file details.jsonl", count(&lines), count(&details));
        }
        let mut details = details.lines();
        let mut records = Vec::new();
        for (place, line) in (1_i64..).zip(lines.lines()) {
            let parsed = RecordLine::parse(line);
            let seq = parsed.as_ref().and_then(|line| i64::try_from(line.seq).ok()).unwrap_or(place);
            records.push(ChainedRecord {
                seq,
                columns: Some(parsed.map(|line| (line.at, line.actor, line.action)).unwrap_or_default()),
                line: Some(line.to_owned()),
                details: details.next().filter(|text| *text != "null").map(str::to_owned),
                signature: u64::try_from(seq).ok().and_then(|seq| signatures.remove(&seq)),
            });
        }
        for seq in signatures.keys() {
            report.fault(format!("record {seq}, its signature"), "the record", "none");
        }
        Ok(records)
    }

    /// Scopes, time stamps, signers' keys and captures: those that belong here and no others.
    fn others(&self, chain: &Chain, met: &Met, report: &mut Report) -> Result<(), EvidenceError> {
        let mut scopes = Vec::new();
        let mut stamps = Vec::new();
        let mut keys: BTreeMap<String, String> =
            chain.keys.iter().map(|key| (layout::signer(&fingerprint(key)), public_pem(key))).collect();
        for entry in &self.archive.entries {
            let inside = |folder: &str, ending: &str| entry.name.strip_prefix(folder)?.strip_suffix(ending);
            if let Some(sha256) = inside("scopes/", ".toml") {
                scopes.push((sha256.to_owned(), self.text_of(entry, report)?));
            } else if let Some(record) = inside("stamps/", ".tsr") {
                if entry.size <= MOST_CAPTURE {
                    stamps.push((record.parse().unwrap_or(0), self.bytes(entry)?));
                }
            } else if entry.name.starts_with("signers/") {
                match keys.remove(&entry.name) {
                    Some(key) if key == self.text_of(entry, report)? => {}
                    Some(_) => report.fault(format!("file {}", entry.name), "the key that signed", "another text"),
                    None => {
                        report.fault(format!("file {}", escape_terminal(&entry.name)), "a key that signed", "another");
                    }
                }
            } else if entry.name.starts_with("captures/") && !met.captures.contains(&entry.name) {
                let name = format!("file {}", escape_terminal(&entry.name));
                report.fault(name, "an observation that refers to it", "none");
            } else if entry.name.starts_with("observations/")
                && !chain.stretches.iter().any(|one| layout::observations(one.first, one.last) == entry.name)
            {
                let name = format!("file {}", escape_terminal(&entry.name));
                report.fault(name, "a record that seals it", "none");
            }
        }
        for name in keys.keys() {
            report.fault(format!("file {name}"), "the key that signed", "none");
        }
        case::scopes(&scopes, chain, report);
        timestamp::check(&stamps, chain, report);
        Ok(())
    }

    /// The manifest says what is there.
    fn is_what_it_says(&self, manifest: Option<&Manifest>, chain: &Chain, met: &Met, report: &mut Report) {
        let Some(manifest) = manifest else { return };
        let folder = |name: &str| {
            let held = self.archive.entries.iter().filter(|entry| entry.name.starts_with(name));
            u64::try_from(held.count()).unwrap_or(u64::MAX)
        };
        let numbers = [
            ("records", manifest.records, u64::try_from(chain.lines.len()).unwrap_or(u64::MAX)),
            ("leaves", manifest.leaves, met.leaves),
            ("observations", manifest.observations, met.observations),
            ("captures", manifest.captures, folder("captures/")),
            ("results", manifest.results, met.results),
            ("scopes", manifest.scopes, folder("scopes/")),
            ("stamps", manifest.stamps, folder("stamps/")),
        ];
        for (what, says, found) in numbers {
            if says != found {
                report.fault(format!("file manifest.json, `{what}`"), found.to_string(), says.to_string());
            }
        }
        let last = last_digest(chain);
        if manifest.last_record_sha256 != last {
            let name = "file manifest.json, `last_record_sha256`";
            report.fault(name, format!("the digest of the last record, {last}"), &manifest.last_record_sha256);
        }
        let signers: Vec<String> = chain.keys.iter().map(fingerprint).collect();
        if manifest.signers != signers {
            report.fault("file manifest.json, `signers`", signers.join(", "), manifest.signers.join(", "));
        }
    }
}

/// True for the names that a file of a bundle may have.
fn is_known(name: &str) -> bool {
    use layout::{DETAILS, MANIFEST, README_FILE, RECORDS, RESULTS, SIGNATURES, SUMS};
    if [README_FILE, RECORDS, DETAILS, SIGNATURES, RESULTS, MANIFEST, SUMS].contains(&name) {
        return true;
    }
    let inside = |folder: &str, ending: &str| name.strip_prefix(folder).and_then(|name| name.strip_suffix(ending));
    let is_digest = |text: &str| unhex::<32>(text).is_some();
    let is_number = |text: &str| !text.is_empty() && text.len() <= 19 && text.bytes().all(|byte| byte.is_ascii_digit());
    inside("signers/", ".pem").is_some_and(is_digest)
        || inside("scopes/", ".toml").is_some_and(is_digest)
        || inside("captures/", ".cbor.zst").is_some_and(is_digest)
        || inside("stamps/", ".tsr").is_some_and(is_number)
        || inside("observations/", ".jsonl")
            .and_then(|name| name.split_once('-'))
            .is_some_and(|(first, last)| is_number(first) && is_number(last))
}
