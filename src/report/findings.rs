//! Results as rows (DESIGN 4.6), and the evidence table.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::Rows;
use crate::clock::Timestamp;
use crate::facet::{show_cut, show_percent};
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

/// `export clusters` for people: who and why, in short. CSV and JSON lines have all columns.
#[must_use]
pub fn clusters_in_short(findings: &Findings, sights: &Sights) -> Rows {
    let mut rows = Rows::new(&["cluster", "ip", "probability", "ports", "reasons"]);
    let none = HostSight::default();
    for cluster in &findings.clusters {
        for member in &cluster.members {
            let ports = &sights.get(&member.address).unwrap_or(&none).ports;
            let mut reasons = in_short(&member.reasons);
            if !member.against.is_empty() {
                reasons = format!("{reasons}; against: {}", in_short(&member.against));
            }
            rows.push(vec![
                json!(cluster.id),
                json!(member.address.to_string()),
                json!(show_percent(member.score)),
                json!(ports.iter().map(u16::to_string).collect::<Vec<_>>().join(" ")),
                json!(reasons),
            ]);
        }
    }
    rows
}

/// The first reason without its figures, and how many more there are.
fn in_short(reasons: &[String]) -> String {
    let Some(first) = reasons.first() else { return String::new() };
    let figures = if first.starts_with("same ") { " as " } else { " from all " };
    let first = first.split(figures).next().unwrap_or_default();
    match reasons.len() - 1 {
        0 => show_cut(first, LONGEST),
        more => format!("{} (+{more})", show_cut(first, LONGEST)),
    }
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

/// Longest value in the table, in characters.
const LONGEST: usize = 100;

/// The evidence table of one link, as text no wider than `width`: the groups that could be compared.
#[must_use]
pub fn evidence_table(evidence: &[Evidence], width: Option<u16>) -> String {
    let mut rows = Rows::new(&["group", "agrees at", "value", "in set", "others", "LR", "counted"]);
    for row in evidence.iter().filter(|row| row.observed) {
        rows.push(vec![
            json!(row.group),
            json!(row.agrees_at.as_deref().unwrap_or("nowhere")),
            json!(show_cut(row.value.as_deref().unwrap_or_default(), LONGEST)),
            json!(format!("{:.0}/{:.0}", row.in_set, row.set_size)),
            json!(format!("{}/{}", row.others, row.background)),
            json!(ratio(row.log10_lr)),
            json!(ratio(row.log10_counted)),
        ]);
    }
    let mut out = Vec::new();
    // Writing to memory does not fail.
    let _ = rows.write_table(&mut out, width);
    String::from_utf8_lossy(&out).into_owned()
}

/// A likelihood ratio as people read it, from its log10.
fn ratio(log10: f64) -> String {
    match 10f64.powf(log10) {
        ratio if log10.abs() >= 4.0 => format!("10^{:.1}", ratio.log10()),
        ratio if ratio >= 10.0 => format!("{ratio:.0}"),
        ratio if ratio >= 0.1 => format!("{ratio:.2}"),
        ratio => format!("{ratio:.4}"),
    }
}
