//! What the announced network and the registry's entries around a seed lead to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::network::MOST_PREFIXES;
use super::{Finder, is_allocation, is_near};
use crate::range::fact::{NamedRange, ObjectClass, RegistryObject, Use};
use crate::range::name::{is_placeholder, netname_stem, registered_domain};
use crate::range::objects::By;
use crate::range::origins::Announced;
use crate::range::reason::Link;
use crate::range::sibling::{MOST_HOLDERS, is_registry_account};
use crate::range::span::AddressRange;

/// Sub-allocations taken for one shared registry entry; more share a registry member's own account.
const MOST_ALLOCATIONS: usize = 200;
/// Addresses of a range whose reverse names share the seed's domain, at the least.
const FEWEST_NAMES: usize = 3;

impl<'a> Finder<'a, '_> {
    /// The announced prefix and its parts.
    pub(super) fn around(&mut self, seed: IpAddr, found: Announced<'a>) {
        let who = self.list_of_ases(found.origins);
        let range = AddressRange::of(found.prefix);
        let words = format!("the network that holds the seed {seed}, as {who} announces it on the Internet");
        let near = self.unit(seed);
        if near.count() < range.count() && range.holds(&near) {
            // The rest of a wide network is no nearer to the seed than what its AS announces elsewhere.
            self.add(range, Link::SameAs, words, vec![found.dataset.id]);
            let words = format!("the {} next to the seed {seed}, a part of {}", Self::size(&near), found.prefix);
            self.add(near, Link::Announced, words, vec![found.dataset.id]);
        } else {
            self.add(range, Link::Announced, words, vec![found.dataset.id]);
        }
        let parts = self.knowledge.more_specifics(found.prefix, self.now);
        if parts.len() > MOST_PREFIXES {
            return;
        }
        let mut strangers = 0;
        for part in parts {
            if part.prefix != found.prefix {
                // In a wide network whoever announces a part under a number of his own is a customer or lessee.
                let same = part.origins.iter().any(|asn| found.origins.contains(asn));
                if !same && !is_near(&range) && !part.prefix.contains(&seed) {
                    strangers += 1;
                    continue;
                }
                let words = format!(
                    "a part of {}, the network around the seed {seed}, announced on its own by {}",
                    found.prefix,
                    self.list_of_ases(part.origins)
                );
                self.add(AddressRange::of(part.prefix), Link::MoreSpecific, words, vec![part.dataset.id]);
            }
        }
        if strangers > 0 {
            self.found.evidence.push(format!(
                "{strangers} of the parts of {}, the network around the seed {seed}, are announced by other ASes: likely customers or lessees; being in it proposed none of them",
                found.prefix
            ));
        }
    }

    /// The sub-allocation that holds the seed, and those that share its registry entries.
    pub(super) fn allocations(&mut self, seed: IpAddr, own: &RegistryObject) {
        let Some(range) = own.addresses() else { return };
        let words = format!("the range that the registry records around the seed {seed}, named \"{}\"", own.name);
        self.add(range, Link::SubAllocation, words, Vec::new());
        let mut ties: Vec<(By<'_>, String)> = Vec::new();
        ties.extend(own.org.as_deref().map(|org| (By::Org(org), format!("the same organisation entry, {org}"))));
        for one in own.maintainers.iter().filter(|one| !is_registry_account(one)) {
            ties.push((By::Maintainer(one), format!("the same maintainer account, {one}")));
        }
        ties.extend(
            own.abuse_contact.as_deref().map(|one| (By::AbuseContact(one), format!("the same abuse contact, {one}"))),
        );
        for (by, tie) in ties {
            let others = self.knowledge.registry_by(by, self.now);
            self.siblings_of_space(seed, range, others, &tie, matches!(by, By::Org(_)));
        }
        let stem = netname_stem(&own.name);
        if !stem.is_empty() {
            let near = Self::parent(range);
            let others = self.knowledge.registry_in(&near, self.now);
            let others = others.into_iter().filter(|object| netname_stem(&object.name) == stem).collect();
            self.siblings_of_space(seed, range, others, &format!("a network name that begins alike, {stem}"), false);
        }
    }

    fn siblings_of_space(
        &mut self,
        seed: IpAddr,
        own: AddressRange,
        others: Vec<RegistryObject>,
        tie: &str,
        own_holder: bool,
    ) {
        let is_space = |object: &RegistryObject| matches!(object.class, ObjectClass::Inetnum | ObjectClass::Inet6num);
        let mut holders: BTreeSet<String> = BTreeSet::new();
        let mut ranges: BTreeMap<AddressRange, String> = BTreeMap::new();
        for object in others.into_iter().filter(|object| is_space(object) && !is_placeholder(&object.name)) {
            let Some(range) = object.addresses().filter(|range| *range != own && is_allocation(range)) else {
                continue;
            };
            holders.extend(object.org);
            ranges.insert(range, object.name);
        }
        if !own_holder && holders.len() > MOST_HOLDERS {
            self.found.evidence.push(format!(
                "{} ranges of {} organisations share {tie} with the range of {seed}: likely an account of somebody who serves them all; none was followed",
                ranges.len(),
                holders.len()
            ));
            return;
        }
        if ranges.len() > MOST_ALLOCATIONS {
            let many = ranges.len();
            self.found.evidence.push(format!(
                "{many} ranges share {tie} with the range of {seed}: so many that it is likely a reseller's account; none was followed"
            ));
            return;
        }
        for (range, name) in ranges {
            let words = format!("its registry entry \"{name}\" has {tie} as the range that holds the seed {seed}");
            self.add(range, Link::SiblingAllocation, words, Vec::new());
        }
    }

    /// Ranges whose addresses have reverse names under the domain of the seed's. A customer may name one machine as it
    /// likes, so that a range counts from a few such names on, and a domain on very many ranges is a large hoster's own.
    pub(super) fn reverse_names(&mut self, seed: IpAddr) {
        let domain_of = |one: &NamedRange| registered_domain(&one.name).filter(|_| one.used_for == Use::ReverseName);
        let of_seed = self.knowledge.named_at(seed, self.now);
        let domains: BTreeSet<String> = of_seed.into_iter().filter_map(domain_of).collect();
        for domain in domains {
            let mut units: BTreeMap<AddressRange, BTreeSet<IpAddr>> = BTreeMap::new();
            for one in self.knowledge.each_named(self.now) {
                if domain_of(one).is_some_and(|other| other == domain) {
                    let address = one.addresses.start();
                    units.entry(self.unit(address)).or_default().insert(address);
                }
            }
            units.retain(|range, hosts| hosts.len() >= FEWEST_NAMES && !(range.start() <= seed && seed <= range.end()));
            if units.len() > MOST_ALLOCATIONS {
                self.found.evidence.push(format!(
                    "{} ranges have reverse names under {domain}, as has the seed {seed}: a large hoster's own naming; none was followed",
                    units.len()
                ));
                continue;
            }
            for (range, hosts) in units {
                let words = format!(
                    "{} of its addresses have names in reverse DNS under {domain}, as has the seed {seed}; whoever holds an address may name it so",
                    hosts.len()
                );
                self.add(range, Link::SiblingAllocation, words, Vec::new());
            }
        }
    }

    fn size(range: &AddressRange) -> String {
        if range.start().is_ipv4() { format!("{} addresses", range.count()) } else { "addresses".to_owned() }
    }

    /// The /16 or /32 around a range.
    fn parent(range: AddressRange) -> AddressRange {
        let length = if range.start().is_ipv4() { 16 } else { 32 };
        IpNet::new(range.start(), length).map_or(range, |net| AddressRange::of(net.trunc()))
    }
}
