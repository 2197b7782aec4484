//! Who lives in the street. Every host gets an address, a label its own keys come from, and what it offers.

use std::net::Ipv4Addr;

use super::certificate::{CertKey, Certificate, Issuer, Part};
use super::draw::Draw;
use super::names::Names;
use super::plan::{Host, Layout, Offer, Pace, Plan, SeedRank, Speaks};
use super::site::{Page, Site, Stack};
use super::sshd::{HostKey, KeyKind, Lists, Sshd};
use super::tls::{Manners, Tls};

mod providers;
mod rude;
mod strangers;

/// Third bytes of the candidate /24s. No /24 belongs to one provider alone.
const CANDIDATES: [u8; 6] = [16, 17, 23, 40, 41, 52];
/// Third bytes of the control sample's /24s.
const CONTROL: [u8; 2] = [200, 201];

/// The plan of `seed`; with `shuffle`, other addresses and names for the same people.
pub(super) fn settle(seed: u64, shuffle: Option<u64>, layout: Layout) -> Plan {
    let mut town = Town::new(seed, shuffle, layout);
    providers::settle_first(&mut town);
    providers::settle_second(&mut town);
    strangers::settle(&mut town);
    rude::settle(&mut town);
    let mut hosts = town.hosts;
    hosts.sort_by_key(|host| host.address);
    Plan { seed, layout, first: town.names.first.name, second: town.names.second.name, hosts }
}

/// A street while people move in.
struct Town {
    seed: u64,
    layout: Layout,
    names: Names,
    /// Free last bytes of each candidate /24.
    candidates: Vec<Vec<u8>>,
    /// The same for the control sample.
    control: Vec<Vec<u8>>,
    /// When set, addresses are drawn and what a plan asks for is ignored.
    mix: Option<Draw>,
    count: usize,
    hosts: Vec<Host>,
}

/// A host that is moving in.
struct Newcomer {
    host: Host,
    /// What its own keys and pages come from.
    label: String,
    /// A running number for names.
    number: usize,
}

impl Town {
    fn new(seed: u64, shuffle: Option<u64>, layout: Layout) -> Self {
        let drawn = shuffle.unwrap_or(seed);
        let deck = |third: &u8| {
            let mut deck: Vec<u8> = (2..=250).collect();
            Draw::new(drawn, &format!("addresses {third}")).shuffle(&mut deck);
            deck
        };
        Self {
            seed,
            layout,
            names: Names::new(drawn),
            candidates: CANDIDATES.iter().map(deck).collect(),
            control: CONTROL.iter().map(deck).collect(),
            mix: shuffle.map(|shuffle| Draw::new(shuffle, "mix")),
            count: 0,
            hosts: Vec::new(),
        }
    }

    /// Somebody in the candidate /24 number `quarter` (taken round).
    fn newcomer(&mut self, role: &'static str, quarter: usize) -> Newcomer {
        let address = self.address(quarter, false);
        self.arrive(role, address, false)
    }

    /// Somebody in the control sample.
    fn control(&mut self, role: &'static str, quarter: usize) -> Newcomer {
        let address = self.address(quarter, true);
        self.arrive(role, address, true)
    }

    fn address(&mut self, quarter: usize, control: bool) -> Ipv4Addr {
        let (decks, thirds) =
            if control { (&mut self.control, &CONTROL[..]) } else { (&mut self.candidates, &CANDIDATES[..]) };
        let place = self.mix.as_mut().map_or(quarter % thirds.len(), |mix| mix.below(thirds.len()));
        let third = thirds.get(place).copied().unwrap_or_default();
        let fourth = decks.get_mut(place).and_then(Vec::pop).unwrap_or_default();
        self.layout.address(third, fourth)
    }

    fn arrive(&mut self, role: &'static str, address: Ipv4Addr, control: bool) -> Newcomer {
        self.count += 1;
        let host = Host {
            address,
            provider: None,
            role,
            offers: Vec::new(),
            habits: Vec::new(),
            control,
            seed: None,
            note: String::new(),
        };
        Newcomer { host, label: format!("host/{}", self.count), number: self.count }
    }

    /// Moves in.
    fn add(&mut self, newcomer: Newcomer) {
        self.hosts.push(newcomer.host);
    }
}

impl Newcomer {
    /// Run by `provider`, with these habits to be seen.
    fn of(mut self, provider: &str, habits: &[&'static str]) -> Self {
        self.host.provider = Some(provider.to_owned());
        self.host.habits = habits.to_vec();
        self
    }

    fn note(mut self, note: impl Into<String>) -> Self {
        self.host.note = note.into();
        self
    }

    fn seed(mut self, rank: Option<SeedRank>) -> Self {
        self.host.seed = rank;
        self
    }

    fn offer(mut self, port: u16, speaks: Speaks) -> Self {
        self.host.offers.push(Offer { port, pace: Pace::AtOnce, speaks });
        self
    }

    fn ssh(self, town: &Town, banner: &'static str, lists: &'static Lists, keys: Vec<HostKey>) -> Self {
        self.offer(town.layout.ports.ssh, Speaks::Ssh(Sshd { banner, before: &[], lists, keys }))
    }

    fn http(self, town: &Town, stack: &'static Stack, page: Page) -> Self {
        self.offer(town.layout.ports.http, Speaks::Http(Site { stack, page }))
    }

    fn https(
        self,
        town: &Town,
        manners: &'static Manners,
        certificate: Certificate,
        stack: &'static Stack,
        page: Page,
    ) -> Self {
        let tls = Box::new(Tls { manners, certificate });
        self.offer(town.layout.ports.tls, Speaks::Https(tls, Site { stack, page }))
    }

    fn pace(mut self, pace: Pace) -> Self {
        for offer in &mut self.host.offers {
            offer.pace = pace;
        }
        self
    }

    /// Host keys of its own, as OpenSSH makes them at first start.
    fn own_keys(&self) -> Vec<HostKey> {
        keys(&[KeyKind::P256, KeyKind::Ed25519], &self.label)
    }

    /// A domain of its own.
    fn domain(&self) -> String {
        format!("site{}.example", self.number)
    }

    /// A certificate from a public authority that everybody uses: ninety days, for the host's own domain.
    fn public_certificate(&self, town: &Town) -> Certificate {
        let domain = self.domain();
        public_certificate(town, &self.label, &domain, vec![domain.clone(), format!("www.{domain}")])
    }

    /// The certificate a distribution makes when a package is installed.
    fn default_certificate(&self) -> Certificate {
        Certificate {
            label: self.label.clone(),
            key: (CertKey::P256, self.label.clone()),
            issuer: Issuer::Itself,
            subject: vec![(Part::Name, format!("host{}", self.number))],
            names: vec![format!("host{}", self.number)],
            from: (2025, 8, 19, 4_000 + 61 * u64::try_from(self.number).unwrap_or(0)),
            lasts: 3650 * 86_400,
            serial: None,
        }
    }
}

/// A certificate from a public authority; `label` is shared by all who hold the key.
fn public_certificate(town: &Town, label: &str, domain: &str, names: Vec<String>) -> Certificate {
    let mut draw = Draw::new(town.seed, &format!("issued {label}"));
    let day = u8::try_from(1 + draw.below(28)).unwrap_or(1);
    let second = u64::try_from(draw.below(86_400)).unwrap_or(0);
    let issuer = [(Part::Country, "ZZ"), (Part::Organisation, "Openkey Trust"), (Part::Name, "OT E5")];
    Certificate {
        label: label.to_owned(),
        key: (CertKey::P256, label.to_owned()),
        issuer: Issuer::Authority(issuer.map(|(part, value)| (part, value.to_owned())).to_vec()),
        subject: vec![(Part::Name, domain.to_owned())],
        names,
        from: (2026, 9, day, second),
        lasts: 90 * 86_400 - 1,
        serial: None,
    }
}

fn keys(kinds: &[KeyKind], label: &str) -> Vec<HostKey> {
    kinds.iter().map(|kind| HostKey { kind: *kind, label: label.to_owned() }).collect()
}
