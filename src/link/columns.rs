//! A population as bytes, so that it need not be made anew from every observation: one part for the hosts, one for each
//! rung. Postings and counts are not kept; they are read off the cells in one pass.
//!
//! All numbers are little-endian. `hosts`: for each host 1 byte (4 or 6, and 16 more where every port answers) and its
//! octets. A rung's part: the cells (4 bytes a host), the number of words in the spill and these, then the values, each
//! after its length. Bytes that do not fit together give no population: it is then made from the observations.

use std::net::IpAddr;

use sha2::{Digest as _, Sha256};

use super::population::{Column, Population};
use super::rung::Rung;

/// Said beside a stored population: of another version of the rules that make one it is not taken.
#[must_use]
pub fn columns_version() -> String {
    // The rules are these files, so that none of them changes without this being noticed.
    let rules = [
        include_str!("read.rs"),
        include_str!("rung.rs"),
        include_str!("pattern.rs"),
        include_str!("family.rs"),
        include_str!("population.rs"),
        include_str!("columns.rs"),
    ];
    let digest: [u8; 32] = rules.iter().fold(Sha256::new(), Sha256::chain_update).finalize().into();
    let first = digest.first_chunk::<8>().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(first))
}

/// The name of the part that holds the hosts.
const HOSTS: &str = "hosts";
/// Marks a host where every port answers.
const EVERYWHERE: u8 = 16;

impl Population {
    /// The names of the parts that [`to_part`](Self::to_part) gives.
    #[must_use]
    pub fn parts() -> Vec<&'static str> {
        std::iter::once(HOSTS).chain(Rung::ALL.into_iter().map(Rung::name)).collect()
    }

    /// One part as bytes; empty for a name that is none.
    #[must_use]
    pub fn to_part(&self, name: &str) -> Vec<u8> {
        if name == HOSTS {
            return self.hosts_part();
        }
        let column = self.columns().find(|(rung, _)| rung.name() == name);
        column.map(|(_, column)| column_part(column)).unwrap_or_default()
    }

    fn hosts_part(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(5 * self.len());
        for (address, everywhere) in self.hosts() {
            let mark = if everywhere { EVERYWHERE } else { 0 };
            match address {
                IpAddr::V4(v4) => {
                    out.push(4 | mark);
                    out.extend(v4.octets());
                }
                IpAddr::V6(v6) => {
                    out.push(6 | mark);
                    out.extend(v6.octets());
                }
            }
        }
        out
    }

    /// A population from its parts; `None` when they do not fit together.
    ///
    /// # Errors
    /// What `part` gives.
    pub fn from_parts<E>(mut part: impl FnMut(&str) -> Result<Vec<u8>, E>) -> Result<Option<Self>, E> {
        let hosts = part(HOSTS)?;
        let Some((addresses, everywhere)) = read_hosts(&hosts) else { return Ok(None) };
        drop(hosts);
        let mut columns = Vec::with_capacity(Rung::ALL.len());
        for rung in Rung::ALL {
            let Some(column) = read_column(&part(rung.name())?, addresses.len()) else { return Ok(None) };
            columns.push(column);
        }
        Ok(Self::from_columns(addresses, everywhere, columns))
    }
}

fn read_hosts(mut bytes: &[u8]) -> Option<(Vec<IpAddr>, Vec<bool>)> {
    let (mut addresses, mut everywhere) = (Vec::new(), Vec::new());
    while let Some((mark, rest)) = bytes.split_first() {
        let (address, rest): (IpAddr, &[u8]) = match mark & !EVERYWHERE {
            4 => rest.split_first_chunk::<4>().map(|(octets, rest)| ((*octets).into(), rest))?,
            6 => rest.split_first_chunk::<16>().map(|(octets, rest)| ((*octets).into(), rest))?,
            _ => return None,
        };
        addresses.push(address);
        everywhere.push(mark & EVERYWHERE != 0);
        bytes = rest;
    }
    addresses.is_sorted_by(|a, b| a < b).then_some((addresses, everywhere))
}

fn column_part(column: &Column) -> Vec<u8> {
    let (cells, spill) = column.raw();
    let mut out = Vec::with_capacity(4 * (cells.len() + spill.len() + 1));
    out.extend(cells.iter().flat_map(|cell| cell.to_le_bytes()));
    out.extend(length(spill.len()));
    out.extend(spill.iter().flat_map(|word| word.to_le_bytes()));
    for code in 0..column.shared() {
        let value = column.value(code);
        out.extend(length(value.len()));
        out.extend_from_slice(value);
    }
    out
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

fn read_column(bytes: &[u8], hosts: usize) -> Option<Column> {
    let (cells, rest) = bytes.split_at_checked(hosts.checked_mul(4)?)?;
    let (count, rest) = read_length(rest)?;
    let (spill, mut rest) = rest.split_at_checked(count.checked_mul(4)?)?;
    let mut values: Vec<Box<[u8]>> = Vec::new();
    while !rest.is_empty() {
        let (count, after) = read_length(rest)?;
        let (value, after) = after.split_at_checked(count)?;
        values.push(value.into());
        rest = after;
    }
    Column::from_raw(words(cells), words(spill), values)
}

fn read_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*word)).ok()?, rest))
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Builder;
    use super::*;
    use crate::facet::{FacetKind, HostFacts};

    fn population() -> Population {
        let mut builder = Builder::new();
        for n in 1..=40_u8 {
            let address = if n % 9 == 0 { format!("2001:db8::{n}") } else { format!("192.0.2.{n}") };
            let mut host = HostFacts::new(address.parse().unwrap());
            host.all_ports = n % 7 == 0;
            for key in [n % 3, n % 5 + 10, n + 100] {
                host.facets.push((FacetKind::SshHostKey, format!("key {key}").into_bytes()));
            }
            builder.add(&host);
        }
        builder.finish()
    }

    fn read(parts: &[(&str, Vec<u8>)]) -> Option<Population> {
        let of = |name: &str| parts.iter().find(|one| one.0 == name).map(|one| one.1.clone()).unwrap_or_default();
        Population::from_parts(|name| Ok::<_, ()>(of(name))).unwrap()
    }

    fn parts(of: &Population) -> Vec<(&'static str, Vec<u8>)> {
        Population::parts().into_iter().map(|name| (name, of.to_part(name))).collect()
    }

    #[test]
    fn a_population_comes_back_from_its_parts_as_it_was() {
        let made = population();
        let back = read(&parts(&made)).unwrap();
        assert_eq!(format!("{back:?}"), format!("{made:?}"));
    }

    #[test]
    fn parts_that_were_cut_or_altered_give_no_population_or_one_that_can_be_asked() {
        let whole = parts(&population());
        for name in [HOSTS, Rung::HostKey.name()] {
            let place = whole.iter().position(|one| one.0 == name).unwrap();
            for byte in 0..whole[place].1.len() {
                let mut cut = whole.clone();
                cut[place].1.truncate(byte);
                assert!(read(&cut).is_none_or(|one| one.len() < 40), "{name} cut at {byte}");
                let mut altered = whole.clone();
                altered[place].1[byte] ^= 0xff;
                if let Some(one) = read(&altered) {
                    for (_, column) in one.columns() {
                        let held = (0..40).flat_map(|host| column.codes(host)).map(|code| column.count(*code)).max();
                        assert!(held.is_none_or(|count| count <= 120));
                    }
                }
            }
        }
    }
}
