//! What changed between two runs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use rusqlite::OptionalExtension as _;

use super::observation::{FacetReader, read_outcome};
use super::{Case, Result, RunId, StoreError, address};
use crate::facet::FacetKind;
use crate::observation::Outcome;

/// One change of one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub address: IpAddr,
    /// TCP port; 0 where an import names none.
    pub port: u16,
    /// What was spoken.
    pub protocol: String,
    /// True when the protocol rode on TLS.
    pub over_tls: bool,
    /// The name asked for.
    pub name: Option<String>,
    /// What changed.
    pub what: What,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The second run heard something where the first heard nothing (or did not ask).
    Gained,
    /// The second run heard nothing (or did not ask) where the first heard something.
    Lost,
    /// The outcome is another.
    Outcome {
        /// In the first run.
        before: Outcome,
        /// In the second run.
        after: Outcome,
    },
    /// A facet's values are others.
    Facet {
        /// Which fact.
        kind: FacetKind,
        /// Values of the first run that the second does not show, sorted.
        before: Vec<Vec<u8>>,
        /// Values of the second run that the first did not show, sorted.
        after: Vec<Vec<u8>>,
    },
}

/// Values of one observation that the other lacks, both ways, by kind.
type Differences = BTreeMap<FacetKind, (Vec<Vec<u8>>, Vec<Vec<u8>>)>;

impl Case {
    /// What changed from run `a` to run `b`, in order of address, port, protocol and name.
    ///
    /// # Errors
    /// `NoRun` when one of them is not there; when the case cannot be read.
    pub fn diff(&self, a: RunId, b: RunId) -> Result<Vec<Change>> {
        let _snapshot = self.snapshot()?;
        for run in [a, b] {
            let read = "SELECT 1 FROM runs WHERE id = ?1";
            self.connection.query_row(read, [run], |_| Ok(())).optional()?.ok_or(StoreError::NoRun { run })?;
        }
        let sql = "WITH pairs AS (
                SELECT a.host, a.port, a.protocol, a.over_tls, a.name, a.id AS a_id, a.outcome AS a_outcome, b.id AS b_id,
                       b.outcome AS b_outcome
                FROM observations a LEFT JOIN observations b ON b.host = a.host AND b.port = a.port AND b.protocol = a.protocol
                     AND b.over_tls = a.over_tls AND b.name = a.name AND b.run = ?2
                WHERE a.run = ?1
                UNION ALL
                SELECT b.host, b.port, b.protocol, b.over_tls, b.name, NULL, NULL, b.id, b.outcome
                FROM observations b
                WHERE b.run = ?2 AND NOT EXISTS (
                    SELECT 1 FROM observations a WHERE a.host = b.host AND a.port = b.port AND a.protocol = b.protocol
                    AND a.over_tls = b.over_tls AND a.name = b.name AND a.run = ?1))
            SELECT h.address, p.port, p.protocol, p.over_tls, p.name, p.a_id, p.a_outcome, p.b_id, p.b_outcome
            FROM pairs p JOIN hosts h ON h.id = p.host ORDER BY h.address, p.port, p.protocol, p.over_tls, p.name";
        let mut facets = FacetReader::new(&self.connection)?;
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query([a, b])?;
        let mut changes = Vec::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(4)?;
            let service = Change {
                address: address::from_key(row.get_ref(0)?.as_blob().unwrap_or_default())?,
                port: row.get(1)?,
                protocol: row.get(2)?,
                over_tls: row.get(3)?,
                name: (!name.is_empty()).then_some(name),
                what: What::Gained,
            };
            let mut change = |what| changes.push(Change { what, ..service.clone() });
            match (row.get::<_, Option<i64>>(5)?, row.get::<_, Option<i64>>(7)?) {
                (None, _) => change(What::Gained),
                (_, None) => change(What::Lost),
                (Some(first), Some(second)) => {
                    let before = read_outcome(row.get_ref(6)?.as_str().unwrap_or_default())?;
                    let after = read_outcome(row.get_ref(8)?.as_str().unwrap_or_default())?;
                    if before != after {
                        change(What::Outcome { before, after });
                    }
                    for (kind, (before, after)) in differences(&mut facets, first, second)? {
                        change(What::Facet { kind, before, after });
                    }
                }
            }
        }
        Ok(changes)
    }
}

fn differences(facets: &mut FacetReader<'_>, first: i64, second: i64) -> Result<Differences> {
    let mut differences = Differences::new();
    let mut shown: BTreeMap<(FacetKind, Vec<u8>), (bool, bool)> = BTreeMap::new();
    facets.each(first, |_, kind, value, _| shown.entry((kind, value.to_vec())).or_default().0 = true)?;
    facets.each(second, |_, kind, value, _| shown.entry((kind, value.to_vec())).or_default().1 = true)?;
    for ((kind, value), sides) in shown {
        match sides {
            (true, false) => differences.entry(kind).or_default().0.push(value),
            (false, true) => differences.entry(kind).or_default().1.push(value),
            _ => {}
        }
    }
    Ok(differences)
}
