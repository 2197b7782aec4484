//! `find`: hosts by facet.

use std::path::Path;

use serde_json::{Value, json};

use super::args::{Find, Form, Format};
use super::exit::{Exit, Stop};
use super::term::{Output, Term, counted, seconds, width};
use crate::facet::show_bytes;
use crate::report::Rows;
use crate::store::{Case, State, StoreError};

pub(super) fn run(args: &Find, term: &Term) -> Result<Exit, Stop> {
    let case = open(&args.case)?;
    let people = args.form.format() == Format::Table;
    let mut rows = Rows::new(&["ip", "asn", "prefix", "first_seen", "last_seen", "matched"]);
    let found = case.find::<StoreError>(&args.query, |host| {
        let matched: Vec<String> =
            host.matched.iter().map(|(port, kind, value)| format!("{port} {kind}={}", show_bytes(value))).collect();
        let time = |at: Option<crate::clock::Timestamp>| {
            at.map_or(Value::Null, |at| json!(if people { seconds(at) } else { at.to_string() }))
        };
        rows.push(vec![
            json!(host.address.to_string()),
            json!(host.asn),
            json!(host.prefix.map(|prefix| prefix.to_string())),
            time(host.first_seen),
            time(host.last_seen),
            json!(matched),
        ]);
        Ok(())
    });
    match found {
        Err(error @ StoreError::Query(_)) => return Err(Stop::usage(error)),
        other => other?,
    }
    if !rows.rows.is_empty() || !people {
        write(&rows, args.form, Output::open(None)?)?;
    }
    term.say(match rows.rows.len() {
        0 => "no host fits; `=` asks for the whole value, `~` for a part of it (`http.title~login`)".to_owned(),
        count => counted(u64::try_from(count).unwrap_or(u64::MAX), "host"),
    });
    Ok(Exit::Done)
}

/// Opens the case, with the index from values to observations: an import leaves it to the first question. Where the file
/// cannot be written, or a scan writes it, the answer takes longer and is the same.
fn open(path: &Path) -> Result<Case, Stop> {
    let case = Case::open_read_only(path)?;
    if case.has_postings()? || case.runs()?.iter().any(|run| run.state == State::Running) {
        return Ok(case);
    }
    let indexed = Case::open(path).and_then(|mut case| case.build_postings().map(|()| case));
    Ok(indexed.unwrap_or(case))
}

/// Writes rows in the form asked for.
pub(super) fn write(rows: &Rows, form: Form, mut out: Output) -> Result<(), Stop> {
    match form.format() {
        Format::Table => rows.write_table(&mut out, Some(width()))?,
        Format::Csv => rows.write_csv(&mut out)?,
        Format::Jsonl => rows.write_jsonl(&mut out)?,
    }
    out.finish()?;
    Ok(())
}
