//! What is wanted of each host.

use std::str::FromStr;
use std::sync::Arc;

use super::hunt::Hunt;
use crate::observation::{Speech, UnknownWord};
use crate::proto::ssh;

/// Which fingerprints are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of four flags, as typed")]
pub struct Want {
    /// JARM.
    pub jarm: bool,
    /// Certificates.
    pub cert: bool,
    /// HTTP, in clear and over TLS.
    pub http: bool,
    /// SSH.
    pub ssh: bool,
}

impl Want {
    /// Everything.
    pub const ALL: Self = Self { jarm: true, cert: true, http: true, ssh: true };

    /// True when anything is wanted of services of this kind.
    #[must_use]
    pub fn speech(self, speech: Speech) -> bool {
        match speech {
            Speech::Tls => self.jarm || self.cert || self.http,
            Speech::Http => self.http,
            Speech::Ssh => self.ssh,
        }
    }

    /// The words of `--only`.
    #[must_use]
    pub fn words(self) -> Vec<&'static str> {
        let all = [(self.jarm, "jarm"), (self.cert, "cert"), (self.http, "http"), (self.ssh, "ssh")];
        all.into_iter().filter_map(|(on, word)| on.then_some(word)).collect()
    }
}

impl FromStr for Want {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        let mut want = Self { jarm: false, cert: false, http: false, ssh: false };
        for word in text.split(',').map(str::trim) {
            match word {
                "jarm" => want.jarm = true,
                "cert" => want.cert = true,
                "http" => want.http = true,
                "ssh" => want.ssh = true,
                other => return Err(UnknownWord(other.to_owned())),
            }
        }
        Ok(want)
    }
}

/// How many of a server's host keys are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SshKeys {
    /// The first that can be verified: one connection.
    First,
    /// One of each type: one connection each.
    All,
}

/// When a full TLS session is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Only where JARM's clear answers gave no certificate.
    Needed,
    /// For every TLS service: the server proves its key, and the HTTPS page rides on it.
    Always,
}

/// A hunt, and how a host is captured that is like a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HuntSettings {
    /// What to look for.
    pub hunt: Arc<Hunt>,
    /// When a full session is opened with seeds and hosts like them.
    pub proof_of_matches: Proof,
}

/// What is wanted of each host, and how hard to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which fingerprints.
    pub want: Want,
    /// How many host keys.
    pub ssh_keys: SshKeys,
    /// When a full session.
    pub proof: Proof,
    /// Whether a page that answered is asked for its favicon.
    pub favicon: bool,
    /// The scope's page, named in every HTTP request.
    pub page: Option<String>,
    /// How often a slot lost to a time-out is asked again.
    pub retries: u8,
}

impl Settings {
    /// Everything of every host.
    #[must_use]
    pub fn full(page: Option<String>) -> Self {
        Self { want: Want::ALL, ssh_keys: SshKeys::All, proof: Proof::Always, favicon: true, page, retries: 1 }
    }

    /// The most connections one service can cost, whatever it says and however often it must be asked again.
    #[must_use]
    pub fn most_connections(&self, speech: Speech) -> u64 {
        let favicon = u64::from(self.favicon && self.want.http);
        let tries = 1 + u64::from(self.retries);
        match speech {
            // Ten hellos, or one for the certificate; a session, the same again where ALPN is refused, the old hello where
            // neither gave a leaf.
            Speech::Tls => 3 + favicon + if self.want.jarm { 10 * tries } else { 1 },
            Speech::Http => 1 + favicon,
            Speech::Ssh => match self.ssh_keys {
                SshKeys::First => tries,
                SshKeys::All => ssh::KEY_TYPES * tries,
            },
        }
    }

    /// The usual connections of one live service.
    #[must_use]
    pub fn usual_connections(&self, speech: Speech) -> u64 {
        let favicon = u64::from(self.favicon && self.want.http);
        match speech {
            Speech::Tls => match (self.want.jarm, self.proof) {
                (true, Proof::Needed) => 10,
                (true, Proof::Always) => 11 + favicon,
                (false, _) => 1 + favicon,
            },
            Speech::Http => 1 + favicon,
            Speech::Ssh => match self.ssh_keys {
                SshKeys::First => 1,
                SshKeys::All => 3,
            },
        }
    }
}

/// Connections a host costs, for plans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// To a dead address.
    pub dead: u64,
    /// To a live host, usually.
    pub usual: u64,
    /// At most.
    pub most: u64,
}

impl Costs {
    /// What a host with these services costs under `settings`, of which it may have `ceiling` in all.
    pub fn of(services: impl Iterator<Item = Speech>, settings: &Settings, ceiling: Option<u32>) -> Self {
        let whole = services.filter(|speech| settings.want.speech(*speech)).fold(Self::default(), |sum, speech| Self {
            dead: sum.dead + 1,
            usual: sum.usual + settings.usual_connections(speech),
            most: sum.most + settings.most_connections(speech),
        });
        let capped = |count: u64| ceiling.map_or(count, |ceiling| count.min(u64::from(ceiling)));
        Self { dead: capped(whole.dead), usual: capped(whole.usual), most: capped(whole.most) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_never_costs_more_than_its_ceiling() {
        let settings = Settings::full(None);
        let all = || Speech::ALL.into_iter();
        assert_eq!(Costs::of(all(), &settings, None), Costs { dead: 3, usual: 17, most: 24 + 2 + 32 });
        assert_eq!(Costs::of(all(), &settings, Some(32)), Costs { dead: 3, usual: 17, most: 32 });
        assert_eq!(Costs::of(all(), &settings, Some(2)), Costs { dead: 2, usual: 2, most: 2 });
    }
}
