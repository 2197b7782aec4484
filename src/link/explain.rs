//! The evidence table of one host against one set, and its plain words.

use super::claim::COUNTS;
use super::hand::is_ones_own;
use super::population::small;
use super::read::{ITEM, PART};
use super::rung::Rung;
use super::score::{Ground, Profile, Ratio, Scored, of_group};
use crate::facet::{Group, show_bytes, show_percent};
use crate::finding::Evidence;

/// Longest value kept, in characters. Who shows it to people cuts it shorter.
const KEPT: usize = 4096;
/// From this share of the other hosts on a set of ports is not unusual.
const USUAL: f64 = 0.1;
/// Below this factor a reader is told that the holders of a value are strangers.
const STRANGERS: f64 = 0.7;

/// The table with its words.
pub(super) struct Table {
    /// One row a group, in the order of the groups.
    pub(super) rows: Vec<Evidence>,
    /// For, strongest first.
    pub(super) reasons: Vec<String>,
    /// Against, strongest first.
    pub(super) against: Vec<String>,
    /// Groups nobody could compare.
    pub(super) not_observed: Vec<String>,
}

/// Explains what `profile` says of a host whose own weight in the set is `own`.
pub(super) fn table(ground: Ground<'_>, profile: &Profile, scored: &Scored, own: f64) -> Table {
    let mut out = Table { rows: Vec::new(), reasons: Vec::new(), against: Vec::new(), not_observed: Vec::new() };
    let mut reasons: Vec<(f64, String)> = Vec::new();
    let mut against: Vec<(f64, String)> = Vec::new();
    for ((group, ratio), counted) in Group::ALL.into_iter().zip(&scored.ratios).zip(scored.counted) {
        let row = row(ground, profile, group, ratio, counted, own);
        if !row.observed {
            out.not_observed.push(group.words().to_owned());
        } else if counted >= COUNTS {
            reasons.push((-counted, row.words.clone()));
        } else if counted <= -COUNTS / 2.0 {
            against.push((counted, row.words.clone()));
        }
        if let Some(remark) = remark(profile, ratio) {
            against.push((0.0, format!("{}: {remark}", group.words())));
        }
        out.rows.push(row);
    }
    out.reasons = sorted(reasons);
    out.against = sorted(against);
    out
}

fn sorted(mut lines: Vec<(f64, String)>) -> Vec<String> {
    lines.sort_by(|a, b| a.0.total_cmp(&b.0));
    lines.into_iter().map(|(_, words)| words).collect()
}

fn row(ground: Ground<'_>, profile: &Profile, group: Group, ratio: &Ratio, counted: f64, own: f64) -> Evidence {
    let mut row = Evidence {
        group: group.as_str().to_owned(),
        agrees_at: None,
        value: None,
        in_set: 0.0,
        set_size: observed_mass(profile, group, own),
        others: 0,
        background: whole(of_group(&profile.background, group)),
        log10_lr: rounded(ratio.ln / std::f64::consts::LN_10, 4),
        log10_counted: rounded(counted / std::f64::consts::LN_10, 4),
        observed: ratio.observed,
        default_of: None,
        likeness: 1.0,
        words: String::new(),
    };
    let mut same = None;
    if let Some((rung, code)) = ratio.hit {
        let column = ground.population.column(rung);
        let held = profile.held(rung, code);
        let members = held.map_or(0, |held| held.members);
        let itself = u32::from(own <= 0.0);
        row.agrees_at = Some(rung.name().to_owned());
        row.default_of = held.and_then(|held| held.habit).map(|habit| habit.as_str().to_owned());
        row.likeness = rounded(held.filter(|_| is_ones_own(rung)).map_or(1.0, |held| held.hand), 4);
        row.value = Some(shown(column.value(code)));
        row.in_set = rounded((held.map_or(0.0, |held| held.mass) - own).max(0.0), 2);
        row.set_size = rounded((profile.rung(rung).map_or(0.0, |one| one.mass) - own).max(0.0), 2);
        row.others = u64::from(column.count(code).saturating_sub(members).saturating_sub(itself));
        same = Some(rung);
    }
    row.words = match same {
        _ if !row.observed => format!("{}: not observed", group.words()),
        Some(rung) => format!(
            "same {} as {} of {} in the set; {} of {} other hosts show it, {} likely of one hand: {}",
            rung_words(rung, &row),
            number(row.in_set),
            number(row.set_size),
            row.others,
            row.background,
            show_percent(ratio.hand),
            support(counted)
        ),
        None => {
            format!("{} differs from all {} in the set: {}", group.words(), number(row.set_size), support(counted))
        }
    };
    row
}

/// Mass of the set in which a group was observed on any rung, without the host's own.
fn observed_mass(profile: &Profile, group: Group, own: f64) -> f64 {
    let most = profile.rungs().filter(|(rung, _)| rung.group() == group).map(|(_, one)| one.mass).fold(0.0, f64::max);
    rounded((most - own).max(0.0), 2)
}

/// What weakens an agreement.
fn remark(profile: &Profile, ratio: &Ratio) -> Option<&'static str> {
    let (rung, code) = ratio.hit?;
    let held = profile.held(rung, code)?;
    if held.habit.is_some() {
        Some("the shared value is a known default, so that it counts for little")
    } else if is_ones_own(rung) && held.hand < STRANGERS {
        Some("hosts that show the shared value have little else in common, as with a public image: it counts less")
    } else {
        None
    }
}

/// What is the same, in plain words: ports that many others have open too are not called unusual.
fn rung_words(rung: Rung, row: &Evidence) -> &'static str {
    let many = row.others as f64 >= USUAL * row.background as f64;
    if rung == Rung::PortSet && many { "set of open ports" } else { rung.words() }
}

/// The verbal scale for a counted likelihood ratio (ENFSI guideline for evaluative reporting, 2015).
pub(super) fn support(counted: f64) -> &'static str {
    const SCALE: [(f64, &str, &str); 6] = [
        (6.0, "extremely strong support", "extremely strong support against"),
        (4.0, "very strong support", "very strong support against"),
        (3.0, "strong support", "strong support against"),
        (2.0, "moderately strong support", "moderately strong support against"),
        (1.0, "moderate support", "moderate support against"),
        (0.301, "weak support", "weak support against"),
    ];
    let log10 = counted / std::f64::consts::LN_10;
    let found = SCALE.iter().find(|(least, ..)| log10.abs() >= *least);
    found.map_or("no support either way", |(_, up, down)| if log10 > 0.0 { up } else { down })
}

/// A value for the table: parts joined by ` + `, cut at a length that no real one has.
pub(super) fn shown(value: &[u8]) -> String {
    let parts: Vec<String> = value
        .split(|byte| *byte == PART)
        .map(|part| part.split(|byte| *byte == ITEM).map(show_bytes).collect::<Vec<_>>().join(", "))
        .filter(|part| !part.is_empty())
        .collect();
    let text = parts.join(" + ");
    if text.chars().count() <= KEPT { text } else { text.chars().take(KEPT - 1).chain(['\u{2026}']).collect() }
}

/// A mass as a number of hosts; the exact mass stands in the row.
fn number(mass: f64) -> String {
    if mass > 0.0 && mass < 0.5 { "less than 1".to_owned() } else { format!("{mass:.0}") }
}

/// A count from a sum of weights; never negative.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "populations have less than 2^32 hosts, and nothing is below 0"
)]
fn whole(value: f64) -> u64 {
    value.max(0.0).round_ties_even() as u64
}

/// Rounded to so many decimals, so that results do not differ in the last bits between machines.
pub(super) fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10.0_f64.powi(decimals);
    let out = (value * scale).round() / scale;
    // No negative zero in results.
    if out == 0.0 { 0.0 } else { out }
}

/// Hosts as a number of the results.
pub(super) fn hosts(count: usize) -> u64 {
    u64::from(small(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_counted_in_whole_numbers() {
        assert_eq!([0.0, 0.2, 0.9, 11.9, 12.9].map(number), ["0", "less than 1", "1", "12", "13"]);
    }

    #[test]
    fn the_verbal_scale_runs_both_ways() {
        assert_eq!(support(0.0), "no support either way");
        assert_eq!(support(5.0_f64.ln()), "weak support");
        assert_eq!(support(-(50.0_f64.ln())), "moderate support against");
        assert_eq!(support(2e6_f64.ln()), "extremely strong support");
    }

    #[test]
    fn a_joined_value_is_shown_in_parts_and_cut() {
        assert_eq!(shown(b"nginx\x1fabc\x1f"), "nginx + abc");
        assert_eq!(shown(b"a\x1eb\x1fc"), "a, b + c");
        assert_eq!(shown(&[b'x'; 500]).chars().count(), 500);
        assert_eq!(shown(&[b'x'; 5000]).chars().count(), 4096);
    }
}
