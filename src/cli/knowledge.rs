//! The case's datasets, as `range` asks them.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;

use super::exit::Stop;
use crate::range::pack::unpack;
use crate::range::{Dataset, FactKind, Format, Held, HeldBuilder, Knowledge};
use crate::store::{Case, StoreError, StoredDataset};

/// The case's datasets, oldest import first. A file that was taken in again, with another date or name, counts once: as
/// it was told last.
pub(super) fn datasets(case: &Case) -> Result<Vec<Dataset>, Stop> {
    let all: Vec<Dataset> = case.datasets()?.into_iter().map(read).collect::<Result<_, _>>()?;
    let last = |one: &Dataset| !all.iter().any(|other| other.id > one.id && same_file(other, one));
    Ok(all.iter().filter(|one| last(one)).cloned().collect())
}

fn same_file(a: &Dataset, b: &Dataset) -> bool {
    a.sha256 == b.sha256 && a.format == b.format
}

/// All that the case knows of `kinds`.
pub(super) fn knowledge(case: &Case, kinds: &[FactKind]) -> Result<Knowledge, Stop> {
    let held = datasets(case)?.into_iter().map(|one| held(case, one, kinds)).collect::<Result<_, _>>()?;
    Ok(Knowledge::new(held))
}

/// Only who announces what, by the newest table of each family; `None` when the case has none.
pub(super) fn newest_origins(case: &Case) -> Result<Option<Knowledge>, Stop> {
    let mut with: Vec<Dataset> = datasets(case)?.into_iter().filter(|one| one.count(FactKind::Origins) > 0).collect();
    // Whole tables first, as they answer first; then the newest.
    with.sort_by_key(|one| std::cmp::Reverse((one.whole, one.date, one.id)));
    let (mut taken, mut found): (Vec<Held>, Vec<(bool, jiff::civil::Date)>) = (Vec::new(), Vec::new());
    for one in with {
        let at = (one.whole, one.date);
        let families = |held: &[Held], v4| held.iter().any(|held| held.announces(v4));
        if families(&taken, true) && families(&taken, false) && !found.contains(&at) {
            break;
        }
        taken.push(held(case, one, &[FactKind::Origins])?);
        found.push(at);
    }
    Ok((!taken.is_empty()).then(|| Knowledge::new(taken)))
}

/// The origin AS of an address and the prefix it is announced in, as hosts carry them. Of several origins the lowest.
pub(super) fn place(knowledge: &Knowledge, address: IpAddr) -> Option<(u32, String)> {
    let announced = knowledge.origins_at(address, None)?;
    Some((announced.origins.first()?.0, announced.prefix.to_string()))
}

/// The same as the scope's limits ask for it.
pub(super) fn for_scope(knowledge: Knowledge) -> crate::scope::Origins {
    Arc::new(move |address| Some(knowledge.origins_at(address, None)?.origins.first()?.0))
}

fn held(case: &Case, about: Dataset, kinds: &[FactKind]) -> Result<Held, Stop> {
    let mut builder = HeldBuilder::default();
    for kind in kinds.iter().filter(|kind| about.count(**kind) > 0) {
        case.dataset_parts::<anyhow::Error>(about.id, kind.as_str(), |body| {
            unpack(*kind, body, |fact| builder.add(fact))?;
            Ok(())
        })?;
    }
    Ok(builder.finish(about))
}

/// A stored row in `range`'s words.
fn read(row: StoredDataset) -> Result<Dataset, StoreError> {
    let damaged = |what: &str| StoreError::Damaged(format!("dataset {} has no readable {what}", row.id));
    let counts = row.counts.as_object().ok_or_else(|| damaged("counts"))?;
    let texts = row.warnings.as_array().ok_or_else(|| damaged("warnings"))?;
    Ok(Dataset {
        id: row.id,
        format: Format::read(&row.format).ok_or_else(|| damaged("form"))?,
        date: row.date.parse().map_err(|_| damaged("date"))?,
        counts: counts.iter().filter_map(|(word, n)| Some((FactKind::read(word)?, n.as_u64()?))).collect(),
        warnings: texts.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        name: row.name,
        source: row.source,
        sha256: row.sha256,
        bytes: row.bytes,
        licence: row.licence,
        whole: row.whole,
    })
}
