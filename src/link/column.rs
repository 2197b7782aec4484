//! One rung of all hosts: who shows which value.
//!
//! The cells of all rungs lie together, host by host, because whoever looks at a host looks at all its rungs; a
//! [`Column`] is one rung of them with what belongs to it alone.

use super::cells::Cells;
use super::population::{at, small};
use super::rung::RUNGS;

/// No value on this rung.
pub(super) const ABSENT: u32 = u32::MAX;
/// Values that no other host shows.
pub(super) const LONE: u32 = u32::MAX - 1;
/// Set on a cell that holds a place in `spill` instead of a code.
pub(super) const SPILLED: u32 = 1 << 31;
/// Most bytes of a shared value that are kept to be shown and looked up among the labels.
pub(super) const SHOWN: usize = 1024;

/// What belongs to one rung beside its cells.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// For hosts with several shared values: their number, then their codes.
    spill: Vec<u32>,
    /// Where the postings of each code begin; one more at the end.
    starts: Vec<u32>,
    /// Hosts by code, ascending within a code.
    postings: Vec<u32>,
    /// The value of each code.
    values: Texts,
    /// Hosts that show any value here.
    observed: u32,
}

/// Values one after the other, each after its length in four bytes, little-endian: millions of small pieces of memory would
/// take longer to get than all the rest.
#[derive(Debug, Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    /// Where each begins, with its length.
    places: Vec<usize>,
}

impl Texts {
    /// Adds a value.
    pub(super) fn push(&mut self, value: &[u8]) {
        self.places.push(self.bytes.len());
        self.bytes.extend(small(value.len()).to_le_bytes());
        self.bytes.extend_from_slice(value);
    }

    /// Reads what was kept; `None` when it ends within a value.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut texts = Self { bytes: bytes.to_vec(), places: Vec::new() };
        let mut place = 0;
        while place < bytes.len() {
            texts.places.push(place);
            place = place.checked_add(4)?.checked_add(at(u32::from_le_bytes(*bytes.get(place..)?.first_chunk()?)))?;
        }
        (place == bytes.len()).then_some(texts)
    }

    fn get(&self, place: usize) -> Option<&[u8]> {
        let (length, rest) = self.bytes.get(*self.places.get(place)?..)?.split_first_chunk()?;
        rest.get(..at(u32::from_le_bytes(*length)))
    }
}

/// One rung of all hosts before it is put beside the others.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) cells: Cells,
    pub(super) shelf: Shelf,
}

impl Filled {
    /// `None` when cells and values are not of one piece.
    pub(super) fn new(mut cells: Cells, values: Texts) -> Option<Self> {
        let spill = std::mem::take(&mut cells.spill);
        let shelf = Shelf::of(&cells, spill, values)?;
        Some(Self { cells, shelf })
    }
}

impl Shelf {
    /// What stands behind a cell: `None` for nothing, else the values that others show too.
    pub(super) fn shown<'a>(&'a self, cell: &'a u32) -> Option<&'a [u32]> {
        (*cell != ABSENT).then(|| codes(&self.spill, cell))
    }

    /// What belongs to these cells; `None` when they and the values are not of one piece.
    fn of(cells: &Cells, spill: Vec<u32>, values: Texts) -> Option<Self> {
        let mut starts = vec![0_u32; values.places.len() + 1];
        for code in cells.cells().iter().flat_map(|cell| codes(&spill, cell)) {
            *starts.get_mut(at(*code).checked_add(1)?)? += 1;
        }
        let starts = sums(starts)?;
        let mut next = starts.clone();
        let mut postings = vec![0; at(*starts.last()?)];
        for (cell, host) in cells.cells().iter().zip(cells.hosts()) {
            for code in codes(&spill, cell) {
                let place = next.get_mut(at(*code))?;
                *postings.get_mut(at(*place))? = host;
                *place += 1;
            }
        }
        Some(Self { spill, starts, postings, values, observed: cells.observed() })
    }
}

/// The shared values behind a cell.
fn codes<'a>(spill: &'a [u32], cell: &'a u32) -> &'a [u32] {
    if *cell >= LONE {
        &[]
    } else if cell & SPILLED == 0 {
        std::slice::from_ref(cell)
    } else {
        let start = at(cell & !SPILLED);
        let length = spill.get(start).map_or(0, |length| at(*length));
        spill.get(start + 1..start + 1 + length).unwrap_or_default()
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

/// One rung of all hosts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<'a> {
    /// The cells of all rungs.
    table: &'a [[u32; RUNGS]],
    /// Which of them are this rung's.
    place: usize,
    shelf: &'a Shelf,
}

impl<'a> Column<'a> {
    pub(super) fn new(table: &'a [[u32; RUNGS]], place: usize, shelf: &'a Shelf) -> Self {
        Self { table, place, shelf }
    }

    fn cell(self, host: u32) -> Option<&'a u32> {
        self.table.get(at(host))?.get(self.place)
    }

    /// The shared values of a host, ascending; empty when it has none.
    pub(super) fn codes(self, host: u32) -> &'a [u32] {
        self.cell(host).map_or(&[], |cell| codes(&self.shelf.spill, cell))
    }

    /// True when the host shows any value here.
    pub(super) fn is_observed(self, host: u32) -> bool {
        self.cell(host).is_some_and(|cell| *cell != ABSENT)
    }

    /// The hosts that show a value, ascending.
    pub(super) fn holders(self, code: u32) -> &'a [u32] {
        let Shelf { starts, postings, .. } = self.shelf;
        let bounds = starts.get(at(code)).zip(starts.get(at(code) + 1));
        bounds.and_then(|(start, end)| postings.get(at(*start)..at(*end))).unwrap_or_default()
    }

    /// How many hosts show a value.
    pub(super) fn count(self, code: u32) -> u32 {
        small(self.holders(code).len())
    }

    /// The bytes of a value, cut to [`SHOWN`].
    pub(super) fn value(self, code: u32) -> &'a [u8] {
        self.shelf.values.get(at(code)).unwrap_or_default()
    }

    /// Number of values that two hosts or more show.
    pub(super) fn shared(self) -> u32 {
        small(self.shelf.values.places.len())
    }

    /// Hosts that show any value here.
    pub(super) fn observed(self) -> u32 {
        self.shelf.observed
    }

    /// The cells, to be kept.
    pub(super) fn cells(self) -> impl Iterator<Item = u32> {
        self.table.iter().filter_map(move |row| row.get(self.place).copied())
    }

    /// All values, to be kept.
    pub(super) fn texts(self) -> &'a [u8] {
        &self.shelf.values.bytes
    }

    /// The spill, to be kept.
    pub(super) fn spill(self) -> &'a [u32] {
        &self.shelf.spill
    }
}
