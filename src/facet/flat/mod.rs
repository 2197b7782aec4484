//! Flat hosts (DESIGN 4.5): one JSON object per line and host, as other scanners and feeds give them.
//!
//! In: JSON lines. Out: [`HostFacts`], one per line, with remarks on what was not understood. Only a line without a
//! usable `ip`, or one that is no JSON object, is an error, and reading goes on behind it. Memory is bounded by
//! [`MAX_LINE`], whatever the file says.

mod json;
mod line;

use std::io::{self, BufRead};

use super::HostFacts;

/// Longest line accepted, in bytes.
pub const MAX_LINE: usize = 1 << 20;

/// The keys a line may have.
pub const KEYS: [&str; 26] = [
    "ip",
    "asn",
    "prefix",
    "ports",
    "timeouts",
    "all_ports",
    "ssh_banner",
    "hassh",
    "ssh_key",
    "ssh_port",
    "server",
    "hdr_order",
    "jarm",
    "cert",
    "spki",
    "subject",
    "issuer",
    "serial",
    "validity_days",
    "san",
    "title",
    "body",
    "simhash",
    "favicon",
    "rdp_host",
    "rdp_build",
];

/// One line, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlatHost {
    /// Its number in the file, from 1.
    pub line: u64,
    /// What it says.
    pub facts: HostFacts,
    /// What was not understood: unknown keys, values of an unexpected form. Nothing was taken from these.
    pub notes: Vec<String>,
}

/// Why a line gave no host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlatError {
    /// The file cannot be read on.
    #[error("cannot read line {line}")]
    Io {
        /// Line from 1.
        line: u64,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// More than [`MAX_LINE`] bytes without a line end.
    #[error("line {line} is longer than 1 MiB and was left out")]
    TooLong {
        /// Line from 1.
        line: u64,
    },
    /// Not a JSON object.
    #[error("line {line} is not a JSON object: {reason}")]
    NotAnObject {
        /// Line from 1.
        line: u64,
        /// What the JSON reader said.
        reason: String,
    },
    /// No address to tie the facts to.
    #[error("line {line} has no usable `ip`")]
    NoAddress {
        /// Line from 1.
        line: u64,
    },
}

/// Reads flat hosts line by line; after an error of one line it goes on with the next, after [`FlatError::Io`] it ends.
#[derive(Debug)]
pub struct FlatHosts<R> {
    input: R,
    line: u64,
    /// The line that is read, without its end.
    bytes: Vec<u8>,
    broken: bool,
}

impl<R: BufRead> FlatHosts<R> {
    /// Reads from `input`.
    pub fn new(input: R) -> Self {
        Self { input, line: 0, bytes: Vec::new(), broken: false }
    }

    /// Reads the next line into `bytes`; `None` at the end of the file. A line too long is skipped to its end.
    fn next_line(&mut self) -> Option<Result<(), FlatError>> {
        self.bytes.clear();
        let mut length = 0_usize;
        self.line += 1;
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    self.broken = true;
                    return Some(Err(FlatError::Io { line: self.line, source }));
                }
            };
            let ended = chunk.is_empty();
            if ended && length == 0 {
                return None;
            }
            let newline = chunk.iter().position(|byte| *byte == b'\n');
            let taken = newline.map_or(chunk.len(), |at| at + 1);
            length = length.saturating_add(taken);
            if length <= MAX_LINE {
                self.bytes.extend_from_slice(chunk.get(..taken).unwrap_or(chunk));
            }
            self.input.consume(taken);
            if newline.is_some() || ended {
                let fits = length <= MAX_LINE;
                return Some(if fits { Ok(()) } else { Err(FlatError::TooLong { line: self.line }) });
            }
        }
    }
}

impl<R: BufRead> Iterator for FlatHosts<R> {
    type Item = Result<FlatHost, FlatError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.broken {
            if let Err(error) = self.next_line()? {
                return Some(Err(error));
            }
            let text = self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.bytes).trim_ascii();
            if !text.is_empty() {
                return Some(line::parse(self.line, text));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FacetKind, Group};
    use super::*;

    fn all(text: &str) -> Vec<Result<FlatHost, FlatError>> {
        FlatHosts::new(text.as_bytes()).collect()
    }

    fn one(text: &str) -> FlatHost {
        let mut hosts = all(text);
        assert_eq!(hosts.len(), 1);
        hosts.remove(0).unwrap()
    }

    fn has(host: &FlatHost, kind: FacetKind, value: &str) -> bool {
        host.facts.facets.contains(&(kind, value.as_bytes().to_vec()))
    }

    #[test]
    fn every_listed_key_is_known_and_a_broken_line_is_placed_once() {
        for key in KEYS {
            let host = one(&format!(r#"{{"ip":"192.0.2.1","{key}":"192.0.2.1"}}"#));
            assert!(!host.notes.iter().any(|note| note.contains("unknown key")), "{key}: {:?}", host.notes);
        }
        let error = all("\n{\"ip\" 1}\n").remove(0).unwrap_err().to_string();
        assert_eq!(error, "line 2 is not a JSON object: expected `:`, column 7");
    }

    #[test]
    fn numbers_come_as_numbers_or_as_text() {
        let host = one(
            r#"{"ip":"192.0.2.1","asn":"AS64500","ports":["443",80,80],"validity_days":"90","favicon":-5,"serial":"00A1"}"#,
        );
        assert_eq!(host.facts.asn, Some(64500));
        assert_eq!(host.facts.open_ports, [80, 443]);
        assert!(has(&host, FacetKind::CertValiditySeconds, "7776000"));
        assert!(has(&host, FacetKind::HttpFaviconMmh3, "-5"));
        assert!(has(&host, FacetKind::CertSerial, "a1"));
        assert!(host.notes.is_empty(), "{:?}", host.notes);
    }

    #[test]
    fn names_come_as_a_list_or_joined_by_commas() {
        let joined = one(r#"{"ip":"192.0.2.1","san":"a.example, b.example,192.0.2.1"}"#);
        let listed = one(r#"{"ip":"192.0.2.1","san":["a.example","DNS:b.example","192.0.2.1"]}"#);
        assert_eq!(joined.facts.facets, listed.facts.facets);
        assert!(has(&joined, FacetKind::CertSan, "IP:192.0.2.1"));
    }

    #[test]
    fn a_service_that_timed_out_is_unknown() {
        let host = one(r#"{"ip":"192.0.2.1","timeouts":["ssh","gopher"]}"#);
        assert_eq!(host.facts.timed_out, [Group::Key, Group::Sshd]);
        assert_eq!(host.notes, ["`timeouts` names an unknown service group `gopher`"]);
    }

    #[test]
    fn unknown_keys_and_odd_values_are_noted_and_the_rest_is_taken() {
        let host =
            one(r#"{"ip":"192.0.2.1","colour":"red","hassh":{"a":1},"server":null,"title":"x","ports":[70000]}"#);
        assert!(has(&host, FacetKind::HttpTitle, "x"));
        assert_eq!(host.facts.facets.len(), 1);
        assert_eq!(host.notes.len(), 3);
    }

    #[test]
    fn a_bad_line_is_an_error_with_its_number_and_reading_goes_on() {
        let hosts = all("{\"ip\":\"192.0.2.1\"}\n\nnot json\n{\"ip\":\"nowhere\"}\r\n{\"ip\":\"2001:db8::1\"}");
        assert_eq!(hosts.len(), 4);
        assert!(matches!(hosts[1], Err(FlatError::NotAnObject { line: 3, .. })));
        assert!(matches!(hosts[2], Err(FlatError::NoAddress { line: 4 })));
        assert_eq!(hosts[3].as_ref().unwrap().line, 5);
    }

    #[test]
    fn a_line_without_end_costs_no_memory_and_the_next_one_is_read() {
        let mut text = vec![b'x'; MAX_LINE + 10];
        text.extend(b"\n{\"ip\":\"192.0.2.1\"}\n");
        let hosts: Vec<_> = FlatHosts::new(io::BufReader::new(text.as_slice())).collect();
        assert!(matches!(hosts[0], Err(FlatError::TooLong { line: 1 })));
        assert!(hosts[1].is_ok());
    }

    #[test]
    fn digests_lose_their_case_and_keys_keep_it() {
        let host = one(r#"{"ip":"192.0.2.1","jarm":"ABC","ssh_key":"SHA256:AbC"}"#);
        assert!(has(&host, FacetKind::TlsJarm, "abc"));
        assert!(has(&host, FacetKind::SshHostKey, "SHA256:AbC"));
    }
}
