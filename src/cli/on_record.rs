//! What the case knows of one host, for the checks of `why` and the report.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::civil::Date;

use super::exit::Stop;
use super::knowledge::knowledge;
use super::ranges::day;
use crate::clock::Timestamp;
use crate::facet::{FacetKind, HostFacts};
use crate::finding::Subject;
use crate::link::{Holder, Known};
use crate::range::{Asn, FactKind, Knowledge, Sameness, same_as_holder, same_space_holder};
use crate::store::{Case, ObservationFilter, StoreError};

/// Who held the networks of the seeds, then and now, by the files of the case. Made once and asked for each host.
pub(super) struct Holders {
    knowledge: Knowledge,
    /// The seeds' ASes and days.
    seeds: Vec<(Option<u32>, Option<Date>)>,
}

impl Holders {
    pub(super) fn of(case: &Case) -> Result<Self, Stop> {
        let kinds = [FactKind::Ases, FactKind::Organisations, FactKind::Delegations, FactKind::Objects];
        let mut seeds = Vec::new();
        for seed in case.seeds()? {
            if let Subject::Host(address) = seed.subject {
                seeds.push((case.host(address)?.and_then(|host| host.asn), seed.date.map(day)));
            }
        }
        Ok(Self { knowledge: knowledge(case, &kinds)?, seeds })
    }

    /// Whether a host's network has the holder of the day of the seeds that lie in its AS.
    fn since(&self, host: &HostFacts) -> Holder {
        let Some(asn) = host.asn else { return Holder::Unknown("no file says which AS announces the host".to_owned()) };
        let days: Vec<Date> =
            self.seeds.iter().filter(|(of, _)| *of == Some(asn)).filter_map(|(_, day)| *day).collect();
        let Some(then) = days.into_iter().min() else {
            return Holder::Unknown(format!(
                "no seed in AS{asn} has a date, so that holders of two days cannot be compared (`hostkin seed --date`)"
            ));
        };
        let space = same_space_holder(&self.knowledge, host.address, then, None);
        match (same_as_holder(&self.knowledge, Asn(asn), then, None), space) {
            (Sameness::Changed(words), _) | (_, Sameness::Changed(words)) => Holder::Changed(words),
            (Sameness::Same, _) => Holder::Same(format!("the files name the same holder of AS{asn} on {then} and now")),
            (Sameness::Unknown, _) => Holder::Unknown(format!(
                "the case's files do not name the holder of AS{asn} both on {then} and later; import a registry's tables of both days"
            )),
        }
    }
}

/// What the case knows of a host beside its place among the others.
pub(super) struct OnRecord {
    facts: Option<HostFacts>,
    proven: Option<BTreeSet<FacetKind>>,
    as_of: Option<Timestamp>,
    holder: Option<Holder>,
}

impl OnRecord {
    pub(super) fn of(case: &Case, holders: &Holders, address: IpAddr) -> Result<Self, Stop> {
        let mut proven: Option<BTreeSet<FacetKind>> = None;
        let filter = ObservationFilter { network: Some(address.into()), ..ObservationFilter::default() };
        case.observations::<StoreError>(&filter, |one| {
            // Imports do not say who proved what.
            if one.capture_sha256.is_some() {
                let kinds = proven.get_or_insert_default();
                let shown = one.facets.iter().filter(|facet| facet.to_json().get("proven") == Some(&true.into()));
                kinds.extend(shown.map(|facet| facet.kind));
            }
            Ok(())
        })?;
        let as_of = case.runs()?.iter().filter_map(|run| run.ended_at.or(Some(run.started_at))).max();
        let facts = case.host(address)?;
        let holder = facts.as_ref().map(|facts| holders.since(facts));
        Ok(Self { facts, proven, as_of, holder })
    }

    pub(super) fn beside(&self) -> Known<'_> {
        Known {
            facts: self.facts.as_ref(),
            proven: self.proven.as_ref(),
            nearby: None,
            as_of: self.as_of,
            holder: self.holder.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::range::fact::AsInfo;
    use crate::range::{Dataset, Fact, Format, HeldBuilder};

    fn names(id: i64, day: Date, name: &str) -> crate::range::Held {
        let mut builder = HeldBuilder::default();
        builder.add(Fact::AsInfo(AsInfo {
            asn: Asn(64_500),
            name: name.to_owned(),
            org: None,
            opaque_id: None,
            domain: None,
            country: None,
            changed: None,
            source: "table".to_owned(),
        }));
        builder.finish(Dataset {
            id,
            format: Format::AsNames,
            name: "names".to_owned(),
            source: String::new(),
            date: day,
            sha256: [0; 32],
            bytes: 0,
            licence: String::new(),
            counts: [(FactKind::Ases, 1)].into(),
            whole: true,
            warnings: Vec::new(),
        })
    }

    #[test]
    fn a_network_that_went_to_another_company_after_the_seeds_day_is_told() {
        let mut host = HostFacts::new("192.0.2.7".parse().unwrap());
        host.asn = Some(64_500);
        let holder = |second: &str, day: Option<Date>| {
            let knowledge = Knowledge::new(vec![
                names(1, date(2025, 1, 1), "First Example Ltd"),
                names(2, date(2026, 1, 1), second),
            ]);
            Holders { knowledge, seeds: vec![(Some(64_500), day), (Some(64_501), Some(date(2020, 1, 1)))] }.since(&host)
        };
        let then = Some(date(2025, 6, 1));
        assert!(matches!(holder("FIRST EXAMPLE LIMITED", then), Holder::Same(_)));
        assert!(matches!(holder("Quite Another Srl", then), Holder::Changed(words) if words.contains("Quite Another")));
        assert!(matches!(holder("Quite Another Srl", None), Holder::Unknown(words) if words.contains("--date")));
        assert!(matches!(holder("Quite Another Srl", Some(date(2024, 1, 1))), Holder::Unknown(_)));
    }
}
