//! A full TLS 1.2 or 1.3 session that asks nobody whether the far side is to be trusted.
//!
//! In: bytes from the server. Out: bytes to it, and what was agreed on, the chain as sent, and the signature by which the
//! server proves its key, unjudged. When a request is handed in, it is sent inside and the answer kept in plain text.
//! rustls draws its own random numbers; nothing else here is left to chance. No client certificate is ever sent.

use std::io::{Read as _, Write as _};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring as provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

use crate::observation::{Blob, HandshakeSignature, Session};
use crate::proto::{Conversation, Event, Next, Remains};

/// Most bytes read from the wire: an HTTP head of 64 KiB, a body of 256 KiB, a chain of 64 KiB, and what TLS adds.
const WIRE_LIMIT: usize = 512 * 1024;
/// Certificates of a chain kept at most.
const MOST_CERTIFICATES: usize = 16;
/// What [`Session::error`] says when the far side hung up before the handshake was done.
pub(super) const HUNG_UP: &str = "closed during the handshake";

/// A request to send inside the session, and how to know when its answer is whole.
pub struct Request {
    /// The bytes to send.
    pub bytes: Vec<u8>,
    /// When to hang up.
    pub done: Whole,
}

/// Says of all plain text heard so far whether the answer is complete.
pub type Whole = Box<dyn FnMut(&[u8]) -> bool + Send>;

/// Why no session could be begun.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The name cannot stand in a TLS hello.
    #[error("`{0}` cannot be sent as a server name: use letters, digits, hyphens and dots")]
    Name(String),
    /// rustls refused our own settings.
    #[error("cannot set up a TLS client")]
    Setup(#[from] rustls::Error),
}

/// One TLS session as a conversation.
pub struct SessionConversation {
    connection: ClientConnection,
    capture: Arc<CaptureOnly>,
    request: Option<Request>,
    plain_sent: Vec<u8>,
    plain_heard: Vec<u8>,
    complete: bool,
    over: bool,
    closed: bool,
    alert: Option<u8>,
    error: Option<String>,
}

impl SessionConversation {
    /// A session with `name` as SNI, or, asked by address, without SNI. `offer_alpn` offers `http/1.1` and nothing else.
    ///
    /// # Errors
    /// When `name` is no name that TLS can carry, or rustls refuses its settings.
    pub fn new(
        name: Option<&str>,
        address: IpAddr,
        offer_alpn: bool,
        request: Option<Request>,
    ) -> Result<Self, SessionError> {
        let server = match name {
            Some(name) => ServerName::try_from(name.to_owned()).map_err(|_| SessionError::Name(name.to_owned()))?,
            None => ServerName::IpAddress(address.into()),
        };
        let capture = Arc::new(CaptureOnly::default());
        let mut config = ClientConfig::builder_with_provider(shared_provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&capture) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        if offer_alpn {
            config.alpn_protocols = vec![b"http/1.1".to_vec()];
        }
        let connection = ClientConnection::new(Arc::new(config), server)?;
        Ok(Self {
            connection,
            capture,
            request,
            plain_sent: Vec::new(),
            plain_heard: Vec::new(),
            complete: false,
            over: false,
            closed: false,
            alert: None,
            error: None,
        })
    }

    /// Hands `bytes` to rustls piece by piece, since it takes only so many at a time.
    fn hear(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.over {
            match self.connection.read_tls(&mut bytes) {
                // After the far side's close_notify nothing more is taken in.
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => return self.fail(&error.to_string()),
            }
            match self.connection.process_new_packets() {
                Ok(state) => {
                    self.after_packets();
                    if state.peer_has_closed() && self.complete {
                        // An answer without a length is whole by this alone: many servers reset the connection next.
                        self.closed = true;
                        self.over = true;
                    }
                }
                Err(rustls::Error::AlertReceived(alert)) => {
                    self.after_packets();
                    self.alert = Some(u8::from(alert));
                    self.over = true;
                }
                Err(error) => {
                    self.after_packets();
                    self.fail(&error.to_string());
                }
            }
        }
    }

    fn after_packets(&mut self) {
        // At the end of what has come there is an error, WouldBlock; what was read before it is kept.
        let _ = self.connection.reader().read_to_end(&mut self.plain_heard);
        if !self.complete && !self.connection.is_handshaking() {
            self.complete = true;
            if let Some(request) = &self.request {
                match self.connection.writer().write_all(&request.bytes) {
                    Ok(()) => self.plain_sent.clone_from(&request.bytes),
                    Err(error) => self.fail(&error.to_string()),
                }
            }
        }
    }

    fn fail(&mut self, words: &str) {
        self.over = true;
        // Bounded and plain: rustls quotes little of what it heard, but a note is no place for strangers' bytes.
        let plain = words.chars().map(|c| if c.is_ascii() && !c.is_ascii_control() { c } else { '?' });
        self.error = Some(plain.take(200).collect());
    }

    fn satisfied(&mut self) -> bool {
        match &mut self.request {
            _ if self.over => true,
            None => self.complete,
            Some(request) => self.complete && (request.done)(&self.plain_heard),
        }
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        while self.connection.wants_write() {
            if self.connection.write_tls(out).is_err() {
                break;
            }
        }
    }
}

impl Conversation for SessionConversation {
    fn limit(&self) -> usize {
        WIRE_LIMIT
    }

    fn next(&mut self, event: Event, heard: &[u8], out: &mut Vec<u8>) -> Next {
        match event {
            Event::Connected => {}
            Event::Heard(from) => self.hear(heard.get(from..).unwrap_or_default()),
            Event::Closed => {
                if !self.complete && !self.over {
                    self.fail(HUNG_UP);
                }
                self.over = true;
            }
        }
        let satisfied = self.satisfied();
        if satisfied && self.complete && event != Event::Closed {
            self.connection.send_close_notify();
        }
        // Also after an error: rustls has put the alert for it into its queue.
        self.flush(out);
        if satisfied { Next::Done } else { Next::Read }
    }

    fn finish(&mut self) -> Remains {
        let slot = std::mem::take(&mut *self.capture.slot());
        let session = Session {
            version: self.connection.protocol_version().map_or(0, u16::from),
            cipher_suite: self.connection.negotiated_cipher_suite().map_or(0, |one| u16::from(one.suite())),
            alpn: self.connection.alpn_protocol().map(<[u8]>::to_vec),
            chain: slot.chain,
            proof: slot.proof,
            alert: self.alert,
            complete: self.complete,
            error: self.error.take(),
        };
        let plain = (self.complete && self.request.is_some())
            .then(|| (std::mem::take(&mut self.plain_sent), std::mem::take(&mut self.plain_heard)));
        Remains { session: Some(session), plain, secret: None, closed: self.closed }
    }
}

/// ring with the classical groups alone: post-quantum shares would only make the hello larger.
fn shared_provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    let make = || CryptoProvider {
        kx_groups: vec![provider::kx_group::X25519, provider::kx_group::SECP256R1, provider::kx_group::SECP384R1],
        ..provider::default_provider()
    };
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(make())))
}

/// What the verifier was shown.
#[derive(Debug, Default)]
struct Shown {
    chain: Vec<Blob>,
    proof: Option<HandshakeSignature>,
}

/// Accepts every chain and every signature, and keeps both.
#[derive(Debug, Default)]
struct CaptureOnly(Mutex<Shown>);

impl CaptureOnly {
    fn slot(&self) -> MutexGuard<'_, Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, message: &[u8], signed: &DigitallySignedStruct) -> HandshakeSignatureValid {
        self.slot().proof = Some(HandshakeSignature {
            scheme: u16::from(signed.scheme),
            message: message.to_vec(),
            signature: signed.signature().to_vec(),
        });
        HandshakeSignatureValid::assertion()
    }
}

impl ServerCertVerifier for CaptureOnly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let all = std::iter::once(end_entity).chain(intermediates);
        self.slot().chain = all.take(MOST_CERTIFICATES).map(|one| Blob(one.to_vec())).collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        _cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(self.keep(message, signed))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        _cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(self.keep(message, signed))
    }

    /// Every scheme there is: what is not offered here makes a server look dead.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED25519,
            SignatureScheme::ED448,
            // Before PSS, which cannot be checked here for keys of 1024 bits; TLS 1.3 takes PSS alone.
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::ECDSA_SHA1_Legacy,
            SignatureScheme::RSA_PKCS1_SHA1,
        ]
    }
}
