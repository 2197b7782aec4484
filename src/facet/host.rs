//! A host as the linkage sees it: what is known of one address, all services together.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{FacetKind, Group};
use crate::clock::Timestamp;

/// One address with its facets, whatever scanner heard them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFacts {
    /// The address.
    pub address: IpAddr,
    /// Origin AS, where known.
    pub asn: Option<u32>,
    /// Announced prefix, where known.
    pub prefix: Option<IpNet>,
    /// Ports that answered, ascending.
    pub open_ports: Vec<u16>,
    /// True when the open ports are those of a sweep over many ports, not only of the ports asked.
    pub all_ports: bool,
    /// Groups that were asked about and did not answer in time: unknown, not absent.
    pub timed_out: Vec<Group>,
    /// Kinds with their stored values ([`super::Facet::stored`]); a kind may repeat.
    pub facets: Vec<(FacetKind, Vec<u8>)>,
    /// First sight, where known.
    pub first_seen: Option<Timestamp>,
    /// Last sight, where known.
    pub last_seen: Option<Timestamp>,
}

impl HostFacts {
    /// A host of which nothing is known yet.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        Self {
            address,
            asn: None,
            prefix: None,
            open_ports: Vec::new(),
            all_ports: false,
            timed_out: Vec::new(),
            facets: Vec::new(),
            first_seen: None,
            last_seen: None,
        }
    }

    /// Groups that timed out and of which nothing is known from elsewhere.
    #[must_use]
    pub fn unknown(&self) -> Vec<Group> {
        let known = |group: Group| self.facets.iter().any(|(kind, _)| kind.info().group == Some(group));
        self.timed_out.iter().copied().filter(|group| !known(*group)).collect()
    }
}
