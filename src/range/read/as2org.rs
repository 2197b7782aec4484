//! CAIDA's AS-to-organisation files (<https://www.caida.org/catalog/datasets/as-organizations/>): two tables in one, each behind
//! a `# format:` line that names its columns; or JSON lines of `type` `Organization` and `ASN`.

use std::io::BufRead;

use serde::Deserialize;

use super::error::ReadError;
use super::lines::each_line;
use super::out::Out;
use super::text::{bounded, date, some};
use crate::range::fact::{AsInfo, Fact, Organisation};

/// One line of the JSON form.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Json {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    asn: String,
    #[serde(default)]
    changed: String,
    #[serde(default)]
    country: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    organization_id: String,
    #[serde(default)]
    opaque_id: String,
    #[serde(default)]
    source: String,
}

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    out.call("as2org");
    let mut columns: Vec<String> = Vec::new();
    each_line(input, out, |line, _, out| {
        if let Some(format) = line.strip_prefix("# format:") {
            columns = format.trim().split('|').take(16).map(str::to_owned).collect();
            return Ok(true);
        }
        if line.starts_with('#') {
            return Ok(true);
        }
        let fact = if line.starts_with('{') { of_json(line) } else { of_columns(line, &columns) };
        fact.map_or(Ok(false), |fact| out.fact(fact).map(|()| true))
    })
}

fn of_json(line: &str) -> Option<Fact> {
    let json: Json = serde_json::from_str(line).ok()?;
    match json.kind.as_str() {
        "ASN" => Some(Fact::AsInfo(AsInfo {
            asn: json.asn.parse().ok()?,
            name: bounded(&json.name),
            org: some(&json.organization_id),
            opaque_id: some(&json.opaque_id),
            changed: date(&json.changed),
            source: bounded(&json.source),
            ..AsInfo::default()
        })),
        "Organization" => Some(Fact::Organisation(Organisation {
            id: some(&json.organization_id)?,
            name: bounded(&json.name),
            country: bounded(&json.country),
            source: bounded(&json.source),
        })),
        _ => None,
    }
}

fn of_columns(line: &str, columns: &[String]) -> Option<Fact> {
    let fields: Vec<&str> = line.split('|').collect();
    let get = |names: &[&str]| {
        let place = columns.iter().position(|column| names.contains(&column.as_str()))?;
        fields.get(place).copied()
    };
    if fields.len() != columns.len() {
        return None;
    }
    let text = |names: &[&str]| get(names).map(bounded).unwrap_or_default();
    match get(&["aut"]) {
        Some(asn) => Some(Fact::AsInfo(AsInfo {
            asn: asn.parse().ok()?,
            name: text(&["aut_name", "name"]),
            org: get(&["org_id"]).and_then(some),
            opaque_id: get(&["opaque_id"]).and_then(some),
            changed: get(&["changed"]).and_then(date),
            source: text(&["source"]),
            ..AsInfo::default()
        })),
        None => Some(Fact::Organisation(Organisation {
            id: get(&["org_id"]).and_then(some)?,
            name: text(&["org_name", "name"]),
            country: text(&["country"]),
            source: text(&["source"]),
        })),
    }
}
