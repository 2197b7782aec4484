//! Recorded SSH servers and whole key exchanges, against what OpenSSH's own tools say of them (`tests/golden/ssh`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hostkin::facet::{Extra, Facet, FacetKind, Value};
use hostkin::observation::{Capture, End, Exchange, Outcome, Step};
use hostkin::proto::ssh::{self, Kex, Want};
use hostkin::proto::{Conversation, Entropy, Event, Next, Reading};
use serde::Deserialize;

#[derive(Deserialize)]
struct Server {
    id: String,
    banner: Option<String>,
    lines_before_banner: Vec<String>,
    kexinit_payload: Option<String>,
    lists: Option<Vec<String>>,
    #[serde(rename = "hassh_server")]
    hassh: Option<String>,
    host_keys: Vec<Key>,
    ssh_keygen_lf: Vec<String>,
}

#[derive(Deserialize)]
struct Key {
    r#type: String,
    blob: String,
    line: String,
}

#[derive(Deserialize)]
struct Recorded {
    case: String,
    ssh_keygen_lf: Vec<String>,
    capture: String,
}

fn servers() -> Vec<Server> {
    let servers: Vec<Server> = serde_json::from_str(include_str!("../golden/ssh/servers.json")).unwrap();
    assert_eq!(servers.len(), 25);
    servers
}

fn recorded() -> Vec<(Recorded, Capture)> {
    let cases: Vec<Recorded> = serde_json::from_str(include_str!("../golden/ssh/captures.json")).unwrap();
    let decode = |case: &Recorded| Capture::from_cbor(&STANDARD.decode(&case.capture).unwrap()).unwrap();
    cases
        .into_iter()
        .map(|case| {
            let capture = decode(&case);
            (case, capture)
        })
        .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn texts(reading: &Reading, kind: FacetKind) -> Vec<String> {
    let of_kind = reading.facets.iter().filter(|facet| facet.kind == kind);
    of_kind.map(|facet| String::from_utf8(facet.stored()).unwrap()).collect()
}

/// The host keys as `ssh-keygen -lf` prints them, without the comment; and whether each is proven.
fn keys(reading: &Reading) -> (Vec<String>, Vec<bool>) {
    let shown = |facet: &Facet| {
        let extra = |key| facet.extra.iter().find(|(name, _)| *name == key).map(|(_, extra)| extra);
        let (Value::Text(value), Some(Extra::Number(bits)), Some(Extra::Text(kind)), Some(Extra::Flag(proven))) =
            (&facet.value, extra("bits"), extra("type"), extra("proven"))
        else {
            panic!("a host key has type, bits and proven: {facet:?}")
        };
        let kind = match kind.as_str() {
            "ssh-rsa" => "RSA",
            "ssh-dss" => "DSA",
            "ssh-ed25519" => "ED25519",
            _ => "ECDSA",
        };
        (format!("{bits} {} ({kind})", String::from_utf8_lossy(value)), *proven)
    };
    reading.facets.iter().filter(|facet| facet.kind == FacetKind::SshHostKey).map(shown).unzip()
}

/// `256 SHA256:… some comment (ED25519)` without the comment.
fn without_comment(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    format!("{} {} {}", words[0], words[1], words[words.len() - 1])
}

/// The packet of a payload, as a server sends it in clear.
fn packet(payload: &[u8]) -> Vec<u8> {
    let padding = 4 + (8 - (payload.len() + 9) % 8) % 8;
    let length = u32::try_from(payload.len() + padding + 1).unwrap();
    let padding = u8::try_from(padding).unwrap();
    [&length.to_be_bytes()[..], &[padding], payload, &vec![0xee; usize::from(padding)]].concat()
}

fn strings(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
        out.extend_from_slice(part);
    }
}

struct Fixed;

impl Entropy for Fixed {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill(7);
    }
}

/// Lets the conversation hear these bytes at once.
fn meet(heard: &[u8], end: End) -> Exchange {
    let mut exchange = Exchange::unsent(Step::Kex(String::new()), end, None);
    let mut kex = Kex::new(Want::First, &mut Fixed);
    kex.next(Event::Connected, &[], &mut exchange.sent);
    if kex.next(Event::Heard(0), heard, &mut exchange.sent) == Next::Done {
        exchange.end = End::Done;
    }
    exchange.heard = heard.to_vec();
    exchange.secret = kex.finish().secret;
    exchange
}

fn read_one(exchange: Exchange) -> Reading {
    ssh::read(&Capture { exchanges: vec![exchange], ..Capture::default() })
}

#[test]
fn banner_and_hashes_of_every_recorded_server_are_right() {
    for server in servers() {
        let mut heard: Vec<u8> =
            server.lines_before_banner.iter().flat_map(|line| format!("{line}\r\n").into_bytes()).collect();
        heard.extend(server.banner.iter().flat_map(|banner| format!("{banner}\r\n").into_bytes()));
        heard.extend(server.kexinit_payload.iter().flat_map(|payload| packet(&unhex(payload))));
        let reading = read_one(meet(&heard, End::ReadTimedOut));
        let id = &server.id;
        assert_eq!(texts(&reading, FacetKind::SshBanner), server.banner.iter().cloned().collect::<Vec<_>>(), "{id}");
        assert_eq!(
            texts(&reading, FacetKind::SshHasshServer),
            server.hassh.iter().cloned().collect::<Vec<_>>(),
            "{id}"
        );
        let lists = ssh::kexinit(&heard)
            .map(|kexinit| kexinit.lists().map(|list| String::from_utf8(list.to_vec()).unwrap()).to_vec());
        assert_eq!(lists, server.lists, "{id}");
        assert_eq!(texts(&reading, FacetKind::SshKexinitSha256).len(), server.lists.iter().count(), "{id}");
        let (outcome, detail) = match id.as_str() {
            "od-tarpit" => (Outcome::Mismatch, Some("not ssh: 4 lines, 39 bytes, timed out")),
            "od-comment" => (Outcome::Answered, Some("kexinit timed out")),
            "od-ssh1" => (Outcome::Answered, Some("protocol version 1 only")),
            _ => (Outcome::Answered, None),
        };
        assert_eq!((reading.outcome, reading.detail.as_deref()), (outcome, detail), "{id}");
    }
}

#[test]
fn the_post_quantum_only_server_says_why_its_key_is_missing() {
    let server = servers().into_iter().find(|server| server.id == "sd-ntru").unwrap();
    let heard = [b"SSH-2.0-x\r\n".to_vec(), packet(&unhex(&server.kexinit_payload.unwrap()))].concat();
    let reading = read_one(meet(&heard, End::Closed));
    let missing = reading.facets.iter().find(|facet| facet.kind == FacetKind::SshHostKeyMissing).unwrap();
    assert_eq!(missing.value, Value::Text(b"ssh-ed25519".to_vec()));
    let reason = Extra::Text("only post-quantum key exchange offered".to_owned());
    assert_eq!(missing.extra, [("reason", reason)]);
}

#[test]
fn fingerprints_and_sizes_of_every_recorded_key_are_those_of_ssh_keygen() {
    let mut count = 0;
    for server in servers() {
        let mut lines = Vec::new();
        for key in &server.host_keys {
            let mut kexinit = vec![20];
            kexinit.extend([0; 16]);
            let names =
                [b"curve25519-sha256", key.r#type.as_bytes(), b"a", b"a", b"a", b"a", b"none", b"none", b"", b""];
            strings(&mut kexinit, &names);
            kexinit.extend([0; 5]);
            let mut reply = vec![31];
            strings(&mut reply, &[&STANDARD.decode(&key.blob).unwrap(), &[9; 32], b"no signature"]);
            let heard = [b"SSH-2.0-x\r\n".to_vec(), packet(&kexinit), packet(&reply)].concat();
            let (shown, proven) = keys(&read_one(meet(&heard, End::Closed)));
            assert_eq!(shown, [without_comment(&key.line)], "{}", server.id);
            assert_eq!(proven, [false], "{}", server.id);
            lines.extend(shown);
            count += 1;
        }
        for line in &server.ssh_keygen_lf {
            assert!(lines.contains(&without_comment(line)), "{}: {line}", server.id);
        }
    }
    assert_eq!(count, 42);
}

#[test]
fn every_key_of_a_recorded_exchange_is_proven_and_the_one_in_the_key_file() {
    for (case, capture) in recorded() {
        let reading = ssh::read(&capture);
        let (shown, proven) = keys(&reading);
        assert_eq!(shown, case.ssh_keygen_lf, "{}", case.case);
        assert!(proven.iter().all(|proven| *proven), "{}", case.case);
        assert_eq!((reading.outcome, reading.detail), (Outcome::Answered, None), "{}", case.case);
        assert_eq!(shown.is_empty(), case.case == "ntru", "{}", case.case);
    }
}

#[test]
fn a_recorded_exchange_with_one_bit_changed_proves_nothing() {
    for (case, capture) in recorded() {
        let flips: [fn(&mut Exchange); 3] = [
            |one| one.sent[40] ^= 1,
            |one| one.secret.iter_mut().for_each(|secret| secret[5] ^= 1),
            |one| one.heard[60] ^= 1,
        ];
        for (which, flip) in flips.into_iter().enumerate() {
            let mut changed = capture.clone();
            let finished = changed.exchanges.iter_mut().filter(|one| one.secret.is_some());
            finished.for_each(flip);
            let (_, proven) = keys(&ssh::read(&changed));
            assert!(proven.iter().all(|proven| !*proven), "{} {which}", case.case);
        }
    }
}

#[test]
fn every_prefix_of_a_recorded_exchange_is_survived() {
    for (case, capture) in recorded() {
        let whole = capture.exchanges.first().unwrap();
        for cut in 0..whole.heard.len() {
            let heard = whole.heard[..cut].to_vec();
            let mut kex = Kex::new(Want::First, &mut Fixed);
            if cut < 1200 {
                kex.next(Event::Heard(0), &heard, &mut Vec::new());
            }
            let reading = read_one(Exchange { heard, end: End::Closed, ..whole.clone() });
            assert!(reading.outcome != Outcome::Failed, "{} {cut}", case.case);
        }
    }
}

#[test]
fn an_sshd_that_is_too_busy_is_asked_again() {
    let (_, capture) = recorded().into_iter().find(|(case, _)| case.case == "maxstartups").unwrap();
    let settled: Vec<bool> = capture.exchanges.iter().map(ssh::is_settled).collect();
    assert_eq!(settled, [true, false]);
    let reading = ssh::read(&capture);
    let missing = reading.facets.iter().find(|facet| facet.kind == FacetKind::SshHostKeyMissing).unwrap();
    let reason = Extra::Text("turned away: too many connections at once".to_owned());
    assert_eq!(missing.extra, [("reason", reason)]);
}
