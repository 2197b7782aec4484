//! The nouns of a street: which [`Host`] stands where, what it [`Offer`]s, whose it is, and what a fair judge would say.
//!
//! A plan is data. It opens nothing, and the same seed and layout give the same plan.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;

use super::LabError;
use super::people;
use super::site::Site;
use super::sshd::Sshd;
use super::tls::Tls;

/// Ports of the three protocols on every host; above 1023, so that nobody needs to be root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// TLS.
    pub tls: u16,
    /// HTTP in clear.
    pub http: u16,
    /// SSH.
    pub ssh: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self { tls: 8443, http: 8080, ssh: 2222 }
    }
}

/// Where the street stands. Two streets with different blocks can be up at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    block: Ipv4Net,
    /// Ports of all hosts.
    pub ports: Ports,
}

impl Layout {
    /// A street in `block`, with the usual ports.
    ///
    /// # Errors
    /// When `block` is not a /16 of 127.0.0.0/8 (loopback) or 198.18.0.0/15 (benchmarking, inside a network namespace
    /// that routes it to itself).
    pub fn new(block: Ipv4Net) -> Result<Self, LabError> {
        let loopback = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);
        let benchmark = Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15);
        let permitted = block.prefix_len() == 16 && (loopback.contains(&block) || benchmark.contains(&block));
        if permitted { Ok(Self { block: block.trunc(), ports: Ports::default() }) } else { Err(LabError::Block(block)) }
    }

    /// The /16 all addresses lie in.
    #[must_use]
    pub fn block(&self) -> Ipv4Net {
        self.block
    }

    /// The address with these last two bytes.
    pub(super) fn address(&self, third: u8, fourth: u8) -> Ipv4Addr {
        let [first, second, _, _] = self.block.network().octets();
        Ipv4Addr::new(first, second, third, fourth)
    }
}

impl Default for Layout {
    fn default() -> Self {
        Self { block: Ipv4Net::new_assert(Ipv4Addr::new(127, 77, 0, 0), 16), ports: Ports::default() }
    }
}

/// A whole street before anything is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What all draws came from.
    pub seed: u64,
    /// Where it stands.
    pub layout: Layout,
    /// The provider whose hosts are looked for.
    pub first: String,
    /// The other provider.
    pub second: String,
    /// Every address that has a story, ascending.
    pub hosts: Vec<Host>,
}

impl Plan {
    /// The street of `seed`.
    #[must_use]
    pub fn new(seed: u64, layout: Layout) -> Self {
        people::settle(seed, None, layout)
    }

    /// The same people with the same habits behind other addresses and under other names, drawn from `shuffle`. What is
    /// found of this street must be what was found of the first.
    #[must_use]
    pub fn shuffled(&self, shuffle: u64) -> Self {
        people::settle(self.seed, Some(shuffle), self.layout)
    }

    /// The host to start from: it shows every habit of the first provider.
    #[must_use]
    pub fn good_seed(&self) -> Option<IpAddr> {
        self.seeds_of(&self.first).first().copied()
    }

    /// Other hosts of the first provider from which the same cluster must be found.
    #[must_use]
    pub fn alternative_seeds(&self) -> Vec<IpAddr> {
        self.seeds_of(&self.first).into_iter().skip(1).collect()
    }

    /// Hosts of `provider` that make a seed, the best first.
    #[must_use]
    pub fn seeds_of(&self, provider: &str) -> Vec<IpAddr> {
        let mut seeds: Vec<(SeedRank, IpAddr)> = self
            .hosts
            .iter()
            .filter(|host| host.provider.as_deref() == Some(provider))
            .filter_map(|host| Some((host.seed?, host.address.into())))
            .collect();
        seeds.sort_unstable();
        seeds.into_iter().map(|(_, address)| address).collect()
    }

    /// The /24s of the street, ascending: candidates first, then those of the control sample.
    #[must_use]
    pub fn networks(&self, control: bool) -> Vec<Ipv4Net> {
        let all = self.hosts.iter().filter(|host| host.control == control).map(|host| host.address);
        let mut found: Vec<Ipv4Net> = all.filter_map(|one| Some(Ipv4Net::new(one, 24).ok()?.trunc())).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// One address of the street.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Where.
    pub address: Ipv4Addr,
    /// Who runs it, where that is one of the street's providers or fleets; `None` for people on their own.
    pub provider: Option<String>,
    /// What it plays: `image`, `tenant`, `stock`, `cdn`, `clone`, `silent` …
    pub role: &'static str,
    /// What it offers; empty for a dead address.
    pub offers: Vec<Offer>,
    /// Whose habits are visible: the groups (key, sshd, web, cert) that show its provider's own hand.
    pub habits: Vec<&'static str>,
    /// True for the control sample: hosting that nobody suspects.
    pub control: bool,
    /// Set when it makes a seed.
    pub seed: Option<SeedRank>,
    /// One line on why it is here.
    pub note: String,
}

/// How good a seed a host makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeedRank {
    /// The one to start from.
    Good,
    /// As telling, by other values.
    Alternative,
}

impl Host {
    /// True when something meaningful can be heard from it.
    #[must_use]
    pub fn answers(&self) -> bool {
        self.offers.iter().any(|offer| !matches!(offer.speaks, Speaks::Odd(Odd::Silent | Odd::Reset | Odd::Close)))
    }
}

/// One listening port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// TCP port.
    pub port: u16,
    /// How fast it answers.
    pub pace: Pace,
    /// What it speaks.
    pub speaks: Speaks,
}

/// How fast a service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Pace {
    /// As fast as it can.
    #[default]
    AtOnce,
    /// Says nothing for the first 700 ms.
    Slow,
    /// A few bytes at a time.
    Drip,
}

/// What a port speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// SSH transport up to the end of the key exchange.
    Ssh(Sshd),
    /// HTTP/1.1 in clear.
    Http(Site),
    /// HTTP/1.1 over TLS.
    Https(Box<Tls>, Site),
    /// Something no well-behaved client expects.
    Odd(Odd),
}

/// Ways to misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    /// Accepts and never says a word.
    Silent,
    /// Accepts and resets.
    Reset,
    /// Accepts and closes.
    Close,
    /// 600 bytes of noise, then the end.
    Garbage,
    /// Lines without end that never become an SSH banner.
    EndlessLines,
    /// A page without end.
    EndlessPage,
    /// Hears the hello and refuses with the TLS alert `handshake_failure`.
    Alert,
    /// Greets as a mail server would.
    Mail,
}
