//! One dataset in memory, sorted for the questions of [`Knowledge`](super::Knowledge).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::dataset::Dataset;
use super::fact::{
    Adjacency, AsInfo, Asn, Delegation, Fact, Listed, Listing, NamedRange, Organisation, Origin, Relationship, Resource,
};
use super::infer::infer;
use super::objects::Objects;
use super::origins::{Announced, OriginTable};
use super::sorted::Sorted;
use super::span::AddressRange;

/// What one dataset says, ready to be asked.
#[derive(Debug)]
pub struct Held {
    /// Which file.
    pub about: Dataset,
    pub(super) origins: OriginTable,
    pub(super) relationships: Vec<Relationship>,
    /// `relationships` by either side: `(AS, place)`, ascending.
    pub(super) by_side: Vec<(Asn, u32)>,
    pub(super) organisations: BTreeMap<String, Organisation>,
    pub(super) ases: Vec<AsInfo>,
    pub(super) delegations: Sorted<Delegation>,
    pub(super) numbers: Vec<Delegation>,
    pub(super) objects: Objects,
    pub(super) listings: Sorted<Listing>,
    /// Listed AS numbers and certificates.
    pub(super) other_listings: Vec<Listing>,
    pub(super) named: Sorted<NamedRange>,
}

impl Held {
    /// Sorts what a dataset says.
    pub fn new(about: Dataset, facts: impl IntoIterator<Item = Fact>) -> Self {
        let mut builder = HeldBuilder::default();
        facts.into_iter().for_each(|fact| builder.add(fact));
        builder.finish(about)
    }

    /// Whether it says who announces prefixes of the family.
    #[must_use]
    pub fn announces(&self, v4: bool) -> bool {
        self.origins.has(v4)
    }

    pub(super) fn every_listing(&self) -> impl Iterator<Item = (&Dataset, &Listing)> {
        self.listings.as_slice().iter().chain(&self.other_listings).map(|listing| (&self.about, listing))
    }

    pub(super) fn announced(&self, address: IpAddr) -> Option<Announced<'_>> {
        self.origins.longest(address, &self.about)
    }

    pub(super) fn all_announced(&self, address: IpAddr) -> impl Iterator<Item = Announced<'_>> {
        self.origins.covering(address, &self.about)
    }

    pub(super) fn announced_in(&self, network: IpNet) -> impl Iterator<Item = Announced<'_>> {
        self.origins.inside(network, &self.about)
    }

    pub(super) fn announced_by(&self, asn: Asn) -> impl Iterator<Item = Announced<'_>> {
        self.origins.of(asn, &self.about)
    }

    pub(super) fn every_announced(&self, v4: bool) -> impl Iterator<Item = Announced<'_>> {
        self.origins.every(v4, &self.about)
    }
}

/// Collects the facts of one dataset.
#[derive(Debug, Default)]
pub struct HeldBuilder {
    origins: Vec<Origin>,
    adjacencies: Vec<Adjacency>,
    relationships: Vec<Relationship>,
    organisations: BTreeMap<String, Organisation>,
    ases: Vec<AsInfo>,
    delegations: Vec<Delegation>,
    numbers: Vec<Delegation>,
    objects: Objects,
    listings: Vec<Listing>,
    other_listings: Vec<Listing>,
    named: Vec<NamedRange>,
}

impl HeldBuilder {
    /// Takes one fact in.
    pub fn add(&mut self, fact: Fact) {
        match fact {
            Fact::Origin(origin) => self.origins.push(origin),
            Fact::Adjacency(adjacency) => self.adjacencies.push(adjacency),
            Fact::Relationship(link) => self.relationships.push(link),
            Fact::Organisation(organisation) => {
                self.organisations.insert(organisation.id.clone(), organisation);
            }
            Fact::AsInfo(info) => self.ases.push(info),
            Fact::Delegation(delegation) => match delegation.resource {
                Resource::Addresses(_) => self.delegations.push(delegation),
                Resource::Numbers(..) => self.numbers.push(delegation),
            },
            Fact::Registry(object) => self.objects.add(&object),
            Fact::Listing(listing) => match listing.listed {
                Listed::Addresses(_) => self.listings.push(listing),
                Listed::Number(_) | Listed::Certificate(_) => self.other_listings.push(listing),
            },
            Fact::Named(named) => self.named.push(named),
        }
    }

    /// Sorts it all.
    #[must_use]
    pub fn finish(mut self, about: Dataset) -> Held {
        if self.relationships.is_empty() {
            self.relationships = infer(&self.adjacencies);
        }
        let mut by_side: Vec<(Asn, u32)> =
            (0u32..).zip(&self.relationships).flat_map(|(place, link)| [(link.a, place), (link.b, place)]).collect();
        by_side.sort_unstable();
        self.ases.sort_by_key(|info| info.asn);
        // Others were sorted out when they came in.
        let nowhere = AddressRange::one(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let listed = |listing: &Listing| match listing.listed {
            Listed::Addresses(range) => range,
            Listed::Number(_) | Listed::Certificate(_) => nowhere,
        };
        let given = |delegation: &Delegation| match delegation.resource {
            Resource::Addresses(range) => range,
            Resource::Numbers(..) => nowhere,
        };
        // Lists hold entries twice now and then.
        let mut listings = self.listings;
        listings.sort_by_key(listed);
        listings.dedup();
        Held {
            about,
            origins: OriginTable::new(self.origins),
            relationships: self.relationships,
            by_side,
            organisations: self.organisations,
            ases: self.ases,
            delegations: Sorted::new(self.delegations, given),
            numbers: self.numbers,
            objects: self.objects.sorted(),
            listings: Sorted::new(listings, listed),
            other_listings: self.other_listings,
            named: Sorted::new(self.named, |named| named.addresses),
        }
    }
}
