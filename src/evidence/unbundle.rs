//! Verifies a bundle with nothing but the bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::archive::{Archive, Entry, FOLDER, MOST_TEXT, sum_line};
use super::bundle::last_digest;
use super::chain::{self, Chain};
use super::layout::{self, Manifest, ObservationLine, ResultLine, SignatureLine};
use super::observed::{self, Item, Reread};
use super::report::Report;
use super::sign::{fingerprint, public_pem};
use super::{EvidenceError, case, timestamp};
use crate::facet::escape_terminal;
use crate::seal::{Digest, Leaf, RecordLine, hex, leaf_hash, root, root_by_path, unhex};
use crate::store::{ChainedRecord, LineSignature};

/// Largest packed capture: what unpacks to 64 MiB is never longer packed.
const MOST_CAPTURE: u64 = 65 << 20;

/// True when the file begins like a bundle.
#[must_use]
pub fn is_bundle(path: &Path) -> bool {
    use std::io::Read as _;
    let mut start = vec![0; FOLDER.len()];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == FOLDER.as_bytes()
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
    let chain = chain::check(&records, hosts.is_some(), signers, &mut report);
    let mut met = Met::default();
    bundle.observations(&chain, hosts.as_deref(), reread, &mut met, &mut report)?;
    bundle.results(&chain, hosts.as_deref(), &mut met, &mut report)?;
    bundle.others(&chain, &met, &mut report)?;
    bundle.is_what_it_says(manifest.as_ref(), &chain, &met, &mut report)?;
    if let Some(hosts) = &hosts {
        let all = chain.stretches.last().map_or(0, |stretch| stretch.last);
        report.withheld = all.saturating_sub(met.leaves);
        report.notes.push(format!(
            "this bundle holds what concerns {} of the case: {} of its {all} sealed observations are left out",
            hosts.join(", "),
            report.withheld
        ));
    }
    Ok(report)
}

/// What was met on the way.
#[derive(Default)]
struct Met {
    leaves: u64,
    observations: u64,
    results: u64,
    captures: BTreeSet<String>,
}

struct Bundle<'a> {
    archive: Archive,
    path: &'a Path,
}

impl Bundle<'_> {
    /// A text of the bundle, empty when it is not there. Its absence is told.
    fn text(&self, name: &str, report: &mut Report) -> Result<String, EvidenceError> {
        let Some(entry) = self.archive.find(name) else {
            report.fault(format!("file {name}"), "it in the bundle", "none");
            return Ok(String::new());
        };
        self.text_of(entry, report)
    }

    fn text_of(&self, entry: &Entry, report: &mut Report) -> Result<String, EvidenceError> {
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

    fn bytes(&self, entry: &Entry) -> Result<Vec<u8>, EvidenceError> {
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

    fn observations(
        &self,
        chain: &Chain,
        hosts: Option<&[String]>,
        reread: Reread<'_>,
        met: &mut Met,
        report: &mut Report,
    ) -> Result<(), EvidenceError> {
        // Told after the check, which holds the report.
        let mut odd: Vec<(String, String, String)> = Vec::new();
        let files: BTreeMap<&str, &Entry> =
            self.archive.entries.iter().map(|entry| (entry.name.as_str(), entry)).collect();
        let mut aside = Report::default();
        observed::check(chain, hosts.is_none(), reread, report, |give| {
            for stretch in &chain.stretches {
                let name = layout::observations(stretch.first, stretch.last);
                let Some(entry) = files.get(name.as_str()) else { continue };
                let text = self.text_of(entry, &mut aside)?;
                for (at, line) in (1..).zip(text.lines()) {
                    let read: Option<ObservationLine<'_>> = serde_json::from_str(line).ok();
                    let Some((line, hash)) =
                        read.and_then(|read| Some((unhex::<32>(&read.hash)?, read))).map(|(a, b)| (b, a))
                    else {
                        odd.push((format!("file {name}, line {at}"), "an observation".into(), "another text".into()));
                        continue;
                    };
                    if !(stretch.first..=stretch.last).contains(&line.leaf) {
                        let found = format!("leaf {}", line.leaf);
                        let expected = format!("a leaf from {} to {}", stretch.first, stretch.last);
                        odd.push((format!("file {name}, line {at}"), expected, found));
                        continue;
                    }
                    if let Some(item) = self.item(&line, hash, hosts, &files, met, &mut odd)? {
                        give(item);
                    }
                }
            }
            Ok(())
        })?;
        aside.faults.into_iter().for_each(|fault| report.add(fault));
        odd.into_iter().for_each(|(place, expected, found)| report.fault(place, expected, found));
        Ok(())
    }

    fn item(
        &self,
        line: &ObservationLine<'_>,
        hash: Digest,
        hosts: Option<&[String]>,
        files: &BTreeMap<&str, &Entry>,
        met: &mut Met,
        odd: &mut Vec<(String, String, String)>,
    ) -> Result<Option<Item>, EvidenceError> {
        let leaf = line.observation.map(|raw| raw.get().to_owned());
        let read: Option<Leaf> = leaf.as_deref().and_then(|text| serde_json::from_str(text).ok());
        if let (Some(hosts), Some(read)) = (hosts, &read)
            && !hosts.contains(&read.ip)
        {
            odd.push((format!("leaf {}", line.leaf), "a host of manifest.json".into(), escape_terminal(&read.ip)));
        }
        met.leaves += 1;
        met.observations += u64::from(leaf.is_some());
        let mut capture = None;
        if let Some(sha256) = read.and_then(|read| read.capture_sha256) {
            let name = layout::capture(&sha256);
            if let Some(entry) = files.get(name.as_str()) {
                if entry.size > MOST_CAPTURE {
                    let found = format!("{} bytes", entry.size);
                    odd.push((format!("file {name}"), format!("at most {MOST_CAPTURE} bytes"), found));
                } else if line.reading.is_some() {
                    capture = Some(self.bytes(entry)?);
                }
                met.captures.insert(name);
            }
        }
        let path = match &line.path {
            None => None,
            Some(path) => {
                let path: Option<Vec<Digest>> = path.iter().map(|text| unhex(text)).collect();
                Some(path.unwrap_or_default())
            }
        };
        let reading = line.reading.map(|raw| raw.get().to_owned());
        Ok(Some(Item { number: line.leaf, hash, leaf, reading, capture, path }))
    }

    fn results(
        &self,
        chain: &Chain,
        hosts: Option<&[String]>,
        met: &mut Met,
        report: &mut Report,
    ) -> Result<(), EvidenceError> {
        let Some((record, _, sealed)) = chain.results else {
            if self.archive.find(layout::RESULTS).is_some() {
                report.fault("file results.jsonl", "none: no linkage on record stands", "a file");
            }
            return Ok(());
        };
        // Without the record's salt, which a bundle of chosen hosts leaves out, rows are there all the same.
        let text = if hosts.is_some() && self.archive.find(layout::RESULTS).is_none() {
            String::new()
        } else {
            self.text(layout::RESULTS, report)?
        };
        let mut hashes = Vec::new();
        for (at, text) in (0_u64..).zip(text.lines()) {
            let name = format!("file results.jsonl, line {}", at + 1);
            let Ok(line) = serde_json::from_str::<ResultLine<'_>>(text) else {
                report.fault(name, "a row of results", "another text");
                continue;
            };
            met.results += 1;
            report.results = report.results.saturating_add(1);
            let hash = leaf_hash(line.row.get().as_bytes());
            if hosts.is_none() {
                if line.place != at {
                    report.fault(name, format!("row {at}"), format!("row {}", line.place));
                }
                hashes.push(hash);
                continue;
            }
            let path: Option<Vec<Digest>> = line.path.iter().flatten().map(|text| unhex(text)).collect();
            let found = path.and_then(|path| root_by_path(&hash, line.place, line.of, &path));
            if found != Some(sealed) {
                let found = found.map_or_else(|| "no way to it".to_owned(), |root| hex(&root));
                report.fault(name, format!("root {} (record {record})", hex(&sealed)), found);
            }
        }
        if hosts.is_none() && root(&hashes) != sealed {
            let (expected, found) = (hex(&sealed), hex(&root(&hashes)));
            report.fault(layout::results_of(record), format!("root {expected}"), format!("root {found}"));
        }
        Ok(())
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
                        report.fault(format!("file {}", escape_terminal(&entry.name)), "a key that signed", "another")
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
    fn is_what_it_says(
        &self,
        manifest: Option<&Manifest>,
        chain: &Chain,
        met: &Met,
        report: &mut Report,
    ) -> Result<(), EvidenceError> {
        let Some(manifest) = manifest else { return Ok(()) };
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
        Ok(())
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
