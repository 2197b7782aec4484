//! The nouns that stages hand on: a [`Service`], what one connection to it gave (an [`Exchange`]), and what one probe
//! of it heard, raw, and how it ended (an [`Observation`]).
//!
//! Nothing here interprets bytes. A [`Capture`] is stored as CBOR (RFC 8949) with numbered fields, so that a stranger
//! can decode it with any CBOR reader and a later version can add fields.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use minicbor::{Decode, Encode};

use crate::clock::Timestamp;

mod exchange;
mod outcome;
mod presence;

pub use exchange::{Blob, End, Exchange, HandshakeSignature, Session, Step};
pub use outcome::Outcome;
pub use presence::{Presence, Presences};

/// A protocol a service may be asked to speak: the key of a grant's `ports` and the `protocol` of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Speech {
    /// TLS: JARM, certificates, a full session.
    Tls,
    /// HTTP/1.1, in clear or over TLS.
    Http,
    /// SSH transport layer.
    Ssh,
}

impl Speech {
    /// All, in the order they are tried on one host.
    pub const ALL: [Self; 3] = [Self::Tls, Self::Http, Self::Ssh];

    /// The stable name used in scope files, rows and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Ssh => "ssh",
        }
    }
}

impl fmt::Display for Speech {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Speech {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|one| one.as_str() == text).ok_or_else(|| UnknownWord(text.to_owned()))
    }
}

/// A word that names nothing here.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a known name")]
pub struct UnknownWord(pub String);

/// An address and port, the protocol to speak there, and the name to ask for, if one is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service {
    /// Where.
    pub address: IpAddr,
    /// TCP port.
    pub port: u16,
    /// What is spoken.
    pub speech: Speech,
    /// SNI and `Host:`; `None` when asked by address.
    pub name: Option<String>,
}

impl Service {
    /// The socket address to dial.
    #[must_use]
    pub fn socket(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }

    /// What JARM sends as SNI and HTTP as host: the name, or else the address as text.
    #[must_use]
    pub fn asked_as(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.address.to_string())
    }
}

/// Everything one probe heard, connection by connection, in the order they were made.
#[derive(Clone, Debug, PartialEq, Eq, Default, Encode, Decode)]
pub struct Capture {
    /// Name or address the far side was asked as (SNI, `Host:`).
    #[n(0)]
    pub asked_as: String,
    /// The connections.
    #[n(1)]
    pub exchanges: Vec<Exchange>,
    /// Version of the requests that were sent (specs 5: 1).
    #[n(2)]
    pub request_version: u8,
    /// Set when a hunt or a stop ended the probe early: the outcome to record.
    #[n(3)]
    pub cut_short: Option<CutShort>,
}

/// Why a probe was not carried to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum CutShort {
    /// A hunt ruled the host out.
    #[n(0)]
    Pruned,
    /// The run was stopped.
    #[n(1)]
    Stopped,
    /// A bug of ours ended the probe.
    #[n(2)]
    Failed,
}

impl CutShort {
    /// The outcome that this is, whatever the bytes say.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Pruned => Outcome::Pruned,
            Self::Stopped => Outcome::Stopped,
            Self::Failed => Outcome::Failed,
        }
    }
}

impl Capture {
    /// How the probe ended, where the bytes say `heard`: what cut it short goes before that.
    #[must_use]
    pub fn ended(&self, heard: Outcome) -> Outcome {
        self.cut_short.map_or(heard, CutShort::outcome)
    }

    /// The capture as CBOR.
    #[must_use]
    pub fn to_cbor(&self) -> Vec<u8> {
        minicbor::to_vec(self).unwrap_or_default()
    }

    /// Reads a capture back.
    ///
    /// # Errors
    /// When the bytes are not a capture of a version this program knows.
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, minicbor::decode::Error> {
        minicbor::decode(bytes)
    }
}

/// What one probe of one service heard, raw, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What was asked.
    pub service: Service,
    /// True when the protocol rode on TLS.
    pub over_tls: bool,
    /// UTC start.
    pub started_at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// More words for the outcome.
    pub detail: Option<String>,
    /// What was heard.
    pub capture: Capture,
}

impl Observation {
    /// Connections opened for this observation alone. The HTTPS page rides on a connection of the TLS row, which counts it.
    #[must_use]
    pub fn connections(&self) -> u64 {
        let own = |one: &&Exchange| {
            let unsent = matches!(one.end, End::OutOfScope | End::Stopped);
            let shared = self.over_tls && one.step == Step::Page;
            !unsent && !shared
        };
        u64::try_from(self.capture.exchanges.iter().filter(own).count()).unwrap_or(u64::MAX)
    }

    /// Bytes sent and heard on the wire.
    #[must_use]
    pub fn wire_bytes(&self) -> (u64, u64) {
        let all = &self.capture.exchanges;
        (all.iter().map(|one| one.wire_sent).sum(), all.iter().map(|one| one.wire_heard).sum())
    }
}

/// First and last sight of something, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// First sight.
    pub first: Timestamp,
    /// Last sight.
    pub last: Timestamp,
    /// How often.
    pub count: u64,
}

impl Seen {
    /// Seen once.
    #[must_use]
    pub fn once(at: Timestamp) -> Self {
        Self { first: at, last: at, count: 1 }
    }

    /// Both sights together; the order does not matter.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            first: self.first.min(other.first),
            last: self.last.max(other.last),
            count: self.count.saturating_add(other.count),
        }
    }
}
