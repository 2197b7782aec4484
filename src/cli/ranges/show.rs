//! Candidates as a table, as JSON, and one of them in full.

use std::collections::BTreeMap;
use std::io::Write as _;

use serde_json::{Value, json};

use super::{Ranges, state};
use crate::cli::args::Form;
use crate::cli::exit::{Exit, Stop};
use crate::cli::find::write;
use crate::cli::term::{Output, Term, width};
use crate::facet::escape_terminal;
use crate::range::{Candidate, Knowledge, Ranking, Siblings};
use crate::report::Rows;

/// Rows shown unless `--all` asks for more.
const SHOWN: usize = 25;

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
        let siblings = Siblings::new(knowledge, args.date, true);
        let mut rows =
            Rows::new(&["n", "range", "announced by", "per 1000", "hosts", "connections", "reasons", "against"]);
        let most = if args.all { usize::MAX } else { SHOWN };
        for one in ranking.candidates.iter().take(most) {
            let who: Vec<String> = one
                .origins
                .iter()
                .map(|asn| match siblings.name(*asn) {
                    "" => asn.to_string(),
                    name => format!("{asn} {name}"),
                })
                .collect();
            let number = match state(decided, one) {
                Some(word) => format!("{} {word}", one.number),
                None => one.number.to_string(),
            };
            let mut reasons: Vec<&str> = one.reasons.iter().take(2).map(|reason| reason.words.as_str()).collect();
            let more = format!("and {} more: --why {}", one.reasons.len().saturating_sub(2), one.number);
            if one.reasons.len() > 2 {
                reasons.push(&more);
            }
            let against: Vec<&str> = one.collateral.iter().chain(&one.against).map(String::as_str).collect();
            rows.push(vec![
                json!(number),
                json!(one.range.to_string()),
                json!(who),
                json!(format!("{:.1}", one.per_thousand)),
                json!(format!("{:.1}", one.expected)),
                json!(format!("{:.0}", one.connections)),
                json!(reasons),
                json!(against),
            ]);
        }
        write(&rows, Form { format: None, json: false }, Output::open(None)?)?;
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
    term.say("per 1000: new hosts of the provider to expect for a thousand connections; a working value for the order, no promise");
    Ok(Exit::Done)
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
    writeln!(
        out,
        "expected: {:.1} new hosts of the provider for {:.0} connections ({:.1} per thousand); {:.1} % of occupied addresses",
        one.expected,
        one.connections,
        one.per_thousand,
        100.0 * one.share
    )?;
    if let Some(day) = one.as_of {
        writeln!(out, "by files up to {day}")?;
    }
    writeln!(out, "\nfor")?;
    for reason in &one.reasons {
        writeln!(out, "  - {}", say(&reason.words))?;
        for file in reason.datasets.iter().filter_map(|id| knowledge.dataset(*id)) {
            writeln!(
                out,
                "      file {}: {} of {}, from {}",
                file.id,
                escape_terminal(&file.name),
                file.date,
                escape_terminal(&file.source)
            )?;
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

/// Text broken at spaces, further lines indented.
pub(in crate::cli) fn wrapped(text: &str, width: usize) -> String {
    let (mut out, mut used) = (String::new(), 4);
    for word in text.split(' ') {
        let length = word.chars().count();
        if used + length + 1 > width && used > 4 {
            out.push_str("\n    ");
            used = 4;
        } else if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
        used += length + 1;
    }
    out
}
