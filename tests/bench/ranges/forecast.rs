//! The forecast test on Spamhaus DROP: does the ranking name the /24s that come to the list in the next half year?
//!
//! The score cards of `src/range/hazard.rs` were tuned on the entries that came between 2025-03-04 and 2025-09-18 (`--fit` does
//! it again and prints the weights); what is reported are the entries that came between 2025-09-18 and 2026-04-05.
//!
//! Two runs: with files dated up to the start only, and with tables dated *later* than the start (ASN-DROP, an operator
//! table, a prefix table). The second is leakage: who made those tables had seen part of what is to be forecast. An entry
//! counts as found when all of it that was not listed lies in the candidates.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hostkin::range::hazard::{Card, FEATURES, OTHERS, REPORTED, is_public};
use hostkin::range::read::How;
use hostkin::range::{Asn, Format, Hazard, Knowledge};
use jiff::civil::{Date, date};

use crate::Fault;
use crate::load::{Source, held};

pub(crate) const TUNED: (Date, Date) = (date(2025, 3, 4), date(2025, 9, 18));
pub(crate) const REPORTED_ON: (Date, Date) = (date(2025, 9, 18), date(2026, 4, 5));
/// The smallest chance that is ranked: below it there is all the rest of the address space.
const LEAST: f64 = 2e-6;

/// Prints the curves.
pub(crate) fn run(folder: &Path) -> Result<(), Fault> {
    for (what, period) in [("tuned on", TUNED), ("reported on", REPORTED_ON)] {
        println!("\n== {what} {} to {}", period.0, period.1);
        let new = new_entries(folder, period)?;
        println!("new entries not wholly listed before: {}", new.len());
        for later in [false, true] {
            let (knowledge, known) = knowledge(folder, period.0, later)?;
            let hazard = Hazard::new(&knowledge, Some(period.0), &known);
            println!(
                "\n{}",
                if later {
                    "with tables dated later than the start (LEAKAGE: ASN-DROP 2026-10-09, operator tables 2026, prefix table 2026-06-17)"
                } else {
                    "files dated up to the start only (DROP of the day, data centre ranges of 2023)"
                }
            );
            curve(&hazard, &new);
        }
    }
    Ok(())
}

/// Recall against addresses.
fn curve(hazard: &Hazard, new: &[(u32, u32)]) {
    let ranked = hazard.ranked(LEAST);
    let place: BTreeMap<u32, usize> = ranked.iter().enumerate().map(|(place, (block, _))| (*block, place)).collect();
    // For each entry the candidates it takes until all of it is among them.
    let mut needed: Vec<usize> = new
        .iter()
        .filter_map(|(first, last)| {
            let mut blocks = (*first..=*last).filter(|block| !hazard.is_listed(*block));
            blocks.try_fold(0, |most: usize, block| place.get(&block).map(|at| most.max(at + 1)))
        })
        .collect();
    needed.sort_unstable();
    let millions = |blocks: usize| blocks as f64 * 256.0 / 1e6;
    println!("  addresses      found  recall  per million  expected by the model");
    for most in [1.0, 2.0, 3.0, 4.0, 8.0, 16.0, 28.0, 40.0, 80.0] {
        let blocks = (most * 1e6 / 256.0) as usize;
        let found = needed.partition_point(|one| *one <= blocks);
        let expected: f64 = ranked.iter().take(blocks).map(|(_, chance)| chance).sum();
        println!(
            "  {most:>6.0} million {found:>6}  {:>5.1}%  {:>11.1}  {expected:>8.0}",
            100.0 * found as f64 / new.len() as f64,
            found as f64 / most
        );
    }
    for recall in [0.10, 0.24, 0.40] {
        let wanted = (recall * new.len() as f64).ceil() as usize;
        match needed.get(wanted.saturating_sub(1)) {
            Some(blocks) => println!(
                "  recall {:.0}% ({wanted} entries) takes {:.2} million addresses: {:.1} per million",
                recall * 100.0,
                millions(*blocks),
                wanted as f64 / millions(*blocks)
            ),
            None => println!(
                "  recall {:.0}% is not reached by {:.0} million addresses",
                recall * 100.0,
                millions(ranked.len())
            ),
        }
    }
}

/// CIDRs on the list at the end of a period and not at its start, as first and last /24; those that were listed as part of
/// another are left out.
pub(crate) fn new_entries(folder: &Path, (from, to): (Date, Date)) -> Result<Vec<(u32, u32)>, Fault> {
    let (before, after) = (drop_on(folder, from)?, drop_on(folder, to)?);
    let listed = |block: u32| before.iter().any(|(first, last)| (*first..=*last).contains(&block));
    let new = after.difference(&before).copied();
    Ok(new.filter(|(first, last)| (*first..=*last).any(|block| !listed(block))).collect())
}

fn drop_on(folder: &Path, day: Date) -> Result<BTreeSet<(u32, u32)>, Fault> {
    let knowledge = Knowledge::new(vec![held(drop_file(folder, day), day, &How::default(), 1)?]);
    let mut entries = BTreeSet::new();
    for (_, listing) in knowledge.each_listing(None) {
        if let hostkin::range::fact::Listed::Addresses(range) = &listing.listed
            && let (std::net::IpAddr::V4(first), std::net::IpAddr::V4(last)) = (range.start(), range.end())
        {
            entries.insert((first.to_bits() >> 8, last.to_bits() >> 8));
        }
    }
    Ok(entries)
}

pub(crate) fn drop_file(folder: &Path, day: Date) -> Source {
    Source::File(folder.join(format!("denylists/spamhaus_drop_v4_{day}.jsonl")))
}

/// What is known at `start`; with `later`, tables of a later date are taken for the start's.
fn knowledge(folder: &Path, start: Date, later: bool) -> Result<(Knowledge, BTreeSet<Asn>), Fault> {
    let centres = How { format: Some(Format::Datacenters), ..How::default() };
    let mut all = vec![
        held(drop_file(folder, start), start, &How::default(), 1)?,
        held(Source::File(folder.join("denylists/datacenters_ipcat_2023.csv")), date(2023, 2, 2), &centres, 2)?,
    ];
    let mut known = BTreeSet::new();
    if later {
        let list = Source::File(folder.join("denylists/spamhaus_asndrop_2026-10-09.jsonl"));
        all.push(held(list, start, &How { format: Some(Format::AsnDrop), ..How::default() }, 3)?);
        // The slice of the prefix table holds some rows only because DROP names them, and controls: these would tell the
        // answer. Rows of ASes that an operator table reported are marked in it, too.
        let text = std::fs::read_to_string(folder.join("bgp/ip2asn_v4_slice_2026-06-17.csv"))?;
        let told = |line: &&str| !line.ends_with(",drop-overlap") && !line.ends_with(",control");
        let kept: String = text.lines().filter(told).flat_map(|line| [line, "\n"]).collect();
        let marked = kept.lines().filter(|line| line.ends_with(",bph-reported") || line.ends_with(",adjacent"));
        known.extend(marked.filter_map(|line| line.split(',').nth(2)?.parse::<u32>().ok()).map(Asn));
        all.push(held(Source::Text(kept), start, &How { format: Some(Format::Ip2asn), ..How::default() }, 4)?);
        for name in ["labelled/bph_operators_asn.csv", "labelled/bph_providers_2026-06-30.csv"] {
            known.extend(numbers_in(&std::fs::read_to_string(folder.join(name))?));
        }
    }
    Ok((Knowledge::new(all), known))
}

/// AS numbers named in a table: `AS64500`, or the second column of the operator table, but for those it says are not the
/// operator's or only carry it.
fn numbers_in(text: &str) -> BTreeSet<Asn> {
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let mut columns = line.split(',');
        let (second, relation) = (columns.nth(1), columns.next());
        if let Some(Ok(number)) = second.map(str::parse::<u32>) {
            if !matches!(relation, Some("not_this_operator" | "upstream")) {
                found.insert(Asn(number));
            }
            continue;
        }
        // Upstreams stand behind the eleventh column.
        for column in line.split(',').take(10) {
            for word in column.split(|c: char| !c.is_ascii_alphanumeric()) {
                if let Some(Ok(number)) = word.strip_prefix("AS").map(str::parse::<u32>) {
                    found.insert(Asn(number));
                }
            }
        }
    }
    found
}

/// Fits both score cards on the tuning period and prints them.
pub(crate) fn fit(folder: &Path) -> Result<(), Fault> {
    let new = new_entries(folder, TUNED)?;
    let mut weight: BTreeMap<u32, f64> = BTreeMap::new();
    for (first, last) in &new {
        for block in *first..=*last {
            let share = weight.entry(block).or_default();
            *share = share.max(1.0 / f64::from(last - first + 1));
        }
    }
    for (later, name, own, mask) in [
        (false, "OTHERS", OTHERS, [true; 7]),
        (true, "REPORTED", REPORTED, [true, true, false, false, false, true, false]),
    ] {
        let (knowledge, known) = knowledge(folder, TUNED.0, later)?;
        let hazard = Hazard::new(&knowledge, Some(TUNED.0), &known);
        let mut rows: Vec<([f64; 7], f64, f64)> = Vec::new();
        for block in (0..1u32 << 24).filter(|block| is_public(*block) && !hazard.is_listed(*block)) {
            if later && !hazard.is_reported(block) {
                continue;
            }
            let mut features = hazard.features(block);
            features.iter_mut().zip(mask).filter(|(_, kept)| !kept).for_each(|(value, _)| *value = 0.0);
            // Of quiet space one /24 in 101 stands for all; the sample is regular, so that the fit repeats.
            let quiet = !later && features[1] == 0.0 && features[4] == 0.0;
            match weight.get(&block) {
                Some(share) => rows.push((features, 1.0, *share)),
                None if !quiet => rows.push((features, 0.0, 1.0)),
                None if block % 101 == 0 => rows.push((features, 0.0, 101.0)),
                None => {}
            }
        }
        let card = newton(&rows, mask);
        println!("{name}: {} rows", rows.len());
        println!("  built in {own:?}");
        println!("  fitted   {card:?}");
    }
    println!("features: {FEATURES:?}");
    Ok(())
}

/// Weighted logistic regression with a small ridge, by Newton's method.
fn newton(rows: &[([f64; 7], f64, f64)], mask: [bool; 7]) -> Card {
    let total: f64 = rows.iter().map(|row| row.2).sum();
    let hits: f64 = rows.iter().map(|row| row.1 * row.2).sum();
    let mut beta = [0.0f64; 8];
    beta[0] = (hits / total).ln();
    for _ in 0..30 {
        let mut gradient = [0.0f64; 8];
        let mut hessian = [[0.0f64; 8]; 8];
        for (features, hit, weight) in rows {
            let mut x = [1.0; 8];
            x[1..].copy_from_slice(features);
            let odds: f64 = beta.iter().zip(&x).map(|(b, x)| b * x).sum();
            let chance = 1.0 / (1.0 + (-odds).exp());
            let spread = weight * chance * (1.0 - chance);
            for i in 0..8 {
                gradient[i] += weight * (hit - chance) * x[i];
                for j in 0..8 {
                    hessian[i][j] += spread * x[i] * x[j];
                }
            }
        }
        for i in 1..8 {
            gradient[i] -= 5.0 * beta[i];
            hessian[i][i] += if mask[i - 1] { 5.0 } else { 1e9 };
        }
        let step = solve(hessian, gradient);
        for i in 0..8 {
            beta[i] += step[i].clamp(-2.0, 2.0);
        }
        if step.iter().all(|one| one.abs() < 1e-6) {
            break;
        }
    }
    let mut weights = [0.0; 7];
    weights.copy_from_slice(&beta[1..]);
    Card { base: beta[0], weights }
}

/// Gauss with pivots.
fn solve(mut a: [[f64; 8]; 8], mut b: [f64; 8]) -> [f64; 8] {
    for column in 0..8 {
        let pivot = (column..8).max_by(|i, j| a[*i][column].abs().total_cmp(&a[*j][column].abs())).unwrap_or(column);
        a.swap(column, pivot);
        b.swap(column, pivot);
        for row in 0..8 {
            if row != column && a[column][column] != 0.0 {
                let factor = a[row][column] / a[column][column];
                let pivot = a[column];
                a[row].iter_mut().zip(pivot).skip(column).for_each(|(one, other)| *one -= factor * other);
                b[row] -= factor * b[column];
            }
        }
    }
    let mut x = [0.0; 8];
    for i in 0..8 {
        x[i] = if a[i][i] == 0.0 { 0.0 } else { b[i] / a[i][i] };
    }
    x
}
