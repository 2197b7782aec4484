//! Where a body ends ([RFC 9112 §6](https://www.rfc-editor.org/rfc/rfc9112#section-6)), and the chunked coding.
//!
//! Lengths are only ever compared with what was heard: nothing is allocated on the word of a peer.

use super::head::Head;

/// Longest body kept, in bytes after transfer decoding.
pub const BODY_LIMIT: usize = 256 * 1024;

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// There is none, whatever the head says (101, 204, 304).
    Empty,
    /// So many bytes.
    Length(u64),
    /// By its last chunk.
    Chunked,
    /// By the end of the connection; also where lengths contradict each other or are no number.
    UntilClose,
}

impl Framing {
    /// What the head says.
    pub(super) fn of(head: &Head) -> Self {
        if matches!(head.status, Some(101 | 204 | 304)) {
            return Self::Empty;
        }
        let coding = words(head, "transfer-encoding").rfind(|word| !word.is_empty());
        match coding {
            Some(coding) if coding.eq_ignore_ascii_case(b"chunked") => return Self::Chunked,
            Some(coding) if !coding.eq_ignore_ascii_case(b"identity") => return Self::UntilClose,
            _ => {}
        }
        let mut lengths = words(head, "content-length").map(number);
        match lengths.next() {
            Some(Some(first)) if lengths.all(|other| other == Some(first)) => Self::Length(first),
            _ => Self::UntilClose,
        }
    }
}

/// The comma-separated words of all fields of this name.
fn words<'a>(head: &'a Head, name: &str) -> impl DoubleEndedIterator<Item = &'a [u8]> {
    let values: Vec<&[u8]> = head.values(name).collect();
    values.into_iter().flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

fn number(text: &[u8]) -> Option<u64> {
    let digits = Some(text).filter(|text| text.iter().all(u8::is_ascii_digit))?;
    str::from_utf8(digits).ok()?.parse().ok()
}

/// Reads the chunked coding ([RFC 9112 §7.1](https://www.rfc-editor.org/rfc/rfc9112#section-7.1)) piece by piece, and
/// keeps nothing. Bare LF ends a line, white space around a size and any extension are stepped over.
#[derive(Clone, Debug, Default)]
pub(super) struct Chunks {
    place: Place,
    decoded: usize,
}

/// Where in the coding the reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In a size line: the value and count of its digits so far.
    Size { value: u64, digits: u8 },
    /// Behind the digits of a size.
    Extension { value: u64 },
    /// In a chunk with so many bytes to come.
    Data { left: u64 },
    /// Behind a chunk, before its line end.
    Behind,
    /// Behind the last chunk, in a line of the trailer that holds something or nothing so far.
    Trailer { empty: bool },
    /// Behind the empty line that ends everything.
    Over,
    /// The coding was not kept.
    Broken,
}

impl Default for Place {
    fn default() -> Self {
        Self::Size { value: 0, digits: 0 }
    }
}

impl Chunks {
    /// Reads on; hands each run of body bytes to `sink`.
    pub(super) fn feed<'a>(&mut self, bytes: &'a [u8], mut sink: impl FnMut(&'a [u8])) {
        let mut rest = bytes;
        while let Some((byte, behind)) = rest.split_first() {
            if let Place::Data { left } = self.place {
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                let (run, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                sink(run);
                self.decoded = self.decoded.saturating_add(run.len());
                let left = left.saturating_sub(u64::try_from(run.len()).unwrap_or(u64::MAX));
                self.place = if left == 0 { Place::Behind } else { Place::Data { left } };
                rest = behind;
            } else {
                self.place = self.place.after(*byte);
                rest = behind;
            }
            if matches!(self.place, Place::Over | Place::Broken) {
                return;
            }
        }
    }

    /// True when the last chunk was heard: the body is whole.
    pub(super) fn ended(&self) -> bool {
        matches!(self.place, Place::Trailer { .. } | Place::Over)
    }

    /// True when nothing more can come of it.
    pub(super) fn settled(&self) -> bool {
        matches!(self.place, Place::Over | Place::Broken)
    }

    /// True when the coding was not kept.
    pub(super) fn broken(&self) -> bool {
        self.place == Place::Broken
    }

    /// Body bytes so far.
    pub(super) fn decoded(&self) -> usize {
        self.decoded
    }
}

impl Place {
    /// The place after one byte that is not of a chunk's data.
    fn after(self, byte: u8) -> Self {
        let hex = char::from(byte).to_digit(16).map(u64::from);
        match (self, byte) {
            (Self::Size { value, digits }, _) if hex.is_some() && digits < 16 => {
                Self::Size { value: (value << 4) | hex.unwrap_or_default(), digits: digits + 1 }
            }
            (Self::Size { digits: 0, .. }, b' ' | b'\t') | (Self::Trailer { empty: true }, b'\r') => self,
            (Self::Size { value, digits: 1.. } | Self::Extension { value }, b'\n') => match value {
                0 => Self::Trailer { empty: true },
                left => Self::Data { left },
            },
            (Self::Size { value, digits: 1.. }, b' ' | b'\t' | b';' | b'\r') | (Self::Extension { value }, _) => {
                Self::Extension { value }
            }
            (Self::Behind, b'\r') => Self::Behind,
            (Self::Behind, b'\n') => Self::default(),
            (Self::Trailer { empty: true }, b'\n') | (Self::Over, _) => Self::Over,
            (Self::Trailer { .. }, _) => Self::Trailer { empty: byte == b'\n' },
            _ => Self::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(coded: &[u8]) -> (Vec<u8>, Chunks) {
        let (mut body, mut chunks) = (Vec::new(), Chunks::default());
        chunks.feed(coded, |run| body.extend_from_slice(run));
        (body, chunks)
    }

    fn framing(fields: &str) -> Framing {
        Framing::of(&Head::parse(format!("HTTP/1.1 200 OK\r\n{fields}\r\n").as_bytes()))
    }

    #[test]
    fn chunks_are_joined_and_extensions_and_trailers_are_not_the_body() {
        let (body, chunks) = decode(b"3\r\nabc\r\n0002 ; x=y\r\nde\r\n A\n0123456789\n0\r\nT: r\r\n\r\nmore");
        assert_eq!(body, b"abcde0123456789");
        assert!(chunks.ended() && chunks.settled() && !chunks.broken());
    }

    #[test]
    fn the_last_chunk_makes_the_body_whole_even_without_the_empty_line() {
        let (_, chunks) = decode(b"1\r\na\r\n0\r\n");
        assert!(chunks.ended() && !chunks.settled());
        let (_, chunks) = decode(b"1\r\na\r\n0");
        assert!(!chunks.ended());
    }

    #[test]
    fn sizes_that_lie_take_no_more_than_what_is_there() {
        let (body, chunks) = decode(b"ffffffffffffffff\r\nabc\r\n0\r\n\r\n");
        assert_eq!(body, b"abc\r\n0\r\n\r\n");
        assert!(!chunks.ended() && !chunks.broken());
        for coded in ["10000000000000000\r\na", "-1\r\na", "+1\r\na", "0x1\r\na", "\r\n1\r\na", "x", "1\r\nab", ";\r\n"]
        {
            assert!(decode(coded.as_bytes()).1.broken(), "{coded}");
        }
    }

    #[test]
    fn chunked_outweighs_a_length_and_a_length_must_be_one_number() {
        assert_eq!(framing("Content-Length: 5\r\nTransfer-Encoding: gzip, Chunked\r\n"), Framing::Chunked);
        assert_eq!(framing("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n"), Framing::UntilClose);
        assert_eq!(framing("Transfer-Encoding: identity\r\nContent-Length: 5\r\n"), Framing::Length(5));
        assert_eq!(framing("content-length: 5\r\nContent-Length: 5, 5\r\n"), Framing::Length(5));
        assert_eq!(framing("Content-Length: 5\r\nContent-Length: 6\r\n"), Framing::UntilClose);
        for lie in ["-1", "", "+5", "0x5", "5 5", "99999999999999999999999"] {
            assert_eq!(framing(&format!("Content-Length: {lie}\r\n")), Framing::UntilClose, "{lie}");
        }
    }

    proptest! {
        #[test]
        fn piecewise_is_as_whole(pieces in proptest::collection::vec("(?-u)[0-3a;\r\n ]{0,6}", 0..20)) {
            let whole = pieces.concat();
            let (body, chunks) = decode(whole.as_bytes());
            let (mut again, mut piecewise) = (Vec::new(), Chunks::default());
            for piece in &pieces {
                piecewise.feed(piece.as_bytes(), |run| again.extend_from_slice(run));
            }
            prop_assert_eq!(body, again);
            prop_assert_eq!(chunks.place, piecewise.place);
            prop_assert_eq!(chunks.decoded(), piecewise.decoded());
        }
    }
}
