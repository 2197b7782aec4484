//! What was asked and what came back: the pure half of SYN discovery.
//!
//! Hosts come in by index and leave by index: as soon as all their ports have answered, or when the cool-down after
//! their last SYN is over. Between that a host is a few bytes in a window. Nothing here sends; [`Sift::turn`] is handed
//! whatever sends.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddrV4};
use std::time::Duration;

use super::cookie::Cookies;
use super::parked::{From, Parked};
use crate::net::{Answer, Knock, Reply, Wait};
use crate::observation::{Presence, Service, Speech};
use crate::target::Host;

/// Ports of one host that a slot can keep; hosts with more services are left to connections.
const MOST_PORTS: usize = 32;
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
    ports: u64,
}

impl Sifted {
    /// What was seen of each of the host's services.
    #[must_use]
    pub fn presences(&self, host: &Host, wanted: &[Speech]) -> Vec<Presence> {
        let ports: Vec<u16> = ports(host, wanted).map(|(port, _)| port).collect();
        let seen = |service: &Service| {
            if !wanted.contains(&service.speech) {
                return Presence::Unasked;
            }
            let place = ports.iter().position(|port| *port == service.port);
            place.filter(|place| *place < MOST_PORTS).map_or(Presence::Unasked, |place| get(self.ports, place))
        };
        host.services.iter().map(seen).collect()
    }
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
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Two bits a port.
    ports: u64,
    count: u8,
    /// SYNs not sent yet.
    unsent: u8,
    repeats: u8,
    for_workers: bool,
    done: bool,
}

/// Hosts under way.
#[derive(Debug)]
pub struct Sift {
    cookies: Cookies,
    patience: Patience,
    wanted: Vec<Speech>,
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
    /// Nobody under way. `wanted` are the kinds of services to ask.
    #[must_use]
    pub fn new(cookies: Cookies, patience: Patience, wanted: Vec<Speech>) -> Self {
        Self {
            cookies,
            patience,
            wanted,
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
        self.fresh.len() < 256 && self.parked.len() < MOST_PARKED
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
    pub fn take_in(&mut self, index: u64, host: &Host) {
        if self.slots.is_empty() {
            self.base = index;
        }
        while self.base.saturating_add(self.slots.len() as u64) < index {
            self.slots.push_back(Slot { done: true, ..Slot::default() });
        }
        let mut slot = Slot { repeats: self.patience.repeats, ..Slot::default() };
        match host.address {
            IpAddr::V4(address) if host.services.len() <= MOST_PORTS => {
                for (place, (port, speech)) in (0u8..).zip(ports(host, &self.wanted)) {
                    self.fresh.push_back(Job { index, place, to: SocketAddrV4::new(address, port), speech });
                    slot.count += 1;
                }
                slot.unsent = slot.count;
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
            match knock(&job, our_port, sequence)? {
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
        if sent && get(slot.ports, job.place.into()) == Presence::Unasked {
            set(&mut slot.ports, job.place.into(), Presence::Silent);
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

    /// Takes one answer. `index_of` says which host an address is. False when it answers no SYN of ours.
    pub fn hear(&mut self, answer: Answer, index_of: impl FnOnce(IpAddr) -> Option<(u64, Host)>) -> bool {
        let ours = self.cookies.of(answer.service) == (answer.our_port, answer.sequence);
        if ours {
            self.settle(answer, index_of);
        } else {
            self.figures.strange += 1;
        }
        ours
    }

    fn settle(&mut self, answer: Answer, index_of: impl FnOnce(IpAddr) -> Option<(u64, Host)>) {
        let found = index_of(IpAddr::V4(*answer.service.ip())).and_then(|(index, host)| {
            let place = ports(&host, &self.wanted).position(|(port, _)| port == answer.service.port())?;
            Some((index, place))
        });
        let Some((index, place)) = found else {
            self.figures.strange += 1;
            return;
        };
        let Some(slot) = self.slot(index) else {
            self.figures.late += 1;
            return;
        };
        let seen = if answer.reply == Reply::Open { Presence::Heard } else { Presence::Refused };
        match get(slot.ports, place) {
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
        set(&mut slot.ports, place, seen);
        let settled = slot.unsent == 0 && !slot.has(Presence::Silent);
        self.figures.answers += 1;
        if settled {
            self.finish(index);
        }
    }

    /// Ends the patience with hosts whose cool-down is over at `now`. Every answer that had come by then must have been
    /// heard. `host_at` gives the host at an index, for those that are asked once more.
    pub fn cool(&mut self, now: Duration, host_at: impl Fn(u64) -> Option<Host>) {
        while let Some((_, index)) = self.cooling.front().copied().filter(|(until, _)| *until <= now) {
            self.cooling.pop_front();
            let wanted = &self.wanted;
            let Some(slot) = slot_at(&mut self.slots, self.base, index) else { continue };
            let again = (slot.repeats > 0 && slot.has(Presence::Silent)).then(|| host_at(index)).flatten();
            let Some(host) = again else {
                self.finish(index);
                continue;
            };
            slot.repeats -= 1;
            let IpAddr::V4(address) = host.address else { continue };
            for (place, (port, speech)) in (0u8..).zip(ports(&host, wanted)) {
                if get(slot.ports, place.into()) == Presence::Silent {
                    slot.unsent += 1;
                    self.fresh.push_back(Job { index, place, to: SocketAddrV4::new(address, port), speech });
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
        let Some(slot) = self.slot(index) else { return };
        slot.done = true;
        let for_workers = slot.for_workers || slot.has(Presence::Heard);
        let sifted = Sifted { index, for_workers, ports: slot.ports };
        self.finished.push_back(sifted);
        self.open -= 1;
        while self.slots.front().is_some_and(|slot| slot.done) {
            self.slots.pop_front();
            self.base += 1;
        }
    }
}

impl Slot {
    fn has(&self, presence: Presence) -> bool {
        (0..usize::from(self.count)).any(|place| get(self.ports, place) == presence)
    }
}

/// The slot of a host that is under way.
fn slot_at(slots: &mut VecDeque<Slot>, base: u64, index: u64) -> Option<&mut Slot> {
    let place = usize::try_from(index.checked_sub(base)?).ok()?;
    slots.get_mut(place).filter(|slot| !slot.done)
}

/// The distinct ports that are asked, each with what is spoken there first. Hosts have few services: nothing is kept.
fn ports<'a>(host: &'a Host, wanted: &'a [Speech]) -> impl Iterator<Item = (u16, Speech)> + 'a {
    let is_first = move |place: usize, service: &Service| {
        let mut before = host.services.iter().take(place);
        !before.any(|other| other.port == service.port && wanted.contains(&other.speech))
    };
    let asked = host
        .services
        .iter()
        .enumerate()
        .filter(move |(place, service)| wanted.contains(&service.speech) && is_first(*place, service));
    asked.map(|(_, service)| (service.port, service.speech))
}

fn get(ports: u64, place: usize) -> Presence {
    match ports >> (2 * place) & 3 {
        0 => Presence::Unasked,
        1 => Presence::Silent,
        2 => Presence::Refused,
        _ => Presence::Heard,
    }
}

fn set(ports: &mut u64, place: usize, presence: Presence) {
    let bits = match presence {
        Presence::Unasked => 0,
        Presence::Silent => 1,
        Presence::Refused => 2,
        Presence::Heard => 3,
    };
    *ports = *ports & !(3 << (2 * place)) | bits << (2 * place);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use super::*;

    const COOL: Duration = Duration::from_secs(3);
    const WANTED: [Speech; 2] = [Speech::Ssh, Speech::Tls];

    fn host(index: u64) -> Host {
        let address = IpAddr::from([198, 19, 0, u8::try_from(index).unwrap()]);
        let service = |(speech, port, name): (Speech, u16, Option<&str>)| Service {
            address,
            port,
            speech,
            name: name.map(str::to_owned),
        };
        let services = [
            (Speech::Ssh, 22, None),
            (Speech::Http, 80, None),
            (Speech::Tls, 443, None),
            (Speech::Tls, 443, Some("a.example")),
        ];
        Host { address, services: services.map(service).into() }
    }

    struct Bench {
        sift: Sift,
        sent: Vec<SocketAddrV4>,
    }

    impl Bench {
        fn new(hosts: std::ops::Range<u64>, repeats: u8) -> Self {
            let cookies = Cookies::new([3; 16], 1, 61_440);
            let mut sift = Sift::new(cookies, Patience { cool_down: COOL, repeats }, WANTED.into());
            hosts.for_each(|index| sift.take_in(index, &host(index)));
            Self { sift, sent: Vec::new() }
        }

        fn turn(&mut self, now: Duration, mut knock: impl FnMut(&Job) -> Knock) -> bool {
            let sent = &mut self.sent;
            let turn = self.sift.turn(now, 1_000, |job, _, _| {
                let knock = knock(job);
                if knock == Knock::Sent {
                    sent.push(job.to);
                }
                Ok::<_, Infallible>(knock)
            });
            turn.unwrap()
        }

        fn hear(&mut self, index: u64, port: u16, open: bool) {
            let IpAddr::V4(address) = host(index).address else { unreachable!() };
            let service = SocketAddrV4::new(address, port);
            let (our_port, sequence) = self.sift.cookies.of(service);
            let reply = if open { Reply::Open } else { Reply::Refused };
            self.hear_raw(Answer { service, our_port, sequence, reply });
        }

        fn hear_raw(&mut self, answer: Answer) {
            let find = |address: IpAddr| {
                let IpAddr::V4(v4) = address else { return None };
                let index = u64::from(v4.octets()[3]);
                Some((index, host(index)))
            };
            self.sift.hear(answer, find);
        }

        fn finished(&mut self) -> BTreeMap<u64, (bool, Vec<Presence>)> {
            std::iter::from_fn(|| self.sift.pop())
                .map(|one| (one.index, (one.for_workers, one.presences(&host(one.index), &WANTED))))
                .collect()
        }
    }

    #[test]
    fn a_port_is_asked_once_however_many_services_it_has() {
        let mut bench = Bench::new(5..6, 0);
        assert!(!bench.turn(Duration::ZERO, |_| Knock::Sent), "there is no more to send");
        let asked: Vec<u16> = bench.sent.iter().map(SocketAddrV4::port).collect();
        assert_eq!(asked, [22, 443], "nor is one asked that nobody wants");
        bench.hear(5, 443, true);
        assert!(bench.finished().is_empty(), "the other port may still answer");
        bench.sift.cool(COOL, |index| Some(host(index)));
        let seen = vec![Presence::Silent, Presence::Unasked, Presence::Heard, Presence::Heard];
        assert_eq!(bench.finished(), BTreeMap::from([(5, (true, seen))]));
        assert!(bench.sift.is_empty());
    }

    #[test]
    fn a_host_that_has_answered_everywhere_is_done_at_once_and_a_silent_one_after_its_cool_down() {
        let mut bench = Bench::new(0..3, 0);
        bench.turn(Duration::from_secs(1), |_| Knock::Sent);
        bench.hear(1, 22, false);
        bench.hear(1, 443, false);
        let refused = vec![Presence::Refused, Presence::Unasked, Presence::Refused, Presence::Refused];
        assert_eq!(bench.finished(), BTreeMap::from([(1, (false, refused))]));
        bench.sift.cool(COOL, |index| Some(host(index)));
        assert!(bench.finished().is_empty());
        assert_eq!(bench.sift.due(), Some(COOL + Duration::from_secs(1)));
        bench.sift.cool(COOL + Duration::from_secs(1), |index| Some(host(index)));
        let silent = vec![Presence::Silent, Presence::Unasked, Presence::Silent, Presence::Silent];
        assert_eq!(bench.finished(), BTreeMap::from([(0, (false, silent.clone())), (2, (false, silent))]));
        assert_eq!(bench.sent.len(), 6, "one SYN a port");
        bench.hear(0, 22, true);
        assert_eq!((bench.sift.figures().late, bench.finished().len()), (1, 0));
    }

    #[test]
    fn repeated_forged_and_unasked_answers_change_nothing() {
        let mut bench = Bench::new(0..2, 0);
        bench.turn(Duration::ZERO, |job| if job.index == 0 { Knock::Sent } else { Knock::NotYet(Wait::Run) });
        bench.hear(0, 22, true);
        bench.hear(0, 22, true);
        bench.hear(0, 22, false);
        let service = "198.19.0.0:443".parse().unwrap();
        let (our_port, sequence) = bench.sift.cookies.of(service);
        bench.hear_raw(Answer { service, our_port, sequence: sequence ^ 1, reply: Reply::Open });
        bench.hear_raw(Answer { service, our_port: our_port ^ 1, sequence, reply: Reply::Open });
        bench.hear(1, 22, true);
        let figures = bench.sift.figures();
        assert_eq!((figures.answers, figures.duplicates, figures.strange), (1, 2, 3));
        bench.sift.cool(COOL, |index| Some(host(index)));
        let seen = vec![Presence::Heard, Presence::Unasked, Presence::Silent, Presence::Silent];
        assert_eq!(bench.finished(), BTreeMap::from([(0, (true, seen))]));
        assert_eq!(bench.sift.len(), 1, "who was not asked yet is not done");
    }

    #[test]
    fn only_silent_ports_are_asked_again() {
        let mut bench = Bench::new(0..1, 1);
        bench.turn(Duration::ZERO, |_| Knock::Sent);
        bench.hear(0, 22, false);
        bench.sift.cool(COOL, |index| Some(host(index)));
        assert!(bench.finished().is_empty());
        bench.turn(COOL, |_| Knock::Sent);
        let again: Vec<u16> = bench.sent.iter().map(SocketAddrV4::port).collect();
        assert_eq!(again, [22, 443, 443]);
        bench.hear(0, 443, true);
        assert!(bench.finished().get(&0).unwrap().0);
    }

    #[test]
    fn what_cannot_be_asked_by_syn_goes_to_the_workers_and_what_may_not_be_asked_to_nobody() {
        let mut bench = Bench::new(0..2, 0);
        bench.turn(Duration::ZERO, |job| if job.index == 0 { Knock::NoWay } else { Knock::Refused });
        let unasked = vec![Presence::Unasked; 4];
        assert_eq!(bench.finished(), BTreeMap::from([(0, (true, unasked.clone())), (1, (false, unasked))]));
        let v6 = Host { address: "2001:db8::1".parse().unwrap(), services: host(0).services };
        bench.sift.take_in(7, &v6);
        assert!(bench.sift.pop().unwrap().for_workers);
    }

    #[test]
    fn limits_hold_jobs_back_and_lose_none() {
        let mut bench = Bench::new(0..100, 0);
        let mut now = Duration::ZERO;
        let mut network = Duration::ZERO;
        let mut hosts: BTreeMap<u64, Duration> = BTreeMap::new();
        for _ in 0..100_000 {
            now += Duration::from_millis(1);
            bench.turn(now, |job| {
                let own = hosts.get(&job.index).copied().unwrap_or_default();
                if own > now && own > network {
                    return Knock::NotYet(Wait::Host(own.saturating_sub(now)));
                }
                if network > now {
                    return Knock::NotYet(Wait::Network(network.saturating_sub(now)));
                }
                network = now + Duration::from_millis(10);
                hosts.insert(job.index, now + Duration::from_millis(500));
                Knock::Sent
            });
            if bench.sent.len() == 200 {
                break;
            }
        }
        let mut sent = bench.sent.clone();
        sent.sort_unstable();
        sent.dedup();
        assert_eq!(sent.len(), 200);
        assert!(now < Duration::from_millis(2_600), "200 SYNs at 100 a second took {now:?}");
        bench.sift.cool(now + COOL, |index| Some(host(index)));
        assert_eq!((bench.finished().len(), bench.sift.is_empty(), bench.sift.has_unsent()), (100, true, false));
    }
}
