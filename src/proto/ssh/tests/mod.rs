//! Whole exchanges against a server without sockets, and hostile bytes.

mod server;
mod signer;

use proptest::prelude::*;
use server::{Counting, Manner, Server, exchange_for};

use super::method::{Family, METHODS};
use super::*;
use crate::facet::{Extra, Facet, FacetKind, Value};
use crate::observation::{CutShort, End, Exchange, Outcome, Step};
use crate::proto::{Conversation as _, Event, Next};

fn server(kex: &'static str, signer: signer::Signer) -> Server {
    Server { kex, signer, manner: Manner::Plain }
}

fn reading(exchanges: Vec<Exchange>) -> Reading {
    read(&Capture { exchanges, ..Capture::default() })
}

fn facets(reading: &Reading, kind: FacetKind) -> Vec<&Facet> {
    reading.facets.iter().filter(|facet| facet.kind == kind).collect()
}

fn extra<'a>(facet: &'a Facet, key: &str) -> Option<&'a Extra> {
    facet.extra.iter().find(|(name, _)| *name == key).map(|(_, extra)| extra)
}

fn proven(reading: &Reading) -> Vec<bool> {
    facets(reading, FacetKind::SshHostKey).iter().map(|key| extra(key, "proven") == Some(&Extra::Flag(true))).collect()
}

fn missing(reading: &Reading) -> Vec<(String, String)> {
    let text = |facet: &&Facet| match (&facet.value, extra(facet, "reason")) {
        (Value::Text(value), Some(Extra::Text(reason))) => {
            (String::from_utf8_lossy(value).into_owned(), reason.clone())
        }
        _ => panic!("a missing key has a name and a reason"),
    };
    facets(reading, FacetKind::SshHostKeyMissing).iter().map(text).collect()
}

/// A connection that heard this and ended so.
fn heard(bytes: &[u8], end: End) -> Exchange {
    Exchange { heard: bytes.to_vec(), end, ..exchange_for(&Want::First) }
}

fn after_banner(packets: &[u8]) -> Vec<u8> {
    [b"SSH-2.0-x\r\n", packets].concat()
}

#[test]
fn every_method_proves_the_key() {
    for method in METHODS {
        let exchange = server(method.name, signer::ed25519()).meet(Want::First, 700);
        assert_eq!(exchange.end, End::Done, "{}", method.name);
        assert_eq!(proven(&reading(vec![exchange])), [true], "{}", method.name);
    }
}

#[test]
fn every_type_of_key_and_signature_is_proven() {
    for signer in signer::all() {
        let name = signer.algorithm;
        let exchange = server("curve25519-sha256", signer).meet(Want::Algorithm(name.to_owned()), 4096);
        let reading = reading(vec![exchange]);
        assert_eq!(reading.outcome, Outcome::Answered);
        assert_eq!(proven(&reading), [true], "{name}");
        let certificate = extra(facets(&reading, FacetKind::SshHostKey)[0], "certificate").is_some();
        assert_eq!(certificate, name.contains("cert"));
    }
}

#[test]
fn a_wrong_signature_leaves_the_key_unproven() {
    for signer in signer::all() {
        let name = signer.algorithm;
        let forging = Server { kex: "ecdh-sha2-nistp256", signer, manner: Manner::Forging };
        assert_eq!(proven(&reading(vec![forging.meet(Want::First, 4096)])), [false], "{name}");
    }
}

#[test]
fn another_servers_signature_proves_nothing() {
    let mut exchange = server("curve25519-sha256", signer::ed25519()).meet(Want::First, 4096);
    let cookie_byte = ident::OURS.len() + 10;
    exchange.sent[cookie_byte] ^= 1;
    assert_eq!(proven(&reading(vec![exchange.clone()])), [false], "our cookie is under the signature");
    exchange.sent[cookie_byte] ^= 1;
    exchange.secret = Some(vec![1]);
    assert_eq!(proven(&reading(vec![exchange.clone()])), [false], "so is the secret");
    exchange.secret = None;
    assert_eq!(proven(&reading(vec![exchange])), [false], "without the secret nothing can be checked");
}

#[test]
fn the_bytes_may_come_one_at_a_time() {
    for kex in ["curve25519-sha256", "diffie-hellman-group-exchange-sha256"] {
        let noisy = Server { kex, signer: signer::ed25519(), manner: Manner::Noisy };
        let dripped = noisy.meet(Want::First, 1);
        assert_eq!(proven(&reading(vec![dripped])), [true], "{kex}");
    }
}

#[test]
fn messages_without_meaning_here_are_stepped_over() {
    for kex in ["ecdh-sha2-nistp384", "diffie-hellman-group-exchange-sha1"] {
        let noisy = Server { kex, signer: signer::p256(), manner: Manner::Noisy };
        let reading = reading(vec![noisy.meet(Want::First, 4096)]);
        assert_eq!(proven(&reading), [true], "{kex}");
        assert_eq!(facets(&reading, FacetKind::SshBanner)[0].value, Value::Text(b"SSH-2.0-test_1 a comment".to_vec()));
    }
}

#[test]
fn a_wrong_guess_is_ignored_and_a_right_one_is_not() {
    let wrong = "ext-info-s,curve25519-sha256";
    let guessing = Server { kex: wrong, signer: signer::ed25519(), manner: Manner::Guessing };
    assert_eq!(proven(&reading(vec![guessing.meet(Want::First, 4096)])), [true]);
    let right = Server { kex: "curve25519-sha256", signer: signer::ed25519(), manner: Manner::Guessing };
    let reading = reading(vec![right.meet(Want::First, 4096)]);
    assert_eq!(missing(&reading), [("ssh-ed25519".to_owned(), "host key cut off".to_owned())]);
}

#[test]
fn the_group_of_a_group_exchange_is_never_read_as_a_key() {
    let mut exchange = server("diffie-hellman-group-exchange-sha256", signer::ed25519()).meet(Want::First, 4096);
    let (_, after_kexinit) = packet::take(&exchange.heard[26..]).unwrap().unwrap();
    let (group, reply) = packet::take(after_kexinit).unwrap().unwrap();
    assert_eq!(group[0], 31);
    exchange.heard.truncate(exchange.heard.len() - reply.len());
    exchange.end = End::ReadTimedOut;
    let reading = reading(vec![exchange]);
    assert!(facets(&reading, FacetKind::SshHostKey).is_empty());
    assert_eq!(missing(&reading), [("ssh-ed25519".to_owned(), "timed out".to_owned())]);
}

#[test]
fn a_group_too_small_to_work_with_ends_the_connection() {
    let kex = "diffie-hellman-group-exchange-sha256";
    let exchange = Server { kex, signer: signer::ed25519(), manner: Manner::Belittling }.meet(Want::First, 4096);
    assert_eq!(exchange.end, End::Done);
    assert_eq!(missing(&reading(vec![exchange])), [("ssh-ed25519".to_owned(), "group refused".to_owned())]);
}

#[test]
fn a_public_half_that_gives_no_secret_leaves_the_key_unproven() {
    for method in METHODS.iter().filter(|method| method.family != Family::GroupExchange) {
        let cheating = Server { kex: method.name, signer: signer::ed25519(), manner: Manner::Cheating };
        let exchange = cheating.meet(Want::First, 4096);
        assert_eq!(exchange.secret, None, "{}", method.name);
        assert_eq!(proven(&reading(vec![exchange])), [false], "{}", method.name);
    }
}

#[test]
fn a_disconnect_ends_with_its_reason() {
    let leaving = Server { kex: "curve25519-sha256", signer: signer::ed25519(), manner: Manner::Disconnecting };
    let exchange = leaving.meet(Want::First, 4096);
    assert_eq!(exchange.end, End::Done);
    let reason = "disconnected: key exchange failed".to_owned();
    assert_eq!(missing(&reading(vec![exchange])), [("ssh-ed25519".to_owned(), reason)]);
}

#[test]
fn a_connection_cut_at_any_byte_is_still_read() {
    for kex in ["curve25519-sha256", "diffie-hellman-group-exchange-sha256"] {
        let whole = server(kex, signer::p256()).meet(Want::First, 4096);
        for cut in 0..whole.heard.len() {
            let part = Exchange { heard: whole.heard[..cut].to_vec(), end: End::Closed, ..whole.clone() };
            let (settled, reading) = (is_settled(&part), reading(vec![part]));
            let line = whole.heard.iter().position(|byte| *byte == b'\n').unwrap();
            assert_eq!(reading.outcome == Outcome::Answered, cut > line, "{kex} {cut}");
            assert!(settled || cut <= line);
            let keys = facets(&reading, FacetKind::SshHostKey).len();
            assert!(keys == 0 || proven(&reading) == [true] && cut + 20 > whole.heard.len(), "{kex} {cut}");
        }
    }
}

#[test]
fn what_remains_is_asked_in_the_servers_order_one_name_for_each_key() {
    let offered = "x509v3-ssh-rsa,ssh-ed25519,rsa-sha2-512,rsa-sha2-256,ssh-rsa,ecdsa-sha2-nistp521,ssh-dss";
    let mut many = server("curve25519-sha256", signer::ed25519());
    many.signer.algorithm = offered;
    let first = many.meet(Want::First, 4096);
    let wanted_names = wanted(std::slice::from_ref(&first));
    assert_eq!(wanted_names, ["rsa-sha2-512", "ecdsa-sha2-nistp521", "ssh-dss"]);
    let second = Exchange { step: Step::Kex("rsa-sha2-512".to_owned()), ..heard(b"", End::Reset) };
    assert_eq!(wanted(&[first.clone(), second.clone()]), ["ecdsa-sha2-nistp521", "ssh-dss"]);
    let reading = reading(vec![first, second]);
    assert_eq!(proven(&reading), [true]);
    let (unknown, lost) = ("algorithm not supported".to_owned(), "connection reset".to_owned());
    assert_eq!(missing(&reading), [("x509v3-ssh-rsa".to_owned(), unknown), ("rsa-sha2-512".to_owned(), lost)]);
}

#[test]
fn a_key_had_at_the_second_try_is_not_missing() {
    let one = server("curve25519-sha256", signer::p384());
    let lost = Exchange { end: End::ReadTimedOut, heard: Vec::new(), secret: None, ..one.meet(Want::First, 4096) };
    assert!(!is_settled(&lost));
    let reading = reading(vec![lost, one.meet(Want::First, 4096)]);
    assert_eq!(reading.outcome, Outcome::Answered);
    assert_eq!((proven(&reading), missing(&reading)), (vec![true], vec![]));
}

#[test]
fn another_type_of_key_than_asked_for_is_shown_and_the_asked_one_missing() {
    let mut lying = server("curve25519-sha256", signer::ed25519());
    lying.signer.algorithm = "ssh-dss";
    let reading = reading(vec![lying.meet(Want::First, 4096)]);
    assert_eq!(proven(&reading), [true], "it does hold the key it shows");
    let reason = "another type of key was shown".to_owned();
    assert_eq!(missing(&reading), [("ssh-dss".to_owned(), reason)]);
}

#[test]
fn a_key_and_its_certificate_are_one_facet() {
    let plain = server("curve25519-sha256", signer::ed25519()).meet(Want::First, 4096);
    let name = "ssh-ed25519-cert-v01@openssh.com";
    let certified =
        server("curve25519-sha256", signer::certified(signer::ed25519(), name, name)).meet(Want::First, 4096);
    let reading = reading(vec![plain, certified]);
    assert_eq!(proven(&reading), [true]);
    let key = facets(&reading, FacetKind::SshHostKey)[0];
    assert_eq!(extra(key, "type"), Some(&Extra::Text("ssh-ed25519".to_owned())));
    assert_eq!(extra(key, "certificate"), Some(&Extra::Flag(true)));
}

#[test]
fn nothing_is_sent_to_a_server_with_no_method_or_key_in_common() {
    let quantum = server("sntrup761x25519-sha512@openssh.com,kex-strict-s-v00@openssh.com", signer::ed25519());
    let mut exotic = server("curve25519-sha256", signer::ed25519());
    exotic.signer.algorithm = "ssh-ed448";
    for (server, reason) in [(quantum, "only post-quantum key exchange offered"), (exotic, "algorithm not supported")] {
        let exchange = server.meet(Want::First, 4096);
        assert_eq!((&exchange.sent[..], exchange.end), (ident::OURS, End::Done));
        assert!(wanted(std::slice::from_ref(&exchange)).is_empty());
        let reading = reading(vec![exchange]);
        assert_eq!(reading.outcome, Outcome::Answered);
        assert_eq!(missing(&reading), [(server.signer.algorithm.to_owned(), reason.to_owned())]);
    }
}

#[test]
fn outcomes_are_told_apart() {
    use Outcome::{Answered, Closed, Mismatch, Refused, Reset, TimedOut};
    let x = |bytes: &[u8], end| (bytes.to_vec(), end);
    for ((bytes, end), outcome, detail, settled) in [
        (x(b"", End::Refused), Refused, None, true),
        (x(b"", End::ConnectTimedOut), TimedOut, None, false),
        (x(b"", End::Reset), Reset, None, false),
        (x(b"", End::Closed), Closed, None, false),
        (x(b"SSH-2.0-Op", End::Closed), Closed, Some("identification line cut off"), false),
        (x(b"Exceeded MaxStartups\r\n", End::Reset), Closed, Some("turned away: too many connections at once"), false),
        (x(b"SSH-2.0-x\r\n", End::ReadTimedOut), Answered, Some("kexinit timed out"), false),
        (x(b"SSH-2.0-x\r\n", End::Closed), Answered, Some("kexinit missing: connection closed"), true),
        (
            x(b"SSH-2.0-x\r\n\x80\0\0\0", End::Done),
            Answered,
            Some("kexinit missing: packet length 2147483648 out of bounds"),
            true,
        ),
        (x(b"SSH-1.5-old\n", End::Done), Answered, Some("protocol version 1 only"), true),
        (x(b"HTTP/1.1 400 Bad Request\r\n", End::Closed), Mismatch, Some("not ssh but http"), true),
        (x(b"\x15\x03\x01\0\x02\x02F", End::Closed), Mismatch, Some("not ssh but tls"), true),
        (x(b"a\r\nb\r\n", End::ReadTimedOut), Mismatch, Some("not ssh: 2 lines, 6 bytes, timed out"), true),
        (
            x(&b"x\n".repeat(50), End::Done),
            Mismatch,
            Some("no identification line within 50 lines and 8192 bytes"),
            true,
        ),
    ] {
        let exchange = heard(&bytes, end);
        assert_eq!(is_settled(&exchange), settled, "{detail:?} {end:?}");
        let reading = reading(vec![exchange]);
        assert_eq!((reading.outcome, reading.detail.as_deref()), (outcome, detail));
    }
    assert_eq!(reading(vec![]).outcome, Outcome::Failed);
    let pruned = Capture {
        exchanges: vec![heard(b"SSH-2.0-x\r\n", End::Done)],
        cut_short: Some(CutShort::Pruned),
        ..Capture::default()
    };
    assert_eq!(read(&pruned).outcome, Outcome::Pruned);
    assert_eq!(read(&pruned).facets.len(), 1, "what was heard is read all the same");
}

#[test]
fn lengths_that_lie_end_the_connection_at_once() {
    let mut kexinit = server("curve25519-sha256", signer::ed25519()).kexinit();
    kexinit[17..21].copy_from_slice(&0x8000_0000u32.to_be_bytes());
    let mut lying_list = Vec::new();
    packet::put(&mut lying_list, &kexinit);
    for packets in [lying_list, vec![0x7f, 0xff, 0xff, 0xff], vec![0, 0, 0, 12, 0, 31, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
        let mut kex = Kex::new(Want::First, &mut Counting(1));
        let bytes = after_banner(&packets);
        assert_eq!(kex.next(Event::Heard(0), &bytes, &mut Vec::new()), Next::Done);
        assert!(super::kexinit(&bytes).is_none());
    }
}

#[test]
fn endless_lines_end_the_connection() {
    let mut kex = Kex::new(Want::First, &mut Counting(1));
    let mut out = Vec::new();
    assert_eq!(kex.next(Event::Heard(0), &b"line\r\n".repeat(49), &mut out), Next::Read);
    assert_eq!(kex.next(Event::Heard(0), &b"line\r\n".repeat(50), &mut out), Next::Done);
    assert_eq!(kex.next(Event::Closed, b"", &mut out), Next::Done);
    assert!(out.is_empty());
}

#[test]
fn the_hashes_are_those_of_the_lists_as_sent() {
    let server = server("curve25519-sha256,kex-strict-s-v00@openssh.com", signer::ed25519());
    let exchange = server.meet(Want::First, 4096);
    let lists = super::kexinit(&exchange.heard).unwrap();
    assert_eq!(lists.kex, server.kex.as_bytes());
    // printf '%s' 'curve25519-sha256,kex-strict-s-v00@openssh.com;c2;m2;none' | md5sum
    assert_eq!(lists.hassh_server(), "024886e0e23fdb97bc8b55287a184b01");
    // printf '%s' 'curve25519-sha256,kex-strict-s-v00@openssh.com;ssh-ed25519;c1;c2;m1;m2;none;none;;' | sha256sum
    assert_eq!(lists.sha256(), "7768312db61b0f0e844010f4c32ee55727cd8f4db232fc5b9c86d7c8c84a5f52");
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..600), sent in proptest::collection::vec(any::<u8>(), 0..200)) {
        for heard in [bytes.clone(), after_banner(&bytes)] {
            let mut kex = Kex::new(Want::First, &mut Counting(1));
            kex.next(Event::Heard(0), &heard, &mut Vec::new());
            let exchange = Exchange { heard, sent: sent.clone(), secret: Some(bytes.clone()), ..exchange_for(&Want::First) };
            let _ = (wanted(std::slice::from_ref(&exchange)), is_settled(&exchange));
            reading(vec![exchange]);
        }
    }

    #[test]
    fn a_good_connection_with_a_few_bytes_changed_is_survived_and_never_proves_another_key(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), which in 0usize..16,
    ) {
        let signer = signer::all().swap_remove(which);
        let good = server("ecdh-sha2-nistp521", signer).meet(Want::First, 4096);
        let key = |exchange: Exchange| {
            let reading = reading(vec![exchange]);
            facets(&reading, FacetKind::SshHostKey).first().map(|key| (key.value.clone(), extra(key, "proven") == Some(&Extra::Flag(true))))
        };
        let mut bad = good.clone();
        for (place, byte) in changes {
            let place = place.index(bad.heard.len());
            bad.heard[place] = byte;
        }
        let (right, shown) = (key(good), key(bad.clone()));
        if let Some((value, true)) = shown {
            prop_assert_eq!(Some((value, true)), right);
        }
        let mut kex = Kex::new(Want::First, &mut Counting(1));
        kex.next(Event::Heard(0), &bad.heard, &mut Vec::new());
    }
}
