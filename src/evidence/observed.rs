//! Checks sealed observations: the tree they stand in, the bytes that were heard, and what is read from these bytes now.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::EvidenceError;
use super::chain::{Chain, DRIFT_MS, Stretch};
use super::report::{Fault, Report};
use crate::clock::Timestamp;
use crate::facet::{escape_terminal, show_cut};
use crate::observation::{Capture, Speech};
use crate::proto::Reading;
use crate::seal::{Digest, Leaf, ReadingText, hex, leaf_hash, root, root_by_path, sha256};

/// How a capture is read: the parsers of this program, handed in.
pub type Reread<'a> = &'a (dyn Fn(Speech, &Capture) -> Reading + Sync);

/// Most bytes of one capture once unpacked.
const MOST: u64 = 64 << 20;
/// Observations on their way to the workers.
const UNDER_WAY: usize = 64;
/// Facets named where a reading differs, and the longest text shown of one.
const MOST_NAMED: usize = 3;
const MOST_SHOWN: usize = 120;

/// A leaf on its way through the check.
pub(super) struct Item {
    pub(super) number: u64,
    pub(super) hash: Digest,
    /// The sealed text; `None` once erased, or where it is withheld.
    pub(super) leaf: Option<String>,
    /// What was read; `None` under an older leaf too.
    pub(super) reading: Option<String>,
    /// What was heard, packed.
    pub(super) capture: Option<Vec<u8>>,
    /// What leads to the root, where not all leaves are there.
    pub(super) path: Option<Vec<Digest>>,
}

/// What one worker has to say.
#[derive(Default)]
struct Found {
    faults: Vec<(u64, Fault)>,
    derived: u64,
    facets: u64,
    proofs: u64,
    imported: u64,
    captures_erased: u64,
    /// Observations that say that they began after they were sealed.
    too_late: u64,
}

/// Checks all leaves that `give` hands over, in order of their numbers. `whole`: every leaf must come; else each must bring
/// its path.
pub(super) fn check(
    chain: &Chain,
    whole: bool,
    reread: Reread<'_>,
    report: &mut Report,
    give: impl FnOnce(&mut dyn FnMut(Item)) -> Result<(), EvidenceError>,
) -> Result<(), EvidenceError> {
    let (sender, receiver) = sync_channel::<Item>(UNDER_WAY);
    let receiver = Mutex::new(receiver);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let (mut faults, mut too_late) = (Vec::new(), 0_u64);
    let given = thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(|| work(&receiver, chain, reread))).collect();
        let mut tree =
            Tree { chain, whole, next: 1, hashes: Vec::new(), stretch: 0, without_reading: BTreeMap::new(), sender };
        let given = give(&mut |item| tree.take(item, report));
        tree.end(given.is_ok(), report);
        for worker in running {
            let Ok(found) = worker.join() else {
                report.fault("an observation", "a reading", "a bug in hostkin; please report it");
                continue;
            };
            report.derived = report.derived.saturating_add(found.derived);
            report.facets = report.facets.saturating_add(found.facets);
            report.proofs = report.proofs.saturating_add(found.proofs);
            report.imported = report.imported.saturating_add(found.imported);
            report.captures_erased = report.captures_erased.saturating_add(found.captures_erased);
            too_late += found.too_late;
            faults.extend(found.faults);
        }
        given
    });
    // Workers end in any order; the report is always the same.
    faults.sort();
    for (_, fault) in faults {
        report.add(fault);
    }
    if too_late > 0 {
        report.notes.push(format!(
            "{too_late} of the observations bear a time after that of the record that seals them: the clock was set back, or their times are not true"
        ));
    }
    given
}

/// The leaves in order, and the roots they must have.
struct Tree<'a> {
    chain: &'a Chain,
    whole: bool,
    next: u64,
    hashes: Vec<Digest>,
    stretch: usize,
    /// Leaves that came without what was read, by what else they say: a later leaf of the same observation must bring it.
    without_reading: BTreeMap<String, u64>,
    sender: SyncSender<Item>,
}

impl Tree<'_> {
    fn take(&mut self, item: Item, report: &mut Report) {
        let name = format!("leaf {}", item.number);
        if self.whole {
            if item.number != self.next {
                report.fault(format!("leaf {}", self.next), format!("leaf {} in its place", self.next), name.clone());
            }
            self.next = item.number.saturating_add(1);
            self.hashes.push(item.hash);
            if let Some(stretch) = self.chain.stretches.get(self.stretch)
                && item.number >= stretch.last
            {
                self.close(*stretch, report);
            }
        } else {
            self.by_path(&name, &item, report);
        }
        if item.leaf.is_none() {
            if self.chain.erased.leaf(item.number) {
                report.erased = report.erased.saturating_add(1);
            } else {
                report.fault(&name, "an observation", "none, and no record says why");
            }
            return;
        }
        report.observations = report.observations.saturating_add(1);
        self.is_read(&name, &item, report);
        // The receiver lives as long as this does.
        let _ = self.sender.send(item);
    }

    /// What was read may be lacking only where the bytes were read anew under a later leaf. Else anybody could leave out what an
    /// observation says, and with it the bytes it was read from.
    fn is_read(&mut self, name: &str, item: &Item, report: &mut Report) {
        if item.reading.is_some() && self.without_reading.is_empty() {
            return;
        }
        // What is no observation is told by who looks into it.
        let Some(leaf) = item.leaf.as_deref().and_then(|text| serde_json::from_str::<Leaf>(text).ok()) else { return };
        let was_heard = leaf.capture_sha256.is_some();
        let same = Leaf { salt: String::new(), reading_sha256: String::new(), ..leaf }.to_text();
        if item.reading.is_some() {
            self.without_reading.remove(&same);
        } else if was_heard {
            self.without_reading.insert(same, item.number);
        } else {
            report.fault(format!("{name}, what was read"), "its text: what others observed is never read anew", "none");
        }
    }

    fn by_path(&mut self, name: &str, item: &Item, report: &mut Report) {
        let within = |stretch: &&Stretch| (stretch.first..=stretch.last).contains(&item.number);
        let Some(stretch) = self.chain.stretches.iter().find(within) else {
            report.fault(name, "a record that seals it", "none");
            return;
        };
        if item.number < self.next {
            report.fault(name, "each leaf once, in order", "it again, or out of order");
        }
        self.next = item.number.saturating_add(1);
        let (place, count) = (item.number - stretch.first, stretch.last - stretch.first + 1);
        let found = item.path.as_ref().and_then(|path| root_by_path(&item.hash, place, count, path));
        if found != Some(stretch.root) {
            let found = found.map_or_else(|| "no way to it".to_owned(), |root| hex(&root));
            let expected = format!("root {} (record {})", hex(&stretch.root), stretch.record);
            report.fault(format!("{name}, its path"), expected, found);
        }
    }

    fn close(&mut self, stretch: Stretch, report: &mut Report) {
        let found = root(&self.hashes);
        if found != stretch.root {
            report.fault(
                format!(
                    "record {} (sealed), the root over leaves {} to {}",
                    stretch.record, stretch.first, stretch.last
                ),
                hex(&stretch.root),
                hex(&found),
            );
        }
        self.hashes.clear();
        self.stretch += 1;
    }

    fn end(mut self, all_given: bool, report: &mut Report) {
        if !all_given {
            return;
        }
        let mut lacking: Vec<u64> = std::mem::take(&mut self.without_reading).into_values().collect();
        lacking.sort_unstable();
        for number in lacking {
            report.fault(
                format!("leaf {number}, what was read"),
                "its text, or a later leaf of the same observation",
                "neither",
            );
        }
        if !self.whole {
            return;
        }
        while let Some(stretch) = self.chain.stretches.get(self.stretch).copied() {
            report.fault(
                format!("leaves {} to {}", self.next, stretch.last),
                format!("what record {} seals", stretch.record),
                "none",
            );
            self.hashes.clear();
            self.next = stretch.last.saturating_add(1);
            self.stretch += 1;
        }
        if !self.hashes.is_empty() {
            report.notes.push(format!(
                "{} observations wait for their seal: a scan is under way or was broken off; the next `hostkin scan` or `hostkin sign` seals them",
                self.hashes.len()
            ));
        }
    }
}

fn work(receiver: &Mutex<Receiver<Item>>, chain: &Chain, reread: Reread<'_>) -> Found {
    let mut found = Found::default();
    loop {
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(item) = next else { return found };
        // A worker that dies would leave the others' work undone.
        let checked = catch_unwind(AssertUnwindSafe(|| observation(&item, chain, reread, &mut found)));
        let bug = || Fault {
            place: format!("observation {}", item.number),
            expected: "a reading".to_owned(),
            found: "a bug in hostkin; please report it".to_owned(),
        };
        match checked {
            Ok(Ok(())) => {}
            Ok(Err((number, fault))) => found.faults.push((number, *fault)),
            Err(_) => found.faults.push((item.number, bug())),
        }
    }
}

/// Checks one observation; the first thing wrong with it is told.
fn observation(item: &Item, chain: &Chain, reread: Reread<'_>, found: &mut Found) -> Result<(), (u64, Box<Fault>)> {
    let fault =
        |place: String, expected: String, found: String| (item.number, Box::new(Fault { place, expected, found }));
    let text = item.leaf.as_deref().unwrap_or_default();
    let nameless = format!("leaf {}", item.number);
    let leaf: Leaf = serde_json::from_str(text)
        .map_err(|_| fault(nameless.clone(), "an observation".to_owned(), "another text".to_owned()))?;
    let over = if leaf.over_tls { " over tls" } else { "" };
    let named = leaf.name.as_deref().map(|name| format!(" as {}", escape_terminal(name))).unwrap_or_default();
    let name = format!(
        "observation {} ({} port {} {}{over}{named}, run {})",
        item.number,
        escape_terminal(&leaf.ip),
        leaf.port,
        escape_terminal(&leaf.protocol),
        leaf.run
    );
    let hash = leaf_hash(text.as_bytes());
    if hash != item.hash {
        return Err(fault(name, format!("hash {}", hex(&item.hash)), format!("hash {}", hex(&hash))));
    }
    let within = |stretch: &&Stretch| (stretch.first..=stretch.last).contains(&item.number);
    let sealed_at = chain.stretches.iter().find(within).and_then(|stretch| stretch.at);
    let is_late = |at: Timestamp| leaf.started_at_ms > at.as_millisecond().saturating_add(DRIFT_MS);
    found.too_late += u64::from(sealed_at.is_some_and(is_late));
    let Some(reading) = &item.reading else { return Ok(()) };
    let digest = hex(&ReadingText::digest(reading));
    if digest != leaf.reading_sha256 {
        let place = format!("{name}, what was read");
        return Err(fault(place, format!("digest {}", leaf.reading_sha256), format!("digest {digest}")));
    }
    let Some(sealed) = &leaf.capture_sha256 else {
        found.imported += 1;
        return Ok(());
    };
    let heard = format!("{name}, what was heard");
    let Some(body) = &item.capture else {
        if chain.erased.capture(item.number) {
            found.captures_erased += 1;
            return Ok(());
        }
        return Err(fault(heard, format!("bytes with digest {sealed}"), "none, and no record says why".to_owned()));
    };
    let cbor = unpack(body).map_err(|why| fault(heard.clone(), format!("bytes with digest {sealed}"), why))?;
    let digest = hex(&sha256(&cbor));
    if digest != *sealed {
        return Err(fault(heard, format!("digest {sealed}"), format!("digest {digest}")));
    }
    let capture = Capture::from_cbor(&cbor)
        .map_err(|error| fault(heard.clone(), "a capture".to_owned(), format!("other bytes: {error}")))?;
    let speech: Speech = leaf
        .protocol
        .parse()
        .map_err(|_| fault(name.clone(), "a protocol of ours".to_owned(), escape_terminal(&leaf.protocol)))?;
    let now = reread(speech, &capture);
    if let Some((expected, derived)) = difference(reading, &text_of(&now)) {
        let sealed_by = chain.stretches.iter().find(within).and_then(|stretch| chain.tool_of(stretch.record));
        let derived = derived + &by_another_version(sealed_by.as_deref());
        return Err(fault(format!("{name}, derived again from what was heard"), expected, derived));
    }
    found.derived += 1;
    found.facets = found.facets.saturating_add(u64::try_from(now.facets.len()).unwrap_or(0));
    let proofs = now.facets.iter().filter(|facet| facet.to_json().get("proven") == Some(&Value::Bool(true))).count();
    found.proofs = found.proofs.saturating_add(u64::try_from(proofs).unwrap_or(0));
    Ok(())
}

/// What a reader has to know where bytes are as sealed and are read otherwise by a later parser.
fn by_another_version(sealed_by: Option<&str>) -> String {
    let ours = concat!("hostkin ", env!("CARGO_PKG_VERSION"));
    match sealed_by {
        Some(tool) if tool != ours => format!(
            " (the bytes are as sealed; {} read them then, {ours} now: verify with that version to tell a changed parser from a false reading)",
            escape_terminal(tool)
        ),
        _ => String::new(),
    }
}

/// A reading as it is sealed.
fn text_of(reading: &Reading) -> String {
    let mut text = ReadingText::new(reading.outcome.as_str(), reading.detail.as_deref());
    for facet in &reading.facets {
        text.facet(facet.kind.as_str(), &facet.stored(), facet.extra_json().as_deref());
    }
    text.finish()
}

/// Unpacks a capture of a stranger's: never more than 64 MiB, and never more than it says.
fn unpack(body: &[u8]) -> Result<Vec<u8>, String> {
    let odd = || "bytes that do not unpack".to_owned();
    let length = zstd::zstd_safe::get_frame_content_size(body).ok().flatten().ok_or_else(odd)?;
    if length > MOST {
        return Err(format!("{length} bytes, more than a capture has"));
    }
    let length = usize::try_from(length).map_err(|_| odd())?;
    zstd::bulk::decompress(body, length).map_err(|_| odd())
}

#[derive(Deserialize)]
struct Read<'a> {
    #[serde(borrow)]
    outcome: &'a RawValue,
    #[serde(borrow)]
    detail: &'a RawValue,
    #[serde(borrow)]
    facets: Vec<&'a RawValue>,
}

/// What is sealed and does not come out again, and what comes out instead; `None` where both are the same.
fn difference(sealed: &str, now: &str) -> Option<(String, String)> {
    if sealed == now {
        return None;
    }
    let parts = |text: &str| -> Option<Vec<String>> {
        let read: Read<'_> = serde_json::from_str(text).ok()?;
        let ended = [format!("outcome {}", read.outcome), format!("detail {}", read.detail)];
        Some(ended.into_iter().chain(read.facets.iter().map(ToString::to_string)).collect())
    };
    let (Some(sealed), Some(now)) = (parts(sealed), parts(now)) else {
        return Some(("a reading".to_owned(), "another text".to_owned()));
    };
    let only = |mine: &[String], theirs: &[String]| {
        let mut rest = theirs.to_vec();
        let lacking: Vec<String> = mine
            .iter()
            .filter(|one| match rest.iter().position(|other| other == *one) {
                Some(at) => {
                    rest.swap_remove(at);
                    false
                }
                None => true,
            })
            .map(|one| show_cut(&escape_terminal(one), MOST_SHOWN))
            .collect();
        let more = lacking.len().saturating_sub(MOST_NAMED);
        let mut text = lacking.into_iter().take(MOST_NAMED).collect::<Vec<_>>().join(", ");
        if more > 0 {
            let _ = write!(text, " and {more} more");
        }
        if text.is_empty() { "nothing of the kind, or another order".to_owned() } else { text }
    };
    Some((only(&sealed, &now), only(&now, &sealed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_of_another_version_is_said_to_be_one() {
        assert_eq!(by_another_version(Some(concat!("hostkin ", env!("CARGO_PKG_VERSION")))), "");
        let told = by_another_version(Some("hostkin 0.0.9\u{1b}[31m"));
        assert!(
            told.contains("verify with that version") && told.contains("hostkin 0.0.9") && !told.contains('\u{1b}')
        );
    }
}
