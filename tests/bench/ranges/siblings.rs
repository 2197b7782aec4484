//! Sibling ASes against the domain groups of ASN-DROP: with that list left out altogether, and with its short AS names but
//! without its domains.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hostkin::range::read::How;
use hostkin::range::{Asn, Format, Knowledge, Siblings};
use jiff::civil::date;

use crate::Fault;
use crate::load::{Source, held};

/// Prints precision and recall.
pub(crate) fn run(folder: &Path) -> Result<(), Fault> {
    let list = std::fs::read_to_string(folder.join("denylists/spamhaus_asndrop_2026-10-09.jsonl"))?;
    let mut domains: BTreeMap<Asn, String> = BTreeMap::new();
    for line in list.lines() {
        let entry: serde_json::Value = serde_json::from_str(line)?;
        if let (Some(asn), Some(domain)) = (entry["asn"].as_u64(), entry["domain"].as_str()) {
            domains.insert(Asn(u32::try_from(asn)?), domain.to_owned());
        }
    }
    let table = |name: &str, id| {
        let how = How { format: Some(Format::Ip2asn), ..How::default() };
        held(Source::File(folder.join("bgp").join(name)), date(2026, 6, 17), &how, id)
    };
    for with_list in [false, true] {
        println!(
            "\n== {}",
            if with_list { "prefix table, and ASN-DROP without its domains" } else { "prefix table alone" }
        );
        let mut all = vec![table("ip2asn_v4_slice_2026-06-17.csv", 1)?, table("ip2asn_v6_slice_2026-06-17.csv", 2)?];
        if with_list {
            let list = Source::File(folder.join("denylists/spamhaus_asndrop_2026-10-09.jsonl"));
            all.push(held(list, date(2026, 10, 9), &How { format: Some(Format::AsnDrop), ..How::default() }, 3)?);
        }
        judge(&Knowledge::new(all), &domains);
    }
    Ok(())
}

/// Compares what is found with the groups.
fn judge(knowledge: &Knowledge, domains: &BTreeMap<Asn, String>) {
    let siblings = Siblings::new(knowledge, None, false);
    let known = |asn: &Asn| !siblings.name(*asn).is_empty();
    let (mut right, mut wrong) = (BTreeSet::new(), BTreeSet::new());
    for (asn, domain) in domains {
        for sibling in siblings.of(*asn) {
            let pair = (sibling.asn.min(*asn), sibling.asn.max(*asn));
            match domains.get(&sibling.asn) {
                Some(other) if other == domain => right.insert(pair),
                Some(_) => {
                    println!(
                        "wrong: {} {} and {} {}: {:?}",
                        asn,
                        siblings.name(*asn),
                        sibling.asn,
                        sibling.name,
                        sibling.ties
                    );
                    wrong.insert(pair)
                }
                None => continue,
            };
        }
    }
    let mut groups: BTreeMap<&str, Vec<Asn>> = BTreeMap::new();
    for (asn, domain) in domains {
        groups.entry(domain).or_default().push(*asn);
    }
    groups.retain(|_, asns| asns.len() > 1);
    let mut lines: Vec<(&str, usize, usize, usize, usize)> = Vec::new();
    for (domain, asns) in &groups {
        let all = asns.len() * (asns.len() - 1) / 2;
        let here: Vec<&Asn> = asns.iter().filter(|asn| known(asn)).collect();
        let knowable = here.len() * here.len().saturating_sub(1) / 2;
        // What the files can tell: the pairs whose names have anything in common.
        let alike = |a: &Asn, b: &Asn| share_a_word(siblings.name(*a), siblings.name(*b));
        let tellable = here.iter().enumerate().flat_map(|(at, a)| here.iter().skip(at + 1).map(move |b| (*a, *b)));
        let tellable = tellable.filter(|(a, b)| alike(a, b)).count();
        let found = right.iter().filter(|(a, b)| asns.contains(a) && asns.contains(b)).count();
        lines.push((domain, all, knowable, tellable, found));
    }
    println!("domain                         pairs  both ASes named  names share a word  found");
    for (domain, all, knowable, tellable, found) in &lines {
        println!("{domain:<30} {all:>5} {knowable:>25} {tellable:>19} {found:>6}");
    }
    let sum = |of: fn(&(&str, usize, usize, usize, usize)) -> usize| lines.iter().map(of).sum::<usize>();
    let found = right.len();
    println!(
        "precision: {found} of {} pairs: {:.1} %",
        found + wrong.len(),
        100.0 * found as f64 / (found + wrong.len()).max(1) as f64
    );
    for (what, all) in [
        ("all pairs of the groups", sum(|line| line.1)),
        ("pairs with both ASes named in the files", sum(|line| line.2)),
        ("of these, pairs whose names share a word", sum(|line| line.3)),
    ] {
        println!("recall of {what}: {found} of {all}: {:.1} %", 100.0 * found as f64 / all as f64);
    }
    let whole = |line: &&(&str, usize, usize, usize, usize)| line.3 > 0;
    let (of, got) = (
        lines.iter().filter(whole).count(),
        lines.iter().filter(whole).filter(|line| line.4 * 10 >= line.3 * 8).count(),
    );
    println!("groups whose names can tell: {of}; found at least to 80 %: {got}");
    let part = |of: usize, all: usize| 100.0 * of as f64 / all.max(1) as f64;
    let (all, here, alike) = (sum(|line| line.1), sum(|line| line.2), sum(|line| line.3));
    println!(
        "of {} pairs missed: {} have an AS that the files do not name ({:.0} %), {} have names without a common word ({:.0} %), {} could be told",
        all - found,
        all - here,
        part(all - here, all - found),
        here - alike,
        part(here - alike, all - found),
        alike.saturating_sub(found)
    );
}

/// Whether two names have a word of three letters or more in common that is no legal form.
fn share_a_word(a: &str, b: &str) -> bool {
    let words = |name: &str| -> BTreeSet<String> {
        let plain = name.to_lowercase();
        let words = plain.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() >= 3);
        words
            .filter(|word| !["ltd", "limited", "llc", "inc", "gmbh", "srl"].contains(word))
            .map(str::to_owned)
            .collect()
    };
    words(a).intersection(&words(b)).next().is_some()
}
