//! Facts as the case keeps them: CBOR arrays one after the other, some thousands in a part, under zstd.
//!
//! A part holds facts of one kind and one dataset. A million prefixes take some 5 MB and come back in a fraction of a
//! second. An array may grow at its end in later versions; what is missing there reads as unknown.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use jiff::civil::Date;
use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use super::fact::{
    Adjacency, AsInfo, Asn, Delegation, Fact, FactKind, Listed, Listing, NamedRange, ObjectClass, ObjectKey,
    Organisation, Origin, RegistryObject, Relation, Relationship, Resource, Use,
};
use super::span::AddressRange;

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
        let Ok(()) = encode(fact, &mut Encoder::new(&mut *bytes));
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
    let mut decoder = Decoder::new(&bytes);
    while decoder.position() < bytes.len() {
        each(decode(kind, &mut decoder)?);
    }
    Ok(())
}

type Encoded = Result<(), std::convert::Infallible>;
type Enc<'a> = Encoder<&'a mut Vec<u8>>;

/// The error of writing into memory, which there is none of.
fn sure<T>(result: Result<T, minicbor::encode::Error<std::convert::Infallible>>) {
    let _ = result;
}

fn encode(fact: &Fact, to: &mut Enc<'_>) -> Encoded {
    match fact {
        Fact::Origin(one) => {
            array(to, 3);
            network(to, one.prefix);
            sure(to.array(one.origins.len() as u64));
            one.origins.iter().for_each(|asn| sure(to.u32(asn.0)));
            sure(to.encode(one.peers_seen));
        }
        Fact::Adjacency(one) => {
            array(to, 5);
            [one.left.0, one.right.0, one.paths, one.climbing, one.falling].into_iter().for_each(|n| sure(to.u32(n)));
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
            [&one.id, &one.name, &one.country, &one.source].into_iter().for_each(|text| sure(to.str(text)));
        }
        Fact::AsInfo(one) => {
            array(to, 8);
            sure(to.u32(one.asn.0));
            sure(to.str(&one.name));
            [&one.org, &one.opaque_id, &one.domain, &one.country].into_iter().for_each(|text| sure(to.encode(text)));
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
    Ok(())
}

fn object(one: &RegistryObject, to: &mut Enc<'_>) {
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
    [&one.org, &one.sponsor, &one.abuse_contact, &one.abuse_mailbox, &one.status, &one.country]
        .into_iter()
        .for_each(|text| sure(to.encode(text)));
    day(to, one.created);
    day(to, one.last_modified);
    [&one.maintainers, &one.contacts, &one.descr, &one.remarks].into_iter().for_each(|texts| sure(to.encode(texts)));
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
    match range.network() {
        Some(one) => network(to, one),
        None => {
            array(to, 2);
            address(to, range.start());
            address(to, range.end());
        }
    }
}

fn address(to: &mut Enc<'_>, address: IpAddr) {
    match address {
        IpAddr::V4(v4) => sure(to.bytes(&v4.octets())),
        IpAddr::V6(v6) => sure(to.bytes(&v6.octets())),
    }
}

type Dec<'b> = Decoder<'b>;
type Decoded<T> = Result<T, PackError>;

fn wrong(what: &str) -> PackError {
    PackError(format!("{what} is not of a known form"))
}

fn decode(kind: FactKind, from: &mut Dec<'_>) -> Decoded<Fact> {
    let length = from.array()?.ok_or_else(|| wrong("a fact"))?;
    let mut known = 0;
    let fact = match kind {
        FactKind::Origins => {
            known += 3;
            let prefix = read_network(from)?;
            let count = from.array()?.ok_or_else(|| wrong("an origin"))?;
            let origins = (0..count.min(65_535)).map(|_| from.u32().map(Asn)).collect::<Result<_, _>>()?;
            Fact::Origin(Origin { prefix, origins, peers_seen: from.decode()? })
        }
        FactKind::Adjacencies => {
            known += 5;
            let (left, right) = (Asn(from.u32()?), Asn(from.u32()?));
            Fact::Adjacency(Adjacency { left, right, paths: from.u32()?, climbing: from.u32()?, falling: from.u32()? })
        }
        FactKind::Relationships => {
            known += 4;
            let (a, b) = (Asn(from.u32()?), Asn(from.u32()?));
            let relation = if from.u8()? == 1 { Relation::Peer } else { Relation::ProviderCustomer };
            Fact::Relationship(Relationship { a, b, relation, inferred: from.bool()? })
        }
        FactKind::Organisations => {
            known += 4;
            let mut text = || from.str().map(str::to_owned);
            Fact::Organisation(Organisation { id: text()?, name: text()?, country: text()?, source: text()? })
        }
        FactKind::Ases => {
            known += 8;
            Fact::AsInfo(AsInfo {
                asn: Asn(from.u32()?),
                name: from.str()?.to_owned(),
                org: from.decode()?,
                opaque_id: from.decode()?,
                domain: from.decode()?,
                country: from.decode()?,
                changed: read_day(from)?,
                source: from.str()?.to_owned(),
            })
        }
        FactKind::Delegations => {
            known += 6;
            Fact::Delegation(Delegation {
                registry: from.str()?.to_owned(),
                country: from.str()?.to_owned(),
                resource: read_resource(from)?,
                date: read_day(from)?,
                status: from.str()?.to_owned(),
                opaque_id: from.decode()?,
            })
        }
        FactKind::Objects => {
            known += 16;
            Fact::Registry(Box::new(read_object(from)?))
        }
        FactKind::Listings => {
            known += 7;
            Fact::Listing(Listing {
                listed: match from.datatype()? {
                    Type::Array => Listed::Addresses(read_range(from)?),
                    Type::String => Listed::Certificate(from.str()?.to_owned()),
                    _ => Listed::Number(Asn(from.u32()?)),
                },
                list: from.str()?.to_owned(),
                reason: from.decode()?,
                since: read_day(from)?,
                until: read_day(from)?,
                domain: from.decode()?,
                lists: from.decode()?,
            })
        }
        FactKind::Named => {
            known += 3;
            let (addresses, name, word) = (read_range(from)?, from.str()?.to_owned(), from.str()?);
            let used_for = Use::ALL.into_iter().find(|one| one.as_str() == word).ok_or_else(|| wrong("a use"))?;
            Fact::Named(NamedRange { addresses, name, used_for })
        }
    };
    for _ in known..length {
        from.skip()?;
    }
    Ok(fact)
}

fn read_object(from: &mut Dec<'_>) -> Decoded<RegistryObject> {
    let word = from.str()?;
    let class = ObjectClass::ALL.into_iter().find(|class| class.as_str() == word).ok_or_else(|| wrong("a class"))?;
    let key = match (from.datatype()?, class) {
        (Type::Array, ObjectClass::Route) => {
            from.array()?;
            ObjectKey::Route(read_network(from)?, Asn(from.u32()?))
        }
        (Type::Array, _) => ObjectKey::Addresses(read_range(from)?),
        (Type::String, _) => ObjectKey::Handle(from.str()?.to_owned()),
        _ => ObjectKey::Number(Asn(from.u32()?)),
    };
    let mut object = RegistryObject::new(class, key);
    from.str()?.clone_into(&mut object.name);
    object.org = from.decode()?;
    object.sponsor = from.decode()?;
    object.abuse_contact = from.decode()?;
    object.abuse_mailbox = from.decode()?;
    object.status = from.decode()?;
    object.country = from.decode()?;
    object.created = read_day(from)?;
    object.last_modified = read_day(from)?;
    object.maintainers = from.decode()?;
    object.contacts = from.decode()?;
    object.descr = from.decode()?;
    object.remarks = from.decode()?;
    from.str()?.clone_into(&mut object.source);
    Ok(object)
}

fn read_day(from: &mut Dec<'_>) -> Decoded<Option<Date>> {
    let Some(number) = from.decode::<Option<i32>>()? else { return Ok(None) };
    let part = |number: i32| i8::try_from(number % 100).unwrap_or(0);
    let year = i16::try_from(number / 10_000).map_err(|_| wrong("a date"))?;
    Date::new(year, part(number / 100), part(number)).map(Some).map_err(|_| wrong("a date"))
}

fn read_network(from: &mut Dec<'_>) -> Decoded<IpNet> {
    from.array()?;
    let octets = from.bytes()?;
    of_octets(octets, from.u16()?)
}

fn of_octets(octets: &[u8], length: u16) -> Decoded<IpNet> {
    let mut all = [0u8; 16];
    all.get_mut(..octets.len()).ok_or_else(|| wrong("a prefix"))?.copy_from_slice(octets);
    let [a, b, c, d, ..] = all;
    let address: IpAddr = if length < 256 { Ipv4Addr::new(a, b, c, d).into() } else { Ipv6Addr::from(all).into() };
    let length = u8::try_from(length % 256).map_err(|_| wrong("a prefix"))?;
    IpNet::new(address, length).map_err(|_| wrong("a prefix"))
}

fn read_range(from: &mut Dec<'_>) -> Decoded<AddressRange> {
    from.array()?;
    let first = from.bytes()?;
    if from.datatype()? != Type::Bytes {
        return Ok(AddressRange::of(of_octets(first, from.u16()?)?));
    }
    let address = |octets: &[u8]| -> Option<IpAddr> {
        match octets.len() {
            4 => <[u8; 4]>::try_from(octets).ok().map(IpAddr::from),
            _ => <[u8; 16]>::try_from(octets).ok().map(IpAddr::from),
        }
    };
    let (start, end) = (address(first), address(from.bytes()?));
    start.zip(end).and_then(|(start, end)| AddressRange::new(start, end)).ok_or_else(|| wrong("a range"))
}

fn read_resource(from: &mut Dec<'_>) -> Decoded<Resource> {
    let mut ahead = from.probe();
    ahead.array()?;
    if ahead.datatype()? == Type::Bytes {
        return read_range(from).map(Resource::Addresses);
    }
    from.array()?;
    Ok(Resource::Numbers(Asn(from.u32()?), Asn(from.u32()?)))
}

#[cfg(test)]
mod tests {
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
                peers_seen: Some(7),
            }),
            Fact::Origin(Origin { prefix: "2001:db8::/33".parse().unwrap(), origins: vec![], peers_seen: None }),
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
        let origin = Origin { prefix: "192.0.2.0/24".parse().unwrap(), origins: vec![Asn(1)], peers_seen: None };
        packer.add(&Fact::Origin(origin)).unwrap();
        let part = packer.finish().unwrap().remove(0);
        assert!(unpack(FactKind::Objects, &part.body, |_| ()).is_err());
        assert!(unpack(part.kind, &part.body[..part.body.len() - 1], |_| ()).is_err());
        assert!(unpack(part.kind, b"", |_| ()).is_err());
    }
}
