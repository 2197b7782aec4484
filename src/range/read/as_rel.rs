//! CAIDA's AS relationships (<https://www.caida.org/catalog/datasets/as-relationships/>): `provider|customer|-1` and
//! `peer|peer|0`; serial-2 adds the source (`bgp`, `mlp`). Comments begin with `#`.

use std::io::BufRead;

use super::error::ReadError;
use super::lines::each_line;
use super::out::Out;
use crate::range::fact::{Fact, Relation, Relationship};

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    out.call("as-rel");
    each_line(input, out, |line, _, out| {
        if line.starts_with('#') {
            return Ok(true);
        }
        let mut fields = line.trim().split('|');
        let parsed = (|| {
            let (a, b) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
            let relation = match fields.next()? {
                "-1" => Relation::ProviderCustomer,
                "0" => Relation::Peer,
                _ => return None,
            };
            (a != b).then_some(Relationship { a, b, relation, inferred: false })
        })();
        parsed.map_or(Ok(false), |link| out.fact(Fact::Relationship(link)).map(|()| true))
    })
}
