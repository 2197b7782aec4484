//! What can go wrong with a case, in words that say what to do.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;

use super::merge::MergeRefusal;
use super::query::QueryError;

/// Why the case could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such file.
    #[error("no case at `{path}`; make one with `hostkin new {path} --scope FILE`")]
    Missing {
        /// The path asked for.
        path: PathBuf,
    },
    /// A new case would overwrite a file.
    #[error("`{path}` exists already; choose another name for the new case")]
    Exists {
        /// The path asked for.
        path: PathBuf,
    },
    /// The folder for a new case is not there.
    #[error("the folder of `{path}` does not exist; make it first")]
    NoFolder {
        /// The path asked for.
        path: PathBuf,
    },
    /// Some other file.
    #[error("`{path}` is not a hostkin case")]
    NotACase {
        /// The path asked for.
        path: PathBuf,
    },
    /// The case has a schema this program does not know.
    #[error("`{path}` was made by a newer hostkin (schema {found}, this program knows {known}): update hostkin")]
    Newer {
        /// The path asked for.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema known here.
        known: i64,
    },
    /// The case has an old schema and was opened for reading only.
    #[error(
        "`{path}` was made by an older hostkin (schema {found}) and cannot be brought up to date read-only; run `hostkin info` on a copy you may write to"
    )]
    Older {
        /// The path asked for.
        path: PathBuf,
        /// Its schema.
        found: i64,
    },
    /// No right to write.
    #[error(
        "the case or its folder cannot be written to; copy the case to a folder of your own, or get the right to write there"
    )]
    ReadOnly,
    /// No space left.
    #[error("the disk is full; free some space and run the same command again: what was committed is kept")]
    Full,
    /// Somebody else holds the file.
    #[error("another process is writing to this case; wait until it ends, or stop it, then run the same command again")]
    Locked,
    /// The file's contents contradict themselves.
    #[error("the case is damaged ({0}); go on from a copy made earlier")]
    Damaged(String),
    /// A second process has taken up the run.
    #[error("run {run} was taken up by another process, which goes on with it; this one wrote nothing more")]
    TakenOver {
        /// The run.
        run: i64,
    },
    /// No such run, or not one that can be continued.
    #[error("run {run} is not an unfinished scan of this case; `hostkin info` lists the runs")]
    NoRun {
        /// The run.
        run: i64,
    },
    /// Nothing to take back.
    #[error("`{subject}` is not a seed of this case; `hostkin info` lists the seeds")]
    NoSeed {
        /// What was to be taken back.
        subject: String,
    },
    /// Nothing to erase.
    #[error("there is nothing of the kind to erase in this case; `hostkin info` and `hostkin find` show what it holds")]
    NothingToErase,
    /// No verdict to take back.
    #[error("there is no verdict on {address} for \"{provider}\"; `hostkin info` lists the verdicts")]
    NoVerdict {
        /// The host.
        address: std::net::IpAddr,
        /// The provider.
        provider: String,
    },
    /// A batch and its position contradict each other: our own fault.
    #[error(
        "host {index} of this batch is not marked done by its position, or was done before: please report this bug"
    )]
    Position {
        /// The host's index.
        index: u64,
    },
    /// A service the run does not have: our own fault.
    #[error("service {ordinal} of host {index} is not one of the run's {services}: please report this bug")]
    Ordinal {
        /// The host's index.
        index: u64,
        /// The service's place.
        ordinal: u32,
        /// Services of the run.
        services: u32,
    },
    /// A number that cannot be kept: our own fault.
    #[error("the finding for {subject} holds a number that is not finite: please report this bug")]
    NotFinite {
        /// Host or cluster.
        subject: String,
    },
    /// The same file, taken in before.
    #[error("the same file is in the case already, as dataset {id}; nothing was added")]
    KnownDataset {
        /// Its number.
        id: i64,
    },
    /// The question could not be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// Shards that do not fit together.
    #[error(transparent)]
    Merge(Box<MergeRefusal>),
    /// The operating system said no.
    #[error("cannot use `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Anything else the database said.
    #[error("the database failed")]
    Database(#[source] Box<dyn Error + Send + Sync>),
}

/// What the functions of this module give.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

impl StoreError {
    /// For a stored word or number that no version of this program writes.
    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }

    /// The words for a failed file operation on `path`.
    pub(super) fn io(path: &std::path::Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NoFolder { path: path.to_owned() },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::AlreadyExists => Self::Exists { path: path.to_owned() },
            _ => Self::Io { path: path.to_owned(), source },
        }
    }
}

impl From<MergeRefusal> for StoreError {
    fn from(refusal: MergeRefusal) -> Self {
        Self::Merge(Box::new(refusal))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let words = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => Self::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(words),
            _ => match error {
                // A column that holds another type than the schema promises.
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..) => Self::Damaged(words),
                other => Self::Database(Box::new(other)),
            },
        }
    }
}
