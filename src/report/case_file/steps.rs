//! Evidence as steps of a waterfall, and as cells of the matrix.

use super::{Cell, Detail, Step};
use crate::facet::{show_cut, show_percent};
use crate::finding::{Evidence, Finding};

/// Longest value shown, in characters.
const LONGEST: usize = 120;
/// From this log10 on a group counts as strong.
const STRONG: f64 = 2.0;
/// Below this log10 a group says nothing worth a colour.
const SOME: f64 = 0.3;

/// Why one host is in, group by group, the heaviest first.
pub(super) fn detail(member: &Finding, is_seed: bool, dangers: Vec<String>) -> Detail {
    let mut rows: Vec<&Evidence> = member.evidence.iter().filter(|row| row.observed).collect();
    rows.sort_by(|a, b| b.log10_counted.total_cmp(&a.log10_counted));
    let (mut sum, mut low, mut high) = (0.0_f64, 0.0_f64, 0.0_f64);
    let steps = rows.into_iter().map(|row| {
        let from = sum;
        sum += row.log10_counted;
        (low, high) = (low.min(sum), high.max(sum));
        step(row, from, sum)
    });
    let steps: Vec<Step> = steps.collect();
    let unseen: Vec<&str> = member.evidence.iter().filter(|row| !row.observed).map(|row| row.group.as_str()).collect();
    Detail {
        ip: member.address.to_string(),
        claim: format!(
            "{}, {}{}",
            show_percent(member.score),
            member.level.as_str(),
            if is_seed { ", confirmed seed" } else { "" }
        ),
        reasons: member.reasons.clone(),
        against: member.against.clone(),
        dangers,
        steps,
        span: (low, high),
        total: signed(sum),
        not_observed: unseen.join(", "),
    }
}

fn step(row: &Evidence, from: f64, to: f64) -> Step {
    Step {
        group: row.group.clone(),
        agrees_at: row.agrees_at.clone().unwrap_or_else(|| "nowhere".to_owned()),
        value: show_cut(row.value.as_deref().unwrap_or_default(), LONGEST),
        in_set: format!("{:.0}/{:.0}", row.in_set, row.set_size),
        others: format!("{}/{}", row.others, row.background),
        counted: signed(row.log10_counted),
        from,
        to,
    }
}

/// A figure with its sign, one decimal; what rounds to nothing has none.
pub(super) fn signed(log10: f64) -> String {
    let text = format!("{log10:+.1}");
    if text == "+0.0" || text == "-0.0" { "0.0".to_owned() } else { text.replace('-', "\u{2212}") }
}

/// What the named group says of a host.
pub(super) fn cell(member: &Finding, group: &str) -> Cell {
    match member.evidence.iter().find(|row| row.group == group) {
        Some(row) if row.observed => {
            let class = match row.log10_counted {
                log10 if log10 >= STRONG => "strong",
                log10 if log10 >= SOME => "some",
                log10 if log10 <= -SOME => "against",
                _ => "none",
            };
            Cell { text: signed(row.log10_counted), class }
        }
        _ => Cell { text: String::new(), class: "unseen" },
    }
}
