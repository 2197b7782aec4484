//! Updates as collectors hear them: `BGP4MP` (RFC 6396 section 4.4, RFC 8050), BGP messages of RFC 4271.
//!
//! What was announced is kept once for each prefix and origin; withdrawals are not followed, so that what comes out is
//! "announced at some moment of this file", a part of a table and not a table.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::super::error::{Place, ReadError};
use super::super::out::Out;
use super::Flaw;
use super::attribute::{Attributes, Path};
use super::bytes::{Bytes, Short};
use super::neighbours::Neighbours;
use crate::range::fact::{Asn, Fact, Origin};

/// More than any file of updates announces.
const MOST_ANNOUNCED: usize = 3_000_000;

/// What updates announced.
#[derive(Default)]
pub(super) struct Updates {
    announced: BTreeSet<(IpNet, Vec<Asn>, bool)>,
}

impl Updates {
    /// Whether anything was announced.
    pub(super) fn any(&self) -> bool {
        !self.announced.is_empty()
    }

    /// One record. `Ok(false)` for what is no update.
    pub(super) fn message(
        &mut self,
        subtype: u16,
        body: &mut Bytes<'_>,
        neighbours: &mut Neighbours,
    ) -> Result<bool, Flaw> {
        // Numbers of four bytes; several paths of one peer.
        let (four, several) = match subtype {
            1 | 6 => (false, false),
            4 | 7 => (true, false),
            8 | 10 => (false, true),
            9 | 11 => (true, true),
            _ => return Ok(false),
        };
        body.skip(if four { 8 } else { 4 } + 2)?;
        let v4 = match body.u16()? {
            1 => true,
            2 => false,
            other => return Err(Flaw::Record(format!("address family {other} is none of BGP's"))),
        };
        body.skip(if v4 { 8 } else { 32 })?;
        // The marker, then the message's length, which the record's own says too.
        body.skip(16 + 2)?;
        if body.u8()? != 2 {
            return Ok(false);
        }
        let withdrawn = usize::from(body.u16()?);
        body.skip(withdrawn)?;
        let length = usize::from(body.u16()?);
        let attributes = Attributes::read(&mut body.part(length)?)?;
        let Some(raw) = attributes.path else { return Ok(true) };
        let path = if four { Path::read(raw, true)? } else { Path::read_old(raw, attributes.path4)? };
        let mut prefixes = announced(&mut Bytes::new(body.rest()), true, several)?;
        if let Some(reach) = attributes.reach {
            let mut reach = Bytes::new(reach);
            let (family, use_of) = (reach.u16()?, reach.u8()?);
            if use_of == 1 && (1..=2).contains(&family) {
                let hop = usize::from(reach.u8()?);
                reach.skip(hop + 1)?;
                prefixes.extend(announced(&mut reach, family == 1, several)?);
            }
        }
        for prefix in &prefixes {
            if !path.origins.is_empty() {
                self.announced.insert((*prefix, path.origins.clone(), path.ends_in_set()));
            }
        }
        if self.announced.len() > MOST_ANNOUNCED {
            return Err(ReadError::broken(Place::File, "updates for more than three million prefixes").into());
        }
        if !prefixes.is_empty() {
            neighbours.path(&path.hops, u32::try_from(prefixes.len()).unwrap_or(u32::MAX))?;
        }
        Ok(true)
    }

    /// Hands on what was announced.
    pub(super) fn end(self, out: &mut Out<'_>) -> Result<(), ReadError> {
        for (prefix, origins, is_set) in self.announced {
            out.fact(Fact::Origin(Origin { prefix, origins, is_set, peers_seen: None }))?;
        }
        Ok(())
    }
}

/// Prefixes to the end of the part.
fn announced(bytes: &mut Bytes<'_>, v4: bool, several: bool) -> Result<Vec<IpNet>, Flaw> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        if several {
            bytes.skip(4)?;
        }
        match bytes.prefix(v4).map_err(|Short| Flaw::from(Short))? {
            Some(prefix) => all.push(prefix),
            None => return Err(Flaw::Record("a prefix longer than its family allows".to_owned())),
        }
    }
    Ok(all)
}
