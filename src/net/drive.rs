//! Runs one conversation over one open connection and records what was heard.

use std::cell::RefCell;
use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::place::Place;
use super::stop::Stop;
use crate::observation::End;
use crate::proto::{Conversation, Event, Next};

/// How long to wait for the far side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// For the connection to stand.
    pub connect: Duration,
    /// For the next byte.
    pub silence: Duration,
    /// For the whole connection once it stands, however lively.
    pub total: Duration,
}

impl Default for Timing {
    /// One and a half seconds cover one lost SYN (the kernel asks again after one); servers that hold their answer back for
    /// 2.5 seconds were measured, so silence is five; a drip of single bytes ends after twelve.
    fn default() -> Self {
        Self { connect: Duration::from_millis(1500), silence: Duration::from_secs(5), total: Duration::from_secs(12) }
    }
}

/// What driving a conversation recorded.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) sent: Vec<u8>,
    pub(super) heard: Vec<u8>,
    pub(super) first_read: u32,
    pub(super) end: End,
}

const READ_SIZE: usize = 16 * 1024;

thread_local! {
    /// One read buffer per thread, not per connection.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_SIZE]);
}

/// Drives `conversation` until it is done, the far side ends, or time, bytes or patience run out.
pub(super) async fn drive(
    stream: &TcpStream,
    conversation: &mut dyn Conversation,
    timing: &Timing,
    stop: &Stop,
    place: &Place,
) -> Record {
    let mut record = Record { sent: Vec::new(), heard: Vec::new(), first_read: 0, end: End::Done };
    let give_up = Instant::now() + timing.total;
    let work = converse(stream, conversation, timing, give_up, place, &mut record);
    let end = tokio::select! {
        biased;
        end = work => end,
        () = stop.asked() => End::Stopped,
    };
    record.end = end;
    // Kept until the host is committed; reading grew it by doubling.
    record.heard.shrink_to_fit();
    if end == End::Done {
        // We leave first: a reset spares both sides the TIME_WAIT of an orderly close.
        let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
    }
    record
}

async fn converse(
    stream: &TcpStream,
    conversation: &mut dyn Conversation,
    timing: &Timing,
    mut give_up: Instant,
    place: &Place,
    record: &mut Record,
) -> End {
    let mut out = Vec::new();
    let mut event = Event::Connected;
    loop {
        let next = conversation.next(event, &record.heard, &mut out);
        // Asked after the first turn: some conversations are made only once somebody is there.
        let limit = conversation.limit();
        if !out.is_empty() {
            let sent = send(stream, &out, timing, give_up).await;
            record.sent.append(&mut out);
            match sent {
                Ok(()) => {}
                Err(End::Reset) if next == Next::Read => {
                    // The far side is gone, but what it said before may still wait to be read.
                    let from = record.heard.len();
                    if receive_now(stream, limit, record).unwrap_or(0) > 0 {
                        let _ = conversation.next(Event::Heard(from), &record.heard, &mut Vec::new());
                    }
                    return End::Reset;
                }
                Err(end) => return if next == Next::Done { End::Done } else { end },
            }
        }
        if next == Next::Done {
            return End::Done;
        }
        if event == Event::Closed {
            return End::Closed;
        }
        if record.heard.len() >= limit {
            return End::Full;
        }
        let from = record.heard.len();
        if !place.may_read(from) {
            let asked = Instant::now();
            place.take().await;
            give_up += asked.elapsed();
        }
        event = match receive(stream, limit, timing, give_up, record).await {
            Ok(0) => Event::Closed,
            Ok(count) => {
                place.add(count);
                Event::Heard(from)
            }
            Err(end) => return end,
        };
    }
}

/// Waits for bytes and takes them; 0 is an orderly close.
async fn receive(
    stream: &TcpStream,
    limit: usize,
    timing: &Timing,
    give_up: Instant,
    record: &mut Record,
) -> Result<usize, End> {
    let until = (Instant::now() + timing.silence).min(give_up);
    loop {
        // Often the answer is already there; then no timer is needed.
        match receive_now(stream, limit, record) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(end_of(&error)),
            Ok(count) => return Ok(count),
        }
        match tokio::time::timeout_at(until, stream.readable()).await {
            Err(_) => return Err(End::ReadTimedOut),
            Ok(Err(error)) => return Err(end_of(&error)),
            Ok(Ok(())) => {}
        }
        if Instant::now() >= give_up {
            return Err(End::ReadTimedOut);
        }
    }
}

fn receive_now(stream: &TcpStream, limit: usize, record: &mut Record) -> io::Result<usize> {
    BUFFER.with_borrow_mut(|buffer| {
        let room = limit.saturating_sub(record.heard.len()).min(buffer.len());
        let buffer = buffer.get_mut(..room).unwrap_or_default();
        let count = stream.try_read(buffer)?;
        if record.first_read == 0 {
            record.first_read = u32::try_from(count).unwrap_or(u32::MAX);
        }
        record.heard.extend_from_slice(buffer.get(..count).unwrap_or_default());
        Ok(count)
    })
}

async fn send(stream: &TcpStream, bytes: &[u8], timing: &Timing, give_up: Instant) -> Result<(), End> {
    let mut rest = bytes;
    let until = (Instant::now() + timing.silence).min(give_up);
    while !rest.is_empty() {
        match stream.try_write(rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                match tokio::time::timeout_at(until, stream.writable()).await {
                    Err(_) => return Err(End::ReadTimedOut),
                    Ok(Err(error)) => return Err(end_of(&error)),
                    Ok(Ok(())) => {}
                }
            }
            Err(error) => return Err(end_of(&error)),
        }
    }
    Ok(())
}

/// The end that an error on an open connection means.
fn end_of(error: &io::Error) -> End {
    use io::ErrorKind as K;
    match error.kind() {
        K::TimedOut => End::ReadTimedOut,
        K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown => End::Unreachable,
        K::OutOfMemory => End::Failed,
        _ => End::Reset,
    }
}
