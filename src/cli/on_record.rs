//! What the case knows of one host, for the checks of `why` and the report.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::exit::Stop;
use crate::clock::Timestamp;
use crate::facet::{FacetKind, HostFacts};
use crate::link::Known;
use crate::store::{Case, ObservationFilter, StoreError};

/// What the case knows of a host beside its place among the others.
pub(super) struct OnRecord {
    facts: Option<HostFacts>,
    proven: Option<BTreeSet<FacetKind>>,
    as_of: Option<Timestamp>,
}

impl OnRecord {
    pub(super) fn of(case: &Case, address: IpAddr) -> Result<Self, Stop> {
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
        Ok(Self { facts: case.host(address)?, proven, as_of })
    }

    pub(super) fn beside(&self) -> Known<'_> {
        Known { facts: self.facts.as_ref(), proven: self.proven.as_ref(), nearby: None, as_of: self.as_of }
    }
}
