//! A provider's set under one view of how common habits are among strangers.
//!
//! How likely a stranger shows a value is an estimate: those that were heard may be few, or others than a provider's hosts
//! stand among. So each set is grown three times: with the odds that a stranger shows a shared value as heard, a third of
//! that, and seven times that. What is said of a host is the mean. A host that stays where strangers are taken for more
//! alike is surer than one that does not; one that comes in only where they are taken for less alike is worth a look, and
//! no more: with that view no sets are grown around other hosts ([`super::theory`]). Reasons and level are those of the
//! view as heard.

use std::collections::BTreeSet;

use super::claim;
use super::grow::{Grown, grow, grow_set, left_by_rivals};
use super::parallel;
use super::score::{Ground, Member, Profile, Scored};
use super::theory::{Theory, theories};
use crate::finding::Level;

/// Number of views.
pub(super) const VIEWS: usize = 3;
/// How much higher than heard the odds are taken to be that a stranger shows a shared value, and what the view counts. The
/// first, as heard, is the one that is shown.
const STRANGERS: [(f64, f64); VIEWS] = [(1.0, 0.4), (1.0 / 3.0, 0.2), (7.0, 0.4)];

/// What is grown from a provider's confirmed hosts under one view.
#[derive(Debug)]
pub(super) struct View {
    /// What it counts among all.
    weight: f64,
    pub(super) grown: Grown,
    /// Sets grown around others that the confirmed hosts fit.
    pub(super) theories: Vec<Theory>,
    /// The rejected hosts, counted; `None` without any.
    refused: Option<Profile>,
}

/// What one view says of a host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    /// The probability that it is the provider's, with rivals, bounded by the level.
    pub(super) probability: f64,
    pub(super) level: Level,
    pub(super) scored: Scored,
    /// The log odds of the provider's own set.
    pub(super) own: f64,
    /// The place of the theory that says it, where that says more than the provider's own set.
    pub(super) theory: Option<usize>,
}

/// All views of a provider, the one as heard first.
pub(super) fn views(
    ground: Ground<'_>,
    confirmed: &[u32],
    barred: &BTreeSet<u32>,
    rejected: impl Iterator<Item = u32>,
) -> (View, Vec<View>) {
    let refused: Vec<Member> = rejected.map(|host| (host, 1.0)).collect();
    let [heard, rarer, commoner] = STRANGERS.map(|(strangers, weight)| (Ground { strangers, ..ground }, weight));
    let of = |(ground, weight): (Ground<'_>, f64), grown: Grown, theories: Vec<Theory>| {
        let refused = (!refused.is_empty()).then(|| Profile::new(ground, &refused, &[]));
        View { weight, grown, theories, refused }
    };
    let as_rarer = || of(rarer, grow(rarer.0, confirmed, barred), Vec::new());
    let (as_rarer, (as_heard, as_commoner)) = parallel::both(as_rarer, || {
        let grown = grow(heard.0, confirmed, barred);
        let mut cautious = grow_set(commoner.0, confirmed, barred);
        cautious.gather_among(commoner.0, &grown.candidates);
        let around = theories(commoner.0, &cautious, barred);
        let as_commoner = of(commoner, cautious, around);
        let around = theories(heard.0, &grown, barred);
        (of(heard, grown, around), as_commoner)
    });
    (as_heard, vec![as_rarer, as_commoner])
}

impl View {
    /// All hosts that may be the provider's, with repetitions.
    pub(super) fn candidates(&self) -> impl Iterator<Item = u32> {
        let sets = std::iter::once(&self.grown).chain(self.theories.iter().map(|theory| &theory.grown));
        sets.flat_map(|set| set.candidates.iter().map(|one| one.0))
    }

    /// A bound of what it says of a host, times its weight, for the price of a search: a claim is never above what its
    /// sets say.
    pub(super) fn at_most(&self, host: u32) -> f64 {
        let of = |set: &Grown| set.candidate(host).map(Scored::probability);
        let own = of(&self.grown).unwrap_or(0.0);
        let theories = self.theories.iter().filter_map(|theory| Some(theory.fit * of(&theory.grown)?));
        self.weight * theories.fold(own, f64::max)
    }

    /// What it says of a host that others claim with these log odds.
    pub(super) fn say(&self, ground: Ground<'_>, host: u32, rivals: impl Iterator<Item = f64>) -> Said {
        let grown = &self.grown;
        let known = grown.candidate(host).copied();
        let scored = known.unwrap_or_else(|| grown.score(ground, host));
        let refused = self.refused.as_ref().map(|refused| refused.score(ground, host, 0.0).log_odds);
        // Of who is no candidate nothing is said: what it shares is too little, or too common to look for.
        let mut probability = known.map_or(0.0, |scored| grown.probability(ground, host, &scored));
        let mut shown = scored;
        let mut level = if known.is_some() { claim::tied_level(ground, grown, host, &scored) } else { Level::Chance };
        let mut theory = None;
        for (place, one) in self.theories.iter().enumerate() {
            let Some((by_set, by_theory)) = one.claim(ground, host) else { continue };
            if by_theory > probability {
                probability = by_theory;
                shown = by_set;
                level = claim::tied_level(ground, &one.grown, host, &by_set);
                theory = Some(place);
            }
        }
        let probability = probability * left_by_rivals(scored.log_odds, rivals.chain(refused));
        Said { probability: claim::bound(probability, level), level, scored: shown, own: scored.log_odds, theory }
    }

    /// The same times its weight.
    pub(super) fn weighted(&self, said: &Said) -> f64 {
        self.weight * said.probability
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::super::{Against, Builder, Linkage, Weights};
    use crate::clock::Timestamp;
    use crate::facet::{FacetKind, HostFacts, Labels};
    use crate::finding::{Seed, Subject};

    fn at(n: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(0x7f4d_0000 + n))
    }

    #[test]
    fn what_is_said_is_the_mean_of_the_views_and_a_person_or_a_pair_has_none() {
        // Ten hosts of one script among strangers, some of which share a part of it.
        let mut builder = Builder::new();
        for n in 0..400_u32 {
            let mut host = HostFacts::new(at(n));
            let mut put = |kind, value: String| host.facets.push((kind, value.into_bytes()));
            let fleet = n < 10;
            put(FacetKind::SshBanner, if fleet || n % 40 == 11 { "script".into() } else { format!("b{}", n % 6) });
            put(FacetKind::SshHasshServer, if fleet || n % 40 == 11 { "lists".into() } else { format!("h{}", n % 6) });
            put(FacetKind::HttpHeaderOrder, if fleet || n % 40 == 12 { "order".into() } else { format!("o{}", n % 9) });
            put(FacetKind::HttpServer, format!("server {}", n % 4));
            builder.add(&host);
        }
        let (population, weights, labels) = (builder.finish(), Weights::builtin().unwrap(), Labels::builtin().unwrap());
        let seed = Seed {
            provider: "p".to_owned(),
            subject: Subject::Host(at(0)),
            why: "given".to_owned(),
            source: None,
            date: None,
            recorded_at: Timestamp::UNIX_EPOCH,
        };
        let linkage = Linkage::new(&population, &weights, &labels);
        let why =
            |host: u32, against: Against| linkage.why(std::slice::from_ref(&seed), &[], at(host), &against).unwrap();
        let mut doubtful = 0;
        for host in [3, 11, 12, 51, 200] {
            let one = why(host, Against::Provider("p".to_owned()));
            let [heard, rarer, commoner] =
                [one.score_as_heard, one.score_if_rarer, one.score_if_commoner].map(Option::unwrap);
            assert!((one.said - 0.4 * heard - 0.2 * rarer - 0.4 * commoner).abs() < 1e-8, "{one:?}");
            // Each view has its own set, so that its figure may also be the higher one where strangers are more alike.
            assert!(host != 3 || (rarer >= heard && heard >= commoner), "{one:?}");
            doubtful += u32::from((rarer - commoner).abs() > 0.01);
            let nothing = one.counter.iter().any(|words| words.contains("too little or too common to look for"));
            assert_eq!(heard <= 0.0, nothing, "{:?}", one.counter);
        }
        assert!(doubtful > 0, "the views say the same of everybody");
        assert!(why(200, Against::Provider("p".to_owned())).score_as_heard.unwrap() <= 0.0);
        for one in [why(0, Against::Provider("p".to_owned())), why(3, Against::Host(at(0)))] {
            assert_eq!((one.score_as_heard, one.score_if_rarer, one.score_if_commoner), (None, None, None));
        }
    }
}
