//! The cells of one rung while they are made, kept and read: most hosts show nothing there, or nothing that others show
//! too, so that only the cells of the rest are written out.

use super::column::{ABSENT, LONE, SPILLED};
use super::population::{at, small};
use super::rung::RUNGS;

/// Hosts of one word.
pub(super) const WORD: usize = 64;

/// What each host shows on one rung.
#[derive(Debug, Default)]
pub(super) struct Cells {
    /// A bit for each host that shows any value.
    observed: Vec<u64>,
    /// A bit for each that shows one that others show too.
    shared: Vec<u64>,
    /// For each of these its code, or with [`SPILLED`] the place of its codes in `spill`.
    values: Vec<u32>,
    /// For hosts with several shared values: their number, then their codes.
    pub(super) spill: Vec<u32>,
}

impl Cells {
    /// Cells of so many hosts that show nothing.
    pub(super) fn absent(hosts: usize) -> Self {
        let words = vec![0; hosts.div_ceil(WORD)];
        Self { observed: words.clone(), shared: words, ..Self::default() }
    }

    /// Writes the cell of one host from its codes, ascending, [`LONE`] last; hosts have to come in their order.
    pub(super) fn fill(&mut self, host: u32, codes: &[u32]) {
        let shared = codes.iter().take_while(|code| **code != LONE).count();
        match codes.first() {
            None => {}
            Some(only) if shared <= 1 => self.put(host, *only),
            Some(_) => {
                self.put(host, small(self.spill.len()) | SPILLED);
                self.spill.push(small(shared));
                self.spill.extend(codes.iter().take(shared));
            }
        }
    }

    /// The same from a cell.
    fn put(&mut self, host: u32, cell: u32) {
        let (word, bit) = (at(host) / WORD, 1 << (at(host) % WORD));
        let set = |words: &mut Vec<u64>| {
            words.get_mut(word).is_some_and(|word| {
                *word |= bit;
                true
            })
        };
        if cell != ABSENT && set(&mut self.observed) && cell != LONE && set(&mut self.shared) {
            self.values.push(cell);
        }
    }

    /// From the cells of all hosts, as a table has them.
    pub(super) fn of(hosts: usize, cells: impl Iterator<Item = u32>, spill: &[u32]) -> Self {
        let mut out = Self { spill: spill.to_vec(), ..Self::absent(hosts) };
        cells.zip(0..).for_each(|(cell, host)| out.put(host, cell));
        out
    }

    /// Number of hosts that show any value.
    pub(super) fn observed(&self) -> u32 {
        self.observed.iter().map(|word| word.count_ones()).sum()
    }

    /// The hosts with a shared value, ascending.
    pub(super) fn hosts(&self) -> impl Iterator<Item = u32> {
        self.shared.iter().zip((0..).step_by(WORD)).flat_map(|(word, first)| ones(*word).map(move |bit| first + bit))
    }

    /// The cells of these.
    pub(super) fn cells(&self) -> &[u32] {
        &self.values
    }

    /// Where the cells of every so many words of hosts begin.
    pub(super) fn starts(&self, words: usize) -> Vec<usize> {
        let sums = self.shared.chunks(words).scan(0, |sum, chunk| {
            let before = *sum;
            *sum += chunk.iter().map(|word| at(word.count_ones())).sum::<usize>();
            Some(before)
        });
        sums.collect()
    }

    /// Writes the cells of the hosts from a word on into their rows, which are [`ABSENT`]; `start` is where those of the
    /// word begin.
    pub(super) fn write(&self, word: usize, start: usize, rung: usize, rows: &mut [[u32; RUNGS]]) {
        let mut cells = self.values.get(start..).unwrap_or_default().iter();
        let words = self.observed.iter().zip(&self.shared).skip(word);
        for (rows, (observed, shared)) in rows.chunks_mut(WORD).zip(words) {
            for bit in ones(*observed) {
                let Some(slot) = rows.get_mut(at(bit)).and_then(|row| row.get_mut(rung)) else { continue };
                *slot = if shared >> bit & 1 == 1 { cells.next().copied().unwrap_or(LONE) } else { LONE };
            }
        }
    }

    /// Its bytes, little-endian: the words of `observed` and of `shared`, then the cells, the length of the spill and this.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let words = self.observed.iter().chain(&self.shared).flat_map(|word| word.to_le_bytes());
        let length = small(self.spill.len());
        let rest = self.values.iter().chain([&length]).chain(&self.spill).flat_map(|word| word.to_le_bytes());
        words.chain(rest).collect()
    }

    /// Reads them for so many hosts, with what stands behind them; `None` when they do not fit together.
    pub(super) fn read(bytes: &[u8], hosts: usize) -> Option<(Self, &[u8])> {
        let count = hosts.div_ceil(WORD);
        let (observed, rest) = bytes.split_at_checked(count.checked_mul(8)?)?;
        let (shared, rest) = rest.split_at_checked(count.checked_mul(8)?)?;
        let [observed, shared] = [observed, shared]
            .map(|words| words.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect::<Vec<u64>>());
        let values = shared.iter().map(|word| at(word.count_ones())).sum::<usize>();
        let (values, rest) = rest.split_at_checked(values.checked_mul(4)?)?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (spill, rest) = rest.split_at_checked(at(u32::from_le_bytes(*length)).checked_mul(4)?)?;
        let out = Self { observed, shared, values: words(values), spill: words(spill) };
        out.fits(hosts).then_some((out, rest))
    }

    /// True when no host beyond the last shows anything, none shows a shared value and nothing, and no cell is a mark.
    fn fits(&self, hosts: usize) -> bool {
        let beyond =
            self.observed.last().is_some_and(|last| !hosts.is_multiple_of(WORD) && last >> (hosts % WORD) != 0);
        let within = self.observed.iter().zip(&self.shared).all(|(observed, shared)| shared & !observed == 0);
        !beyond && within && self.values.iter().all(|cell| *cell < LONE) && self.spill_fits()
    }

    /// True when the spilled cells have their codes one after the other, two or more each, ascending, and nothing is left: a
    /// few bytes that many cells point at would fill the memory with postings.
    fn spill_fits(&self) -> bool {
        let mut left = self.spill.as_slice();
        for cell in self.values.iter().filter(|cell| *cell & SPILLED != 0) {
            let is_next = at(cell & !SPILLED) == self.spill.len() - left.len();
            let Some((length, rest)) = left.split_first().filter(|_| is_next) else { return false };
            let Some((codes, rest)) = rest.split_at_checked(at(*length)) else { return false };
            if codes.len() < 2 || !codes.is_sorted_by(|one, other| one < other) {
                return false;
            }
            left = rest;
        }
        left.is_empty()
    }
}

/// The places of a word's bits, ascending.
fn ones(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros();
        word &= word.wrapping_sub(1);
        (bit < u64::BITS).then_some(bit)
    })
}

/// Bytes as numbers.
pub(super) fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a host shows: nothing, a value of its own, one that others show too, or several.
    fn shown(host: u32) -> Vec<u32> {
        match host * 7 % 11 {
            0..=3 => Vec::new(),
            4 | 5 => vec![LONE],
            6..=8 => vec![host % 40],
            _ => vec![host % 13, 20 + host % 5, LONE],
        }
    }

    fn filled(hosts: u32) -> Cells {
        let mut cells = Cells::absent(at(hosts));
        (0..hosts).for_each(|host| cells.fill(host, &shown(host)));
        cells
    }

    #[test]
    fn every_host_keeps_its_cell_at_the_ends_of_words_and_pieces() {
        for hosts in [0, 1, 63, 64, 65, 127, 128, 129, 2047, 2048, 2049] {
            let bytes = filled(hosts).bytes();
            let (cells, rest) = Cells::read(&bytes, at(hosts)).unwrap();
            assert!(rest.is_empty());
            let mut rows = vec![[ABSENT; RUNGS]; at(hosts)];
            for (piece, start) in cells.starts(2).into_iter().enumerate() {
                let first = piece * 2 * WORD;
                let end = rows.len().min(first + 2 * WORD);
                cells.write(2 * piece, start, 3, &mut rows[first..end]);
            }
            for (host, row) in (0..hosts).zip(&rows) {
                let shared: Vec<u32> = shown(host).into_iter().filter(|code| *code != LONE).collect();
                match row[3] {
                    ABSENT => assert!(shown(host).is_empty(), "{host} of {hosts}"),
                    LONE => assert_eq!(shown(host), [LONE], "{host} of {hosts}"),
                    cell if cell & SPILLED != 0 => {
                        let place = at(cell & !SPILLED);
                        let length = at(cells.spill[place]);
                        assert_eq!(cells.spill[place + 1..=place + length], shared, "{host} of {hosts}");
                    }
                    cell => assert_eq!([cell], shared[..], "{host} of {hosts}"),
                }
            }
            let with_shared = (0..hosts).filter(|host| shown(*host).iter().any(|code| *code != LONE));
            assert_eq!(cells.hosts().collect::<Vec<u32>>(), with_shared.collect::<Vec<u32>>());
        }
    }

    #[test]
    fn cells_that_point_at_one_run_together_are_not_taken() {
        let mut cells = Cells::absent(3);
        (0..3).for_each(|host| cells.fill(host, &[1, 2]));
        assert!(Cells::read(&cells.bytes(), 3).is_some());
        cells.values = vec![SPILLED; 3];
        assert!(Cells::read(&cells.bytes(), 3).is_none());
        cells.spill.truncate(3);
        assert!(Cells::read(&cells.bytes(), 3).is_none());
    }
}
