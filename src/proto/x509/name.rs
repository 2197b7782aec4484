//! Names of certificates: as [RFC 4514](https://www.rfc-editor.org/rfc/rfc4514) text, and as bare attributes.
//!
//! The text is always UTF-8 without control characters: a byte that is not UTF-8 shows as `\NN`, as RFC 4514 §2.4 lets
//! any octet be shown. Hashes are made over the DER as sent, never over this text.

use super::der::{self, Tlv, oid_text};

/// One attribute of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attribute {
    /// Dotted type.
    pub(super) oid: String,
    /// The value as text, not yet escaped; `None` when it is no string.
    pub(super) text: Option<Vec<u8>>,
    /// DER of the value.
    pub(super) whole: Vec<u8>,
}

/// The RDNs of a Name in the order sent, each with its attributes; what cannot be read ends its list.
#[must_use]
pub(super) fn attributes(name: &Tlv<'_>) -> Vec<Vec<Attribute>> {
    let mut rdns = Vec::new();
    let mut sequence = name.inside();
    while let Ok(rdn) = sequence.expect(der::SET, "RDN") {
        let mut set = rdn.inside();
        let mut one_rdn = Vec::new();
        while let Ok(pair) = set.expect(der::SEQUENCE, "attribute") {
            let mut fields = pair.inside();
            if let (Ok(kind), Ok(value)) = (fields.expect(der::OID, "type"), fields.any("value")) {
                one_rdn.push(Attribute { oid: oid_text(kind.body), text: string(&value), whole: value.whole.to_vec() });
            }
        }
        rdns.push(one_rdn);
    }
    rdns
}

/// RFC 4514 text: last RDN first, attributes of one RDN joined by `+`. An empty name gives empty text.
#[must_use]
pub(super) fn rfc4514(name: &Tlv<'_>) -> String {
    let rdns = attributes(name);
    let shown: Vec<String> =
        rdns.iter().rev().map(|rdn| rdn.iter().map(attribute_text).collect::<Vec<_>>().join("+")).collect();
    shown.join(",")
}

fn attribute_text(attribute: &Attribute) -> String {
    let known = SHORT_NAMES.iter().find(|(oid, _)| *oid == attribute.oid).map(|(_, short)| *short);
    match (known, &attribute.text) {
        (Some(short), Some(text)) => format!("{short}={}", escape(text)),
        // RFC 4514 2.4: without a short name, or without a string form, the value is shown as hex of its BER.
        (short, _) => format!("{}=#{}", short.unwrap_or(&attribute.oid), der::hex(&attribute.whole)),
    }
}

/// The text of a string value. `None` for other types and for wide strings that are no characters.
fn string(value: &Tlv<'_>) -> Option<Vec<u8>> {
    match value.tag {
        // UTF8String, NumericString, PrintableString, IA5String, VisibleString
        0x0c | 0x12 | 0x13 | 0x16 | 0x1a => Some(value.body.to_vec()),
        // TeletexString: in practice Latin-1, sometimes UTF-8
        0x14 => Some(match std::str::from_utf8(value.body) {
            Ok(text) => text.as_bytes().to_vec(),
            Err(_) => value.body.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes(),
        }),
        // BMPString
        0x1e => {
            let (units, rest) = value.body.as_chunks::<2>();
            let wide = units.iter().map(|unit| u16::from_be_bytes(*unit));
            let text: String = char::decode_utf16(wide).collect::<Result<_, _>>().ok()?;
            rest.is_empty().then(|| text.into_bytes())
        }
        // UniversalString
        0x1c => {
            let (units, rest) = value.body.as_chunks::<4>();
            let text: Option<String> = units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit))).collect();
            text.filter(|_| rest.is_empty()).map(String::into_bytes)
        }
        _ => None,
    }
}

fn escape(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_ascii_control() {
                out.push('\\');
                out.push_str(&der::hex(&[u8::try_from(c).unwrap_or_default()]));
                continue;
            }
            let leads = out.is_empty() && matches!(c, ' ' | '#');
            if leads || matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
        for byte in chunk.invalid() {
            out.push('\\');
            out.push_str(&der::hex(&[*byte]));
        }
    }
    if text.len() > 1 && text.ends_with(b" ") {
        out.pop();
        out.push_str("\\ ");
    }
    out
}

/// Short names of RFC 4514 §3, and those of the LDAP registry (RFC 4519, RFC 4524, RFC 3280) that certificates have.
const SHORT_NAMES: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.12", "title"),
    ("2.5.4.13", "description"),
    ("2.5.4.15", "businessCategory"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.18", "postOfficeBox"),
    ("2.5.4.20", "telephoneNumber"),
    ("2.5.4.41", "name"),
    ("2.5.4.42", "givenName"),
    ("2.5.4.43", "initials"),
    ("2.5.4.44", "generationQualifier"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.97", "organizationIdentifier"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// A Name of one-attribute RDNs: OID contents, tag, value.
    fn name(parts: &[(&[u8], u8, &[u8])]) -> Vec<u8> {
        let tlv = |tag: u8, body: &[u8]| [&[tag, u8::try_from(body.len()).unwrap()], body].concat();
        let rdns: Vec<u8> = parts
            .iter()
            .flat_map(|(oid, tag, value)| tlv(0x31, &tlv(0x30, &[tlv(6, oid), tlv(*tag, value)].concat())))
            .collect();
        tlv(0x30, &rdns)
    }

    fn shown(parts: &[(&[u8], u8, &[u8])]) -> String {
        rfc4514(&super::super::der::Der::new(&name(parts)).any("name").unwrap())
    }

    const CN: &[u8] = &[0x55, 4, 3];

    #[test]
    fn the_last_rdn_comes_first() {
        assert_eq!(shown(&[(&[0x55, 4, 6], 0x13, b"NL"), (CN, 0x0c, b"host")]), "CN=host,C=NL");
        assert_eq!(shown(&[]), "");
    }

    #[test]
    fn special_characters_are_escaped_as_in_rfc_4514() {
        assert_eq!(shown(&[(CN, 0x0c, br#" a,b+c"d\e;<f> "#)]), r#"CN=\ a\,b\+c\"d\\e\;\<f\>\ "#);
        assert_eq!(shown(&[(CN, 0x0c, b"#x\0y\n")]), r"CN=\#x\00y\0a");
        assert_eq!(shown(&[(CN, 0x0c, b" ")]), r"CN=\ ");
    }

    #[test]
    fn bytes_that_are_no_utf8_show_as_hex_pairs_and_teletex_as_latin_1() {
        assert_eq!(shown(&[(CN, 0x0c, b"M\xfcller")]), r"CN=M\fcller");
        assert_eq!(shown(&[(CN, 0x14, b"M\xfcller")]), "CN=M\u{fc}ller");
    }

    #[test]
    fn wide_strings_are_text_and_broken_ones_hex() {
        assert_eq!(shown(&[(CN, 0x1e, b"\0a\0b")]), "CN=ab");
        assert_eq!(shown(&[(CN, 0x1e, b"\0a\0")]), "CN=#1e03006100");
        assert_eq!(shown(&[(CN, 0x1c, b"\0\0\0a")]), "CN=a");
    }

    #[test]
    fn a_type_without_a_short_name_has_a_hex_value() {
        assert_eq!(shown(&[(&[0x2a, 3, 4], 0x13, b"Hi")]), "1.2.3.4=#13024869");
    }
}
