//! The one place that opens a connection.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};

use super::option;
use crate::observation::End;
use crate::scope::Permit;

/// Why no connection came about.
#[derive(Debug)]
pub struct NotDialled {
    /// As an end of the connection.
    pub end: End,
    /// Words for our own faults.
    pub note: Option<String>,
}

impl NotDialled {
    fn far(end: End) -> Self {
        Self { end, note: None }
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
    let socket = match to {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }
    .map_err(|error| classify(&error))?;
    // Small buffers bound what an endless sender can park in the kernel.
    let _ = socket.set_recv_buffer_size(64 * 1024);
    let _ = socket.set_nodelay(true);
    // One repeated SYN covers a lost packet; more would only be noise at a dead address.
    let _ = option::syn_retries(socket.as_fd(), 1);
    if let Some(source) = source {
        let failed = |error| NotDialled { end: End::Failed, note: Some(cannot_send(source, &error)) };
        send_from(&socket, source).map_err(failed)?;
    }
    let stream = match tokio::time::timeout(within, socket.connect(to)).await {
        Err(_) => return Err(NotDialled::far(End::ConnectTimedOut)),
        Ok(Err(error)) => return Err(classify(&error)),
        Ok(Ok(stream)) => stream,
    };
    // A connect to a free port of this machine's own ephemeral range can meet itself (simultaneous open): nobody is there.
    if stream.local_addr().ok() == stream.peer_addr().ok() {
        return Err(NotDialled::far(End::Refused));
    }
    Ok(stream)
}

/// Whether connections can leave from this address: asked once before a run, so that a wrong one is told at once and not
/// host by host. Sends nothing.
///
/// # Errors
/// In words, when it is no address of this machine.
pub fn can_send_from(source: IpAddr) -> Result<(), String> {
    let socket = if source.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
    socket.and_then(|socket| send_from(&socket, source)).map_err(|error| cannot_send(source, &error))
}

#[expect(clippy::disallowed_methods, reason = "the source of the one place that dials")]
fn send_from(socket: &TcpSocket, source: IpAddr) -> io::Result<()> {
    // Without this option a bound source runs out of ports after some 30,000 connections.
    let _ = option::bind_address_no_port(socket.as_fd());
    socket.bind(SocketAddr::new(source, 0))
}

fn cannot_send(source: IpAddr, error: &io::Error) -> String {
    format!("cannot send from {source}: {error}; is it an address of this machine?")
}

/// Sorts an error of connecting into the far side's answer and our own fault.
fn classify(error: &io::Error) -> NotDialled {
    use io::ErrorKind as K;
    match error.kind() {
        K::ConnectionRefused => NotDialled::far(End::Refused),
        K::ConnectionReset | K::ConnectionAborted => NotDialled::far(End::Reset),
        K::TimedOut => NotDialled::far(End::ConnectTimedOut),
        K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown | K::PermissionDenied => {
            NotDialled { end: End::Unreachable, note: Some(error.to_string()) }
        }
        _ => NotDialled { end: End::Failed, note: Some(error.to_string()) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_out_of_our_own_means_never_counts_against_the_host() {
        for errno in [24, 23, 105, 99, 12] {
            // EMFILE, ENFILE, ENOBUFS, EADDRNOTAVAIL, ENOMEM
            assert_eq!(classify(&io::Error::from_raw_os_error(errno)).end, End::Failed, "errno {errno}");
        }
        assert_eq!(classify(&io::Error::from_raw_os_error(111)).end, End::Refused);
        assert_eq!(classify(&io::Error::from_raw_os_error(113)).end, End::Unreachable);
    }
}
