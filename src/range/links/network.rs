//! What the AS of a seed leads to: its networks, its sisters, its past, its upstreams.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::civil::Date;

use super::Finder;
use crate::range::fact::{Asn, FactKind, Listed};
use crate::range::holder::{Sameness, same_as_holder, same_space_holder};
use crate::range::knowledge::{Role, is_default};
use crate::range::origins::Announced;
use crate::range::reason::Link;
use crate::range::span::AddressRange;

/// Prefixes taken of one AS; a larger one is a carrier, and its prefixes say little.
pub(super) const MOST_PREFIXES: usize = 2_000;
/// IPv4 addresses of an AS that is followed; a larger one is a carrier or a large hoster, whose customers are strangers to each
/// other.
const MOST_ADDRESSES: u128 = 1 << 20;
/// Sibling ASes followed from one AS.
const MOST_SIBLINGS: usize = 64;
/// ASes that announced the seed's prefix before and are followed.
const MOST_BEFORE: usize = 3;

impl<'a> Finder<'a, '_> {
    /// What rests on the seed's AS: its prefixes, its siblings, what it announced before, its upstreams.
    pub(super) fn whole_as(&mut self, seed: IpAddr, asn: Asn, then: Option<Date>) {
        if !asn.is_public() {
            return;
        }
        match then.map(|then| (then, same_as_holder(self.knowledge, asn, then, self.now))) {
            Some((_, Sameness::Changed(why))) => {
                self.refuse(format!("everything that rests on {asn} as a whole: {why}"));
                return;
            }
            Some((then, Sameness::Unknown)) => self.found.evidence.push(format!(
                "whether {asn} has the holder of {then}, the day of the seed {seed}, no file tells: import a registry's files of both days"
            )),
            _ => {}
        }
        self.found.ases.insert(asn);
        let name = self.called(asn);
        let lists: BTreeSet<&str> =
            self.knowledge.listings_of(asn, self.now).into_iter().map(|(_, listing)| listing.list.as_str()).collect();
        if !lists.is_empty() {
            let lists: Vec<&str> = lists.into_iter().collect();
            self.found.evidence.push(format!("{name} itself is on the deny list {}", lists.join(" and ")));
        }
        if let Err((count, addresses)) =
            self.prefixes(asn, Link::SameAs, &format!("announced by {name}, as is the seed {seed}"))
        {
            self.found.evidence.push(format!(
                "{name} announces {count} networks with {addresses} addresses of IPv4: the size of a carrier or large hoster, whose customers are strangers to each other; neither its other networks nor its sisters were followed"
            ));
            self.upstreams(asn, &name);
            return;
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
            // A sister of a carrier's size is left out.
            let _ = self.prefixes(sibling.asn, Link::SiblingAs, &words);
        }
        self.former(asn, &name);
        self.upstreams(asn, &name);
    }

    /// What an AS announces itself: without default routes, and routes put together from those of several ASes.
    fn own_prefixes(&self, asn: Asn, date: Option<Date>) -> Vec<Announced<'a>> {
        let mut prefixes = self.knowledge.prefixes_of(asn, date);
        prefixes.retain(|found| !found.is_set && !is_default(found.prefix));
        prefixes
    }

    /// Takes the prefixes of an AS, if they are not a carrier's.
    ///
    /// # Errors
    /// How many prefixes and addresses of IPv4 it has, if these are too many.
    fn prefixes(&mut self, asn: Asn, link: Link, words: &str) -> Result<(), (usize, u128)> {
        let prefixes = self.own_prefixes(asn, self.now);
        let addresses = addresses(&prefixes);
        if prefixes.len() > MOST_PREFIXES || addresses > MOST_ADDRESSES {
            return Err((prefixes.len(), addresses));
        }
        if self.done.insert((asn, link)) {
            for found in &prefixes {
                self.add(AddressRange::of(found.prefix), link, words.to_owned(), vec![found.dataset.id]);
            }
        }
        Ok(())
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
            let prefixes = self.own_prefixes(asn, Some(*day));
            if prefixes.is_empty() || prefixes.len() > MOST_PREFIXES || addresses(&prefixes) > MOST_ADDRESSES {
                continue;
            }
            if let Sameness::Changed(why) = same_as_holder(self.knowledge, asn, *day, self.now) {
                self.refuse(format!("what {asn} announced on {day}: {why}"));
                continue;
            }
            for found in &prefixes {
                let now = self.knowledge.origins_at(found.prefix.network(), self.now);
                if now.is_some_and(|now| now.origins.contains(&asn)) {
                    continue;
                }
                let network = found.prefix;
                if let Sameness::Changed(why) = same_space_holder(self.knowledge, network.network(), *day, self.now) {
                    self.refuse(format!("{network}, which {asn} announced on {day}: {why}"));
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

    /// Who announced the seed on other days, none later than `until`.
    pub(super) fn before(&mut self, seed: IpAddr, now: &[Asn], until: Option<Date>) {
        let last = until.into_iter().chain(self.now).min();
        let mut earlier: BTreeMap<Asn, Date> = BTreeMap::new();
        for (dataset, found) in self.knowledge.history(seed) {
            let found = found.filter(|found| !found.is_set && !is_default(found.prefix));
            for asn in found.map(|found| found.origins).unwrap_or_default() {
                if !now.contains(asn) && asn.is_public() && last.is_none_or(|last| dataset.date <= last) {
                    earlier.insert(*asn, dataset.date);
                }
            }
        }
        let mut earlier: Vec<(Asn, Date)> = earlier.into_iter().collect();
        earlier.sort_by_key(|(asn, day)| (std::cmp::Reverse(*day), *asn));
        for (asn, day) in earlier.into_iter().take(MOST_BEFORE) {
            if let Sameness::Changed(why) = same_as_holder(self.knowledge, asn, day, self.now) {
                self.refuse(format!("the networks of {asn}, which announced {seed} on {day}: {why}"));
                continue;
            }
            let words = format!("announced by {}, which announced the seed {seed} on {day}", self.called(asn));
            let _ = self.prefixes(asn, Link::Before, &words);
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
}

/// IPv4 addresses of prefixes, each counted once.
fn addresses(prefixes: &[Announced<'_>]) -> u128 {
    let ranges = prefixes.iter().map(|found| AddressRange::of(found.prefix)).filter(|range| range.start().is_ipv4());
    let (mut sum, mut outer): (u128, Option<AddressRange>) = (0, None);
    // In address order, wider ones first.
    for range in ranges {
        if outer.is_none_or(|outer| !outer.holds(&range)) {
            sum += range.count();
            outer = Some(range);
        }
    }
    sum
}
