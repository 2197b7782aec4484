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
use super::fact::{Asn, FactKind, Listed, ObjectClass, RegistryObject};
use super::holder::{Sameness, same_as_holder, same_space_holder};
use super::knowledge::{Knowledge, Role};
use super::name::netname_stem;
use super::objects::By;
use super::origins::Announced;
use super::reason::{Link, Reason};
use super::sibling::{Siblings, is_registry_account};
use super::span::AddressRange;

/// Prefixes taken of one AS; a larger one is a carrier, and its prefixes say little.
const MOST_PREFIXES: usize = 2_000;
/// Sub-allocations taken for one shared registry entry; more share a registry member's own account.
const MOST_ALLOCATIONS: usize = 200;
/// Sibling ASes followed from one AS.
const MOST_SIBLINGS: usize = 64;
/// A registered range larger than this is a registry member's whole block and no sub-allocation.
const LARGEST_ALLOCATION: u128 = 1 << 16;
/// ASes that announced the seed's prefix before and are followed.
const MOST_BEFORE: usize = 3;

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

impl<'a> Finder<'a, '_> {
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
    /// never more than a /22 around it.
    fn unit(&self, address: IpAddr) -> AddressRange {
        let allocation = self.allocation(address, self.now).and_then(|object| object.addresses());
        let prefix = self.knowledge.origins_at(address, self.now).map(|found| AddressRange::of(found.prefix));
        let small = |range: &AddressRange| !address.is_ipv4() || range.count() <= 1024;
        let block =
            || IpNet::new(address, if address.is_ipv4() { 24 } else { 48 }).map(|net| AddressRange::of(net.trunc()));
        let found = allocation.filter(small).or(prefix.filter(small));
        found.or_else(|| block().ok()).unwrap_or_else(|| AddressRange::one(address))
    }

    /// The smallest registered range that holds an address and is somebody's, not a registry member's whole block.
    fn allocation(&self, address: IpAddr, date: Option<Date>) -> Option<RegistryObject> {
        let is_space = |object: &RegistryObject| matches!(object.class, ObjectClass::Inetnum | ObjectClass::Inet6num);
        let small = |object: &RegistryObject| {
            !address.is_ipv4() || object.addresses().is_some_and(|range| range.count() <= LARGEST_ALLOCATION)
        };
        self.knowledge.registry_at(address, date).into_iter().find(|object| is_space(object) && small(object))
    }

    fn seed(&mut self, start: &Start) {
        let (seed, then) = (start.address, start.date);
        let moved = then.map_or(Sameness::Same, |then| same_space_holder(self.knowledge, seed, then, self.now));
        if let Sameness::Changed(why) = &moved {
            self.refuse(format!("the surroundings of {seed}: {why}"));
        }
        let announced = self.knowledge.origins_at(seed, then).or_else(|| self.knowledge.origins_at(seed, self.now));
        let same_space = !matches!(moved, Sameness::Changed(_));
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
        for asn in announced.map(|found| found.origins.to_vec()).unwrap_or_default() {
            self.whole_as(seed, asn, then);
        }
        self.before(seed, announced.map(|found| found.origins.to_vec()).unwrap_or_default().as_slice());
    }

    /// The announced prefix and its parts.
    fn around(&mut self, seed: IpAddr, found: Announced<'a>) {
        let who = self.list_of_ases(found.origins);
        let range = AddressRange::of(found.prefix);
        let words =
            format!("the network as it is announced on the Internet that holds the seed {seed}; announced by {who}");
        self.add(range, Link::Announced, words, vec![found.dataset.id]);
        for part in self.knowledge.more_specifics(found.prefix, self.now) {
            if part.prefix != found.prefix {
                let words = format!(
                    "a part of {}, which holds the seed, announced on its own by {}",
                    found.prefix,
                    self.list_of_ases(part.origins)
                );
                self.add(AddressRange::of(part.prefix), Link::MoreSpecific, words, vec![part.dataset.id]);
            }
        }
    }

    /// The sub-allocation that holds the seed, and those that share its registry entries.
    fn allocations(&mut self, seed: IpAddr, own: &RegistryObject) {
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
            self.siblings_of_space(seed, range, others, &tie);
        }
        let stem = netname_stem(&own.name);
        if !stem.is_empty() {
            let near = Self::parent(range);
            let others = self.knowledge.registry_in(&near, self.now);
            let others = others.into_iter().filter(|object| netname_stem(&object.name) == stem).collect();
            self.siblings_of_space(seed, range, others, &format!("a network name that begins alike, {stem}"));
        }
    }

    fn siblings_of_space(&mut self, seed: IpAddr, own: AddressRange, others: Vec<RegistryObject>, tie: &str) {
        let is_space = |object: &RegistryObject| matches!(object.class, ObjectClass::Inetnum | ObjectClass::Inet6num);
        let ranges: BTreeMap<AddressRange, String> = others
            .into_iter()
            .filter(is_space)
            .filter_map(|object| Some((object.addresses()?, object.name)))
            .filter(|(range, _)| *range != own && (!range.start().is_ipv4() || range.count() <= LARGEST_ALLOCATION))
            .collect();
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

    /// The /16 or /32 around a range.
    fn parent(range: AddressRange) -> AddressRange {
        let length = if range.start().is_ipv4() { 16 } else { 32 };
        IpNet::new(range.start(), length).map_or(range, |net| AddressRange::of(net.trunc()))
    }

    /// What rests on the seed's AS: its prefixes, its siblings, what it announced before, its upstreams.
    fn whole_as(&mut self, seed: IpAddr, asn: Asn, then: Option<Date>) {
        if !asn.is_public() {
            return;
        }
        if let Some(then) = then
            && let Sameness::Changed(why) = same_as_holder(self.knowledge, asn, then, self.now)
        {
            self.refuse(format!("everything that rests on {asn} as a whole: {why}"));
            return;
        }
        self.found.ases.insert(asn);
        let name = self.called(asn);
        let lists: BTreeSet<&str> =
            self.knowledge.listings_of(asn, self.now).into_iter().map(|(_, listing)| listing.list.as_str()).collect();
        if !lists.is_empty() {
            let lists: Vec<&str> = lists.into_iter().collect();
            self.found.evidence.push(format!("{name} itself is on the deny list {}", lists.join(" and ")));
        }
        let count =
            self.prefixes(asn, Link::SameAs, &format!("announced by {name}, which announces the seed {seed} too"));
        if count > MOST_PREFIXES {
            self.found.evidence.push(format!(
                "{name} announces {count} networks: a carrier's size; its other networks were not followed"
            ));
        }
        let siblings = self.siblings.of(asn);
        if siblings.len() > MOST_SIBLINGS {
            self.found
                .evidence
                .push(format!("{} ASes are tied to {name}; the first {MOST_SIBLINGS} were followed", siblings.len()));
        }
        for sibling in siblings.into_iter().take(MOST_SIBLINGS) {
            let ties: Vec<String> =
                sibling.ties.iter().map(|(tie, value)| format!("{} ({value})", tie.words())).collect();
            self.found.ases.insert(sibling.asn);
            let words = format!("announced by {}, a sister of {name}: {}", self.called(sibling.asn), ties.join("; "));
            self.prefixes(sibling.asn, Link::SiblingAs, &words);
        }
        self.former(asn, &name);
        self.upstreams(asn, &name);
    }

    /// Takes the prefixes of an AS; gives how many there are.
    fn prefixes(&mut self, asn: Asn, link: Link, words: &str) -> usize {
        let prefixes = self.knowledge.prefixes_of(asn, self.now);
        if prefixes.len() <= MOST_PREFIXES && self.done.insert((asn, link)) {
            for found in &prefixes {
                self.add(AddressRange::of(found.prefix), link, words.to_owned(), vec![found.dataset.id]);
            }
        }
        prefixes.len()
    }

    /// Days with a table of origins, oldest first.
    fn days(&self) -> Vec<Date> {
        let tables = self.knowledge.datasets().filter(|one| one.count(FactKind::Origins) > 0);
        let days: BTreeSet<Date> =
            tables.map(|one| one.date).filter(|day| self.now.is_none_or(|now| *day <= now)).collect();
        days.into_iter().collect()
    }

    /// What the AS announced on earlier days and somebody else announces now.
    fn former(&mut self, asn: Asn, name: &str) {
        let days = self.days();
        let Some((_, earlier)) = days.split_last() else { return };
        for day in earlier {
            let prefixes = self.knowledge.prefixes_of(asn, Some(*day));
            if prefixes.is_empty() {
                continue;
            }
            if let Sameness::Changed(why) = same_as_holder(self.knowledge, asn, *day, self.now) {
                self.refuse(format!("what {asn} announced on {day}: {why}"));
                continue;
            }
            for found in prefixes.iter().take(MOST_PREFIXES) {
                let now = self.knowledge.origins_at(found.prefix.network(), self.now);
                if now.is_some_and(|now| now.origins.contains(&asn)) {
                    continue;
                }
                let who = now
                    .map_or_else(|| "nobody now".to_owned(), |now| format!("{} now", self.list_of_ases(now.origins)));
                let words = format!(
                    "{name} announced it on {day}; announced by {who}: a provider that moves takes its networks along"
                );
                self.add(AddressRange::of(found.prefix), Link::Former, words, vec![found.dataset.id]);
            }
        }
    }

    /// Who announced the seed on earlier days.
    fn before(&mut self, seed: IpAddr, now: &[Asn]) {
        let mut earlier: BTreeMap<Asn, Date> = BTreeMap::new();
        for (dataset, found) in self.knowledge.history(seed) {
            for asn in found.map(|found| found.origins).unwrap_or_default() {
                if !now.contains(asn) && asn.is_public() {
                    earlier.insert(*asn, dataset.date);
                }
            }
        }
        for (asn, day) in earlier.into_iter().rev().take(MOST_BEFORE) {
            if let Sameness::Changed(why) = same_as_holder(self.knowledge, asn, day, self.now) {
                self.refuse(format!("the networks of {asn}, which announced {seed} on {day}: {why}"));
                continue;
            }
            let words = format!("announced by {}, which announced the seed {seed} on {day}", self.called(asn));
            self.prefixes(asn, Link::Before, &words);
        }
    }

    /// Upstreams and who else is behind them: told, never followed.
    fn upstreams(&mut self, asn: Asn, name: &str) {
        let neighbours = self.knowledge.neighbours(asn, self.now);
        let providers: Vec<_> = neighbours.iter().filter(|one| one.role == Role::Provider).collect();
        for provider in &providers {
            let customers = self.knowledge.neighbours(provider.asn, self.now);
            let customers: Vec<_> =
                customers.iter().filter(|one| one.role == Role::Customer && one.asn != asn).collect();
            let bad = customers.iter().filter(|one| self.is_listed(one.asn)).count();
            let others = match customers.len() {
                0 => "no other customer of it is known".to_owned(),
                all => format!("{bad} of its {all} other known customers are on deny lists, as networks or by name"),
            };
            let only = if providers.len() == 1 { ", its only one on file" } else { "" };
            let how = if provider.inferred { ", as worked out from routes" } else { "" };
            self.found.evidence.push(format!(
                "{name} reaches the Internet through {}{only}{how}; {others}. An upstream serves innocents too: nothing was widened by it",
                self.called(provider.asn)
            ));
        }
    }

    /// Whether an AS or a network that it announces is on a list; only its first prefixes are looked at.
    fn is_listed(&self, asn: Asn) -> bool {
        if !self.knowledge.listings_of(asn, self.now).is_empty() {
            return true;
        }
        self.knowledge.prefixes_of(asn, self.now).iter().take(256).any(|found| {
            let range = AddressRange::of(found.prefix);
            self.knowledge.listings_in(&range, self.now).iter().any(|(_, listing)| match &listing.listed {
                Listed::Addresses(one) => one.count() > 1,
                _ => false,
            })
        })
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
