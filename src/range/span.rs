//! Address ranges, and many of them sorted so that the ones holding an address are found fast.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv4Subnets, Ipv6Net, Ipv6Subnets};

/// Addresses from one to another of one family, both inside; not always a CIDR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    start: IpAddr,
    end: IpAddr,
}

impl AddressRange {
    /// From `start` to `end`; `None` when they are reversed or of two families.
    #[must_use]
    pub fn new(start: IpAddr, end: IpAddr) -> Option<Self> {
        (start.is_ipv4() == end.is_ipv4() && start <= end).then_some(Self { start, end })
    }

    /// The addresses of a network.
    #[must_use]
    pub fn of(network: IpNet) -> Self {
        Self { start: network.network(), end: network.broadcast() }
    }

    /// One address.
    #[must_use]
    pub fn one(address: IpAddr) -> Self {
        Self { start: address, end: address }
    }

    /// `count` addresses from `start`; `None` when there are none or they go past the end of the family.
    #[must_use]
    pub fn counted(start: IpAddr, count: u128) -> Option<Self> {
        let last = |first: u128| first.checked_add(count.checked_sub(1)?);
        let end = match start {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(last(u128::from(v4.to_bits()))?).ok()?)),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(last(v6.to_bits())?)),
        };
        Some(Self { start, end })
    }

    /// The first address.
    #[must_use]
    pub fn start(&self) -> IpAddr {
        self.start
    }

    /// The last address.
    #[must_use]
    pub fn end(&self) -> IpAddr {
        self.end
    }

    /// How many addresses; all of IPv6 counts one less.
    #[must_use]
    pub fn count(&self) -> u128 {
        let (start, end) = (bits(self.start), bits(self.end));
        (end - start).saturating_add(1)
    }

    /// Whether the address is inside.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.start.is_ipv4() == address.is_ipv4() && self.start <= address && address <= self.end
    }

    /// Whether all of `other` is inside.
    #[must_use]
    pub fn holds(&self, other: &Self) -> bool {
        self.contains(other.start) && self.contains(other.end)
    }

    /// Whether they share an address.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.start.is_ipv4() == other.start.is_ipv4() && self.start <= other.end && other.start <= self.end
    }

    /// The fewest CIDRs that are exactly this range: at most 62 for IPv4, 254 for IPv6.
    #[must_use]
    pub fn networks(&self) -> Vec<IpNet> {
        match (self.start, self.end) {
            (IpAddr::V4(start), IpAddr::V4(end)) => Ipv4Subnets::new(start, end, 0).map(IpNet::V4).collect(),
            (IpAddr::V6(start), IpAddr::V6(end)) => Ipv6Subnets::new(start, end, 0).map(IpNet::V6).collect(),
            _ => Vec::new(),
        }
    }

    /// The one CIDR that it is, if it is one.
    #[must_use]
    pub fn network(&self) -> Option<IpNet> {
        match (self.start, self.end) {
            (IpAddr::V4(start), IpAddr::V4(end)) => {
                let spread = start.to_bits() ^ end.to_bits();
                let length = u8::try_from(spread.leading_zeros()).ok()?;
                let network = Ipv4Net::new(start, length).ok()?;
                (network.network() == start && network.broadcast() == end).then_some(IpNet::V4(network))
            }
            (IpAddr::V6(start), IpAddr::V6(end)) => {
                let spread = start.to_bits() ^ end.to_bits();
                let length = u8::try_from(spread.leading_zeros()).ok()?;
                let network = Ipv6Net::new(start, length).ok()?;
                (network.network() == start && network.broadcast() == end).then_some(IpNet::V6(network))
            }
            _ => None,
        }
    }
}

impl fmt::Display for AddressRange {
    /// As a CIDR where it is one, else `first - last`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.network() {
            Some(network) => network.fmt(f),
            None => write!(f, "{} - {}", self.start, self.end),
        }
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}
