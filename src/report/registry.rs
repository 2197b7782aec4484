//! Who holds a network and who answers for it, as the registries or a person say: plain facts, filled in from outside.

use std::cmp::Reverse;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::clean::Cleaner;
use crate::clock::Timestamp;

/// Who held a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The registered network.
    pub network: IpNet,
    /// The holder's name.
    pub name: String,
    /// The registry's handle or net name.
    pub handle: Option<String>,
    /// Who says so, and when: `RIPE NCC, 2026-11-01`.
    pub source: String,
    /// Since when it is this holder's, where known.
    pub since: Option<Timestamp>,
}

impl Holder {
    /// The same, as it may be shared: registers are written by those they are about.
    #[must_use]
    pub fn cleaned(self, cleaner: &Cleaner) -> Self {
        let handle = self.handle.map(|handle| cleaner.text(&handle));
        Self { name: cleaner.text(&self.name), source: cleaner.text(&self.source), handle, ..self }
    }
}

/// Where a contact is from, in the order in which they are asked (first that may be written to wins).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContactOrigin {
    /// Written down by the investigator for this case, who has a reason to.
    Person,
    /// `abuse-c` of the inetnum itself.
    Network,
    /// `abuse-c` of its organisation.
    Organisation,
    /// `abuse-c` of the aut-num.
    Asn,
    /// Role `abuse` of an RDAP answer saved by the user.
    Rdap,
    /// `security.txt` (RFC 9116) of the holder's domain.
    SecurityTxt,
    /// PeeringDB.
    Peering,
}

impl ContactOrigin {
    /// All, in their order.
    pub const ALL: [Self; 7] =
        [Self::Person, Self::Network, Self::Organisation, Self::Asn, Self::Rdap, Self::SecurityTxt, Self::Peering];

    /// The word in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "inetnum",
            Self::Organisation => "organisation",
            Self::Asn => "aut-num",
            Self::Rdap => "rdap",
            Self::SecurityTxt => "security.txt",
            Self::Peering => "peeringdb",
            Self::Person => "person",
        }
    }
}

impl fmt::Display for ContactOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a contact answers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswersFor {
    /// A network.
    Network(IpNet),
    /// An AS.
    Asn(u32),
}

/// Where abuse of something is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// What it answers for.
    pub answers_for: AnswersFor,
    /// Where it is from.
    pub origin: ContactOrigin,
    /// The mail address.
    pub mail: String,
    /// The organisation's name, where known.
    pub name: Option<String>,
    /// Who says so, and when.
    pub source: String,
}

/// An AS and who carries its traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The AS that carries.
    pub asn: u32,
    /// The AS that is carried.
    pub of: u32,
    /// The name of the one that carries, where known.
    pub name: Option<String>,
    /// Who says so, and when.
    pub source: String,
}

/// All that is known of holders and contacts. What a person wrote stands before what files say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    /// Holders of networks.
    pub holders: Vec<Holder>,
    /// Contacts.
    pub contacts: Vec<Contact>,
    /// Who carries whom.
    pub upstreams: Vec<Upstream>,
    /// Origin ASes of networks, for hosts whose AS the case does not know.
    pub origins: Vec<(IpNet, u32)>,
    /// Mail addresses and domains that nothing is ever written to.
    pub never_mail: Vec<String>,
}

impl Registry {
    /// Puts what files say behind what is there. Of two that say the same of a network the first speaks.
    pub fn add(&mut self, mut other: Self) {
        self.holders.append(&mut other.holders);
        self.contacts.append(&mut other.contacts);
        let known = |one: &Upstream| self.upstreams.iter().any(|two| (two.asn, two.of) == (one.asn, one.of));
        other.upstreams.retain(|one| !known(one));
        self.upstreams.append(&mut other.upstreams);
        self.origins.append(&mut other.origins);
        self.never_mail.append(&mut other.never_mail);
    }

    /// The holder of the smallest network around an address; of two of one size the first.
    #[must_use]
    pub fn holder_of(&self, address: IpAddr) -> Option<&Holder> {
        let around = self.holders.iter().filter(|holder| holder.network.contains(&address));
        around.min_by_key(|holder| Reverse(holder.network.prefix_len()))
    }

    /// The AS of the smallest network around an address; of two of one size the first.
    #[must_use]
    pub fn origin_of(&self, address: IpAddr) -> Option<u32> {
        let around = self.origins.iter().filter(|(network, _)| network.contains(&address));
        around.min_by_key(|(network, _)| Reverse(network.prefix_len())).map(|(_, asn)| *asn)
    }
}
