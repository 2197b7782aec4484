//! Results as rows (DESIGN 4.6), and the evidence table.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::Rows;
use crate::clock::Timestamp;
use crate::finding::{Evidence, Findings};

/// What is known of a host beside its evidence.
#[derive(Clone, Debug, Default)]
pub struct HostSight {
    /// First sight.
    pub first_seen: Option<Timestamp>,
    /// Last sight.
    pub last_seen: Option<Timestamp>,
    /// Ports that answered.
    pub ports: Vec<u16>,
    /// Origin AS.
    pub asn: Option<u32>,
    /// Announced prefix.
    pub prefix: Option<String>,
}

/// Sights by address.
pub type Sights = BTreeMap<IpAddr, HostSight>;

/// `export clusters`.
#[must_use]
pub fn clusters(findings: &Findings, sights: &Sights) -> Rows {
    let mut rows = Rows::new(&[
        "cluster_id",
        "ip",
        "score",
        "log10_lr",
        "level",
        "first_seen",
        "last_seen",
        "ports",
        "asn",
        "prefix",
        "reasons",
        "against",
        "evidence",
    ]);
    let none = HostSight::default();
    for cluster in &findings.clusters {
        for member in &cluster.members {
            let sight = sights.get(&member.address).unwrap_or(&none);
            rows.push(vec![
                json!(cluster.id),
                json!(member.address.to_string()),
                json!(rounded(member.score)),
                json!(rounded(member.log10_lr)),
                json!(member.level.as_str()),
                time(sight.first_seen),
                time(sight.last_seen),
                json!(sight.ports),
                json!(sight.asn),
                json!(sight.prefix),
                json!(member.reasons),
                json!(member.against),
                json!(member.evidence),
            ]);
        }
    }
    rows
}

/// `export ranking`.
#[must_use]
pub fn ranking(findings: &Findings) -> Rows {
    let mut rows = Rows::new(&["provider", "seed", "ip", "score", "log10_lr", "rank", "reasons", "against"]);
    for finding in &findings.ranking {
        rows.push(vec![
            json!(finding.provider),
            json!(finding.seed),
            json!(finding.address.to_string()),
            json!(rounded(finding.score)),
            json!(rounded(finding.log10_lr)),
            json!(finding.rank),
            json!(finding.reasons),
            json!(finding.against),
        ]);
    }
    rows
}

/// Six decimals, so that the same case gives the same bytes on any machine.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

fn time(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| format!("{at:.3}").into())
}

/// The evidence table of one link, as text.
#[must_use]
pub fn evidence_table(evidence: &[Evidence]) -> String {
    let mut rows = Rows::new(&["group", "agrees at", "value", "in set", "others", "LR", "counted", "words"]);
    for row in evidence {
        rows.push(vec![
            json!(row.group),
            json!(row.agrees_at.as_deref().unwrap_or("-")),
            json!(row.value.as_deref().unwrap_or_default()),
            json!(if row.observed { format!("{:.0}/{:.0}", row.in_set, row.set_size) } else { String::new() }),
            json!(if row.observed { format!("{}/{}", row.others, row.background) } else { String::new() }),
            json!(ratio(row.log10_lr)),
            json!(ratio(row.log10_counted)),
            json!(row.words),
        ]);
    }
    let mut out = Vec::new();
    // Writing to memory does not fail.
    let _ = rows.write_table(&mut out, Some(140));
    String::from_utf8_lossy(&out).into_owned()
}

/// A likelihood ratio as people read it, from its log10.
fn ratio(log10: f64) -> String {
    if log10.abs() < 4.0 { format!("{:.3}", 10f64.powf(log10)) } else { format!("10^{log10:.1}") }
}
