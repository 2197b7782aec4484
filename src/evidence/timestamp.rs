//! Time stamps ([RFC 3161](https://www.rfc-editor.org/rfc/rfc3161)) as files: a question to send to an authority by whatever
//! means, and its answer taken in. What is stamped is the digest of a record's line.
//!
//! Checked here is that the answer is one, and over which digest. Whether the authority's signature is good depends on whom
//! the reader trusts: `openssl ts -verify` says it.

use serde_json::json;

use super::EvidenceError;
use super::chain::Chain;
use super::report::Report;
use crate::clock::Timestamp;
use crate::proto::read::Reader;
use crate::seal::{Digest, RecordLine, hex, sha256};
use crate::store::Case;

/// What stands before the digest in a question: version 1, and the name of SHA-256.
const QUESTION: [u8; 24] = [
    0x30, 0x39, 0x02, 0x01, 0x01, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
    0x01, 0x05, 0x00, 0x04, 0x20,
];
/// What stands after it: the authority's certificate is wanted with the answer.
const CERT_REQ: [u8; 3] = [0x01, 0x01, 0xff];
/// `2.16.840.1.101.3.4.2.1`, SHA-256.
const SHA256: [u8; 9] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
/// `1.2.840.113549.1.7.2`, signed data.
const SIGNED_DATA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// `1.2.840.113549.1.9.16.1.4`, what a time stamp says.
const TST_INFO: [u8; 11] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];

/// A record may say that it is so much younger than its stamp before that is worth a note.
const APART: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const EXPLICIT: u8 = 0xa0;

/// What an authority says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The digest that was stamped.
    pub imprint: Digest,
    /// When, by the authority's clock.
    pub at: Timestamp,
    /// The stamp's number, in hex.
    pub serial: String,
}

/// The question for the case's last record: its place, its digest, and the DER to send to an authority.
///
/// # Errors
/// When the case cannot be read.
pub fn request(case: &Case) -> Result<(i64, Digest, Vec<u8>), EvidenceError> {
    let (seq, line) = case.last_line()?;
    let digest = sha256(line.as_bytes());
    Ok((seq, digest, [&QUESTION[..], &digest, &CERT_REQ].concat()))
}

/// Takes an answer into the case, and says which record it stamps.
///
/// # Errors
/// `Stamp` when it is no answer, or stamps no record of this case.
pub fn import_stamp(case: &mut Case, answer: &[u8], at: Timestamp, actor: &str) -> Result<(u64, Stamp), EvidenceError> {
    let stamp = read_response(answer)?;
    let record = case
        .chain()?
        .into_iter()
        .find(|record| record.line.as_ref().is_some_and(|line| sha256(line.as_bytes()) == stamp.imprint))
        .ok_or_else(|| EvidenceError::Stamp {
            why: format!("it stamps {}, which is the digest of no record of this case", hex(&stamp.imprint)),
        })?;
    let record = u64::try_from(record.seq).unwrap_or(0);
    let body = json!({
        "record": record, "imprint": hex(&stamp.imprint), "stamped_at": stamp.at.to_string(), "serial": stamp.serial,
        "raw_sha256": hex(&sha256(answer)),
    });
    case.keep_stamp(at, actor, &record.to_string(), &body, answer)?;
    Ok((record, stamp))
}

/// Checks the stored answers against the records that took them in.
pub(super) fn check(stamps: &[(u64, Vec<u8>)], chain: &Chain, report: &mut Report) {
    for (seq, answer) in stamps {
        let name = format!("time stamp of record {seq}");
        let Some((digest, of)) = chain.stamps.get(seq) else {
            report.fault(name, "a record that took it in", "none");
            continue;
        };
        let found = hex(&sha256(answer));
        if *digest != found {
            report.fault(name, format!("digest {digest}"), format!("digest {found}"));
            continue;
        }
        let line = of.checked_sub(1).and_then(|at| usize::try_from(at).ok()).and_then(|at| chain.lines.get(at));
        let wanted = line.map(|line| sha256(line.as_bytes()));
        match read_response(answer) {
            Ok(stamp) if Some(stamp.imprint) == wanted => {
                report.stamps = report.stamps.saturating_add(1);
                report.notes.push(format!(
                    "by this answer an authority stamped record {of} at {} (number {}); its signature is not checked here but by `openssl ts -verify`",
                    stamp.at, stamp.serial
                ));
                let said = line.and_then(|line| RecordLine::parse(line)?.at.parse::<Timestamp>().ok());
                if let Some(said) = said.filter(|said| said.duration_since(stamp.at) > APART) {
                    report.notes.push(format!(
                        "record {of} says that it was written at {said}, after the authority stamped it: one of the two clocks is wrong"
                    ));
                }
            }
            Ok(stamp) => {
                let wanted = wanted.map(|digest| hex(&digest)).unwrap_or_default();
                report.fault(name, format!("the digest of record {of}, {wanted}"), hex(&stamp.imprint));
            }
            Err(error) => report.fault(name, "an answer of an authority", error.to_string()),
        }
    }
    for seq in chain.stamps.keys().filter(|seq| !stamps.iter().any(|(one, _)| one == *seq)) {
        report.fault(format!("time stamp of record {seq}"), "the answer", "none");
    }
}

/// Reads an answer. Its signature is not checked.
///
/// # Errors
/// `Stamp` when it is none, or the authority refused.
pub fn read_response(answer: &[u8]) -> Result<Stamp, EvidenceError> {
    let stamp = |why: String| EvidenceError::Stamp { why };
    let mut whole = Reader::new(expect(&mut Reader::new(answer), SEQUENCE, "answer").map_err(stamp)?);
    let mut status = Reader::new(expect(&mut whole, SEQUENCE, "status").map_err(stamp)?);
    let status = expect(&mut status, INTEGER, "status").map_err(stamp)?;
    if !matches!(status, [0 | 1]) {
        return Err(stamp("the authority refused to stamp".to_owned()));
    }
    let mut token = Reader::new(expect(&mut whole, SEQUENCE, "token").map_err(stamp)?);
    if expect(&mut token, OID, "type of token").map_err(stamp)? != SIGNED_DATA {
        return Err(stamp("its token is no signed data".to_owned()));
    }
    let mut signed = Reader::new(expect(&mut token, EXPLICIT, "signed data").map_err(stamp)?);
    let mut signed = Reader::new(expect(&mut signed, SEQUENCE, "signed data").map_err(stamp)?);
    expect(&mut signed, INTEGER, "version").map_err(stamp)?;
    expect(&mut signed, SET, "digest algorithms").map_err(stamp)?;
    let mut content = Reader::new(expect(&mut signed, SEQUENCE, "content").map_err(stamp)?);
    if expect(&mut content, OID, "type of content").map_err(stamp)? != TST_INFO {
        return Err(stamp("what it signs is no time stamp".to_owned()));
    }
    let mut content = Reader::new(expect(&mut content, EXPLICIT, "content").map_err(stamp)?);
    let mut octets = Reader::new(expect(&mut content, OCTET_STRING, "content").map_err(stamp)?);
    let mut info = Reader::new(expect(&mut octets, SEQUENCE, "time stamp").map_err(stamp)?);
    expect(&mut info, INTEGER, "version").map_err(stamp)?;
    expect(&mut info, OID, "policy").map_err(stamp)?;
    let mut imprint = Reader::new(expect(&mut info, SEQUENCE, "imprint").map_err(stamp)?);
    let mut algorithm = Reader::new(expect(&mut imprint, SEQUENCE, "algorithm").map_err(stamp)?);
    if expect(&mut algorithm, OID, "algorithm").map_err(stamp)? != SHA256 {
        return Err(stamp("it stamps another digest than SHA-256".to_owned()));
    }
    let imprint = expect(&mut imprint, OCTET_STRING, "digest").map_err(stamp)?;
    let imprint = Digest::try_from(imprint).map_err(|_| stamp("its digest has another length".to_owned()))?;
    let serial = expect(&mut info, INTEGER, "number").map_err(stamp)?;
    let at = expect(&mut info, GENERALIZED_TIME, "time").map_err(stamp)?;
    let at = moment(at).ok_or_else(|| stamp("its time cannot be read".to_owned()))?;
    Ok(Stamp { imprint, at, serial: hex(serial) })
}

/// The contents of the next value, which must have this tag.
fn expect<'a>(reader: &mut Reader<'a>, tag: u8, field: &'static str) -> Result<&'a [u8], String> {
    let cut = |short: crate::proto::read::Short| short.to_string();
    let found = reader.u8(field).map_err(cut)?;
    if found != tag {
        return Err(format!("{field} has tag {found:02x}"));
    }
    let first = reader.u8(field).map_err(cut)?;
    let length = match first {
        short @ 0..=0x7f => usize::from(short),
        long @ 0x81..=0x84 => {
            let bytes = reader.take(usize::from(long & 0x7f), field).map_err(cut)?;
            bytes.iter().fold(0_usize, |length, byte| (length << 8) | usize::from(*byte))
        }
        _ => return Err(format!("{field} has no definite length")),
    };
    reader.take(length, field).map_err(cut)
}

/// `20261122120000Z`, with a fraction of a second or without.
fn moment(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    if whole.len() != 14 || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| whole.get(from..to);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    format!("{year}-{month}-{day}T{hour}:{minute}:{second}.{fraction}Z").parse().ok()
}
