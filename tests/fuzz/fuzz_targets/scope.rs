#![no_main]

use libfuzzer_sys::fuzz_target;

/// The data is a scope file.
fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = hostkin::scope::Scope::parse(text, std::path::Path::new("scope.toml"), None);
    }
});
