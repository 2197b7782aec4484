//! Facts as CBOR.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;
use minicbor::Encoder;

use crate::range::fact::{Fact, Listed, ObjectKey, RegistryObject, Relation, Resource};
use crate::range::span::AddressRange;

pub(super) type Enc<'a> = Encoder<&'a mut Vec<u8>>;

/// The error of writing into memory, which there is none of.
fn sure<T>(_: Result<T, minicbor::encode::Error<std::convert::Infallible>>) {}

/// Writes one fact.
pub(super) fn encode(fact: &Fact, to: &mut Enc<'_>) {
    match fact {
        Fact::Origin(one) => {
            // The fourth came later, and is left out where it says nothing.
            array(to, if one.is_set { 4 } else { 3 });
            network(to, one.prefix);
            sure(to.array(one.origins.len() as u64));
            for asn in &one.origins {
                sure(to.u32(asn.0));
            }
            sure(to.encode(one.peers_seen));
            if one.is_set {
                sure(to.bool(true));
            }
        }
        Fact::Adjacency(one) => {
            array(to, 5);
            for n in [one.left.0, one.right.0, one.paths, one.climbing, one.falling] {
                sure(to.u32(n));
            }
        }
        Fact::Relationship(one) => {
            array(to, 4);
            sure(to.u32(one.a.0));
            sure(to.u32(one.b.0));
            sure(to.u8(u8::from(one.relation == Relation::Peer)));
            sure(to.bool(one.inferred));
        }
        Fact::Organisation(one) => {
            array(to, 4);
            for text in [&one.id, &one.name, &one.country, &one.source] {
                sure(to.str(text));
            }
        }
        Fact::AsInfo(one) => {
            array(to, 8);
            sure(to.u32(one.asn.0));
            sure(to.str(&one.name));
            for text in [&one.org, &one.opaque_id, &one.domain, &one.country] {
                sure(to.encode(text));
            }
            day(to, one.changed);
            sure(to.str(&one.source));
        }
        Fact::Delegation(one) => {
            array(to, 6);
            sure(to.str(&one.registry));
            sure(to.str(&one.country));
            match one.resource {
                Resource::Addresses(addresses) => range(to, addresses),
                Resource::Numbers(from, upto) => {
                    array(to, 2);
                    sure(to.u32(from.0));
                    sure(to.u32(upto.0));
                }
            }
            day(to, one.date);
            sure(to.str(&one.status));
            sure(to.encode(&one.opaque_id));
        }
        Fact::Registry(one) => object(one, to),
        Fact::Listing(one) => {
            array(to, 7);
            match &one.listed {
                Listed::Addresses(addresses) => range(to, *addresses),
                Listed::Number(asn) => sure(to.u32(asn.0)),
                Listed::Certificate(sha1) => sure(to.str(sha1)),
            }
            sure(to.str(&one.list));
            sure(to.encode(&one.reason));
            day(to, one.since);
            day(to, one.until);
            sure(to.encode(&one.domain));
            sure(to.encode(one.lists));
        }
        Fact::Named(one) => {
            array(to, 3);
            range(to, one.addresses);
            sure(to.str(&one.name));
            sure(to.str(one.used_for.as_str()));
        }
    }
}

/// Writes one object.
pub(in crate::range) fn object(one: &RegistryObject, to: &mut Enc<'_>) {
    array(to, 16);
    sure(to.str(one.class.as_str()));
    match &one.key {
        ObjectKey::Addresses(addresses) => range(to, *addresses),
        ObjectKey::Number(asn) => sure(to.u32(asn.0)),
        ObjectKey::Route(prefix, asn) => {
            array(to, 2);
            network(to, *prefix);
            sure(to.u32(asn.0));
        }
        ObjectKey::Handle(handle) => sure(to.str(handle)),
    }
    sure(to.str(&one.name));
    for text in [&one.org, &one.sponsor, &one.abuse_contact, &one.abuse_mailbox, &one.status, &one.country] {
        sure(to.encode(text));
    }
    day(to, one.created);
    day(to, one.last_modified);
    for texts in [&one.maintainers, &one.contacts, &one.descr, &one.remarks] {
        sure(to.encode(texts));
    }
    sure(to.str(&one.source));
}

fn array(to: &mut Enc<'_>, length: u64) {
    sure(to.array(length));
}

/// A date as the number `20260401`, or null.
fn day(to: &mut Enc<'_>, date: Option<Date>) {
    let number = |date: Date| i32::from(date.year()) * 10_000 + i32::from(date.month()) * 100 + i32::from(date.day());
    sure(to.encode(date.map(number)));
}

/// A prefix: its octets without the zeros at the end, and its length.
fn network(to: &mut Enc<'_>, network: IpNet) {
    let length = network.prefix_len();
    array(to, 2);
    match network {
        IpNet::V4(v4) => octets(to, &v4.addr().octets(), length),
        IpNet::V6(v6) => octets(to, &v6.addr().octets(), length),
    }
    // IPv6 lengths stand above those of IPv4.
    sure(to.u16(u16::from(length) + if matches!(network, IpNet::V6(_)) { 256 } else { 0 }));
}

fn octets(to: &mut Enc<'_>, octets: &[u8], length: u8) {
    sure(to.bytes(octets.get(..usize::from(length).div_ceil(8)).unwrap_or(octets)));
}

/// A range: a prefix where it is one, else its two ends.
fn range(to: &mut Enc<'_>, range: AddressRange) {
    if let Some(one) = range.network() {
        network(to, one);
    } else {
        array(to, 2);
        address(to, range.start());
        address(to, range.end());
    }
}

fn address(to: &mut Enc<'_>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => sure(to.bytes(&v4.octets())),
        IpAddr::V6(v6) => sure(to.bytes(&v6.octets())),
    }
}
