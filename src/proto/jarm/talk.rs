//! One connection of JARM: send a hello, hear the answer, hang up. Two sizes of patience: until the first record is
//! whole, which is all the fingerprint needs, or on to the end of the cleartext flight, for the certificates in it.

use super::answer::{self, Seen};
use super::hello::{self, HelloRandom};
use crate::proto::flight::{self, FlightReader};
use crate::proto::{Conversation, Event, Next};

/// One of the ten hellos and its answer.
#[derive(Debug)]
pub struct Probe {
    hello: Vec<u8>,
    flight: Option<FlightReader>,
    decided: bool,
}

impl Probe {
    /// The conversation of `probe` (0 to 9), asking for `sni`. With `read_flight` it listens until `ServerHelloDone`, an
    /// alert, a TLS 1.3 answer, a record that is no handshake, or 64 KiB; the fingerprint is the same either way.
    #[must_use]
    pub fn new(probe: u8, sni: &str, random: &HelloRandom, read_flight: bool) -> Self {
        Self::of(hello::hello(probe, sni, random), read_flight)
    }

    fn of(hello: Vec<u8>, read_flight: bool) -> Self {
        Self { hello, flight: read_flight.then(FlightReader::default), decided: false }
    }
}

impl Conversation for Probe {
    fn limit(&self) -> usize {
        if self.flight.is_some() { flight::LIMIT } else { 5 + flight::RECORD_LIMIT }
    }

    fn next(&mut self, event: Event, heard: &[u8], out: &mut Vec<u8>) -> Next {
        match event {
            Event::Connected => {
                out.append(&mut self.hello);
                return Next::Read;
            }
            Event::Closed => return Next::Done,
            Event::Heard(_) => {}
        }
        self.decided = self.decided || answer::seen(heard, &[]) != Seen::Undecided;
        let flight_over = self.flight.as_mut().is_none_or(|flight| flight.hear(heard));
        if self.decided && flight_over { Next::Done } else { Next::Read }
    }
}

/// The SSLv3 hello and the flight that answers it, sent only where nothing newer gave a certificate.
#[derive(Debug)]
pub struct OldHello(Probe);

impl OldHello {
    /// The conversation, with the random bytes of its hello.
    #[must_use]
    pub fn new(random: &HelloRandom) -> Self {
        Self(Probe::of(hello::old_hello(random), true))
    }
}

impl Conversation for OldHello {
    fn limit(&self) -> usize {
        self.0.limit()
    }

    fn next(&mut self, event: Event, heard: &[u8], out: &mut Vec<u8>) -> Next {
        self.0.next(event, heard, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: HelloRandom =
        HelloRandom { random: [1; 32], session_id: [2; 32], key_share: [3; 32], grease: [0; 4] };

    /// Says how many bytes were heard when the conversation hung up.
    fn hung_up_after(mut talk: impl Conversation, bytes: &[u8]) -> Option<usize> {
        let mut out = Vec::new();
        assert_eq!(talk.next(Event::Connected, &[], &mut out), Next::Read);
        assert_eq!(out[0], 22);
        out.clear();
        let end =
            (1..=bytes.len()).find(|upto| talk.next(Event::Heard(upto - 1), &bytes[..*upto], &mut out) == Next::Done);
        assert!(out.is_empty(), "a hello is all it ever sends");
        end
    }

    fn probe(read_flight: bool) -> Probe {
        Probe::new(0, "a", &RANDOM, read_flight)
    }

    fn flight() -> (usize, Vec<u8>) {
        let mut bytes = vec![22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3];
        bytes.extend([7; 32]);
        bytes.extend([0, 0xc0, 0x2f, 0]);
        let first = bytes.len();
        bytes.extend([22, 3, 3, 0, 4, 14, 0, 0, 0]);
        (first, bytes)
    }

    #[test]
    fn without_the_flight_it_hangs_up_when_the_first_record_is_whole() {
        let (first, bytes) = flight();
        assert_eq!(hung_up_after(probe(false), &bytes), Some(first));
    }

    #[test]
    fn with_the_flight_it_hears_server_hello_done() {
        let (_, bytes) = flight();
        assert_eq!(hung_up_after(probe(true), &bytes), Some(bytes.len()));
        assert_eq!(hung_up_after(OldHello::new(&RANDOM), &bytes), Some(bytes.len()));
    }

    #[test]
    fn an_alert_is_heard_out_so_that_it_can_be_named() {
        for read_flight in [false, true] {
            assert_eq!(hung_up_after(probe(read_flight), &[21, 3, 3, 0, 2, 2, 40, 99]), Some(7));
        }
    }

    #[test]
    fn what_is_not_tls_ends_it_at_once() {
        assert_eq!(hung_up_after(probe(false), b"HTTP/1.1 400 Bad Request"), Some(1));
        assert!(hung_up_after(probe(true), b"HTTP/1.1 400 Bad Request") <= Some(5));
    }

    #[test]
    fn a_close_ends_it() {
        assert_eq!(probe(true).next(Event::Closed, &[], &mut Vec::new()), Next::Done);
    }
}
