//! Stored observations, read in a stable order: address, port, protocol, over TLS, name, run.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params};

use super::{Case, Result, RunId, StoreError, address, capture, count, time};
use crate::clock::Timestamp;
use crate::facet::{Facet, FacetKind, show_bytes};
use crate::observation::{Capture, Observation, Outcome, Service, Speech};

/// An observation's number.
pub type ObservationId = i64;

/// A facet as stored.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoredFacet {
    /// Which fact.
    pub kind: FacetKind,
    /// Its value: the bytes as sent, or for a list its JSON text ([`Facet::stored`]).
    pub value: Vec<u8>,
    /// The remarks as a JSON object; `None` when there are none.
    pub extra: Option<String>,
}

impl StoredFacet {
    /// A facet as it would be stored.
    #[must_use]
    pub fn of(facet: &Facet) -> Self {
        Self { kind: facet.kind, value: facet.stored(), extra: facet.extra_json() }
    }

    /// The facet as the JSON object of a row: what [`Facet::to_json`] gives.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let text = show_bytes(&self.value);
        let is_list = matches!(self.kind, FacetKind::HttpHeaderNames | FacetKind::TlsJarmRaw | FacetKind::CertChain);
        let list = if is_list { serde_json::from_str::<Vec<String>>(&text).ok() } else { None };
        let extra = self.extra.as_deref().and_then(|extra| serde_json::from_str(extra).ok());
        let extra: serde_json::Map<String, serde_json::Value> = extra.unwrap_or_default();
        let mut object = serde_json::Map::new();
        object.insert("kind".into(), self.kind.as_str().into());
        object.insert("value".into(), list.map_or_else(|| text.into(), Into::into));
        object.extend(extra);
        serde_json::Value::Object(object)
    }
}

/// Which observations to read. Default: all, without captures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObservationFilter {
    /// Of this run only.
    pub run: Option<RunId>,
    /// Of these addresses only.
    pub network: Option<IpNet>,
    /// With what was heard.
    pub captures: bool,
}

/// An observation as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObservation {
    /// Its number.
    pub id: ObservationId,
    /// The run that made it.
    pub run: RunId,
    /// Where.
    pub address: IpAddr,
    /// TCP port; 0 where an import names none.
    pub port: u16,
    /// What was spoken: a word of [`Speech`], or for imports `rdp`, `mail` or `ports` too.
    pub protocol: String,
    /// True when the protocol rode on TLS.
    pub over_tls: bool,
    /// The name asked for; `None` when asked by address.
    pub name: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// More words for the outcome.
    pub detail: Option<String>,
    /// UTC start, to the millisecond.
    pub started_at: Timestamp,
    /// Connections opened for it.
    pub connections: u64,
    /// Bytes sent on the wire.
    pub bytes_sent: u64,
    /// Bytes heard on the wire.
    pub bytes_heard: u64,
    /// Its facets, in the order they were read. Kinds this program does not know are left out.
    pub facets: Vec<StoredFacet>,
    /// SHA-256 of what was heard; `None` for imports.
    pub capture_sha256: Option<[u8; 32]>,
    /// What was heard, when it was asked for.
    pub capture: Option<Capture>,
}

impl StoredObservation {
    /// The observation as a probe made it; `None` when it has no capture or speaks no protocol of ours.
    #[must_use]
    pub fn to_observation(&self) -> Option<Observation> {
        let service = Service {
            address: self.address,
            port: self.port,
            speech: self.protocol.parse::<Speech>().ok()?,
            name: self.name.clone(),
        };
        Some(Observation {
            service,
            over_tls: self.over_tls,
            started_at: self.started_at,
            outcome: self.outcome,
            detail: self.detail.clone(),
            capture: self.capture.clone()?,
        })
    }
}

/// The columns that [`read_row`] reads.
pub(super) const COLUMNS: &str = "o.id, o.run, h.address, o.port, o.protocol, o.over_tls, o.name, o.outcome, o.detail,
    o.started_at_ms, o.connections, o.bytes_sent, o.bytes_heard, c.sha256, c.length, ";

impl Case {
    /// Gives `each` the observations that pass the filter, in stable order, as the case stands now.
    ///
    /// # Errors
    /// When the case cannot be read, or what `each` gives.
    pub fn observations<E: From<StoreError>>(
        &self,
        filter: &ObservationFilter,
        mut each: impl FnMut(StoredObservation) -> Result<(), E>,
    ) -> Result<(), E> {
        let _snapshot = self.snapshot()?;
        let mut facets = FacetReader::new(&self.connection)?;
        let sql = format!(
            "SELECT {COLUMNS} CASE WHEN ?4 THEN c.body END
             FROM hosts h CROSS JOIN observations o ON o.host = h.id LEFT JOIN captures c ON c.id = o.capture
             WHERE h.address BETWEEN ?1 AND ?2 AND (?3 IS NULL OR o.run = ?3)
             ORDER BY h.address, o.port, o.protocol, o.over_tls, o.name, o.run"
        );
        // Without a network: from before the first key to after the last.
        let (first, last) = filter.network.map_or_else(|| (vec![0], vec![u8::MAX]), address::bounds);
        let mut statement = self.connection.prepare_cached(&sql).map_err(StoreError::from)?;
        let mut rows = statement.query(params![first, last, filter.run, filter.captures]).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            let mut observation = read_row(row)?;
            facets.each(observation.id, |_, kind, value, extra| {
                observation.facets.push(StoredFacet { kind, value: value.to_vec(), extra: extra.map(str::to_owned) });
            })?;
            each(observation)?;
        }
        Ok(())
    }
}

/// Reads [`COLUMNS`] and the capture's body after them; facets are left to a [`FacetReader`].
pub(super) fn read_row(row: &Row<'_>) -> Result<StoredObservation> {
    let name: String = row.get(6)?;
    let sha256: Option<Vec<u8>> = row.get(13)?;
    let body = row.get_ref(15)?.as_blob_or_null().map_err(|_| StoreError::damaged("a capture that is no blob"))?;
    let capture = match (&sha256, body) {
        // An empty body is one that was erased.
        (Some(sha256), Some(body)) if !body.is_empty() => Some(capture::unpack(sha256, row.get(14)?, body)?),
        _ => None,
    };
    let digest =
        |bytes: Vec<u8>| <[u8; 32]>::try_from(bytes).map_err(|_| StoreError::damaged("a digest of another length"));
    Ok(StoredObservation {
        id: row.get(0)?,
        run: row.get(1)?,
        address: address::from_key(row.get_ref(2)?.as_blob().unwrap_or_default())?,
        port: row.get(3)?,
        protocol: row.get(4)?,
        over_tls: row.get(5)?,
        name: (!name.is_empty()).then_some(name),
        outcome: read_outcome(row.get_ref(7)?.as_str().unwrap_or_default())?,
        detail: row.get(8)?,
        started_at: time(row.get(9)?)?,
        connections: count(row.get(10)?),
        bytes_sent: count(row.get(11)?),
        bytes_heard: count(row.get(12)?),
        facets: Vec::new(),
        capture_sha256: sha256.map(digest).transpose()?,
        capture,
    })
}

pub(super) fn read_outcome(word: &str) -> Result<Outcome> {
    word.parse().map_err(|_| StoreError::damaged("an outcome no version knows"))
}

/// Values remembered while reading, and the longest that is.
const REMEMBERED: usize = 100_000;
const SHORT: usize = 256;

/// Reads the facets of one observation after the other; most values repeat, so they are remembered.
pub(super) struct FacetReader<'a> {
    facets: CachedStatement<'a>,
    value: CachedStatement<'a>,
    known: HashMap<i64, Option<(FacetKind, Vec<u8>)>>,
}

impl<'a> FacetReader<'a> {
    pub(super) fn new(connection: &'a Connection) -> Result<Self> {
        Ok(Self {
            facets: connection
                .prepare_cached("SELECT value, extra FROM facets WHERE observation = ?1 ORDER BY place")?,
            value: connection.prepare_cached("SELECT kind, value FROM facet_values WHERE id = ?1")?,
            known: HashMap::new(),
        })
    }

    /// Gives `each` the facets of `observation` in order: id of the value, kind, value, remarks.
    pub(super) fn each(
        &mut self,
        observation: ObservationId,
        mut each: impl FnMut(i64, FacetKind, &[u8], Option<&str>),
    ) -> Result<()> {
        let mut rows = self.facets.query([observation])?;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get(0)?;
            let extra =
                row.get_ref(1)?.as_str_or_null().map_err(|_| StoreError::damaged("a remark that is no text"))?;
            if let Some(known) = self.known.get(&id) {
                if let Some((kind, value)) = known {
                    each(id, *kind, value, extra);
                }
                continue;
            }
            let read =
                |row: &Row<'_>| Ok((row.get_ref(0)?.as_str().ok().and_then(|kind| kind.parse().ok()), row.get(1)?));
            let read: Option<(Option<FacetKind>, Vec<u8>)> = self.value.query_row([id], read).optional()?;
            let (kind, value) = read.ok_or_else(|| StoreError::damaged("a facet without its value"))?;
            if let Some(kind) = kind {
                each(id, kind, &value, extra);
            }
            if value.len() <= SHORT {
                if self.known.len() >= REMEMBERED {
                    self.known.clear();
                }
                self.known.insert(id, kind.map(|kind| (kind, value)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_facet_shows_as_the_facet_did() {
        let facets = [
            Facet::new(FacetKind::SshHostKey, "SHA256:abc")
                .with("type", "ssh-ed25519")
                .with("bits", 256)
                .with("proven", true),
            Facet::new(FacetKind::HttpTitle, b"a\xff[\"b\"]".to_vec()),
            Facet::new(FacetKind::HttpTitle, "[\"not a list\"]"),
            Facet::list(FacetKind::HttpHeaderNames, vec![b"Server".to_vec(), b"X-\xfe".to_vec()]),
            Facet::list(FacetKind::CertChain, Vec::new()),
        ];
        for facet in facets {
            assert_eq!(StoredFacet::of(&facet).to_json(), facet.to_json());
        }
    }
}
