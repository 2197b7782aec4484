//! Deriving all facets again from what was heard: a better parser works on last month's bytes, and nobody is asked twice.

use rusqlite::{Transaction, params};
use serde_json::json;

use super::observation::{COLUMNS, FacetReader, read_row};
use super::row::{Memory, Rows};
use super::{Action, Case, ObservationId, Result, StoreError, StoredFacet, StoredObservation, leaf, record};
use crate::clock::Timestamp;
use crate::observation::Observation;
use crate::proto::Reading;

/// Observations read at a time: few, since what a hostile host said may be megabytes.
const PAGE: usize = 64;

/// What a rereading did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RereadCounts {
    /// Observations with a capture.
    pub observations: u64,
    /// Of these, those whose outcome, detail or facets are now others.
    pub changed: u64,
    /// Of these, those whose stored bytes are damaged: left as they were.
    pub damaged: u64,
}

impl Case {
    /// Reads every capture again with `read` and stores what differs, all in one transaction. Imports have no captures and
    /// stay as they are.
    ///
    /// # Errors
    /// When the case cannot be read or written; it is then as it was.
    pub fn reread(
        &mut self,
        actor: &str,
        at: Timestamp,
        mut read: impl FnMut(&Observation) -> Reading,
    ) -> Result<RereadCounts> {
        let transaction = self.write()?;
        let mut memory = Memory::new()?;
        let mut counts = RereadCounts::default();
        let mut after = 0;
        loop {
            // In pages, so that no row changes under the statement that reads it.
            let (page, last, damaged) = page(&transaction, after)?;
            let Some(last) = last else { break };
            after = last;
            counts.damaged += damaged;
            for stored in page {
                let Some(observation) = stored.to_observation() else { continue };
                let reading = read(&observation);
                counts.observations += 1;
                if differs(&stored, &reading) {
                    replace(&transaction, &mut memory, stored.id, &reading)?;
                    counts.changed += 1;
                }
            }
        }
        counts.observations += counts.damaged;
        let body = json!({ "observations": counts.observations, "changed": counts.changed, "damaged": counts.damaged });
        record::append(&transaction, at, actor, Action::Reread, "", &body)?;
        leaf::seal_waiting(&transaction, at, actor, 1)?;
        transaction.commit()?;
        Ok(counts)
    }

    /// Replaces outcome, detail and facets of one observation.
    ///
    /// # Errors
    /// When the case cannot be written.
    pub fn set_reading(&mut self, observation: ObservationId, reading: &Reading) -> Result<()> {
        let transaction = self.write()?;
        replace(&transaction, &mut Memory::new()?, observation, reading)?;
        transaction.commit()?;
        Ok(())
    }
}

/// The next observations with captures after number `after`, the last number among them, and how many are damaged.
fn page(
    transaction: &Transaction<'_>,
    after: ObservationId,
) -> Result<(Vec<StoredObservation>, Option<ObservationId>, u64)> {
    let sql = format!(
        "SELECT {COLUMNS} c.body FROM observations o JOIN hosts h ON h.id = o.host JOIN captures c ON c.id = o.capture
         WHERE o.id > ?1 AND length(c.body) > 0 ORDER BY o.id LIMIT {PAGE}"
    );
    let mut statement = transaction.prepare_cached(&sql)?;
    let mut facets = FacetReader::new(transaction)?;
    let (mut page, mut last, mut damaged) = (Vec::new(), None, 0);
    let mut rows = statement.query([after])?;
    while let Some(row) = rows.next()? {
        last = Some(row.get(0)?);
        match read_row(row) {
            Ok(mut observation) => {
                facets.each(observation.id, |_, kind, value, extra| {
                    observation.facets.push(StoredFacet {
                        kind,
                        value: value.to_vec(),
                        extra: extra.map(str::to_owned),
                    });
                })?;
                page.push(observation);
            }
            Err(StoreError::Damaged(_)) => damaged += 1,
            Err(other) => return Err(other),
        }
    }
    Ok((page, last, damaged))
}

fn differs(stored: &StoredObservation, reading: &Reading) -> bool {
    stored.outcome != reading.outcome
        || stored.detail != reading.detail
        || !stored.facets.iter().cloned().eq(reading.facets.iter().map(StoredFacet::of))
}

fn replace(
    transaction: &Transaction<'_>,
    memory: &mut Memory,
    observation: ObservationId,
    reading: &Reading,
) -> Result<()> {
    let update = "UPDATE observations SET outcome = ?2, detail = ?3 WHERE id = ?1";
    let changed =
        transaction.prepare_cached(update)?.execute(params![observation, reading.outcome.as_str(), reading.detail])?;
    if changed == 0 {
        return Err(StoreError::damaged(format!("observation {observation} is not there")));
    }
    transaction.prepare_cached("DELETE FROM facets WHERE observation = ?1")?.execute([observation])?;
    Rows::new(transaction)?.facets(memory, observation, reading)?;
    leaf::put_again(transaction, observation)
}
