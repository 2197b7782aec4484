//! Ten parts folded into the 62 characters of a JARM (specs 1.4): for each probe two hexadecimal digits of the cipher
//! and one letter of the version, then half a SHA-256 over ALPN and extensions.

use std::borrow::Cow;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::answer::Part;

/// What ten void answers give.
pub const ZERO: &str = "00000000000000000000000000000000000000000000000000000000000000";

/// Ciphers in the order that numbers them, from 1.
const INDEX: [u16; 69] = [
    0x0004, 0x0005, 0x0007, 0x000a, 0x0016, 0x002f, 0x0033, 0x0035, 0x0039, 0x003c, 0x003d, 0x0041, 0x0045, 0x0067,
    0x006b, 0x0084, 0x0088, 0x009a, 0x009c, 0x009d, 0x009e, 0x009f, 0x00ba, 0x00be, 0x00c0, 0x00c4, 0xc007, 0xc008,
    0xc009, 0xc00a, 0xc011, 0xc012, 0xc013, 0xc014, 0xc023, 0xc024, 0xc027, 0xc028, 0xc02b, 0xc02c, 0xc02f, 0xc030,
    0xc060, 0xc061, 0xc072, 0xc073, 0xc076, 0xc077, 0xc09c, 0xc09d, 0xc09e, 0xc09f, 0xc0a0, 0xc0a1, 0xc0a2, 0xc0a3,
    0xc0ac, 0xc0ad, 0xc0ae, 0xc0af, 0xcc13, 0xcc14, 0xcca8, 0xcca9, 0x1301, 0x1302, 0x1303, 0x1304, 0x1305,
];

/// The JARM of ten parts in probe order; `None` is a void answer.
#[must_use]
pub fn fold(parts: &[Option<Part>; 10]) -> String {
    if parts.iter().all(Option::is_none) {
        return ZERO.to_owned();
    }
    let mut out = String::with_capacity(62);
    let mut tail = Sha256::new();
    for part in parts {
        out.push_str(&code(part.as_ref()));
        let Some(part) = part else { continue };
        let (alpn, extensions) = split_as_reference(part);
        tail.update(alpn.as_bytes());
        tail.update(extensions.as_bytes());
    }
    for byte in tail.finalize().iter().take(16) {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// The three characters of one answer; `None` is a void one.
#[must_use]
pub fn code(part: Option<&Part>) -> String {
    part.map_or_else(
        || "000".to_owned(),
        |part| format!("{:02x}{}", cipher_number(&part.cipher), version_letter(part.version)),
    )
}

/// Place in the index from 1, 70 for a cipher not in it, 0 for none.
fn cipher_number(cipher: &[u8]) -> usize {
    let place = |cipher| INDEX.iter().position(|one| *one == cipher);
    match *cipher {
        [] => 0,
        [high, low] => place(u16::from_be_bytes([high, low])).unwrap_or(INDEX.len()) + 1,
        _ => INDEX.len() + 1,
    }
}

/// `a` to `f` by the last hexadecimal digit. The reference dies on digits above 5; here they print `0`.
fn version_letter(version: u16) -> char {
    match version & 0xf {
        0 => 'a',
        1 => 'b',
        2 => 'c',
        3 => 'd',
        4 => 'e',
        5 => 'f',
        _ => '0',
    }
}

/// True for a version that no TLS server chooses.
#[must_use]
pub fn is_odd_version(version: u16) -> bool {
    !matches!(version, 0x0300..=0x0304)
}

/// ALPN and extensions as the reference finds them again in its printed part: a bar in the ALPN text counts as the end
/// of it, and what stood behind the next bar is lost.
fn split_as_reference(part: &Part) -> (Cow<'_, str>, Cow<'_, str>) {
    match part.alpn.split_once('|') {
        None => (part.alpn.as_str().into(), part.extensions_text().into()),
        Some((alpn, rest)) => match rest.split_once('|') {
            Some((next, _)) => (alpn.into(), next.into()),
            None => (alpn.into(), rest.into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(cipher: &[u8], version: u16, alpn: &str, extensions: &[u16]) -> Part {
        Part { cipher: cipher.to_vec(), version, alpn: alpn.to_owned(), extensions: extensions.to_vec() }
    }

    fn only(part: Part) -> [Option<Part>; 10] {
        let mut parts = [const { None }; 10];
        parts[0] = Some(part);
        parts
    }

    #[test]
    fn ten_void_answers_are_62_zeros() {
        assert_eq!(fold(&[const { None }; 10]), "0".repeat(62));
    }

    #[test]
    fn an_answer_without_extensions_ends_in_the_digest_of_nothing() {
        let jarm = fold(&only(part(&[0, 4], 0x0303, "", &[])));
        assert_eq!(jarm, format!("01d{}e3b0c44298fc1c149afbf4c8996fb924", "0".repeat(27)));
    }

    #[test]
    fn ciphers_out_of_the_index_are_70_and_no_cipher_is_0() {
        assert_eq!([cipher_number(&[]), cipher_number(&[0xc0]), cipher_number(&[0x0a, 0x0a])], [0, 70, 70]);
        assert_eq!([cipher_number(&[0, 4]), cipher_number(&[0x13, 5])], [1, 69]);
    }

    #[test]
    fn a_version_that_kills_the_reference_prints_0() {
        assert!(fold(&only(part(&[0, 5], 0x7f16, "", &[]))).starts_with("020000"));
        assert_eq!([0x0300, 0x0305, 0x7f12].map(version_letter), ['a', 'f', 'c']);
        assert!(is_odd_version(0x0305) && !is_odd_version(0x0304));
    }

    #[test]
    fn a_bar_in_the_alpn_loses_the_extensions_as_in_the_reference() {
        let seen = |alpn| split_as_reference(&part(&[0, 4], 0x0303, alpn, &[16])).1.into_owned();
        assert_eq!([seen("h2"), seen("a|b"), seen("a|b|c")], ["0010", "b", "b"]);
    }
}
