//! All datasets of a case together: who announced this, who held it, who listed it, on that day.
//!
//! Every question takes a day; `None` means the newest. A dataset answers for the day it speaks of and all days until
//! the next state of the same table: nothing is answered from a table newer than the day asked for, so that a look at
//! the past never uses what was known only later.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;

use super::dataset::{Dataset, DatasetId, Format};
use super::fact::{
    AsInfo, Asn, Delegation, FactKind, Listed, Listing, NamedRange, ObjectClass, Organisation, RegistryObject,
    Relation, Relationship, Resource,
};
use super::held::Held;
use super::objects::By;
use super::origins::Announced;
use super::sorted::Sorted;
use super::span::AddressRange;

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

    /// Whether a table of origins of the family holds on `date`.
    #[must_use]
    pub fn announces(&self, v4: bool, date: Option<Date>) -> bool {
        self.tables(date, v4).next().is_some()
    }

    /// Who announced `address` on `date`: the longest match in the newest table of origins. A default route or the like
    /// (IPv4 wider than a /8, IPv6 wider than a /12) names nobody.
    #[must_use]
    pub fn origins_at(&self, address: IpAddr, date: Option<Date>) -> Option<Announced<'_>> {
        let found = self.tables(date, address.is_ipv4()).filter_map(|one| one.announced(address));
        let found = found.filter(|one| !is_default(one.prefix));
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
        let mut found: Vec<RegistryObject> =
            self.current(date, FactKind::Objects).flat_map(|one| one.objects.covering(address)).collect();
        found.sort_by_key(|object| object.addresses().map_or(u128::MAX, |range| range.count()));
        found
    }

    /// The registered spaces (inetnum, inet6num) that held `address` on `date`, smallest first, with the file each stands in.
    #[must_use]
    pub fn spaces_at(&self, address: IpAddr, date: Option<Date>) -> Vec<(&Dataset, RegistryObject)> {
        let space = |object: &RegistryObject| matches!(object.class, ObjectClass::Inetnum | ObjectClass::Inet6num);
        let current = self.current(date, FactKind::Objects);
        let mut found: Vec<(&Dataset, RegistryObject)> = current
            .flat_map(|one| one.objects.covering(address).filter(space).map(|object| (&one.about, object)))
            .collect();
        found.sort_by_key(|(_, object)| object.addresses().map_or(u128::MAX, |range| range.count()));
        found
    }

    /// One registry object as [`Knowledge::object`] finds it, with the file it stands in.
    #[must_use]
    pub fn object_in_file(
        &self,
        class: ObjectClass,
        key: &str,
        date: Option<Date>,
    ) -> Option<(&Dataset, RegistryObject)> {
        self.current(date, FactKind::Objects).find_map(|one| Some((&one.about, one.objects.keyed(class, key)?)))
    }

    /// Registry objects that begin inside `range` on `date`, in address order.
    #[must_use]
    pub fn registry_in(&self, range: &AddressRange, date: Option<Date>) -> Vec<RegistryObject> {
        self.current(date, FactKind::Objects).flat_map(|one| one.objects.beginning_in(range)).collect()
    }

    /// Registry objects that share a handle or name, as of `date`. Names are compared in any case.
    #[must_use]
    pub fn registry_by(&self, by: By<'_>, date: Option<Date>) -> Vec<RegistryObject> {
        self.current(date, FactKind::Objects).flat_map(|one| one.objects.by(by)).collect()
    }

    /// One registry object: `aut-num` by number (`AS64500`), organisation, mntner or role by handle.
    #[must_use]
    pub fn object(&self, class: ObjectClass, key: &str, date: Option<Date>) -> Option<RegistryObject> {
        self.current(date, FactKind::Objects).find_map(|one| one.objects.keyed(class, key))
    }

    /// Every registry object as of `date`, file by file.
    pub fn each_object(&self, date: Option<Date>) -> impl Iterator<Item = RegistryObject> {
        self.current(date, FactKind::Objects).flat_map(|one| one.objects.every())
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

    /// Every named range on `date`, file by file in address order.
    pub fn each_named(&self, date: Option<Date>) -> impl Iterator<Item = &NamedRange> {
        self.current(date, FactKind::Named).flat_map(|one| one.named.as_slice())
    }

    /// Named ranges on `date` that share an address with `range`.
    #[must_use]
    pub fn named_in(&self, range: &AddressRange, date: Option<Date>) -> Vec<&NamedRange> {
        self.current(date, FactKind::Named).flat_map(|one| meeting(&one.named, range)).collect()
    }
}

/// Whether a prefix is wider than any that a registry gives out: a default route, or one leaked for a part of the world. It
/// says where its router sends the rest, and nothing of who holds the addresses.
pub(super) fn is_default(prefix: IpNet) -> bool {
    prefix.prefix_len() < if prefix.addr().is_ipv4() { 8 } else { 12 }
}

/// Those that share an address with `range`.
fn meeting<'a, T>(sorted: &'a Sorted<T>, range: &AddressRange) -> impl Iterator<Item = &'a T> {
    let inside = sorted.beginning_in(range);
    let outside =
        sorted.covering(range.start()).filter(move |one| !inside.as_ptr_range().contains(&std::ptr::from_ref(*one)));
    outside.chain(inside)
}
