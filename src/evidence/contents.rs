//! What a bundle holds of a case: its observations with the bytes heard, and the results of the last linkage.

use std::collections::BTreeMap;

use super::EvidenceError;
use super::archive::Entry;
use super::chain::Chain;
use super::layout::{self, ObservationLine, ResultLine};
use super::observed::{self, Item, Reread};
use super::report::Report;
use super::unbundle::{Bundle, MOST_CAPTURE, Met};
use crate::facet::escape_terminal;
use crate::seal::{Digest, Leaf, hex, leaf_hash, root, root_by_path, unhex};

impl Bundle<'_> {
    /// Hands every observation to the check.
    pub(super) fn observations(
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
        for fault in aside.faults {
            report.add(fault);
        }
        for (place, expected, found) in odd {
            report.fault(place, expected, found);
        }
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

    /// Checks the rows of the last linkage.
    pub(super) fn results(
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
}
