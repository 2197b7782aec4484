//! Certificates (X.509, [RFC 5280](https://www.rfc-editor.org/rfc/rfc5280)): facets of a leaf, digests of a chain, and
//! the check of a handshake signature.
//!
//! In: DER as sent. Out: `cert.*` facets. Real certificates break every rule (version 1, serial 0 or negative, dates
//! before 1970, Latin-1 in UTF-8 strings, bytes cut off or added), so fields are read one by one and nothing is encoded
//! again before it is hashed. Whether a chain is to be trusted is never asked.

mod certificate;
mod der;
mod key;
mod name;
mod proof;
mod san;
mod template;
mod time;

pub use proof::verify_handshake_signature;

use crate::facet::{Facet, FacetKind};
use certificate::Certificate;
use sha2::{Digest as _, Sha256};

/// Certificates longer than this are hashed, not read.
const LONGEST: usize = 1 << 20;

/// The facets of one leaf, in the registry's order.
///
/// `source` says where it was seen: `jarm` (in clear) or `handshake`. `proven` says whether the far side showed that it
/// holds the key; `None`, where nobody checked or could check, gives no remark. Both are remarks on `cert.sha256` and
/// `cert.spki_sha256`. `cert.sha256` is always there; its remark `unparsed` names what could not be read, and `refused`
/// says why a strict parser would not take the certificate at all.
#[must_use]
pub fn leaf_facets(der: &[u8], source: &str, proven: Option<bool>) -> Vec<Facet> {
    let mut leaf = Leaf { certificate: Certificate::default(), facets: Vec::new() };
    if der.len() > LONGEST {
        leaf.certificate.notes.push(format!("longer than {LONGEST} bytes"));
    } else {
        leaf.certificate = Certificate::read(der);
    }
    leaf.key_digest(source, proven);
    leaf.names();
    leaf.serial();
    leaf.dates_and_pattern();
    let mut first = marked(Facet::new(FacetKind::CertSha256, sha256_hex(der)), source, proven);
    if !leaf.certificate.notes.is_empty() {
        first = first.with("unparsed", leaf.certificate.notes.join("; "));
    }
    if let Some(reason) = refused(der) {
        first = first.with("refused", reason);
    }
    leaf.facets.push(first);
    leaf.facets.sort_by_key(|facet| facet.kind);
    leaf.facets
}

/// The facet `cert.chain`: SHA-256 of each certificate in the order sent, with its `source`.
#[must_use]
pub fn chain_facet<'a>(chain: impl IntoIterator<Item = &'a [u8]>, source: &str) -> Facet {
    let digests = chain.into_iter().map(|one| sha256_hex(one).into_bytes()).collect();
    Facet::list(FacetKind::CertChain, digests).with("source", source)
}

/// The text whose SHA-256 is `cert.template`: how it is made stands in `x509/template.rs`.
#[must_use]
pub fn template_text(der: &[u8]) -> String {
    let certificate = Certificate::read(der);
    template::text(&certificate, validity_seconds(&certificate))
}

/// SHA-256 in lower-case hex.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    der::hex(&Sha256::digest(bytes))
}

/// Why a strict reader (x509-parser) refuses the certificate: an oddity that few makers share. `None` when it does not.
fn refused(der: &[u8]) -> Option<String> {
    if der.len() > LONGEST {
        return None;
    }
    match x509_parser::parse_x509_certificate(der) {
        Ok(([], _)) => None,
        Ok((rest, _)) => Some(format!("{} bytes behind the certificate", rest.len())),
        Err(x509_parser::nom::Err::Error(error) | x509_parser::nom::Err::Failure(error)) => Some(error.to_string()),
        Err(x509_parser::nom::Err::Incomplete(_)) => Some("cut off".to_owned()),
    }
}

/// A leaf on its way to facets.
struct Leaf<'a> {
    certificate: Certificate<'a>,
    facets: Vec<Facet>,
}

impl Leaf<'_> {
    fn push(&mut self, kind: FacetKind, value: impl Into<Vec<u8>>) {
        self.facets.push(Facet::new(kind, value));
    }

    fn key_digest(&mut self, source: &str, proven: Option<bool>) {
        if let Some(key) = self.certificate.key {
            let facet = Facet::new(FacetKind::CertSpkiSha256, sha256_hex(key.whole));
            self.facets.push(marked(facet, source, proven));
            if key.algorithm.is_empty() {
                self.certificate.notes.push("key algorithm unreadable".into());
            } else {
                self.push(FacetKind::CertKeyType, key::key_type(&key));
            }
        }
    }

    fn names(&mut self) {
        if let Some(subject) = self.certificate.subject {
            self.push(FacetKind::CertSubject, name::rfc4514(&subject));
            self.push(FacetKind::CertSubjectSha256, sha256_hex(subject.whole));
        }
        if let Some(issuer) = self.certificate.issuer {
            self.push(FacetKind::CertIssuer, name::rfc4514(&issuer));
            self.push(FacetKind::CertIssuerSha256, sha256_hex(issuer.whole));
        }
        let (names, note) = san::names(&self.certificate);
        for one in names {
            self.push(FacetKind::CertSan, one);
        }
        self.certificate.notes.extend(note);
    }

    fn serial(&mut self) {
        match self.certificate.serial.map(serial_text) {
            Some(Some(serial)) => self.push(FacetKind::CertSerial, serial),
            Some(None) => self.certificate.notes.push("serialNumber empty".into()),
            None => {}
        }
    }

    fn dates_and_pattern(&mut self) {
        for (field, kind, date) in [
            ("notBefore", FacetKind::CertNotBefore, self.certificate.not_before),
            ("notAfter", FacetKind::CertNotAfter, self.certificate.not_after),
        ] {
            match date.as_ref().map(time::read) {
                Some(Some(date)) => self.push(kind, time::rfc3339(date)),
                Some(None) => self.certificate.notes.push(format!("{field} is no date")),
                None => {}
            }
        }
        let seconds = validity_seconds(&self.certificate);
        if let Some(seconds) = seconds {
            self.push(FacetKind::CertValiditySeconds, seconds.to_string());
        }
        if self.certificate.key.is_some() {
            let text = template::text(&self.certificate, seconds);
            let facet = Facet::new(FacetKind::CertTemplate, sha256_hex(text.as_bytes()));
            self.facets.push(facet.with("text", text));
        }
    }
}

fn marked(facet: Facet, source: &str, proven: Option<bool>) -> Facet {
    let facet = facet.with("source", source);
    match proven {
        Some(proven) => facet.with("proven", proven),
        None => facet,
    }
}

fn validity_seconds(certificate: &Certificate<'_>) -> Option<i64> {
    let start = time::read(certificate.not_before.as_ref()?)?;
    let end = time::read(certificate.not_after.as_ref()?)?;
    Some(time::seconds_between(start, end))
}

/// Hex without leading zeros, `0` for zero, a minus sign before the magnitude of a negative number; `None` when empty.
fn serial_text(contents: &[u8]) -> Option<String> {
    let negative = contents.first()? & 0x80 != 0;
    let mut magnitude = contents.to_vec();
    if negative {
        // Two's complement: invert, then add one from the right.
        let mut carry = true;
        for byte in magnitude.iter_mut().rev() {
            (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
        }
    }
    let hex = der::hex(&magnitude);
    let short = hex.trim_start_matches('0');
    let sign = if negative { "-" } else { "" };
    Some(if short.is_empty() { "0".into() } else { format!("{sign}{short}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facet::{Extra, Value};
    use proptest::prelude::*;

    #[test]
    fn serials_are_hex_without_leading_zeros() {
        for (contents, expected) in [
            (&[0u8][..], Some("0")),
            (&[0, 0], Some("0")),
            (&[0, 0x80], Some("80")),
            (&[0x0a, 0xbc], Some("abc")),
            (&[0xff], Some("-1")),
            (&[0x80], Some("-80")),
            (&[0xff, 0x00], Some("-100")),
            (&[], None),
        ] {
            assert_eq!(serial_text(contents).as_deref(), expected, "{contents:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_certificate_still_have_a_digest_with_the_reason() {
        let facets = leaf_facets(b"hello", "jarm", Some(false));
        assert_eq!(facets.len(), 1);
        assert_eq!(facets[0].kind, FacetKind::CertSha256);
        assert!(facets[0].extra.iter().any(|(key, _)| *key == "unparsed"));
        assert!(facets[0].extra.contains(&("proven", Extra::Flag(false))));
    }

    #[test]
    fn twenty_thousand_unreadable_extensions_leave_a_bounded_remark() {
        fn tlv(tag: u8, body: &[u8]) -> Vec<u8> {
            let length = u32::try_from(body.len()).unwrap().to_be_bytes();
            [&[tag, 0x84][..], &length, body].concat()
        }
        let empty = || tlv(der::SEQUENCE, b"");
        let extensions = tlv(0xa3, &tlv(der::SEQUENCE, &[0x30, 0].repeat(20_000)));
        let fields = [tlv(der::INTEGER, &[1]), empty(), empty(), empty(), empty(), empty(), extensions].concat();
        let facets = leaf_facets(&tlv(der::SEQUENCE, &tlv(der::SEQUENCE, &fields)), "jarm", None);
        let digest = facets.iter().find(|facet| facet.kind == FacetKind::CertSha256).unwrap();
        let unparsed = digest.extra.iter().find(|(key, _)| *key == "unparsed");
        let Some((_, Extra::Text(text))) = unparsed else { panic!("{digest:?}") };
        assert!(text.contains("more than 256 extensions") && text.len() < 32_000, "{} bytes", text.len());
    }

    #[test]
    fn a_certificate_beyond_the_limit_is_hashed_only() {
        let facets = leaf_facets(&vec![0x30; LONGEST + 1], "handshake", None);
        assert_eq!(facets.len(), 1);
        assert!(!facets[0].extra.iter().any(|(key, _)| *key == "proven"));
    }

    #[test]
    fn a_certificate_of_ours_gives_every_kind_in_the_order_of_the_registry() {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = vec!["b.example.test".to_owned(), "a.example.test".to_owned(), "192.0.2.1".to_owned()];
        let made = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        let facets = leaf_facets(made.der(), "handshake", Some(true));
        let kinds: Vec<_> = facets.iter().map(|one| one.kind).collect();
        assert!(kinds.is_sorted());
        for kind in FacetKind::ALL.iter().filter(|one| one.as_str().starts_with("cert.")) {
            assert_eq!(kinds.contains(kind), *kind != FacetKind::CertChain, "{kind}");
        }
        let names: Vec<_> = facets.iter().filter(|one| one.kind == FacetKind::CertSan).map(|one| &one.value).collect();
        let text = |text: &str| Value::Text(text.as_bytes().to_vec());
        assert_eq!(names, [&text("DNS:b.example.test"), &text("DNS:a.example.test"), &text("IP:192.0.2.1")]);
        let template = facets.iter().find(|one| one.kind == FacetKind::CertTemplate).unwrap();
        assert_eq!(template.value, text(&sha256_hex(template_text(made.der()).as_bytes())));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let facets = leaf_facets(&bytes, "jarm", None);
            prop_assert!(facets.iter().any(|one| one.kind == FacetKind::CertSha256));
            let _ = verify_handshake_signature(&bytes, 0x0403, b"m", &bytes);
        }

        #[test]
        fn a_certificate_with_changed_bytes_is_survived(changes in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..8)) {
            let mut bytes = include_bytes!("../../../tests/golden/x509/v1.der").to_vec();
            for (at, byte) in changes {
                let at = usize::from(at) % bytes.len();
                bytes[at] = byte;
            }
            let facets = leaf_facets(&bytes, "jarm", None);
            prop_assert!(facets.iter().any(|one| one.kind == FacetKind::CertSha256));
            for scheme in [0x0201, 0x0401, 0x0403, 0x0603, 0x0804, 0x0807] {
                let _ = verify_handshake_signature(&bytes, scheme, b"m", &bytes);
            }
        }
    }
}
