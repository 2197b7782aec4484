//! Who answers, before any protocol is spoken.
//!
//! Discovery stands behind one trait, so that a raw SYN sender can join. [`Connect`] sends nothing of its own: the first
//! connection of a service's first conversation is the question, which saves one connection to every live port.

use std::future::Future;
use std::pin::Pin;

use crate::observation::Presence;
use crate::target::Host;

/// What a look at a host gives: one word per service, in the host's order. `Unasked` means that the first conversation
/// has to find out.
pub type Look<'a> = Pin<Box<dyn Future<Output = Vec<Presence>> + 'a>>;

/// A way to find out who answers.
pub trait Discovery: Send + Sync {
    /// The stable name in run rows.
    fn id(&self) -> &'static str;
    /// Looks at one host.
    fn look<'a>(&'a self, host: &'a Host) -> Look<'a>;
}

/// Discovery by the kernel's own connections.
#[derive(Clone, Copy, Debug, Default)]
pub struct Connect;

impl Discovery for Connect {
    fn id(&self) -> &'static str {
        "connect"
    }

    fn look<'a>(&'a self, host: &'a Host) -> Look<'a> {
        let unknown = vec![Presence::Unasked; host.services.len()];
        Box::pin(std::future::ready(unknown))
    }
}
