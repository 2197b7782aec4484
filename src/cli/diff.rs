//! `diff`: what changed between two runs, and what is only a difference in what was asked.

use anyhow::anyhow;
use serde_json::{Value, json};

use super::args::Diff;
use super::exit::{Exit, Stop};
use super::find::write;
use super::term::{Output, Term, counted};
use crate::facet::show_bytes;
use crate::observation::Speech;
use crate::probe::Want;
use crate::report::Rows;
use crate::store::{Case, Change, Run, RunKind, State, What};

/// Parts of a plan that decide what is asked of whom, and how they are told.
const PLAN: [(&str, &str); 7] = [
    ("targets_sha256", "targets"),
    ("want", "--only"),
    ("ssh_keys", "--ssh-keys"),
    ("proof", "--proof"),
    ("favicon", "--favicon"),
    ("shard", "--shard"),
    ("discovery", "discovery"),
];

pub(super) fn run(args: &Diff, term: &Term) -> Result<Exit, Stop> {
    let case = Case::open_read_only(&args.case)?;
    let runs = case.runs()?;
    let find = |id: i64| {
        runs.iter().find(|run| run.id == id).ok_or_else(|| {
            Stop::usage(anyhow!("there is no run {id}; `hostkin info {}` lists them", args.case.display()))
        })
    };
    let (before, after) = (find(args.before)?, find(args.after)?);
    warn(before, after, term);
    let wants = [want(before), want(after)];
    let mut rows = Rows::new(&["ip", "port", "protocol", "name", "change", "kind", "before", "after"]);
    for change in case.diff(args.before, args.after)? {
        if wants.iter().flatten().any(|want| !asked(*want, &change)) {
            continue;
        }
        let shown = |values: &[Vec<u8>]| json!(values.iter().map(|one| show_bytes(one)).collect::<Vec<_>>());
        let (word, kind, before, after) = match &change.what {
            What::Gained => ("gained", Value::Null, Value::Null, Value::Null),
            What::Lost => ("lost", Value::Null, Value::Null, Value::Null),
            What::Outcome { before, after } => {
                ("outcome", Value::Null, json!([before.as_str()]), json!([after.as_str()]))
            }
            What::Facet { kind, before, after } => ("facet", json!(kind.as_str()), shown(before), shown(after)),
        };
        let protocol = if change.over_tls { format!("{}/tls", change.protocol) } else { change.protocol.clone() };
        rows.push(vec![
            json!(change.address.to_string()),
            json!(change.port),
            json!(protocol),
            json!(change.name),
            json!(word),
            kind,
            before,
            after,
        ]);
    }
    write(&rows, args.form, Output::open(None)?)?;
    term.say(counted(u64::try_from(rows.rows.len()).unwrap_or(u64::MAX), "change"));
    Ok(Exit::Done)
}

/// Says why `lost` and `gained` may only mean "not asked".
fn warn(before: &Run, after: &Run, term: &Term) {
    for run in [before, after] {
        if run.kind == RunKind::Import {
            term.warn(format!("run {} is an import: what its file did not say was perhaps never asked", run.id));
        } else if run.state != State::Done {
            term.warn(format!(
                "run {} is not finished ({} of {} hosts): `lost` and `gained` may mean \"not asked yet\"",
                run.id, run.counters.hosts, run.hosts
            ));
        }
    }
    if before.kind == RunKind::Import || after.kind == RunKind::Import {
        return;
    }
    let differ = PLAN.iter().filter(|(key, _)| before.plan.get(key) != after.plan.get(key));
    let differ: Vec<&str> = differ.map(|(_, words)| *words).collect();
    if !differ.is_empty() {
        term.warn(format!(
            "the runs did not ask the same ({}): `lost` and `gained` may mean \"not asked\"; protocols that one of them left out are skipped",
            differ.join(", ")
        ));
    }
}

/// What a scan wanted; `None` for imports.
fn want(run: &Run) -> Option<Want> {
    let words: Vec<&str> = run.plan.get("want")?.as_array()?.iter().filter_map(Value::as_str).collect();
    words.join(",").parse().ok()
}

/// Whether a run that wanted this asked what the change is about.
fn asked(want: Want, change: &Change) -> bool {
    let protocol = match change.protocol.as_str() {
        "http" => want.http,
        "ssh" => want.ssh,
        "tls" => want.speech(Speech::Tls),
        _ => true,
    };
    let kind = match &change.what {
        What::Facet { kind, .. } => kind.as_str(),
        _ => "",
    };
    protocol && (want.jarm || !kind.starts_with("tls.jarm")) && (want.cert || !kind.starts_with("cert."))
}
