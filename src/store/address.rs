//! Addresses as keys: a family byte (4 or 6), then the octets, so that keys sort as the numbers do, IPv4 first.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{Result, StoreError};

/// The key of `address`.
pub(super) fn key(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => std::iter::once(4).chain(v4.octets()).collect(),
        IpAddr::V6(v6) => std::iter::once(6).chain(v6.octets()).collect(),
    }
}

/// The address of `key`.
pub(super) fn from_key(key: &[u8]) -> Result<IpAddr> {
    let read = match key.split_first() {
        Some((4, octets)) => <[u8; 4]>::try_from(octets).ok().map(|octets| IpAddr::V4(Ipv4Addr::from(octets))),
        Some((6, octets)) => <[u8; 16]>::try_from(octets).ok().map(|octets| IpAddr::V6(Ipv6Addr::from(octets))),
        _ => None,
    };
    read.ok_or_else(|| StoreError::damaged("a host without an address"))
}

/// The keys of the first and last address of `network`.
pub(super) fn bounds(network: IpNet) -> (Vec<u8>, Vec<u8>) {
    (key(network.network()), key(network.broadcast()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_addresses_do_and_read_back() {
        let sorted: Vec<IpAddr> = ["9.0.0.1", "10.0.0.0", "127.0.0.1", "::1", "::ffff:9.0.0.1", "2001:db8::"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        assert!(sorted.is_sorted());
        assert!(sorted.iter().map(|one| key(*one)).is_sorted());
        for one in sorted {
            assert_eq!(from_key(&key(one)).unwrap(), one);
        }
    }

    #[test]
    fn a_key_of_another_length_is_damage_not_a_panic() {
        for bad in [&[][..], &[4], &[4, 1, 2, 3], &[6, 1], &[9, 1, 2, 3, 4]] {
            assert!(from_key(bad).is_err());
        }
    }
}
