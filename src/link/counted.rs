//! A set counted in two ways: host by host, and fleet by fleet.
//!
//! Hosts of one fleet are alike because one script made them: a hundred of them say once, not a hundred times, how the
//! provider works. Counted host by host, a large fleet speaks against every host of another fleet. So a host may be of a
//! fleet that is in the set, or of another of the same provider's; for that each fleet counts as one host. What is said of
//! it is the mean of the two. Where several hosts are confirmed, they show the fleets themselves, and each grows a set of
//! its own besides ([`super::theory`]): their common set is counted host by host only.

use super::fleet;
use super::score::{Ground, Member, Profile, Scored, weight_in};

/// How likely a host of the provider's is of a fleet that is not in the set yet. One half does as well as this.
const ANOTHER_FLEET: f64 = 0.3;

/// A set with both counts.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    /// Members with their weights, ascending.
    pub(super) members: Vec<Member>,
    /// Host by host.
    pub(super) hosts: Profile,
    /// Fleet by fleet, with what each member counts there; `None` where nothing but confirmed hosts is in the set, or
    /// several are.
    fleets: Option<(Profile, Vec<Member>)>,
}

impl Counted {
    /// A set of confirmed hosts.
    pub(super) fn confirmed(ground: Ground<'_>, members: Vec<Member>, kin: &[u32]) -> Self {
        Self { hosts: Profile::new(ground, &members, kin), members, fleets: None }
    }

    /// A grown set.
    pub(super) fn grown(ground: Ground<'_>, members: Vec<Member>, confirmed: &[u32], kin: &[u32]) -> Self {
        let hosts = Profile::new(ground, &members, kin);
        let fleets = (confirmed.len() == 1).then(|| {
            let shares = fleet::shares(ground, &members, &hosts, confirmed);
            (Profile::shared(ground, &members, &shares, kin), shares)
        });
        Self { members, hosts, fleets }
    }

    /// Each count, with the weights of the members in it.
    pub(super) fn views(&self) -> impl Iterator<Item = (&Profile, &[Member])> {
        let fleets = self.fleets.iter().map(|(profile, shares)| (profile, shares.as_slice()));
        std::iter::once((&self.hosts, self.members.as_slice())).chain(fleets)
    }

    /// What the set says of a host; the groups as the more telling count has them.
    pub(super) fn score(&self, ground: Ground<'_>, host: u32) -> Scored {
        let of_known = self.hosts.score(ground, host, weight_in(&self.members, host));
        let Some((fleets, shares)) = &self.fleets else { return of_known };
        let of_another = fleets.score(ground, host, weight_in(shares, host));
        let known = of_known.log_odds + (1.0 - ANOTHER_FLEET).ln();
        let another = of_another.log_odds + ANOTHER_FLEET.ln();
        let log_odds = known.max(another) + (-(known - another).abs()).exp().ln_1p();
        if known >= another {
            Scored { log_odds, ..of_known }
        } else {
            Scored { log_odds, another_fleet: true, ..of_another }
        }
    }
}
