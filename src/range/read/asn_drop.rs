//! Spamhaus ASN-DROP (`asndrop.json`): JSON lines `{"asn","rir","domain","cc","asname"}` and a last line with metadata. ASes
//! of one operator share a `domain`. Each gives an entry of the list, and what it says of the AS.

use std::io::BufRead;

use serde::Deserialize;

use super::drop::{check, metadata};
use super::error::ReadError;
use super::lines::each_line;
use super::out::Out;
use super::text::{bounded, some};
use crate::range::fact::{AsInfo, Asn, Fact, Listed, Listing};

#[derive(Deserialize)]
struct Entry {
    asn: u32,
    #[serde(default)]
    domain: Option<String>,
    #[serde(default)]
    cc: Option<String>,
    #[serde(default)]
    asname: Option<String>,
}

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    out.call("spamhaus-asn-drop");
    let (mut end, mut records) = (None, 0u64);
    each_line(input, out, |line, _, out| {
        if let Some(found) = metadata(line) {
            end = Some(found);
            return Ok(true);
        }
        records += 1;
        let Ok(entry) = serde_json::from_str::<Entry>(line) else { return Ok(false) };
        let asn = Asn(entry.asn);
        let domain = entry.domain.as_deref().and_then(some);
        let name = entry.asname.as_deref().map(bounded).unwrap_or_default();
        out.fact(Fact::Listing(Listing {
            listed: Listed::Number(asn),
            list: out.name.clone(),
            reason: some(&name),
            since: None,
            until: None,
            domain: domain.clone(),
            lists: None,
        }))?;
        let country = entry.cc.as_deref().and_then(some);
        let source = out.name.clone();
        out.fact(Fact::AsInfo(AsInfo { asn, name, domain, country, source, ..AsInfo::default() }))?;
        Ok(true)
    })?;
    check(end.as_ref(), records, out)
}
