//! What stands where in a bundle, `hostkin/bundle/1`.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The form's name and version.
pub(super) const SCHEMA: &str = "hostkin/bundle/1";

/// What a reader without hostkin needs to know: the same in every bundle of this form.
pub(super) const README: &str = include_str!("README.bundle.txt");

/// The names of the files that every bundle has, in their order; those between them have names made below.
pub(super) const README_FILE: &str = "README.txt";
pub(super) const RECORDS: &str = "records.jsonl";
pub(super) const DETAILS: &str = "details.jsonl";
pub(super) const SIGNATURES: &str = "signatures.jsonl";
pub(super) const RESULTS: &str = "results.jsonl";
pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const SUMS: &str = "SHA256SUMS";

pub(super) fn signer(fingerprint: &str) -> String {
    format!("signers/{fingerprint}.pem")
}

pub(super) fn scope(sha256: &str) -> String {
    format!("scopes/{sha256}.toml")
}

pub(super) fn stamp(record: u64) -> String {
    format!("stamps/{record:06}.tsr")
}

pub(super) fn observations(first: u64, last: u64) -> String {
    format!("observations/{first:09}-{last:09}.jsonl")
}

pub(super) fn capture(sha256: &str) -> String {
    format!("captures/{sha256}.cbor.zst")
}

/// How the results of a linkage are called in a fault.
pub(super) fn results_of(record: u64) -> String {
    format!("the results of record {record} (link)")
}

/// What a bundle is, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) schema: String,
    /// Null: all hosts of the case. Else the chosen ones.
    pub(super) hosts: Option<Vec<String>>,
    pub(super) records: u64,
    pub(super) last_record_sha256: String,
    pub(super) signers: Vec<String>,
    pub(super) scopes: u64,
    pub(super) leaves: u64,
    pub(super) observations: u64,
    pub(super) captures: u64,
    pub(super) results: u64,
    pub(super) stamps: u64,
}

impl Manifest {
    pub(super) fn to_text(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// A line of `signatures.jsonl`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignatureLine {
    pub(super) seq: u64,
    pub(super) public_key: String,
    pub(super) signature: String,
}

/// A line of `observations/…`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ObservationLine<'a> {
    pub(super) leaf: u64,
    pub(super) hash: String,
    #[serde(borrow)]
    pub(super) observation: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) reading: Option<&'a RawValue>,
    pub(super) path: Option<Vec<String>>,
}

/// A line of `results.jsonl`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResultLine<'a> {
    pub(super) place: u64,
    pub(super) of: u64,
    #[serde(borrow)]
    pub(super) row: &'a RawValue,
    pub(super) path: Option<Vec<String>>,
}
