//! The scanner's own addresses: what a scan left from, and what a person names; remembered by the case, taken out of everything
//! that is shared.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use anyhow::anyhow;
use serde_json::{Value, json};

use crate::cli::actor;
use crate::cli::exit::Stop;
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::store::{Action, Case, OWN_ADDRESSES, Record, Run, RunId, RunKind, StoreError};

/// What the case knows of them.
#[derive(Debug, Default)]
pub(in crate::cli) struct Own {
    /// All that were ever named or sent from.
    pub(in crate::cli) addresses: Vec<IpAddr>,
    /// True when these are what the far side saw: a person said so (perhaps that there are none), or scans left from addresses
    /// that no translation hides.
    pub(in crate::cli) known: bool,
}

/// What is on record.
pub(in crate::cli) fn known(case: &Case) -> Result<Own, Stop> {
    let before = look(case)?;
    Ok(Own { known: before.told || before.seen_by_others, addresses: before.all.into_iter().collect() })
}

/// What is on record, and what is `given` now, which goes on record.
pub(in crate::cli) fn addresses(case: &mut Case, given: &[String]) -> Result<Own, Stop> {
    let before = look(case)?;
    let mut new = Vec::new();
    for text in given.iter().filter(|text| *text != "none") {
        new.push(
            text.parse::<IpAddr>()
                .map_err(|_| Stop::usage(anyhow!("--own takes an address or `none`, not `{text}`")))?,
        );
    }
    let said_before = before.told && new.iter().all(|one| before.all.contains(one));
    if !given.is_empty() && !said_before {
        let shown: Vec<String> = new.iter().map(IpAddr::to_string).collect();
        case.record(SystemClock::new().now(), &actor(), Action::Note, OWN_ADDRESSES, &json!({ "addresses": shown }))?;
    }
    let mut all = before.all;
    all.extend(new);
    let known = before.told || !given.is_empty() || before.seen_by_others;
    Ok(Own { addresses: all.into_iter().collect(), known })
}

/// Puts on record what a run left from. A part that goes on with a run says only what is new.
pub(in crate::cli) fn remember(case: &mut Case, run: RunId, own: &[IpAddr], at: Timestamp) -> Result<(), StoreError> {
    let before = on_record(&case.records()?, &BTreeSet::new()).by_run.remove(&run).unwrap_or_default();
    let new: BTreeSet<IpAddr> = own.iter().copied().filter(|one| !before.contains(one)).collect();
    if new.is_empty() {
        return Ok(());
    }
    let shown: Vec<String> = new.iter().map(IpAddr::to_string).collect();
    case.record(at, &actor(), Action::Note, OWN_ADDRESSES, &json!({ "run": run, "addresses": shown })).map(|_| ())
}

#[derive(Default)]
struct OnRecord {
    all: BTreeSet<IpAddr>,
    by_run: BTreeMap<RunId, BTreeSet<IpAddr>>,
    /// A person said it.
    told: bool,
    /// Every scan says what it left from, and no translation hides that.
    seen_by_others: bool,
}

fn look(case: &Case) -> Result<OnRecord, Stop> {
    // A scan that was killed and never went on leaves no word of what it left from.
    let heard = |run: &Run| run.kind == RunKind::Scan && run.counters.connections > 0;
    let scans: BTreeSet<RunId> = case.runs()?.iter().filter(|run| heard(run)).map(|run| run.id).collect();
    Ok(on_record(&case.records()?, &scans))
}

fn on_record(records: &[Record], scans: &BTreeSet<RunId>) -> OnRecord {
    let mut out = OnRecord::default();
    for record in records {
        let note = record.action == Action::Note.as_str() && record.subject == OWN_ADDRESSES;
        let merged = record.action == Action::Merge.as_str();
        let listed = |key: &str| {
            let listed = record.body.get(key).and_then(Value::as_array).into_iter().flatten();
            listed.filter_map(|one| one.as_str()?.parse::<IpAddr>().ok()).collect::<Vec<_>>()
        };
        let run = record.body.get("run").and_then(Value::as_i64);
        match (run, note, merged) {
            (Some(run), true, _) => out.by_run.entry(run).or_default().extend(listed("addresses")),
            (Some(run), _, true) => out.by_run.entry(run).or_default().extend(listed("own_addresses")),
            (None, true, _) => {
                out.told = true;
                out.all.extend(listed("addresses"));
            }
            _ => {}
        }
    }
    let tells =
        |run| out.by_run.get(run).is_some_and(|own| !own.is_empty() && !own.iter().any(|one| is_translated(*one)));
    out.seen_by_others = !scans.is_empty() && scans.iter().all(tells);
    out.all.extend(out.by_run.values().flatten());
    out
}

/// True for addresses that others see only behind a translation: RFC 1918, RFC 6598, RFC 4193, link-local ones.
fn is_translated(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(body: Value) -> Record {
        let (action, subject) = (Action::Note.as_str().to_owned(), OWN_ADDRESSES.to_owned());
        Record { seq: 1, at: Timestamp::UNIX_EPOCH, actor: String::new(), action, subject, body }
    }

    #[test]
    fn what_a_scan_left_from_is_known_unless_a_translation_hides_it() {
        let of = |scans: &[RunId], bodies: &[Value]| {
            on_record(&bodies.iter().cloned().map(note).collect::<Vec<_>>(), &scans.iter().copied().collect())
        };
        let outer = json!({ "run": 1, "addresses": ["192.0.2.9"] });
        let inner = json!({ "run": 2, "addresses": ["10.0.0.9"] });
        let said = of(&[1], std::slice::from_ref(&outer));
        assert!(said.seen_by_others && !said.told && said.all.len() == 1);
        let said = of(&[1, 2], &[outer.clone(), inner]);
        assert!(!said.seen_by_others && said.all.len() == 2, "nobody knows what run 2 looked like from outside");
        assert!(!of(&[1, 3], &[outer]).seen_by_others, "run 3 was killed before it could say");
        let said = of(&[2], &[json!({ "run": 2, "addresses": ["fd00::9"] }), json!({ "addresses": [] })]);
        assert!(said.told && said.all.len() == 1);
        assert!(!of(&[], &[]).seen_by_others);
    }
}
