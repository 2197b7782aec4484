//! One recorded connection, read back: what was said on both sides, what was agreed on, and whether the host key was
//! proven. Everything follows from the bytes sent, the bytes heard and the shared secret.

use ring::digest;

use super::algorithm::{blob_type, key_types};
use super::hostkey::HostKey;
use super::ident::{Ident, speaks_version_2, turned_away};
use super::kexinit::{Choice, KexInit};
use super::method::Family;
use super::packet::{self, number};
use super::signature;
use super::talk::Talk;
use super::wire::{names, put_string};
use crate::observation::{End, Exchange, Step};
use crate::proto::read::Reader;

/// Both sides of one connection.
#[derive(Debug)]
pub(super) struct Transcript<'a> {
    exchange: &'a Exchange,
    /// The start of what the server said.
    pub(super) ident: Ident<'a>,
    /// The packets of the server.
    pub(super) talk: Talk<'a>,
    said: Said<'a>,
    choice: Option<Choice>,
}

/// Our side.
#[derive(Debug)]
struct Said<'a> {
    line: &'a [u8],
    packets: Vec<&'a [u8]>,
}

impl<'a> Said<'a> {
    fn of(sent: &'a [u8]) -> Self {
        let Ident::Found { line, end } = Ident::find(sent) else { return Self { line: b"", packets: Vec::new() } };
        let mut rest = sent.get(end..).unwrap_or_default();
        let mut packets = Vec::new();
        while let Ok(Some((payload, after))) = packet::take(rest) {
            packets.push(payload);
            rest = after;
        }
        Self { line, packets }
    }

    /// The first message of this number, without the number.
    fn message(&self, kind: u8) -> Option<&'a [u8]> {
        self.packets
            .iter()
            .find_map(|payload| payload.split_first().filter(|(first, _)| **first == kind))
            .map(|(_, rest)| rest)
    }

    fn kexinit(&self) -> Option<KexInit<'a>> {
        self.packets.iter().find_map(|payload| KexInit::parse(payload).ok())
    }
}

impl<'a> Transcript<'a> {
    /// Reads one connection.
    pub(super) fn of(exchange: &'a Exchange) -> Self {
        let ident = Ident::find(&exchange.heard);
        let said = Said::of(&exchange.sent);
        let packets = match ident {
            Ident::Found { line, end } if speaks_version_2(line) => exchange.heard.get(end..).unwrap_or_default(),
            _ => &[],
        };
        let mut talk = Talk::hear(packets, None);
        let choice = said.kexinit().zip(talk.kexinit).and_then(|(ours, theirs)| Choice::between(&ours, &theirs));
        if choice.is_some() {
            talk = Talk::hear(packets, choice.as_ref());
        }
        Self { exchange, ident, talk, said, choice }
    }

    /// The identification line without its end.
    pub(super) fn banner(&self) -> Option<&'a [u8]> {
        match self.ident {
            Ident::Found { line, .. } => Some(line),
            _ => None,
        }
    }

    /// How the connection ended.
    pub(super) fn end(&self) -> End {
        self.exchange.end
    }

    /// All that was heard.
    pub(super) fn heard(&self) -> &'a [u8] {
        &self.exchange.heard
    }

    /// The type of key that was asked for; `None` when it did not come to that.
    pub(super) fn asked_type(&self) -> Option<&[u8]> {
        match (&self.choice, &self.exchange.step) {
            (Some(choice), _) => Some(blob_type(&choice.host_key)),
            (None, Step::Kex(name)) if !name.is_empty() => Some(blob_type(name.as_bytes())),
            _ => None,
        }
    }

    /// The host key shown.
    pub(super) fn host_key(&self) -> Option<HostKey<'a>> {
        HostKey::parse(self.talk.reply?.host_key)
    }

    /// True when the signature over the exchange hash comes from this key.
    pub(super) fn proves(&self, key: &HostKey<'_>) -> bool {
        let hash = self.exchange_hash();
        self.talk.reply.zip(hash).is_some_and(|(reply, hash)| signature::verifies(key, &hash, reply.signature))
    }

    /// H of RFC 4253 8, RFC 4419 3 or RFC 5656 4.
    fn exchange_hash(&self) -> Option<Vec<u8>> {
        let (choice, reply) = (self.choice.as_ref()?, self.talk.reply?);
        let secret = self.exchange.secret.as_deref()?;
        let mut text = Vec::new();
        for part in
            [self.said.line, self.banner()?, self.said.kexinit()?.payload, self.talk.kexinit?.payload, reply.host_key]
        {
            put_string(&mut text, part);
        }
        let opening = if choice.method.family == Family::GroupExchange {
            let group = self.talk.group?;
            text.extend_from_slice(self.said.message(number::GEX_REQUEST)?.get(..12)?);
            put_string(&mut text, group.prime);
            put_string(&mut text, group.generator);
            self.said.message(number::GEX_INIT)?
        } else {
            self.said.message(number::KEX_INIT)?
        };
        put_string(&mut text, Reader::new(opening).vec32("our public half").ok()?);
        put_string(&mut text, reply.public);
        put_string(&mut text, secret);
        Some(digest::digest(choice.method.hash, &text).as_ref().to_vec())
    }

    /// Why this connection gave no host key of the type asked for, in words of our own.
    pub(super) fn why_no_key(&self) -> String {
        if let Some(code) = self.talk.disconnect {
            return format!("disconnected: {}", disconnect_words(code));
        }
        if let Some(fault) = self.talk.fault {
            return fault.to_string();
        }
        if let Some(reply) = self.talk.reply {
            let known = HostKey::parse(reply.host_key).is_some();
            return if known { "another type of key was shown" } else { "host key malformed" }.to_owned();
        }
        if let Some(words) = turned_away(self.heard()) {
            return words.to_owned();
        }
        match self.exchange.end {
            End::Done => self.why_done().to_owned(),
            end => end_words(end).to_owned(),
        }
    }

    /// Why we hung up ourselves before a reply.
    fn why_done(&self) -> &'static str {
        let Some(theirs) = self.talk.kexinit else { return "kexinit missing" };
        let offered = |name: &String| names(theirs.host_key).any(|offer| offer == name.as_bytes());
        match (&self.exchange.step, &self.choice) {
            (Step::Kex(name), None) if !name.is_empty() && !offered(name) => "not offered on this connection",
            (_, None) => theirs.no_kex().unwrap_or("key exchange not begun"),
            (_, Some(_)) if self.talk.group.is_some() => "group refused",
            (_, Some(_)) => "key exchange not finished",
        }
    }

    /// The key types the server offers.
    pub(super) fn offers(&self) -> Vec<super::algorithm::KeyType<'a>> {
        self.talk.kexinit.map(|theirs| key_types(theirs.host_key)).unwrap_or_default()
    }
}

/// How a connection ended, as a reason.
pub(super) fn end_words(end: End) -> &'static str {
    match end {
        End::Done => "hung up",
        End::Closed => "connection closed",
        End::Reset => "connection reset",
        End::Refused => "connection refused",
        End::Unreachable => "unreachable",
        End::ConnectTimedOut | End::ReadTimedOut => "timed out",
        End::Full => "answer too long",
        End::OutOfScope => "out of scope",
        End::Stopped => "stopped",
        End::Failed => "our own fault",
    }
}

/// Reason codes of DISCONNECT ([RFC 4253 section 11.1](https://www.rfc-editor.org/rfc/rfc4253#section-11.1)). The
/// server's own text is kept in the raw bytes alone.
fn disconnect_words(code: u32) -> String {
    let words = match code {
        1 => "host not allowed to connect",
        2 => "protocol error",
        3 => "key exchange failed",
        7 => "service not available",
        8 => "protocol version not supported",
        9 => "host key not verifiable",
        10 => "connection lost",
        11 => "by application",
        12 => "too many connections",
        other => return format!("reason {other}"),
    };
    words.to_owned()
}
