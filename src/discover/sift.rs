//! What was asked and what came back: the pure half of SYN discovery.
//!
//! Hosts come in by index and leave by index: as soon as all their ports have answered, or when the cool-down after
//! their last SYN is over. Between that a host is a few bytes in a window. Nothing here sends; [`Sift::turn`] is handed
//! whatever sends.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use super::cookie::Cookies;
use super::kind::Kind;
use super::parked::{From, Parked};
use crate::net::{Answer, Knock, Reply, Wait};
use crate::observation::{Presence, Presences, Speech};
use crate::target::Spot;

/// SYNs taken in ahead of sending them.
const MOST_FRESH: usize = 512;
/// SYNs that may wait for their network's or host's turn; beyond, no more hosts are taken in.
const MOST_PARKED: usize = 65_536;

/// When a silent port is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long after its last SYN a host may answer.
    pub cool_down: Duration,
    /// How often a silent port is asked again, a cool-down after the last time.
    pub repeats: u8,
}

/// One SYN to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Job {
    /// The host's index.
    pub index: u64,
    /// The port's place among the host's distinct ports.
    pub place: u8,
    /// Where to.
    pub to: SocketAddrV4,
    /// On whose behalf.
    pub speech: Speech,
}

/// A host that is done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sifted {
    /// Its index.
    pub index: u64,
    /// A connection has to find out about something, or something answered.
    pub for_workers: bool,
    /// Its address; unspecified for an IPv6 host, which is always for the workers.
    pub address: Ipv4Addr,
    /// What was seen of each of its services.
    pub services: Presences,
}

/// Figures for the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Answers that settled a port.
    pub answers: u64,
    /// Further answers of settled ports.
    pub duplicates: u64,
    /// Answers with a wrong cookie, or of nobody who was asked.
    pub strange: u64,
    /// Answers of hosts that had been given up.
    pub late: u64,
}

/// One host between its first SYN and its end.
#[derive(Clone, Copy, Debug)]
struct Slot {
    ports: Presences,
    address: Ipv4Addr,
    kind: u32,
    /// SYNs not sent yet.
    unsent: u8,
    repeats: u8,
    for_workers: bool,
    done: bool,
}

impl Slot {
    /// Nobody: an index that was left out.
    const NOBODY: Self = Self {
        ports: Presences::NONE,
        address: Ipv4Addr::UNSPECIFIED,
        kind: 0,
        unsent: 0,
        repeats: 0,
        for_workers: false,
        done: true,
    };

    fn has(&self, presence: Presence) -> bool {
        self.ports.count(presence) > 0
    }
}

/// Hosts under way.
#[derive(Debug)]
pub struct Sift {
    cookies: Cookies,
    patience: Patience,
    kinds: Vec<Kind>,
    /// The index of the first slot.
    base: u64,
    slots: VecDeque<Slot>,
    open: usize,
    fresh: VecDeque<Job>,
    parked: Parked,
    /// When a host's cool-down is over, in order.
    cooling: VecDeque<(Duration, u64)>,
    finished: VecDeque<Sifted>,
    figures: Figures,
}

impl Sift {
    /// Nobody under way. Hosts are of these kinds, by number.
    #[must_use]
    pub fn new(cookies: Cookies, patience: Patience, kinds: Vec<Kind>) -> Self {
        Self {
            cookies,
            patience,
            kinds,
            base: 0,
            slots: VecDeque::new(),
            open: 0,
            fresh: VecDeque::new(),
            parked: Parked::default(),
            cooling: VecDeque::new(),
            finished: VecDeque::new(),
            figures: Figures::default(),
        }
    }

    /// True when more hosts should be taken in.
    #[must_use]
    pub fn is_hungry(&self) -> bool {
        self.fresh.len() < MOST_FRESH && self.parked.len() < MOST_PARKED
    }

    /// True when nobody is under way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open == 0 && self.finished.is_empty()
    }

    /// Hosts under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open
    }

    /// True when SYNs wait to be sent, now or later.
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        !self.fresh.is_empty() || self.parked.len() > 0
    }

    /// Figures so far.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.figures
    }

    /// Takes a host in. Indices ascend; some may be left out.
    pub fn take_in(&mut self, index: u64, spot: Spot) {
        if self.slots.is_empty() {
            self.base = index;
        }
        while self.base.saturating_add(self.slots.len() as u64) < index {
            self.slots.push_back(Slot::NOBODY);
        }
        let mut slot = Slot { kind: spot.kind, repeats: self.patience.repeats, done: false, ..Slot::NOBODY };
        match (spot.address, self.kinds.get(at(spot.kind))) {
            (IpAddr::V4(address), Some(kind)) if !kind.is_left() => {
                slot.address = address;
                for (place, (port, speech)) in (0u8..).zip(kind.ports()) {
                    self.fresh.push_back(Job { index, place, to: SocketAddrV4::new(address, *port), speech: *speech });
                    slot.unsent += 1;
                }
            }
            _ => slot.for_workers = true,
        }
        self.slots.push_back(slot);
        self.open += 1;
        if slot.unsent == 0 {
            self.finish(index);
        }
    }

    /// Sends what may be sent now, by `knock`, at most `most` SYNs. Returns whether there may be more at once.
    ///
    /// # Errors
    /// Those of `knock`.
    pub fn turn<E>(
        &mut self,
        now: Duration,
        most: usize,
        mut knock: impl FnMut(&Job, u16, u32) -> Result<Knock, E>,
    ) -> Result<bool, E> {
        for _ in 0..most {
            let (job, from) = match self.parked.take(now) {
                Some((job, from)) => (job, Some(from)),
                None if self.parked.len() >= MOST_PARKED => return Ok(false),
                None => match self.fresh.pop_front() {
                    Some(job) if self.parked.joins(job) => continue,
                    Some(job) => (job, None),
                    None => return Ok(false),
                },
            };
            let (our_port, sequence) = self.cookies.of(job.to);
            // Where one port of a host found no way, the host waits for its connection: further tries would only use up
            // the patience for the gateway.
            let left_to_workers = self.slot(job.index).is_some_and(|slot| slot.for_workers);
            let knocked = if left_to_workers { Knock::NoWay } else { knock(&job, our_port, sequence)? };
            match knocked {
                Knock::Sent => self.went(&job, now, true),
                Knock::Refused => self.went(&job, now, false),
                Knock::NoWay => {
                    if let Some(slot) = self.slot(job.index) {
                        slot.for_workers = true;
                    }
                    self.went(&job, now, false);
                }
                Knock::NotYet(Wait::Network(time)) => {
                    self.parked.for_network(job, from, now + time);
                    continue;
                }
                Knock::NotYet(Wait::Host(time)) => {
                    self.parked.for_host(job, from, now, now + time);
                    continue;
                }
                Knock::NotYet(Wait::Run | Wait::Exhausted) | Knock::Held | Knock::Learning => {
                    match from {
                        None => self.fresh.push_front(job),
                        Some(From::Network(_)) => self.parked.for_network(job, from, now),
                        Some(From::Host(_)) => self.parked.for_host(job, None, now, now),
                    }
                    return Ok(false);
                }
            }
            if let Some(from) = from {
                self.parked.sent(from, now);
            }
        }
        Ok(true)
    }

    /// A job was dealt with: its SYN sent, or not to be sent.
    fn went(&mut self, job: &Job, now: Duration, sent: bool) {
        let until = now + self.patience.cool_down;
        let Some(slot) = self.slot(job.index) else { return };
        slot.unsent = slot.unsent.saturating_sub(1);
        if sent && slot.ports.get(job.place.into()) == Presence::Unasked {
            slot.ports.set(job.place.into(), Presence::Silent);
        }
        if slot.unsent > 0 {
            return;
        }
        if slot.has(Presence::Silent) {
            self.cooling.push_back((until, job.index));
        } else {
            // No further answer can change anything.
            self.finish(job.index);
        }
    }

    /// No SYN went out to this service: its host is left to connections, which tell why.
    pub fn unsendable(&mut self, to: SocketAddrV4, index_of: impl FnOnce(IpAddr) -> Option<(u64, u32)>) {
        let found = index_of(IpAddr::V4(*to.ip()))
            .and_then(|(index, kind)| Some((index, self.kinds.get(at(kind))?.place(to.port())?)));
        if let Some((index, place)) = found
            && let Some(slot) = self.slot(index)
        {
            slot.for_workers = true;
            slot.ports.set(place, Presence::Unasked);
        }
    }

    /// Takes one answer. `index_of` says which host an address is, and of which kind. False when it answers no SYN of
    /// ours.
    pub fn hear(&mut self, answer: Answer, index_of: impl FnOnce(IpAddr) -> Option<(u64, u32)>) -> bool {
        let ours = self.cookies.of(answer.service) == (answer.our_port, answer.sequence);
        if ours {
            self.settle(answer, index_of);
        } else {
            self.figures.strange += 1;
        }
        ours
    }

    fn settle(&mut self, answer: Answer, index_of: impl FnOnce(IpAddr) -> Option<(u64, u32)>) {
        let found = index_of(IpAddr::V4(*answer.service.ip()))
            .and_then(|(index, kind)| Some((index, self.kinds.get(at(kind))?.place(answer.service.port())?)));
        let Some((index, place)) = found else {
            self.figures.strange += 1;
            return;
        };
        let Some(slot) = self.slot(index) else {
            self.figures.late += 1;
            return;
        };
        let seen = if answer.reply == Reply::Open { Presence::Heard } else { Presence::Refused };
        match slot.ports.get(place) {
            Presence::Silent => {}
            Presence::Refused if seen == Presence::Heard => {}
            Presence::Refused | Presence::Heard => {
                self.figures.duplicates += 1;
                return;
            }
            Presence::Unasked => {
                self.figures.strange += 1;
                return;
            }
        }
        slot.ports.set(place, seen);
        let settled = slot.unsent == 0 && !slot.has(Presence::Silent);
        self.figures.answers += 1;
        if settled {
            self.finish(index);
        }
    }

    /// Ends the patience with hosts whose cool-down is over at `now`, or asks their silent ports once more. Every answer
    /// that had come by then must have been heard.
    pub fn cool(&mut self, now: Duration) {
        while let Some((_, index)) = self.cooling.front().copied().filter(|(until, _)| *until <= now) {
            self.cooling.pop_front();
            let Some(slot) = slot_at(&mut self.slots, self.base, index) else { continue };
            let kind = self.kinds.get(at(slot.kind)).filter(|_| slot.repeats > 0 && slot.has(Presence::Silent));
            let Some(kind) = kind else {
                self.finish(index);
                continue;
            };
            slot.repeats -= 1;
            for (place, (port, speech)) in (0u8..).zip(kind.ports()) {
                if slot.ports.get(place.into()) == Presence::Silent {
                    slot.unsent += 1;
                    let to = SocketAddrV4::new(slot.address, *port);
                    self.fresh.push_back(Job { index, place, to, speech: *speech });
                }
            }
        }
    }

    /// The next host that is done with.
    pub fn pop(&mut self) -> Option<Sifted> {
        self.finished.pop_front()
    }

    /// When something is to do again, should nothing come in before.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        let cooled = self.cooling.front().map(|(until, _)| *until);
        [cooled, self.parked.next()].into_iter().flatten().min()
    }

    fn slot(&mut self, index: u64) -> Option<&mut Slot> {
        slot_at(&mut self.slots, self.base, index)
    }

    fn finish(&mut self, index: u64) {
        let Some(slot) = slot_at(&mut self.slots, self.base, index) else { return };
        slot.done = true;
        let for_workers = slot.for_workers || slot.has(Presence::Heard);
        let services = self.kinds.get(at(slot.kind)).map_or(Presences::NONE, |kind| kind.services(slot.ports));
        self.finished.push_back(Sifted { index, for_workers, address: slot.address, services });
        self.open -= 1;
        while self.slots.front().is_some_and(|slot| slot.done) {
            self.slots.pop_front();
            self.base += 1;
        }
    }
}

/// The slot of a host that is under way.
fn slot_at(slots: &mut VecDeque<Slot>, base: u64, index: u64) -> Option<&mut Slot> {
    let place = usize::try_from(index.checked_sub(base)?).ok()?;
    slots.get_mut(place).filter(|slot| !slot.done)
}

fn at(kind: u32) -> usize {
    usize::try_from(kind).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
