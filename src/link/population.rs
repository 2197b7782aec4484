//! All hosts of a case as columns of numbers: what the linkage computes on.
//!
//! For each rung a dictionary turns values into dense codes. A value that only one host shows links nothing, so all such
//! share one reserved cell and take no place in dictionary or postings: most keys and certificates vanish. Hosts are in
//! the order of their addresses and codes in the order of their values' digests, so that nothing depends on the order of
//! import. Cost: 4 bytes a host and rung, and 4 more for each shared value.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::aside::Aside;
use super::cells::{self, Cells};
use super::column::{ABSENT, Column, Filled, Shelf};
use super::parallel;
use super::rung::{RUNGS, Rung};
use crate::finding::Subject;

/// All hosts of a case.
#[derive(Debug, Default)]
pub struct Population {
    addresses: Vec<IpAddr>,
    everywhere: Vec<bool>,
    /// The cells of each host, one host after the other.
    table: Vec<u32>,
    shelves: [Shelf; RUNGS],
    watched: BTreeMap<Subject, Vec<u32>>,
    /// What is needed to add hosts; `None` where it was left in the case.
    aside: Option<Box<Aside>>,
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

    /// The addresses of all hosts, ascending.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().copied()
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

    /// A population of these hosts from its rungs, in their order; `None` when one is missing.
    pub(super) fn assemble(addresses: Vec<IpAddr>, everywhere: Vec<bool>, rungs: Vec<Filled>) -> Option<Self> {
        let (cells, shelves): (Vec<Cells>, Vec<Shelf>) = rungs.into_iter().map(|one| (one.cells, one.shelf)).unzip();
        let shelves = shelves.try_into().ok()?;
        Some(Self { table: table(addresses.len(), &cells), addresses, everywhere, shelves, ..Self::default() })
    }

    /// With what is needed to add hosts later.
    pub(super) fn with_aside(self, aside: Aside) -> Self {
        Self { aside: Some(Box::new(aside)), ..self }
    }

    /// What is needed to add hosts, if it is here.
    pub(super) fn aside(&self) -> Option<&Aside> {
        self.aside.as_deref()
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
    pub(super) fn columns(&self) -> impl DoubleEndedIterator<Item = (Rung, Column<'_>)> + ExactSizeIterator {
        let shelves = Rung::ALL.into_iter().zip(&self.shelves).enumerate();
        shelves.map(|(place, (rung, shelf))| (rung, Column::new(self.rows(), place, shelf)))
    }

    /// What a host shows on each rung: `None` for nothing, else the values that others show too.
    pub(super) fn row(&self, host: u32) -> impl Iterator<Item = Option<&[u32]>> {
        let cells = self.rows().get(at(host)).into_iter().flatten();
        cells.zip(&self.shelves).map(|(cell, shelf)| shelf.shown(cell))
    }

    /// The cells of each host.
    fn rows(&self) -> &[[u32; RUNGS]] {
        self.table.as_chunks().0
    }

    /// The columns from one place to before another.
    pub(super) fn span(
        &self,
        (start, end): (usize, usize),
    ) -> impl DoubleEndedIterator<Item = Column<'_>> + ExactSizeIterator {
        let shelves = self.shelves.get(start..end).unwrap_or_default().iter().enumerate();
        shelves.map(move |(place, shelf)| Column::new(self.rows(), start + place, shelf))
    }

    /// The column of one rung.
    pub(super) fn column(&self, rung: Rung) -> Column<'_> {
        let [first, ..] = &self.shelves;
        Column::new(self.rows(), rung.place(), self.shelves.get(rung.place()).unwrap_or(first))
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

/// The cells of each host, from those of each rung.
fn table(hosts: usize, rungs: &[Cells]) -> Vec<u32> {
    /// Words of hosts that are written together: their rows fit the processor's cache.
    const WORDS: usize = 32;
    let starts: Vec<Vec<usize>> = rungs.iter().map(|cells| cells.starts(WORDS)).collect();
    // Not filled here: the system's empty pages are touched first by all processors.
    let mut table = vec![0; hosts * RUNGS];
    let (rows, _) = table.as_chunks_mut::<RUNGS>();
    parallel::map(rows.chunks_mut(WORDS * cells::WORD).enumerate(), |(piece, rows): (usize, &mut [[u32; RUNGS]])| {
        rows.fill([ABSENT; RUNGS]);
        for (rung, (cells, starts)) in rungs.iter().zip(&starts).enumerate() {
            cells.write(piece * WORDS, starts.get(piece).copied().unwrap_or_default(), rung, rows);
        }
    });
    table
}

/// A host or code as an index.
pub(super) fn at(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// A length as a host or code; no population here has more than 2^31 hosts.
pub(super) fn small(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
