//! RIPE RIS whois dumps: `origin TAB prefix TAB peers that see it`, `%` in front of comments
//! (<https://www.ris.ripe.net/dumps/>). An origin in braces is an AS set.

use std::io::BufRead;

use super::error::ReadError;
use super::lines::each_line;
use super::out::Out;
use super::text::{network, origins};
use crate::range::fact::{Fact, Origin};

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    each_line(input, out, |line, _, out| {
        if line.starts_with(['%', '#']) {
            return Ok(true);
        }
        let mut fields = line.split_ascii_whitespace();
        let parsed = (|| {
            let origins = origins(fields.next()?)?;
            let prefix = network(fields.next()?)?;
            let peers_seen = fields.next()?.parse().ok()?;
            fields.next().is_none().then_some(Origin { prefix, origins, is_set: false, peers_seen: Some(peers_seen) })
        })();
        parsed.map_or(Ok(false), |origin| out.fact(Fact::Origin(origin)).map(|()| true))
    })
}
