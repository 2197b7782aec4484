//! How much may be sent, and how fast.

use serde::Serialize;

/// Ceilings on connections. `None` is unlimited, which only a lab can have.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Limits {
    /// New connections per second of the whole run.
    pub connections_per_second: Option<f64>,
    /// New connections per second to each IPv4 /24 and IPv6 /48.
    pub per_network_per_second: Option<f64>,
    /// New connections per second to each address.
    pub per_host_per_second: Option<f64>,
    /// Connections to each address in the whole run.
    pub per_host_connections: Option<u64>,
    /// New connections per second to each AS, where the origin AS is known.
    pub per_asn_per_second: Option<f64>,
}

impl Limits {
    /// What a scope without `[limits]` means.
    pub const DEFAULT: Self = Self {
        connections_per_second: Some(200.0),
        per_network_per_second: Some(20.0),
        per_host_per_second: Some(2.0),
        per_host_connections: Some(32),
        per_asn_per_second: Some(50.0),
    };

    /// What a lab without `[limits]` means.
    pub const UNLIMITED: Self = Self {
        connections_per_second: None,
        per_network_per_second: None,
        per_host_per_second: None,
        per_host_connections: None,
        per_asn_per_second: None,
    };
}
