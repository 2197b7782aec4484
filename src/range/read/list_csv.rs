//! CSV with a header that names a column of networks (`ip`, `cidr`, `network`, `prefix`, or `start` and `end`) or of AS numbers
//! (`asn`): lists that somebody derived. Other columns that are read: a reason (`reason`, `sblid`, `malware`, `family`,
//! `operator`), days (`first_seen`, `last_seen`), `lists` (on how many lists).

use std::io::BufRead;

use super::error::ReadError;
use super::lines::each_line;
use super::listed::{Remark, give, listing};
use super::out::Out;
use super::text::{date, fields, range};
use crate::range::fact::Listed;
use crate::range::span::AddressRange;

/// Columns of addresses.
pub(super) const NETWORKS: [&str; 5] = ["ip", "cidr", "network", "prefix", "address"];

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    let mut columns: Vec<String> = Vec::new();
    each_line(input, out, |line, place, out| {
        if line.starts_with('#') {
            return Ok(true);
        }
        let Some(fields) = fields(line, ',') else { return Ok(false) };
        if columns.is_empty() {
            columns = fields.iter().take(64).map(|name| name.to_ascii_lowercase()).collect();
            let known = |name: &String| {
                NETWORKS.contains(&name.as_str()) || ["start", "range_start", "asn"].contains(&name.as_str())
            };
            if !columns.iter().any(known) {
                let why = "the first line names no column `ip`, `cidr`, `network`, `prefix`, `start` or `asn`";
                return Err(ReadError::broken(place, why));
            }
            return Ok(true);
        }
        let get = |names: &[&str]| {
            let place = columns.iter().position(|column| names.contains(&column.as_str()))?;
            fields.get(place).map(AsRef::as_ref).filter(|text: &&str| !text.is_empty())
        };
        let remark = Remark {
            reason: get(&["reason", "sblid", "malware", "family", "operator", "why"]),
            since: get(&["first_seen", "since", "from"]).and_then(date),
            until: get(&["last_seen", "until", "to"]).and_then(date),
            lists: get(&["lists"]).and_then(|count| count.parse().ok()),
        };
        let addresses = match (get(&NETWORKS), get(&["start", "range_start"]), get(&["end", "range_end"])) {
            (Some(text), ..) => range(text),
            (None, Some(start), Some(end)) => {
                start.parse().ok().zip(end.parse().ok()).and_then(|(start, end)| AddressRange::new(start, end))
            }
            _ => None,
        };
        let has_networks = columns.iter().any(|name| NETWORKS.contains(&name.as_str()) || name.ends_with("start"));
        match (addresses, get(&["asn"]).and_then(|asn| asn.parse().ok())) {
            (Some(addresses), _) => give(addresses, remark, out)?,
            (None, Some(asn)) if !has_networks => {
                let fact = listing(Listed::Number(asn), remark, out);
                out.fact(fact)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    })
}
