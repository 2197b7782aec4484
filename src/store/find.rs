//! Hosts by what they show. A query becomes one SQL condition; every value in it is bound, none is written into it.

use std::net::IpAddr;

use ipnet::IpNet;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::host::{Looks, OPEN, read_host};
use super::{Case, Query, Result, StoreError, address, intern};
use crate::clock::Timestamp;
use crate::facet::{FacetKind, show_bytes};

/// A host that a query found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The address.
    pub address: IpAddr,
    /// Origin AS, where known.
    pub asn: Option<u32>,
    /// Announced prefix, where known.
    pub prefix: Option<IpNet>,
    /// First sight, where known.
    pub first_seen: Option<Timestamp>,
    /// Last sight, where known.
    pub last_seen: Option<Timestamp>,
    /// Facets it shows now that a term of the query names: port (0 where an import names none), kind, value.
    pub matched: Vec<(u16, FacetKind, Vec<u8>)>,
}

impl Case {
    /// Gives `each` the hosts the query fits, in address order. A facet counts when any observation of the host ever
    /// showed it; `matched` lists those shown at the last look. Quick for exact values once
    /// [`Case::build_postings`] has run.
    ///
    /// # Errors
    /// `Query` when the query cannot be read; when the case cannot be read, or what `each` gives.
    pub fn find<E: From<StoreError>>(
        &self,
        query: &str,
        mut each: impl FnMut(Found) -> Result<(), E>,
    ) -> Result<(), E> {
        let query: Query = query.parse().map_err(StoreError::from)?;
        let _snapshot = self.snapshot()?;
        let mut condition = Condition { connection: &self.connection, sql: String::new(), values: Vec::new() };
        condition.add(&query)?;
        let Condition { sql, values, .. } = condition;
        let mut looks = Looks::new(&self.connection)?;
        let sql = format!(
            "SELECT h.id, h.address, h.asn, h.prefix, h.first_seen_at_ms, h.last_seen_at_ms FROM hosts h WHERE {sql} ORDER BY h.address"
        );
        let mut statement = self.connection.prepare(&sql).map_err(StoreError::from)?;
        let mut rows = statement.query(params_from_iter(values)).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            let (id, host) = read_host(row)?;
            let mut matched = Vec::new();
            looks.each(id, |port, kind, value| {
                if names(&query, kind, value) {
                    matched.push((port, kind, value.to_vec()));
                }
            })?;
            each(Found {
                address: host.address,
                asn: host.asn,
                prefix: host.prefix,
                first_seen: host.first_seen,
                last_seen: host.last_seen,
                matched,
            })?;
        }
        Ok(())
    }
}

/// A condition on `hosts h` under construction.
struct Condition<'a> {
    connection: &'a Connection,
    sql: String,
    values: Vec<Value>,
}

impl Condition<'_> {
    fn add(&mut self, query: &Query) -> Result<()> {
        match query {
            Query::And(parts) => self.join(parts, " AND ")?,
            Query::Or(parts) => self.join(parts, " OR ")?,
            Query::Not(inner) => {
                self.sql.push_str("NOT ");
                self.join(std::slice::from_ref(inner), "")?;
            }
            Query::Is(kind, shown) => self.is(*kind, shown)?,
            Query::Contains(kind, text) => {
                self.sql.push_str(
                    "h.id IN (SELECT o.host FROM observations o JOIN facets f ON f.observation = o.id WHERE f.value IN
                     (SELECT v.id FROM facet_values v WHERE v.kind = ? AND instr(lower(CAST(v.value AS TEXT)), lower(?)) > 0))",
                );
                self.values.extend([Value::from(kind.as_str().to_owned()), Value::from(text.clone())]);
            }
            Query::Port(port) => {
                self.sql.push_str("(h.id IN (SELECT o.host FROM observations o WHERE o.port = ? AND o.outcome IN (");
                self.sql.push_str(OPEN);
                self.sql.push_str(
                    ")) OR h.id IN (SELECT o.host FROM observations o JOIN facets f ON f.observation = o.id WHERE f.value IN
                     (SELECT v.id FROM facet_values v WHERE v.kind = 'ports.open'
                      AND instr(',' || CAST(v.value AS TEXT) || ',', ?) > 0)))",
                );
                self.values.extend([Value::from(i64::from(*port)), Value::from(format!(",{port},"))]);
            }
            Query::Network(network) => {
                let (first, last) = address::bounds(*network);
                self.sql.push_str("h.address BETWEEN ? AND ?");
                self.values.extend([Value::from(first), Value::from(last)]);
            }
            Query::Asn(asn) => {
                // `IS`, so that `not asn=…` finds hosts of no known AS.
                self.sql.push_str("h.asn IS ?");
                self.values.push(Value::from(i64::from(*asn)));
            }
        }
        Ok(())
    }

    fn join<Q: std::borrow::Borrow<Query>>(&mut self, parts: &[Q], word: &str) -> Result<()> {
        self.sql.push('(');
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                self.sql.push_str(word);
            }
            self.add(part.borrow())?;
        }
        self.sql.push(')');
        Ok(())
    }

    /// Exact values are found by their ids, before any row is read.
    fn is(&mut self, kind: FacetKind, shown: &str) -> Result<()> {
        let mut ids = Vec::new();
        for value in meant(shown) {
            ids.extend(intern::find(self.connection, kind, &value)?);
        }
        self.sql.push_str(
            "h.id IN (SELECT o.host FROM facets f JOIN observations o ON o.id = f.observation WHERE f.value IN (",
        );
        self.sql.push_str(&vec!["?"; ids.len()].join(", "));
        self.sql.push_str("))");
        self.values.extend(ids.into_iter().map(Value::from));
        Ok(())
    }
}

/// The bytes that a value as shown can mean: itself, and with each `\xNN` as that byte.
fn meant(shown: &str) -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = shown;
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend(before.bytes());
        let byte = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = byte {
            bytes.push(byte);
            rest = after.get(2..).unwrap_or_default();
        } else {
            bytes.extend(b"\\x");
            rest = after;
        }
    }
    bytes.extend(rest.bytes());
    if bytes == shown.as_bytes() { vec![bytes] } else { vec![shown.as_bytes().to_vec(), bytes] }
}

/// True when a term of the query that is not under `not` names this facet.
fn names(query: &Query, kind: FacetKind, value: &[u8]) -> bool {
    match query {
        Query::And(parts) | Query::Or(parts) => parts.iter().any(|part| names(part, kind, value)),
        Query::Is(named, shown) => *named == kind && meant(shown).iter().any(|one| one == value),
        Query::Contains(named, text) => {
            *named == kind && show_bytes(value).to_ascii_lowercase().contains(&text.to_ascii_lowercase())
        }
        Query::Not(_) | Query::Port(_) | Query::Network(_) | Query::Asn(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_copied_from_an_export_means_its_bytes() {
        assert_eq!(meant("plain"), [b"plain".to_vec()]);
        assert_eq!(meant(r"a\xffb"), [br"a\xffb".to_vec(), b"a\xffb".to_vec()]);
        assert_eq!(meant(r"\xzz\x4"), [br"\xzz\x4".to_vec()]);
        assert_eq!(meant("\\x\u{e4}"), ["\\x\u{e4}".as_bytes().to_vec()]);
    }
}
