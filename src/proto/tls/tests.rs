use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use proptest::prelude::*;
use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};

use super::*;
use crate::facet::{Extra, Value};
use crate::observation::Blob;
use crate::proto::{Conversation, Event, Next, Remains};

const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
type Versions = &'static [&'static SupportedProtocolVersion];
const TLS12: Versions = &[&rustls::version::TLS12];
const TLS13: Versions = &[&rustls::version::TLS13];
const BOTH: Versions = &[&rustls::version::TLS12, &rustls::version::TLS13];

/// A server in memory, with what a test may want of it.
struct Server {
    connection: ServerConnection,
    leaf: CertificateDer<'static>,
    /// Answers any request with this, then closes.
    answer: &'static [u8],
    /// Plain text heard.
    asked: Vec<u8>,
    /// True when it sends its `close_notify` after the answer.
    closes: bool,
}

struct Wish {
    versions: Versions,
    algorithm: &'static SignatureAlgorithm,
    alpn: Option<&'static str>,
    wants_client: bool,
}

impl Default for Wish {
    fn default() -> Self {
        Self { versions: BOTH, algorithm: &rcgen::PKCS_ECDSA_P256_SHA256, alpn: None, wants_client: false }
    }
}

fn server(wish: &Wish) -> Server {
    let key = KeyPair::generate_for(wish.algorithm).unwrap();
    let leaf = CertificateParams::new(vec!["a.example.test".into()]).unwrap().self_signed(&key).unwrap().der().clone();
    let other = KeyPair::generate().unwrap();
    let issuer = CertificateParams::new(vec![]).unwrap().self_signed(&other).unwrap().der().clone();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(wish.versions).unwrap();
    let builder = if wish.wants_client {
        let mut roots = RootCertStore::empty();
        roots.add(issuer.clone()).unwrap();
        builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap(),
        )
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_single_cert(vec![leaf.clone(), issuer], private).unwrap();
    config.alpn_protocols = wish.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let connection = ServerConnection::new(Arc::new(config)).unwrap();
    Server { connection, leaf, answer: b"", asked: Vec::new(), closes: false }
}

impl Server {
    /// Takes what the client sent, gives what it says to that.
    fn hear(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        use std::io::{Read as _, Write as _};
        while !bytes.is_empty() {
            self.connection.read_tls(&mut bytes).unwrap();
            let good = self.connection.process_new_packets().is_ok();
            let before = self.asked.len();
            let _ = self.connection.reader().read_to_end(&mut self.asked);
            if self.asked.len() > before {
                self.connection.writer().write_all(self.answer).unwrap();
                if self.closes {
                    self.connection.send_close_notify();
                }
            }
            if !good {
                break;
            }
        }
        let mut said = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut said).unwrap();
        }
        said
    }
}

/// Lets the two talk; the client hears at most `piece` bytes at a time. Gives what is left and how it ended.
fn talk(client: &mut SessionConversation, server: &mut Server, piece: usize) -> (Remains, End) {
    let mut heard = Vec::new();
    let mut out = Vec::new();
    let mut next = client.next(Event::Connected, &heard, &mut out);
    loop {
        let said = server.hear(&std::mem::take(&mut out));
        if next == Next::Done {
            return (client.finish(), End::Done);
        }
        if said.is_empty() {
            let next = client.next(Event::Closed, &heard, &mut out);
            assert_eq!(next, Next::Done);
            return (client.finish(), End::Closed);
        }
        for piece in said.chunks(piece) {
            let from = heard.len();
            heard.extend(piece);
            next = client.next(Event::Heard(from), &heard, &mut out);
            if next == Next::Done {
                break;
            }
        }
    }
}

fn client(alpn: bool, request: Option<&'static [u8]>, whole: &'static [u8]) -> SessionConversation {
    let request = request.map(|bytes| Request {
        bytes: bytes.to_vec(),
        done: Box::new(move |heard| !whole.is_empty() && heard.ends_with(whole)),
    });
    SessionConversation::new(Some("a.example.test"), ADDRESS, alpn, request).unwrap()
}

fn capture_of(remains: Remains, end: End) -> Capture {
    let mut exchange = Exchange::unsent(Step::Session(true), end, None);
    exchange.session = remains.session;
    if let Some((sent, heard)) = remains.plain {
        (exchange.sent, exchange.heard) = (sent, heard);
    }
    Capture { asked_as: "a.example.test".into(), exchanges: vec![exchange], request_version: 1, cut_short: None }
}

fn value(reading: &Reading, kind: FacetKind) -> Option<String> {
    let facet = reading.facets.iter().find(|one| one.kind == kind)?;
    Some(crate::facet::show_bytes(&facet.stored()))
}

fn extra<'a>(reading: &'a Reading, kind: FacetKind, key: &str) -> Option<&'a Extra> {
    let facet = reading.facets.iter().find(|one| one.kind == kind)?;
    facet.extra.iter().find(|(name, _)| *name == key).map(|(_, extra)| extra)
}

#[test]
fn chain_version_and_proof_are_captured_in_any_version_key_and_piece() {
    for (versions, name) in [(TLS12, "TLS1.2"), (TLS13, "TLS1.3")] {
        for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
            for piece in [1, 7, usize::MAX] {
                let mut far = server(&Wish { versions, algorithm, ..Wish::default() });
                let (remains, end) = talk(&mut client(false, None, b""), &mut far, piece);
                assert_eq!(end, End::Done);
                assert_eq!(remains.plain, None);
                let session = remains.session.clone().unwrap();
                assert!(session.complete);
                assert_eq!(session.error, None);
                assert_eq!(session.chain.len(), 2);
                assert_eq!(session.chain[0], Blob(far.leaf.to_vec()));
                let reading = read_row(&capture_of(remains, end));
                assert_eq!(reading.outcome, Outcome::Answered);
                assert_eq!(value(&reading, FacetKind::TlsVersion).as_deref(), Some(name));
                assert_eq!(extra(&reading, FacetKind::CertSha256, "proven"), Some(&Extra::Flag(true)));
                assert_eq!(
                    extra(&reading, FacetKind::CertSpkiSha256, "source"),
                    Some(&Extra::Text("handshake".into()))
                );
                assert!(reading.facets.is_sorted_by_key(|one| one.kind));
                let chain = reading.facets.iter().find(|one| one.kind == FacetKind::CertChain).unwrap();
                assert!(matches!(&chain.value, Value::List(digests) if digests.len() == 2));
            }
        }
    }
}

#[test]
fn a_changed_signature_or_message_or_another_leaf_proves_nothing() {
    let mut far = server(&Wish::default());
    let (remains, end) = talk(&mut client(false, None, b""), &mut far, 100);
    let good = capture_of(remains, end);
    let changed = |change: &dyn Fn(&mut Session)| {
        let mut capture = good.clone();
        change(capture.exchanges[0].session.as_mut().unwrap());
        extra(&read_row(&capture), FacetKind::CertSha256, "proven").cloned()
    };
    assert_eq!(changed(&|_| ()), Some(Extra::Flag(true)));
    let last = |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(changed(&|one| last(&mut one.proof.as_mut().unwrap().signature)), Some(Extra::Flag(false)));
    assert_eq!(changed(&|one| last(&mut one.proof.as_mut().unwrap().message)), Some(Extra::Flag(false)));
    assert_eq!(changed(&|one| one.chain.swap(0, 1)), Some(Extra::Flag(false)));
    assert_eq!(changed(&|one| one.proof = None), None);
    // RSA with the key of a curve
    assert_eq!(changed(&|one| one.proof.as_mut().unwrap().scheme = 0x0804), Some(Extra::Flag(false)));
    // Ed448: nothing here can say
    assert_eq!(changed(&|one| one.proof.as_mut().unwrap().scheme = 0x0808), None);
}

#[test]
fn a_demanded_client_certificate_hides_nothing() {
    for versions in [TLS12, TLS13] {
        let mut far = server(&Wish { versions, wants_client: true, ..Wish::default() });
        let (remains, end) = talk(&mut client(false, Some(b"GET"), b""), &mut far, 50);
        let reading = read_row(&capture_of(remains, end));
        assert_eq!(reading.outcome, Outcome::Answered);
        assert_eq!(reading.detail.as_deref(), Some("alert 116 certificate_required"));
        assert_eq!(extra(&reading, FacetKind::CertSha256, "proven"), Some(&Extra::Flag(true)));
    }
}

#[test]
fn a_refused_alpn_is_told_from_other_refusals() {
    let mut far = server(&Wish { alpn: Some("h2"), ..Wish::default() });
    let (remains, end) = talk(&mut client(true, None, b""), &mut far, 50);
    let session = remains.session.clone().unwrap();
    assert_eq!(session.alert, Some(120));
    assert!(alpn_refused(&session));
    let reading = read_row(&capture_of(remains, end));
    assert_eq!(reading.outcome, Outcome::TlsAlert);
    assert_eq!(reading.detail.as_deref(), Some("alert 120 no_application_protocol"));

    let mut far = server(&Wish { alpn: Some("h2"), ..Wish::default() });
    let (remains, _) = talk(&mut client(false, None, b""), &mut far, 50);
    let session = remains.session.unwrap();
    assert!(session.complete);
    assert!(!alpn_refused(&session));

    let mut hung_up = client(true, None, b"");
    let mut out = Vec::new();
    hung_up.next(Event::Connected, b"", &mut out);
    assert_eq!(hung_up.next(Event::Closed, b"", &mut out), Next::Done);
    assert!(alpn_refused(&hung_up.finish().session.unwrap()));

    let mut timed_out = client(true, None, b"");
    timed_out.next(Event::Connected, b"", &mut out);
    assert!(!alpn_refused(&timed_out.finish().session.unwrap()));
}

#[test]
fn an_agreed_alpn_is_a_facet() {
    let mut far = server(&Wish { alpn: Some("http/1.1"), ..Wish::default() });
    let (remains, end) = talk(&mut client(true, None, b""), &mut far, 50);
    let reading = read_row(&capture_of(remains, end));
    assert_eq!(value(&reading, FacetKind::TlsAlpn).as_deref(), Some("http/1.1"));
}

#[test]
fn a_request_goes_out_inside_and_its_answer_is_kept_in_plain_text() {
    for versions in [TLS12, TLS13] {
        for piece in [1, 4000] {
            let mut far = server(&Wish { versions, ..Wish::default() });
            far.answer = b"HTTP/1.1 200 OK\r\n\r\nhello.";
            let (remains, end) = talk(&mut client(true, Some(b"GET / HTTP/1.1\r\n\r\n"), b"hello."), &mut far, piece);
            assert_eq!(end, End::Done);
            assert_eq!(far.asked, b"GET / HTTP/1.1\r\n\r\n");
            let (sent, heard) = remains.plain.unwrap();
            assert_eq!(sent, b"GET / HTTP/1.1\r\n\r\n");
            assert_eq!(heard, far.answer);
        }
    }
}

#[test]
fn an_answer_without_a_length_ends_with_the_far_sides_word_not_before() {
    let mut far = server(&Wish::default());
    (far.answer, far.closes) = (b"HTTP/1.1 200 OK\r\n\r\nhello", true);
    let (remains, end) = talk(&mut client(true, Some(b"GET"), b""), &mut far, 4000);
    assert_eq!((end, remains.closed), (End::Done, true));
    let session = remains.session.unwrap();
    assert!(session.complete);
    assert_eq!(session.error, None);
    assert_eq!(remains.plain.unwrap().1, far.answer);

    let mut far = server(&Wish::default());
    far.answer = b"HTTP/1.1 200 OK\r\n\r\nhello";
    let (remains, end) = talk(&mut client(true, Some(b"GET"), b""), &mut far, 4000);
    assert_eq!((end, remains.closed), (End::Closed, false));
}

#[test]
fn an_answer_longer_than_the_library_holds_at_once_is_heard_whole() {
    static LONG: [u8; 300_000] = [b'x'; 300_000];
    let mut far = server(&Wish::default());
    far.connection.set_buffer_limit(None);
    (far.answer, far.closes) = (&LONG, true);
    let (remains, _) = talk(&mut client(true, Some(b"GET"), b""), &mut far, usize::MAX);
    assert_eq!(remains.plain.unwrap().1.len(), LONG.len());
}

#[test]
fn a_name_is_sent_as_sni_and_an_address_is_not() {
    let hello = |name: Option<&str>| {
        let mut client = SessionConversation::new(name, ADDRESS, false, None).unwrap();
        let mut out = Vec::new();
        assert_eq!(client.next(Event::Connected, b"", &mut out), Next::Read);
        out
    };
    let has = |hello: &[u8], part: &[u8]| hello.windows(part.len()).any(|window| window == part);
    assert!(has(&hello(Some("a.example.test")), b"a.example.test"));
    assert!(!has(&hello(None), b"127.0.0.1"));
    assert!(has(&hello(None), &[0x06, 0x03, 0x08, 0x07, 0x08, 0x08]), "P-521, Ed25519 and Ed448 are offered");
    assert!(matches!(
        SessionConversation::new(Some("no name"), ADDRESS, false, None),
        Err(SessionError::Name(name)) if name == "no name"
    ));
}

#[test]
fn what_is_not_tls_is_a_mismatch_and_keeps_its_bytes() {
    let mut client = client(true, None, b"");
    let mut out = Vec::new();
    client.next(Event::Connected, b"", &mut out);
    out.clear();
    let banner = b"SSH-2.0-OpenSSH_9.2p1\r\n";
    assert_eq!(client.next(Event::Heard(0), banner, &mut out), Next::Done);
    assert!(!out.is_empty(), "an alert is sent");
    let remains = client.finish();
    assert_eq!(remains.plain, None);
    let mut capture = capture_of(remains, End::Done);
    capture.exchanges[0].heard = banner.to_vec();
    let reading = read_row(&capture);
    assert_eq!((reading.outcome, reading.detail.as_deref()), (Outcome::Mismatch, Some("not TLS")));
}

#[test]
fn a_connection_that_heard_nothing_has_the_outcome_of_its_end() {
    for (end, outcome) in [
        (End::Refused, Outcome::Refused),
        (End::ConnectTimedOut, Outcome::TimedOut),
        (End::Closed, Outcome::Closed),
        (End::OutOfScope, Outcome::OutOfScope),
    ] {
        let exchange = Exchange::unsent(Step::Session(true), end, None);
        let capture = Capture { exchanges: vec![exchange], ..Capture::default() };
        assert_eq!(read_row(&capture).outcome, outcome);
        assert_eq!(Tls.read(&capture).outcome, outcome);
    }
    let reading = read_row(&Capture::default());
    assert_eq!((reading.outcome, reading.facets.len()), (Outcome::Incomplete, 0));
}

#[test]
fn of_two_sessions_the_one_that_got_further_counts() {
    let mut far = server(&Wish { alpn: Some("h2"), ..Wish::default() });
    let (refused, _) = talk(&mut client(true, None, b""), &mut far, 500);
    let mut far = server(&Wish { alpn: Some("h2"), ..Wish::default() });
    let (good, _) = talk(&mut client(false, None, b""), &mut far, 500);
    let mut capture = capture_of(refused, End::Done);
    capture.exchanges.extend(capture_of(good, End::Done).exchanges);
    let reading = read_row(&capture);
    assert_eq!((reading.outcome, reading.detail), (Outcome::Answered, None));
}

/// The answer to one JARM hello of a TLS 1.2 server, as a capture.
fn clear_answer(far: &mut Server, probe: u8) -> Exchange {
    use crate::proto::jarm::{HelloRandom, Probe};
    let random = HelloRandom { random: [probe; 32], session_id: [2; 32], key_share: [3; 32], grease: [0x0a; 4] };
    let mut hello = Vec::new();
    Probe::new(probe, "a.example.test", &random, true).next(Event::Connected, b"", &mut hello);
    let mut exchange = Exchange::unsent(Step::Jarm(probe), End::Done, None);
    exchange.heard = far.hear(&hello);
    exchange.first_read = u32::try_from(exchange.heard.len()).unwrap();
    exchange.sent = hello;
    exchange
}

#[test]
fn the_key_exchange_signature_of_a_clear_flight_proves_the_key() {
    for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384] {
        let mut far = server(&Wish { versions: TLS12, algorithm, ..Wish::default() });
        let exchange = clear_answer(&mut far, 0);
        let mut capture = Capture { exchanges: vec![exchange], ..Capture::default() };
        let reading = read_row(&capture);
        assert_eq!(extra(&reading, FacetKind::CertSha256, "source"), Some(&Extra::Text("jarm".into())));
        assert_eq!(extra(&reading, FacetKind::CertSha256, "proven"), Some(&Extra::Flag(true)));
        // The same flight replayed to another hello proves nothing.
        capture.exchanges[0].sent[11] ^= 1;
        let reading = read_row(&capture);
        assert_eq!(extra(&reading, FacetKind::CertSha256, "proven"), Some(&Extra::Flag(false)));
    }
}

#[test]
fn a_leaf_seen_twice_appears_once_and_two_leaves_are_numbered() {
    let wish = Wish { versions: TLS12, ..Wish::default() };
    let mut far = server(&wish);
    let leaf = far.leaf.clone();
    let (remains, end) = talk(&mut client(false, None, b""), &mut far, 500);
    let mut clear = clear_answer(&mut server(&wish), 0);
    let mut capture = capture_of(remains, end);
    capture.exchanges.push(clear.clone());
    let count = |reading: &Reading| reading.facets.iter().filter(|one| one.kind == FacetKind::CertSha256).count();
    let reading = read_row(&capture);
    assert_eq!(count(&reading), 2);
    assert_eq!(extra(&reading, FacetKind::CertSha256, "leaf"), Some(&Extra::Number(1)));
    assert_eq!(value(&reading, FacetKind::CertSha256), Some(x509::sha256_hex(&leaf)));

    // Now the clear flight shows the session's own leaf.
    let other = flight::read(&clear.heard).chain[0].clone();
    capture.exchanges[0].session.as_mut().unwrap().chain = vec![Blob(other)];
    capture.exchanges[0].session.as_mut().unwrap().proof = None;
    let reading = read_row(&capture);
    assert_eq!(count(&reading), 1);
    assert_eq!(extra(&reading, FacetKind::CertSha256, "leaf"), None);
    assert_eq!(extra(&reading, FacetKind::CertSha256, "source"), Some(&Extra::Text("handshake".into())));
    assert_eq!(extra(&reading, FacetKind::CertSha256, "proven"), Some(&Extra::Flag(true)));
    clear.heard.clear();
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400), piece in 1usize..50, tls: bool) {
        let mut heard = Vec::new();
        let mut out = Vec::new();
        let mut client = client(true, Some(b"GET"), b"");
        client.next(Event::Connected, &heard, &mut out);
        let head: &[u8] = if tls { &[22, 3, 3, 0, 200, 2, 0, 0, 196, 3, 3] } else { &[] };
        for piece in [head, &bytes].concat().chunks(piece) {
            let from = heard.len();
            heard.extend(piece);
            client.next(Event::Heard(from), &heard, &mut out);
        }
        client.next(Event::Closed, &heard, &mut out);
        let mut capture = capture_of(client.finish(), End::Closed);
        capture.exchanges[0].heard = heard;
        let _ = read_row(&capture);
    }

    #[test]
    fn a_true_flight_with_changed_bytes_is_survived(changes in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..6)) {
        let mut far = server(&Wish::default());
        let mut client = client(true, Some(b"GET"), b"");
        let mut out = Vec::new();
        client.next(Event::Connected, b"", &mut out);
        let mut heard = far.hear(&out);
        for (at, byte) in changes {
            let at = usize::from(at) % heard.len();
            heard[at] = byte;
        }
        client.next(Event::Heard(0), &heard, &mut out);
        client.next(Event::Closed, &heard, &mut out);
        let mut capture = capture_of(client.finish(), End::Closed);
        capture.exchanges[0].heard = heard;
        let _ = read_row(&capture);
    }
}
