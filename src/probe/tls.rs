//! JARM's ten hellos, the certificates in their clear answers, and one full session where it is wanted.

use ring::agreement::{EphemeralPrivateKey, X25519};
use ring::rand::SystemRandom;

use super::{Go, Probe, Proof, empty_capture};
use crate::net::SystemEntropy;
use crate::observation::{End, Exchange, Step};
use crate::proto::Lazy;
use crate::proto::flight;
use crate::proto::http::{self, Completeness};
use crate::proto::jarm::{self, HelloRandom, OldHello, Slot, VoidReason};
use crate::proto::tls::{self, Request, SessionConversation};

/// Probes whose answer is read on to the certificates: 0 and 1 offer no TLS 1.3, 2 and 3 hold the halves of the cipher
/// list apart and so show a second certificate.
const READ_ON: [u8; 4] = [0, 1, 2, 3];

impl Probe<'_> {
    pub(super) async fn tls(&mut self) {
        if self.settings.want.jarm && self.jarm().await == Go::Enough {
            return;
        }
        if !self.had_session() {
            if self.nobody_there() || !self.wants_session() {
                return;
            }
            if self.session().await == Go::Enough || self.nobody_there() {
                return;
            }
        }
        self.favicon_inside().await;
        if self.go() == Go::Enough {
            return;
        }
        if self.settings.want.cert && !self.has_leaf() {
            self.clear_certificate().await;
        }
    }

    async fn jarm(&mut self) -> Go {
        if self.go() == Go::Enough {
            return Go::Enough;
        }
        // A hunt may have asked some already, and may have found that no more are worth asking.
        for probe in 0..10 {
            if self.nobody_there() || jarm::stalled_at_start(&self.capture.exchanges) {
                return Go::On;
            }
            if self.was_asked(probe) {
                continue;
            }
            if self.hello(probe).await == Go::Enough {
                return Go::Enough;
            }
        }
        if self.nobody_there() || jarm::stalled_at_start(&self.capture.exchanges) {
            return Go::On;
        }
        for _ in 0..self.settings.retries {
            for probe in 0..10 {
                if self.is_unknown(probe) && self.hello(probe).await == Go::Enough {
                    return Go::Enough;
                }
            }
        }
        Go::On
    }

    pub(super) async fn hello(&mut self, probe: u8) -> Go {
        let read_on = self.settings.want.cert && READ_ON.contains(&probe);
        let key_share = &self.key_share;
        let mut conversation = Lazy::new(|| {
            let random = HelloRandom::draw(&mut SystemEntropy, *key_share.get_or_init(make_key_share));
            Some(jarm::Probe::new(probe, &self.capture.asked_as, &random, read_on))
        });
        let (exchange, go) = self.converse(Step::Jarm(probe), &mut conversation).await;
        self.capture.exchanges.push(exchange);
        go
    }

    fn was_asked(&self, probe: u8) -> bool {
        self.capture.exchanges.iter().any(|one| one.step == Step::Jarm(probe))
    }

    /// True when no attempt at this probe settled it.
    fn is_unknown(&self, probe: u8) -> bool {
        let mut attempts = self.capture.exchanges.iter().filter(|one| one.step == Step::Jarm(probe));
        attempts.all(|one| matches!(jarm::slot(one), Slot::Unknown))
    }

    fn wants_session(&self) -> bool {
        let settings = self.settings;
        let talks_tls = !settings.want.jarm || may_speak_tls(&self.capture.exchanges);
        let proof = settings.proof == Proof::Always || !settings.want.jarm;
        talks_tls && (settings.want.cert || settings.want.http) && (proof || !self.has_leaf())
    }

    fn has_leaf(&self) -> bool {
        let in_clear = |one: &Exchange| {
            matches!(one.step, Step::Jarm(_) | Step::OldHello) && !flight::read(&one.heard).chain.is_empty()
        };
        let by_session = |one: &Exchange| one.session.as_ref().is_some_and(|session| !session.chain.is_empty());
        self.capture.exchanges.iter().any(|one| by_session(one) || in_clear(one))
    }

    /// True when a hunt has opened the session already.
    fn had_session(&self) -> bool {
        self.capture.exchanges.iter().any(|one| matches!(one.step, Step::Session(_)))
    }

    pub(super) async fn session(&mut self) -> Go {
        for alpn in [true, false] {
            let (exchange, go) = self.inside_tls(Step::Session(alpn), "/", alpn).await;
            let refused = exchange.session.as_ref().is_some_and(tls::alpn_refused);
            let complete = exchange.session.as_ref().is_some_and(|session| session.complete);
            let (session, page) = split(exchange);
            self.capture.exchanges.push(session);
            if complete && self.settings.want.http {
                let mut capture = empty_capture(self.service);
                capture.exchanges.push(page);
                self.over_tls = Some(capture);
            }
            if go == Go::Enough || complete || !refused {
                return go;
            }
        }
        Go::On
    }

    /// The favicon of a page that answered inside TLS, in a session as the one that brought the page.
    async fn favicon_inside(&mut self) {
        let Some([page]) = self.over_tls.as_ref().map(|capture| capture.exchanges.as_slice()) else { return };
        let Some(Step::Session(alpn)) = self.capture.exchanges.last().map(|one| one.step.clone()) else { return };
        if !self.settings.favicon || !http::wants_favicon(page) {
            return;
        }
        let (favicon, _) = self.inside_tls(Step::Favicon, "/favicon.ico", alpn).await;
        if let Some(capture) = &mut self.over_tls {
            capture.exchanges.push(Exchange { session: None, ..favicon });
        }
    }

    /// One session with one request inside; `Failed` when our TLS library will not start one (a name it refuses).
    async fn inside_tls(&self, step: Step, path: &str, alpn: bool) -> (Exchange, Go) {
        let service = self.service;
        let request = self.settings.want.http.then(|| {
            let page = self.settings.page.as_deref();
            let bytes = http::request(path, &service.asked_as(), service.port, true, page);
            let mut complete = Completeness::default();
            Request { bytes, done: Box::new(move |heard| complete.check(heard)) }
        });
        let mut refused = None;
        let mut conversation = Lazy::new(|| {
            SessionConversation::new(service.name.as_deref(), service.address, alpn, request)
                .map_err(|error| refused = Some(error.to_string()))
                .ok()
        });
        let (mut exchange, go) = self.converse(step, &mut conversation).await;
        drop(conversation);
        if refused.is_some() {
            (exchange.end, exchange.note) = (End::Failed, refused);
        }
        (exchange, go)
    }

    /// Where no session gave a certificate: a plain TLS 1.2 hello whose clear answer is read on, then one of SSLv3.
    async fn clear_certificate(&mut self) {
        if !self.settings.want.jarm && self.hello(0).await == Go::Enough {
            return;
        }
        if !self.has_leaf() {
            let random = HelloRandom::draw(&mut SystemEntropy, [0; 32]);
            let (exchange, _) = self.converse(Step::OldHello, &mut OldHello::new(&random)).await;
            self.capture.exchanges.push(exchange);
        }
    }
}

/// False where the hellos showed that nobody speaks TLS there, or that nobody speaks in time. One hello that was answered
/// outweighs any that met a firewall or another server behind the same address.
pub(super) fn may_speak_tls(exchanges: &[Exchange]) -> bool {
    let foreign =
        |slot: &Slot| matches!(slot, Slot::Void(VoidReason::NotTls | VoidReason::Refused | VoidReason::Unreachable));
    let slots = jarm::slots(exchanges);
    let answered = slots.iter().any(|slot| matches!(slot, Slot::Answered(_)));
    !jarm::stalled_at_start(exchanges) && (answered || !slots.iter().any(foreign))
}

/// A real X25519 public key: some servers refuse one that is not, and then answer at random.
fn make_key_share() -> [u8; 32] {
    let random = SystemRandom::new();
    let public = EphemeralPrivateKey::generate(&X25519, &random).and_then(|private| private.compute_public_key());
    // The base point stands in should the system have no random bytes: as valid a public key as any.
    let base = || {
        let mut point = [0; 32];
        point[0] = 9;
        point
    };
    public.ok().and_then(|key| key.as_ref().try_into().ok()).unwrap_or_else(base)
}

/// The session and the page inside it, which share one connection; the session's row counts its bytes.
fn split(exchange: Exchange) -> (Exchange, Exchange) {
    let mut session = exchange;
    let mut page = Exchange::unsent(Step::Page, session.end, None);
    page.started_ms = session.started_ms;
    page.lasted_ms = session.lasted_ms;
    page.sent = std::mem::take(&mut session.sent);
    page.heard = std::mem::take(&mut session.heard);
    page.first_read = session.first_read;
    (session, page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(probe: u8, heard: &[u8], end: End) -> Exchange {
        Exchange { heard: heard.to_vec(), ..Exchange::unsent(Step::Jarm(probe), end, None) }
    }

    #[test]
    fn one_answered_hello_outweighs_those_a_firewall_refused() {
        let hello = [&[22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3][..], &[7; 32], &[0, 0xc0, 0x2f, 0]].concat();
        let mut exchanges = vec![answer(0, b"", End::Refused)];
        assert!(!may_speak_tls(&exchanges));
        exchanges.push(answer(1, &hello, End::Done));
        assert!(may_speak_tls(&exchanges));
        assert!(!may_speak_tls(&[answer(0, b"HTTP/1.1 400", End::Closed)]));
    }
}
