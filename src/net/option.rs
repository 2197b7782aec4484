//! Socket options that no safe crate offers.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Sets one integer option.
#[expect(unsafe_code, reason = "setsockopt with an integer that outlives the call; no safe crate offers these options")]
fn set(socket: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let size = libc::socklen_t::try_from(size_of::<libc::c_int>()).map_err(io::Error::other)?;
    // SAFETY: `value` is a live c_int and `size` is its size; the descriptor is borrowed, so it is open.
    let code = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), size) };
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Lets a socket bound to an address choose its port at connect, per destination: otherwise some 30,000 connections
/// from one address use up its ports.
pub(super) fn bind_address_no_port(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

/// At most `count` repeated SYNs.
pub(super) fn syn_retries(socket: BorrowedFd<'_>, count: u8) -> io::Result<()> {
    set(socket, libc::IPPROTO_TCP, libc::TCP_SYNCNT, libc::c_int::from(count))
}

/// Has the kernel keep ICMP's answers to what this socket sends, for [`icmp_answer`] (Linux 5.9 or later for TCP). On an
/// open connection it would let a passing trouble end it, so it is turned off there.
pub(super) fn keep_icmp(socket: BorrowedFd<'_>, is_v6: bool, keep: bool) -> io::Result<()> {
    let (level, name) =
        if is_v6 { (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) } else { (libc::IPPROTO_IP, libc::IP_RECVERR) };
    set(socket, level, name, libc::c_int::from(keep))
}

/// What ICMP said to a connection that did not come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IcmpAnswer {
    /// Type and code as on the wire.
    pub(super) kind: u8,
    pub(super) code: u8,
    /// Who said it; `None` where the kernel does not tell.
    pub(super) from: Option<IpAddr>,
}

/// Takes ICMP's answer off the socket's error queue, if there is one (ip(7), `IP_RECVERR`).
#[expect(unsafe_code, reason = "recvmsg into buffers that outlive the call; no safe crate here reads the error queue")]
pub(super) fn icmp_answer(socket: BorrowedFd<'_>) -> Option<IcmpAnswer> {
    // Room for the queue's one message: a header, `sock_extended_err` and the address after it.
    let mut control = [0_u64; 32];
    let mut payload = [0_u8; 64];
    let mut part = libc::iovec { iov_base: payload.as_mut_ptr().cast(), iov_len: payload.len() };
    // SAFETY: all fields of a msghdr are numbers and pointers, for which zero is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    // SAFETY: every pointer in `message` is to a live buffer of the length beside it; the descriptor is borrowed.
    let read = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT) };
    if read < 0 {
        return None;
    }
    let written = message.msg_controllen.min(size_of_val(&control));
    let bytes: Vec<u8> = control.iter().flat_map(|word| word.to_ne_bytes()).take(written).collect();
    read_answer(&bytes)
}

/// Reads the first control message: a `cmsghdr` (length, level, type), `sock_extended_err` (errno, origin, type, code,
/// pad, info, data) and a socket address.
fn read_answer(control: &[u8]) -> Option<IcmpAnswer> {
    const HEAD: usize = size_of::<libc::cmsghdr>();
    let length = usize::from_ne_bytes(control.get(..size_of::<usize>())?.try_into().ok()?);
    let body = control.get(HEAD..length)?;
    let ([_, _, _, _, origin, kind, code, _], rest) = body.split_first_chunk::<8>()?;
    if ![libc::SO_EE_ORIGIN_ICMP, libc::SO_EE_ORIGIN_ICMP6].contains(origin) {
        return None;
    }
    let from = rest.get(8..).and_then(|address| {
        let family = u16::from_ne_bytes(*address.first_chunk()?);
        match i32::from(family) {
            libc::AF_INET => Some(IpAddr::from(<[u8; 4]>::try_from(address.get(4..8)?).ok()?)),
            libc::AF_INET6 => Some(IpAddr::from(<[u8; 16]>::try_from(address.get(8..24)?).ok()?)),
            _ => None,
        }
    });
    Some(IcmpAnswer { kind: *kind, code: *code, from })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(origin: u8, kind: u8, code: u8, address: &[u8]) -> Vec<u8> {
        let body = [&[113, 0, 0, 0, origin, kind, code, 0, 0, 0, 0, 0, 0, 0, 0, 0], address].concat();
        let length = size_of::<libc::cmsghdr>() + body.len();
        let head =
            [&length.to_ne_bytes()[..], &libc::IPPROTO_IP.to_ne_bytes(), &libc::IP_RECVERR.to_ne_bytes()].concat();
        [head, body].concat()
    }

    #[test]
    fn an_answer_is_read_and_half_of_one_is_nothing() {
        let v4 = [&2_u16.to_ne_bytes()[..], &[0, 0, 192, 0, 2, 1], &[0; 8]].concat();
        let whole = message(2, 3, 13, &v4);
        let from = Some(IpAddr::from([192, 0, 2, 1]));
        assert_eq!(read_answer(&whole), Some(IcmpAnswer { kind: 3, code: 13, from }));
        let v6 = [&10_u16.to_ne_bytes()[..], &[0; 6], &[0; 15], &[1], &[0; 4]].concat();
        let from = Some(IpAddr::from(std::net::Ipv6Addr::LOCALHOST));
        assert_eq!(read_answer(&message(3, 1, 1, &v6)), Some(IcmpAnswer { kind: 1, code: 1, from }));
        assert_eq!(read_answer(&message(2, 3, 13, &[])), Some(IcmpAnswer { kind: 3, code: 13, from: None }));
        assert_eq!(read_answer(&message(1, 3, 13, &v4)), None, "our own machine's word");
        for cut in 0..whole.len() {
            assert_eq!(read_answer(&whole[..cut]), None);
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a socket that sends nothing")]
    fn a_socket_without_an_answer_has_none() {
        let socket = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
        let socket = std::os::fd::AsFd::as_fd(&socket);
        keep_icmp(socket, false, true).unwrap();
        assert_eq!(icmp_answer(socket), None);
    }
}
