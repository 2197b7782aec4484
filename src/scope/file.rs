//! The scope file (DESIGN.md 4.2), read strictly.

use std::path::Path;

use ipnet::IpNet;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Problem, ScopeError};
use super::limits::Limits;
use super::network::{parse_network, shorten};
use super::reader::{At, Key, Source, Table, advice, type_words};
use super::special;
use crate::clock::Timestamp;
use crate::observation::Speech;

const SCHEMA: &str = "hostkin/scope/1";

const SCOPE_KEYS: &[Key] = &[
    ("schema", "schema = \"hostkin/scope/1\""),
    ("title", "title = \"Pivot from 203.0.113.7\""),
    ("authority", "authority = \"Research agreement 2026-14, Example University CERT\""),
    ("contact", "contact = \"mailto:scan@example.org\""),
    ("page", "page = \"https://scan.example.org/\""),
    ("valid_from", "valid_from = 2026-11-01T00:00:00Z"),
    ("valid_until", "valid_until = 2026-12-31T00:00:00Z"),
    ("lab", "lab = false"),
    ("grant", "[[grant]]"),
    ("exclude", "[exclude]"),
    ("limits", "[limits]"),
];

const GRANT_KEYS: &[Key] = &[
    ("name", "name = \"seed neighbourhood\""),
    ("networks", "networks = [\"203.0.113.0/24\"]"),
    ("ports", "ports = { ssh = [22], http = [80], tls = [443] }"),
];

const EXCLUDE_KEYS: &[Key] =
    &[("networks", "networks = [\"203.0.113.128/25\"]"), ("files", "files = [\"opt-out.txt\"]")];

const LIMIT_KEYS: &[Key] = &[
    ("connections_per_second", "connections_per_second = 200"),
    ("per_network_per_second", "per_network_per_second = 20"),
    ("per_host_per_second", "per_host_per_second = 2"),
    ("per_host_connections", "per_host_connections = 32"),
    ("per_asn_per_second", "per_asn_per_second = 50"),
];

/// Highest limit taken; more is a slip of the keyboard.
const HIGHEST_LIMIT: u32 = 1_000_000;

/// Networks and what may be asked of each address in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// As written, or `grant N` in the order of the file.
    pub name: String,
    /// As written.
    pub networks: Vec<IpNet>,
    /// Sorted in the order of [`Speech::ALL`] and then by port; never empty.
    pub services: Vec<(Speech, u16)>,
    /// Line of its header.
    pub line: usize,
}

/// What a scope file says.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) title: String,
    pub(super) authority: String,
    pub(super) contact: Option<String>,
    pub(super) page: Option<String>,
    pub(super) valid_from: Timestamp,
    pub(super) valid_until: Timestamp,
    pub(super) lab: bool,
    pub(super) grants: Vec<Grant>,
    pub(super) excluded: Vec<IpNet>,
    /// Names as written, each with its line.
    pub(super) opt_out_files: Vec<(String, usize)>,
    pub(super) limits: Limits,
}

/// Reads the text of a scope file; opens nothing else.
pub(super) fn read(text: &str, path: &Path) -> Result<Written, ScopeError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = Source { path, text };
    let document = DeTable::parse(text).map_err(|error| {
        let words = error.message().lines().collect::<Vec<_>>().join(", ");
        source.at(error.span().map_or(0, |span| span.start), Problem::NotToml(words))
    })?;
    let top = Table::new(source, "the scope", 0, document.get_ref(), SCOPE_KEYS)?;

    let schema = top.required_text("schema")?;
    if schema.value == super::draft::DRAFT_SCHEMA {
        return Err(source.at(schema.offset, Problem::Draft));
    }
    if schema.value != SCHEMA {
        return Err(source.at(schema.offset, Problem::Schema { found: shorten(&schema.value) }));
    }
    let lab = top.flag("lab")?;
    let title = top.required_text("title")?.value;
    let authority = top.required_text("authority")?.value;
    let contact = address_text(&top, source, "contact", lab)?;
    let page = address_text(&top, source, "page", lab)?;
    let from = top.required_instant("valid_from")?;
    let until = top.required_instant("valid_until")?;
    if until.value <= from.value {
        return Err(source.at(until.offset, Problem::Dates { from: from.value, until: until.value }));
    }
    let grants = grants(&top, source, lab)?;
    let (excluded, opt_out_files) = exclude(&top, source)?;
    let limits = limits(&top, source, lab)?;
    Ok(Written {
        title,
        authority,
        contact,
        page,
        valid_from: from.value,
        valid_until: until.value,
        lab,
        grants,
        excluded,
        opt_out_files,
        limits,
    })
}

fn address_text(top: &Table<'_>, source: Source<'_>, key: &str, lab: bool) -> Result<Option<String>, ScopeError> {
    let Some(At { value, offset }) = top.text(key)? else {
        return if lab { Ok(None) } else { Err(top.missing(key)) };
    };
    let plain = !value.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>'));
    let web = |scheme: &str| value.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    let mail = value.strip_prefix("mailto:").and_then(|rest| rest.split_once('@'));
    let is_mail = mail.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
    let shown = shorten(&value);
    match key {
        "contact" if !(plain && (is_mail || web("https://"))) => Err(source.at(offset, Problem::Contact(shown))),
        "page" if !(plain && (web("https://") || web("http://"))) => Err(source.at(offset, Problem::Page(shown))),
        _ => Ok(Some(value)),
    }
}

fn grants(top: &Table<'_>, source: Source<'_>, lab: bool) -> Result<Vec<Grant>, ScopeError> {
    let tables = top.tables("grant")?;
    if tables.is_empty() {
        return Err(top.missing("grant"));
    }
    let mut grants: Vec<Grant> = Vec::with_capacity(tables.len());
    for (number, At { value, offset }) in (1usize..).zip(tables) {
        let table = Table::new(source, "[[grant]]", offset, value, GRANT_KEYS)?;
        let line = super::line_of(source.text.as_bytes(), offset);
        let name = table.text("name")?.map_or_else(|| format!("grant {number}"), |name| name.value);
        if grants.iter().any(|other| other.name == name) {
            return Err(source.at(offset, Problem::SameName(shorten(&name))));
        }
        let networks = networks(&table, source)?.ok_or_else(|| table.missing("networks"))?;
        if networks.value.is_empty() {
            let (key, example) = ("networks", "networks = [\"203.0.113.0/24\"]");
            return Err(source.at(networks.offset, Problem::Empty { key, example }));
        }
        if let Some(outside) = networks.value.iter().find(|network| lab && !is_lab(&network.value)) {
            return Err(source.at(outside.offset, Problem::NotLab(outside.value)));
        }
        let networks = networks.value.into_iter().map(|network| network.value).collect();
        let ports = table.table("ports")?.ok_or_else(|| table.missing("ports"))?;
        let services = services(&ports, source)?;
        grants.push(Grant { name, networks, services, line });
    }
    Ok(grants)
}

fn is_lab(network: &IpNet) -> bool {
    special::blocks().unwrap_or_default().iter().any(|block| block.lab && block.network.contains(network))
}

fn networks(table: &Table<'_>, source: Source<'_>) -> Result<Option<At<Vec<At<IpNet>>>>, ScopeError> {
    let Some(At { value, offset }) = table.texts("networks")? else { return Ok(None) };
    let each = |text: At<String>| match parse_network(&text.value) {
        Ok(network) => Ok(At { value: network, offset: text.offset }),
        Err(error) => Err(source.at(text.offset, error.into())),
    };
    Ok(Some(At { value: value.into_iter().map(each).collect::<Result<_, _>>()?, offset }))
}

fn services(ports: &At<&DeTable<'_>>, source: Source<'_>) -> Result<Vec<(Speech, u16)>, ScopeError> {
    let mut services = Vec::new();
    for (key, value) in ports.value {
        let at_key = |problem| source.at(key.span().start, problem);
        let Ok(speech) = key.get_ref().parse::<Speech>() else {
            return Err(at_key(Problem::Speech { word: shorten(key.get_ref()), advice: speech_advice(key.get_ref()) }));
        };
        let DeValue::Array(items) = value.get_ref() else {
            let (found, example) = (type_words(value.get_ref()), "ports = { tls = [443] }");
            let problem = Problem::WrongType { key: speech.as_str(), found, wanted: "a list of ports", example };
            return Err(source.at(value.span().start, problem));
        };
        if items.is_empty() {
            return Err(at_key(Problem::PortsEmpty(speech)));
        }
        for item in items {
            services.push((speech, port(item, speech, source)?));
        }
    }
    if services.is_empty() {
        return Err(source.at(ports.offset, Problem::NoPorts));
    }
    services.sort_unstable();
    services.dedup();
    Ok(services)
}

fn port(item: &Spanned<DeValue<'_>>, speech: Speech, source: Source<'_>) -> Result<u16, ScopeError> {
    let wrong = |written: &str| source.at(item.span().start, Problem::Port { port: shorten(written), speech });
    match item.get_ref() {
        DeValue::Integer(whole) if whole.radix() == 10 => {
            whole.as_str().parse().ok().filter(|port| *port != 0).ok_or_else(|| wrong(whole.as_str()))
        }
        other => Err(wrong(&format!("({})", type_words(other)))),
    }
}

/// What to write instead of a word that is no protocol.
fn speech_advice(word: &str) -> String {
    match word {
        "https" | "jarm" | "cert" | "certificate" | "ssl" => {
            format!("{word} rides on tls: write `tls = [443]`")
        }
        _ => advice(word, &Speech::ALL.map(Speech::as_str)),
    }
}

type Exclusions = (Vec<IpNet>, Vec<(String, usize)>);

fn exclude(top: &Table<'_>, source: Source<'_>) -> Result<Exclusions, ScopeError> {
    let Some(At { value, offset }) = top.table("exclude")? else { return Ok(Exclusions::default()) };
    let table = Table::new(source, "[exclude]", offset, value, EXCLUDE_KEYS)?;
    let networks = networks(&table, source)?.map(|found| found.value).unwrap_or_default();
    let files = table.texts("files")?.map(|found| found.value).unwrap_or_default();
    let line = |offset| super::line_of(source.text.as_bytes(), offset);
    Ok((
        networks.into_iter().map(|network| network.value).collect(),
        files.into_iter().map(|file| (file.value, line(file.offset))).collect(),
    ))
}

fn limits(top: &Table<'_>, source: Source<'_>, lab: bool) -> Result<Limits, ScopeError> {
    let absent = if lab { Limits::UNLIMITED } else { Limits::DEFAULT };
    let Some(At { value, offset }) = top.table("limits")? else { return Ok(absent) };
    let table = Table::new(source, "[limits]", offset, value, LIMIT_KEYS)?;
    let rate = |key: &'static str, absent: Option<f64>| -> Result<Option<f64>, ScopeError> {
        let Some(At { value, offset }) = table.number(key)? else { return Ok(absent) };
        let number = value.replace('_', "").parse::<f64>().ok();
        let fits = |rate: &f64| rate.is_finite() && *rate > 0.0 && *rate <= f64::from(HIGHEST_LIMIT);
        number.filter(fits).map(Some).ok_or_else(|| source.at(offset, wrong_limit(key, &value)))
    };
    let count = |key: &'static str, absent: Option<u64>| -> Result<Option<u64>, ScopeError> {
        let Some(At { value, offset }) = table.number(key)? else { return Ok(absent) };
        let number = value.replace('_', "").parse::<u64>().ok();
        let fits = |count: &u64| (1..=u64::from(HIGHEST_LIMIT)).contains(count);
        number.filter(fits).map(Some).ok_or_else(|| source.at(offset, wrong_limit(key, &value)))
    };
    Ok(Limits {
        connections_per_second: rate("connections_per_second", absent.connections_per_second)?,
        per_network_per_second: rate("per_network_per_second", absent.per_network_per_second)?,
        per_host_per_second: rate("per_host_per_second", absent.per_host_per_second)?,
        per_host_connections: count("per_host_connections", absent.per_host_connections)?,
        per_asn_per_second: rate("per_asn_per_second", absent.per_asn_per_second)?,
    })
}

fn wrong_limit(key: &'static str, found: &str) -> Problem {
    let example = LIMIT_KEYS.iter().find(|(known, _)| *known == key).map_or("", |(_, example)| *example);
    Problem::Limit { key, found: shorten(found), most: HIGHEST_LIMIT, example }
}
