//! One table of who announces what: a million prefixes in some 50 MB, asked in well under a microsecond.

use std::net::IpAddr;
use std::sync::OnceLock;

use ipnet::IpNet;

use super::dataset::Dataset;
use super::fact::{Asn, Origin};
use super::flat::Flat;
use super::sorted::Sorted;
use super::span::AddressRange;

/// A prefix that was announced, by whom, and which file says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced<'a> {
    /// The prefix.
    pub prefix: IpNet,
    /// Who originates it, ascending; several for MOAS.
    pub origins: &'a [Asn],
    /// True where they are known only as members of an AS set: each originates a part of the prefix, perhaps none the whole.
    pub is_set: bool,
    /// How many of the collector's peers saw it.
    pub peers_seen: Option<u32>,
    /// The file, and with it the day.
    pub dataset: &'a Dataset,
}

/// One prefix.
#[derive(Clone, Copy, Debug)]
struct Row {
    prefix: IpNet,
    /// Its origin; with several, these stand in `asns` from the place of this number.
    origin: Asn,
    count: u16,
    is_set: bool,
    /// `u32::MAX` where the file does not say.
    peers_seen: u32,
}

/// A table of origins.
#[derive(Debug, Default)]
pub(super) struct OriginTable {
    rows: Sorted<Row>,
    v4: Flat<u32>,
    v6: Flat<u128>,
    /// Origins of prefixes with several.
    asns: Vec<Asn>,
    /// `(AS, place of the row)`, ascending; made when first asked.
    by_asn: OnceLock<Vec<(Asn, u32)>>,
}

impl OriginTable {
    /// Sorts the rows; rows of one prefix are put together.
    pub(super) fn new(mut origins: Vec<Origin>) -> Self {
        origins.sort_by_key(|one| one.prefix);
        let mut rows: Vec<Row> = Vec::with_capacity(origins.len());
        let mut asns: Vec<Asn> = Vec::new();
        for same in origins.chunk_by(|a, b| a.prefix == b.prefix) {
            let Some(first) = same.first() else { continue };
            let at = asns.len();
            asns.extend(same.iter().flat_map(|one| &one.origins));
            if let Some(new) = asns.get_mut(at..) {
                new.sort_unstable();
            }
            let mut kept = at;
            for from in at..asns.len() {
                let repeated = kept > at && asns.get(from) == asns.get(kept.saturating_sub(1));
                if !repeated {
                    asns.swap(kept, from);
                    kept += 1;
                }
            }
            asns.truncate(kept);
            let count = u16::try_from(kept - at).unwrap_or(u16::MAX);
            let mut origin = Asn(u32::try_from(at).unwrap_or(u32::MAX));
            if count == 1 {
                origin = asns.pop().unwrap_or_default();
            }
            rows.push(Row {
                prefix: first.prefix,
                origin,
                count,
                is_set: count > 1 && same.iter().all(|one| one.is_set),
                peers_seen: same.iter().filter_map(|one| one.peers_seen).max().unwrap_or(u32::MAX),
            });
        }
        rows.shrink_to_fit();
        asns.shrink_to_fit();
        let rows = Sorted::new(rows, |row| AddressRange::of(row.prefix));
        let v4 = Flat::new(rows.as_slice().iter().filter_map(|row| match row.prefix {
            IpNet::V4(net) => Some((net.network().to_bits(), net.broadcast().to_bits())),
            IpNet::V6(_) => None,
        }));
        let v6 = Flat::new(rows.as_slice().iter().filter_map(|row| match row.prefix {
            IpNet::V4(_) => None,
            IpNet::V6(net) => Some((net.network().to_bits(), net.broadcast().to_bits())),
        }));
        Self { rows, v4, v6, asns, by_asn: OnceLock::new() }
    }

    /// Whether it has prefixes of the family.
    pub(super) fn has(&self, v4: bool) -> bool {
        let (of_v4, of_v6) = self.rows.lengths();
        if v4 { of_v4 > 0 } else { of_v6 > 0 }
    }

    fn origins<'a>(&'a self, row: &'a Row) -> &'a [Asn] {
        if row.count == 1 {
            return std::slice::from_ref(&row.origin);
        }
        let at = row.origin.0 as usize;
        self.asns.get(at..at + usize::from(row.count)).unwrap_or_default()
    }

    fn announced<'a>(&'a self, row: &'a Row, dataset: &'a Dataset) -> Announced<'a> {
        Announced {
            prefix: row.prefix,
            origins: self.origins(row),
            is_set: row.is_set,
            peers_seen: (row.peers_seen != u32::MAX).then_some(row.peers_seen),
            dataset,
        }
    }

    /// The longest prefix that holds the address.
    pub(super) fn longest<'a>(&'a self, address: IpAddr, of: &'a Dataset) -> Option<Announced<'a>> {
        let place = match address {
            IpAddr::V4(v4) => self.v4.longest(v4.to_bits())?,
            // IPv4 stands in front.
            IpAddr::V6(v6) => self.rows.lengths().0 + self.v6.longest(v6.to_bits())?,
        };
        self.rows.as_slice().get(place).map(|row| self.announced(row, of))
    }

    /// Prefixes that hold the address, longest first.
    pub(super) fn covering<'a>(&'a self, address: IpAddr, of: &'a Dataset) -> impl Iterator<Item = Announced<'a>> {
        self.rows.covering(address).map(|row| self.announced(row, of))
    }

    /// Prefixes inside the network, itself too.
    pub(super) fn inside<'a>(&'a self, network: IpNet, of: &'a Dataset) -> impl Iterator<Item = Announced<'a>> {
        let rows = self.rows.beginning_in(&AddressRange::of(network)).iter();
        rows.filter(move |row| network.contains(&row.prefix)).map(|row| self.announced(row, of))
    }

    /// What an AS announces.
    pub(super) fn of<'a>(&'a self, asn: Asn, of: &'a Dataset) -> impl Iterator<Item = Announced<'a>> {
        let by_asn = self.by_asn.get_or_init(|| self.sides());
        let from = by_asn.partition_point(|(one, _)| *one < asn);
        let places = by_asn.iter().skip(from).take_while(move |(one, _)| *one == asn);
        places
            .filter_map(move |(_, place)| self.rows.as_slice().get(*place as usize).map(|row| self.announced(row, of)))
    }

    fn sides(&self) -> Vec<(Asn, u32)> {
        let rows = (0u32..).zip(self.rows.as_slice());
        let mut all: Vec<(Asn, u32)> =
            rows.flat_map(|(place, row)| self.origins(row).iter().map(move |asn| (*asn, place))).collect();
        all.sort_unstable();
        all
    }

    /// Every prefix of the family, in address order.
    pub(super) fn every<'a>(&'a self, v4: bool, of: &'a Dataset) -> impl Iterator<Item = Announced<'a>> {
        let (of_v4, _) = self.rows.lengths();
        let rows = self.rows.as_slice();
        let rows = if v4 { rows.get(..of_v4) } else { rows.get(of_v4..) }.unwrap_or_default();
        rows.iter().map(|row| self.announced(row, of))
    }
}
