//! Ranges of data centres and hosters: `start,end,name[,url]` without a header (ipcat). Taken for cloud ranges unless somebody
//! says otherwise.

use std::io::BufRead;

use super::error::ReadError;
use super::lines::each_line;
use super::out::Out;
use super::text::{bounded, fields};
use crate::range::fact::{Fact, NamedRange, Use};
use crate::range::span::AddressRange;

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    let used_for = out.used_for.unwrap_or(Use::Cloud);
    each_line(input, out, |line, _, out| {
        let fields = if line.starts_with('#') { return Ok(true) } else { fields(line, ',') };
        let Some([start, end, name, ..]) = fields.as_deref() else { return Ok(false) };
        let range = start.parse().ok().zip(end.parse().ok()).and_then(|(start, end)| AddressRange::new(start, end));
        let Some(addresses) = range else { return Ok(false) };
        out.fact(Fact::Named(NamedRange { addresses, name: bounded(name), used_for }))?;
        Ok(true)
    })
}
