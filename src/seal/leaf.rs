//! Leaves: an observation with the digests of what was heard and of what was read from it, and a row of results.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Digest, leaf_hash, sha256};

/// One observation as it is sealed. The keys stand in the order of these fields, without spaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// 32 hex digits.
    pub salt: String,
    /// The run that made it.
    pub run: i64,
    /// Where.
    pub ip: String,
    /// TCP port; 0 where an import names none.
    pub port: u16,
    /// What was spoken.
    pub protocol: String,
    /// True when it rode on TLS.
    pub over_tls: bool,
    /// The name asked for; null when asked by address.
    pub name: Option<String>,
    /// UTC start, milliseconds since 1970.
    pub started_at_ms: i64,
    /// Connections opened.
    pub connections: i64,
    /// Bytes sent on the wire.
    pub bytes_sent: i64,
    /// Bytes heard on the wire.
    pub bytes_heard: i64,
    /// Imports: groups that did not answer in time.
    pub timed_out: Option<String>,
    /// Of the CBOR of what was heard; null for imports.
    pub capture_sha256: Option<String>,
    /// Of the text that [`ReadingText`] gives.
    pub reading_sha256: String,
}

impl Leaf {
    /// The text that is hashed.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Its hash in the tree.
    #[must_use]
    pub fn hash(&self) -> Digest {
        leaf_hash(self.to_text().as_bytes())
    }
}

/// Writes what was read from an observation: `{"outcome":…,"detail":…,"facets":[[kind,value,remarks],…]}`.
///
/// A value that is no UTF-8 stands as `{"hex":"…"}`.
#[derive(Debug)]
pub struct ReadingText {
    text: String,
    any: bool,
}

impl ReadingText {
    /// Begins with how the probe ended.
    #[must_use]
    pub fn new(outcome: &str, detail: Option<&str>) -> Self {
        let mut text = String::with_capacity(1024);
        text.push_str("{\"outcome\":");
        push(&mut text, &outcome);
        text.push_str(",\"detail\":");
        push(&mut text, &detail);
        text.push_str(",\"facets\":[");
        Self { text, any: false }
    }

    /// Adds a facet. `extra` is its remarks as JSON.
    pub fn facet(&mut self, kind: &str, value: &[u8], extra: Option<&str>) {
        self.text.push_str(if self.any { ",[" } else { "[" });
        self.any = true;
        push(&mut self.text, &kind);
        self.text.push(',');
        if let Ok(value) = std::str::from_utf8(value) {
            push(&mut self.text, &value);
        } else {
            self.text.push_str("{\"hex\":\"");
            self.text.push_str(&super::hex(value));
            self.text.push_str("\"}");
        }
        self.text.push(',');
        // Checked, so that a stored remark cannot break out of its place.
        let extra = extra.map(|extra| serde_json::from_str::<&RawValue>(extra).map_err(|_| extra));
        match extra {
            None => self.text.push_str("null"),
            Some(Ok(json)) => self.text.push_str(json.get()),
            Some(Err(text)) => push(&mut self.text, &text),
        }
        self.text.push(']');
    }

    /// The text.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.text.push_str("]}");
        self.text
    }

    /// Its digest.
    #[must_use]
    pub fn digest(text: &str) -> Digest {
        sha256(text.as_bytes())
    }
}

/// Appends a value as JSON.
fn push(text: &mut String, value: &impl Serialize) {
    text.push_str(&serde_json::to_string(value).unwrap_or_default());
}

/// One row of the last linkage's results as it is sealed: a host of a cluster, or of a provider's ranking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultRow {
    /// 32 hex digits.
    pub salt: String,
    /// The cluster's name; null for a row of a ranking.
    pub cluster: Option<String>,
    /// True when the cluster grew from a seed.
    pub seeded: Option<bool>,
    /// The cluster's purity.
    pub purity: Option<f64>,
    /// The provider.
    pub provider: String,
    /// Its first seed.
    pub seed: String,
    /// The host.
    pub ip: String,
    /// Calibrated probability.
    pub score: f64,
    /// How much the odds move.
    pub log10_lr: f64,
    /// The same without the strongest group.
    pub log10_lr_without_strongest: f64,
    /// Its place.
    pub rank: i64,
    /// Whose habit the facets show.
    pub level: String,
    /// Reasons for, a JSON list of texts.
    pub reasons: String,
    /// Reasons against, a JSON list of texts.
    pub against: String,
    /// The groups weighed, as JSON.
    pub evidence: String,
}

impl ResultRow {
    /// The text that is hashed.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_json_whatever_the_bytes() {
        let mut text = ReadingText::new("answered", Some("a \"word\""));
        text.facet("http.title", b"a\xff", None);
        text.facet("http.title", b"\"],[", Some(r#"{"bits":256}"#));
        text.facet("http.server", b"x", Some("],\"no json"));
        let text = text.finish();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["facets"].as_array().unwrap().len(), 3);
        assert_eq!(value["facets"][0][1]["hex"], "61ff");
        assert_eq!(value["facets"][1][2]["bits"], 256);
        assert_eq!(value["facets"][2][2], "],\"no json");
    }
}
