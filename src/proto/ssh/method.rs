//! The key exchange methods we speak, and our half of each.
//!
//! Nothing secret travels under the keys made here: the exchange is made only so that the server signs it. So the
//! groups need not be strong, only bounded in size, and exponents of 256 bits are enough.

use num_bigint::BigUint;
use p521::elliptic_curve::sec1::ToEncodedPoint as _;
use ring::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey};
use ring::digest;
use ring::rand::SystemRandom;

use super::group;
use super::wire::{magnitude, mpint_body};

/// A key exchange method.
#[derive(Debug)]
pub(super) struct Method {
    /// The name in KEXINIT.
    pub(super) name: &'static str,
    /// How the exchange hash is made.
    pub(super) hash: &'static digest::Algorithm,
    /// What is exchanged.
    pub(super) family: Family,
}

/// What a method exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// RFC 8731.
    X25519,
    /// RFC 5656 over P-256.
    P256,
    /// RFC 5656 over P-384.
    P384,
    /// RFC 5656 over P-521.
    P521,
    /// RFC 4253 8 over a fixed group, its prime as hex.
    Group(&'static str),
    /// RFC 4419: the server chooses the group.
    GroupExchange,
}

const fn method(name: &'static str, hash: &'static digest::Algorithm, family: Family) -> Method {
    Method { name, hash, family }
}

const SHA1: &digest::Algorithm = &digest::SHA1_FOR_LEGACY_USE_ONLY;

/// All methods, in the order we prefer them: the cheapest for both sides first.
pub(super) const METHODS: &[Method] = &[
    method("curve25519-sha256", &digest::SHA256, Family::X25519),
    method("curve25519-sha256@libssh.org", &digest::SHA256, Family::X25519),
    method("ecdh-sha2-nistp256", &digest::SHA256, Family::P256),
    method("ecdh-sha2-nistp384", &digest::SHA384, Family::P384),
    method("ecdh-sha2-nistp521", &digest::SHA512, Family::P521),
    method("diffie-hellman-group14-sha256", &digest::SHA256, Family::Group(group::GROUP14)),
    method("diffie-hellman-group14-sha1", SHA1, Family::Group(group::GROUP14)),
    method("diffie-hellman-group15-sha512", &digest::SHA512, Family::Group(group::GROUP15)),
    method("diffie-hellman-group16-sha512", &digest::SHA512, Family::Group(group::GROUP16)),
    method("diffie-hellman-group-exchange-sha256", &digest::SHA256, Family::GroupExchange),
    method("diffie-hellman-group-exchange-sha1", SHA1, Family::GroupExchange),
    method("diffie-hellman-group1-sha1", SHA1, Family::Group(group::GROUP1)),
    method("diffie-hellman-group17-sha512", &digest::SHA512, Family::Group(group::GROUP17)),
    method("diffie-hellman-group18-sha512", &digest::SHA512, Family::Group(group::GROUP18)),
];

/// Bytes of randomness that [`Private::new`] takes.
pub(super) const SEED: usize = 66;
/// Sizes of a prime that is worked with, in bits.
const PRIME_BITS: std::ops::RangeInclusive<u64> = 1024..=8192;
/// Smallest, wished and largest size asked of a group exchange, in bits.
const GROUP_WISH: [u32; 3] = [1024, 2048, 8192];

/// The body of a group exchange request: smallest, wished and largest size.
pub(super) fn group_wish() -> Vec<u8> {
    GROUP_WISH.iter().flat_map(|bits| bits.to_be_bytes()).collect()
}

/// Our private half of one exchange.
#[derive(Debug)]
pub(super) enum Private {
    /// X25519, P-256 or P-384. The randomness is ring's own, which takes no seed.
    Ring(EphemeralPrivateKey),
    /// P-521.
    P521(Box<p521::SecretKey>),
    /// A finite field.
    Field {
        /// The prime.
        prime: BigUint,
        /// The generator.
        generator: BigUint,
        /// Our exponent.
        exponent: BigUint,
    },
}

impl Private {
    /// Our half for a method whose group is fixed; `None` for a group exchange, and when randomness fails us.
    pub(super) fn new(family: Family, seed: &[u8; SEED]) -> Option<Self> {
        let ring = |algorithm| EphemeralPrivateKey::generate(algorithm, &SystemRandom::new()).ok().map(Self::Ring);
        match family {
            Family::X25519 => ring(&agreement::X25519),
            Family::P256 => ring(&agreement::ECDH_P256),
            Family::P384 => ring(&agreement::ECDH_P384),
            Family::P521 => {
                let mut scalar = *seed;
                if let Some(top) = scalar.first_mut() {
                    *top &= 1;
                }
                p521::SecretKey::from_slice(&scalar).ok().map(|key| Self::P521(Box::new(key)))
            }
            Family::Group(prime) => {
                let prime = BigUint::parse_bytes(prime.as_bytes(), 16)?;
                Some(Self::Field { prime, generator: BigUint::from(2u8), exponent: exponent(seed) })
            }
            Family::GroupExchange => None,
        }
    }

    /// Our half in a group that the server chose: two mpint bodies. `None` when the prime is even or of a size we do not
    /// work with, or the generator lies outside 2 to p - 2.
    pub(super) fn in_group(prime: &[u8], generator: &[u8], seed: &[u8; SEED]) -> Option<Self> {
        let prime = BigUint::from_bytes_be(magnitude(prime)?);
        let generator = BigUint::from_bytes_be(magnitude(generator)?);
        if !PRIME_BITS.contains(&prime.bits()) || !prime.bit(0) || !is_between(&generator, &prime) {
            return None;
        }
        Some(Self::Field { prime, generator, exponent: exponent(seed) })
    }

    /// The public half, as the body of a string or mpint.
    pub(super) fn public(&self) -> Option<Vec<u8>> {
        match self {
            Self::Ring(key) => key.compute_public_key().ok().map(|key| key.as_ref().to_vec()),
            Self::P521(key) => Some(key.public_key().to_encoded_point(false).as_bytes().to_vec()),
            Self::Field { prime, generator, exponent } => {
                Some(mpint_body(&generator.modpow(exponent, prime).to_bytes_be()))
            }
        }
    }

    /// The shared secret K as an mpint body; `None` when the far side's half is not valid.
    pub(super) fn agree(self, theirs: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Ring(key) => {
                let theirs = UnparsedPublicKey::new(key.algorithm(), theirs);
                agreement::agree_ephemeral(key, &theirs, mpint_body).ok()
            }
            Self::P521(key) => {
                let theirs = p521::PublicKey::from_sec1_bytes(theirs).ok()?;
                let shared = p521::ecdh::diffie_hellman(key.to_nonzero_scalar(), theirs.as_affine());
                Some(mpint_body(shared.raw_secret_bytes()))
            }
            Self::Field { prime, exponent, .. } => {
                let theirs = BigUint::from_bytes_be(magnitude(theirs)?);
                is_between(&theirs, &prime).then(|| mpint_body(&theirs.modpow(&exponent, &prime).to_bytes_be()))
            }
        }
    }
}

/// True for 1 < number < prime - 1.
fn is_between(number: &BigUint, prime: &BigUint) -> bool {
    let one = BigUint::from(1u8);
    *number > one && number + one < *prime
}

/// A 256-bit exponent, its top bit set.
fn exponent(seed: &[u8; SEED]) -> BigUint {
    let mut exponent = BigUint::from_bytes_be(seed.get(..32).unwrap_or_default());
    exponent.set_bit(255, true);
    exponent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree_by_every_method() {
        for method in METHODS.iter().filter(|method| method.family != Family::GroupExchange) {
            let (a, b) =
                (Private::new(method.family, &[3; SEED]).unwrap(), Private::new(method.family, &[5; SEED]).unwrap());
            let (for_a, for_b) = (b.public().unwrap(), a.public().unwrap());
            let secret = a.agree(&for_a);
            assert!(secret.is_some(), "{}", method.name);
            assert_eq!(secret, b.agree(&for_b), "{}", method.name);
        }
    }

    #[test]
    fn halves_that_give_the_secret_away_are_refused() {
        let prime = BigUint::parse_bytes(group::GROUP14.as_bytes(), 16).unwrap();
        let below = mpint_body(&(&prime - 1u8).to_bytes_be());
        let mine = || Private::new(Family::Group(group::GROUP14), &[3; SEED]).unwrap();
        for bad in [vec![], vec![0], vec![1], below, mpint_body(&prime.to_bytes_be()), vec![0xff, 1]] {
            assert_eq!(mine().agree(&bad), None, "{bad:?}");
        }
        assert!(mine().agree(&[2]).is_some());
        assert_eq!(Private::new(Family::X25519, &[3; SEED]).unwrap().agree(&[0; 32]), None);
        assert_eq!(Private::new(Family::P521, &[3; SEED]).unwrap().agree(&[4; 133]), None);
    }

    #[test]
    fn a_group_that_is_too_small_too_large_or_even_is_refused() {
        let odd = |bytes: usize| [vec![0x7f], vec![0xff; bytes - 1]].concat();
        assert!(Private::in_group(&odd(256), &[2], &[3; SEED]).is_some());
        assert!(Private::in_group(&odd(127), &[2], &[3; SEED]).is_none());
        assert!(Private::in_group(&odd(1026), &[2], &[3; SEED]).is_none());
        assert!(Private::in_group(&[odd(255), vec![0xfe]].concat(), &[2], &[3; SEED]).is_none());
        assert!(Private::in_group(&odd(256), &[1], &[3; SEED]).is_none());
        assert!(Private::in_group(&[], &[], &[3; SEED]).is_none());
    }
}
