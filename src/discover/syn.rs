//! Discovery by SYN: one SYN to every port, no connection, no descriptor and no timer for those who do not answer.
//!
//! Policy. Every SYN has a permit and a turn of its own, at the same door as a connection. A silent port is asked once,
//! or as often more as the operator said, each time a cool-down after the last. A host that
//! answers costs one SYN more than without discovery, a dead one a tenth of the work.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use super::cookie::Cookies;
use super::kind::Kind;
use super::sift::{Patience, Sift, Sifted};
use crate::net::{Door, NoLine, SynLine, SystemEntropy};
use crate::proto::Entropy as _;
use crate::target::Spot;

/// SYNs sent before answers are looked for again.
const BATCH: usize = 512;
/// The pace of a run is met by so many SYNs every so often; well below the limiter's credit of 10 ms.
const TICK: Duration = Duration::from_millis(2);
/// Shortest and longest wait with nothing to send: answers end it, hosts whose cool-down is over need not be let go one by
/// one.
const REST: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(20)];

/// What a stage that asks for a host gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// A host and its index. Indices ascend.
    Host(u64, Spot),
    /// None now: too many are under way.
    Wait,
    /// No more.
    End,
}

/// Where hosts come from and where they go.
pub trait Stage {
    /// The next host to ask.
    fn next(&mut self) -> Next;
    /// The index and the kind of the host at an address.
    fn find(&self, address: IpAddr) -> Option<(u64, u32)>;
    /// A host is done with.
    fn done(&mut self, sifted: Sifted);
    /// Nothing more will be done for a moment: what was gathered should go on.
    fn hand_on(&mut self);
    /// So many answers in all came faster than they could be taken.
    fn lost(&mut self, answers: u64);
}

/// Discovery by SYN, ready to begin.
#[derive(Debug)]
pub struct Syn {
    line: SynLine,
    patience: Patience,
    run: u64,
}

impl Syn {
    /// SYNs from `source`, or from the address the kernel would choose.
    ///
    /// # Errors
    /// Why SYNs cannot be sent from here.
    pub fn open(source: Option<IpAddr>, patience: Patience) -> Result<Self, NoLine> {
        Ok(Self { line: SynLine::open(source)?, patience, run: 0 })
    }

    /// The same for the run of this number, so that no other run's answers pass for its own.
    #[must_use]
    pub fn for_run(self, run: u64) -> Self {
        Self { run, ..self }
    }

    /// Asks every host of `stage`, which is of one of these kinds, until there are no more or a stop is asked for.
    ///
    /// # Errors
    /// When packets cannot be sent or heard any more.
    pub fn sift(mut self, door: &Door, kinds: Vec<Kind>, stage: &mut dyn Stage) -> io::Result<()> {
        let mut secret = [0; 16];
        SystemEntropy.fill(&mut secret);
        let cookies = Cookies::new(secret, self.run, self.line.first_port());
        let mut sift = Sift::new(cookies, self.patience, kinds);
        let (clock, line) = (door.clock(), &mut self.line);
        let mut ended = false;
        loop {
            if door.stop().is_asked() || door.is_over() || (ended && sift.is_empty()) {
                break;
            }
            // Taken before the answers, so that no host is given up whose answer is already here.
            let now = clock.elapsed();
            let heard = line.hear(|answer| {
                if sift.hear(answer, |address| stage.find(address)) {
                    door.heed_answer(&answer);
                }
            })?;
            if heard {
                sift.cool(now);
            }
            while let Some(sifted) = sift.pop() {
                stage.done(sifted);
            }
            let mut full = false;
            while !ended && !full && sift.is_hungry() {
                match stage.next() {
                    Next::Host(index, spot) => sift.take_in(index, spot),
                    Next::Wait => full = true,
                    Next::End => ended = true,
                }
            }
            let today = clock.now();
            let more = sift.turn(now, BATCH, |job, our_port, sequence| {
                door.knock(line, job.to, job.speech, our_port, sequence, (today, now))
            })?;
            door.flush(line)?;
            for to in line.unsendable() {
                sift.unsendable(to, |address| stage.find(address));
            }
            if !more {
                stage.hand_on();
                rest(&sift, line, now);
            }
        }
        stage.hand_on();
        stage.lost(line.lost());
        let figures = sift.figures();
        tracing::info!(
            answers = figures.answers,
            duplicates = figures.duplicates,
            strange = figures.strange,
            late = figures.late,
            "discovery ends"
        );
        Ok(())
    }
}

/// Waits for the pace of the run while there is something to send, else for an answer or the end of a cool-down.
fn rest(sift: &Sift, line: &SynLine, now: Duration) {
    if sift.has_unsent() {
        std::thread::sleep(TICK);
    } else {
        let [least, most] = REST;
        let due = sift.due().map_or(most, |due| due.saturating_sub(now));
        line.wait(due.clamp(least, most));
    }
}
