//! The scanner's own addresses: what a scan left from, and what a person names; remembered by the case, taken out of everything
//! that is shared.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::anyhow;
use serde_json::{Value, json};

use crate::cli::actor;
use crate::cli::exit::Stop;
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::store::{Action, Case, OWN_ADDRESSES, Record, RunId, StoreError};

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
    let before = on_record(&case.records()?);
    Ok(Own { known: before.told || before.seen_by_others, addresses: before.all.into_iter().collect() })
}

/// What is on record, and what is `given` now, which goes on record.
pub(in crate::cli) fn addresses(case: &mut Case, given: &[String]) -> Result<Own, Stop> {
    let before = on_record(&case.records()?);
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

/// Puts on record what a run left from, unless the case has it already. What stands before it is not asked, so that a person's
/// `none` keeps its meaning.
pub(in crate::cli) fn remember(case: &mut Case, run: RunId, own: &[IpAddr], at: Timestamp) -> Result<(), StoreError> {
    let before = on_record(&case.records()?).all;
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
    /// A person said it.
    told: bool,
    /// Scans left from addresses that the far side sees, and from no other.
    seen_by_others: bool,
}

fn on_record(records: &[Record]) -> OnRecord {
    let mut out = OnRecord::default();
    let mut scanned: BTreeSet<IpAddr> = BTreeSet::new();
    for record in records {
        let note = record.action == Action::Note.as_str() && record.subject == OWN_ADDRESSES;
        let merged = record.action == Action::Merge.as_str();
        let listed = |key: &str| {
            let listed = record.body.get(key).and_then(Value::as_array).into_iter().flatten();
            listed.filter_map(|one| one.as_str()?.parse::<IpAddr>().ok()).collect::<Vec<_>>()
        };
        match (note, merged) {
            (true, _) if record.body.get("run").is_none() => {
                out.told = true;
                out.all.extend(listed("addresses"));
            }
            (true, _) => scanned.extend(listed("addresses")),
            (_, true) => scanned.extend(listed("own_addresses")),
            _ => {}
        }
    }
    out.seen_by_others = !scanned.is_empty() && scanned.iter().all(|one| !is_translated(*one));
    out.all.extend(scanned);
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
        let of = |bodies: &[Value]| on_record(&bodies.iter().cloned().map(note).collect::<Vec<_>>());
        let outer = of(&[json!({ "run": 1, "addresses": ["192.0.2.9"] })]);
        assert!(outer.seen_by_others && !outer.told && outer.all.len() == 1);
        let inner =
            of(&[json!({ "run": 1, "addresses": ["192.0.2.9"] }), json!({ "run": 2, "addresses": ["10.0.0.9"] })]);
        assert!(!inner.seen_by_others && inner.all.len() == 2, "nobody knows what run 2 looked like from outside");
        let told = of(&[json!({ "run": 2, "addresses": ["fd00::9"] }), json!({ "addresses": [] })]);
        assert!(told.told && told.all.len() == 1);
        assert!(!of(&[]).seen_by_others);
    }
}
