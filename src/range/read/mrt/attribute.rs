//! BGP path attributes (RFC 4271 section 4.3): the AS path, and prefixes of other families (RFC 4760).

use super::bytes::{Bytes, Short};
use crate::range::fact::Asn;

const AS_PATH: u8 = 2;
const MP_REACH: u8 = 14;
const AS4_PATH: u8 = 17;

/// What is read of a path's attributes.
#[derive(Default)]
pub(super) struct Attributes<'a> {
    /// `AS_PATH`, raw.
    pub(super) path: Option<&'a [u8]>,
    /// `AS4_PATH`, raw: what a router of two-byte numbers could not write.
    pub(super) path4: Option<&'a [u8]>,
    /// `MP_REACH_NLRI`, raw.
    pub(super) reach: Option<&'a [u8]>,
}

impl<'a> Attributes<'a> {
    pub(super) fn read(bytes: &mut Bytes<'a>) -> Result<Self, Short> {
        let mut found = Self::default();
        while !bytes.is_empty() {
            let (flags, kind) = (bytes.u8()?, bytes.u8()?);
            // The flag for a length of two bytes.
            let length = if flags & 0x10 == 0 { usize::from(bytes.u8()?) } else { usize::from(bytes.u16()?) };
            let value = bytes.take(length)?;
            match kind {
                AS_PATH => found.path = Some(value),
                AS4_PATH => found.path4 = Some(value),
                MP_REACH => found.reach = Some(value),
                _ => {}
            }
        }
        Ok(found)
    }
}

/// An AS path: what routes passed, nearest first.
#[derive(Default, Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// Numbers in order, repeats removed; `None` where a set stands, which has no order.
    pub(super) hops: Vec<Option<Asn>>,
    /// Who originates: the last number, or all of a set at the end; ascending.
    pub(super) origins: Vec<Asn>,
    /// Numbers as counted by RFC 6793: a set counts one.
    length: usize,
}

/// One segment kind that orders its numbers, and its form for confederations, whose numbers are nobody else's.
const SET: u8 = 1;
const SEQUENCE: u8 = 2;

impl Path {
    /// Reads the path of two- or four-byte numbers.
    pub(super) fn read(raw: &[u8], four: bool) -> Result<Self, Short> {
        let mut path = Self::default();
        let mut bytes = Bytes::new(raw);
        while !bytes.is_empty() {
            let (kind, count) = (bytes.u8()?, bytes.u8()?);
            let mut numbers = bytes.part(usize::from(count) * if four { 4 } else { 2 })?;
            let mut set = Vec::new();
            while !numbers.is_empty() {
                let asn = Asn(if four { numbers.u32()? } else { u32::from(numbers.u16()?) });
                match kind {
                    SEQUENCE => path.hop(Some(asn)),
                    SET => set.push(asn),
                    _ => {}
                }
            }
            if kind == SET && !set.is_empty() {
                set.sort_unstable();
                set.dedup();
                path.hop(None);
                path.origins = set;
            }
        }
        Ok(path)
    }

    /// Whether the origins are the members of a set.
    pub(super) fn ends_in_set(&self) -> bool {
        self.hops.last() == Some(&None)
    }

    fn hop(&mut self, asn: Option<Asn>) {
        self.length += 1;
        if asn.is_none() || self.hops.last() != Some(&asn) {
            self.hops.push(asn);
        }
        self.origins.clear();
        self.origins.extend(asn);
    }

    /// The path of a router of two-byte numbers with what `AS4_PATH` says of its end (RFC 6793 section 4.2.3).
    pub(super) fn read_old(raw: &[u8], raw4: Option<&[u8]>) -> Result<Self, Short> {
        let path = Self::read(raw, false)?;
        let Some(end) = raw4.map(|raw| Self::read(raw, true)).transpose()? else { return Ok(path) };
        let Some(before) = path.length.checked_sub(end.length).filter(|_| end.length > 0) else { return Ok(path) };
        // Numbers before the part that AS4_PATH tells anew, repeats counted.
        let mut joined = Self::default();
        let mut bytes = Bytes::new(raw);
        'segments: while !bytes.is_empty() {
            let (kind, count) = (bytes.u8()?, bytes.u8()?);
            let mut numbers = bytes.part(usize::from(count) * 2)?;
            while !numbers.is_empty() {
                if joined.length == before {
                    break 'segments;
                }
                let asn = Asn(u32::from(numbers.u16()?));
                match kind {
                    SEQUENCE => joined.hop(Some(asn)),
                    SET => {
                        joined.hop(None);
                        break;
                    }
                    _ => {}
                }
            }
        }
        for hop in end.hops {
            joined.hop(hop);
        }
        joined.origins = end.origins;
        Ok(joined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(path: &Path) -> Vec<u32> {
        path.hops.iter().map(|hop| hop.map_or(0, |asn| asn.0)).collect()
    }

    #[test]
    fn repeats_go_and_a_set_at_the_end_has_several_origins() {
        let raw = [2, 3, 0, 0, 0, 7, 0, 0, 0, 7, 0, 0, 0, 8, 1, 2, 0, 0, 0, 10, 0, 0, 0, 9];
        let path = Path::read(&raw, true).unwrap();
        assert_eq!(numbers(&path), [7, 8, 0]);
        assert_eq!(path.origins, [Asn(9), Asn(10)]);
        assert!(path.ends_in_set());
    }

    #[test]
    fn numbers_that_did_not_fit_come_from_the_other_path() {
        // 1 2 AS_TRANS AS_TRANS, and 2 70000 70001.
        let raw = [2, 4, 0, 1, 0, 2, 0x5b, 0xa0, 0x5b, 0xa0];
        let raw4 = [2, 3, 0, 0, 0, 2, 0, 1, 0x11, 0x70, 0, 1, 0x11, 0x71];
        let path = Path::read_old(&raw, Some(&raw4)).unwrap();
        assert_eq!(numbers(&path), [1, 2, 70_000, 70_001]);
        assert_eq!(path.origins, [Asn(70_001)]);
        assert!(!path.ends_in_set());
    }

    #[test]
    fn a_cut_path_is_short() {
        assert_eq!(Path::read(&[2, 2, 0, 1, 0], false), Err(Short));
    }
}
