//! Routing tables: `TABLE_DUMP` (RFC 6396 section 4.2), one record for a prefix and peer, and `TABLE_DUMP_V2` (4.3), one
//! record for a prefix with an entry for each peer.

use ipnet::IpNet;

use super::super::error::ReadError;
use super::super::out::Out;
use super::Flaw;
use super::attribute::{Attributes, Path};
use super::bytes::Bytes;
use super::neighbours::Neighbours;
use crate::range::fact::{Asn, Fact, Origin};

/// Tables in the reading.
#[derive(Default)]
pub(super) struct Tables {
    /// For each peer the last path it gave: neighbouring prefixes often share it, and it is counted once for all.
    last: Vec<Last>,
    /// Origins of the prefix at hand.
    seen: Seen,
    /// The prefix of the last records of the old form.
    prefix: Option<IpNet>,
}

#[derive(Default)]
struct Last {
    raw: Vec<u8>,
    path: Path,
    times: u32,
}

/// Origins of one prefix, with the peers that saw each.
#[derive(Default)]
struct Seen(Vec<Sight>);

/// Origins as one path has them.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Sight {
    /// One, or the members of a set.
    origins: Vec<Asn>,
    is_set: bool,
    peers: u32,
    last: Option<u16>,
}

impl Seen {
    /// A peer saw the path; with several paths of one peer to one origin it counts once.
    fn by(&mut self, path: &Path, peer: Option<u16>) {
        if path.origins.is_empty() {
            return;
        }
        let is_set = path.ends_in_set();
        match self.0.iter_mut().find(|known| known.is_set == is_set && known.origins == path.origins) {
            Some(known) if peer.is_some() && known.last == peer => {}
            Some(known) => {
                known.peers += 1;
                known.last = peer;
            }
            None => self.0.push(Sight { origins: path.origins.clone(), is_set, peers: 1, last: peer }),
        }
    }

    fn give(&mut self, prefix: IpNet, out: &mut Out<'_>) -> Result<(), ReadError> {
        self.0.sort_unstable();
        for Sight { origins, is_set, peers, .. } in self.0.drain(..) {
            out.fact(Fact::Origin(Origin { prefix, origins, is_set, peers_seen: Some(peers) }))?;
        }
        Ok(())
    }
}

impl Tables {
    /// A record of the old form. `Ok(false)` for what is not a unicast route.
    pub(super) fn old(
        &mut self,
        subtype: u16,
        body: &mut Bytes<'_>,
        neighbours: &mut Neighbours,
        out: &mut Out<'_>,
    ) -> Result<bool, Flaw> {
        let v4 = match subtype {
            1 => true,
            2 => false,
            _ => return Ok(false),
        };
        body.skip(4)?;
        let address = body.address(v4)?;
        let length = body.u8()?;
        body.skip(1 + 4 + if v4 { 4 } else { 16 } + 2)?;
        let attributes = usize::from(body.u16()?);
        let attributes = Attributes::read(&mut body.part(attributes)?)?;
        let Ok(prefix) = IpNet::new(address, length) else {
            return Err(Flaw::Record(format!("a prefix of {length} bits")));
        };
        let path = match attributes.path {
            Some(raw) => Path::read_old(raw, attributes.path4)?,
            None => Path::default(),
        };
        let prefix = prefix.trunc();
        if self.prefix.is_some_and(|before| before != prefix) {
            self.end(out)?;
        }
        self.prefix = Some(prefix);
        self.seen.by(&path, None);
        neighbours.path(&path.hops, 1)?;
        Ok(true)
    }

    /// A record of the new form. `Ok(false)` for what is not a unicast route.
    pub(super) fn new_form(
        &mut self,
        subtype: u16,
        body: &mut Bytes<'_>,
        neighbours: &mut Neighbours,
        out: &mut Out<'_>,
    ) -> Result<bool, Flaw> {
        let (mut v4, several) = match subtype {
            // The table of peers: its numbers are all that is needed, and the entries give them.
            1 => {
                self.flush(neighbours)?;
                return Ok(true);
            }
            2 => (true, false),
            4 => (false, false),
            8 => (true, true),
            10 => (false, true),
            6 | 12 => (true, subtype == 12),
            _ => return Ok(false),
        };
        body.skip(4)?;
        if subtype == 6 || subtype == 12 {
            let (family, use_of) = (body.u16()?, body.u8()?);
            if use_of != 1 || !(1..=2).contains(&family) {
                return Ok(false);
            }
            v4 = family == 1;
        }
        let Some(prefix) = body.prefix(v4)? else {
            return Err(Flaw::Record("a prefix longer than its family allows".to_owned()));
        };
        let count = body.u16()?;
        let mut entries = Vec::with_capacity(usize::from(count).min(256));
        for _ in 0..count {
            let peer = body.u16()?;
            body.skip(if several { 8 } else { 4 })?;
            let length = usize::from(body.u16()?);
            entries.push((peer, Attributes::read(&mut body.part(length)?)?.path.unwrap_or_default()));
        }
        for (peer, raw) in entries {
            let place = usize::from(peer);
            if self.last.len() <= place {
                self.last.resize_with(place + 1, Last::default);
            }
            let Some(last) = self.last.get_mut(place) else { continue };
            if last.raw != raw || last.times == 0 {
                let path = Path::read(raw, true)?;
                if last.times > 0 {
                    neighbours.path(&last.path.hops, last.times)?;
                }
                last.raw.clear();
                last.raw.extend_from_slice(raw);
                (last.path, last.times) = (path, 0);
            }
            last.times += 1;
            self.seen.by(&last.path, Some(peer));
        }
        self.seen.give(prefix, out)?;
        Ok(true)
    }

    /// Counts the paths that peers gave last.
    fn flush(&mut self, neighbours: &mut Neighbours) -> Result<(), ReadError> {
        for last in self.last.drain(..).filter(|last| last.times > 0) {
            neighbours.path(&last.path.hops, last.times)?;
        }
        Ok(())
    }

    /// The table ends: gives what is still held.
    pub(super) fn end(&mut self, out: &mut Out<'_>) -> Result<(), ReadError> {
        match self.prefix.take() {
            Some(prefix) => self.seen.give(prefix, out),
            None => Ok(()),
        }
    }

    /// All tables end.
    pub(super) fn close(&mut self, neighbours: &mut Neighbours, out: &mut Out<'_>) -> Result<(), ReadError> {
        self.flush(neighbours)?;
        self.end(out)
    }
}
