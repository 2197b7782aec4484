//! Does a signature over the exchange hash come from this host key? Only then is the key proven to be the server's.
//!
//! ring verifies what it can; P-521 is the `p521` crate's; RSA keys outside ring's sizes and all DSA keys are verified
//! here with plain numbers. SHA-1 is accepted: forging needs a second preimage of a hash that both sides randomise.

use num_bigint::BigUint;
use p521::ecdsa::signature::Verifier as _;
use ring::digest;
use ring::signature::{self as ring_signature, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey};

use super::hostkey::{Curve, HostKey, Public};
use super::wire::{magnitude, padded};
use crate::proto::read::Reader;

/// True when `signature` (a blob of RFC 4253 6.6) over `message` verifies with `key`.
pub(super) fn verifies(key: &HostKey<'_>, message: &[u8], signature: &[u8]) -> bool {
    check(key, message, signature).unwrap_or(false)
}

fn check(key: &HostKey<'_>, message: &[u8], signature: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(signature);
    let format = reader.vec32("signature format").ok()?;
    let body = reader.vec32("signature").ok()?;
    if let Public::Rsa { exponent, modulus } = key.public {
        return rsa(&Padding::of(format)?, exponent, modulus, message, body);
    }
    if format != key.plain_type.as_bytes() {
        return None;
    }
    match key.public {
        Public::Rsa { .. } => None,
        Public::Dsa { p, q, g, y } => dsa([p, q, g, y], message, body),
        Public::Ecdsa { curve, point, application } => {
            ecdsa(curve, point, &signed_by_token(application, reader, message)?, body)
        }
        Public::Ed25519 { key, application } => {
            let message = signed_by_token(application, reader, message)?;
            Some(UnparsedPublicKey::new(&ring_signature::ED25519, key).verify(&message, body).is_ok())
        }
    }
}

/// What is signed: the message itself, or for a hardware token what its protocol makes of it (`PROTOCOL.u2f`).
fn signed_by_token(application: Option<&[u8]>, mut rest: Reader<'_>, message: &[u8]) -> Option<Vec<u8>> {
    let Some(application) = application else { return Some(message.to_vec()) };
    let flags_and_counter = rest.take(5, "token flags and counter").ok()?;
    let digest = |bytes| digest::digest(&digest::SHA256, bytes);
    Some([digest(application).as_ref(), flags_and_counter, digest(message).as_ref()].concat())
}

/// ECDSA: the body holds r and s as mpints (RFC 5656 3.1.2).
fn ecdsa(curve: Curve, point: &[u8], message: &[u8], body: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(body);
    let mut fixed = |width| padded(magnitude(reader.vec32("ecdsa number").ok()?)?, width);
    let mut both = |width| Some([fixed(width)?, fixed(width)?].concat());
    Some(match curve {
        Curve::P256 => {
            let key = UnparsedPublicKey::new(&ring_signature::ECDSA_P256_SHA256_FIXED, point);
            key.verify(message, &both(32)?).is_ok()
        }
        Curve::P384 => {
            let key = UnparsedPublicKey::new(&ring_signature::ECDSA_P384_SHA384_FIXED, point);
            key.verify(message, &both(48)?).is_ok()
        }
        Curve::P521 => {
            let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(point).ok()?;
            let signature = p521::ecdsa::Signature::from_slice(&both(66)?).ok()?;
            key.verify(message, &signature).is_ok()
        }
    })
}

/// A variant of RSASSA-PKCS1-v1_5.
struct Padding {
    digest: &'static digest::Algorithm,
    ring: &'static RsaParameters,
    /// DER of the `DigestInfo` up to the digest (RFC 8017 9.2).
    prefix: &'static [u8],
}

impl Padding {
    fn of(format: &[u8]) -> Option<Self> {
        Some(match format {
            b"rsa-sha2-512" => Self {
                digest: &digest::SHA512,
                ring: &ring_signature::RSA_PKCS1_2048_8192_SHA512,
                prefix: &[0x30, 0x51, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3, 5, 0, 4, 0x40],
            },
            b"rsa-sha2-256" => Self {
                digest: &digest::SHA256,
                ring: &ring_signature::RSA_PKCS1_2048_8192_SHA256,
                prefix: &[0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20],
            },
            b"ssh-rsa" => Self {
                digest: &digest::SHA1_FOR_LEGACY_USE_ONLY,
                ring: &ring_signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
                prefix: &[0x30, 0x21, 0x30, 9, 6, 5, 0x2b, 0x0e, 3, 2, 0x1a, 5, 0, 4, 0x14],
            },
            _ => return None,
        })
    }

    /// What the signature must give back: `00 01 ff … ff 00 DigestInfo`, as long as the modulus.
    fn encoded(&self, message: &[u8], width: usize) -> Option<Vec<u8>> {
        let digest = digest::digest(self.digest, message);
        let tail = [&[0], self.prefix, digest.as_ref()].concat();
        let filling = width.checked_sub(tail.len())?.checked_sub(2).filter(|filling| *filling >= 8)?;
        Some([&[0, 1][..], &vec![0xff; filling], &tail].concat())
    }
}

/// Some servers leave out leading zeros of the signature; it is filled up to the modulus.
fn rsa(padding: &Padding, exponent: &[u8], modulus: &[u8], message: &[u8], body: &[u8]) -> Option<bool> {
    let signature = padded(body, modulus.len())?;
    let n = BigUint::from_bytes_be(modulus);
    let e = u64::try_from(BigUint::from_bytes_be(exponent)).ok()?;
    if (2048..=8192).contains(&n.bits()) && (3..1 << 33).contains(&e) {
        let key = RsaPublicKeyComponents { n: modulus, e: exponent };
        return Some(key.verify(padding.ring, message, &signature).is_ok());
    }
    let s = BigUint::from_bytes_be(&signature);
    if !(512..=16_384).contains(&n.bits()) || !n.bit(0) || e < 3 || s >= n {
        return None;
    }
    let opened = padded(&s.modpow(&BigUint::from(e), &n).to_bytes_be(), modulus.len())?;
    Some(opened == padding.encoded(message, modulus.len())?)
}

/// DSA with SHA-1 (FIPS 186-2); the body is r and s, 20 bytes each.
#[expect(clippy::many_single_char_names, reason = "the names of the standard")]
fn dsa(numbers: [&[u8]; 4], message: &[u8], body: &[u8]) -> Option<bool> {
    let [p, q, g, y] = numbers.map(BigUint::from_bytes_be);
    let one = BigUint::from(1u8);
    let in_field = |number: &BigUint| *number > one && *number < p;
    if !(512..=4096).contains(&p.bits()) || !p.bit(0) || q.bits() != 160 || !in_field(&g) || !in_field(&y) {
        return None;
    }
    let (r, s) = body.split_at_checked(20).filter(|(_, s)| s.len() == 20)?;
    let (r, s) = (BigUint::from_bytes_be(r), BigUint::from_bytes_be(s));
    if r < one || r >= q || s < one || s >= q {
        return None;
    }
    let hashed = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, message);
    let w = s.modinv(&q)?;
    let u1 = BigUint::from_bytes_be(hashed.as_ref()) * &w % &q;
    let u2 = &r * w % &q;
    let v = g.modpow(&u1, &p) * y.modpow(&u2, &p) % &p % q;
    Some(v == r)
}
