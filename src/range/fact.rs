//! The facts that readers give: what a public file says of addresses, autonomous systems and their holders.
//!
//! A fact is what the file says and no more: no merging, no judging. Texts are bounded ([`MOST_TEXT`]) and otherwise as
//! the file has them; whoever shows one escapes it. Persons are not read (RPSL `person` objects are passed over).

use ipnet::IpNet;
use jiff::civil::Date;

pub use super::asn::{Asn, AsnError};
pub use super::object::{ObjectClass, ObjectKey, RegistryObject};
use super::span::AddressRange;

/// Most characters kept of one text of a fact (a name, a reason, a line of remarks).
pub const MOST_TEXT: usize = 256;
/// Most lines kept of a repeated attribute (`descr`, `remarks`, `mnt-by`).
pub const MOST_LINES: usize = 16;

/// One thing that a file says.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// Who announces a prefix.
    Origin(Origin),
    /// Two ASes beside each other on paths.
    Adjacency(Adjacency),
    /// Two ASes and what they are to each other.
    Relationship(Relationship),
    /// Who holds AS numbers or space.
    Organisation(Organisation),
    /// An AS's name and holder.
    AsInfo(AsInfo),
    /// Space or numbers that a registry gave out.
    Delegation(Delegation),
    /// An object of a routing or address registry.
    Registry(Box<RegistryObject>),
    /// An entry of a deny list.
    Listing(Listing),
    /// A range with a known use: cloud, CDN, scanner.
    Named(NamedRange),
}

impl Fact {
    /// What it is about.
    #[must_use]
    pub fn kind(&self) -> FactKind {
        match self {
            Self::Origin(_) => FactKind::Origins,
            Self::Adjacency(_) => FactKind::Adjacencies,
            Self::Relationship(_) => FactKind::Relationships,
            Self::Organisation(_) => FactKind::Organisations,
            Self::AsInfo(_) => FactKind::Ases,
            Self::Delegation(_) => FactKind::Delegations,
            Self::Registry(_) => FactKind::Objects,
            Self::Listing(_) => FactKind::Listings,
            Self::Named(_) => FactKind::Named,
        }
    }
}

/// The kinds of facts, as counted and as kept: each kind of a dataset is a column of its own in the case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FactKind {
    /// [`Origin`].
    Origins,
    /// [`Adjacency`].
    Adjacencies,
    /// [`Relationship`].
    Relationships,
    /// [`Organisation`].
    Organisations,
    /// [`AsInfo`].
    Ases,
    /// [`Delegation`].
    Delegations,
    /// [`RegistryObject`].
    Objects,
    /// [`Listing`].
    Listings,
    /// [`NamedRange`].
    Named,
}

impl FactKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Origins,
        Self::Adjacencies,
        Self::Relationships,
        Self::Organisations,
        Self::Ases,
        Self::Delegations,
        Self::Objects,
        Self::Listings,
        Self::Named,
    ];

    /// The stable word, in the case and in `data list`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Origins => "origins",
            Self::Adjacencies => "adjacencies",
            Self::Relationships => "relationships",
            Self::Organisations => "organisations",
            Self::Ases => "ases",
            Self::Delegations => "delegations",
            Self::Objects => "objects",
            Self::Listings => "listings",
            Self::Named => "named",
        }
    }

    /// The kind of a stable word.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A prefix and the ASes that originate it (several: MOAS, or the members of an AS set at the end of a path).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The prefix, without host bits.
    pub prefix: IpNet,
    /// Who originates it, ascending, each once.
    pub origins: Vec<Asn>,
    /// True where the path ends in an AS set (RFC 4271 section 9.2.2.2): a route put together of several, of which each
    /// member originates a part and perhaps none the whole. False for a single origin and for MOAS.
    pub is_set: bool,
    /// How many of the collector's peers saw it; `None` where the file does not say.
    pub peers_seen: Option<u32>,
}

/// Two ASes that stand beside each other on AS paths, prepends removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Adjacency {
    /// The one nearer to the collector.
    pub left: Asn,
    /// The one nearer to the origin.
    pub right: Asn,
    /// Paths on which they stand so.
    pub paths: u32,
    /// Of these, paths on which the pair stands before the path's best connected AS and not at it: there `right`
    /// provides for `left`.
    pub climbing: u32,
    /// Of these, paths on which the pair stands behind the path's best connected AS and not at it: there `left`
    /// provides for `right`.
    pub falling: u32,
}

/// What two ASes are to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// The first sells transit to the second.
    ProviderCustomer,
    /// They exchange their own and their customers' routes.
    Peer,
}

/// Two ASes and their relation, as a file lists it or as worked out from paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relationship {
    /// The provider, or one of two peers.
    pub a: Asn,
    /// The customer, or the other peer.
    pub b: Asn,
    /// Which.
    pub relation: Relation,
    /// True when worked out from paths and not listed: weaker, and shown as such.
    pub inferred: bool,
}

/// A holder of AS numbers or space.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Organisation {
    /// Its handle in the source (`ORG-XY1-RIPE`, `@aut-64500-APNIC`, a `PeeringDB` number as `pdb:1`).
    pub id: String,
    /// Its name.
    pub name: String,
    /// Two letters, or empty.
    pub country: String,
    /// Which registry says so.
    pub source: String,
}

/// What a file says of one AS.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AsInfo {
    /// Which AS.
    pub asn: Asn,
    /// Its name.
    pub name: String,
    /// The handle of its organisation ([`Organisation::id`]).
    pub org: Option<String>,
    /// The registry's opaque id of the holder: equal for all that one holder has at that registry.
    pub opaque_id: Option<String>,
    /// Its domain or web page.
    pub domain: Option<String>,
    /// Two letters.
    pub country: Option<String>,
    /// When the entry was last changed.
    pub changed: Option<Date>,
    /// Which registry or list says so.
    pub source: String,
}

/// What a registry gave out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// The registry's word: `ripencc`, `arin`, …
    pub registry: String,
    /// Two letters, or empty.
    pub country: String,
    /// What was given.
    pub resource: Resource,
    /// When; unknown for very old ones.
    pub date: Option<Date>,
    /// `allocated`, `assigned`, `available`, `reserved`.
    pub status: String,
    /// The registry's opaque id of the holder.
    pub opaque_id: Option<String>,
}

/// Addresses or AS numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Addresses from one to another, not always a CIDR.
    Addresses(AddressRange),
    /// AS numbers from one to another, both inside.
    Numbers(Asn, Asn),
}

/// What a deny list names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Addresses; one address is a range of one.
    Addresses(AddressRange),
    /// An AS.
    Number(Asn),
    /// A certificate by its SHA-1, lower-case hex.
    Certificate(String),
}

/// An entry of a deny list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Who or what.
    pub listed: Listed,
    /// The list's name: `spamhaus-drop`, `feodo`, …
    pub list: String,
    /// The list's own reason or reference: `SBL256894`, a malware family.
    pub reason: Option<String>,
    /// Listed since, where the list says so.
    pub since: Option<Date>,
    /// Last seen on the list, where it says so.
    pub until: Option<Date>,
    /// The domain by which a list groups ASes of one operator (ASN-DROP).
    pub domain: Option<String>,
    /// On how many lists, where the file is a sum of lists.
    pub lists: Option<u32>,
}

/// What a named range is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Use {
    /// A mainstream cloud or hosting company.
    Cloud,
    /// A content delivery network: many names behind one address.
    Cdn,
    /// A research scanner: on deny lists for scanning.
    Scanner,
    /// A Tor exit: on deny lists for its users' doings.
    Tor,
    /// People at home or on telephones.
    Access,
    /// Anything else known and innocent: public resolvers, well-known services.
    WellKnown,
    /// Nothing: it is a single address, and the name is what reverse DNS calls it.
    ReverseName,
}

impl Use {
    /// All uses.
    pub const ALL: [Self; 7] =
        [Self::Cloud, Self::Cdn, Self::Scanner, Self::Tor, Self::Access, Self::WellKnown, Self::ReverseName];

    /// The stable word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::Cdn => "cdn",
            Self::Scanner => "scanner",
            Self::Tor => "tor",
            Self::Access => "access",
            Self::WellKnown => "well_known",
            Self::ReverseName => "reverse_name",
        }
    }
}

/// A range with a known use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRange {
    /// The addresses.
    pub addresses: AddressRange,
    /// Whose: `cloudflare`, a warning list's name.
    pub name: String,
    /// What for.
    pub used_for: Use,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_word() {
        for kind in FactKind::ALL {
            assert_eq!(FactKind::read(kind.as_str()), Some(kind));
        }
    }
}
