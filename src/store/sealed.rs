//! What is sealed, read back with its seals: for `verify` and for bundles.

use std::net::IpAddr;

use rusqlite::{OptionalExtension as _, Row, params};

use super::leaf::{COLUMNS, Readings, leaf_of};
use super::{Case, Result, StoreError, finding};
use crate::seal::{self, Digest, ResultRow, Salt};

/// One leaf, with what it seals as it stands in the case now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedObservation {
    /// The leaf's number, from 1.
    pub number: i64,
    /// Its hash, as it was sealed.
    pub hash: Digest,
    /// The observation as text; `None` once erased.
    pub leaf: Option<String>,
    /// The host; `None` once erased.
    pub ip: Option<IpAddr>,
    /// What was read from it; `None` once erased, or where it was read anew under a later leaf.
    pub reading: Option<String>,
    /// Digest of what was heard; `None` for imports.
    pub capture_sha256: Option<Digest>,
    /// What was heard, CBOR under zstd; `None` for imports, once erased, under an older leaf, or when not asked for.
    pub capture: Option<Vec<u8>>,
}

impl Case {
    /// Gives `each` the leaves `first` to `last`, in order. With `captures`, what was heard too.
    ///
    /// # Errors
    /// When the case cannot be read, or what `each` gives.
    pub fn sealed<E: From<StoreError>>(
        &self,
        (first, last): (i64, i64),
        captures: bool,
        mut each: impl FnMut(SealedObservation) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!(
            "SELECT {COLUMNS}, l.number, l.hash, l.salt, l.reading,
                    NOT EXISTS (SELECT 1 FROM leaves m WHERE m.observation = l.observation AND m.number > l.number),
                    CASE WHEN ?3 AND length(c.body) > 0 THEN c.body END
             FROM leaves l LEFT JOIN observations o ON o.id = l.observation LEFT JOIN hosts h ON h.id = o.host
                  LEFT JOIN captures c ON c.id = o.capture
             WHERE l.number BETWEEN ?1 AND ?2 ORDER BY l.number"
        );
        let mut readings = Readings::new(&self.connection)?;
        let mut statement = self.connection.prepare_cached(&sql).map_err(StoreError::from)?;
        let mut rows = statement.query(params![first, last, captures]).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            each(sealed(row, &mut readings)?)?;
        }
        Ok(())
    }

    /// How many leaves there are.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn leaves(&self) -> Result<i64> {
        Ok(self.connection.query_row("SELECT coalesce(max(number), 0) FROM leaves", [], |row| row.get(0))?)
    }

    /// Observations that no leaf seals, by number: none in a case that only this program has written.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn outside_of_leaves(&self) -> Result<Vec<(i64, String)>> {
        let read = "SELECT o.id, h.ip || ' port ' || o.port || ' ' || o.protocol
                    FROM observations o LEFT JOIN hosts h ON h.id = o.host
                    WHERE NOT EXISTS (SELECT 1 FROM leaves l WHERE l.observation = o.id) ORDER BY o.id";
        let mut statement = self.connection.prepare_cached(read)?;
        let rows =
            statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, Option<String>>(1)?.unwrap_or_default())))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// A capture as it is stored, by the digest of its CBOR; `None` when it is not there or was erased.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn packed_capture(&self, sha256: &Digest) -> Result<Option<Vec<u8>>> {
        let read = "SELECT body FROM captures WHERE sha256 = ?1 AND length(body) > 0";
        let mut statement = self.connection.prepare_cached(read)?;
        Ok(statement.query_row([&sha256[..]], |row| row.get(0)).optional()?)
    }

    /// The rows of the last linkage as they are sealed with the record that has this salt.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn result_rows(&self, salt: &Salt) -> Result<Vec<ResultRow>> {
        finding::rows(&self.connection, salt)
    }

    /// All scopes the case holds: the digest each is filed under, and its text.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn scopes(&self) -> Result<Vec<(String, String)>> {
        let mut statement = self.connection.prepare_cached("SELECT sha256, text FROM scopes ORDER BY sha256")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?)))?;
        rows.map(|row| row.map(|(sha256, text)| (seal::hex(&sha256), text)).map_err(StoreError::from)).collect()
    }
}

fn sealed(row: &Row<'_>, readings: &mut Readings<'_>) -> Result<SealedObservation> {
    let number = row.get(15)?;
    let hash = row.get(16)?;
    let observation: Option<i64> = row.get(0)?;
    let salt: Option<Salt> = row.get(17)?;
    let digest: Option<Digest> = row.get(18)?;
    let (Some(observation), Some(salt), Some(digest)) = (observation, salt, digest) else {
        return Ok(SealedObservation {
            number,
            hash,
            leaf: None,
            ip: None,
            reading: None,
            capture_sha256: None,
            capture: None,
        });
    };
    let mut leaf = leaf_of(row)?;
    leaf.salt = seal::hex(&salt);
    leaf.reading_sha256 = seal::hex(&digest);
    let is_latest: bool = row.get(19)?;
    let (mut reading, mut capture) = (None, None);
    if is_latest {
        let odd = |_| StoreError::damaged("an outcome that is no text");
        let outcome = row.get_ref(13)?.as_str().map_err(odd)?;
        reading = Some(readings.text(observation, outcome, row.get_ref(14)?.as_str_or_null().map_err(odd)?)?);
        capture = row.get(20)?;
    }
    Ok(SealedObservation {
        number,
        hash,
        ip: leaf.ip.parse().ok(),
        leaf: Some(leaf.to_text()),
        reading,
        capture_sha256: row.get(12)?,
        capture,
    })
}
