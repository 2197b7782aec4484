//! A STIX 2.1 bundle (OASIS Standard, 10 June 2021): one infrastructure per cluster, its addresses, what each service showed,
//! and why each host is in.
//!
//! Ids: cyber-observable objects have the ids that the specification gives them ([`observable`]); all other objects have
//! UUIDv5 names in the namespace of the case ([`Dossier::namespace`]), so that a later export updates what an earlier one
//! made: `created` is the case's opening, `modified` its last change. Fingerprints, for which STIX has no property, are a
//! property extension of observed-data that the bundle itself defines.

mod observable;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value, json};

use self::observable::{Certificate, address, autonomous_system, id_of, network_traffic};
use super::dossier::{Dossier, SharedCluster, SharedFacet, SharedHost, SharedService, Standing};
use super::marking::{Marking, Tlp};
use super::uuid::{HOSTKIN, Uuid};
use crate::clock::Timestamp;
use crate::facet::FacetKind;

/// The extension that OASIS defined for TLP 2.0 markings.
const TLP_EXTENSION: &str = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d";
/// When that was made, and when ours was.
const TLP_CREATED: &str = "2022-10-01T00:00:00.000Z";
const OURS_CREATED: &str = "2026-11-22T00:00:00.000Z";

/// How long an indicator holds after the last sight.
const INDICATOR_DAYS: i64 = 90;

/// The bundle. With `promote`, hosts that a person confirmed are indicators too.
#[must_use]
pub fn stix(dossier: &Dossier, marking: Marking, promote: bool) -> Value {
    let mut bundle = Bundle::new(dossier, marking);
    for cluster in &dossier.clusters {
        bundle.cluster(cluster, promote);
    }
    bundle.finish()
}

struct Bundle<'a> {
    dossier: &'a Dossier,
    namespace: Uuid,
    marking: Marking,
    created: String,
    modified: String,
    creator: String,
    pap: String,
    extension: String,
    objects: Vec<Value>,
}

impl<'a> Bundle<'a> {
    fn new(dossier: &'a Dossier, marking: Marking) -> Self {
        let case = &dossier.case;
        let creator =
            HOSTKIN.v5(&format!("identity/{}/{}", case.authority, case.contact.as_deref().unwrap_or_default()));
        let mut bundle = Self {
            dossier,
            namespace: dossier.namespace(),
            marking,
            created: time(case.opened_at),
            modified: time(case.as_of.max(case.opened_at)),
            creator: format!("identity--{creator}"),
            pap: format!("marking-definition--{}", HOSTKIN.v5(&format!("marking/{}", marking.pap))),
            extension: format!("extension-definition--{}", HOSTKIN.v5("extension/fingerprints/1")),
            objects: Vec::new(),
        };
        bundle.preamble();
        bundle
    }

    /// What every other object refers to: markings, who observed, the extension.
    fn preamble(&mut self) {
        let case = &self.dossier.case;
        let tlp = self.marking.tlp;
        self.objects.push(tlp_definition(tlp));
        self.objects.push(json!({
            "type": "marking-definition", "spec_version": "2.1", "id": self.pap, "created": OURS_CREATED,
            "definition_type": "statement",
            "definition": { "statement": format!("{}: {}", self.marking.pap, self.marking.pap.words()) },
        }));
        let tool = format!("identity--{}", HOSTKIN.v5("identity/hostkin"));
        self.objects.push(json!({
            "type": "identity", "spec_version": "2.1", "id": tool, "created": OURS_CREATED, "modified": OURS_CREATED,
            "name": "hostkin", "identity_class": "system",
            "description": "the program whose property extension this bundle uses",
        }));
        self.objects.push(json!({
            "type": "extension-definition", "spec_version": "2.1", "id": self.extension, "created_by_ref": tool,
            "created": OURS_CREATED, "modified": OURS_CREATED,
            "name": "hostkin fingerprints",
            "description": "JARM, JA3S, hasshServer, SSH host keys, HHHash and other facets of a service, with the digests of the raw captures",
            "schema": include_str!("fingerprints.schema.json"),
            "version": "1.0.0", "extension_types": ["property-extension"],
        }));
        let mut identity = json!({
            "type": "identity", "spec_version": "2.1", "id": self.creator, "created": self.created, "modified": self.created,
            "name": case.authority, "identity_class": "organization",
        });
        set(&mut identity, "contact_information", case.contact.as_deref().map(Value::from));
        self.objects.push(identity);
    }

    fn cluster(&mut self, cluster: &SharedCluster, promote: bool) {
        let infrastructure = self.id("infrastructure", &cluster.id);
        let hosts: Vec<&SharedHost> = cluster.hosts.iter().filter(|host| host.standing != Standing::Rejected).collect();
        let mut object = self.domain_object("infrastructure", &infrastructure);
        let words = if cluster.seeded {
            format!(
                "{} hosts likely run by one provider, grown from confirmed seeds; case \"{}\". Each relationship says how likely and why.",
                hosts.len(),
                self.dossier.case.title
            )
        } else {
            format!(
                "A hypothesis without a confirmed seed: {} hosts that share habits; case \"{}\"",
                hosts.len(),
                self.dossier.case.title
            )
        };
        set(&mut object, "name", Some(cluster.id.clone().into()));
        set(&mut object, "description", Some(words.into()));
        set(&mut object, "infrastructure_types", Some(json!(["unknown"])));
        let first = hosts.iter().filter_map(|host| host.first_seen).min();
        let last = hosts.iter().filter_map(|host| host.last_seen).max();
        set(&mut object, "first_seen", first.map(|at| time(at).into()));
        // STIX wants the last after the first, not with it.
        set(&mut object, "last_seen", last.filter(|last| Some(*last) > first).map(|at| time(at).into()));
        self.objects.push(object);
        let mut within = vec![infrastructure.clone()];
        for host in hosts {
            within.extend(self.host(cluster, host, &infrastructure, promote));
        }
        let mut grouping = self.domain_object("grouping", &self.id("grouping", &cluster.id));
        set(&mut grouping, "name", Some(format!("{}: {}", self.dossier.case.title, cluster.id).into()));
        set(&mut grouping, "context", Some("suspicious-activity".into()));
        set(&mut grouping, "object_refs", Some(within.into()));
        self.objects.push(grouping);
    }

    /// Everything about one host. Gives the ids of what was made.
    fn host(&mut self, cluster: &SharedCluster, host: &SharedHost, infrastructure: &str, promote: bool) -> Vec<String> {
        let system = host.asn.map(autonomous_system);
        let at = address(host.address, system.as_ref().map(id_of));
        let name = format!("{}/{}", cluster.id, host.address);
        let mut made = vec![id_of(&at).to_owned()];
        made.extend(system.as_ref().map(|system| id_of(system).to_owned()));

        let mut relationship = self.domain_object("relationship", &self.id("relationship", &name));
        set(&mut relationship, "relationship_type", Some("consists-of".into()));
        set(&mut relationship, "source_ref", Some(infrastructure.into()));
        set(&mut relationship, "target_ref", Some(id_of(&at).into()));
        set(&mut relationship, "confidence", Some(host.percent().into()));
        set(&mut relationship, "description", Some(summary(host).into()));
        let mut note = self.domain_object("note", &self.id("note", &name));
        set(&mut note, "abstract", Some(format!("Why {} is counted to {}", host.address, cluster.id).into()));
        set(&mut note, "content", Some(reasons(host).into()));
        set(&mut note, "object_refs", Some(json!([id_of(&relationship), id_of(&at)])));
        made.extend([&relationship, &note].map(|one| id_of(one).to_owned()));
        self.objects.extend([relationship, note]);
        if promote && host.standing == Standing::Confirmed {
            made.extend(self.indicator(host, &name, infrastructure));
        }
        for service in self.dossier.services(host.address) {
            made.extend(self.service(host, service, &at, system.as_ref()));
        }
        self.objects.push(at);
        self.objects.extend(system);
        made
    }

    fn indicator(&mut self, host: &SharedHost, name: &str, infrastructure: &str) -> Vec<String> {
        let kind = if host.address.is_ipv4() { "ipv4-addr" } else { "ipv6-addr" };
        let from = host.last_seen.unwrap_or(self.dossier.case.as_of);
        let until = from.saturating_add(jiff::SignedDuration::from_hours(24 * INDICATOR_DAYS)).unwrap_or(from);
        let mut indicator = self.domain_object("indicator", &self.id("indicator", name));
        set(&mut indicator, "name", Some(host.address.to_string().into()));
        set(&mut indicator, "description", Some("confirmed by an analyst; see the note on this host".into()));
        set(&mut indicator, "indicator_types", Some(json!(["malicious-activity"])));
        set(&mut indicator, "pattern", Some(format!("[{kind}:value = '{}']", host.address).into()));
        set(&mut indicator, "pattern_type", Some("stix".into()));
        set(&mut indicator, "valid_from", Some(time(from).into()));
        set(&mut indicator, "valid_until", Some(time(until).into()));
        let mut relationship =
            self.domain_object("relationship", &self.id("relationship", &format!("indicates/{name}")));
        set(&mut relationship, "relationship_type", Some("indicates".into()));
        set(&mut relationship, "source_ref", Some(id_of(&indicator).into()));
        set(&mut relationship, "target_ref", Some(infrastructure.into()));
        let made = [&indicator, &relationship].map(|one| id_of(one).to_owned());
        self.objects.extend([indicator, relationship]);
        made.to_vec()
    }

    /// One service: the traffic, its certificates, and an observed-data with all that it showed.
    fn service(
        &mut self,
        host: &SharedHost,
        service: &SharedService,
        at: &Value,
        system: Option<&Value>,
    ) -> Vec<String> {
        let mut refs = vec![id_of(at).to_owned()];
        refs.extend(system.map(|system| id_of(system).to_owned()));
        let mut protocols = vec!["tcp"];
        if service.over_tls && service.protocol != "tls" {
            protocols.push("tls");
        }
        if ["tls", "http", "ssh", "rdp"].contains(&service.protocol.as_str()) {
            protocols.push(&service.protocol);
        }
        if service.port != 0 {
            let traffic = network_traffic(id_of(at), service.port, &protocols);
            refs.push(id_of(&traffic).to_owned());
            self.objects.push(traffic);
        }
        for leaf in service.certificates() {
            if let Some(certificate) = certificate(leaf) {
                refs.push(id_of(&certificate).to_owned());
                self.objects.push(certificate);
            }
        }
        refs.sort();
        refs.dedup();
        let asked = service.name.as_deref().unwrap_or_default();
        let name = format!("{}/{}/{}/{}/{asked}", host.address, service.port, service.protocol, service.over_tls);
        let mut object = self.domain_object("observed-data", &self.id("observed-data", &name));
        set(&mut object, "first_observed", Some(time(service.first).into()));
        set(&mut object, "last_observed", Some(time(service.last).into()));
        set(&mut object, "number_observed", Some(service.count.clamp(1, 999_999_999).into()));
        set(&mut object, "object_refs", Some(refs.clone().into()));
        let extension = Value::Object(Map::from_iter([(self.extension.clone(), fingerprints(host, service))]));
        set(&mut object, "extensions", Some(extension));
        refs.push(id_of(&object).to_owned());
        self.objects.push(object);
        refs
    }

    /// An id in the namespace of the case. One host in two clusters has two relationships, and one observed-data.
    fn id(&self, kind: &str, name: &str) -> String {
        format!("{kind}--{}", self.namespace.v5(&format!("{kind}/{name}")))
    }

    fn domain_object(&self, kind: &str, id: &str) -> Value {
        json!({
            "type": kind, "spec_version": "2.1", "id": id, "created_by_ref": self.creator,
            "created": self.created, "modified": self.modified,
        })
    }

    /// Marks every object, orders them, and leaves doubles out: one address may be in two clusters.
    fn finish(mut self) -> Value {
        let marks = json!([self.marking.tlp.stix_id(), self.pap]);
        for object in &mut self.objects {
            let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
            if !["marking-definition", "extension-definition"].contains(&kind) {
                set(object, "object_marking_refs", Some(marks.clone()));
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        for object in &mut self.objects {
            // A grouping names each object once.
            if let Some(Value::Array(refs)) = object.get_mut("object_refs") {
                let mut known = std::collections::BTreeSet::new();
                refs.retain(|one| known.insert(one.as_str().unwrap_or_default().to_owned()));
            }
        }
        self.objects.retain(|object| seen.insert(id_of(object).to_owned()));
        let id = self.namespace.v5(&format!("bundle/{}/{}", self.modified, self.marking.tlp));
        json!({ "type": "bundle", "id": format!("bundle--{id}"), "objects": self.objects })
    }
}

/// OASIS's own marking definition for a TLP 2.0 label, as published.
fn tlp_definition(tlp: Tlp) -> Value {
    let extension = json!({ "extension_type": "property-extension", "tlp_2_0": tlp.as_str() });
    json!({
        "type": "marking-definition", "spec_version": "2.1", "id": tlp.stix_id(), "created": TLP_CREATED,
        "name": tlp.to_string(),
        "extensions": Map::from_iter([(TLP_EXTENSION.to_owned(), extension)]),
    })
}

/// The observable of a certificate; `None` where its digest is no SHA-256, as imports may have it.
fn certificate(facets: &[SharedFacet]) -> Option<Value> {
    let text = |kind| facets.iter().find(|facet| facet.kind == kind).map(|facet| facet.text.as_str());
    let hex = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let sha256 = text(FacetKind::CertSha256).filter(|text| hex(text) && text.len() == 64)?;
    let certificate = Certificate {
        sha256,
        serial: text(FacetKind::CertSerial).filter(hex),
        issuer: text(FacetKind::CertIssuer),
        subject: text(FacetKind::CertSubject),
        not_before: text(FacetKind::CertNotBefore),
        not_after: text(FacetKind::CertNotAfter),
        key_type: text(FacetKind::CertKeyType),
    };
    Some(certificate.object())
}

/// The property extension: what the service showed.
fn fingerprints(host: &SharedHost, service: &SharedService) -> Value {
    let mut at =
        json!({ "address": host.address.to_string(), "protocol": service.protocol, "over_tls": service.over_tls });
    set(&mut at, "port", (service.port != 0).then(|| service.port.into()));
    set(&mut at, "name", service.name.as_deref().map(Value::from));
    let facets: Vec<Value> = service.facets.iter().map(facet).collect();
    let mut extension = json!({ "extension_type": "property-extension", "service": at, "facets": facets });
    // STIX allows no empty list: imports have no captures.
    set(&mut extension, "captures_sha256", (!service.captures.is_empty()).then(|| service.captures.clone().into()));
    extension
}

fn facet(facet: &SharedFacet) -> Value {
    let mut object = json!({ "kind": facet.kind.as_str(), "value": facet.text });
    set(&mut object, "bytes", facet.exact.as_ref().map(|bytes| BASE64.encode(bytes).into()));
    if let Some(map) = object.as_object_mut() {
        map.extend(
            facet.extra.iter().filter(|(key, _)| *key != "bytes").map(|(key, value)| (key.clone(), value.clone())),
        );
    }
    object
}

/// One line on a host.
fn summary(host: &SharedHost) -> String {
    let first = host.reasons.first().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!(
        "probability {}, log10 of the likelihood ratio {:.2}{first}",
        crate::facet::show_percent(host.score),
        host.log10_lr
    )
}

/// All reasons, as text.
fn reasons(host: &SharedHost) -> String {
    let list = |title: &str, items: &[String]| {
        if items.is_empty() { String::new() } else { format!("\n\n{title}\n- {}", items.join("\n- ")) }
    };
    format!(
        "{} Level of the claim: {}.{}{}",
        "Shared habits, weighed group by group against the hosts of the case that are not the provider's; a probability, not a proof.",
        host.level.as_str(),
        list("For:", &host.reasons),
        list("Against:", &host.against)
    )
}

fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Sets a property, unless there is nothing to set.
fn set(object: &mut Value, key: &str, value: Option<Value>) {
    if let (Some(map), Some(value)) = (object.as_object_mut(), value) {
        map.insert(key.to_owned(), value);
    }
}
