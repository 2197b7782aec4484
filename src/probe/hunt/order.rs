//! In which order a hunt asks: which service first, and which of JARM's ten hellos first.
//!
//! The hello that leaves the fewest strangers alive goes first, then the one that leaves the fewest of those, and so on.
//! Strangers are the JARMs of the case's other hosts and those that come with the program. Services are ordered by how
//! many connections a stranger is expected to cost; without enough hosts on record JARM goes first, then SSH, then HTTP.

use std::collections::BTreeMap;

use super::Telling;
use super::template::{Template, code_of, codes};
use crate::facet::{FacetKind, Labels};
use crate::observation::Speech;

/// Hosts that must be on record before their values say how common something is.
const ENOUGH: u64 = 30;
/// Algorithm lists that more hosts than this have are taken for stock.
pub(super) const STOCK_SHARE: f64 = 0.05;
/// Connections of a usual full capture: what a stranger costs who looks like a seed.
const FULL: f64 = 12.0;
/// Probes whose clear answer brings a certificate: they go first among equals.
const BRINGS_CERTIFICATE: [u8; 4] = [0, 1, 2, 3];

/// How common values are among hosts that are no seeds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Background {
    counts: BTreeMap<FacetKind, BTreeMap<Vec<u8>, u64>>,
}

impl Background {
    /// Kinds worth counting.
    pub const KINDS: [FacetKind; 4] =
        [FacetKind::TlsJarm, FacetKind::SshKexinitSha256, FacetKind::SshHasshServer, FacetKind::HttpHeaderOrder];

    /// One more host shows this.
    pub fn add(&mut self, kind: FacetKind, value: &[u8]) {
        if Self::KINDS.contains(&kind) {
            let of_kind = self.counts.entry(kind).or_default();
            match of_kind.get_mut(value) {
                Some(count) => *count += 1,
                None => drop(of_kind.insert(value.to_vec(), 1)),
            }
        }
    }

    /// Share of the hosts that show this value; `None` when too few are on record.
    #[must_use]
    pub fn share(&self, kind: FacetKind, value: &[u8]) -> Option<f64> {
        let of_kind = self.counts.get(&kind)?;
        share(of_kind.get(value).copied().unwrap_or(0), of_kind.values().sum())
    }

    /// Share of the hosts for whose value `like` holds.
    fn share_of(&self, kind: FacetKind, like: impl Fn(&[u8]) -> bool) -> Option<f64> {
        let of_kind = self.counts.get(&kind)?;
        let hits = of_kind.iter().filter(|(value, _)| like(value)).map(|(_, count)| count).sum();
        share(hits, of_kind.values().sum())
    }
}

fn share(hits: u64, all: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    (all >= ENOUGH).then(|| (hits as f64 + 0.5) / (all as f64 + 1.0))
}

/// The order of JARM's probes, and how many of them a stranger is expected to cost.
#[must_use]
pub fn probes(seeds: &[Template], labels: &Labels, background: &Background) -> ([u8; 10], f64) {
    let wanted: Vec<[String; 10]> =
        seeds.iter().flat_map(|seed| &seed.jarm).map(|look| look.each_ref().map(|slot| code_of(slot))).collect();
    let mut strangers: Vec<([String; 10], u64)> = background
        .counts
        .get(&FacetKind::TlsJarm)
        .into_iter()
        .flatten()
        .filter_map(|(value, count)| Some((codes(value)?, *count)))
        .collect();
    strangers.extend(labels.exact_values(FacetKind::TlsJarm).filter_map(|(value, _)| Some((codes(value)?, 1))));
    // Those that agree in all ten cost ten whatever the order.
    strangers.retain(|(stranger, _)| !wanted.contains(stranger));
    strangers.sort_unstable();
    let all: u64 = strangers.iter().map(|(_, count)| count).sum();
    // Where a certificate may keep a host, the first answer must show one.
    let by_certificate = seeds.iter().any(|seed| !seed.cert.is_empty());
    let (mut order, mut asked) = (Vec::new(), 0u64);
    let mut left: Vec<u8> = (0..10).collect();
    while !left.is_empty() {
        let alive = |probes: &[u8], stranger: &[String; 10]| {
            wanted.iter().any(|look| probes.iter().all(|probe| slot(look, *probe) == slot(stranger, *probe)))
        };
        asked += strangers.iter().map(|(_, count)| count).sum::<u64>();
        let remaining = |probe: u8| -> u64 {
            let probes: Vec<u8> = order.iter().copied().chain([probe]).collect();
            strangers.iter().filter(|(stranger, _)| alive(&probes, stranger)).map(|(_, count)| count).sum()
        };
        let first = order.is_empty() && by_certificate;
        let open = left.iter().copied().filter(|probe| !first || BRINGS_CERTIFICATE.contains(probe));
        let Some(next) = open.min_by_key(|probe| (remaining(*probe), !BRINGS_CERTIFICATE.contains(probe), *probe))
        else {
            break;
        };
        order.push(next);
        left.retain(|probe| *probe != next);
        strangers.retain(|(stranger, _)| alive(&order, stranger));
    }
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let expected = if all == 0 { 1.3 } else { asked as f64 / all as f64 };
    let mut probes = [0; 10];
    for (place, probe) in probes.iter_mut().zip(order) {
        *place = probe;
    }
    (probes, expected)
}

fn slot(look: &[String; 10], probe: u8) -> Option<&str> {
    look.get(usize::from(probe)).map(String::as_str)
}

/// The services in the order they are asked, those that tell nothing left out.
#[must_use]
pub fn services(seeds: &[Template], background: &Background, hellos: f64) -> Vec<Telling> {
    let mut costs: Vec<(f64, Telling)> = Telling::ALL
        .into_iter()
        .filter(|telling| seeds.iter().any(|seed| seed.tells(telling.speech())))
        .map(|telling| (cost(telling, seeds, background, hellos), telling))
        .collect();
    costs.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    costs.into_iter().map(|(_, telling)| telling).collect()
}

/// Connections a stranger is expected to cost when this service is asked first.
fn cost(telling: Telling, seeds: &[Template], background: &Background, hellos: f64) -> f64 {
    let has = |looks: &[super::template::Look], value: &[u8]| {
        let value = crate::facet::show_bytes(value);
        looks.iter().flatten().any(|(_, wanted)| *wanted == value)
    };
    let (measured, usual, own) = match telling {
        Telling::Jarm => {
            let whole = |value: &[u8]| {
                let Some(value) = codes(value) else { return false };
                seeds.iter().flat_map(|seed| &seed.jarm).any(|look| look.each_ref().map(|slot| code_of(slot)) == value)
            };
            (background.share_of(FacetKind::TlsJarm, whole), 0.02, hellos)
        }
        Telling::Ssh => {
            let like = |value: &[u8]| seeds.iter().any(|seed| has(&seed.ssh, value));
            (background.share_of(FacetKind::SshKexinitSha256, like), 0.15, 1.0)
        }
        Telling::Http => {
            let like = |value: &[u8]| seeds.iter().any(|seed| has(&seed.http, value));
            (background.share_of(FacetKind::HttpHeaderOrder, like), 0.25, 1.0)
        }
    };
    // A seed that has no such service needs another one asked.
    let uncovered = seeds.iter().any(|seed| !seed.tells(telling.speech()));
    let speech_cost = own + measured.unwrap_or(usual) * FULL;
    speech_cost + if uncovered { 1.0 } else { 0.0 }
}

impl Telling {
    /// The kind of service it is asked of.
    #[must_use]
    pub fn speech(self) -> Speech {
        match self {
            Self::Jarm => Speech::Tls,
            Self::Ssh => Speech::Ssh,
            Self::Http => Speech::Http,
        }
    }
}
