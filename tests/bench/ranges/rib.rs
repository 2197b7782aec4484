//! A real table beside what an independent parser made of it: the first megabyte of `RouteViews`' RIB of 2014-05-23.

use std::collections::BTreeSet;
use std::fs::{File, read_to_string};
use std::path::Path;

use hostkin::range::Fact;
use hostkin::range::read::{How, read};

use crate::Fault;

/// Prints how many rows of origins and pairs of neighbours agree.
pub(crate) fn run(folder: &Path) -> Result<(), Fault> {
    let bgp = folder.join("bgp");
    let file = File::open(bgp.join("mrt/routeviews_rib_20140523_0600_first1MB.bz2"))?;
    let (mut origins, mut pairs) = (Vec::new(), Vec::new());
    let mut taker = |fact| {
        match fact {
            Fact::Origin(one) => {
                let numbers: Vec<String> = one.origins.iter().map(|asn| asn.0.to_string()).collect();
                let who = numbers.join(",");
                let who = if one.is_set { format!("{{{who}}}") } else { who };
                let who = if who.contains(',') { format!("\"{who}\"") } else { who };
                origins.push(format!("{},{who},{}", one.prefix, one.peers_seen.unwrap_or(0)));
            }
            Fact::Adjacency(one) => pairs.push(format!("{},{},{}", one.left.0, one.right.0, one.paths)),
            _ => {}
        }
        Ok(())
    };
    let reading = read(file, "rib_20140523.bz2", &How::default(), &mut taker)?;
    println!(
        "{} whole records; then: {}",
        reading.records,
        reading.flaw.map_or("no flaw".to_owned(), |flaw| flaw.to_string())
    );
    beside("origins", &origins, &read_to_string(bgp.join("rib_20140523_expected_origins.csv"))?);
    beside("neighbours", &pairs, &read_to_string(bgp.join("rib_20140523_as_edges.csv"))?);
    Ok(())
}

fn beside(what: &str, ours: &[String], expected: &str) {
    let expected: Vec<&str> = expected.lines().skip(1).collect();
    let (all, known): (BTreeSet<&str>, BTreeSet<&str>) =
        (ours.iter().map(String::as_str).collect(), expected.iter().copied().collect());
    let equal = ours.len() == expected.len() && all == known;
    println!("{what}: {} rows, expected {}: {}", ours.len(), expected.len(), if equal { "equal" } else { "NOT equal" });
    for row in all.difference(&known).take(5) {
        println!("  only ours: {row}");
    }
    for row in known.difference(&all).take(5) {
        println!("  only expected: {row}");
    }
}
