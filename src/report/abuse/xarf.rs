//! XARF v4 reports (xarf.org), one per address: category `reputation`, type `threat_intelligence`, the one type that claims no
//! crime seen on the host itself.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Sender, told};
use crate::facet::{show_cut, show_percent};
use crate::report::dossier::{Dossier, SharedHost, SharedService, hex};
use crate::report::marking::Marking;
use crate::report::uuid::Uuid;

/// Most pieces of evidence the schema allows.
const MOST_EVIDENCE: usize = 50;
/// Longest description the schema allows, in characters.
const LONGEST: usize = 1000;

/// The report on one host; `within` is the id of the mail.
pub(super) fn xarf(dossier: &Dossier, host: &SharedHost, sender: &Sender, marking: Marking, within: Uuid) -> Value {
    let contact =
        json!({ "org": show_cut(&sender.organisation, 200), "contact": sender.mail, "domain": sender.domain() });
    let services = dossier.services(host.address);
    let mut report = json!({
        "xarf_version": "4.2.0",
        "report_id": within.v4_of(&host.address.to_string()).to_string(),
        "timestamp": format!("{:.3}", host.last_seen.unwrap_or(dossier.case.as_of)),
        "reporter": contact, "sender": contact,
        "source_identifier": host.address.to_string(),
        "category": "reputation", "type": "threat_intelligence", "threat_type": "bulletproof_hosting",
        "evidence_source": "researcher_analysis",
        "evidence": services.iter().take(MOST_EVIDENCE).map(evidence).collect::<Vec<_>>(),
        "tags": ["tool:hostkin", format!("tlp:{}", marking.tlp.as_str()), format!("pap:{}", marking.pap.as_str())],
        "confidence": f64::from(host.percent()) / 100.0,
        "description": description(host),
        "captures_sha256": services.iter().flat_map(|service| service.captures.iter()).collect::<Vec<_>>(),
    });
    let port = services.iter().map(|service| service.port).chain(host.ports.iter().copied()).find(|port| *port != 0);
    if let (Some(map), Some(port)) = (report.as_object_mut(), port) {
        map.insert("source_port".to_owned(), port.into());
    }
    report
}

fn description(host: &SharedHost) -> String {
    let mut text = format!(
        "Consistent with a host of one provider that was confirmed by other means: probability {}. {}",
        show_percent(host.score),
        told(host).collect::<Vec<_>>().join("; ")
    );
    if !host.against.is_empty() {
        text = format!("{text}. Against: {}", host.against.join("; "));
    }
    show_cut(&text, LONGEST)
}

/// What one service showed, as text with its digest.
fn evidence(service: &SharedService) -> Value {
    let text = shown(service);
    json!({
        "content_type": "text/plain; charset=utf-8",
        "description": show_cut(&format!("what port {} answered to {}, read from the bytes heard", service.port, service.protocol), 500),
        "payload": BASE64.encode(&text), "hash": format!("sha256:{}", hex(&Sha256::digest(&text))), "size": text.len(),
    })
}

fn shown(service: &SharedService) -> String {
    let tls = if service.over_tls { " over TLS" } else { "" };
    let mut text = format!(
        "{}{tls} on port {}, observed {} times from {:.3} to {:.3} (UTC)\n",
        service.protocol, service.port, service.count, service.first, service.last
    );
    for digest in &service.captures {
        let _ = writeln!(text, "capture sha256 {digest}");
    }
    for facet in &service.facets {
        let _ = writeln!(
            text,
            "{} = {}{}",
            facet.kind,
            facet.text,
            if facet.flag("proven") { " (possession of the key proven)" } else { "" }
        );
    }
    text
}
