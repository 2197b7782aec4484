//! `why` on a bundle: what its sealed results say, for whoever has no case. Nothing is computed anew and nothing believed that does
//! not verify.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::Path;

use anyhow::anyhow;
use serde_json::json;

use super::args::{Form, Why};
use super::exit::{Exit, Stop};
use super::find::write;
use super::term::{Output, width};
use crate::evidence::{self, Report};
use crate::facet::{escape_terminal, show_percent};
use crate::finding::Evidence;
use crate::probe;
use crate::report::{self, Rows};
use crate::seal::ResultRow;

pub(super) fn run(args: &Why) -> Result<Exit, Stop> {
    let file = args.case.display();
    if args.other.is_some() {
        return Err(Stop::usage(anyhow!("a bundle says why each host is in, not what two of them share: name one")));
    }
    let report = evidence::verify_bundle(&args.case, &[], &probe::read)?;
    if !report.is_clean() {
        return Err(anyhow!(
            "`{file}` is not as it was sealed, so nothing is told from it; `hostkin verify {file}` names what is wrong"
        )
        .into());
    }
    let rows = evidence::results(&args.case)?;
    if rows.is_empty() {
        return Err(anyhow!("`{file}` holds no results: the case was not linked when it was made").into());
    }
    match args.ip {
        Some(ip) => one(args, ip, &rows, &report),
        None => all(args, &rows),
    }
}

/// The hosts of the attributed sets, or where there are none the ranking.
fn all(args: &Why, rows: &[ResultRow]) -> Result<Exit, Stop> {
    let attributed = rows.iter().any(|row| row.seeded == Some(true));
    let wanted = rows.iter().filter(|row| if attributed { row.seeded == Some(true) } else { row.cluster.is_none() });
    let mut table = Rows::new(&["provider", "ip", "probability", "level", "why"]);
    for row in wanted {
        let why = list(&row.reasons).into_iter().next().unwrap_or_default();
        table.push(vec![
            json!(row.provider),
            json!(row.ip),
            json!(show_percent(row.score)),
            json!(row.level),
            json!(why),
        ]);
    }
    write(&table, Form { format: None, json: args.json }, Output::open(None)?)?;
    Ok(Exit::Done)
}

/// One host: as a member of the sets it is in, else by its place in the rankings.
fn one(args: &Why, ip: IpAddr, rows: &[ResultRow], report: &Report) -> Result<Exit, Stop> {
    let named = ip.to_string();
    let of_it: Vec<&ResultRow> = rows.iter().filter(|row| row.ip == named).collect();
    let member = of_it.iter().any(|row| row.cluster.is_some());
    if of_it.is_empty() {
        let file = args.case.display();
        return Err(Stop::usage(anyhow!(
            "the results in this bundle do not name {ip}; `hostkin why {file}` lists the hosts that are attributed"
        )));
    }
    let mut out = Output::open(None)?;
    for row in of_it.into_iter().filter(|row| row.cluster.is_some() || !member) {
        if args.json {
            let evidence: serde_json::Value = serde_json::from_str(&row.evidence).unwrap_or_default();
            let line = json!({
                "ip": row.ip, "cluster_id": row.cluster, "provider": row.provider, "seed": row.seed, "score": row.score,
                "log10_lr": row.log10_lr, "level": row.level, "reasons": list(&row.reasons), "against": list(&row.against),
                "evidence": evidence,
            });
            report::write_json_line(&mut out, &line)?;
        } else {
            out.write_all(words(row, report, &args.case).as_bytes())?;
        }
    }
    out.finish()?;
    Ok(Exit::Done)
}

fn words(row: &ResultRow, report: &Report, file: &Path) -> String {
    let mut out = String::new();
    let place = match &row.cluster {
        Some(cluster) if row.seeded == Some(true) => format!("attributed to {cluster}"),
        Some(cluster) => format!("in the hypothesis {cluster}"),
        None => format!("compared with {}, not attributed", row.provider),
    };
    let probability = show_percent(row.score);
    let _ = writeln!(
        out,
        "{}\n",
        escape_terminal(&format!("{} is {place}, probability {probability}, level {}", row.ip, row.level))
    );
    for (head, items) in [("for", list(&row.reasons)), ("against", list(&row.against))] {
        for item in items {
            let _ = writeln!(out, "  {head:<9}{}", escape_terminal(&item));
        }
    }
    let evidence: Vec<Evidence> = serde_json::from_str(&row.evidence).unwrap_or_default();
    let _ = writeln!(out, "\n{}", report::evidence_table(&evidence, Some(width())));
    let _ = writeln!(
        out,
        "LR: how many times more often the set shows what this host shows than other hosts do (below 1 it speaks against); counted: after discounts for copies and known defaults. All evidence 10^{:.1}, without its strongest group 10^{:.1}.\n",
        row.log10_lr, row.log10_lr_without_strongest
    );
    let signers = report.signers.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let signed = if signers.is_empty() { "not signed by anybody".to_owned() } else { format!("signed by {signers}") };
    let _ = writeln!(
        out,
        "As sealed in {}, which is {signed} and verifies; what each service said stands in its observations/.",
        escape_terminal(&file.display().to_string())
    );
    out
}

/// A list of texts, as rows hold it.
fn list(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_default()
}
