#![no_main]
use hostkin::evidence::read_response;
use libfuzzer_sys::fuzz_target;

/// The data is the answer of a time-stamp authority.
fuzz_target!(|data: &[u8]| {
    let _ = read_response(data);
});
