//! Subject alternative names ([RFC 5280 §4.2.1.6](https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.6)).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::certificate::Certificate;
use super::der::{self, Der, Tlv, hex, oid_text};
use super::name::rfc4514;

/// Contents octets of 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// Names kept at most.
pub(super) const MOST_NAMES: usize = 1000;

/// The names in order, each once, with their type in front (`DNS:`, `IP:`, `email:`, `URI:`, `other:`), and whether there
/// were more than [`MOST_NAMES`] or some that could not be read.
#[must_use]
pub(super) fn names(certificate: &Certificate<'_>) -> (Vec<Vec<u8>>, Option<String>) {
    let mut names: Vec<Vec<u8>> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for extension in certificate.extensions.iter().filter(|one| one.oid == SUBJECT_ALT_NAME) {
        let mut list = match Der::new(extension.value).expect(der::SEQUENCE, "subjectAltName") {
            Ok(sequence) => sequence.inside(),
            Err(error) => return (names, Some(error.to_string())),
        };
        while !list.is_empty() {
            let one = match list.any("subjectAltName") {
                Ok(one) => one,
                Err(error) => return (names, Some(error.to_string())),
            };
            let name = general_name(&one);
            if seen.insert(name.clone()) {
                if names.len() == MOST_NAMES {
                    return (names, Some(format!("more than {MOST_NAMES} names")));
                }
                names.push(name);
            }
        }
    }
    (names, None)
}

fn general_name(name: &Tlv<'_>) -> Vec<u8> {
    let with = |prefix: &str, rest: &[u8]| [prefix.as_bytes(), rest].concat();
    match name.tag {
        0x81 => with("email:", name.body),
        0x82 => with("DNS:", name.body),
        0x86 => with("URI:", name.body),
        0x87 => address(name.body),
        0x88 => with("other:id:", oid_text(name.body).as_bytes()),
        0xa0 => {
            let mut fields = name.inside();
            let kind = fields.expect(der::OID, "type").map(|one| oid_text(one.body)).unwrap_or_default();
            let value = fields.any("value").map(|one| hex(one.body)).unwrap_or_default();
            with("other:", format!("{kind}:{value}").as_bytes())
        }
        0xa4 => match name.inside().expect(der::SEQUENCE, "directoryName") {
            Ok(directory) => with("other:directory:", rfc4514(&directory).as_bytes()),
            Err(_) => with("other:directory:#", hex(name.body).as_bytes()),
        },
        tag => with("other:", format!("{tag:02x}:{}", hex(name.body)).as_bytes()),
    }
}

fn address(body: &[u8]) -> Vec<u8> {
    if let Ok(four) = <[u8; 4]>::try_from(body) {
        return format!("IP:{}", Ipv4Addr::from(four)).into_bytes();
    }
    if let Ok(sixteen) = <[u8; 16]>::try_from(body) {
        return format!("IP:{}", Ipv6Addr::from(sixteen)).into_bytes();
    }
    format!("other:87:{}", hex(body)).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::certificate::Extension;
    use super::*;

    fn read(value: &[u8]) -> (Vec<String>, Option<String>) {
        let extension = Extension { oid: SUBJECT_ALT_NAME, critical: false, value };
        let certificate = Certificate { extensions: vec![extension], ..Certificate::default() };
        let (names, note) = names(&certificate);
        (names.iter().map(|one| String::from_utf8_lossy(one).into_owned()).collect(), note)
    }

    #[test]
    fn every_type_of_name_has_its_word() {
        let value = [
            &b"\x30\x2c\x82\x01a\x81\x03b@c\x86\x02u:"[..],
            b"\x87\x04\x7f\x00\x00\x01",
            b"\x87\x02\x01\x02",
            b"\x88\x03\x2a\x03\x04",
            b"\xa0\x09\x06\x02\x2a\x03\xa0\x03\x0c\x01x",
            b"\xa4\x02\x30\x00\x83\x00",
        ]
        .concat();
        let (names, note) = read(&value);
        assert_eq!(note, None);
        let expected =
            ["DNS:a", "email:b@c", "URI:u:", "IP:127.0.0.1", "other:87:0102", "other:id:1.2.3.4", "other:1.2.3:0c0178"];
        assert_eq!(names[..7], expected);
        assert_eq!(names[7..], ["other:directory:", "other:83:"]);
    }

    #[test]
    fn one_bad_name_does_not_cost_those_before_it() {
        let (names, note) = read(b"\x30\x06\x82\x01a\x82\x09b");
        assert_eq!(names, ["DNS:a"]);
        assert_eq!(note.as_deref(), Some("subjectAltName cut off"));
    }

    #[test]
    fn names_beyond_the_thousandth_are_noted() {
        let inner: Vec<u8> = (0..1500u16).flat_map(|n| [0x82, 2, n.to_be_bytes()[0], n.to_be_bytes()[1]]).collect();
        let length = u16::try_from(inner.len()).unwrap().to_be_bytes();
        let (names, note) = read(&[&[0x30, 0x82, length[0], length[1]], inner.as_slice()].concat());
        assert_eq!(names.len(), MOST_NAMES);
        assert!(note.is_some());
    }
}
