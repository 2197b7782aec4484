//! CAIDA's `RouteViews` prefix-to-AS tables: `prefix TAB length TAB origin`, where `a_b` are several origins (MOAS) and
//! `a,b` an AS set (<https://www.caida.org/catalog/datasets/routeviews-prefix2as/>). The date stands in the file's name.

use std::io::BufRead;

use super::error::ReadError;
use super::lines::each_line;
use super::out::Out;
use super::text::{origins, prefix};
use crate::range::fact::{Fact, Origin};

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    each_line(input, out, |line, _, out| {
        if line.starts_with('#') {
            return Ok(true);
        }
        let mut fields = line.split_ascii_whitespace();
        let parsed = (|| {
            let prefix = prefix(fields.next()?, fields.next()?)?;
            let origins = origins(fields.next()?)?;
            fields.next().is_none().then_some(Origin { prefix, origins, is_set: false, peers_seen: None })
        })();
        parsed.map_or(Ok(false), |origin| out.fact(Fact::Origin(origin)).map(|()| true))
    })
}
