//! The HTTP reader against answers of real servers and what public reference tools make of them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hostkin::facet::{Facet, FacetKind, Value};
use hostkin::observation::{Capture, End, Exchange, Outcome, Step};
use hostkin::proto::{Protocol as _, Reading, http, mmh3};
use serde_json::Value as Json;

fn golden() -> Json {
    serde_json::from_str(include_str!("../golden/http/servers.json")).unwrap()
}

fn servers(golden: &Json) -> impl Iterator<Item = &Json> {
    golden["servers"].as_array().unwrap().iter()
}

fn heard(server: &Json) -> Vec<u8> {
    let mut bytes = STANDARD.decode(server["heard_b64"].as_str().unwrap()).unwrap();
    let filler = server["then_times_x"].as_u64().unwrap_or(0);
    bytes.resize(bytes.len() + usize::try_from(filler).unwrap(), b'x');
    bytes
}

fn exchange(step: Step, heard: Vec<u8>, end: End) -> Exchange {
    Exchange { heard, ..Exchange::unsent(step, end, None) }
}

fn page(server: &Json) -> Exchange {
    let end = if server["cut"] == true { End::Full } else { End::Closed };
    exchange(Step::Page, heard(server), end)
}

fn icon(golden: &Json, server: &Json) -> Option<Vec<u8>> {
    let digest = server["favicon_sha256"].as_str()?;
    Some(STANDARD.decode(golden["icons"][digest].as_str().unwrap()).unwrap())
}

fn read(exchanges: Vec<Exchange>) -> Reading {
    http::Http.read(&Capture { exchanges, ..Capture::default() })
}

/// The value of the one facet of this kind, as text.
fn text(reading: &Reading, kind: FacetKind) -> Option<String> {
    let mut found = reading.facets.iter().filter(|facet| facet.kind == kind);
    let facet = found.next();
    assert!(found.next().is_none(), "{kind} twice");
    facet.map(|facet| String::from_utf8(Facet::stored(facet)).unwrap())
}

fn expected(server: &Json, key: &str) -> Option<String> {
    server[key].as_str().map(str::to_owned)
}

#[test]
fn names_and_their_hash_are_those_of_every_server() {
    let golden = golden();
    assert_eq!(servers(&golden).count(), 64);
    for server in servers(&golden) {
        let name = server["server"].as_str().unwrap();
        let reading = read(vec![page(server)]);
        if server["hhhash"].is_null() {
            assert_eq!((reading.outcome, reading.facets), (Outcome::Mismatch, Vec::new()), "{name}");
            continue;
        }
        assert_eq!(reading.outcome, Outcome::Answered, "{name}");
        let list = reading.facets.iter().find(|facet| facet.kind == FacetKind::HttpHeaderNames).unwrap();
        let names = server["header_names"].as_array().unwrap();
        let names = names.iter().map(|one| one.as_str().unwrap().as_bytes().to_vec()).collect();
        assert_eq!(list.value, Value::List(names), "{name}");
        assert_eq!(text(&reading, FacetKind::HttpHhhash), expected(server, "hhhash"), "{name}");
        let agrees = server["hhhash_banner"] == server["hhhash"];
        assert_eq!(agrees, name != "oh-folded:8080", "{name}: reference");
        let status = server["status_line"].as_str().unwrap().split(' ').nth(1).map(str::to_owned);
        assert_eq!(text(&reading, FacetKind::HttpStatus), status, "{name}");
    }
}

#[test]
fn digests_of_the_body_are_those_of_the_reference_tools() {
    let golden = golden();
    for server in servers(&golden).filter(|server| !server["hhhash"].is_null()) {
        let name = server["server"].as_str().unwrap();
        let reading = read(vec![page(server)]);
        let (there, absent) = if server["cut"] == true {
            (FacetKind::HttpBodyPrefixSha256, FacetKind::HttpBodySha256)
        } else {
            (FacetKind::HttpBodySha256, FacetKind::HttpBodyPrefixSha256)
        };
        assert_eq!(text(&reading, there), expected(server, "body_sha256"), "{name}");
        assert_eq!(text(&reading, absent), None, "{name}");
        let tlsh = expected(server, "body_tlsh").filter(|digest| digest != "TNULL");
        assert_eq!(text(&reading, FacetKind::HttpBodyTlsh), tlsh, "{name}");
    }
}

#[test]
fn murmur3_is_the_references_on_bodies_and_icons() {
    let golden = golden();
    let mut icons = 0;
    for server in servers(&golden) {
        let name = server["server"].as_str().unwrap();
        let all = heard(server);
        let length = usize::try_from(server["body_len"].as_u64().unwrap()).unwrap();
        let body = &all[all.len() - length..];
        assert_eq!(i64::from(mmh3::x86_32(body, 0).cast_signed()), server["body_mmh3"].as_i64().unwrap(), "{name}");
        let Some(icon) = icon(&golden, server) else { continue };
        icons += 1;
        let hash = i64::from(mmh3::favicon(&icon));
        assert_eq!(Some(hash), server["favicon_mmh3"].as_i64(), "{name}");
        assert_ne!(Some(hash), server["favicon_mmh3_wrong_no_newlines"].as_i64(), "{name}");
        let raw = i64::from(mmh3::x86_32(&icon, 0).cast_signed());
        assert_eq!(Some(raw), server["favicon_mmh3_wrong_raw_bytes"].as_i64(), "{name}");
    }
    assert!(icons > 40, "{icons}");
}

#[test]
fn an_icon_beside_the_page_gives_both_its_hashes() {
    let golden = golden();
    for server in servers(&golden) {
        let Some(icon) = icon(&golden, server) else { continue };
        assert!(http::wants_favicon(&page(server)));
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/x-icon\r\nContent-Length: {}\r\n\r\n", icon.len());
        let favicon = exchange(Step::Favicon, [head.into_bytes(), icon].concat(), End::Done);
        let reading = read(vec![page(server), favicon]);
        let hash = server["favicon_mmh3"].as_i64().map(|hash| hash.to_string());
        assert_eq!(text(&reading, FacetKind::HttpFaviconMmh3), hash);
        assert_eq!(text(&reading, FacetKind::HttpFaviconSha256), expected(server, "favicon_sha256"));
    }
}

#[test]
fn the_simhash_is_what_another_program_makes_of_its_definition() {
    let golden = golden();
    let expected_hashes = golden["simhashes"].as_object().unwrap();
    let mut checked = BTreeSet::new();
    for server in servers(&golden).filter(|server| server["cut"] != true) {
        let digest = server["body_sha256"].as_str().unwrap();
        let Some(hash) = expected_hashes.get(digest).and_then(Json::as_str) else { continue };
        let shown = text(&read(vec![page(server)]), FacetKind::HttpBodySimhash);
        assert_eq!(shown.as_deref(), Some(hash), "{}", server["server"]);
        checked.insert(digest);
    }
    assert_eq!(checked.len(), expected_hashes.len());
}

#[test]
fn every_prefix_is_survived_and_the_check_of_completeness_agrees_with_the_reader() {
    let golden = golden();
    for server in servers(&golden).filter(|server| server["cut"] != true) {
        let all = heard(server);
        let mut complete = http::Completeness::default();
        for upto in 0..=all.len() {
            let done = complete.check(&all[..upto]);
            let reading = read(vec![exchange(Step::Page, all[..upto].to_vec(), End::ReadTimedOut)]);
            let whole = reading.facets.iter().any(|facet| facet.kind == FacetKind::HttpBodySha256);
            assert_eq!(done, whole, "{} at {upto}", server["server"]);
        }
    }
}
