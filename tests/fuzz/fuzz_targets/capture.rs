#![no_main]
use hostkin::observation::Capture;
use libfuzzer_sys::fuzz_target;

/// The data is a stored capture.
fuzz_target!(|data: &[u8]| {
    if let Ok(capture) = Capture::from_cbor(data) {
        assert_eq!(Capture::from_cbor(&capture.to_cbor()).unwrap(), capture);
    }
});
