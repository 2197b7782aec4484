//! Socket options that no safe crate offers.

use std::io;
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
