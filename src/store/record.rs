//! Records: every change of a case, appended and never edited. Seeds and verdicts are derived from them.

use std::net::IpAddr;

use rusqlite::{Connection, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Case, Result, StoreError, time};
use crate::clock::Timestamp;
use crate::finding::{Seed, Subject, Verdict};

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
    /// A file of public data was taken in.
    Data,
    /// A candidate range was approved for a scope draft.
    RangeApproved,
    /// A candidate range was rejected.
    RangeRejected,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 17] = [
        Self::New,
        Self::Seed,
        Self::Unseed,
        Self::Confirm,
        Self::Reject,
        Self::Note,
        Self::Import,
        Self::ScanStarted,
        Self::ScanEnded,
        Self::GaveUp,
        Self::Reread,
        Self::Link,
        Self::Merge,
        Self::BackOff,
        Self::Data,
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
            Self::Note => "note",
            Self::Import => "import",
            Self::ScanStarted => "scan_started",
            Self::ScanEnded => "scan_ended",
            Self::GaveUp => "gave_up",
            Self::Reread => "reread",
            Self::Link => "link",
            Self::Merge => "merge",
            Self::BackOff => "back_off",
            Self::Data => "data",
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
    /// Appends one record and gives its place.
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
        self.told([Action::Seed, Action::Unseed], |action, body| {
            if action == Action::Seed.as_str() {
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

    /// The verdicts that stand, in the order of their recording: for one provider and host the last word counts.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn verdicts(&self) -> Result<Vec<Verdict>> {
        let mut verdicts: Vec<Verdict> = Vec::new();
        self.told([Action::Confirm, Action::Reject], |_, body| {
            let verdict: Verdict = from_json(body, "a verdict")?;
            verdicts.retain(|one| one.address != verdict.address || one.provider != verdict.provider);
            verdicts.push(verdict);
            Ok(())
        })?;
        Ok(verdicts)
    }

    /// The words and bodies of all records of two actions, oldest first.
    fn told(&self, actions: [Action; 2], mut each: impl FnMut(&str, Value) -> Result<()>) -> Result<()> {
        let read = "SELECT action, body FROM records WHERE action IN (?1, ?2) ORDER BY seq";
        let mut statement = self.connection.prepare_cached(read)?;
        let mut rows = statement.query(actions.map(Action::as_str))?;
        while let Some(row) = rows.next()? {
            let (action, body): (String, String) = (row.get(0)?, row.get(1)?);
            each(&action, parse(&body, "a record")?)?;
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

/// Appends one record inside whatever transaction stands.
pub(super) fn append(
    connection: &Connection,
    at: Timestamp,
    actor: &str,
    action: Action,
    subject: &str,
    body: &Value,
) -> Result<i64> {
    let insert = "INSERT INTO records (at_ms, actor, action, subject, body) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut statement = connection.prepare_cached(insert)?;
    Ok(statement.insert(params![at.as_millisecond(), actor, action.as_str(), subject, body.to_string()])?)
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
