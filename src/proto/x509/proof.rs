//! Proof of key possession: the signature a TLS server makes over its handshake, checked with the key of its leaf.
//!
//! Public chains of trust play no part, and version 1 certificates and small keys are as good as others: the only
//! question is whether the far side holds the private key. Schemes are those of
//! [RFC 8446 §4.2.3](https://www.rfc-editor.org/rfc/rfc8446#section-4.2.3). The hash comes from the scheme and the curve
//! from the key, as TLS 1.2 has it.

use p521::ecdsa::signature::hazmat::PrehashVerifier as _;
use ring::digest;
use ring::signature::{self as ring_signature, UnparsedPublicKey, VerificationAlgorithm};

use super::certificate::Certificate;
use super::key::{KeyKind, kind};

/// Whether `signature` over `message` was made with the key of the certificate `leaf_der`.
///
/// `scheme` is the wire number of the `SignatureScheme`; `message` is not hashed yet. `None` when it cannot be said here:
/// the key cannot be read, or scheme, curve or key length have no verifier here (Ed448, DSA, SHA-1 with ECDSA on P-256,
/// RSA under 1024 or over 8192 bits, PSS under 2048).
#[must_use]
pub fn verify_handshake_signature(leaf_der: &[u8], scheme: u16, message: &[u8], signature: &[u8]) -> Option<bool> {
    let key = Certificate::read(leaf_der).key?;
    let key_kind = kind(&key);
    match scheme_of(scheme)? {
        Scheme::Pkcs1(hash) => match key_kind {
            KeyKind::Rsa(bits) => ring_verify(pkcs1(hash, bits)?, key.bits, message, signature),
            other => mismatch(other),
        },
        Scheme::Pss(hash) => match key_kind {
            KeyKind::Rsa(bits) | KeyKind::RsaPss(bits) => ring_verify(pss(hash, bits)?, key.bits, message, signature),
            other => mismatch(other),
        },
        Scheme::Ecdsa(hash) => match key_kind {
            KeyKind::P256 | KeyKind::P384 => ring_verify(ecdsa(hash, key_kind)?, key.bits, message, signature),
            KeyKind::P521 => p521_verify(hash, key.bits, message, signature),
            other => mismatch(other),
        },
        Scheme::Ed25519 => match key_kind {
            KeyKind::Ed25519 => ring_verify(&ring_signature::ED25519, key.bits, message, signature),
            other => mismatch(other),
        },
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

enum Scheme {
    Pkcs1(Hash),
    Pss(Hash),
    Ecdsa(Hash),
    Ed25519,
}

fn scheme_of(scheme: u16) -> Option<Scheme> {
    Some(match scheme {
        0x0201 => Scheme::Pkcs1(Hash::Sha1),
        0x0401 => Scheme::Pkcs1(Hash::Sha256),
        0x0501 => Scheme::Pkcs1(Hash::Sha384),
        0x0601 => Scheme::Pkcs1(Hash::Sha512),
        0x0804 | 0x0809 => Scheme::Pss(Hash::Sha256),
        0x0805 | 0x080a => Scheme::Pss(Hash::Sha384),
        0x0806 | 0x080b => Scheme::Pss(Hash::Sha512),
        0x0203 => Scheme::Ecdsa(Hash::Sha1),
        0x0403 => Scheme::Ecdsa(Hash::Sha256),
        0x0503 => Scheme::Ecdsa(Hash::Sha384),
        0x0603 => Scheme::Ecdsa(Hash::Sha512),
        0x0807 => Scheme::Ed25519,
        _ => return None,
    })
}

/// A scheme that another kind of key cannot have made proves nothing; of a key we do not know nothing can be said.
fn mismatch(kind: KeyKind) -> Option<bool> {
    if kind == KeyKind::Other { None } else { Some(false) }
}

fn pkcs1(hash: Hash, bits: usize) -> Option<&'static dyn VerificationAlgorithm> {
    let algorithm: &'static dyn VerificationAlgorithm = match hash {
        Hash::Sha1 => &ring_signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => &ring_signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        Hash::Sha384 => &ring_signature::RSA_PKCS1_2048_8192_SHA384,
        Hash::Sha512 => &ring_signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
    };
    let least = if hash == Hash::Sha384 { 2048 } else { 1024 };
    (least..=8192).contains(&bits).then_some(algorithm)
}

fn pss(hash: Hash, bits: usize) -> Option<&'static dyn VerificationAlgorithm> {
    let algorithm: &'static dyn VerificationAlgorithm = match hash {
        Hash::Sha1 => return None,
        Hash::Sha256 => &ring_signature::RSA_PSS_2048_8192_SHA256,
        Hash::Sha384 => &ring_signature::RSA_PSS_2048_8192_SHA384,
        Hash::Sha512 => &ring_signature::RSA_PSS_2048_8192_SHA512,
    };
    (2048..=8192).contains(&bits).then_some(algorithm)
}

fn ecdsa(hash: Hash, curve: KeyKind) -> Option<&'static dyn VerificationAlgorithm> {
    match (curve, hash) {
        (KeyKind::P256, Hash::Sha256) => Some(&ring_signature::ECDSA_P256_SHA256_ASN1),
        (KeyKind::P256, Hash::Sha384) => Some(&ring_signature::ECDSA_P256_SHA384_ASN1),
        (KeyKind::P384, Hash::Sha256) => Some(&ring_signature::ECDSA_P384_SHA256_ASN1),
        (KeyKind::P384, Hash::Sha384) => Some(&ring_signature::ECDSA_P384_SHA384_ASN1),
        _ => None,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the same shape as the other verifiers")]
fn ring_verify(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Option<bool> {
    Some(UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok())
}

fn p521_verify(hash: Hash, key: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
    let algorithm = match hash {
        Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha384 => &digest::SHA384,
        Hash::Sha512 => &digest::SHA512,
    };
    let hashed = digest::digest(algorithm, message);
    // The verifier refuses a hash shorter than half the field; zeros in front do not change the number (FIPS 186-5 6.4).
    let mut number = [0u8; 66];
    let start = number.len().checked_sub(hashed.as_ref().len())?;
    number.get_mut(start..)?.copy_from_slice(hashed.as_ref());
    let Ok(key) = p521::ecdsa::VerifyingKey::from_sec1_bytes(key) else { return Some(false) };
    let Ok(signature) = p521::ecdsa::DerSignature::from_bytes(signature) else { return Some(false) };
    let Ok(signature) = p521::ecdsa::Signature::try_from(signature) else { return Some(false) };
    Some(key.verify_prehash(&number, &signature).is_ok())
}
