//! The report: one HTML page without scripts or anything from outside, which prints.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use serde::Serialize;

use super::{HostSight, Sights};
use crate::clock::Timestamp;
use crate::facet::{escape_html, show_cut, show_percent};
use crate::finding::{Cluster, Findings, Level, Seed, Subject};

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
    /// Pictures of the seeds' surroundings, where public files were taken in.
    pub pictures: Vec<Picture>,
}

/// A picture with what stands above and below it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Picture {
    /// Heading.
    pub title: String,
    /// SVG from [`super::range_map`] or [`super::as_graph`]: all strangers' text in it is escaped.
    pub svg: String,
    /// What it rests on.
    pub note: String,
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
#[error("the report could not be written")]
pub struct ReportError(#[from] minijinja::Error);

/// Longest value shown, in characters.
const LONGEST: usize = 120;
/// Hosts whose evidence stands open.
const OPEN: usize = 3;
/// Shared values named of a set without a seed.
const MOST_SHARED: usize = 4;

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
    env.add_filter("percent", show_percent);
    env.add_filter("fixed", |number: f64, digits: usize| format!("{number:.digits$}"));
    env.add_filter("bar", |log10: f64| format!("{:.1}", (log10.abs() * 12.0).min(84.0)));
    env.add_filter("cut", |text: String| show_cut(&text, LONGEST));
    env.add_template("report.html", TEMPLATE)?;
    let is_seed = |address: IpAddr| seeds.iter().any(|seed| seed.subject == Subject::Host(address));
    let unheard: Vec<String> = seeds
        .iter()
        .filter_map(|seed| match &seed.subject {
            Subject::Host(ip) if !sights.contains_key(ip) => Some(ip.to_string()),
            _ => None,
        })
        .collect();
    let seeds: Vec<_> = seeds
        .iter()
        .map(|seed| {
            context! {
                provider => seed.provider.clone(),
                is_host => matches!(seed.subject, Subject::Host(_)),
                subject => match &seed.subject { Subject::Host(ip) => ip.to_string(), Subject::Facet(kind, value) => format!("{kind}={value}") },
                why => seed.why.clone(), source => seed.source.clone(), date => seed.date.map(day),
                recorded_at => moment(seed.recorded_at),
            }
        })
        .collect();
    let mut shown = 0;
    let clusters: Vec<_> = findings.clusters.iter().map(|cluster| {
        let members: Vec<_> = cluster.members.iter().map(|member| {
            let sight = sights.get(&member.address);
            shown += usize::from(cluster.seeded);
            context! {
                finding => Serde(member),
                ip => member.address.to_string(),
                is_seed => is_seed(member.address),
                open => shown <= OPEN,
                not_observed => member.evidence.iter().filter(|one| !one.observed).map(|one| one.group.clone()).collect::<Vec<_>>(),
                ports => sight.map(|sight| sight.ports.clone()).unwrap_or_default(),
                seen => sight.map(span).unwrap_or_default(),
            }
        }).collect();
        let shared = if cluster.seeded { Vec::new() } else { shared(cluster) };
        context! { id => cluster.id.clone(), seeded => cluster.seeded, purity => cluster.purity, members, shared }
    }).collect();
    let near: Vec<_> = findings
        .ranking
        .iter()
        .filter(|one| one.score < 0.5 && one.score >= 0.02 && one.level != Level::Chance)
        .take(30)
        .map(|one| context! { provider => one.provider.clone(), ip => one.address.to_string(), score => one.score, reasons => one.reasons.clone(), against => one.against.clone() })
        .collect();
    let page = env.get_template("report.html")?.render(context! {
        case => Serde(case), seeds, clusters, near, unheard,
        scope_text => Value::from_safe_string(escape_lines(&case.scope_text)),
        linked => !findings.weights.is_empty(),
        weights => findings.weights.clone(), hosts => findings.hosts, background => findings.background,
    })?;
    Ok(page)
}

/// The values that most members of a set agree in, with how many do: at most [`MOST_SHARED`].
fn shared(cluster: &Cluster) -> Vec<Value> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let agreeing = cluster.members.iter().flat_map(|member| &member.evidence).filter(|one| one.log10_counted > 0.3);
    for (at, value) in agreeing.filter_map(|one| Some((one.agrees_at.as_deref()?, one.value.as_deref()?))) {
        *counts.entry((at, value)).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, members)| Reverse(*members));
    let rows = counts.into_iter().take(MOST_SHARED);
    rows.map(|((at, value), members)| context! { at, value, members }).collect()
}

/// Text of several lines, escaped; line ends and tabs stay, so that what is copied is the text.
fn escape_lines(text: &str) -> String {
    let lines = text.lines().map(|line| line.split('\t').map(escape_html).collect::<Vec<_>>().join("\t"));
    lines.map(|line| line + "\n").collect()
}

/// A moment to the second, UTC.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
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

/// A day where the moment is its beginning, else the moment.
fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string().replace(" 00:00:00 UTC", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_is_shown_line_by_line_and_cannot_become_markup() {
        assert_eq!(escape_lines("a = \"<b>\"\r\n\tc\u{1b}\n"), "a = &quot;&lt;b&gt;&quot;\n\tc\\u{1b}\n");
        let case = CaseFacts { scope_text: "one\n\ttwo = 2\n".to_owned(), ..CaseFacts::default() };
        let page = html(&case, &[], &Findings::default(), &Sights::new()).unwrap();
        assert!(page.contains("<pre>\none\n\ttwo = 2\n</pre>"), "{page}");
        assert!(page.contains("This case has no seed") && page.contains("There is no background yet"), "{page}");
    }
}
