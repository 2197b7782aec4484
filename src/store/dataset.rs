//! Files of public data in the case: what each was, and its facts as parts that only `range` can read.
//!
//! An import is one transaction: it is there whole, with its record, or not at all.

use std::net::IpAddr;

use rusqlite::{OptionalExtension as _, params};
use serde_json::{Value, json};

use super::{Action, Case, Result, StoreError, address, count, int, record, scope, time};
use crate::clock::Timestamp;

/// One imported file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDataset {
    /// Its number, from 1; 0 before it is stored.
    pub id: i64,
    /// SHA-256 of the file as it lay on disk.
    pub sha256: [u8; 32],
    /// Its length there.
    pub bytes: u64,
    /// The word of its form.
    pub format: String,
    /// The table or list it is a state of.
    pub name: String,
    /// Where it came from.
    pub source: String,
    /// The day it speaks of, `2026-04-01`.
    pub date: String,
    /// A note on its licence.
    pub licence: String,
    /// False for a part of a table.
    pub whole: bool,
    /// Facts of each kind, as a JSON object.
    pub counts: Value,
    /// What could not be read, as a JSON array.
    pub warnings: Value,
    /// When it was taken in.
    pub imported_at: Timestamp,
}

impl Case {
    /// Takes a file in that was read before: its row, whose `id` is not looked at, and its parts (kind, rows, body).
    /// All of it in one short transaction, so that a scan of the same case need not wait.
    ///
    /// # Errors
    /// `KnownDataset` when the same file is here with the same name, date and source; or when the case cannot be written.
    pub fn import_dataset<'a>(
        &mut self,
        actor: &str,
        version: &str,
        dataset: StoredDataset,
        parts: impl IntoIterator<Item = (&'a str, u64, &'a [u8])>,
    ) -> Result<StoredDataset> {
        let transaction = self.write()?;
        let same =
            "SELECT id FROM datasets WHERE sha256 = ?1 AND format = ?2 AND name = ?3 AND date = ?4 AND source = ?5";
        let key = params![&dataset.sha256[..], dataset.format, dataset.name, dataset.date, dataset.source];
        if let Some(id) = transaction.query_row(same, key, |row| row.get(0)).optional()? {
            return Err(StoreError::KnownDataset { id });
        }
        let insert = "INSERT INTO datasets VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        let row = params![
            &dataset.sha256[..],
            int(dataset.bytes),
            dataset.format,
            dataset.name,
            dataset.source,
            dataset.date,
            dataset.licence,
            dataset.whole,
            dataset.counts.to_string(),
            dataset.warnings.to_string(),
            dataset.imported_at.as_millisecond(),
        ];
        transaction.execute(insert, row)?;
        let id = transaction.last_insert_rowid();
        {
            let insert = "INSERT INTO dataset_parts (dataset, kind, rows, body) VALUES (?1, ?2, ?3, ?4)";
            let mut insert = transaction.prepare(insert)?;
            for (kind, rows, body) in parts {
                insert.execute(params![id, kind, int(rows), body])?;
            }
        }
        let body = json!({
            "dataset": id, "sha256": scope::hex(&dataset.sha256), "bytes": dataset.bytes, "format": dataset.format,
            "name": dataset.name, "source": dataset.source, "date": dataset.date, "licence": dataset.licence,
            "whole": dataset.whole, "counts": dataset.counts, "warnings": dataset.warnings, "version": version,
        });
        record::append(&transaction, dataset.imported_at, actor, Action::Data, &dataset.name, &body)?;
        transaction.commit()?;
        Ok(StoredDataset { id, ..dataset })
    }

    /// All imported files, in the order of import.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn datasets(&self) -> Result<Vec<StoredDataset>> {
        let read =
            "SELECT id, sha256, bytes, format, name, source, date, licence, whole, counts, warnings, imported_at_ms
                    FROM datasets ORDER BY id";
        let mut statement = self.connection.prepare_cached(read)?;
        let mut rows = statement.query([])?;
        let mut datasets = Vec::new();
        while let Some(row) = rows.next()? {
            let sha256 = row.get_ref(1)?.as_blob().ok().and_then(|bytes| bytes.try_into().ok());
            datasets.push(StoredDataset {
                id: row.get(0)?,
                sha256: sha256.ok_or_else(|| StoreError::damaged("a dataset without a digest"))?,
                bytes: count(row.get(2)?),
                format: row.get(3)?,
                name: row.get(4)?,
                source: row.get(5)?,
                date: row.get(6)?,
                licence: row.get(7)?,
                whole: row.get(8)?,
                counts: record::parse(row.get_ref(9)?.as_str().unwrap_or_default(), "a dataset's counts")?,
                warnings: record::parse(row.get_ref(10)?.as_str().unwrap_or_default(), "a dataset's warnings")?,
                imported_at: time(row.get(11)?)?,
            });
        }
        Ok(datasets)
    }

    /// Gives `each` the parts of one file and kind, in the order they were written.
    ///
    /// # Errors
    /// When the case cannot be read, or what `each` gives.
    pub fn dataset_parts<E: From<StoreError>>(
        &self,
        dataset: i64,
        kind: &str,
        mut each: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let read = "SELECT body FROM dataset_parts WHERE dataset = ?1 AND kind = ?2 ORDER BY id";
        let mut statement = self.connection.prepare_cached(read).map_err(StoreError::from)?;
        let mut rows = statement.query(params![dataset, kind]).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            each(row.get_ref(0).map_err(StoreError::from)?.as_blob().unwrap_or_default())?;
        }
        Ok(())
    }

    /// Sets origin AS and prefix of hosts that have none, where `place` knows them; gives how many.
    ///
    /// # Errors
    /// When the case cannot be written.
    pub fn place_hosts(&mut self, place: impl Fn(IpAddr) -> Option<(u32, String)>) -> Result<u64> {
        let transaction = self.write()?;
        let mut placed = 0;
        {
            let mut unknown =
                transaction.prepare("SELECT id, address FROM hosts WHERE asn IS NULL AND prefix IS NULL")?;
            let mut set = transaction.prepare("UPDATE hosts SET asn = ?2, prefix = ?3 WHERE id = ?1")?;
            let rows = unknown.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            // Gathered first: what is being read is not changed under the reader.
            let rows: Vec<(i64, Vec<u8>)> = rows.collect::<rusqlite::Result<_>>()?;
            for (id, key) in rows {
                if let Some((asn, prefix)) = place(address::from_key(&key)?) {
                    set.execute(params![id, asn, prefix])?;
                    placed += 1;
                }
            }
        }
        transaction.commit()?;
        Ok(placed)
    }
}
