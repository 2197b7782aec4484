//! Verifies a case as it stands.

use serde_json::json;

use super::chain::{self, Chain};
use super::observed::{self, Item, Reread};
use super::report::Report;
use super::{EvidenceError, layout, timestamp};
use crate::seal::{hex, leaf_hash, root, sha256};
use crate::store::Case;

/// Checks the chain, the signatures, every digest, and derives every reading again. With `signers`, only heads signed by one
/// of these fingerprints count, and the last record must be covered.
///
/// # Errors
/// When the case cannot be read at all; what is wrong inside is in the report.
pub fn verify_case(case: &Case, signers: &[String], reread: Reread<'_>) -> Result<Report, EvidenceError> {
    let mut report = Report::default();
    let records = case.chain()?;
    let chain = chain::check(&records, chain::From::Case, signers, &mut report);
    for (number, what) in case.outside_of_leaves()? {
        report.fault(format!("row {number} ({what})"), "a seal", "none: the observation was added by another hand");
    }
    let leaves = case.leaves()?;
    observed::check(&chain, true, reread, &mut report, |give| {
        case.sealed::<EvidenceError>((1, leaves), true, |one| {
            give(Item {
                number: u64::try_from(one.number).unwrap_or(0),
                hash: one.hash,
                leaf: one.leaf,
                reading: one.reading,
                capture: one.capture,
                path: None,
            });
            Ok(())
        })
    })?;
    results(case, &chain, &mut report)?;
    scopes(&case.scopes()?, &chain, &mut report);
    let stamps: Vec<(u64, Vec<u8>)> =
        case.stamps()?.into_iter().map(|(seq, answer)| (u64::try_from(seq).unwrap_or(0), answer)).collect();
    timestamp::check(&stamps, &chain, &mut report);
    Ok(report)
}

fn results(case: &Case, chain: &Chain, report: &mut Report) -> Result<(), EvidenceError> {
    let Some((record, salt, sealed)) = chain.results else {
        if !case.result_rows(&[0; 16])?.is_empty() {
            report.fault("the results", "none: no linkage on record stands", "rows");
        }
        return Ok(());
    };
    let rows = case.result_rows(&salt.unwrap_or_default())?;
    let hashes: Vec<_> = rows.iter().map(|row| leaf_hash(row.to_text().as_bytes())).collect();
    let found = root(&hashes);
    report.results = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    if found != sealed {
        report.fault(layout::results_of(record), format!("root {}", hex(&sealed)), format!("root {}", hex(&found)));
    }
    // What stands above the rows is shown with them, and is no leaf.
    if let (Some(said), Some((found, _))) = (&chain.linked, case.findings()?) {
        let stands = [
            ("weights", json!(found.weights)),
            ("hosts", json!(found.hosts)),
            ("background", json!(found.background)),
            ("ranking", json!(found.ranking.len())),
            ("clusters", json!(found.clusters.len())),
        ];
        for (what, stands) in stands {
            if said.get(what).is_some_and(|said| *said != stands) {
                let sealed = said.get(what).map(ToString::to_string).unwrap_or_default();
                report.fault(format!("{}, its {what}", layout::results_of(record)), sealed, stands.to_string());
            }
        }
    }
    Ok(())
}

/// Every scope a record stands under is there, and every one that is there has its digest.
pub(super) fn scopes(held: &[(String, String)], chain: &Chain, report: &mut Report) {
    for (name, text) in held {
        let found = hex(&sha256(text.as_bytes()));
        if *name != found {
            report.fault(format!("scope {name}"), format!("digest {name}"), format!("digest {found}"));
        } else if !chain.scopes.contains(name) {
            report.fault(format!("scope {name}"), "a record that names it", "none");
        }
        report.scopes = report.scopes.saturating_add(1);
    }
    for missing in chain.scopes.iter().filter(|scope| !held.iter().any(|(name, _)| name == *scope)) {
        report.fault(format!("scope {missing}"), "its text", "none");
    }
}
