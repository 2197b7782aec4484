//! Ranges that their own hosts support.
//!
//! A block is listed whole when the case has seen nobody else's host in it, nothing in it is allowed, one holder holds it, and
//! either at least half of its addresses are listed hosts, or [`ENOUGH`] hosts were seen, all of them the provider's: were one
//! host in ten somebody else's, so many in a row would come up with a chance of 5 % at most.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::Candidate;

/// Hosts of the provider in a row that make a block: 0.9^n <= 0.05.
const ENOUGH: usize = 29;

/// The widest blocks ever listed.
const WIDEST_V4: u8 = 24;
const WIDEST_V6: u8 = 64;

/// Blocks and single addresses that hold exactly the candidates, in order.
pub(super) fn widened<'a>(
    candidates: &[Candidate<'a>],
    strangers: &BTreeSet<IpAddr>,
    allow: &[IpNet],
) -> Vec<(IpNet, Vec<Candidate<'a>>)> {
    let mut blocks = BTreeMap::<IpNet, Vec<Candidate<'a>>>::new();
    for one in candidates {
        let address = one.host.address;
        let length = if address.is_ipv4() { WIDEST_V4 } else { WIDEST_V6 };
        let block = IpNet::new(address, length).map_or(IpNet::from(address), |net| net.trunc());
        blocks.entry(block).or_default().push(*one);
    }
    let mut out = Vec::new();
    for (block, inside) in blocks {
        narrow(block, inside, strangers, allow, &mut out);
    }
    out
}

/// Lists the block, or what of its halves can be listed.
fn narrow<'a>(
    block: IpNet,
    inside: Vec<Candidate<'a>>,
    strangers: &BTreeSet<IpAddr>,
    allow: &[IpNet],
    out: &mut Vec<(IpNet, Vec<Candidate<'a>>)>,
) {
    let [first, rest @ ..] = inside.as_slice() else { return };
    if rest.is_empty() {
        out.push((IpNet::from(first.host.address), inside));
        return;
    }
    let alone = strangers.range(block.network()..=block.broadcast()).next().is_none();
    let allowed = allow.iter().any(|net| net.contains(&block) || block.contains(net));
    let one_holder = rest.iter().all(|one| one.host.holder == first.host.holder)
        && first.host.holder.as_ref().is_none_or(|holder| holder.network.contains(&block));
    let bits = u32::from(block.max_prefix_len() - block.prefix_len());
    let half = bits <= 8 && inside.len() * 2 >= 1 << bits;
    if alone && !allowed && one_holder && (half || inside.len() >= ENOUGH) {
        out.push((block, inside));
        return;
    }
    let Ok(halves) = block.subnets(block.prefix_len() + 1) else { return };
    for half in halves {
        let within = inside.iter().filter(|one| half.contains(&one.host.address)).copied().collect();
        narrow(half, within, strangers, allow, out);
    }
}
