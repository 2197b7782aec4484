//! One answer, read exactly as `jarm.py` of salesforce/jarm (commit e00ad79) reads it.
//!
//! The reference looks at fixed offsets of what one `recv(1484)` gave, not at records and messages; each of its quirks
//! is kept, since the fingerprint is defined by them (specs 1.3). What differs is which bytes it is given: [`seen`]
//! hands it the first record whole, however the network cut it up, so that the path doesn't change the fingerprint.

use std::fmt::{self, Write as _};

use crate::proto::flight::RECORD_LIMIT;
use crate::proto::read::Reader;

/// Most bytes the reference reads of one answer.
pub const FIRST_READ: usize = 1484;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
const ALPN: u16 = 16;

/// What the fingerprint keeps of one `ServerHello`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// The cipher suite as sent: two bytes, fewer when it was cut off.
    pub cipher: Vec<u8>,
    /// The version field, 0x0303 for TLS 1.3 too.
    pub version: u16,
    /// The first ALPN extension's value without its first three bytes.
    pub alpn: String,
    /// Extension types in the order sent, with duplicates and GREASE.
    pub extensions: Vec<u16>,
}

impl Part {
    /// Extension types as the reference writes them.
    #[must_use]
    pub fn extensions_text(&self) -> String {
        let mut out = String::with_capacity(self.extensions.len() * 5);
        for kind in &self.extensions {
            let dash = if out.is_empty() { "" } else { "-" };
            let _ = write!(out, "{dash}{kind:04x}");
        }
        out
    }
}

impl fmt::Display for Part {
    /// `cipher|version|alpn|extensions`, as the reference prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.cipher {
            write!(f, "{byte:02x}")?;
        }
        write!(f, "|{:04x}|{}|{}", self.version, self.alpn, self.extensions_text())
    }
}

/// Reads one answer as the reference does. `None` is its `|||`.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<Part> {
    if bytes.first() != Some(&HANDSHAKE) || bytes.get(5) != Some(&SERVER_HELLO) {
        return None;
    }
    let session = usize::from(*bytes.get(43)?);
    let version = Reader::new(bytes.get(9..)?).u16("version").ok()?;
    let cipher = part_of(bytes, 44 + session, 2).to_vec();
    let (alpn, extensions) =
        if has_extensions(bytes, session) { walk(bytes, 47 + session)? } else { (String::new(), Vec::new()) };
    Some(Part { cipher, version, alpn, extensions })
}

/// The reference's four ways to notice that a `ServerHello` has no extensions, and the end of the data.
fn has_extensions(bytes: &[u8], session: usize) -> bool {
    let at = 47 + session;
    let record_length = number(part_of(bytes, 3, 2)).unwrap_or(0);
    // The next message is a Certificate, in this record or the next, as the reference's authors met it.
    let certificate = bytes.get(at) == Some(&11)
        || part_of(bytes, at + 3, 3) == [0x0e, 0xac, 0x0b]
        || part_of(bytes, 82, 3) == [0x0f, 0xf0, 0x0b];
    bytes.len() > at && !certificate && session + 42 < record_length
}

/// ALPN text and extension types. `None` where the reference fails.
fn walk(bytes: &[u8], at: usize) -> Option<(String, Vec<u16>)> {
    let end = at + 1 + number(part_of(bytes, at, 2))?;
    let mut at = at + 2;
    let mut types = Vec::new();
    let mut alpn: Option<&[u8]> = None;
    // A walk that leaves the data finds no type there and fails, so it can't go on for long.
    while at < end {
        let kind = Reader::new(part_of(bytes, at, 2)).u16("extension type").ok()?;
        let length = number(part_of(bytes, at + 2, 2))?;
        let value = part_of(bytes, at + 4, length);
        if kind == ALPN && alpn.is_none() {
            // An ALPN extension that says it is empty fails there, one that lost its value doesn't.
            if length == 0 {
                return None;
            }
            alpn = Some(value);
        }
        types.push(kind);
        at += 4 + length;
    }
    let name = alpn.and_then(|value| value.get(3..)).unwrap_or_default();
    Some((std::str::from_utf8(name).ok()?.to_owned(), types))
}

/// Up to `length` bytes from `at`, fewer or none past the end.
fn part_of(bytes: &[u8], at: usize, length: usize) -> &[u8] {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.get(..length).unwrap_or(rest)
}

/// A two-byte number of which one byte may be missing; of no byte at all there is no number.
fn number(bytes: &[u8]) -> Option<usize> {
    match *bytes {
        [high, low] => Some(usize::from(u16::from_be_bytes([high, low]))),
        [only] => Some(usize::from(only)),
        _ => None,
    }
}

/// What the first bytes of a connection are, as far as the fingerprint goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen<'a> {
    /// More bytes are needed to say.
    Undecided,
    /// A `ServerHello`'s record, whole: the bytes that [`parse`] is to be given.
    Hello(&'a [u8]),
    /// An alert came first: its level and description.
    Alert(u8, u8),
    /// Another TLS record or handshake message came first.
    NoHello,
    /// Not TLS, or a record longer than TLS has.
    NotTls,
}

/// Decides what was heard. Once decided, more bytes don't change it.
///
/// A `ServerHello` is decided when its record is whole. [`parse`] then sees the longer of that record and the first
/// read, capped at [`FIRST_READ`] bytes: on data that arrived in one piece, just what the reference sees.
#[must_use]
pub fn seen<'a>(heard: &'a [u8], first: &[u8]) -> Seen<'a> {
    match *heard {
        [] | [20..=23] => Seen::Undecided,
        [ALERT, 3, _, 0, 2, level, description, ..] => Seen::Alert(level, description),
        [ALERT, 3, ..] if heard.len() < 7 => Seen::Undecided,
        [HANDSHAKE, _, _, _, _] | [HANDSHAKE, _, _, _] | [HANDSHAKE, _, _] | [HANDSHAKE, _] => Seen::Undecided,
        [HANDSHAKE, _, _, high, low, SERVER_HELLO, ..] => {
            let length = usize::from(u16::from_be_bytes([high, low]));
            let record = 5 + length;
            if length > RECORD_LIMIT {
                Seen::NotTls
            } else if heard.len() < record {
                Seen::Undecided
            } else {
                let upto = record.max(first.len().min(FIRST_READ)).min(heard.len());
                Seen::Hello(heard.get(..upto).unwrap_or(heard))
            }
        }
        [20..=23, 3, ..] => Seen::NoHello,
        _ => Seen::NotTls,
    }
}

/// True when the first handshake message doesn't end within its record, so that [`parse`] reads a record header as part
/// of it. No server met so far does that.
#[must_use]
pub fn is_split(bytes: &[u8]) -> bool {
    let mut rest = Reader::new(bytes.get(3..).unwrap_or_default());
    let (Ok(record), Ok(_), Ok(message)) = (rest.u16("record length"), rest.u8("type"), rest.u24("message length"))
    else {
        return false;
    };
    message + 4 > u32::from(record)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hello(extensions: &[u8]) -> Vec<u8> {
        let mut bytes = vec![22, 3, 3, 0, 0, 2, 0, 0, 0, 3, 3];
        bytes.extend([7; 32]);
        bytes.extend([0, 0xc0, 0x2f, 0]);
        bytes.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        bytes.extend(extensions);
        let length = u8::try_from(bytes.len() - 5).unwrap();
        bytes[4] = length;
        bytes[8] = length - 4;
        bytes
    }

    const H2: &[u8] = &[0xff, 1, 0, 1, 0, 0, 16, 0, 5, 0, 3, 2, b'h', b'2', 0, 23, 0, 0];

    #[test]
    fn a_part_prints_as_the_reference_prints_it() {
        assert_eq!(parse(&hello(H2)).unwrap().to_string(), "c02f|0303|h2|ff01-0010-0017");
    }

    #[test]
    fn an_alpn_extension_that_says_it_is_empty_voids_the_answer_but_one_that_lost_its_value_does_not() {
        assert_eq!(parse(&hello(&[0, 16, 0, 0])), None);
        assert_eq!(parse(&hello(&[0, 16, 0, 5])).unwrap().to_string(), "c02f|0303||0010");
    }

    #[test]
    fn a_hello_is_decided_by_its_whole_record_and_not_by_what_follows() {
        let mut bytes = hello(H2);
        let record = bytes.len();
        assert_eq!(seen(&bytes[..record - 1], &bytes[..record - 1]), Seen::Undecided);
        bytes.extend([22, 3, 3, 0, 9]);
        assert_eq!(seen(&bytes, &bytes[..10]), Seen::Hello(&bytes[..record]));
        assert_eq!(seen(&bytes, &bytes), Seen::Hello(&bytes), "the first read went further");
    }

    #[test]
    fn the_first_read_counts_up_to_1484_bytes() {
        let mut bytes = hello(H2);
        bytes.resize(5000, 0);
        assert_eq!(seen(&bytes, &bytes), Seen::Hello(&bytes[..1484]));
    }

    #[test]
    fn what_is_no_hello_is_told_apart() {
        let cases: [(&[u8], Seen<'_>); 10] = [
            (b"", Seen::Undecided),
            (&[21, 3, 1, 0, 2, 2], Seen::Undecided),
            (&[21, 3, 1, 0, 2, 2, 40], Seen::Alert(2, 40)),
            (&[21, 3, 1, 0, 9, 2, 40], Seen::NoHello),
            (b"HTTP/1.1 400", Seen::NotTls),
            (b"S", Seen::NotTls),
            (&[22, 3, 3, 0, 4, 0], Seen::NoHello),
            (&[22, 9, 9, 9, 9, 9], Seen::NotTls),
            (&[23, 3, 3], Seen::NoHello),
            (&[22, 3, 3, 0xff, 0xff, 2], Seen::NotTls),
        ];
        for (bytes, expected) in cases {
            assert_eq!(seen(bytes, bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_message_that_goes_on_in_the_next_record_is_noticed() {
        let mut bytes = hello(H2);
        assert!(!is_split(&bytes));
        bytes[4] -= 1;
        assert!(is_split(&bytes));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            parse(&bytes);
            is_split(&bytes);
            seen(&bytes, &bytes);
        }

        #[test]
        fn damaged_hellos_and_their_prefixes_are_survived(
            at in 0..70_usize, value: u8, upto in 0..80_usize, tail in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut bytes = hello(H2);
            bytes.extend(tail);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            bytes.truncate(upto);
            if let Some(part) = parse(&bytes) {
                prop_assert!(part.extensions.len() * 4 <= bytes.len());
                prop_assert!(part.alpn.len() <= bytes.len());
            }
            is_split(&bytes);
        }

        #[test]
        fn what_is_decided_stays_decided(
            bytes in proptest::collection::vec(any::<u8>(), 0..60), real: bool, upto in 0..140_usize,
        ) {
            let mut all = if real { hello(H2) } else { vec![22] };
            all.extend(bytes);
            let early = seen(&all[..upto.min(all.len())], &[]);
            if early != Seen::Undecided {
                prop_assert_eq!(early, seen(&all, &[]));
            }
        }
    }
}
