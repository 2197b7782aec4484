//! The rows of a host's results: host, observations, captures, values and facets, put in within one transaction.

use std::net::IpAddr;

use ipnet::IpNet;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};

use super::capture::{Keep, Packer};
use super::intern::{Intern, Known};
use super::leaf::Leaves;
use super::{Result, RunId, StoreError, address, int};
use crate::clock::Timestamp;
use crate::facet::FacetKind;
use crate::observation::{Observation, Outcome, Seen};
use crate::proto::Reading;
use crate::seal::{Leaf, ReadingText, hex};

/// What is kept in memory from one transaction to the next.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) known: Known,
    packer: Packer,
}

impl Memory {
    pub(super) fn new() -> Result<Self> {
        Ok(Self { known: Known::default(), packer: Packer::new()? })
    }
}

/// A host as it was met this time.
pub(super) struct Sighting {
    pub(super) address: IpAddr,
    pub(super) asn: Option<u32>,
    pub(super) prefix: Option<IpNet>,
    /// First and last sight, where known, and how often.
    pub(super) first: Option<Timestamp>,
    pub(super) last: Option<Timestamp>,
    pub(super) count: u64,
}

impl Sighting {
    pub(super) fn new(address: IpAddr, asn: Option<u32>, prefix: Option<IpNet>, seen: Seen) -> Self {
        Self { address, asn, prefix, first: Some(seen.first), last: Some(seen.last), count: seen.count }
    }
}

/// An observation's columns.
pub(super) struct NewRow<'a> {
    pub(super) run: RunId,
    pub(super) host: i64,
    pub(super) port: u16,
    pub(super) protocol: &'a str,
    pub(super) over_tls: bool,
    pub(super) name: &'a str,
    pub(super) outcome: Outcome,
    pub(super) detail: Option<&'a str>,
    pub(super) started_at: Timestamp,
    pub(super) connections: u64,
    pub(super) bytes: (u64, u64),
    pub(super) timed_out: Option<&'a str>,
    pub(super) capture: Option<i64>,
}

impl NewRow<'_> {
    /// What is sealed of it; salt and the reading's digest come with the leaf.
    fn leaf(&self, address: IpAddr, capture: &[u8; 32]) -> Leaf {
        Leaf {
            salt: String::new(),
            run: self.run,
            ip: address.to_string(),
            port: self.port,
            protocol: self.protocol.to_owned(),
            over_tls: self.over_tls,
            name: (!self.name.is_empty()).then(|| self.name.to_owned()),
            started_at_ms: self.started_at.as_millisecond(),
            connections: int(self.connections),
            bytes_sent: int(self.bytes.0),
            bytes_heard: int(self.bytes.1),
            timed_out: self.timed_out.map(str::to_owned),
            capture_sha256: Some(hex(capture)),
            reading_sha256: String::new(),
        }
    }
}

/// The statements, prepared once per transaction.
pub(super) struct Rows<'a> {
    connection: &'a Connection,
    new_host: CachedStatement<'a>,
    host: CachedStatement<'a>,
    observation: CachedStatement<'a>,
    twin: CachedStatement<'a>,
    facet: CachedStatement<'a>,
    keep: Keep<'a>,
    intern: Intern<'a>,
    leaves: Leaves<'a>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(connection: &'a Connection) -> Result<Self> {
        Ok(Self {
            connection,
            // Most hosts are new, and giving the number back by `RETURNING` costs as much as the row.
            new_host: connection.prepare_cached(
                "INSERT INTO hosts (address, ip, asn, prefix, first_seen_at_ms, last_seen_at_ms, sightings)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (address) DO NOTHING",
            )?,
            // As `Seen::merge`; a missing sight changes nothing, a newer origin replaces an older.
            host: connection.prepare_cached(
                "INSERT INTO hosts (address, ip, asn, prefix, first_seen_at_ms, last_seen_at_ms, sightings)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (address) DO UPDATE SET
                     asn = coalesce(excluded.asn, asn), prefix = coalesce(excluded.prefix, prefix),
                     first_seen_at_ms = min(coalesce(first_seen_at_ms, excluded.first_seen_at_ms),
                                            coalesce(excluded.first_seen_at_ms, first_seen_at_ms)),
                     last_seen_at_ms = max(coalesce(last_seen_at_ms, excluded.last_seen_at_ms),
                                           coalesce(excluded.last_seen_at_ms, last_seen_at_ms)),
                     sightings = sightings + excluded.sightings
                 RETURNING id",
            )?,
            observation: connection.prepare_cached(
                "INSERT INTO observations (run, host, port, protocol, over_tls, name, outcome, detail, started_at_ms,
                                           connections, bytes_sent, bytes_heard, timed_out, capture)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
                 ON CONFLICT (host, port, protocol, over_tls, name, run) DO NOTHING",
            )?,
            twin: connection.prepare_cached(
                "SELECT id FROM observations
                 WHERE run = ?1 AND host = ?2 AND port = ?3 AND protocol = ?4 AND over_tls = ?5 AND name = ?6",
            )?,
            facet: connection
                .prepare_cached("INSERT INTO facets (observation, place, value, extra) VALUES (?1, ?2, ?3, ?4)")?,
            keep: Keep::new(connection)?,
            intern: Intern::new(connection)?,
            leaves: Leaves::new(connection)?,
        })
    }

    /// The host's number; what was known of it and this sighting are merged.
    pub(super) fn host(&mut self, host: &Sighting) -> Result<i64> {
        let (key, ip) = (address::key(host.address), host.address.to_string());
        let prefix = host.prefix.map(|prefix| prefix.to_string());
        let (first, last) = (host.first.map(Timestamp::as_millisecond), host.last.map(Timestamp::as_millisecond));
        let row = params![key, ip, host.asn, prefix, first, last, int(host.count)];
        if self.new_host.execute(row)? == 1 {
            return Ok(self.connection.last_insert_rowid());
        }
        Ok(self.host.query_row(row, |row| row.get(0))?)
    }

    /// Puts an observation in with its capture and facets. False when the run holds one of this service already; the
    /// first one stays.
    pub(super) fn observation(
        &mut self,
        memory: &mut Memory,
        run: RunId,
        host: i64,
        heard: &Observation,
        reading: &Reading,
    ) -> Result<bool> {
        let service = &heard.service;
        let mut row = NewRow {
            run,
            host,
            port: service.port,
            protocol: service.speech.as_str(),
            over_tls: heard.over_tls,
            name: service.name.as_deref().unwrap_or_default(),
            outcome: reading.outcome,
            detail: reading.detail.as_deref(),
            started_at: heard.started_at,
            connections: heard.connections(),
            bytes: heard.wire_bytes(),
            timed_out: None,
            capture: None,
        };
        if self.twin(&row)?.is_some() {
            return Ok(false);
        }
        let (capture, sha256) = self.keep.id(self.connection, &mut memory.packer, &heard.capture)?;
        row.capture = Some(capture);
        let Some(observation) = self.row(&row)? else { return Ok(false) };
        let text = self.facets(memory, observation, reading)?;
        self.leaves.put(observation, row.leaf(service.address, &sha256), &text)?;
        Ok(true)
    }

    /// Puts a bare row in; `None` when the run holds one of this service already.
    pub(super) fn row(&mut self, row: &NewRow<'_>) -> Result<Option<i64>> {
        let inserted = self.observation.execute(params![
            row.run,
            row.host,
            row.port,
            row.protocol,
            row.over_tls,
            row.name,
            row.outcome.as_str(),
            row.detail,
            row.started_at.as_millisecond(),
            int(row.connections),
            int(row.bytes.0),
            int(row.bytes.1),
            row.timed_out,
            row.capture,
        ])?;
        Ok((inserted == 1).then(|| self.connection.last_insert_rowid()))
    }

    /// The row of this service in this run, if there is one.
    fn twin(&mut self, row: &NewRow<'_>) -> Result<Option<i64>> {
        let key = params![row.run, row.host, row.port, row.protocol, row.over_tls, row.name];
        Ok(self.twin.query_row(key, |row| row.get(0)).optional()?)
    }

    /// Adds what `row` says to the row that is there, and gives its number and the place for the next facet.
    pub(super) fn take_up(&mut self, row: &NewRow<'_>) -> Result<(i64, i64)> {
        let update = "UPDATE observations SET outcome = CASE WHEN ?2 = 'answered' THEN ?2 ELSE outcome END,
                          timed_out = CASE WHEN timed_out IS NULL OR ?3 IS NULL THEN coalesce(timed_out, ?3)
                                           ELSE timed_out || ',' || ?3 END
                      WHERE id = ?1";
        let id = self.twin(row)?.ok_or_else(|| StoreError::damaged("an observation that is there and is not"))?;
        self.connection.prepare_cached(update)?.execute(params![id, row.outcome.as_str(), row.timed_out])?;
        let next = "SELECT coalesce(max(place) + 1, 0) FROM facets WHERE observation = ?1";
        Ok((id, self.connection.prepare_cached(next)?.query_row([id], |row| row.get(0))?))
    }

    /// Puts the facets of a new observation in, in order, and gives the text by which its reading is sealed.
    pub(super) fn facets(&mut self, memory: &mut Memory, observation: i64, reading: &Reading) -> Result<String> {
        let mut text = ReadingText::new(reading.outcome.as_str(), reading.detail.as_deref());
        for (place, facet) in (0..).zip(&reading.facets) {
            let (value, extra) = (facet.stored(), facet.extra_json());
            text.facet(facet.kind.as_str(), &value, extra.as_deref());
            self.facet(memory, observation, place, facet.kind, &value, extra.as_deref())?;
        }
        Ok(text.finish())
    }

    /// Puts one facet in at its place.
    pub(super) fn facet(
        &mut self,
        memory: &mut Memory,
        observation: i64,
        place: i64,
        kind: FacetKind,
        value: &[u8],
        extra: Option<&str>,
    ) -> Result<()> {
        let value = self.intern.id(&mut memory.known, kind, value)?;
        self.facet_of(observation, place, value, extra)
    }

    /// Puts one facet in whose value has its number.
    pub(super) fn facet_of(&mut self, observation: i64, place: i64, value: i64, extra: Option<&str>) -> Result<()> {
        self.facet.execute(params![observation, place, value, extra])?;
        Ok(())
    }

    /// The number of a value whose kind this program may not know.
    pub(super) fn value(&mut self, memory: &mut Memory, kind: &str, value: &[u8]) -> Result<i64> {
        self.intern.id_of(&mut memory.known, kind, value)
    }

    /// The number of a capture taken from another case.
    pub(super) fn capture(&mut self, sha256: &[u8], length: i64, body: &[u8]) -> Result<i64> {
        self.keep.take_over(self.connection, sha256, length, body)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::schema;
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn sightings_merge_in_the_file_as_seen_merges_in_any_order(
            sights in prop::collection::vec((0_i64..1_000, 0_i64..1_000, 1_u64..5), 1..8),
            turn in 0_usize..8,
        ) {
            let mut connection = Connection::open_in_memory().unwrap();
            schema::migrate(&mut connection).unwrap();
            let at = |ms| Timestamp::from_millisecond(ms).unwrap();
            let mut sights: Vec<Seen> =
                sights.iter().map(|(a, b, count)| Seen { first: at(*a.min(b)), last: at(*a.max(b)), count: *count }).collect();
            let merged = sights.iter().copied().reduce(Seen::merge).unwrap();
            let turn = turn % sights.len();
            sights.rotate_left(turn);
            let mut rows = Rows::new(&connection).unwrap();
            for seen in sights {
                rows.host(&Sighting::new("192.0.2.1".parse().unwrap(), None, None, seen)).unwrap();
            }
            let stored: (i64, i64, i64) = connection
                .query_row("SELECT first_seen_at_ms, last_seen_at_ms, sightings FROM hosts", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .unwrap();
            let expected = (merged.first.as_millisecond(), merged.last.as_millisecond(), int(merged.count));
            prop_assert_eq!(stored, expected);
        }
    }

    #[test]
    fn a_sight_without_a_date_keeps_the_dates_known() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        let mut rows = Rows::new(&connection).unwrap();
        let address = "192.0.2.1".parse().unwrap();
        let at = Timestamp::from_millisecond(5).unwrap();
        let blank = Sighting { address, asn: None, prefix: None, first: None, last: None, count: 1 };
        rows.host(&blank).unwrap();
        rows.host(&Sighting::new(address, Some(64496), None, Seen::once(at))).unwrap();
        rows.host(&blank).unwrap();
        let read = "SELECT first_seen_at_ms, last_seen_at_ms, sightings, asn FROM hosts";
        let stored: (i64, i64, i64, i64) =
            connection.query_row(read, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
        assert_eq!(stored, (5, 5, 3, 64496));
    }
}
