//! What was asked of whom: two bits per service, by permuted index, so that the dead cost no row.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Case, Result, RunId, StoreError, int};
use crate::observation::Presences;

/// Indices in one row.
const CHUNK: u64 = 1024;

/// What became of one service asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AskedState {
    /// Not asked (yet).
    NotAsked,
    /// Asked; nothing came.
    Silent,
    /// Asked; refused, by the host or the network before it.
    Refused,
    /// Asked; something was heard: there is a row.
    Heard,
}

impl AskedState {
    fn bits(self) -> u8 {
        match self {
            Self::NotAsked => 0,
            Self::Silent => 1,
            Self::Refused => 2,
            Self::Heard => 3,
        }
    }

    fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::NotAsked,
            1 => Self::Silent,
            2 => Self::Refused,
            _ => Self::Heard,
        }
    }
}

/// How many hosts are in which state, for one service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AskedTotals {
    /// Asked; nothing came.
    pub silent: u64,
    /// Asked; refused.
    pub refused: u64,
    /// Something was heard.
    pub heard: u64,
}

/// The bits of one run, read from the case as they are asked for.
#[derive(Debug)]
pub struct Asked<'a> {
    connection: &'a Connection,
    run: RunId,
    services: u32,
    last: Option<(u64, Vec<u8>)>,
}

impl Case {
    /// The bits of a scan.
    ///
    /// # Errors
    /// `NoRun` when there is no such scan.
    pub fn asked(&self, run: RunId) -> Result<Asked<'_>> {
        let services = services(&self.connection, run)?;
        Ok(Asked { connection: &self.connection, run, services, last: None })
    }
}

impl Asked<'_> {
    /// What became of service `ordinal` of host `index`.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn state(&mut self, index: u64, ordinal: u32) -> Result<AskedState> {
        if ordinal >= self.services {
            return Ok(AskedState::NotAsked);
        }
        let wanted = index / CHUNK;
        let bits = match self.last.take() {
            Some((chunk, bits)) if chunk == wanted => bits,
            _ => load(self.connection, self.run, wanted)?.unwrap_or_default(),
        };
        let (at, shift) = place(index, ordinal, self.services);
        let state = AskedState::from_bits(bits.get(at).copied().unwrap_or(0) >> shift);
        self.last = Some((wanted, bits));
        Ok(state)
    }

    /// For each service, in order of their ordinals, how many hosts are in which state.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn totals(&self) -> Result<Vec<AskedTotals>> {
        let mut totals = vec![AskedTotals::default(); usize::try_from(self.services).unwrap_or(0)];
        let mut statement = self.connection.prepare_cached("SELECT bits FROM asked WHERE run = ?1 ORDER BY chunk")?;
        let mut rows = statement.query([self.run])?;
        while let Some(row) = rows.next()? {
            let bits: Vec<u8> = row.get(0)?;
            let states = bits.iter().flat_map(|byte| [0, 2, 4, 6].map(|shift| AskedState::from_bits(byte >> shift)));
            // A row's states lie host by host, each with all its services.
            for (at, state) in states.enumerate() {
                let Some(total) = at.checked_rem(totals.len()).and_then(|ordinal| totals.get_mut(ordinal)) else {
                    continue;
                };
                match state {
                    AskedState::NotAsked => {}
                    AskedState::Silent => total.silent += 1,
                    AskedState::Refused => total.refused += 1,
                    AskedState::Heard => total.heard += 1,
                }
            }
        }
        Ok(totals)
    }
}

/// The rows a writer is still changing: those not wholly below its watermark.
#[derive(Debug)]
pub(super) struct OpenChunks {
    run: RunId,
    services: u32,
    chunks: BTreeMap<u64, Chunk>,
}

#[derive(Debug)]
struct Chunk {
    bits: Vec<u8>,
    dirty: bool,
}

impl OpenChunks {
    pub(super) fn new(connection: &Connection, run: RunId) -> Result<Self> {
        Ok(Self { run, services: services(connection, run)?, chunks: BTreeMap::new() })
    }

    /// Sets the state of one service of one host; loads the row it stands in when it is not open.
    pub(super) fn set(&mut self, connection: &Connection, index: u64, ordinal: u32, state: AskedState) -> Result<()> {
        if ordinal >= self.services {
            return Err(StoreError::Ordinal { index, ordinal, services: self.services });
        }
        let (at, shift) = place(index, ordinal, self.services);
        let chunk = self.open(connection, index / CHUNK)?;
        if let Some(byte) = chunk.bits.get_mut(at) {
            *byte = *byte & !(3 << shift) | state.bits() << shift;
        }
        Ok(())
    }

    /// Sets the states of all services of one host, of those that fit in.
    pub(super) fn set_all(&mut self, connection: &Connection, index: u64, services: Presences) -> Result<()> {
        let width = 2 * self.services.min(32);
        let mask = u64::MAX.checked_shr(64 - width).unwrap_or(0);
        if services.bits() & !mask != 0 {
            return Err(StoreError::Ordinal { index, ordinal: self.services, services: self.services });
        }
        let (at, shift) = place(index, 0, self.services);
        let chunk = self.open(connection, index / CHUNK)?;
        // Up to 64 bits that begin anywhere within a byte lie in nine bytes at most.
        let (mask, states) = (u128::from(mask) << shift, u128::from(services.bits()) << shift);
        let bytes = chunk.bits.iter_mut().skip(at);
        for ((byte, mask), state) in bytes.zip(mask.to_le_bytes()).zip(states.to_le_bytes()).take(9) {
            *byte = *byte & !mask | state;
        }
        Ok(())
    }

    /// The open row, about to be changed; loaded when it is not open.
    fn open(&mut self, connection: &Connection, number: u64) -> Result<&mut Chunk> {
        let chunk = match self.chunks.entry(number) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(place) => {
                let length = CHUNK.saturating_mul(u64::from(self.services)).div_ceil(4);
                let mut bits = load(connection, self.run, number)?.unwrap_or_default();
                bits.resize(usize::try_from(length).unwrap_or(0), 0);
                place.insert(Chunk { bits, dirty: true })
            }
        };
        chunk.dirty = true;
        Ok(chunk)
    }

    /// Writes what has changed, and lets go of rows wholly below `low`.
    pub(super) fn write(&mut self, connection: &Connection, low: u64) -> Result<()> {
        let insert = "INSERT INTO asked (run, chunk, bits) VALUES (?1, ?2, ?3)
                      ON CONFLICT (run, chunk) DO UPDATE SET bits = excluded.bits";
        let mut statement = connection.prepare_cached(insert)?;
        for (number, chunk) in self.chunks.iter_mut().filter(|(_, chunk)| chunk.dirty) {
            statement.execute(params![self.run, int(*number), chunk.bits])?;
            chunk.dirty = false;
        }
        self.chunks.retain(|number, _| number.saturating_add(1).saturating_mul(CHUNK) > low);
        Ok(())
    }

    /// Forgets everything not committed.
    pub(super) fn forget(&mut self) {
        self.chunks.clear();
    }
}

/// Byte and shift of one service's two bits within its row.
fn place(index: u64, ordinal: u32, services: u32) -> (usize, u64) {
    let slot = (index % CHUNK).saturating_mul(u64::from(services)).saturating_add(u64::from(ordinal));
    (usize::try_from(slot / 4).unwrap_or(usize::MAX), slot % 4 * 2)
}

/// Copies the rows of a run from one case to another, where it has another number.
pub(super) fn copy(from: &Connection, to: &Connection, run: RunId, into: RunId) -> Result<()> {
    let most = CHUNK.saturating_mul(u64::from(services(from, run)?)).div_ceil(4);
    let insert = "INSERT INTO asked (run, chunk, bits) VALUES (?1, ?2, ?3)
                  ON CONFLICT (run, chunk) DO UPDATE SET bits = excluded.bits";
    let mut insert = to.prepare_cached(insert)?;
    let mut statement = from.prepare_cached("SELECT chunk, bits FROM asked WHERE run = ?1 ORDER BY chunk")?;
    let mut rows = statement.query([run])?;
    while let Some(row) = rows.next()? {
        let (chunk, bits): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
        if u64::try_from(bits.len()).map_or(true, |length| length > most) {
            return Err(StoreError::damaged("more bits than a run has services"));
        }
        insert.execute(params![into, chunk, bits])?;
    }
    Ok(())
}

fn load(connection: &Connection, run: RunId, chunk: u64) -> Result<Option<Vec<u8>>> {
    let mut statement = connection.prepare_cached("SELECT bits FROM asked WHERE run = ?1 AND chunk = ?2")?;
    Ok(statement.query_row(params![run, int(chunk)], |row| row.get(0)).optional()?)
}

fn services(connection: &Connection, run: RunId) -> Result<u32> {
    let read = "SELECT services FROM runs WHERE id = ?1 AND kind = 'scan'";
    connection.query_row(read, [run], |row| row.get(0)).optional()?.ok_or(StoreError::NoRun { run })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Presence;

    #[test]
    fn all_states_of_a_host_at_once_lie_where_each_by_itself_would() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE asked (run, chunk, bits)").unwrap();
        for services in [1, 3, 15, 31, 32, 40] {
            let fresh = || OpenChunks { run: RunId::from(1), services, chunks: BTreeMap::new() };
            let (mut one, mut all) = (fresh(), fresh());
            for index in 1020..1030 {
                let states = [AskedState::Heard, AskedState::Silent, AskedState::NotAsked, AskedState::Refused];
                let state = |place: u64| states[usize::try_from((place * 7 + index) % 4).unwrap()];
                let mut seen = Presences::NONE;
                for place in 0..services.min(32) {
                    one.set(&connection, index, place, state(place.into())).unwrap();
                    let presence = match state(place.into()) {
                        AskedState::NotAsked => Presence::Unasked,
                        AskedState::Silent => Presence::Silent,
                        AskedState::Refused => Presence::Refused,
                        AskedState::Heard => Presence::Heard,
                    };
                    seen.set(usize::try_from(place).unwrap(), presence);
                }
                all.set_all(&connection, index, Presences::default()).unwrap();
                all.set_all(&connection, index, seen).unwrap();
            }
            assert!(one.chunks.len() == 2 && one.chunks.iter().zip(&all.chunks).all(|(a, b)| a.1.bits == b.1.bits));
        }
        let mut few = OpenChunks { run: RunId::from(1), services: 2, chunks: BTreeMap::new() };
        let seen = [Presence::Unasked, Presence::Unasked, Presence::Silent].into_iter().collect();
        assert!(matches!(few.set_all(&connection, 5, seen), Err(StoreError::Ordinal { index: 5, .. })));
    }
}
