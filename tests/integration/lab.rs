//! The street: the same plan for the same seed, honest truth, and servers that speak as they say.
//!
//! Every test takes a block of its own, so that a street of another test binary is never met; within this one they come up
//! one after the other, since each holds some three hundred descriptors.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hostkin::lab::{
    Ended, Expected, Host, KeyKind, LabError, Layout, Plan, Speaks, Street, Versions, read_state, request_stop,
    run_until_stopped,
};
use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{self, ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ED25519};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring as provider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};

fn layout(second: u8) -> Layout {
    Layout::new(format!("127.{second}.0.0/16").parse().unwrap()).unwrap()
}

fn of_role<'a>(plan: &'a Plan, role: &str) -> Vec<&'a Host> {
    plan.hosts.iter().filter(|host| host.role == role).collect()
}

/// Holds the only place for a street.
fn alone() -> MutexGuard<'static, ()> {
    static PLACE: Mutex<()> = Mutex::new(());
    PLACE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn dial(address: IpAddr, port: u16) -> TcpStream {
    let stream = TcpStream::connect(SocketAddr::new(address, port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

// ---- the plan ----

#[test]
fn one_seed_gives_one_plan_and_another_seed_another() {
    assert_eq!(Plan::new(5, layout(77)), Plan::new(5, layout(77)));
    assert_ne!(Plan::new(5, layout(77)).hosts, Plan::new(6, layout(77)).hosts);
}

#[test]
fn no_two_hosts_share_an_address_in_any_plan() {
    for seed in 0..20 {
        for plan in [Plan::new(seed, layout(77)), Plan::new(seed, layout(77)).shuffled(seed + 100)] {
            let addresses: BTreeSet<_> = plan.hosts.iter().map(|host| host.address).collect();
            assert_eq!(addresses.len(), plan.hosts.len(), "seed {seed}");
            assert!(addresses.iter().all(|address| plan.layout.block().contains(address)));
        }
    }
}

#[test]
fn the_street_has_everybody_the_demo_needs() {
    let plan = Plan::new(1, Layout::default());
    let count = |role: &str| of_role(&plan, role).len();
    let run_by = |name: &str| plan.hosts.iter().filter(|host| host.provider.as_deref() == Some(name)).count();
    assert!(plan.hosts.len() >= 60, "{}", plan.hosts.len());
    assert!(run_by(&plan.first) >= 14 && run_by(&plan.second) >= 8);
    assert!(count("stock") >= 15 && count("cdn") >= 6 && count("clone") >= 5 && count("panel") >= 4);
    assert!(count("control") >= 12);
    for role in ["silent", "slow", "drip", "garbage", "reset", "endless", "honeypot", "http-on-tls", "wrong-protocol"] {
        assert!(count(role) >= 1, "{role}");
    }
    let kits: BTreeMap<_, usize> = of_role(&plan, "kit").into_iter().fold(BTreeMap::new(), |mut seen, host| {
        *seen.entry(host.provider.clone()).or_default() += 1;
        seen
    });
    assert_eq!(kits.into_values().collect::<Vec<_>>(), [2, 2]);
    let nets: BTreeSet<_> = of_role(&plan, "clone").iter().map(|host| host.address.octets()[2]).collect();
    assert!(nets.len() >= 5, "the clones stand in different /24s");
}

#[test]
fn no_candidate_network_belongs_to_one_provider_alone() {
    let plan = Plan::new(1, Layout::default());
    for network in plan.networks(false) {
        let owners: BTreeSet<_> =
            plan.hosts.iter().filter(|host| network.contains(&host.address)).map(|host| &host.provider).collect();
        assert!(owners.len() >= 3, "{network}");
    }
    assert!(plan.networks(true).iter().all(|one| !plan.networks(false).contains(one)));
}

#[test]
fn truth_follows_from_what_a_host_shows() {
    let plan = Plan::new(1, Layout::default());
    let rows = plan.truth();
    assert_eq!(rows.len(), plan.hosts.len());
    let expected = |wanted| rows.iter().filter(move |row| row.expected == wanted);
    assert!(expected(Expected::InCluster).count() >= 14);
    assert!(expected(Expected::InCluster).all(|row| row.answers && row.provider.as_ref() == Some(&plan.first)));
    assert!(expected(Expected::Either).count() >= 1);
    assert!(
        rows.iter().filter(|row| !row.answers).all(|row| row.expected == Expected::NotInCluster),
        "nothing may be claimed of who says nothing"
    );
    let second = plan.truth_for(&plan.second);
    assert!(second.iter().filter(|row| row.expected == Expected::InCluster).count() >= 8);
    assert!(
        rows.iter()
            .zip(&second)
            .all(|(one, other)| { one.expected != Expected::InCluster || other.expected == Expected::NotInCluster })
    );
}

#[test]
fn there_is_a_good_seed_and_there_are_three_others() {
    let plan = Plan::new(1, Layout::default());
    let good = plan.good_seed().unwrap();
    let others = plan.alternative_seeds();
    assert!(others.len() >= 3 && !others.contains(&good));
    let rows = plan.truth();
    for seed in others.iter().chain([&good]) {
        let row = rows.iter().find(|row| row.address == *seed).unwrap();
        assert_eq!(row.expected, Expected::InCluster);
    }
    assert!(plan.seeds_of(&plan.second).len() >= 2);
}

#[test]
fn truth_as_json_lines_reads_back() {
    let plan = Plan::new(1, Layout::default());
    let text = plan.truth_jsonl();
    let back: Vec<hostkin::lab::TruthRow> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(back, plan.truth());
}

#[test]
fn a_shuffle_moves_and_renames_everybody_and_changes_no_habit() {
    let plan = Plan::new(1, Layout::default());
    let other = plan.shuffled(9);
    assert_eq!(other, plan.shuffled(9));
    assert_ne!(plan.first, other.first);
    assert_ne!(plan.good_seed(), other.good_seed());
    let tally = |plan: &Plan| {
        let mut all: Vec<_> = plan.truth().into_iter().map(|row| (row.role, row.expected as u8, row.open)).collect();
        all.sort();
        all
    };
    assert_eq!(tally(&plan), tally(&other));
}

#[test]
fn a_block_that_is_not_the_labs_is_refused() {
    for block in ["10.0.0.0/16", "127.0.0.0/8", "192.0.2.0/24", "127.77.1.0/24"] {
        assert!(matches!(Layout::new(block.parse().unwrap()), Err(LabError::Block(_))), "{block}");
    }
    assert!(Layout::new("198.18.0.0/16".parse().unwrap()).is_ok());
}

// ---- up and down ----

#[test]
fn a_street_comes_up_fast_goes_down_and_comes_up_again() {
    let _alone = alone();
    let plan = Plan::new(2, layout(101));
    let seed = plan.good_seed().unwrap();
    for _ in 0..2 {
        let start = Instant::now();
        let street = Street::up(plan.clone()).unwrap();
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        drop(dial(seed, 2222));
        street.down();
        let refused = TcpStream::connect(SocketAddr::new(seed, 2222)).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
}

#[test]
fn a_second_street_on_the_same_ground_says_which_port_is_taken() {
    let _alone = alone();
    let plan = Plan::new(2, layout(102));
    let street = Street::up(plan.clone()).unwrap();
    let error = Street::up(plan).unwrap_err();
    let LabError::Busy(socket) = error else { panic!("{error}") };
    assert!(error.to_string().contains(&socket.to_string()) && error.to_string().contains("hostkin lab down"));
    drop(street);
}

#[test]
fn a_street_in_the_foreground_ends_when_asked_and_leaves_no_file() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("state");
    let _alone = alone();
    let plan = Plan::new(3, layout(103));
    let seed = plan.good_seed().unwrap();
    let (up, is_up) = std::sync::mpsc::channel();
    let runner = {
        let dir = dir.clone();
        std::thread::spawn(move || run_until_stopped(&dir, plan, |_| up.send(()).unwrap()))
    };
    is_up.recv_timeout(Duration::from_secs(20)).unwrap();
    let state = read_state(&dir).unwrap().expect("a street is up");
    assert_eq!((state.seed, state.block.to_string().as_str()), (3, "127.103.0.0/16"));
    drop(dial(seed, 8443));
    let again = run_until_stopped(&dir, Plan::new(3, layout(104)), |_| ()).unwrap_err();
    assert!(matches!(again, LabError::AlreadyUp(_)), "{again}");
    assert!(request_stop(&dir, Duration::from_secs(10)).unwrap());
    assert_eq!(runner.join().unwrap().unwrap(), Ended::Asked);
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
    assert!(!request_stop(&dir, Duration::from_secs(1)).unwrap(), "nothing is up any more");
}

#[test]
fn a_state_file_of_a_process_that_died_is_not_believed() {
    let place = tempfile::tempdir().unwrap();
    let text = r#"{"pid":2147483600,"block":"127.77.0.0/16","ports":[1,2,3],"seed":1,"hosts":2,"up_since":"2026-01-01T00:00:00Z"}"#;
    std::fs::write(place.path().join("street.json"), text).unwrap();
    assert!(read_state(place.path()).unwrap().is_none());
    assert!(!request_stop(place.path(), Duration::from_secs(1)).unwrap());
}

// ---- what the servers say ----

#[test]
fn every_https_host_shakes_hands_and_gives_its_page() {
    let plan = Plan::new(4, layout(105));
    let _alone = alone();
    let _street = Street::up(plan.clone()).unwrap();
    let mut leaves: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
    let mut versions = BTreeSet::new();
    for host in &plan.hosts {
        for offer in &host.offers {
            let Speaks::Https(tls, site) = &offer.speaks else { continue };
            let (chain, answer, version) = https(host.address.into(), offer.port, !tls.manners.asks_client);
            leaves.entry(tls.certificate.label.clone()).or_default().insert(chain[0].to_vec());
            versions.insert(format!("{version:?}"));
            if tls.manners.versions != Versions::Both {
                let wanted = if tls.manners.versions == Versions::Only12 { "TLSv1_2" } else { "TLSv1_3" };
                assert_eq!(format!("{version:?}"), wanted);
            }
            if !tls.manners.asks_client {
                let start = format!("HTTP/1.1 {} ", site.page.status);
                assert!(answer.starts_with(start.as_bytes()), "{}: {}", host.address, String::from_utf8_lossy(&answer));
            }
        }
    }
    assert_eq!(versions.len(), 2);
    assert!(leaves.values().all(|seen| seen.len() == 1), "one label is one certificate");
    let distinct: BTreeSet<_> = leaves.values().flatten().collect();
    assert_eq!(distinct.len(), leaves.len(), "another label is another certificate");
}

#[test]
fn the_first_providers_nodes_send_a_leaf_of_its_own_authority_with_the_intermediate() {
    let plan = Plan::new(4, layout(106));
    let _alone = alone();
    let _street = Street::up(plan.clone()).unwrap();
    let (chain, _, _) = https(plan.good_seed().unwrap(), 8443, true);
    assert_eq!(chain.len(), 2);
    let (_, leaf) = x509_parser::parse_x509_certificate(&chain[0]).unwrap();
    let (_, above) = x509_parser::parse_x509_certificate(&chain[1]).unwrap();
    assert_eq!(leaf.issuer().as_raw(), above.subject().as_raw());
    let key = signature::UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &above.public_key().subject_public_key.data);
    key.verify(leaf.tbs_certificate.as_ref(), &leaf.signature_value.data).unwrap();
}

#[test]
fn every_ssh_host_proves_its_keys_and_those_with_one_label_hold_one_key() {
    let plan = Plan::new(4, layout(107));
    let _alone = alone();
    let _street = Street::up(plan.clone()).unwrap();
    let mut blobs: BTreeMap<_, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for host in &plan.hosts {
        for offer in &host.offers {
            let Speaks::Ssh(sshd) = &offer.speaks else { continue };
            for key in sshd.keys.iter().filter(|key| key.kind != KeyKind::P384) {
                let mut stream = dial(host.address.into(), offer.port);
                let (banner, blob) = ssh_key(&mut stream, key.kind.name());
                assert_eq!(banner, sshd.banner);
                blobs.entry(key).or_default().insert(blob);
            }
        }
    }
    assert!(blobs.len() > 60);
    assert!(blobs.values().all(|seen| seen.len() == 1));
    let distinct: BTreeSet<_> = blobs.values().flatten().collect();
    assert_eq!(distinct.len(), blobs.len());
}

#[test]
fn a_client_without_a_common_algorithm_is_told_so() {
    let plan = Plan::new(4, layout(108));
    let _alone = alone();
    let _street = Street::up(plan.clone()).unwrap();
    let mut stream = dial(plan.good_seed().unwrap(), 2222);
    read_line(&mut stream);
    read_packet(&mut stream);
    stream.write_all(b"SSH-2.0-test\r\n").unwrap();
    stream.write_all(&packet(&kexinit("diffie-hellman-group1-sha1", "ssh-ed25519"))).unwrap();
    assert_eq!(read_packet(&mut stream)[..5], [1, 0, 0, 0, 3]);
}

#[test]
fn odd_hosts_are_odd_in_the_way_they_should_be() {
    let plan = Plan::new(4, layout(109));
    let _alone = alone();
    let _street = Street::up(plan.clone()).unwrap();
    let at = |role: &str| IpAddr::from(of_role(&plan, role)[0].address);
    let all = |mut stream: TcpStream| {
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).map(|_| heard)
    };

    let refused = TcpStream::connect(SocketAddr::new(at("dead"), 2222)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);

    let mut silent = dial(at("silent"), 8443);
    silent.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    silent.write_all(b"hello\r\n\r\n").unwrap();
    assert!(matches!(silent.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));

    assert_eq!(all(dial(at("reset"), 2222)).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(all(dial(at("close"), 2222)).unwrap(), b"");
    let noise = all(dial(at("garbage"), 8080)).unwrap();
    assert_eq!(noise.len(), 600);
    assert!(!noise.starts_with(b"HTTP") && !noise.starts_with(b"SSH-"));

    let mut lines = dial(at("endless"), 2222);
    let mut heard = vec![0; 500_000];
    lines.read_exact(&mut heard).unwrap();
    assert!(!heard.windows(4).any(|four| four == b"SSH-"));
    drop(lines);

    let mut refusing = dial(at("endless"), 8443);
    refusing.write_all(&[22, 3, 1, 0, 4, 1, 0, 0, 0]).unwrap();
    assert_eq!(all(refusing).unwrap(), [21, 3, 3, 0, 2, 2, 40]);

    let start = Instant::now();
    let mut slow = dial(at("slow"), 2222);
    assert!(read_line(&mut slow).starts_with("SSH-2.0-"));
    assert!(start.elapsed() >= Duration::from_millis(600));

    let mut drip = dial(at("drip"), 8080);
    drip.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    assert!(drip.read(&mut [0; 4096]).unwrap() <= 200, "a few bytes at a time");
    assert!(all(drip).unwrap().ends_with(b"</html>\n"));

    let mut confused = dial(at("http-on-tls"), 8443);
    confused.write_all(&[22, 3, 1, 2, 0, 1, 0, 1, 252]).unwrap();
    assert!(all(confused).unwrap().starts_with(b"HTTP/1.1 400 "));
    assert!(read_line(&mut dial(at("wrong-protocol"), 2222)).starts_with("220 "));
    assert!(read_line(&mut dial(at("wrong-protocol"), 8080)).starts_with("SSH-2.0-"));
}

#[test]
fn a_panel_shows_the_same_icon_wherever_it_runs() {
    let plan = Plan::new(4, layout(110));
    let _alone = alone();
    let _street = Street::up(plan.clone()).unwrap();
    let icon = |address: IpAddr| {
        let mut session = session(address, 8443);
        session.write_all(b"GET /favicon.ico HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut heard = Vec::new();
        let _ = session.read_to_end(&mut heard);
        let body = heard.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        heard.split_off(body)
    };
    let icons: BTreeSet<_> = of_role(&plan, "panel").iter().map(|host| icon(host.address.into())).collect();
    assert_eq!(icons.len(), 1);
    assert_ne!(icon(plan.good_seed().unwrap()), *icons.first().unwrap());
}

// ---- a TLS client ----

/// Takes any certificate, but not a signature its key did not make.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, leaf, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, leaf, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn session(address: IpAddr, port: u16) -> StreamOwned<ClientConnection, TcpStream> {
    let provider = Arc::new(provider::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let client = ClientConnection::new(Arc::new(config), ServerName::from(address)).unwrap();
    StreamOwned::new(client, dial(address, port))
}

fn https(address: IpAddr, port: u16, page: bool) -> (Vec<CertificateDer<'static>>, Vec<u8>, rustls::ProtocolVersion) {
    let mut session = session(address, port);
    while session.conn.is_handshaking() {
        session.conn.complete_io(&mut session.sock).unwrap_or_else(|error| panic!("{address}: {error}"));
    }
    let mut answer = Vec::new();
    if page {
        session.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
        let _ = session.read_to_end(&mut answer);
    }
    (session.conn.peer_certificates().unwrap().to_vec(), answer, session.conn.protocol_version().unwrap())
}

// ---- an SSH client ----

/// Exchanges keys and returns banner and host key, once the signature over the exchange hash is verified.
fn ssh_key(stream: &mut TcpStream, algorithm: &str) -> (String, Vec<u8>) {
    let mut banner = read_line(stream);
    while !banner.starts_with("SSH-") {
        banner = read_line(stream);
    }
    let theirs = read_packet(stream);
    assert_eq!(theirs[0], 20);
    let ours = kexinit("curve25519-sha256,curve25519-sha256@libssh.org", algorithm);
    let random = SystemRandom::new();
    let secret = EphemeralPrivateKey::generate(&X25519, &random).unwrap();
    let point = secret.compute_public_key().unwrap();
    let mut init = vec![30];
    put(&mut init, point.as_ref());
    stream.write_all(b"SSH-2.0-test\r\n").unwrap();
    stream.write_all(&packet(&ours)).unwrap();
    stream.write_all(&packet(&init)).unwrap();
    let reply = read_packet(stream);
    assert_eq!(reply[0], 31);
    let (blob, rest) = take(&reply[1..]);
    let (server_point, rest) = take(rest);
    let (signature, _) = take(rest);
    let shared = agree_ephemeral(secret, &UnparsedPublicKey::new(&X25519, server_point), <[u8]>::to_vec).unwrap();
    let mut transcript = Vec::new();
    for part in [b"SSH-2.0-test", banner.as_bytes(), &ours, &theirs, blob, point.as_ref(), server_point] {
        put(&mut transcript, part);
    }
    put(&mut transcript, &mpint(&shared));
    verify(blob, signature, digest(&SHA256, &transcript).as_ref());
    assert_eq!(read_packet(stream), [21]);
    (banner, blob.to_vec())
}

fn verify(blob: &[u8], signed: &[u8], message: &[u8]) {
    let (kind, rest) = take(blob);
    let (signed_as, signature) = take(signed);
    assert_eq!(kind, signed_as);
    let (body, _) = take(signature);
    if kind == b"ssh-ed25519" {
        signature::UnparsedPublicKey::new(&ED25519, take(rest).0).verify(message, body).unwrap();
    } else {
        let (_, rest) = take(rest);
        let (r, rest_of_body) = take(body);
        let (s, _) = take(rest_of_body);
        let fixed = [padded(r), padded(s)].concat();
        signature::UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, take(rest).0).verify(message, &fixed).unwrap();
    }
}

fn padded(number: &[u8]) -> Vec<u8> {
    let start = number.iter().position(|byte| *byte != 0).unwrap();
    let mut out = vec![0; 32 - (number.len() - start)];
    out.extend_from_slice(&number[start..]);
    out
}

fn mpint(number: &[u8]) -> Vec<u8> {
    let start = number.iter().position(|byte| *byte != 0).unwrap();
    let mut out = if number[start] & 0x80 == 0 { Vec::new() } else { vec![0] };
    out.extend_from_slice(&number[start..]);
    out
}

fn kexinit(kex: &str, host_key: &str) -> Vec<u8> {
    let mut out = vec![20; 17];
    let cipher = "aes256-ctr";
    let mac = "hmac-sha2-512";
    for list in [kex, host_key, cipher, cipher, mac, mac, "none", "none", "", ""] {
        put(&mut out, list.as_bytes());
    }
    out.extend_from_slice(&[0; 5]);
    out
}

fn packet(payload: &[u8]) -> Vec<u8> {
    let pad = 16 - (payload.len() + 5) % 8;
    let mut out = u32::try_from(1 + payload.len() + pad).unwrap().to_be_bytes().to_vec();
    out.push(u8::try_from(pad).unwrap());
    out.extend_from_slice(payload);
    out.resize(out.len() + pad, 0);
    out
}

fn read_packet(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    stream.read_exact(&mut body).unwrap();
    let end = body.len() - usize::from(body[0]);
    body[1..end].to_vec()
}

fn read_line(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.last() != Some(&b'\n') {
        stream.read_exact(&mut byte).unwrap();
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
    out.extend_from_slice(bytes);
}

fn take(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = bytes.split_at(4);
    rest.split_at(usize::try_from(u32::from_be_bytes(length.try_into().unwrap())).unwrap())
}
