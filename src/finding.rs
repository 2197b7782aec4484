//! The nouns that the linkage hands on: how much the shared habits of one host move the odds, with every reason.
//!
//! `link` makes them, `store` keeps them, `report` shows them. Nothing here computes.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// The level at which a claim holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing beyond chance.
    Chance,
    /// Both run the same distribution's defaults.
    Distribution,
    /// Both use the same vendor's panel, appliance or image.
    Vendor,
    /// Both serve the same customer's content.
    Tenant,
    /// Both are set up by the same provider.
    Provider,
}

impl Level {
    /// The stable word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chance => "chance",
            Self::Distribution => "distribution",
            Self::Vendor => "vendor",
            Self::Tenant => "tenant",
            Self::Provider => "provider",
        }
    }
}

/// One row of the evidence table: what one group of facets says. Levels within a group are alternatives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The group's stable word.
    pub group: String,
    /// The facet kind at which host and set agree; `None` when they agree nowhere or nothing was observed.
    pub agrees_at: Option<String>,
    /// The value they share, shown with `facet::show_bytes`, whole up to 4,096 characters.
    pub value: Option<String>,
    /// Weight of the set's members that show the value.
    pub in_set: f64,
    /// Weight of the set's members in which the group was observed.
    pub set_size: f64,
    /// Hosts outside the set that show the value.
    pub others: u64,
    /// Hosts outside the set in which the group was observed.
    pub background: u64,
    /// log10 of the likelihood ratio as measured.
    pub log10_lr: f64,
    /// log10 of the likelihood ratio as counted, after discounts and caps.
    pub log10_counted: f64,
    /// False when the host did not show this group at all: no weight either way.
    pub observed: bool,
    /// Whose known default the shared value is (`vendor`, `distribution`), if it is one.
    #[serde(default)]
    pub default_of: Option<String>,
    /// How alike the holders of the shared value are in other things, 0 to 1; the value counts for so much. 1 where this is
    /// not judged.
    #[serde(default = "in_full")]
    pub likeness: f64,
    /// Plain words for a reader who is no engineer.
    pub words: String,
}

/// What results of earlier versions say of likeness.
fn in_full() -> f64 {
    1.0
}

/// What is found of one host against one provider or cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The provider's name as its seeds give it, or the cluster's id for clusters without a seed.
    pub provider: String,
    /// The provider's first seed; empty for clusters without a seed.
    pub seed: String,
    /// The host.
    pub address: IpAddr,
    /// Calibrated probability that the host is the provider's.
    pub score: f64,
    /// log10 of all counted evidence.
    pub log10_lr: f64,
    /// The same without the strongest group.
    pub log10_lr_without_strongest: f64,
    /// Place among the provider's hosts, from 1.
    pub rank: u64,
    /// What the claim can be.
    pub level: Level,
    /// In plain words, strongest first.
    pub reasons: Vec<String>,
    /// What speaks against, strongest first.
    pub against: Vec<String>,
    /// Group by group.
    pub evidence: Vec<Evidence>,
}

/// A set of hosts of likely one provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// Stable id: the provider's name, or `c-` and a number by size.
    pub id: String,
    /// True when it grew from a seed; otherwise it is a hypothesis.
    pub seeded: bool,
    /// How much the set's own inner checks support that it is one provider's, 0 to 1.
    pub purity: f64,
    /// Its hosts, best first.
    pub members: Vec<Finding>,
}

/// Everything one linkage gave.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Findings {
    /// Name and version of the weights used.
    pub weights: String,
    /// Hosts that took part.
    pub hosts: u64,
    /// Hosts that form the background.
    pub background: u64,
    /// For each provider the hosts with score >= 0.001, best first.
    pub ranking: Vec<Finding>,
    /// Clusters, those with seeds first.
    pub clusters: Vec<Cluster>,
}

/// A confirmed host of a provider, or a facet known to be a provider's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seed {
    /// The provider's name; seeds of one name are one provider. Without a name: `seeds`.
    pub provider: String,
    /// What is confirmed.
    pub subject: Subject,
    /// Why, in the investigator's words.
    pub why: String,
    /// Who says so.
    pub source: Option<String>,
    /// The date it holds for.
    pub date: Option<Timestamp>,
    /// When it was written down.
    pub recorded_at: Timestamp,
}

/// What a seed or verdict is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// An address.
    Host(IpAddr),
    /// A facet: its kind's name and its value.
    Facet(String, String),
}

/// An analyst's word on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The provider it is about.
    pub provider: String,
    /// The host.
    pub address: IpAddr,
    /// True: it is the provider's. False: it is not.
    pub confirmed: bool,
    /// Why, in the analyst's words.
    pub why: String,
    /// When it was written down.
    pub recorded_at: Timestamp,
}
