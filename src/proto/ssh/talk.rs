//! What a server says after its identification line, packet by packet, up to the reply that carries its host key.

use super::fault::Fault;
use super::kexinit::{Choice, KexInit};
use super::method::Family;
use super::packet::{self, number};
use crate::proto::read::Reader;

/// A server's side of the talk, as far as it went.
#[derive(Debug, Default)]
pub(super) struct Talk<'a> {
    /// Its KEXINIT.
    pub(super) kexinit: Option<KexInit<'a>>,
    /// The group it chose, in a group exchange.
    pub(super) group: Option<Group<'a>>,
    /// The reply with its host key.
    pub(super) reply: Option<Reply<'a>>,
    /// The reason code of its DISCONNECT.
    pub(super) disconnect: Option<u32>,
    /// What could not be followed; nothing after it was read.
    pub(super) fault: Option<Fault>,
}

/// A prime and a generator, as mpint bodies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group<'a> {
    pub(super) prime: &'a [u8],
    pub(super) generator: &'a [u8],
}

/// The reply of a key exchange: host key, the server's public half, and its signature over the exchange hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply<'a> {
    pub(super) host_key: &'a [u8],
    pub(super) public: &'a [u8],
    pub(super) signature: &'a [u8],
}

impl<'a> Talk<'a> {
    /// Reads the packets in `bytes`. Without a `choice` nothing after KEXINIT can be understood, and reading stops there.
    pub(super) fn hear(bytes: &'a [u8], choice: Option<&Choice>) -> Self {
        let mut talk = Self::default();
        if let Err(fault) = talk.follow(bytes, choice) {
            talk.fault = Some(fault);
        }
        talk
    }

    fn follow(&mut self, mut bytes: &'a [u8], choice: Option<&Choice>) -> Result<(), Fault> {
        let mut ignore_guess = choice.is_some_and(|choice| choice.guess_wrong);
        while let Some((payload, rest)) = packet::take(bytes)? {
            bytes = rest;
            let mut reader = Reader::new(payload);
            let kind = reader.u8("message number")?;
            match kind {
                number::IGNORE | number::UNIMPLEMENTED | number::DEBUG | number::EXT_INFO => continue,
                number::DISCONNECT => {
                    self.disconnect = Some(reader.u32("disconnect reason")?);
                    return Ok(());
                }
                number::KEXINIT if self.kexinit.is_none() => {
                    self.kexinit = Some(KexInit::parse(payload)?);
                    continue;
                }
                _ if self.kexinit.is_none() => return Err(Fault::OutOfTurn(kind)),
                _ => {}
            }
            let Some(choice) = choice else { return Ok(()) };
            if ignore_guess && (number::KEX_INIT..=number::LAST_OF_METHOD).contains(&kind) {
                ignore_guess = false;
                continue;
            }
            let by_group = choice.method.family == Family::GroupExchange;
            match kind {
                number::KEX_REPLY if by_group && self.group.is_none() => {
                    self.group = Some(Group { prime: reader.vec32("prime")?, generator: reader.vec32("generator")? });
                }
                number::KEX_REPLY if !by_group => return self.read_reply(reader),
                number::GEX_REPLY if self.group.is_some() => return self.read_reply(reader),
                _ => return Err(Fault::OutOfTurn(kind)),
            }
        }
        Ok(())
    }

    fn read_reply(&mut self, mut reader: Reader<'a>) -> Result<(), Fault> {
        self.reply = Some(Reply {
            host_key: reader.vec32("host key")?,
            public: reader.vec32("public half of the server")?,
            signature: reader.vec32("signature")?,
        });
        Ok(())
    }
}
