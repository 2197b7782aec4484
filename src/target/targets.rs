//! The hosts of a scan: each address once, with all its services, found by position.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::TargetError;
use super::line::TargetLine;
use crate::observation::{Service, Speech};
use crate::scope::address::{AddressSet, Range, number, step};
use crate::scope::overlay::Overlay;
use crate::scope::{Reach, Refusal, Scope, hex};

/// Most hosts of one scan: positions fit in 48 bits, as the places of a permutation and of a bitmap should.
const MOST_HOSTS: u128 = 1 << 48;

/// Most left-out lines kept with their reason; further ones are counted.
const MOST_LEFT_OUT: usize = 1_000;

/// One host: an address and all that is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The address.
    pub address: IpAddr,
    /// In the order of [`Speech::ALL`], then by port, then by name (none first).
    pub services: Vec<Service>,
}

/// Where a host is, without its services: hosts of one kind have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The address.
    pub address: IpAddr,
    /// Its place in [`Targets::kinds`].
    pub kind: u32,
}

/// A line of a target list of which the scope permits nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The line.
    pub target: TargetLine,
    /// Why; for a network, why its first address is not asked.
    pub why: Refusal,
}

/// The hosts of a scan, by position. Takes memory for each range and each line, not for each address.
///
/// Opt-out files are not taken off, since they change while a scan runs and positions must not: the scope refuses those
/// addresses when they come up.
#[derive(Clone, Debug)]
pub struct Targets {
    /// Ascending and disjoint.
    segments: Vec<Segment>,
    offers: Vec<Vec<Offer>>,
    hosts: u64,
    services: u128,
    digest: String,
    left_out: Vec<LeftOut>,
    left_out_in_all: u64,
}

/// Neighbouring addresses with the same services.
#[derive(Clone, Copy, Debug)]
struct Segment {
    first: IpAddr,
    last: IpAddr,
    /// Position of the first.
    start: u64,
    offer: usize,
}

impl Segment {
    fn address(&self, position: u64) -> Option<IpAddr> {
        step(self.first, u128::from(position.checked_sub(self.start)?))
    }
}

/// A service without its address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Offer {
    speech: Speech,
    port: u16,
    name: Option<Arc<str>>,
}

/// Addresses and what is asked of them.
struct Layer {
    addresses: AddressSet,
    offers: Vec<Offer>,
}

impl Targets {
    /// Everything the scope permits.
    ///
    /// # Errors
    /// [`TargetError::TooMany`].
    pub fn from_scope(scope: &Scope) -> Result<Self, TargetError> {
        let layer = |reach: &Reach| Layer { addresses: reach.addresses.clone(), offers: offers(reach, None, None) };
        Self::from_layers(&scope.reach().iter().map(layer).collect::<Vec<_>>())
    }

    /// What these lines ask for, as far as the scope permits it; the rest is in [`Targets::left_out`].
    ///
    /// # Errors
    /// [`TargetError::TooMany`].
    pub fn from_lines(scope: &Scope, lines: &[TargetLine]) -> Result<Self, TargetError> {
        // Lines without a name that want the same port are one set; a name stands alone with its address.
        let mut plain: BTreeMap<Option<u16>, Vec<Range>> = BTreeMap::new();
        let mut layers = Vec::new();
        let mut left_out = Vec::new();
        let mut left_out_in_all = 0u64;
        for target in lines {
            let network = AddressSet::new([target.network]);
            let mut reached = false;
            for reach in scope.reach() {
                let offers = offers(reach, target.port, target.name.as_deref());
                let addresses = if offers.is_empty() { continue } else { cut(&reach.addresses, &network) };
                if addresses.is_empty() {
                    continue;
                }
                reached = true;
                if target.name.is_some() {
                    layers.push(Layer { addresses, offers });
                }
            }
            if !reached {
                left_out_in_all = left_out_in_all.saturating_add(1);
                if left_out.len() < MOST_LEFT_OUT {
                    left_out.push(LeftOut { target: target.clone(), why: why_not(scope, target) });
                }
            } else if target.name.is_none() {
                plain.entry(target.port).or_default().push(target.network.into());
            }
        }
        for (port, ranges) in plain {
            let wanted = AddressSet::new(ranges);
            for reach in scope.reach() {
                let offers = offers(reach, port, None);
                layers.push(Layer { addresses: reach.addresses.intersect(&wanted), offers });
            }
        }
        Ok(Self { left_out, left_out_in_all, ..Self::from_layers(&layers)? })
    }

    fn from_layers(layers: &[Layer]) -> Result<Self, TargetError> {
        let overlay = Overlay::new(layers.iter().filter(|one| !one.offers.is_empty()).map(|one| &one.addresses));
        let layers: Vec<&Layer> = layers.iter().filter(|one| !one.offers.is_empty()).collect();
        // Combinations that come to the same services are one.
        let mut known: HashMap<Vec<Offer>, usize> = HashMap::new();
        let mut all_offers: Vec<Vec<Offer>> = Vec::new();
        let mut places = Vec::with_capacity(overlay.combinations.len());
        for combination in &overlay.combinations {
            let here = combination.iter().filter_map(|layer| layers.get(*layer));
            let mut offers: Vec<Offer> = here.flat_map(|layer| layer.offers.iter().cloned()).collect();
            offers.sort_unstable();
            offers.dedup();
            places.push(*known.entry(offers).or_insert_with_key(|offers| {
                all_offers.push(offers.clone());
                all_offers.len().saturating_sub(1)
            }));
        }
        let mut merged: Vec<(Range, usize)> = Vec::with_capacity(overlay.segments.len());
        for segment in &overlay.segments {
            let offer = places.get(segment.combination).copied().unwrap_or_default();
            match merged.last_mut() {
                Some((open, same)) if *same == offer && step(open.last, 1) == Some(segment.range.first) => {
                    open.last = segment.range.last;
                }
                _ => merged.push((segment.range, offer)),
            }
        }
        Self::from_segments(&merged, all_offers)
    }

    fn from_segments(merged: &[(Range, usize)], offers: Vec<Vec<Offer>>) -> Result<Self, TargetError> {
        let hosts = merged.iter().fold(0u128, |sum, (range, _)| sum.saturating_add(range.count()));
        let widest = merged.iter().map(|(range, _)| *range).max_by_key(Range::count);
        if let Some(widest) = widest.filter(|_| hosts > MOST_HOSTS) {
            return Err(TargetError::TooMany { widest });
        }
        let mut segments = Vec::with_capacity(merged.len());
        let mut start = 0u64;
        let mut services = 0u128;
        let mut digest = Sha256::new();
        digest.update(b"hostkin/targets/1\n");
        let written: Vec<String> = offers.iter().map(|offers| write_offers(offers)).collect();
        for (range, offer) in merged {
            let line = format!("{}-{}", range.first, range.last);
            digest.update(line.as_bytes());
            digest.update(written.get(*offer).map_or("", String::as_str).as_bytes());
            segments.push(Segment { first: range.first, last: range.last, start, offer: *offer });
            start = start.saturating_add(u64::try_from(range.count()).unwrap_or(u64::MAX));
            let each = offers.get(*offer).map_or(0, Vec::len);
            services = services.saturating_add(range.count().saturating_mul(u128::try_from(each).unwrap_or(0)));
        }
        let digest = hex(&digest.finalize());
        Ok(Self { segments, offers, hosts: start, services, digest, left_out: Vec::new(), left_out_in_all: 0 })
    }

    /// How many hosts; positions go from 0 to one below.
    #[must_use]
    pub fn hosts(&self) -> u64 {
        self.hosts
    }

    /// How many services of all hosts together.
    #[must_use]
    pub fn services(&self) -> u128 {
        self.services
    }

    /// The host at a position; `None` past the last. Positions ascend with addresses, IPv4 first.
    #[must_use]
    pub fn host(&self, position: u64) -> Option<Host> {
        let segment = self.segment(position)?;
        let address = segment.address(position)?;
        let offers = self.offers.get(segment.offer)?;
        let service = |offer: &Offer| Service {
            address,
            port: offer.port,
            speech: offer.speech,
            name: offer.name.as_deref().map(str::to_owned),
        };
        Some(Host { address, services: offers.iter().map(service).collect() })
    }

    /// The same without its services: what discovery needs of each host, with nothing allocated.
    #[must_use]
    pub fn spot(&self, position: u64) -> Option<Spot> {
        let segment = self.segment(position)?;
        Some(Spot { address: segment.address(position)?, kind: u32::try_from(segment.offer).ok()? })
    }

    /// The services of each kind of host, in the order that [`Host::services`] has.
    pub fn kinds(&self) -> impl Iterator<Item = impl Iterator<Item = (Speech, u16)> + '_> + '_ {
        self.offers.iter().map(|offers| offers.iter().map(|offer| (offer.speech, offer.port)))
    }

    fn segment(&self, position: u64) -> Option<&Segment> {
        if position >= self.hosts {
            return None;
        }
        let above = self.segments.partition_point(|segment| segment.start <= position);
        self.segments.get(above.checked_sub(1)?)
    }

    /// The position of an address; `None` when it is not asked.
    #[must_use]
    pub fn position_of(&self, address: IpAddr) -> Option<u64> {
        self.find(address).map(|(position, _)| position)
    }

    /// The position of an address and its kind; `None` when it is not asked.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Option<(u64, u32)> {
        let above = self.segments.partition_point(|segment| segment.first <= address);
        let segment = self.segments.get(above.checked_sub(1)?)?;
        if address > segment.last {
            return None;
        }
        let ahead = number(address).checked_sub(number(segment.first))?;
        Some((segment.start.checked_add(u64::try_from(ahead).ok()?)?, u32::try_from(segment.offer).ok()?))
    }

    /// SHA-256 of the hosts and their services, hex: the same hosts give the same digest, however they were written. A
    /// run can be resumed only where this has not changed.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Lines of which the scope permits nothing, in the order of the list; at most 1000 of them.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// How many such lines there are in all.
    #[must_use]
    pub fn left_out_in_all(&self) -> u64 {
        self.left_out_in_all
    }

    /// Stretches of neighbouring addresses with the same services, ascending: for plans, without visiting each host.
    pub fn stretches(&self) -> impl Iterator<Item = (Range, Vec<(Speech, u16)>)> + '_ {
        self.segments.iter().map(|segment| {
            let offers = self.offers.get(segment.offer).map(Vec::as_slice).unwrap_or_default();
            let services = offers.iter().map(|offer| (offer.speech, offer.port)).collect();
            (Range { first: segment.first, last: segment.last }, services)
        })
    }
}

/// What is asked of a grant's addresses: all, or only what listens on `port`.
fn offers(reach: &Reach, port: Option<u16>, name: Option<&str>) -> Vec<Offer> {
    let wanted = reach.services.iter().filter(|(_, other)| port.is_none_or(|port| port == *other));
    let name: Option<Arc<str>> = name.map(Into::into);
    wanted.map(|(speech, port)| Offer { speech: *speech, port: *port, name: name.clone() }).collect()
}

/// The part of `large` within one range: long lists ask this for each line, so the whole set is not walked.
fn cut(large: &AddressSet, one: &AddressSet) -> AddressSet {
    let Some(wanted) = one.ranges().first() else { return AddressSet::default() };
    let ranges = large.ranges();
    let from = ranges.partition_point(|range| range.last < wanted.first);
    let near = ranges.iter().skip(from).take_while(|range| range.first <= wanted.last);
    AddressSet::new(near.map(|range| Range { first: range.first.max(wanted.first), last: range.last.min(wanted.last) }))
}

/// Why nothing of a line is asked, told by its first address.
fn why_not(scope: &Scope, target: &TargetLine) -> Refusal {
    // Without a port any granted one will do to ask about: then it is the address that is not granted.
    let granted = || scope.grants().iter().flat_map(|grant| &grant.services).map(|(_, port)| *port).next();
    let port = target.port.or_else(granted).unwrap_or(0);
    scope.why_not(SocketAddr::new(target.network.network(), port), None)
}

/// Services as one line of the digest.
fn write_offers(offers: &[Offer]) -> String {
    let each = |offer: &Offer| match &offer.name {
        Some(name) => format!(" {}/{}/{name}", offer.speech, offer.port),
        None => format!(" {}/{}", offer.speech, offer.port),
    };
    offers.iter().map(each).collect::<String>() + "\n"
}

#[cfg(test)]
mod tests;
