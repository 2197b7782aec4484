//! Puts the case file together from what the case holds.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::danger::{self, HostChecks};
use super::steps::{cell, detail, signed};
use super::{
    Bar, CaseFile, ClusterPart, DETAILED, DRAWN, HYPOTHESES, MarkingWords, MemberRow, NearRow, Pair, SeedRow, Sentence,
    Timeline, weigh, words,
};
use crate::clock::Timestamp;
use crate::facet::{Group, show_cut, show_percent};
use crate::finding::{Cluster, Finding, Findings, Level, Seed, Subject};
use crate::report::{HostSight, Marking, Sights};

/// What the report says about the case itself.
#[derive(Clone, Debug, Default)]
pub struct CaseFacts {
    /// Who may see the report, and what may be done with it.
    pub marking: Marking,
    /// Title of the scope.
    pub title: String,
    /// Who authorised.
    pub authority: String,
    /// Whom the scanned may write to.
    pub contact: String,
    /// Page that explains the scan.
    pub page: String,
    /// First moment of the authorisation.
    pub valid_from: String,
    /// Last moment.
    pub valid_until: String,
    /// Digest of the scope's text.
    pub scope_sha256: String,
    /// The scope's text.
    pub scope_text: String,
    /// Version of this program.
    pub version: String,
    /// The last change of the case.
    pub as_of: String,
    /// What was said or heard since the results were worked out, in words; empty where that is nothing.
    pub out_of_date: String,
    /// Hosts on record.
    pub hosts: u64,
    /// Observations on record.
    pub observations: u64,
    /// Facets on record.
    pub facets: u64,
    /// Bytes heard.
    pub bytes_heard: u64,
    /// Runs.
    pub runs: Vec<RunFacts>,
    /// The named dangers looked for in the hosts of each provider's set.
    pub checks: HostChecks,
    /// Further digests the report can be checked by, with what they are of.
    pub digests: Vec<(String, String)>,
}

/// What the report says about one run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RunFacts {
    /// Number.
    pub id: i64,
    /// `scan` or `import`.
    pub kind: String,
    /// True for a scan that asked a host no further once it differed from the seeds.
    pub hunt: bool,
    /// `running`, `done`, `stopped`, `failed`.
    pub state: String,
    /// Start, UTC.
    pub started: String,
    /// End, UTC; empty while it runs.
    pub ended: String,
    /// Hosts done.
    pub hosts: u64,
    /// Hosts in all.
    pub hosts_total: u64,
    /// Connections opened.
    pub connections: u64,
    /// Seed of the order.
    pub seed: String,
}

/// Shared values named of a set without a seed.
const MOST_SHARED: usize = 4;
/// Hosts named that are not attributed.
const MOST_NEAR: usize = 30;
/// Parts of the time in which hosts are counted.
const PARTS: usize = 60;
/// Longest value shown, in characters.
const LONGEST: usize = 120;

/// The report of a case.
#[must_use]
pub fn case_file(case: &CaseFacts, seeds: &[Seed], findings: &Findings, sights: &Sights) -> CaseFile {
    let is_seed = |address: IpAddr| seeds.iter().any(|seed| seed.subject == Subject::Host(address));
    // Clusters come with the attributed first and the hypotheses by size.
    let attributed = findings.clusters.iter().filter(|one| one.seeded).count();
    let hypotheses = findings.clusters.len() - attributed;
    let shown = findings.clusters.iter().take(attributed + HYPOTHESES);
    let clusters: Vec<ClusterPart> = shown.map(|one| cluster(one, case, sights, &is_seed)).collect();
    let mut digests = vec![pair("SHA-256 of the scope's text", &case.scope_sha256)];
    digests.extend(case.digests.iter().map(|(name, value)| pair(name, value)));
    CaseFile {
        schema: "hostkin/report/1",
        marking: marking(case.marking),
        title: case.title.clone(),
        subtitle: format!(
            "Hosts that likely belong to one provider, with the reasons. State of the case: {}. Written by hostkin {}.",
            case.as_of, case.version
        ),
        summary: summary(case, words::summary(seeds, findings, sights)),
        caution: words::CAUTION.to_owned(),
        authority: authority(case),
        method: words::method(findings, &case.runs),
        seeds: seeds.iter().map(seed_row).collect(),
        clusters,
        unseen: words::UNSEEN,
        more_hypotheses: words::left_out(hypotheses.saturating_sub(HYPOTHESES)),
        near: near(findings),
        limits: words::limits(findings.background),
        actions: words::actions(findings),
        glossary: words::GLOSSARY.iter().map(|(name, value)| pair(name, value)).collect(),
        runs: case.runs.clone(),
        counts: vec![
            pair("Hosts on record", &case.hosts.to_string()),
            pair("Observations", &case.observations.to_string()),
            pair("Facets", &case.facets.to_string()),
            pair("Bytes heard", &case.bytes_heard.to_string()),
        ],
        digests,
        scope_text: case.scope_text.clone(),
    }
}

/// A report whose results are older than what is known says so before all else.
fn summary(case: &CaseFacts, found: Vec<Sentence>) -> Vec<Sentence> {
    let old = (!case.out_of_date.is_empty())
        .then(|| Sentence { text: format!("Out of date: {}.", case.out_of_date), strong: true });
    old.into_iter().chain(found).collect()
}

fn marking(of: Marking) -> MarkingWords {
    MarkingWords {
        tlp: of.tlp.to_string(),
        pap: of.pap.to_string(),
        colour: of.tlp.as_str().split('+').next().unwrap_or_default(),
        words: format!("{}; {}.", of.tlp.words(), of.pap.words()),
    }
}

fn pair(name: &str, value: &str) -> Pair {
    Pair { name: name.to_owned(), value: value.to_owned() }
}

fn authority(case: &CaseFacts) -> Vec<Pair> {
    let mut out = vec![
        pair("Authority", &case.authority),
        pair("In force", &format!("{} to {}", case.valid_from, case.valid_until)),
    ];
    let optional = [("Contact", &case.contact), ("Page", &case.page)];
    out.extend(optional.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| pair(name, value)));
    out
}

fn seed_row(seed: &Seed) -> SeedRow {
    let source = seed.source.clone().unwrap_or_default();
    SeedRow {
        provider: seed.provider.clone(),
        subject: match &seed.subject {
            Subject::Host(ip) => ip.to_string(),
            Subject::Facet(kind, value) => format!("{kind}={value}"),
        },
        is_host: matches!(seed.subject, Subject::Host(_)),
        why: seed.why.clone(),
        source: seed.date.map_or_else(|| source.clone(), |date| format!("{source} ({})", day(date)).trim().to_owned()),
        recorded_at: moment(seed.recorded_at),
    }
}

fn cluster(cluster: &Cluster, case: &CaseFacts, sights: &Sights, is_seed: &impl Fn(IpAddr) -> bool) -> ClusterPart {
    // Groups that nobody of the set showed would be empty columns.
    let groups: Vec<String> = Group::ALL
        .into_iter()
        .map(Group::as_str)
        .filter(|group| {
            cluster.members.iter().any(|one| one.evidence.iter().any(|row| row.observed && row.group == *group))
        })
        .map(str::to_owned)
        .collect();
    let members = cluster.members.iter().map(|member| MemberRow {
        ip: member.address.to_string(),
        is_seed: is_seed(member.address),
        probability: show_percent(member.score),
        log10_lr: signed(member.log10_lr),
        without_strongest: signed(member.log10_lr_without_strongest),
        level: member.level.as_str().to_owned(),
        ports: sights.get(&member.address).map(|sight| joined(&sight.ports)).unwrap_or_default(),
        seen: sights.get(&member.address).map(span).unwrap_or_default(),
        cells: groups.iter().map(|group| cell(member, group)).collect(),
    });
    let members: Vec<MemberRow> = members.collect();
    let detailed = if cluster.seeded { cluster.members.len().min(DETAILED) } else { 0 };
    let changes = if cluster.seeded { weigh::changes(cluster, |one| is_seed(one.address)) } else { Vec::new() };
    let (dangers, looked_at) = danger::rows(&case.checks, &cluster.id);
    let told =
        |one: &Finding| detail(one, is_seed(one.address), danger::of_host(&case.checks, &cluster.id, one.address));
    ClusterPart {
        id: cluster.id.clone(),
        seeded: cluster.seeded,
        intro: words::intro(cluster),
        shared: if cluster.seeded { Vec::new() } else { shared(cluster) },
        details: cluster.members.iter().take(detailed).map(told).collect(),
        dangers,
        looked_at,
        without_detail: cluster.members.len() - detailed,
        changes,
        timeline: timeline(cluster, sights),
        groups,
        members,
    }
}

/// The values that most members of a set agree in, with how many do: at most [`MOST_SHARED`].
fn shared(cluster: &Cluster) -> Vec<String> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let agreeing = cluster.members.iter().flat_map(|member| &member.evidence).filter(|one| one.log10_counted > 0.3);
    for (at, value) in agreeing.filter_map(|one| Some((one.agrees_at.as_deref()?, one.value.as_deref()?))) {
        *counts.entry((at, value)).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, members)| Reverse(*members));
    let rows = counts.into_iter().take(MOST_SHARED);
    rows.map(|((at, value), members)| {
        format!("{at} {}, {members} of {}", show_cut(value, LONGEST), cluster.members.len())
    })
    .collect()
}

fn near(findings: &Findings) -> Vec<NearRow> {
    let told = |one: &&Finding| one.score < 0.5 && one.score >= 0.02 && one.level != Level::Chance;
    let rows = findings.ranking.iter().filter(told).take(MOST_NEAR);
    rows.map(|one| NearRow {
        provider: one.provider.clone(),
        ip: one.address.to_string(),
        probability: show_percent(one.score),
        reasons: one.reasons.join("; "),
        against: one.against.join("; "),
    })
    .collect()
}

fn timeline(cluster: &Cluster, sights: &Sights) -> Timeline {
    let seen: Vec<(IpAddr, i64, i64)> = cluster
        .members
        .iter()
        .filter_map(|member| {
            let sight = sights.get(&member.address)?;
            let (first, last) = (sight.first_seen.or(sight.last_seen)?, sight.last_seen.or(sight.first_seen)?);
            Some((member.address, first.as_millisecond(), last.as_millisecond()))
        })
        .collect();
    let (Some(from), Some(to)) = (seen.iter().map(|one| one.1).min(), seen.iter().map(|one| one.2).max()) else {
        return Timeline::default();
    };
    let length = (to - from).max(1) as f64;
    let share = |at: i64| (((at - from) as f64 / length) * 1e4).round() / 1e4;
    let text = |at: i64| Timestamp::from_millisecond(at).map(moment).unwrap_or_default();
    let mut out = Timeline { from: text(from), to: text(to), ..Timeline::default() };
    if seen.len() <= DRAWN {
        out.bars = seen
            .iter()
            .map(|(ip, first, last)| Bar { ip: ip.to_string(), from: share(*first), to: share(*last) })
            .collect();
    } else {
        let edge = |part: usize| part as f64 / PARTS as f64;
        let within = |part: usize| {
            let inside = |one: &&(IpAddr, i64, i64)| share(one.1) <= edge(part + 1) && share(one.2) >= edge(part);
            seen.iter().filter(inside).count()
        };
        out.counts = (0..PARTS).map(within).collect();
    }
    out
}

fn joined(ports: &[u16]) -> String {
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

/// A moment to the second, UTC.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A day where the moment is its beginning, else the moment.
fn day(at: Timestamp) -> String {
    moment(at).replace(" 00:00:00 UTC", "")
}

/// First and last sight, without saying a date twice.
fn span(sight: &HostSight) -> String {
    let (Some(first), Some(last)) = (sight.first_seen.or(sight.last_seen), sight.last_seen.or(sight.first_seen)) else {
        return String::new();
    };
    let (from, to) = (first.strftime("%F %T").to_string(), last.strftime("%F %T").to_string());
    match (from.split_once(' '), to.split_once(' ')) {
        _ if from == to => from,
        (Some((day, _)), Some((other, time))) if day == other => format!("{from} to {time}"),
        _ => format!("{from} to {to}"),
    }
}
