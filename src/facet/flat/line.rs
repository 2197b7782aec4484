//! One line of a flat host: which key says which facet.

use std::net::IpAddr;

use ipnet::IpNet;

use super::super::{FacetKind, Group, HostFacts};
use super::json::{Json, Object};
use super::{FlatError, FlatHost};

/// Reads one line.
pub(super) fn parse(line: u64, text: &[u8]) -> Result<FlatHost, FlatError> {
    let object: Object<'_> =
        serde_json::from_slice(text).map_err(|error| FlatError::NotAnObject { line, reason: reason(&error) })?;
    let ip = object.get("ip").and_then(Json::word);
    let address: IpAddr = ip.and_then(|ip| ip.parse().ok()).ok_or(FlatError::NoAddress { line })?;
    let mut host = Lines { facts: HostFacts::new(address), notes: Vec::new() };
    host.facts.facets.reserve(object.entries().len());
    for (key, value) in object.entries() {
        if !matches!(value, Json::Null) && key != "ip" && host.take(key, value).is_none() {
            host.notes.push(format!("`{key}` has an unexpected form and was left out"));
        }
    }
    host.facts.open_ports.sort_unstable();
    host.facts.open_ports.dedup();
    host.facts.timed_out.sort_unstable();
    host.facts.timed_out.dedup();
    Ok(FlatHost { line, facts: host.facts, notes: host.notes })
}

/// What the JSON reader said. Its own line is always 1, since each line is read alone: only the column is kept.
fn reason(error: &serde_json::Error) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let words = error.to_string();
    words.strip_suffix(&place).map_or_else(|| words.clone(), |words| format!("{words}, column {}", error.column()))
}

/// One host while its keys are read.
struct Lines {
    facts: HostFacts,
    notes: Vec<String>,
}

impl Lines {
    /// Takes one key; `None` when its value has no form that could be meant.
    fn take(&mut self, key: &str, value: &Json<'_>) -> Option<()> {
        match key {
            "asn" => {
                let text = value.word()?;
                let digits = text.trim_start_matches(['A', 'S', 'a', 's']);
                self.facts.asn = Some(digits.parse().ok()?);
            }
            "prefix" => self.facts.prefix = Some(value.word()?.parse::<IpNet>().ok()?.trunc()),
            "ports" => {
                for port in value.words()? {
                    self.facts.open_ports.push(port.parse().ok()?);
                }
            }
            "ssh_port" => self.facts.open_ports.push(value.word()?.parse().ok()?),
            "all_ports" => {
                self.facts.all_ports = match value {
                    Json::Flag(flag) => *flag,
                    other => matches!(other.word()?.as_ref(), "1" | "true" | "yes"),
                }
            }
            "timeouts" => {
                for service in value.words()? {
                    match groups_of(&service) {
                        Some(groups) => self.facts.timed_out.extend(groups),
                        None => self.notes.push(format!("`timeouts` names an unknown service group `{service}`")),
                    }
                }
            }
            "validity_days" => {
                let days: f64 = value.word()?.parse().ok()?;
                let seconds = (days * 86_400.0).round();
                if !(0.0..1e15).contains(&seconds) {
                    return None;
                }
                self.put(FacetKind::CertValiditySeconds, format!("{seconds:.0}"));
            }
            "san" => {
                for name in value.words()? {
                    self.put(FacetKind::CertSan, marked_name(&name));
                }
            }
            "serial" => {
                let text = value.word()?.to_ascii_lowercase();
                let bare = text.trim_start_matches('0');
                self.put(FacetKind::CertSerial, if bare.is_empty() { "0".to_owned() } else { bare.to_owned() });
            }
            other => match plain_kind(other) {
                Some((kind, lower)) => {
                    let text = value.word()?;
                    self.put(kind, if lower { text.to_ascii_lowercase() } else { text.into_owned() });
                }
                None => self.notes.push(format!("unknown key `{other}`")),
            },
        }
        Some(())
    }

    fn put(&mut self, kind: FacetKind, value: String) {
        self.facts.facets.push((kind, value.into_bytes()));
    }
}

/// Keys whose value is a facet as it stands; `true` for digests in hex, whose case means nothing.
fn plain_kind(key: &str) -> Option<(FacetKind, bool)> {
    Some(match key {
        "ssh_banner" => (FacetKind::SshBanner, false),
        "hassh" => (FacetKind::SshHasshServer, true),
        "ssh_key" => (FacetKind::SshHostKey, false),
        "server" => (FacetKind::HttpServer, false),
        "hdr_order" => (FacetKind::HttpHeaderOrder, true),
        "jarm" => (FacetKind::TlsJarm, true),
        "cert" => (FacetKind::CertSha256, true),
        "spki" => (FacetKind::CertSpkiSha256, true),
        "subject" => (FacetKind::CertSubject, false),
        "issuer" => (FacetKind::CertIssuer, false),
        "title" => (FacetKind::HttpTitle, false),
        "body" => (FacetKind::HttpBodySha256, true),
        "simhash" => (FacetKind::HttpBodySimhash, true),
        "favicon" => (FacetKind::HttpFaviconMmh3, false),
        "rdp_host" => (FacetKind::RdpComputerName, false),
        "rdp_build" => (FacetKind::RdpBuild, false),
        _ => return None,
    })
}

/// The groups that a service of `timeouts` would have shown.
fn groups_of(service: &str) -> Option<&'static [Group]> {
    Some(match service {
        "ssh" => &[Group::Key, Group::Sshd],
        "web" => &[Group::Cert, Group::Web, Group::Page],
        "tls" | "https" => &[Group::Cert, Group::Web],
        "http" => &[Group::Web, Group::Page],
        "rdp" => &[Group::Rdp],
        "smtp" | "imap" | "ftp" | "mail" => &[Group::Mail],
        "ports" => &[Group::Ports],
        _ => return None,
    })
}

/// A certificate name in the form of `cert.san`.
fn marked_name(name: &str) -> String {
    if name.starts_with("DNS:") || name.starts_with("IP:") {
        name.to_owned()
    } else if name.parse::<IpAddr>().is_ok() {
        format!("IP:{name}")
    } else {
        format!("DNS:{name}")
    }
}
