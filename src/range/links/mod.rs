//! Ranges that the files tie to a seed, each with its reasons in words.
//!
//! In: all that is known, and the hosts to start from. Out: ranges with reasons, unranked. A reason that rests on an AS as
//! a whole falls when the AS has another holder now than on the seed's day ([`super::holder`]). An upstream, a deny list or
//! a score makes no range a candidate: they are evidence about ranges that are tied otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;

use super::dataset::DatasetId;
use super::fact::{Asn, ObjectClass, RegistryObject, Use};
use super::holder::{Sameness, same_space_holder};
use super::knowledge::Knowledge;
use super::name::is_placeholder;
use super::reason::{Link, Reason};
use super::sibling::Siblings;
use super::span::AddressRange;

mod network;
mod space;

/// A registered range larger than this, an IPv4 /16, is a registry member's whole block and no sub-allocation.
const LARGEST_ALLOCATION: u128 = 1 << 16;
/// The same in IPv6: members get a /32 or more.
const LARGEST_ALLOCATION_V6: u128 = 1 << 95;
/// Addresses that are next to each other: an IPv4 /22, an IPv6 /48.
const NEAR: u128 = 1 << 10;
const NEAR_V6: u128 = 1 << 80;

/// Whether a registered range is small enough to be somebody's place.
fn is_allocation(range: &AddressRange) -> bool {
    range.count() <= if range.start().is_ipv4() { LARGEST_ALLOCATION } else { LARGEST_ALLOCATION_V6 }
}

/// Whether a range is all next to each of its addresses.
fn is_near(range: &AddressRange) -> bool {
    range.count() <= if range.start().is_ipv4() { NEAR } else { NEAR_V6 }
}

/// A host to start from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// Its address.
    pub address: IpAddr,
    /// The day that is known of it; without one, the newest files hold.
    pub date: Option<Date>,
    /// False for a host that the case has linked to a seed.
    pub is_seed: bool,
}

/// What was found from all hosts.
#[derive(Debug, Default)]
pub struct Links {
    /// Ranges with their reasons.
    pub ranges: BTreeMap<AddressRange, Vec<Reason>>,
    /// What was not followed and why: AS numbers and ranges with another holder now.
    pub refused: Vec<String>,
    /// What is evidence and widens nothing: upstreams and who else is behind them.
    pub evidence: Vec<String>,
    /// ASes tied to the seeds: their own and their siblings.
    pub ases: BTreeSet<Asn>,
}

/// Finds what the files tie to the hosts, as of `now` (the newest where none is given).
#[must_use]
pub fn links(knowledge: &Knowledge, starts: &[Start], siblings: &Siblings<'_>, now: Option<Date>) -> Links {
    let mut finder = Finder { knowledge, siblings, now, found: Links::default(), done: BTreeSet::new() };
    let mut matches: BTreeMap<AddressRange, BTreeSet<IpAddr>> = BTreeMap::new();
    for start in starts {
        if start.is_seed {
            finder.seed(start);
        } else {
            matches.entry(finder.unit(start.address)).or_default().insert(start.address);
        }
    }
    for (range, hosts) in matches {
        let words = match hosts.first() {
            Some(one) if hosts.len() == 1 => format!("the case has linked a host in it, {one}, to the seed"),
            Some(one) => format!("the case has linked {} hosts in it to the seed, {one} among them", hosts.len()),
            None => continue,
        };
        finder.add(range, Link::Match, words, Vec::new());
    }
    finder.found
}

struct Finder<'a, 'b> {
    knowledge: &'a Knowledge,
    siblings: &'b Siblings<'a>,
    now: Option<Date>,
    found: Links,
    /// ASes whose prefixes have been taken, with how.
    done: BTreeSet<(Asn, Link)>,
}

impl Finder<'_, '_> {
    fn add(&mut self, range: AddressRange, link: Link, words: String, datasets: Vec<DatasetId>) {
        let reasons = self.found.ranges.entry(range).or_default();
        if !reasons.iter().any(|one| one.link == link && one.words == words) {
            reasons.push(Reason::new(link, words, range.count(), datasets));
        }
    }

    fn refuse(&mut self, words: String) {
        if !self.found.refused.contains(&words) {
            self.found.refused.push(words);
        }
    }

    /// The range that a host is counted with: its sub-allocation, or else its announced prefix, or else its /24 or /48;
    /// never more than a /22 or a /48 around it.
    fn unit(&self, address: IpAddr) -> AddressRange {
        let allocation = self.allocation(address, self.now).and_then(|object| object.addresses());
        let prefix = self.knowledge.origins_at(address, self.now).map(|found| AddressRange::of(found.prefix));
        let block =
            || IpNet::new(address, if address.is_ipv4() { 24 } else { 48 }).map(|net| AddressRange::of(net.trunc()));
        let found = allocation.filter(is_near).or(prefix.filter(is_near));
        found.or_else(|| block().ok()).unwrap_or_else(|| AddressRange::one(address))
    }

    /// The smallest registered range that holds an address and is somebody's: neither a registry member's whole block nor a
    /// registry's entry for space that it does not manage.
    fn allocation(&self, address: IpAddr, date: Option<Date>) -> Option<RegistryObject> {
        let is_space = |object: &RegistryObject| matches!(object.class, ObjectClass::Inetnum | ObjectClass::Inet6num);
        let small = |object: &RegistryObject| object.addresses().is_some_and(|range| is_allocation(&range));
        let found = self.knowledge.registry_at(address, date).into_iter();
        found.into_iter().find(|object| is_space(object) && small(object) && !is_placeholder(&object.name))
    }

    fn seed(&mut self, start: &Start) {
        let (seed, then) = (start.address, start.date);
        let moved = then.map_or(Sameness::Same, |then| same_space_holder(self.knowledge, seed, then, self.now));
        if let Sameness::Changed(why) = &moved {
            self.refuse(format!("the surroundings of {seed}: {why}"));
        }
        let announced = self.knowledge.origins_at(seed, then).or_else(|| self.knowledge.origins_at(seed, self.now));
        let same_space = !matches!(moved, Sameness::Changed(_));
        if let Some(words) = self.shared_use(seed) {
            self.refuse(format!("everything beyond the place next to {seed}: it lies in {words}"));
            if same_space {
                self.add(
                    self.unit(seed),
                    Link::Announced,
                    format!("the addresses next to the seed {seed}"),
                    Vec::new(),
                );
            }
            return;
        }
        if same_space {
            if let Some(found) = announced {
                self.around(seed, found);
            } else {
                let range = self.unit(seed);
                let words = format!("the block of addresses around the seed {seed}; no file says who announces it");
                self.add(range, Link::Announced, words, Vec::new());
            }
            if let Some(object) = self.allocation(seed, then).or_else(|| self.allocation(seed, self.now)) {
                self.allocations(seed, &object);
            }
        }
        if same_space {
            self.reverse_names(seed);
        }
        let origins = announced.map(|found| found.origins.to_vec()).unwrap_or_default();
        if let Some(set) = announced.filter(|found| found.is_set) {
            let words = self.list_of_ases(set.origins);
            self.found.evidence.push(format!(
                "{} around {seed} is a route put together from those of several ASes ({words}); whose part holds the seed no file says, and none of them was followed",
                set.prefix
            ));
        } else {
            for asn in &origins {
                self.whole_as(seed, *asn, then);
            }
        }
        // Where the space went to a stranger after the seed's day, later tables tell of the stranger.
        self.before(seed, &origins, then.filter(|_| !same_space));
        self.inherit(seed);
    }

    /// The use by many strangers that a seed's network is known for: its neighbours tell nothing.
    fn shared_use(&self, seed: IpAddr) -> Option<String> {
        self.knowledge.named_at(seed, self.now).into_iter().find_map(|one| {
            let what = match one.used_for {
                Use::Cdn => "a content delivery network",
                Use::Access => "an access network of people at home or on telephones",
                Use::WellKnown => "a well-known service",
                Use::Cloud | Use::Scanner | Use::Tor | Use::ReverseName => return None,
            };
            Some(format!("\"{}\", {what}, whose addresses serve many strangers", one.name))
        })
    }

    /// A range that holds the seed lies inside all larger ones that do: what speaks for these speaks for it, so that the
    /// place next to the seed never ranks behind the wide network around it.
    fn inherit(&mut self, seed: IpAddr) {
        let holds = |range: &AddressRange| range.start() <= seed && seed <= range.end();
        let mut around: Vec<AddressRange> = self.found.ranges.keys().copied().filter(holds).collect();
        around.sort_by_key(|range| std::cmp::Reverse(range.count()));
        let mut wider: Vec<Reason> = Vec::new();
        for range in around {
            let Some(reasons) = self.found.ranges.get_mut(&range) else { continue };
            for one in &wider {
                if !reasons.iter().any(|own| own.link == one.link) {
                    reasons.push(one.clone());
                }
            }
            wider.clone_from(reasons);
        }
    }

    /// An AS with its name.
    fn called(&self, asn: Asn) -> String {
        match self.siblings.name(asn) {
            "" => asn.to_string(),
            name => format!("{asn} ({name})"),
        }
    }

    fn list_of_ases(&self, asns: &[Asn]) -> String {
        asns.iter().map(|asn| self.called(*asn)).collect::<Vec<_>>().join(" and ")
    }
}
