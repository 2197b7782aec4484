//! The facets of an import, put in many at a time.
//!
//! New values go to random places of their tree. In the order of their numbers, half a million at a time, neighbours share
//! its pages, which at a million hosts are more than the memory for pages holds.

use std::collections::HashMap;

use rusqlite::{CachedStatement, Connection, ToSql, params};

use super::Result;
use super::intern::{Intern, Known, digest, natural_id};
use crate::facet::FacetKind;

/// Most new values that wait, and most facets.
const MOST: usize = 1 << 19;
/// Rows of one statement.
const ROWS: usize = 16;

/// A facet whose value may wait for its number.
struct Waiting {
    observation: i64,
    place: i64,
    value: Value,
    extra: Option<&'static str>,
}

enum Value {
    Known(i64),
    /// Its place among the values that wait.
    New(u32),
}

/// A value that the case may not hold yet.
struct NewValue {
    kind: FacetKind,
    value: Box<[u8]>,
    digest: [u8; 32],
}

/// What waits within one transaction.
pub(super) struct Batch<'a> {
    intern: Intern<'a>,
    one: CachedStatement<'a>,
    many: CachedStatement<'a>,
    values: Vec<NewValue>,
    places: HashMap<[u8; 32], u32>,
    facets: Vec<Waiting>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(connection: &'a Connection) -> Result<Self> {
        let insert = "INSERT INTO facets (observation, place, value, extra) VALUES (?, ?, ?, ?)";
        Ok(Self {
            intern: Intern::new(connection)?,
            one: connection.prepare_cached(insert)?,
            many: connection.prepare_cached(&format!("{insert}{}", ", (?, ?, ?, ?)".repeat(ROWS - 1)))?,
            values: Vec::new(),
            places: HashMap::new(),
            facets: Vec::new(),
        })
    }

    /// Takes a facet.
    pub(super) fn put(
        &mut self,
        known: &mut Known,
        (observation, place): (i64, i64),
        kind: FacetKind,
        value: &[u8],
        extra: Option<&'static str>,
    ) -> Result<()> {
        let digest = digest(kind, value);
        let value = if let Some(id) = known.get(&digest) {
            Value::Known(id)
        } else {
            let next = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
            let at = *self.places.entry(digest).or_insert(next);
            if at == next {
                self.values.push(NewValue { kind, value: value.into(), digest });
            }
            Value::New(at)
        };
        self.facets.push(Waiting { observation, place, value, extra });
        if self.values.len() >= MOST || self.facets.len() >= 4 * MOST {
            self.flush(known)?;
        }
        Ok(())
    }

    /// Puts in what waits.
    pub(super) fn flush(&mut self, known: &mut Known) -> Result<()> {
        let mut order: Vec<(i64, usize)> =
            self.values.iter().enumerate().map(|(at, value)| (natural_id(&value.digest), at)).collect();
        order.sort_unstable();
        let mut ids = vec![0_i64; self.values.len()];
        for (natural, at) in order {
            let (Some(new), Some(slot)) = (self.values.get(at), ids.get_mut(at)) else { continue };
            *slot = self.intern.place(natural, new.kind.as_str(), &new.value)?;
            known.put(new.digest, *slot);
        }
        let id = |value: &Value| match value {
            Value::Known(id) => *id,
            Value::New(at) => usize::try_from(*at).ok().and_then(|at| ids.get(at)).copied().unwrap_or_default(),
        };
        let (chunks, rest) = self.facets.as_chunks::<ROWS>();
        for rows in chunks {
            let numbers = rows.each_ref().map(|row| (row.observation, row.place, id(&row.value), row.extra));
            let bound = numbers
                .iter()
                .flat_map(|(observation, place, value, extra)| [observation as &dyn ToSql, place, value, extra]);
            self.many.execute(rusqlite::params_from_iter(bound))?;
        }
        for row in rest {
            self.one.execute(params![row.observation, row.place, id(&row.value), row.extra])?;
        }
        self.values.clear();
        self.places.clear();
        self.facets.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;

    #[test]
    fn facets_come_out_as_they_went_in_whatever_number_their_values_get() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        // A stranger holds the number of one value.
        let natural = natural_id(&digest(FacetKind::HttpTitle, b"title 7"));
        connection.execute("INSERT INTO facet_values VALUES (?1, 'http.title', x'00')", [natural]).unwrap();
        let (mut batch, mut known) = (Batch::new(&connection).unwrap(), Known::default());
        let mut expected = Vec::new();
        for n in 0..100_i64 {
            let extra = (n % 3 == 0).then_some("{}");
            let title = format!("title {}", n % 40);
            batch.put(&mut known, (n / 4, n % 4), FacetKind::HttpTitle, title.as_bytes(), extra).unwrap();
            expected.push((n / 4, n % 4, title.into_bytes(), extra.map(str::to_owned)));
            if n == 33 {
                batch.flush(&mut known).unwrap();
            }
        }
        batch.flush(&mut known).unwrap();
        batch.flush(&mut known).unwrap();
        let read = "SELECT f.observation, f.place, v.value, f.extra FROM facets f JOIN facet_values v ON v.id = f.value
                    ORDER BY 1, 2";
        let mut statement = connection.prepare(read).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
        let found: Vec<(i64, i64, Vec<u8>, Option<String>)> = rows.map(Result::unwrap).collect();
        assert_eq!(found, expected);
    }
}
