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

/// A holder as the newest files of a day have it.
#[derive(Debug, Default)]
struct Holder {
    /// A company's or person's name: several words.
    name: Option<String>,
    /// The AS's own short name: one word. Only compared with another.
    handle: Option<String>,
    org: Option<String>,
    opaque_id: Option<String>,
}

impl Holder {
    /// Whether they are one: `None` where nothing of one can be compared with the other.
    fn is(&self, other: &Self) -> Option<bool> {
        let same = |a: &Option<String>, b: &Option<String>| Some(a.as_ref()? == b.as_ref()?);
        let name = self.name.as_deref().zip(other.name.as_deref()).map(|(one, two)| {
            let equal = |read: fn(&str) -> String| !read(one).is_empty() && read(one) == read(two);
            equal(plain_name) || equal(core_name)
        });
        // An entry in the registry tells more than names; a short name is only told where there is nothing else.
        let told = [same(&self.org, &other.org), same(&self.opaque_id, &other.opaque_id), name];
        match told.into_iter().flatten().reduce(|one, two| one || two) {
            Some(known) => Some(known),
            None => same(&self.handle, &other.handle),
        }
    }

    fn called(&self) -> &str {
        self.name.as_deref().or(self.handle.as_deref()).or(self.org.as_deref()).unwrap_or("an unnamed holder")
    }
}

fn holder_of(knowledge: &Knowledge, asn: Asn, date: Option<Date>) -> Holder {
    let infos = knowledge.as_info(asn, date);
    let object = knowledge.object(ObjectClass::AutNum, &asn.to_string(), date);
    let org = infos.iter().find_map(|info| info.org.clone()).or(object.and_then(|one| one.org));
    let organisation = org.as_deref().and_then(|id| knowledge.organisation(id, date)).map(|one| one.name.clone());
    let named = |several: bool| {
        let names = infos.iter().map(|info| info.name.trim()).filter(|name| !name.is_empty());
        names.filter(|name| name.contains(' ') == several).map(str::to_owned).next()
    };
    Holder {
        name: named(true).or(organisation),
        handle: named(false),
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
    match was.is(&is) {
        None => Sameness::Unknown,
        Some(true) => Sameness::Same,
        Some(false) => Sameness::Changed(format!(
            "{asn} was held by \"{}\" on {then} and is held by \"{}\" now",
            was.called(),
            is.called()
        )),
    }
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
