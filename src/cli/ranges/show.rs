//! Candidates as a table, as JSON, and one of them in full.

use std::collections::BTreeMap;
use std::io::Write as _;

use serde_json::{Value, json};

use super::{Ranges, state};
use crate::cli::exit::{Exit, Stop};
use crate::cli::term::{Output, Term, width};
use crate::facet::escape_terminal;
use crate::range::{Asn, Candidate, Knowledge, Ranking, Siblings};

/// Rows shown unless `--all` asks for more.
const SHOWN: usize = 25;
/// Reasons shown of each in the table.
const REASONS: usize = 2;

pub(super) fn table(
    knowledge: &Knowledge,
    ranking: &Ranking,
    decided: &BTreeMap<String, bool>,
    args: &Ranges,
    term: &Term,
) -> Result<Exit, Stop> {
    if args.json {
        let mut out = Output::open(None)?;
        for candidate in &ranking.candidates {
            crate::report::write_json_line(&mut out, &object(knowledge, candidate, decided))?;
        }
        out.finish()?;
    } else {
        let mut out = Output::open(None)?;
        let most = if args.all { usize::MAX } else { SHOWN };
        let shown = ranking.candidates.get(..most.min(ranking.candidates.len())).unwrap_or_default();
        people(&mut out, shown, &Siblings::new(knowledge, args.date, true), decided)?;
        out.finish()?;
    }
    for words in &ranking.refused {
        term.warn(format!("not followed: {}", escape_terminal(words)));
    }
    for words in &ranking.evidence {
        term.say(format!("evidence: {}", escape_terminal(words)));
    }
    let hidden = ranking.candidates.len().saturating_sub(if args.all || args.json { usize::MAX } else { SHOWN });
    if hidden > 0 {
        term.say(format!("{hidden} further candidates: --all"));
    }
    if ranking.left_out > 0 {
        term.say(format!(
            "{} candidates beyond the first {} were left out",
            ranking.left_out,
            ranking.candidates.len()
        ));
    }
    if ranking.candidates.is_empty() && !args.json {
        term.say("no candidate: the files on record tie no network to the seeds (`hostkin data list` names the files)");
    } else if !args.json {
        term.say("an AS is a network under one operator, known by its number; + speaks for a range, - against it");
        term.say("per 1000, hosts: new hosts of the provider to expect, for a thousand connections and in all; working values for the order, no promise");
    }
    Ok(Exit::Done)
}

/// A line of figures for each candidate, and below it the strongest reasons for (+) and all against (-).
fn people(
    out: &mut Output,
    candidates: &[Candidate],
    siblings: &Siblings<'_>,
    decided: &BTreeMap<String, bool>,
) -> Result<(), Stop> {
    let named = |asn: &Asn| match siblings.name(*asn) {
        "" => asn.to_string(),
        name => format!("{asn} {name}"),
    };
    let ranges: Vec<String> = candidates.iter().map(|one| one.range.to_string()).collect();
    let widest = ranges.iter().map(String::len).max().unwrap_or(0).max("range".len());
    if !ranges.is_empty() {
        writeln!(
            out,
            "{:>4}  {:<widest$}  {:>8}  {:>6}  {:>11}  announced by",
            "n", "range", "per 1000", "hosts", "connections"
        )?;
    }
    for (one, range) in candidates.iter().zip(&ranges) {
        let who = match one.origins.iter().map(named).collect::<Vec<_>>().join(" and ") {
            who if who.is_empty() => "nobody on file".to_owned(),
            who => who,
        };
        let verdict = state(decided, one).map(|word| format!("  [{word}]")).unwrap_or_default();
        writeln!(
            out,
            "{:>4}  {range:<widest$}  {:>8.1}  {:>6.1}  {:>11.0}  {}{verdict}",
            one.number,
            one.per_thousand,
            one.expected,
            one.connections,
            escape_terminal(&who)
        )?;
        let mut line = |mark: char, words: &str| -> Result<(), Stop> {
            Ok(writeln!(out, "      {mark} {}", wrapped_at(&escape_terminal(words), width().into(), 8))?)
        };
        for reason in one.reasons.iter().take(REASONS) {
            line('+', &reason.words)?;
        }
        if one.reasons.len() > REASONS {
            line('+', &format!("and {} more: --why {}", one.reasons.len() - REASONS, one.number))?;
        }
        for words in one.collateral.iter().chain(&one.against) {
            line('-', words)?;
        }
    }
    Ok(())
}

/// A candidate as JSON.
pub(super) fn object(knowledge: &Knowledge, one: &Candidate, decided: &BTreeMap<String, bool>) -> Value {
    let files = |ids: &[i64]| -> Vec<String> {
        ids.iter().filter_map(|id| knowledge.dataset(*id)).map(|file| format!("{} {}", file.name, file.date)).collect()
    };
    let reasons: Vec<Value> = one
        .reasons
        .iter()
        .map(|reason| json!({ "link": reason.link.as_str(), "words": reason.words, "share": reason.share, "files": files(&reason.datasets) }))
        .collect();
    json!({
        "schema": "hostkin/range/1",
        "number": one.number,
        "range": one.range.to_string(),
        "networks": one.range.networks().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "origins": one.origins.iter().map(|asn| asn.0).collect::<Vec<_>>(),
        "expected": one.expected,
        "connections": one.connections,
        "per_thousand": one.per_thousand,
        "share": one.share,
        "as_of": one.as_of.map(|day| day.to_string()),
        "state": state(decided, one),
        "reasons": reasons,
        "against": one.against,
        "collateral": one.collateral,
    })
}

/// Everything about one candidate.
pub(super) fn why(
    knowledge: &Knowledge,
    one: &Candidate,
    decided: &BTreeMap<String, bool>,
    args: &Ranges,
) -> Result<Exit, Stop> {
    let mut out = Output::open(None)?;
    if args.json {
        crate::report::write_json_line(&mut out, &object(knowledge, one, decided))?;
        out.finish()?;
        return Ok(Exit::Done);
    }
    let say = |text: &str| wrapped(&escape_terminal(text), width().into());
    writeln!(
        out,
        "{}  candidate {}{}",
        one.range,
        one.number,
        state(decided, one).map(|word| format!(", {word}")).unwrap_or_default()
    )?;
    let figures = format!(
        "expected: {:.1} new hosts of the provider for {:.0} connections ({:.1} per thousand); {:.1} % of occupied addresses; working values for the order, no promise",
        one.expected,
        one.connections,
        one.per_thousand,
        100.0 * one.share
    );
    writeln!(out, "{}", say(&figures))?;
    if let Some(day) = one.as_of {
        writeln!(out, "by files up to {day}")?;
    }
    writeln!(out, "\nfor")?;
    for reason in &one.reasons {
        writeln!(out, "  - {}", say(&reason.words))?;
        for file in reason.datasets.iter().filter_map(|id| knowledge.dataset(*id)) {
            let from = format!("file {}: {} of {}, from {}", file.id, file.name, file.date, file.source);
            writeln!(out, "      {}", wrapped_at(&escape_terminal(&from), width().into(), 6))?;
        }
    }
    writeln!(out, "\nagainst")?;
    for words in one.collateral.iter().chain(&one.against) {
        writeln!(out, "  - {}", say(words))?;
    }
    if one.collateral.is_empty() && one.against.is_empty() {
        writeln!(out, "  - nothing in the files; that is weak, since files know few innocents by name")?;
    }
    out.finish()?;
    Ok(Exit::Done)
}

/// Text broken at spaces, further lines indented by four.
pub(in crate::cli) fn wrapped(text: &str, width: usize) -> String {
    wrapped_at(text, width, 4)
}

/// Text that begins `indent` columns in, broken at spaces so that all its lines do.
fn wrapped_at(text: &str, width: usize, indent: usize) -> String {
    let (mut out, mut used) = (String::new(), indent);
    for word in text.split(' ') {
        let length = word.chars().count();
        if used + length + 1 > width && used > indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            used = indent;
        } else if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
        used += length + 1;
    }
    out
}
