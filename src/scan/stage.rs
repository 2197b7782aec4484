//! Discovery's thread: indices from the order, hosts that answered to the workers, the others straight to the writer.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use super::dispatch::Pull;
use super::{Finished, Shared, worker, writer};
use crate::discover::{Next, Sifted, Stage, Syn};
use crate::observation::{Presence, Speech};
use crate::store::HostDone;
use crate::target::Host;

/// Hosts handed to the writer at once.
const BATCH: usize = 256;

/// Asks every host of the window by SYN until the order is exhausted or a stop is asked for.
pub(super) fn sift(shared: &Shared, sender: mpsc::Sender<Finished>, syn: Syn) -> Result<(), io::Error> {
    let wanted: Vec<Speech> = Speech::ALL.into_iter().filter(|speech| shared.settings.want.speech(*speech)).collect();
    let mut hosts =
        Hosts { shared, sender, wanted: wanted.clone(), quiet: Vec::with_capacity(BATCH), ready: Vec::new() };
    let result = syn.sift(&shared.door, wanted, &mut hosts);
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
    wanted: Vec<Speech>,
    /// Done with: nobody there.
    quiet: Vec<HostDone>,
    /// For the workers.
    ready: Vec<(u64, Vec<Presence>)>,
}

impl Hosts<'_> {
    /// A host that no worker need see.
    fn quiet(&mut self, index: u64, host: &Host, seen: &[Presence]) {
        self.quiet.push(writer::quiet(index, host.address, seen));
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
            // Every index below the order's length has a host.
            let Some(host) = self.host(index) else { return Next::End };
            if !worker::left_out(self.shared, &host) {
                return Next::Host(index, host);
            }
            self.shared.progress.left_out.fetch_add(1, Ordering::Relaxed);
            self.quiet(index, &host, &vec![Presence::Unasked; host.services.len()]);
        }
    }

    fn host(&self, index: u64) -> Option<Host> {
        self.shared.host(index)
    }

    fn find(&self, address: IpAddr) -> Option<(u64, Host)> {
        let position = self.shared.targets.position_of(address)?;
        Some((self.shared.order.index_of(position)?, self.shared.targets.host(position)?))
    }

    fn done(&mut self, sifted: Sifted) {
        let Some(host) = self.host(sifted.index) else { return };
        let seen = sifted.presences(&host, &self.wanted);
        if sifted.for_workers {
            self.ready.push((sifted.index, seen));
            return;
        }
        self.quiet(sifted.index, &host, &seen);
    }

    fn hand_on(&mut self) {
        self.shared.feed.push(&mut self.ready);
        if self.quiet.is_empty() {
            return;
        }
        let hosts = std::mem::replace(&mut self.quiet, Vec::with_capacity(BATCH));
        self.shared.progress.queued.fetch_add(1, Ordering::Relaxed);
        // The writer is gone only when it failed; the run stops then and says so.
        let _ = self.sender.blocking_send(Finished { hosts, held: None });
    }

    fn lost(&mut self, answers: u64) {
        self.shared.progress.answers_lost.store(answers, Ordering::Relaxed);
    }
}
