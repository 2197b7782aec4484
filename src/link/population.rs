//! All hosts of a case as columns of numbers: what the linkage computes on.
//!
//! For each rung a dictionary turns values into dense codes. A value that only one host shows links nothing, so all such
//! share one reserved cell and take no place in dictionary or postings: most keys and certificates vanish. Hosts are in
//! the order of their addresses and codes in the order of their values' digests, so that nothing depends on the order of
//! import. Cost: 4 bytes a host and rung, and 4 more for each shared value.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use sha2::{Digest as _, Sha256};

use super::family;
use super::read::{self, Values};
use super::rung::{RUNGS, Rung};
use crate::facet::HostFacts;
use crate::finding::Subject;

/// No value on this rung.
const ABSENT: u32 = u32::MAX;
/// A value that no other host shows.
const LONE: u32 = u32::MAX - 1;
/// Set on a cell that holds a place in `spill` instead of a code.
const SPILLED: u32 = 1 << 31;
/// Most bytes of a shared value that are kept to be shown and looked up among the labels.
const SHOWN: usize = 1024;

/// One rung of all hosts.
#[derive(Debug, Default)]
pub(super) struct Column {
    /// A code, or one of the marks above, for each host.
    cells: Vec<u32>,
    /// For hosts with several shared values: their number, then their codes.
    spill: Vec<u32>,
    /// Where the postings of each code begin; one more at the end.
    starts: Vec<u32>,
    /// Hosts by code, ascending within a code.
    postings: Vec<u32>,
    /// The value of each code.
    values: Vec<Box<[u8]>>,
    /// Hosts that show any value here.
    observed: u32,
}

impl Column {
    /// The shared values of a host; empty when it has none.
    pub(super) fn codes(&self, host: u32) -> &[u32] {
        let Some(cell) = self.cells.get(at(host)) else { return &[] };
        if *cell >= LONE {
            &[]
        } else if cell & SPILLED == 0 {
            std::slice::from_ref(cell)
        } else {
            let start = at(cell & !SPILLED);
            let length = self.spill.get(start).map_or(0, |length| at(*length));
            self.spill.get(start + 1..start + 1 + length).unwrap_or_default()
        }
    }

    /// True when the host shows any value here.
    pub(super) fn is_observed(&self, host: u32) -> bool {
        self.cells.get(at(host)).is_some_and(|cell| *cell != ABSENT)
    }

    /// The hosts that show a value, ascending.
    pub(super) fn holders(&self, code: u32) -> &[u32] {
        let bounds = self.starts.get(at(code)).zip(self.starts.get(at(code) + 1));
        bounds.and_then(|(start, end)| self.postings.get(at(*start)..at(*end))).unwrap_or_default()
    }

    /// How many hosts show a value.
    pub(super) fn count(&self, code: u32) -> u32 {
        small(self.holders(code).len())
    }

    /// The bytes of a value, cut to [`SHOWN`].
    pub(super) fn value(&self, code: u32) -> &[u8] {
        self.values.get(at(code)).map_or(&[], |value| value)
    }

    /// Number of values that two hosts or more show.
    pub(super) fn shared(&self) -> u32 {
        small(self.values.len())
    }

    /// Hosts that show any value here.
    pub(super) fn observed(&self) -> u32 {
        self.observed
    }

    /// Cells and spill, to be kept.
    pub(super) fn raw(&self) -> (&[u32], &[u32]) {
        (&self.cells, &self.spill)
    }

    /// A column from what was kept of it; `None` when that is not of one piece.
    pub(super) fn from_raw(cells: Vec<u32>, spill: Vec<u32>, values: Vec<Box<[u8]>>) -> Option<Self> {
        let mut column = Self { cells, spill, values, ..Self::default() };
        let hosts = small(column.cells.len());
        column.observed = small((0..hosts).filter(|host| column.is_observed(*host)).count());
        let mut starts = vec![0_u32; column.values.len() + 1];
        for code in (0..hosts).flat_map(|host| column.codes(host)) {
            *starts.get_mut(at(*code).checked_add(1)?)? += 1;
        }
        column.starts = sums(starts)?;
        let mut next = column.starts.clone();
        let mut postings = vec![0; at(*column.starts.last()?)];
        for host in 0..hosts {
            for code in column.codes(host) {
                let place = next.get_mut(at(*code))?;
                *postings.get_mut(at(*place))? = host;
                *place += 1;
            }
        }
        column.postings = postings;
        Some(column)
    }
}

/// Running sums; `None` when they do not fit.
fn sums(mut counts: Vec<u32>) -> Option<Vec<u32>> {
    let mut sum = 0_u32;
    for count in &mut counts {
        sum = sum.checked_add(*count)?;
        *count = sum;
    }
    Some(counts)
}

/// All hosts of a case.
#[derive(Debug)]
pub struct Population {
    addresses: Vec<IpAddr>,
    everywhere: Vec<bool>,
    columns: [Column; RUNGS],
    watched: BTreeMap<Subject, Vec<u32>>,
}

impl Population {
    /// Number of hosts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.addresses.len()
    }

    /// True when there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }

    /// True when this address is one of the hosts.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.find(address).is_some()
    }

    /// Number of hosts, as the formulas use it.
    pub(super) fn size(&self) -> f64 {
        f64::from(small(self.addresses.len()))
    }

    /// All hosts in the order of their addresses, and whether every port of theirs answers.
    pub(super) fn hosts(&self) -> impl Iterator<Item = (IpAddr, bool)> {
        self.addresses.iter().copied().zip(self.everywhere.iter().copied())
    }

    /// A population of these columns; `None` when one is missing.
    pub(super) fn from_columns(addresses: Vec<IpAddr>, everywhere: Vec<bool>, columns: Vec<Column>) -> Option<Self> {
        Some(Self { addresses, everywhere, columns: columns.try_into().ok()?, watched: BTreeMap::new() })
    }

    /// Says which hosts show a facet that is a seed: those among `addresses` that are in the population.
    pub fn watch(&mut self, subject: &Subject, addresses: impl IntoIterator<Item = IpAddr>) {
        let mut hosts: Vec<u32> = addresses.into_iter().filter_map(|address| self.find(address)).collect();
        hosts.sort_unstable();
        hosts.dedup();
        self.watched.insert(subject.clone(), hosts);
    }

    /// The place of an address.
    pub(super) fn find(&self, address: IpAddr) -> Option<u32> {
        self.addresses.binary_search(&address).ok().map(small)
    }

    /// The address of a host.
    pub(super) fn address(&self, host: u32) -> IpAddr {
        self.addresses.get(at(host)).copied().unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED))
    }

    /// True for a box that seems to answer on every port.
    pub(super) fn answers_everywhere(&self, host: u32) -> bool {
        self.everywhere.get(at(host)).copied().unwrap_or(false)
    }

    /// All columns with their rungs.
    pub(super) fn columns(&self) -> impl DoubleEndedIterator<Item = (Rung, &Column)> + ExactSizeIterator {
        Rung::ALL.into_iter().zip(&self.columns)
    }

    /// The column of one rung.
    pub(super) fn column(&self, rung: Rung) -> &Column {
        let place = Rung::ALL.iter().position(|one| *one == rung).unwrap_or(0);
        let [first, ..] = &self.columns;
        self.columns.get(place).unwrap_or(first)
    }

    /// The hosts a seed or verdict speaks of. A facet speaks of every host that shows it, if the population was told
    /// [who does](Self::watch).
    pub(super) fn subjects(&self, subject: &Subject) -> Vec<u32> {
        match subject {
            Subject::Host(address) => self.find(*address).into_iter().collect(),
            facet @ Subject::Facet(..) => self.watched.get(facet).cloned().unwrap_or_default(),
        }
    }
}

/// Takes hosts one by one, in any order, and makes a [`Population`] of them.
#[derive(Debug, Default)]
pub struct Builder {
    drafts: Vec<Draft>,
    places: HashMap<IpAddr, u32>,
    tables: [Table; RUNGS],
    simhashes: Vec<(u32, u64)>,
}

#[derive(Debug)]
struct Draft {
    address: IpAddr,
    everywhere: bool,
}

/// One rung while hosts still come: a slot for each value. A value that only one host shows costs some 45 bytes.
#[derive(Debug, Default)]
struct Table {
    slots: HashMap<Digest, u32>,
    /// For each slot the host that showed the value first.
    first: Vec<u32>,
    /// Values from the second host on, by slot: a lone value is never shown.
    values: HashMap<u32, Box<[u8]>>,
    /// (host, slot), as they came.
    shown: Vec<(u32, u32)>,
}

/// The first 16 bytes of the SHA-256: strangers choose these values, so that a weaker hash would let them collide. In
/// four words, so that a table of them has no padding.
type Digest = [u32; 4];

impl Table {
    fn add(&mut self, host: u32, value: &[u8]) {
        let next = small(self.first.len());
        let slot = *self.slots.entry(digest(value)).or_insert(next);
        match self.first.get(at(slot)) {
            None => self.first.push(host),
            Some(first) if *first != host => {
                self.values.entry(slot).or_insert_with(|| value.get(..SHOWN).unwrap_or(value).into());
            }
            Some(_) => {}
        }
        self.shown.push((host, slot));
    }

    /// The finished column; `order` gives each draft its place.
    fn finish(mut self, order: &[u32]) -> Column {
        let mut ranked: Vec<(Digest, u32)> =
            std::mem::take(&mut self.slots).into_iter().filter(|(_, slot)| self.values.contains_key(slot)).collect();
        ranked.sort_unstable();
        let mut codes = vec![LONE; self.first.len()];
        let mut values = Vec::with_capacity(ranked.len());
        for ((_, slot), code) in ranked.iter().zip(0_u32..) {
            if let Some(place) = codes.get_mut(at(*slot)) {
                *place = code;
                values.push(self.values.remove(slot).unwrap_or_default());
            }
        }
        drop(self.first);
        // (host, code) in order; lone values sort behind shared ones of the same host.
        let mut shown = self.shown;
        for (host, slot) in &mut shown {
            *slot = codes.get(at(*slot)).copied().unwrap_or(LONE);
            *host = order.get(at(*host)).copied().unwrap_or(*host);
        }
        drop(codes);
        shown.sort_unstable();
        shown.dedup();
        let mut column = Column { cells: vec![ABSENT; order.len()], ..Column::default() };
        for one in shown.chunk_by(|a, b| a.0 == b.0) {
            column.fill(one);
        }
        drop(shown);
        // Never `None`: every code is one of the values'.
        Column::from_raw(column.cells, column.spill, values).unwrap_or_default()
    }
}

impl Column {
    /// Writes the cell of one host from its sorted codes.
    fn fill(&mut self, shown: &[(u32, u32)]) {
        let Some((host, first)) = shown.first() else { return };
        let shared = small(shown.iter().filter(|(_, code)| *code != LONE).count());
        let cell = if shared <= 1 {
            *first
        } else {
            let place = small(self.spill.len()) | SPILLED;
            self.spill.push(shared);
            self.spill.extend(shown.iter().map(|(_, code)| *code).filter(|code| *code != LONE));
            place
        };
        if let Some(place) = self.cells.get_mut(at(*host)) {
            *place = cell;
        }
    }
}

impl Builder {
    /// A builder with no hosts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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
    pub fn finish(mut self) -> Population {
        let mut sorted: Vec<(IpAddr, u32)> = self.drafts.iter().map(|draft| draft.address).zip(0..).collect();
        sorted.sort_unstable();
        let mut order = vec![0_u32; sorted.len()];
        for ((_, draft), place) in sorted.iter().zip(0..) {
            if let Some(slot) = order.get_mut(at(*draft)) {
                *slot = place;
            }
        }
        let families = family::families(self.simhashes.iter().map(|(_, hash)| *hash));
        if let Some(table) =
            Rung::ALL.iter().position(|rung| *rung == Rung::PageFamily).and_then(|place| self.tables.get_mut(place))
        {
            for (host, hash) in &self.simhashes {
                let leader = families.get(hash).copied().unwrap_or(*hash);
                table.add(*host, format!("{leader:016x}").as_bytes());
            }
        }
        let everywhere =
            sorted.iter().map(|(_, draft)| self.drafts.get(at(*draft)).is_some_and(|draft| draft.everywhere)).collect();
        let columns = self.tables.map(|table| table.finish(&order));
        Population {
            addresses: sorted.into_iter().map(|(address, _)| address).collect(),
            everywhere,
            columns,
            watched: BTreeMap::new(),
        }
    }
}

fn digest(value: &[u8]) -> Digest {
    let whole = Sha256::digest(value);
    let mut words = whole.chunks_exact(4).map(|word| word.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)));
    std::array::from_fn(|_| words.next().unwrap_or_default())
}

/// A host or code as an index.
pub(super) fn at(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A length as a host or code; no population here has more than 2^31 hosts.
pub(super) fn small(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
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
