//! What a hypothesis lacks: the other parts of the same provider, and single hosts that fit it.
//!
//! Average linkage compares hosts two by two. A group of them says more than a pair: two groups each of which knows the
//! other's hosts by its own counts are one, directly or over others, and so is a host that a group knows. Only what agrees
//! with a host of a group, or shows one of its rarest values, is looked at.

use std::collections::BTreeMap;

use super::blind::{Hypothesis, hypothesis};
use super::parts::Parts;
use super::population::at;
use super::score::Ground;
use crate::finding::Level;

/// Two hypotheses are one where each gives the other's hosts this on average.
const KNOWS: f64 = 0.3;
/// A host of none comes in from this probability on.
const COMES_IN: f64 = 0.7;
/// Postings of a hypothesis's rarest values that are read for hosts that it may know.
const RARE: usize = 300;
/// Most hosts of a hypothesis that another is asked about.
const LOOKED_AT: usize = 16;
/// Stands for no hypothesis.
const NONE: usize = usize::MAX;

/// One round: hypotheses that know each other joined, with the single hosts that they know. `alike` are the pairs of hosts
/// that agree; who is not `free` never comes in.
pub(super) fn regrown(
    ground: Ground<'_>,
    found: Vec<Hypothesis>,
    alike: &[(u32, u32)],
    free: &dyn Fn(&u32) -> bool,
) -> Vec<Hypothesis> {
    let Near { touching, singles } = near(ground, &found, alike, free);
    let mut joined = Parts::new(found.len());
    for (one, other) in touching {
        let (Some(left), Some(right)) = (found.get(one), found.get(other)) else { continue };
        let are_one = joined.root(one) == joined.root(other);
        if !are_one && knows(ground, left, right) && knows(ground, right, left) {
            joined.join(one, other);
        }
    }
    let mut more: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
    for of_one in singles.chunk_by(|a, b| a.0 == b.0) {
        let fits = of_one.iter().filter_map(|(host, place)| Some((fit(ground, found.get(*place)?, *host)?, *place)));
        let best = fits.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        if let (Some((_, place)), Some((host, _))) = (best, of_one.first()) {
            more.entry(joined.root(place)).or_default().push(*host);
        }
    }
    let mut parts: BTreeMap<usize, Vec<Hypothesis>> = BTreeMap::new();
    for (place, one) in found.into_iter().enumerate() {
        parts.entry(joined.root(place)).or_default().push(one);
    }
    let wholes = parts.into_iter().flat_map(|(place, parts)| {
        let mut hosts = more.remove(&place).unwrap_or_default();
        if hosts.is_empty() && parts.len() == 1 {
            return parts;
        }
        hosts.extend(parts.iter().flat_map(|part| part.members.iter().map(|member| member.0)));
        hosts.sort_unstable();
        let Some(one) = hypothesis(ground, &hosts) else { return parts };
        // A part of which nothing is in the whole stays as it was.
        let is_left = |part: &Hypothesis| part.members.iter().all(|(host, _)| !one.holds(*host));
        let mut all: Vec<Hypothesis> = parts.into_iter().filter(is_left).collect();
        all.push(one);
        all
    });
    wholes.collect()
}

/// What is looked at in a round; ascending.
struct Near {
    /// Hypotheses that may be one.
    touching: Vec<(usize, usize)>,
    /// Hosts of none, and the hypotheses they may belong to.
    singles: Vec<(u32, usize)>,
}

/// Finds it, over the pairs that agree and the rarest values.
fn near(ground: Ground<'_>, found: &[Hypothesis], alike: &[(u32, u32)], free: &dyn Fn(&u32) -> bool) -> Near {
    let mut of_host = vec![NONE; ground.population.len()];
    for (place, one) in found.iter().enumerate() {
        for (host, _) in &one.members {
            if let Some(slot) = of_host.get_mut(at(*host)) {
                *slot = place;
            }
        }
    }
    let of_host = |host: u32| of_host.get(at(host)).copied().unwrap_or(NONE);
    let (mut touching, mut singles) = (Vec::new(), Vec::new());
    let mut meet = |host: u32, place: usize| match of_host(host) {
        NONE => singles.push((host, place)),
        other if other != place => touching.push((place.min(other), place.max(other))),
        _ => {}
    };
    for (one, other) in alike {
        for (host, place) in [(*one, of_host(*other)), (*other, of_host(*one))] {
            if place != NONE {
                meet(host, place);
            }
        }
    }
    for (place, one) in found.iter().enumerate() {
        for (rung, code) in one.rarest(ground, RARE) {
            let holders = ground.population.column(rung).holders(code);
            holders.iter().filter(|host| free(host)).for_each(|host| meet(*host, place));
        }
    }
    touching.sort_unstable();
    touching.dedup();
    singles.sort_unstable();
    singles.dedup();
    Near { touching, singles }
}

/// Whether a hypothesis gives another's hosts enough on average.
fn knows(ground: Ground<'_>, one: &Hypothesis, other: &Hypothesis) -> bool {
    let step = other.members.len().div_ceil(LOOKED_AT).max(1);
    let (sum, count) = other
        .members
        .iter()
        .step_by(step)
        .fold((0.0, 0.0), |(sum, count), (host, _)| (sum + one.score(ground, *host).probability(), count + 1.0));
    sum >= KNOWS * count
}

/// How surely a hypothesis knows a host of none; `None` below what it takes to come in.
fn fit(ground: Ground<'_>, one: &Hypothesis, host: u32) -> Option<f64> {
    let scored = one.score(ground, host);
    let p = scored.probability();
    (p >= COMES_IN && one.level(&scored) == Level::Provider).then_some(p)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::Ipv4Addr;

    use super::super::defaults::Defaults;
    use super::super::hand::Hands;
    use super::super::{Builder, Weights, blind};
    use super::*;
    use crate::facet::{FacetKind, HostFacts, Labels};

    /// Of a fleet as large as this each host is compared with few others: average linkage leaves it in pieces.
    const FLEET: u32 = 280;

    #[test]
    fn the_pieces_of_a_large_fleet_are_one_hypothesis_and_strangers_stay_out() {
        let mut builder = Builder::new();
        for n in 0..4000_u32 {
            let mut host = HostFacts::new(Ipv4Addr::from(0x7f4d_0000 + n * 977 % 65_521).into());
            let mut put = |kind, value: String| host.facets.push((kind, value.into_bytes()));
            let fleet = n < FLEET;
            // Half of them show the key of the image, all the script's settings; some strangers show either.
            put(FacetKind::SshHostKey, if fleet && n % 2 == 0 { "image".to_owned() } else { format!("key {n}") });
            let likes = fleet || n % 97 == 3;
            put(FacetKind::SshBanner, if likes { "script".to_owned() } else { format!("banner {}", n % 9) });
            put(FacetKind::SshHasshServer, if likes { "script".to_owned() } else { format!("hassh {}", n % 9) });
            let order = if fleet { "own order".to_owned() } else { format!("order {}", n % 13) };
            put(FacetKind::HttpHeaderOrder, order);
            put(FacetKind::HttpServer, format!("server {}", n % 4));
            builder.add(&host);
        }
        let population = builder.finish();
        let (weights, labels) = (Weights::builtin().unwrap(), Labels::builtin().unwrap());
        let (defaults, hands) = (Defaults::new(&labels), Hands::default());
        let ground = Ground::new(&population, &weights, &defaults, &hands);
        let theirs: BTreeSet<u32> =
            (0..FLEET).filter_map(|n| population.find(Ipv4Addr::from(0x7f4d_0000 + n * 977 % 65_521).into())).collect();
        let all = blind::hypotheses(ground, &BTreeSet::new());
        let largest = all.iter().max_by_key(|one| one.members.len()).unwrap();
        let inside = largest.members.iter().filter(|(host, _)| theirs.contains(host)).count();
        assert!(inside > 250, "{inside} of {FLEET}, {} hypotheses", all.len());
        assert_eq!(inside, largest.members.len(), "strangers are in");
    }
}
