//! The scanner's own addresses: named once, remembered by the case, taken out of everything that is shared.

use std::net::IpAddr;

use anyhow::anyhow;
use serde_json::{Value, json};

use crate::cli::actor;
use crate::cli::exit::Stop;
use crate::clock::{Clock as _, SystemClock};
use crate::store::{Action, Case};

/// What the record of them is filed under.
pub(in crate::cli) const SUBJECT: &str = "own addresses";

/// All that were ever named; `None` when nobody ever said, not even that there are none.
pub(super) fn addresses(case: &mut Case, given: &[String]) -> Result<Option<Vec<IpAddr>>, Stop> {
    let mut known: Option<Vec<IpAddr>> = None;
    for record in
        case.records()?.iter().filter(|record| record.action == Action::Note.as_str() && record.subject == SUBJECT)
    {
        let listed = record.body.get("addresses").and_then(Value::as_array).into_iter().flatten();
        let listed = listed.filter_map(|one| one.as_str()?.parse::<IpAddr>().ok());
        known.get_or_insert_default().extend(listed);
    }
    let mut new = Vec::new();
    for text in given.iter().filter(|text| *text != "none") {
        new.push(
            text.parse::<IpAddr>()
                .map_err(|_| Stop::usage(anyhow!("--own takes an address or `none`, not `{text}`")))?,
        );
    }
    let said_before = known.as_ref().is_some_and(|known| new.iter().all(|one| known.contains(one)));
    if !given.is_empty() && !said_before {
        let shown: Vec<String> = new.iter().map(IpAddr::to_string).collect();
        case.record(SystemClock::new().now(), &actor(), Action::Note, SUBJECT, &json!({ "addresses": shown }))?;
        known.get_or_insert_default().extend(new);
    }
    if let Some(known) = &mut known {
        known.sort_unstable();
        known.dedup();
    }
    Ok(known)
}
