//! Which form a file has, where its first bytes say so beyond doubt.
//!
//! A plain list of addresses says nothing of what it lists, and a JSON document of networks may list friends or foes:
//! these are not guessed at.

use std::net::IpAddr;

use super::list_csv::NETWORKS;
use super::text::{decode, fields, network};
use crate::range::dataset::Format;
use crate::range::fact::Asn;

/// The form of a file that begins with `start`; `Err` says what to do.
pub(super) fn form(start: &[u8], name: &str) -> Result<Format, String> {
    if start.is_empty() {
        return Err("the file is empty".to_owned());
    }
    if is_mrt(start) {
        return Ok(Format::Mrt);
    }
    let text = decode(start);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let found = if text.starts_with(['{', '[']) { json(text, name) } else { lines(text) };
    found.ok_or_else(|| {
        let all: Vec<&str> = Format::ALL.iter().map(|format| format.as_str()).collect();
        format!(
            "its form is not recognised; say which with --format: {}. A plain list of addresses is `netset` (a deny list, or with --kind what else it lists)",
            all.join(", ")
        )
    })
}

/// A header with a known type, a sensible length and a date.
fn is_mrt(start: &[u8]) -> bool {
    let Some(([s0, s1, s2, s3, 0, kind, 0, subtype, l0, l1, l2, l3], _)) = start.split_first_chunk::<12>() else {
        return false;
    };
    let seconds = u32::from_be_bytes([*s0, *s1, *s2, *s3]);
    let length = u32::from_be_bytes([*l0, *l1, *l2, *l3]);
    matches!(kind, 5 | 11 | 12 | 13 | 16 | 17 | 32 | 33 | 48 | 49)
        && *subtype < 32
        && length < 16 << 20
        && seconds > 600_000_000
}

fn json(text: &str, name: &str) -> Option<Format> {
    let first = text.lines().next().unwrap_or_default();
    let has = |key: &str| text.contains(&format!("\"{key}\""));
    if first.trim_end().ends_with('}') && first.starts_with('{') {
        let keys = |all: &[&str]| all.iter().all(|key| first.contains(&format!("\"{key}\"")));
        if keys(&["cidr", "sblid"]) {
            return Some(Format::Drop);
        }
        if keys(&["asn", "domain", "asname"]) {
            return Some(Format::AsnDrop);
        }
        if keys(&["organizationId", "type"]) {
            return Some(Format::As2org);
        }
    }
    if has("model") && text.contains("django_peeringdb.") || has("irr_as_set") {
        return Some(Format::Peeringdb);
    }
    if has("list") && (has("description") || has("matching_attributes")) {
        return Some(Format::Misp);
    }
    // {"64500": "NAME", …
    let inner = text.trim_start_matches('{').trim_start();
    let key = inner.strip_prefix('"').and_then(|rest| rest.split('"').next()).unwrap_or_default();
    if text.starts_with('{') && key.parse::<Asn>().is_ok() {
        return Some(Format::AsNames);
    }
    let shape = has("IPv4Prefixes")
        || has("prefixes") && (has("syncToken") || has("creationTime") || has("createDate") || has("updated_at"))
        || has("addresses") && has("ipv6_addresses")
        || has("addressPrefixes");
    let known = ["cloudflare", "fastly", "bunny", "cdn77", "akamai", "digitalocean", "linode", "oracle", "ip-ranges"];
    (shape || known.iter().any(|known| name.contains(known))).then_some(Format::Cloud)
}

fn lines(text: &str) -> Option<Format> {
    let mut header = String::new();
    for line in text.lines().take(400) {
        let line = line.trim();
        if line.starts_with(['#', '%', ';']) {
            let comment = line.to_ascii_lowercase();
            if comment.starts_with("# format:aut") || comment.starts_with("# format:org_id") {
                return Some(Format::As2org);
            }
            header.push_str(&comment);
            header.push('\n');
            continue;
        }
        if line.is_empty() {
            continue;
        }
        return data(line, &header);
    }
    header.contains("abuse.ch").then_some(Format::Abusech)
}

/// The form by its first line of data and the comments before it.
fn data(line: &str, header: &str) -> Option<Format> {
    if header.contains("abuse.ch") {
        return Some(Format::Abusech);
    }
    if header.contains("# country:") && network(line).is_some() {
        return Some(Format::CountryNets);
    }
    let firehol = header.contains("firehol") || header.contains("ipset");
    if firehol && network(line).is_some() || line.starts_with("ExitNode ") || line.contains("; SBL") {
        return Some(Format::Netset);
    }
    if line.contains('|') {
        return pipes(line);
    }
    if line.contains('\t') {
        return tabs(line);
    }
    if line.contains(',') {
        return commas(line);
    }
    let class = line.split_once(':').map(|(class, _)| class.trim().to_ascii_lowercase());
    let classes = [
        "inetnum",
        "inet6num",
        "aut-num",
        "route",
        "route6",
        "organisation",
        "mntner",
        "role",
        "person",
        "as-block",
        "as-set",
        "route-set",
        "irt",
        "domain",
    ];
    class.filter(|class| classes.contains(&class.as_str())).map(|_| Format::Rpsl)
}

fn pipes(line: &str) -> Option<Format> {
    let fields: Vec<&str> = line.split('|').collect();
    let registries = ["afrinic", "apnic", "arin", "iana", "lacnic", "ripencc"];
    match fields.as_slice() {
        [_, registry, _, _, _, _, ..] if registries.contains(registry) => Some(Format::Delegated),
        [registry, ..] if registries.contains(registry) => Some(Format::Delegated),
        [a, b, "-1" | "0", ..] if a.parse::<Asn>().is_ok() && b.parse::<Asn>().is_ok() => Some(Format::AsRel),
        _ => None,
    }
}

fn tabs(line: &str) -> Option<Format> {
    let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
    let address = |text: &str| text.parse::<IpAddr>().is_ok();
    let list = |text: &str| super::text::origins(text).is_some();
    match fields.as_slice() {
        [start, end, asn, ..] if address(start) && address(end) && asn.parse::<Asn>().is_ok() => Some(Format::Ip2asn),
        [prefix, length, origin] if address(prefix) && length.parse::<u8>().is_ok() && list(origin) => {
            Some(Format::Pfx2as)
        }
        [origin, prefix, peers] if list(origin) && network(prefix).is_some() && peers.parse::<u32>().is_ok() => {
            Some(Format::RisWhois)
        }
        [prefix, origin] if network(prefix).is_some() && list(origin) => Some(Format::Ipasn),
        [_, _] if super::ptr::pair(line).is_some() => Some(Format::Ptr),
        _ => None,
    }
}

fn commas(line: &str) -> Option<Format> {
    let fields = fields(line, ',')?;
    let address = |text: &str| text.parse::<IpAddr>().is_ok();
    if let [start, end, third, ..] = fields.as_slice()
        && address(start)
        && address(end)
    {
        return Some(if third.parse::<Asn>().is_ok() { Format::Ip2asn } else { Format::Datacenters });
    }
    let names: Vec<String> = fields.iter().map(|name| name.to_ascii_lowercase()).collect();
    let has = |name: &str| names.iter().any(|one| one == name);
    if has("range_start") && has("range_end") && has("asn") {
        return Some(Format::Ip2asn);
    }
    if has("dst_ip") || has("ioc_value") || has("dstip") {
        return Some(Format::Abusech);
    }
    match names.as_slice() {
        [asn, name, ..] if asn == "asn" && ["entity", "name", "org", "asname"].contains(&name.as_str()) => {
            Some(Format::AsNames)
        }
        // A column of addresses alone may as well be a list of innocents.
        _ if NETWORKS.iter().any(|name| has(name))
            && ["sblid", "lists", "malware", "reason"].iter().any(|name| has(name)) =>
        {
            Some(Format::ListCsv)
        }
        _ => None,
    }
}
