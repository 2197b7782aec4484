//! What kind of public key a certificate holds.

use super::certificate::PublicKey;
use super::der::{self, Der, oid_text};

/// A public key, as far as its proof of possession needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    /// RSA, with the length of its modulus in bits.
    Rsa(usize),
    /// RSA limited to PSS (RFC 4055), with the length of its modulus in bits.
    RsaPss(usize),
    /// DSA, with the length of p in bits.
    Dsa(usize),
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// Ed25519.
    Ed25519,
    /// Ed448.
    Ed448,
    /// Anything else.
    Other,
}

/// The kind of `key`.
#[must_use]
pub(super) fn kind(key: &PublicKey<'_>) -> KeyKind {
    match oid_text(key.algorithm).as_str() {
        "1.2.840.113549.1.1.1" => modulus_bits(key.bits).map_or(KeyKind::Other, KeyKind::Rsa),
        "1.2.840.113549.1.1.10" => modulus_bits(key.bits).map_or(KeyKind::Other, KeyKind::RsaPss),
        "1.2.840.10040.4.1" => {
            let p = key.parameters.and_then(|one| one.inside().expect(der::INTEGER, "p").ok());
            p.map_or(KeyKind::Other, |p| KeyKind::Dsa(bit_length(p.body)))
        }
        "1.2.840.10045.2.1" => match curve(key).as_str() {
            "1.2.840.10045.3.1.7" => KeyKind::P256,
            "1.3.132.0.34" => KeyKind::P384,
            "1.3.132.0.35" => KeyKind::P521,
            _ => KeyKind::Other,
        },
        "1.3.101.112" => KeyKind::Ed25519,
        "1.3.101.113" => KeyKind::Ed448,
        _ => KeyKind::Other,
    }
}

/// The value of `cert.key_type`: `rsa-2048`, `rsa-pss-2048`, `dsa-1024`, `ec-p256`, `ed25519` …; for curves without a name
/// here `ec-` and the OID (or `ec-explicit`), and for all else the OID of the algorithm.
#[must_use]
pub(super) fn key_type(key: &PublicKey<'_>) -> String {
    match kind(key) {
        KeyKind::Rsa(bits) => format!("rsa-{bits}"),
        KeyKind::RsaPss(bits) => format!("rsa-pss-{bits}"),
        KeyKind::Dsa(bits) => format!("dsa-{bits}"),
        KeyKind::P256 => "ec-p256".into(),
        KeyKind::P384 => "ec-p384".into(),
        KeyKind::P521 => "ec-p521".into(),
        KeyKind::Ed25519 => "ed25519".into(),
        KeyKind::Ed448 => "ed448".into(),
        KeyKind::Other => match oid_text(key.algorithm).as_str() {
            "1.2.840.10045.2.1" => match curve(key).as_str() {
                "1.3.132.0.33" => "ec-p224".into(),
                "1.3.132.0.10" => "ec-secp256k1".into(),
                "" => "ec-explicit".into(),
                other => format!("ec-{other}"),
            },
            other => other.to_owned(),
        },
    }
}

/// OID of the named curve; empty when the curve is spelt out or missing.
fn curve(key: &PublicKey<'_>) -> String {
    key.parameters.filter(|one| one.tag == der::OID).map(|one| oid_text(one.body)).unwrap_or_default()
}

fn modulus_bits(bits: &[u8]) -> Option<usize> {
    let key = Der::new(bits).expect(der::SEQUENCE, "RSA key").ok()?;
    let modulus = key.inside().expect(der::INTEGER, "modulus").ok()?;
    Some(bit_length(modulus.body))
}

fn bit_length(number: &[u8]) -> usize {
    let zeros: usize = number.iter().take_while(|byte| **byte == 0).count();
    let (_, significant) = number.split_at_checked(zeros).unwrap_or_default();
    let lead = significant.first().map_or(0, |byte| byte.leading_zeros());
    significant.len() * 8 - usize::try_from(lead).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_number_counts_from_its_first_set_bit() {
        assert_eq!(bit_length(&[0, 0x80, 0]), 16);
        assert_eq!(bit_length(&[0x01]), 1);
        assert_eq!(bit_length(&[0, 0]), 0);
        assert_eq!(bit_length(&[]), 0);
    }

    #[test]
    fn a_key_of_no_known_kind_shows_its_algorithm() {
        let key = PublicKey { whole: &[], algorithm: &[0x2a, 3, 4], parameters: None, bits: &[] };
        assert_eq!(key_type(&key), "1.2.3.4");
        let ec = PublicKey { algorithm: &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], ..key };
        assert_eq!(key_type(&ec), "ec-explicit");
    }
}
