//! Records: every change of a case, appended and never edited. Seeds and verdicts are derived from them.

use std::net::IpAddr;

use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::chain::{self, Entry};
use super::{Case, Result, StoreError, time};
use crate::clock::Timestamp;
use crate::finding::{Seed, Subject, Verdict};

/// What the records of the scanner's own addresses are filed under (`note`): `addresses`, and `run` where a scan tells them.
pub const OWN_ADDRESSES: &str = "own addresses";

/// What changed the case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// The case was opened.
    New,
    /// A seed was given.
    Seed,
    /// A seed was taken back.
    Unseed,
    /// A host was confirmed as a provider's.
    Confirm,
    /// A host was rejected.
    Reject,
    /// A verdict on a host was taken back.
    Withdraw,
    /// A remark.
    Note,
    /// Hosts heard by others were taken in.
    Import,
    /// A scan began or was taken up again.
    ScanStarted,
    /// A scan ended.
    ScanEnded,
    /// A hunt left out the rest of a network.
    GaveUp,
    /// All facets were derived again.
    Reread,
    /// Hosts were linked.
    Link,
    /// The scan of a shard was taken over from its own case.
    Merge,
    /// A scan went slower with a network, or stopped asking it.
    BackOff,
    /// A stretch of observations was sealed under one root.
    Sealed,
    /// The chain so far was signed.
    Head,
    /// A key signs from here on.
    Key,
    /// The records of a case older than the chain were chained.
    Chained,
    /// An authority's time stamp was taken in.
    Timestamp,
    /// What is kept how long was set.
    Retention,
    /// Data was erased.
    Redact,
    /// A file of public data was taken in.
    Data,
    /// Something was written that a later export goes by: a deny list, abuse reports.
    Export,
    /// What became of an abuse report.
    Outcome,
    /// A candidate range was approved for a scope draft.
    RangeApproved,
    /// A candidate range was rejected.
    RangeRejected,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 27] = [
        Self::New,
        Self::Seed,
        Self::Unseed,
        Self::Confirm,
        Self::Reject,
        Self::Withdraw,
        Self::Note,
        Self::Import,
        Self::ScanStarted,
        Self::ScanEnded,
        Self::GaveUp,
        Self::Reread,
        Self::Link,
        Self::Merge,
        Self::BackOff,
        Self::Sealed,
        Self::Head,
        Self::Key,
        Self::Chained,
        Self::Timestamp,
        Self::Retention,
        Self::Redact,
        Self::Data,
        Self::Export,
        Self::Outcome,
        Self::RangeApproved,
        Self::RangeRejected,
    ];

    /// The stable word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Seed => "seed",
            Self::Unseed => "unseed",
            Self::Confirm => "confirm",
            Self::Reject => "reject",
            Self::Withdraw => "withdraw",
            Self::Note => "note",
            Self::Import => "import",
            Self::ScanStarted => "scan_started",
            Self::ScanEnded => "scan_ended",
            Self::GaveUp => "gave_up",
            Self::Reread => "reread",
            Self::Link => "link",
            Self::Merge => "merge",
            Self::BackOff => "back_off",
            Self::Sealed => "sealed",
            Self::Head => "head",
            Self::Key => "key",
            Self::Chained => "chained",
            Self::Timestamp => "timestamp",
            Self::Retention => "retention",
            Self::Redact => "redact",
            Self::Data => "data",
            Self::Export => "export",
            Self::Outcome => "outcome",
            Self::RangeApproved => "range_approved",
            Self::RangeRejected => "range_rejected",
        }
    }
}

/// One change of the case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place, from 1.
    pub seq: i64,
    /// When, to the millisecond.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What: a word of [`Action`].
    pub action: String,
    /// What it is about: an address, `kind=value`, a run's number; may be empty.
    pub subject: String,
    /// All that was said.
    pub body: Value,
}

impl Case {
    /// Appends one record and gives its place. It is chained with the time, the machine's clocks, this program and the
    /// scope; digests that `body` names as `scope_sha256` and `raw_sha256` stand in the chained line too.
    ///
    /// # Errors
    /// When the case cannot be written.
    pub fn record(&mut self, at: Timestamp, actor: &str, action: Action, subject: &str, body: &Value) -> Result<i64> {
        append(&self.connection, at, actor, action, subject, body)
    }

    /// All records, oldest first.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn records(&self) -> Result<Vec<Record>> {
        let read = "SELECT seq, at_ms, actor, action, subject, body FROM records ORDER BY seq";
        let mut statement = self.connection.prepare_cached(read)?;
        let mut rows = statement.query([])?;
        let mut records = Vec::new();
        while let Some(row) = rows.next()? {
            records.push(Record {
                seq: row.get(0)?,
                at: time(row.get(1)?)?,
                actor: row.get(2)?,
                action: row.get(3)?,
                subject: row.get(4)?,
                body: parse(row.get_ref(5)?.as_str().unwrap_or_default(), "a record")?,
            });
        }
        Ok(records)
    }

    /// Writes a seed down. A seed given again for the same provider replaces what was said of it.
    ///
    /// # Errors
    /// When the case cannot be written.
    pub fn add_seed(&mut self, seed: &Seed, actor: &str) -> Result<()> {
        let body = to_json(seed)?;
        self.record(seed.recorded_at, actor, Action::Seed, &subject_text(&seed.subject), &body)?;
        Ok(())
    }

    /// Takes a seed back: of one provider, or of all when none is named.
    ///
    /// # Errors
    /// `NoSeed` when there is none.
    pub fn remove_seed(
        &mut self,
        subject: &Subject,
        provider: Option<&str>,
        why: &str,
        actor: &str,
        at: Timestamp,
    ) -> Result<()> {
        let named = |seed: &Seed| seed.subject == *subject && provider.is_none_or(|name| name == seed.provider);
        if !self.seeds()?.iter().any(named) {
            return Err(StoreError::NoSeed { subject: subject_text(subject) });
        }
        let body = json!({ "subject": to_json(subject)?, "provider": provider, "why": why });
        self.record(at, actor, Action::Unseed, &subject_text(subject), &body)?;
        Ok(())
    }

    /// The seeds that stand, in the order of their first recording.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn seeds(&self) -> Result<Vec<Seed>> {
        let mut seeds: Vec<Seed> = Vec::new();
        self.told(&[Action::Seed, Action::Unseed], |action, body| {
            if action == Action::Seed {
                let seed: Seed = from_json(body, "a seed")?;
                match seeds.iter_mut().find(|one| one.subject == seed.subject && one.provider == seed.provider) {
                    Some(known) => *known = seed,
                    None => seeds.push(seed),
                }
            } else {
                let subject: Subject = from_json(body.get("subject").cloned().unwrap_or_default(), "an unseed")?;
                let provider = body.get("provider").and_then(Value::as_str);
                seeds.retain(|seed| seed.subject != subject || provider.is_some_and(|name| name != seed.provider));
            }
            Ok(())
        })?;
        Ok(seeds)
    }

    /// Writes an analyst's word on a host down.
    ///
    /// # Errors
    /// When the case cannot be written.
    pub fn add_verdict(&mut self, verdict: &Verdict, actor: &str) -> Result<()> {
        let action = if verdict.confirmed { Action::Confirm } else { Action::Reject };
        let body = to_json(verdict)?;
        self.record(verdict.recorded_at, actor, action, &verdict.address.to_string(), &body)?;
        Ok(())
    }

    /// Takes the standing verdict on a host back.
    ///
    /// # Errors
    /// `NoVerdict` when there is none.
    pub fn withdraw_verdict(
        &mut self,
        address: IpAddr,
        provider: &str,
        why: &str,
        actor: &str,
        at: Timestamp,
    ) -> Result<()> {
        if !self.verdicts()?.iter().any(|one| one.address == address && one.provider == provider) {
            return Err(StoreError::NoVerdict { address, provider: provider.to_owned() });
        }
        let body = json!({ "address": address, "provider": provider, "why": why });
        self.record(at, actor, Action::Withdraw, &address.to_string(), &body)?;
        Ok(())
    }

    /// The verdicts that stand, in the order of their recording: for one provider and host the last word counts, be it
    /// a verdict, its withdrawal, or a seed, which needs no verdict beside it.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn verdicts(&self) -> Result<Vec<Verdict>> {
        let mut verdicts: Vec<Verdict> = Vec::new();
        self.told(&[Action::Seed, Action::Confirm, Action::Reject, Action::Withdraw], |action, body| {
            let new: Option<Verdict> = match action {
                Action::Confirm | Action::Reject => Some(from_json(body.clone(), "a verdict")?),
                _ => None,
            };
            let subject = match action {
                Action::Seed => from_json::<Seed>(body.clone(), "a seed")?.subject,
                _ => Subject::Host(from_json(body.get("address").cloned().unwrap_or_default(), "a verdict")?),
            };
            let provider = body.get("provider").and_then(Value::as_str).unwrap_or_default();
            verdicts.retain(|one| Subject::Host(one.address) != subject || one.provider != provider);
            verdicts.extend(new);
            Ok(())
        })?;
        Ok(verdicts)
    }

    /// All records of some actions, oldest first, but for those that were erased.
    fn told(&self, actions: &[Action], mut each: impl FnMut(Action, Value) -> Result<()>) -> Result<()> {
        let read = "SELECT action, body FROM records WHERE action IN (SELECT value FROM json_each(?1)) AND body <> ?2 \
                    ORDER BY seq";
        let words: Vec<&str> = actions.iter().map(|action| action.as_str()).collect();
        let mut statement = self.connection.prepare_cached(read)?;
        let mut rows = statement.query([to_json(&words)?.to_string().as_str(), chain::ERASED])?;
        while let Some(row) = rows.next()? {
            let (word, body): (String, String) = (row.get(0)?, row.get(1)?);
            if let Some(action) = actions.iter().find(|action| action.as_str() == word) {
                each(*action, parse(&body, "a record")?)?;
            }
        }
        Ok(())
    }
}

/// What a record about `subject` is filed under: the address, or `kind=value`.
fn subject_text(subject: &Subject) -> String {
    match subject {
        Subject::Host(address) => IpAddr::to_string(address),
        Subject::Facet(kind, value) => format!("{kind}={value}"),
    }
}

/// Appends one record inside whatever transaction stands, or in one of its own.
pub(super) fn append(
    connection: &Connection,
    at: Timestamp,
    actor: &str,
    action: Action,
    subject: &str,
    body: &Value,
) -> Result<i64> {
    chain::append(connection, &Entry { at, actor, action, subject, body }, |_| Ok(None))
}

/// A noun as JSON. Cannot fail for ours; were it to, the case stays unchanged.
pub(super) fn to_json(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| StoreError::Database(error.into()))
}

/// A noun from stored JSON text.
pub(super) fn parse<T: DeserializeOwned>(text: &str, what: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| StoreError::damaged(format!("{what} cannot be read: {error}")))
}

fn from_json<T: DeserializeOwned>(value: Value, what: &str) -> Result<T> {
    serde_json::from_value(value).map_err(|error| StoreError::damaged(format!("{what} cannot be read: {error}")))
}
