//! Hosts as the linkage takes them: for each address the facets of the last look at each of its services.

use std::net::IpAddr;

use rusqlite::{CachedStatement, Connection, Row};

use super::observation::{FacetReader, read_outcome};
use super::{Case, Result, StoreError, address, time};
use crate::clock::Timestamp;
use crate::facet::{FacetKind, Group, HostFacts};
use crate::observation::Outcome;

impl Case {
    /// Gives `each` every host in address order, as the case stands now.
    ///
    /// Of several looks at one service (port, protocol, name) the last conclusive one counts: a later time-out or a hunt
    /// that stopped early does not make known facets unknown. A service that was only silent later keeps its last look.
    /// Groups are `timed_out` when the look that counts was not conclusive and no facet of the group is known from
    /// elsewhere. A value met on two ports is given once.
    ///
    /// # Errors
    /// When the case cannot be read, or what `each` gives.
    pub fn host_facts<E: From<StoreError>>(&self, mut each: impl FnMut(HostFacts) -> Result<(), E>) -> Result<(), E> {
        let _snapshot = self.snapshot()?;
        let mut looks = Looks::new(&self.connection)?;
        let read = "SELECT id, address, asn, prefix, first_seen_at_ms, last_seen_at_ms FROM hosts ORDER BY address";
        let mut statement = self.connection.prepare_cached(read).map_err(StoreError::from)?;
        let mut rows = statement.query([]).map_err(StoreError::from)?;
        while let Some(row) = rows.next().map_err(StoreError::from)? {
            let (id, mut host) = read_host(row)?;
            looks.fill(id, &mut host)?;
            each(host)?;
        }
        Ok(())
    }
}

impl Case {
    /// True when no host was ever heard.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM hosts)", [], |row| row.get(0))?)
    }

    /// Gives `each` these hosts as they stand now; addresses that the case does not know are passed over.
    ///
    /// # Errors
    /// When the case cannot be read, or what `each` gives.
    pub fn facts_of<E: From<StoreError>>(
        &self,
        addresses: &[IpAddr],
        mut each: impl FnMut(HostFacts) -> Result<(), E>,
    ) -> Result<(), E> {
        let _snapshot = self.snapshot()?;
        let mut looks = Looks::new(&self.connection)?;
        let read = "SELECT id, address, asn, prefix, first_seen_at_ms, last_seen_at_ms FROM hosts WHERE address = ?1";
        let mut statement = self.connection.prepare_cached(read).map_err(StoreError::from)?;
        for one in addresses {
            let mut rows = statement.query([address::key(*one)]).map_err(StoreError::from)?;
            if let Some(row) = rows.next().map_err(StoreError::from)? {
                let (id, mut host) = read_host(row)?;
                looks.fill(id, &mut host)?;
                each(host)?;
            }
        }
        Ok(())
    }

    /// One host as it stands now; `None` for an address the case does not know.
    ///
    /// # Errors
    /// When the case cannot be read.
    pub fn host(&self, address: IpAddr) -> Result<Option<HostFacts>> {
        let mut found = None;
        self.facts_of::<StoreError>(&[address], |host| {
            found = Some(host);
            Ok(())
        })?;
        Ok(found)
    }
}

/// Outcomes of a connection that stood: the port is open. The words of [`is_open`], for SQL.
pub(super) const OPEN: &str = "'answered', 'mismatch', 'reset', 'closed', 'tls_alert', 'incomplete', 'pruned'";

fn is_open(outcome: Outcome) -> bool {
    use Outcome::{Answered, Closed, Incomplete, Mismatch, Pruned, Reset, TlsAlert};
    matches!(outcome, Answered | Mismatch | Reset | Closed | TlsAlert | Incomplete | Pruned)
}

/// False when time, patience or luck ran out before the far side had shown itself.
fn is_conclusive(outcome: Outcome) -> bool {
    use Outcome::{Answered, Closed, Mismatch, Refused, Reset, TlsAlert};
    matches!(outcome, Answered | Mismatch | Refused | Reset | Closed | TlsAlert)
}

/// The groups a protocol's facets belong to.
fn groups(protocol: &str) -> &'static [Group] {
    match protocol {
        "tls" => &[Group::Web, Group::Cert],
        "http" => &[Group::Web, Group::Page],
        "ssh" => &[Group::Key, Group::Sshd],
        "rdp" => &[Group::Rdp],
        "mail" => &[Group::Mail],
        _ => &[],
    }
}

fn read_group(word: &str) -> Option<Group> {
    Group::ALL.into_iter().find(|group| group.as_str() == word)
}

/// Reads `id, address, asn, prefix, first_seen_at_ms, last_seen_at_ms`.
pub(super) fn read_host(row: &Row<'_>) -> Result<(i64, HostFacts)> {
    let mut host = HostFacts::new(read_address(row, 1)?);
    let prefix: Option<String> = row.get(3)?;
    host.asn = row.get(2)?;
    host.prefix = prefix.and_then(|text| text.parse().ok());
    host.first_seen = read_time(row, 4)?;
    host.last_seen = read_time(row, 5)?;
    Ok((row.get(0)?, host))
}

fn read_address(row: &Row<'_>, column: usize) -> Result<IpAddr> {
    address::from_key(row.get_ref(column)?.as_blob().unwrap_or_default())
}

fn read_time(row: &Row<'_>, column: usize) -> Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?.map(time).transpose()
}

/// One look at one service.
struct Look {
    id: i64,
    port: u16,
    protocol: String,
    over_tls: bool,
    name: String,
    outcome: Outcome,
    timed_out: Option<String>,
}

impl Look {
    fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            port: row.get(1)?,
            protocol: row.get(2)?,
            over_tls: row.get(3)?,
            name: row.get(4)?,
            outcome: read_outcome(row.get_ref(5)?.as_str().unwrap_or_default())?,
            timed_out: row.get(6)?,
        })
    }

    fn same_service(&self, other: &Self) -> bool {
        (self.port, &self.protocol, self.over_tls, &self.name)
            == (other.port, &other.protocol, other.over_tls, &other.name)
    }
}

/// Reads the looks that count, host by host.
pub(super) struct Looks<'a> {
    looks: CachedStatement<'a>,
    facets: FacetReader<'a>,
}

impl<'a> Looks<'a> {
    pub(super) fn new(connection: &'a Connection) -> Result<Self> {
        let read = "SELECT id, port, protocol, over_tls, name, outcome, timed_out FROM observations
                    WHERE host = ?1 ORDER BY port, protocol, over_tls, name, started_at_ms, id";
        Ok(Self { looks: connection.prepare_cached(read)?, facets: FacetReader::new(connection)? })
    }

    /// The looks at one host that count.
    fn current(&mut self, host: i64) -> Result<Vec<Look>> {
        let mut rows = self.looks.query([host])?;
        let mut current: Vec<Look> = Vec::new();
        while let Some(row) = rows.next()? {
            let look = Look::read(row)?;
            match current.last_mut() {
                Some(last) if last.same_service(&look) => {
                    if is_conclusive(look.outcome) || !is_conclusive(last.outcome) {
                        *last = look;
                    }
                }
                _ => current.push(look),
            }
        }
        Ok(current)
    }

    /// Adds ports, facets and what is unknown.
    fn fill(&mut self, id: i64, host: &mut HostFacts) -> Result<()> {
        let mut unknown: Vec<Group> = Vec::new();
        let mut given: Vec<i64> = Vec::new();
        for look in self.current(id)? {
            if is_open(look.outcome) && look.port != 0 {
                host.open_ports.push(look.port);
            }
            match &look.timed_out {
                // An import says itself which groups.
                Some(words) => unknown.extend(words.split(',').filter_map(read_group)),
                None if is_conclusive(look.outcome) => {}
                None => unknown.extend(groups(&look.protocol)),
            }
            // A hunt asked no further: which other ports answer is not known.
            if look.outcome == Outcome::Pruned {
                unknown.push(Group::Ports);
            }
            self.facets.each(look.id, |value, kind, bytes, extra| {
                if kind == FacetKind::PortsOpen {
                    host.open_ports.extend(read_ports(bytes));
                    host.all_ports |= extra == Some(ALL_PORTS);
                } else if !given.contains(&value) {
                    given.push(value);
                    host.facets.push((kind, bytes.to_vec()));
                }
            })?;
        }
        host.open_ports.sort_unstable();
        host.open_ports.dedup();
        unknown.sort_unstable();
        unknown.dedup();
        unknown.retain(|group| !host.facets.iter().any(|(kind, _)| kind.info().group == Some(*group)));
        host.timed_out = unknown;
        Ok(())
    }

    /// Gives `each` the facets that count: port, kind, value.
    pub(super) fn each(&mut self, host: i64, mut each: impl FnMut(u16, FacetKind, &[u8])) -> Result<()> {
        for look in self.current(host)? {
            self.facets.each(look.id, |_, kind, value, _| each(look.port, kind, value))?;
        }
        Ok(())
    }
}

/// The remark on a `ports.open` facet that says it lists a sweep over many ports.
pub(super) const ALL_PORTS: &str = r#"{"all_ports":true}"#;

/// Ports as a `ports.open` facet says them.
fn read_ports(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    text.split(',').filter_map(|port| port.parse().ok())
}

/// Ports as a `ports.open` facet says them.
pub(super) fn show_ports(ports: &[u16]) -> String {
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_for_sql_are_those_of_open_outcomes() {
        let words: Vec<String> =
            Outcome::ALL.into_iter().filter(|one| is_open(*one)).map(|one| format!("'{one}'")).collect();
        assert_eq!(words.join(", "), OPEN);
    }
}
