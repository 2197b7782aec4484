//! From claims to results: ranking, clusters, and every reason.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::blind;
use super::claim::{self, IN_CLUSTER};
use super::counted::Counted;
use super::explain::{self, rounded};
use super::provider::{Claim, Provider, Providers};
use super::score::{Ground, Profile, Scored, weight_in};
use crate::facet::show_percent;
use crate::finding::{Cluster, Evidence, Finding, Findings, Level};

/// Hosts below this score are not listed.
const LISTED: f64 = 0.001;
/// A rival is named among what speaks against from this share on.
const RIVAL: f64 = 0.05;

/// All results, in a fixed order; `hypotheses` are clusters that no seed explains.
pub(super) fn findings(ground: Ground<'_>, providers: &Providers, hypotheses: bool) -> Findings {
    let mut ranking = Vec::new();
    let mut clusters = Vec::new();
    let mut taken: BTreeSet<u32> = BTreeSet::new();
    for (place, provider) in providers.all.iter().enumerate() {
        let listed = rank(ground, providers, place, provider);
        let members: Vec<&(u32, Finding)> = listed
            .iter()
            .filter(|(host, one)| {
                provider.confirmed.contains_key(host) || (one.score >= IN_CLUSTER && one.level == Level::Provider)
            })
            .collect();
        taken.extend(members.iter().map(|(host, _)| *host));
        clusters.push(Cluster {
            id: provider.name.clone(),
            seeded: true,
            purity: rounded(provider.heard.grown.purity, 6),
            members: members.into_iter().map(|(_, finding)| finding.clone()).collect(),
        });
        ranking.extend(listed.into_iter().map(|(_, finding)| finding));
    }
    let names: BTreeSet<&str> = providers.all.iter().map(|provider| provider.name.as_str()).collect();
    if hypotheses {
        clusters.extend(blind::clusters(ground, &taken, &names));
    }
    let hosts = explain::hosts(ground.population.len());
    let seeded = explain::hosts(taken.len());
    Findings { weights: ground.weights.label(), hosts, background: hosts.saturating_sub(seeded), ranking, clusters }
}

/// The hosts that are listed for each provider, best first, without reasons.
pub(super) fn scores(ground: Ground<'_>, providers: &Providers) -> Vec<(IpAddr, f64)> {
    let of = |(place, provider)| claims(ground, providers, place, provider);
    let all = providers.all.iter().enumerate().flat_map(of);
    all.map(|(host, claim)| (ground.population.address(host), rounded(claim.score, 9))).collect()
}

/// The hosts of one provider, best first.
fn rank(ground: Ground<'_>, providers: &Providers, place: usize, provider: &Provider) -> Vec<(u32, Finding)> {
    let ranked = claims(ground, providers, place, provider).into_iter().zip(1_u64..);
    ranked.map(|((host, claim), rank)| (host, finding(ground, providers, provider, host, &claim, rank))).collect()
}

/// A provider's claims that are listed, best first.
fn claims(ground: Ground<'_>, providers: &Providers, place: usize, provider: &Provider) -> Vec<(u32, Claim)> {
    let mut claims: Vec<(u32, Claim)> = provider
        .candidates()
        .into_iter()
        .filter(|host| provider.at_most(ground, *host) >= LISTED * (1.0 - 1e-9))
        .filter_map(|host| Some((host, providers.claim(ground, place, host)?)))
        .filter(|(_, claim)| claim.score >= LISTED)
        .collect();
    claims.sort_by(|a, b| b.1.score.total_cmp(&a.1.score).then(a.0.cmp(&b.0)));
    claims
}

/// One host of one provider with its reasons.
fn finding(
    ground: Ground<'_>,
    providers: &Providers,
    provider: &Provider,
    host: u32,
    claim: &Claim,
    rank: u64,
) -> Finding {
    let set = &provider.set(claim).set;
    let own = weight_in(&set.members, host);
    let mut out = bare(ground, &set.hosts, &claim.scored, host, own);
    out.provider.clone_from(&provider.name);
    out.seed.clone_from(&provider.first_seed);
    out.score = rounded(claim.score, 9);
    out.rank = rank;
    out.level = claim.level;
    let first = [confirmation(provider, host), theory_words(ground, provider, claim)].concat();
    out.reasons = [first, out.reasons, fleet_words(&claim.scored)].concat();
    out.against = [rival_words(providers, claim), claim_words(set, claim), out.against].concat();
    out
}

/// What a set says of a host, without a name.
pub(super) fn bare(ground: Ground<'_>, profile: &Profile, scored: &Scored, host: u32, own: f64) -> Finding {
    let table = explain::table(ground, profile, scored, own);
    let (sum, without) = claim::totals(&scored.counted);
    Finding {
        provider: String::new(),
        seed: String::new(),
        address: ground.population.address(host),
        score: 0.0,
        log10_lr: log10(sum),
        log10_lr_without_strongest: log10(without),
        rank: 0,
        level: Level::Chance,
        reasons: table.reasons,
        against: table.against,
        evidence: table.rows.into_iter().collect::<Vec<Evidence>>(),
    }
}

/// A natural logarithm as a decimal one, rounded.
pub(super) fn log10(natural: f64) -> f64 {
    rounded(natural / std::f64::consts::LN_10, 4)
}

/// Why a confirmed host is one.
pub(super) fn confirmation(provider: &Provider, host: u32) -> Vec<String> {
    provider.confirmed.get(&host).cloned().into_iter().collect()
}

/// Who else may have the host.
pub(super) fn rival_words(providers: &Providers, claim: &Claim) -> Vec<String> {
    let rival = claim.rival.filter(|(_, share)| *share >= RIVAL);
    let named = rival.and_then(|(place, share)| Some((providers.all.get(place)?, share)));
    named
        .map(|(other, share)| format!("fits provider `{}` too, with probability {}", other.name, show_percent(share)))
        .into_iter()
        .collect()
}

/// By which other set a host is reached.
pub(super) fn theory_words(ground: Ground<'_>, provider: &Provider, claim: &Claim) -> Vec<String> {
    let words = provider.theory(claim).map(|theory| {
        let around = ground.population.address(theory.around);
        let size = theory.grown.set.members.len();
        if theory.is_confirmed() {
            return format!("reached from the confirmed host {around} by itself, whose set has {size} hosts");
        }
        format!(
            "reached through the {size} hosts like {around}, to which the confirmed hosts belong with probability {}",
            show_percent(theory.fit)
        )
    });
    words.into_iter().collect()
}

/// How a host is read that is unlike the fleets of the set.
pub(super) fn fleet_words(scored: &Scored) -> Vec<String> {
    let words = "read as of another fleet of this provider: each fleet of the set counts as one host";
    if scored.another_fleet { vec![words.to_owned()] } else { Vec::new() }
}

/// What the level of a claim means for it; why it is below what the groups say, where it is.
pub(super) fn claim_words(set: &Counted, claim: &Claim) -> Vec<String> {
    if claim.views.is_some_and(|[heard, ..]| heard <= 0.0) {
        let words =
            "what it shares is too little or too common to look for, with strangers as alike as they were heard to be";
        return vec![words.to_owned()];
    }
    if claim.level != Level::Provider && claim::level(&set.hosts, &claim.scored) == Level::Provider {
        let tie = if claim.level == Level::Tenant {
            "only page, certificate or mail, a customer's content, tie it"
        } else {
            "one group alone ties it"
        };
        return vec![format!(
            "{tie} to the confirmed hosts: the rest it shares with hosts that came in with it, and that carries no claim; \
             confirm or reject one of them first"
        )];
    }
    level_words(claim.level)
}

/// What a level below the provider means for the claim.
pub(super) fn level_words(level: Level) -> Vec<String> {
    let words = match level {
        Level::Provider => None,
        Level::Tenant => Some("same content, not same provider: only page, certificate or mail agree"),
        Level::Vendor => Some("same product or image, not same provider: one group alone carries no claim"),
        Level::Distribution => Some("same distribution's defaults, not same provider"),
        Level::Chance => Some("nothing beyond chance and neighbourhood"),
    };
    words.map(str::to_owned).into_iter().collect()
}
