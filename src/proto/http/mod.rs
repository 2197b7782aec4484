//! HTTP/1.1 ([RFC 9110](https://www.rfc-editor.org/rfc/rfc9110), [RFC 9112](https://www.rfc-editor.org/rfc/rfc9112)):
//! one fixed request, and what the answer says of the server, its set-up and its page.
//!
//! In: what was heard on the connections of [`Step::Page`] and [`Step::Favicon`], in clear or inside TLS. Out: the
//! `http.*` facets. Redirects are recorded and not followed, nothing is decompressed (no encoding is asked for), no
//! credentials are ever sent. HHHash is that of its reference (adulau/HHHash 0.4, `hash_from_banner`), which keeps
//! repeated names, without two of its slips: it counts a status line whose reason holds a colon, and takes a folded
//! line with a colon for a field.

mod answer;
mod facts;
mod framing;
mod head;
mod other;
mod page;
mod request;

pub use framing::BODY_LIMIT;
pub use head::HEAD_LIMIT;
pub use page::{BANNER_LIMIT, Completeness, PAGE_LIMIT, PageConversation};
pub use request::{REQUEST_VERSION, request};

use super::{Protocol, Reading};
use crate::observation::{Capture, End, Exchange, Outcome, Speech, Step};
use answer::Answer;

/// HTTP/1.1.
#[derive(Debug)]
pub struct Http;

impl Protocol for Http {
    fn id(&self) -> &'static str {
        "http"
    }

    fn speech(&self) -> Speech {
        Speech::Http
    }

    fn read(&self, capture: &Capture) -> Reading {
        let mut reading = match best(capture) {
            Some(page) => read_page(page),
            None => Reading {
                outcome: Outcome::Failed,
                detail: Some("the capture holds no page".to_owned()),
                facets: Vec::new(),
            },
        };
        if reading.outcome == Outcome::Answered {
            let favicons = capture.exchanges.iter().filter(|one| one.step == Step::Favicon);
            let found = favicons
                .filter_map(|one| Answer::read(&one.heard, one.end))
                .map(|answer| facts::of_favicon(&answer))
                .find(|facets| !facets.is_empty());
            reading.facets.extend(found.unwrap_or_default());
        }
        reading.facets.sort_by_key(|facet| facet.kind);
        reading.outcome = capture.ended(reading.outcome);
        reading
    }
}

/// True when the favicon is worth a connection of its own: the page was answered in HTTP, with a final status.
#[must_use]
pub fn wants_favicon(page: &Exchange) -> bool {
    Answer::read(&page.heard, page.end)
        .is_some_and(|answer| answer.head_whole && answer.head.status.is_some_and(|status| status != 101))
}

/// The page among several tries: the first that is HTTP, else the last that heard anything, else the last.
fn best(capture: &Capture) -> Option<&Exchange> {
    let pages = || capture.exchanges.iter().filter(|one| one.step == Step::Page);
    let heard = || pages().rfind(|one| !one.heard.is_empty());
    pages().find(|one| one.heard.starts_with(head::START)).or_else(heard).or_else(|| pages().next_back())
}

fn read_page(page: &Exchange) -> Reading {
    if page.heard.is_empty() {
        return Reading { outcome: page.end.outcome(), detail: silence(page), facets: Vec::new() };
    }
    let Some(answer) = Answer::read(&page.heard, page.end) else {
        let detail = format!("not HTTP: looks like {}", other::looks_like(&page.heard));
        return Reading { outcome: Outcome::Mismatch, detail: Some(detail), facets: Vec::new() };
    };
    let detail = Some(answer.remarks.join("; ")).filter(|detail| !detail.is_empty());
    Reading { outcome: Outcome::Answered, detail, facets: facts::of_page(&answer) }
}

/// Words for a connection on which nothing was heard.
fn silence(page: &Exchange) -> Option<String> {
    match page.end {
        End::ConnectTimedOut => Some("no connection in time".to_owned()),
        End::ReadTimedOut => Some("connected, nothing heard in time".to_owned()),
        _ => page.note.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::facet::FacetKind;

    fn heard(step: Step, bytes: &[u8], end: End) -> Exchange {
        Exchange { heard: bytes.to_vec(), ..Exchange::unsent(step, end, None) }
    }

    fn read(exchanges: Vec<Exchange>) -> Reading {
        Http.read(&Capture { exchanges, ..Capture::default() })
    }

    fn value(reading: &Reading, kind: FacetKind) -> Option<Vec<u8>> {
        reading.facets.iter().find(|facet| facet.kind == kind).map(crate::facet::Facet::stored)
    }

    const PAGE: &[u8] = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nServer: nginx\r\nDate: now\r\n\
        Long: a\r\n b\r\nodd\r\nTransfer-Encoding: chunked\r\nSet-Cookie: id=1\r\n\r\n\
        1f\r\n<html><title>Hello</title>one t\r\n1a;x=y\r\nwo three four five</html>\n\r\n0\r\nT: x\r\n\r\n";
    const ICON: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\0\0\x01\0";

    #[test]
    fn a_page_and_its_icon_give_facets_in_the_registrys_order() {
        let reading = read(vec![heard(Step::Page, PAGE, End::Done), heard(Step::Favicon, ICON, End::Done)]);
        assert_eq!((reading.outcome, reading.detail.as_deref()), (Outcome::Answered, Some("1 odd header line")));
        let kinds: Vec<&str> = reading.facets.iter().map(|facet| facet.kind.as_str()).collect();
        assert_eq!(
            kinds,
            [
                "http.status",
                "http.server",
                "http.title",
                "http.cookie_name",
                "http.header_names",
                "http.hhhash",
                "http.header_order",
                "http.body_sha256",
                "http.body_simhash",
                "http.body_tlsh",
                "http.favicon_mmh3",
                "http.favicon_sha256"
            ]
        );
        assert_eq!(value(&reading, FacetKind::HttpTitle).as_deref(), Some(&b"Hello"[..]));
    }

    #[test]
    fn silence_is_told_by_how_it_ended() {
        for (end, outcome) in [
            (End::Closed, Outcome::Closed),
            (End::Reset, Outcome::Reset),
            (End::Refused, Outcome::Refused),
            (End::ReadTimedOut, Outcome::TimedOut),
            (End::OutOfScope, Outcome::OutOfScope),
        ] {
            assert_eq!(read(vec![heard(Step::Page, b"", end)]).outcome, outcome);
        }
        assert_eq!(read(Vec::new()).outcome, Outcome::Failed);
    }

    #[test]
    fn another_protocol_is_a_mismatch_and_named() {
        let reading =
            read(vec![heard(Step::Page, b"SSH-2.0-x\r\n", End::Closed), heard(Step::Favicon, ICON, End::Done)]);
        assert_eq!((reading.outcome, reading.detail.as_deref()), (Outcome::Mismatch, Some("not HTTP: looks like SSH")));
        assert!(reading.facets.is_empty());
    }

    #[test]
    fn a_head_cut_off_is_still_an_answer() {
        let cut = heard(Step::Page, b"HTTP/1.1 200 OK\r\nServer: a\r\n", End::ReadTimedOut);
        assert!(!wants_favicon(&cut));
        let reading = read(vec![cut]);
        assert_eq!((reading.outcome, reading.detail.as_deref()), (Outcome::Answered, Some("head cut off")));
    }

    #[test]
    fn a_later_try_that_answered_counts() {
        let reading = read(vec![heard(Step::Page, b"", End::Reset), heard(Step::Page, PAGE, End::Done)]);
        assert_eq!(reading.outcome, Outcome::Answered);
    }

    #[test]
    fn a_probe_cut_short_says_so_and_keeps_its_facets() {
        let capture = Capture {
            exchanges: vec![heard(Step::Page, PAGE, End::Done)],
            cut_short: Some(crate::observation::CutShort::Pruned),
            ..Capture::default()
        };
        let reading = Http.read(&capture);
        assert_eq!(reading.outcome, Outcome::Pruned);
        assert!(value(&reading, FacetKind::HttpServer).is_some());
    }

    #[test]
    fn a_favicon_is_asked_for_only_after_a_final_answer() {
        assert!(wants_favicon(&heard(Step::Page, PAGE, End::Done)));
        for other in
            [&b"SSH-2.0-x\r\n"[..], b"", b"HTTP/1.1 100 C\r\n\r\n", b"HTTP/1.1 101 S\r\n\r\n", b"HTTP/1.1 ok\r\n\r\n"]
        {
            assert!(!wants_favicon(&heard(Step::Page, other, End::Closed)));
        }
    }

    #[test]
    fn every_prefix_of_an_answer_is_survived_and_none_shows_a_digest_of_the_whole() {
        let whole = value(&read(vec![heard(Step::Page, PAGE, End::Done)]), FacetKind::HttpBodySha256);
        let ended = PAGE.windows(5).position(|window| window == b"\r\n0\r\n").unwrap() + 5;
        for upto in 0..PAGE.len() {
            let reading = read(vec![heard(Step::Page, &PAGE[..upto], End::Closed)]);
            let shown = value(&reading, FacetKind::HttpBodySha256);
            assert_eq!(shown, whole.clone().filter(|_| upto >= ended), "{upto}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(
            start in "(HTTP/1\\.[01] [0-9]{1,4} OK\r\n)?",
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
            closed: bool,
        ) {
            let all = [start.as_bytes(), &bytes].concat();
            let end = if closed { End::Closed } else { End::Full };
            let _ = wants_favicon(&heard(Step::Page, &all, end));
            let _ = Completeness::default().check(&all);
            let reading = read(vec![heard(Step::Page, &all, end), heard(Step::Favicon, &all, end)]);
            prop_assert!(reading.detail.is_none_or(|detail| detail.is_ascii()));
        }

        #[test]
        fn bytes_after_a_complete_answer_change_nothing(tail in proptest::collection::vec(any::<u8>(), 0..40)) {
            let longer = [PAGE, &tail].concat();
            prop_assert_eq!(
                read(vec![heard(Step::Page, PAGE, End::Done)]),
                read(vec![heard(Step::Page, &longer, End::Done)])
            );
        }
    }
}
