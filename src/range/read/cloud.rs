//! Ranges that clouds and CDNs publish, in JSON of any shape: every text that is an address or CIDR counts, whatever it stands
//! under (AWS `ip_prefix`, Google `ipv4Prefix`, Azure `addressPrefixes`, Fastly `addresses`, plain arrays). A date is read from
//! `createDate`, `creationTime`, `updated_at` and the like.

use std::io::BufRead;

use super::error::{Place, ReadError};
use super::json::each_text;
use super::lines::shorten;
use super::out::Out;
use super::text::{date, network};
use crate::range::fact::{Fact, NamedRange, Use};
use crate::range::span::AddressRange;

/// Names of content delivery networks, where the file's name says no more.
const CDNS: [&str; 9] =
    ["cdn", "cloudflare", "fastly", "akamai", "bunny", "cloudfront", "imperva", "incapsula", "edgecast"];

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    let used_for =
        out.used_for.unwrap_or(if CDNS.iter().any(|cdn| out.name.contains(cdn)) { Use::Cdn } else { Use::Cloud });
    each_text(input, |key, text| {
        if ["createDate", "creationTime", "updated_at", "last_updated", "updated", "date"].contains(&key) {
            out.speaks_of(date(text));
            return Ok(());
        }
        if let Some(network) = network(text) {
            let addresses = AddressRange::of(network);
            return out.fact(Fact::Named(NamedRange { addresses, name: out.name.clone(), used_for }));
        }
        if looks_like_a_network(text) {
            out.lost(Place::File, &format!("no network: `{}`", shorten(text)));
        }
        Ok(())
    })
}

/// Something meant as a network: without this, a damaged entry would go unnoticed.
pub(super) fn looks_like_a_network(text: &str) -> bool {
    let (address, length) = text.split_once('/').unwrap_or((text, "0"));
    let short = (1..=4).contains(&length.len()) && length.bytes().all(|byte| byte.is_ascii_graphic());
    let dotted = address.bytes().filter(|byte| *byte == b'.').count() == 3
        && address.bytes().filter(u8::is_ascii_digit).count() >= 3;
    let colons = address.bytes().filter(|byte| *byte == b':').count() >= 2
        && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
    short && (dotted || colons)
}
