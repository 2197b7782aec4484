//! A server without sockets, honest or not as told, and the loop that lets it talk with a [`Kex`].

use ring::digest;

use super::super::ident;
use super::super::kexinit::{Choice, KexInit};
use super::super::method::{Family, Private, SEED};
use super::super::packet::{self, number};
use super::super::wire::put_string;
use super::super::{Kex, Want};
use super::signer::Signer;
use crate::observation::{End, Exchange, Step};
use crate::proto::read::Reader;
use crate::proto::{Conversation as _, Entropy, Event, Next};

/// Repeatable bytes in place of randomness.
pub(super) struct Counting(pub(super) u8);

impl Entropy for Counting {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_mul(5).wrapping_add(17);
            *byte = self.0;
        }
    }
}

/// What the server does beside serving.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// Nothing.
    Plain,
    /// IGNORE, DEBUG, UNIMPLEMENTED and `EXT_INFO` before every message, lines before the identification.
    Noisy,
    /// A first packet that guesses wrong.
    Guessing,
    /// A signature with one bit turned over.
    Forging,
    /// DISCONNECT in place of the reply.
    Disconnecting,
    /// A public half of zeros, of which no secret can be made.
    Cheating,
    /// A group of 512 bits.
    Belittling,
}

/// A server with one host key and a list of methods.
pub(super) struct Server {
    pub(super) kex: &'static str,
    pub(super) signer: Signer,
    pub(super) manner: Manner,
}

const LINE: &[u8] = b"SSH-2.0-test_1 a comment";

fn packet(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    packet::put(&mut out, payload);
    out
}

impl Server {
    pub(super) fn kexinit(&self) -> Vec<u8> {
        let mut out = vec![number::KEXINIT];
        out.extend([0xab; 16]);
        for list in [self.kex, self.signer.algorithm, "c1", "c2", "m1", "m2", "none", "none", "", ""] {
            put_string(&mut out, list.as_bytes());
        }
        out.push(u8::from(self.manner == Manner::Guessing));
        out.extend([0; 4]);
        out
    }

    /// A message with the noise before it, if any.
    fn say(&self, payload: &[u8]) -> Vec<u8> {
        let noise: &[&[u8]] = if self.manner == Manner::Noisy {
            &[
                &[number::IGNORE, 0, 0, 0, 0],
                &[number::DEBUG],
                &[number::UNIMPLEMENTED, 0, 0, 0, 1],
                &[number::EXT_INFO],
            ]
        } else {
            &[]
        };
        noise.iter().flat_map(|one| packet(one)).chain(packet(payload)).collect()
    }

    fn greeting(&self) -> Vec<u8> {
        let before: &[u8] = if self.manner == Manner::Noisy { b"hello\r\nSSHnot\n" } else { b"" };
        let mut out = [before, LINE, b"\r\n", &self.say(&self.kexinit())].concat();
        if self.manner == Manner::Guessing {
            out.extend(packet(&[number::KEX_REPLY, 1, 2, 3]));
        }
        out
    }

    /// What the server answers to all that was sent to it, its greeting left out.
    fn answer(&self, sent: &[u8]) -> Vec<u8> {
        let mut rest = sent.strip_prefix(ident::OURS).expect("our identification comes first");
        let mut said = Vec::new();
        while let Some((payload, after)) = packet::take(rest).unwrap() {
            said.push(payload);
            rest = after;
        }
        assert!(rest.is_empty(), "whole packets only");
        let [ours, opening, more @ ..] = &said[..] else { return Vec::new() };
        let theirs = self.kexinit();
        let choice = Choice::between(&KexInit::parse(ours).unwrap(), &KexInit::parse(&theirs).unwrap()).unwrap();
        if self.manner == Manner::Disconnecting {
            return self.say(&[number::DISCONNECT, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0]);
        }
        if choice.method.family != Family::GroupExchange {
            assert_eq!(opening[0], number::KEX_INIT);
            let private = Private::new(choice.method.family, &[0x33; SEED]).unwrap();
            return self.reply(&choice, number::KEX_REPLY, ours, &opening[1..], &[], private);
        }
        assert_eq!(opening[0], number::GEX_REQUEST);
        let bytes = if self.manner == Manner::Belittling { 64 } else { 128 };
        let mut group = Vec::new();
        put_string(&mut group, &[vec![0x7f; bytes - 1], vec![0xff]].concat());
        put_string(&mut group, &[2]);
        let bits_fit = [vec![0, 0xff], vec![0x7f; bytes - 2], vec![0xff]].concat();
        if self.manner != Manner::Belittling {
            group.clear();
            put_string(&mut group, &bits_fit);
            put_string(&mut group, &[2]);
        }
        let mut out = self.say(&[&[number::KEX_REPLY], &group[..]].concat());
        if let [init] = more {
            assert_eq!(init[0], number::GEX_INIT);
            let private = Private::in_group(&bits_fit, &[2], &[0x33; SEED]).unwrap();
            let before = [&opening[1..], &group].concat();
            out.extend(self.reply(&choice, number::GEX_REPLY, ours, &init[1..], &before, private));
        }
        out
    }

    fn reply(&self, choice: &Choice, kind: u8, ours: &[u8], e: &[u8], before: &[u8], private: Private) -> Vec<u8> {
        let public = private.public().unwrap();
        let secret = private.agree(Reader::new(e).vec32("e").unwrap()).unwrap();
        let mut text = Vec::new();
        let our_line = ident::OURS.strip_suffix(b"\r\n").unwrap();
        for part in [our_line, LINE, ours, &self.kexinit(), &self.signer.blob] {
            put_string(&mut text, part);
        }
        text.extend_from_slice(before);
        text.extend_from_slice(e);
        put_string(&mut text, &public);
        put_string(&mut text, &secret);
        let mut signature = self.signer.signature(digest::digest(choice.method.hash, &text).as_ref());
        if self.manner == Manner::Forging {
            let middle = signature.len() - 12;
            signature[middle] ^= 1;
        }
        let shown = if self.manner == Manner::Cheating { vec![0; public.len()] } else { public };
        let mut payload = vec![kind];
        for part in [&self.signer.blob, &shown, &signature] {
            put_string(&mut payload, part);
        }
        self.say(&payload)
    }

    /// One connection, the server's bytes coming `step` at a time.
    pub(super) fn meet(&self, want: Want, step: usize) -> Exchange {
        let mut exchange = exchange_for(&want);
        let mut kex = Kex::new(want, &mut Counting(1));
        let mut out = Vec::new();
        let mut next = kex.next(Event::Connected, &[], &mut out);
        let mut all = Vec::new();
        exchange.end = loop {
            if next == Next::Done {
                exchange.sent.append(&mut out);
                break End::Done;
            }
            if !out.is_empty() {
                exchange.sent.append(&mut out);
                all = [self.greeting(), self.answer(&exchange.sent)].concat(); // signs anew, so only when asked anew
            }
            let heard = exchange.heard.len();
            let Some(more) = all.get(heard..).filter(|more| !more.is_empty()) else { break End::ReadTimedOut };
            exchange.heard.extend_from_slice(&more[..step.min(more.len())]);
            next = kex.next(Event::Heard(heard), &exchange.heard, &mut out);
        };
        exchange.secret = kex.finish().secret;
        exchange
    }
}

/// An exchange for this, nothing sent or heard yet.
pub(super) fn exchange_for(want: &Want) -> Exchange {
    let step = match want {
        Want::First => Step::Kex(String::new()),
        Want::Algorithm(name) => Step::Kex(name.clone()),
    };
    Exchange::unsent(step, End::Done, None)
}
