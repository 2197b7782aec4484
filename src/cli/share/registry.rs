//! The registry file: holders, contacts and upstreams as a person wrote them down from public registers (TOML).

use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context, anyhow};
use ipnet::IpNet;
use serde::Deserialize;

use crate::cli::exit::Stop;
use crate::report::{AnswersFor, Contact, ContactOrigin, Holder, Registry, Upstream};

/// Most bytes of a file read here.
const MOST: u64 = 32 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    never_mail: Vec<String>,
    #[serde(default)]
    holder: Vec<HolderRow>,
    #[serde(default)]
    contact: Vec<ContactRow>,
    #[serde(default)]
    upstream: Vec<UpstreamRow>,
    #[serde(default)]
    origin: Vec<OriginRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HolderRow {
    network: IpNet,
    name: String,
    handle: Option<String>,
    source: String,
    since: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContactRow {
    network: Option<IpNet>,
    asn: Option<u32>,
    mail: String,
    origin: String,
    name: Option<String>,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpstreamRow {
    asn: u32,
    of: u32,
    name: Option<String>,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OriginRow {
    network: IpNet,
    asn: u32,
}

/// Reads a registry file.
pub(super) fn read(path: &Path) -> Result<Registry, Stop> {
    let text = bounded(path)?;
    let file: File = toml::from_str(&text).with_context(|| format!("cannot read `{}`", path.display()))?;
    let holders = file.holder.into_iter().map(|row| {
        let since = row.since.as_deref().map(crate::cli::case::moment).transpose()?;
        Ok(Holder { network: row.network.trunc(), name: row.name, handle: row.handle, source: row.source, since })
    });
    let contacts = file.contact.into_iter().map(|row| contact(row, path));
    Ok(Registry {
        holders: holders.collect::<Result<_, Stop>>()?,
        contacts: contacts.collect::<Result<_, Stop>>()?,
        upstreams: file
            .upstream
            .into_iter()
            .map(|row| Upstream { asn: row.asn, of: row.of, name: row.name, source: row.source })
            .collect(),
        origins: file.origin.into_iter().map(|row| (row.network.trunc(), row.asn)).collect(),
        never_mail: file.never_mail,
    })
}

fn contact(row: ContactRow, path: &Path) -> Result<Contact, Stop> {
    let wrong = |words: String| anyhow!("`{}`: contact {}: {words}", path.display(), row.mail);
    let answers_for = match (row.network, row.asn) {
        (Some(network), None) => AnswersFor::Network(network.trunc()),
        (None, Some(asn)) => AnswersFor::Asn(asn),
        _ => return Err(wrong("give `network` or `asn`, one of them".to_owned()).into()),
    };
    let origin = ContactOrigin::ALL.into_iter().find(|origin| origin.as_str() == row.origin);
    let words = ContactOrigin::ALL.map(ContactOrigin::as_str).join(", ");
    let origin = origin.ok_or_else(|| wrong(format!("origin `{}` is none of: {words}", row.origin)))?;
    Ok(Contact { answers_for, origin, mail: row.mail, name: row.name, source: row.source })
}

/// A text file of one thing a line; empty lines and what follows `#` say nothing.
pub(super) fn lines(path: &Path) -> Result<Vec<(usize, String)>, Stop> {
    let text = bounded(path)?;
    let lines = text
        .lines()
        .enumerate()
        .map(|(at, line)| (at + 1, line.split('#').next().unwrap_or_default().trim().to_owned()));
    Ok(lines.filter(|(_, line)| !line.is_empty()).collect())
}

/// Networks or addresses, one a line.
pub(super) fn networks(path: &Path) -> Result<Vec<IpNet>, Stop> {
    let network = |(at, text): (usize, String)| {
        let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
        let network = text.parse::<IpNet>().ok().map(|one| one.trunc()).or_else(single);
        network.ok_or_else(|| {
            anyhow!("`{}` line {at}: `{text}` is no network; write 203.0.113.0/24 or an address", path.display()).into()
        })
    };
    lines(path)?.into_iter().map(network).collect()
}

fn bounded(path: &Path) -> Result<String, Stop> {
    let cannot = || format!("cannot read `{}`", path.display());
    let mut text = String::new();
    let file = std::fs::File::open(path).with_context(cannot)?;
    let read = file.take(MOST + 1).read_to_string(&mut text).with_context(cannot)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > MOST {
        return Err(anyhow!("`{}` is larger than {} MiB", path.display(), MOST >> 20).into());
    }
    Ok(text)
}
