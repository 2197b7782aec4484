//! The facets of one answer, and of a favicon.

use sha2::{Digest, Sha256};

use super::answer::Answer;
use super::head::Head;
use crate::facet::{Facet, FacetKind, VOLATILE_HEADERS_VERSION, is_volatile_header};
use crate::proto::{body, mmh3};

/// Most facets of one kind read from repeated fields.
const REPEAT_LIMIT: usize = 64;

/// What the page says of the server and of itself.
pub(super) fn of_page(answer: &Answer) -> Vec<Facet> {
    let head = &answer.head;
    let mut facets = Vec::new();
    facets.extend(head.status_text.map(|status| Facet::new(FacetKind::HttpStatus, status)));
    for (kind, name) in [
        (FacetKind::HttpServer, "server"),
        (FacetKind::HttpLocation, "location"),
        (FacetKind::HttpEtag, "etag"),
        (FacetKind::HttpLastModified, "last-modified"),
    ] {
        facets.extend(distinct(kind, head.values(name).map(<[u8]>::to_vec)));
    }
    facets.extend(distinct(FacetKind::HttpRealm, head.values("www-authenticate").filter_map(realm)));
    facets.extend(distinct(FacetKind::HttpCookieName, head.values("set-cookie").filter_map(cookie_name)));
    if answer.head_whole {
        facets.extend(of_names(head));
        facets.extend(of_body(answer));
    }
    facets
}

/// The field names and their two hashes; only of a whole head, since half a list is another list.
fn of_names(head: &Head) -> [Facet; 3] {
    let names: Vec<&[u8]> = head.fields.iter().map(|field| field.name).collect();
    let stable: Vec<&[u8]> = names.iter().copied().filter(|name| !is_volatile_header(name)).collect();
    let hhhash = format!("hhh:1:{}", sha256_hex(&names.join(&b':')));
    [
        Facet::list(FacetKind::HttpHeaderNames, names.into_iter().map(<[u8]>::to_vec).collect()),
        Facet::new(FacetKind::HttpHhhash, hhhash),
        Facet::new(FacetKind::HttpHeaderOrder, sha256_hex(&stable.join(&b':'))).with("list", VOLATILE_HEADERS_VERSION),
    ]
}

fn of_body(answer: &Answer) -> Vec<Facet> {
    let page = &*answer.body;
    let mut facets = Vec::new();
    if let Some(title) = body::title(page, answer.body_whole) {
        let facet = Facet::new(FacetKind::HttpTitle, title.text);
        facets.push(if title.cut { facet.with("cut", true) } else { facet });
    }
    if answer.body_whole {
        facets.push(Facet::new(FacetKind::HttpBodySha256, sha256_hex(page)));
        facets.extend(body::simhash(page).map(|hash| Facet::new(FacetKind::HttpBodySimhash, format!("{hash:016x}"))));
        facets.extend(body::tlsh(page).map(|digest| Facet::new(FacetKind::HttpBodyTlsh, digest)));
    } else {
        facets.push(Facet::new(FacetKind::HttpBodyPrefixSha256, sha256_hex(page)));
    }
    facets
}

/// The two hashes of an icon: only of status 200, heard whole, and not of a page that was sent in its place.
pub(super) fn of_favicon(answer: &Answer) -> Vec<Facet> {
    let icon = &*answer.body;
    if answer.head.status != Some(200) || !answer.head_whole || !answer.body_whole || is_page(&answer.head, icon) {
        return Vec::new();
    }
    vec![
        Facet::new(FacetKind::HttpFaviconMmh3, mmh3::favicon(icon).to_string()),
        Facet::new(FacetKind::HttpFaviconSha256, sha256_hex(icon)),
    ]
}

/// How the picture formats begin that browsers take for an icon.
const PICTURES: &[&[u8]] = &[b"\0\0\x01\0", b"\0\0\x02\0", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"RIFF", b"BM"];

/// How far the kind of markup is looked for, in bytes.
const SNIFF: usize = 1024;

/// True for HTML, by what it is or, unless it begins as a picture does, by what it is called; SVG is a picture.
fn is_page(head: &Head, icon: &[u8]) -> bool {
    if PICTURES.iter().any(|start| icon.starts_with(start)) {
        return false;
    }
    let text = icon.strip_prefix(b"\xef\xbb\xbf").unwrap_or(icon).trim_ascii_start();
    let start = text.get(..SNIFF).unwrap_or(text).to_ascii_lowercase();
    let has = |word: &[u8]| start.windows(word.len()).any(|window| window == word);
    if start.starts_with(b"<") {
        return has(b"<html") || has(b"<!doctype html") || !has(b"<svg");
    }
    head.values("content-type").any(|kind| {
        let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        kind.eq_ignore_ascii_case(b"text/html") || kind.eq_ignore_ascii_case(b"application/xhtml+xml")
    })
}

/// One facet for each distinct value, in order.
fn distinct(kind: FacetKind, values: impl Iterator<Item = Vec<u8>>) -> Vec<Facet> {
    let mut facets: Vec<Facet> = Vec::new();
    for value in values {
        let facet = Facet::new(kind, value);
        if facets.len() < REPEAT_LIMIT && !facets.contains(&facet) {
            facets.push(facet);
        }
    }
    facets
}

/// The name of a cookie; none when there is no `=` in its pair.
fn cookie_name(value: &[u8]) -> Option<Vec<u8>> {
    let pair = value.split(|byte| *byte == b';').next()?;
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    Some(pair.get(..equals)?.trim_ascii().to_vec())
}

/// The first realm of a challenge ([RFC 9110 §11.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1)), without
/// its quotes.
fn realm(value: &[u8]) -> Option<Vec<u8>> {
    let at = value.windows(6).position(|window| window.eq_ignore_ascii_case(b"realm="))?;
    let text = value.get(at + 6..)?;
    let Some(quoted) = text.strip_prefix(b"\"") else {
        return text.split(|byte| *byte == b',' || byte.is_ascii_whitespace()).next().map(<[u8]>::to_vec);
    };
    let (mut realm, mut bytes) = (Vec::new(), quoted.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => realm.extend(bytes.next()),
            other => realm.push(*other),
        }
    }
    Some(realm)
}

fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        for digit in [byte >> 4, byte & 15] {
            hex.extend(char::from_digit(u32::from(digit), 16));
        }
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facet::Value;
    use crate::observation::End;

    fn page(heard: &str) -> Vec<(FacetKind, String)> {
        let answer = Answer::read(heard.as_bytes(), End::Closed).unwrap();
        of_page(&answer).into_iter().map(|facet| (facet.kind, String::from_utf8(facet.stored()).unwrap())).collect()
    }

    fn all(facets: &[(FacetKind, String)], kind: FacetKind) -> Vec<&str> {
        facets.iter().filter(|(one, _)| *one == kind).map(|(_, value)| &**value).collect()
    }

    fn icon(fields: &str, icon: &[u8]) -> bool {
        let heard = [format!("HTTP/1.1 {fields}\r\nContent-Length: {}\r\n\r\n", icon.len()).as_bytes(), icon].concat();
        !of_favicon(&Answer::read(&heard, End::Done).unwrap()).is_empty()
    }

    #[test]
    fn fields_become_facets_whatever_their_case_and_repeats_once() {
        let facets = page(
            "HTTP/1.1 401 No\r\nserver: a\r\nSERVER: b\r\nServer: a\r\nSet-Cookie: s=1\r\nSet-Cookie: t = 2; x=3\r\n\
             Set-Cookie: s=2\r\nSet-Cookie: bare; x=1\r\nWWW-Authenticate: Digest nonce=x, realm=\"a \\\"b\\\"\"\r\n\
             WWW-Authenticate: Basic Realm=plain, charset=x\r\nETag: W/\"1\"\r\nLocation: /x\r\nLast-Modified: then\r\n\r\n",
        );
        assert_eq!(all(&facets, FacetKind::HttpStatus), ["401"]);
        assert_eq!(all(&facets, FacetKind::HttpServer), ["a", "b"]);
        assert_eq!(all(&facets, FacetKind::HttpCookieName), ["s", "t"]);
        assert_eq!(all(&facets, FacetKind::HttpRealm), ["a \"b\"", "plain"]);
        assert_eq!(all(&facets, FacetKind::HttpEtag), ["W/\"1\""]);
        assert_eq!(all(&facets, FacetKind::HttpLocation), ["/x"]);
        assert_eq!(all(&facets, FacetKind::HttpLastModified), ["then"]);
    }

    #[test]
    fn the_order_hash_forgets_volatile_names_and_the_hhhash_does_not() {
        let plain = page("HTTP/1.1 200 OK\r\nServer: a\r\nX-Y: b\r\n\r\n");
        let dated = page("HTTP/1.1 200 OK\r\nServer: a\r\nDate: c\r\nX-Y: b\r\ncf-ray: d\r\n\r\n");
        assert_eq!(all(&plain, FacetKind::HttpHeaderOrder), all(&dated, FacetKind::HttpHeaderOrder));
        assert_eq!(all(&plain, FacetKind::HttpHeaderOrder), [sha256_hex(b"Server:X-Y")]);
        assert_eq!(all(&dated, FacetKind::HttpHhhash), [format!("hhh:1:{}", sha256_hex(b"Server:Date:X-Y:cf-ray"))]);
    }

    #[test]
    fn half_a_head_has_no_list_of_names_and_no_body() {
        let facets = page("HTTP/1.1 200 OK\r\nServer: a\r\nX-Y");
        let kinds: Vec<FacetKind> = facets.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [FacetKind::HttpStatus, FacetKind::HttpServer]);
    }

    #[test]
    fn an_empty_body_has_a_digest_and_a_body_cut_off_only_that_of_its_prefix() {
        let nothing = sha256_hex(b"");
        assert_eq!(nothing, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        let empty = page("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(all(&empty, FacetKind::HttpBodySha256), [&*nothing]);
        assert!(all(&empty, FacetKind::HttpBodySimhash).is_empty());
        let cut = page("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nwords");
        assert_eq!(all(&cut, FacetKind::HttpBodyPrefixSha256), [sha256_hex(b"words")]);
        assert!(all(&cut, FacetKind::HttpBodySha256).is_empty() && all(&cut, FacetKind::HttpBodySimhash).is_empty());
    }

    #[test]
    fn a_head_without_fields_has_an_empty_list() {
        let answer = Answer::read(b"HTTP/1.0 200 OK\r\n\r\n", End::Closed).unwrap();
        let list = of_page(&answer).into_iter().find(|facet| facet.kind == FacetKind::HttpHeaderNames);
        assert_eq!(list.unwrap().value, Value::List(Vec::new()));
    }

    #[test]
    fn thousands_of_cookies_give_a_bounded_number_of_facets() {
        let cookies: Vec<String> = (0..4000).map(|n| format!("set-cookie:{n}=\n")).collect();
        let facets = page(&format!("HTTP/1.0 200 OK\n{}\n", cookies.concat()));
        assert_eq!(all(&facets, FacetKind::HttpCookieName).len(), REPEAT_LIMIT);
    }

    #[test]
    fn an_icon_is_a_whole_file_of_status_200_that_is_no_page() {
        let ico = b"\0\0\x01\0\x01\0";
        assert!(icon("200 OK", ico));
        assert!(icon("200 OK\r\nContent-Type: text/html", ico));
        assert!(icon("200 OK", b""));
        assert!(icon("200 OK", b"<?xml version='1.0'?>\n<svg xmlns='x'><style>body{}</style></svg>"));
        assert!(!icon("404 No", ico));
        assert!(!icon("200 OK", b"\xef\xbb\xbf \n<!DOCTYPE HTML><p>not here"));
        assert!(!icon("200 OK", b"<div>not here</div>"));
        assert!(!icon("200 OK", b"<html><svg></svg></html>"));
        assert!(!icon("200 OK\r\nContent-Type: Text/HTML; charset=utf-8", b""));
        let cut = Answer::read(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\0\0\x01\0", End::Closed).unwrap();
        assert!(of_favicon(&cut).is_empty());
    }
}
