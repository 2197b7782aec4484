//! Ranges with their origin: `start,end,asn,name` with commas (ip-location-db and others), or with tabs
//! `start TAB end TAB asn TAB country TAB name` (iptoasn.com, where AS 0 is "not routed"). Ranges need not be CIDRs; one that is
//! not gives several prefixes. Names of ASes are kept once each.

use std::collections::HashSet;
use std::io::BufRead;

use super::error::ReadError;
use super::lines::each_line;
use super::out::Out;
use super::text::{bounded, fields};
use crate::range::fact::{AsInfo, Asn, Fact, Origin};
use crate::range::span::AddressRange;

/// AS numbers whose names are remembered as given; twice as many as are in use.
const MOST_NAMES: usize = 250_000;

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    let mut told: HashSet<Asn> = HashSet::new();
    let mut header = true;
    each_line(input, out, |line, _, out| {
        if line.starts_with('#') {
            return Ok(true);
        }
        let tabs = line.contains('\t');
        let Some(fields) = fields(line, if tabs { '\t' } else { ',' }) else { return Ok(false) };
        let first = std::mem::take(&mut header);
        if first && fields.first().is_some_and(|field| field.contains("start")) {
            return Ok(true);
        }
        let [start, end, asn, rest @ ..] = fields.as_slice() else { return Ok(false) };
        let range = (start.parse().ok()).zip(end.parse().ok()).and_then(|(start, end)| AddressRange::new(start, end));
        let (Some(range), Ok(asn)) = (range, asn.parse::<Asn>()) else { return Ok(false) };
        if asn == Asn(0) {
            return Ok(true);
        }
        for prefix in range.networks() {
            out.fact(Fact::Origin(Origin { prefix, origins: vec![asn], is_set: false, peers_seen: None }))?;
        }
        let (country, name) = match rest {
            [country, name] if tabs => (Some(country), Some(name)),
            [name, ..] => (None, Some(name)),
            [] => (None, None),
        };
        if let Some(name) = name.filter(|name| !name.is_empty())
            && told.len() < MOST_NAMES
            && told.insert(asn)
        {
            let country = country.filter(|code| code.len() == 2).map(|code| bounded(code));
            let source = out.name.clone();
            out.fact(Fact::AsInfo(AsInfo { asn, name: bounded(name), country, source, ..AsInfo::default() }))?;
        }
        Ok(true)
    })
}
