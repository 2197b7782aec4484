//! Checks the chain of records, and gathers what they seal.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::bundle::SHOWN;
use super::report::Report;
use super::sign::{fingerprint, is_signed_by};
use crate::clock::Timestamp;
use crate::seal::{Details, Digest, RecordLine, Salt, hex, sha256, unhex};
use crate::store::{Action, ChainedRecord};

/// UTC and monotonic time may drift apart so far, in milliseconds, before it is worth a note.
pub(super) const DRIFT_MS: i64 = 5_000;

/// A stretch of leaves under one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) record: u64,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) root: Digest,
    /// When that record says it was written.
    pub(super) at: Option<Timestamp>,
}

/// What a chain of records seals.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// Every record's line, by its place less one.
    pub(super) lines: Vec<String>,
    /// In order, without gaps.
    pub(super) stretches: Vec<Stretch>,
    /// Leaves erased whole, and leaves of which the capture was erased.
    pub(super) erased: Erased,
    /// The last linkage: its record, its salt where it is shown, the root over its rows.
    pub(super) results: Option<(u64, Option<Salt>, Digest)>,
    /// What the record of the last linkage says of it, where it is shown.
    pub(super) linked: Option<Value>,
    /// Digests of all scopes that records stand under.
    pub(super) scopes: BTreeSet<String>,
    /// Records of time stamps: digest of the answer, and the record that was stamped.
    pub(super) stamps: BTreeMap<u64, (String, u64)>,
    /// Every key that signed.
    pub(super) keys: BTreeSet<[u8; 32]>,
    /// How many records do not show what they say, by their action. In a bundle of chosen hosts alone.
    pub(super) untold: BTreeMap<String, u64>,
}

impl Chain {
    /// The program and its version by which a record was written.
    pub(super) fn tool_of(&self, record: u64) -> Option<String> {
        let place = usize::try_from(record.checked_sub(1)?).ok()?;
        Some(RecordLine::parse(self.lines.get(place)?)?.tool)
    }
}

/// What records say was erased.
#[derive(Debug, Default)]
pub(super) struct Erased {
    leaves: Vec<(u64, u64)>,
    captures: Vec<(u64, u64)>,
    records: Vec<(u64, u64)>,
}

impl Erased {
    pub(super) fn leaf(&self, number: u64) -> bool {
        is_in(&self.leaves, number)
    }

    pub(super) fn capture(&self, number: u64) -> bool {
        is_in(&self.captures, number) || self.leaf(number)
    }

    fn record(&self, number: u64) -> bool {
        is_in(&self.records, number)
    }
}

fn is_in(stretches: &[(u64, u64)], number: u64) -> bool {
    let after = stretches.partition_point(|(first, _)| *first <= number);
    after.checked_sub(1).and_then(|at| stretches.get(at)).is_some_and(|(_, last)| number <= *last)
}

/// Where a chain comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// A case, in which work may be under way.
    Case,
    /// A bundle, which ends with a signature where a key has signed at all. One cut back to an earlier signature is whole too:
    /// only a digest that others know tells.
    Bundle,
    /// A bundle of chosen hosts, where details may be left out.
    Part,
}

/// Checks every record.
pub(super) fn check(records: &[ChainedRecord], from: From, signers: &[String], report: &mut Report) -> Chain {
    let withheld = from == From::Part;
    let mut chain = Chain { erased: erased(records), ..Chain::default() };
    let mut walk = Walk { withheld, signers, key: None, before: None, out_of_step: false };
    for (place, record) in (1_u64..).zip(records) {
        walk.record(place, record, &mut chain, report);
    }
    report.records = u64::try_from(records.len()).unwrap_or(u64::MAX);
    report.last_sha256 = chain.lines.last().map(|line| hex(&sha256(line.as_bytes()))).unwrap_or_default();
    report.last_at = walk.before.as_ref().map(|line| line.at.clone()).unwrap_or_default();
    report.digests = chain.lines.iter().map(|line| hex(&sha256(line.as_bytes()))).collect();
    if records.is_empty() {
        report.fault("the chain", "at least the record that opened the case", "no record");
    }
    if report.signed_upto < report.records {
        let first = report.signed_upto.saturating_add(1);
        if !signers.is_empty() || (walk.key.is_some() && from != From::Case) {
            report.fault(
                format!("records {first} to {}", report.records),
                if signers.is_empty() { "a signature at the end" } else { "a signature of the signer asked for" },
                "none",
            );
        } else if report.signed_upto == 0 {
            report.notes.push(
                "nothing is signed: the chain shows that nothing was changed since the last digest you know, not who made it"
                    .to_owned(),
            );
        } else {
            report.notes.push(format!("records {first} to {} are not signed yet", report.records));
        }
    }
    chain
}

/// What is remembered from record to record.
struct Walk<'a> {
    withheld: bool,
    signers: &'a [String],
    key: Option<[u8; 32]>,
    before: Option<RecordLine>,
    out_of_step: bool,
}

impl Walk<'_> {
    fn record(&mut self, place: u64, record: &ChainedRecord, chain: &mut Chain, report: &mut Report) {
        let name = format!("record {place}");
        let seq = u64::try_from(record.seq).unwrap_or(0);
        if seq != place && !self.out_of_step {
            // Told once: all that follow are out of step too.
            self.out_of_step = true;
            report.fault(&name, format!("record {place} in its place"), format!("record {seq}"));
        }
        let Some(text) = &record.line else {
            report.fault(&name, "a line in the chain", "none: the record was added by another hand");
            chain.lines.push(String::new());
            return;
        };
        let Some(line) = RecordLine::parse(text) else {
            report.fault(&name, "a line of the form hostkin/record/1", "another text");
            chain.lines.push(text.clone());
            self.before = None;
            return;
        };
        if line.seq != place && !self.out_of_step {
            self.out_of_step = true;
            report.fault(&name, format!("record {place} in its place"), format!("record {}", line.seq));
        }
        Self::link(place, &line, chain, report);
        chain.lines.push(text.clone());
        Self::columns(&name, record, &line, report);
        let details = self.details(&name, place, record, &line, chain, report);
        if self.withheld && record.details.is_none() && !chain.erased.record(place) {
            *chain.untold.entry(line.action.clone()).or_default() += 1;
        }
        if let Some(scope) = &line.scope_sha256 {
            chain.scopes.insert(scope.clone());
        }
        gather(place, &line, details.as_ref(), chain, report);
        self.introduced(&name, &line, details.as_ref(), report);
        self.signature(&name, record, &line, chain, report);
        self.clocks(place, &line, report);
        self.before = Some(line);
    }

    /// The digest of the line before is the one named here.
    fn link(place: u64, line: &RecordLine, chain: &Chain, report: &mut Report) {
        let found = chain.lines.last().map_or_else(RecordLine::no_previous, |line| hex(&sha256(line.as_bytes())));
        if line.previous != found {
            let before = place.saturating_sub(1);
            let name = if before == 0 { "the start of the chain".to_owned() } else { format!("record {before}") };
            report.fault(
                name,
                format!("digest {} (named by record {place})", line.previous),
                format!("digest {found}"),
            );
        }
    }

    fn columns(name: &str, record: &ChainedRecord, line: &RecordLine, report: &mut Report) {
        match &record.columns {
            None => report.fault(name, "the record itself", "only its line in the chain"),
            Some((at, actor, action)) => {
                for (what, sealed, stands) in
                    [("time", &line.at, at), ("actor", &line.actor, actor), ("action", &line.action, action)]
                {
                    if sealed != stands {
                        report.fault(format!("{name}, its {what}"), format!("{sealed:?}"), format!("{stands:?}"));
                    }
                }
            }
        }
    }

    /// The details, when they are shown and are those that were sealed.
    fn details(
        &self,
        name: &str,
        place: u64,
        record: &ChainedRecord,
        line: &RecordLine,
        chain: &Chain,
        report: &mut Report,
    ) -> Option<(Salt, Value)> {
        let Some(text) = &record.details else {
            let may_lack = self.withheld && !SHOWN.iter().any(|action| action.as_str() == line.action);
            if !may_lack && !chain.erased.record(place) {
                let place = format!("{name}, its details");
                report.fault(
                    place,
                    format!("a text with digest {}", line.details_sha256),
                    "none, and no record says why",
                );
            }
            return None;
        };
        let found = hex(&Details::digest(text));
        if found != line.details_sha256 {
            report.fault(
                format!("{name} ({}), what was said", line.action),
                format!("digest {}", line.details_sha256),
                format!("digest {found}"),
            );
            return None;
        }
        let details: Details<'_> = serde_json::from_str(text).ok()?;
        Some((unhex(&details.salt)?, serde_json::from_str(details.body.get()).ok()?))
    }

    /// A record of a new key: it signs from here on.
    fn introduced(&mut self, name: &str, line: &RecordLine, details: Option<&(Salt, Value)>, report: &mut Report) {
        if line.action != Action::Key.as_str() {
            return;
        }
        let key: Option<[u8; 32]> = details.and_then(|(_, body)| unhex(body.get("public_key")?.as_str()?));
        if let (Some(old), Some(new)) = (self.key, key)
            && old != new
        {
            let (old, new) = (fingerprint(&old), fingerprint(&new));
            report.notes.push(format!("{name}: from here on {new} signs in place of {old}"));
        }
        self.key = key.or(self.key);
    }

    fn signature(&self, name: &str, record: &ChainedRecord, line: &RecordLine, chain: &mut Chain, report: &mut Report) {
        let is_head = line.action == Action::Head.as_str();
        let Some(signature) = record.signature else {
            if is_head {
                report.fault(format!("{name} (head)"), "a signature", "none");
            }
            return;
        };
        if !is_head {
            report.fault(name, "no signature: only heads have one", "a signature");
            return;
        }
        let print = fingerprint(&signature.public_key);
        let name = format!("{name} (head), its signature");
        let in_force = self.key.map(|key| fingerprint(&key));
        if in_force.as_ref() != Some(&print) {
            let expected =
                in_force.map_or_else(|| "a key that a record introduces".to_owned(), |key| format!("key {key}"));
            report.fault(name, expected, format!("key {print}"));
            return;
        }
        if !is_signed_by(&signature.public_key, &line.to_text(), &signature.signature) {
            report.fault(name, format!("one by {print} over this line"), "one that does not fit");
            return;
        }
        if !self.signers.is_empty() && !self.signers.contains(&print) {
            report.fault(name, format!("key {}", self.signers.join(" or ")), format!("key {print}"));
            return;
        }
        chain.keys.insert(signature.public_key);
        report.heads = report.heads.saturating_add(1);
        report.signed_upto = line.seq;
        if !report.signers.contains(&print) {
            report.signers.push(print);
        }
    }

    /// Clocks that disagree are worth a note: somebody set one of them.
    fn clocks(&self, place: u64, line: &RecordLine, report: &mut Report) {
        let Some(before) = &self.before else { return };
        let utc = |line: &RecordLine| line.at.parse::<Timestamp>().ok().map(Timestamp::as_millisecond);
        let monotonic = |line: &RecordLine| line.monotonic_ms.and_then(|ms| i64::try_from(ms).ok());
        let (Some(then), Some(now)) = (utc(before), utc(line)) else { return };
        let by_utc = now.saturating_sub(then);
        if line.boot.is_some()
            && line.boot == before.boot
            && let (Some(then), Some(now)) = (monotonic(before), monotonic(line))
        {
            let by_monotonic = now.saturating_sub(then);
            // Records bear the time of what they tell, which may lie some way before they are written.
            if by_utc.saturating_sub(by_monotonic) > DRIFT_MS || by_utc < -DRIFT_MS {
                report.notes.push(format!(
                    "record {place}: since the record before, the clock went on by {by_utc} ms and the machine by {by_monotonic} ms"
                ));
            }
        } else if by_utc < 0 {
            report.notes.push(format!("record {place}: its time lies {} ms before that of the record before", -by_utc));
        }
    }
}

/// Keeps what this record seals or says.
fn gather(place: u64, line: &RecordLine, details: Option<&(Salt, Value)>, chain: &mut Chain, report: &mut Report) {
    let number = |key: &str| details.and_then(|(_, body)| body.get(key)?.as_u64());
    if line.action == Action::Sealed.as_str() {
        let (Some(first), Some(last)) = (number("first"), number("last")) else { return };
        let due = chain.stretches.last().map_or(1, |stretch| stretch.last.saturating_add(1));
        let Some(root) = line.raw_sha256.as_deref().and_then(unhex) else {
            report.fault(format!("record {place} (sealed)"), "a root", "none");
            return;
        };
        if first != due || last < first {
            report.fault(
                format!("record {place} (sealed)"),
                format!("leaves from {due} on"),
                format!("leaves {first} to {last}"),
            );
        }
        chain.stretches.push(Stretch { record: place, first, last, root, at: line.at.parse().ok() });
    } else if line.action == Action::Link.as_str() {
        let root = line.derived_sha256.as_deref().and_then(unhex);
        chain.results = root.map(|root| (place, details.map(|(salt, _)| *salt), root));
        chain.linked = details.map(|(_, body)| body.clone());
    } else if line.action == Action::Redact.as_str() {
        if details.is_some_and(|(_, body)| body.get("results").and_then(Value::as_bool) == Some(true)) {
            chain.results = None;
        }
    } else if line.action == Action::Timestamp.as_str() {
        let of = number("record").unwrap_or(0);
        chain.stamps.insert(place, (line.raw_sha256.clone().unwrap_or_default(), of));
    }
}

/// Everything that records of redaction name. Read first: the records they erased stand before them.
fn erased(records: &[ChainedRecord]) -> Erased {
    let mut erased = Erased::default();
    let said = records.iter().filter(|record| {
        let line = record.line.as_deref().and_then(RecordLine::parse);
        let sealed = line.as_ref().map(|line| line.details_sha256.as_str());
        let found = record.details.as_deref().map(|text| hex(&Details::digest(text)));
        line.as_ref().is_some_and(|line| line.action == Action::Redact.as_str()) && found.as_deref() == sealed
    });
    for record in said {
        let Some(details) = record.details.as_deref().and_then(|text| serde_json::from_str::<Details<'_>>(text).ok())
        else {
            continue;
        };
        let Ok(body) = serde_json::from_str::<Value>(details.body.get()) else { continue };
        let stretches = |key: &str| -> Vec<(u64, u64)> {
            body.get(key).and_then(|list| serde_json::from_value(list.clone()).ok()).unwrap_or_default()
        };
        erased.leaves.extend(stretches("leaves"));
        erased.captures.extend(stretches("captures"));
        erased.records.extend(stretches("records"));
    }
    erased.leaves = joined(erased.leaves);
    erased.captures = joined(erased.captures);
    erased.records = joined(erased.records);
    erased
}

/// Stretches in order, those that meet or overlap as one.
fn joined(mut stretches: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    stretches.sort_unstable();
    let mut out: Vec<(u64, u64)> = Vec::with_capacity(stretches.len());
    for (first, last) in stretches {
        match out.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => out.push((first, last)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_say_of_exactly_their_numbers_that_they_are_in() {
        let all = joined(vec![(7, 9), (1, 2), (3, 3), (8, 12)]);
        assert_eq!(all, [(1, 3), (7, 12)]);
        let held: Vec<u64> = (0..15).filter(|number| is_in(&all, *number)).collect();
        assert_eq!(held, [1, 2, 3, 7, 8, 9, 10, 11, 12]);
    }
}
