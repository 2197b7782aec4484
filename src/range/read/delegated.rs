//! RIR statistics, delegated and delegated-extended
//! (<https://www.apnic.net/about-apnic/corporate-documents/documents/resource-guidelines/rir-statistics-exchange-format/>).
//!
//! A version line `version|registry|serial|records|start|end|offset`, summaries `registry|*|type|*|count|summary`, records
//! `registry|cc|type|start|value|date|status[|opaque-id]`. The value of `ipv4` and `asn` is a count, that of `ipv6` a prefix
//! length; an IPv4 range need not be a CIDR. A file with fewer records than its summaries promise is cut.

use std::io::BufRead;

use super::error::{Place, ReadError};
use super::lines::each_line;
use super::out::Out;
use super::text::{bounded, date, prefix, some};
use crate::range::fact::{Asn, Delegation, Fact, Resource};
use crate::range::span::AddressRange;

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    let (mut promised, mut records) = (0u64, 0u64);
    each_line(input, out, |line, _, out| {
        if line.starts_with('#') {
            return Ok(true);
        }
        let fields: Vec<&str> = line.trim().split('|').take(16).collect();
        match fields.as_slice() {
            [version, registry, serial, _, _, end, ..] if version.starts_with(|c: char| c.is_ascii_digit()) => {
                out.call(&format!("delegated-{}", bounded(registry)));
                out.speaks_of(date(end).or_else(|| date(serial)));
                Ok(true)
            }
            [_, _, _, _, count, "summary"] => {
                promised = promised.saturating_add(count.parse().unwrap_or(0));
                Ok(true)
            }
            [registry, country, kind, start, value, day, status, rest @ ..] => {
                records += 1;
                let Some(resource) = resource(kind, start, value) else { return Ok(false) };
                out.fact(Fact::Delegation(Delegation {
                    registry: bounded(registry),
                    country: bounded(country),
                    resource,
                    date: date(day),
                    status: bounded(status),
                    opaque_id: rest.first().and_then(|id| some(id)),
                }))?;
                Ok(true)
            }
            _ => Ok(false),
        }
    })?;
    if records < promised {
        let why = format!("{records} records, and its summaries promise {promised}: the file is cut");
        return Err(ReadError::broken(Place::File, why));
    }
    Ok(())
}

fn resource(kind: &str, start: &str, value: &str) -> Option<Resource> {
    match kind {
        "asn" => {
            let (first, count): (Asn, u32) = (start.parse().ok()?, value.parse().ok()?);
            Some(Resource::Numbers(first, Asn(first.0.checked_add(count.checked_sub(1)?)?)))
        }
        "ipv4" => {
            let start: std::net::Ipv4Addr = start.parse().ok()?;
            AddressRange::counted(start.into(), value.parse().ok()?).map(Resource::Addresses)
        }
        "ipv6" => prefix(start, value).map(AddressRange::of).map(Resource::Addresses),
        _ => None,
    }
}
