//! The linkage's columns, kept so that they need not be made from every observation each time. Derived: a stamp says of
//! which state of the case they are, and of another state they are not given.

use std::net::IpAddr;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Case, Result, StoreError, address, int};

/// Most bytes one part may say it has: a file from a stranger must not fill the memory.
const MOST: u64 = 1 << 30;
/// Quick.
const LEVEL: i32 = 1;
/// The part that holds the stamp.
const STAMP: &str = "";

/// Of which state of the case columns are: of which version of their rules, and what had been heard then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnsStamp(String);

/// What the columns that are kept are good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptColumns {
    /// They are of the case as it stands.
    Current,
    /// Only these hosts were heard since; the others are as they were.
    Behind(Vec<IpAddr>),
    /// There are none of this version, or what happened since may have changed any host.
    Unfit,
}

/// A part of the columns as it is kept.
#[derive(Debug, Default)]
pub struct PackedColumn {
    length: u64,
    packed: Vec<u8>,
}

impl PackedColumn {
    /// Its bytes; `None` when it is damaged.
    #[must_use]
    pub fn unpack(&self) -> Option<Vec<u8>> {
        if self.packed.is_empty() {
            return Some(Vec::new());
        }
        zstd::bulk::decompress(&self.packed, usize::try_from(self.length.min(MOST)).ok()?).ok()
    }
}

impl Case {
    /// The state of the case now, for columns that are made from now on.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn columns_stamp(&self, version: &str) -> Result<ColumnsStamp> {
        let state = State::now(&self.connection)?;
        Ok(ColumnsStamp(state.stamp(version)))
    }

    /// Keeps columns in place of others: those that are there stay until all of these are written. They are of the state
    /// of `stamp`, which was taken before the first observation was read for them.
    ///
    /// # Errors
    /// When the case cannot be written.
    pub fn save_columns<S: AsRef<str>>(
        &mut self,
        stamp: &ColumnsStamp,
        parts: impl IntoIterator<Item = (S, Vec<u8>)>,
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
                insert.execute(params![part.as_ref(), int(length), packed])?;
            }
            insert.execute(params![STAMP, 0, stamp.0.as_bytes()])?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// What the columns that are kept are good for, under this version of their rules.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn kept_columns(&self, version: &str) -> Result<KeptColumns> {
        let _snapshot = self.snapshot()?;
        let read = "SELECT body FROM columns WHERE part = ?1";
        let kept: Option<Vec<u8>> = self.connection.query_row(read, [STAMP], |row| row.get(0)).optional()?;
        let then = kept.and_then(|kept| State::of(std::str::from_utf8(&kept).ok()?.strip_prefix(version)?));
        let Some(then) = then else { return Ok(KeptColumns::Unfit) };
        let now = State::now(&self.connection)?;
        if now == then {
            return Ok(KeptColumns::Current);
        }
        if now.observations < then.observations || now.hosts < then.hosts || !then.only_adds(&self.connection)? {
            return Ok(KeptColumns::Unfit);
        }
        let heard = then.heard_since(&self.connection)?;
        // From here on it is as quick to make them all.
        let many = u64::try_from(now.hosts).unwrap_or(0) / 3;
        Ok(if heard.len() as u64 > many { KeptColumns::Unfit } else { KeptColumns::Behind(heard) })
    }

    /// How many hosts there may be, for the price of a look; more than there are where some were erased.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn hosts_at_most(&self) -> Result<u64> {
        Ok(u64::try_from(State::now(&self.connection)?.hosts).unwrap_or(0))
    }

    /// One part of the columns; empty when it is not there.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn column(&self, part: &str) -> Result<PackedColumn> {
        let read = "SELECT length, body FROM columns WHERE part = ?1";
        let mut statement = self.connection.prepare_cached(read)?;
        let mut rows = statement.query([part])?;
        let Some(row) = rows.next()? else { return Ok(PackedColumn::default()) };
        let length = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(u64::MAX);
        Ok(PackedColumn { length, packed: row.get_ref(1)?.as_blob().unwrap_or_default().to_vec() })
    }
}

/// What changes with every change of what was heard: the newest observation, host, and record of an import, a scan, a merge
/// or a reading anew, and of what was erased.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    observations: i64,
    hosts: i64,
    record: i64,
}

/// Records that say that hosts may have changed.
const CHANGES: &str = "'import', 'scan_started', 'scan_ended', 'reread', 'merge', 'redact', 'retention'";

impl State {
    fn now(connection: &Connection) -> Result<Self> {
        let read = format!(
            "SELECT coalesce((SELECT max(id) FROM observations), 0), coalesce((SELECT max(id) FROM hosts), 0),
                    coalesce((SELECT max(seq) FROM records WHERE action IN ({CHANGES})), 0)"
        );
        let mut statement = connection.prepare_cached(&read)?;
        Ok(statement
            .query_row([], |row| Ok(Self { observations: row.get(0)?, hosts: row.get(1)?, record: row.get(2)? }))?)
    }

    fn stamp(self, version: &str) -> String {
        format!("{version} {} {} {}", self.observations, self.hosts, self.record)
    }

    /// Reads what stands behind the version in a stamp.
    fn of(stamp: &str) -> Option<Self> {
        let mut numbers = stamp.strip_prefix(' ')?.split(' ').map(|word| word.parse::<i64>().ok());
        let state = Self { observations: numbers.next()??, hosts: numbers.next()??, record: numbers.next()?? };
        numbers.next().is_none().then_some(state)
    }

    /// True when since this state hosts were only heard: nothing was read anew, merged or erased. An import whose lines say
    /// nothing of any service may move a known host to another network without an observation.
    fn only_adds(self, connection: &Connection) -> Result<bool> {
        let read = format!(
            "SELECT NOT EXISTS (SELECT 1 FROM records WHERE seq > ?1 AND action IN ({CHANGES})
                                AND (action NOT IN ('import', 'scan_started', 'scan_ended')
                                     OR coalesce(json_extract(body, '$.bare_hosts'), 0) > 0))"
        );
        Ok(connection.prepare_cached(&read)?.query_row([self.record], |row| row.get(0))?)
    }

    /// The hosts that are new since this state, or of which an observation is.
    fn heard_since(self, connection: &Connection) -> Result<Vec<IpAddr>> {
        let read = "SELECT address FROM hosts
                    WHERE id > ?2 OR id IN (SELECT host FROM observations WHERE id > ?1) ORDER BY address";
        let mut statement = connection.prepare_cached(read)?;
        let mut rows = statement.query(params![self.observations, self.hosts])?;
        let mut out = Vec::new();
        while let Some(row) = rows.next()? {
            out.push(address::from_key(row.get_ref(0)?.as_blob().unwrap_or_default())?);
        }
        Ok(out)
    }
}
