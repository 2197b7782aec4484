//! The sentences of the report.

use super::{RunFacts, Sentence};
use crate::facet::show_percent;
use crate::finding::{Cluster, Findings, Seed, Subject};
use crate::report::Sights;

/// How to read a probability.
pub(super) const CAUTION: &str = "A probability here is the chance that the host is run by the operator of the seed, \
    given what was observed and the background of this case. It is a lead for a person to check, not a finding of \
    guilt. The words used are explained at the end.";

/// Where there is nothing to draw.
pub(super) const UNSEEN: &str = "No moment of sight is on record: what others saw was taken in without its times.";

/// The conclusion, in sentences.
pub(super) fn summary(seeds: &[Seed], findings: &Findings, sights: &Sights) -> Vec<Sentence> {
    let mut out = Vec::new();
    for cluster in findings.clusters.iter().filter(|cluster| cluster.seeded) {
        let count = cluster.members.len();
        let are = if count == 1 { "host is" } else { "hosts are" };
        out.push(strong(format!(
            "{count} {are} attributed to {}, out of {} hosts observed.",
            cluster.id, findings.hosts
        )));
        out.push(plain(verbal(cluster, seeds)));
        out.push(plain(format!(
            "Each attribution rests on at least two independent groups of evidence unless the host is a confirmed \
             seed. The set's own inner checks support it at {} (its purity).",
            show_percent(cluster.purity)
        )));
    }
    if out.is_empty() {
        out.push(plain(nothing_yet(seeds, findings, sights)));
    }
    let blind = findings.clusters.iter().filter(|cluster| !cluster.seeded).count();
    if blind > 0 {
        let (groups, are) = if blind == 1 {
            ("group of like hosts shares", "it is listed as a hypothesis")
        } else {
            ("groups of like hosts share", "they are listed as hypotheses")
        };
        out.push(plain(format!("{blind} further {groups} no habit with a seed; {are}.")));
    }
    out
}

fn strong(text: String) -> Sentence {
    Sentence { text, strong: true }
}

fn plain(text: String) -> Sentence {
    Sentence { text, strong: false }
}

/// The odds in words: how many hosts at which strength.
fn verbal(cluster: &Cluster, seeds: &[Seed]) -> String {
    let confirmed = |address| seeds.iter().any(|seed| seed.subject == Subject::Host(address));
    let mut counts = [0_usize; 4];
    for member in &cluster.members {
        let place = match member.score {
            _ if confirmed(member.address) => 0,
            score if score >= 0.99 => 1,
            score if score >= 0.9 => 2,
            _ => 3,
        };
        if let Some(count) = counts.get_mut(place) {
            *count += 1;
        }
    }
    let names = [
        "confirmed by a person",
        "practically certain (99 % or more)",
        "very likely (90 to 99 %)",
        "more likely than not (50 to 90 %)",
    ];
    let parts: Vec<String> = names
        .iter()
        .zip(counts)
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    format!("Of these: {}.", parts.join("; "))
}

fn nothing_yet(seeds: &[Seed], findings: &Findings, sights: &Sights) -> String {
    let unheard: Vec<String> = seeds
        .iter()
        .filter_map(|seed| match &seed.subject {
            Subject::Host(ip) if !sights.contains_key(ip) => Some(ip.to_string()),
            _ => None,
        })
        .collect();
    let why = if seeds.is_empty() {
        "This case has no seed: record a confirmed host with `hostkin seed`.".to_owned()
    } else if !unheard.is_empty() {
        format!("Nothing was heard yet from {}: run `hostkin scan`, then `hostkin link`.", unheard.join(", "))
    } else if findings.weights.is_empty() {
        "The case was not linked yet: run `hostkin link`.".to_owned()
    } else {
        "The seeds share no habit with other hosts that sets them apart from the background.".to_owned()
    };
    format!("No cluster has been grown from a seed yet. {why}")
}

/// What a set is.
pub(super) fn intro(cluster: &Cluster) -> String {
    if cluster.seeded {
        return "Probabilities are calibrated; log10 LR sums what every group of evidence counts for, and the column \
                beside it says what is left without the strongest group."
            .to_owned();
    }
    format!(
        "These {} hosts share habits with each other and with no seed. Nothing says who runs them: a hypothesis to \
         look into. By its own inner checks the set belongs together at {}.",
        cluster.members.len(),
        show_percent(cluster.purity)
    )
}

/// Hypotheses that are not shown.
pub(super) fn left_out(hypotheses: usize) -> String {
    match hypotheses {
        0 => String::new(),
        1 => "One smaller hypothesis is not shown here; `hostkin export clusters` lists it.".to_owned(),
        more => format!("{more} smaller hypotheses are not shown here; `hostkin export clusters` lists them."),
    }
}

/// How the result came about.
pub(super) fn method(findings: &Findings, runs: &[RunFacts]) -> Vec<String> {
    let weights = if findings.weights.is_empty() { String::new() } else { format!(" Weights: {}.", findings.weights) };
    let how = [
        (
            runs.iter().any(|run| run.kind == "scan"),
            "Hosts were asked in a random order, inside the scope and on the ports that it names: up to ten TLS hellos (JARM) with \
             the certificates shown, where that was needed a TLS session with proof that the server holds its key, an HTTP \
             request, and SSH key exchanges, whose signatures were checked. Everything heard was stored before it was read, so \
             that every value can be derived again from the bytes.",
        ),
        (
            runs.iter().any(|run| run.hunt),
            "Not every host was asked all of this: a run that hunts asks a host no further once what it says differs from every \
             seed's. Such a host counts as ruled out, and what else it would have shown is not known.",
        ),
        (
            runs.iter().any(|run| run.kind == "import"),
            "What others heard was taken in too. There are no bytes of it to derive anything from again: how and when it was \
             asked rests on their word.",
        ),
    ];
    how.into_iter()
        .filter(|(is_so, _)| *is_so)
        .map(|(_, words)| words.to_owned())
        .chain([format!(
            "Facets with one cause form a group (key, sshd, cert, web, page, rdp, ports, net, mail), and each group \
             counts once. For each group the likelihood ratio compares how often the attributed set shows the value \
             with how often {} other hosts of this case show it. Values that everybody shows weigh nothing; what was \
             not observed weighs nothing.{weights}",
            findings.background
        )])
        .collect()
}

/// What the result does not say.
pub(super) fn limits(background: u64) -> Vec<String> {
    let sample = if background > 0 {
        format!(
            "The background is this case's own hosts ({background}). With that many and no hit, a value cannot be \
             said to be rarer than about 3 in {background}."
        )
    } else {
        "There is no background yet: nothing can be said about how rare a value is.".to_owned()
    };
    vec![
        sample,
        "\"Provider\" means common provisioning: one image, script or panel. It does not name an owner or a person."
            .to_owned(),
        "Page and certificate can be copied or belong to a tenant; alone they prove no provider.".to_owned(),
        "Addresses change hands. Every statement holds for the dates of sight given.".to_owned(),
        "Probabilities were calibrated on simulated hosters; how they hold for the real ones is not known.".to_owned(),
    ]
}

/// What a reader may do next.
pub(super) fn actions(findings: &Findings) -> Vec<String> {
    let mut out = Vec::new();
    let doubtful = findings
        .clusters
        .iter()
        .filter(|cluster| cluster.seeded)
        .flat_map(|cluster| &cluster.members)
        .filter(|member| member.score < 0.9)
        .count();
    if doubtful > 0 {
        let hosts = if doubtful == 1 { "host" } else { "hosts" };
        out.push(format!(
            "Look at the {doubtful} {hosts} below 90 % by other means before relying on them, and record the outcome \
             (`hostkin confirm`, `hostkin reject`)."
        ));
    }
    if findings.clusters.iter().any(|cluster| cluster.seeded) {
        out.push(
            "Have the evidence checked by somebody who did not make it: the bundle of this case verifies without \
             this program's operator."
                .to_owned(),
        );
        out.push(
            "Report to the provider and to its upstreams with the dates given here; nothing was sent by this program."
                .to_owned(),
        );
        out.push("Block only what stands here, and only until its date: addresses change hands.".to_owned());
    }
    out.push("Scan again after some weeks: what moved together is evidence of its own.".to_owned());
    out
}

/// Words explained, for readers of every trade.
pub(super) const GLOSSARY: &[(&str, &str)] = &[
    ("seed", "A host, or a value, that a person confirmed as the provider's."),
    ("provider", "Whoever sets the machines up: one image, script or panel. Not an owner, not a person."),
    ("probability", "Chance that the host is the provider's, given all evidence; calibrated on simulated hosters."),
    (
        "LR, log10 LR",
        "Likelihood ratio: how many times more often the set shows what the host shows than other hosts do. log10 LR \
         is its power of ten: 2 means a hundred times, 0 says nothing, below 0 speaks against. Counted: after \
         discounts for copies and known defaults.",
    ),
    (
        "without strongest",
        "The same sum without its strongest group: what is left if that one reason should turn out wrong.",
    ),
    (
        "group",
        "Facts with one cause, counted once: key (SSH host key), sshd (SSH server and its settings), cert \
         (certificate), web (web and TLS stack), page (what the page says), rdp (Windows name and build), ports (which \
         are open), net (network), mail (mail and file banners).",
    ),
    (
        "level",
        "What the shared habits are habits of: provider (who sets the machines up), tenant (whose content it is), \
         vendor (a panel or image that many use), distribution (its defaults), chance.",
    ),
    ("purity", "How far the set's own inner checks support that it is one provider's and not two mixed up."),
    (
        "in set, others",
        "How many hosts of the set, and how many hosts outside it, show the value, of those in which it could be \
         observed.",
    ),
    (
        "hypothesis",
        "A set of like hosts that no seed explains. Its figures say how well it belongs together, not whose it is.",
    ),
    ("SSH host key", "A secret a server keeps for itself; two servers with one key were made from one copy."),
    ("certificate", "A document a server shows to say who it is; its key can be proven to be the server's."),
    ("JARM", "How a server answers ten unusual greetings: tells its TLS software and settings, not its owner."),
    ("AS, prefix", "A network that announces addresses to the Internet, and a block of addresses it announces."),
    ("SHA-256", "A digest: a number that changes when a single bit of the text changes."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_method_claims_no_question_that_was_not_asked() {
        let of = |kind: &str, hunt: bool| RunFacts { kind: kind.to_owned(), hunt, ..RunFacts::default() };
        let said = |runs: &[RunFacts]| method(&Findings::default(), runs).join("\n");
        let import = said(&[of("import", false)]);
        assert!(import.contains("rests on their word") && !import.contains("TLS hellos"), "{import}");
        let scans = said(&[of("scan", false), of("scan", true)]);
        assert!(scans.contains("up to ten TLS hellos") && scans.contains("counts as ruled out"), "{scans}");
        assert!(!said(&[of("scan", false)]).contains("ruled out"));
    }
}
