//! `diff`: what changed between two runs.

use serde_json::{Value, json};

use super::args::Diff;
use super::exit::{Exit, Stop};
use super::find::write;
use crate::facet::show_bytes;
use crate::report::Rows;
use crate::store::{Case, What};

pub(super) fn run(args: &Diff) -> Result<Exit, Stop> {
    let case = Case::open_read_only(&args.case)?;
    let mut rows = Rows::new(&["ip", "port", "protocol", "name", "change", "kind", "before", "after"]);
    for change in case.diff(args.before, args.after)? {
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
    write(&rows, args.form, None)?;
    Ok(Exit::Done)
}
