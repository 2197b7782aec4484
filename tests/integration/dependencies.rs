//! What the lock file may hold: the rules of deny.toml that need no further program.

use std::path::Path;

#[test]
fn no_second_tls_library_no_http_client_and_no_foreign_source() {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    let lock: toml::Value = lock.parse::<toml::Table>().unwrap().into();
    let packages = lock["package"].as_array().unwrap();
    assert!(packages.len() > 100);
    let banned = ["aws-lc-rs", "aws-lc-sys", "openssl", "openssl-sys", "native-tls", "reqwest", "hyper", "ureq"];
    for package in packages {
        let name = package["name"].as_str().unwrap();
        assert!(!banned.contains(&name), "{name} must not come in (see deny.toml)");
        match package.get("source").and_then(toml::Value::as_str) {
            None => assert_eq!(name, "hostkin"),
            Some(source) => assert!(source.starts_with("registry+"), "{name} comes from {source}"),
        }
    }
}
