//! A whole answer read back from what one connection heard: final head, body after transfer decoding, what was odd.

use std::borrow::Cow;

use super::framing::{BODY_LIMIT, Chunks, Framing};
use super::head::{Found, HEAD_LIMIT, Head, START, Search};
use crate::observation::End;

/// What was heard on one connection, as HTTP/1.
#[derive(Debug, Default)]
pub(super) struct Answer<'a> {
    /// The final head, or its finished lines.
    pub(super) head: Head<'a>,
    /// True when the head was heard to its empty line and read in full.
    pub(super) head_whole: bool,
    /// The body, at most [`BODY_LIMIT`] bytes.
    pub(super) body: Cow<'a, [u8]>,
    /// True when this is all of the body.
    pub(super) body_whole: bool,
    /// What was not as it should be, in plain words.
    pub(super) remarks: Vec<String>,
}

impl<'a> Answer<'a> {
    /// Reads an answer; `None` when it does not begin with `HTTP/`. What stands beyond a limit or behind the end of the
    /// body changes nothing, so that the size of the last read does not show.
    pub(super) fn read(heard: &'a [u8], end: End) -> Option<Self> {
        if !heard.starts_with(START) {
            return None;
        }
        let mut answer = Self::default();
        match Search::default().go_on(heard) {
            Found::Whole(place) => {
                answer.head = Head::parse(heard.get(place.clone()).unwrap_or_default());
                answer.head_whole = !answer.head.more;
                answer.read_body(heard.get(place.end..).unwrap_or_default(), end);
            }
            Found::TooLong(place) => {
                answer.head = Head::parse(heard.get(place).unwrap_or_default());
                answer.remarks.push(format!("head cut off at {HEAD_LIMIT} bytes"));
            }
            Found::Unfinished(place) if place.is_empty() => {
                answer.remarks.push("only an interim answer".to_owned());
            }
            Found::Unfinished(place) => {
                answer.head = Head::parse(heard.get(place).unwrap_or_default());
                answer.remarks.push("head cut off".to_owned());
            }
            Found::Other | Found::Astray => answer.remarks.push("no answer after an interim one".to_owned()),
        }
        if answer.head.more {
            answer.remarks.push(format!("head cut off after {} fields", answer.head.fields.len()));
        }
        match answer.head.odd_lines {
            0 => {}
            1 => answer.remarks.push("1 odd header line".to_owned()),
            odd => answer.remarks.push(format!("{odd} odd header lines")),
        }
        Some(answer)
    }

    fn read_body(&mut self, rest: &'a [u8], end: End) {
        let within = rest.get(..BODY_LIMIT).unwrap_or(rest);
        let mut why = match end {
            End::Reset => "by a reset",
            End::ReadTimedOut => "by a time-out",
            End::Full => "at the limit of the connection",
            _ => "before its stated end",
        };
        match Framing::of(&self.head) {
            Framing::Empty => self.body_whole = true,
            Framing::Length(length) => {
                let stated = usize::try_from(length).ok().and_then(|length| within.get(..length));
                self.body_whole = stated.is_some();
                self.body = Cow::Borrowed(stated.unwrap_or(within));
            }
            Framing::UntilClose => {
                self.body_whole = end == End::Closed && rest.len() <= BODY_LIMIT;
                self.body = Cow::Borrowed(within);
            }
            Framing::Chunked => {
                let (mut body, mut chunks) = (Vec::new(), Chunks::default());
                chunks.feed(rest, |run| {
                    let room = BODY_LIMIT.saturating_sub(body.len());
                    body.extend_from_slice(run.get(..room).unwrap_or(run));
                });
                self.body_whole = chunks.ended() && chunks.decoded() <= BODY_LIMIT;
                if chunks.broken() {
                    why = "by a break in the chunked coding";
                }
                self.body = Cow::Owned(body);
            }
        }
        if !self.body_whole {
            self.remarks.push(match self.body.len() {
                BODY_LIMIT.. => format!("body cut off at {BODY_LIMIT} bytes"),
                _ => format!("body cut off {why}"),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(heard: &str, end: End) -> Answer<'_> {
        Answer::read(heard.as_bytes(), end).unwrap()
    }

    #[test]
    fn bytes_behind_the_stated_end_are_not_the_body() {
        let answer = read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 No\r\n\r\n", End::Closed);
        assert_eq!((&*answer.body, answer.body_whole), (&b"ok"[..], true));
        assert!(answer.remarks.is_empty());
    }

    #[test]
    fn a_length_that_promises_more_leaves_a_body_cut_off() {
        let answer = read("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", End::Closed);
        assert_eq!((&*answer.body, answer.body_whole), (&b"ok"[..], false));
        assert_eq!(answer.remarks, ["body cut off before its stated end"]);
        assert!(!read("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nok", End::Closed).body_whole);
    }

    #[test]
    fn a_body_without_length_is_whole_only_after_a_close() {
        let heard = "HTTP/1.0 200 OK\n\nok";
        assert!(read(heard, End::Closed).body_whole);
        assert_eq!(read(heard, End::ReadTimedOut).remarks, ["body cut off by a time-out"]);
        assert_eq!(read(heard, End::Reset).remarks, ["body cut off by a reset"]);
    }

    #[test]
    fn a_body_of_exactly_the_limit_is_whole_and_one_byte_more_is_not() {
        for head in ["", "Content-Length: 262144\r\n", "Transfer-Encoding: chunked\r\n"] {
            let coded = head.starts_with('T');
            let page = |length: usize| {
                let (before, after) =
                    if coded { (format!("{length:x}\r\n"), "\r\n0\r\n\r\n") } else { (String::new(), "") };
                let head = head.replace("262144", &length.to_string());
                format!("HTTP/1.1 200 OK\r\n{head}\r\n{before}{}{after}", "x".repeat(length))
            };
            assert!(read(&page(BODY_LIMIT), End::Closed).body_whole);
            let longer = page(BODY_LIMIT + 1);
            let longer = read(&longer, End::Closed);
            assert_eq!((longer.body.len(), longer.body_whole), (BODY_LIMIT, false));
            assert_eq!(longer.remarks, ["body cut off at 262144 bytes"]);
        }
    }

    #[test]
    fn a_broken_chunk_keeps_what_came_before() {
        let answer = read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokXX", End::Closed);
        assert_eq!((&*answer.body, answer.body_whole), (&b"ok"[..], false));
        assert_eq!(answer.remarks, ["body cut off by a break in the chunked coding"]);
    }

    #[test]
    fn an_interim_answer_alone_is_no_status() {
        let answer = read("HTTP/1.1 100 Continue\r\n\r\n", End::Closed);
        assert_eq!((answer.head.status, answer.remarks.join(";")), (None, "only an interim answer".to_owned()));
        assert_eq!(read("HTTP/1.1 100 C\r\n\r\nhuh", End::Closed).remarks, ["no answer after an interim one"]);
    }
}
