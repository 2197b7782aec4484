//! The linkage's columns, kept so that they need not be made from every observation each time. Derived: a stamp says of
//! which state of the case they are, and of another state they are not given.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Case, Result, StoreError, int};

/// Most bytes one part may say it has: a file from a stranger must not fill the memory.
const MOST: u64 = 1 << 30;
/// Quick; most cells are one of two marks.
const LEVEL: i32 = 1;
/// The part that holds the stamp.
const STAMP: &str = "";

impl Case {
    /// Keeps columns made by the rules of `version` from the case as it stands, in place of others.
    ///
    /// # Errors
    /// When the case cannot be written.
    pub fn save_columns<'a>(
        &mut self,
        version: &str,
        parts: impl IntoIterator<Item = (&'a str, Vec<u8>)>,
    ) -> Result<()> {
        let transaction = self.write()?;
        transaction.execute("DELETE FROM columns", [])?;
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO columns (part, length, body) VALUES (?1, ?2, ?3)")?;
            for (part, body) in parts {
                let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
                if length > MOST {
                    // Too large to be kept; they are made anew each time.
                    return Ok(());
                }
                let packed = zstd::bulk::compress(&body, LEVEL).map_err(|error| StoreError::Database(error.into()))?;
                insert.execute(params![part, int(length), packed])?;
            }
            insert.execute(params![STAMP, 0, stamp(&transaction, version)?.into_bytes()])?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// True when columns of this version are kept that are of the case as it stands.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn has_columns(&self, version: &str) -> Result<bool> {
        let read = "SELECT body FROM columns WHERE part = ?1";
        let kept: Option<Vec<u8>> = self.connection.query_row(read, [STAMP], |row| row.get(0)).optional()?;
        Ok(kept == Some(stamp(&self.connection, version)?.into_bytes()))
    }

    /// One part of the columns; empty when it is not there.
    ///
    /// # Errors
    /// When the case cannot be read, or the part is damaged.
    pub fn column(&self, part: &str) -> Result<Vec<u8>> {
        let read = "SELECT length, body FROM columns WHERE part = ?1";
        let mut statement = self.connection.prepare_cached(read)?;
        let mut rows = statement.query([part])?;
        let Some(row) = rows.next()? else { return Ok(Vec::new()) };
        let length = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(u64::MAX);
        let damaged = || StoreError::damaged("columns that do not unpack; `hostkin link` makes them again");
        let length = usize::try_from(length.min(MOST)).map_err(|_| damaged())?;
        zstd::bulk::decompress(row.get_ref(1)?.as_blob().unwrap_or_default(), length).map_err(|_| damaged())
    }
}

/// What changes with every change of what was heard: the newest observation, host, and record of an import, a scan, a merge
/// or a reading anew, and of what was erased.
fn stamp(connection: &Connection, version: &str) -> Result<String> {
    let read = "SELECT coalesce((SELECT max(id) FROM observations), 0) || ' ' || coalesce((SELECT max(id) FROM hosts), 0) || ' ' ||
                       coalesce((SELECT max(seq) FROM records
                                 WHERE action IN ('import', 'scan_started', 'scan_ended', 'reread', 'merge', 'redact', 'retention')), 0)";
    let state: String = connection.query_row(read, [], |row| row.get(0))?;
    Ok(format!("{version} {state}"))
}
