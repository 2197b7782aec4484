//! The text of each format. Whatever a stranger wrote stands in comments only, in one line of printable ASCII.

use std::fmt::Write as _;

use ipnet::IpNet;
use serde_json::json;

use super::format::{Change, Format};
use super::{Entry, day};
use crate::facet::{escape_terminal, show_cut};
use crate::report::dossier::CaseLabel;
use crate::report::marking::Marking;
use crate::report::write_json_line;

/// One network, with why where it is listed.
pub(super) struct Line<'a> {
    pub(super) network: IpNet,
    pub(super) entry: Option<&'a Entry>,
}

impl Line<'_> {
    /// What there is to say, in one line.
    fn remark(&self) -> Option<String> {
        let entry = self.entry?;
        let [more @ .., last] = entry.evidence.as_slice() else { return Some(words(entry)) };
        Some(format!("{}; evidence sha256 {last} and {} more", words(entry), more.len()))
    }

    /// The same, in few characters.
    fn short(&self) -> String {
        self.entry.map(|entry| format!("hostkin {} until {}", entry.id, day(entry.valid_until))).unwrap_or_default()
    }
}

fn words(entry: &Entry) -> String {
    let mut out = format!(
        "{} {}; valid until {}; last seen {}",
        entry.id,
        entry.reason,
        day(entry.valid_until),
        day(entry.last_seen)
    );
    let hit = entry.collateral;
    let _ = write!(
        out,
        "; inside: {} listed, 0 known of others, {} addresses unknown, {} names on certificates",
        hit.hosts, hit.unknown, hit.names
    );
    let _ = write!(out, "; holder then: {}", entry.holder.as_deref().unwrap_or("not known"));
    if let Some(asn) = entry.asn {
        let _ = write!(out, "; AS{asn}");
    }
    one_line(&out)
}

/// Printable ASCII without quotes and backslashes, on one line, that no format takes for anything but a comment.
fn one_line(text: &str) -> String {
    let plain = escape_terminal(&show_cut(text, 1500)).replace('\\', "/").replace('"', "'");
    plain.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// Lines of comment on the file as a whole, without their marks.
pub(super) fn head(
    format: Format,
    change: Change<'_>,
    count: usize,
    case: &CaseLabel,
    marking: Marking,
) -> Vec<String> {
    let what = match change {
        Change::Whole(_) => "deny list",
        Change::Added(_) => "new on the deny list since the export before",
        Change::Removed(_) => "no longer on the deny list: remove",
    };
    let mut head = vec![
        format!("hostkin {} ({}), {count} entries; as of {:.0}; {}; {}", what, format.as_str(), case.as_of, marking.tlp, marking.pap),
        format!("case: {}; authority: {}; contact: {}", case.title, case.authority, case.contact.as_deref().unwrap_or("none")),
        "Nothing here was blocked by this program. Each entry ends on its date unless renewed; remove it when the address is given to another holder.".to_owned(),
    ];
    if case.lab {
        head.push(
            "FROM A LAB: these are loopback or benchmarking addresses. Do not load this on a real machine.".to_owned(),
        );
    }
    head.iter().map(|line| one_line(line)).collect()
}

/// Lines as comments.
fn commented(mark: &str, lines: &[String]) -> String {
    lines.iter().flat_map(|line| [mark, " ", line, "\n"]).collect()
}

/// A line each, under its remark, where `#` begins a comment.
pub(super) fn listed(head: &[String], lines: &[Line<'_>], each: impl Fn(&Line<'_>) -> String) -> String {
    let mut out = commented("#", head);
    for line in lines {
        if let Some(remark) = line.remark() {
            let _ = writeln!(out, "# {remark}");
        }
        let _ = writeln!(out, "{}", each(line));
    }
    out
}

/// An address alone, a range with its length.
pub(super) fn bare(network: IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() { network.addr().to_string() } else { network.to_string() }
}

pub(super) fn drop(lines: &[Line<'_>], case: &CaseLabel, marking: Marking) -> String {
    let mut out = JsonLines(String::new());
    for line in lines {
        let object = match line.entry {
            None => json!({ "cidr": line.network.to_string() }),
            Some(entry) => json!({
                "cidr": line.network.to_string(), "id": entry.id, "cluster": entry.cluster, "reason": entry.reason,
                "evidence_sha256": entry.evidence, "holder": entry.holder, "asn": entry.asn,
                "last_seen": format!("{:.0}", entry.last_seen), "valid_until": format!("{:.0}", entry.valid_until),
                "collateral": {
                    "listed_hosts": entry.collateral.hosts, "hosts_of_others": 0,
                    "unknown_addresses": entry.collateral.unknown.to_string(), "certificate_names": entry.collateral.names,
                },
            }),
        };
        out.push(&object);
    }
    let metadata = json!({
        "type": "metadata", "timestamp": case.as_of.as_second(), "records": lines.len(), "case": case.title,
        "authority": case.authority, "contact": case.contact, "tlp": marking.tlp.to_string(), "pap": marking.pap.to_string(), "lab": case.lab,
    });
    out.push(&metadata);
    out.0
}

/// JSON lines in memory.
struct JsonLines(String);

impl JsonLines {
    fn push(&mut self, value: &serde_json::Value) {
        let mut line = Vec::new();
        // Writing to memory does not fail.
        let _ = write_json_line(&mut line, value);
        self.0.push_str(&String::from_utf8_lossy(&line));
    }
}

/// Lines of one address family.
fn family<'a>(lines: &'a [Line<'a>], four: bool) -> Vec<&'a Line<'a>> {
    lines.iter().filter(|line| line.network.addr().is_ipv4() == four).collect()
}

pub(super) fn nftables(head: &[String], change: Change<'_>, lines: &[Line<'_>]) -> String {
    let mut out = commented("#", head);
    if !matches!(change, Change::Removed(_)) {
        out.push_str("add table inet hostkin\n");
    }
    for (four, set, kind) in [(true, "deny4", "ipv4_addr"), (false, "deny6", "ipv6_addr")] {
        if !matches!(change, Change::Removed(_)) {
            let _ = writeln!(out, "add set inet hostkin {set} {{ type {kind}; flags interval; }}");
        }
        if matches!(change, Change::Whole(_)) {
            let _ = writeln!(out, "flush set inet hostkin {set}");
        }
        let lines = family(lines, four);
        if lines.is_empty() {
            continue;
        }
        let verb = if matches!(change, Change::Removed(_)) { "delete" } else { "add" };
        let _ = writeln!(out, "{verb} element inet hostkin {set} {{");
        for line in lines {
            if let Some(remark) = line.remark() {
                let _ = writeln!(out, "  # {remark}");
            }
            let comment = if line.entry.is_some() { format!(" comment \"{}\"", line.short()) } else { String::new() };
            let _ = writeln!(out, "  {}{comment},", bare(line.network));
        }
        out.push_str("}\n");
    }
    out
}

/// Entries that a set takes; always the same, since a set is only made again with what it was made with.
const MOST_SET: u32 = 1 << 20;

pub(super) fn ipset(head: &[String], change: Change<'_>, lines: &[Line<'_>]) -> String {
    let mut out = commented("#", head);
    for (four, set, kind) in [(true, "hostkin4", "inet"), (false, "hostkin6", "inet6")] {
        if !matches!(change, Change::Removed(_)) {
            let _ = writeln!(out, "create {set} hash:net family {kind} maxelem {MOST_SET} comment -exist");
        }
        if matches!(change, Change::Whole(_)) {
            let _ = writeln!(out, "flush {set}");
        }
        for line in family(lines, four) {
            if let Some(remark) = line.remark() {
                let _ = writeln!(out, "# {remark}");
            }
            let _ = match line.entry {
                Some(_) => writeln!(out, "add {set} {} comment \"{}\" -exist", line.network, line.short()),
                None => writeln!(out, "del {set} {} -exist", line.network),
            };
        }
    }
    out
}

/// The trigger of a network: length, then the address backwards, the longest run of zero groups as `zz`.
fn trigger(network: IpNet) -> String {
    let length = network.prefix_len();
    match network.network() {
        std::net::IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{length}.{d}.{c}.{b}.{a}.rpz-ip")
        }
        std::net::IpAddr::V6(v6) => {
            let text = v6.segments().map(|group| format!("{group:x}"));
            // The text form of the address has its run of zeros where BIND wants `zz`.
            let shown = v6.to_string();
            let words: Vec<String> = match shown.split_once("::").filter(|_| !shown.contains('.')) {
                Some((before, after)) => {
                    let part = |part: &str| {
                        part.split(':').filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>()
                    };
                    [part(before), vec!["zz".to_owned()], part(after)].concat()
                }
                None => text.to_vec(),
            };
            let backwards: Vec<&str> = words.iter().rev().map(String::as_str).collect();
            format!("{length}.{}.rpz-ip", backwards.join("."))
        }
    }
}

/// The zone's name in update commands; a person gives it their own.
const ZONE: &str = "rpz.hostkin.invalid";

pub(super) fn rpz(head: &[String], change: Change<'_>, lines: &[Line<'_>], case: &CaseLabel) -> String {
    let mut out = commented(";", head);
    let whole = matches!(change, Change::Whole(_));
    if whole {
        let serial = case.as_of.as_second().clamp(1, i64::from(u32::MAX));
        let _ = writeln!(
            out,
            "$TTL 300\n@ IN SOA localhost. hostmaster.hostkin.invalid. ( {serial} 3600 600 604800 300 )\n@ IN NS localhost."
        );
    } else {
        let _ = writeln!(out, "zone {ZONE}");
    }
    for line in lines {
        if let Some(remark) = line.remark() {
            let _ = writeln!(out, "; {remark}");
        }
        let name = trigger(line.network);
        let _ = match (whole, line.entry) {
            (true, _) => writeln!(out, "{name} CNAME ."),
            (false, Some(_)) => writeln!(out, "update add {name}.{ZONE} 300 CNAME ."),
            (false, None) => writeln!(out, "update delete {name}.{ZONE} CNAME"),
        };
    }
    if !whole {
        out.push_str("send\n");
    }
    out
}

pub(super) fn bird(head: &[String], lines: &[Line<'_>]) -> String {
    let mut out = commented("#", head);
    for (four, name) in [(true, "4"), (false, "6")] {
        let _ = writeln!(
            out,
            "protocol static hostkin{name} {{\n  ipv{name} {{ import filter {{ bgp_community.add((65535, 666)); accept; }}; }};"
        );
        for line in family(lines, four) {
            if let Some(remark) = line.remark() {
                let _ = writeln!(out, "  # {remark}");
            }
            let _ = writeln!(out, "  route {} blackhole;", line.network);
        }
        out.push_str("}\n");
    }
    out
}

pub(super) fn zeek(lines: &[Line<'_>]) -> String {
    let mut out = "#fields\tindicator\tindicator_type\tmeta.source\tmeta.desc\n".to_owned();
    for line in lines {
        let single = line.network.prefix_len() == line.network.max_prefix_len();
        let kind = if single { "Intel::ADDR" } else { "Intel::SUBNET" };
        let _ = writeln!(
            out,
            "{}\t{kind}\thostkin\t{}",
            bare(line.network),
            line.remark().unwrap_or_else(|| "-".to_owned())
        );
    }
    out
}
