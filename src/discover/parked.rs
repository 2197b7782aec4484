//! SYNs that wait for their network's or their host's turn: one queue a network, so that a crowded network costs one
//! question a turn and not one for each of its hosts.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::sift::Job;
use crate::net::network_of;

/// Which queue a job was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum From {
    /// Its network's.
    Network(Ipv4Addr),
    /// It waited for its own host.
    Host(Job),
}

/// Every network with a queue, and every job that waits for its host, stands once in `due`.
#[derive(Debug, Default)]
pub(super) struct Parked {
    due: BinaryHeap<Reverse<(Duration, From)>>,
    queues: HashMap<Ipv4Addr, VecDeque<Job>>,
    count: usize,
}

fn network(job: &Job) -> Ipv4Addr {
    match network_of(IpAddr::V4(*job.to.ip())) {
        IpAddr::V4(network) => network,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}

impl Parked {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// When something may be due again.
    pub(super) fn next(&self) -> Option<Duration> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }

    /// True when the job has joined those that wait for its network already, behind them.
    pub(super) fn joins(&mut self, job: Job) -> bool {
        let Some(queue) = self.queues.get_mut(&network(&job)) else { return false };
        queue.push_back(job);
        self.count += 1;
        true
    }

    /// The next job that may be due. It must be given back by [`Parked::sent`] or [`Parked::not_yet`].
    pub(super) fn take(&mut self, now: Duration) -> Option<(Job, From)> {
        let from = self.due.peek().filter(|Reverse((at, _))| *at <= now).map(|Reverse((_, from))| *from)?;
        self.due.pop();
        self.count -= 1;
        match from {
            From::Host(job) => Some((job, from)),
            From::Network(network) => {
                let job = self.queues.get_mut(&network).and_then(VecDeque::pop_front)?;
                Some((job, from))
            }
        }
    }

    /// A taken job is dealt with: its queue goes on at once.
    pub(super) fn sent(&mut self, from: From, now: Duration) {
        let From::Network(network) = from else { return };
        if self.queues.get(&network).is_some_and(VecDeque::is_empty) {
            self.queues.remove(&network);
        } else if self.queues.contains_key(&network) {
            self.due.push(Reverse((now, From::Network(network))));
        }
    }

    /// A job waits for its network until `at`, at the front of the queue when it was taken from there.
    pub(super) fn for_network(&mut self, job: Job, from: Option<From>, at: Duration) {
        let network = network(&job);
        self.count += 1;
        let known = self.queues.get_mut(&network);
        match (from, known) {
            (Some(From::Network(_)), Some(queue)) => queue.push_front(job),
            (_, Some(queue)) => return queue.push_back(job),
            (_, None) => drop(self.queues.insert(network, VecDeque::from([job]))),
        }
        self.due.push(Reverse((at, From::Network(network))));
    }

    /// A job waits for its host until `at`; its network's queue goes on without it.
    pub(super) fn for_host(&mut self, job: Job, from: Option<From>, now: Duration, at: Duration) {
        if let Some(from) = from {
            self.sent(from, now);
        }
        self.count += 1;
        self.due.push(Reverse((at, From::Host(job))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::Speech;

    fn job(last: u8, place: u8) -> Job {
        let to = std::net::SocketAddrV4::new([198, 19, 0, last].into(), 443);
        Job { index: last.into(), place, to, speech: Speech::Tls }
    }

    #[test]
    fn a_network_is_asked_once_a_turn_however_many_wait() {
        let mut parked = Parked::default();
        let ms = Duration::from_millis;
        assert!(!parked.joins(job(1, 0)));
        parked.for_network(job(1, 0), None, ms(50));
        assert!(parked.joins(job(2, 0)) && parked.joins(job(3, 0)));
        assert_eq!(parked.take(ms(49)), None);
        let (first, from) = parked.take(ms(50)).unwrap();
        assert_eq!((first, parked.take(ms(50))), (job(1, 0), None), "one at a time");
        parked.sent(from, ms(50));
        let (second, from) = parked.take(ms(50)).unwrap();
        parked.for_network(second, Some(from), ms(100));
        assert_eq!((parked.len(), parked.next()), (2, Some(ms(100))));
        for last in [2, 3] {
            let (next, from) = parked.take(ms(100)).unwrap();
            assert_eq!(next, job(last, 0));
            parked.sent(from, ms(100));
        }
        assert_eq!((parked.len(), parked.next(), parked.queues.len()), (0, None, 0));
    }

    #[test]
    fn a_host_that_waits_does_not_hold_its_network_up() {
        let mut parked = Parked::default();
        let ms = Duration::from_millis;
        parked.for_network(job(1, 1), None, ms(10));
        assert!(parked.joins(job(2, 0)));
        let (first, from) = parked.take(ms(10)).unwrap();
        parked.for_host(first, Some(from), ms(10), ms(500));
        let (second, from) = parked.take(ms(10)).unwrap();
        assert_eq!(second, job(2, 0));
        parked.sent(from, ms(10));
        assert_eq!(parked.take(ms(499)), None);
        assert_eq!(parked.take(ms(500)), Some((job(1, 1), From::Host(job(1, 1)))));
        assert_eq!(parked.len(), 0);
    }
}
