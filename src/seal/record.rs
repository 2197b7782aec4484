//! A record as it is chained: a line that names the digest of the line before.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Digest, Salt, hex, sha256};

/// One record's line: everything but what it is about and what was said, for which a digest stands here.
///
/// The keys stand in the order of these fields, without spaces. Digests are 64 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordLine {
    /// [`RecordLine::SCHEMA`].
    pub schema: String,
    /// Its place, from 1.
    pub seq: u64,
    /// UTC by the machine's clock, to the millisecond (RFC 3339).
    pub at: String,
    /// Milliseconds since the machine was started; null for records older than the chain.
    pub monotonic_ms: Option<u64>,
    /// Which start of the machine: monotonic times are compared only where these are equal.
    pub boot: Option<String>,
    /// What the kernel still had to add to the machine's clock to reach its time source, in microseconds; null where it
    /// knows of no time source.
    pub clock_offset_us: Option<i64>,
    /// The largest error of that estimate, in microseconds.
    pub clock_max_error_us: Option<i64>,
    /// Who.
    pub actor: String,
    /// The program and its version.
    pub tool: String,
    /// SHA-256 of the program's file; null where it could not be read.
    pub build_sha256: Option<String>,
    /// The scope in force.
    pub scope_sha256: Option<String>,
    /// What was done.
    pub action: String,
    /// Of the bytes it rests on: an imported file, or the root over a batch of observations.
    pub raw_sha256: Option<String>,
    /// Of what was derived: the root over the results of a linkage.
    pub derived_sha256: Option<String>,
    /// Of its [`Details`].
    pub details_sha256: String,
    /// Of the line before; 64 zeros for the first.
    pub previous: String,
}

impl RecordLine {
    /// The form's name and version.
    pub const SCHEMA: &str = "hostkin/record/1";

    /// The line, without a line feed.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a line back; `None` for anything that is not the one spelling of a line.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let line: Self = serde_json::from_str(text).ok()?;
        (line.schema == Self::SCHEMA && line.to_text() == text).then_some(line)
    }

    /// What the first record names as the one before it.
    #[must_use]
    pub fn no_previous() -> String {
        hex(&[0; 32])
    }
}

/// What a record is about and what was said: kept beside its line, so that it can be erased or withheld.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Details<'a> {
    /// 32 hex digits.
    pub salt: String,
    /// What it is about: an address, `kind=value`, a run's number; may be empty.
    pub subject: String,
    /// All that was said, a JSON value as it was written.
    #[serde(borrow)]
    pub body: &'a RawValue,
}

impl Details<'_> {
    /// The text of a record's details; `None` when `body` is no JSON.
    #[must_use]
    pub fn text(salt: &Salt, subject: &str, body: &str) -> Option<String> {
        let body: &RawValue = serde_json::from_str(body).ok()?;
        serde_json::to_string(&Details { salt: hex(salt), subject: subject.to_owned(), body }).ok()
    }

    /// The digest that the line holds.
    #[must_use]
    pub fn digest(text: &str) -> Digest {
        sha256(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> RecordLine {
        RecordLine {
            schema: RecordLine::SCHEMA.to_owned(),
            seq: 1,
            at: "2026-11-22T12:00:00.000Z".to_owned(),
            monotonic_ms: Some(5),
            boot: None,
            clock_offset_us: Some(-3),
            clock_max_error_us: None,
            actor: "an \"analyst\"".to_owned(),
            tool: "hostkin 0".to_owned(),
            build_sha256: None,
            scope_sha256: None,
            action: "new".to_owned(),
            raw_sha256: None,
            derived_sha256: None,
            details_sha256: hex(&[1; 32]),
            previous: RecordLine::no_previous(),
        }
    }

    #[test]
    fn a_line_has_one_spelling() {
        let text = line().to_text();
        assert_eq!(RecordLine::parse(&text), Some(line()));
        assert_eq!(RecordLine::parse(&format!("{text} ")), None);
        assert_eq!(RecordLine::parse(&text.replace("\"seq\":1", "\"seq\": 1")), None);
        assert_eq!(RecordLine::parse(&text.replace("\"boot\":null,", "")), None);
        assert_eq!(RecordLine::parse(&text.replace("record/1", "record/2")), None);
        assert_eq!(RecordLine::parse(&text.replace('}', ",\"more\":1}")), None);
    }

    #[test]
    fn details_keep_the_body_as_it_was_written() {
        let text = Details::text(&[7; 16], "192.0.2.1", r#"{"b":1.0,"a":[1e3]}"#).unwrap();
        assert!(text.ends_with(r#""subject":"192.0.2.1","body":{"b":1.0,"a":[1e3]}}"#), "{text}");
        assert_eq!(Details::text(&[7; 16], "", "no json"), None);
    }
}
