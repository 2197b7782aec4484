//! The named dangers of a link, each with a verdict: what has misled investigators before, and whether it explains what is
//! shared here. Works on the evidence table and on what is known of the host, so that `why` and a report say the same.
//!
//! A check *failed* when evidence that counts shows the danger's marks; its words say what is left without that evidence.
//! *Not checkable* says what is missing. A link with failed checks is not refuted: a person has to look there first.

mod rules;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::facet::{FacetKind, HostFacts};
use crate::finding::Evidence;

use rules::{Rule, Table};

pub use rules::shared_address;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckVerdict {
    /// The danger's marks were looked for and are not there.
    Passed,
    /// They are there.
    Failed,
    /// What is known does not tell.
    NotCheckable,
}

impl CheckVerdict {
    /// In words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotCheckable => "not checkable",
        }
    }
}

/// One named danger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Stable word.
    pub name: String,
    /// What it looks for, in plain words.
    pub danger: String,
    /// How it ended.
    pub verdict: CheckVerdict,
    /// Why, in plain words.
    pub words: String,
}

/// What is known beside the evidence table. What is `None` is not known, and its checks say so.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// The host's facets.
    pub facts: Option<&'a HostFacts>,
    /// Kinds whose value this host proved to hold the private key of.
    pub proven: Option<&'a BTreeSet<FacetKind>>,
    /// The hosts of its own network outside the set.
    pub nearby: Option<Nearby>,
    /// The case's newest sight of any host.
    pub as_of: Option<Timestamp>,
    /// Whether the network shared with a seed has the holder of the seed's day, by the case's files.
    pub holder: Option<&'a Holder>,
}

/// Whether a network has the holder it had before, in words of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The files name the same one.
    Same(String),
    /// They name another one.
    Changed(String),
    /// They do not tell, and what is missing.
    Unknown(String),
}

/// How common the strongest shared value is in the host's own network, outside the set: the control sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nearby {
    /// Hosts of the same network in which the value's group was observed.
    pub hosts: u64,
    /// Of these, those that show the value.
    pub showing: u64,
}

/// All checks, in a fixed order.
#[must_use]
pub fn checks(evidence: &[Evidence], known: &Known<'_>) -> Vec<Check> {
    let table = Table { evidence, known: *known };
    let rules: [(&str, &str, Rule<'_>); 17] = [
        ("cdn_front", "CDN or DDoS front", Table::cdn_front),
        ("shared_hosting", "shared hosting", Table::shared_hosting),
        ("public_image", "cloned public image or template", Table::public_image),
        ("hosters_image", "a hoster's own image", Table::hosters_image),
        ("vendor_default", "vendor's default", Table::vendor_default),
        ("ordinary_owner", "keys shared by an ordinary owner", Table::ordinary_owner),
        ("distribution_default", "distribution's default", Table::distribution_default),
        ("parked_page", "parked or suspended page", Table::parked_page),
        ("public_issuer", "public authority or snakeoil", Table::public_issuer),
        ("odd_headers", "oddness that is common", Table::odd_headers),
        ("honeypot", "honeypot", Table::honeypot),
        ("forged", "copied or forged fingerprints", Table::forged),
        ("sinkhole", "sinkhole or seized host", Table::sinkhole),
        ("stale_data", "stale data, address re-assigned", Table::stale_data),
        ("as_reissued", "AS re-issued", Table::as_reissued),
        ("scanners_echo", "the scanner seen in its own mirror", Table::scanners_echo),
        ("cloaking", "cloaking or refusal", Table::cloaking),
    ];
    rules
        .into_iter()
        .map(|(name, danger, rule)| {
            let (verdict, words) = rule(&table);
            Check { name: name.to_owned(), danger: danger.to_owned(), verdict, words }
        })
        .collect()
}
