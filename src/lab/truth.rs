//! What is true of a street. The pipeline never reads this; the demo's last step and tests do.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::plan::{Host, Plan, SeedRank};

/// What a fair judge expects of one host, given a seed of one provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// It shows at least two groups of its provider's habits: it can be found, and must be.
    InCluster,
    /// It is somebody else's, or says nothing: naming it would be a false accusation.
    NotInCluster,
    /// It is the provider's but shows too little to tell.
    Either,
}

/// What is true of one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruthRow {
    /// The address.
    pub address: IpAddr,
    /// Who runs it; `None` for people on their own.
    pub provider: Option<String>,
    /// What it plays in the street.
    pub role: String,
    /// Ports that accept a connection, ascending.
    pub open: Vec<u16>,
    /// Whether anything can be heard from it.
    pub answers: bool,
    /// Whether it is found from a seed of the first provider.
    pub expected: Expected,
    /// True for the control sample.
    pub control: bool,
    /// Set when it makes a seed for its provider.
    pub seed: Option<SeedRank>,
    /// One line on why it is here.
    pub note: String,
}

impl Plan {
    /// What is true of every address, seen from a seed of the first provider.
    #[must_use]
    pub fn truth(&self) -> Vec<TruthRow> {
        self.truth_for(&self.first)
    }

    /// What is true of every address, seen from a seed of `provider`.
    #[must_use]
    pub fn truth_for(&self, provider: &str) -> Vec<TruthRow> {
        self.hosts.iter().map(|host| row(host, provider)).collect()
    }

    /// [`Plan::truth`] as JSON lines.
    #[must_use]
    pub fn truth_jsonl(&self) -> String {
        let lines = self.truth().into_iter().filter_map(|row| serde_json::to_string(&row).ok());
        lines.map(|line| line + "\n").collect()
    }
}

fn row(host: &Host, provider: &str) -> TruthRow {
    let mut open: Vec<u16> = host.offers.iter().map(|offer| offer.port).collect();
    open.sort_unstable();
    TruthRow {
        address: host.address.into(),
        provider: host.provider.clone(),
        role: host.role.to_owned(),
        open,
        answers: host.answers(),
        expected: expected(host, provider),
        control: host.control,
        seed: host.seed,
        note: host.note.clone(),
    }
}

fn expected(host: &Host, provider: &str) -> Expected {
    if host.provider.as_deref() != Some(provider) || !host.answers() {
        Expected::NotInCluster
    } else if host.habits.len() >= 2 {
        Expected::InCluster
    } else {
        Expected::Either
    }
}
