//! Holders, contacts and upstreams from the public files that were taken into the case. Nobody is asked: what is not in a file is
//! not known.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;

use crate::cli::args::What;
use crate::cli::exit::Stop;
use crate::cli::knowledge::knowledge;
use crate::clock::Timestamp;
use crate::range::fact::RegistryObject;
use crate::range::{Asn, Dataset, FactKind, Knowledge, ObjectClass, Role, Sameness, peeringdb_desk, same_space_holder};
use crate::report::{AnswersFor, Contact, ContactOrigin, Holder, Registry, Upstream};
use crate::seal::hex;
use crate::store::Case;

/// Registered spaces around an address whose desks are asked for, the smallest first.
const MOST_SPACES: usize = 4;
/// Spaces wider than this are what a registry was given, not what it gave to somebody.
const WIDEST: (u8, u8) = (8, 19);

/// What is known of a host before its holder is looked up.
pub(super) struct Asked {
    pub(super) address: IpAddr,
    pub(super) asn: Option<u32>,
    pub(super) last_seen: Option<Timestamp>,
}

/// What the files give: to be put behind what a person wrote, and remarks for that person.
#[derive(Default)]
pub(super) struct Found {
    pub(super) registry: Registry,
    pub(super) remarks: Vec<String>,
}

/// Looks up what `what` needs of these hosts.
pub(super) fn look_up(case: &Case, what: What, hosts: &[Asked]) -> Result<Found, Stop> {
    let kinds: &[FactKind] = match what {
        What::Abuse => &[
            FactKind::Objects,
            FactKind::Origins,
            FactKind::Ases,
            FactKind::Organisations,
            FactKind::Relationships,
            FactKind::Adjacencies,
        ],
        What::Stix | What::Misp | What::Denylist => &[FactKind::Objects, FactKind::Origins],
        _ => return Ok(Found::default()),
    };
    if case.datasets()?.is_empty() {
        return Ok(Found::default());
    }
    let knowledge = knowledge(case, kinds)?;
    let mut found = Found::default();
    let mut origins = BTreeSet::new();
    for host in hosts {
        let seen = host.last_seen.map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).date());
        if let Some(holder) = holder(&knowledge, host.address, seen)
            && !found.registry.holders.contains(&holder)
        {
            found.registry.holders.push(holder);
        }
        let asn = host.asn.map(Asn).or_else(|| {
            let asn = *knowledge
                .origins_at(host.address, seen)
                .or(knowledge.origins_at(host.address, None))?
                .origins
                .first()?;
            found.registry.origins.push((host.address.into(), asn.0));
            Some(asn)
        });
        origins.extend(asn);
        if what == What::Abuse {
            add(&mut found.registry.contacts, desks_of_space(&knowledge, host.address));
            found.remarks.extend(seen.and_then(|seen| moved(&knowledge, host.address, seen)));
        }
    }
    if what == What::Abuse {
        for asn in origins {
            add(&mut found.registry.contacts, desks_of_as(&knowledge, asn));
            for upstream in upstreams(&knowledge, asn) {
                add(&mut found.registry.contacts, desks_of_as(&knowledge, Asn(upstream.asn)));
                found.registry.upstreams.push(upstream);
            }
        }
    }
    Ok(found)
}

/// Who held the smallest registered space around an address on the day it was last seen, or by the first file after that.
fn holder(knowledge: &Knowledge, address: IpAddr, seen: Option<Date>) -> Option<Holder> {
    let first = knowledge.datasets().filter(|file| file.count(FactKind::Objects) > 0).map(|file| file.date).min();
    let day = seen.max(first);
    let (file, object) = knowledge.spaces_at(address, day).into_iter().find(|(_, object)| is_given_out(object))?;
    let named = |handle: &str| knowledge.object(ObjectClass::Organisation, handle, day).map(|one| one.name);
    let name = object.org.as_deref().and_then(named).filter(|name| !name.is_empty());
    let name = name.or_else(|| object.descr.first().cloned()).unwrap_or_else(|| object.name.clone());
    Some(Holder {
        network: network(&object, address)?,
        name,
        handle: Some(object.name).filter(|name| !name.is_empty()),
        source: source(file),
        since: object.created.and_then(|day| Some(day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())),
    })
}

/// Whether the space changed hands between the last sight and the newest file: then the desk is somebody else's.
fn moved(knowledge: &Knowledge, address: IpAddr, seen: Date) -> Option<String> {
    match same_space_holder(knowledge, address, seen, None) {
        Sameness::Changed(words) => Some(format!("{address}: {words}; ask yourself whether its desk should get this")),
        Sameness::Same | Sameness::Unknown => None,
    }
}

fn is_given_out(object: &RegistryObject) -> bool {
    let length = object.addresses().and_then(|range| range.networks().iter().map(IpNet::prefix_len).min());
    length.is_some_and(|length| length > if object.class == ObjectClass::Inetnum { WIDEST.0 } else { WIDEST.1 })
}

/// The network of a space that holds the address: the space itself where that is one CIDR.
fn network(object: &RegistryObject, address: IpAddr) -> Option<IpNet> {
    let range = object.addresses()?;
    range.network().or_else(|| range.networks().into_iter().find(|one| one.contains(&address)))
}

/// The newest desks of the spaces around an address.
fn desks_of_space(knowledge: &Knowledge, address: IpAddr) -> Vec<Contact> {
    let mut out = Vec::new();
    let spaces = knowledge.spaces_at(address, None).into_iter().filter(|(_, object)| is_given_out(object));
    for (file, object) in spaces.take(MOST_SPACES) {
        let Some(network) = network(&object, address) else { continue };
        let of = format!("{} {}", object.class.as_str(), object.name);
        out.extend(desks(knowledge, file, &object, &of, AnswersFor::Network(network), ContactOrigin::Network));
    }
    out
}

/// The newest desks of an AS: by the registry, then by `PeeringDB`.
fn desks_of_as(knowledge: &Knowledge, asn: Asn) -> Vec<Contact> {
    let answers_for = AnswersFor::Asn(asn.0);
    let mut out = Vec::new();
    if let Some((file, object)) = knowledge.object_in_file(ObjectClass::AutNum, &asn.to_string(), None) {
        out.extend(desks(knowledge, file, &object, &asn.to_string(), answers_for, ContactOrigin::Asn));
    }
    if let Some((file, desk)) = knowledge.object_in_file(ObjectClass::Role, &peeringdb_desk(asn), None)
        && let Some(mail) = desk.abuse_mailbox
    {
        let source = format!("the public abuse contact of {asn}; {}", source(file));
        out.push(Contact { answers_for, origin: ContactOrigin::Peering, mail, name: name(knowledge, asn), source });
    }
    out
}

/// The desk that an object names, and the one of its organisation.
fn desks(
    knowledge: &Knowledge,
    file: &Dataset,
    object: &RegistryObject,
    of: &str,
    answers_for: AnswersFor,
    origin: ContactOrigin,
) -> Vec<Contact> {
    let organisation = object.org.as_deref();
    let organisation =
        organisation.and_then(|org| Some((org, knowledge.object_in_file(ObjectClass::Organisation, org, None)?)));
    let name = organisation.as_ref().map(|(_, (_, one))| one.name.clone()).filter(|name| !name.is_empty());
    let own = mailbox(knowledge, file, object, of).map(|found| (origin, found));
    let of_organisation = organisation.and_then(|(org, (file, one))| {
        Some((ContactOrigin::Organisation, mailbox(knowledge, file, &one, &format!("organisation {org} of {of}"))?))
    });
    let all = own.into_iter().chain(of_organisation);
    all.map(|(origin, (mail, source))| Contact { answers_for, origin, mail, name: name.clone(), source }).collect()
}

/// Where an object says that abuse is reported: by the role it names, or by itself.
fn mailbox(knowledge: &Knowledge, file: &Dataset, object: &RegistryObject, of: &str) -> Option<(String, String)> {
    let role = object.abuse_contact.as_deref().and_then(|handle| {
        let (file, role) = knowledge.object_in_file(ObjectClass::Role, handle, None)?;
        Some((role.abuse_mailbox?, format!("abuse contact {handle} of {of}; {}", source(file))))
    });
    role.or_else(|| Some((object.abuse_mailbox.clone()?, format!("abuse mailbox of {of}; {}", source(file)))))
}

/// Who carries an AS, by the newest file of relations.
fn upstreams(knowledge: &Knowledge, asn: Asn) -> Vec<Upstream> {
    let (Some(file), _) = knowledge.relationships(None) else { return Vec::new() };
    let carries = knowledge.neighbours(asn, None).into_iter().filter(|one| one.role == Role::Provider);
    carries
        .map(|one| Upstream {
            asn: one.asn.0,
            of: asn.0,
            name: name(knowledge, one.asn),
            source: format!("{}{}", if one.inferred { "worked out from routes; " } else { "" }, source(file)),
        })
        .collect()
}

fn name(knowledge: &Knowledge, asn: Asn) -> Option<String> {
    let organisation = knowledge.org_of(asn, None).map(|one| one.name.clone());
    let organisation = organisation.or_else(|| Some(knowledge.as_info(asn, None).first()?.name.clone()));
    organisation.filter(|name| !name.is_empty())
}

/// A file as it can be found again.
fn source(file: &Dataset) -> String {
    format!("{} of {}, SHA-256 {}", file.name, file.date, hex(&file.sha256))
}

/// Adds what is not there yet.
fn add(to: &mut Vec<Contact>, more: Vec<Contact>) {
    for one in more {
        if !to.contains(&one) {
            to.push(one);
        }
    }
}
