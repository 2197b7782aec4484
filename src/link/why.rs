//! The reasons for one link, for a reader who has to check it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::explain::{self, rounded};
use super::findings::{claim_words, confirmation, fleet_words, level_words, log10, rival_words, theory_words};
use super::grow::is_confirmed;
use super::population::Population;
use super::provider::Providers;
use super::rung::{Rung, is_provider_side};
use super::score::{Ground, Member, Profile, Scored, weight_in};
use super::{Check, Nearby, claim, logistic};
use crate::facet::{Group, show_percent};
use crate::finding::{Evidence, Level};

/// What a host is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Against {
    /// The set grown from a provider's seeds.
    Provider(String),
    /// One other host.
    Host(IpAddr),
}

/// All that is to be said of one link. H1: the operator of the set runs this machine; H2: it is a machine drawn from
/// the scanned background. Ratios are about the findings under these two, the prior stands apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The host asked about.
    pub address: IpAddr,
    /// The provider's name, or the other host's address.
    pub against: String,
    /// The claim in one sentence.
    pub summary: String,
    /// In plain words, strongest first.
    pub reasons: Vec<String>,
    /// What speaks against, strongest first.
    pub counter: Vec<String>,
    /// Groups that could not be compared.
    pub not_observed: Vec<String>,
    /// Group by group.
    pub evidence: Vec<Evidence>,
    /// Hosts in the set, the confirmed ones included; 1 for one other host.
    pub set_size: u64,
    /// Of these, confirmed.
    pub confirmed: u64,
    /// How far the grown set is believed of this host: the trust in the fleet that the host is of.
    pub purity: f64,
    /// Fleets that the set is made of.
    pub fleets: u64,
    /// The host around which the set grew, where it is not all confirmed hosts': one of them by itself, or another host
    /// whose set they fit.
    pub around: Option<IpAddr>,
    /// The probability that they fit it; 1 for sets of confirmed hosts.
    pub fit: f64,
    /// log10 of the odds before any evidence, with the corrections for dependence.
    pub log10_prior: f64,
    /// log10 of all counted evidence.
    pub log10_lr: f64,
    /// The same without the strongest group.
    pub log10_lr_without_strongest: f64,
    /// Probability within the set, before purity, rivals and level.
    pub score_in_set: f64,
    /// Probability by the hosts alone that the set grew from.
    pub score_by_seeds: f64,
    /// The probability with rivals, theories and level, with strangers as they were heard; `None` for a confirmed host and
    /// for one other host.
    pub score_as_heard: Option<f64>,
    /// The same if strangers showed each shared value a third as often as they were heard to.
    pub score_if_rarer: Option<f64>,
    /// The same if they showed it seven times as often.
    pub score_if_commoner: Option<f64>,
    /// The mean of these three, the second for half, before it is read off the table of what such scores have kept; 1 for a
    /// confirmed host, and as in the set for one other host.
    pub said: f64,
    /// The calibrated probability: as in the ranking.
    pub score: f64,
    /// What the claim can be.
    pub level: Level,
    /// Weights used.
    pub weights: String,
    /// Hosts of the population.
    pub hosts: u64,
    /// What would change it most: the same sum without each group that counts, strongest first.
    pub hinges: Vec<Hinge>,
    /// The strongest shared value of the provider's side among the other hosts of its own network.
    #[serde(skip)]
    pub nearby: Option<Nearby>,
    /// The named dangers, each with its verdict.
    pub checks: Vec<Check>,
}

/// What the claim would be if one group's agreement turned out to mean nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hinge {
    /// The group.
    pub group: String,
    /// Probability within the set without it.
    pub score_in_set: f64,
    /// In plain words.
    pub words: String,
}

/// Explains a host against a provider's set; `None` when host or provider are unknown.
pub(super) fn against_provider(
    ground: Ground<'_>,
    providers: &Providers,
    address: IpAddr,
    name: &str,
) -> Option<Explanation> {
    let host = ground.population.find(address)?;
    let place = providers.all.iter().position(|provider| provider.name == name)?;
    let provider = providers.all.get(place)?;
    let claim = providers.claim(ground, place, host);
    let grown = claim.as_ref().map_or(&provider.heard.grown, |claim| provider.set(claim));
    let scored = claim.map_or_else(|| grown.score(ground, host), |claim| claim.scored);
    let mut out = from_table(ground, &grown.set.hosts, &grown.set.members, &scored, host);
    let alone = f64::from(u8::from(is_confirmed(&grown.confirmed, host)));
    name.clone_into(&mut out.against);
    out.set_size = explain::hosts(grown.set.members.len());
    out.confirmed = explain::hosts(provider.confirmed.len());
    out.purity = rounded(grown.fleets.trust_of(ground, host, &scored), 6);
    out.fleets = explain::hosts(grown.fleets.members.len());
    out.score_by_seeds = rounded(grown.seeds.score(ground, host, alone).probability(), 9);
    out.reasons = [confirmation(provider, host), out.reasons, fleet_words(&scored)].concat();
    if let Some(claim) = claim {
        out.score = rounded(claim.score, 9);
        out.said = rounded(claim.said, 9);
        if let Some([heard, rarer, commoner]) = claim.views.map(|views| views.map(|view| Some(rounded(view, 9)))) {
            (out.score_as_heard, out.score_if_rarer, out.score_if_commoner) = (heard, rarer, commoner);
        }
        out.level = claim.level;
        if let Some(theory) = provider.theory(&claim) {
            out.around = Some(ground.population.address(theory.around));
            out.fit = rounded(theory.fit, 6);
        }
        out.reasons = [theory_words(ground, provider, &claim), out.reasons].concat();
        out.counter = [rival_words(providers, &claim), claim_words(&grown.set, &claim), out.counter].concat();
    } else {
        let rejected = provider.rejected.get(&host).map(|why| format!("rejected by an analyst: {why}"));
        let theirs = providers.all.iter().find(|other| other.confirmed.contains_key(&host));
        let theirs = theirs.map(|other| format!("a confirmed host of provider `{}`", other.name));
        let everywhere = ground.population.answers_everywhere(host);
        let box_words = everywhere.then(|| "answers on every port, as a middlebox does: attributed to nobody".into());
        out.counter = rejected.into_iter().chain(theirs).chain(box_words).chain(out.counter).collect();
    }
    out.summary = summary(&out);
    Some(out)
}

/// Explains two hosts; `None` when one is unknown.
pub(super) fn against_host(ground: Ground<'_>, address: IpAddr, other: IpAddr) -> Option<Explanation> {
    let population: &Population = ground.population;
    let (host, second) = (population.find(address)?, population.find(other)?);
    let own = f64::from(u8::from(host == second));
    let members = [(second, 1.0)];
    let profile = Profile::new(ground, &members, &[]);
    let scored = profile.score(ground, host, own);
    let mut out = from_table(ground, &profile, &members, &scored, host);
    out.against = other.to_string();
    out.level = claim::level(&profile, &scored);
    out.said = out.score_in_set;
    out.score = rounded(claim::bound(ground.weights.kept.read(scored.probability()), out.level), 9);
    out.score_by_seeds = out.score_in_set;
    out.counter = [level_words(out.level), out.counter].concat();
    out.summary = summary(&out);
    Some(out)
}

fn from_table(ground: Ground<'_>, profile: &Profile, members: &[Member], scored: &Scored, host: u32) -> Explanation {
    let table = explain::table(ground, profile, scored, weight_in(members, host));
    let (sum, without) = claim::totals(&scored.counted);
    Explanation {
        address: ground.population.address(host),
        against: String::new(),
        summary: String::new(),
        reasons: table.reasons,
        counter: table.against,
        not_observed: table.not_observed,
        evidence: table.rows,
        set_size: 1,
        confirmed: 0,
        purity: 1.0,
        fleets: 1,
        around: None,
        fit: 1.0,
        log10_prior: log10(scored.log_odds - sum),
        log10_lr: log10(sum),
        log10_lr_without_strongest: log10(without),
        score_in_set: rounded(logistic::probability(scored.log_odds), 9),
        score_by_seeds: 0.0,
        score_as_heard: None,
        score_if_rarer: None,
        score_if_commoner: None,
        said: 0.0,
        score: 0.0,
        level: Level::Chance,
        weights: ground.weights.label(),
        hosts: explain::hosts(ground.population.len()),
        hinges: hinges(ground, scored),
        nearby: nearby(ground.population, members, scored, host),
        checks: Vec::new(),
    }
}

/// The probability in the set without each group that counts, the most telling group first.
fn hinges(ground: Ground<'_>, scored: &Scored) -> Vec<Hinge> {
    let mut counting: Vec<(Group, f64)> =
        Group::ALL.into_iter().zip(scored.counted).filter(|(_, counted)| *counted >= claim::COUNTS).collect();
    counting.sort_by(|a, b| b.1.total_cmp(&a.1));
    let hinge = |(group, _): (Group, f64)| {
        let left = logistic::probability(scored.without(ground, group));
        let words = format!("without the {}: {} in the set", group.words(), show_percent(left));
        Hinge { group: group.as_str().to_owned(), score_in_set: rounded(left, 9), words }
    };
    counting.into_iter().map(hinge).collect()
}

/// The strongest agreement of the provider's side, looked for among the hosts of the same AS (or prefix where none is
/// known) that are not in the set.
fn nearby(population: &Population, members: &[Member], scored: &Scored, host: u32) -> Option<Nearby> {
    let own_side = Group::ALL.into_iter().zip(scored.counted).zip(scored.ratios).filter(|((group, counted), _)| {
        *counted >= claim::COUNTS && is_provider_side(*group) && !matches!(group, Group::Net | Group::Ports)
    });
    let (_, ratio) = own_side.max_by(|a, b| a.0.1.total_cmp(&b.0.1))?;
    let (rung, code) = ratio.hit?;
    let network = |rung: Rung| {
        let column = population.column(rung);
        column.codes(host).first().map(|code| column.holders(*code))
    };
    let neighbours = network(Rung::Asn).or_else(|| network(Rung::Prefix)).unwrap_or_default();
    let column = population.column(rung);
    let others = neighbours.iter().filter(|other| **other != host && column.is_observed(**other));
    let mut near = Nearby { hosts: 0, showing: 0 };
    for other in others.filter(|other| weight_in(members, **other) <= 0.0) {
        near.hosts += 1;
        near.showing += u64::from(column.codes(*other).contains(&code));
    }
    Some(near)
}

/// One sentence: the claim, its strength and what it rests on.
fn summary(of: &Explanation) -> String {
    let claim = match of.level {
        Level::Provider => "set up by the same provider",
        Level::Tenant => "serving the same customer's content",
        Level::Vendor => "running the same product or image",
        Level::Distribution => "running the same distribution's defaults",
        Level::Chance => "alike by chance only",
    };
    let groups = of.evidence.iter().filter(|row| row.log10_counted * std::f64::consts::LN_10 >= claim::COUNTS).count();
    format!(
        "{} and {}: {claim}, probability {}; {groups} of {} groups agree beyond chance ({})",
        of.address,
        of.against,
        show_percent(of.score),
        of.evidence.iter().filter(|row| row.observed).count(),
        explain::support(of.log10_lr * std::f64::consts::LN_10)
    )
}
