//! Turns an entry of a list of addresses into the fact that it is: an entry of a deny list, or a range with a known use.

use jiff::civil::Date;

use super::error::ReadError;
use super::out::Out;
use super::text::some;
use crate::range::fact::{Fact, Listed, Listing, NamedRange};
use crate::range::span::AddressRange;

/// What a line says beside the addresses.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Remark<'a> {
    pub(super) reason: Option<&'a str>,
    pub(super) since: Option<Date>,
    pub(super) until: Option<Date>,
    pub(super) lists: Option<u32>,
}

/// Hands the entry on.
pub(super) fn give(addresses: AddressRange, remark: Remark<'_>, out: &mut Out<'_>) -> Result<(), ReadError> {
    let fact = match out.used_for {
        Some(used_for) => Fact::Named(NamedRange { addresses, name: out.name.clone(), used_for }),
        None => listing(Listed::Addresses(addresses), remark, out),
    };
    out.fact(fact)
}

/// An entry of a deny list.
pub(super) fn listing(listed: Listed, remark: Remark<'_>, out: &Out<'_>) -> Fact {
    Fact::Listing(Listing {
        listed,
        list: out.name.clone(),
        reason: remark.reason.and_then(some),
        since: remark.since,
        until: remark.until,
        domain: None,
        lists: remark.lists,
    })
}
