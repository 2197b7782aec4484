//! The case: one SQLite file that holds all of an investigation. Observations, facets, runs and findings go in; rows
//! come out, in a stable order. Nothing here knows how to probe, and SQL types don't leave this module.
//!
//! Promises:
//! - **Loss of power, `kill -9`.** A batch of results and the position of the run are one transaction: what is lost is
//!   at most the batch not yet committed, and what is there is there once.
//! - **Locking.** One process writes at a time; another waits five seconds and then gets [`StoreError::Locked`]. Readers
//!   never wait. A run that a second process takes up is lost to the first ([`StoreError::TakenOver`]).
//! - **Versions.** The file carries an application id and a schema version; older files are brought up to date when
//!   opened for writing, newer ones are refused. The views `v_*` keep their columns.
//! - **What was heard is never changed.** Outcome, detail and facets are readings of it and can be derived again
//!   ([`Case::reread`]); records are append-only; findings are dropped and rebuilt.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior, params};

use crate::clock::Timestamp;

mod address;
mod asked;
mod batch;
mod capture;
mod chain;
mod columns;
mod dataset;
mod diff;
mod error;
mod find;
mod finding;
mod host;
mod import;
mod info;
mod intern;
mod leaf;
mod merge;
mod observation;
mod position;
mod query;
mod record;
mod redact;
mod reread;
mod row;
mod run;
mod schema;
mod scope;
mod sealed;
mod writer;

pub use asked::{Asked, AskedState, AskedTotals};
pub use chain::{ChainedRecord, LineSignature};
pub use columns::{ColumnsStamp, KeptColumns};
pub use dataset::StoredDataset;
pub use diff::{Change, What};
pub use error::{Result, StoreError};
pub use find::Found;
pub use import::{ImportCounts, ImportSpec};
pub use info::CaseInfo;
pub use merge::{MergeRefusal, Merged, MergedAs, MergedShard};
pub use observation::{ObservationFilter, ObservationId, StoredFacet, StoredObservation};
pub use position::Position;
pub use query::{Query, QueryError};
pub use record::{Action, OWN_ADDRESSES, Record};
pub use redact::{Erase, Erased, Retention};
pub use reread::RereadCounts;
pub use run::{Counters, Run, RunId, RunKind, RunSpec, RunState, State};
pub use scope::CaseScope;
pub use sealed::SealedObservation;
pub use writer::{Committed, HostDone, QuietHost, RunWriter, ServiceDone};

use chain::ERASED;

/// How long a write waits for another process to finish its own.
const BUSY: Duration = Duration::from_secs(5);

/// Pages kept in memory, as `PRAGMA cache_size` takes it: 256 MiB.
const CACHE: i64 = -262_144;

/// What a new case starts with.
#[derive(Clone, Debug)]
pub struct NewCase {
    /// The scope file's text, as read.
    pub scope_text: String,
    /// The title the scope gives the case.
    pub scope_title: String,
    /// Where the scope file is: names inside it (opt-out files) are relative to its folder.
    pub scope_path: Option<String>,
    /// Who opens the case.
    pub actor: String,
    /// Now.
    pub at: Timestamp,
    /// Version of this program.
    pub version: String,
}

/// An open case.
#[derive(Debug)]
pub struct Case {
    connection: Connection,
    path: PathBuf,
}

impl Case {
    /// Makes a new case at `path` and opens it. The file appears there only once it is whole.
    ///
    /// # Errors
    /// `Exists` when there is a file already, `NoFolder`, `ReadOnly` or `Full` when it cannot be made.
    pub fn create(path: &Path, new: &NewCase) -> Result<Self> {
        if path.symlink_metadata().is_ok() {
            return Err(StoreError::Exists { path: path.to_owned() });
        }
        let unfinished = Unfinished::reserve(path)?;
        unfinished.build(new)?;
        unfinished.publish(path)?;
        drop(unfinished);
        Self::open(path)
    }

    /// Opens a case for reading and writing, bringing an older schema up to date.
    ///
    /// # Errors
    /// `Missing`, `NotACase`, `Newer`, `Locked`, `ReadOnly`, `Damaged`.
    pub fn open(path: &Path) -> Result<Self> {
        let mut connection = connect(path, Access::Write)?;
        schema::migrate(&mut connection)?;
        Ok(Self { connection, path: path.to_owned() })
    }

    /// Opens a case for reading only. Works on read-only media too, unless a run was broken off there and its log is left.
    /// An older case that may be written to is brought up to date first.
    ///
    /// # Errors
    /// `Missing`, `NotACase`, `Newer`, `Older`, `Damaged`.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        let mut connection = connect(path, Access::Read)?;
        let found = schema::version(&connection)?;
        if found < schema::newest() {
            drop(connection);
            match Self::open(path) {
                Ok(updated) => drop(updated),
                Err(StoreError::ReadOnly) => return Err(StoreError::Older { path: path.to_owned(), found }),
                Err(other) => return Err(other),
            }
            connection = connect(path, Access::Read)?;
        }
        Ok(Self { connection, path: path.to_owned() })
    }

    /// Where the case is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the key is that signs this case, when its owner chose a place.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn key_path(&self) -> Result<Option<PathBuf>> {
        Ok(self.meta("key_path")?.map(PathBuf::from))
    }

    /// Remembers where the key is. The key itself is never stored.
    ///
    /// # Errors
    /// When the case cannot be written.
    pub fn set_key_path(&mut self, path: &Path) -> Result<()> {
        let put = "INSERT INTO meta VALUES ('key_path', ?1) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        self.connection.execute(put, [path.to_string_lossy()])?;
        Ok(())
    }

    /// Builds the index from values to observations, which [`Case::find`] is quick with, and refreshes the planner's
    /// figures. Called after a run: kept up while a run writes, it would double the cost of every facet, so a run that
    /// begins drops it.
    ///
    /// # Errors
    /// When the case cannot be written.
    pub fn build_postings(&mut self) -> Result<()> {
        self.connection.execute_batch(
            "CREATE INDEX IF NOT EXISTS facets_by_value ON facets (value); PRAGMA analysis_limit = 1000; PRAGMA optimize;",
        )?;
        Ok(())
    }

    /// True when the index of [`build_postings`](Self::build_postings) is there.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn has_postings(&self) -> Result<bool> {
        let read = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'facets_by_value')";
        Ok(self.connection.query_row(read, [], |row| row.get(0))?)
    }

    /// A transaction that holds the write lock from its start.
    fn write(&mut self) -> Result<Transaction<'_>> {
        Ok(self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
    }

    /// One unchanging view of the case for a reading of several statements; `None` inside one that already stands.
    fn snapshot(&self) -> Result<Option<Transaction<'_>>> {
        if self.connection.is_autocommit() { Ok(Some(self.connection.unchecked_transaction()?)) } else { Ok(None) }
    }

    fn meta(&self, key: &str) -> Result<Option<String>> {
        let read = "SELECT value FROM meta WHERE key = ?1";
        Ok(self.connection.query_row(read, [key], |row| row.get(0)).optional()?.flatten())
    }
}

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// Opens an existing case and sets the connection up. The file may be a stranger's: its schema is not trusted to call
/// functions, and pages are checked as they are read.
fn connect(path: &Path, access: Access) -> Result<Connection> {
    if !path.exists() {
        return Err(StoreError::Missing { path: path.to_owned() });
    }
    let not_a_case = || StoreError::NotACase { path: path.to_owned() };
    if !path.is_file() {
        return Err(not_a_case());
    }
    let connection = match access {
        Access::Write => {
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?
        }
        Access::Read => open_for_reading(path)?,
    };
    // The first statement reads the first page: here a file that is no database at all shows itself.
    let application: i64 = match connection.pragma_query_value(None, "application_id", |row| row.get(0)) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => return Err(not_a_case()),
        other => other?,
    };
    if application != schema::APPLICATION_ID {
        return Err(not_a_case());
    }
    let (found, known) = (schema::version(&connection)?, schema::newest());
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    // SQLite opens a file it may not write read-only, without a word.
    if access == Access::Write && connection.is_readonly("main")? {
        return Err(StoreError::ReadOnly);
    }
    set_up(&connection)?;
    Ok(connection)
}

/// Opens for reading. Where we could write we promise not to: SQLite then clears its helper files away at the end, which
/// it cannot on a connection without that right. Elsewhere truly read-only; and on media where the helper files cannot be
/// made, and no log is left to read, the file is known not to change.
fn open_for_reading(path: &Path) -> Result<Connection> {
    let able = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    if let Ok(connection) = able
        && !connection.is_readonly("main")?
        && !cannot_open(&connection)
    {
        connection.pragma_update(None, "query_only", true)?;
        return Ok(connection);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    let log_is_empty = fs::metadata(beside(path, "-wal")).map_or(true, |log| log.len() == 0);
    if !(cannot_open(&connection) && log_is_empty) {
        return Ok(connection);
    }
    let absolute = fs::canonicalize(path).map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
    let escaped = absolute.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let uri = format!("file:{escaped}?immutable=1");
    Ok(Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?)
}

/// True when the first reading fails for want of the right to make helper files.
fn cannot_open(connection: &Connection) -> bool {
    let probe: rusqlite::Result<i64> = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0));
    let code = probe.err().and_then(|error| error.sqlite_error_code());
    matches!(code, Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly))
}

/// Settings of every connection. The log is checkpointed every 80 MB and cut back to 64 MB: more often costs a scan its
/// speed, less often leaves a large file beside the case.
fn set_up(connection: &Connection) -> Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch(
        "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA synchronous = NORMAL;
         PRAGMA temp_store = FILE; PRAGMA wal_autocheckpoint = 10000;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    connection.pragma_update(None, "cache_size", CACHE)?;
    Ok(())
}

/// `path` with more at the end of its name.
fn beside(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(more);
    PathBuf::from(name)
}

/// A case under construction, beside its later place; removed when dropped.
struct Unfinished {
    part: PathBuf,
}

impl Unfinished {
    fn reserve(path: &Path) -> Result<Self> {
        let part = beside(path, &format!(".{}.part", std::process::id()));
        fs::File::create_new(&part).map_err(|source| StoreError::io(path, source))?;
        Ok(Self { part })
    }

    fn build(&self, new: &NewCase) -> Result<()> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&self.part, flags)?;
        connection.pragma_update(None, "page_size", 8192)?;
        connection.pragma_update(None, "application_id", schema::APPLICATION_ID)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        set_up(&connection)?;
        schema::migrate(&mut connection)?;
        let transaction = connection.transaction()?;
        let sha256 = scope::keep(&transaction, &new.scope_text)?;
        let meta =
            |key: &str, value: &str| transaction.execute("INSERT INTO meta VALUES (?1, ?2)", params![key, value]);
        meta("created_at", &new.at.to_string())?;
        meta("created_by_version", &new.version)?;
        meta("scope_sha256", &scope::hex(&sha256))?;
        meta("scope_title", &new.scope_title)?;
        if let Some(path) = &new.scope_path {
            meta("scope_path", path)?;
        }
        let body = serde_json::json!({
            "scope_sha256": scope::hex(&sha256), "scope_title": new.scope_title, "version": new.version,
        });
        record::append(&transaction, new.at, &new.actor, Action::New, "", &body)?;
        transaction.commit()?;
        connection.close().map_err(|(_, error)| error)?;
        Ok(())
    }

    /// Gives the finished file its name, without ever replacing another that came there meanwhile.
    fn publish(&self, path: &Path) -> Result<()> {
        match fs::hard_link(&self.part, path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Err(StoreError::Exists { path: path.to_owned() })
            }
            // Some file systems know no hard links.
            Err(_) if path.symlink_metadata().is_err() => {
                fs::rename(&self.part, path).map_err(|source| StoreError::io(path, source))
            }
            Err(_) => Err(StoreError::Exists { path: path.to_owned() }),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        for file in [self.part.clone(), beside(&self.part, "-wal"), beside(&self.part, "-shm")] {
            // Most of these are not there.
            let _ = fs::remove_file(file);
        }
    }
}

/// A count as SQLite keeps it.
fn int(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as SQLite kept it; a negative one was not ours.
fn count(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

/// A time as kept in `_ms` columns.
fn time(ms: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(ms).map_err(|_| StoreError::damaged("a time out of range"))
}
