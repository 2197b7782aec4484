//! What would change the conclusion: how far a set rests on one group, in hosts.

use std::cmp::Reverse;
use std::f64::consts::LN_10;

use crate::facet::Group;
use crate::finding::{Cluster, Finding};

/// From this log10 on a group is one of a host's supports.
const SUPPORTS: f64 = 0.3;
/// A group is named when at least this share of the hosts would leave without it.
const NAMED: f64 = 0.01;

/// Sentences about what would make hosts leave the set, the weightiest first; `is_seed` tells confirmed hosts, who stay.
pub(super) fn changes(cluster: &Cluster, is_seed: impl Fn(&Finding) -> bool) -> Vec<String> {
    let grown: Vec<&Finding> = cluster.members.iter().filter(|member| !is_seed(member)).collect();
    if grown.is_empty() {
        return vec!["Only confirmed hosts are in the set: it stands and falls with their confirmation.".to_owned()];
    }
    let mut lines: Vec<(usize, String)> = Vec::new();
    for group in Group::ALL {
        let leaving = grown.iter().filter(|member| leaves_without(member, group.as_str())).count();
        if leaving > 0 && leaving as f64 >= NAMED * grown.len() as f64 {
            let hosts = if leaving == 1 { "host" } else { "hosts" };
            lines.push((
                leaving,
                format!(
                    "If the agreement by {} turned out to be common property (a public image, a vendor default, a copy), \
                     {leaving} {hosts} of {} would fall below one half.",
                    group.words(),
                    grown.len()
                ),
            ));
        }
    }
    lines.sort_by_key(|line| Reverse(line.0));
    let mut out: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
    if out.is_empty() {
        out.push(format!(
            "No single group carries the set: without any one of them, all {} hosts beside the confirmed stay at one half or above.",
            grown.len()
        ));
    }
    let least = grown.iter().min_by(|a, b| a.log10_lr_without_strongest.total_cmp(&b.log10_lr_without_strongest));
    if let Some(least) = least {
        out.push(format!(
            "The weakest link is {}: without its strongest group its log10 LR is {:.1}.",
            least.address, least.log10_lr_without_strongest
        ));
    }
    out.push(
        "Withdrawing a seed, or a verdict (`hostkin reject`) on a host, makes the whole set grow anew.".to_owned(),
    );
    out
}

/// True when the host's odds, less what the group counts for, are below one to one.
fn leaves_without(member: &Finding, group: &str) -> bool {
    let counted =
        member.evidence.iter().find(|row| row.group == group && row.observed).map_or(0.0, |row| row.log10_counted);
    let score = member.score.clamp(1e-9, 1.0 - 1e-9);
    counted >= SUPPORTS && (score / (1.0 - score)).ln() - counted * LN_10 < 0.0
}
