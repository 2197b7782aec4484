//! Objects of the routing and address registries.

use ipnet::IpNet;
use jiff::civil::Date;

use super::asn::Asn;
use super::span::AddressRange;

/// The classes of registry objects that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectClass {
    /// IPv4 space (`inetnum`).
    Inetnum,
    /// IPv6 space (`inet6num`).
    Inet6num,
    /// An AS (`aut-num`).
    AutNum,
    /// A route, v4 or v6 (`route`, `route6`).
    Route,
    /// An organisation.
    Organisation,
    /// A maintainer (`mntner`).
    Mntner,
    /// A role: an abuse desk, a NOC.
    Role,
}

impl ObjectClass {
    /// All classes.
    pub const ALL: [Self; 7] =
        [Self::Inetnum, Self::Inet6num, Self::AutNum, Self::Route, Self::Organisation, Self::Mntner, Self::Role];

    /// The class's name in RPSL; a v6 route is a `route` here.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inetnum => "inetnum",
            Self::Inet6num => "inet6num",
            Self::AutNum => "aut-num",
            Self::Route => "route",
            Self::Organisation => "organisation",
            Self::Mntner => "mntner",
            Self::Role => "role",
        }
    }
}

/// What an object is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectKey {
    /// Space (inetnum, inet6num).
    Addresses(AddressRange),
    /// An AS.
    Number(Asn),
    /// A route: prefix and origin.
    Route(IpNet, Asn),
    /// A handle (organisation, mntner, role), upper case.
    Handle(String),
}

/// An object of a registry's database (RFC 2622, RFC 4012, RIPE Database documentation).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryObject {
    /// Its class.
    pub class: ObjectClass,
    /// What it is about.
    pub key: ObjectKey,
    /// `netname`, `as-name`, `org-name`, or the role's name; empty where the class has none.
    pub name: String,
    /// `org`: a handle, upper case.
    pub org: Option<String>,
    /// `sponsoring-org`: the registry member who vouches for an end user.
    pub sponsor: Option<String>,
    /// `mnt-by`, `mnt-lower`: handles, upper case, each once. `mnt-routes` is left out: it is often the upstream's.
    pub maintainers: Vec<String>,
    /// `abuse-c`: a role's handle.
    pub abuse_contact: Option<String>,
    /// `abuse-mailbox`: an address.
    pub abuse_mailbox: Option<String>,
    /// `admin-c`, `tech-c`: handles.
    pub contacts: Vec<String>,
    /// `ALLOCATED PA`, `ASSIGNED PA`, …
    pub status: Option<String>,
    /// Two letters.
    pub country: Option<String>,
    /// When it was made.
    pub created: Option<Date>,
    /// When it was last changed.
    pub last_modified: Option<Date>,
    /// `descr`, line by line.
    pub descr: Vec<String>,
    /// `remarks`, line by line.
    pub remarks: Vec<String>,
    /// `source`: which registry.
    pub source: String,
}

/// The handle under which an AS's abuse desk by `PeeringDB` is kept.
#[must_use]
pub fn peeringdb_desk(asn: Asn) -> String {
    format!("PEERINGDB-ABUSE-{asn}")
}

impl RegistryObject {
    /// An object of which only class and key are known yet.
    #[must_use]
    pub fn new(class: ObjectClass, key: ObjectKey) -> Self {
        Self {
            class,
            key,
            name: String::new(),
            org: None,
            sponsor: None,
            maintainers: Vec::new(),
            abuse_contact: None,
            abuse_mailbox: None,
            contacts: Vec::new(),
            status: None,
            country: None,
            created: None,
            last_modified: None,
            descr: Vec::new(),
            remarks: Vec::new(),
            source: String::new(),
        }
    }

    /// The addresses it is about, if any.
    #[must_use]
    pub fn addresses(&self) -> Option<AddressRange> {
        match &self.key {
            ObjectKey::Addresses(range) => Some(*range),
            ObjectKey::Route(prefix, _) => Some(AddressRange::of(*prefix)),
            ObjectKey::Number(_) | ObjectKey::Handle(_) => None,
        }
    }
}
