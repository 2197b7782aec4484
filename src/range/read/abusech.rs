//! abuse.ch's CSV files (Feodo Tracker, `ThreatFox`, `URLhaus`, SSLBL): comments behind `#`, one of which names the columns.
//! Addresses are taken from columns of addresses, from `address:port` and from the host of a URL; entries about host names are
//! passed over. SSLBL's SHA-1 digests of certificates are kept too. `# END (N) entries` is checked.

use std::io::BufRead;
use std::net::IpAddr;

use super::error::{Place, ReadError};
use super::lines::each_line;
use super::listed::{Remark, give, listing};
use super::out::Out;
use super::text::{date, fields};
use crate::range::fact::Listed;
use crate::range::span::AddressRange;

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    let mut columns: Vec<String> = Vec::new();
    let (mut promised, mut entries) = (0u64, 0u64);
    each_line(input, out, |line, _, out| {
        if let Some(comment) = line.strip_prefix('#') {
            let comment = comment.trim_matches(['#', ' ']);
            if let Some(found) = header(comment) {
                columns = found;
            } else if let Some(updated) = comment.strip_prefix("Last updated:") {
                out.speaks_of(date(updated));
            } else if let Some(rest) = comment.strip_prefix("END (") {
                promised = rest.split(')').next().and_then(|count| count.parse().ok()).unwrap_or(0);
            } else if let Some(name) = comment.strip_prefix("abuse.ch ") {
                out.call(&called(name));
            }
            return Ok(true);
        }
        if let Some(found) = header(line).filter(|_| entries == 0) {
            columns = found;
            return Ok(true);
        }
        entries += 1;
        let Some(fields) = fields(line, ',').filter(|fields| !columns.is_empty() && fields.len() >= columns.len())
        else {
            return Ok(false);
        };
        let get = |names: &[&str]| {
            let place = columns.iter().position(|column| names.contains(&column.as_str()))?;
            fields.get(place).map(AsRef::as_ref)
        };
        let remark = Remark {
            reason: get(&["listingreason", "malware_printable", "malware", "threat", "fk_malware"]),
            since: get(&["first_seen_utc", "firstseen", "dateadded", "listingdate"]).and_then(date),
            until: get(&["last_online", "last_seen_utc"]).and_then(date),
            lists: None,
        };
        if let Some(sha1) = get(&["sha1"]) {
            let whole = sha1.len() == 40 && sha1.bytes().all(|byte| byte.is_ascii_hexdigit());
            if whole {
                let fact = listing(Listed::Certificate(sha1.to_ascii_lowercase()), remark, out);
                out.fact(fact)?;
            }
            return Ok(whole);
        }
        let Some(subject) = get(&["dst_ip", "dstip", "ip", "ip_address", "ioc_value", "url"]) else { return Ok(false) };
        match address(subject) {
            Some(address) => give(AddressRange::one(address), remark, out)?,
            None => out.passed += 1,
        }
        Ok(true)
    })?;
    if entries < promised {
        let why = format!("{entries} entries, and its last line promises {promised}: lines are missing");
        return Err(ReadError::broken(Place::File, why));
    }
    Ok(())
}

/// Columns that tell abuse.ch's header line from a comment.
const TELLING: [&str; 7] = ["dst_ip", "dstip", "sha1", "ioc_value", "url", "ip_address", "ip"];

/// The columns, if the line names them.
fn header(line: &str) -> Option<Vec<String>> {
    let names: Vec<String> = fields(line, ',')?.iter().take(32).map(|name| name.to_ascii_lowercase()).collect();
    (names.len() > 1 && names.iter().any(|name| TELLING.contains(&name.as_str()))).then_some(names)
}

/// A list's name of what its first line says.
fn called(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    let known = ["sslbl", "feodo", "threatfox", "urlhaus"].into_iter().find(|word| name.contains(word));
    match known {
        Some("sslbl") if name.contains("sha1") => "abusech-sslbl-certificates".to_owned(),
        Some(word) => format!("abusech-{word}"),
        None => "abusech".to_owned(),
    }
}

/// The address in `192.0.2.1`, `192.0.2.1:443`, `[2001:db8::1]:443` or `http://192.0.2.1:8080/x`.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let host = text.split_once("://").map_or(text, |(_, rest)| rest).split(['/', '?', '#']).next()?;
    let host = host.rsplit('@').next()?;
    match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next()?.parse().ok(),
        None => host.split(':').next()?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_an_url_and_a_name_is_none() {
        for text in ["192.0.2.1", "192.0.2.1:443", "http://192.0.2.1:8080/a?b", "https://u:p@192.0.2.1/"] {
            assert_eq!(address(text), Some("192.0.2.1".parse().unwrap()), "{text}");
        }
        assert_eq!(address("http://[2001:db8::1]:80/"), Some("2001:db8::1".parse().unwrap()));
        assert_eq!(address("http://192.0.2.1.example.org/"), None);
    }
}
