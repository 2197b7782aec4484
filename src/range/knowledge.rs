//! All datasets of a case together: who announced this, who held it, who listed it, on that day.
//!
//! Every question takes a day; `None` means the newest. A dataset answers for the day it speaks of and all days until
//! the next state of the same table: nothing is answered from a table newer than the day asked for, so that a look at
//! the past never uses what was known only later.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;

use super::dataset::{Dataset, DatasetId, Format};
use super::fact::{
    AsInfo, Asn, Delegation, Fact, FactKind, Listed, Listing, NamedRange, ObjectClass, ObjectKey, Organisation,
    RegistryObject, Relation, Relationship, Resource,
};
use super::infer::infer;
use super::origins::{Announced, OriginTable};
use super::sorted::Sorted;
use super::span::AddressRange;

/// What one dataset says, ready to be asked.
#[derive(Debug)]
pub struct Held {
    /// Which file.
    pub about: Dataset,
    pub(super) origins: OriginTable,
    relationships: Vec<Relationship>,
    /// `relationships` by either side: `(AS, place)`, ascending.
    by_side: Vec<(Asn, u32)>,
    organisations: BTreeMap<String, Organisation>,
    ases: Vec<AsInfo>,
    delegations: Sorted<Delegation>,
    numbers: Vec<Delegation>,
    objects: Vec<RegistryObject>,
    /// Objects with addresses, by place.
    space: Sorted<(AddressRange, u32)>,
    /// Handles and AS numbers of objects: `(class, key)` to place.
    by_key: BTreeMap<(ObjectClass, String), u32>,
    listings: Sorted<Listing>,
    /// Listed AS numbers and certificates.
    other_listings: Vec<Listing>,
    named: Sorted<NamedRange>,
}

/// A neighbour of an AS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Who.
    pub asn: Asn,
    /// What the neighbour is to the AS asked about.
    pub role: Role,
    /// True when worked out from paths and not listed.
    pub inferred: bool,
}

/// What a neighbour is to an AS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Sells it transit.
    Provider,
    /// Exchanges routes with it.
    Peer,
    /// Buys transit of it.
    Customer,
}

/// By what registry objects are gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By<'a> {
    /// The `org` handle.
    Org(&'a str),
    /// A maintainer.
    Maintainer(&'a str),
    /// The abuse contact's handle.
    AbuseContact(&'a str),
    /// An administrative or technical contact's handle.
    Contact(&'a str),
    /// The name (`netname`, `as-name`), exactly.
    Name(&'a str),
}

/// All datasets of a case.
#[derive(Debug, Default)]
pub struct Knowledge {
    /// By date, then number: the newest last.
    held: Vec<Held>,
}

impl Knowledge {
    /// Puts datasets together.
    #[must_use]
    pub fn new(mut held: Vec<Held>) -> Self {
        held.sort_by_key(|one| (one.about.date, one.about.id));
        Self { held }
    }

    /// All datasets, oldest first.
    pub fn datasets(&self) -> impl Iterator<Item = &Dataset> {
        self.held.iter().map(|one| &one.about)
    }

    /// One dataset by its number.
    #[must_use]
    pub fn dataset(&self, id: DatasetId) -> Option<&Dataset> {
        self.datasets().find(|one| one.id == id)
    }

    /// Datasets that hold on `date` and have facts of `kind`: of each table (form and name) its newest state.
    fn current(&self, date: Option<Date>, kind: FactKind) -> impl Iterator<Item = &Held> {
        let mut seen: BTreeSet<(Format, &str)> = BTreeSet::new();
        let held = self.held.iter().rev().filter(move |one| date.is_none_or(|day| one.about.date <= day));
        held.filter(move |one| one.about.count(kind) > 0 && seen.insert((one.about.format, &one.about.name)))
    }

    /// Tables of origins that hold on `date` for one family: all whole tables of the newest day that has one, or else the
    /// newest part of a table.
    fn tables(&self, date: Option<Date>, v4: bool) -> impl Iterator<Item = &Held> {
        let usable = move |one: &&Held| date.is_none_or(|day| one.about.date <= day) && one.origins.has(v4);
        let newest = self.held.iter().rev().filter(usable).find(|one| one.about.whole);
        let newest = newest.or_else(|| self.held.iter().rev().find(usable));
        let at = newest.map(|one| (one.about.date, one.about.whole));
        self.held.iter().rev().filter(usable).filter(move |one| Some((one.about.date, one.about.whole)) == at)
    }

    /// Who announced `address` on `date`: the longest match in the newest table of origins.
    #[must_use]
    pub fn origins_at(&self, address: IpAddr, date: Option<Date>) -> Option<Announced<'_>> {
        let found = self.tables(date, address.is_ipv4()).filter_map(|one| one.announced(address));
        found.max_by_key(|announced| announced.prefix.prefix_len())
    }

    /// All prefixes that held `address` on `date`, longest first.
    #[must_use]
    pub fn covering(&self, address: IpAddr, date: Option<Date>) -> Vec<Announced<'_>> {
        let tables = self.tables(date, address.is_ipv4());
        let mut found: Vec<_> = tables.flat_map(|one| one.all_announced(address)).collect();
        found.sort_by_key(|announced| std::cmp::Reverse(announced.prefix.prefix_len()));
        found
    }

    /// Prefixes announced on `date` inside `network`, itself too, in address order.
    #[must_use]
    pub fn more_specifics(&self, network: IpNet, date: Option<Date>) -> Vec<Announced<'_>> {
        let v4 = matches!(network, IpNet::V4(_));
        let mut found: Vec<_> = self.tables(date, v4).flat_map(|one| one.announced_in(network)).collect();
        found.sort_by_key(|announced| announced.prefix);
        found
    }

    /// What `asn` announced on `date`, in address order, IPv4 first.
    #[must_use]
    pub fn prefixes_of(&self, asn: Asn, date: Option<Date>) -> Vec<Announced<'_>> {
        let families = [true, false].into_iter();
        let tables = families.flat_map(|v4| self.tables(date, v4).map(move |one| (v4, one)));
        let mut found: Vec<_> = tables
            .flat_map(|(v4, one)| one.announced_by(asn).filter(move |found| found.prefix.addr().is_ipv4() == v4))
            .collect();
        found.sort_by_key(|announced| announced.prefix);
        found
    }

    /// Who announced `address` in each table of origins, oldest first; `None` where the table has the family and nobody
    /// announced it.
    #[must_use]
    pub fn history(&self, address: IpAddr) -> Vec<(&Dataset, Option<Announced<'_>>)> {
        let tables = self.held.iter().filter(|one| one.origins.has(address.is_ipv4()));
        tables.map(|one| (&one.about, one.announced(address))).collect()
    }

    /// Every prefix announced on `date`, table by table in address order.
    pub fn each_announced(&self, date: Option<Date>) -> impl Iterator<Item = Announced<'_>> {
        let of = move |v4: bool| self.tables(date, v4).flat_map(move |one| one.every_announced(v4));
        of(true).chain(of(false))
    }

    /// Registry objects (inetnum, inet6num, route) whose addresses held `address` on `date`, smallest first.
    #[must_use]
    pub fn registry_at(&self, address: IpAddr, date: Option<Date>) -> Vec<RegistryObject> {
        let mut found: Vec<RegistryObject> = self
            .current(date, FactKind::Objects)
            .flat_map(|one| one.space.covering(address).filter_map(|(_, place)| one.object_at(*place)))
            .collect();
        found.sort_by_key(|object| object.addresses().map_or(u128::MAX, |range| range.count()));
        found
    }

    /// Registry objects that begin inside `range` on `date`, in address order.
    #[must_use]
    pub fn registry_in(&self, range: &AddressRange, date: Option<Date>) -> Vec<RegistryObject> {
        self.current(date, FactKind::Objects)
            .flat_map(|one| one.space.beginning_in(range).iter().filter_map(|(_, place)| one.object_at(*place)))
            .collect()
    }

    /// Registry objects that share a handle or name, as of `date`. Names are compared in any case.
    #[must_use]
    pub fn registry_by(&self, by: By<'_>, date: Option<Date>) -> Vec<RegistryObject> {
        let is = |text: &str, wanted: &str| text.eq_ignore_ascii_case(wanted);
        let fits = |object: &&RegistryObject| match by {
            By::Org(handle) => object.org.as_deref().is_some_and(|org| is(org, handle)),
            By::Maintainer(handle) => object.maintainers.iter().any(|one| is(one, handle)),
            By::AbuseContact(handle) => object.abuse_contact.as_deref().is_some_and(|one| is(one, handle)),
            By::Contact(handle) => object.contacts.iter().any(|one| is(one, handle)),
            By::Name(name) => is(&object.name, name),
        };
        self.current(date, FactKind::Objects).flat_map(|one| one.objects.iter().filter(fits).cloned()).collect()
    }

    /// One registry object: `aut-num` by number (`AS64500`), organisation, mntner or role by handle.
    #[must_use]
    pub fn object(&self, class: ObjectClass, key: &str, date: Option<Date>) -> Option<RegistryObject> {
        let key = (class, key.to_ascii_uppercase());
        self.current(date, FactKind::Objects)
            .find_map(|one| one.by_key.get(&key).and_then(|place| one.object_at(*place)))
    }

    /// What the files say of an AS on `date`, newest first.
    #[must_use]
    pub fn as_info(&self, asn: Asn, date: Option<Date>) -> Vec<&AsInfo> {
        self.current(date, FactKind::Ases)
            .flat_map(|one| {
                let from = one.ases.partition_point(|info| info.asn < asn);
                one.ases.iter().skip(from).take_while(move |info| info.asn == asn)
            })
            .collect()
    }

    /// Every AS that files tell of on `date`.
    pub fn each_as(&self, date: Option<Date>) -> impl Iterator<Item = &AsInfo> {
        self.current(date, FactKind::Ases).flat_map(|one| &one.ases)
    }

    /// The organisation of an AS on `date`.
    #[must_use]
    pub fn org_of(&self, asn: Asn, date: Option<Date>) -> Option<&Organisation> {
        self.as_info(asn, date).into_iter().find_map(|info| self.organisation(info.org.as_deref()?, date))
    }

    /// An organisation by its handle on `date`.
    #[must_use]
    pub fn organisation(&self, id: &str, date: Option<Date>) -> Option<&Organisation> {
        self.current(date, FactKind::Organisations).find_map(|one| one.organisations.get(id))
    }

    /// Neighbours of an AS on `date`, ascending: from the newest listed relationships, or else inferred from the newest
    /// paths.
    #[must_use]
    pub fn neighbours(&self, asn: Asn, date: Option<Date>) -> Vec<Neighbour> {
        let Some(one) = self.peering(date) else { return Vec::new() };
        let from = one.by_side.partition_point(|(side, _)| *side < asn);
        let places = one.by_side.iter().skip(from).take_while(|(side, _)| *side == asn);
        let mut found: Vec<Neighbour> = places
            .filter_map(|(_, place)| one.relationships.get(*place as usize))
            .map(|link| {
                let role = match (link.relation, link.a == asn) {
                    (Relation::Peer, _) => Role::Peer,
                    (Relation::ProviderCustomer, true) => Role::Customer,
                    (Relation::ProviderCustomer, false) => Role::Provider,
                };
                let asn = if link.a == asn { link.b } else { link.a };
                Neighbour { asn, role, inferred: link.inferred }
            })
            .collect();
        found.sort_by_key(|one| (one.asn, one.role));
        found.dedup();
        found
    }

    /// All relationships that hold on `date`, with the file they come from.
    #[must_use]
    pub fn relationships(&self, date: Option<Date>) -> (Option<&Dataset>, &[Relationship]) {
        self.peering(date).map_or((None, &[]), |one| (Some(&one.about), &one.relationships))
    }

    /// The newest listed relationships, or else the newest inferred ones.
    fn peering(&self, date: Option<Date>) -> Option<&Held> {
        let listed = self.current(date, FactKind::Relationships).next();
        listed.or_else(|| self.current(date, FactKind::Adjacencies).next())
    }

    /// Space given out on `date` that holds `address`, smallest first.
    #[must_use]
    pub fn delegations_at(&self, address: IpAddr, date: Option<Date>) -> Vec<&Delegation> {
        self.current(date, FactKind::Delegations).flat_map(|one| one.delegations.covering(address)).collect()
    }

    /// How an AS number was given out, as of `date`.
    #[must_use]
    pub fn delegation_of(&self, asn: Asn, date: Option<Date>) -> Vec<&Delegation> {
        let holds =
            move |one: &&Delegation| matches!(one.resource, Resource::Numbers(from, to) if from <= asn && asn <= to);
        self.current(date, FactKind::Delegations).flat_map(|one| one.numbers.iter().filter(holds)).collect()
    }

    /// Every delegation as of `date`: numbers first, then space in address order.
    pub fn each_delegation(&self, date: Option<Date>) -> impl Iterator<Item = &Delegation> {
        self.current(date, FactKind::Delegations).flat_map(|one| one.numbers.iter().chain(one.delegations.as_slice()))
    }

    /// Deny-list entries that held `address` on `date`, with the file each stands in.
    #[must_use]
    pub fn listings_at(&self, address: IpAddr, date: Option<Date>) -> Vec<(&Dataset, &Listing)> {
        let lists = self.current(date, FactKind::Listings);
        lists.flat_map(|one| one.listings.covering(address).map(|listing| (&one.about, listing))).collect()
    }

    /// Deny-list entries on `date` that share an address with `range`.
    #[must_use]
    pub fn listings_in(&self, range: &AddressRange, date: Option<Date>) -> Vec<(&Dataset, &Listing)> {
        let lists = self.current(date, FactKind::Listings);
        lists.flat_map(|one| meeting(&one.listings, range).map(|listing| (&one.about, listing))).collect()
    }

    /// Deny-list entries on `date` that name an AS.
    #[must_use]
    pub fn listings_of(&self, asn: Asn, date: Option<Date>) -> Vec<(&Dataset, &Listing)> {
        let lists = self.current(date, FactKind::Listings);
        let names = move |listing: &&Listing| listing.listed == Listed::Number(asn);
        lists.flat_map(|one| one.other_listings.iter().filter(names).map(|listing| (&one.about, listing))).collect()
    }

    /// Every deny-list entry on `date`: addresses in order, then AS numbers and certificates.
    pub fn each_listing(&self, date: Option<Date>) -> impl Iterator<Item = (&Dataset, &Listing)> {
        self.current(date, FactKind::Listings).flat_map(Held::every_listing)
    }

    /// Every entry of one dataset: for looking at the snapshots of a list one by one.
    pub fn listings_of_dataset(&self, id: DatasetId) -> impl Iterator<Item = &Listing> {
        let held = self.held.iter().filter(move |one| one.about.id == id);
        held.flat_map(Held::every_listing).map(|(_, listing)| listing)
    }

    /// Named ranges that hold `address` on `date`.
    #[must_use]
    pub fn named_at(&self, address: IpAddr, date: Option<Date>) -> Vec<&NamedRange> {
        self.current(date, FactKind::Named).flat_map(|one| one.named.covering(address)).collect()
    }

    /// Named ranges on `date` that share an address with `range`.
    #[must_use]
    pub fn named_in(&self, range: &AddressRange, date: Option<Date>) -> Vec<&NamedRange> {
        self.current(date, FactKind::Named).flat_map(|one| meeting(&one.named, range)).collect()
    }
}

/// Those that share an address with `range`.
fn meeting<'a, T>(sorted: &'a Sorted<T>, range: &AddressRange) -> impl Iterator<Item = &'a T> {
    let inside = sorted.beginning_in(range);
    let outside =
        sorted.covering(range.start()).filter(move |one| !inside.as_ptr_range().contains(&std::ptr::from_ref(*one)));
    outside.chain(inside)
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

    fn object_at(&self, place: u32) -> Option<RegistryObject> {
        self.objects.get(place as usize).cloned()
    }

    fn every_listing(&self) -> impl Iterator<Item = (&Dataset, &Listing)> {
        self.listings.as_slice().iter().chain(&self.other_listings).map(|listing| (&self.about, listing))
    }

    fn announced(&self, address: IpAddr) -> Option<Announced<'_>> {
        self.origins.covering(address, &self.about).next()
    }

    fn all_announced(&self, address: IpAddr) -> impl Iterator<Item = Announced<'_>> {
        self.origins.covering(address, &self.about)
    }

    fn announced_in(&self, network: IpNet) -> impl Iterator<Item = Announced<'_>> {
        self.origins.inside(network, &self.about)
    }

    fn announced_by(&self, asn: Asn) -> impl Iterator<Item = Announced<'_>> {
        self.origins.of(asn, &self.about)
    }

    fn every_announced(&self, v4: bool) -> impl Iterator<Item = Announced<'_>> {
        self.origins.every(v4, &self.about)
    }
}

/// Collects the facts of one dataset.
#[derive(Debug, Default)]
pub struct HeldBuilder {
    origins: Vec<super::fact::Origin>,
    adjacencies: Vec<super::fact::Adjacency>,
    relationships: Vec<Relationship>,
    organisations: BTreeMap<String, Organisation>,
    ases: Vec<AsInfo>,
    delegations: Vec<Delegation>,
    numbers: Vec<Delegation>,
    objects: Vec<RegistryObject>,
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
            Fact::Registry(object) => self.objects.push(*object),
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
        let mut space = Vec::new();
        let mut by_key = BTreeMap::new();
        for (place, object) in (0u32..).zip(&self.objects) {
            match &object.key {
                ObjectKey::Number(asn) => {
                    by_key.insert((object.class, asn.to_string()), place);
                }
                ObjectKey::Handle(handle) => {
                    by_key.insert((object.class, handle.to_ascii_uppercase()), place);
                }
                ObjectKey::Addresses(_) | ObjectKey::Route(..) => {}
            }
            space.extend(object.addresses().map(|range| (range, place)));
        }
        // Others were sorted out when they came in.
        let nowhere = AddressRange::one(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        let listed = |listing: &Listing| match listing.listed {
            Listed::Addresses(range) => range,
            Listed::Number(_) | Listed::Certificate(_) => nowhere,
        };
        let given = |delegation: &Delegation| match delegation.resource {
            Resource::Addresses(range) => range,
            Resource::Numbers(..) => nowhere,
        };
        Held {
            about,
            origins: OriginTable::new(self.origins),
            relationships: self.relationships,
            by_side,
            organisations: self.organisations,
            ases: self.ases,
            delegations: Sorted::new(self.delegations, given),
            numbers: self.numbers,
            objects: self.objects,
            space: Sorted::new(space, |(range, _)| *range),
            by_key,
            listings: Sorted::new(self.listings, listed),
            other_listings: self.other_listings,
            named: Sorted::new(self.named, |named| named.addresses),
        }
    }
}
