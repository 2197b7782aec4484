//! The one place that opens a connection.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::net::TcpStream;

use super::option::{self, IcmpAnswer};
use crate::observation::End;
use crate::scope::Permit;

/// Why no connection came about.
#[derive(Debug)]
pub struct NotDialled {
    /// As an end of the connection.
    pub end: End,
    /// Words for our own faults.
    pub note: Option<String>,
    /// Set when our own machine ran out of descriptors, ports or memory: nothing was sent, and it will pass.
    pub shortage: bool,
    /// Who forbids to ask this network, in words.
    pub prohibited: Option<String>,
}

impl NotDialled {
    pub(super) fn with(end: End, note: Option<String>) -> Self {
        Self { end, note, shortage: false, prohibited: None }
    }

    fn far(end: End) -> Self {
        Self::with(end, None)
    }
}

/// Opens the one connection `permit` allows, and uses the permit up.
///
/// # Errors
/// Refused, unreachable, timed out: the far side's or the network's answer. `Failed` is our own fault (no descriptor,
/// port or memory left) and says nothing about the far side.
#[expect(clippy::disallowed_methods, reason = "the one place that dials")]
pub async fn dial(permit: Permit, source: Option<IpAddr>, within: Duration) -> Result<TcpStream, NotDialled> {
    let to = permit.spend();
    let socket =
        Socket::new(Domain::for_address(to), Type::STREAM.nonblocking(), None).map_err(|error| classify(&error))?;
    // Small buffers bound what an endless sender can park in the kernel.
    let _ = socket.set_recv_buffer_size(64 * 1024);
    let _ = socket.set_tcp_nodelay(true);
    // One repeated SYN covers a lost packet; more would only be noise at a dead address.
    let _ = option::syn_retries(socket.as_fd(), 1);
    let _ = option::keep_icmp(socket.as_fd(), to.is_ipv6(), true);
    if let Some(source) = source {
        let failed = |error| NotDialled::with(End::Failed, Some(cannot_send(source, &error)));
        send_from(&socket, source).map_err(failed)?;
    }
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(classify(&error)),
        _ => {}
    }
    let stream = TcpStream::from_std(socket.into()).map_err(|error| classify(&error))?;
    match tokio::time::timeout(within, connected(&stream)).await {
        Err(_) => return Err(NotDialled::far(End::ConnectTimedOut)),
        Ok(Err(error)) => {
            let mut not = classify(&error);
            if not.end == End::Unreachable
                && let Some(answer) = option::icmp_answer(stream.as_fd())
            {
                not.prohibited = prohibits(answer, to.ip());
            }
            return Err(not);
        }
        Ok(Ok(())) => {}
    }
    let _ = option::keep_icmp(stream.as_fd(), to.is_ipv6(), false);
    // A connect to a free port of this machine's own ephemeral range can meet itself (simultaneous open): nobody is there.
    if stream.local_addr().ok() == stream.peer_addr().ok() {
        return Err(NotDialled::far(End::Refused));
    }
    Ok(stream)
}

/// Waits for the connection to stand.
async fn connected(stream: &TcpStream) -> io::Result<()> {
    stream.writable().await?;
    stream.take_error()?.map_or(Ok(()), Err)
}

/// Whether ICMP's answer forbids a network: RFC 1812 section 5.2.7.1 and RFC 4443 section 3.1. A host that says so itself
/// speaks only for itself, as does a router that names the host (type 3 code 10).
pub(super) fn prohibits(answer: IcmpAnswer, asked: IpAddr) -> Option<String> {
    let from = answer.from.filter(|from| *from != asked)?;
    let forbids = if asked.is_ipv4() {
        answer.kind == 3 && [9, 13].contains(&answer.code)
    } else {
        answer.kind == 1 && [1, 5, 6].contains(&answer.code)
    };
    forbids.then(|| {
        format!("{from} answered for {asked}: administratively prohibited (ICMP {}/{})", answer.kind, answer.code)
    })
}

/// Whether connections can leave from this address: asked once before a run, so that a wrong one is told at once and not
/// host by host. Sends nothing.
///
/// # Errors
/// In words, when it is no address of this machine.
#[expect(clippy::disallowed_methods, reason = "a socket that is never connected")]
pub fn can_send_from(source: IpAddr) -> Result<(), String> {
    let domain = Domain::for_address(SocketAddr::new(source, 0));
    Socket::new(domain, Type::STREAM, None)
        .and_then(|socket| send_from(&socket, source))
        .map_err(|error| cannot_send(source, &error))
}

#[expect(clippy::disallowed_methods, reason = "the source of the one place that dials")]
fn send_from(socket: &Socket, source: IpAddr) -> io::Result<()> {
    // Without this option a bound source runs out of ports after some 30,000 connections.
    let _ = option::bind_address_no_port(socket.as_fd());
    socket.bind(&SocketAddr::new(source, 0).into())
}

fn cannot_send(source: IpAddr, error: &io::Error) -> String {
    format!("cannot send from {source}: {error}; is it an address of this machine?")
}

/// Sorts an error of connecting into the far side's answer and our own fault.
fn classify(error: &io::Error) -> NotDialled {
    use io::ErrorKind as K;
    let words = || Some(error.to_string());
    match error.kind() {
        K::ConnectionRefused => NotDialled::far(End::Refused),
        K::ConnectionReset | K::ConnectionAborted => NotDialled::far(End::Reset),
        K::TimedOut => NotDialled::far(End::ConnectTimedOut),
        K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown => NotDialled::with(End::Unreachable, words()),
        // IPv6's "administratively prohibited" arrives so too; where no ICMP came it is a rule of our own machine.
        K::PermissionDenied => NotDialled {
            prohibited: Some(format!("a rule or route of this machine forbids it ({error})")),
            ..NotDialled::with(End::Unreachable, words())
        },
        _ => {
            let shortage = error.raw_os_error().is_some_and(|errno| SHORTAGES.contains(&errno));
            NotDialled { shortage, ..NotDialled::with(End::Failed, words()) }
        }
    }
}

/// Errors that say that our own machine has no descriptor, port or memory left just now.
const SHORTAGES: [i32; 6] =
    [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM, libc::EADDRNOTAVAIL, libc::EAGAIN];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_of_our_own_means_never_counts_against_the_host() {
        for errno in [24, 23, 105, 99, 12] {
            // EMFILE, ENFILE, ENOBUFS, EADDRNOTAVAIL, ENOMEM
            let not = classify(&io::Error::from_raw_os_error(errno));
            assert!(not.end == End::Failed && not.shortage && not.prohibited.is_none(), "errno {errno}");
        }
        assert!(!classify(&io::Error::from_raw_os_error(libc::EINVAL)).shortage);
        assert_eq!(classify(&io::Error::from_raw_os_error(111)).end, End::Refused);
        assert_eq!(classify(&io::Error::from_raw_os_error(113)).end, End::Unreachable);
    }

    #[test]
    fn a_network_is_forbidden_by_a_router_and_not_by_a_hosts_own_firewall() {
        let (host, router) = (IpAddr::from([192, 0, 2, 9]), IpAddr::from([198, 51, 100, 1]));
        let said = |kind, code, from| prohibits(IcmpAnswer { kind, code, from }, host).is_some();
        assert!(said(3, 13, Some(router)) && said(3, 9, Some(router)));
        assert!(!said(3, 13, Some(host)), "its own word");
        assert!(!said(3, 10, Some(router)), "one host is meant");
        assert!(!said(3, 1, Some(router)), "nobody there");
        assert!(!said(3, 13, None), "nobody knows who");
        assert!(classify(&io::Error::from_raw_os_error(libc::EACCES)).prohibited.is_some());
        assert!(classify(&io::Error::from_raw_os_error(libc::EHOSTUNREACH)).prohibited.is_none());
    }
}
