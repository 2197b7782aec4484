//! What ties a host of a set to the confirmed hosts: agreement in two groups, with them or with others that are tied.
//!
//! A set may lead from fleet to fleet over one value. That value alone, be it a key, may be a customer's who rents from two
//! providers: the other provider's hosts come in with it, and then support each other. They are worth asking about; a claim
//! they are not.

use super::claim::COUNTS;
use super::fleet::{self, Fleets};
use super::grow::is_confirmed;
use super::score::{Ground, Member, Profile, Scored};

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
        groups(&self.0.score(ground, host, 0.0)).count_ones() >= 2
    }
}

/// The members whose fleets are tied as wholes, one host in this group and another in that; ascending. What is not even
/// that has no place in a set.
pub(super) fn by_fleet(ground: Ground<'_>, fleets: &Fleets) -> Vec<Member> {
    let Some((core, others)) = fleets.members.split_first() else { return Vec::new() };
    reached(ground, core.clone(), others.iter().map(Vec::as_slice).collect()).0
}

/// `inside` with those of the `open` parts that are tied to it in two groups, directly or over others; ascending. Also
/// all of these counted as one host.
fn reached(ground: Ground<'_>, mut inside: Vec<Member>, mut open: Vec<&[Member]>) -> (Vec<Member>, Profile) {
    let mut base = counted_as_one(ground, &inside);
    for _ in 0..OVER {
        let of = |part: &[Member]| {
            let some = part.iter().step_by(part.len().div_ceil(LOOKED_AT).max(1));
            some.fold(0, |bits, (host, _)| bits | groups(&base.score(ground, *host, 0.0))).count_ones()
        };
        let (found, left): (Vec<&[Member]>, Vec<&[Member]>) = open.into_iter().partition(|part| of(part) >= 2);
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

/// The groups in which a host agrees so that it counts, a bit for each.
fn groups(scored: &Scored) -> u32 {
    let counting = scored.counted.iter().zip(0_u32..).filter(|(counted, _)| **counted >= COUNTS);
    counting.fold(0, |bits, (_, place)| bits | 1 << place)
}

fn counted_as_one(ground: Ground<'_>, members: &[Member]) -> Profile {
    Profile::shared(ground, members, &fleet::as_one(members), &[])
}
