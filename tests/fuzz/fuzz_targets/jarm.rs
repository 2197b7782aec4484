#![no_main]
use hostkin::observation::{Capture, End, Exchange, Step};
use hostkin::proto::Protocol;
use libfuzzer_sys::fuzz_target;

/// The first byte picks the step, the second how the connection ended; the rest is what was heard.
fuzz_target!(|data: &[u8]| {
    let [step, end, heard @ ..] = data else { return };
    let step = Step::Jarm(step % 10);
    let end = [End::Done, End::Closed, End::Reset, End::ReadTimedOut][usize::from(end % 4)];
    let mut exchange = Exchange::unsent(step, end, None);
    exchange.first_read = heard.len() as u32;
    exchange.heard = heard.to_vec();
    let capture = Capture { asked_as: "127.0.0.1".into(), exchanges: vec![exchange], request_version: 1, cut_short: None };
    assert_eq!(hostkin::proto::jarm::Jarm.read(&capture), hostkin::proto::jarm::Jarm.read(&capture));
});
