//! SSH up to the host key ([RFC 4253](https://www.rfc-editor.org/rfc/rfc4253)).
//!
//! Out: one connection per type of host key, each with an identification line, KEXINIT and one key exchange ([`Kex`]).
//! In: banner, hasshServer, all algorithm lists, and every host key with the proof that the server holds it
//! ([`read`]). Never authenticates: a connection ends at the reply that carries the host key.
//!
//! A host key counts as proven when its signature over the exchange hash verifies. The hash covers random numbers of
//! ours and is computed again whenever a capture is read, from the bytes sent, the bytes heard and the shared secret.
//! A server that passes our bytes on to another shows that one's key, proven; nobody on this side can tell.
//!
//! hasshServer is defined by <https://github.com/salesforce/hassh> (`python/hassh.py`): lists exactly as sent,
//! pseudo-methods such as `kex-strict-s-v00@openssh.com` included.

use crate::observation::{Capture, Speech};
use crate::proto::{Protocol, Reading};

mod algorithm;
mod conversation;
mod fault;
mod group;
mod hostkey;
mod ident;
mod kexinit;
mod method;
mod packet;
mod reading;
mod signature;
mod talk;
#[cfg(test)]
mod tests;
mod transcript;
mod wire;

pub use algorithm::KEY_TYPES;
pub use conversation::{Kex, Want};
pub use kexinit::KexInit;
pub use reading::{is_settled, read, wanted};

/// The SSH transport layer.
#[derive(Debug)]
pub struct Ssh;

impl Protocol for Ssh {
    fn id(&self) -> &'static str {
        "ssh"
    }

    fn speech(&self) -> Speech {
        Speech::Ssh
    }

    fn read(&self, capture: &Capture) -> Reading {
        read(capture)
    }
}

/// The KEXINIT in what a server said, banner first; `None` when it did not come, not whole, or cannot be read.
#[must_use]
pub fn kexinit(heard: &[u8]) -> Option<KexInit<'_>> {
    let ident::Ident::Found { line, end } = ident::Ident::find(heard) else { return None };
    let packets = heard.get(end..).filter(|_| ident::speaks_version_2(line))?;
    talk::Talk::hear(packets, None).kexinit
}
