//! What ties a host of a set to the confirmed hosts: agreement in two groups, one of them the provider's side, with them or
//! with others that are tied.
//!
//! A set may lead from fleet to fleet over one value. That value alone, be it a key, may be a customer's who rents from two
//! providers, and so may be a page with its certificate: the other provider's hosts come in with it, and then support each
//! other. They are worth asking about; a claim they are not.

use super::claim::COUNTS;
use super::fleet::{self, Fleets};
use super::grow::is_confirmed;
use super::rung::is_provider_side;
use super::score::{Ground, Member, Profile, Scored};
use crate::facet::Group;
use crate::finding::Level;

/// Hosts and fleets are tied over so many others at most.
const OVER: usize = 6;
/// Most hosts of a fleet that are looked at.
const LOOKED_AT: usize = 40;

/// The hosts of a set that are tied, counted as one host.
#[derive(Clone, Debug)]
pub(super) struct Tied(Profile);

impl Tied {
    /// Finds them among the members of a set.
    pub(super) fn new(ground: Ground<'_>, members: &[Member], confirmed: &[u32]) -> Self {
        let (inside, open): (Vec<Member>, Vec<Member>) =
            members.iter().partition(|(host, _)| is_confirmed(confirmed, *host));
        Self(reached(ground, inside, open.chunks(1).collect()).1)
    }

    /// Whether a host is.
    pub(super) fn holds(&self, ground: Ground<'_>, host: u32) -> bool {
        self.level(ground, host) == Level::Provider
    }

    /// What the groups that tie a host can claim.
    pub(super) fn level(&self, ground: Ground<'_>, host: u32) -> Level {
        let groups = groups(&self.0.score(ground, host, 0.0));
        if are_enough(groups) {
            Level::Provider
        } else if groups != 0 && !has_providers_side(groups) {
            Level::Tenant
        } else {
            Level::Vendor
        }
    }
}

/// The members whose fleets are tied as wholes, one host in this group and another in that; ascending. What is not even
/// that has no place in a set.
pub(super) fn by_fleet(ground: Ground<'_>, fleets: &Fleets) -> Vec<Member> {
    let Some((core, others)) = fleets.members.split_first() else { return Vec::new() };
    reached(ground, core.clone(), others.iter().map(Vec::as_slice).collect()).0
}

/// `inside` with those of the `open` parts that are tied to it so, directly or over others; ascending. Also
/// all of these counted as one host.
fn reached(ground: Ground<'_>, mut inside: Vec<Member>, mut open: Vec<&[Member]>) -> (Vec<Member>, Profile) {
    let mut base = counted_as_one(ground, &inside);
    for _ in 0..OVER {
        let of = |part: &[Member]| {
            let some = part.iter().step_by(part.len().div_ceil(LOOKED_AT).max(1));
            are_enough(some.fold(0, |bits, (host, _)| bits | groups(&base.score(ground, *host, 0.0))))
        };
        let (found, left): (Vec<&[Member]>, Vec<&[Member]>) = open.into_iter().partition(|part| of(part));
        if found.is_empty() {
            break;
        }
        inside.extend(found.into_iter().flatten());
        inside.sort_by_key(|member| member.0);
        base = counted_as_one(ground, &inside);
        open = left;
    }
    (inside, base)
}

/// True for two groups or more, one of them the provider's side: a page and its certificate are one customer's, wherever he
/// rents.
fn are_enough(groups: u32) -> bool {
    groups.count_ones() >= 2 && has_providers_side(groups)
}

fn has_providers_side(groups: u32) -> bool {
    let mut some = Group::ALL.into_iter().zip(0_u32..).filter(|(_, place)| groups >> place & 1 == 1);
    some.any(|(group, _)| is_provider_side(group))
}

/// The groups in which a host agrees so that it counts, a bit for each.
fn groups(scored: &Scored) -> u32 {
    let counting = scored.counted.iter().zip(0_u32..).filter(|(counted, _)| **counted >= COUNTS);
    counting.fold(0, |bits, (_, place)| bits | 1 << place)
}

fn counted_as_one(ground: Ground<'_>, members: &[Member]) -> Profile {
    Profile::shared(ground, members, &fleet::as_one(members), &[])
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::defaults::Defaults;
    use super::super::hand::Hands;
    use super::super::{Builder, Weights};
    use super::*;
    use crate::facet::{FacetKind, HostFacts, Labels};

    #[test]
    fn a_page_and_a_certificate_tie_nobody_and_one_of_them_with_a_setup_does() {
        let mut builder = Builder::new();
        let at = |n: u32| Ipv4Addr::from(0x7f4d_0000 + n).into();
        for n in 0..500_u32 {
            let mut host = HostFacts::new(at(n));
            let mut put = |kind, value: String| host.facets.push((kind, value.into_bytes()));
            // The first shares a site with the second, and page and setup with the third.
            put(FacetKind::CertSha256, if n < 2 { "site".to_owned() } else { format!("cert {n}") });
            put(FacetKind::HttpBodySha256, if n < 3 { "site".to_owned() } else { format!("body {n}") });
            put(FacetKind::HttpHeaderOrder, format!("order {}", n % 9));
            put(FacetKind::SshBanner, if n == 0 || n == 2 { "own".to_owned() } else { format!("banner {}", n % 7) });
            put(FacetKind::SshHasshServer, if n == 0 || n == 2 { "own".to_owned() } else { format!("h {}", n % 7) });
            builder.add(&host);
        }
        let population = builder.finish();
        let (weights, labels) = (Weights::builtin().unwrap(), Labels::builtin().unwrap());
        let (defaults, hands) = (Defaults::new(&labels), Hands::default());
        let ground = Ground::new(&population, &weights, &defaults, &hands);
        let tied = Tied::new(ground, &[(0, 1.0)], &[0]);
        let agrees = |host: u32| groups(&tied.0.score(ground, host, 0.0)).count_ones();
        assert_eq!((agrees(1), agrees(2)), (2, 2));
        let levels = [1, 2, 3].map(|host| tied.level(ground, host));
        assert_eq!(levels, [Level::Tenant, Level::Provider, Level::Vendor]);
    }
}
