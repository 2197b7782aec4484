//! JARM and the cleartext flight against what the reference program saw of real servers (`tests/golden/jarm`).

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails loudly")]

use std::fmt::Write as _;

use hostkin::facet::{Extra, Facet, FacetKind, Value};
use hostkin::observation::{Capture, CutShort, End, Exchange, Outcome, Step};
use hostkin::proto::flight::{self, FlightReader};
use hostkin::proto::jarm::answer::{self, Part};
use hostkin::proto::jarm::fold::{self, ZERO};
use hostkin::proto::jarm::{self, HelloRandom, Jarm, JarmReading, OldHello, Probe, Slot, VoidReason};
use hostkin::proto::{Conversation, Event, Next, Protocol};
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct HelloCase {
    probe: u8,
    sni: String,
    masked: String,
    random: Vec<(usize, usize, String)>,
}

#[derive(Deserialize)]
struct PartCase {
    name: String,
    answer: Option<String>,
    part: String,
    jarm_if_all_ten: String,
}

#[derive(Deserialize)]
struct FoldCase {
    raw: Vec<String>,
    jarm: String,
}

#[derive(Deserialize)]
struct ServerCase {
    id: String,
    heard: Vec<Option<String>>,
    event: Vec<String>,
    raw: Vec<String>,
    jarm: String,
    ja3s: Option<String>,
    ja3s_md5: Option<String>,
}

#[derive(Deserialize)]
struct FlightCase {
    id: String,
    probe: u8,
    messages: Vec<u8>,
    chain_sha256: Vec<String>,
    flight: String,
}

const CUT_REASONS: &str = "cut off (6), alert 40 handshake_failure (2), alert 47 illegal_parameter (1), \
                           alert 70 protocol_version (1)";

const RANDOM: HelloRandom =
    HelloRandom { random: [0x51; 32], session_id: [0x52; 32], key_share: [0x53; 32], grease: [0x0f, 0x40, 0xa3, 0xff] };

fn cases<'a, T: Deserialize<'a>>(json: &'a str) -> Vec<T> {
    serde_json::from_str(json).expect("golden file")
}

fn servers() -> Vec<ServerCase> {
    cases(include_str!("../golden/jarm/servers.json"))
}

fn flights() -> Vec<FlightCase> {
    cases(include_str!("../golden/jarm/flights.json"))
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").unwrap();
        out
    })
}

/// A connection as the recorder saw it: everything in one read.
fn one_read(probe: usize, heard: Option<&str>, event: &str) -> Exchange {
    let end = match event {
        "timeout" => End::ReadTimedOut,
        "reset" => End::Reset,
        _ => End::Closed,
    };
    let heard = heard.map(unhex).unwrap_or_default();
    let step = Step::Jarm(u8::try_from(probe).unwrap());
    Exchange { first_read: u32::try_from(heard.len()).unwrap(), heard, ..Exchange::unsent(step, end, None) }
}

fn exchanges(server: &ServerCase) -> Vec<Exchange> {
    let all = server.heard.iter().zip(&server.event).enumerate();
    let sent = all.filter(|(_, (_, event))| *event != "not_sent");
    sent.map(|(probe, (heard, event))| one_read(probe, heard.as_deref(), event)).collect()
}

/// The same connection driven as the network would, in pieces of `size` bytes.
fn in_pieces(whole: &Exchange, size: usize, read_flight: bool) -> Exchange {
    let Step::Jarm(probe) = whole.step else { panic!("not JARM") };
    drive(&mut Probe::new(probe, "192.0.2.1", &RANDOM, read_flight), whole, size)
}

fn drive(talk: &mut dyn Conversation, whole: &Exchange, size: usize) -> Exchange {
    let mut exchange = Exchange { heard: Vec::new(), first_read: 0, ..whole.clone() };
    assert_eq!(talk.next(Event::Connected, &[], &mut exchange.sent), Next::Read);
    for piece in whole.heard.chunks(size) {
        let from = exchange.heard.len();
        exchange.heard.extend(piece);
        if from == 0 {
            exchange.first_read = u32::try_from(piece.len()).unwrap();
        }
        assert!(exchange.heard.len() <= talk.limit());
        if talk.next(Event::Heard(from), &exchange.heard, &mut exchange.sent) == Next::Done {
            exchange.end = End::Done;
            break;
        }
    }
    exchange
}

fn facet(reading: &JarmReading, kind: FacetKind) -> Option<&Facet> {
    reading.facets.iter().find(|facet| facet.kind == kind)
}

fn value(reading: &JarmReading, kind: FacetKind) -> Option<String> {
    facet(reading, kind).map(|facet| String::from_utf8(facet.stored()).unwrap())
}

fn extra<'a>(facet: &'a Facet, key: &str) -> Option<&'a Extra> {
    facet.extra.iter().find(|(name, _)| *name == key).map(|(_, extra)| extra)
}

fn raw(reading: &JarmReading) -> Vec<String> {
    let Value::List(parts) = &facet(reading, FacetKind::TlsJarmRaw).unwrap().value else { panic!("not a list") };
    parts.iter().map(|part| String::from_utf8(part.clone()).unwrap()).collect()
}

fn is_cut_within_its_first_record(server: &ServerCase) -> bool {
    matches!(server.id.as_str(), "od-frag" | "od-cut")
}

#[test]
fn hellos_are_those_of_the_reference_byte_for_byte() {
    let all: Vec<HelloCase> = cases(include_str!("../golden/jarm/hellos.json"));
    assert_eq!(all.len(), 30);
    for case in all {
        let mut bytes = jarm::hello::hello(case.probe, &case.sni, &RANDOM);
        let mut greases = 0;
        for (offset, length, kind) in case.random {
            let hole = &mut bytes[offset..offset + length];
            match kind.as_str() {
                "random" => assert_eq!(hole, RANDOM.random),
                "session_id" => assert_eq!(hole, RANDOM.session_id),
                "key_share" => assert_eq!(hole, RANDOM.key_share),
                "grease" => {
                    let expected = [[0x0a; 2], [0x4a; 2], [0xaa; 2], [0xfa; 2]][greases];
                    assert_eq!(hole, expected);
                    greases += 1;
                }
                other => panic!("unknown kind {other}"),
            }
            hole.fill(0);
        }
        assert_eq!(
            greases,
            match case.probe {
                4 => 3,
                9 => 4,
                _ => 0,
            }
        );
        assert_eq!(hex(&bytes), case.masked, "probe {} for {}", case.probe, case.sni);
    }
}

#[test]
fn each_quirk_of_the_reference_is_kept() {
    let all: Vec<PartCase> = cases(include_str!("../golden/jarm/parts.json"));
    assert_eq!(all.len(), 74);
    for case in all {
        let bytes = case.answer.as_deref().map(unhex).unwrap_or_default();
        let part = answer::parse(&bytes);
        assert_eq!(part.as_ref().map_or_else(|| "|||".to_owned(), Part::to_string), case.part, "{}", case.name);
        let jarm = fold::fold(&[0; 10].map(|_| part.clone()));
        if case.jarm_if_all_ten.starts_with("CRASH") {
            assert!(jarm.len() == 62 && jarm.bytes().all(|byte| byte.is_ascii_hexdigit()), "{}: {jarm}", case.name);
        } else {
            assert_eq!(jarm, case.jarm_if_all_ten, "{}", case.name);
        }
        for upto in 0..bytes.len() {
            let _ = answer::parse(&bytes[..upto]);
            let _ = flight::read(&bytes[..upto]);
        }
    }
}

#[test]
fn parts_fold_as_in_the_reference() {
    let part = |text: &str| {
        let fields: Vec<&str> = text.split('|').collect();
        let &[cipher, version, alpn, extensions] = fields.as_slice() else { panic!("four fields") };
        let number = |digits| u16::from_str_radix(digits, 16).unwrap();
        (text != "|||").then(|| Part {
            cipher: unhex(cipher),
            version: number(version),
            alpn: alpn.to_owned(),
            extensions: extensions.split('-').filter(|kind| !kind.is_empty()).map(number).collect(),
        })
    };
    for case in cases::<FoldCase>(include_str!("../golden/jarm/folds.json")) {
        let parts: Vec<Option<Part>> = case.raw.iter().map(|text| part(text)).collect();
        assert_eq!(fold::fold(&parts.try_into().unwrap()), case.jarm);
    }
}

#[test]
fn every_server_has_the_jarm_that_the_reference_gave_it() {
    let mut seen = std::collections::BTreeSet::new();
    for server in servers() {
        let mut heard = exchanges(&server);
        if server.id == "od-silent" {
            // The reference stops at its first time-out; here it takes two.
            assert!(!jarm::silent_at_start(&heard));
            heard.push(heard[0].clone());
            assert!(jarm::silent_at_start(&heard));
        }
        let reading = jarm::read(&heard);
        let by_first_read = value(&reading, FacetKind::TlsJarmFirstRead);
        let own = value(&reading, FacetKind::TlsJarm).unwrap();
        assert_eq!(by_first_read.as_ref().unwrap_or(&own), &server.jarm, "{}", server.id);
        assert_eq!(by_first_read.is_some(), server.id == "od-frag", "{}", server.id);
        if by_first_read.is_none() {
            assert_eq!(raw(&reading), server.raw, "{}", server.id);
        }
        let ja3s = value(&reading, FacetKind::TlsJa3s);
        assert_eq!(ja3s, server.ja3s_md5, "{}: JA3S", server.id);
        if let Some(text) = &server.ja3s {
            assert_eq!(jarm::ja3s(&flight::read(&heard[0].heard)).as_ref(), Some(text));
        }
        seen.insert(server.id);
    }
    assert_eq!(seen.len(), 64);
}

#[test]
fn a_zero_hash_says_why() {
    let expected = [
        ("od-http", Outcome::Mismatch, "not TLS"),
        ("od-garbage", Outcome::Mismatch, "not TLS"),
        ("od-close", Outcome::Reset, "reset (6), closed (4)"),
        ("od-silent", Outcome::TimedOut, "silent"),
        ("od-cut", Outcome::TlsAlert, CUT_REASONS),
    ];
    let all = servers();
    for (id, outcome, reason) in expected {
        let server = all.iter().find(|server| server.id == id).unwrap();
        let mut heard = exchanges(server);
        if id == "od-silent" {
            heard.push(heard[0].clone());
        }
        let reading = jarm::read(&heard);
        assert_eq!((reading.outcome, reading.detail.as_deref()), (outcome, Some(reason)), "{id}");
        let jarm = facet(&reading, FacetKind::TlsJarm).unwrap();
        assert_eq!(jarm.stored(), ZERO.as_bytes());
        assert_eq!(extra(jarm, "reason"), Some(&Extra::Text(reason.to_owned())));
    }
    for server in all.iter().filter(|server| server.jarm != ZERO && !is_cut_within_its_first_record(server)) {
        let reading = jarm::read(&exchanges(server));
        assert_eq!((reading.outcome, reading.detail), (Outcome::Answered, None), "{}", server.id);
        assert_eq!(facet(&reading_of(server), FacetKind::TlsJarm).unwrap().extra, [], "{}", server.id);
    }
}

fn reading_of(server: &ServerCase) -> JarmReading {
    jarm::read(&exchanges(server))
}

#[test]
fn the_network_may_cut_answers_anywhere_and_the_jarm_stays() {
    for server in servers().iter().filter(|server| server.id != "od-silent" && !is_cut_within_its_first_record(server))
    {
        let whole = exchanges(server);
        for size in [1, 7, 48, 1484, 100_000] {
            for read_flight in [false, true] {
                let pieces: Vec<Exchange> = whole.iter().map(|one| in_pieces(one, size, read_flight)).collect();
                let reading = jarm::read(&pieces);
                let own = value(&reading, FacetKind::TlsJarm).unwrap();
                assert_eq!(own, server.jarm, "{} in pieces of {size}", server.id);
                let by_first_read = value(&reading, FacetKind::TlsJarmFirstRead);
                assert_eq!(by_first_read.is_some(), size < 1000 && own != ZERO, "{} in pieces of {size}", server.id);
            }
        }
    }
}

#[test]
fn a_first_read_parser_sees_the_fragmenting_server_as_the_reference_did() {
    // od-frag is ng-default behind a relay that sends 48 bytes at a time.
    let all = servers();
    let find = |id| all.iter().find(|server| server.id == id).unwrap();
    let (plain, fragmented) = (find("ng-default"), find("od-frag"));
    let pieces: Vec<Exchange> = exchanges(plain).iter().map(|one| in_pieces(one, 48, true)).collect();
    let reading = jarm::read(&pieces);
    assert_eq!(value(&reading, FacetKind::TlsJarm).as_ref(), Some(&plain.jarm));
    assert_eq!(value(&reading, FacetKind::TlsJarmFirstRead).as_ref(), Some(&fragmented.jarm));
}

#[test]
fn one_slot_lost_to_a_timeout_leaves_no_jarm_where_the_reference_prints_zeros() {
    for server in servers().iter().filter(|server| server.jarm != ZERO && !is_cut_within_its_first_record(server)) {
        let mut heard = exchanges(server);
        let settled = heard[7].clone();
        heard[7] = one_read(7, None, "timeout");
        let reading = jarm::read(&heard);
        assert_eq!(reading.outcome, Outcome::Incomplete, "{}", server.id);
        assert_eq!(reading.detail.as_deref(), Some("unknown slots: 7 timed_out"));
        assert_eq!(value(&reading, FacetKind::TlsJarm), None);
        assert!(facet(&reading, FacetKind::TlsJarmRaw).is_none());
        // Asked again, and settled.
        heard.push(settled);
        assert_eq!(value(&jarm::read(&heard), FacetKind::TlsJarm).as_ref(), Some(&server.jarm));
    }
}

#[test]
fn a_cut_in_the_middle_of_the_first_record_leaves_the_slot_void_or_unknown_by_its_end() {
    let all = servers();
    let server = all.iter().find(|server| server.id == "ng-default").unwrap();
    let mut exchange = exchanges(server).remove(0);
    exchange.heard.truncate(90);
    exchange.first_read = 90;
    exchange.end = End::Closed;
    assert_eq!(jarm::slot(&exchange), Slot::Void(VoidReason::CutOff));
    exchange.end = End::ReadTimedOut;
    assert_eq!(jarm::slot(&exchange), Slot::Unknown);
}

#[test]
fn every_prefix_of_every_answer_is_survived() {
    for server in servers() {
        for whole in exchanges(&server) {
            for upto in 0..whole.heard.len() {
                let mut cut = whole.clone();
                cut.heard.truncate(upto);
                let _ = jarm::slot(&cut);
                let _ = jarm::first_read_part(&cut);
                let _ = flight::read(&cut.heard);
            }
        }
    }
}

#[test]
fn services_that_were_not_asked_all_ten_are_told_by_what_was_heard() {
    let jarm = |exchange: Exchange| jarm::read(&[exchange]);
    let ended = |end| jarm(Exchange::unsent(Step::Jarm(0), end, None)).outcome;
    assert_eq!(ended(End::Refused), Outcome::Refused);
    assert_eq!(ended(End::Unreachable), Outcome::Unreachable);
    assert_eq!(ended(End::ConnectTimedOut), Outcome::TimedOut);
    assert_eq!(ended(End::OutOfScope), Outcome::OutOfScope);
    assert_eq!(ended(End::Failed), Outcome::Failed);
    let banner = jarm(one_read(0, Some(&hex(b"SSH-2.0-x\r\n")), "eof"));
    assert_eq!((banner.outcome, banner.detail.as_deref()), (Outcome::Mismatch, Some("not TLS")));
    assert!(banner.facets.is_empty(), "one void slot is no JARM");
    assert_eq!(jarm::read(&[]).outcome, Outcome::Incomplete);

    let cut_short = Some(CutShort::Pruned);
    let pruned = Capture { exchanges: vec![one_read(0, None, "eof")], cut_short, ..Capture::default() };
    assert_eq!(Jarm.read(&pruned).outcome, Outcome::Pruned);
}

#[test]
fn doubtful_answers_are_marked() {
    let all: Vec<PartCase> = cases(include_str!("../golden/jarm/parts.json"));
    for (name, words) in [
        ("ServerHello split over two records", "ServerHello split over records in slot 0"),
        ("version 0306", "unknown version 0306 in slot 0"),
    ] {
        let case = all.iter().find(|case| case.name == name).unwrap();
        let mut heard: Vec<Exchange> = (0..10).map(|probe| one_read(probe, None, "eof")).collect();
        heard[0] = one_read(0, case.answer.as_deref(), "data");
        let reading = jarm::read(&heard);
        let odd = extra(facet(&reading, FacetKind::TlsJarm).unwrap(), "odd");
        assert_eq!(odd, Some(&Extra::Text(words.to_owned())), "{name}");
    }
}

#[test]
fn certificates_come_out_of_every_recorded_flight() {
    let all = flights();
    assert_eq!(all.len(), 51);
    for case in &all {
        let bytes = unhex(&case.flight);
        let flight = flight::read(&bytes);
        assert_eq!(flight.messages, case.messages, "{}", case.id);
        let digests: Vec<String> = flight.chain.iter().map(|der| hex(&Sha256::digest(der))).collect();
        assert_eq!(digests, case.chain_sha256, "{}", case.id);
        assert!(flight.complete && flight.alert.is_none(), "{}", case.id);
        assert_eq!(flight.server_key_exchange.is_some(), case.messages.contains(&12), "{}", case.id);
        for upto in 0..bytes.len() {
            let mut reader = FlightReader::default();
            assert!(!reader.hear(&bytes[..upto]), "{} is over after {upto} bytes", case.id);
        }
    }
}

#[test]
fn reading_the_flight_changes_no_slot_and_finds_the_chain() {
    for case in flights() {
        let mut whole = one_read(usize::from(case.probe), Some(&case.flight), "data");
        let short = in_pieces(&whole, 48, false);
        let long = in_pieces(&whole, 48, true);
        assert_eq!(long.heard, whole.heard, "{}", case.id);
        assert!(short.heard.len() < long.heard.len(), "{}", case.id);
        assert_eq!(jarm::slot(&short), jarm::slot(&long), "{}", case.id);

        let leaves = jarm::read(&[long]).leaves;
        assert_eq!(leaves.len(), 1, "{}", case.id);
        assert_eq!((leaves[0].exchange, &leaves[0].step), (0, &whole.step));
        assert_eq!(leaves[0].flight.chain.len(), case.chain_sha256.len());

        whole.step = Step::OldHello;
        let old = drive(&mut OldHello::new(&RANDOM), &whole, 48);
        assert_eq!(jarm::read(&[old]).leaves[0].step, Step::OldHello);
    }
}
