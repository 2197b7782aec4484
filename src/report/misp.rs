//! A MISP event (MISP core format; objects by the templates of misp-objects): one infrastructure object per cluster, and what
//! each service of its hosts showed.
//!
//! `to_ids` is false throughout, since a shared habit is no reason to block anybody at once; `promote` sets it for the
//! addresses that a person confirmed. All UUIDs are names in the namespace of the case, so that a later import updates.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::dossier::{Dossier, SharedCluster, SharedFacet, SharedHost, SharedService, Standing};
use super::marking::Marking;
use super::uuid::{HOSTKIN, Uuid};
use crate::clock::Timestamp;
use crate::facet::{FacetKind, show_cut, show_percent};

/// A template of misp-objects: name, category, UUID, version.
struct Template(&'static str, &'static str, &'static str, u32);

const IP_PORT: Template = Template("ip-port", "network", "9f8cea74-16fe-4968-a2b4-026676949ac6", 10);
const X509: Template = Template("x509", "network", "d1ab756a-26b5-4349-9f43-765630f0911c", 14);
const JARM: Template = Template("jarm", "network", "8220ce60-ce3f-4be4-afa9-743f94ec37e0", 1);
const HHHASH: Template = Template("hhhash", "misc", "4dbcde93-a4e0-4bee-913c-0988b5259d14", 2);
const SSH: Template = Template("passive-ssh", "network", "ec350cdf-2311-4df5-972a-a4342a2c0065", 2);
const ASN: Template = Template("asn", "network", "4ec55cc6-9e49-4c64-b794-03c25c1a6587", 6);
const FAVICON: Template = Template("favicon", "network", "485892f1-a767-4e9b-b5f8-7f86d1308674", 1);
const INFRASTRUCTURE: Template = Template("infrastructure", "misc", "39d64bd7-1264-4b2e-bdd1-31d1c4b38e6c", 1);

/// The event. With `promote`, the addresses of hosts that a person confirmed have `to_ids`.
#[must_use]
pub fn misp(dossier: &Dossier, marking: Marking, promote: bool) -> Value {
    let mut event = Event {
        dossier,
        namespace: dossier.namespace(),
        timestamp: dossier.case.as_of.as_second().to_string(),
        promote,
        objects: BTreeMap::new(),
        order: Vec::new(),
        attributes: Vec::new(),
    };
    for cluster in &dossier.clusters {
        event.cluster(cluster);
    }
    event.finish(marking)
}

struct Event<'a> {
    dossier: &'a Dossier,
    namespace: Uuid,
    timestamp: String,
    promote: bool,
    /// By UUID: one JARM on many hosts is one object.
    objects: BTreeMap<String, Value>,
    order: Vec<String>,
    attributes: Vec<Value>,
}

impl Event<'_> {
    fn cluster(&mut self, cluster: &SharedCluster) {
        let description = format!(
            "{} hosts; {}; case \"{}\"",
            cluster.hosts.len(),
            if cluster.seeded { "grown from confirmed seeds" } else { "a hypothesis without a confirmed seed" },
            self.dossier.case.title
        );
        let infrastructure = self.object(
            &INFRASTRUCTURE,
            &cluster.id,
            &[
                field("name", "text", &cluster.id),
                field("description", "text", description),
                field("infrastructure_type", "text", "unknown"),
            ],
        );
        for host in cluster.hosts.iter().filter(|host| host.standing != Standing::Rejected) {
            let system = host.asn.map(|asn| {
                let mut fields = vec![field("asn", "AS", asn.to_string())];
                fields.extend(host.prefix.iter().map(|prefix| field("subnet-announced", "ip-src", prefix).quiet()));
                self.object(&ASN, &format!("{asn}/{}", host.prefix.as_deref().unwrap_or_default()), &fields)
            });
            let services = self.dossier.services(host.address);
            let bare = SharedService {
                port: 0,
                protocol: String::new(),
                over_tls: false,
                name: None,
                first: host.first_seen.unwrap_or_default(),
                last: host.last_seen.unwrap_or_default(),
                count: 0,
                captures: Vec::new(),
                facets: Vec::new(),
            };
            let services = if services.is_empty() { std::slice::from_ref(&bare) } else { services };
            for service in services {
                let at = self.service(cluster, host, service);
                self.refer(&infrastructure, &at, "consists-of");
                if let Some(system) = &system {
                    self.refer(&at, system, "belongs-to");
                }
            }
        }
    }

    /// The `ip-port` object of one service, and what it showed. Gives its UUID.
    fn service(&mut self, cluster: &SharedCluster, host: &SharedHost, service: &SharedService) -> String {
        let mut reasons = host.reasons.iter().map(String::as_str).collect::<Vec<_>>().join("; ");
        if !host.against.is_empty() {
            reasons = format!("{reasons}; against: {}", host.against.join("; "));
        }
        let likely = likelihood(host.score);
        let address = Field {
            to_ids: self.promote && host.standing == Standing::Confirmed,
            tags: vec![format!("estimative-language:likelihood-probability=\"{likely}\"")],
            ..field("ip", "ip-dst", host.address.to_string())
        };
        let words = format!("{}: probability {}; {reasons}", cluster.id, show_percent(host.score));
        let mut fields = vec![address, field("text", "text", words).quiet()];
        if service.port != 0 {
            fields.push(field("dst-port", "port", service.port.to_string()).quiet());
        }
        if !service.protocol.is_empty() {
            let protocol =
                if service.over_tls { format!("{} over tls", service.protocol) } else { service.protocol.clone() };
            fields.push(field("protocol", "text", protocol).quiet());
        }
        if service.count > 0 {
            fields.push(field("first-seen", "datetime", time(service.first)).quiet());
            fields.push(field("last-seen", "datetime", time(service.last)).quiet());
        }
        let asked = service.name.as_deref().unwrap_or_default();
        let name = format!("{}/{}/{}/{}/{asked}", host.address, service.port, service.protocol, service.over_tls);
        let at = self.object(&IP_PORT, &name, &fields);
        for (shown, how) in self.shown(host, service, &name) {
            self.refer(&at, &shown, how);
        }
        self.exact_bytes(host, service);
        at
    }

    /// Certificates, JARM, HHHash, favicon and SSH of a service, as objects.
    fn shown(&mut self, host: &SharedHost, service: &SharedService, name: &str) -> Vec<(String, &'static str)> {
        let mut shown = Vec::new();
        for leaf in service.certificates() {
            let fields = certificate(leaf);
            if let Some(sha256) = leaf.first().filter(|_| !fields.is_empty()) {
                shown.push((self.object(&X509, &sha256.text, &fields), "identified-by"));
            }
        }
        for jarm in service
            .all(FacetKind::TlsJarm)
            .filter(|jarm| is_hex(&jarm.text, 62) && !jarm.text.trim_matches('0').is_empty())
        {
            let fields = vec![
                field("jarm", "jarm-fingerprint", &jarm.text),
                field("scope", "text", "Undefined").quiet(),
                field("tool", "text", "hostkin").quiet(),
            ];
            shown.push((self.object(&JARM, &jarm.text, &fields), "characterized-by"));
        }
        for hash in service.all(FacetKind::HttpHhhash) {
            let mut fields = vec![field("hhhash", "text", &hash.text), field("hhhash-tool", "text", "other").quiet()];
            fields.extend(service.text(FacetKind::HttpHeaderNames).map(|names| field("hhhash-headers", "text", names)));
            shown.push((self.object(&HHHASH, &hash.text, &fields), "characterized-by"));
        }
        for icon in service.all(FacetKind::HttpFaviconMmh3) {
            shown.push((
                self.object(&FAVICON, &icon.text, &[field("favicon-mmh3", "favicon-mmh3", &icon.text)]),
                "characterized-by",
            ));
        }
        if service.protocol == "ssh" {
            let mut fields = vec![field("host", "ip-dst", host.address.to_string())];
            if service.port != 0 {
                fields.push(field("port", "port", service.port.to_string()).quiet());
            }
            fields.extend(service.all(FacetKind::SshBanner).map(|one| field("banner", "text", &one.text).quiet()));
            fields.extend(
                service.all(FacetKind::SshHostKey).map(|one| field("fingerprint", "ssh-fingerprint", &one.text)),
            );
            let hassh = service.text(FacetKind::SshHasshServer).filter(|text| is_hex(text, 32));
            fields.extend(hassh.map(|hassh| field("hassh", "hassh-md5", hassh)));
            fields.push(field("first_seen", "datetime", time(service.first)).quiet());
            fields.push(field("last_seen", "datetime", time(service.last)).quiet());
            shown.push((self.object(&SSH, name, &fields), "characterized-by"));
        }
        shown
    }

    /// Values that cannot be shown as they are, as attached files.
    fn exact_bytes(&mut self, host: &SharedHost, service: &SharedService) {
        for (place, facet) in service.facets.iter().enumerate() {
            let Some(bytes) = &facet.exact else { continue };
            let name =
                format!("{}-{}-{}-{place}.bin", host.address.to_string().replace(':', "_"), service.port, facet.kind);
            self.attributes.push(json!({
                "uuid": self.namespace.v5(&format!("misp/bytes/{name}/{}", service.protocol)).to_string(),
                "type": "attachment", "category": "External analysis", "to_ids": false, "disable_correlation": true,
                "timestamp": self.timestamp, "value": name, "data": BASE64.encode(bytes),
                "comment": format!("exact bytes of {}, made by a stranger: {}", facet.kind, show_cut(&facet.text, 200)),
            }));
        }
    }

    /// Adds an object, unless it is there. Gives its UUID.
    fn object(&mut self, template: &Template, name: &str, fields: &[Field]) -> String {
        let Template(kind, category, template_uuid, version) = template;
        let uuid = self.namespace.v5(&format!("misp/{kind}/{name}"));
        let mut counts = BTreeMap::<&str, u32>::new();
        let mut attributes = Vec::new();
        for one in fields {
            let place = counts.entry(one.relation).or_default();
            *place += 1;
            let mut attribute = json!({
                "uuid": uuid.v5(&format!("{}/{place}", one.relation)).to_string(),
                "object_relation": one.relation, "type": one.kind, "category": category_of(one.kind), "to_ids": one.to_ids,
                "disable_correlation": one.quiet, "timestamp": self.timestamp, "value": one.value,
            });
            if let Some(map) = attribute.as_object_mut().filter(|_| !one.tags.is_empty()) {
                map.insert("Tag".to_owned(), one.tags.iter().map(|tag| json!({ "name": tag })).collect());
            }
            attributes.push(attribute);
        }
        let uuid = uuid.to_string();
        if !self.objects.contains_key(&uuid) {
            self.order.push(uuid.clone());
            let object = json!({
                "uuid": uuid, "name": kind, "meta-category": category, "template_uuid": template_uuid,
                "template_version": version.to_string(), "timestamp": self.timestamp, "distribution": "5", "Attribute": attributes,
                "ObjectReference": [],
            });
            self.objects.insert(uuid.clone(), object);
        }
        uuid
    }

    /// Draws a line between two objects, once.
    fn refer(&mut self, from: &str, to: &str, how: &str) {
        let uuid = self.namespace.v5(&format!("misp/reference/{from}/{how}/{to}")).to_string();
        let references = self
            .objects
            .get_mut(from)
            .and_then(|object| object.get_mut("ObjectReference"))
            .and_then(Value::as_array_mut);
        let Some(references) = references else { return };
        if !references.iter().any(|one| one.get("uuid").and_then(Value::as_str) == Some(&uuid)) {
            references.push(json!({
                "uuid": uuid, "object_uuid": from, "referenced_uuid": to, "relationship_type": how, "timestamp": self.timestamp,
            }));
        }
    }

    fn finish(mut self, marking: Marking) -> Value {
        let case = &self.dossier.case;
        let objects: Vec<Value> = self.order.iter().filter_map(|uuid| self.objects.remove(uuid)).collect();
        let organisation =
            HOSTKIN.v5(&format!("identity/{}/{}", case.authority, case.contact.as_deref().unwrap_or_default()));
        let tags = [
            format!("tlp:{}", marking.tlp.as_str()),
            marking.pap.to_string(),
            "admiralty-scale:source-reliability=\"b\"".to_owned(),
            "admiralty-scale:information-credibility=\"2\"".to_owned(),
        ];
        json!({ "Event": {
            "uuid": self.namespace.v5("misp/event").to_string(),
            "info": format!("{} ({})", case.title, "hosts likely run by one provider"),
            "date": case.as_of.strftime("%Y-%m-%d").to_string(), "timestamp": self.timestamp,
            "analysis": "1", "threat_level_id": "4", "distribution": "0", "published": false,
            "Orgc": { "name": case.authority, "uuid": organisation.to_string() },
            "Tag": tags.iter().map(|tag| json!({ "name": tag })).collect::<Vec<_>>(),
            "Attribute": self.attributes, "Object": objects,
        } })
    }
}

/// One attribute of an object.
#[derive(Default)]
struct Field {
    relation: &'static str,
    kind: &'static str,
    value: String,
    to_ids: bool,
    /// True where two events that have it have nothing to do with each other.
    quiet: bool,
    tags: Vec<String>,
}

impl Field {
    fn quiet(self) -> Self {
        Self { quiet: true, ..self }
    }
}

fn field(relation: &'static str, kind: &'static str, value: impl Into<String>) -> Field {
    Field { relation, kind, value: value.into(), ..Field::default() }
}

/// MISP's own category for a type.
fn category_of(kind: &str) -> &'static str {
    match kind {
        "text" | "datetime" | "comment" | "boolean" => "Other",
        _ => "Network activity",
    }
}

/// The attributes of an `x509` object; none where the digest is no SHA-256, as imports may have it.
fn certificate(facets: &[SharedFacet]) -> Vec<Field> {
    let mut fields = Vec::new();
    for facet in facets {
        let text = facet.text.as_str();
        fields.extend(match facet.kind {
            FacetKind::CertSha256 if is_hex(text, 64) => {
                Some(field("x509-fingerprint-sha256", "x509-fingerprint-sha256", text))
            }
            FacetKind::CertSha256 => return Vec::new(),
            FacetKind::CertSerial if !text.is_empty() => Some(field("serial-number", "text", text)),
            FacetKind::CertSubject => Some(field("subject", "text", text)),
            FacetKind::CertIssuer => Some(field("issuer", "text", text).quiet()),
            FacetKind::CertNotBefore => moment(text).map(|at| field("validity-not-before", "datetime", at).quiet()),
            FacetKind::CertNotAfter => moment(text).map(|at| field("validity-not-after", "datetime", at).quiet()),
            FacetKind::CertKeyType => Some(field("pubkey-info-algorithm", "text", text).quiet()),
            FacetKind::CertSan => text
                .strip_prefix("DNS:")
                .filter(|name| is_host_name(name))
                .map(|name| field("dns_names", "hostname", name)),
            _ => None,
        });
    }
    fields
}

fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    name.len() <= 253 && name.contains('.') && name.split('.').all(label)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn moment(text: &str) -> Option<String> {
    let at: Timestamp = text.parse().ok()?;
    // Readers of MISP count years from 1.
    (at.to_zoned(jiff::tz::TimeZone::UTC).year() >= 1).then(|| time(at))
}

fn time(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// The word of ICD 203 for a probability, as the taxonomy `estimative-language` has it.
fn likelihood(score: f64) -> &'static str {
    match score {
        score if score >= 0.95 => "almost-certain",
        score if score >= 0.80 => "very-likely",
        score if score >= 0.55 => "likely",
        score if score >= 0.45 => "roughly-even-chance",
        score if score >= 0.20 => "unlikely",
        score if score >= 0.05 => "very-unlikely",
        _ => "almost-no-chance",
    }
}
