//! Protocols as pure machines: bytes out, bytes in, facets. No sockets, no clock, no randomness of their own.
//!
//! Each protocol has two halves. A [`Conversation`] is one connection: told what happened, it answers what to do next;
//! `net` drives it and records what was heard. [`Protocol::read`] turns the recorded [`Capture`] into outcome and
//! facets, today or years later. Both halves are total: any bytes give a value, never a panic, and nothing is
//! allocated on the word of a peer.

use crate::facet::Facet;
use crate::observation::{Capture, Outcome, Session, Speech};

pub mod body;
pub mod flight;
pub mod http;
pub mod jarm;
pub mod mmh3;
pub mod read;
pub mod ssh;
pub mod tls;
pub mod x509;

/// What happened on the connection since the conversation was last asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The connection stands; nothing has been heard.
    Connected,
    /// More bytes were heard: those of `heard` from this index on.
    Heard(usize),
    /// The far side closed its half in good order.
    Closed,
}

/// What the conversation wants now. Bytes it put into `out` are sent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Read on.
    Read,
    /// Enough: hang up.
    Done,
}

/// One connection, as a state machine.
pub trait Conversation: Send {
    /// Most bytes to read; more ends the connection as `Full`.
    fn limit(&self) -> usize;

    /// Told what happened and given all bytes heard so far, puts bytes to send into `out` and says what it wants next.
    /// Resets, time-outs and stops end the connection without a further call.
    fn next(&mut self, event: Event, heard: &[u8], out: &mut Vec<u8>) -> Next;

    /// What the connection leaves beside its bytes; called once, after its end.
    fn finish(&mut self) -> Remains {
        Remains::default()
    }
}

/// A conversation that is made when the connection stands: most addresses are dead, and a hello or a TLS session made for
/// nobody would cost more than the question. It is kept apart, so that who waits for an answer takes no room for it.
pub struct Lazy<F, C> {
    make: Option<F>,
    made: Option<Box<C>>,
}

impl<F: FnOnce() -> Option<C> + Send, C: Conversation> Lazy<F, C> {
    /// `make` is called once, at the first event; `None` ends the connection at once.
    pub fn new(make: F) -> Self {
        Self { make: Some(make), made: None }
    }
}

impl<F: FnOnce() -> Option<C> + Send, C: Conversation> Conversation for Lazy<F, C> {
    fn limit(&self) -> usize {
        self.made.as_ref().map_or(0, |made| made.limit())
    }

    fn next(&mut self, event: Event, heard: &[u8], out: &mut Vec<u8>) -> Next {
        if let Some(make) = self.make.take() {
            self.made = make().map(Box::new);
        }
        self.made.as_mut().map_or(Next::Done, |made| made.next(event, heard, out))
    }

    fn finish(&mut self) -> Remains {
        self.made.as_mut().map(|made| made.finish()).unwrap_or_default()
    }
}

/// What a finished conversation leaves beside the bytes it heard.
#[derive(Debug, Default)]
pub struct Remains {
    /// What TLS agreed on.
    pub session: Option<Session>,
    /// The plain text that came and went inside TLS (sent, heard). When present it is kept in place of the records, which
    /// nobody could read.
    pub plain: Option<(Vec<u8>, Vec<u8>)>,
    /// The SSH shared secret.
    pub secret: Option<Vec<u8>>,
    /// True when the far side said inside TLS that it had sent all: the connection then counts as closed, whatever became
    /// of it afterwards.
    pub closed: bool,
}

/// What a capture says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// How the probe ended.
    pub outcome: Outcome,
    /// More words for the outcome: the alert, the phase, what was odd. Plain ASCII of our own making.
    pub detail: Option<String>,
    /// The facets, in the registry's order within one capture.
    pub facets: Vec<Facet>,
}

/// A protocol: what it is called and how its captures are read.
pub trait Protocol: Sync {
    /// Stable name: the folder in `tests/golden/`, the word of `--only`.
    fn id(&self) -> &'static str;
    /// Whose row its facets stand in: JARM and certificates stand under `tls`.
    fn speech(&self) -> Speech;
    /// Bytes in, facts out. Total.
    fn read(&self, capture: &Capture) -> Reading;
}

/// Every protocol, in the order they are tried. Rows show JARM under `tls`.
pub static PROTOCOLS: &[&dyn Protocol] = &[&jarm::Jarm, &tls::Tls, &http::Http, &ssh::Ssh];

/// Reads a capture with the parsers of its row: for `tls` JARM, certificates and session together.
#[must_use]
pub fn read(speech: Speech, capture: &Capture) -> Reading {
    match speech {
        Speech::Tls => tls::read_row(capture),
        Speech::Http => http::Http.read(capture),
        Speech::Ssh => ssh::Ssh.read(capture),
    }
}

/// Random bytes, handed in so that tests can repeat them.
pub trait Entropy {
    /// Fills `out`.
    fn fill(&mut self, out: &mut [u8]);
}
