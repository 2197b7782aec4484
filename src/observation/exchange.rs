//! What one connection was for, what it gave, and how it ended. Stored as CBOR.

use std::fmt;

use minicbor::{Decode, Encode};

use super::Outcome;

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
