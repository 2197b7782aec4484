//! Unit tests of [`Sift`].

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::*;

const COOL: Duration = Duration::from_secs(3);
const WANTED: [Speech; 2] = [Speech::Ssh, Speech::Tls];

fn kind() -> Kind {
    Kind::new([(Speech::Ssh, 22), (Speech::Http, 80), (Speech::Tls, 443), (Speech::Tls, 443)], &WANTED)
}

fn spot(index: u64) -> Spot {
    Spot { address: IpAddr::from([198, 19, 0, u8::try_from(index).unwrap()]), kind: 0 }
}

struct Bench {
    sift: Sift,
    sent: Vec<SocketAddrV4>,
}

impl Bench {
    fn new(hosts: std::ops::Range<u64>, repeats: u8) -> Self {
        let cookies = Cookies::new([3; 16], 1, 61_440);
        let mut sift = Sift::new(cookies, Patience { cool_down: COOL, repeats }, vec![kind()]);
        hosts.for_each(|index| sift.take_in(index, spot(index)));
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
        let IpAddr::V4(address) = spot(index).address else { unreachable!() };
        let service = SocketAddrV4::new(address, port);
        let (our_port, sequence) = self.sift.cookies.of(service);
        let reply = if open { Reply::Open } else { Reply::Refused };
        self.hear_raw(Answer { service, our_port, sequence, reply });
    }

    fn hear_raw(&mut self, answer: Answer) {
        let find = |address: IpAddr| {
            let IpAddr::V4(v4) = address else { return None };
            let index = u64::from(v4.octets()[3]);
            Some((index, 0))
        };
        self.sift.hear(answer, find);
    }

    fn finished(&mut self) -> BTreeMap<u64, (bool, [Presence; 4])> {
        std::iter::from_fn(|| self.sift.pop())
            .map(|one| (one.index, (one.for_workers, [0, 1, 2, 3].map(|place| one.services.get(place)))))
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
    bench.sift.cool(COOL);
    let seen = [Presence::Silent, Presence::Unasked, Presence::Heard, Presence::Heard];
    assert_eq!(bench.finished(), BTreeMap::from([(5, (true, seen))]));
    assert!(bench.sift.is_empty());
}

#[test]
fn a_host_that_has_answered_everywhere_is_done_at_once_and_a_silent_one_after_its_cool_down() {
    let mut bench = Bench::new(0..3, 0);
    bench.turn(Duration::from_secs(1), |_| Knock::Sent);
    bench.hear(1, 22, false);
    bench.hear(1, 443, false);
    let refused = [Presence::Refused, Presence::Unasked, Presence::Refused, Presence::Refused];
    assert_eq!(bench.finished(), BTreeMap::from([(1, (false, refused))]));
    bench.sift.cool(COOL);
    assert!(bench.finished().is_empty());
    assert_eq!(bench.sift.due(), Some(COOL + Duration::from_secs(1)));
    bench.sift.cool(COOL + Duration::from_secs(1));
    let silent = [Presence::Silent, Presence::Unasked, Presence::Silent, Presence::Silent];
    assert_eq!(bench.finished(), BTreeMap::from([(0, (false, silent)), (2, (false, silent))]));
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
    bench.sift.cool(COOL);
    let seen = [Presence::Heard, Presence::Unasked, Presence::Silent, Presence::Silent];
    assert_eq!(bench.finished(), BTreeMap::from([(0, (true, seen))]));
    assert_eq!(bench.sift.len(), 1, "who was not asked yet is not done");
}

#[test]
fn only_silent_ports_are_asked_again() {
    let mut bench = Bench::new(0..1, 1);
    bench.turn(Duration::ZERO, |_| Knock::Sent);
    bench.hear(0, 22, false);
    bench.sift.cool(COOL);
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
    let unasked = [Presence::Unasked; 4];
    assert_eq!(bench.finished(), BTreeMap::from([(0, (true, unasked)), (1, (false, unasked))]));
    bench.sift.take_in(7, Spot { address: "2001:db8::1".parse().unwrap(), kind: 0 });
    assert!(bench.sift.pop().unwrap().for_workers);
}

#[test]
fn a_host_without_a_way_is_left_to_its_connection_and_costs_no_further_tries() {
    let mut bench = Bench::new(0..1, 0);
    let mut knocks = 0;
    bench.turn(Duration::ZERO, |_| {
        knocks += 1;
        if knocks == 1 { Knock::NoWay } else { Knock::Learning }
    });
    assert_eq!(knocks, 1, "the second port did not knock");
    assert_eq!(bench.finished(), BTreeMap::from([(0, (true, [Presence::Unasked; 4]))]));
}

#[test]
fn whom_this_machine_sends_nothing_to_is_asked_by_a_connection() {
    let mut bench = Bench::new(0..2, 0);
    bench.turn(Duration::ZERO, |_| Knock::Sent);
    let IpAddr::V4(address) = spot(0).address else { unreachable!() };
    let find = |address: IpAddr| (address == spot(0).address).then_some((0, 0));
    bench.sift.unsendable(SocketAddrV4::new(address, 443), find);
    bench.sift.unsendable(SocketAddrV4::new(address, 9), find);
    bench.sift.cool(COOL);
    let (silent, unasked) = (Presence::Silent, Presence::Unasked);
    let expected = [(0, (true, [silent, unasked, unasked, unasked])), (1, (false, [silent, unasked, silent, silent]))];
    assert_eq!(bench.finished(), BTreeMap::from(expected));
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
    bench.sift.cool(now + COOL);
    assert_eq!((bench.finished().len(), bench.sift.is_empty(), bench.sift.has_unsent()), (100, true, false));
}
