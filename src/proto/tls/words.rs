//! Names of cipher suites and versions, as IANA lists them. Alerts have theirs in [`crate::proto::flight`].

/// The IANA name of a cipher suite that a session can agree on, or its number as `0x1234`.
#[must_use]
pub(super) fn cipher_name(suite: u16) -> String {
    match CIPHERS.iter().find(|(number, _)| *number == suite) {
        Some((_, name)) => (*name).to_owned(),
        None => format!("0x{suite:04x}"),
    }
}

/// `TLS1.2` and so on, or the number as `0x1234`.
#[must_use]
pub(super) fn version_name(version: u16) -> String {
    match version {
        0x0300 => "SSL3.0".into(),
        0x0301 => "TLS1.0".into(),
        0x0302 => "TLS1.1".into(),
        0x0303 => "TLS1.2".into(),
        0x0304 => "TLS1.3".into(),
        other => format!("0x{other:04x}"),
    }
}

const CIPHERS: &[(u16, &str)] = &[
    (0x1301, "TLS_AES_128_GCM_SHA256"),
    (0x1302, "TLS_AES_256_GCM_SHA384"),
    (0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
    (0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    (0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    (0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_the_client_offers_has_its_name() {
        for suite in rustls::crypto::ring::ALL_CIPHER_SUITES {
            assert!(!cipher_name(u16::from(suite.suite())).starts_with("0x"), "{suite:?}");
        }
    }

    #[test]
    fn unknown_numbers_stay_numbers() {
        assert_eq!(cipher_name(0x0005), "0x0005");
        assert_eq!(version_name(0x7f1c), "0x7f1c");
    }
}
