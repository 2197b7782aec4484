//! The data types of SSH: strings, mpints and name-lists
//! ([RFC 4251 section 5](https://www.rfc-editor.org/rfc/rfc4251#section-5)).

use std::fmt::Write as _;

/// Appends `bytes` behind their four-byte length.
pub(super) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

/// A big-endian number as the body of an mpint: no superfluous zeros, and a leading one where the top bit is set.
pub(super) fn mpint_body(number: &[u8]) -> Vec<u8> {
    let digits = without_zeros(number);
    let mut body = Vec::with_capacity(digits.len().saturating_add(1));
    if digits.first().is_some_and(|top| top & 0x80 != 0) {
        body.push(0);
    }
    body.extend_from_slice(digits);
    body
}

/// The digits of an mpint's body, big-endian, without leading zeros; `None` when it is negative.
pub(super) fn magnitude(body: &[u8]) -> Option<&[u8]> {
    let negative = body.first().is_some_and(|top| top & 0x80 != 0);
    (!negative).then(|| without_zeros(body))
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|digit| **digit == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// The digits filled up with zeros on the left to `width` bytes; `None` when there are more.
pub(super) fn padded(digits: &[u8], width: usize) -> Option<Vec<u8>> {
    let digits = without_zeros(digits);
    let mut out = vec![0; width.checked_sub(digits.len())?];
    out.extend_from_slice(digits);
    Some(out)
}

/// The names of a name-list, in order. Empty names are no names.
pub(super) fn names(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|byte| *byte == b',').filter(|name| !name.is_empty())
}

/// Bytes as lower-case hexadecimal text.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mpint_is_as_short_as_it_can_be_and_never_negative() {
        assert_eq!(mpint_body(&[0, 0, 0x7f]), [0x7f]);
        assert_eq!(mpint_body(&[0x80, 1]), [0, 0x80, 1]);
        assert_eq!(mpint_body(&[0, 0]), [0u8; 0]);
        assert_eq!(magnitude(&[0xff]), None);
        assert_eq!(magnitude(&[0, 0x80]), Some(&[0x80][..]));
    }

    #[test]
    fn padding_never_cuts_a_digit() {
        assert_eq!(padded(&[0, 0, 1, 2], 3), Some(vec![0, 1, 2]));
        assert_eq!(padded(&[1, 2], 1), None);
    }
}
