//! Target lists: one `[NAME@]ADDRESS[:PORT]` or CIDR per line.

use std::io::{BufRead, Read as _};
use std::net::IpAddr;
use std::path::Path;

use ipnet::IpNet;

use super::TargetError;
use crate::scope::network::{NetworkError, parse_network, shorten};

/// Longest line read, in bytes: a name, an address, a port and a remark.
const LONGEST_LINE: u64 = 1_024;

/// One line of a target list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetLine {
    /// The addresses; one alone as /32 or /128.
    pub network: IpNet,
    /// This port only; `None` for all that the scope grants.
    pub port: Option<u16>,
    /// SNI and `Host:` to ask for, in lower case.
    pub name: Option<String>,
    /// Its number in the list, from 1.
    pub line: u64,
}

/// Why a line names no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineProblem {
    /// Not an address, not a CIDR.
    #[error("{0}")]
    Network(#[from] NetworkError),
    /// A name where an address belongs.
    #[error("`{0}` is a name, and no resolver is asked; write `{0}@ADDRESS`")]
    NameAlone(String),
    /// A name that cannot be asked for.
    #[error("`{0}` is not a DNS name; before the `@` stands a name like `www.example.org`")]
    Name(String),
    /// A name for many addresses.
    #[error("`{0}` gives a name to a whole network; write `NAME@ADDRESS` for each address")]
    NameOfNetwork(String),
    /// A port that is none.
    #[error("`{0}` is not a port; after the last `:` stands a number from 1 to 65535")]
    Port(String),
    /// A port behind a CIDR.
    #[error(
        "`{0}` gives a port to a whole network; ports of networks stand in the scope's grants, or write `ADDRESS:PORT` for each address"
    )]
    PortOfNetwork(String),
    /// Brackets that do not close, or hold no IPv6 address.
    #[error("`{0}` has misplaced brackets; write IPv6 with a port like `[2001:db8::7]:443`")]
    Brackets(String),
    /// Not text.
    #[error("the line is not UTF-8 text")]
    NotUtf8,
    /// Longer than any target.
    #[error("the line is longer than {LONGEST_LINE} bytes; put one target on each line")]
    TooLong,
}

/// Reads a list, one target per line; `#` starts a comment, empty lines say nothing. `path` is shown in messages.
///
/// # Errors
/// The first line that is wrong, or why the list cannot be read.
pub fn read_lines(mut list: impl BufRead, path: &Path) -> Result<Vec<TargetLine>, TargetError> {
    let mut targets = Vec::new();
    let mut bytes = Vec::new();
    for line in 1u64.. {
        bytes.clear();
        let read = list.by_ref().take(LONGEST_LINE.saturating_add(1)).read_until(b'\n', &mut bytes);
        let read = read.map_err(|source| TargetError::Unreadable { path: path.to_owned(), source })?;
        if read == 0 {
            break;
        }
        let wrong = |problem| TargetError::Line { path: path.to_owned(), line, problem };
        if bytes.last() != Some(&b'\n') && u64::try_from(read).is_ok_and(|read| read > LONGEST_LINE) {
            return Err(wrong(LineProblem::TooLong));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| wrong(LineProblem::NotUtf8))?;
        let text = if line == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text };
        targets.extend(parse_line(text).map_err(wrong)?.map(|target| TargetLine { line, ..target }));
    }
    Ok(targets)
}

/// Reads one line; `None` when it says nothing. The line's number is 0.
///
/// # Errors
/// What is wrong with it.
pub fn parse_line(text: &str) -> Result<Option<TargetLine>, LineProblem> {
    let text = text.split_once('#').map_or(text, |(target, _)| target).trim();
    if text.is_empty() {
        return Ok(None);
    }
    let (name, place) = match text.rsplit_once('@') {
        Some((name, place)) => (Some(parse_name(name).ok_or_else(|| LineProblem::Name(shorten(name)))?), place),
        None => (None, text),
    };
    let (network, port) = parse_place(place)?;
    if name.is_some() && place.contains('/') {
        return Err(LineProblem::NameOfNetwork(shorten(text)));
    }
    Ok(Some(TargetLine { network, port, name, line: 0 }))
}

fn parse_place(place: &str) -> Result<(IpNet, Option<u16>), LineProblem> {
    if let Some(rest) = place.strip_prefix('[') {
        let brackets = || LineProblem::Brackets(shorten(place));
        let (inside, behind) = rest.split_once(']').ok_or_else(brackets)?;
        if inside.contains('/') || behind.starts_with('/') || !inside.contains(':') {
            return Err(brackets());
        }
        let network = parse_network(inside)?;
        let port = match behind.strip_prefix(':') {
            Some(digits) => Some(parse_port(digits)?),
            None if behind.is_empty() => None,
            None => return Err(brackets()),
        };
        return Ok((network, port));
    }
    match place.split_once(':') {
        // One colon: IPv4 and a port. Several: IPv6.
        Some((address, digits)) if !digits.contains(':') && !address.is_empty() => {
            if place.contains('/') {
                return Err(LineProblem::PortOfNetwork(shorten(place)));
            }
            let port = parse_port(digits)?;
            Ok((parse_address(address)?, Some(port)))
        }
        _ => Ok((parse_address(place)?, None)),
    }
}

fn parse_address(text: &str) -> Result<IpNet, LineProblem> {
    parse_network(text).map_err(|error| match error {
        NetworkError::NotAnAddress(_) => match parse_name(text) {
            Some(name) => LineProblem::NameAlone(name),
            None => error.into(),
        },
        other => other.into(),
    })
}

fn parse_port(digits: &str) -> Result<u16, LineProblem> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = if plain { digits.parse().ok().filter(|port| *port != 0) } else { None };
    port.ok_or_else(|| LineProblem::Port(shorten(digits)))
}

/// A DNS name in lower case (RFC 1123 section 2.1, with the underscore that is met in practice); `None` for anything
/// else, above all for what an URL parser would take for an address.
fn parse_name(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text);
    let fits = |label: &str| {
        let inner = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        inner && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    let last = name.rsplit('.').next()?;
    let named = last.bytes().any(|byte| byte.is_ascii_alphabetic()) && !last.starts_with("0x");
    let whole = name.len() <= 253 && name.split('.').all(fits) && named && name.parse::<IpAddr>().is_err();
    whole.then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> (String, Option<u16>, Option<String>) {
        let target = parse_line(text).unwrap().unwrap();
        (target.network.to_string(), target.port, target.name)
    }

    fn refused(text: &str) -> String {
        parse_line(text).unwrap_err().to_string()
    }

    #[test]
    fn all_forms_are_read() {
        assert_eq!(read("192.0.2.7"), ("192.0.2.7/32".into(), None, None));
        assert_eq!(read(" 192.0.2.7:22 # ssh"), ("192.0.2.7/32".into(), Some(22), None));
        assert_eq!(read("192.0.2.0/24\r\n"), ("192.0.2.0/24".into(), None, None));
        assert_eq!(read("2001:db8::7"), ("2001:db8::7/128".into(), None, None));
        assert_eq!(read("[2001:db8::7]:443"), ("2001:db8::7/128".into(), Some(443), None));
        assert_eq!(read("[2001:db8::7]"), ("2001:db8::7/128".into(), None, None));
        assert_eq!(read("2001:db8::/64"), ("2001:db8::/64".into(), None, None));
        let name = Some("www.example.org".to_owned());
        assert_eq!(read("WWW.example.org.@192.0.2.7:8443"), ("192.0.2.7/32".into(), Some(8443), name.clone()));
        assert_eq!(read("www.example.org@[2001:db8::7]:443"), ("2001:db8::7/128".into(), Some(443), name));
        assert_eq!(parse_line("  # nothing"), Ok(None));
    }

    #[test]
    fn every_refusal_says_how_to_mend_it() {
        assert!(refused("www.example.org").contains("write `www.example.org@ADDRESS`"));
        assert!(refused("www.example.org:443").contains("write `www.example.org@ADDRESS`"));
        assert!(refused("a b@192.0.2.7").contains("not a DNS name"));
        assert!(refused("10.0.0.1@192.0.2.7").contains("not a DNS name"));
        assert!(refused("-x.org@192.0.2.7").contains("not a DNS name"));
        assert!(refused("x@192.0.2.0/24").contains("for each address"));
        assert!(refused("192.0.2.7:0").contains("from 1 to 65535"));
        assert!(refused("192.0.2.7:").contains("from 1 to 65535"));
        assert!(refused("192.0.2.7:+80").contains("from 1 to 65535"));
        assert!(refused("192.0.2.0/24:80").contains("scope's grants"));
        assert!(refused("[2001:db8::7").contains("misplaced brackets"));
        assert!(refused("[192.0.2.7]:80").contains("misplaced brackets"));
        assert!(refused("[2001:db8::]/64").contains("misplaced brackets"));
        assert!(refused("192.0.2.7/24").contains("write `192.0.2.0/24`"));
        assert!(refused("192.0.2.1-192.0.2.9").contains("CIDRs"));
        assert!(refused("fe80::1%eth0").contains("not an address"));
    }

    #[test]
    fn a_wrong_line_is_named_by_its_number() {
        let list = b"\xef\xbb\xbf192.0.2.7\n\n# fine\n192.0.2.300\n";
        let error = read_lines(&list[..], Path::new("list.txt")).unwrap_err();
        assert!(error.to_string().starts_with("list.txt:4: `192.0.2.300` is not an address"), "{error}");
    }

    #[test]
    fn a_line_without_end_is_cut_off_early() {
        let long = vec![b'1'; 1 << 20];
        let error = read_lines(&long[..], Path::new("-")).unwrap_err();
        assert!(error.to_string().contains("longer than 1024 bytes"), "{error}");
        let fits = format!("192.0.2.7 #{}\n192.0.2.8", "x".repeat(1_012));
        assert_eq!(read_lines(fits.as_bytes(), Path::new("-")).unwrap().len(), 2);
    }

    proptest! {
        #[test]
        fn any_text_gives_a_value(text in ".{0,80}") {
            let _ = parse_line(&text);
        }

        #[test]
        fn what_is_read_is_what_was_written(address: std::net::Ipv6Addr, port in 1u16.., named: bool) {
            prop_assume!(address.to_ipv4_mapped().is_none());
            let name = if named { "a.example@" } else { "" };
            let target = parse_line(&format!("{name}[{address}]:{port}")).unwrap().unwrap();
            prop_assert_eq!(target.network, IpNet::from(IpAddr::V6(address)));
            prop_assert_eq!(target.port, Some(port));
            prop_assert_eq!(target.name.is_some(), named);
        }
    }
}
