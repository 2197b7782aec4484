//! Hosts added to a population: only what they show is looked up, and the result is what all hosts together would give,
//! to the last byte.

use std::collections::HashMap;
use std::net::IpAddr;

use super::aside::{Aside, Lone, tag};
use super::builder::{Builder, Digest, Made, Table, cells, digest, page_families};
use super::column::{Column, Filled, LONE, SHOWN};
use super::population::{Population, at, small};
use super::read::{self, Values};
use super::rung::Rung;
use crate::facet::HostFacts;

/// Hosts by their old and new places.
struct Places {
    /// For each host of the population its new place; `None` for one that was read anew.
    of_old: Vec<Option<u32>>,
    /// For each draft its place.
    of_draft: Vec<u32>,
    addresses: Vec<IpAddr>,
    everywhere: Vec<bool>,
}

impl Population {
    /// The population with these hosts, made by [`Builder::to_add`], added; those it has are replaced by what they show now.
    /// `read` gives what a host of the population shows; it is asked where a new value may be its too. `None` when what
    /// is needed to add hosts was not kept: all have to be read then.
    ///
    /// # Errors
    /// What `read` gives.
    pub fn updated<E>(
        &self,
        added: Builder,
        mut read: impl FnMut(IpAddr) -> Result<Option<HostFacts>, E>,
    ) -> Result<Option<Self>, E> {
        let Some(aside) = self.aside() else { return Ok(None) };
        let places = self.places(&added);
        let mut simhashes: Vec<(u32, u64)> =
            aside.simhashes.iter().filter_map(|(host, hash)| Some((places.now(*host)?, *hash))).collect();
        simhashes.extend(added.simhashes.iter().map(|(draft, hash)| (places.drafted(*draft), *hash)));
        simhashes.sort_unstable();
        simhashes.dedup();
        let mut families = Some(page_families(places.addresses.len(), &simhashes));
        let mut told: HashMap<u32, Option<Values>> = HashMap::new();
        let mut rungs = Vec::new();
        let mut kept = Aside { simhashes, ..Aside::default() };
        for ((rung, column), ((table, lone), slot)) in
            self.columns().zip(added.tables.into_iter().zip(&aside.lone).zip(&mut kept.lone))
        {
            let made = if let Some(made) = families.take_if(|_| rung == Rung::PageFamily) {
                made
            } else {
                let mut holds = |host: u32, slot: &Digest| {
                    let known = if let Some(known) = told.get(&host) {
                        known
                    } else {
                        let facts = read(self.address(host))?;
                        told.entry(host).or_insert(facts.map(|facts| read::values(&facts)))
                    };
                    let values = known.iter().flat_map(|known| &known.by_rung);
                    Ok(values.filter(|(of, _)| *of == rung).any(|(_, value)| digest(value) == *slot))
                };
                join(column, lone, &table, &places, &mut holds)?
            };
            *slot = made.lone;
            rungs.extend(Filled::new(made.cells, made.values));
        }
        let Places { addresses, everywhere, .. } = places;
        Ok(Self::assemble(addresses, everywhere, rungs).map(|made| made.with_aside(kept)))
    }

    fn places(&self, added: &Builder) -> Places {
        let mut fresh: Vec<(IpAddr, u32)> = added.drafts.iter().map(|draft| draft.address).zip(0..).collect();
        fresh.sort_unstable();
        let mut out = Places {
            of_old: Vec::with_capacity(self.len()),
            of_draft: vec![0; fresh.len()],
            addresses: Vec::with_capacity(self.len() + fresh.len()),
            everywhere: Vec::with_capacity(self.len() + fresh.len()),
        };
        let mut fresh = fresh.into_iter().peekable();
        let take = |out: &mut Places, (address, draft): (IpAddr, u32)| {
            if let Some(slot) = out.of_draft.get_mut(at(draft)) {
                *slot = small(out.addresses.len());
            }
            out.addresses.push(address);
            out.everywhere.push(added.drafts.get(at(draft)).is_some_and(|draft| draft.everywhere));
        };
        for (address, everywhere) in self.hosts() {
            while let Some(before) = fresh.next_if(|one| one.0 < address) {
                take(&mut out, before);
            }
            if let Some(same) = fresh.next_if(|one| one.0 == address) {
                out.of_old.push(None);
                take(&mut out, same);
            } else {
                out.of_old.push(Some(small(out.addresses.len())));
                out.addresses.push(address);
                out.everywhere.push(everywhere);
            }
        }
        fresh.for_each(|one| take(&mut out, one));
        out
    }
}

impl Places {
    /// The place of a host of the population that was not read anew.
    fn now(&self, old: u32) -> Option<u32> {
        self.of_old.get(at(old)).copied().flatten()
    }

    fn drafted(&self, draft: u32) -> u32 {
        self.of_draft.get(at(draft)).copied().unwrap_or_default()
    }
}

/// Values of one rung, old and new, under one numbering: first the codes of the column, then the slots of the table.
struct Joint<'a> {
    column: Column<'a>,
    /// The digest of each code.
    digests: Vec<Digest>,
    /// The digest of each slot.
    slots: Vec<Digest>,
    /// The code of a slot whose value has one.
    code_of: HashMap<u32, u32>,
}

impl<'a> Joint<'a> {
    fn new(column: Column<'a>, lone: &Lone, table: &Table) -> Self {
        let mut long = lone.long.iter().peekable();
        let digests: Vec<Digest> = (0..column.shared())
            .map(|code| match long.next_if(|one| one.0 == code) {
                Some((_, whole)) => *whole,
                None => digest(column.value(code)),
            })
            .collect();
        let mut slots = vec![Digest::default(); table.slots.len()];
        for (digest, slot) in &table.slots {
            if let Some(place) = slots.get_mut(at(*slot)) {
                *place = *digest;
            }
        }
        let codes = digests.iter().zip(0_u32..);
        let code_of = codes.filter_map(|(digest, code)| Some((*table.slots.get(digest)?, code))).collect();
        Self { column, digests, slots, code_of }
    }

    /// The number of a slot's value.
    fn number(&self, slot: u32) -> u32 {
        self.code_of.get(&slot).copied().unwrap_or(self.column.shared() + slot)
    }

    fn digest(&self, number: u32) -> Digest {
        let of_slot = number.checked_sub(self.column.shared());
        let found = match of_slot {
            None => self.digests.get(at(number)),
            Some(slot) => self.slots.get(at(slot)),
        };
        found.copied().unwrap_or_default()
    }

    fn value(&self, number: u32, table: &Table) -> Box<[u8]> {
        match number.checked_sub(self.column.shared()) {
            None => self.column.value(number).into(),
            Some(slot) => table.values.get(&slot).cloned().unwrap_or_default(),
        }
    }
}

/// One rung with what the added hosts show; `holds` says whether a host of the population shows a value.
fn join<E>(
    column: Column<'_>,
    lone: &Lone,
    table: &Table,
    places: &Places,
    holds: &mut impl FnMut(u32, &Digest) -> Result<bool, E>,
) -> Result<Made, E> {
    let joint = Joint::new(column, lone, table);
    // (host, number) of everything that is shown or may be shared.
    let mut shown: Vec<(u32, u32)> = Vec::new();
    for (old, now) in places.of_old.iter().zip(0_u32..).filter_map(|(now, old)| Some((old, (*now)?))) {
        shown.extend(column.codes(old).iter().map(|code| (now, *code)));
    }
    shown.extend(table.shown.iter().map(|(draft, slot)| (places.drafted(*draft), joint.number(*slot))));
    // Lone values of the population that an added host shows.
    let mut tags: HashMap<u32, Vec<u32>> = HashMap::new();
    for (digest, slot) in table.slots.iter().filter(|(_, slot)| !joint.code_of.contains_key(slot)) {
        tags.entry(tag(digest)).or_default().push(*slot);
    }
    let mut alone: Vec<(u32, u32)> = Vec::new();
    for (old, own) in &lone.tags {
        let Some(now) = places.now(*old) else { continue };
        let mut met = None;
        for slot in tags.get(own).into_iter().flatten() {
            if holds(*old, &joint.digest(joint.number(*slot)))? {
                met = Some(*slot);
            }
        }
        match met {
            Some(slot) => shown.push((now, joint.number(slot))),
            None => alone.push((now, *own)),
        }
    }
    shown.sort_unstable();
    shown.dedup();
    // What two hosts or more show gets a code, in the order of digests.
    let mut holders = vec![0_u32; joint.digests.len() + joint.slots.len()];
    for (_, number) in &shown {
        if let Some(count) = holders.get_mut(at(*number)) {
            *count += 1;
        }
    }
    let mut ranked: Vec<(Digest, u32)> = holders
        .iter()
        .zip(0_u32..)
        .filter(|(count, _)| **count >= 2)
        .map(|(_, number)| (joint.digest(number), number))
        .collect();
    ranked.sort_unstable();
    let mut codes = vec![LONE; holders.len()];
    let mut made = Made::default();
    for ((digest, number), code) in ranked.iter().zip(0_u32..) {
        if let Some(slot) = codes.get_mut(at(*number)) {
            *slot = code;
        }
        let value = joint.value(*number, table);
        if value.len() >= SHOWN {
            made.lone.long.push((code, *digest));
        }
        made.values.push(&value);
    }
    for (host, number) in &mut shown {
        let code = codes.get(at(*number)).copied().unwrap_or(LONE);
        if code == LONE {
            alone.push((*host, tag(&joint.digest(*number))));
        }
        *number = code;
    }
    shown.extend(alone.iter().map(|(host, _)| (*host, LONE)));
    shown.sort_unstable();
    alone.sort_unstable();
    made.lone.tags = alone;
    made.cells = cells(places.addresses.len(), shown);
    Ok(made)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::facet::FacetKind;

    /// A host that shows some of a few values on rungs of one kind, of several, of patterns, of families, and long ones.
    fn host(place: u8, draws: &[(u8, u8)]) -> HostFacts {
        let mut host = HostFacts::new(if place.is_multiple_of(5) {
            format!("2001:db8::{place:x}").parse().unwrap()
        } else {
            format!("198.51.100.{place}").parse().unwrap()
        });
        host.asn = Some(64_500 + u32::from(place % 4));
        host.all_ports = place.is_multiple_of(11);
        for (kind, value) in draws {
            let (kind, value) = match kind % 6 {
                0 => (FacetKind::SshHostKey, format!("key {value}")),
                1 => (FacetKind::SshBanner, format!("banner {}", value % 3)),
                2 => (FacetKind::CertSubject, format!("CN=host{value}.example")),
                3 => (FacetKind::HttpBodySimhash, format!("{:x}", 0xffff_u64 << (value % 40))),
                4 => (FacetKind::RdpComputerName, format!("{}{value}", "long".repeat(300))),
                _ => (FacetKind::HttpTitle, format!("title {}", char::from(b'a' + value % 26))),
            };
            host.facets.push((kind, value.into_bytes()));
        }
        host
    }

    fn built(mut builder: Builder, hosts: &BTreeMap<IpAddr, HostFacts>) -> Builder {
        for host in hosts.values() {
            builder.add(host);
        }
        builder
    }

    fn bytes(of: &Population) -> Vec<(String, Vec<u8>)> {
        Population::parts().into_iter().map(|name| (name.clone(), of.to_part(&name))).collect()
    }

    fn hosts(from: std::ops::Range<u8>) -> impl Strategy<Value = BTreeMap<IpAddr, HostFacts>> {
        let draws = prop::collection::vec((0..6_u8, 0..30_u8), 0..8);
        prop::collection::vec((from, draws), 0..25).prop_map(|drawn| {
            drawn.iter().map(|(place, draws)| host(*place, draws)).map(|host| (host.address, host)).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]
        #[test]
        fn added_hosts_give_what_all_together_give_byte_for_byte(old in hosts(1..60), new in hosts(30..90)) {
            let first = built(Builder::new(), &old).finish();
            let kept = bytes(&first);
            let part = |name: &str| kept.iter().find(|one| one.0 == name).map(|one| one.1.clone()).unwrap_or_default();
            let read = Population::from_all_parts(|name| {
                let bytes = part(name);
                Ok::<_, ()>(|| Some(bytes))
            });
            let read = read.unwrap().unwrap();
            let mut all = old.clone();
            all.extend(new.clone());
            let added = built(Builder::to_add(), &new);
            let updated = read.updated(added, |address| Ok::<_, ()>(all.get(&address).cloned())).unwrap().unwrap();
            let scratch = built(Builder::new(), &all).finish();
            prop_assert_eq!(bytes(&updated), bytes(&scratch));
            prop_assert_eq!(format!("{updated:?}"), format!("{scratch:?}"));
        }
    }

    #[test]
    fn a_tag_that_meets_by_chance_shares_nothing() {
        let key = |address: &str, key: &str| {
            let mut host = HostFacts::new(address.parse().unwrap());
            host.facets.push((FacetKind::SshHostKey, key.as_bytes().to_vec()));
            host
        };
        let mut builder = Builder::new();
        builder.add(&key("192.0.2.1", "one"));
        let mut first = builder.finish();
        let mut aside = first.aside().unwrap().clone();
        aside.lone[Rung::HostKey.place()].tags = vec![(0, tag(&digest(b"two")))];
        first = first.with_aside(aside);
        let mut added = Builder::to_add();
        added.add(&key("192.0.2.2", "two"));
        let updated = first.updated(added, |_| Ok::<_, ()>(Some(key("192.0.2.1", "one")))).unwrap().unwrap();
        assert_eq!(updated.column(Rung::HostKey).shared(), 0);
    }

    #[test]
    fn without_what_was_kept_aside_nothing_is_added() {
        let first = Builder::new().finish();
        let part = |name: &str| {
            let bytes = first.to_part(name);
            Ok::<_, ()>(|| Some(bytes))
        };
        let read = Population::from_parts(part).unwrap().unwrap();
        assert!(read.updated(Builder::to_add(), |_| Ok::<_, ()>(None)).unwrap().is_none());
    }
}
