//! What the last linkage found. Each linkage replaces the one before; seeds and verdicts it went by stay as records.

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params};
use serde_json::json;

use super::chain::{self, Entry};
use super::{Action, Case, Result, StoreError, count, int, record, time};
use crate::clock::Timestamp;
use crate::finding::{Cluster, Finding, Findings, Level};
use crate::seal::{self, Digest, ResultRow, Salt, leaf_hash, root, row_salt};

impl Case {
    /// Stores what a linkage found in place of the one before.
    ///
    /// # Errors
    /// `NotFinite` when a number is none; when the case cannot be written.
    pub fn save_findings(&mut self, findings: &Findings, actor: &str, at: Timestamp) -> Result<()> {
        let transaction = self.write()?;
        transaction.execute_batch("DELETE FROM links; DELETE FROM clusters; DELETE FROM findings;")?;
        transaction.execute(
            "INSERT INTO findings (id, made_at_ms, weights, hosts, background) VALUES (1, ?1, ?2, ?3, ?4)",
            params![at.as_millisecond(), findings.weights, int(findings.hosts), int(findings.background)],
        )?;
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO links (cluster, provider, seed, ip, score, log10_lr, log10_lr_without_strongest, rank, level,
                                    reasons, against, evidence)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?;
            for finding in &findings.ranking {
                put(&mut insert, None, finding)?;
            }
            let cluster = "INSERT INTO clusters (place, id, seeded, purity) VALUES (?1, ?2, ?3, ?4)";
            let mut insert_cluster = transaction.prepare_cached(cluster)?;
            for (place, cluster) in (1_i64..).zip(&findings.clusters) {
                if !cluster.purity.is_finite() {
                    return Err(StoreError::NotFinite { subject: format!("cluster {}", cluster.id) });
                }
                insert_cluster.execute(params![place, cluster.id, cluster.seeded, cluster.purity])?;
                for finding in &cluster.members {
                    put(&mut insert, Some(place), finding)?;
                }
            }
        }
        let body = json!({
            "weights": findings.weights, "hosts": findings.hosts, "background": findings.background,
            "ranking": findings.ranking.len(), "clusters": findings.clusters.len(),
        });
        let entry = Entry { at, actor, action: Action::Link, subject: "", body: &body };
        chain::append(&transaction, &entry, |salt| {
            let hashes: Vec<Digest> =
                rows(&transaction, salt)?.iter().map(|row| leaf_hash(row.to_text().as_bytes())).collect();
            Ok(Some(root(&hashes)))
        })?;
        transaction.commit()?;
        Ok(())
    }

    /// What the last linkage found, and when; `None` before the first.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn findings(&self) -> Result<Option<(Findings, Timestamp)>> {
        let _snapshot = self.snapshot()?;
        let read = "SELECT made_at_ms, weights, hosts, background FROM findings";
        let head = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        let head: Option<(i64, String, i64, i64)> = self.connection.query_row(read, [], head).optional()?;
        let Some((made_at, weights, hosts, background)) = head else { return Ok(None) };
        let ranking = self.links(None)?;
        let mut clusters = Vec::new();
        let mut statement =
            self.connection.prepare_cached("SELECT place, id, seeded, purity FROM clusters ORDER BY place")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let members = self.links(Some(row.get(0)?))?;
            clusters.push(Cluster { id: row.get(1)?, seeded: row.get(2)?, purity: row.get(3)?, members });
        }
        let findings = Findings { weights, hosts: count(hosts), background: count(background), ranking, clusters };
        Ok(Some((findings, time(made_at)?)))
    }

    /// The findings of a cluster, or of the ranking, as they were given.
    fn links(&self, cluster: Option<i64>) -> Result<Vec<Finding>> {
        let read = "SELECT provider, seed, ip, score, log10_lr, log10_lr_without_strongest, rank, level, reasons, against, evidence
                    FROM links WHERE cluster IS ?1 ORDER BY id";
        let mut statement = self.connection.prepare_cached(read)?;
        let mut rows = statement.query([cluster])?;
        let mut links = Vec::new();
        while let Some(row) = rows.next()? {
            links.push(read_finding(row)?);
        }
        Ok(links)
    }
}

/// The rows of the last linkage as they are sealed, rankings first; each with its own salt, made from that of the record.
pub(super) fn rows(connection: &Connection, salt: &Salt) -> Result<Vec<ResultRow>> {
    let read =
        "SELECT c.id, c.seeded, c.purity, l.provider, l.seed, l.ip, l.score, l.log10_lr, l.log10_lr_without_strongest,
                       l.rank, l.level, l.reasons, l.against, l.evidence
                FROM links l LEFT JOIN clusters c ON c.place = l.cluster ORDER BY l.id";
    let mut statement = connection.prepare_cached(read)?;
    let mut found = statement.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        rows.push(ResultRow {
            salt: seal::hex(&row_salt(salt, u64::try_from(rows.len()).unwrap_or(u64::MAX))),
            cluster: row.get(0)?,
            seeded: row.get(1)?,
            purity: row.get(2)?,
            provider: row.get(3)?,
            seed: row.get(4)?,
            ip: row.get(5)?,
            score: row.get(6)?,
            log10_lr: row.get(7)?,
            log10_lr_without_strongest: row.get(8)?,
            rank: row.get(9)?,
            level: row.get(10)?,
            reasons: row.get(11)?,
            against: row.get(12)?,
            evidence: row.get(13)?,
        });
    }
    Ok(rows)
}

fn put(insert: &mut CachedStatement<'_>, cluster: Option<i64>, finding: &Finding) -> Result<()> {
    let own = [finding.score, finding.log10_lr, finding.log10_lr_without_strongest];
    let evidence = finding.evidence.iter().flat_map(|one| [one.in_set, one.set_size, one.log10_lr, one.log10_counted]);
    // JSON has no word for infinity: it would be written as null and never read back.
    if !own.into_iter().chain(evidence).all(f64::is_finite) {
        return Err(StoreError::NotFinite { subject: finding.address.to_string() });
    }
    insert.execute(params![
        cluster,
        finding.provider,
        finding.seed,
        finding.address.to_string(),
        finding.score,
        finding.log10_lr,
        finding.log10_lr_without_strongest,
        int(finding.rank),
        finding.level.as_str(),
        record::to_json(&finding.reasons)?.to_string(),
        record::to_json(&finding.against)?.to_string(),
        record::to_json(&finding.evidence)?.to_string(),
    ])?;
    Ok(())
}

fn read_finding(row: &Row<'_>) -> Result<Finding> {
    let text = |column: usize| -> Result<String> { Ok(row.get(column)?) };
    let level = text(7)?;
    let levels = [Level::Chance, Level::Distribution, Level::Vendor, Level::Tenant, Level::Provider];
    Ok(Finding {
        provider: text(0)?,
        seed: text(1)?,
        address: text(2)?.parse().map_err(|_| StoreError::damaged("a finding without an address"))?,
        score: row.get(3)?,
        log10_lr: row.get(4)?,
        log10_lr_without_strongest: row.get(5)?,
        rank: count(row.get(6)?),
        level: levels
            .into_iter()
            .find(|one| one.as_str() == level)
            .ok_or_else(|| StoreError::damaged("a finding at an unknown level"))?,
        reasons: record::parse(&text(8)?, "a finding's reasons")?,
        against: record::parse(&text(9)?, "a finding's reasons against")?,
        evidence: record::parse(&text(10)?, "a finding's evidence")?,
    })
}
