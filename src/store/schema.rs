//! The schema's steps, and how a file is brought to the newest.

use rusqlite::{Connection, TransactionBehavior};

use super::{Result, chain};

/// `PRAGMA application_id` of a case: the bytes `hkin`.
pub(super) const APPLICATION_ID: i64 = 0x686b_696e;

/// Schema steps, oldest first. Append only: a step's place here is a version on disk.
const MIGRATIONS: &[&str] =
    &[include_str!("001_case.sql"), EVIDENCE, include_str!("003_columns.sql"), include_str!("004_datasets.sql")];

/// The step from which on records are chained; what was there before is chained with it.
const EVIDENCE: &str = include_str!("002_evidence.sql");

/// The newest schema version known here.
pub(super) fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// The schema version of an open file.
pub(super) fn version(connection: &Connection) -> Result<i64> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Takes the missing steps, each in a transaction of its own. Does nothing on a file that is up to date.
pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    migrate_to(connection, newest())
}

fn migrate_to(connection: &mut Connection, upto: i64) -> Result<()> {
    for (step_version, step) in (1..=upto).zip(MIGRATIONS) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Asked inside the transaction: another process may have just taken this step.
        if version(&transaction)? < step_version {
            transaction.execute_batch(step)?;
            if *step == EVIDENCE {
                chain::take_up_older(&transaction)?;
            }
            transaction.pragma_update(None, "user_version", step_version)?;
            transaction.commit()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_version(upto: i64) -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate_to(&mut connection, upto).unwrap();
        assert_eq!(version(&connection).unwrap(), upto);
        connection
    }

    fn shape(connection: &Connection) -> Vec<(String, String)> {
        let mut statement =
            connection.prepare("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn every_old_version_comes_to_the_shape_of_a_new_file() {
        let new = shape(&at_version(newest()));
        assert!(new.len() > 20, "the schema has tables and views");
        for old in 0..=newest() {
            let mut connection = at_version(old);
            migrate(&mut connection).unwrap();
            assert_eq!(shape(&connection), new, "from version {old}");
        }
    }

    #[test]
    fn migrating_twice_changes_nothing() {
        let mut connection = at_version(newest());
        connection.execute("INSERT INTO meta VALUES ('kept', 1)", []).unwrap();
        let before = shape(&connection);
        migrate(&mut connection).unwrap();
        assert_eq!(shape(&connection), before);
        assert_eq!(connection.query_row("SELECT value FROM meta", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    }

    #[test]
    fn the_columns_of_the_views_are_a_promise() {
        let connection = at_version(newest());
        let columns = |view: &str| {
            connection.prepare(&format!("SELECT * FROM {view}")).unwrap().column_names().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(columns("v_hosts"), "ip asn prefix first_seen_at_ms last_seen_at_ms sightings");
        assert_eq!(
            columns("v_services"),
            "ip port protocol over_tls name run outcome detail started_at_ms connections bytes_sent bytes_heard \
             capture_sha256 observation"
        );
        assert_eq!(columns("v_facets"), "ip port protocol over_tls name run kind value extra observation value_id");
        assert_eq!(
            columns("v_links"),
            "provider seed ip score log10_lr log10_lr_without_strongest rank level reasons against evidence"
        );
        assert_eq!(columns("v_clusters"), "cluster_id seeded purity ip score log10_lr level reasons against evidence");
        assert_eq!(
            columns("v_datasets"),
            "dataset sha256 bytes format name source date licence whole counts warnings imported_at_ms"
        );
        assert_eq!(
            columns("v_runs"),
            "run kind state plan_sha256 seed scope_sha256 version shard shards hosts services started_at_ms ended_at_ms \
             summary"
        );
    }
}
