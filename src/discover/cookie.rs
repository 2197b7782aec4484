//! Cookies: a SYN's sequence number and source port are a keyed hash of whom it asks, so that an answer proves by itself
//! that it answers one of ours, and nobody who did not see the SYN can make one.
//!
//! SipHash-1-3 (Aumasson and Bernstein, "`SipHash`: a fast short-input PRF", 2012; one and three rounds as in Rust's own
//! hash maps).

use std::net::SocketAddrV4;

/// The secret of one part of a run.
#[derive(Clone, Copy)]
pub struct Cookies {
    key: (u64, u64),
    first_port: u16,
}

impl std::fmt::Debug for Cookies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cookies").field("first_port", &self.first_port).finish_non_exhaustive()
    }
}

impl Cookies {
    /// Cookies under 16 bytes of system randomness and the run's number, for the 256 source ports from `first_port` on.
    #[must_use]
    pub fn new(secret: [u8; 16], run: u64, first_port: u16) -> Self {
        let key = u128::from_le_bytes(secret) ^ u128::from(run);
        let low = u64::try_from(key & u128::from(u64::MAX)).unwrap_or_default();
        let high = u64::try_from(key >> 64).unwrap_or_default();
        Self { key: (low, high), first_port }
    }

    /// Source port and sequence number of the SYN to a service.
    #[must_use]
    pub fn of(&self, service: SocketAddrV4) -> (u16, u32) {
        let mut asked = [0; 6];
        asked[..4].copy_from_slice(&service.ip().octets());
        asked[4..].copy_from_slice(&service.port().to_be_bytes());
        let hash = siphash::<1, 3>(self.key, &asked).to_le_bytes();
        let [s0, s1, s2, s3, port, ..] = hash;
        (self.first_port.saturating_add(port.into()), u32::from_le_bytes([s0, s1, s2, s3]))
    }
}

/// SipHash-C-D of `bytes`.
fn siphash<const C: usize, const D: usize>(key: (u64, u64), bytes: &[u8]) -> u64 {
    let mut v = [
        key.0 ^ 0x736f_6d65_7073_6575,
        key.1 ^ 0x646f_7261_6e64_6f6d,
        key.0 ^ 0x6c79_6765_6e65_7261,
        key.1 ^ 0x7465_6462_7974_6573,
    ];
    let mut take = |word: u64| {
        v[3] ^= word;
        (0..C).for_each(|_| round(&mut v));
        v[0] ^= word;
    };
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        take(word.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }
    let rest = words.remainder().iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    // Only the length's lowest byte counts.
    let length = u64::try_from(bytes.len() & 0xff).unwrap_or_default();
    take(rest | length << 56);
    v[2] ^= 0xff;
    (0..D).for_each(|_| round(&mut v));
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn round(v: &mut [u64; 4]) {
    v[0] = v[0].wrapping_add(v[1]);
    v[2] = v[2].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(13) ^ v[0];
    v[3] = v[3].rotate_left(16) ^ v[2];
    v[0] = v[0].rotate_left(32);
    v[2] = v[2].wrapping_add(v[1]);
    v[0] = v[0].wrapping_add(v[3]);
    v[1] = v[1].rotate_left(17) ^ v[2];
    v[3] = v[3].rotate_left(21) ^ v[0];
    v[2] = v[2].rotate_left(32);
}

#[cfg(test)]
mod tests {
    use std::hash::Hasher as _;

    use super::*;

    #[test]
    fn siphash_gives_the_papers_value() {
        let bytes: Vec<u8> = (0..15).collect();
        let key = (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        assert_eq!(siphash::<2, 4>(key, &bytes), 0xa129_ca61_49be_45e5);
    }

    #[test]
    fn one_and_three_rounds_agree_with_the_standard_librarys() {
        for length in 0..40_u8 {
            let bytes: Vec<u8> = (0..length).map(|byte| byte.wrapping_mul(37)).collect();
            let mut theirs = std::hash::DefaultHasher::new();
            theirs.write(&bytes);
            assert_eq!(siphash::<1, 3>((0, 0), &bytes), theirs.finish(), "{length} bytes");
        }
    }

    #[test]
    fn a_cookie_depends_on_everything_and_stays_in_its_ports() {
        let cookies = Cookies::new([7; 16], 1, 61_440);
        let service: SocketAddrV4 = "198.19.0.1:443".parse().unwrap();
        let mine = cookies.of(service);
        assert!((61_440..61_696).contains(&mine.0));
        assert_ne!(mine.1, cookies.of("198.19.0.1:22".parse().unwrap()).1);
        assert_ne!(mine.1, cookies.of("198.19.0.2:443".parse().unwrap()).1);
        assert_ne!(mine.1, Cookies::new([7; 16], 2, 61_440).of(service).1, "another run");
        assert_ne!(mine.1, Cookies::new([8; 16], 1, 61_440).of(service).1, "another secret");
    }
}
