//! The report: one HTML page without scripts or anything from outside, which prints.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde::Serialize;

use super::Sights;
use crate::clock::Timestamp;
use crate::facet::escape_html;
use crate::finding::{Findings, Seed, Subject};

/// What the report says about the case itself.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CaseFacts {
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
}

/// What the report says about one run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RunFacts {
    /// Number.
    pub id: i64,
    /// `scan` or `import`.
    pub kind: String,
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

/// Why no report came about: a fault in the template.
#[derive(Debug, thiserror::Error)]
#[error("the report could not be written: {0:#}")]
pub struct ReportError(#[from] minijinja::Error);

const TEMPLATE: &str = include_str!("report.html");

/// The whole page.
///
/// # Errors
/// Only on a fault of the template.
pub fn html(case: &CaseFacts, seeds: &[Seed], findings: &Findings, sights: &Sights) -> Result<String, ReportError> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| AutoEscape::Html);
    // Every string passes here: markup, control, bidi and zero-width characters come out as text.
    env.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if !value.is_safe() => Ok(out.write_str(&escape_html(text))?),
        _ => minijinja::escape_formatter(out, state, value),
    });
    env.add_filter("percent", |share: f64| percent(share));
    env.add_filter("fixed", |number: f64, digits: usize| format!("{number:.digits$}"));
    env.add_filter("bar", |log10: f64| format!("{:.1}", (log10.abs() * 12.0).min(84.0)));
    env.add_template("report.html", TEMPLATE)?;
    let seeds: Vec<_> = seeds
        .iter()
        .map(|seed| {
            context! {
                provider => seed.provider.clone(),
                subject => match &seed.subject { Subject::Host(ip) => ip.to_string(), Subject::Facet(kind, value) => format!("{kind}={value}") },
                why => seed.why.clone(), source => seed.source.clone(), date => seed.date.map(|at| at.to_string()),
                recorded_at => moment(seed.recorded_at),
            }
        })
        .collect();
    let clusters: Vec<_> = findings.clusters.iter().map(|cluster| {
        let members: Vec<_> = cluster.members.iter().map(|member| {
            let sight = sights.get(&member.address);
            context! {
                finding => Serde(member),
                ip => member.address.to_string(),
                is_seed => seeds.iter().any(|seed| seed.get_attr("subject").is_ok_and(|subject| subject.as_str() == Some(&member.address.to_string()))),
                ports => sight.map(|sight| sight.ports.clone()).unwrap_or_default(),
                first => sight.and_then(|sight| sight.first_seen).map(moment),
                last => sight.and_then(|sight| sight.last_seen).map(moment),
            }
        }).collect();
        context! { id => cluster.id.clone(), seeded => cluster.seeded, purity => cluster.purity, members }
    }).collect();
    let near: Vec<_> = findings
        .ranking
        .iter()
        .filter(|one| one.score < 0.5 && one.score >= 0.02)
        .take(30)
        .map(|one| context! { provider => one.provider.clone(), ip => one.address.to_string(), score => one.score, reasons => one.reasons.clone(), against => one.against.clone() })
        .collect();
    let page = env.get_template("report.html")?.render(context! {
        case => Serde(case), seeds, clusters, near,
        weights => findings.weights.clone(), hosts => findings.hosts, background => findings.background,
        ranked => findings.ranking.len(),
    })?;
    Ok(page)
}

/// A moment to the second, UTC.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A probability in per cent, never rounded up to certainty.
fn percent(share: f64) -> String {
    match share {
        share if share > 0.999 => "> 99.9 %".to_owned(),
        share if share < 0.001 => "< 0.1 %".to_owned(),
        share => format!("{:.1} %", share * 100.0),
    }
}
