//! Observations as JSON lines (DESIGN 4.3).

use serde_json::{Value, json};

use crate::facet::Facet;
use crate::observation::Observation;

/// One observation as the object of its line.
#[must_use]
pub fn observation_json(observation: &Observation, facets: &[Facet]) -> Value {
    let service = &observation.service;
    let facets: Vec<Value> = facets.iter().map(Facet::to_json).collect();
    let (sent, heard) = observation.wire_bytes();
    let mut object = json!({
        "schema": "hostkin/observation/1",
        "ip": service.address.to_string(),
        "port": service.port,
        "protocol": service.speech.as_str(),
        "name": service.name,
        "outcome": observation.outcome.as_str(),
        "detail": observation.detail,
        "started_at": format!("{:.3}", observation.started_at),
        "connections": observation.connections(),
        "bytes_sent": sent,
        "bytes_heard": heard,
        "facets": facets,
    });
    if observation.over_tls
        && let Some(map) = object.as_object_mut()
    {
        map.insert("over".to_owned(), "tls".into());
    }
    object
}
