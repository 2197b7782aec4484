#![no_main]

use libfuzzer_sys::fuzz_target;

/// The data is one certificate.
fuzz_target!(|data: &[u8]| {
    let facets = hostkin::proto::x509::leaf_facets(data, "jarm", None);
    assert!(!facets.is_empty(), "the digest of the bytes is always there");
});
