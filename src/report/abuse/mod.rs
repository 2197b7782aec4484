//! Abuse reports as files for a person to read and send: to the holder of the sub-allocation, to the AS that announces it, and
//! to each upstream, which gets all of its customers' hosts in one. Nothing is ever sent by this program.

mod contact;
mod letter;
mod log;
mod mail;
mod xarf;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub use contact::{NEVER, Resolved, is_mail, of_asn, of_network};
pub use log::{Event, Happened, Log, Longevity, Written};

use super::dossier::{Dossier, SharedHost, Standing, hex};
use super::marking::Marking;
use super::registry::Registry;
use super::uuid::Uuid;
use crate::finding::Level;
use sha2::{Digest as _, Sha256};

/// Reports for machines in one mail at most: those of the likeliest hosts. The text names every host.
const MOST_XARF: usize = 50;

/// Who reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The organisation's name.
    pub organisation: String,
    /// Its mail address.
    pub mail: String,
}

impl Sender {
    /// The domain of the mail address.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.mail.rsplit('@').next().unwrap_or_default()
    }
}

/// What reports go by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who reports.
    pub sender: Sender,
    /// Who may see the reports.
    pub marking: Marking,
    /// True: nothing to the holder nor to the AS itself, who may be the provider and would be warned.
    pub confidential: bool,
    /// Least probability of a host that no person confirmed.
    pub least_score: f64,
    /// True: addresses in the text for people are written `203[.]0[.]113[.]7`.
    pub defang: bool,
    /// What these hosts are known to do, in the investigator's words.
    pub statement: Option<String>,
}

/// Why somebody is written to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Holds the sub-allocation.
    Holder,
    /// Announces the network.
    Origin(u32),
    /// Carries the traffic of these ASes.
    Upstream(u32, BTreeSet<u32>),
}

impl Role {
    /// A word for file names and records.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Holder => "holder",
            Self::Origin(_) => "origin",
            Self::Upstream(..) => "upstream",
        }
    }
}

/// One mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// File name.
    pub file: String,
    /// Names the report in the log.
    pub id: Uuid,
    /// Why this recipient.
    pub role: Role,
    /// Where to.
    pub to: String,
    /// The hosts it names.
    pub hosts: Vec<IpAddr>,
    /// The file's bytes.
    pub bytes: Vec<u8>,
}

/// All mails, and what could not be reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pack {
    /// In the order of roles.
    pub mails: Vec<Mail>,
    /// One line each, for the person.
    pub remarks: Vec<String>,
}

/// A recipient before the mail is written.
struct Recipient<'a> {
    role: Role,
    name: Option<String>,
    source: String,
    hosts: Vec<&'a SharedHost>,
}

/// Writes the reports.
#[must_use]
pub fn pack(dossier: &Dossier, registry: &Registry, log: &Log, settings: &Settings) -> Pack {
    let mut pack = Pack::default();
    let mut hosts: BTreeMap<IpAddr, &SharedHost> = BTreeMap::new();
    for host in dossier.clusters.iter().filter(|cluster| cluster.seeded).flat_map(|cluster| &cluster.hosts) {
        let sure = host.standing == Standing::Confirmed
            || (host.level == Level::Provider && host.score >= settings.least_score);
        if sure && host.standing != Standing::Rejected {
            let known = hosts.entry(host.address).or_insert(host);
            if host.score > known.score {
                *known = host;
            }
        }
    }
    let mut recipients: BTreeMap<(Role, String), Recipient<'_>> = BTreeMap::new();
    let mut warned = BTreeSet::new();
    if settings.confidential {
        let mut direct_ones = BTreeMap::new();
        direct(&hosts, registry, &mut direct_ones, &mut Pack::default());
        warned.extend(direct_ones.into_keys().map(|(_, mail)| mail.to_ascii_lowercase()));
        pack.remarks.push(
            "confidential: nothing was written to the holders and the announcing ASes, who may be the provider"
                .to_owned(),
        );
    } else {
        direct(&hosts, registry, &mut recipients, &mut pack);
    }
    upstreams(&hosts, registry, &warned, &mut recipients, &mut pack);
    for (place, ((_, to), mut recipient)) in recipients.into_iter().enumerate() {
        recipient.hosts.sort_by(|one, other| other.score.total_cmp(&one.score).then(one.address.cmp(&other.address)));
        pack.mails.push(write(dossier, log, settings, place + 1, &to, &recipient));
    }
    pack
}

/// Holders of sub-allocations, and ASes that announce. One mailbox that is both gets one mail, as the AS.
fn direct<'a>(
    hosts: &BTreeMap<IpAddr, &'a SharedHost>,
    registry: &Registry,
    recipients: &mut BTreeMap<(Role, String), Recipient<'a>>,
    pack: &mut Pack,
) {
    for host in hosts.values().copied() {
        let origin = host.asn.map(|asn| (asn, contact::of_asn(registry, asn)));
        let mut mailbox = None;
        match &origin {
            Some((asn, resolved)) => {
                remarks(pack, resolved, &format!("AS{asn}"));
                if let Some(found) = &resolved.contact {
                    mailbox = Some(found.mail.to_ascii_lowercase());
                    add(recipients, Role::Origin(*asn), found, host);
                }
            }
            None => note(
                pack,
                format!("{}: the AS is not known, so neither it nor its upstreams are written to", host.address),
            ),
        }
        let resolved = contact::of_network(registry, host.address);
        remarks(
            pack,
            &resolved,
            &host.holder.as_ref().map_or(host.address.to_string(), |holder| holder.network.to_string()),
        );
        if let Some(found) = resolved.contact.filter(|found| Some(found.mail.to_ascii_lowercase()) != mailbox) {
            add(recipients, Role::Holder, &found, host);
        }
    }
}

/// Each upstream once, with the hosts of all that it carries; not where its desk is one of those that must not be warned.
fn upstreams<'a>(
    hosts: &BTreeMap<IpAddr, &'a SharedHost>,
    registry: &Registry,
    warned: &BTreeSet<String>,
    recipients: &mut BTreeMap<(Role, String), Recipient<'a>>,
    pack: &mut Pack,
) {
    let mut carried = BTreeMap::<u32, BTreeSet<u32>>::new();
    let origins: BTreeSet<u32> = hosts.values().filter_map(|host| host.asn).collect();
    for one in registry.upstreams.iter().filter(|one| origins.contains(&one.of) && !origins.contains(&one.asn)) {
        carried.entry(one.asn).or_default().insert(one.of);
    }
    for origin in origins.iter().filter(|origin| !registry.upstreams.iter().any(|one| one.of == **origin)) {
        note(pack, format!("AS{origin}: no upstream is known"));
    }
    for (asn, of) in carried {
        let resolved = contact::of_asn(registry, asn);
        remarks(pack, &resolved, &format!("upstream AS{asn}"));
        let Some(found) = resolved.contact else { continue };
        // Another mailbox of the same house is no other house.
        let domain = |mail: &str| mail.rsplit('@').next().unwrap_or_default().to_ascii_lowercase();
        if warned.iter().any(|mail| domain(mail) == domain(&found.mail)) {
            note(
                pack,
                format!(
                    "upstream AS{asn}: {} has its mail where the desk of a holder or announcing AS has it too",
                    found.mail
                ),
            );
            continue;
        }
        for host in hosts.values().copied().filter(|host| host.asn.is_some_and(|origin| of.contains(&origin))) {
            add(recipients, Role::Upstream(asn, of.clone()), &found, host);
        }
    }
}

fn add<'a>(
    recipients: &mut BTreeMap<(Role, String), Recipient<'a>>,
    role: Role,
    found: &super::Contact,
    host: &'a SharedHost,
) {
    let recipient = recipients.entry((role.clone(), found.mail.clone())).or_insert_with(|| Recipient {
        role,
        name: found.name.clone(),
        source: format!("{}, {}", found.origin, found.source),
        hosts: Vec::new(),
    });
    recipient.hosts.push(host);
}

fn remarks(pack: &mut Pack, resolved: &Resolved, of: &str) {
    for passed in &resolved.passed {
        note(pack, format!("{of}: {passed}"));
    }
    if resolved.contact.is_none() {
        note(pack, format!("{of}: no contact is known"));
    }
}

/// A remark, once.
fn note(pack: &mut Pack, remark: String) {
    if !pack.remarks.contains(&remark) {
        pack.remarks.push(remark);
    }
}

/// The reasons fit for those who are written to: not why a person confirmed the host, which may name a source.
fn told(host: &SharedHost) -> impl Iterator<Item = &str> {
    let confirmed = (host.standing == Standing::Confirmed).then_some("confirmed by a person from other sources");
    let shared = host.reasons.iter().map(String::as_str).filter(|reason| !reason.starts_with("confirmed "));
    confirmed.into_iter().chain(shared)
}

fn write(dossier: &Dossier, log: &Log, settings: &Settings, place: usize, to: &str, recipient: &Recipient<'_>) -> Mail {
    let hosts: Vec<IpAddr> = recipient.hosts.iter().map(|host| host.address).collect();
    let shown: Vec<String> = hosts.iter().map(IpAddr::to_string).collect();
    let name =
        format!("abuse/{}/{to}/{}/{}", recipient.role.as_str(), dossier.case.as_of.as_millisecond(), shown.join(","));
    let id = dossier.namespace().v5(&hex(&Sha256::digest(name)));
    let named: BTreeSet<IpAddr> = hosts.iter().copied().collect();
    let earlier: Vec<String> = log
        .sent_about(&named)
        .filter(|(one, _)| one.id != id.to_string())
        .map(|(one, sent)| log.cite(one, sent))
        .collect();
    let letter = letter::Letter {
        dossier,
        settings,
        role: &recipient.role,
        name: recipient.name.as_deref(),
        contact_source: &recipient.source,
        hosts: &recipient.hosts,
        earlier: &earlier,
        longevity: log.longevity(dossier.case.as_of).words(),
        reports: recipient.hosts.len().min(MOST_XARF),
        id,
    };
    let reports: Vec<(String, String)> = recipient
        .hosts
        .iter()
        .take(MOST_XARF)
        .map(|host| {
            let report = xarf::xarf(dossier, host, &settings.sender, settings.marking, id);
            let name = format!("xarf-{}.json", host.address.to_string().replace(':', "_"));
            (name, serde_json::to_string_pretty(&report).unwrap_or_default())
        })
        .collect();
    let bytes = mail::eml(&mail::Parts {
        id,
        from_name: &settings.sender.organisation,
        from: &settings.sender.mail,
        to,
        subject: &letter.subject(),
        date: dossier.case.as_of,
        agent: &format!("hostkin/{}", dossier.case.version),
        text: &letter.text(),
        source_ip: shown.first().map_or("", String::as_str),
        incidents: hosts.len(),
        reports: &reports,
    });
    let short: String = id.to_string().chars().take(8).collect();
    let whom: String =
        to.chars().map(|c| if c.is_ascii_alphanumeric() || ".-".contains(c) { c } else { '_' }).take(60).collect();
    Mail {
        file: format!("{place:02}-{}-{whom}-{short}.eml", recipient.role.as_str()),
        id,
        role: recipient.role.clone(),
        to: to.to_owned(),
        hosts,
        bytes,
    }
}

#[cfg(test)]
mod tests;
