//! Discovery's thread: indices from the order, hosts that answered to the workers, the others straight to the writer.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use super::dispatch::Pull;
use super::{Finished, Shared, worker};
use crate::discover::{Kind, Next, Sifted, Stage, Syn};
use crate::observation::{Presences, Speech};
use crate::store::QuietHost;

/// Hosts handed to the writer at once.
const BATCH: usize = 512;

/// Asks every host of the window by SYN until the order is exhausted or a stop is asked for.
pub(super) fn sift(shared: &Shared, sender: mpsc::Sender<Finished>, syn: Syn) -> Result<(), io::Error> {
    let wanted: Vec<Speech> = Speech::ALL.into_iter().filter(|speech| shared.settings.want.speech(*speech)).collect();
    let kinds = shared.targets.kinds().map(|services| Kind::new(services, &wanted)).collect();
    let mut hosts = Hosts { shared, sender, quiet: Vec::with_capacity(BATCH), ready: Vec::new() };
    let result = syn.sift(&shared.door, kinds, &mut hosts);
    shared.feed.end();
    if result.is_err() || shared.door.is_over() {
        shared.stopper.stop();
    }
    result
}

/// The run, as discovery sees it.
struct Hosts<'a> {
    shared: &'a Shared,
    sender: mpsc::Sender<Finished>,
    /// Done with: nobody there.
    quiet: Vec<QuietHost>,
    /// For the workers.
    ready: Vec<(u64, Presences)>,
}

impl Hosts<'_> {
    /// A host that no worker need see.
    fn quiet(&mut self, index: u64, address: IpAddr, services: Presences) {
        self.quiet.push(QuietHost { index, address, services });
        if self.quiet.len() >= BATCH {
            self.hand_on();
        }
    }
}

impl Stage for Hosts<'_> {
    fn next(&mut self) -> Next {
        loop {
            let index = match self.shared.dispatcher.pull() {
                Pull::Full => return Next::Wait,
                Pull::End => return Next::End,
                Pull::Host(index) => index,
            };
            let position = self.shared.order.position(index);
            // Every index below the order's length has a host.
            let Some(spot) = position.and_then(|position| self.shared.targets.spot(position)) else {
                return Next::End;
            };
            if !worker::left_out(self.shared, spot.address) {
                return Next::Host(index, spot);
            }
            self.shared.progress.left_out.fetch_add(1, Ordering::Relaxed);
            self.quiet(index, spot.address, Presences::NONE);
        }
    }

    fn find(&self, address: IpAddr) -> Option<(u64, u32)> {
        let (position, kind) = self.shared.targets.find(address)?;
        Some((self.shared.order.index_of(position)?, kind))
    }

    fn done(&mut self, sifted: Sifted) {
        if sifted.for_workers {
            self.ready.push((sifted.index, sifted.services));
        } else {
            self.quiet(sifted.index, sifted.address.into(), sifted.services);
        }
    }

    fn hand_on(&mut self) {
        self.shared.feed.push(&mut self.ready);
        if self.quiet.is_empty() {
            return;
        }
        let hosts = std::mem::replace(&mut self.quiet, Vec::with_capacity(BATCH));
        self.shared.progress.queued.fetch_add(1, Ordering::Relaxed);
        // The writer is gone only when it failed; the run stops then and says so.
        let _ = self.sender.blocking_send(Finished::Quiet(hosts));
    }

    fn lost(&mut self, answers: u64) {
        self.shared.progress.answers_lost.store(answers, Ordering::Relaxed);
    }
}
