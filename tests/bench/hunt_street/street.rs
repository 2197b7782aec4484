//! Who lives on the street, and the sockets they listen on. What a host plays follows from its number alone.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::speak::{Sshd, Stacks, key, leaf, read_record};

/// What a host of the street plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    /// The provider's: every habit.
    Provider,
    /// The provider's, and its first TLS connection is never answered.
    Lossy,
    /// The provider's behind another's TLS: only the SSH host key is the seed's.
    OnlyKey,
    /// The provider's behind another's TLS: only the algorithm lists are the seed's.
    OnlyLists,
    /// The provider's with another's SSH: only the TLS stack is the seed's.
    OnlyStack,
    /// The provider's with another's SSH and TLS: only the authority of the certificate is the seed's.
    OnlyAuthority,
    /// The provider's, and it offers nothing but the page.
    OnlyPage,
    /// A stranger with the provider's TLS stack.
    SameJarm,
    /// A stranger with the provider's `Server` header.
    SameServer,
    /// A stranger who takes his time; some answers come after everybody has given up.
    Late,
    /// Anybody else.
    Stranger,
}

impl Role {
    /// All, in the order of the table.
    pub(crate) const ALL: [Self; 11] = [
        Self::Provider,
        Self::Lossy,
        Self::OnlyKey,
        Self::OnlyLists,
        Self::OnlyStack,
        Self::OnlyAuthority,
        Self::OnlyPage,
        Self::SameJarm,
        Self::SameServer,
        Self::Late,
        Self::Stranger,
    ];

    /// True for those whose full capture agrees with the seed's look in a telling service.
    pub(crate) fn matches(self) -> bool {
        !matches!(self, Self::SameServer | Self::Late | Self::Stranger)
    }

    /// True for those who answer at once and differ.
    pub(crate) fn differs_at_once(self) -> bool {
        matches!(self, Self::SameServer | Self::Stranger)
    }

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Provider => "the provider's",
            Self::Lossy => "the provider's, first TLS connection lost",
            Self::OnlyKey => "the provider's, only the SSH host key",
            Self::OnlyLists => "the provider's, only the SSH lists",
            Self::OnlyStack => "the provider's, only the TLS stack",
            Self::OnlyAuthority => "the provider's, only the authority",
            Self::OnlyPage => "the provider's, only port 80",
            Self::SameJarm => "strangers with the seed's JARM",
            Self::SameServer => "strangers with the seed's Server",
            Self::Late => "strangers who answer late",
            Self::Stranger => "other strangers",
        }
    }
}

/// One host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resident {
    pub(crate) number: u32,
    pub(crate) role: Role,
    /// Whether it offers TLS, SSH and HTTP.
    pub(crate) offers: [bool; 3],
}

/// Stacks of strangers: one is the provider's but for the extensions, one speaks TLS 1.3 alone, one answers nobody who
/// names no name.
const STACKS: [&str; 12] = [
    "ng-default",
    "py-default",
    "ng-h2",
    "ap-h2",
    "ha-default",
    "lt-gnutls",
    "ng-old",
    "h2o-default",
    "jv-default",
    "hi-default",
    "ng-13only",
    "ha-strict",
];
const PROVIDERS: &str = "alpha-1";

impl Resident {
    /// Who lives at this number of a street on which one of `every` is the provider's, and of the rest one in fifty shares
    /// the seed's JARM, one in five its `Server`, one in twenty is late. Number 7 is the seed.
    pub(crate) fn new(number: u32, every: u32, all_ports: bool) -> Self {
        let rest = number - number / every;
        let role = match number % every {
            7 => match number / every % 16 {
                1 => Role::Lossy,
                2 => Role::OnlyKey,
                3 => Role::OnlyLists,
                4 => Role::OnlyStack,
                5 => Role::OnlyAuthority,
                6 => Role::OnlyPage,
                _ => Role::Provider,
            },
            _ if rest % 50 == 11 => Role::SameJarm,
            _ if rest % 5 == 3 => Role::SameServer,
            _ if rest % 20 == 14 => Role::Late,
            _ => Role::Stranger,
        };
        // 45 % offer both, 30 % only the web, 15 % SSH and a page, 10 % only the page.
        let offers = match (role, number.wrapping_mul(2_654_435_761) >> 16) {
            (Role::OnlyPage, _) => [false, false, true],
            (Role::Stranger | Role::SameServer | Role::Late, draw) if !all_ports => match draw % 20 {
                0..9 => [true, true, true],
                9..15 => [true, false, true],
                15..18 => [false, true, true],
                _ => [false, false, true],
            },
            _ => [true; 3],
        };
        Self { number, role, offers }
    }

    fn stack(&self) -> &'static str {
        use Role::{Lossy, OnlyStack, Provider, SameJarm};
        if matches!(self.role, Provider | Lossy | OnlyStack | SameJarm) {
            return PROVIDERS;
        }
        // Most servers are of a few kinds.
        let place = [0, 0, 0, 0, 1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11][self.number as usize / 3 % 17];
        STACKS[place]
    }

    fn sshd(&self) -> Sshd {
        use Role::{Lossy, OnlyKey, OnlyLists, Provider};
        let own_key = format!("host {}", self.number);
        let label = if matches!(self.role, Provider | Lossy | OnlyKey) { "the provider's image" } else { &own_key };
        if matches!(self.role, Provider | Lossy | OnlyLists) {
            let (banner, ciphers) = ("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3", "aes256-gcm@openssh.com");
            return Sshd { banner, ciphers, macs: "hmac-sha2-512-etm@openssh.com", key: key(label) };
        }
        let (banner, ciphers, macs) = [
            ("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3", "chacha20-poly1305@openssh.com,aes128-ctr", "hmac-sha2-256"),
            ("SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.10", "chacha20-poly1305@openssh.com,aes256-ctr", "hmac-sha1"),
            ("SSH-2.0-dropbear_2022.83", "aes128-ctr,aes256-ctr", "hmac-sha1,hmac-sha2-256"),
        ][self.number as usize / 2 % 3];
        Sshd { banner, ciphers, macs, key: key(label) }
    }

    fn authority(&self) -> &'static str {
        use Role::{Lossy, OnlyAuthority, OnlyStack, Provider};
        match self.role {
            Provider | Lossy | OnlyAuthority | OnlyStack => ["node CA G1", "node CA G2"][self.number as usize / 32 % 2],
            _ => "",
        }
    }

    fn page(&self) -> String {
        let body = format!("<html><title>{}</title><p>one two three four</html>", self.number % 9);
        let own = !matches!(self.role, Role::SameServer | Role::SameJarm | Role::Late | Role::Stranger);
        let head = match self.role {
            _ if own => "Server: own/2\r\nX-Own: 1\r\nContent-Type: text/html\r\n",
            Role::SameServer => "Server: own/2\r\nContent-Type: text/html\r\nX-Other: 1\r\n",
            _ if self.number.is_multiple_of(2) => "Server: nginx\r\nContent-Type: text/html\r\n",
            _ => "Content-Type: text/html\r\nServer: Apache\r\n",
        };
        format!("HTTP/1.1 200 OK\r\n{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    }

    /// How long the answer to this connection, counted from 1 for each service, is held back.
    fn holds(&self, service: usize, times: u32) -> Duration {
        match (self.role, self.number / 20 % 4) {
            (Role::Lossy, _) if service == 0 && times == 1 => Duration::from_mins(1),
            (Role::Late, 0) => Duration::from_millis(700),
            (Role::Late, 1) if times < 3 => Duration::from_millis(2500),
            // Past everybody's patience: some connections, or all of one service.
            (Role::Late, 2) if service < 2 && times % 16 == 1 => Duration::from_secs(30),
            (Role::Late, 3) if service == self.number as usize / 80 % 3 => Duration::from_secs(30),
            _ => Duration::ZERO,
        }
    }
}

/// Connections that stood, by host and service.
pub(crate) type Counts = HashMap<Ipv4Addr, [u32; 3]>;

/// The street while it is up.
pub(crate) struct Street {
    /// Of TLS, SSH and HTTP, the same for all.
    pub(crate) ports: [u16; 3],
    pub(crate) residents: BTreeMap<Ipv4Addr, Resident>,
    counts: Arc<Mutex<Counts>>,
    over: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Street {
    /// Brings `hosts` up from `first` on, one of `every` the provider's. Every service of every host listens on its own
    /// address, so what a host does not offer is refused. The ports are free ones.
    pub(crate) fn up(first: Ipv4Addr, hosts: u32, every: u32, all_ports: bool, golden: &Path) -> Self {
        let ports = [0; 3].map(|any| listen(first, any).local_addr().unwrap().port());
        let residents: BTreeMap<Ipv4Addr, Resident> = (0..hosts)
            .map(|number| (Ipv4Addr::from(u32::from(first) + number), Resident::new(number, every, all_ports)))
            .collect();
        let stacks = Arc::new(Stacks::read(golden));
        let counts = Arc::<Mutex<Counts>>::default();
        let mut listening = Vec::new();
        for (at, resident) in &residents {
            let house = Arc::new(House {
                at: *at,
                resident: *resident,
                sshd: resident.sshd(),
                leaf: leaf(*at, resident.authority()),
            });
            for service in (0..3).filter(|service| resident.offers[*service]) {
                listening.push((listen(*at, ports[service]), Arc::clone(&house), service));
            }
        }
        let (over, ended) = tokio::sync::oneshot::channel();
        let counted = Arc::clone(&counts);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                for (listener, house, service) in listening {
                    tokio::spawn(serve(listener, house, service, Arc::clone(&stacks), Arc::clone(&counted)));
                }
                let _ = ended.await;
            });
        });
        Self { ports, residents, counts, over: Some(over), thread: Some(thread) }
    }

    /// Connections since the last call.
    pub(crate) fn take_counts(&self) -> Counts {
        std::mem::take(&mut self.counts.lock().unwrap())
    }
}

impl Drop for Street {
    fn drop(&mut self) {
        self.over.take().map(|over| over.send(()));
        self.thread.take().map(std::thread::JoinHandle::join);
    }
}

/// A host as it is served.
struct House {
    at: Ipv4Addr,
    resident: Resident,
    sshd: Sshd,
    leaf: Vec<u8>,
}

fn listen(at: Ipv4Addr, port: u16) -> std::net::TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.set_nonblocking(true).unwrap();
    let at = SocketAddr::V4(SocketAddrV4::new(at, port));
    socket.bind(&at.into()).unwrap_or_else(|error| panic!("cannot listen at {at}: {error}"));
    socket.listen(16).unwrap();
    socket.into()
}

async fn serve(
    listener: std::net::TcpListener,
    house: Arc<House>,
    service: usize,
    stacks: Arc<Stacks>,
    counts: Arc<Mutex<Counts>>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    while let Ok((mut stream, _)) = listener.accept().await {
        let times = {
            let mut counts = counts.lock().unwrap();
            let count = &mut counts.entry(house.at).or_default()[service];
            *count += 1;
            *count
        };
        let (house, stacks) = (Arc::clone(&house), Arc::clone(&stacks));
        tokio::spawn(async move {
            // Nobody to tell when a client has left.
            let _ = house.talk(&mut stream, service, times, &stacks).await;
        });
    }
}

impl House {
    async fn talk(&self, stream: &mut TcpStream, service: usize, times: u32, stacks: &Stacks) -> std::io::Result<()> {
        let hold = self.resident.holds(service, times);
        if !hold.is_zero() {
            tokio::time::sleep(hold).await;
        }
        match service {
            0 => {
                let client = read_record(stream).await?;
                stream.write_all(&stacks.answer(self.resident.stack(), &client, &self.leaf)).await?;
            }
            1 => self.sshd.talk(stream).await?,
            _ => {
                let mut heard = vec![0; 4096];
                if stream.read(&mut heard).await? > 0 {
                    stream.write_all(self.resident.page().as_bytes()).await?;
                }
            }
        }
        stream.shutdown().await
    }
}
