//! Observations as JSON lines (DESIGN 4.3) and as rows of plain columns.

use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::facet::{Facet, show_bytes};
use crate::observation::{Observation, Outcome};
use crate::store::{StoredFacet, StoredObservation};

/// One observation as the object of its line.
#[must_use]
pub fn observation_json(observation: &Observation, facets: &[Facet]) -> Value {
    let service = &observation.service;
    let (bytes_sent, bytes_heard) = observation.wire_bytes();
    let line = Line {
        ip: service.address.to_string(),
        port: service.port,
        protocol: service.speech.as_str(),
        over_tls: observation.over_tls,
        name: service.name.as_deref(),
        outcome: observation.outcome,
        detail: observation.detail.as_deref(),
        started_at: observation.started_at,
        connections: observation.connections(),
        bytes_sent,
        bytes_heard,
    };
    line.object(&facets.iter().map(Facet::to_json).collect::<Vec<_>>())
}

/// A stored observation as the object of its line.
#[must_use]
pub fn stored_observation_json(one: &StoredObservation) -> Value {
    let line = Line {
        ip: one.address.to_string(),
        port: one.port,
        protocol: &one.protocol,
        over_tls: one.over_tls,
        name: one.name.as_deref(),
        outcome: one.outcome,
        detail: one.detail.as_deref(),
        started_at: one.started_at,
        connections: one.connections,
        bytes_sent: one.bytes_sent,
        bytes_heard: one.bytes_heard,
    };
    line.object(&one.facets.iter().map(StoredFacet::to_json).collect::<Vec<_>>())
}

/// The columns of [`observation_row`].
pub const OBSERVATION_COLUMNS: [&str; 9] =
    ["ip", "port", "protocol", "name", "outcome", "detail", "started_at", "connections", "facets"];

/// A stored observation as a row of plain columns.
#[must_use]
pub fn observation_row(one: &StoredObservation) -> Vec<Value> {
    let facets: Vec<String> =
        one.facets.iter().map(|facet| format!("{}={}", facet.kind, show_bytes(&facet.value))).collect();
    let protocol = if one.over_tls { format!("{}/tls", one.protocol) } else { one.protocol.clone() };
    vec![
        json!(one.address.to_string()),
        json!(one.port),
        json!(protocol),
        json!(one.name),
        json!(one.outcome.as_str()),
        json!(one.detail),
        json!(format!("{:.3}", one.started_at)),
        json!(one.connections),
        json!(facets),
    ]
}

/// What a line says beside its facets.
struct Line<'a> {
    ip: String,
    port: u16,
    protocol: &'a str,
    over_tls: bool,
    name: Option<&'a str>,
    outcome: Outcome,
    detail: Option<&'a str>,
    started_at: Timestamp,
    connections: u64,
    bytes_sent: u64,
    bytes_heard: u64,
}

impl Line<'_> {
    fn object(&self, facets: &[Value]) -> Value {
        let mut object = json!({
            "schema": "hostkin/observation/1",
            "ip": self.ip,
            "port": self.port,
            "protocol": self.protocol,
            "name": self.name,
            "outcome": self.outcome.as_str(),
            "detail": self.detail,
            "started_at": format!("{:.3}", self.started_at),
            "connections": self.connections,
            "bytes_sent": self.bytes_sent,
            "bytes_heard": self.bytes_heard,
            "facets": facets,
        });
        if self.over_tls
            && let Some(map) = object.as_object_mut()
        {
            map.insert("over".to_owned(), "tls".into());
        }
        object
    }
}
