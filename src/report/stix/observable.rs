//! Cyber-observable objects (STIX 2.1 part 6) with the ids that the specification gives them: UUIDv5 over the canonical JSON
//! of the properties that contribute to the id (section 2.9), so that everybody's object of one address has one id.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use crate::report::canonical::canonical_json;
use crate::report::uuid::STIX_OBSERVABLES;

/// An object whose id comes from some of its properties.
///
/// `contributing` are those, `more` the others; nulls are left out. A digest list contributes its SHA-256 alone, the only one here.
fn observable(kind: &str, contributing: Value, more: Value) -> Value {
    let contributing = present(contributing);
    let id = format!("{kind}--{}", STIX_OBSERVABLES.v5(&canonical_json(&Value::Object(contributing.clone()))));
    let mut object = Map::new();
    object.insert("type".to_owned(), kind.into());
    object.insert("spec_version".to_owned(), "2.1".into());
    object.insert("id".to_owned(), id.into());
    object.extend(contributing);
    object.extend(present(more));
    Value::Object(object)
}

/// The entries that are not null.
fn present(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { return Map::new() };
    map.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

/// The id of an object.
pub(super) fn id_of(object: &Value) -> &str {
    object.get("id").and_then(Value::as_str).unwrap_or_default()
}

/// An address; `system` is the id of its AS.
pub(super) fn address(address: IpAddr, system: Option<&str>) -> Value {
    let kind = if address.is_ipv4() { "ipv4-addr" } else { "ipv6-addr" };
    observable(kind, json!({ "value": address.to_string() }), json!({ "belongs_to_refs": system.map(|one| [one]) }))
}

/// An AS.
pub(super) fn autonomous_system(number: u32) -> Value {
    observable("autonomous-system", json!({ "number": number }), json!({}))
}

/// What a connection to a service is, seen from nowhere: our own address is not said.
pub(super) fn network_traffic(to: &str, port: u16, protocols: &[&str]) -> Value {
    observable("network-traffic", json!({ "dst_ref": to, "dst_port": port, "protocols": protocols }), json!({}))
}

/// A certificate.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Certificate<'a> {
    /// SHA-256 of the DER, 64 hex digits.
    pub(super) sha256: &'a str,
    /// In hex.
    pub(super) serial: Option<&'a str>,
    /// As text.
    pub(super) issuer: Option<&'a str>,
    /// As text.
    pub(super) subject: Option<&'a str>,
    /// RFC 3339.
    pub(super) not_before: Option<&'a str>,
    /// RFC 3339.
    pub(super) not_after: Option<&'a str>,
    /// `rsa-2048` and the like.
    pub(super) key_type: Option<&'a str>,
}

impl Certificate<'_> {
    pub(super) fn object(self) -> Value {
        let key = self.key_type.filter(|text| !text.is_empty());
        observable(
            "x509-certificate",
            json!({ "hashes": { "SHA-256": self.sha256 }, "serial_number": self.serial }),
            json!({
                "issuer": self.issuer,
                "validity_not_before": self.not_before.and_then(moment),
                "validity_not_after": self.not_after.and_then(moment),
                "subject": self.subject,
                "subject_public_key_algorithm": key,
            }),
        )
    }
}

/// A stranger's time in STIX's form; `None` where it is none.
fn moment(text: &str) -> Option<String> {
    let at: crate::clock::Timestamp = text.parse().ok()?;
    let year = at.to_zoned(jiff::tz::TimeZone::UTC).year();
    (year >= 1).then(|| format!("{at:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ids are those that the reference library (stix2 3.0.2, `stix2.v21.IPv4Address(value=…)` and so on) gives.
    #[test]
    fn ids_are_those_of_the_reference_library() {
        let v4 = address("198.51.100.3".parse().unwrap(), None);
        assert_eq!(id_of(&v4), "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4");
        let v6 = address("2001:db8::7".parse().unwrap(), None);
        assert_eq!(id_of(&v6), "ipv6-addr--9ed76cd5-ab3b-55a5-b6ec-b55c3efb0be2");
        assert_eq!(id_of(&autonomous_system(64500)), "autonomous-system--0a5f7072-df00-5729-9f0a-4eb18631a446");
        let traffic = network_traffic(id_of(&v4), 443, &["tcp", "tls"]);
        assert_eq!(id_of(&traffic), "network-traffic--89974e74-0fc9-50ef-b923-74c044d434a6");
        let sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let certificate = Certificate { sha256, serial: Some("3c3d04ce"), ..Certificate::default() }.object();
        assert_eq!(id_of(&certificate), "x509-certificate--a7778894-a63c-5367-9b2f-dabd14a3575b");
    }

    #[test]
    fn what_does_not_identify_an_object_does_not_change_its_id() {
        let plain = address("198.51.100.3".parse().unwrap(), None);
        let placed = address("198.51.100.3".parse().unwrap(), Some(id_of(&autonomous_system(64500))));
        assert_eq!(id_of(&plain), id_of(&placed));
        assert!(placed.get("belongs_to_refs").is_some() && plain.get("belongs_to_refs").is_none());
    }

    #[test]
    fn a_time_that_is_none_is_left_out() {
        let sha256 = "00";
        let odd = Certificate {
            sha256,
            not_before: Some("yesterday"),
            not_after: Some("2026-01-01T00:00:00Z"),
            ..Certificate::default()
        };
        let object = odd.object();
        assert_eq!(object.get("validity_not_before"), None);
        assert_eq!(object["validity_not_after"], "2026-01-01T00:00:00.000Z");
    }
}
