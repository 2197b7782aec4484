//! What of a case is shared: the chosen clusters with their hosts, services and certificates, cleaned, in one order.
//!
//! Every format of this module renders a [`Dossier`], so that what is taken out is taken out of all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::{Map, Value};

use super::clean::Cleaner;
use super::registry::Holder;
use super::{HostSight, Uuid, uuid};
use crate::clock::Timestamp;
use crate::facet::FacetKind;
use crate::finding::{Cluster, Evidence, Finding, Level};
use crate::observation::Outcome;
use crate::store::{StoredFacet, StoredObservation};

/// The chosen part of a case.
#[derive(Clone, Debug, Default)]
pub struct Dossier {
    /// The case itself.
    pub case: CaseLabel,
    /// Clusters in the case's order.
    pub clusters: Vec<SharedCluster>,
    /// What each host answered, in the order of port and protocol.
    pub services: BTreeMap<IpAddr, Vec<SharedService>>,
    /// True when the scanner's own addresses were named, so that they could be taken out.
    pub own_known: bool,
}

/// What identifies a case.
#[derive(Clone, Debug, Default)]
pub struct CaseLabel {
    /// The scope's title.
    pub title: String,
    /// Who permits the work; speaks as the one who observed.
    pub authority: String,
    /// The scope's contact, as in the file: `mailto:…`.
    pub contact: Option<String>,
    /// The scope's page.
    pub page: Option<String>,
    /// Digest of the scope's text.
    pub scope_sha256: String,
    /// Version of this program.
    pub version: String,
    /// When the case was opened.
    pub opened_at: Timestamp,
    /// The last change of the case that changes what is known: exports say this in place of the time of writing, so that
    /// the same case gives the same bytes.
    pub as_of: Timestamp,
    /// True when the scope is that of a lab, where loopback addresses stand for real ones.
    pub lab: bool,
}

/// A cluster, to be shared.
#[derive(Clone, Debug)]
pub struct SharedCluster {
    /// Its id, safe to look at.
    pub id: String,
    /// True when it grew from a seed.
    pub seeded: bool,
    /// 0 to 1.
    pub purity: f64,
    /// Its hosts, best first.
    pub hosts: Vec<SharedHost>,
}

/// How a host came to be in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Found by the linkage.
    Found,
    /// Confirmed as a seed or by an analyst's verdict.
    Confirmed,
    /// Rejected by an analyst's verdict.
    Rejected,
}

/// A host of a cluster.
#[derive(Clone, Debug)]
pub struct SharedHost {
    /// Its address.
    pub address: IpAddr,
    /// Calibrated probability that it belongs.
    pub score: f64,
    /// log10 of all counted evidence.
    pub log10_lr: f64,
    /// What the claim can be.
    pub level: Level,
    /// Seed, found or rejected.
    pub standing: Standing,
    /// In plain words, strongest first.
    pub reasons: Vec<String>,
    /// What speaks against.
    pub against: Vec<String>,
    /// Group by group.
    pub evidence: Vec<Evidence>,
    /// First sight.
    pub first_seen: Option<Timestamp>,
    /// Last sight.
    pub last_seen: Option<Timestamp>,
    /// Ports that answered.
    pub ports: Vec<u16>,
    /// Origin AS.
    pub asn: Option<u32>,
    /// Announced prefix.
    pub prefix: Option<String>,
    /// Who held the smallest registered network around it at that time.
    pub holder: Option<Holder>,
    /// True when a reason or a piece of evidence holds an e-mail address.
    pub personal: bool,
}

/// One service of a host: the last look at it that told something, and the span of all.
#[derive(Clone, Debug)]
pub struct SharedService {
    /// TCP port; 0 where an import names none.
    pub port: u16,
    /// What was spoken.
    pub protocol: String,
    /// True when that rode on TLS.
    pub over_tls: bool,
    /// The name asked for.
    pub name: Option<String>,
    /// First look.
    pub first: Timestamp,
    /// Last look.
    pub last: Timestamp,
    /// Looks.
    pub count: u64,
    /// SHA-256 of what each look heard, oldest run first.
    pub captures: Vec<String>,
    /// What the last look that told something showed.
    pub facets: Vec<SharedFacet>,
}

/// A facet, cleaned.
#[derive(Clone, Debug)]
pub struct SharedFacet {
    /// Which fact.
    pub kind: FacetKind,
    /// Its value, safe to look at.
    pub text: String,
    /// The exact bytes where the text is not exactly them, as stored.
    pub exact: Option<Vec<u8>>,
    /// True when it holds an e-mail address.
    pub personal: bool,
    /// Remarks: `proven`, `type`, `bits`, `source` …
    pub extra: Map<String, Value>,
}

impl Dossier {
    /// An empty one.
    #[must_use]
    pub fn new(case: CaseLabel, own_known: bool) -> Self {
        Self { case, own_known, ..Self::default() }
    }

    /// The namespace of the ids of this case: the same in every export of it.
    #[must_use]
    pub fn namespace(&self) -> Uuid {
        uuid::HOSTKIN.v5(&format!("case/{}/{}", self.case.opened_at.as_millisecond(), self.case.scope_sha256))
    }

    /// Takes in a cluster. `beside` gives what is known of a host beside its evidence.
    pub fn add_cluster(
        &mut self,
        cluster: &Cluster,
        cleaner: &Cleaner,
        mut beside: impl FnMut(&Finding) -> (HostSight, Standing, Option<Holder>),
    ) {
        let hosts = cluster.members.iter().map(|member| {
            let (sight, standing, holder) = beside(member);
            self.services.entry(member.address).or_default();
            let mut personal = false;
            let mut clean = |text: &str| {
                let safe = cleaner.safe(text.as_bytes());
                personal |= safe.personal;
                safe.text
            };
            let reasons = member.reasons.iter().map(|text| clean(text)).collect();
            let against = member.against.iter().map(|text| clean(text)).collect();
            let evidence = member.evidence.iter().map(|one| Evidence {
                value: one.value.as_deref().map(&mut clean),
                words: clean(&one.words),
                ..one.clone()
            });
            let evidence = evidence.collect();
            SharedHost {
                address: member.address,
                score: member.score,
                log10_lr: member.log10_lr,
                level: member.level,
                standing,
                reasons,
                against,
                evidence,
                first_seen: sight.first_seen,
                last_seen: sight.last_seen,
                ports: sight.ports,
                asn: sight.asn,
                prefix: sight.prefix,
                holder: holder.map(|holder| holder.cleaned(cleaner)),
                personal,
            }
        });
        let hosts = hosts.collect();
        self.clusters.push(SharedCluster {
            id: cleaner.text(&cluster.id),
            seeded: cluster.seeded,
            purity: cluster.purity,
            hosts,
        });
    }

    /// Takes in an observation, when it is of a host taken in before and told something. In the stable order of the store.
    pub fn add_observation(&mut self, one: &StoredObservation, cleaner: &Cleaner) {
        let told = !one.facets.is_empty() && one.outcome != Outcome::Pruned;
        let Some(services) = self.services.get_mut(&one.address).filter(|_| told) else { return };
        let name = one.name.as_deref().map(|name| cleaner.text(name));
        let same = |known: &SharedService| {
            (known.port, &known.protocol, known.over_tls, &known.name) == (one.port, &one.protocol, one.over_tls, &name)
        };
        let place = services.iter().position(same).unwrap_or(services.len());
        if place == services.len() {
            services.push(SharedService {
                port: one.port,
                protocol: one.protocol.clone(),
                over_tls: one.over_tls,
                name: name.clone(),
                first: one.started_at,
                last: one.started_at,
                count: 0,
                captures: Vec::new(),
                facets: Vec::new(),
            });
        }
        let Some(service) = services.get_mut(place) else { return };
        service.count += 1;
        service.captures.extend(one.capture_sha256.map(|digest| hex(&digest)));
        if one.started_at >= service.last {
            service.last = one.started_at;
            service.facets.clear();
        }
        service.first = service.first.min(one.started_at);
        if service.facets.is_empty() {
            service.facets.extend(one.facets.iter().map(|facet| SharedFacet::of(facet, cleaner)));
        }
    }

    /// Where exact bytes of strangers are inside.
    #[must_use]
    pub fn raw(&self) -> Vec<String> {
        self.places(|facet| facet.exact.is_some())
    }

    /// Where e-mail addresses are inside: in reasons and evidence, and with `services` in what services showed.
    #[must_use]
    pub fn personal(&self, services: bool) -> Vec<String> {
        let hosts = self.clusters.iter().flat_map(|cluster| &cluster.hosts).filter(|host| host.personal);
        let mut places: Vec<String> = hosts.map(|host| format!("the reasons for {}", host.address)).collect();
        if services {
            places.extend(self.places(|facet| facet.personal));
        }
        places
    }

    fn places(&self, is: impl Fn(&SharedFacet) -> bool) -> Vec<String> {
        let services =
            self.services.iter().flat_map(|(address, services)| services.iter().map(move |one| (address, one)));
        let facets =
            services.flat_map(|(address, service)| service.facets.iter().map(move |one| (address, service.port, one)));
        facets
            .filter(|(.., facet)| is(facet))
            .map(|(address, port, facet)| format!("{address} port {port} {}", facet.kind))
            .collect()
    }

    /// The services of a host.
    #[must_use]
    pub fn services(&self, address: IpAddr) -> &[SharedService] {
        self.services.get(&address).map_or(&[], Vec::as_slice)
    }

    /// Every address once, in order.
    #[must_use]
    pub fn addresses(&self) -> BTreeSet<IpAddr> {
        self.services.keys().copied().collect()
    }

    /// The contact's mail address, if it is one.
    #[must_use]
    pub fn contact_mail(&self) -> Option<&str> {
        let contact = self.case.contact.as_deref()?;
        let mail = contact.strip_prefix("mailto:").unwrap_or(contact);
        mail.contains('@').then_some(mail)
    }
}

impl SharedFacet {
    /// A stored facet, cleaned.
    #[must_use]
    pub fn of(facet: &StoredFacet, cleaner: &Cleaner) -> Self {
        let safe = cleaner.safe(&facet.value);
        let extra = facet.extra.as_deref().and_then(|extra| serde_json::from_str(extra).ok());
        let mut extra: Map<String, Value> = extra.unwrap_or_default();
        for remark in extra.values_mut() {
            if let Value::String(text) = remark {
                *text = cleaner.text(text);
            }
        }
        Self { kind: facet.kind, text: safe.text, exact: safe.exact, personal: safe.personal, extra }
    }

    /// A flag among the remarks.
    #[must_use]
    pub fn flag(&self, key: &str) -> bool {
        self.extra.get(key).and_then(Value::as_bool).unwrap_or(false)
    }
}

impl SharedService {
    /// A service seen once at the beginning of time, for tests.
    #[cfg(test)]
    pub(super) fn of_facets(port: u16, protocol: &str, facets: Vec<SharedFacet>) -> Self {
        let (protocol, first) = (protocol.to_owned(), Timestamp::UNIX_EPOCH);
        Self { port, protocol, over_tls: false, name: None, first, last: first, count: 1, captures: Vec::new(), facets }
    }

    /// The values of one kind.
    pub fn all(&self, kind: FacetKind) -> impl Iterator<Item = &SharedFacet> {
        self.facets.iter().filter(move |facet| facet.kind == kind)
    }

    /// The first value of one kind.
    #[must_use]
    pub fn text(&self, kind: FacetKind) -> Option<&str> {
        self.all(kind).next().map(|facet| facet.text.as_str())
    }

    /// The certificates shown: the facets of each leaf. A leaf's facets follow its digest.
    #[must_use]
    pub fn certificates(&self) -> Vec<&[SharedFacet]> {
        let leaf = |facet: &SharedFacet| facet.kind == FacetKind::CertSha256;
        let starts: Vec<usize> =
            self.facets.iter().enumerate().filter(|(_, facet)| leaf(facet)).map(|(at, _)| at).collect();
        let ends = starts.iter().skip(1).copied().chain([self.facets.len()]);
        starts.iter().zip(ends).filter_map(|(from, to)| self.facets.get(*from..to)).collect()
    }
}

impl SharedHost {
    /// The probability in whole per cent, never a certainty.
    #[must_use]
    pub fn percent(&self) -> u8 {
        // Between 0 and 99 after the clamp.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=99")]
        let whole = (self.score * 100.0).floor().clamp(0.0, 99.0) as u8;
        whole
    }
}

/// Bytes in hex.
#[must_use]
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
