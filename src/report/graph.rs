//! The clusters as a graph for graph tools: hosts, clusters, ASes and the values that hosts share.
//!
//! No host pairs: hosts are joined by the values they show, each edge with the weight its evidence was counted at.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Rows;
use super::dossier::{Dossier, hex};
use crate::facet::{escape_html, show_cut};

/// Evidence counted at less joins nothing.
const LEAST_WEIGHT: f64 = 0.3;
/// Longest label.
const LONGEST: usize = 120;

const NODE_COLUMNS: [&str; 8] = ["id", "type", "label", "score", "first_seen", "last_seen", "asn", "prefix"];
const EDGE_COLUMNS: [&str; 5] = ["source", "target", "type", "weight", "label"];

/// Nodes as rows.
#[must_use]
pub fn nodes(dossier: &Dossier) -> Rows {
    drawn(dossier).0
}

/// Edges as rows.
#[must_use]
pub fn edges(dossier: &Dossier) -> Rows {
    drawn(dossier).1
}

fn drawn(dossier: &Dossier) -> (Rows, Rows) {
    let mut nodes = BTreeMap::<String, Vec<Value>>::new();
    let mut edges = BTreeSet::<(String, String, &str)>::new();
    let mut edge_rows = Rows::new(&EDGE_COLUMNS);
    let mut join = |rows: &mut Rows, from: &str, to: &str, how: &'static str, weight: f64, label: &str| {
        if edges.insert((from.to_owned(), to.to_owned(), how)) {
            let weight = (weight * 1e6).round() / 1e6;
            rows.push(vec![json!(from), json!(to), json!(how), json!(weight), json!(show_cut(label, LONGEST))]);
        }
    };
    let plain = |id: &str, kind: &str, label: &str| {
        let nothing = std::iter::repeat_n(Value::Null, NODE_COLUMNS.len() - 3);
        [json!(id), json!(kind), json!(show_cut(label, LONGEST))].into_iter().chain(nothing).collect::<Vec<_>>()
    };
    for cluster in &dossier.clusters {
        let cluster_id = format!("cluster:{}", cluster.id);
        nodes.insert(cluster_id.clone(), plain(&cluster_id, "cluster", &cluster.id));
        for host in &cluster.hosts {
            let host_id = format!("host:{}", host.address);
            let time = |at: Option<crate::clock::Timestamp>| at.map_or(Value::Null, |at| json!(format!("{at:.3}")));
            let row = vec![
                json!(host_id),
                json!("host"),
                json!(host.address.to_string()),
                json!((host.score * 1e6).round() / 1e6),
                time(host.first_seen),
                time(host.last_seen),
                json!(host.asn),
                json!(host.prefix),
            ];
            nodes.insert(host_id.clone(), row);
            join(&mut edge_rows, &cluster_id, &host_id, "consists-of", host.score, "");
            if let Some(asn) = host.asn {
                let system = format!("as:{asn}");
                nodes.insert(system.clone(), plain(&system, "as", &format!("AS{asn}")));
                join(&mut edge_rows, &host_id, &system, "announced-by", 1.0, "");
            }
            for one in host.evidence.iter().filter(|one| one.log10_counted >= LEAST_WEIGHT) {
                let (Some(at), Some(value)) = (&one.agrees_at, &one.value) else { continue };
                let digest = hex(&Sha256::digest(format!("{at}\0{value}")));
                let value_id = format!("value:{}", digest.get(..16).unwrap_or_default());
                nodes.insert(value_id.clone(), plain(&value_id, &one.group, &format!("{at} {value}")));
                join(&mut edge_rows, &host_id, &value_id, "shows", one.log10_counted, at);
            }
        }
    }
    let mut node_rows = Rows::new(&NODE_COLUMNS);
    for row in nodes.into_values() {
        node_rows.push(row);
    }
    (node_rows, edge_rows)
}

/// GraphML (graphml.graphdrawing.org), as Gephi, yEd, Cytoscape and NetworkX read it.
#[must_use]
pub fn graphml(dossier: &Dossier) -> String {
    let (nodes, edges) = drawn(dossier);
    let mut out = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">\n",
    );
    let mut keys = |columns: &[&str], of: &str| {
        for name in columns {
            let kind = if ["score", "weight"].contains(name) {
                "double"
            } else if *name == "asn" {
                "long"
            } else {
                "string"
            };
            let _ = writeln!(out, "  <key id=\"{of}.{name}\" for=\"{of}\" attr.name=\"{name}\" attr.type=\"{kind}\"/>");
        }
    };
    keys(NODE_COLUMNS.get(1..).unwrap_or_default(), "node");
    keys(EDGE_COLUMNS.get(2..).unwrap_or_default(), "edge");
    let _ = writeln!(out, "  <graph id=\"{}\" edgedefault=\"directed\">", dossier.namespace().v5("graph"));
    let data = |row: &[Value], columns: &[&str], of: &str, skip: usize| -> String {
        let present = columns.iter().zip(row).skip(skip).filter(|(_, value)| !value.is_null());
        present.fold(String::new(), |mut out, (name, value)| {
            let _ = write!(out, "<data key=\"{of}.{name}\">{}</data>", text(value));
            out
        })
    };
    for row in &nodes.rows {
        let id = row.first().map(text).unwrap_or_default();
        let _ = writeln!(out, "    <node id=\"{id}\">{}</node>", data(row, &NODE_COLUMNS, "node", 1));
    }
    for row in &edges.rows {
        let [from, to] = [0, 1].map(|at| row.get(at).map(text).unwrap_or_default());
        let _ =
            writeln!(out, "    <edge source=\"{from}\" target=\"{to}\">{}</edge>", data(row, &EDGE_COLUMNS, "edge", 2));
    }
    out.push_str("  </graph>\n</graphml>\n");
    out
}

/// A value as XML text: what XML 1.0 cannot hold is written as `\u{…}`.
fn text(value: &Value) -> String {
    let shown = super::plain(value).replace(['\u{fffe}', '\u{ffff}'], "\\u{fffe}");
    escape_html(&shown)
}
