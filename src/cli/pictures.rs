//! The report's pictures of the seeds' surroundings, from the case's public files.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::exit::Stop;
use super::knowledge::knowledge;
use super::ranges::{looked, starts};
use crate::range::{FactKind, Siblings, neighbourhood, rank, surroundings};
use crate::report::{Cleaner, Picture, as_graph, range_map};
use crate::store::Case;

/// Pictures of each kind at the most.
const MOST: usize = 4;

/// A map for each /16 with a seed, and a graph for each AS that announces one; none without public files. Names are cleaned
/// before they are drawn, since they are cut there.
pub(super) fn pictures(case: &Case, cleaner: &Cleaner) -> Result<Vec<Picture>, Stop> {
    if case.datasets()?.is_empty() {
        return Ok(Vec::new());
    }
    let knowledge = knowledge(case, &FactKind::ALL)?;
    let starts = starts(case)?;
    let ranking = rank(&knowledge, &starts, &looked(case)?, None);
    let siblings = Siblings::new(&knowledge, None, true);
    let newest = knowledge.datasets().map(|file| file.date).max();
    let note = newest.map(|day| format!("By the case's files up to {day}.")).unwrap_or_default();
    let mut pictures = Vec::new();
    let mut mapped = BTreeSet::new();
    for start in starts.iter().filter(|start| start.is_seed) {
        let IpAddr::V4(seed) = start.address else { continue };
        if mapped.len() < MOST && mapped.insert(seed.to_bits() >> 16) {
            let map = neighbourhood(&knowledge, &ranking, seed, None);
            let svg = range_map(&map, &format!("map{}", mapped.len()));
            pictures.push(Picture { title: format!("The networks around {seed}"), svg, note: note.clone() });
        }
    }
    let mut drawn = BTreeSet::new();
    for start in starts.iter().filter(|start| start.is_seed) {
        let origins = knowledge.origins_at(start.address, None).map(|found| found.origins.to_vec()).unwrap_or_default();
        for asn in origins {
            if drawn.len() < MOST && drawn.insert(asn) {
                let mut around = surroundings(&knowledge, &siblings, asn, None);
                let centre = std::slice::from_mut(&mut around.centre);
                for node in centre.iter_mut().chain(&mut around.upstreams).chain(&mut around.siblings) {
                    node.name = cleaner.redact(&node.name).0;
                    node.tie = cleaner.redact(&node.tie).0;
                }
                let svg = as_graph(&around, &format!("graph{}", drawn.len()));
                pictures.push(Picture {
                    title: format!("{asn}, which announces {}", start.address),
                    svg,
                    note: note.clone(),
                });
            }
        }
    }
    Ok(pictures)
}
