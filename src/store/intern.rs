//! Values are stored once. The id of a value is the first 63 bits of SHA-256 over its kind, a zero byte and its bytes,
//! so most values are found without an index.
//!
//! 63 bits can be made to meet: two colliding page titles cost an attacker some 2^32 hashes. So ids are never taken for
//! the value: when an id is held by another value the next free one is taken, as in a hash table with open addressing.
//! Values are never removed, so such a chain never breaks. A stranger can thus neither stop a run nor pass for another.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use super::Result;
use crate::facet::FacetKind;

/// Values remembered in each of two generations: about 30 MB in all.
const GENERATION: usize = 1 << 18;

/// The id a value has unless another was there first.
pub(super) fn natural_id(digest: &[u8; 32]) -> i64 {
    let first = digest.first_chunk::<8>().copied().unwrap_or_default();
    i64::from_be_bytes(first) & i64::MAX
}

/// The whole digest behind an id.
pub(super) fn digest(kind: FacetKind, value: &[u8]) -> [u8; 32] {
    digest_of(kind.as_str(), value)
}

fn digest_of(kind: &str, value: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(kind).chain_update([0]).chain_update(value).finalize().into()
}

/// The id tried after `id`.
fn next(id: i64) -> i64 {
    id.wrapping_add(1) & i64::MAX
}

/// Ids of values used of late, by their whole digests. Two generations: what the older one still gives moves to the
/// younger, and when that is full the older is let go.
#[derive(Debug, Default)]
pub(super) struct Known {
    young: HashMap<[u8; 32], i64>,
    old: HashMap<[u8; 32], i64>,
}

impl Known {
    pub(super) fn get(&mut self, digest: &[u8; 32]) -> Option<i64> {
        if let Some(id) = self.young.get(digest) {
            return Some(*id);
        }
        let id = self.old.get(digest).copied()?;
        self.put(*digest, id);
        Some(id)
    }

    pub(super) fn put(&mut self, digest: [u8; 32], id: i64) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(digest, id);
    }

    /// Forgets everything: the ids of a transaction that failed are not in the file.
    pub(super) fn forget(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

/// Gives values their ids within one transaction.
pub(super) struct Intern<'a> {
    insert: CachedStatement<'a>,
    select: CachedStatement<'a>,
}

impl<'a> Intern<'a> {
    pub(super) fn new(connection: &'a Connection) -> Result<Self> {
        Ok(Self {
            insert: connection.prepare_cached(
                "INSERT INTO facet_values (id, kind, value) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING",
            )?,
            select: connection.prepare_cached("SELECT kind = ?2 AND value = ?3 FROM facet_values WHERE id = ?1")?,
        })
    }

    /// The id of a value, which is stored when it is new.
    pub(super) fn id(&mut self, known: &mut Known, kind: FacetKind, value: &[u8]) -> Result<i64> {
        self.id_of(known, kind.as_str(), value)
    }

    /// The same for a kind by its word, which this program may not know.
    pub(super) fn id_of(&mut self, known: &mut Known, kind: &str, value: &[u8]) -> Result<i64> {
        let digest = digest_of(kind, value);
        if let Some(id) = known.get(&digest) {
            return Ok(id);
        }
        let id = self.place(natural_id(&digest), kind, value)?;
        known.put(digest, id);
        Ok(id)
    }

    /// Stores a value at `id` or the first place after it that is free or its own.
    pub(super) fn place(&mut self, mut id: i64, kind: &str, value: &[u8]) -> Result<i64> {
        loop {
            if self.insert.execute(params![id, kind, value])? == 1 {
                return Ok(id);
            }
            if self.select.query_row(params![id, kind, value], |row| row.get(0))? {
                return Ok(id);
            }
            id = next(id);
        }
    }
}

/// The id of a value, if the case holds it.
pub(super) fn find(connection: &Connection, kind: FacetKind, value: &[u8]) -> Result<Option<i64>> {
    let mut select = connection.prepare_cached("SELECT kind = ?2 AND value = ?3 FROM facet_values WHERE id = ?1")?;
    let mut id = natural_id(&digest(kind, value));
    loop {
        match select.query_row(params![id, kind.as_str(), value], |row| row.get(0)).optional()? {
            None => return Ok(None),
            Some(true) => return Ok(Some(id)),
            Some(false) => id = next(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    fn case() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        connection
    }

    #[test]
    fn the_same_value_has_one_id_and_another_kind_another() {
        let connection = case();
        let (mut intern, mut known) = (Intern::new(&connection).unwrap(), Known::default());
        let first = intern.id(&mut known, FacetKind::HttpTitle, b"login").unwrap();
        known.forget();
        assert_eq!(intern.id(&mut known, FacetKind::HttpTitle, b"login").unwrap(), first);
        assert_ne!(intern.id(&mut known, FacetKind::HttpRealm, b"login").unwrap(), first);
        assert_eq!(first, natural_id(&digest(FacetKind::HttpTitle, b"login")));
    }

    #[test]
    fn values_that_meet_on_one_id_are_kept_apart_and_all_found_again() {
        let connection = case();
        let value = b"mine";
        let natural = natural_id(&digest(FacetKind::HttpTitle, value));
        // Two strangers hold the id of `mine` and the one after.
        for (id, squatter) in [(natural, "first"), (next(natural), "second")] {
            connection
                .execute("INSERT INTO facet_values VALUES (?1, 'http.title', CAST(?2 AS BLOB))", params![id, squatter])
                .unwrap();
        }
        let (mut intern, mut known) = (Intern::new(&connection).unwrap(), Known::default());
        assert_eq!(find(&connection, FacetKind::HttpTitle, value).unwrap(), None);
        let id = intern.id(&mut known, FacetKind::HttpTitle, value).unwrap();
        assert_eq!(id, next(next(natural)));
        known.forget();
        assert_eq!(intern.id(&mut known, FacetKind::HttpTitle, value).unwrap(), id);
        assert_eq!(find(&connection, FacetKind::HttpTitle, value).unwrap(), Some(id));
        let stored: Vec<u8> =
            connection.query_row("SELECT value FROM facet_values WHERE id = ?1", [id], |row| row.get(0)).unwrap();
        assert_eq!(stored, value);
    }

    #[test]
    fn the_last_id_is_followed_by_the_first() {
        assert_eq!(next(i64::MAX), 0);
        let connection = case();
        connection.execute("INSERT INTO facet_values VALUES (?1, 'http.title', x'00')", [i64::MAX]).unwrap();
        let id = Intern::new(&connection).unwrap().place(i64::MAX, FacetKind::HttpTitle.as_str(), b"x").unwrap();
        assert_eq!(id, 0);
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_what_is_used() {
        let mut known = Known::default();
        let name = |number: usize| digest(FacetKind::HttpTitle, &number.to_le_bytes());
        let popular = name(usize::MAX);
        known.put(popular, 7);
        for number in 0..3 * GENERATION {
            known.put(name(number), 1);
            if number % 1000 == 0 {
                assert_eq!(known.get(&popular), Some(7));
            }
        }
        assert!(known.young.len() <= GENERATION && known.old.len() <= GENERATION);
        assert_eq!(known.get(&name(0)), None);
    }
}
