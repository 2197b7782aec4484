//! Proof of key possession in a cleartext TLS 1.2 flight.
//!
//! With an ephemeral key exchange the server signs both randoms and its share with the key of its leaf
//! ([RFC 5246 §7.4.3](https://www.rfc-editor.org/rfc/rfc5246#section-7.4.3),
//! [RFC 8422 §5.4](https://www.rfc-editor.org/rfc/rfc8422#section-5.4)). The client's random is fresh, so an old signature
//! of somebody else does not fit: JARM's own connections prove as much as a finished handshake, at no further cost.
//! TLS 1.1 and older sign MD5 and SHA-1 together, which nothing here verifies; RSA key exchange signs nothing.

use crate::proto::flight::Flight;
use crate::proto::read::{Reader, Short};
use crate::proto::x509::verify_handshake_signature;

const TLS12: u16 = 0x0303;
const NAMED_CURVE: u8 = 3;

/// Whether the flight that answered the hello `sent` proves that the far side holds its leaf's key. `None` when the flight
/// holds no signature, or none that can be checked here.
pub(super) fn proof(sent: &[u8], flight: &Flight) -> Option<bool> {
    let leaf = flight.chain.first()?;
    let server_random = flight.hello.as_ref()?.random;
    let body = flight.server_key_exchange.as_ref().filter(|_| flight.version == TLS12)?;
    let signed = [elliptic, finite].into_iter().find_map(|read| read(body).ok())?;
    // Record header 5, message header 4, version 2: then the random.
    let client_random = sent.get(11..43)?;
    let message = [client_random, &server_random, signed.parameters].concat();
    verify_handshake_signature(leaf, signed.scheme, &message, signed.signature)
}

struct Signed<'a> {
    parameters: &'a [u8],
    scheme: u16,
    signature: &'a [u8],
}

/// `ServerECDHParams` on a named curve.
fn elliptic(body: &[u8]) -> Result<Signed<'_>, Short> {
    let mut rest = Reader::new(body);
    if rest.u8("curve type")? != NAMED_CURVE {
        return Err(Short("named curve"));
    }
    rest.u16("named curve")?;
    rest.vec8("point")?;
    signed(body, rest)
}

/// `ServerDHParams`.
fn finite(body: &[u8]) -> Result<Signed<'_>, Short> {
    let mut rest = Reader::new(body);
    rest.vec16("dh_p")?;
    rest.vec16("dh_g")?;
    rest.vec16("dh_Ys")?;
    signed(body, rest)
}

/// Scheme and signature, which must end the message: that tells one form of parameters from the other.
fn signed<'a>(body: &'a [u8], mut rest: Reader<'a>) -> Result<Signed<'a>, Short> {
    let length = body.len() - rest.rest().len();
    let parameters = body.get(..length).unwrap_or_default();
    let scheme = rest.u16("scheme")?;
    let signature = rest.vec16("signature")?;
    if rest.is_empty() { Ok(Signed { parameters, scheme, signature }) } else { Err(Short("end")) }
}
