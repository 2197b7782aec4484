//! The registry of facet kinds: name, group, whose habit a kind shows, cost to forge, how to show a value.
//!
//! A facet is one fact read from an observation. Facets with a common cause form a [`Group`]; evidence is counted once
//! per group. Nothing here reads bytes from the network; `proto` makes facets, `link` weighs them.

pub mod flat;
mod host;
mod kind;
mod label;
mod show;
mod volatile;

pub use host::HostFacts;
pub use kind::{FacetKind, Group, Habit, Info, ParseKindError};
pub use label::{Label, LabelError, Labels};
pub use show::{escape_csv_cell, escape_html, escape_terminal, is_treacherous, show_bytes, show_cut, show_percent};
pub use volatile::{VOLATILE_HEADERS, VOLATILE_HEADERS_VERSION, is_volatile_header};

/// One fact read from an observation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Facet {
    /// Which fact.
    pub kind: FacetKind,
    /// Its value.
    pub value: Value,
    /// What else is to be said of this value here: `proven`, `source`, `type`, `bits`, `reason`, `probe`.
    pub extra: Vec<(&'static str, Extra)>,
}

/// The value of a facet: text as sent, or a list of such texts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// Bytes as sent.
    Text(Vec<u8>),
    /// Several, in order (`http.header_names`, `tls.jarm_raw`, `cert.chain`).
    List(Vec<Vec<u8>>),
}

/// A side remark on a facet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Extra {
    /// Yes or no.
    Flag(bool),
    /// A number.
    Number(i64),
    /// Words.
    Text(String),
}

impl Facet {
    /// A facet with a plain value.
    #[must_use]
    pub fn new(kind: FacetKind, value: impl Into<Vec<u8>>) -> Self {
        Self { kind, value: Value::Text(value.into()), extra: Vec::new() }
    }

    /// A facet with a list value.
    #[must_use]
    pub fn list(kind: FacetKind, values: Vec<Vec<u8>>) -> Self {
        Self { kind, value: Value::List(values), extra: Vec::new() }
    }

    /// The same with one more remark.
    #[must_use]
    pub fn with(mut self, key: &'static str, extra: impl Into<Extra>) -> Self {
        self.extra.push((key, extra.into()));
        self
    }

    /// The value as stored and compared: the bytes as sent, or for a list its JSON text.
    #[must_use]
    pub fn stored(&self) -> Vec<u8> {
        match &self.value {
            Value::Text(bytes) => bytes.clone(),
            Value::List(items) => {
                let shown: Vec<String> = items.iter().map(|one| show_bytes(one)).collect();
                serde_json::to_vec(&shown).unwrap_or_default()
            }
        }
    }

    /// The facet as the JSON object of a row: `kind`, `value`, then the remarks.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let mut object = serde_json::Map::new();
        object.insert("kind".into(), self.kind.as_str().into());
        let value = match &self.value {
            Value::Text(bytes) => serde_json::Value::String(show_bytes(bytes)),
            Value::List(items) => items.iter().map(|one| serde_json::Value::String(show_bytes(one))).collect(),
        };
        object.insert("value".into(), value);
        for (key, extra) in &self.extra {
            object.insert((*key).into(), extra.to_json());
        }
        serde_json::Value::Object(object)
    }

    /// The remarks as a JSON object; `None` when there are none.
    #[must_use]
    pub fn extra_json(&self) -> Option<String> {
        if self.extra.is_empty() {
            return None;
        }
        let object: serde_json::Map<String, serde_json::Value> =
            self.extra.iter().map(|(key, extra)| ((*key).to_owned(), extra.to_json())).collect();
        Some(serde_json::Value::Object(object).to_string())
    }
}

impl Extra {
    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Flag(flag) => (*flag).into(),
            Self::Number(number) => (*number).into(),
            Self::Text(text) => text.clone().into(),
        }
    }
}

impl From<bool> for Extra {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i64> for Extra {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Extra {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Extra {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
