//! One request and its answer as a conversation, and the check that says when an answer is complete.

use super::framing::{BODY_LIMIT, Chunks, Framing};
use super::head::{Found, HEAD_LIMIT, Head, Search};
use crate::proto::{Conversation, Event, Next};

/// Most bytes read from one connection: head, body and some room for the chunked coding.
pub const PAGE_LIMIT: usize = HEAD_LIMIT + BODY_LIMIT + 10 * 1024;

/// Most bytes kept of an answer that is not HTTP/1.
pub const BANNER_LIMIT: usize = 1024;

/// Asks one page in clear: `/` or `/favicon.ico`.
#[derive(Debug)]
pub struct PageConversation {
    request: Vec<u8>,
    complete: Completeness,
}

impl PageConversation {
    /// A conversation that sends these bytes ([`super::request`]) and reads one answer.
    #[must_use]
    pub fn new(request: Vec<u8>) -> Self {
        Self { request, complete: Completeness::default() }
    }
}

impl Conversation for PageConversation {
    fn limit(&self) -> usize {
        PAGE_LIMIT
    }

    fn next(&mut self, event: Event, heard: &[u8], out: &mut Vec<u8>) -> Next {
        match event {
            Event::Connected => out.append(&mut self.request),
            Event::Heard(_) if self.complete.check(heard) => return Next::Done,
            Event::Heard(_) => {}
            Event::Closed => return Next::Done,
        }
        Next::Read
    }
}

/// Says while an answer comes in whether there is more to wait for; every byte is looked at once.
///
/// Complete is: the stated length is there, the chunked coding has ended or broke, the answer can have no body, one of
/// the limits ([`HEAD_LIMIT`], [`BODY_LIMIT`], [`BANNER_LIMIT`]) is reached. A body without length ends with the
/// connection, which the caller sees.
#[derive(Clone, Debug, Default)]
pub struct Completeness {
    search: Search,
    body: Option<Body>,
    over: bool,
}

/// How far the body is.
#[derive(Clone, Debug)]
struct Body {
    start: usize,
    framing: Framing,
    chunks: Chunks,
    /// Bytes of the body already given to `chunks`.
    fed: usize,
}

impl Completeness {
    /// True when `all`, the plain bytes heard so far, needs no more. `all` is what it was at the last call with more at
    /// the end; once true, it stays true.
    pub fn check(&mut self, all: &[u8]) -> bool {
        self.over = self.over || self.look(all);
        self.over
    }

    fn look(&mut self, all: &[u8]) -> bool {
        let body = match &mut self.body {
            Some(body) => body,
            None => match self.search.go_on(all) {
                Found::Unfinished(_) => return false,
                Found::TooLong(_) | Found::Astray => return true,
                Found::Other => return all.len() >= BANNER_LIMIT,
                Found::Whole(place) => {
                    let framing = Framing::of(&Head::parse(all.get(place.clone()).unwrap_or_default()));
                    self.body.insert(Body { start: place.end, framing, chunks: Chunks::default(), fed: 0 })
                }
            },
        };
        body.complete(all.get(body.start..).unwrap_or_default())
    }
}

impl Body {
    fn complete(&mut self, so_far: &[u8]) -> bool {
        match self.framing {
            Framing::Empty => true,
            Framing::Length(length) => {
                so_far.len() >= usize::try_from(length).map_or(BODY_LIMIT, |length| length.min(BODY_LIMIT))
            }
            // One byte more than the limit tells a body that was cut from one that fits exactly.
            Framing::UntilClose => so_far.len() > BODY_LIMIT,
            Framing::Chunked => {
                self.chunks.feed(so_far.get(self.fed..).unwrap_or_default(), |_| {});
                self.fed = so_far.len();
                self.chunks.settled() || self.chunks.decoded() > BODY_LIMIT
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn complete(all: &[u8]) -> bool {
        Completeness::default().check(all)
    }

    /// The length of the shortest prefix that is complete, fed byte by byte.
    fn needed(all: &[u8]) -> Option<usize> {
        let mut check = Completeness::default();
        (0..=all.len()).find(|upto| check.check(&all[..*upto]))
    }

    #[test]
    fn an_answer_is_complete_with_its_last_byte_and_not_before() {
        for whole in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.0 304 Not Modified\nContent-Length: 7\n\n",
            b"HTTP/1.0 200 OK\nContent-Length: 0\n\n",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        ] {
            let mut more = whole.to_vec();
            more.extend_from_slice(b"HTTP/1.1 200 OK\r\n\r\n");
            assert_eq!(needed(&more), Some(whole.len()));
        }
    }

    #[test]
    fn a_body_without_length_waits_for_the_close() {
        for head in ["", "Content-Length: -5\r\n", "Content-Length: 3\r\nContent-Length: 4\r\n"] {
            let mut answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n").into_bytes();
            let head = answer.len();
            answer.resize(head + BODY_LIMIT, b'x');
            assert!(!complete(&answer));
            answer.push(b'x');
            assert!(complete(&answer));
        }
    }

    #[test]
    fn limits_end_what_would_not_end() {
        let mut endless_head = b"HTTP/1.1 200 OK\r\n".to_vec();
        endless_head.resize(HEAD_LIMIT + 1, b'x');
        assert!(complete(&endless_head) && !complete(&endless_head[..HEAD_LIMIT]));
        let interim = b"HTTP/1.1 100 C\r\n\r\n".repeat(HEAD_LIMIT / 18 + 1);
        assert!(complete(&interim));
        let huge =
            [b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n", &b"x".repeat(BODY_LIMIT)[..]].concat();
        assert!(complete(&huge) && !complete(&huge[..huge.len() - 1]));
        assert!(complete(&[0; BANNER_LIMIT]) && !complete(&[0; BANNER_LIMIT - 1]));
    }

    #[test]
    fn an_answer_that_drips_in_is_looked_at_once() {
        // Looking at everything again with each byte would take minutes.
        let head = format!("HTTP/1.1 200 OK\r\nA: {}\r\n", "x".repeat(60_000));
        let chunked = "Transfer-Encoding: chunked\r\n\r\n".to_owned() + &"a\r\n0123456789\r\n".repeat(16_000);
        for rest in ["\r\n".to_owned() + &"x".repeat(250_000), chunked] {
            assert_eq!(needed((head.clone() + &rest).as_bytes()), None);
        }
    }

    #[test]
    fn the_request_is_sent_once_and_a_close_ends_it() {
        let (mut talk, mut out) = (PageConversation::new(b"GET".to_vec()), Vec::new());
        assert_eq!(talk.next(Event::Connected, b"", &mut out), Next::Read);
        assert_eq!(out, b"GET");
        assert_eq!(talk.next(Event::Heard(0), b"HTTP/1.1 200 OK\r\n\r\n", &mut out), Next::Read);
        assert_eq!(talk.next(Event::Closed, b"HTTP/1.1 200 OK\r\n\r\n", &mut out), Next::Done);
        assert_eq!(out, b"GET");
    }

    proptest! {
        #[test]
        fn fed_in_pieces_or_whole_an_answer_is_equally_complete(
            pieces in proptest::collection::vec(
                "HTTP/1.1 200 OK\r\n|HTTP/1.1 100 C\r\n|\r\n|\n|Content-Length: [0-9]\r\n|Transfer-Encoding: chunked\r\n|[0-3]\r\n|.{0,3}",
                0..14,
            ),
            start in "HTTP/1.1 (200|100|204) OK\r\n",
        ) {
            let (mut all, mut piecewise) = (start.into_bytes(), Completeness::default());
            for piece in pieces {
                all.extend_from_slice(piece.as_bytes());
                let so_far = piecewise.check(&all);
                prop_assert_eq!(so_far, complete(&all));
            }
        }
    }
}
