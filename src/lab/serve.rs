//! One accepted connection: whatever the plan says for its port, bounded in time and bytes.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::draw::Draw;
use super::plan::{Odd, Pace};
use super::site::Site;
use super::ssh;
use crate::clock::Clock;

/// Longest life of a connection.
const LIFE: Duration = Duration::from_secs(30);
/// Most bytes of a request.
const REQUEST: usize = 8 * 1024;
/// Most bytes read only to be thrown away.
const DRAIN: usize = 64 * 1024;
/// Most bytes of an endless answer.
const ENDLESS: usize = 4 * 1024 * 1024;
/// What a slow service waits before its first byte.
const SLOW: Duration = Duration::from_millis(700);
/// A dripping service's bytes, and its pause between them.
const DRIP: (usize, Duration) = (48, Duration::from_millis(5));

/// A service with all it needs: keys made, configuration built.
#[derive(Clone)]
pub(super) struct Ready {
    /// How fast it answers.
    pub(super) pace: Pace,
    /// What it speaks.
    pub(super) voice: Voice,
    /// For the `Date` header.
    pub(super) clock: Arc<dyn Clock>,
    /// Start of its noise.
    pub(super) noise: u64,
}

/// What a service speaks.
#[derive(Clone)]
pub(super) enum Voice {
    /// SSH.
    Ssh(Arc<ssh::Server>),
    /// HTTP.
    Http(Arc<Site>),
    /// HTTP over TLS.
    Https(TlsAcceptor, Arc<Site>),
    /// Something odd.
    Odd(Odd),
}

impl Ready {
    /// Serves one connection to its end. Every fault of the far side ends it quietly.
    pub(super) async fn serve(&self, stream: TcpStream) {
        let _ = timeout(LIFE, self.serve_at_pace(stream)).await;
    }

    async fn serve_at_pace(&self, mut stream: TcpStream) {
        if matches!(self.voice, Voice::Odd(Odd::Reset)) {
            let _ = stream.set_zero_linger();
            return;
        }
        match self.pace {
            Pace::AtOnce => self.speak(stream).await,
            Pace::Slow => {
                sleep(SLOW).await;
                self.speak(stream).await;
            }
            Pace::Drip => {
                let (near, far) = tokio::io::duplex(REQUEST);
                let (mut far_read, mut far_write) = tokio::io::split(far);
                let (mut read, mut write) = stream.split();
                let hear = async {
                    let _ = tokio::io::copy(&mut read, &mut far_write).await;
                    let _ = far_write.shutdown().await;
                };
                tokio::join!(self.speak(near), drip(&mut far_read, &mut write), hear);
            }
        }
    }

    async fn speak<S: AsyncRead + AsyncWrite + Unpin>(&self, mut stream: S) {
        match &self.voice {
            Voice::Ssh(server) => {
                let _ = server.talk(&mut stream).await;
            }
            Voice::Http(site) => self.web(&mut stream, site).await,
            Voice::Https(acceptor, site) => {
                let Ok(mut session) = acceptor.accept(&mut stream).await else { return };
                if session.get_ref().1.alpn_protocol() == Some(b"h2") {
                    let _ = session.write_all(NO_HTTP_2).await;
                } else {
                    self.web(&mut session, site).await;
                }
                let _ = session.shutdown().await;
            }
            Voice::Odd(odd) => self.misbehave(*odd, &mut stream).await,
        }
        hang_up(&mut stream).await;
    }

    async fn web<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S, site: &Site) {
        let Some(request) = read_request(stream).await else { return };
        let answer = site.answer(path(&request), self.clock.now());
        let _ = stream.write_all(&answer).await;
        let _ = stream.flush().await;
    }

    async fn misbehave<S: AsyncRead + AsyncWrite + Unpin>(&self, odd: Odd, stream: &mut S) {
        match odd {
            Odd::Silent => while matches!(stream.read(&mut [0; 512]).await, Ok(heard) if heard > 0) {},
            Odd::Reset | Odd::Close => {}
            Odd::Garbage => {
                let mut draw = Draw::new(self.noise, "garbage");
                let noise: Vec<u8> = (0..75).flat_map(|_| draw.next().to_be_bytes()).collect();
                let _ = stream.write_all(&noise).await;
            }
            Odd::EndlessLines => endless(stream, &b"you may wait here as long as you like\r\n".repeat(100)).await,
            Odd::EndlessPage => {
                if read_request(stream).await.is_some() {
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n").await;
                    endless(stream, &b"<p>and another line</p>\n".repeat(150)).await;
                }
            }
            Odd::Alert => {
                let _ = stream.read(&mut [0; 2048]).await;
                let _ = stream.write_all(&[21, 3, 3, 0, 2, 2, 40]).await;
            }
            Odd::Mail => {
                let _ = stream.write_all(b"220 mail.example ESMTP ready\r\n").await;
            }
        }
    }
}

/// SETTINGS without entries, then GOAWAY with `HTTP_1_1_REQUIRED` (RFC 9113 sections 6.5, 6.8 and 7): the lab knows no
/// HTTP/2, it only offers it as others do.
const NO_HTTP_2: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13];

/// Passes bytes on, a few at a time.
async fn drip<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(from: &mut R, to: &mut W) {
    let (few, pause) = DRIP;
    let mut buffer = vec![0; few];
    while let Ok(heard @ 1..) = from.read(&mut buffer).await {
        if to.write_all(buffer.get(..heard).unwrap_or_default()).await.is_err() {
            break;
        }
        sleep(pause).await;
    }
    let _ = to.shutdown().await;
}

async fn endless<S: AsyncWrite + Unpin>(stream: &mut S, block: &[u8]) {
    let mut left = ENDLESS;
    while left > 0 && stream.write_all(block).await.is_ok() {
        left = left.saturating_sub(block.len());
    }
}

/// A request up to its empty line. What cannot be a request is given back at its first byte; `None` when the client left.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Vec<u8>> {
    let mut heard = Vec::new();
    let mut buffer = [0; 1024];
    while heard.len() < REQUEST {
        let count = stream.read(&mut buffer).await.ok()?;
        if count == 0 {
            return None;
        }
        heard.extend_from_slice(buffer.get(..count)?);
        let whole = heard.windows(4).any(|four| four == b"\r\n\r\n") || heard.windows(2).any(|two| two == b"\n\n");
        if whole || !heard.first()?.is_ascii_uppercase() {
            break;
        }
    }
    Some(heard)
}

/// The path of a `GET`.
fn path(request: &[u8]) -> Option<&str> {
    let line = request.split(|byte| *byte == b'\n').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let known = words.next()? == "GET";
    let path = words.next()?;
    (known && words.next()?.starts_with("HTTP/")).then_some(path)
}

/// Closes in good order: what the client still sends is read, so that no reset overtakes the answer.
async fn hang_up<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) {
    let _ = stream.shutdown().await;
    let mut left = DRAIN;
    let mut buffer = [0; 1024];
    while let Ok(Ok(heard @ 1..)) = timeout(Duration::from_secs(2), stream.read(&mut buffer)).await {
        left = left.saturating_sub(heard);
        if left == 0 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_get_has_a_path() {
        assert_eq!(path(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Some("/"));
        assert_eq!(path(b"POST / HTTP/1.1\r\n\r\n"), None);
        assert_eq!(path(b"\x16\x03\x01\x02"), None);
        assert_eq!(path(b"GET /"), None);
    }
}
