//! The only door to the network.
//!
//! [`Door::converse`] is the one way to talk to anybody (and [`Door::knock`] to ask by a SYN alone): it asks the scope for a permit, waits for the limits, dials, and
//! drives one conversation. Retries, redirects and each of JARM's ten connections pass here, every time. What comes back
//! is an [`Exchange`], whatever happened; the far side's behaviour is never an error.

mod backoff;
mod dial;
mod drive;
mod entropy;
mod frame;
mod limits;
mod option;
mod place;
mod raw;
mod refused;
mod routes;
mod stop;
mod syn;
mod traffic;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use backoff::{BackOff, Notice, Sample};
pub use dial::{NotDialled, can_send_from, dial};
pub use drive::Timing;
pub use entropy::SystemEntropy;
pub use frame::{Answer, Reply};
pub use limits::{Limiter, NoTurn, Rates, Wait, network_of};
pub use stop::{Stop, Stopper, stop_switch};
pub use syn::{Knock, NoLine, SOURCE_PORTS, SynLine};
pub use traffic::Traffic;

use place::Place;
use refused::{Refused, WITHHELD};

use crate::clock::Clock;
use crate::observation::{End, Exchange, Service, Step};
use crate::proto::Conversation;
use crate::scope::{Permit, Refusal, Scope};

/// Called with each address right before it is dialled, or sent a SYN.
pub type Witness = Arc<dyn Fn(SocketAddr) + Send + Sync>;

/// How often a fault of our own that is no shortage is tried again before a connection counts as failed.
const OWN_FAULT_TRIES: u32 = 6;

/// How long a shortage of our own is waited out before a connection counts as failed: ports come free after a minute.
const SHORTAGE_PATIENCE: Duration = Duration::from_mins(2);

/// Services that answered and are being asked further, at once. Thousands of dead addresses may wait beside them.
const MOST_TALKERS: usize = 2048;

/// How long to wait before asking the scope again when its refusal will pass.
const HOLD: Duration = Duration::from_millis(500);

/// The door: scope, limits, deadlines and the request to stop, together.
#[derive(Clone)]
pub struct Door {
    scope: Arc<Scope>,
    limiter: Arc<Limiter>,
    clock: Arc<dyn Clock>,
    stop: Stop,
    timing: Timing,
    source: Option<IpAddr>,
    witness: Option<Witness>,
    traffic: Arc<Traffic>,
    /// Places for hosts that say much.
    places: Arc<Semaphore>,
    /// What the host behind this door holds.
    place: Arc<Place>,
    /// Places for services that answered: what they say takes memory, unlike a dead address.
    talkers: Arc<Semaphore>,
    /// Set once the operator was told that the scope holds everything back.
    held: Arc<AtomicBool>,
    /// Set once the scope had ended.
    over: Arc<AtomicBool>,
    /// Set once the operator was told that this machine is short of something.
    short: Arc<AtomicBool>,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("timing", &self.timing).field("source", &self.source).finish_non_exhaustive()
    }
}

impl Door {
    /// A door that lets through what `scope` permits at the pace of `limiter`.
    #[must_use]
    pub fn new(scope: Arc<Scope>, limiter: Arc<Limiter>, clock: Arc<dyn Clock>, stop: Stop) -> Self {
        let places = Arc::new(Semaphore::new(place::PLACES));
        Self {
            scope,
            limiter,
            clock,
            stop,
            timing: Timing::default(),
            source: None,
            witness: None,
            traffic: Arc::default(),
            held: Arc::default(),
            place: Arc::new(Place::new(Arc::clone(&places))),
            places,
            talkers: Arc::new(Semaphore::new(MOST_TALKERS)),
            over: Arc::default(),
            short: Arc::default(),
        }
    }

    /// The same door for one host: what the host brings counts together, until the last clone is dropped.
    #[must_use]
    pub fn for_host(&self) -> Self {
        Self { place: Arc::new(Place::new(Arc::clone(&self.places))), ..self.clone() }
    }

    /// The same with other deadlines.
    #[must_use]
    pub fn with_timing(self, timing: Timing) -> Self {
        Self { timing, ..self }
    }

    /// The same, sending from this address of the machine.
    #[must_use]
    pub fn with_source(self, source: Option<IpAddr>) -> Self {
        Self { source, ..self }
    }

    /// The same with a witness of every connection opened.
    #[must_use]
    pub fn with_witness(self, witness: Witness) -> Self {
        Self { witness: Some(witness), ..self }
    }

    /// What went through so far; shared by all clones.
    #[must_use]
    pub fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// The clock everything here goes by.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// The request to stop.
    #[must_use]
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// A place among the services that are asked further. Waits until one is free, or a stop is asked for.
    ///
    /// A host that holds one of the places for those who say much needs none and never waits here: else all talkers could
    /// wait for a place, and all who have one for a talker.
    pub async fn talker(&self) -> Option<OwnedSemaphorePermit> {
        if self.place.is_held() {
            return None;
        }
        tokio::select! {
            biased;
            place = Arc::clone(&self.talkers).acquire_owned() => place.ok(),
            () = self.stop.asked() => None,
        }
    }

    /// True once somebody was not asked because the scope had ended: then nobody will be any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// The AS that announces the address, where known.
    #[must_use]
    pub fn origin(&self, address: IpAddr) -> Option<u32> {
        self.scope.origin(address)
    }

    /// How many hosts not yet begun the limit of the run has room for now.
    #[must_use]
    pub fn room(&self) -> usize {
        self.limiter.room()
    }

    /// Connections that hosts begun and not forgotten have had.
    #[must_use]
    pub fn spent(&self) -> Vec<(IpAddr, u32)> {
        self.limiter.spent()
    }

    /// These hosts are done and on record: their part of the limits may be forgotten.
    pub fn forget(&self, addresses: impl Iterator<Item = IpAddr>) {
        self.limiter.forget(addresses);
    }

    /// Has one conversation with `service`. `since` is the monotonic start of the observation it belongs to.
    pub async fn converse(
        &self,
        service: &Service,
        step: Step,
        conversation: &mut dyn Conversation,
        since: Duration,
    ) -> Exchange {
        let waited = self.clock.elapsed();
        let mut short_since = None;
        let mut tries = 0;
        loop {
            let (mut exchange, shortage) = self.converse_once(service, step.clone(), conversation, since).await;
            // Our own fault says nothing about the host: wait it out, within limits. A shortage passes as other
            // connections end.
            let patient = if shortage {
                self.limiter.unspent(service.address);
                if !self.short.swap(true, Ordering::Relaxed) {
                    let note = exchange.note.as_deref().unwrap_or_default();
                    tracing::warn!(
                        "connections wait for means of this machine: {note}; --in-flight takes fewer at once"
                    );
                }
                // From the first shortage on: what was waited in line before is none.
                let now = self.clock.elapsed();
                now.saturating_sub(*short_since.get_or_insert(now)) < SHORTAGE_PATIENCE
            } else {
                exchange.end == End::Failed && exchange.wire_sent == 0 && tries < OWN_FAULT_TRIES
            };
            if patient {
                tries += 1;
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(50 << tries.min(5))) => {}
                    () = self.stop.asked() => {}
                }
                continue;
            }
            if exchange.started_ms == 0 {
                exchange.started_ms = millis(waited.saturating_sub(since));
            }
            return exchange;
        }
    }

    /// A permit for one connection. A refusal that will pass, such as an opt-out list that cannot be read just now, is
    /// waited out: nothing is sent meanwhile, and no host is lost for it.
    async fn admit(&self, service: &Service) -> Result<Permit, Refused> {
        loop {
            match self.scope.admit(service.socket(), service.speech, self.clock.now()) {
                Ok(permit) => return Ok(permit),
                Err(refusal) if refusal.is_passing() => {
                    self.say_held(&refusal);
                    tokio::select! {
                        () = tokio::time::sleep(HOLD) => {}
                        () = self.stop.asked() => return Err(Refused::Stopped),
                    }
                }
                Err(refusal) => return Err(self.refused(refusal)),
            }
        }
    }

    fn say_held(&self, refusal: &Refusal) {
        if !self.held.swap(true, Ordering::Relaxed) {
            tracing::warn!("the scan is held: {refusal}");
        }
    }

    fn refused(&self, refusal: Refusal) -> Refused {
        if matches!(refusal, Refusal::Expired { .. }) {
            self.over.store(true, Ordering::Relaxed);
        }
        Refused::Scope(refusal)
    }

    /// A permit whose turn it is now, to be dialled at once. Nothing is waited for between taking the turn and dialling:
    /// what a hold of the scope or a busy machine keeps back lines up again, and never leaves all at once.
    async fn permit(&self, service: &Service) -> Result<Permit, Refused> {
        // Asked before waiting, so that nothing waits for what it may not have; and after, since waiting takes time.
        drop(self.admit(service).await?);
        self.ask_back_off(service.address)?;
        let asn = self.scope.origin(service.address);
        let mut refused_for = None;
        loop {
            let waiting = async {
                match refused_for {
                    None => self.limiter.line_up(service.address, asn).await,
                    Some(time) => self.limiter.line_up_again(time).await,
                }
            };
            tokio::select! {
                biased;
                () = waiting => {}
                () = self.stop.asked() => return Err(Refused::Stopped),
            }
            let permit = self.admit(service).await?;
            self.ask_back_off(service.address)?;
            match self.limiter.take(service.address, asn) {
                Ok(()) => return Ok(permit),
                Err(NoTurn::NotYet(time)) => refused_for = Some(time),
                Err(NoTurn::Exhausted) => return Err(Refused::Exhausted),
            }
        }
    }

    async fn converse_once(
        &self,
        service: &Service,
        step: Step,
        conversation: &mut dyn Conversation,
        since: Duration,
    ) -> (Exchange, bool) {
        if self.stop.is_asked() {
            return (Exchange::unsent(step, End::Stopped, None), false);
        }
        let to = service.socket();
        let permit = match self.permit(service).await {
            Ok(permit) => permit,
            Err(refused) => return (refused.into_exchange(step), false),
        };
        let started = self.clock.elapsed();
        let mut exchange = Exchange::unsent(step, End::Done, None);
        exchange.started_ms = millis(started.saturating_sub(since));
        if let Some(witness) = &self.witness {
            witness(to);
        }
        let dialled = tokio::select! {
            biased;
            dialled = dial(permit, self.source, self.timing.connect) => dialled,
            () = self.stop.asked() => Err(NotDialled::with(End::Stopped, None)),
        };
        let shortage = matches!(&dialled, Err(not) if not.shortage);
        if !shortage {
            self.traffic.connections.fetch_add(1, Ordering::Relaxed);
        }
        match dialled {
            Err(not) => {
                if let Some(why) = &not.prohibited {
                    self.back_off().stop(service.address, why, self.clock.as_ref());
                }
                exchange.end = not.end;
                exchange.note = not.note;
            }
            Ok(stream) => {
                if let Ok(own) = stream.local_addr() {
                    self.traffic.left_from(own.ip().to_canonical());
                }
                let record = drive::drive(&stream, conversation, &self.timing, &self.stop, &self.place).await;
                drop(stream);
                exchange.first_read = record.first_read;
                exchange.wire_sent = record.sent.len() as u64;
                exchange.wire_heard = record.heard.len() as u64;
                let remains = conversation.finish();
                exchange.end = ended_as(record.end, remains.closed);
                exchange.session = remains.session;
                exchange.secret = remains.secret;
                (exchange.sent, exchange.heard) = remains.plain.unwrap_or((record.sent, record.heard));
            }
        }
        exchange.lasted_ms = millis(self.clock.elapsed().saturating_sub(started));
        self.traffic.bytes_sent.fetch_add(exchange.wire_sent, Ordering::Relaxed);
        self.traffic.bytes_heard.fetch_add(exchange.wire_heard, Ordering::Relaxed);
        (exchange, shortage)
    }

    /// Where networks are slowed below their limits, or not asked any more.
    #[must_use]
    pub fn back_off(&self) -> &BackOff {
        self.limiter.back_off()
    }

    /// Learns from the connections of one service how its network takes the questions.
    pub fn heed(&self, address: IpAddr, exchanges: &[Exchange]) {
        if let Some(sample) = Sample::of(exchanges) {
            self.back_off().learn(address, self.origin(address), sample, self.clock.as_ref());
        } else if matches!(exchanges, [only] if only.note.as_deref() == Some(WITHHELD)) {
            self.back_off().withhold();
        }
    }

    fn ask_back_off(&self, address: IpAddr) -> Result<(), Refused> {
        if self.back_off().is_stopped(address) { Err(Refused::Withheld) } else { Ok(()) }
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// How a connection ended whose far side may have `closed` it by its own word first: that word counts, not what we or the
/// network made of the connection after it.
fn ended_as(end: End, closed: bool) -> End {
    match end {
        End::Done | End::Reset if closed => End::Closed,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_after_the_far_sides_own_close_is_a_close() {
        assert_eq!([ended_as(End::Reset, true), ended_as(End::Done, true)], [End::Closed; 2]);
        assert_eq!([ended_as(End::Reset, false), ended_as(End::Stopped, true)], [End::Reset, End::Stopped]);
    }
}
