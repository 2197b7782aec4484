//! DER as strangers send it: tag, length, value, each checked against what is left (ITU-T X.690).
//!
//! Lengths that are longer than needed are accepted, since real certificates have them; indefinite lengths and tags of
//! more than one byte are not, since nothing in a certificate that is read here has them.

use std::fmt::Write as _;

use crate::proto::read::{Reader, Short};

/// Tag of BOOLEAN.
pub(super) const BOOLEAN: u8 = 0x01;
/// Tag of INTEGER.
pub(super) const INTEGER: u8 = 0x02;
/// Tag of BIT STRING.
pub(super) const BIT_STRING: u8 = 0x03;
/// Tag of OCTET STRING.
pub(super) const OCTET_STRING: u8 = 0x04;
/// Tag of OBJECT IDENTIFIER.
pub(super) const OID: u8 = 0x06;
/// Tag of `UTCTime`.
pub(super) const UTC_TIME: u8 = 0x17;
/// Tag of `GeneralizedTime`.
pub(super) const GENERALIZED_TIME: u8 = 0x18;
/// Tag of SEQUENCE.
pub(super) const SEQUENCE: u8 = 0x30;
/// Tag of SET.
pub(super) const SET: u8 = 0x31;

/// Why a value could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DerError {
    /// Fewer bytes than the length says, or no length at all.
    #[error("{0} cut off")]
    Short(&'static str),
    /// Another type than the one that belongs here.
    #[error("{field} has tag {found:02x}")]
    Tag {
        /// The field.
        field: &'static str,
        /// The tag found.
        found: u8,
    },
    /// An indefinite length, or one of more than four bytes.
    #[error("{0} has no definite length")]
    Length(&'static str),
}

impl From<Short> for DerError {
    fn from(short: Short) -> Self {
        Self::Short(short.0)
    }
}

/// One value with its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tlv<'a> {
    /// The tag byte.
    pub(super) tag: u8,
    /// The contents.
    pub(super) body: &'a [u8],
    /// Tag, length and contents, as sent.
    pub(super) whole: &'a [u8],
    /// True when the length promised more than there was; only [`Der::outer`] lets that pass.
    pub(super) cut: bool,
}

impl<'a> Tlv<'a> {
    /// The values inside.
    #[must_use]
    pub(super) fn inside(&self) -> Der<'a> {
        Der::new(self.body)
    }
}

/// A walk over values that stand one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Der<'a> {
    reader: Reader<'a>,
}

impl<'a> Der<'a> {
    /// Starts at the first of `bytes`.
    #[must_use]
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { reader: Reader::new(bytes) }
    }

    /// True when nothing is left.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.reader.is_empty()
    }

    /// The tag of the next value, if there is one.
    #[must_use]
    pub(super) fn peek(&self) -> Option<u8> {
        self.reader.rest().first().copied()
    }

    /// The next value, whatever it is.
    ///
    /// # Errors
    /// When it is cut off or has no definite length. The walk is over then.
    pub(super) fn any(&mut self, field: &'static str) -> Result<Tlv<'a>, DerError> {
        let tlv = self.outer(field)?;
        if tlv.cut { Err(DerError::Short(field)) } else { Ok(tlv) }
    }

    /// The next value, which must have `tag`. A value of another tag is stepped over.
    ///
    /// # Errors
    /// When it is missing, cut off, or something else.
    pub(super) fn expect(&mut self, tag: u8, field: &'static str) -> Result<Tlv<'a>, DerError> {
        let tlv = self.any(field)?;
        if tlv.tag == tag { Ok(tlv) } else { Err(DerError::Tag { field, found: tlv.tag }) }
    }

    /// The next value, and when its length promises more than there is, what there is of it.
    ///
    /// # Errors
    /// When not even tag and length are there.
    pub(super) fn outer(&mut self, field: &'static str) -> Result<Tlv<'a>, DerError> {
        let start = self.reader.rest();
        let tag = self.reader.u8(field)?;
        if tag & 0x1f == 0x1f {
            return Err(DerError::Tag { field, found: tag });
        }
        let length = match self.reader.u8(field)? {
            short @ 0..=0x7f => usize::from(short),
            long @ 0x81..=0x84 => {
                let bytes = self.reader.take(usize::from(long & 0x7f), field)?;
                bytes.iter().fold(0, |sum: usize, byte| (sum << 8) | usize::from(*byte))
            }
            _ => return Err(DerError::Length(field)),
        };
        let left = self.reader.rest().len();
        let body = self.reader.take(length.min(left), field)?;
        let used = start.len() - self.reader.rest().len();
        Ok(Tlv { tag, body, whole: start.get(..used).unwrap_or(start), cut: length > left })
    }
}

/// An object identifier in dotted form, from its contents octets; one that breaks the encoding shows as `oid:` and hex.
#[must_use]
pub(super) fn oid_text(body: &[u8]) -> String {
    dotted(body).unwrap_or_else(|| format!("oid:{}", hex(body)))
}

fn dotted(body: &[u8]) -> Option<String> {
    let mut arcs = Vec::new();
    let mut arc: u64 = 0;
    for byte in body {
        arc = arc.checked_mul(128)?.checked_add(u64::from(byte & 0x7f))?;
        if byte & 0x80 == 0 {
            arcs.push(arc);
            arc = 0;
        }
    }
    if body.last()? & 0x80 != 0 {
        return None;
    }
    // X.690 8.19.4: the first two arcs share the first number.
    let (joint, rest) = arcs.split_first()?;
    let first = (joint / 40).min(2);
    let mut text = format!("{first}.{}", joint - first * 40);
    for arc in rest {
        let _ = write!(text, ".{arc}");
    }
    Some(text)
}

/// Lower-case hex.
#[must_use]
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_longer_than_needed_is_accepted() {
        let tlv = Der::new(&[0x04, 0x82, 0x00, 0x01, 0xaa]).any("field").unwrap();
        assert_eq!(tlv.body, &[0xaa]);
        assert_eq!(tlv.whole.len(), 5);
    }

    #[test]
    fn a_cut_value_is_refused_except_at_the_outside() {
        let bytes = [0x30, 0x05, 0x01];
        assert_eq!(Der::new(&bytes).any("field"), Err(DerError::Short("field")));
        let tlv = Der::new(&bytes).outer("field").unwrap();
        assert!(tlv.cut);
        assert_eq!(tlv.body, &[0x01]);
    }

    #[test]
    fn indefinite_and_huge_lengths_are_refused() {
        assert_eq!(Der::new(&[0x30, 0x80, 0, 0]).any("f"), Err(DerError::Length("f")));
        assert_eq!(Der::new(&[0x30, 0x85, 1, 1, 1, 1, 1]).any("f"), Err(DerError::Length("f")));
    }

    #[test]
    fn object_identifiers_are_dotted_and_broken_ones_are_hex() {
        assert_eq!(oid_text(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]), "1.2.840.113549.1.1.1");
        assert_eq!(oid_text(&[0x55, 4, 3]), "2.5.4.3");
        assert_eq!(oid_text(&[0x88, 0x37, 3]), "2.999.3");
        assert_eq!(oid_text(&[0x55, 0x84]), "oid:5584");
        assert_eq!(oid_text(&[]), "oid:");
        assert_eq!(oid_text(&[0xff; 20]), format!("oid:{}", "ff".repeat(20)));
    }
}
