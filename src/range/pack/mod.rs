//! Facts as the case keeps them: CBOR arrays one after the other, some thousands in a part, under zstd.
//!
//! A part holds facts of one kind and one dataset. A million prefixes take some 5 MB and come back in a fraction of a
//! second. An array may grow at its end in later versions; what is missing there reads as unknown.

mod decode;
mod encode;

use std::collections::BTreeMap;

use minicbor::{Decoder, Encoder};

use self::decode::decode;
pub(super) use self::decode::read_object;
use self::encode::encode;
pub(super) use self::encode::object;
use super::fact::{Fact, FactKind};

/// Bytes of a part before compression; one fact more may stand above.
const PART: usize = 1 << 20;
/// No part unpacks to more.
const MOST_PART: usize = 4 << 20;

/// Why stored facts could not be read: the case is damaged, or of a later version.
#[derive(Debug, thiserror::Error)]
#[error("stored facts cannot be read: {0}")]
pub struct PackError(String);

impl From<minicbor::decode::Error> for PackError {
    fn from(error: minicbor::decode::Error) -> Self {
        Self(error.to_string())
    }
}

/// Facts of one kind, ready to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Their kind.
    pub kind: FactKind,
    /// How many.
    pub rows: u64,
    /// They, compressed.
    pub body: Vec<u8>,
}

/// Gathers facts into parts.
#[derive(Default)]
pub struct Packer {
    open: BTreeMap<FactKind, (u64, Vec<u8>)>,
}

impl Packer {
    /// Adds a fact; gives a part when one is full.
    ///
    /// # Errors
    /// When the compressor fails, for want of memory.
    pub fn add(&mut self, fact: &Fact) -> Result<Option<Part>, PackError> {
        let kind = fact.kind();
        let (rows, bytes) = self.open.entry(kind).or_default();
        encode(fact, &mut Encoder::new(&mut *bytes));
        *rows += 1;
        if bytes.len() < PART {
            return Ok(None);
        }
        let part = compress(kind, *rows, bytes)?;
        *rows = 0;
        bytes.clear();
        Ok(Some(part))
    }

    /// The parts that are not full.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn finish(self) -> Result<Vec<Part>, PackError> {
        let open = self.open.into_iter().filter(|(_, (rows, _))| *rows > 0);
        open.map(|(kind, (rows, bytes))| compress(kind, rows, &bytes)).collect()
    }
}

fn compress(kind: FactKind, rows: u64, bytes: &[u8]) -> Result<Part, PackError> {
    let body = zstd::bulk::compress(bytes, 3).map_err(|error| PackError(error.to_string()))?;
    Ok(Part { kind, rows, body })
}

/// Gives `each` the facts of a stored part.
///
/// # Errors
/// When the part is not one of this or an earlier version.
pub fn unpack(kind: FactKind, body: &[u8], mut each: impl FnMut(Fact)) -> Result<(), PackError> {
    let bytes = zstd::bulk::decompress(body, MOST_PART).map_err(|error| PackError(error.to_string()))?;
    if bytes.is_empty() {
        return Err(PackError("a part without facts".to_owned()));
    }
    let mut decoder = Decoder::new(&bytes);
    while decoder.position() < bytes.len() {
        each(decode(kind, &mut decoder)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::civil::Date;

    use super::super::fact::{
        Adjacency, AsInfo, Asn, Delegation, Listed, Listing, NamedRange, ObjectClass, ObjectKey, Organisation, Origin,
        RegistryObject, Relation, Relationship, Resource, Use,
    };
    use super::super::span::AddressRange;
    use super::*;

    fn there_and_back(facts: &[Fact]) {
        let mut packer = Packer::default();
        for fact in facts {
            assert!(packer.add(fact).unwrap().is_none());
        }
        let mut back = Vec::new();
        for part in packer.finish().unwrap() {
            unpack(part.kind, &part.body, |fact| back.push(fact)).unwrap();
        }
        let by_kind = |facts: &[Fact]| {
            let mut all = facts.to_vec();
            all.sort_by_key(Fact::kind);
            all
        };
        assert_eq!(by_kind(&back), by_kind(facts));
    }

    #[test]
    fn every_kind_of_fact_comes_back_as_it_was() {
        let day = Some(Date::constant(2026, 4, 1));
        let odd = AddressRange::new([192, 0, 2, 1].into(), [192, 0, 2, 9].into()).unwrap();
        let v6 = AddressRange::of("2001:db8::/32".parse().unwrap());
        let (some, none) = (Some("é".to_owned()), None);
        let mut space = RegistryObject::new(ObjectClass::Inetnum, ObjectKey::Addresses(odd));
        space.name = "EXAMPLE-NET".to_owned();
        space.maintainers = vec!["A-MNT".to_owned(), "B-MNT".to_owned()];
        (space.created, space.org) = (day, some.clone());
        let route = ObjectKey::Route("2001:db8::/48".parse().unwrap(), Asn(64_500));
        let listing = Listing {
            listed: Listed::Addresses(v6),
            list: "x".to_owned(),
            reason: some.clone(),
            since: day,
            until: None,
            domain: none.clone(),
            lists: Some(3),
        };
        let delegation = Delegation {
            registry: "ripencc".to_owned(),
            country: "NL".to_owned(),
            resource: Resource::Addresses(odd),
            date: day,
            status: "assigned".to_owned(),
            opaque_id: some.clone(),
        };
        there_and_back(&[
            Fact::Origin(Origin {
                prefix: "0.0.0.0/0".parse().unwrap(),
                origins: vec![Asn(1), Asn(u32::MAX)],
                is_set: true,
                peers_seen: Some(7),
            }),
            Fact::Origin(Origin {
                prefix: "2001:db8::/33".parse().unwrap(),
                origins: vec![],
                is_set: false,
                peers_seen: None,
            }),
            Fact::Adjacency(Adjacency { left: Asn(1), right: Asn(2), paths: 3, climbing: 4, falling: 5 }),
            Fact::Relationship(Relationship { a: Asn(1), b: Asn(2), relation: Relation::Peer, inferred: true }),
            Fact::Organisation(Organisation { id: "ORG-X".to_owned(), ..Organisation::default() }),
            Fact::AsInfo(AsInfo { asn: Asn(5), domain: some, changed: day, ..AsInfo::default() }),
            Fact::Delegation(delegation.clone()),
            Fact::Delegation(Delegation { resource: Resource::Numbers(Asn(1), Asn(9)), opaque_id: none, ..delegation }),
            Fact::Registry(Box::new(space)),
            Fact::Registry(Box::new(RegistryObject::new(ObjectClass::Route, route))),
            Fact::Registry(Box::new(RegistryObject::new(ObjectClass::AutNum, ObjectKey::Number(Asn(7))))),
            Fact::Registry(Box::new(RegistryObject::new(ObjectClass::Role, ObjectKey::Handle("R".to_owned())))),
            Fact::Listing(listing.clone()),
            Fact::Listing(Listing { listed: Listed::Number(Asn(9)), ..listing.clone() }),
            Fact::Listing(Listing { listed: Listed::Certificate("ab".repeat(20)), ..listing }),
            Fact::Named(NamedRange { addresses: odd, name: "x".to_owned(), used_for: Use::Tor }),
        ]);
    }

    #[test]
    fn damage_is_an_error() {
        let mut packer = Packer::default();
        let prefix = "192.0.2.0/24".parse().unwrap();
        let origin = Origin { prefix, origins: vec![Asn(1)], is_set: false, peers_seen: None };
        packer.add(&Fact::Origin(origin)).unwrap();
        let part = packer.finish().unwrap().remove(0);
        assert!(unpack(FactKind::Objects, &part.body, |_| ()).is_err());
        assert!(unpack(part.kind, &part.body[..part.body.len() - 1], |_| ()).is_err());
        assert!(unpack(part.kind, b"", |_| ()).is_err());
    }
}
