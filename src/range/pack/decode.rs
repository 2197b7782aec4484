//! Facts from CBOR.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use jiff::civil::Date;
use minicbor::Decoder;
use minicbor::data::Type;

use super::PackError;
use crate::range::fact::{
    Adjacency, AsInfo, Asn, Delegation, Fact, FactKind, Listed, Listing, NamedRange, ObjectClass, ObjectKey,
    Organisation, Origin, RegistryObject, Relation, Relationship, Resource, Use,
};
use crate::range::span::AddressRange;

pub(super) type Dec<'b> = Decoder<'b>;
pub(super) type Decoded<T> = Result<T, PackError>;

fn wrong(what: &str) -> PackError {
    PackError(format!("{what} is not of a known form"))
}

/// Reads one fact.
pub(super) fn decode(kind: FactKind, from: &mut Dec<'_>) -> Decoded<Fact> {
    let length = from.array()?.ok_or_else(|| wrong("a fact"))?;
    let mut known = 0;
    let fact = match kind {
        FactKind::Origins => {
            known += 3;
            let prefix = read_network(from)?;
            let count = from.array()?.ok_or_else(|| wrong("an origin"))?;
            let origins = (0..count.min(65_535)).map(|_| from.u32().map(Asn)).collect::<Result<_, _>>()?;
            let peers_seen = from.decode()?;
            // Facts of before sets were told apart have three parts.
            let is_set = length > known && from.bool()?;
            known += u64::from(length > known);
            Fact::Origin(Origin { prefix, origins, is_set, peers_seen })
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

/// Reads one object.
pub(in crate::range) fn read_object(from: &mut Dec<'_>) -> Decoded<RegistryObject> {
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
