//! A built-in street of servers with known truth, on loopback: for the demo, training and tests.
//!
//! In: a seed and a [`Layout`]. Out: a [`Plan`] (data, the same for the same seed), a [`Street`] that serves it, and the
//! truth about every address. Two made-up providers with habits of their own live there, among people on stock software,
//! a content delivery network, a cloned public image, a vendor's panel, one customer of both providers, and hosts that
//! are silent, slow or rude. It is the only place that listens; it dials nobody, and the pipeline never reads its truth.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::Ipv4Net;

mod certificate;
mod draw;
mod host_key;
mod names;
mod pages;
mod people;
mod plan;
mod serve;
mod site;
mod ssh;
mod sshd;
mod stacks;
mod state;
mod street;
mod tls;
mod truth;

pub use certificate::{CertKey, Certificate, Issuer, Part};
pub use plan::{Host, Layout, Odd, Offer, Pace, Plan, Ports, SeedRank, Speaks};
pub use site::{Head, Page, Site, Stack};
pub use sshd::{HostKey, KeyKind, Lists, Sshd};
pub use state::{Ended, State, read_state, request_stop, run_until_stopped};
pub use street::Street;
pub use tls::{Curve, Manners, Suite, Tls, Versions};
pub use truth::{Expected, TruthRow};

/// Why a street could not be planned, brought up or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The block is not the lab's to use.
    #[error("{0} cannot hold a street: choose a /16 of 127.0.0.0/8, such as 127.77.0.0/16")]
    Block(Ipv4Net),
    /// Somebody listens there already.
    #[error("{0} is in use: is another street up? `hostkin lab down` ends it")]
    Busy(SocketAddr),
    /// The port cannot be opened for another reason.
    #[error("cannot listen on {socket}")]
    Listen {
        /// Where.
        socket: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No thread or runtime.
    #[error("cannot start the street")]
    Start(#[source] io::Error),
    /// A street of this directory is up.
    #[error("a street is up already (process {0}): `hostkin lab down` ends it")]
    AlreadyUp(i32),
    /// The street was asked to stop and did not.
    #[error("process {0} was asked to stop its street and has not: end it by hand")]
    StillUp(i32),
    /// A state file cannot be read or written.
    #[error("cannot use `{path}`")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A host key could not be made.
    #[error("cannot make a {0} key")]
    Key(&'static str),
    /// A plan without a certificate where one is needed.
    #[error("a server that asks for certificates has none itself")]
    NoCertificate,
    /// A certificate could not be made.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// rustls refused a configuration.
    #[error("cannot configure TLS")]
    Tls(#[from] rustls::Error),
    /// rustls refused to ask for client certificates.
    #[error("cannot ask for client certificates")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}
