//! The head of an answer: where it ends, its status line and its fields as sent.
//!
//! In: bytes from the start of a connection. Out: the final head, interim 1xx answers stepped over. Own line splitting,
//! because the rules of specs 5 (case, order, repeats, folded and colonless lines kept apart) are looser than any
//! parser that means to obey HTTP: bare LF ends a line, a line that begins with a space or tab continues the field
//! before it, a line without a colon is odd and no field.

use std::borrow::Cow;
use std::ops::Range;

/// Longest head read, interim answers included, in bytes.
pub const HEAD_LIMIT: usize = 64 * 1024;

/// Most fields read from one head.
pub(super) const FIELD_LIMIT: usize = 10_000;

/// What every answer begins with.
pub(super) const START: &[u8] = b"HTTP/";

/// One field: the name before the first colon, case kept, and the value; white space around both stripped, folded
/// lines joined by one space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: Cow<'a, [u8]>,
}

/// A head, or as much of one as was heard.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Head<'a> {
    /// The status code, where three digits stand in its place.
    pub(super) status: Option<u16>,
    /// What stands in its place.
    pub(super) status_text: Option<&'a [u8]>,
    /// Fields in order, repeats kept.
    pub(super) fields: Vec<Field<'a>>,
    /// Lines that are neither field nor continuation of one.
    pub(super) odd_lines: usize,
    /// True when there were more than [`FIELD_LIMIT`] fields; the rest was not read.
    pub(super) more: bool,
}

impl<'a> Head<'a> {
    /// Reads the finished lines of `block`, which begins with a status line; a line cut off says nothing.
    pub(super) fn parse(block: &'a [u8]) -> Self {
        let mut lines = block.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")).map(content);
        let mut head = Self::default();
        (head.status, head.status_text) = lines.next().map_or((None, None), status);
        // True while a continuation line has a field to belong to.
        let mut open = false;
        for line in lines.take_while(|line| !line.is_empty()) {
            let continues = line.starts_with(b" ") || line.starts_with(b"\t");
            if continues && open {
                if let Some(field) = head.fields.last_mut() {
                    let value = field.value.to_mut();
                    value.push(b' ');
                    value.extend_from_slice(line.trim_ascii());
                }
            } else if let Some(colon) = line.iter().position(|byte| *byte == b':').filter(|_| !continues) {
                if head.fields.len() == FIELD_LIMIT {
                    head.more = true;
                    break;
                }
                let (name, value) = line.split_at(colon);
                let value = value.get(1..).unwrap_or_default().trim_ascii();
                head.fields.push(Field { name: name.trim_ascii(), value: Cow::Borrowed(value) });
                open = true;
            } else {
                head.odd_lines += 1;
                open = false;
            }
        }
        head
    }

    /// The values of all fields of this name, in any case, in order.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let called = move |field: &&Field| field.name.eq_ignore_ascii_case(name.as_bytes());
        self.fields.iter().filter(called).map(|field| &*field.value)
    }
}

/// A line without its end: LF, and any CR before it.
fn content(line: &[u8]) -> &[u8] {
    let mut line = line.strip_suffix(b"\n").unwrap_or(line);
    while let Some(shorter) = line.strip_suffix(b"\r") {
        line = shorter;
    }
    line
}

/// The second word of a status line, and the number it is.
fn status(line: &[u8]) -> (Option<u16>, Option<&[u8]>) {
    let word = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).nth(1);
    let number = word.filter(|word| word.len() == 3 && word.iter().all(u8::is_ascii_digit));
    (number.and_then(|word| str::from_utf8(word).ok()?.parse().ok()), word)
}

/// What is known of the final head so far. Ranges are places in all that was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It is not there yet.
    Unfinished(Range<usize>),
    /// It is longer than [`HEAD_LIMIT`]; this much counts.
    TooLong(Range<usize>),
    /// It stands here, its empty line included.
    Whole(Range<usize>),
    /// The connection does not begin with `HTTP/`.
    Other,
    /// After an interim answer came something else.
    Astray,
}

/// Looks for the final head while bytes come in, touching each byte once.
#[derive(Clone, Debug, Default)]
pub(super) struct Search {
    /// Where the current head begins.
    start: usize,
    /// Where the current line begins.
    line: usize,
    /// Up to where line ends were looked for.
    looked: usize,
}

impl Search {
    /// Looks on in `all`, which is what it was given before with more at the end.
    pub(super) fn go_on(&mut self, all: &[u8]) -> Found {
        let within = all.get(..HEAD_LIMIT).unwrap_or(all);
        loop {
            let here = within.get(self.start..).unwrap_or_default();
            if !here.iter().zip(START).all(|(byte, wanted)| byte == wanted) {
                return if self.start == 0 { Found::Other } else { Found::Astray };
            }
            let Some(end) = self.empty_line(within) else {
                let heard = self.start..within.len();
                return if all.len() > HEAD_LIMIT { Found::TooLong(heard) } else { Found::Unfinished(heard) };
            };
            let head = self.start..end;
            self.start = end;
            if !is_interim(within.get(head.clone()).unwrap_or_default()) {
                return Found::Whole(head);
            }
        }
    }

    /// Where the next empty line ends.
    fn empty_line(&mut self, within: &[u8]) -> Option<usize> {
        while let Some(at) = within.get(self.looked..)?.iter().position(|byte| *byte == b'\n') {
            let end = self.looked + at + 1;
            let line = within.get(self.line..end)?;
            self.looked = end;
            self.line = end;
            if content(line).is_empty() {
                return Some(end);
            }
        }
        self.looked = within.len();
        None
    }
}

/// True for 1xx answers that another follows; 101 is final.
fn is_interim(block: &[u8]) -> bool {
    let line = block.split(|byte| *byte == b'\n').next().unwrap_or_default();
    status(line).0.is_some_and(|status| (100..200).contains(&status) && status != 101)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(block: &[u8]) -> Vec<String> {
        let head = Head::parse(block);
        head.fields.iter().map(|field| String::from_utf8_lossy(field.name).into_owned()).collect()
    }

    #[test]
    fn case_order_and_repeats_are_kept_and_white_space_is_not() {
        let head = b"HTTP/1.1 200 OK\r\nX-b :  v \r\nA:1\nx-B:2\r\n\r\n";
        assert_eq!(names(head), ["X-b", "A", "x-B"]);
        assert_eq!(Head::parse(head).values("x-b").collect::<Vec<_>>(), [&b"v"[..], b"2"]);
    }

    #[test]
    fn a_folded_line_is_no_field_even_with_a_colon() {
        let head = Head::parse(b"HTTP/1.1 200 OK\r\nLong: one\r\n\ttwo: three\r\nEmpty:\r\n\r\n");
        assert_eq!(head.values("long").collect::<Vec<_>>(), [b"one two: three"]);
        assert_eq!(head.values("empty").collect::<Vec<_>>(), [b""]);
        assert_eq!((head.fields.len(), head.odd_lines), (2, 0));
    }

    #[test]
    fn lines_that_are_no_field_are_counted() {
        let head = Head::parse(b"HTTP/1.1 200 OK\n before: any\nno colon\n\tand on: so\nA: b\n\n");
        assert_eq!((head.fields.len(), head.odd_lines), (1, 3));
    }

    #[test]
    fn a_line_cut_off_gives_nothing() {
        assert_eq!(names(b"HTTP/1.1 200 OK\r\nA: b\r\nServ"), ["A"]);
        assert_eq!(Head::parse(b"HTTP/1.1 20").status, None);
    }

    #[test]
    fn a_status_that_is_no_number_is_text() {
        let head = Head::parse(b"HTTP/1.1 OK fine\r\n\r\n");
        assert_eq!((head.status, head.status_text), (None, Some(&b"OK"[..])));
        assert_eq!(Head::parse(b"HTTP/1.1\t404\r\n").status, Some(404));
        assert_eq!(Head::parse(b"HTTP/1.1 +20 x\r\n").status, None);
    }

    #[test]
    fn nul_bytes_and_an_empty_name_are_kept() {
        assert_eq!(names(b"HTTP/1.1 200 OK\r\nA\0B: \0\r\n: x\r\n\r\n"), ["A\0B", ""]);
    }

    #[test]
    fn fields_beyond_the_limit_are_not_read() {
        let block = format!("HTTP/1.1 200 OK\n{}\n", "a:\n".repeat(FIELD_LIMIT));
        assert!(!Head::parse(block.as_bytes()).more);
        let head = Head::parse(&block.as_bytes()[..block.len() - 1]);
        assert_eq!((head.fields.len(), head.more), (FIELD_LIMIT, false));
        let block = format!("HTTP/1.1 200 OK\n{}\n", "a:\n".repeat(FIELD_LIMIT + 1));
        let head = Head::parse(block.as_bytes());
        assert_eq!((head.fields.len(), head.more), (FIELD_LIMIT, true));
    }

    #[test]
    fn interim_answers_are_stepped_over_and_101_is_not() {
        let search = |all: &[u8]| Search::default().go_on(all);
        let two = b"HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody";
        assert_eq!(search(two), Found::Whole(28..47));
        assert_eq!(search(b"HTTP/1.1 101 S\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), Found::Whole(0..18));
        assert_eq!(search(b"HTTP/1.1 100 C\r\n\r\nSSH-2.0"), Found::Astray);
        assert_eq!(search(b"HTTP/1.1 100 C\r\n\r\n"), Found::Unfinished(18..18));
    }

    #[test]
    fn an_endless_head_ends_at_the_limit() {
        let mut endless = b"HTTP/1.1 200 OK\r\nA: ".to_vec();
        endless.resize(HEAD_LIMIT, b'x');
        assert_eq!(Search::default().go_on(&endless), Found::Unfinished(0..HEAD_LIMIT));
        endless.extend_from_slice(b"\r\n\r\n");
        assert_eq!(Search::default().go_on(&endless), Found::TooLong(0..HEAD_LIMIT));
    }

    #[test]
    fn what_does_not_begin_with_http_is_something_else() {
        assert_eq!(Search::default().go_on(b"SSH-2.0-x\r\n"), Found::Other);
        assert_eq!(Search::default().go_on(b"http/1.1 200\r\n\r\n"), Found::Other);
        assert_eq!(Search::default().go_on(b"HTT"), Found::Unfinished(0..3));
    }
}
