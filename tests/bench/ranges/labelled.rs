//! The combined score of AS behaviour tried on labelled hosters, and what ties are worth by lists.

use std::collections::BTreeSet;
use std::path::Path;

use hostkin::range::behaviour::FEATURES;
use hostkin::range::fact::Listed;
use hostkin::range::read::How;
use hostkin::range::{AddressRange, Asn, Behaviour, Format, Knowledge, Siblings};
use ipnet::IpNet;
use jiff::civil::date;

use crate::Fault;
use crate::load::{Source, held};

/// Prints how well the score tells labelled hosters from the rest of the table.
pub(crate) fn score(folder: &Path) -> Result<(), Fault> {
    let own = own_ases(folder)?;
    let knowledge = tables(folder)?;
    let behaviour = Behaviour::new(&knowledge, None);
    let every: BTreeSet<Asn> = knowledge.each_announced(None).flat_map(|one| one.origins.iter().copied()).collect();
    let scores: Vec<(Asn, f64)> = every.iter().filter_map(|asn| Some((*asn, behaviour.score(*asn)?.score))).collect();
    let is_own = |asn: &Asn| own.contains(asn);
    let of = |wanted: bool| scores.iter().filter(move |(asn, _)| is_own(asn) == wanted).map(|(_, score)| *score);
    let (ours, others): (Vec<f64>, Vec<f64>) = (of(true).collect(), of(false).collect());
    println!(
        "{} labelled hosters, {} of them with a score; {} other ASes with one",
        own.len(),
        ours.len(),
        others.len()
    );
    println!("base rate {:.1} %", 100.0 * ours.len() as f64 / scores.len() as f64);
    println!("area under the curve, combined score: {:.2}", area(&ours, &others));
    println!("hosters at or above   other ASes at or above   share that are hosters");
    for wanted in [0.25, 0.5, 0.75] {
        let mut sorted = ours.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let Some(least) = sorted.get(((wanted * sorted.len() as f64).ceil() as usize).saturating_sub(1)) else {
            continue;
        };
        let (hit, not) =
            (ours.iter().filter(|one| *one >= least).count(), others.iter().filter(|one| *one >= least).count());
        println!("{hit:>19} {not:>24} {:>22.1} %", 100.0 * hit as f64 / (hit + not) as f64);
    }
    println!("single features:");
    for (place, about) in FEATURES.iter().enumerate() {
        let value = |asn: &Asn| behaviour.values(*asn)?.get(place).copied().flatten()?.percentile;
        let of =
            |wanted: bool| -> Vec<f64> { every.iter().filter(|asn| is_own(asn) == wanted).filter_map(value).collect() };
        let (ours, others) = (of(true), of(false));
        if !ours.is_empty() {
            println!("  {:<16} {:.2}  ({} hosters)", about.name, area(&ours, &others), ours.len());
        }
    }
    Ok(())
}

/// For listed networks as seeds: which share of the space they are tied to is listed too.
pub(crate) fn ties(folder: &Path) -> Result<(), Fault> {
    let knowledge = tables(folder)?;
    let siblings = Siblings::new(&knowledge, None, false);
    let mut seeds: Vec<AddressRange> = Vec::new();
    for (_, listing) in knowledge.each_listing(None) {
        match &listing.listed {
            Listed::Addresses(range) if range.start().is_ipv4() && range.count() <= 1024 => seeds.push(*range),
            _ => {}
        }
    }
    let (mut announced, mut same, mut sister) = (Vec::new(), Vec::new(), Vec::new());
    for seed in &seeds {
        let Some(found) = knowledge.origins_at(seed.start(), None) else { continue };
        announced.extend(share(&knowledge, [found.prefix].into_iter(), seed));
        for asn in found.origins {
            let own = |asn: Asn| knowledge.prefixes_of(asn, None).into_iter().map(|one| one.prefix);
            same.extend(share(&knowledge, own(*asn).filter(|net| *net != found.prefix), seed));
            let theirs: Vec<IpNet> = siblings.of(*asn).into_iter().flat_map(|one| own(one.asn)).collect();
            sister.extend(share(&knowledge, theirs.into_iter(), seed));
        }
    }
    println!(
        "{} listed networks of up to 1,024 addresses as seeds; of the space tied to each, the share on the list (mean)",
        seeds.len()
    );
    for (what, shares) in [
        ("the rest of its announced network", &announced),
        ("other networks of its AS", &same),
        ("networks of sister ASes, by names", &sister),
    ] {
        let mean = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
        println!("  {what:<36} {:>5.1} %  ({} seeds)", 100.0 * mean, shares.len());
    }
    Ok(())
}

/// The listed share of networks without the seed; `None` where nothing is left. Small networks (up to 1,024 addresses) only.
fn share(knowledge: &Knowledge, networks: impl Iterator<Item = IpNet>, seed: &AddressRange) -> Option<f64> {
    let (mut all, mut listed) = (0u32, 0u32);
    for net in networks {
        let IpNet::V4(net) = net else { continue };
        if net.prefix_len() < 22 {
            continue;
        }
        for part in net.subnets(24.max(net.prefix_len())).into_iter().flatten() {
            let block = AddressRange::of(IpNet::V4(part));
            if !block.meets(seed) {
                all += 1;
                listed += u32::from(!knowledge.listings_in(&block, None).is_empty());
            }
        }
    }
    (all > 0).then(|| f64::from(listed) / f64::from(all))
}

fn tables(folder: &Path) -> Result<Knowledge, Fault> {
    let how = How { format: Some(Format::Ip2asn), ..How::default() };
    let table = |name: &str, id| held(Source::File(folder.join("bgp").join(name)), date(2026, 6, 17), &how, id);
    let list = Source::File(folder.join("denylists/spamhaus_drop_v4_2026-04-05.jsonl"));
    Ok(Knowledge::new(vec![
        table("ip2asn_v4_slice_2026-06-17.csv", 1)?,
        table("ip2asn_v6_slice_2026-06-17.csv", 2)?,
        held(list, date(2026, 4, 5), &How::default(), 3)?,
    ]))
}

/// ASes that the operator table calls the operator's own, a front or a successor, with confidence A or B; without those that
/// it says are no bulletproof hosters.
fn own_ases(folder: &Path) -> Result<BTreeSet<Asn>, Fault> {
    let text = std::fs::read_to_string(folder.join("labelled/bph_operators_asn.csv"))?;
    let mut own = BTreeSet::new();
    for line in text.lines().skip(1) {
        let columns: Vec<&str> = line.split(',').collect();
        let is_own = matches!(columns.get(2), Some(&"own" | &"front" | &"successor"));
        let is_sure = matches!(columns.get(5), Some(&"A" | &"B"));
        let is_other = line.contains("not BPH") || line.contains("not itself BPH");
        let excused = matches!(columns.first(), Some(&"hostzealot" | &"alexhost" | &"aurologic"));
        if is_own && is_sure && !is_other && !excused {
            own.insert(Asn(columns.get(1).copied().unwrap_or_default().parse()?));
        }
    }
    Ok(own)
}

/// The chance that a hoster scores higher than another AS, ties counting half.
fn area(ours: &[f64], others: &[f64]) -> f64 {
    let won = |one: &f64| -> f64 {
        others
            .iter()
            .map(|other| {
                if one > other {
                    1.0
                } else if one == other {
                    0.5
                } else {
                    0.0
                }
            })
            .sum()
    };
    ours.iter().map(won).sum::<f64>() / (ours.len() * others.len()).max(1) as f64
}
