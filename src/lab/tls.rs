//! TLS servers as data, and rustls configurations made from it. What differs between stacks here is what differs between
//! real ones: versions, suites and who chooses among them, groups, ALPN, tickets, a demand for the client's certificate.

use std::sync::Arc;

use rustls::crypto::ring::{self, Ticketer, cipher_suite, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};

use super::LabError;
use super::certificate::{Certificate, Mint};

/// One TLS server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// How it behaves.
    pub manners: &'static Manners,
    /// What it shows.
    pub certificate: Certificate,
}

/// How a TLS server behaves, whatever its certificate.
#[derive(Debug, PartialEq, Eq)]
pub struct Manners {
    /// Versions it speaks.
    pub versions: Versions,
    /// Suites it takes, in its order.
    pub suites: &'static [Suite],
    /// Chooses by its own order, not by the client's.
    pub own_order: bool,
    /// Key exchange groups, in its order.
    pub groups: &'static [Curve],
    /// ALPN names it knows, in its order; none means that it ignores ALPN.
    pub alpn: &'static [&'static str],
    /// Gives tickets.
    pub tickets: bool,
    /// Demands a certificate of the client.
    pub asks_client: bool,
}

/// TLS versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// TLS 1.2 alone.
    Only12,
    /// TLS 1.3 alone.
    Only13,
    /// Both.
    Both,
}

/// Ciphers; each stands for its TLS 1.2 (ECDHE, ECDSA) and its TLS 1.3 suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// AES-128-GCM.
    Aes128,
    /// AES-256-GCM.
    Aes256,
    /// ChaCha20-Poly1305.
    ChaCha,
}

/// Key exchange groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    /// X25519.
    X25519,
    /// secp256r1.
    P256,
    /// secp384r1.
    P384,
}

impl Tls {
    /// The rustls configuration, with a certificate from `mint`.
    pub(super) fn config(&self, mint: &mut Mint) -> Result<ServerConfig, LabError> {
        let manners = self.manners;
        let provider = Arc::new(CryptoProvider {
            cipher_suites: manners.suites.iter().flat_map(|suite| suite.both()).collect(),
            kx_groups: manners.groups.iter().map(|group| group.group()).collect(),
            ..ring::default_provider()
        });
        let (chain, key) = mint.chain(&self.certificate)?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&manners.versions.list())?;
        let builder = if manners.asks_client {
            let mut roots = RootCertStore::empty();
            roots.add(chain.last().cloned().ok_or(LabError::NoCertificate)?)?;
            builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?,
            )
        } else {
            builder.with_no_client_auth()
        };
        let mut config = builder.with_single_cert(chain, key)?;
        config.ignore_client_order = manners.own_order;
        config.alpn_protocols = manners.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        if manners.tickets {
            config.ticketer = Ticketer::new()?;
        } else {
            config.send_tls13_tickets = 0;
        }
        Ok(config)
    }
}

impl Versions {
    fn list(self) -> Vec<&'static SupportedProtocolVersion> {
        match self {
            Self::Only12 => vec![&TLS12],
            Self::Only13 => vec![&TLS13],
            Self::Both => vec![&TLS12, &TLS13],
        }
    }
}

impl Suite {
    fn both(self) -> [SupportedCipherSuite; 2] {
        match self {
            Self::Aes128 => {
                [cipher_suite::TLS13_AES_128_GCM_SHA256, cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]
            }
            Self::Aes256 => {
                [cipher_suite::TLS13_AES_256_GCM_SHA384, cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]
            }
            Self::ChaCha => [
                cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
                cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            ],
        }
    }
}

impl Curve {
    fn group(self) -> &'static dyn SupportedKxGroup {
        match self {
            Self::X25519 => kx_group::X25519,
            Self::P256 => kx_group::SECP256R1,
            Self::P384 => kx_group::SECP384R1,
        }
    }
}

/// What most stacks here do: both versions, the client's order.
pub(super) static STOCK: Manners = Manners {
    versions: Versions::Both,
    suites: &[Suite::Aes256, Suite::Aes128, Suite::ChaCha],
    own_order: false,
    groups: &[Curve::X25519, Curve::P256, Curve::P384],
    alpn: &["http/1.1"],
    tickets: true,
    asks_client: false,
};
/// The same with HTTP/2 in front.
pub(super) static STOCK_H2: Manners = Manners { alpn: &["h2", "http/1.1"], ..STOCK };
/// A program that knows no ALPN.
pub(super) static STOCK_PLAIN: Manners = Manners { alpn: &[], tickets: false, ..STOCK };
/// TLS 1.2 alone, by its own order.
pub(super) static ONLY_12: Manners = Manners { versions: Versions::Only12, own_order: true, alpn: &[], ..STOCK };
/// TLS 1.3 alone: its certificate never goes in clear.
pub(super) static ONLY_13: Manners = Manners { versions: Versions::Only13, ..STOCK };
/// Demands a certificate of the client.
pub(super) static MUTUAL: Manners = Manners { asks_client: true, ..STOCK };
/// The first provider's proxy.
pub(super) static FIRST: Manners = Manners {
    versions: Versions::Both,
    suites: &[Suite::ChaCha, Suite::Aes256],
    own_order: true,
    groups: &[Curve::P384, Curve::X25519, Curve::P256],
    alpn: &["http/1.1"],
    tickets: false,
    asks_client: false,
};
/// The second provider's.
pub(super) static SECOND: Manners = Manners {
    versions: Versions::Both,
    suites: &[Suite::Aes128],
    own_order: true,
    groups: &[Curve::P256, Curve::X25519],
    alpn: &["http/1.1", "h2"],
    tickets: true,
    asks_client: false,
};
/// A content delivery network's edge.
pub(super) static EDGE: Manners =
    Manners { suites: &[Suite::Aes128, Suite::ChaCha], own_order: true, alpn: &["h2", "http/1.1"], ..STOCK };
/// A vendor's control panel.
pub(super) static PANEL: Manners = Manners {
    versions: Versions::Only12,
    suites: &[Suite::ChaCha, Suite::Aes256, Suite::Aes128],
    own_order: true,
    groups: &[Curve::P256],
    alpn: &[],
    tickets: false,
    asks_client: false,
};
/// A lawful company's fleet.
pub(super) static FLEET: Manners =
    Manners { suites: &[Suite::Aes256], own_order: true, groups: &[Curve::P256, Curve::P384], ..STOCK };
