//! Control ranges: hosts that are *not* suspected, matched to those that are, as background of the linkage.
//!
//! A habit that the provider shares with its parent network proves nothing; so for each approved range addresses are
//! proposed that lie in the same AS or parent network, are as many, and are outside of all suspicion: no candidate, on no deny
//! list, in no other AS tied to the seeds.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;

use super::fact::Asn;
use super::knowledge::Knowledge;
use super::span::AddressRange;

/// Addresses proposed for one range at the least: fewer than 300 hosts can hardly show a habit to be rare.
const LEAST: u128 = 1_024;
/// Addresses proposed for one range at the most.
const MOST: u128 = 8_192;

/// A control sample for one range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// The range it is matched to.
    pub range: AddressRange,
    /// Networks to ask; empty when none was found.
    pub networks: Vec<IpNet>,
    /// How they match, or why there are none, in words.
    pub words: String,
}

/// Proposes a control sample for `range`, outside of `suspected` (ascending, may overlap) and of `tied` ASes where the sample
/// does not come from the range's own AS.
#[must_use]
pub fn control(
    knowledge: &Knowledge,
    range: AddressRange,
    suspected: &[AddressRange],
    tied: &std::collections::BTreeSet<Asn>,
    now: Option<Date>,
) -> Control {
    let wanted = range.count().clamp(LEAST, MOST);
    let is_clean = |block: &AddressRange| {
        !block.meets(&range)
            && !suspected.iter().any(|one| one.meets(block))
            && knowledge.listings_in(block, now).is_empty()
    };
    let Some(own) = knowledge.origins_at(range.start(), now) else {
        return Control {
            range,
            networks: Vec::new(),
            words: "no file says who announces the range: no like network is known".to_owned(),
        };
    };
    let same_as = own.origins.iter().flat_map(|asn| knowledge.prefixes_of(*asn, now)).map(|found| found.prefix);
    let found = take(same_as, range, wanted, is_clean);
    if enough(&found, wanted) {
        let words = format!(
            "unsuspected networks that {} announces too",
            own.origins.iter().map(Asn::to_string).collect::<Vec<_>>().join(" and ")
        );
        return Control { range, networks: found, words };
    }
    let length = if range.start().is_ipv4() { 16 } else { 32 };
    let parent = IpNet::new(range.start(), length).map(|net| net.trunc());
    let near = parent.map(|net| knowledge.more_specifics(net, now)).unwrap_or_default();
    let strangers =
        near.into_iter().filter(|one| !one.origins.iter().any(|asn| tied.contains(asn))).map(|one| one.prefix);
    let mut networks = found;
    for network in take(strangers, range, wanted, is_clean) {
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    let words = if networks.is_empty() {
        "every network of the same AS and near by is suspected, listed or unknown: take a control sample by hand"
            .to_owned()
    } else {
        "its AS has too little unsuspected space: networks near by of other ASes, a weaker match".to_owned()
    };
    Control { range, networks, words }
}

fn enough(found: &[IpNet], wanted: u128) -> bool {
    found.iter().map(|net| AddressRange::of(*net).count()).sum::<u128>() >= wanted
}

/// Clean /24s (or whole small prefixes) out of prefixes, nearest to the range first, until there are enough.
fn take(
    prefixes: impl Iterator<Item = IpNet>,
    near: AddressRange,
    wanted: u128,
    is_clean: impl Fn(&AddressRange) -> bool,
) -> Vec<IpNet> {
    let far = |net: &IpNet| match (net.network(), near.start()) {
        (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(a.to_bits().abs_diff(b.to_bits())),
        (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits().abs_diff(b.to_bits()),
        _ => u128::MAX,
    };
    let mut prefixes: Vec<IpNet> = prefixes.filter(|net| net.addr().is_ipv4() == near.start().is_ipv4()).collect();
    prefixes.sort_by_key(|net| (far(net), *net));
    prefixes.dedup();
    let (mut taken, mut count): (Vec<IpNet>, u128) = (Vec::new(), 0);
    for prefix in prefixes {
        let parts: Vec<IpNet> = match prefix {
            IpNet::V4(net) if net.prefix_len() < 24 => {
                net.subnets(24).map(|parts| parts.take(256).map(IpNet::V4).collect()).unwrap_or_default()
            }
            IpNet::V6(net) if net.prefix_len() < 112 => Vec::new(),
            other => vec![other],
        };
        for part in parts {
            if count >= wanted {
                return taken;
            }
            let block = AddressRange::of(part);
            if !taken.contains(&part) && is_clean(&block) {
                count += block.count();
                taken.push(part);
            }
        }
    }
    taken
}
