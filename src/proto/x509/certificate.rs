//! A certificate taken apart into its fields as sent ([RFC 5280 §4.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.1)).
//!
//! In: DER of any quality. Out: slices of it, field by field, and a note for each field that could not be read. One
//! broken field costs only itself; a certificate that is cut off gives what came before the cut. Nothing is checked,
//! nothing is encoded again, and version 1 is as good as version 3.

use super::der::{self, Der, Tlv};

/// Extensions read at most; the rest is noted.
const MOST_EXTENSIONS: usize = 256;

/// The fields of one certificate, as sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Certificate<'a> {
    /// 1 to 3 in good certificates; `None` when the number cannot be read.
    pub(super) version: Option<u8>,
    /// Contents octets of the serial number.
    pub(super) serial: Option<&'a [u8]>,
    /// Contents octets of the OID of the signature algorithm.
    pub(super) signature: Option<&'a [u8]>,
    /// DER of the issuer's Name.
    pub(super) issuer: Option<Tlv<'a>>,
    /// Start of validity.
    pub(super) not_before: Option<Tlv<'a>>,
    /// End of validity.
    pub(super) not_after: Option<Tlv<'a>>,
    /// DER of the subject's Name.
    pub(super) subject: Option<Tlv<'a>>,
    /// The public key.
    pub(super) key: Option<PublicKey<'a>>,
    /// Extensions in order.
    pub(super) extensions: Vec<Extension<'a>>,
    /// What could not be read, in words.
    pub(super) notes: Vec<String>,
}

/// `SubjectPublicKeyInfo`.
#[derive(Clone, Copy, Debug)]
pub(super) struct PublicKey<'a> {
    /// The whole structure as sent.
    pub(super) whole: &'a [u8],
    /// Contents octets of the OID of the algorithm; empty when unreadable.
    pub(super) algorithm: &'a [u8],
    /// Parameters of the algorithm.
    pub(super) parameters: Option<Tlv<'a>>,
    /// The key itself, without the count of unused bits; empty when unreadable.
    pub(super) bits: &'a [u8],
}

/// One extension.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extension<'a> {
    /// Contents octets of its OID.
    pub(super) oid: &'a [u8],
    /// True when marked critical.
    pub(super) critical: bool,
    /// Contents of the octet string.
    pub(super) value: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Takes `bytes` apart. Total.
    #[must_use]
    pub(super) fn read(bytes: &'a [u8]) -> Self {
        let mut found = Self::default();
        if let Err(error) = found.walk(bytes) {
            found.notes.push(error.to_string());
        }
        found
    }

    fn walk(&mut self, bytes: &'a [u8]) -> Result<(), der::DerError> {
        let mut outside = Der::new(bytes);
        let certificate = outside.outer("certificate")?;
        if certificate.tag != der::SEQUENCE {
            return Err(der::DerError::Tag { field: "certificate", found: certificate.tag });
        }
        if certificate.cut {
            self.notes.push("certificate cut off".into());
        } else if !outside.is_empty() {
            self.notes.push("bytes after the certificate".into());
        }
        let mut fields = certificate.inside();
        let tbs = fields.outer("tbsCertificate")?;
        if tbs.tag != der::SEQUENCE {
            return Err(der::DerError::Tag { field: "tbsCertificate", found: tbs.tag });
        }
        // The outer algorithm is the one the signature was made with; the inner one stands in when the outer is cut off.
        let outer_algorithm = fields.expect(der::SEQUENCE, "signatureAlgorithm").ok().and_then(|one| algorithm(&one));
        let inner = self.inner_fields(tbs.inside());
        self.signature = outer_algorithm.or(self.signature);
        inner
    }

    fn inner_fields(&mut self, mut tbs: Der<'a>) -> Result<(), der::DerError> {
        self.version = Some(1);
        if tbs.peek() == Some(0xa0) {
            let number = tbs.any("version")?.inside().expect(der::INTEGER, "version");
            self.version = match number.map(|one| one.body) {
                Ok([value]) => value.checked_add(1),
                _ => None,
            };
            if self.version.is_none() {
                self.notes.push("version unreadable".into());
            }
        }
        let serial = tbs.any("serialNumber")?;
        self.serial = self.keep(&serial, der::INTEGER, "serialNumber").map(|one| one.body);
        let signature = tbs.any("signature")?;
        self.signature = algorithm(&signature);
        let issuer = tbs.any("issuer")?;
        self.issuer = self.keep(&issuer, der::SEQUENCE, "issuer");
        let validity = tbs.any("validity")?;
        if let Some(validity) = self.keep(&validity, der::SEQUENCE, "validity") {
            let mut dates = validity.inside();
            self.not_before = self.note(dates.any("notBefore"));
            self.not_after = self.note(dates.any("notAfter"));
        }
        let subject = tbs.any("subject")?;
        self.subject = self.keep(&subject, der::SEQUENCE, "subject");
        let key = tbs.any("subjectPublicKeyInfo")?;
        self.key = self.keep(&key, der::SEQUENCE, "subjectPublicKeyInfo").map(|one| PublicKey::read(&one));
        while !tbs.is_empty() {
            let more = tbs.any("extensions")?;
            if more.tag == 0xa3 {
                self.extensions(&more)?;
            }
        }
        Ok(())
    }

    fn extensions(&mut self, wrapper: &Tlv<'a>) -> Result<(), der::DerError> {
        let mut list = wrapper.inside().expect(der::SEQUENCE, "extensions")?.inside();
        let mut read = 0;
        while !list.is_empty() {
            // Unreadable ones count too: each leaves a note.
            if read == MOST_EXTENSIONS {
                self.notes.push(format!("more than {MOST_EXTENSIONS} extensions"));
                break;
            }
            read += 1;
            let one = list.any("extension")?;
            match extension(&one) {
                Ok(extension) => self.extensions.push(extension),
                Err(error) => self.notes.push(error.to_string()),
            }
        }
        Ok(())
    }

    /// The value if it has the right tag, or else a note.
    fn keep(&mut self, tlv: &Tlv<'a>, tag: u8, field: &'static str) -> Option<Tlv<'a>> {
        if tlv.tag == tag {
            return Some(*tlv);
        }
        self.notes.push(der::DerError::Tag { field, found: tlv.tag }.to_string());
        None
    }

    fn note(&mut self, read: Result<Tlv<'a>, der::DerError>) -> Option<Tlv<'a>> {
        read.map_err(|error| self.notes.push(error.to_string())).ok()
    }
}

impl<'a> PublicKey<'a> {
    fn read(info: &Tlv<'a>) -> Self {
        let mut fields = info.inside();
        let mut key = Self { whole: info.whole, algorithm: &[], parameters: None, bits: &[] };
        if let Ok(identifier) = fields.expect(der::SEQUENCE, "algorithm") {
            let mut inside = identifier.inside();
            key.algorithm = inside.expect(der::OID, "algorithm").map(|one| one.body).unwrap_or_default();
            key.parameters = inside.any("parameters").ok();
        }
        if let Ok(bits) = fields.expect(der::BIT_STRING, "subjectPublicKey") {
            key.bits = bits.body.split_first().map(|(_, rest)| rest).unwrap_or_default();
        }
        key
    }
}

fn algorithm<'a>(identifier: &Tlv<'a>) -> Option<&'a [u8]> {
    identifier.inside().expect(der::OID, "algorithm").map(|one| one.body).ok()
}

fn extension<'a>(one: &Tlv<'a>) -> Result<Extension<'a>, der::DerError> {
    let mut fields = one.inside();
    let oid = fields.expect(der::OID, "extension")?.body;
    let mut critical = false;
    if fields.peek() == Some(der::BOOLEAN) {
        critical = fields.any("critical")?.body.iter().any(|byte| *byte != 0);
    }
    let value = fields.expect(der::OCTET_STRING, "extension")?.body;
    Ok(Extension { oid, critical, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_certificate_give_a_note_and_nothing_else() {
        for bytes in [&b""[..], b"-----BEGIN CERTIFICATE-----", b"\x30\x80", b"\x02\x01\x05", b"\x30\x02\x02\x00"] {
            let found = Certificate::read(bytes);
            assert!(found.key.is_none());
            assert!(!found.notes.is_empty(), "{bytes:?}");
        }
    }

    #[test]
    fn every_prefix_of_a_certificate_is_survived_and_keeps_what_came_before_the_cut() {
        let key = rcgen::KeyPair::generate().unwrap();
        let made = rcgen::CertificateParams::new(vec!["a.example.test".into()]).unwrap().self_signed(&key).unwrap();
        let whole = Certificate::read(made.der());
        assert!(whole.notes.is_empty(), "{:?}", whole.notes);
        assert_eq!(whole.version, Some(3));
        let key_whole = whole.key.unwrap().whole;
        let mut with_key = 0;
        for end in 0..made.der().len() {
            let part = Certificate::read(&made.der()[..end]);
            assert!(!part.notes.is_empty());
            if let Some(key) = part.key {
                assert_eq!(key.whole, key_whole);
                with_key += 1;
            }
        }
        assert!(with_key > 50);
    }
}
