//! Host key blobs: type, numbers, size, fingerprint
//! ([RFC 4253 section 6.6](https://www.rfc-editor.org/rfc/rfc4253#section-6.6), RFC 5656, RFC 8709, and OpenSSH's
//! `PROTOCOL.certkeys` and `PROTOCOL.u2f`).
//!
//! A certificate contains a plain key. Its fingerprint is the plain key's, as `ssh-keygen -lf` prints it, so that a key
//! is one key with and without its certificate. Who signed the certificate is not looked at.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use num_bigint::BigUint;
use sha2::{Digest, Sha256};

use super::algorithm::CERTIFICATE;
use super::wire::{magnitude, put_string};
use crate::proto::read::{Reader, Short};

/// A host key as a server showed it.
#[derive(Clone, Debug)]
pub(super) struct HostKey<'a> {
    /// The type in the blob.
    pub(super) blob_type: &'a [u8],
    /// The type of the plain key.
    pub(super) plain_type: &'static str,
    /// The blob of the plain key.
    pub(super) plain_blob: Vec<u8>,
    /// The key itself.
    pub(super) public: Public<'a>,
}

/// The numbers of a public key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Public<'a> {
    /// RSA: digits of exponent and modulus.
    Rsa { exponent: &'a [u8], modulus: &'a [u8] },
    /// DSA: digits of p, q, g and y.
    Dsa { p: &'a [u8], q: &'a [u8], g: &'a [u8], y: &'a [u8] },
    /// ECDSA; with an application when the key lives in a hardware token.
    Ecdsa { curve: Curve, point: &'a [u8], application: Option<&'a [u8]> },
    /// Ed25519; with an application when the key lives in a hardware token.
    Ed25519 { key: &'a [u8], application: Option<&'a [u8]> },
}

/// A curve of ECDSA keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    fn name(self) -> &'static [u8] {
        match self {
            Self::P256 => b"nistp256",
            Self::P384 => b"nistp384",
            Self::P521 => b"nistp521",
        }
    }
}

/// How the numbers of a plain type are laid out.
#[derive(Clone, Copy)]
enum Layout {
    Rsa,
    Dsa,
    Ecdsa(Curve),
    Ed25519,
    TokenEcdsa,
    TokenEd25519,
}

/// `(plain type, type of its certificate, layout)`.
const TYPES: &[(&str, &str, Layout)] = &[
    ("ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com", Layout::Ed25519),
    ("ssh-rsa", "ssh-rsa-cert-v01@openssh.com", Layout::Rsa),
    ("ssh-dss", "ssh-dss-cert-v01@openssh.com", Layout::Dsa),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256-cert-v01@openssh.com", Layout::Ecdsa(Curve::P256)),
    ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384-cert-v01@openssh.com", Layout::Ecdsa(Curve::P384)),
    ("ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521-cert-v01@openssh.com", Layout::Ecdsa(Curve::P521)),
    ("sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519-cert-v01@openssh.com", Layout::TokenEd25519),
    ("sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com", Layout::TokenEcdsa),
];

impl<'a> HostKey<'a> {
    /// Reads a blob; `None` when its type is unknown or its numbers are cut off or negative.
    pub(super) fn parse(blob: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(blob);
        let blob_type = reader.vec32("host key type").ok()?;
        let is_type = |one: &&(&str, &str, Layout)| blob_type == one.0.as_bytes() || blob_type == one.1.as_bytes();
        let (plain_type, _, layout) = TYPES.iter().find(is_type)?;
        let certificate = blob_type.ends_with(CERTIFICATE);
        if certificate {
            reader.vec32("certificate nonce").ok()?;
        }
        let fields = reader.rest();
        let public = read_public(*layout, &mut reader).ok()??;
        let plain_blob = if certificate {
            let mut plain = Vec::new();
            put_string(&mut plain, plain_type.as_bytes());
            let used = fields.len().saturating_sub(reader.rest().len());
            plain.extend_from_slice(fields.get(..used)?);
            plain
        } else {
            blob.to_vec()
        };
        Some(Self { blob_type, plain_type, plain_blob, public })
    }

    /// True when the plain key came inside a certificate.
    pub(super) fn is_certificate(&self) -> bool {
        self.blob_type != self.plain_type.as_bytes()
    }

    /// `SHA256:` and the digest of the plain blob in base64 without padding.
    pub(super) fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(&self.plain_blob)))
    }

    /// The size that `ssh-keygen -l` prints.
    pub(super) fn bits(&self) -> i64 {
        match self.public {
            Public::Rsa { modulus: number, .. } | Public::Dsa { p: number, .. } => {
                i64::try_from(BigUint::from_bytes_be(number).bits()).unwrap_or(i64::MAX)
            }
            Public::Ecdsa { curve: Curve::P384, .. } => 384,
            Public::Ecdsa { curve: Curve::P521, .. } => 521,
            Public::Ecdsa { curve: Curve::P256, .. } | Public::Ed25519 { .. } => 256,
        }
    }
}

/// Reads the numbers of a key; `None` when one is negative or a curve is misnamed.
fn read_public<'a>(layout: Layout, reader: &mut Reader<'a>) -> Result<Option<Public<'a>>, Short> {
    let application = |reader: &mut Reader<'a>| reader.vec32("token application");
    Ok(match layout {
        Layout::Rsa => {
            let (exponent, modulus) = (reader.vec32("rsa exponent")?, reader.vec32("rsa modulus")?);
            magnitude(exponent).zip(magnitude(modulus)).map(|(exponent, modulus)| Public::Rsa { exponent, modulus })
        }
        Layout::Dsa => {
            let p = magnitude(reader.vec32("dsa p")?);
            let q = magnitude(reader.vec32("dsa q")?);
            let g = magnitude(reader.vec32("dsa g")?);
            let y = magnitude(reader.vec32("dsa y")?);
            p.zip(q).zip(g.zip(y)).map(|((p, q), (g, y))| Public::Dsa { p, q, g, y })
        }
        Layout::Ecdsa(curve) => {
            read_point(curve, reader)?.map(|point| Public::Ecdsa { curve, point, application: None })
        }
        Layout::TokenEcdsa => {
            let point = read_point(Curve::P256, reader)?;
            let application = Some(application(reader)?);
            point.map(|point| Public::Ecdsa { curve: Curve::P256, point, application })
        }
        Layout::Ed25519 => Some(Public::Ed25519 { key: reader.vec32("ed25519 key")?, application: None }),
        Layout::TokenEd25519 => {
            let key = reader.vec32("ed25519 key")?;
            Some(Public::Ed25519 { key, application: Some(application(reader)?) })
        }
    })
}

fn read_point<'a>(curve: Curve, reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, Short> {
    let named = reader.vec32("curve name")?;
    let point = reader.vec32("curve point")?;
    Ok((named == curve.name()).then_some(point))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(strings: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for one in strings {
            put_string(&mut out, one);
        }
        out
    }

    #[test]
    fn a_certificate_has_the_fingerprint_of_the_key_in_it() {
        let plain = blob(&[b"ssh-ed25519", &[7; 32]]);
        let certificate = blob(&[b"ssh-ed25519-cert-v01@openssh.com", b"nonce", &[7; 32], b"serial and so on"]);
        let (plain, certificate) = (HostKey::parse(&plain).unwrap(), HostKey::parse(&certificate).unwrap());
        assert_eq!(plain.fingerprint(), certificate.fingerprint());
        assert!(certificate.is_certificate() && !plain.is_certificate());
        assert_eq!(certificate.plain_type, "ssh-ed25519");
    }

    #[test]
    fn bits_of_rsa_are_those_of_the_modulus_without_the_sign() {
        let modulus = [&[0, 0x80][..], &[1; 127]].concat();
        assert_eq!(HostKey::parse(&blob(&[b"ssh-rsa", &[3], &modulus])).unwrap().bits(), 1024);
        let shorter = [&[0x7f][..], &[1; 127]].concat();
        assert_eq!(HostKey::parse(&blob(&[b"ssh-rsa", &[3], &shorter])).unwrap().bits(), 1023);
    }

    #[test]
    fn a_key_cut_off_misnamed_negative_or_unknown_is_none() {
        assert!(HostKey::parse(&blob(&[b"ssh-rsa", &[3]])).is_none());
        assert!(HostKey::parse(&blob(&[b"ssh-rsa", &[3], &[0x80]])).is_none());
        assert!(HostKey::parse(&blob(&[b"ecdsa-sha2-nistp256", b"nistp384", &[4; 65]])).is_none());
        assert!(HostKey::parse(&blob(&[b"ssh-ed448", &[4; 57]])).is_none());
        assert!(HostKey::parse(&[0xff, 0xff, 0xff, 0xff, 1]).is_none());
    }
}
