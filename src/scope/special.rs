//! Blocks that are no provider's hosts: the IANA special-purpose registries (RFC 6890), multicast and retired forms.
//!
//! The table is `scopes/iana-special-purpose.csv`, dated there and built into the program. An address of one of these
//! blocks is never asked, whatever a grant says; a lab may ask loopback and the benchmarking block.

use std::fmt;
use std::net::IpAddr;
use std::sync::LazyLock;

use ipnet::IpNet;

use super::address::AddressSet;
use super::error::ScopeError;

const TABLE: &str = include_str!("../../scopes/iana-special-purpose.csv");

static BLOCKS: LazyLock<Result<Vec<Block>, usize>> = LazyLock::new(|| parse(TABLE));

/// A special-purpose block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its addresses.
    pub network: IpNet,
    /// Its name in the registry.
    pub name: &'static str,
    /// The RFC that set it aside.
    pub source: &'static str,
    /// Whether a lab may ask it.
    pub lab: bool,
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, {}", self.network, self.name, self.source)
    }
}

/// All blocks, as the registries list them; some lie within others.
///
/// # Errors
/// [`ScopeError::SpecialPurpose`] when the built-in table is broken: then nothing may be sent.
pub fn blocks() -> Result<&'static [Block], ScopeError> {
    BLOCKS.as_deref().map_err(|line| ScopeError::SpecialPurpose { line: *line })
}

/// The narrowest block that holds the address.
#[must_use]
pub fn find(address: IpAddr) -> Option<&'static Block> {
    let blocks = blocks().unwrap_or_default();
    blocks.iter().filter(|block| block.network.contains(&address)).max_by_key(|block| block.network.prefix_len())
}

/// Blocks and what of each may not be asked: all of it, or in a lab what is not the lab's.
///
/// # Errors
/// As [`blocks`].
pub(super) fn closed(lab: bool) -> Result<impl Iterator<Item = (&'static Block, AddressSet)>, ScopeError> {
    let blocks = blocks()?;
    // A lab's block may lie within one that is not: `::1` is also an IPv4-compatible address.
    let open = AddressSet::new(blocks.iter().filter(|block| lab && block.lab).map(|block| block.network));
    Ok(blocks.iter().map(move |block| (block, AddressSet::new([block.network]).subtract(&open))))
}

fn parse(table: &'static str) -> Result<Vec<Block>, usize> {
    let lines = (1..).zip(table.lines()).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(number, line)| parse_line(line).ok_or(number)).collect()
}

fn parse_line(line: &'static str) -> Option<Block> {
    let mut cells = line.split(',');
    let (network, name, source, mark) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
    let marked = matches!(mark, "" | "lab" | "other") && cells.next().is_none();
    // Not `parse_network`: it refuses IPv4-mapped forms, which this one table has to name.
    let network: IpNet = network.parse().ok()?;
    (marked && network.trunc() == network && !name.is_empty() && !source.is_empty()).then_some(Block {
        network,
        name,
        source,
        lab: mark == "lab",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let records = TABLE.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(blocks().unwrap().len(), records);
        // 26 rows of the IPv4 registry, whose two discovery addresses share one, 25 of the IPv6 registry, 4 of ours.
        let ours = TABLE.lines().filter(|line| line.ends_with(",other")).count();
        assert_eq!((records, ours), (55, 4));
    }

    #[test]
    fn a_broken_line_is_named() {
        assert_eq!(parse("# fine\n10.0.0.0/8,Private-Use,RFC 1918,\n10.0.0.1/8,x,y,\n"), Err(3));
    }

    #[test]
    fn the_narrowest_block_answers() {
        assert_eq!(find("192.0.0.9".parse().unwrap()).unwrap().name, "Port Control Protocol Anycast");
        assert_eq!(find("203.0.113.9".parse().unwrap()).unwrap().name, "Documentation (TEST-NET-3)");
        assert_eq!(find("9.9.9.9".parse().unwrap()), None);
        assert_eq!(find("2a00::1".parse().unwrap()), None);
    }

    #[test]
    fn only_loopback_and_benchmarking_are_for_labs() {
        let lab: Vec<String> =
            blocks().unwrap().iter().filter(|one| one.lab).map(|one| one.network.to_string()).collect();
        assert_eq!(lab, ["127.0.0.0/8", "198.18.0.0/15", "::1/128"]);
    }

    #[test]
    fn forms_that_hide_an_ipv4_address_are_blocked() {
        for text in ["::ffff:9.9.9.9", "::9.9.9.9", "64:ff9b::909:909", "2002:909:909::1", "2001:0:1::1"] {
            assert!(find(text.parse().unwrap()).is_some(), "{text}");
        }
    }
}
