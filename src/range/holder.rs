//! Who held an AS or a piece of space, then and now: numbers are re-issued and space moves to strangers.
//!
//! A claim about an AS or a range holds for its holder on the seed's day. Where the files name another holder now, reasons
//! that rest on the AS or the range as a whole are refused.

use std::net::IpAddr;

use jiff::civil::Date;

use super::fact::{Asn, ObjectClass};
use super::knowledge::Knowledge;
use super::name::{core_name, plain_name};

/// Whether the holder on two days is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sameness {
    /// The files name the same holder on both days.
    Same,
    /// The files do not tell for one of the days.
    Unknown,
    /// Another holder: what and since when, in words; strangers' text.
    Changed(String),
}

/// A holder as the newest file of a day has it.
#[derive(Debug, Default)]
struct Holder {
    name: String,
    org: Option<String>,
    opaque_id: Option<String>,
}

impl Holder {
    fn is_known(&self) -> bool {
        !self.name.is_empty() || self.org.is_some() || self.opaque_id.is_some()
    }

    fn is(&self, other: &Self) -> bool {
        let shares = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
        let names = |read: fn(&str) -> String| {
            let (one, two) = (read(&self.name), read(&other.name));
            !one.is_empty() && one == two
        };
        shares(&self.org, &other.org)
            || shares(&self.opaque_id, &other.opaque_id)
            || names(plain_name)
            || names(core_name)
    }
}

fn holder_of(knowledge: &Knowledge, asn: Asn, date: Option<Date>) -> Holder {
    let infos = knowledge.as_info(asn, date);
    let object = knowledge.object(ObjectClass::AutNum, &asn.to_string(), date);
    let org = infos.iter().find_map(|info| info.org.clone()).or(object.and_then(|one| one.org));
    let organisation = org.as_deref().and_then(|id| knowledge.organisation(id, date)).map(|one| one.name.clone());
    Holder {
        name: infos
            .iter()
            .map(|info| info.name.clone())
            .find(|name| !name.is_empty())
            .or(organisation)
            .unwrap_or_default(),
        org,
        opaque_id: infos.iter().find_map(|info| info.opaque_id.clone()),
    }
}

/// Whether `asn` is held by the same on `then` and `now`.
#[must_use]
pub fn same_as_holder(knowledge: &Knowledge, asn: Asn, then: Date, now: Option<Date>) -> Sameness {
    let given = knowledge.delegation_of(asn, now).iter().filter_map(|one| one.date).max();
    let object = knowledge.object(ObjectClass::AutNum, &asn.to_string(), now);
    let made = given.into_iter().chain(object.and_then(|one| one.created)).max();
    if let Some(day) = made.filter(|day| *day > then) {
        return Sameness::Changed(format!(
            "{asn} was given to its present holder on {day}, after {then}: the number was re-issued"
        ));
    }
    let (was, is) = (holder_of(knowledge, asn, Some(then)), holder_of(knowledge, asn, now));
    if !was.is_known() || !is.is_known() {
        return Sameness::Unknown;
    }
    if was.is(&is) {
        return Sameness::Same;
    }
    Sameness::Changed(format!("{asn} was held by \"{}\" on {then} and is held by \"{}\" now", was.name, is.name))
}

/// Whether the smallest registered range that holds `address` was given out before `then`.
#[must_use]
pub fn same_space_holder(knowledge: &Knowledge, address: IpAddr, then: Date, now: Option<Date>) -> Sameness {
    let mut known = false;
    let smallest = |date| {
        let space = |class| matches!(class, ObjectClass::Inetnum | ObjectClass::Inet6num);
        knowledge.registry_at(address, date).into_iter().find(|object| space(object.class))
    };
    if let Some(object) = smallest(now) {
        if let Some(day) = object.created.filter(|day| *day > then) {
            return Sameness::Changed(format!(
                "the registry's entry \"{}\" for this space was made on {day}, after {then}: the space was re-assigned",
                object.name
            ));
        }
        known |= object.created.is_some();
        if let Some(was) = smallest(Some(then)) {
            known = true;
            if was.org.is_some() && object.org.is_some() && was.org != object.org {
                let word = |org: Option<String>| org.unwrap_or_default();
                return Sameness::Changed(format!(
                    "the space was held by {} on {then} and is held by {} now",
                    word(was.org),
                    word(object.org)
                ));
            }
        }
    }
    if let Some(given) = knowledge.delegations_at(address, now).first().and_then(|one| one.date) {
        known = true;
        if given > then {
            return Sameness::Changed(format!(
                "the registry gave this space out on {given}, after {then}: the space was re-assigned"
            ));
        }
    }
    if known { Sameness::Same } else { Sameness::Unknown }
}
