//! The raw sockets: frames out by the batch, answers in through a kernel filter. Every unsafe call of SYN discovery is
//! in this file; who may be sent a packet is decided in `syn.rs`.

use std::ffi::CString;
use std::io;
use std::mem::size_of;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::time::Duration;

use super::frame::{FRAME, Instruction, KEPT, LINK, Template};

/// Frames handed to the kernel in one call.
const FRAMES: usize = 256;
/// Answers taken from the kernel in one call.
pub(super) const BATCH: usize = 64;
/// Answers that may wait in the kernel, in bytes: some ten thousand, a tenth of a second at a million a second.
const WAITING: libc::c_int = 16 << 20;

/// What the system says of one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) index: i32,
    /// None when it is no Ethernet.
    pub(super) hardware: Option<[u8; 6]>,
}

#[expect(unsafe_code, reason = "socket(2); the safe crates' own calls are closed to keep one door")]
fn socket(domain: libc::c_int, kind: libc::c_int, protocol: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: the call takes integers only.
    let fd = unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, protocol) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just opened `fd` for us, and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn check(code: libc::c_int) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn length<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0)
}

#[expect(unsafe_code, reason = "setsockopt with plain structs that no safe crate offers")]
fn set<T>(fd: &OwnedFd, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
    let value: *const T = value;
    // SAFETY: `value` points to a live T for the whole call, and the length given is its size.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, value.cast(), length::<T>()) })
}

#[expect(unsafe_code, reason = "bind and connect take untyped addresses")]
fn link_to(fd: &OwnedFd, interface: i32) -> io::Result<()> {
    // SAFETY: sockaddr_ll holds only integers and bytes, so all zeros is a valid value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
    address.sll_ifindex = interface;
    // SAFETY: the pointer is to a live sockaddr_ll, and the length given is its size.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length::<libc::sockaddr_ll>()) })
}

fn inet(to: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: u16::try_from(libc::AF_INET).unwrap_or_default(),
        sin_port: to.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(to.ip().octets()) },
        sin_zero: [0; 8],
    }
}

/// Which of our addresses the kernel would send from. A datagram socket is given its far end, which asks the routing
/// table and sends nothing.
///
/// # Errors
/// When there is no route.
#[expect(unsafe_code, reason = "connect and getsockname take untyped addresses")]
pub(super) fn source_towards(to: Ipv4Addr) -> io::Result<Ipv4Addr> {
    let fd = socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    let mut address = inet(SocketAddrV4::new(to, 9));
    let mut size = length::<libc::sockaddr_in>();
    // SAFETY: the pointer is to a live sockaddr_in, and the length given is its size.
    check(unsafe { libc::connect(fd.as_raw_fd(), (&raw const address).cast(), size) })?;
    // SAFETY: both pointers are to live values; the kernel writes at most `size` bytes, the size of the struct.
    check(unsafe { libc::getsockname(fd.as_raw_fd(), (&raw mut address).cast(), &raw mut size) })?;
    Ok(Ipv4Addr::from(address.sin_addr.s_addr.to_ne_bytes()))
}

/// Looks an interface up by name.
///
/// # Errors
/// When there is none of this name.
#[expect(unsafe_code, reason = "if_nametoindex and SIOCGIFHWADDR")]
pub(super) fn interface(name: &str) -> io::Result<Interface> {
    let text = CString::new(name)?;
    // SAFETY: `text` is a live string that ends in NUL.
    let index = unsafe { libc::if_nametoindex(text.as_ptr()) };
    let index = i32::try_from(index).ok().filter(|index| *index > 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: ifreq holds integers, bytes and a union of such, so all zeros is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // The last byte stays NUL; a longer name does not exist.
    for (to, from) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(text.to_bytes()) {
        *to = libc::c_char::from_ne_bytes([*from]);
    }
    let fd = socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
    // SAFETY: this request reads the name and writes the hardware address, both within the live ifreq.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCGIFHWADDR, &raw mut request) })?;
    // SAFETY: SIOCGIFHWADDR has filled in this member of the union; its fields are integers and bytes.
    let address = unsafe { request.ifr_ifru.ifru_hwaddr };
    let hardware = (address.sa_family == libc::ARPHRD_ETHER).then(|| {
        let mut hardware = [0; 6];
        for (to, from) in hardware.iter_mut().zip(address.sa_data) {
            [*to] = from.to_ne_bytes();
        }
        hardware
    });
    Ok(Interface { index, hardware })
}

/// Sends SYNs through one interface, or past all of them through the kernel's own routing.
#[derive(Debug)]
pub(super) struct Sender {
    fd: OwnedFd,
    /// Whole Ethernet frames; else packets from their IP header on.
    framed: bool,
    frames: Box<[[u8; FRAME]; FRAMES]>,
    /// Whom the kernel routes them to; none where they are framed.
    names: Vec<libc::sockaddr_in>,
    /// How many of them are to be sent.
    count: usize,
    /// Whom the system would send nothing to.
    unsendable: Vec<SocketAddrV4>,
}

impl Sender {
    /// Sends whole frames out of one interface.
    ///
    /// # Errors
    /// Without `CAP_NET_RAW`.
    pub(super) fn framed(interface: i32) -> io::Result<Self> {
        // Protocol 0: this socket receives nothing.
        let fd = socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        link_to(&fd, interface)?;
        // The limiter paces; a queue in between would only cost.
        let _ = set(&fd, libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, &1_i32);
        Ok(Self {
            fd,
            framed: true,
            frames: Box::new([[0; FRAME]; FRAMES]),
            names: Vec::new(),
            count: 0,
            unsendable: Vec::new(),
        })
    }

    /// Sends packets that the kernel routes: for loopback and interfaces that are no Ethernet.
    ///
    /// # Errors
    /// Without `CAP_NET_RAW`.
    pub(super) fn routed() -> io::Result<Self> {
        let fd = socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW)?;
        let names = vec![inet(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)); FRAMES];
        Ok(Self { fd, framed: false, frames: Box::new([[0; FRAME]; FRAMES]), names, count: 0, unsendable: Vec::new() })
    }

    /// Puts one SYN into the batch, which is sent when it is full.
    ///
    /// # Errors
    /// As [`Sender::flush`].
    pub(super) fn push(
        &mut self,
        template: &Template,
        our_port: u16,
        to: SocketAddrV4,
        sequence: u32,
    ) -> io::Result<()> {
        if let Some(frame) = self.frames.get_mut(self.count) {
            template.write(frame, our_port, to, sequence);
            self.count += 1;
        }
        if self.count < FRAMES { Ok(()) } else { self.flush() }
    }

    /// Whom the system would send nothing to since this was last asked: a rule of this machine, an address that is none of
    /// a host, a tunnel without a peer.
    pub(super) fn unsendable(&mut self) -> Vec<SocketAddrV4> {
        std::mem::take(&mut self.unsendable)
    }

    /// Sends all that was pushed. What the system has no room for is waited for; that is our own shortage. Destinations it
    /// will not send to are passed over, see [`Sender::unsendable`].
    ///
    /// # Errors
    /// When it does not go out within a second, or cannot at all. What was left is dropped.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let mut sent = 0;
        let mut waits = 0;
        let result = loop {
            if sent >= self.count {
                break Ok(());
            }
            match self.send(sent) {
                Ok(count) => sent += count,
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINTR) => {}
                    Some(libc::EAGAIN | libc::ENOBUFS) if waits < 100 => {
                        waits += 1;
                        let _ = wait(&self.fd, libc::POLLOUT, Duration::from_millis(10));
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    Some(code) if !self.framed && is_about_the_destination(code) => {
                        self.unsendable.extend(self.frames.get(sent).map(destination));
                        sent += 1;
                    }
                    _ => break Err(error),
                },
            }
        };
        self.count = 0;
        result
    }

    #[expect(unsafe_code, reason = "sendmmsg, which no safe crate offers for these sockets")]
    fn send(&mut self, from: usize) -> io::Result<usize> {
        let framed = self.framed;
        let rest = self.frames.get_mut(from..self.count).unwrap_or_default();
        // SAFETY: iovec and mmsghdr hold integers and pointers only, so all zeros (null) is a valid value.
        let (mut parts, mut messages): ([libc::iovec; FRAMES], [libc::mmsghdr; FRAMES]) = unsafe { std::mem::zeroed() };
        let mut count = 0;
        let mut names = self.names.iter_mut();
        for ((part, message), frame) in parts.iter_mut().zip(&mut messages).zip(rest) {
            let to = *destination(frame).ip();
            let bytes = if framed { frame.as_mut_slice() } else { &mut frame[LINK..] };
            part.iov_base = bytes.as_mut_ptr().cast();
            part.iov_len = bytes.len();
            message.msg_hdr.msg_iov = part;
            message.msg_hdr.msg_iovlen = 1;
            if let Some(name) = names.next() {
                *name = inet(SocketAddrV4::new(to, 0));
                message.msg_hdr.msg_name = std::ptr::from_mut(name).cast();
                message.msg_hdr.msg_namelen = length::<libc::sockaddr_in>();
            }
            count += 1;
        }
        // SAFETY: the first `count` messages point to parts, names and frames that live in this function's variables and
        // in `self` and are not touched before the call returns; lengths are those of what is pointed to.
        let sent = unsafe { libc::sendmmsg(self.fd.as_raw_fd(), messages.as_mut_ptr(), count, 0) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// True for errors that speak of one address rather than of the socket.
fn is_about_the_destination(code: i32) -> bool {
    [
        libc::EPERM,
        libc::EACCES,
        libc::EINVAL,
        libc::ENETUNREACH,
        libc::EHOSTUNREACH,
        libc::EDESTADDRREQ,
        libc::EADDRNOTAVAIL,
        libc::ENOKEY,
    ]
    .contains(&code)
}

/// Where a frame goes.
fn destination(frame: &[u8; FRAME]) -> SocketAddrV4 {
    let address = Ipv4Addr::new(frame[30], frame[31], frame[32], frame[33]);
    SocketAddrV4::new(address, u16::from_be_bytes([frame[36], frame[37]]))
}

/// Receives answers, from their IP header on, whatever interface they came by.
#[derive(Debug)]
pub(super) struct Receiver {
    fd: OwnedFd,
    buffer: Box<[[u8; KEPT]; BATCH]>,
    lost: u64,
}

impl Receiver {
    /// Listens for what passes `filter` from now on.
    ///
    /// # Errors
    /// Without `CAP_NET_RAW`.
    pub(super) fn open(filter: &[Instruction]) -> io::Result<Self> {
        // Protocol 0 first, so that nothing comes in before the filter stands.
        let fd = socket(libc::AF_PACKET, libc::SOCK_DGRAM, 0)?;
        let mut program: Vec<libc::sock_filter> =
            filter.iter().map(|(code, jt, jf, k)| libc::sock_filter { code: *code, jt: *jt, jf: *jf, k: *k }).collect();
        let length = u16::try_from(program.len()).map_err(io::Error::other)?;
        let program = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
        set(&fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)?;
        if set(&fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &WAITING).is_err() {
            set(&fd, libc::SOL_SOCKET, libc::SO_RCVBUF, &WAITING)?;
        }
        Self::begin(&fd)?;
        Ok(Self { fd, buffer: Box::new([[0; KEPT]; BATCH]), lost: 0 })
    }

    /// Begins to receive IPv4, from all interfaces. Packets going out are not seen under this protocol.
    #[expect(unsafe_code, reason = "bind takes an untyped address")]
    fn begin(fd: &OwnedFd) -> io::Result<()> {
        // SAFETY: sockaddr_ll holds only integers and bytes, so all zeros is a valid value.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = u16::try_from(libc::AF_PACKET).unwrap_or_default();
        address.sll_protocol = u16::try_from(libc::ETH_P_IP).unwrap_or_default().to_be();
        // SAFETY: the pointer is to a live sockaddr_ll, and the length given is its size.
        check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length::<libc::sockaddr_ll>()) })
    }

    /// Hands over one batch of what waits. Returns how many packets there were; fewer than [`BATCH`] means no more wait.
    ///
    /// # Errors
    /// When the socket fails.
    #[expect(unsafe_code, reason = "recvmmsg, which no safe crate offers")]
    pub(super) fn receive(&mut self, mut each: impl FnMut(&[u8])) -> io::Result<usize> {
        // SAFETY: iovec and mmsghdr hold integers and pointers only, so all zeros (null) is a valid value.
        let (mut parts, mut messages): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) = unsafe { std::mem::zeroed() };
        for ((part, message), bytes) in parts.iter_mut().zip(&mut messages).zip(self.buffer.iter_mut()) {
            part.iov_base = bytes.as_mut_ptr().cast();
            part.iov_len = KEPT;
            message.msg_hdr.msg_iov = part;
            message.msg_hdr.msg_iovlen = 1;
        }
        let most = libc::c_uint::try_from(BATCH).unwrap_or(1);
        // SAFETY: each of the `most` messages points to one part, each part to KEPT bytes of the buffer, all of which
        // outlive the call and are not touched during it; a null timeout is allowed, and the socket does not block.
        let got = unsafe {
            libc::recvmmsg(self.fd.as_raw_fd(), messages.as_mut_ptr(), most, libc::MSG_DONTWAIT, std::ptr::null_mut())
        };
        let Ok(got) = usize::try_from(got) else {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                // ENETDOWN tells once that some interface went down; the others go on.
                Some(libc::EAGAIN | libc::EINTR | libc::ENETDOWN) => Ok(0),
                _ => Err(error),
            };
        };
        for (message, bytes) in messages.iter().zip(self.buffer.iter()).take(got) {
            let length = usize::try_from(message.msg_len).unwrap_or(0);
            each(bytes.get(..length).unwrap_or_default());
        }
        Ok(got)
    }

    /// Waits until an answer is there, at most for this long.
    pub(super) fn wait(&self, most: Duration) {
        let _ = wait(&self.fd, libc::POLLIN, most);
    }

    /// Answers that the kernel had no room for, so far.
    #[expect(unsafe_code, reason = "getsockopt of a struct that no safe crate offers")]
    pub(super) fn lost(&mut self) -> u64 {
        let mut count = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
        let mut size = length::<libc::tpacket_stats>();
        // SAFETY: both pointers are to live values; the kernel writes at most `size` bytes, the size of the struct.
        let code = unsafe {
            let value = (&raw mut count).cast();
            libc::getsockopt(self.fd.as_raw_fd(), libc::SOL_PACKET, libc::PACKET_STATISTICS, value, &raw mut size)
        };
        // Reading sets the kernel's count back to zero.
        if code == 0 {
            self.lost += u64::from(count.tp_drops);
        }
        self.lost
    }
}

#[expect(unsafe_code, reason = "ppoll on one descriptor, to the microsecond")]
fn wait(fd: &OwnedFd, events: libc::c_short, most: Duration) -> io::Result<()> {
    let mut one = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    let most = libc::timespec {
        tv_sec: libc::time_t::try_from(most.as_secs()).unwrap_or(1),
        tv_nsec: most.subsec_nanos().into(),
    };
    // SAFETY: both pointers are to live values, the count of descriptors is one, and a null signal mask is allowed.
    let code = unsafe { libc::ppoll(&raw mut one, 1, &raw const most, std::ptr::null()) };
    if code < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
