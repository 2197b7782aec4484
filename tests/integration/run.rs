//! The program against far sides that answer, hang, reset, drip, lie and never end: every one is a row with the right
//! word, none costs the run, its memory, or its neighbours.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::ground::{Desk, far_side, hang, hear, page, reset, say, scope};

/// Most memory a debug build may take for all of this, in bytes.
const MOST_MEMORY: u64 = 150_000_000;

/// A far side, and the words its row must have.
struct Case {
    label: &'static str,
    speech: &'static str,
    speak: fn(&TcpStream),
    outcome: &'static str,
    detail: &'static str,
}

const fn case(
    label: &'static str,
    speech: &'static str,
    speak: fn(&TcpStream),
    outcome: &'static str,
    detail: &'static str,
) -> Case {
    Case { label, speech, speak, outcome, detail }
}

const BANNER: &[u8] = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n";

/// A `ServerHello` of TLS 1.2 with one cipher suite and no extension, in a record of its own.
fn server_hello() -> Vec<u8> {
    let mut bytes = vec![22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3];
    bytes.extend([7; 32]);
    bytes.extend([0, 0xc0, 0x2f, 0]);
    bytes
}

/// Says `piece` over and over until nobody listens.
fn endless(stream: &TcpStream, piece: &[u8]) {
    let many = piece.repeat(16_384_usize.div_ceil(piece.len()));
    while say(stream, &many) {}
}

/// One byte a second.
fn drip(stream: &TcpStream, bytes: &[u8]) {
    for byte in bytes {
        if !say(stream, &[*byte]) {
            return;
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// An SSH packet of this payload, with the least padding that is allowed.
pub(crate) fn packet(payload: &[u8]) -> Vec<u8> {
    let padding = 4 + (8 - (payload.len() + 9) % 8) % 8;
    let mut bytes = u32::try_from(payload.len() + padding + 1).unwrap().to_be_bytes().to_vec();
    bytes.push(u8::try_from(padding).unwrap());
    bytes.extend_from_slice(payload);
    bytes.resize(bytes.len() + padding, 0);
    bytes
}

/// A KEXINIT whose lists are these, in the order of RFC 4253 7.1.
pub(crate) fn kexinit(lists: &[&str]) -> Vec<u8> {
    let mut payload = vec![20];
    payload.extend([9; 16]);
    for list in lists {
        payload.extend(u32::try_from(list.len()).unwrap().to_be_bytes());
        payload.extend_from_slice(list.as_bytes());
    }
    payload.extend([0; 5]);
    packet(&payload)
}

pub(crate) const LISTS: [&str; 10] = [
    "curve25519-sha256",
    "ssh-ed25519",
    "aes128-ctr",
    "aes128-ctr",
    "hmac-sha2-256",
    "hmac-sha2-256",
    "none",
    "none",
    "",
    "",
];

fn closes(stream: &TcpStream) {
    hear(stream);
}

fn resets(stream: &TcpStream) {
    hear(stream);
    reset(stream);
}

fn resets_unheard(stream: &TcpStream) {
    reset(stream);
}

fn hangs(stream: &TcpStream) {
    hang(stream);
}

fn garbage(stream: &TcpStream) {
    hear(stream);
    say(stream, &[0xde, 0xad, 0xbe, 0xef, 0x00, 0xff, 0x17, 0x99].repeat(200));
}

/// Everybody, with the row each must give.
const CASES: &[Case] = &[
    case(
        "http answers",
        "http",
        |stream| {
            hear(stream);
            say(stream, page("fine").as_bytes());
        },
        "answered",
        "",
    ),
    case("http hangs", "http", hangs, "timed_out", "connected, nothing heard in time"),
    case("http closes", "http", closes, "closed", ""),
    case("http resets", "http", resets, "reset", ""),
    case("http resets at once", "http", resets_unheard, "reset", ""),
    case("http garbage", "http", garbage, "mismatch", "not HTTP"),
    case(
        "http resets in its first line",
        "http",
        |stream| {
            hear(stream);
            say(stream, b"HTTP/1.1 20");
            reset(stream);
        },
        "answered",
        "head cut off",
    ),
    case(
        "http resets in its body",
        "http",
        |stream| {
            hear(stream);
            say(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc");
            reset(stream);
        },
        "answered",
        "body cut off by a reset",
    ),
    case(
        "http drips",
        "http",
        |stream| {
            hear(stream);
            drip(stream, page("slow").as_bytes());
        },
        "answered",
        "head cut off",
    ),
    case(
        "http endless body",
        "http",
        |stream| {
            hear(stream);
            say(stream, b"HTTP/1.1 200 OK\r\n\r\n");
            endless(stream, b"never ");
        },
        "answered",
        "body cut off at 262144 bytes",
    ),
    case(
        "http endless chunks",
        "http",
        |stream| {
            hear(stream);
            say(stream, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            endless(stream, b"1\r\nx\r\n");
        },
        "answered",
        "body cut off",
    ),
    case(
        "http 10,000 headers",
        "http",
        |stream| {
            hear(stream);
            let fields: Vec<String> = (0..10_000).map(|at| format!("X-{at}: {at}\r\n")).collect();
            say(stream, format!("HTTP/1.1 200 OK\r\n{}\r\nbody", fields.concat()).as_bytes());
        },
        "answered",
        "head cut off at 65536 bytes",
    ),
    case(
        "http endless interim answers",
        "http",
        |stream| {
            hear(stream);
            endless(stream, b"HTTP/1.1 100 Continue\r\n\r\n");
        },
        "answered",
        "head cut off at 65536 bytes",
    ),
    case(
        "http length of all the world",
        "http",
        |stream| {
            hear(stream);
            say(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\nabc");
        },
        "answered",
        "body cut off before its stated end",
    ),
    case("ssh hangs", "ssh", hangs, "timed_out", ""),
    case("ssh closes", "ssh", closes, "closed", ""),
    case("ssh resets", "ssh", resets, "reset", ""),
    case("ssh resets at once", "ssh", resets_unheard, "reset", ""),
    case("ssh garbage", "ssh", garbage, "mismatch", ""),
    case("ssh drips its banner", "ssh", |stream| drip(stream, BANNER), "timed_out", "identification line cut off"),
    case("ssh endless lines", "ssh", |stream| endless(stream, b"wait a moment\r\n"), "mismatch", ""),
    case("ssh an endless line", "ssh", |stream| endless(stream, b"SSH"), "mismatch", ""),
    case(
        "ssh resets after its banner",
        "ssh",
        |stream| {
            say(stream, BANNER);
            hear(stream);
            reset(stream);
        },
        "answered",
        "reset",
    ),
    case(
        "ssh resets within its lists",
        "ssh",
        |stream| {
            say(stream, BANNER);
            say(stream, &kexinit(&LISTS)[..40]);
            hear(stream);
            reset(stream);
        },
        "answered",
        "",
    ),
    case(
        "ssh closes after its lists",
        "ssh",
        |stream| {
            say(stream, BANNER);
            say(stream, &kexinit(&LISTS));
            hear(stream);
            hear(stream);
        },
        "answered",
        "",
    ),
    case(
        "ssh lists of 2 GB",
        "ssh",
        |stream| {
            say(stream, BANNER);
            let mut payload = vec![20];
            payload.extend([9; 16]);
            payload.extend([0x80, 0, 0, 0]);
            payload.extend([b'a'; 100]);
            say(stream, &packet(&payload));
            hang(stream);
        },
        "answered",
        "",
    ),
    case(
        "ssh packet of 4 GB",
        "ssh",
        |stream| {
            say(stream, BANNER);
            endless(stream, &[0xff; 64]);
        },
        "answered",
        "",
    ),
    case("tls hangs", "tls", hangs, "timed_out", "silent"),
    case("tls closes", "tls", closes, "closed", ""),
    case("tls resets", "tls", resets, "reset", ""),
    case("tls resets at once", "tls", resets_unheard, "reset", ""),
    case("tls garbage", "tls", garbage, "mismatch", "not TLS"),
    case(
        "tls alert",
        "tls",
        |stream| {
            hear(stream);
            say(stream, &[21, 3, 3, 0, 2, 2, 40]);
        },
        "tls_alert",
        "handshake_failure",
    ),
    case(
        "tls resets within a record",
        "tls",
        |stream| {
            hear(stream);
            say(stream, &server_hello()[..20]);
            reset(stream);
        },
        "reset",
        "",
    ),
    case(
        "tls record that promises more and closes",
        "tls",
        |stream| {
            hear(stream);
            say(stream, &[22, 3, 3, 0x40, 0, 2, 0, 0, 38, 3, 3]);
        },
        "closed",
        "",
    ),
    case(
        "tls record that promises more and hangs",
        "tls",
        |stream| {
            hear(stream);
            say(stream, &[22, 3, 3, 0x40, 0, 2, 0, 0, 38, 3, 3]);
            hang(stream);
        },
        "incomplete",
        "",
    ),
    case(
        "tls drips",
        "tls",
        |stream| {
            hear(stream);
            drip(stream, &server_hello());
        },
        "incomplete",
        "0 timed_out, 1 timed_out, 2 not asked",
    ),
    case(
        "tls record longer than any",
        "tls",
        |stream| {
            hear(stream);
            say(stream, &[22, 3, 3, 0xff, 0xff]);
            endless(stream, &[2, 0, 0, 38]);
        },
        "mismatch",
        "",
    ),
    case(
        "tls certificate of 16 MB",
        "tls",
        |stream| {
            hear(stream);
            say(stream, &server_hello());
            let mut record = vec![22, 3, 3, 0x40, 0, 11, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfc, 0xff, 0xff, 0xf9];
            record.resize(5 + 0x4000, 0x30);
            say(stream, &record);
            record[5..].fill(0x30);
            endless(stream, &record);
        },
        "answered",
        "",
    ),
    case(
        "tls handshake without end",
        "tls",
        |stream| {
            hear(stream);
            say(stream, &server_hello());
            // Empty records move nothing on.
            endless(stream, &[22, 3, 3, 0, 0]);
        },
        "answered",
        "",
    ),
];

/// Starts everybody, each with a good neighbour at the same address; gives the scope's grants.
fn stand_up(block: u8) -> Vec<(String, String)> {
    let mut grants = Vec::new();
    for (place, case) in (1..).zip(CASES) {
        let address = Ipv4Addr::new(127, block, 0, place);
        let bad = far_side(address, case.speak).port();
        let good = far_side(address, |stream| {
            hear(stream);
            say(stream, page("good").as_bytes());
        })
        .port();
        let ports = match case.speech {
            "http" => format!("http = [{bad}, {good}]"),
            other => format!("{other} = [{bad}], http = [{good}]"),
        };
        grants.push((format!("\"{address}\""), ports));
    }
    grants
}

/// The row of each case, and how many good neighbours answered.
fn sort(rows: &[Value], grants: &[(String, String)]) -> (BTreeMap<usize, Value>, usize) {
    let mut by_case = BTreeMap::new();
    let mut good = 0;
    for row in rows {
        let ip: Ipv4Addr = row["ip"].as_str().unwrap().parse().unwrap();
        let place = usize::from(ip.octets()[3]) - 1;
        let port = row["port"].as_u64().unwrap();
        let (_, ports) = &grants[place];
        let is_bad = ports.split_once('[').unwrap().1.starts_with(&port.to_string());
        if is_bad {
            assert!(row.get("over").is_none(), "no page over TLS: {row}");
            assert!(by_case.insert(place, row.clone()).is_none(), "two rows: {row}");
        } else {
            let title = row["facets"].as_array().unwrap().iter().find(|one| one["kind"] == "http.title");
            assert_eq!((&row["outcome"], &title.unwrap()["value"]), (&"answered".into(), &"good".into()));
            good += 1;
        }
    }
    (by_case, good)
}

fn check(rows: &[Value], grants: &[(String, String)]) {
    let (by_case, good) = sort(rows, grants);
    let mut wrong = Vec::new();
    for (place, case) in CASES.iter().enumerate() {
        let Some(row) = by_case.get(&place) else {
            wrong.push(format!("{}: no row", case.label));
            continue;
        };
        let (outcome, detail) = (row["outcome"].as_str().unwrap(), row["detail"].as_str().unwrap_or_default());
        if outcome != case.outcome || !detail.contains(case.detail) {
            wrong.push(format!("{}: {outcome}, {detail} (not {}, {})", case.label, case.outcome, case.detail));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(good, CASES.len(), "every neighbour was asked too");
}

#[test]
fn every_way_to_be_rude_is_a_row_with_its_word_and_the_scan_goes_on() {
    let grants = stand_up(90);
    let desk = Desk::with_case(&scope(&grants, ""));
    // Both verbs at once, so that the waiting is shared.
    let (scanned, probed) = std::thread::scope(|threads| {
        let probing = threads.spawn(|| desk.hostkin(&["probe", "127.90.0.0/24", "--scope", "scope.toml"]));
        let scanned = desk.hostkin(&["scan", "x.case", "--summary", "summary.json"]);
        (scanned, probing.join().unwrap())
    });
    let scanned = scanned.done();
    assert!(!scanned.err.contains("panicked"), "{}", scanned.err);
    let rows = desk.hostkin(&["export", "x.case", "observations", "--json"]).done().lines();
    check(&rows, &grants);

    let summary: Value = serde_json::from_slice(&std::fs::read(desk.path("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["complete"], true);
    assert_eq!(summary["hosts"], CASES.len());
    let memory = summary["peak_rss_bytes"].as_u64().unwrap();
    assert!(memory < MOST_MEMORY, "{memory} bytes");
    let seconds = summary["seconds"].as_f64().unwrap();
    assert!(seconds < 45.0, "{seconds} s: patience with one host adds up to a few deadlines");

    let probed = probed.done();
    check(&probed.lines(), &grants);

    // What was heard says the same when it is read again.
    let reread = desk.hostkin(&["reread", "x.case"]).done();
    assert!(reread.err.contains(" 0 of them say something else"), "{}", reread.err);
}
