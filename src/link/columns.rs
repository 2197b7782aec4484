//! A population as bytes, so that it need not be made anew from every observation: one part for the hosts, one for each
//! rung. Postings and counts are not kept; they are read off the cells in one pass.
//!
//! All numbers are little-endian. `hosts`: for each host 1 byte (4 or 6, and 16 more where every port answers) and its
//! octets. A rung's part: the number of hosts, its cells ([`Cells`]), then the values, each after its length. Bytes that do not fit together give
//! no population: it is then made from the observations.
//!
//! The parts `lone …` and `simhashes` are read only when hosts are added ([`Population::updated`]): the number of long
//! values, each one's code and digest, then the hosts of lone values, each as the difference from the one before, and
//! their tags in the same order; the hosts of simhashes likewise, and the hashes.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};

use super::aside::{Aside, Lone};
use super::cells::{Cells, words};
use super::column::{Column, Filled, Texts};
use super::parallel;
use super::population::{Population, at};
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
        include_str!("cells.rs"),
        include_str!("column.rs"),
        include_str!("builder.rs"),
        include_str!("aside.rs"),
        include_str!("update.rs"),
        include_str!("columns.rs"),
    ];
    let digest: [u8; 32] = rules.iter().fold(Sha256::new(), Sha256::chain_update).finalize().into();
    let first = digest.first_chunk::<8>().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(first))
}

/// The name of the part that holds the hosts.
const HOSTS: &str = "hosts";
/// The name of the part that holds the simhashes.
const SIMHASHES: &str = "simhashes";
/// Marks a host where every port answers.
const EVERYWHERE: u8 = 16;

impl Population {
    /// The names of the parts that [`to_part`](Self::to_part) gives.
    #[must_use]
    pub fn parts() -> Vec<String> {
        let aside = Rung::ALL.into_iter().map(lone_part).chain([SIMHASHES.to_owned()]);
        let columns = std::iter::once(HOSTS).chain(Rung::ALL.into_iter().map(Rung::name));
        columns.map(str::to_owned).chain(aside).collect()
    }

    /// One part as bytes; empty for a name that is none.
    #[must_use]
    pub fn to_part(&self, name: &str) -> Vec<u8> {
        if name == HOSTS {
            return self.hosts_part();
        }
        if name == SIMHASHES {
            return self.aside().map(|aside| simhash_part(&aside.simhashes)).unwrap_or_default();
        }
        if let Some(rung) = Rung::ALL.into_iter().find(|rung| lone_part(*rung) == name) {
            return self.aside().and_then(|aside| aside.lone.get(rung.place())).map(lone_bytes).unwrap_or_default();
        }
        let column = self.columns().find(|(rung, _)| rung.name() == name);
        column.map(|(_, column)| column_part(column, self.len())).unwrap_or_default()
    }

    /// The same with what is needed to add hosts.
    ///
    /// # Errors
    /// What `part` gives.
    pub fn from_all_parts<P, E>(mut part: impl FnMut(&str) -> Result<P, E>) -> Result<Option<Self>, E>
    where
        P: FnOnce() -> Option<Vec<u8>> + Send,
    {
        let Some(population) = Self::from_parts(&mut part)? else { return Ok(None) };
        let mut aside = Aside::default();
        for (rung, slot) in Rung::ALL.into_iter().zip(&mut aside.lone) {
            let bytes = part(&lone_part(rung))?();
            let Some(lone) = bytes.and_then(|bytes| read_lone(&bytes, population.len())) else { return Ok(None) };
            *slot = lone;
        }
        let bytes = part(SIMHASHES)?();
        let simhashes = bytes.and_then(|bytes| read_simhashes(&bytes, population.len()));
        let Some(simhashes) = simhashes else { return Ok(None) };
        aside.simhashes = simhashes;
        Ok(Some(population.with_aside(aside)))
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

    /// A population from its parts; `None` when they do not fit together. `part` is called for one after the other; what it
    /// gives unpacks them on all processors, to `None` where they are damaged.
    ///
    /// # Errors
    /// What `part` gives.
    pub fn from_parts<P, E>(mut part: impl FnMut(&str) -> Result<P, E>) -> Result<Option<Self>, E>
    where
        P: FnOnce() -> Option<Vec<u8>> + Send,
    {
        let hosts = Mutex::new(Some(part(HOSTS)?));
        let hosts = || hosts.lock().unwrap_or_else(PoisonError::into_inner).take()?();
        let packed = Rung::ALL.into_iter().map(|rung| part(rung.name()));
        let read = |packed: P| packed().and_then(|bytes| read_column(&bytes));
        let (hosts, rungs) =
            parallel::both(|| hosts().and_then(|bytes| read_hosts(&bytes)), || parallel::map_read(packed, read));
        let Some((addresses, everywhere)) = hosts else { return rungs.map(|_| None) };
        let fits = |(hosts, rung): (usize, Filled)| (hosts == addresses.len()).then_some(rung);
        let rungs: Option<Vec<Filled>> = rungs?.into_iter().map(|one| one.and_then(fits)).collect();
        Ok(rungs.and_then(|rungs| Self::assemble(addresses, everywhere, rungs)))
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

fn column_part(column: Column<'_>, hosts: usize) -> Vec<u8> {
    let mut out = length(hosts).to_vec();
    out.extend(Cells::of(hosts, column.cells(), column.spill()).bytes());
    out.extend_from_slice(column.texts());
    out
}

fn lone_part(rung: Rung) -> String {
    format!("lone {}", rung.name())
}

/// Hosts, ascending, as differences: most are small, so that they pack well.
fn differences(hosts: impl Iterator<Item = u32>) -> impl Iterator<Item = [u8; 4]> {
    hosts.scan(0_u32, |before, host| {
        let step = host.wrapping_sub(*before);
        *before = host;
        Some(step.to_le_bytes())
    })
}

fn lone_bytes(lone: &Lone) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + 20 * lone.long.len() + 8 * lone.tags.len());
    out.extend(length(lone.long.len()));
    for (code, digest) in &lone.long {
        out.extend(code.to_le_bytes());
        out.extend(digest.iter().flat_map(|word| word.to_le_bytes()));
    }
    out.extend(differences(lone.tags.iter().map(|one| one.0)).flatten());
    out.extend(lone.tags.iter().flat_map(|one| one.1.to_le_bytes()));
    out
}

fn simhash_part(simhashes: &[(u32, u64)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(12 * simhashes.len());
    out.extend(differences(simhashes.iter().map(|one| one.0)).flatten());
    out.extend(simhashes.iter().flat_map(|one| one.1.to_le_bytes()));
    out
}

fn read_lone(bytes: &[u8], hosts: usize) -> Option<Lone> {
    let (count, rest) = read_length(bytes)?;
    let (long, rest) = rest.split_at_checked(count.checked_mul(20)?)?;
    let long = long.as_chunks::<20>().0.iter().map(|one| {
        let mut words = one.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
        let code = words.next().unwrap_or_default();
        (code, std::array::from_fn(|_| words.next().unwrap_or_default()))
    });
    let (places, tags) = halves::<4>(rest, hosts)?;
    let tags = tags.iter().map(|tag| u32::from_le_bytes(*tag));
    Some(Lone { long: long.collect(), tags: places.into_iter().zip(tags).collect() })
}

fn read_simhashes(bytes: &[u8], hosts: usize) -> Option<Vec<(u32, u64)>> {
    let (places, hashes) = halves::<8>(bytes, hosts)?;
    Some(places.into_iter().zip(hashes.iter().map(|hash| u64::from_le_bytes(*hash))).collect())
}

/// Hosts as differences, and as many things of `N` bytes.
fn halves<const N: usize>(bytes: &[u8], hosts: usize) -> Option<(Vec<u32>, &[[u8; N]])> {
    let count = bytes.len() / (4 + N);
    let (places, things) = bytes.split_at_checked(4 * count)?;
    let (things, []) = things.as_chunks::<N>() else { return None };
    let mut last = 0_u32;
    let places = words(places).into_iter().map(|step| {
        last = last.checked_add(step)?;
        (at(last) < hosts).then_some(last)
    });
    (things.len() == count).then_some((places.collect::<Option<Vec<u32>>>()?, things))
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

/// Of how many hosts a column says it is, and the column.
fn read_column(bytes: &[u8]) -> Option<(usize, Filled)> {
    let (hosts, rest) = read_length(bytes)?;
    let (cells, values) = Cells::read(rest, hosts)?;
    Some((hosts, Filled::new(cells, Texts::read(values)?)?))
}

fn read_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (word, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*word)).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::super::Builder;
    use super::*;
    use crate::facet::{FacetKind, HostFacts};

    fn population() -> Population {
        let mut builder = Builder::new();
        for n in 1..=64_u8 {
            let address = if n % 9 == 0 { format!("2001:db8::{n}") } else { format!("192.0.2.{n}") };
            let mut host = HostFacts::new(address.parse().unwrap());
            host.all_ports = n % 7 == 0;
            host.facets.push((FacetKind::HttpBodySimhash, format!("{:x}", 1_u64 << (n % 60)).into_bytes()));
            for key in [n % 3, n % 5 + 10, n + 100] {
                host.facets.push((FacetKind::SshHostKey, format!("key {key}").into_bytes()));
            }
            builder.add(&host);
        }
        builder.finish()
    }

    fn read(parts: &[(String, Vec<u8>)]) -> Option<Population> {
        let of = |name: &str| parts.iter().find(|one| one.0 == name).map(|one| one.1.clone()).unwrap_or_default();
        Population::from_all_parts(|name| {
            let bytes = of(name);
            Ok::<_, ()>(|| Some(bytes))
        })
        .unwrap()
    }

    fn parts(of: &Population) -> Vec<(String, Vec<u8>)> {
        Population::parts().into_iter().map(|name| (name.clone(), of.to_part(&name))).collect()
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
        for name in [HOSTS, Rung::HostKey.name(), &lone_part(Rung::HostKey), SIMHASHES] {
            let place = whole.iter().position(|one| one.0 == name).unwrap();
            for byte in 0..whole[place].1.len() {
                let mut cut = whole.clone();
                cut[place].1.truncate(byte);
                let less = |one: Population| one.len() < 64 || one.aside() != population().aside();
                assert!(read(&cut).is_none_or(less), "{name} cut at {byte}");
                let mut altered = whole.clone();
                altered[place].1[byte] ^= 0xff;
                if let Some(one) = read(&altered) {
                    for (_, column) in one.columns() {
                        let held = (0..64).flat_map(|host| column.codes(host)).map(|code| column.count(*code)).max();
                        assert!(held.is_none_or(|count| count <= 192));
                    }
                }
            }
        }
    }
}
