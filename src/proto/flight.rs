//! The cleartext flight by which a server answers a `ClientHello` in SSLv3 to TLS 1.2: `ServerHello`, `Certificate`,
//! `ServerKeyExchange`, `ServerHelloDone` ([RFC 5246 §7.3](https://www.rfc-editor.org/rfc/rfc5246#section-7.3)).
//!
//! In: the bytes of one connection, from the first. Out: a [`Flight`]. Handshake messages are joined across records
//! first, since servers that grant JARM's `max_fragment_length` of 512 spread one chain over many records. Nothing is
//! decrypted and nothing is checked: a TLS 1.3 answer ends the flight at its `ServerHello`.

use super::read::{Reader, Short};

/// Most bytes of one connection that are read as a flight.
pub const LIMIT: usize = 64 * 1024;

/// Most bytes a TLS record may say it holds: 2^14 and the 2048 that TLS 1.2 grants to encryption.
pub const RECORD_LIMIT: usize = 16_384 + 2_048;

/// Most certificates kept of one chain.
const CHAIN_LIMIT: usize = 16;

/// Most handshake messages looked at; a real flight has at most seven.
const MESSAGES_LIMIT: usize = 64;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;
const SERVER_KEY_EXCHANGE: u8 = 12;
const SERVER_HELLO_DONE: u8 = 14;

const UNRECOGNIZED_NAME: u8 = 112;
const SUPPORTED_VERSIONS: u16 = 43;
const TLS13: u16 = 0x0304;

/// What a server said in clear before it waited for its client.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Flight {
    /// Version negotiated, as on the wire: 0x0300 to 0x0304; 0 without a `ServerHello`. TLS 1.3 is told by its extension.
    pub version: u16,
    /// Cipher suite chosen, as on the wire; 0 without a `ServerHello`.
    pub cipher: u16,
    /// The rest of the `ServerHello`; `None` when there was none or its extensions could not be walked to their end.
    pub hello: Option<ServerHello>,
    /// Types of the handshake messages that came whole, in order; at most 64.
    pub messages: Vec<u8>,
    /// Certificates as sent, leaf first; at most 16. Not checked.
    pub chain: Vec<Vec<u8>>,
    /// The first alert: level (1 warning, 2 fatal) and description.
    pub alert: Option<(u8, u8)>,
    /// Body of the `ServerKeyExchange`: parameters and, mostly, a signature by the leaf's key.
    pub server_key_exchange: Option<Vec<u8>>,
    /// True when `ServerHelloDone` was heard, so nothing of the flight is missing.
    pub complete: bool,
}

/// What JA3S and a check of the key exchange signature need of a `ServerHello`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHello {
    /// The version field of the message, 0x0303 for TLS 1.3 too.
    pub legacy_version: u16,
    /// The server's random.
    pub random: [u8; 32],
    /// Extension types in the order sent.
    pub extensions: Vec<u16>,
}

/// Reads a flight out of the bytes of a connection. Total: whatever could be read stands in the [`Flight`].
#[must_use]
pub fn read(heard: &[u8]) -> Flight {
    let mut reader = FlightReader::default();
    reader.hear(heard);
    reader.flight
}

/// Reads a flight as it arrives, each byte once: for the conversation, which must know when it is over.
#[derive(Clone, Debug, Default)]
pub struct FlightReader {
    /// Next byte of the connection to look at.
    at: usize,
    /// What is left of the record begun, and its content type.
    record_left: usize,
    record_type: u8,
    /// Bodies of handshake records joined, without the messages already read.
    joined: Vec<u8>,
    finished: bool,
    flight: Flight,
}

impl FlightReader {
    /// Given all bytes heard so far, says whether the flight is over: `ServerHelloDone`, an alert that ends the talk, a
    /// TLS 1.3 `ServerHello`, a record that is no handshake, or [`LIMIT`] bytes.
    ///
    /// The one alert that doesn't end it is the warning `unrecognized_name`, which some servers send before they go on.
    pub fn hear(&mut self, heard: &[u8]) -> bool {
        let heard = heard.get(..LIMIT).unwrap_or(heard);
        while !self.finished && self.step(heard) {}
        self.finished || heard.len() == LIMIT
    }

    /// What was read so far.
    #[must_use]
    pub fn flight(&self) -> &Flight {
        &self.flight
    }

    /// Goes one record header or one piece of a record on; false when more bytes are needed.
    fn step(&mut self, heard: &[u8]) -> bool {
        let mut rest = Reader::new(heard.get(self.at..).unwrap_or_default());
        if self.record_left == 0 { self.start_record(&mut rest).is_ok() } else { self.go_on(rest.rest()) }
    }

    fn start_record(&mut self, rest: &mut Reader<'_>) -> Result<(), Short> {
        let record_type = rest.u8("record type")?;
        let major = rest.u8("record version")?;
        rest.u8("record version")?;
        let length = usize::from(rest.u16("record length")?);
        let readable = matches!(record_type, HANDSHAKE | ALERT) && major == 3 && length <= RECORD_LIMIT;
        self.finished = !readable || (record_type == ALERT && length < 2);
        self.at += 5;
        self.record_left = length;
        self.record_type = record_type;
        Ok(())
    }

    fn go_on(&mut self, rest: &[u8]) -> bool {
        let piece = rest.get(..self.record_left).unwrap_or(rest);
        let taken = if self.record_type == ALERT {
            let &[level, description, ..] = piece else { return false };
            self.flight.alert.get_or_insert((level, description));
            self.finished = (level, description) != (1, UNRECOGNIZED_NAME);
            // An alert is two bytes; a record that holds more is stepped over whole.
            if piece.len() < self.record_left && !self.finished {
                return false;
            }
            piece.len()
        } else {
            self.joined.extend_from_slice(piece);
            self.cut_messages();
            piece.len()
        };
        self.at += taken;
        self.record_left -= taken;
        taken > 0
    }

    /// Reads the messages that are whole and drops them from `joined`.
    fn cut_messages(&mut self) {
        let joined = std::mem::take(&mut self.joined);
        let mut rest = joined.as_slice();
        while !self.finished
            && let Some((&[kind, a, b, c], behind)) = rest.split_first_chunk::<4>()
        {
            let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
            let Some((body, next)) = behind.split_at_checked(length) else {
                // Longer than all that will be read: it can't come whole.
                self.finished = length > LIMIT;
                break;
            };
            self.message(kind, body);
            rest = next;
        }
        self.joined = if rest.len() == joined.len() { joined } else { rest.to_vec() };
    }

    fn message(&mut self, kind: u8, body: &[u8]) {
        self.flight.messages.push(kind);
        match kind {
            SERVER_HELLO if self.flight.version == 0 => self.server_hello(body),
            CERTIFICATE if self.flight.chain.is_empty() => self.flight.chain = read_chain(body),
            SERVER_KEY_EXCHANGE => {
                self.flight.server_key_exchange.get_or_insert_with(|| body.to_vec());
            }
            SERVER_HELLO_DONE => self.flight.complete = true,
            _ => {}
        }
        let encrypted_from_here = self.flight.version == TLS13;
        self.finished = self.flight.complete || encrypted_from_here || self.flight.messages.len() >= MESSAGES_LIMIT;
    }

    fn server_hello(&mut self, body: &[u8]) {
        let mut rest = Reader::new(body);
        let Ok((legacy_version, random, cipher)) = read_hello_head(&mut rest) else { return };
        let (extensions, selected) = read_extensions(&mut rest);
        self.flight.version = selected.unwrap_or(legacy_version);
        self.flight.cipher = cipher;
        self.flight.hello = extensions.map(|extensions| ServerHello { legacy_version, random, extensions });
    }
}

fn read_hello_head(rest: &mut Reader<'_>) -> Result<(u16, [u8; 32], u16), Short> {
    let legacy_version = rest.u16("version")?;
    let random = rest.take(32, "random")?.first_chunk().copied().ok_or(Short("random"))?;
    rest.vec8("session id")?;
    let cipher = rest.u16("cipher suite")?;
    rest.u8("compression method")?;
    Ok((legacy_version, random, cipher))
}

/// The extension types, `None` when the block is damaged, and the version that `supported_versions` selects.
fn read_extensions(rest: &mut Reader<'_>) -> (Option<Vec<u16>>, Option<u16>) {
    if rest.is_empty() {
        return (Some(Vec::new()), None);
    }
    let mut selected = None;
    let mut walk = || -> Result<Vec<u16>, Short> {
        let mut block = Reader::new(rest.vec16("extensions")?);
        let mut types = Vec::new();
        while !block.is_empty() {
            let kind = block.u16("extension type")?;
            let value = block.vec16("extension")?;
            if kind == SUPPORTED_VERSIONS {
                selected = Some(Reader::new(value).u16("selected version")?);
            }
            types.push(kind);
        }
        Ok(types)
    };
    let types = walk().ok();
    (types, selected)
}

/// The certificates that came whole, up to the limit; an entry of no bytes is none.
fn read_chain(body: &[u8]) -> Vec<Vec<u8>> {
    let Ok(list) = Reader::new(body).vec24("certificate list") else { return Vec::new() };
    let mut rest = Reader::new(list);
    std::iter::from_fn(|| rest.vec24("certificate").ok())
        .filter(|der| !der.is_empty())
        .take(CHAIN_LIMIT)
        .map(<[u8]>::to_vec)
        .collect()
}

/// Words for an alert's description: its number and, where it has one, its name
/// ([RFC 8446 §6](https://www.rfc-editor.org/rfc/rfc8446#section-6), RFC 5246, RFC 6066, RFC 6101, RFC 7301).
#[must_use]
pub fn alert_words(description: u8) -> String {
    let name = match description {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        121 => "ech_required",
        _ => return format!("alert {description}"),
    };
    format!("alert {description} {name}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![kind, 3, 3];
        out.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        out.extend(body);
        out
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![kind];
        out.extend(&u32::try_from(body.len()).unwrap().to_be_bytes()[1..]);
        out.extend(body);
        out
    }

    fn hello(extensions: &[u8]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([0, 0xc0, 0x2f, 0]);
        body.extend(extensions);
        message(SERVER_HELLO, &body)
    }

    fn certificates(ders: &[&[u8]]) -> Vec<u8> {
        let list: Vec<u8> = ders.iter().flat_map(|der| message(0, der)[1..].to_vec()).collect();
        message(CERTIFICATE, &message(0, &list)[1..])
    }

    fn whole() -> Vec<u8> {
        let mut stream = hello(&[0, 4, 0xff, 1, 0, 0]);
        stream.extend(certificates(&[b"leaf", b"issuer"]));
        stream.extend(message(SERVER_KEY_EXCHANGE, b"share"));
        stream.extend(message(SERVER_HELLO_DONE, b""));
        stream
    }

    #[test]
    fn messages_are_joined_across_records_of_any_size() {
        for size in [1, 3, 7, 50, 1000] {
            let bytes: Vec<u8> = whole().chunks(size).flat_map(|part| record(HANDSHAKE, part)).collect();
            let flight = read(&bytes);
            assert_eq!(flight.messages, [2, 11, 12, 14], "records of {size}");
            assert_eq!(flight.chain, [b"leaf".to_vec(), b"issuer".to_vec()]);
            assert_eq!(flight.server_key_exchange.as_deref(), Some(b"share".as_slice()));
            assert_eq!((flight.version, flight.cipher, flight.complete), (0x0303, 0xc02f, true));
            assert_eq!(flight.hello.unwrap().extensions, [0xff01]);
        }
    }

    #[test]
    fn the_end_is_seen_at_its_last_byte_and_not_before() {
        let bytes = record(HANDSHAKE, &whole());
        let mut reader = FlightReader::default();
        for upto in 0..bytes.len() {
            assert!(!reader.hear(&bytes[..upto]), "over after {upto} bytes");
        }
        assert!(reader.hear(&bytes));
        assert_eq!(reader.flight(), &read(&bytes));
    }

    #[test]
    fn a_chain_is_had_from_a_record_whose_end_was_cut_off() {
        let bytes = record(HANDSHAKE, &whole());
        let flight = read(&bytes[..bytes.len() - 2]);
        assert_eq!((flight.chain.len(), flight.complete), (2, false));
    }

    #[test]
    fn tls13_ends_the_flight_at_its_server_hello() {
        let mut bytes = record(HANDSHAKE, &hello(&[0, 6, 0, 43, 0, 2, 3, 4]));
        bytes.extend(record(20, &[1]));
        let flight = read(&bytes);
        assert_eq!((flight.version, flight.hello.unwrap().legacy_version), (0x0304, 0x0303));
        assert!(FlightReader::default().hear(&bytes));
    }

    #[test]
    fn a_warning_about_the_name_does_not_end_the_flight_but_every_other_alert_does() {
        for (level, description, goes_on) in [(1, 112, true), (2, 112, false), (1, 0, false), (2, 40, false)] {
            let mut bytes = record(ALERT, &[level, description]);
            bytes.extend(record(HANDSHAKE, &whole()));
            let flight = read(&bytes);
            assert_eq!(flight.alert, Some((level, description)));
            assert_eq!(flight.complete, goes_on, "alert {level} {description}");
        }
    }

    #[test]
    fn what_is_no_tls_is_over_at_once() {
        assert!(FlightReader::default().hear(b"HTTP/1.1 400 Bad Request\r\n"));
        assert!(FlightReader::default().hear(&[HANDSHAKE, 3, 3, 0xff, 0xff]), "a record longer than records may be");
        assert!(FlightReader::default().hear(&record(HANDSHAKE, &[2, 0xff, 0xff, 0xff])), "a message of 16 MiB");
    }

    #[test]
    fn at_most_16_certificates_and_64_messages_are_kept() {
        let many = vec![b"der".as_slice(); 40];
        assert_eq!(read(&record(HANDSHAKE, &certificates(&many))).chain.len(), 16);
        assert_eq!(read(&record(HANDSHAKE, &[0; 4096])).messages.len(), 64);
    }

    #[test]
    fn a_damaged_extension_block_keeps_version_and_cipher() {
        let flight = read(&record(HANDSHAKE, &hello(&[0, 9, 1])));
        assert_eq!((flight.version, flight.cipher, flight.hello), (0x0303, 0xc02f, None));
    }

    #[test]
    fn an_alert_has_a_name_or_at_least_its_number() {
        assert_eq!(alert_words(40), "alert 40 handshake_failure");
        assert_eq!(alert_words(200), "alert 200");
    }

    proptest! {
        #[test]
        fn any_bytes_give_a_flight_and_the_same_one_however_they_arrive(
            bytes in proptest::collection::vec(any::<u8>(), 0..300), damage in 0..400_usize, value: u8, step in 1..40_usize,
        ) {
            let _ = read(&bytes);
            let mut real = record(ALERT, &[1, 112]);
            real.extend(whole().chunks(30).flat_map(|part| record(HANDSHAKE, part)));
            if let Some(byte) = real.get_mut(damage) {
                *byte = value;
            }
            let mut reader = FlightReader::default();
            for upto in (0..real.len()).step_by(step).chain([real.len()]) {
                if reader.hear(&real[..upto]) {
                    break;
                }
            }
            prop_assert_eq!(reader.flight(), &read(&real));
        }
    }
}
