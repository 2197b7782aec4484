//! Erasing: what is gone is named by number in a record `redact`, and the digests stay, so that the rest still verifies.
//!
//! The bytes go too: freed pages are overwritten, the log is emptied, and the file is written anew.

use std::collections::BTreeSet;
use std::net::IpAddr;

use rusqlite::{OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde_json::{Value, json};

use super::{Action, Case, ERASED, Result, StoreError, address, count, leaf, record};
use crate::clock::Timestamp;

/// What is to be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erase {
    /// All that one host said, and what records say of it.
    Host(IpAddr),
    /// Every observation that shows this facet: kind and value.
    Facet(String, Vec<u8>),
    /// What one record says.
    Record(i64),
    /// The bytes heard before a moment; what was read from them stays.
    CapturesBefore(Timestamp),
    /// All observations made before a moment.
    ObservationsBefore(Timestamp),
}

/// What was erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Observations.
    pub observations: u64,
    /// Observations of which only the bytes heard were erased.
    pub captures: u64,
    /// Hosts of which nothing is left.
    pub hosts: u64,
    /// Records whose details were erased.
    pub records: u64,
    /// True when the results of the last linkage went too, since they spoke of what is gone.
    pub results: bool,
    /// Where the host or the value is still named: an authorisation or a plan says what was allowed and sent, and is kept.
    pub remains: Vec<String>,
}

/// How long things are kept, in days; `None`: as long as the case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// The bytes heard.
    pub captures_days: Option<u32>,
    /// Observations as a whole.
    pub observations_days: Option<u32>,
}

/// Records that speak of one host.
const OF_HOSTS: [Action; 6] =
    [Action::Seed, Action::Unseed, Action::Confirm, Action::Reject, Action::Withdraw, Action::Note];

impl Case {
    /// Erases, with a record that says what went by number, and why.
    ///
    /// # Errors
    /// `NothingToErase` when there is no such thing; when the case cannot be written, and it is then as it was.
    pub fn erase(&mut self, what: &Erase, why: &str, actor: &str, at: Timestamp) -> Result<Erased> {
        self.connection.pragma_update(None, "secure_delete", true)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Erased leaves keep their seal: what waits is sealed first.
        leaf::seal_waiting(&transaction, at, actor, 1)?;
        let mut eraser = Eraser {
            transaction: &transaction,
            erased: Erased::default(),
            leaves: BTreeSet::new(),
            captures: BTreeSet::new(),
            records: BTreeSet::new(),
        };
        match what {
            Erase::Host(address) => eraser.host(*address)?,
            Erase::Facet(kind, value) => {
                let of = "SELECT DISTINCT f.observation FROM facets f JOIN facet_values v ON v.id = f.value
                          WHERE v.kind = ?1 AND v.value = ?2";
                let ids = eraser.ids(of, params![kind, value])?;
                eraser.observations(&ids)?;
            }
            Erase::Record(seq) => eraser.record(*seq)?,
            Erase::CapturesBefore(moment) => eraser.captures_before(*moment)?,
            Erase::ObservationsBefore(moment) => {
                let of = "SELECT id FROM observations WHERE started_at_ms < ?1";
                let ids = eraser.ids(of, params![moment.as_millisecond()])?;
                eraser.observations(&ids)?;
            }
        }
        if eraser.leaves.is_empty() && eraser.captures.is_empty() && eraser.records.is_empty() {
            return Err(StoreError::NothingToErase);
        }
        let body = json!({
            "why": why, "leaves": stretches(&eraser.leaves), "captures": stretches(&eraser.captures),
            "records": stretches(&eraser.records), "results": eraser.erased.results,
        });
        let mut erased = eraser.erased;
        record::append(&transaction, at, actor, Action::Redact, "", &body)?;
        erased.remains = match what {
            Erase::Host(address) => remains(&transaction, &address.to_string(), |c| c.is_ascii_hexdigit() || c == ':')?,
            Erase::Facet(kind, value) => {
                let text = String::from_utf8_lossy(value);
                // A name is looked for without the word that says what kind of name it is: `DNS:`.
                let bare = text.split_once(':').filter(|_| kind == "cert.san").map_or(&*text, |(_, name)| name);
                remains(&transaction, bare, char::is_alphanumeric)?
            }
            _ => Vec::new(),
        };
        transaction.commit()?;
        self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")?;
        self.connection.pragma_update(None, "secure_delete", false)?;
        Ok(erased)
    }

    /// Writes down how long things are kept.
    ///
    /// # Errors
    /// When the case cannot be written.
    pub fn set_retention(&mut self, retention: Retention, why: &str, actor: &str, at: Timestamp) -> Result<()> {
        let body = json!({
            "captures_days": retention.captures_days, "observations_days": retention.observations_days, "why": why,
        });
        self.record(at, actor, Action::Retention, "", &body)?;
        Ok(())
    }

    /// How long things are kept.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn retention(&self) -> Result<Retention> {
        let read = "SELECT body FROM records WHERE action = ?1 ORDER BY seq DESC LIMIT 1";
        let body: Option<String> =
            self.connection.query_row(read, [Action::Retention.as_str()], |row| row.get(0)).optional()?;
        let body: Value = body.map(|body| record::parse(&body, "a record")).transpose()?.unwrap_or_default();
        let days = |key: &str| body.get(key).and_then(Value::as_u64).and_then(|days| u32::try_from(days).ok());
        Ok(Retention { captures_days: days("captures_days"), observations_days: days("observations_days") })
    }

    /// How many captures and observations are older than a moment and still there.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn older_than(&self, moment: Timestamp) -> Result<(u64, u64)> {
        let read = "SELECT count(CASE WHEN length(c.body) > 0 THEN 1 END), count(*)
                    FROM observations o LEFT JOIN captures c ON c.id = o.capture WHERE o.started_at_ms < ?1";
        let both = |row: &rusqlite::Row<'_>| Ok((count(row.get(0)?), count(row.get(1)?)));
        Ok(self.connection.query_row(read, [moment.as_millisecond()], both)?)
    }
}

struct Eraser<'a> {
    transaction: &'a Transaction<'a>,
    erased: Erased,
    leaves: BTreeSet<i64>,
    captures: BTreeSet<i64>,
    records: BTreeSet<i64>,
}

impl Eraser<'_> {
    fn ids(&self, read: &str, of: impl rusqlite::Params) -> Result<Vec<i64>> {
        let mut statement = self.transaction.prepare(read)?;
        let rows = statement.query_map(of, |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn host(&mut self, host: IpAddr) -> Result<()> {
        let of = "SELECT o.id FROM observations o JOIN hosts h ON h.id = o.host WHERE h.address = ?1";
        let ids = self.ids(of, params![address::key(host)])?;
        self.observations(&ids)?;
        let text = host.to_string();
        let read = "SELECT seq FROM records WHERE body <> ?3 AND (subject = ?1 OR instr(body, ?2) > 0) AND action = ?4";
        for action in OF_HOSTS {
            let quoted = format!("\"{text}\"");
            for seq in self.ids(read, params![text, quoted, ERASED, action.as_str()])? {
                self.record(seq)?;
            }
        }
        Ok(())
    }

    fn record(&mut self, seq: i64) -> Result<()> {
        let read = "SELECT action FROM records WHERE seq = ?1 AND body <> ?2";
        let action: Option<String> =
            self.transaction.query_row(read, params![seq, ERASED], |row| row.get(0)).optional()?;
        // What the chain itself rests on stays.
        let bound = [
            Action::Sealed,
            Action::Head,
            Action::Key,
            Action::Redact,
            Action::Chained,
            Action::New,
            Action::Timestamp,
        ];
        let Some(action) = action.filter(|action| !bound.iter().any(|one| one.as_str() == action)) else {
            return Err(StoreError::NothingToErase);
        };
        let _ = action;
        self.transaction.execute("UPDATE records SET subject = '', body = ?2 WHERE seq = ?1", params![seq, ERASED])?;
        self.transaction.execute("UPDATE chain SET salt = NULL WHERE seq = ?1", [seq])?;
        self.records.insert(seq);
        self.erased.records += 1;
        Ok(())
    }

    /// Erases observations with their captures and facets, values and hosts that nothing else needs, and the results.
    fn observations(&mut self, ids: &[i64]) -> Result<()> {
        if ids.is_empty() {
            return Ok(());
        }
        let transaction = self.transaction;
        transaction.execute_batch(
            "CREATE INDEX IF NOT EXISTS facets_by_value ON facets (value);
             CREATE INDEX observations_by_capture ON observations (capture);",
        )?;
        let (mut hosts, mut captures, mut values) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for id in ids {
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let read = "SELECT host, capture FROM observations WHERE id = ?1";
            let (host, capture): (i64, Option<i64>) = transaction.prepare_cached(read)?.query_row([id], row)?;
            hosts.insert(host);
            captures.extend(capture);
            values.extend(self.ids("SELECT value FROM facets WHERE observation = ?1", [id])?);
            self.leaves.extend(self.ids("SELECT number FROM leaves WHERE observation = ?1", [id])?);
            let forget = "UPDATE leaves SET observation = NULL, reading = NULL, salt = NULL WHERE observation = ?1";
            transaction.prepare_cached(forget)?.execute([id])?;
            transaction.prepare_cached("DELETE FROM facets WHERE observation = ?1")?.execute([id])?;
            transaction.prepare_cached("DELETE FROM observations WHERE id = ?1")?.execute([id])?;
            self.erased.observations += 1;
        }
        for capture in captures {
            let unused =
                "DELETE FROM captures WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM observations WHERE capture = ?1)";
            transaction.prepare_cached(unused)?.execute([capture])?;
        }
        for value in values {
            let unused =
                "DELETE FROM facet_values WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM facets WHERE value = ?1)";
            transaction.prepare_cached(unused)?.execute([value])?;
        }
        for host in hosts {
            let unused = "DELETE FROM hosts WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM observations WHERE host = ?1)";
            self.erased.hosts += u64::from(transaction.prepare_cached(unused)?.execute([host])? > 0);
        }
        let results = "DELETE FROM links; DELETE FROM clusters; DELETE FROM findings; DELETE FROM columns; DROP INDEX observations_by_capture;";
        let any: bool = transaction.query_row("SELECT EXISTS (SELECT 1 FROM findings)", [], |row| row.get(0))?;
        transaction.execute_batch(results)?;
        self.erased.results |= any;
        Ok(())
    }

    /// Empties the captures that only older observations refer to.
    fn captures_before(&mut self, moment: Timestamp) -> Result<()> {
        let read = "SELECT c.id FROM captures c JOIN observations o ON o.capture = c.id WHERE length(c.body) > 0
                    GROUP BY c.id HAVING max(o.started_at_ms) < ?1";
        let ids: BTreeSet<i64> = self.ids(read, [moment.as_millisecond()])?.into_iter().collect();
        let of = "SELECT l.number, o.capture FROM leaves l JOIN observations o ON o.id = l.observation WHERE o.capture IS NOT NULL";
        let mut statement = self.transaction.prepare(of)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if ids.contains(&row.get(1)?) {
                self.captures.insert(row.get(0)?);
                self.erased.captures += 1;
            }
        }
        for id in ids {
            self.transaction.prepare_cached("UPDATE captures SET body = x'' WHERE id = ?1")?.execute([id])?;
        }
        Ok(())
    }
}

/// Numbers as stretches, first and last.
fn stretches(numbers: &BTreeSet<i64>) -> Vec<(i64, i64)> {
    let mut out: Vec<(i64, i64)> = Vec::new();
    for number in numbers {
        match out.last_mut() {
            Some((_, last)) if last.saturating_add(1) == *number => *last = *number,
            _ => out.push((*number, *number)),
        }
    }
    out
}

/// Where the text still stands as a word of its own: not where `joins` says that the word goes on, as a longer address would.
fn remains(transaction: &Transaction<'_>, text: &str, joins: impl Fn(char) -> bool) -> Result<Vec<String>> {
    let stands = |found: &str| {
        !text.is_empty()
            && found.match_indices(text).any(|(at, _)| {
                let is_part = |c: Option<char>| c.is_some_and(&joins);
                let (before, after) = found.split_at(at);
                !is_part(before.chars().next_back()) && !is_part(after.chars().nth(text.chars().count()))
            })
    };
    let mut places = Vec::new();
    for (read, place) in [
        ("SELECT lower(hex(sha256)), text FROM scopes", "the text of scope"),
        ("SELECT id, plan || coalesce(summary, '') FROM runs", "the plan or summary of run"),
        ("SELECT seq, subject || body FROM records", "record"),
        ("SELECT run, counters FROM progress", "the counters of run"),
    ] {
        let mut statement = transaction.prepare(read)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if stands(row.get_ref(1)?.as_str().unwrap_or_default()) {
                let name: rusqlite::types::Value = row.get(0)?;
                let name = match name {
                    rusqlite::types::Value::Integer(number) => number.to_string(),
                    rusqlite::types::Value::Text(text) => text,
                    _ => String::new(),
                };
                places.push(format!("{place} {name}"));
            }
        }
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_follow_each_other_are_one_stretch() {
        assert_eq!(stretches(&[1, 2, 3, 5, 9, 10].into_iter().collect()), [(1, 3), (5, 5), (9, 10)]);
        assert_eq!(stretches(&BTreeSet::new()), []);
    }
}
