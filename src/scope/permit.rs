//! The right to open one connection, and the reasons for which none is given.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::clock::Timestamp;
use crate::observation::Speech;

/// The right to open one connection to one address and port now. Only [`super::Scope::admit`] makes one, and spending
/// it uses it up.
///
/// It cannot be made elsewhere:
/// ```compile_fail,E0451
/// let to = std::net::SocketAddr::from(([127, 0, 0, 1], 22));
/// let speech = hostkin::observation::Speech::Ssh;
/// let permit = hostkin::scope::Permit { to, speech, issued_at: hostkin::clock::Timestamp::UNIX_EPOCH };
/// ```
/// nor copied:
/// ```compile_fail,E0277
/// fn twice<T: Clone>(_: T) {}
/// fn try_it(permit: hostkin::scope::Permit) {
///     twice(permit);
/// }
/// ```
/// nor spent twice:
/// ```compile_fail,E0382
/// fn try_it(permit: hostkin::scope::Permit) {
///     permit.spend();
///     permit.spend();
/// }
/// ```
/// nor conjured up:
/// ```compile_fail,E0277
/// let permit: hostkin::scope::Permit = Default::default();
/// ```
/// nor issued by anyone but a scope:
/// ```compile_fail,E0624
/// let to = std::net::SocketAddr::from(([127, 0, 0, 1], 22));
/// let speech = hostkin::observation::Speech::Ssh;
/// let permit = hostkin::scope::Permit::issue(to, speech, hostkin::clock::Timestamp::UNIX_EPOCH);
/// ```
#[derive(Debug)]
#[must_use = "a permit that is not spent permits nothing"]
pub struct Permit {
    to: SocketAddr,
    speech: Speech,
    issued_at: Timestamp,
}

impl Permit {
    /// Only for [`super::Scope::admit`], once everything is checked.
    pub(super) fn issue(to: SocketAddr, speech: Speech, issued_at: Timestamp) -> Self {
        // Built anew from address and port, so that no IPv6 zone or flow label rides along.
        Self { to: SocketAddr::new(to.ip(), to.port()), speech, issued_at }
    }

    /// Where to.
    #[must_use]
    pub fn to(&self) -> SocketAddr {
        self.to
    }

    /// What for.
    #[must_use]
    pub fn speech(&self) -> Speech {
        self.speech
    }

    /// When it was given. One that had to wait is shown to [`super::Scope::still_admits`] before it is spent.
    #[must_use]
    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// Uses the permit up and says where to dial, once.
    #[must_use]
    pub fn spend(self) -> SocketAddr {
        self.to
    }
}

/// Why no permit was given. Nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The scope begins later.
    #[error("the scope begins on {from}")]
    NotYetValid {
        /// First instant inside.
        from: Timestamp,
    },
    /// The scope has ended.
    #[error("the scope ended on {until}")]
    Expired {
        /// First instant outside.
        until: Timestamp,
    },
    /// No grant names the address.
    #[error("no grant of the scope holds {address}")]
    NotGranted {
        /// The address.
        address: IpAddr,
    },
    /// A grant names the address, but not this service of it.
    #[error("the scope grants {} at {}, not {}", list(granted), to.ip(), asked(*speech, to.port()))]
    PortNotGranted {
        /// What was asked.
        to: SocketAddr,
        /// What was to be spoken; `None` for anything.
        speech: Option<Speech>,
        /// What is granted there.
        granted: Vec<(Speech, u16)>,
    },
    /// The scope grants it, but flags left it out of this run.
    #[error("{to} is in the scope, but the options of this run leave it out")]
    Narrowed {
        /// What was asked.
        to: SocketAddr,
    },
    /// The scope excludes it.
    #[error("{address} is excluded by the scope ({network})")]
    Excluded {
        /// The address.
        address: IpAddr,
        /// The exclusion.
        network: IpNet,
    },
    /// Never asked, whatever a scope says.
    #[error("{address} is in a special-purpose block ({block}), which is never asked")]
    SpecialPurpose {
        /// The address.
        address: IpAddr,
        /// The block's network, name and source.
        block: String,
    },
    /// Its owner wants no such connections.
    #[error("{address} has opted out")]
    OptedOut {
        /// The address.
        address: IpAddr,
    },
    /// Nobody is asked while an opt-out list cannot be read.
    #[error("{why}; nobody is asked until this is mended")]
    OptOutUnreadable {
        /// Which list, and what is wrong with it.
        why: String,
    },
}

impl Refusal {
    /// True for reasons that may pass while a scan runs, so that waiting is better than giving the address up.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::NotYetValid { .. } | Self::OptOutUnreadable { .. })
    }
}

fn list(services: &[(Speech, u16)]) -> String {
    let each: Vec<String> = services.iter().map(|(speech, port)| format!("{speech} {port}")).collect();
    each.join(", ")
}

fn asked(speech: Option<Speech>, port: u16) -> String {
    speech.map_or_else(|| format!("port {port}"), |speech| format!("{speech} {port}"))
}
