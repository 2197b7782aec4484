//! A scope in numbers: whom it reaches, with how many connections, and how long that takes at the permitted rate.

use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;

use ipnet::IpNet;
use serde::Serialize;

use super::address::{AddressSet, Range, number, step};
use super::limits::Limits;
use super::overlay::{Overlay, Segment};
use super::{Reach, Scope, special};
use crate::clock::Timestamp;
use crate::observation::Speech;

/// Most networks (/24, /48) for which the origin AS is looked up one by one.
const MOST_LOOK_UPS: u128 = 1 << 20;

/// What a scope permits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// What it is for.
    pub title: String,
    /// Who permits it.
    pub authority: String,
    /// Whom to write to.
    pub contact: Option<String>,
    /// Where it is explained.
    pub page: Option<String>,
    /// First instant inside.
    pub valid_from: Timestamp,
    /// First instant outside.
    pub valid_until: Timestamp,
    /// Why it is not in force now; `None` when it is.
    pub not_in_force: Option<String>,
    /// Loopback and benchmarking addresses only.
    pub lab: bool,
    /// SHA-256 of the file, hex.
    pub sha256: String,
    /// The limits in force.
    pub limits: Limits,
    /// Grant by grant, in the file's order.
    pub grants: Vec<GrantExplained>,
    /// All grants together; an address in two grants counts once.
    pub total: Totals,
    /// Most connections one address can get.
    pub most_per_host: u128,
    /// Most connections one IPv4 /24 or IPv6 /48 can get, and one network for which that is so.
    pub most_per_network: Option<(IpNet, u128)>,
    /// Most connections one AS can get, and its number. `None` when origins are not known; then all may go to one.
    pub most_per_asn: Option<(u32, u128)>,
    /// How long all of it takes at the permitted rate.
    pub time: PermittedTime,
    /// What is wrong with the opt-out files now.
    pub troubles: Vec<String>,
}

/// One grant in numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GrantExplained {
    /// Its name.
    pub name: String,
    /// Its line in the file.
    pub line: usize,
    /// Its networks as written.
    pub networks: Vec<IpNet>,
    /// Addresses as written.
    pub written: u128,
    /// What takes addresses off it, the widest special-purpose block first.
    pub removed: Vec<Removed>,
    /// What is left.
    pub left: Totals,
}

impl GrantExplained {
    /// True when nothing of it is left to ask.
    #[must_use]
    pub fn is_emptied(&self) -> bool {
        self.left.addresses == 0
    }
}

/// Addresses taken off a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// By what: a special-purpose block with its name and source, `[exclude] networks`, `opt-out files`, or `the
    /// options of this run`.
    pub by: String,
    /// How many.
    pub addresses: u128,
}

/// Addresses, services and connections.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
pub struct Totals {
    /// Addresses that may be asked.
    pub addresses: u128,
    /// Of each protocol, services that may be asked; protocols without any are left out.
    pub services: Vec<(&'static str, u128)>,
    /// Connections of a full capture, at most.
    pub connections: u128,
}

/// How long a full capture of everything takes at the permitted rate.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PermittedTime {
    /// In seconds; `None` when no limit applies.
    pub seconds: Option<f64>,
    /// The limit that decides.
    pub bound_by: Option<&'static str>,
}

pub(super) fn explain(scope: &Scope, now: Timestamp, cost: &dyn Fn(Speech) -> u64) -> Explanation {
    let opted_out = scope.opt_out.addresses(now);
    let most = scope.limits.per_host_connections;
    let left: Vec<Reach> = scope
        .reach
        .iter()
        .map(|one| Reach { addresses: one.addresses.subtract(&opted_out), services: one.services.clone() })
        .collect();
    let each = scope.written.grants.iter().zip(&scope.reach[..]).zip(&left);
    let grants = each.map(|((grant, reach), left)| {
        let written = AddressSet::new(grant.networks.iter().copied());
        GrantExplained {
            name: grant.name.clone(),
            line: grant.line,
            networks: grant.networks.clone(),
            written: written.count(),
            removed: removed(scope, written, reach, &left.addresses),
            left: totals(&pieces(std::slice::from_ref(left), most, cost)),
        }
    });
    let grants = grants.collect();
    let pieces = pieces(&left, most, cost);
    let total = totals(&pieces);
    let most_per_host = pieces.iter().map(|piece| piece.connections).max().unwrap_or(0);
    let most_per_network = busiest_network(&pieces);
    let most_per_asn = busiest_asn(scope, &pieces);
    let time = permitted_time(
        &scope.limits,
        [
            total.connections,
            most_per_network.map_or(0, |(_, connections)| connections),
            most_per_host,
            most_per_asn.map_or(0, |(_, connections)| connections),
        ],
    );
    Explanation {
        title: scope.title().to_owned(),
        authority: scope.authority().to_owned(),
        contact: scope.contact().map(str::to_owned),
        page: scope.page().map(str::to_owned),
        valid_from: scope.valid_from(),
        valid_until: scope.valid_until(),
        not_in_force: scope.in_force(now).err().map(|error| error.to_string()),
        lab: scope.is_lab(),
        sha256: scope.sha256.clone(),
        limits: scope.limits,
        grants,
        total,
        most_per_host,
        most_per_network,
        most_per_asn,
        time,
        troubles: scope.opt_out.files().into_iter().filter_map(|file| file.trouble).collect(),
    }
}

/// What takes addresses off a grant, each address counted once, at the first that takes it.
fn removed(scope: &Scope, written: AddressSet, reach: &Reach, left: &AddressSet) -> Vec<Removed> {
    let mut removed = Vec::new();
    let mut rest = written;
    let mut take = |rest: &mut AddressSet, by: &dyn Fn() -> String, away: &AddressSet| {
        let after = rest.subtract(away);
        let addresses = rest.count().saturating_sub(after.count());
        if addresses > 0 {
            removed.push(Removed { by: by(), addresses });
        }
        *rest = after;
    };
    let mut blocks: Vec<_> = special::closed(scope.is_lab()).into_iter().flatten().collect();
    blocks.sort_by_key(|(block, _)| block.network.prefix_len());
    for (block, closed) in blocks {
        take(&mut rest, &|| block.to_string(), &closed);
    }
    take(&mut rest, &|| "[exclude] networks".to_owned(), &AddressSet::new(scope.excluded().iter().copied()));
    let narrowed = rest.subtract(&reach.addresses);
    take(&mut rest, &|| "the options of this run".to_owned(), &narrowed);
    let opted_out = rest.subtract(left);
    take(&mut rest, &|| "opt-out files".to_owned(), &opted_out);
    removed
}

/// Neighbouring addresses with the same services.
struct Piece {
    range: Range,
    services: Rc<[(Speech, u16)]>,
    /// To each address.
    connections: u128,
}

fn pieces(reach: &[Reach], most: Option<u64>, cost: &dyn Fn(Speech) -> u64) -> Vec<Piece> {
    let overlay = Overlay::new(reach.iter().map(|one| &one.addresses));
    let kinds: Vec<Rc<[(Speech, u16)]>> = overlay
        .combinations
        .iter()
        .map(|layers| {
            let here = layers.iter().filter_map(|layer| reach.get(*layer));
            let mut services: Vec<(Speech, u16)> = here.flat_map(|one| one.services.iter().copied()).collect();
            services.sort_unstable();
            services.dedup();
            services.into()
        })
        .collect();
    let piece = |segment: &Segment| {
        let services = Rc::clone(kinds.get(segment.combination)?);
        let wanted: u128 = services.iter().map(|(speech, _)| u128::from(cost(*speech))).sum();
        let connections = most.map_or(wanted, |most| wanted.min(u128::from(most)));
        (!services.is_empty()).then_some(Piece { range: segment.range, services, connections })
    };
    overlay.segments.iter().filter_map(piece).collect()
}

fn totals(pieces: &[Piece]) -> Totals {
    let sum = |each: &dyn Fn(&Piece) -> u128| {
        pieces.iter().fold(0u128, |sum, piece| sum.saturating_add(piece.range.count().saturating_mul(each(piece))))
    };
    let count = |piece: &Piece, speech: Speech| -> u128 {
        piece.services.iter().filter(|(other, _)| *other == speech).fold(0, |sum, _| sum.saturating_add(1))
    };
    let services = Speech::ALL.map(|speech| (speech.as_str(), sum(&|piece| count(piece, speech))));
    Totals {
        addresses: sum(&|_| 1),
        services: services.into_iter().filter(|(_, services)| *services > 0).collect(),
        connections: sum(&|piece| piece.connections),
    }
}

/// The IPv4 /24 or IPv6 /48 that holds the address.
fn network_of(address: IpAddr) -> IpNet {
    let length = if address.is_ipv4() { 24 } else { 48 };
    IpNet::new(address, length).map_or_else(|_| IpNet::from(address), |network| network.trunc())
}

fn span(first: IpAddr, last: IpAddr) -> u128 {
    number(last).saturating_sub(number(first)).saturating_add(1)
}

/// The network that can get the most. Whole networks within a piece are alike, so one of them stands for all.
fn busiest_network(pieces: &[Piece]) -> Option<(IpNet, u128)> {
    let mut best: Option<(IpNet, u128)> = None;
    let mut open: Option<(IpNet, u128)> = None;
    let mut offer = |candidate: Option<(IpNet, u128)>| {
        if candidate.is_some_and(|(_, sum)| best.is_none_or(|(_, most)| sum > most)) {
            best = candidate;
        }
    };
    for piece in pieces {
        let Range { first, last } = piece.range;
        let network = network_of(first);
        let end = network.broadcast().min(last);
        let here = span(first, end).saturating_mul(piece.connections);
        open = match open {
            Some((same, sum)) if same == network => Some((same, sum.saturating_add(here))),
            done => {
                offer(done);
                Some((network, here))
            }
        };
        let Some(next) = step(network.broadcast(), 1).filter(|next| *next <= last) else { continue };
        offer(open);
        if network_of(next) != network_of(last) {
            let whole = span(network_of(next).network(), network_of(next).broadcast());
            offer(Some((network_of(next), whole.saturating_mul(piece.connections))));
        }
        let tail = network_of(last);
        open = Some((tail, span(tail.network(), last).saturating_mul(piece.connections)));
    }
    offer(open);
    best
}

/// The AS that can get the most, asked once for each network; `None` without origins or with too many networks.
fn busiest_asn(scope: &Scope, pieces: &[Piece]) -> Option<(u32, u128)> {
    scope.origins.as_ref()?;
    let networks = |piece: &Piece| {
        let size = span(network_of(piece.range.first).network(), network_of(piece.range.first).broadcast());
        piece.range.count().checked_div(size).unwrap_or(0).saturating_add(2)
    };
    if pieces.iter().fold(0u128, |sum, piece| sum.saturating_add(networks(piece))) > MOST_LOOK_UPS {
        return None;
    }
    let mut sums: HashMap<u32, u128> = HashMap::new();
    for piece in pieces {
        let mut next = Some(piece.range.first);
        while let Some(first) = next {
            let end = network_of(first).broadcast().min(piece.range.last);
            if let Some(asn) = scope.origin(first) {
                let sum = sums.entry(asn).or_default();
                *sum = sum.saturating_add(span(first, end).saturating_mul(piece.connections));
            }
            next = step(end, 1).filter(|next| *next <= piece.range.last);
        }
    }
    sums.into_iter().max_by_key(|(asn, sum)| (*sum, std::cmp::Reverse(*asn)))
}

#[expect(clippy::cast_precision_loss, reason = "a duration for people; 53 bits of connections are exact enough")]
fn permitted_time(limits: &Limits, [run, network, host, asn]: [u128; 4]) -> PermittedTime {
    let bounds = [
        ("connections_per_second", run, limits.connections_per_second),
        ("per_network_per_second", network, limits.per_network_per_second),
        ("per_host_per_second", host, limits.per_host_per_second),
        ("per_asn_per_second", asn, limits.per_asn_per_second),
    ];
    let times = bounds.into_iter().filter_map(|(name, connections, rate)| Some((name, connections as f64 / rate?)));
    let slowest = times.max_by(|(_, one), (_, other)| one.total_cmp(other));
    PermittedTime { seconds: slowest.map(|(_, seconds)| seconds), bound_by: slowest.map(|(name, _)| name) }
}
