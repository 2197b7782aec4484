//! What can be known of new entries beforehand: how near they lie to what was listed, and whether their holder was.

use std::collections::BTreeSet;
use std::path::Path;

use hostkin::range::read::How;
use hostkin::range::{AddressRange, Asn, Format, Hazard, Knowledge};
use ipnet::IpNet;
use jiff::civil::Date;

use crate::Fault;
use crate::forecast::{REPORTED_ON, TUNED, drop_file, new_entries};
use crate::load::{Source, held};

/// Prints the bounds for both periods.
pub(crate) fn run(folder: &Path) -> Result<(), Fault> {
    let how = How { format: Some(Format::Ip2asn), ..How::default() };
    let table = Source::File(folder.join("bgp/ip2asn_v4_slice_2026-06-17.csv"));
    let table = Knowledge::new(vec![held(table, jiff::civil::date(2026, 6, 17), &how, 1)?]);
    for period in [TUNED, REPORTED_ON] {
        println!("\n== new entries between {} and {}", period.0, period.1);
        let new = new_entries(folder, period)?;
        let knowledge = Knowledge::new(vec![held(drop_file(folder, period.0), period.0, &How::default(), 1)?]);
        near(&knowledge, period.0, &new);
        holders(&table, &knowledge, &new);
    }
    Ok(())
}

/// The share of new entries with a listed network in the same block: what any rule can find at most that goes by nearness.
fn near(knowledge: &Knowledge, day: Date, new: &[(u32, u32)]) {
    let hazard = Hazard::new(knowledge, Some(day), &BTreeSet::new());
    let listed: Vec<u32> = (0..1u32 << 24).filter(|block| hazard.is_listed(*block)).collect();
    println!("a network listed at the start lies in the same   new entries            that space");
    for bits in [22u32, 20, 18, 16, 14, 12] {
        let step = 24 - bits;
        let with: BTreeSet<u32> = listed.iter().map(|block| block >> step).collect();
        let found =
            new.iter().filter(|(first, last)| (first >> step..=last >> step).any(|block| with.contains(&block)));
        let found = found.count();
        let space = (with.len() << step).saturating_sub(listed.len());
        println!(
            "  /{bits:<46} {found:>4} of {} ({:>4.1} %)  {:>6.1} million addresses",
            new.len(),
            100.0 * found as f64 / new.len() as f64,
            space as f64 * 256.0 / 1e6
        );
    }
}

/// Whether the AS that a later table gives a new entry to had a listed network at the start: hindsight, for the bound only.
fn holders(table: &Knowledge, lists: &Knowledge, new: &[(u32, u32)]) {
    let first = |block: u32| std::net::IpAddr::from(std::net::Ipv4Addr::from_bits(block << 8));
    let origin = |block: u32| -> Option<Asn> { table.origins_at(first(block), None)?.origins.first().copied() };
    let is_listed = |asn: &Asn| {
        let prefixes = table.prefixes_of(*asn, None);
        prefixes.iter().any(|found| !lists.listings_in(&AddressRange::of(found.prefix), None).is_empty())
    };
    let of: Vec<Asn> = new.iter().filter_map(|(block, _)| origin(*block)).collect();
    let all: BTreeSet<Asn> = of.iter().copied().collect();
    let known: BTreeSet<Asn> = all.into_iter().filter(is_listed).collect();
    let found = of.iter().filter(|asn| known.contains(asn)).count();
    let every: BTreeSet<Asn> =
        table.each_announced(None).flat_map(|one| one.origins.iter().copied()).filter(is_listed).collect();
    let mut addresses = 0f64;
    for one in every.iter().flat_map(|asn| table.prefixes_of(*asn, None)) {
        if let IpNet::V4(net) = one.prefix {
            addresses += 2f64.powi(32 - i32::from(net.prefix_len()));
        }
    }
    println!(
        "hindsight, by a prefix table of 2026-06-17 (a slice): {} of {} new entries are announced in it; of these {found} ({:.1} %) by\n\
         an AS that had a listed network at the start. ASes with one announce {:.1} million addresses in it: {:.1} hits per million",
        of.len(),
        new.len(),
        100.0 * found as f64 / of.len().max(1) as f64,
        addresses / 1e6,
        found as f64 / (addresses / 1e6)
    );
}
