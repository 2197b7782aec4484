//! The texts that are sealed, and their digests: records in a chain, observations and results as leaves of Merkle trees.
//!
//! In: what a record, an observation or a finding says. Out: one line of JSON with its keys in a fixed order, and SHA-256
//! over exactly that line. Pure: opens nothing, signs nothing. The forms are a promise (`docs/EVIDENCE.md`): a stranger checks
//! them with `sha256sum`.
//!
//! What may have to be erased later (whom a record is about, what a host said) is only ever sealed together with 16
//! random bytes, its *salt*. Once text and salt are gone, nobody can guess the text from the digest that stays.

mod leaf;
mod merkle;
mod record;

use sha2::{Digest as _, Sha256};

pub use leaf::{Leaf, ReadingText, ResultRow};
pub use merkle::{leaf_hash, path, root, root_by_path};
pub use record::{Details, RecordLine};

/// SHA-256 of something.
pub type Digest = [u8; 32];

/// Random bytes that keep a short text from being guessed from its digest.
pub type Salt = [u8; 16];

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble & 15)).copied().map_or('0', char::from);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Bytes from lower-case hex of exactly `N` bytes; nothing else is one.
#[must_use]
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some((digit(*high)? << 4) | digit(*low)?),
        _ => None,
    };
    let bytes: Vec<u8> = text.as_bytes().chunks(2).map(pair).collect::<Option<_>>()?;
    bytes.try_into().ok()
}

/// The salt of row `place` of a list that has one salt of its own: 16 bytes of SHA-256, so that one row's can be shown
/// without the others'.
#[must_use]
pub fn row_salt(list: &Salt, place: u64) -> Salt {
    let mut text = b"hostkin/row-salt/1\n".to_vec();
    text.extend_from_slice(list);
    text.extend_from_slice(&place.to_be_bytes());
    let mut salt = Salt::default();
    for (to, from) in salt.iter_mut().zip(sha256(&text)) {
        *to = from;
    }
    salt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_reads_back_and_nothing_else_is_hex() {
        let sha256 = sha256(b"");
        assert_eq!(hex(&sha256), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(unhex(&hex(&sha256)), Some(sha256));
        for bad in ["", "0", "0g", "AB", "abc", "abcdef"] {
            assert_eq!(unhex::<2>(bad), None, "{bad}");
        }
    }

    #[test]
    fn rows_of_one_list_have_salts_of_their_own() {
        assert_ne!(row_salt(&[1; 16], 0), row_salt(&[1; 16], 1));
        assert_ne!(row_salt(&[1; 16], 0), row_salt(&[2; 16], 0));
    }
}
