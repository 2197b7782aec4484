//! What a verification found.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Value, json};

/// Faults kept one by one; more are only counted.
const MOST: usize = 10_000;

/// One thing that is not as it was sealed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// What is wrong: a record, an observation with its host, a file of the bundle.
    pub place: String,
    /// What belongs there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.place, self.expected, self.found)
    }
}

/// All that a verification says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What is wrong, in the order it was met; at most 10,000.
    pub faults: Vec<Fault>,
    /// How many faults there are.
    pub fault_count: u64,
    /// What a reader should know and is no fault.
    pub notes: Vec<String>,
    /// Records in the chain.
    pub records: u64,
    /// Digest of the last record's line.
    pub last_sha256: String,
    /// Its time, as it says.
    pub last_at: String,
    /// Heads with a good signature.
    pub heads: u64,
    /// The signers' fingerprints, in the order of their first signature.
    pub signers: Vec<String>,
    /// The last record that a good signature covers; 0 when there is none.
    pub signed_upto: u64,
    /// Observations whose seal was checked.
    pub observations: u64,
    /// Of these, those that were derived again from the bytes heard.
    pub derived: u64,
    /// Facets that came out the same.
    pub facets: u64,
    /// Proofs that a server holds its key, checked again.
    pub proofs: u64,
    /// Observations that others made: nothing to derive from.
    pub imported: u64,
    /// Leaves whose contents were erased, by a record.
    pub erased: u64,
    /// Observations of which only what was heard was erased, by a record.
    pub captures_erased: u64,
    /// Leaves whose contents a bundle of chosen hosts leaves out.
    pub withheld: u64,
    /// Rows of results whose seal was checked.
    pub results: u64,
    /// Scopes whose digest was checked.
    pub scopes: u64,
    /// Time stamps that fit.
    pub stamps: u64,
    /// The digests of all lines.
    pub(super) digests: BTreeSet<String>,
}

impl Report {
    /// True when nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.fault_count == 0
    }

    /// Adds a fault unless a record's line has this digest.
    pub fn demand(&mut self, digest: &str) {
        if !self.digests.contains(digest) {
            self.fault("the chain", format!("a record with the digest {digest}"), "none");
        }
    }

    /// Adds a fault.
    pub(super) fn fault(&mut self, place: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) {
        self.add(Fault { place: place.into(), expected: expected.into(), found: found.into() });
    }

    pub(super) fn add(&mut self, fault: Fault) {
        self.fault_count = self.fault_count.saturating_add(1);
        if self.faults.len() < MOST {
            self.faults.push(fault);
        }
    }

    /// The whole as one JSON object, `hostkin/verify/1`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let faults: Vec<Value> = self
            .faults
            .iter()
            .map(|fault| json!({ "place": fault.place, "expected": fault.expected, "found": fault.found }))
            .collect();
        json!({
            "schema": "hostkin/verify/1", "ok": self.is_clean(), "records": self.records, "last_sha256": self.last_sha256, "last_at": self.last_at,
            "heads": self.heads, "signers": self.signers, "signed_upto": self.signed_upto,
            "observations": self.observations, "derived": self.derived, "facets": self.facets, "proofs": self.proofs,
            "imported": self.imported, "erased": self.erased, "captures_erased": self.captures_erased,
            "withheld": self.withheld, "results": self.results, "scopes": self.scopes, "stamps": self.stamps,
            "fault_count": self.fault_count, "faults": faults, "notes": self.notes,
        })
    }
}
