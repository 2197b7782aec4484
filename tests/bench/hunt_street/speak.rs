//! What the servers of the street say: TLS answers replayed from recordings of real servers, SSH with a real key exchange,
//! and pages.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use hostkin::proto::jarm::HelloRandom;
use hostkin::proto::jarm::hello::hello;
use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A record or a packet that is longer is nobody's.
const LONGEST: usize = 20_000;

/// What is the same for every client in a hello: version, ciphers and extensions, without what is drawn or named.
type Shape = Vec<u8>;

/// The answers of real TLS stacks to JARM's ten hellos, by the names of `tests/golden/jarm/servers.json`.
pub(crate) struct Stacks {
    shapes: Vec<Shape>,
    answers: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Stacks {
    /// Those of the golden cases.
    pub(crate) fn read(golden: &Path) -> Self {
        let text = std::fs::read(golden.join("jarm/servers.json")).unwrap();
        let rows: Vec<serde_json::Value> = serde_json::from_slice(&text).unwrap();
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len() / 2).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap()).collect()
        };
        let ten = |row: &serde_json::Value| {
            row["heard"].as_array().unwrap().iter().map(|one| one.as_str().map_or(Vec::new(), hex)).collect()
        };
        let answers = rows.iter().map(|row| (row["id"].as_str().unwrap().to_owned(), ten(row))).collect();
        let random = HelloRandom { random: [1; 32], session_id: [2; 32], key_share: [3; 32], grease: [0; 4] };
        let shapes = (0..10).map(|probe| shape(&hello(probe, "127.0.0.1", &random)).unwrap()).collect();
        Self { shapes, answers }
    }

    /// What this stack says to a hello; an alert to one that is none of JARM's. Where the recorded server went on in clear
    /// with a certificate, this one goes on with `leaf`.
    pub(crate) fn answer(&self, stack: &str, client: &[u8], leaf: &[u8]) -> Vec<u8> {
        let Some(place) = shape(client).and_then(|shape| self.shapes.iter().position(|one| *one == shape)) else {
            return vec![21, 3, 3, 0, 2, 2, 40];
        };
        let recorded = &self.answers[stack][place];
        if recorded.len() < 9 || recorded[0] != 22 || recorded[5] != 2 {
            return recorded.clone();
        }
        let record_end = 5 + usize::from(u16::from_be_bytes([recorded[3], recorded[4]]));
        let hello_end = 9 + usize::from(u16::from_be_bytes([recorded[7], recorded[8]]));
        let next = if hello_end < record_end { hello_end } else { record_end + 5 };
        if recorded.get(next) != Some(&11) {
            return recorded.clone();
        }
        let version = [recorded[1], recorded[2]];
        let mut out = record(version, &recorded[5..hello_end]);
        let certificates = [long(leaf.len() + 3), long(leaf.len()), leaf.to_vec()].concat();
        out.extend(record(version, &[vec![11], long(certificates.len()), certificates].concat()));
        out.extend(record(version, &[14, 0, 0, 0]));
        out
    }
}

fn long(length: usize) -> Vec<u8> {
    u32::try_from(length).unwrap().to_be_bytes()[1..].to_vec()
}

fn record(version: [u8; 2], message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    [&[22], &version[..], &length, message].concat()
}

/// `None` for what is no hello. GREASE (RFC 8701) is drawn, the name and the key share are the client's.
fn shape(hello: &[u8]) -> Option<Shape> {
    let pairs = |bytes: &[u8]| -> Vec<u8> {
        let grease = |pair: &[u8]| pair.len() == 2 && pair[0] == pair[1] && pair[0] & 0x0f == 0x0a;
        bytes.chunks(2).flat_map(|pair| if grease(pair) { &[0x0a, 0x0a] } else { pair }).copied().collect()
    };
    let mut shape = [hello.get(1..3)?, hello.get(9..11)?].concat();
    let mut rest = hello.get(44 + usize::from(*hello.get(43)?)..)?;
    let mut take = |width: usize| {
        let length = rest.get(..width)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let taken = rest.get(width..width + length)?;
        rest = &rest[width + length..];
        Some(taken)
    };
    shape.extend(pairs(take(2)?));
    take(1)?;
    let mut extensions = take(2)?;
    while let Some((head, body)) = extensions.split_first_chunk::<4>() {
        let (body, rest) = body.split_at_checked(usize::from(u16::from_be_bytes([head[2], head[3]])))?;
        shape.extend(pairs(&head[..2]));
        match head[1] {
            0 | 51 => {}
            // A list of versions behind one byte of length.
            43 => shape.extend(pairs(body.get(1..)?)),
            _ => shape.extend(body),
        }
        extensions = rest;
    }
    Some(shape)
}

/// A client's first record, whole.
pub(crate) async fn read_record(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut heard = vec![0; 5];
    stream.read_exact(&mut heard).await?;
    let length = usize::from(u16::from_be_bytes([heard[3], heard[4]]));
    heard.resize(5 + length.min(LONGEST), 0);
    stream.read_exact(&mut heard[5..]).await?;
    Ok(heard)
}

/// An SSH server: banner, the lists that differ between servers, and its one host key.
pub(crate) struct Sshd {
    pub(crate) banner: &'static str,
    pub(crate) ciphers: &'static str,
    pub(crate) macs: &'static str,
    pub(crate) key: Ed25519KeyPair,
}

/// An ed25519 key that is the same for the same label.
pub(crate) fn key(label: &str) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(digest(&SHA256, label.as_bytes()).as_ref()).unwrap()
}

impl Sshd {
    fn kexinit(&self) -> Vec<u8> {
        let mut out = [vec![20], vec![9; 16]].concat();
        let kex = "curve25519-sha256,curve25519-sha256@libssh.org";
        let (ciphers, macs) = (self.ciphers, self.macs);
        for list in [kex, "ssh-ed25519", ciphers, ciphers, macs, macs, "none", "none", "", ""] {
            put(&mut out, list.as_bytes());
        }
        out.extend([0; 5]);
        out
    }

    /// Talks up to the new keys (RFC 4253, RFC 8731).
    pub(crate) async fn talk(&self, stream: &mut TcpStream) -> io::Result<()> {
        let ours = self.kexinit();
        stream.write_all(&[self.banner.as_bytes(), b"\r\n", &packet(&ours)].concat()).await?;
        let mut version = Vec::new();
        while !version.ends_with(b"\n") && version.len() < 255 {
            version.push(stream.read_u8().await?);
        }
        let theirs = read_packet(stream).await?;
        let init = read_packet(stream).await?;
        let Some(point) = init.get(5..) else { return Ok(()) };
        let secret = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).unwrap();
        let public = secret.compute_public_key().unwrap();
        let mut blob = Vec::new();
        put(&mut blob, b"ssh-ed25519");
        put(&mut blob, self.key.public_key().as_ref());
        let mut hashed = Vec::new();
        for part in [version.trim_ascii_end(), self.banner.as_bytes(), &theirs, &ours, &blob, point, public.as_ref()] {
            put(&mut hashed, part);
        }
        let peer = UnparsedPublicKey::new(&X25519, point);
        let Ok(shared) = agree_ephemeral(secret, &peer, <[u8]>::to_vec) else { return Ok(()) };
        let start = shared.iter().position(|byte| *byte != 0).unwrap_or(shared.len());
        let sign = if shared.get(start).is_some_and(|byte| byte & 0x80 != 0) { &[0][..] } else { &[] };
        put(&mut hashed, &[sign, &shared[start..]].concat());
        let mut signature = Vec::new();
        put(&mut signature, b"ssh-ed25519");
        put(&mut signature, self.key.sign(digest(&SHA256, &hashed).as_ref()).as_ref());
        let mut reply = vec![31];
        for part in [&blob[..], public.as_ref(), &signature] {
            put(&mut reply, part);
        }
        stream.write_all(&[packet(&reply), packet(&[21])].concat()).await
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend(u32::try_from(bytes.len()).unwrap().to_be_bytes());
    out.extend(bytes);
}

fn packet(payload: &[u8]) -> Vec<u8> {
    let padding = 4 + (8 - (payload.len() + 9) % 8) % 8;
    let mut out = u32::try_from(payload.len() + padding + 1).unwrap().to_be_bytes().to_vec();
    out.push(u8::try_from(padding).unwrap());
    out.extend(payload);
    out.resize(out.len() + padding, 0);
    out
}

async fn read_packet(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = usize::try_from(stream.read_u32().await?).unwrap_or(LONGEST).min(LONGEST);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let padding = usize::from(body.first().copied().unwrap_or(0));
    Ok(body.get(1..length.saturating_sub(padding)).unwrap_or_default().to_vec())
}

/// A certificate with a key of its own, from the authority of this name; by its own key where that is empty.
pub(crate) fn leaf(at: Ipv4Addr, authority: &str) -> Vec<u8> {
    let named = |name: String| {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params
    };
    let key = rcgen::KeyPair::generate().unwrap();
    let subject = named(format!("host-{}.test", u32::from(at)));
    if authority.is_empty() {
        return subject.self_signed(&key).unwrap().der().to_vec();
    }
    let issuer = rcgen::Issuer::new(named(authority.to_owned()), rcgen::KeyPair::generate().unwrap());
    subject.signed_by(&key, &issuer).unwrap().der().to_vec()
}
