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

mod presence;

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

/// How one probe of one service ended. A row in the store, not an `Err`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The far side spoke the protocol.
    Answered,
    /// It spoke, but not this protocol.
    Mismatch,
    /// The connection was refused.
    Refused,
    /// The connection was reset.
    Reset,
    /// The far side closed without an answer.
    Closed,
    /// Nothing came in time.
    TimedOut,
    /// TLS was refused by an alert.
    TlsAlert,
    /// The network said the host cannot be reached.
    Unreachable,
    /// The scope does not permit this; nothing was sent.
    OutOfScope,
    /// The run was stopped first.
    Stopped,
    /// Some slots of a probe stayed unknown after retries.
    Incomplete,
    /// A hunt ruled the host out before the probe was whole.
    Pruned,
    /// Our own fault; `detail` says which.
    Failed,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 13] = [
        Self::Answered,
        Self::Mismatch,
        Self::Refused,
        Self::Reset,
        Self::Closed,
        Self::TimedOut,
        Self::TlsAlert,
        Self::Unreachable,
        Self::OutOfScope,
        Self::Stopped,
        Self::Incomplete,
        Self::Pruned,
        Self::Failed,
    ];

    /// The stable word for rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Mismatch => "mismatch",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::TimedOut => "timed_out",
            Self::TlsAlert => "tls_alert",
            Self::Unreachable => "unreachable",
            Self::OutOfScope => "out_of_scope",
            Self::Stopped => "stopped",
            Self::Incomplete => "incomplete",
            Self::Pruned => "pruned",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Outcome {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|one| one.as_str() == text).ok_or_else(|| UnknownWord(text.to_owned()))
    }
}

/// What one connection was for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Step {
    /// One of JARM's ten hellos, 0 to 9.
    #[n(0)]
    Jarm(#[n(0)] u8),
    /// A full TLS session; `true` when ALPN `http/1.1` was offered.
    #[n(1)]
    Session(#[n(0)] bool),
    /// `GET /`, in clear or inside the session of the same service.
    #[n(2)]
    Page,
    /// `GET /favicon.ico`.
    #[n(3)]
    Favicon,
    /// SSH banner, KEXINIT and one key exchange. The text is the host key algorithm asked for; empty on the first
    /// connection, which takes what the server offers first of those we can verify.
    #[n(4)]
    Kex(#[n(0)] String),
    /// The SSLv3 hello of specs 6.4, sent only where nothing else gave a certificate.
    #[n(5)]
    OldHello,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Jarm(probe) => write!(f, "jarm/{probe}"),
            Self::Session(true) => f.write_str("session"),
            Self::Session(false) => f.write_str("session/no-alpn"),
            Self::Page => f.write_str("page"),
            Self::Favicon => f.write_str("favicon"),
            Self::Kex(algorithm) if algorithm.is_empty() => f.write_str("kex"),
            Self::Kex(algorithm) => write!(f, "kex/{algorithm}"),
            Self::OldHello => f.write_str("old-hello"),
        }
    }
}

/// How one connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum End {
    /// The conversation had what it wanted and hung up.
    #[n(0)]
    Done,
    /// The far side closed.
    #[n(1)]
    Closed,
    /// The far side reset an open connection.
    #[n(2)]
    Reset,
    /// The connection was refused.
    #[n(3)]
    Refused,
    /// The network said no (ICMP unreachable, no route).
    #[n(4)]
    Unreachable,
    /// No connection in time.
    #[n(5)]
    ConnectTimedOut,
    /// Silence while listening, or the total deadline passed.
    #[n(6)]
    ReadTimedOut,
    /// The byte limit was reached; more was there to hear.
    #[n(7)]
    Full,
    /// The scope did not permit it; nothing was sent.
    #[n(8)]
    OutOfScope,
    /// The run was stopped.
    #[n(9)]
    Stopped,
    /// Our own fault: out of descriptors, ports or memory.
    #[n(10)]
    Failed,
}

impl End {
    /// True for ends that say nothing about the far side, only that time or patience ran out.
    #[must_use]
    pub fn is_timeout(self) -> bool {
        matches!(self, Self::ConnectTimedOut | Self::ReadTimedOut)
    }

    /// The outcome of a probe whose deciding connection ended so with nothing heard.
    #[must_use]
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Done | Self::Closed => Outcome::Closed,
            Self::Reset => Outcome::Reset,
            Self::Refused => Outcome::Refused,
            Self::Unreachable => Outcome::Unreachable,
            Self::ConnectTimedOut | Self::ReadTimedOut => Outcome::TimedOut,
            Self::Full => Outcome::Mismatch,
            Self::OutOfScope => Outcome::OutOfScope,
            Self::Stopped => Outcome::Stopped,
            Self::Failed => Outcome::Failed,
        }
    }
}

/// What a full TLS session agreed on, and the proof that the far side holds its key.
#[derive(Clone, Debug, PartialEq, Eq, Default, Encode, Decode)]
pub struct Session {
    /// Protocol version as on the wire, 0x0303 or 0x0304; 0 when the handshake did not get so far.
    #[n(0)]
    pub version: u16,
    /// Cipher suite as on the wire.
    #[n(1)]
    pub cipher_suite: u16,
    /// The ALPN name the server chose.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub alpn: Option<Vec<u8>>,
    /// Certificates as sent, leaf first; at most 16.
    #[n(3)]
    pub chain: Vec<Blob>,
    /// `CertificateVerify` or `ServerKeyExchange` signature.
    #[n(4)]
    pub proof: Option<HandshakeSignature>,
    /// The alert the far side sent, if it refused.
    #[n(5)]
    pub alert: Option<u8>,
    /// True when the handshake was completed.
    #[n(6)]
    pub complete: bool,
    /// What our own TLS library said when it gave up.
    #[n(7)]
    pub error: Option<String>,
}

/// The signature by which a TLS server proves its key, with the bytes that were signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct HandshakeSignature {
    /// `SignatureScheme` as on the wire.
    #[n(0)]
    pub scheme: u16,
    /// What was signed.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub message: Vec<u8>,
    /// The signature.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub signature: Vec<u8>,
}

/// Bytes, as a CBOR byte string.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Blob(#[cbor(n(0), with = "minicbor::bytes")] pub Vec<u8>);

/// One connection: what was sent, what was heard, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Exchange {
    /// What it was for.
    #[n(0)]
    pub step: Step,
    /// Milliseconds from the start of the observation to the start of this connection.
    #[n(1)]
    pub started_ms: u32,
    /// How long it lasted.
    #[n(2)]
    pub lasted_ms: u32,
    /// Bytes sent, in clear. Inside TLS: the plain text.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub sent: Vec<u8>,
    /// Bytes heard, in order, up to the limit. Inside TLS: the plain text.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub heard: Vec<u8>,
    /// How many of `heard` came with the first read.
    #[n(5)]
    pub first_read: u32,
    /// How it ended.
    #[n(6)]
    pub end: End,
    /// Bytes on the wire for this connection, as we sent them (TLS records included).
    #[n(7)]
    pub wire_sent: u64,
    /// Bytes on the wire for this connection, as we heard them.
    #[n(8)]
    pub wire_heard: u64,
    /// What TLS agreed on, for [`Step::Session`].
    #[n(9)]
    pub session: Option<Session>,
    /// The SSH shared secret K as an mpint body, so that the exchange hash can be computed again by a stranger.
    #[cbor(n(10), with = "minicbor::bytes")]
    pub secret: Option<Vec<u8>>,
    /// Words for [`End::Failed`] and [`End::OutOfScope`].
    #[n(11)]
    pub note: Option<String>,
}

impl Exchange {
    /// A connection for `step` that ended before anything was sent.
    #[must_use]
    pub fn unsent(step: Step, end: End, note: Option<String>) -> Self {
        Self {
            step,
            started_ms: 0,
            lasted_ms: 0,
            sent: Vec::new(),
            heard: Vec::new(),
            first_read: 0,
            end,
            wire_sent: 0,
            wire_heard: 0,
            session: None,
            secret: None,
            note,
        }
    }

    /// The bytes of the first read alone.
    #[must_use]
    pub fn first(&self) -> &[u8] {
        let upto = usize::try_from(self.first_read).unwrap_or(usize::MAX).min(self.heard.len());
        self.heard.get(..upto).unwrap_or_default()
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
