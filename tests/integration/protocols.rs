//! Every protocol of the list has golden cases, a fuzz target, and survives whatever it is given.

use std::path::Path;

use hostkin::observation::{Capture, End, Exchange, Speech, Step};
use hostkin::proto::{self, PROTOCOLS};
use proptest::prelude::*;

#[test]
fn every_protocol_has_a_name_golden_cases_and_a_fuzz_target() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut missing = Vec::new();
    for protocol in PROTOCOLS {
        let id = protocol.id();
        // The certificates' golden cases stand under their own name.
        let golden = tests.join("golden").join(if id == "tls" { "x509" } else { id });
        let cases = golden.read_dir().map_or(0, |files| {
            files.flatten().filter(|file| file.path().extension().is_some_and(|end| end == "json")).count()
        });
        if cases == 0 {
            missing.push(format!("tests/golden/{id}"));
        }
        let target = tests.join("fuzz/fuzz_targets").join(format!("{id}.rs"));
        if !target.is_file() {
            missing.push(format!("tests/fuzz/fuzz_targets/{id}.rs"));
        }
    }
    assert!(missing.is_empty(), "missing: {}", missing.join(", "));
    let mut ids: Vec<_> = PROTOCOLS.iter().map(|protocol| protocol.id()).collect();
    assert_eq!(ids, ["jarm", "tls", "http", "ssh"]);
    ids.dedup();
    assert_eq!(ids.len(), PROTOCOLS.len());
}

fn capture(step: Step, heard: Vec<u8>, first: u32, end: End) -> Capture {
    let mut exchange = Exchange::unsent(step, end, None);
    exchange.first_read = first;
    exchange.wire_heard = heard.len() as u64;
    exchange.heard = heard;
    Capture { asked_as: "127.0.0.1".to_owned(), exchanges: vec![exchange], request_version: 1, cut_short: None }
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u8..12).prop_map(Step::Jarm),
        any::<bool>().prop_map(Step::Session),
        Just(Step::Page),
        Just(Step::Favicon),
        "[a-z0-9@.-]{0,40}".prop_map(Step::Kex),
        Just(Step::OldHello),
    ]
}

fn ends() -> impl Strategy<Value = End> {
    prop::sample::select(vec![End::Done, End::Closed, End::Reset, End::ReadTimedOut, End::Full, End::Refused])
}

proptest! {
    #[test]
    fn any_bytes_give_a_reading_and_twice_the_same(step in steps(), heard in prop::collection::vec(any::<u8>(), 0..2000), first in any::<u32>(), end in ends()) {
        let capture = capture(step, heard, first, end);
        for speech in Speech::ALL {
            prop_assert_eq!(proto::read(speech, &capture), proto::read(speech, &capture));
        }
        for protocol in PROTOCOLS {
            let _ = protocol.read(&capture);
        }
    }

    #[test]
    fn a_capture_comes_back_from_its_cbor(step in steps(), heard in prop::collection::vec(any::<u8>(), 0..300), first in any::<u32>(), end in ends()) {
        let capture = capture(step, heard, first, end);
        prop_assert_eq!(Capture::from_cbor(&capture.to_cbor()).unwrap(), capture);
    }

    #[test]
    fn bytes_that_are_no_capture_are_an_error_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Capture::from_cbor(&bytes);
    }
}
