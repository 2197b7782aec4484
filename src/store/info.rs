//! What a case holds, in numbers.

use std::fs;

use rusqlite::Row;

use super::{Case, CaseScope, Result, Run, StoreError, beside, count, schema, time};
use crate::clock::Timestamp;
use crate::finding::{Seed, Verdict};

/// A case at a glance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseInfo {
    /// Version of the program that opened the case.
    pub created_by_version: String,
    /// When it was opened.
    pub created_at: Option<Timestamp>,
    /// Its schema.
    pub schema: i64,
    /// Size of the file, with the log beside it.
    pub file_bytes: u64,
    /// The scope it was opened with.
    pub scope: CaseScope,
    /// All runs, oldest first.
    pub runs: Vec<Run>,
    /// Hosts.
    pub hosts: u64,
    /// Observations.
    pub observations: u64,
    /// Facets, each time it was seen.
    pub facets: u64,
    /// Different values.
    pub values: u64,
    /// Captures, and their bytes before and after compression.
    pub captures: u64,
    /// Bytes of all captures before compression.
    pub capture_bytes: u64,
    /// Bytes of all captures as stored.
    pub stored_capture_bytes: u64,
    /// Records.
    pub records: u64,
    /// Seeds that stand.
    pub seeds: Vec<Seed>,
    /// Verdicts that stand.
    pub verdicts: Vec<Verdict>,
    /// When hosts were last linked.
    pub linked_at: Option<Timestamp>,
}

impl Case {
    /// What the case holds. Counts every row: takes seconds where there are tens of millions.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn info(&self) -> Result<CaseInfo> {
        let _snapshot = self.snapshot()?;
        let number =
            |sql: &str| -> Result<u64> { Ok(count(self.connection.query_row(sql, [], |row: &Row<'_>| row.get(0))?)) };
        let linked_at: Option<i64> =
            self.connection.query_row("SELECT max(made_at_ms) FROM findings", [], |row| row.get(0))?;
        let size = |path| fs::metadata(path).map_or(0, |file| file.len());
        Ok(CaseInfo {
            created_by_version: self
                .meta("created_by_version")?
                .ok_or_else(|| StoreError::damaged("its maker is missing"))?,
            created_at: self.meta("created_at")?.and_then(|text| text.parse().ok()),
            schema: schema::version(&self.connection)?,
            file_bytes: size(self.path.clone()).saturating_add(size(beside(&self.path, "-wal"))),
            scope: self.scope()?,
            runs: self.runs()?,
            hosts: number("SELECT count(*) FROM hosts")?,
            observations: number("SELECT count(*) FROM observations")?,
            facets: number("SELECT count(*) FROM facets")?,
            values: number("SELECT count(*) FROM facet_values")?,
            captures: number("SELECT count(*) FROM captures")?,
            capture_bytes: number("SELECT coalesce(sum(length), 0) FROM captures")?,
            stored_capture_bytes: number("SELECT coalesce(sum(length(body)), 0) FROM captures")?,
            records: number("SELECT count(*) FROM records")?,
            seeds: self.seeds()?,
            verdicts: self.verdicts()?,
            linked_at: linked_at.map(time).transpose()?,
        })
    }
}
