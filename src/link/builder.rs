//! From hosts, one by one, to a population.

use std::collections::HashMap;
use std::net::IpAddr;

use sha2::{Digest as _, Sha256};

use super::aside::{Aside, Lone, tag};
use super::cells::Cells;
use super::column::{Filled, LONE, SHOWN, Texts};
use super::family;
use super::population::{Population, at, small};
use super::read::{self, Values};
use super::rung::{RUNGS, Rung};
use crate::facet::HostFacts;

/// Takes hosts one by one, in any order, and makes a [`Population`] of them.
#[derive(Debug, Default)]
pub struct Builder {
    pub(super) drafts: Vec<Draft>,
    places: HashMap<IpAddr, u32>,
    pub(super) tables: [Table; RUNGS],
    pub(super) simhashes: Vec<(u32, u64)>,
}

#[derive(Debug)]
pub(super) struct Draft {
    pub(super) address: IpAddr,
    pub(super) everywhere: bool,
}

/// One rung while hosts still come: a slot for each value. A value that only one host shows costs some 45 bytes.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) slots: HashMap<Digest, u32>,
    /// For each slot the host that showed the value first.
    first: Vec<u32>,
    /// Values from the second host on, by slot: a lone value is never shown.
    pub(super) values: HashMap<u32, Box<[u8]>>,
    /// (host, slot), as they came.
    pub(super) shown: Vec<(u32, u32)>,
    /// True where lone values are kept too, for hosts that are to be added to others.
    every: bool,
}

/// The first 16 bytes of the SHA-256: strangers choose these values, so that a weaker hash would let them collide. In
/// four words, so that a table of them has no padding.
pub(super) type Digest = [u32; 4];
/// A value's digest and its number while hosts come.
type Slot = (Digest, u32);

impl Table {
    pub(super) fn add(&mut self, host: u32, value: &[u8]) {
        let next = small(self.first.len());
        let slot = *self.slots.entry(digest(value)).or_insert(next);
        let is_shared = self.first.get(at(slot)).is_some_and(|first| *first != host);
        if slot == next {
            self.first.push(host);
        }
        if is_shared || self.every {
            self.values.entry(slot).or_insert_with(|| value.get(..SHOWN).unwrap_or(value).into());
        }
        self.shown.push((host, slot));
    }

    /// The finished rung; `order` gives each draft its place.
    pub(super) fn finish(mut self, order: &[u32]) -> Made {
        let slots = std::mem::take(&mut self.slots);
        let (mut ranked, lone): (Vec<Slot>, Vec<Slot>) =
            slots.into_iter().partition(|(_, slot)| self.values.contains_key(slot));
        let place = |host: u32| order.get(at(host)).copied().unwrap_or(host);
        let of_slot = |slot: u32| place(self.first.get(at(slot)).copied().unwrap_or_default());
        let mut lone: Vec<(u32, u32)> = lone.iter().map(|(digest, slot)| (of_slot(*slot), tag(digest))).collect();
        lone.sort_unstable();
        ranked.sort_unstable();
        let mut codes = vec![LONE; self.first.len()];
        let mut values = Texts::default();
        let mut long = Vec::new();
        for ((digest, slot), code) in ranked.iter().zip(0_u32..) {
            if let Some(place) = codes.get_mut(at(*slot)) {
                *place = code;
                let value = self.values.remove(slot).unwrap_or_default();
                if value.len() >= SHOWN {
                    long.push((code, *digest));
                }
                values.push(&value);
            }
        }
        // (host, code) in order; lone values sort behind shared ones of the same host.
        let mut shown = self.shown;
        for (host, slot) in &mut shown {
            *slot = codes.get(at(*slot)).copied().unwrap_or(LONE);
            *host = place(*host);
        }
        drop(codes);
        shown.sort_unstable();
        Made { cells: cells(order.len(), shown), values, lone: Lone { tags: lone, long } }
    }
}

/// One rung, finished.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) cells: Cells,
    /// The value of each code.
    pub(super) values: Texts,
    pub(super) lone: Lone,
}

/// The cells of so many hosts, from hosts with codes, ascending.
pub(super) fn cells(hosts: usize, mut shown: Vec<(u32, u32)>) -> Cells {
    shown.dedup();
    let mut cells = Cells::absent(hosts);
    let mut of_host: Vec<u32> = Vec::new();
    for one in shown.chunk_by(|a, b| a.0 == b.0) {
        of_host.clear();
        of_host.extend(one.iter().map(|(_, code)| *code));
        if let Some((host, _)) = one.first() {
            cells.fill(*host, &of_host);
        }
    }
    cells
}

impl Builder {
    /// A builder with no hosts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A builder of hosts that are to be added to a population ([`Population::updated`]).
    #[must_use]
    pub fn to_add() -> Self {
        let mut made = Self::default();
        made.tables.iter_mut().for_each(|table| table.every = true);
        made
    }

    /// Number of hosts added so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.drafts.len()
    }

    /// True before the first host.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.drafts.is_empty()
    }

    /// Adds what is known of a host. Facts of one address given in several pieces are joined.
    pub fn add(&mut self, facts: &HostFacts) {
        let Values { by_rung, simhashes, answers_everywhere } = read::values(facts);
        let next = small(self.drafts.len());
        let host = *self.places.entry(facts.address).or_insert(next);
        match self.drafts.get_mut(at(host)) {
            Some(draft) => draft.everywhere |= answers_everywhere,
            None => self.drafts.push(Draft { address: facts.address, everywhere: answers_everywhere }),
        }
        let mut tables = Rung::ALL.into_iter().zip(&mut self.tables).peekable();
        for (rung, value) in &by_rung {
            // Both are in the order of rungs.
            while tables.next_if(|(of, _)| of < rung).is_some() {}
            if let Some((_, table)) = tables.peek_mut() {
                table.add(host, value);
            }
        }
        self.simhashes.extend(simhashes.into_iter().map(|hash| (host, hash)));
    }

    /// The population of all hosts added.
    #[must_use]
    pub fn finish(self) -> Population {
        let mut sorted: Vec<(IpAddr, u32)> = self.drafts.iter().map(|draft| draft.address).zip(0..).collect();
        sorted.sort_unstable();
        let mut order = vec![0_u32; sorted.len()];
        for ((_, draft), place) in sorted.iter().zip(0..) {
            if let Some(slot) = order.get_mut(at(*draft)) {
                *slot = place;
            }
        }
        let place = |host: u32| order.get(at(host)).copied().unwrap_or(host);
        let mut simhashes: Vec<(u32, u64)> = self.simhashes.iter().map(|(host, hash)| (place(*host), *hash)).collect();
        simhashes.sort_unstable();
        simhashes.dedup();
        let everywhere =
            sorted.iter().map(|(_, draft)| self.drafts.get(at(*draft)).is_some_and(|draft| draft.everywhere)).collect();
        let addresses: Vec<IpAddr> = sorted.into_iter().map(|(address, _)| address).collect();
        let mut families = Some(page_families(addresses.len(), &simhashes));
        let mut tables = self.tables.into_iter();
        let mut aside = Aside { simhashes, ..Aside::default() };
        let rungs = Rung::ALL.into_iter().zip(&mut aside.lone).filter_map(|(rung, slot)| {
            let table = tables.next().unwrap_or_default();
            let made = families.take_if(|_| rung == Rung::PageFamily).unwrap_or_else(|| table.finish(&order));
            *slot = made.lone;
            Filled::new(made.cells, made.values)
        });
        // Never `None`: every code is one of its rung's values.
        let made = Population::assemble(addresses, everywhere, rungs.collect());
        made.unwrap_or_default().with_aside(aside)
    }
}

/// The rung of pages that are alike, from all simhashes.
pub(super) fn page_families(hosts: usize, simhashes: &[(u32, u64)]) -> Made {
    let families = family::families(simhashes.iter().map(|(_, hash)| *hash));
    let mut table = Table::default();
    for (host, hash) in simhashes {
        let leader = families.get(hash).copied().unwrap_or(*hash);
        table.add(*host, format!("{leader:016x}").as_bytes());
    }
    let same: Vec<u32> = (0..small(hosts)).collect();
    table.finish(&same)
}

/// The digest by which a value is told.
pub(super) fn digest(value: &[u8]) -> Digest {
    let whole = Sha256::digest(value);
    let mut words = whole.chunks_exact(4).map(|word| word.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)));
    std::array::from_fn(|_| words.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facet::FacetKind;

    fn host(address: &str, keys: &[&str]) -> HostFacts {
        let mut facts = HostFacts::new(address.parse().unwrap());
        facts.facets = keys.iter().map(|key| (FacetKind::SshHostKey, key.as_bytes().to_vec())).collect();
        facts
    }

    fn build(hosts: &[HostFacts]) -> Population {
        let mut builder = Builder::new();
        for host in hosts {
            builder.add(host);
        }
        builder.finish()
    }

    #[test]
    fn shared_values_get_codes_and_lone_ones_do_not() {
        let population =
            build(&[host("192.0.2.9", &["a", "x"]), host("192.0.2.1", &["a", "b"]), host("192.0.2.2", &["b", "y"])]);
        let column = population.column(Rung::HostKey);
        let nine = population.find("192.0.2.9".parse().unwrap()).unwrap();
        assert_eq!(nine, 2);
        assert_eq!(column.shared(), 2);
        assert_eq!(column.codes(0).len(), 2);
        assert_eq!(column.codes(nine).len(), 1);
        let shared = column.codes(nine)[0];
        assert_eq!(column.value(shared), b"a");
        assert_eq!(column.holders(shared), [0, 2]);
        assert!(column.is_observed(1) && column.observed() == 3);
    }

    #[test]
    fn facts_of_one_address_in_pieces_are_one_host() {
        let population = build(&[host("192.0.2.1", &["a"]), host("192.0.2.1", &["b"]), host("192.0.2.2", &["a", "b"])]);
        assert_eq!(population.len(), 2);
        assert_eq!(population.column(Rung::HostKey).codes(0).len(), 2);
    }

    #[test]
    fn one_host_that_says_a_thing_twice_does_not_share_it() {
        let population = build(&[host("192.0.2.1", &["a"]), host("192.0.2.1", &["a"])]);
        assert_eq!(population.column(Rung::HostKey).shared(), 0);
        assert!(population.column(Rung::HostKey).is_observed(0));
    }
}
