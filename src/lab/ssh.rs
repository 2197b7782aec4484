//! The server's side of an SSH key exchange (RFC 4253, RFC 5656, RFC 8731), up to NEWKEYS and no further: nobody logs in.

use std::sync::Arc;

use ring::agreement::{self, ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey, X25519};
use ring::digest::{self, SHA256, SHA384};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::LabError;
use super::host_key::{Keys, Signer};
use super::sshd::{Lists, Sshd};

const DISCONNECT: u8 = 1;
const KEXINIT: u8 = 20;
const NEWKEYS: u8 = 21;
const KEX_ECDH_INIT: u8 = 30;
const KEX_ECDH_REPLY: u8 = 31;
/// Reason 3 of RFC 4253 section 11.1.
const KEY_EXCHANGE_FAILED: u32 = 3;
/// Most bytes of a client's lines before its packets.
const LINES: usize = 8 * 1024;
/// Largest packet (RFC 4253 section 6.1).
const PACKET: usize = 35_000;
/// Most packets of one client.
const PACKETS: usize = 16;

/// One SSH server, ready to talk.
pub(super) struct Server {
    banner: &'static str,
    before: &'static [&'static str],
    lists: &'static Lists,
    keys: Vec<Arc<Signer>>,
}

/// Why a talk ended early. Nobody reads it: a server that is left shrugs.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("connection lost")]
    Lost(#[from] std::io::Error),
    #[error("the client broke the protocol")]
    Client,
    #[error("no common algorithm")]
    NoCommon,
    #[error("ring refused")]
    Crypto,
}

impl Server {
    /// The server `sshd` with its keys.
    pub(super) fn new(sshd: &Sshd, keys: &mut Keys) -> Result<Self, LabError> {
        let signers = sshd.keys.iter().map(|key| keys.get(key)).collect::<Result<_, _>>()?;
        Ok(Self { banner: sshd.banner, before: sshd.before, lists: sshd.lists, keys: signers })
    }

    /// Talks to one client until the keys are exchanged.
    pub(super) async fn talk<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S) -> Result<(), Broken> {
        let ours = self.kexinit()?;
        let mut hello: Vec<u8> = self.before.iter().flat_map(|line| format!("{line}\r\n").into_bytes()).collect();
        hello.extend_from_slice(format!("{}\r\n", self.banner).as_bytes());
        hello.extend_from_slice(&packet(&ours)?);
        stream.write_all(&hello).await?;
        let version = read_version(stream).await?;
        let theirs = read_message(stream, KEXINIT).await?;
        let Some(agreed) = self.agree(&theirs) else {
            let mut message = vec![DISCONNECT];
            message.extend_from_slice(&KEY_EXCHANGE_FAILED.to_be_bytes());
            put_string(&mut message, b"no matching key exchange method");
            put_string(&mut message, b"");
            stream.write_all(&packet(&message)?).await?;
            return Err(Broken::NoCommon);
        };
        if agreed.skip_guess {
            read_packet(stream).await?;
        }
        let init = read_message(stream, KEX_ECDH_INIT).await?;
        let point = get_string(init.get(1..).unwrap_or_default()).ok_or(Broken::Client)?.0;
        let mut transcript = Vec::new();
        for part in [&version, self.banner.as_bytes(), &theirs, &ours, &agreed.key.blob, point] {
            put_string(&mut transcript, part);
        }
        stream.write_all(&reply(&agreed, point, transcript)?).await?;
        Ok(())
    }

    fn kexinit(&self) -> Result<Vec<u8>, Broken> {
        let mut cookie = [0; 16];
        SystemRandom::new().fill(&mut cookie).map_err(|_| Broken::Crypto)?;
        let mut out = vec![KEXINIT];
        out.extend_from_slice(&cookie);
        let keys: Vec<&str> = self.keys.iter().map(|key| key.kind.name()).collect();
        let Lists { kex, ciphers, macs, compression } = self.lists;
        for list in [kex, &*keys, ciphers, ciphers, macs, macs, compression, compression, &[], &[]] {
            put_string(&mut out, list.join(",").as_bytes());
        }
        out.extend_from_slice(&[0; 5]);
        Ok(out)
    }

    /// The first of the client's choices that the server lists too (RFC 4253 section 7.1); `None` also when that is one it
    /// lists but cannot do.
    fn agree(&self, theirs: &[u8]) -> Option<Agreed> {
        let (kex, rest) = get_string(theirs.get(17..)?)?;
        let (host_keys, mut rest) = get_string(rest)?;
        for _ in 0..8 {
            rest = get_string(rest)?.1;
        }
        let chosen = names(kex).find(|name| self.lists.kex.iter().any(|own| own.as_bytes() == *name))?;
        let key = names(host_keys)
            .find_map(|name| self.keys.iter().find(|own| own.kind.name().as_bytes() == name))
            .map(Arc::clone)?;
        let kex_guess = self.lists.kex.first().map(|name| name.as_bytes());
        let own_first = self.keys.first().map(|own| own.kind.name().as_bytes());
        let guessed_right = names(kex).next() == kex_guess && names(host_keys).next() == own_first;
        let skip_guess = rest.first() == Some(&1) && !guessed_right;
        let (curve, hash) = match chosen {
            b"curve25519-sha256" | b"curve25519-sha256@libssh.org" => (&X25519, &SHA256),
            b"ecdh-sha2-nistp256" => (&ECDH_P256, &SHA256),
            b"ecdh-sha2-nistp384" => (&ECDH_P384, &SHA384),
            _ => return None,
        };
        Some(Agreed { curve, hash, key, skip_guess })
    }
}

struct Agreed {
    curve: &'static agreement::Algorithm,
    hash: &'static digest::Algorithm,
    key: Arc<Signer>,
    skip_guess: bool,
}

/// `KEX_ECDH_REPLY` and `NEWKEYS`. `transcript` is what both sides hash, up to the client's public value.
fn reply(agreed: &Agreed, point: &[u8], mut transcript: Vec<u8>) -> Result<Vec<u8>, Broken> {
    let random = SystemRandom::new();
    let secret = EphemeralPrivateKey::generate(agreed.curve, &random).map_err(|_| Broken::Crypto)?;
    let ours = secret.compute_public_key().map_err(|_| Broken::Crypto)?;
    let peer = UnparsedPublicKey::new(agreed.curve, point);
    let shared = agreement::agree_ephemeral(secret, &peer, <[u8]>::to_vec).map_err(|_| Broken::Client)?;
    put_string(&mut transcript, ours.as_ref());
    put_mpint(&mut transcript, &shared);
    let exchange_hash = digest::digest(agreed.hash, &transcript);
    let mut message = vec![KEX_ECDH_REPLY];
    put_string(&mut message, &agreed.key.blob);
    put_string(&mut message, ours.as_ref());
    put_string(&mut message, &agreed.key.sign(exchange_hash.as_ref())?);
    let mut out = packet(&message)?;
    out.extend_from_slice(&packet(&[NEWKEYS])?);
    Ok(out)
}

/// A packet without encryption: length, padding length, payload, padding to a multiple of eight and at least four.
fn packet(payload: &[u8]) -> Result<Vec<u8>, Broken> {
    let pad = 4 + (8 - (5 + payload.len() + 4) % 8) % 8;
    let mut out = u32::try_from(1 + payload.len() + pad).map_err(|_| Broken::Crypto)?.to_be_bytes().to_vec();
    out.push(u8::try_from(pad).map_err(|_| Broken::Crypto)?);
    out.extend_from_slice(payload);
    let mut padding = vec![0; pad];
    SystemRandom::new().fill(&mut padding).map_err(|_| Broken::Crypto)?;
    out.extend_from_slice(&padding);
    Ok(out)
}

/// The client's identification line without its end; lines before it are stepped over.
async fn read_version<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Vec<u8>, Broken> {
    let mut line = Vec::new();
    for _ in 0..LINES {
        match stream.read_u8().await? {
            b'\n' if line.starts_with(b"SSH-") => {
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            b'\n' => line.clear(),
            byte => line.push(byte),
        }
    }
    Err(Broken::Client)
}

/// The next packet that is neither IGNORE nor DEBUG; an error when it is not of the `kind` expected.
async fn read_message<S: AsyncRead + Unpin>(stream: &mut S, kind: u8) -> Result<Vec<u8>, Broken> {
    for _ in 0..PACKETS {
        let payload = read_packet(stream).await?;
        match payload.first() {
            Some(2 | 4) => {}
            Some(first) if *first == kind => return Ok(payload),
            _ => break,
        }
    }
    Err(Broken::Client)
}

async fn read_packet<S: AsyncRead + Unpin>(stream: &mut S) -> Result<Vec<u8>, Broken> {
    let length = usize::try_from(stream.read_u32().await?).map_err(|_| Broken::Client)?;
    if !(12..=PACKET).contains(&length) {
        return Err(Broken::Client);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let pad = usize::from(*body.first().ok_or(Broken::Client)?);
    let end = length.checked_sub(pad).ok_or(Broken::Client)?;
    Ok(body.get(1..end).ok_or(Broken::Client)?.to_vec())
}

fn names(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',')
}

fn get_string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

/// Bytes behind their four-byte length (RFC 4251 section 5).
pub(super) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

/// A number of any size, never negative: no leading zeros, but one where the top bit is set (RFC 4251 section 5).
pub(super) fn put_mpint(out: &mut Vec<u8>, number: &[u8]) {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    let mut body = number.get(start..).unwrap_or_default().to_vec();
    if body.first().is_some_and(|byte| byte & 0x80 != 0) {
        body.insert(0, 0);
    }
    put_string(out, &body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_a_multiple_of_eight_with_at_least_four_bytes_of_padding() {
        for length in 0..40 {
            let out = packet(&vec![7; length]).unwrap();
            assert_eq!(out.len() % 8, 0, "payload of {length}");
            assert!((4..12).contains(&out[4]));
            assert_eq!(out.len(), 5 + length + usize::from(out[4]));
        }
    }

    #[test]
    fn numbers_are_written_as_the_rfc_shows() {
        let mpint = |bytes: &[u8]| {
            let mut out = Vec::new();
            put_mpint(&mut out, bytes);
            out
        };
        assert_eq!(mpint(&[0, 0]), [0, 0, 0, 0]);
        assert_eq!(mpint(&[0, 0x80]), [0, 0, 0, 2, 0, 0x80]);
        assert_eq!(mpint(&[0x09, 0xa3]), [0, 0, 0, 2, 0x09, 0xa3]);
    }
}
