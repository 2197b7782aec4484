//! Hosts heard by others. An import is a run of its own, all in one transaction: it is there whole or not at all.
//!
//! A host gives one observation, without capture, for each protocol it says something of: `tls` (tls.\*, cert.\*),
//! `http`, `ssh`, `rdp`, `mail` (smtp.\*, imap.\*, ftp.\*), and `ports` for its open ports (a `ports.open` facet such as
//! `22,80,443`). The port is 0, since a flat host does not say which fact came from which. What it says of one address
//! in several lines is put together. Groups that timed out stand in the `timed_out` column of their protocol's row.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};
use serde_json::json;

use super::batch::Batch;
use super::host::{ALL_PORTS, show_ports};
use super::intern::Known;
use super::row::{NewRow, Rows, Sighting};
use super::{Action, Case, Result, RunId, StoreError, count, int, leaf, record, scope};
use crate::clock::Timestamp;
use crate::facet::{FacetKind, Group, HostFacts};
use crate::observation::Outcome;
use crate::seal::{Digest, ReadingText};

/// Where imported hosts come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportSpec {
    /// The file or feed, in words a stranger can find it by.
    pub source: String,
    /// The format's name on the command line.
    pub format: String,
    /// SHA-256 of what was read, where known.
    pub sha256: Option<[u8; 32]>,
    /// Who imports.
    pub actor: String,
    /// Now.
    pub at: Timestamp,
    /// Version of this program.
    pub version: String,
}

/// What an import put into the case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportCounts {
    /// The import's number among the runs.
    pub run: RunId,
    /// Hosts read.
    pub hosts: u64,
    /// Of these, addresses the case did not know.
    pub new_hosts: u64,
    /// Facets stored.
    pub facets: u64,
}

/// Pages kept in memory while hosts are imported, as `PRAGMA cache_size` takes it: 1 GiB.
const IMPORT_CACHE: i64 = -1_048_576;

/// The rows a host may give.
const PROTOCOLS: [&str; 6] = ["tls", "http", "ssh", "rdp", "mail", "ports"];

impl Case {
    /// Takes hosts in. When one of them is an error, or the case cannot be written, the case is as it was.
    ///
    /// # Errors
    /// What `hosts` gives, or when the case cannot be written.
    pub fn import_hosts<E: From<StoreError>>(
        &mut self,
        spec: &ImportSpec,
        hosts: impl IntoIterator<Item = Result<HostFacts, E>>,
    ) -> Result<ImportCounts, E> {
        // New values go to random places of their tree, which has to fit for a million hosts.
        self.connection.pragma_update(None, "cache_size", IMPORT_CACHE).map_err(StoreError::from)?;
        // Rows of an import name the host and the run that it has just put in.
        self.connection.pragma_update(None, "foreign_keys", false).map_err(StoreError::from)?;
        let imported = self.import_within(spec, hosts);
        self.connection.pragma_update(None, "cache_size", super::CACHE).map_err(StoreError::from)?;
        self.connection.pragma_update(None, "foreign_keys", true).map_err(StoreError::from)?;
        imported
    }

    fn import_within<E: From<StoreError>>(
        &mut self,
        spec: &ImportSpec,
        hosts: impl IntoIterator<Item = Result<HostFacts, E>>,
    ) -> Result<ImportCounts, E> {
        let transaction = self.write()?;
        // Kept up it would double the cost of every facet; the next question makes it again.
        transaction.execute_batch("DROP INDEX IF EXISTS facets_by_value").map_err(StoreError::from)?;
        let mut import = Import::begin(&transaction, spec)?;
        for host in hosts {
            import.put(&host?)?;
        }
        let counts = import.end(&transaction, spec)?;
        transaction.commit().map_err(StoreError::from)?;
        Ok(counts)
    }
}

struct Import<'a> {
    rows: Rows<'a>,
    batch: Batch<'a>,
    known: Known,
    at: Timestamp,
    before: u64,
    counts: ImportCounts,
    /// The number of the first row of this run.
    first: i64,
    /// For each row of this run, in order, the digest of its reading: read back, they would cost as much as all the rest.
    readings: Vec<Digest>,
    /// Rows to which a later line added.
    taken_up: BTreeSet<i64>,
    /// Lines that said nothing of any service.
    bare: u64,
}

impl<'a> Import<'a> {
    fn begin(connection: &'a Connection, spec: &ImportSpec) -> Result<Self> {
        let sha256 = spec.sha256.map(|sha256| scope::hex(&sha256));
        let plan = json!({ "format": spec.format, "source": spec.source, "sha256": sha256 }).to_string();
        let plan_sha256 = scope::digest(plan.as_bytes());
        let at = spec.at.as_millisecond();
        let insert =
            "INSERT INTO runs (kind, state, plan_sha256, plan, seed, limits, version, shard, shards, hosts, services,
                                        started_at_ms, ended_at_ms)
                      VALUES ('import', 'done', ?1, ?2, '0', '{}', ?3, 1, 1, 0, 0, ?4, ?4)";
        connection.execute(insert, params![&plan_sha256[..], plan, spec.version, at])?;
        let counts = ImportCounts { run: connection.last_insert_rowid(), ..ImportCounts::default() };
        Ok(Self {
            rows: Rows::new(connection)?,
            batch: Batch::new(connection)?,
            known: Known::default(),
            at: spec.at,
            before: known_hosts(connection)?,
            counts,
            first: connection.query_row("SELECT coalesce(max(id), 0) + 1 FROM observations", [], |row| row.get(0))?,
            readings: Vec::new(),
            taken_up: BTreeSet::new(),
            bare: 0,
        })
    }

    fn put(&mut self, host: &HostFacts) -> Result<()> {
        let HostFacts { address, asn, prefix, first_seen: first, last_seen: last, .. } = *host;
        let id = self.rows.host(&Sighting { address, asn, prefix, first, last, count: 1 })?;
        self.counts.hosts += 1;
        let mut said = false;
        for protocol in PROTOCOLS {
            said |= self.put_protocol(id, protocol, host)?;
        }
        self.bare += u64::from(!said);
        Ok(())
    }

    /// Puts what is said of one protocol in; false when that is nothing.
    fn put_protocol(&mut self, id: i64, protocol: &str, host: &HostFacts) -> Result<bool> {
        let ports;
        let mut facets: Vec<(FacetKind, &[u8], Option<&'static str>)> = Vec::new();
        if protocol == "ports" {
            // Derived from the ports, so taken from nowhere else.
            if !host.open_ports.is_empty() || host.all_ports {
                ports = show_ports(&host.open_ports);
                facets.push((FacetKind::PortsOpen, ports.as_bytes(), host.all_ports.then_some(ALL_PORTS)));
            }
        } else {
            let own = host.facets.iter().filter(|(kind, _)| protocol_of(*kind) == protocol);
            facets.extend(own.map(|(kind, value)| (*kind, value.as_slice(), None)));
        }
        let mut timed_out: Vec<&str> =
            host.timed_out.iter().filter(|group| told_by(**group) == protocol).map(|group| group.as_str()).collect();
        if facets.is_empty() && timed_out.is_empty() {
            return Ok(false);
        }
        timed_out.dedup();
        let outcome = if facets.is_empty() { Outcome::TimedOut } else { Outcome::Answered };
        let words = (!timed_out.is_empty()).then(|| timed_out.join(","));
        let row = NewRow {
            run: self.counts.run,
            host: id,
            port: 0,
            protocol,
            over_tls: false,
            name: "",
            outcome,
            detail: None,
            started_at: host.last_seen.unwrap_or(self.at),
            connections: 0,
            bytes: (0, 0),
            timed_out: words.as_deref(),
            capture: None,
        };
        let (observation, first_place) = if let Some(observation) = self.rows.row(&row)? {
            let mut text = ReadingText::new(outcome.as_str(), None);
            for (kind, value, extra) in &facets {
                text.facet(kind.as_str(), value, *extra);
            }
            self.readings.push(ReadingText::digest(&text.finish()));
            (observation, 0)
        } else {
            self.batch.flush(&mut self.known)?;
            let (observation, place) = self.rows.take_up(&row)?;
            self.taken_up.insert(observation);
            (observation, place)
        };
        for (place, (kind, value, extra)) in (first_place..).zip(facets) {
            self.batch.put(&mut self.known, (observation, place), kind, value, extra)?;
            self.counts.facets += 1;
        }
        Ok(true)
    }

    fn end(mut self, connection: &Connection, spec: &ImportSpec) -> Result<ImportCounts> {
        self.batch.flush(&mut self.known)?;
        self.counts.new_hosts = known_hosts(connection)?.saturating_sub(self.before);
        let ImportCounts { run, hosts, new_hosts, facets } = self.counts;
        let mut body = json!({
            "run": run, "format": spec.format, "source": spec.source, "sha256": spec.sha256.map(|sha256| scope::hex(&sha256)),
            "hosts": hosts, "new_hosts": new_hosts, "facets": facets, "version": spec.version,
        });
        if self.bare > 0
            && let Some(body) = body.as_object_mut()
        {
            body.insert("bare_hosts".to_owned(), self.bare.into());
        }
        connection.execute(
            "UPDATE runs SET hosts = ?2, summary = ?3 WHERE id = ?1",
            params![run, int(hosts), body.to_string()],
        )?;
        leaf::put_import(connection, self.first, &self.readings, &self.taken_up)?;
        leaf::seal_waiting(connection, spec.at, &spec.actor, 1)?;
        record::append(connection, spec.at, &spec.actor, Action::Import, &spec.source, &body)?;
        Ok(self.counts)
    }
}

fn known_hosts(connection: &Connection) -> Result<u64> {
    Ok(count(connection.query_row("SELECT count(*) FROM hosts", [], |row| row.get(0))?))
}

/// The row a facet stands in.
fn protocol_of(kind: FacetKind) -> &'static str {
    match kind.as_str().split_once('.').map_or("", |(family, _)| family) {
        "tls" | "cert" => "tls",
        "http" => "http",
        "ssh" => "ssh",
        "rdp" => "rdp",
        "smtp" | "imap" | "ftp" => "mail",
        // `ports.open` is made from the ports themselves.
        _ => "",
    }
}

/// The row that says of a group that it timed out.
fn told_by(group: Group) -> &'static str {
    match group {
        Group::Key | Group::Sshd => "ssh",
        Group::Cert | Group::Web => "tls",
        Group::Page => "http",
        Group::Rdp => "rdp",
        Group::Mail => "mail",
        Group::Ports | Group::Net => "ports",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_but_the_ports_has_a_row_to_stand_in() {
        for kind in FacetKind::ALL {
            assert_eq!(PROTOCOLS.contains(&protocol_of(*kind)), *kind != FacetKind::PortsOpen, "{kind}");
        }
    }
}
