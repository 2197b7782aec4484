//! The binary packet before keys are in use
//! ([RFC 4253 section 6](https://www.rfc-editor.org/rfc/rfc4253#section-6)): length, padding length, payload, padding.

use super::fault::Fault;
use crate::proto::read::Reader;

/// Message numbers that occur before keys are in use.
pub(super) mod number {
    pub(in super::super) const DISCONNECT: u8 = 1;
    pub(in super::super) const IGNORE: u8 = 2;
    pub(in super::super) const UNIMPLEMENTED: u8 = 3;
    pub(in super::super) const DEBUG: u8 = 4;
    pub(in super::super) const EXT_INFO: u8 = 7;
    pub(in super::super) const KEXINIT: u8 = 20;
    pub(in super::super) const KEX_INIT: u8 = 30;
    /// The reply of most methods, but the group (p, g) in a group exchange.
    pub(in super::super) const KEX_REPLY: u8 = 31;
    pub(in super::super) const GEX_INIT: u8 = 32;
    pub(in super::super) const GEX_REPLY: u8 = 33;
    pub(in super::super) const GEX_REQUEST: u8 = 34;
    /// Last of the numbers that belong to the key exchange method in use.
    pub(in super::super) const LAST_OF_METHOD: u8 = 49;
}

/// Bounds of `packet_length` accepted from a peer (RFC 4253 6.1: 35000 must be handled; 12 is the least with a payload).
const LENGTHS: std::ops::RangeInclusive<u32> = 12..=35_000;

/// A payload, and the bytes after its packet.
type Taken<'a> = (&'a [u8], &'a [u8]);

/// Takes the first packet off `bytes`: its payload, never empty, and what follows. `None` when it is not all there yet.
pub(super) fn take(bytes: &[u8]) -> Result<Option<Taken<'_>>, Fault> {
    let mut reader = Reader::new(bytes);
    let Ok(length) = reader.u32("packet length") else { return Ok(None) };
    if !LENGTHS.contains(&length) {
        return Err(Fault::PacketLength(length));
    }
    let length = usize::try_from(length).map_err(|_| Fault::PacketLength(length))?;
    let Ok(packet) = reader.take(length, "packet") else { return Ok(None) };
    let Some((padding, body)) = packet.split_first() else { return Err(Fault::Padding) };
    let kept = body.len().checked_sub(usize::from(*padding)).filter(|kept| *kept > 0).ok_or(Fault::Padding)?;
    Ok(Some((body.get(..kept).ok_or(Fault::Padding)?, reader.rest())))
}

/// How many bytes from the start of `bytes` on must be there for one more packet than there are now, as far as can be
/// said; 0 when what comes next is no packet.
pub(super) fn next_end(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    loop {
        match take(rest) {
            Ok(Some((_, behind))) => rest = behind,
            Ok(None) => {
                let length =
                    Reader::new(rest).u32("packet length").map_or(0, |length| usize::try_from(length).unwrap_or(0));
                return bytes.len().saturating_sub(rest.len()).saturating_add(4).saturating_add(length);
            }
            Err(_) => return 0,
        }
    }
}

/// Appends `payload` as a packet. The padding is zeros: nothing is encrypted here.
pub(super) fn put(out: &mut Vec<u8>, payload: &[u8]) {
    let unpadded = payload.len().saturating_add(5);
    let padding = match 8usize.saturating_sub(unpadded % 8) {
        short @ 0..4 => short.saturating_add(8),
        enough => enough,
    };
    let length = payload.len().saturating_add(padding).saturating_add(1);
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    out.push(u8::try_from(padding).unwrap_or(u8::MAX));
    out.extend_from_slice(payload);
    out.extend(std::iter::repeat_n(0, padding));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_packet_is_waited_for_and_not_looked_for_at_every_byte() {
        let mut two = Vec::new();
        put(&mut two, &[number::IGNORE]);
        let one = two.len();
        put(&mut two, &[number::IGNORE, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
        assert_eq!(next_end(&[]), 4, "its length");
        assert_eq!(next_end(&two[..7]), one);
        assert_eq!(next_end(&two[..one]), one + 4);
        assert_eq!(next_end(&two[..one + 4]), two.len());
        assert_eq!(next_end(&[0xff; 9]), 0, "no packet: to be told at once");
    }

    #[test]
    fn a_packet_comes_back_whole_and_only_whole() {
        for size in 1..40 {
            let payload = vec![7; size];
            let mut out = Vec::new();
            put(&mut out, &payload);
            assert_eq!(out.len() % 8, 0);
            assert!(out[4] >= 4, "at least four bytes of padding");
            assert_eq!(take(&out), Ok(Some((&payload[..], &[][..]))));
            for cut in 0..out.len() {
                assert_eq!(take(&out[..cut]), Ok(None));
            }
        }
    }

    #[test]
    fn lengths_that_lie_are_refused_before_anything_is_waited_for() {
        assert_eq!(take(&[0x80, 0, 0, 0]), Err(Fault::PacketLength(0x8000_0000)));
        assert_eq!(take(&[0, 0, 0, 11]), Err(Fault::PacketLength(11)));
        assert_eq!(take(&[0, 0, 0x88, 0xb9]), Err(Fault::PacketLength(35_001)));
        let mut all_padding = vec![0, 0, 0, 12, 11];
        all_padding.extend([0; 11]);
        assert_eq!(take(&all_padding), Err(Fault::Padding));
    }
}
