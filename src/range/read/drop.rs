//! Spamhaus DROP (`drop_v4.json`, `drop_v6.json`): JSON lines `{"cidr","sblid","rir"}`; the last line is
//! `{"type":"metadata","timestamp","records",…}` (<https://www.spamhaus.org/blocklists/do-not-route-or-peer/>). A file without
//! that line, or with fewer records than it names, is cut.

use std::io::BufRead;

use serde::Deserialize;

use super::error::{Place, ReadError};
use super::lines::each_line;
use super::out::Out;
use super::text::{date_of_seconds, network, some};
use crate::range::fact::{Fact, Listed, Listing};
use crate::range::span::AddressRange;

#[derive(Deserialize)]
struct Entry {
    cidr: String,
    #[serde(default)]
    sblid: String,
}

/// The last line of Spamhaus's files.
#[derive(Deserialize)]
pub(super) struct Metadata {
    #[serde(rename = "type")]
    kind: String,
    timestamp: Option<i64>,
    records: Option<u64>,
}

/// What the last line says, if this is it.
pub(super) fn metadata(line: &str) -> Option<Metadata> {
    if !line.contains("\"metadata\"") {
        return None;
    }
    serde_json::from_str(line).ok().filter(|metadata: &Metadata| metadata.kind == "metadata")
}

/// Checks the end of one of Spamhaus's files: `records` were read or lost.
pub(super) fn check(end: Option<&Metadata>, records: u64, out: &mut Out<'_>) -> Result<(), ReadError> {
    let Some(end) = end else {
        return Err(ReadError::broken(
            Place::File,
            "the last line with the number of records is missing: the file is cut",
        ));
    };
    out.speaks_of(end.timestamp.and_then(date_of_seconds));
    match end.records {
        Some(promised) if records < promised => {
            let why = format!("{records} records, and its last line promises {promised}: lines are missing");
            Err(ReadError::broken(Place::File, why))
        }
        _ => Ok(()),
    }
}

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    let (mut end, mut records) = (None, 0u64);
    each_line(input, out, |line, _, out| {
        if let Some(found) = metadata(line) {
            end = Some(found);
            return Ok(true);
        }
        records += 1;
        let entry = serde_json::from_str::<Entry>(line).ok();
        let Some((entry, network)) = entry.and_then(|entry| network(&entry.cidr).map(|network| (entry, network)))
        else {
            return Ok(false);
        };
        if records == 1 {
            out.call(if network.addr().is_ipv4() { "spamhaus-drop-v4" } else { "spamhaus-drop-v6" });
        }
        out.fact(Fact::Listing(Listing {
            listed: Listed::Addresses(AddressRange::of(network)),
            list: out.name.clone(),
            reason: some(&entry.sblid),
            since: None,
            until: None,
            domain: None,
            lists: None,
        }))?;
        Ok(true)
    })?;
    check(end.as_ref(), records, out)
}
