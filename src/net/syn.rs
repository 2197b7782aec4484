//! SYNs without connections: the raw side of the door.
//!
//! A [`SynLine`] sends hand-written SYNs from this machine's own address and hears what comes back; the kernel knows
//! nothing of them and resets each SYN-ACK, so that nobody is left with a half-open connection. [`Door::knock`] is the
//! one way to send one: it asks the scope for a permit and the limits for a turn, and tells the witness, for every single
//! SYN, as a connection does.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Door;
use super::dial::prohibits;
use super::frame::{self, Answer, Link, Reply, Template};
use super::limits::Wait;
use super::option::IcmpAnswer;
use super::raw::{self, Receiver, Sender};
use super::routes::{Routes, free_ports, neighbour};
use crate::clock::Timestamp;
use crate::observation::Speech;
use crate::scope::Permit;

/// Source ports in use: the low byte of a cookie chooses one.
pub const SOURCE_PORTS: u16 = 256;

/// How long the kernel may take to learn a gateway's hardware address from a connection made for that.
const LEARN: Duration = Duration::from_millis(1_500);
/// How often such a connection is tried before a route is left to the kernel.
const LEARN_TRIES: u32 = 3;
/// How often the neighbour table is read while waiting, and afterwards, should a gateway have been replaced.
const LOOK: Duration = Duration::from_millis(20);
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Why SYNs cannot be sent from here; connections can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoLine(pub String);

/// What became of one SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knock {
    /// It is on its way, at the latest with the next [`Door::flush`].
    Sent,
    /// It is not its turn; ask again after that.
    NotYet(Wait),
    /// The scope holds everything back for now.
    Held,
    /// The next hop is being looked up; ask again soon.
    Learning,
    /// No SYN can be sent there: a connection has to find out.
    NoWay,
    /// The scope does not permit it, the network said no, or the host has had all it may get.
    Refused,
}

/// Where a route's packets go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Not looked at yet.
    Unknown,
    /// A connection was made so that the kernel asks for the gateway's hardware address.
    Learning { tries: u32, until: Duration, next_look: Duration },
    /// Whole frames by this sender.
    Framed { sender: usize, source: Ipv4Addr, link: Link, next_look: Duration, template: Template },
    /// The kernel routes.
    Routed { template: Template },
    /// Left to connections.
    None,
}

impl Way {
    fn framed(sender: usize, source: Ipv4Addr, link: Link, now: Duration) -> Self {
        let template = Template::new(link, source);
        Self::Framed { sender, source, link, next_look: now + LOOK_AGAIN, template }
    }
}

/// Where one SYN goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Out {
    /// To this machine itself.
    Local,
    /// By the way of the route of this number.
    Route(usize),
}

/// Sends SYNs and hears their answers. Needs `CAP_NET_RAW`.
#[derive(Debug)]
pub struct SynLine {
    routes: Routes,
    ways: Vec<Way>,
    source: Option<Ipv4Addr>,
    first_port: u16,
    routed: Sender,
    /// One for each interface, with its number.
    framed: Vec<(i32, Sender)>,
    receiver: Receiver,
    /// The last way found: a host has several ports.
    last: Option<(Ipv4Addr, Duration, Out)>,
    /// SYNs taken in since the last flush.
    taken: u64,
}

impl SynLine {
    /// A line that sends from `source`, or from the address the kernel would choose.
    ///
    /// # Errors
    /// Why SYNs cannot be sent from here.
    pub fn open(source: Option<IpAddr>) -> Result<Self, NoLine> {
        let source = match source {
            Some(IpAddr::V6(_)) => return Err(NoLine("SYNs are sent over IPv4 only".to_owned())),
            Some(IpAddr::V4(source)) => Some(source),
            None => None,
        };
        let read =
            |path: &str| fs::read_to_string(path).map_err(|error| NoLine(format!("cannot read {path}: {error}")));
        let routes = Routes::parse(&read("/proc/net/route")?, &read("/proc/net/fib_trie")?).map_err(NoLine)?;
        if let Some(source) = source.filter(|source| !routes.is_local(*source)) {
            return Err(NoLine(format!("{source} is no address of this machine")));
        }
        let range = read("/proc/sys/net/ipv4/ip_local_port_range")?;
        let first_port = free_ports(&range, SOURCE_PORTS)
            .ok_or_else(|| NoLine(format!("ip_local_port_range ({}) leaves no ports free", range.trim())))?;
        let raw = |error: io::Error| match error.kind() {
            io::ErrorKind::PermissionDenied => NoLine("raw sockets need CAP_NET_RAW".to_owned()),
            _ => NoLine(format!("cannot open a raw socket: {error}")),
        };
        let routed = Sender::routed().map_err(raw)?;
        let last_port = first_port.saturating_add(SOURCE_PORTS - 1);
        let receiver = Receiver::open(&frame::filter(first_port, last_port)).map_err(raw)?;
        let ways = vec![Way::Unknown; routes.len()];
        Ok(Self { routes, ways, source, first_port, routed, framed: Vec::new(), receiver, last: None, taken: 0 })
    }

    /// The first of the source ports.
    #[must_use]
    pub fn first_port(&self) -> u16 {
        self.first_port
    }

    /// Sends all that waits to be sent.
    ///
    /// # Errors
    /// When it cannot go out: our own fault, which says nothing about the far side.
    fn flush(&mut self) -> io::Result<()> {
        self.routed.flush()?;
        self.framed.iter_mut().try_for_each(|(_, sender)| sender.flush())
    }

    /// Whom this machine would send no SYN to since this was last asked: a connection tells why.
    pub fn unsendable(&mut self) -> Vec<SocketAddrV4> {
        self.routed.unsendable()
    }

    /// Hands over the answers that are there by now, up to some thousands. False when more wait.
    ///
    /// # Errors
    /// When the socket fails.
    pub fn hear(&mut self, mut each: impl FnMut(Answer)) -> io::Result<bool> {
        for _ in 0..64 {
            let got = self.receiver.receive(|packet| frame::answer(packet).into_iter().for_each(&mut each))?;
            if got < raw::BATCH {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits for an answer, at most this long.
    pub fn wait(&self, most: Duration) {
        self.receiver.wait(most);
    }

    /// Answers lost so far because they came faster than they were taken: hosts that may have been missed.
    pub fn lost(&mut self) -> u64 {
        self.receiver.lost()
    }

    /// A way for one SYN, found once for each route. The first try of a gateway nobody has spoken to yet gives `NoWay`:
    /// the connection that is made instead lets the kernel ask for the gateway's hardware address.
    fn out(&mut self, to: Ipv4Addr, now: Duration) -> Result<Out, Knock> {
        if let Some((_, _, out)) = self.last.filter(|(last, then, _)| (*last, *then) == (to, now)) {
            return Ok(out);
        }
        let out = if self.routes.is_local(to) {
            Out::Local
        } else {
            let number = self.routes.find(to).ok_or(Knock::NoWay)?;
            match self.ways.get(number) {
                Some(Way::Framed { next_look, .. }) if now < *next_look => {}
                Some(Way::Routed { .. }) => {}
                _ => self.look(number, to, now)?,
            }
            Out::Route(number)
        };
        self.last = Some((to, now, out));
        Ok(out)
    }

    /// Looks for a route's way, or whether it is still the same.
    fn look(&mut self, number: usize, to: Ipv4Addr, now: Duration) -> Result<(), Knock> {
        let before = self.ways.get(number).copied().unwrap_or(Way::None);
        let way = match before {
            Way::Unknown => self.first_look(number, to, now),
            Way::Learning { next_look, .. } | Way::Framed { next_look, .. } if now >= next_look => {
                self.look_again(number, before, to, now)
            }
            same => same,
        };
        if let Some(place) = self.ways.get_mut(number) {
            *place = way;
        }
        match (way, before) {
            (Way::Learning { tries, .. }, Way::Learning { tries: same, .. }) if same == tries => Err(Knock::Learning),
            (Way::None | Way::Unknown | Way::Learning { .. }, _) => Err(Knock::NoWay),
            (Way::Framed { .. } | Way::Routed { .. }, _) => Ok(()),
        }
    }

    fn first_look(&mut self, number: usize, to: Ipv4Addr, now: Duration) -> Way {
        let Some(route) = self.routes.get(number) else { return Way::None };
        if route.interface.is_empty() {
            return Way::None;
        }
        let Ok(interface) = raw::interface(&route.interface) else { return Way::None };
        let Ok(source) = self.source.map_or_else(|| raw::source_towards(to), Ok) else { return Way::None };
        if interface.hardware.is_none() {
            return Way::Routed { template: Template::new(Link::default(), source) };
        }
        // Everybody on the wire itself has a hardware address of his own: the kernel's business.
        if route.gateway.is_none() {
            return Way::None;
        }
        let start = Way::Learning { tries: 0, until: now, next_look: now };
        self.look_again(number, start, to, now)
    }

    /// Reads the neighbour table for a route's gateway.
    fn look_again(&mut self, number: usize, known: Way, to: Ipv4Addr, now: Duration) -> Way {
        let Some((name, gateway)) =
            self.routes.get(number).and_then(|route| Some((route.interface.as_str(), route.gateway?)))
        else {
            return Way::None;
        };
        let arp = fs::read_to_string("/proc/net/arp").unwrap_or_default();
        let found = neighbour(&arp, gateway, name);
        match (known, found) {
            (Way::Framed { sender, source, link, .. }, found) => {
                let link = Link { next: found.unwrap_or(link.next), ..link };
                Way::framed(sender, source, link, now)
            }
            (_, Some(next)) => {
                let Ok(source) = self.source.map_or_else(|| raw::source_towards(to), Ok) else { return Way::None };
                let Ok(raw::Interface { index, hardware: Some(ours) }) = raw::interface(name) else { return Way::None };
                let Some(sender) = self.sender(index) else { return Way::None };
                Way::framed(sender, source, Link { ours, next }, now)
            }
            (Way::Learning { tries, until, .. }, None) if now < until => {
                Way::Learning { tries, until, next_look: now + LOOK }
            }
            (Way::Learning { tries, .. }, None) if tries < LEARN_TRIES => {
                Way::Learning { tries: tries + 1, until: now + LEARN, next_look: now }
            }
            _ => Way::None,
        }
    }

    fn sender(&mut self, interface: i32) -> Option<usize> {
        if let Some(known) = self.framed.iter().position(|(index, _)| *index == interface) {
            return Some(known);
        }
        self.framed.push((interface, Sender::framed(interface).ok()?));
        self.framed.len().checked_sub(1)
    }

    /// Puts one SYN into its batch, and uses its permit up.
    fn push(&mut self, permit: Permit, out: Out, our_port: u16, sequence: u32) -> io::Result<()> {
        let SocketAddr::V4(to) = permit.spend() else { return Ok(()) };
        self.taken += 1;
        let number = match out {
            Out::Local => {
                // A packet to oneself must not claim to come from elsewhere.
                let own = self.source.filter(|source| self.routes.is_local(*source)).unwrap_or(*to.ip());
                return self.routed.push(&Template::new(Link::default(), own), our_port, to, sequence);
            }
            Out::Route(number) => number,
        };
        match self.ways.get(number) {
            Some(Way::Framed { sender, template, .. }) => match self.framed.get_mut(*sender) {
                Some((_, sender)) => sender.push(template, our_port, to, sequence),
                None => Ok(()),
            },
            Some(Way::Routed { template }) => self.routed.push(template, our_port, to, sequence),
            _ => Ok(()),
        }
    }
}

impl Door {
    /// Sends one SYN to `to`, if there is a way, the scope permits it now and it is its turn. Never waits. `now` is the
    /// present, or at most some milliseconds ago.
    ///
    /// # Errors
    /// When the line fails: our own fault.
    pub fn knock(
        &self,
        line: &mut SynLine,
        to: SocketAddrV4,
        speech: Speech,
        our_port: u16,
        sequence: u32,
        now: (Timestamp, Duration),
    ) -> io::Result<Knock> {
        let out = match line.out(*to.ip(), now.1) {
            Ok(out) => out,
            Err(knock) => return Ok(knock),
        };
        let to = SocketAddr::V4(to);
        let permit = match self.scope.admit(to, speech, now.0) {
            Ok(permit) => permit,
            Err(refusal) if refusal.is_passing() => {
                self.say_held(&refusal);
                return Ok(Knock::Held);
            }
            Err(refusal) => {
                // The scope has ended: nobody is asked any more, and nobody is done with for that.
                let _ = self.refused(refusal);
                return Ok(if self.is_over() { Knock::Held } else { Knock::Refused });
            }
        };
        if self.back_off().is_stopped(to.ip()) {
            self.back_off().withhold();
            return Ok(Knock::Refused);
        }
        match self.limiter.step_in(to.ip(), self.scope.origin(to.ip())) {
            Err(Wait::Exhausted) => return Ok(Knock::Refused),
            Err(wait) => return Ok(Knock::NotYet(wait)),
            Ok(()) => {}
        }
        if let Some(witness) = &self.witness {
            witness(to);
        }
        line.push(permit, out, our_port, sequence)?;
        Ok(Knock::Sent)
    }

    /// Sends all SYNs of `line` that wait to be sent.
    ///
    /// # Errors
    /// As [`Door::knock`].
    pub fn flush(&self, line: &mut SynLine) -> io::Result<()> {
        self.traffic.syns.fetch_add(std::mem::take(&mut line.taken), Ordering::Relaxed);
        line.flush()
    }

    /// Takes note of an answer that forbids to ask its network.
    pub fn heed_answer(&self, answer: &Answer) {
        let Reply::Unreachable(from, code) = answer.reply else { return };
        let asked = IpAddr::V4(*answer.service.ip());
        let said = IcmpAnswer { from: Some(IpAddr::V4(from)), kind: 3, code };
        if let Some(why) = prohibits(said, asked) {
            self.back_off().stop(asked, &why, self.clock.as_ref());
        }
    }
}
