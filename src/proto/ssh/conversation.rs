//! One connection to an SSH server: identification, KEXINIT, one key exchange for one host key, and gone.
//!
//! It ends at the server's reply, which carries the host key and its signature over the exchange hash. No keys are
//! taken into use and no service is asked for, so there is no way to a login from here. The shared secret is handed
//! out, with which anyone can compute the exchange hash again from the bytes sent and heard.

use super::algorithm;
use super::ident::{self, Ident};
use super::kexinit::{Choice, KexInit};
use super::method::{Family, Private, SEED, group_wish};
use super::packet::{self, number};
use super::talk::Talk;
use super::wire::put_string;
use crate::observation::Step;
use crate::proto::{Conversation, Entropy, Event, Next, Remains};

/// Most bytes read on one connection.
const LIMIT: usize = 65_536;

/// Which host key a connection is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// The first that we can verify, in the server's own order; a certificate only where no plain key can be had.
    First,
    /// The key of this host key algorithm.
    Algorithm(String),
}

impl Want {
    /// What a step asks for; `None` for the steps of other protocols.
    #[must_use]
    pub fn of(step: &Step) -> Option<Self> {
        match step {
            Step::Kex(algorithm) if algorithm.is_empty() => Some(Self::First),
            Step::Kex(algorithm) => Some(Self::Algorithm(algorithm.clone())),
            _ => None,
        }
    }
}

/// The conversation of [`Step::Kex`]: banner, KEXINIT and one key exchange.
#[derive(Debug)]
pub struct Kex {
    want: Want,
    cookie: [u8; 16],
    seed: [u8; SEED],
    choice: Option<Choice>,
    private: Option<Private>,
    secret: Option<Vec<u8>>,
    /// Fewer bytes heard than this hold no packet that was not looked at already.
    next_packet: usize,
}

impl Kex {
    /// A conversation for one host key. The cookie and the exponents come from `entropy`; the X25519, P-256 and P-384
    /// keys are made inside ring, from the system's own randomness.
    pub fn new(want: Want, entropy: &mut dyn Entropy) -> Self {
        let (mut cookie, mut seed) = ([0; 16], [0; SEED]);
        entropy.fill(&mut cookie);
        entropy.fill(&mut seed);
        Self { want, cookie, seed, choice: None, private: None, secret: None, next_packet: 0 }
    }

    /// Goes on as far as the bytes heard allow. `None` ends the connection.
    fn go_on(&mut self, heard: &[u8], out: &mut Vec<u8>) -> Option<()> {
        if heard.len() < self.next_packet {
            return Some(());
        }
        let end = match Ident::find(heard) {
            Ident::Unfinished { .. } => return Some(()),
            Ident::Found { line, end } if ident::speaks_version_2(line) => end,
            Ident::Found { .. } | Ident::Never => return None,
        };
        let packets = heard.get(end..).unwrap_or_default();
        self.next_packet = end.saturating_add(packet::next_end(packets));
        if self.choice.is_none() {
            let talk = Talk::hear(packets, None);
            match talk.kexinit {
                Some(theirs) => self.begin(&theirs, out)?,
                None if talk.fault.is_some() || talk.disconnect.is_some() => return None,
                None => return Some(()),
            }
        }
        let talk = Talk::hear(packets, self.choice.as_ref());
        if self.private.is_none()
            && let Some(group) = talk.group
        {
            let private = Private::in_group(group.prime, group.generator, &self.seed)?;
            put_kex(out, number::GEX_INIT, &private.public()?);
            self.private = Some(private);
        }
        if let Some(reply) = talk.reply {
            self.secret = self.private.take().and_then(|private| private.agree(reply.public));
            return None;
        }
        (talk.fault.is_none() && talk.disconnect.is_none()).then_some(())
    }

    /// Answers the server's KEXINIT and opens the exchange. `None` when there is nothing to ask for.
    fn begin(&mut self, theirs: &KexInit<'_>, out: &mut Vec<u8>) -> Option<()> {
        let algorithm = match &self.want {
            Want::First => algorithm::first_choice(theirs.host_key)?,
            Want::Algorithm(name) => name.as_bytes(),
        };
        let answer = theirs.answer(algorithm, &self.cookie);
        let choice = Choice::between(&KexInit::parse(&answer).ok()?, theirs)?;
        self.private = Private::new(choice.method.family, &self.seed);
        packet::put(out, &answer);
        if choice.method.family == Family::GroupExchange {
            let mut request = vec![number::GEX_REQUEST];
            request.extend(group_wish());
            packet::put(out, &request);
        } else {
            put_kex(out, number::KEX_INIT, &self.private.as_ref()?.public()?);
        }
        self.choice = Some(choice);
        Some(())
    }
}

/// A key exchange message with our public half.
fn put_kex(out: &mut Vec<u8>, kind: u8, public: &[u8]) {
    let mut payload = vec![kind];
    put_string(&mut payload, public);
    packet::put(out, &payload);
}

impl Conversation for Kex {
    fn limit(&self) -> usize {
        LIMIT
    }

    fn next(&mut self, event: Event, heard: &[u8], out: &mut Vec<u8>) -> Next {
        match event {
            Event::Connected => {
                out.extend_from_slice(ident::OURS);
                Next::Read
            }
            Event::Heard(_) if self.secret.is_none() && self.go_on(heard, out).is_some() => Next::Read,
            Event::Heard(_) | Event::Closed => Next::Done,
        }
    }

    fn finish(&mut self) -> Remains {
        Remains { secret: self.secret.take(), ..Remains::default() }
    }
}
