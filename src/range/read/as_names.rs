//! Names of ASes: a JSON object `{"64500":"NAME"}`, or CSV `asn,name`.

use std::io::BufRead;

use super::error::ReadError;
use super::json::each_text;
use super::lines::each_line;
use super::out::Out;
use super::text::{bounded, fields};
use crate::range::fact::{AsInfo, Asn, Fact};

pub(super) fn read(input: &mut dyn BufRead, json: bool, out: &mut Out<'_>) -> Result<(), ReadError> {
    if json {
        return each_text(input, |key, text| {
            if let Ok(asn) = key.parse() {
                return named(asn, text, out);
            }
            out.passed += 1;
            Ok(())
        });
    }
    let mut header = true;
    each_line(input, out, |line, _, out| {
        let first = std::mem::take(&mut header);
        let fields = if line.starts_with('#') { return Ok(true) } else { fields(line, ',') };
        match fields.as_deref() {
            Some([asn, name, ..]) => match asn.parse() {
                Ok(asn) => named(asn, name, out).map(|()| true),
                Err(_) => Ok(first),
            },
            _ => Ok(false),
        }
    })
}

fn named(asn: Asn, name: &str, out: &mut Out<'_>) -> Result<(), ReadError> {
    let source = out.name.clone();
    out.fact(Fact::AsInfo(AsInfo { asn, name: bounded(name), source, ..AsInfo::default() }))
}
