//! Lists of the space delegated to one country, a CIDR a line, with `# Country: Name (CC)` in front (ipverse and others).

use std::io::BufRead;

use super::error::ReadError;
use super::lines::each_line;
use super::out::Out;
use super::text::network;
use crate::range::fact::{Delegation, Fact, Resource};
use crate::range::span::AddressRange;

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    let mut country = String::new();
    each_line(input, out, |line, _, out| {
        if let Some(comment) = line.strip_prefix('#') {
            if let Some(name) = comment.trim().strip_prefix("Country:") {
                let code = name.trim().trim_end_matches(')').rsplit('(').next().unwrap_or_default();
                country = code.chars().take(2).collect();
            }
            return Ok(true);
        }
        let Some(network) = network(line.trim()) else { return Ok(false) };
        out.fact(Fact::Delegation(Delegation {
            registry: String::new(),
            country: country.clone(),
            resource: Resource::Addresses(AddressRange::of(network)),
            date: None,
            status: "delegated".to_owned(),
            opaque_id: None,
        }))?;
        Ok(true)
    })
}
