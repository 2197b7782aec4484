//! `prefix TAB origin`, `;` in front of comments: the tables of `pyasn` and others derived from one RIB.

use std::io::BufRead;

use super::error::ReadError;
use super::lines::each_line;
use super::out::Out;
use super::text::{network, origins};
use crate::range::fact::{Fact, Origin};

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    each_line(input, out, |line, _, out| {
        if line.starts_with([';', '#']) {
            return Ok(true);
        }
        let mut fields = line.split_ascii_whitespace();
        let parsed = (|| {
            let prefix = network(fields.next()?)?;
            let origins = origins(fields.next()?)?;
            fields.next().is_none().then_some(Origin { prefix, origins, is_set: false, peers_seen: None })
        })();
        parsed.map_or(Ok(false), |origin| out.fact(Fact::Origin(origin)).map(|()| true))
    })
}
