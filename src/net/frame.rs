//! SYN packets as bytes, what answers them, and the kernel filter that lets only such answers through. Pure.
//!
//! IPv4 ([RFC 791](https://www.rfc-editor.org/rfc/rfc791)), TCP ([RFC 9293](https://www.rfc-editor.org/rfc/rfc9293)),
//! ICMP ([RFC 792](https://www.rfc-editor.org/rfc/rfc792)). Checksums are computed in full: a virtual wire does not check
//! them, a real one does.

use std::net::{Ipv4Addr, SocketAddrV4};

/// Ethernet header.
pub(super) const LINK: usize = 14;
/// IPv4 header without options and TCP header with one option.
pub(super) const PACKET: usize = 20 + 24;
/// Both.
pub(super) const FRAME: usize = LINK + PACKET;

/// The two ends of a wire: hardware addresses of ours and of the next hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) ours: [u8; 6],
    pub(super) next: [u8; 6],
}

/// All SYNs from one address over one link, but for what tells them apart. They carry the segment size a kernel on
/// Ethernet states, since some hosts drop SYNs without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Template {
    frame: [u8; FRAME],
    /// The sums of the IP header's words and of the segment's with its pseudo header, without what is filled in.
    header: u32,
    segment: u32,
}

impl Template {
    pub(super) fn new(link: Link, source: Ipv4Addr) -> Self {
        let mut frame = [0; FRAME];
        frame[0..6].copy_from_slice(&link.next);
        frame[6..12].copy_from_slice(&link.ours);
        frame[12..14].copy_from_slice(&[0x08, 0x00]);
        // Version 4, five words, 44 bytes; "don't fragment"; 64 hops; TCP.
        frame[14..24].copy_from_slice(&[0x45, 0, 0, 44, 0, 0, 0x40, 0, 64, 6]);
        frame[26..30].copy_from_slice(&source.octets());
        // Six words, SYN, a window of 64240; then the option: 1460 bytes a segment.
        frame[46..50].copy_from_slice(&[0x60, 0x02, 0xfa, 0xf0]);
        frame[54..58].copy_from_slice(&[2, 4, 0x05, 0xb4]);
        // The pseudo header: both addresses, the protocol, the length of header and data.
        Self { frame, header: sum(&frame[14..34]), segment: sum(&frame[26..58]) + 6 + 24 }
    }

    /// Writes one SYN into `frame`.
    pub(super) fn write(&self, frame: &mut [u8; FRAME], our_port: u16, to: SocketAddrV4, sequence: u32) {
        *frame = self.frame;
        let numbers = sequence.to_be_bytes();
        let [_, middle, lower, _] = numbers;
        // The identification says nothing where fragments are forbidden (RFC 6864), but all zeros would stand out.
        let identification = [middle, lower];
        frame[18..20].copy_from_slice(&identification);
        frame[30..34].copy_from_slice(&to.ip().octets());
        frame[34..36].copy_from_slice(&our_port.to_be_bytes());
        frame[36..38].copy_from_slice(&to.port().to_be_bytes());
        frame[38..42].copy_from_slice(&numbers);
        let halves = |whole: u32| (whole >> 16) + (whole & 0xffff);
        let receiver = halves(u32::from(*to.ip()));
        let header = fold(self.header + u32::from(u16::from_be_bytes(identification)) + receiver);
        frame[24..26].copy_from_slice(&header.to_be_bytes());
        let ports = u32::from(our_port) + u32::from(to.port());
        let segment = fold(self.segment + ports + halves(sequence) + receiver);
        frame[50..52].copy_from_slice(&segment.to_be_bytes());
    }
}

/// The 16-bit words of `bytes` added up (RFC 1071).
fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks(2).fold(0, |sum, pair| match *pair {
        [high, low] => sum + u32::from(u16::from_be_bytes([high, low])),
        [last] => sum + (u32::from(last) << 8),
        _ => sum,
    })
}

fn fold(sum: u32) -> u16 {
    let once = (sum & 0xffff) + (sum >> 16);
    let twice = (once & 0xffff) + (once >> 16);
    !u16::try_from(twice & 0xffff).unwrap_or_default()
}

/// What came back for a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The service that was asked.
    pub service: SocketAddrV4,
    /// The port we asked from.
    pub our_port: u16,
    /// The sequence number that the SYN must have had for this to be its answer.
    pub sequence: u32,
    /// What it says.
    pub reply: Reply,
}

/// What an answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A connection may be opened: SYN and ACK.
    Open,
    /// The host resets.
    Refused,
    /// ICMP "destination unreachable", with its sender and code.
    Unreachable(Ipv4Addr, u8),
}

/// Reads one IPv4 packet. None when it answers no SYN.
#[must_use]
pub(super) fn answer(packet: &[u8]) -> Option<Answer> {
    let (protocol, from, _, payload) = ip(packet)?;
    match protocol {
        6 => {
            let flags = *payload.get(13)?;
            // Both a SYN-ACK and the RST of a closed port acknowledge our sequence number.
            let reply = match flags & 0x16 {
                0x12 => Reply::Open,
                0x14 => Reply::Refused,
                _ => return None,
            };
            let service = SocketAddrV4::new(from, word(payload, 0)?);
            let sequence = long(payload, 8)?.wrapping_sub(1);
            Some(Answer { service, our_port: word(payload, 2)?, sequence, reply })
        }
        // "Destination unreachable" quotes the packet it is about: header and the first eight bytes.
        1 if *payload.first()? == 3 => {
            let (protocol, _, to, quoted) = ip(payload.get(8..)?)?;
            let service = SocketAddrV4::new(to, word(quoted, 2)?);
            let reply = Reply::Unreachable(from, *payload.get(1)?);
            let answer = Answer { service, our_port: word(quoted, 0)?, sequence: long(quoted, 4)?, reply };
            (protocol == 6).then_some(answer)
        }
        _ => None,
    }
}

/// Protocol, sender, receiver and payload of an IPv4 packet that is no later fragment.
fn ip(packet: &[u8]) -> Option<(u8, Ipv4Addr, Ipv4Addr, &[u8])> {
    let first = *packet.first()?;
    let header = usize::from(first & 15) * 4;
    if first >> 4 != 4 || header < 20 || word(packet, 6)? & 0x1fff != 0 {
        return None;
    }
    let address = |at| long(packet, at).map(Ipv4Addr::from);
    Some((*packet.get(9)?, address(12)?, address(16)?, packet.get(header..)?))
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|two| u16::from_be_bytes(*two))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_be_bytes(*four))
}

/// One instruction of the kernel's classic packet filter: code, jump when true, jump when false, operand.
pub(super) type Instruction = (u16, u8, u8, u32);

/// Bytes of an answer the kernel hands over: the longest IP header twice with what must be read behind it.
pub(super) const KEPT: usize = 160;

/// The filter of a socket that sees packets from their IPv4 header on: TCP to one of our ports with ACK and SYN or RST,
/// and ICMP "destination unreachable".
pub(super) fn filter(first_port: u16, last_port: u16) -> Vec<Instruction> {
    // From <linux/bpf_common.h>: load a byte or half word from a fixed place or behind the header (x), header length
    // to x, the three jumps, and the return.
    const BYTE: u16 = 0x30;
    const HALF: u16 = 0x28;
    const BYTE_X: u16 = 0x50;
    const HALF_X: u16 = 0x48;
    const HEADER_TO_X: u16 = 0xb1;
    const EQUAL: u16 = 0x15;
    const GREATER: u16 = 0x25;
    const AT_LEAST: u16 = 0x35;
    const ANY_BIT: u16 = 0x45;
    const RETURN: u16 = 0x06;
    vec![
        (HALF, 0, 0, 6),
        (ANY_BIT, 12, 0, 0x1fff),
        (HEADER_TO_X, 0, 0, 0),
        (BYTE, 0, 0, 9),
        (EQUAL, 0, 6, 6),
        (HALF_X, 0, 0, 2),
        (AT_LEAST, 0, 7, first_port.into()),
        (GREATER, 6, 0, last_port.into()),
        (BYTE_X, 0, 0, 13),
        (ANY_BIT, 0, 4, 0x10),
        (ANY_BIT, 4, 3, 0x06),
        (EQUAL, 0, 2, 1),
        (BYTE_X, 0, 0, 0),
        (EQUAL, 1, 0, 3),
        (RETURN, 0, 0, 0),
        (RETURN, 0, 0, 160),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn syn(link: Link, from: SocketAddrV4, to: SocketAddrV4, sequence: u32) -> [u8; FRAME] {
        let mut frame = [0xff; FRAME];
        Template::new(link, *from.ip()).write(&mut frame, from.port(), to, sequence);
        frame
    }

    fn at(text: &str) -> SocketAddrV4 {
        text.parse().unwrap()
    }

    fn sample() -> [u8; FRAME] {
        let link = Link { ours: [2, 0, 0, 0, 0, 1], next: [2, 0, 0, 0, 0, 2] };
        syn(link, at("198.18.0.1:61440"), at("198.19.3.4:443"), 0xdead_beef)
    }

    /// The Internet checksum by its definition in RFC 1071: the ones' complement sum, carries added at each step.
    fn ones_complement(bytes: &[u8]) -> u16 {
        let mut sum = 0u16;
        for pair in bytes.chunks(2) {
            let (next, carry) = sum.overflowing_add(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
            sum = next + u16::from(carry);
        }
        sum
    }

    #[test]
    fn both_checksums_add_up_to_all_ones() {
        for sequence in [0, 1, 0xdead_beef, u32::MAX] {
            for port in [0, 443, 65_535] {
                let to = SocketAddrV4::new(Ipv4Addr::new(198, 19, 255, 254), port);
                let frame = syn(Link::default(), at("198.18.0.1:61440"), to, sequence);
                assert_eq!(ones_complement(&frame[14..34]), 0xffff);
                let pseudo = [&frame[26..34], &[0, 6, 0, 24], &frame[34..]].concat();
                assert_eq!(ones_complement(&pseudo), 0xffff, "TCP, sequence {sequence:x}, port {port}");
            }
        }
    }

    #[test]
    fn a_syn_stands_byte_for_byte_as_the_standards_draw_it() {
        let hex = sample().map(|byte| format!("{byte:02x}")).concat();
        assert_eq!(
            hex,
            "0200000000020200000000010800\
             4500002cadbe40004006fde2c6120001c6130304\
             f00001bbdeadbeef000000006002faf07eb10000020405b4"
        );
    }

    /// A TCP packet to our port as it would come back.
    fn reply(flags: u8, our_port: u16, acknowledged: u32) -> Vec<u8> {
        let frame = syn(Link::default(), at("198.19.3.4:443"), SocketAddrV4::new([198, 18, 0, 1].into(), our_port), 7);
        let mut packet = frame[LINK..].to_vec();
        packet[28..32].copy_from_slice(&acknowledged.to_be_bytes());
        packet[33] = flags;
        packet
    }

    fn unreachable() -> Vec<u8> {
        let mut packet = reply(0, 0, 0)[..20].to_vec();
        packet[9] = 1;
        packet.extend([3, 13, 0, 0, 0, 0, 0, 0]);
        packet.extend(&sample()[LINK..LINK + 28]);
        packet
    }

    #[test]
    fn syn_acks_resets_and_unreachables_are_read_and_nothing_else() {
        let wanted = |reply| Answer { service: at("198.19.3.4:443"), our_port: 61_440, sequence: 0xdead_beef, reply };
        let acknowledged = 0xdead_beef + 1;
        assert_eq!(answer(&reply(0x12, 61_440, acknowledged)), Some(wanted(Reply::Open)));
        assert_eq!(answer(&reply(0x14, 61_440, acknowledged)), Some(wanted(Reply::Refused)));
        let from = Ipv4Addr::new(198, 19, 3, 4);
        assert_eq!(answer(&unreachable()), Some(wanted(Reply::Unreachable(from, 13))));
        for flags in [0x02, 0x04, 0x10, 0x11, 0x18] {
            assert_eq!(answer(&reply(flags, 61_440, acknowledged)), None, "flags {flags:02x}");
        }
    }

    #[test]
    fn cut_packets_are_no_answers_and_no_fault() {
        for whole in [reply(0x12, 61_440, 1), unreachable()] {
            for length in 0..33.min(whole.len()) {
                assert_eq!(answer(&whole[..length]), None);
            }
        }
    }

    /// The kernel's machine, as far as the filter uses it.
    fn passes(program: &[Instruction], packet: &[u8]) -> u32 {
        let (mut at, mut a, mut x) = (0usize, 0u32, 0usize);
        loop {
            let (code, when_true, when_false, k) = program[at];
            let place = usize::try_from(k).unwrap();
            let load = |from: usize, size: usize| {
                packet
                    .get(from..from + size)
                    .map(|bytes| bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
            };
            let jump = |yes: bool| usize::from(if yes { when_true } else { when_false });
            at += 1;
            let loaded = match code {
                0x30 => load(place, 1),
                0x28 => load(place, 2),
                0x50 => load(x + place, 1),
                0x48 => load(x + place, 2),
                0xb1 => {
                    x = usize::from(packet[place] & 15) * 4;
                    continue;
                }
                0x15 => {
                    at += jump(a == k);
                    continue;
                }
                0x25 => {
                    at += jump(a > k);
                    continue;
                }
                0x35 => {
                    at += jump(a >= k);
                    continue;
                }
                0x45 => {
                    at += jump(a & k != 0);
                    continue;
                }
                0x06 => return k,
                other => panic!("code {other:x}"),
            };
            // A load beyond the packet ends the program: nothing passes.
            let Some(loaded) = loaded else { return 0 };
            a = loaded;
        }
    }

    #[test]
    fn the_filter_lets_answers_to_our_ports_through_and_nothing_else() {
        let program = filter(61_440, 61_695);
        for (packet, wanted) in [
            (reply(0x12, 61_440, 1), true),
            (reply(0x14, 61_695, 1), true),
            (unreachable(), true),
            (reply(0x12, 61_439, 1), false),
            (reply(0x12, 61_696, 1), false),
            (reply(0x02, 61_440, 1), false),
            (reply(0x04, 61_440, 1), false),
            (reply(0x10, 61_440, 1), false),
            (reply(0x12, 61_440, 1)[..30].to_vec(), false),
        ] {
            assert_eq!(passes(&program, &packet) > 0, wanted, "{packet:02x?}");
        }
        let mut options = reply(0x12, 61_440, 1);
        options[0] = 0x46;
        options.splice(20..20, [1, 1, 1, 1]);
        assert_eq!(passes(&program, &options), u32::try_from(KEPT).unwrap(), "the header's length is read");
        let mut fragment = reply(0x12, 61_440, 1);
        fragment[7] = 1;
        assert_eq!(passes(&program, &fragment), 0);
        let mut echo = unreachable();
        echo[20] = 0;
        assert_eq!(passes(&program, &echo), 0);
        let mut udp = reply(0x12, 61_440, 1);
        udp[9] = 17;
        assert_eq!(passes(&program, &udp), 0);
    }
}
