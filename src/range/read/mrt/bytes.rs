//! A cursor over one record that never reads past its end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// A field that does not fit into what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a field goes past the end of the record")]
pub(super) struct Short;

/// What is left of a record.
pub(super) struct Bytes<'a> {
    left: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(super) fn new(left: &'a [u8]) -> Self {
        Self { left }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.left
    }

    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Short> {
        let (head, tail) = self.left.split_at_checked(count).ok_or(Short)?;
        self.left = tail;
        Ok(head)
    }

    pub(super) fn skip(&mut self, count: usize) -> Result<(), Short> {
        self.take(count).map(|_| ())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let (head, tail) = self.left.split_first_chunk::<N>().ok_or(Short)?;
        self.left = tail;
        Ok(*head)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Short> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Short> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Short> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next `count` bytes as a record of their own.
    pub(super) fn part(&mut self, count: usize) -> Result<Self, Short> {
        self.take(count).map(Self::new)
    }

    /// An address of the family.
    pub(super) fn address(&mut self, v4: bool) -> Result<IpAddr, Short> {
        if v4 {
            self.array::<4>().map(|octets| Ipv4Addr::from(octets).into())
        } else {
            self.array::<16>().map(|octets| Ipv6Addr::from(octets).into())
        }
    }

    /// A prefix as BGP writes it: length in bits, then as many bytes as it needs. Bits behind the prefix are cleared, as
    /// routers do. `Ok(None)` for a length that the family does not have.
    pub(super) fn prefix(&mut self, v4: bool) -> Result<Option<IpNet>, Short> {
        let length = self.u8()?;
        let bytes = self.take(usize::from(length).div_ceil(8))?;
        let mut octets = [0u8; 16];
        match octets.get_mut(..bytes.len()) {
            Some(start) => start.copy_from_slice(bytes),
            None => return Ok(None),
        }
        let [a, b, c, d, ..] = octets;
        let address: IpAddr = if v4 { Ipv4Addr::new(a, b, c, d).into() } else { Ipv6Addr::from(octets).into() };
        Ok(IpNet::new(address, length).ok().map(|net| net.trunc()))
    }
}
