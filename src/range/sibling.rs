//! Sibling ASes: other AS numbers that the files tie to one holder.
//!
//! Each tie has a reason in words. Ties by one organisation handle, one opaque id, one domain group of ASN-DROP or one
//! whole company name are taken as siblings; a core of a name shared by few, or a shared maintainer that few use, too. What
//! many share (a registry member that sponsors hundreds, a common word) ties nobody.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::fact::{Asn, Listed, ObjectClass, ObjectKey, RegistryObject};
use super::knowledge::Knowledge;
use super::name::{core_name, netname_stem, plain_name};
use super::objects::By;

/// A maintainer or core of a name that more ASes share is taken for common property.
const MOST_SHARING: usize = 60;
/// A whole name, handle or opaque id that more ASes share is a registry's own entry, not a holder.
const MOST_OF_ONE: usize = 400;
/// A maintainer or abuse contact of things of more organisations is a service's account.
pub(super) const MOST_HOLDERS: usize = 5;
/// A shorter handle may be anybody's.
const SHORTEST_HANDLE: usize = 5;

/// What ties two ASes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tie {
    /// The same organisation handle.
    Organisation,
    /// The registry's opaque id of the holder.
    OpaqueId,
    /// The domain by which ASN-DROP groups ASes of one operator.
    Domain,
    /// The web page that both name as theirs.
    Website,
    /// The holder's whole name.
    Name,
    /// The distinctive part of the holder's name.
    NameCore,
    /// The AS's own short name, as its operator chose it.
    Handle,
    /// A maintainer that few use.
    Maintainer,
    /// The abuse contact.
    AbuseContact,
}

impl Tie {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Organisation => "the same organisation entry in the registry",
            Self::OpaqueId => "the same holder id at the registry",
            Self::Domain => "the same operator by Spamhaus ASN-DROP (one domain for both)",
            Self::Website => "the same web page by their own entries",
            Self::Name => "the same company name",
            Self::NameCore => "company names with the same distinctive part",
            Self::Handle => "the same short name of the AS",
            Self::Maintainer => "the same maintainer account in the registry",
            Self::AbuseContact => "the same abuse contact",
        }
    }
}

/// Another AS that the files tie to the one asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sibling {
    /// Which.
    pub asn: Asn,
    /// Its name, as the files have it; strangers' text.
    pub name: String,
    /// What ties it, with the shared value; strangers' text.
    pub ties: Vec<(Tie, String)>,
}

/// Everything by which ASes are tied on one day, made once and asked for many.
#[derive(Debug)]
pub struct Siblings<'a> {
    knowledge: &'a Knowledge,
    date: Option<Date>,
    by_value: BTreeMap<(Tie, String), BTreeSet<Asn>>,
    by_asn: BTreeMap<Asn, Vec<(Tie, String)>>,
    names: BTreeMap<Asn, String>,
}

impl<'a> Siblings<'a> {
    /// Gathers the ties of all ASes on `date`. Without `domains` the groups of ASN-DROP are left out, for testing how much
    /// the other files know.
    #[must_use]
    pub fn new(knowledge: &'a Knowledge, date: Option<Date>, domains: bool) -> Self {
        let mut all =
            Self { knowledge, date, by_value: BTreeMap::new(), by_asn: BTreeMap::new(), names: BTreeMap::new() };
        for info in knowledge.each_as(date) {
            if !info.name.is_empty() {
                // A company's name tells more than a short name; of like ones the newest.
                let known = all.names.entry(info.asn).or_insert_with(|| info.name.clone());
                if !known.contains(' ') && info.name.contains(' ') {
                    known.clone_from(&info.name);
                }
                all.named(info.asn, &info.name);
            }
            if let Some(org) = &info.org {
                all.add(info.asn, Tie::Organisation, org.to_ascii_uppercase());
                if let Some(found) = knowledge.organisation(org, date) {
                    all.named(info.asn, &found.name);
                }
            }
            if let Some(id) = &info.opaque_id {
                all.add(info.asn, Tie::OpaqueId, id.clone());
            }
            if let Some(domain) = info.domain.as_ref().filter(|_| domains) {
                // ASN-DROP groups by it; in PeeringDB it is what the AS says of itself.
                let tie = if info.source == "peeringdb" { Tie::Website } else { Tie::Domain };
                all.add(info.asn, tie, domain.trim_end_matches('/').to_ascii_lowercase());
            }
        }
        for (_, listing) in knowledge.each_listing(date) {
            if let (Listed::Number(asn), Some(domain), true) = (&listing.listed, &listing.domain, domains) {
                all.add(*asn, Tie::Domain, domain.to_ascii_lowercase());
            }
        }
        all
    }

    fn named(&mut self, asn: Asn, name: &str) {
        if !name.trim().contains(' ') {
            // A handle is chosen freely (`GOOGLE-PEER` is not Google's): it is compared with other handles, and only as a
            // whole with a company's name (`Contrust-Solutions` and "Contrust Solutions S.R.L.").
            let stem = netname_stem(name);
            let stem = stem.trim_end_matches("-ASN").trim_end_matches("-AS-AP").trim_end_matches("-AS");
            if stem.chars().count() >= SHORTEST_HANDLE {
                self.add(asn, Tie::Handle, stem.to_owned());
                let spelled = plain_name(&stem.replace(['-', '_'], " "));
                if spelled.chars().count() >= SHORTEST_HANDLE && !core_name(&spelled).is_empty() {
                    self.add(asn, Tie::Name, spelled);
                }
            }
            return;
        }
        let plain = plain_name(name);
        if plain.chars().count() >= 5 {
            self.add(asn, Tie::Name, plain);
        }
        // "Brand Company Ltd" beside "Company Ltd": the first word may be a brand or a handle.
        if let Some((_, rest)) = name.trim().split_once(' ')
            && !core_name(rest).is_empty()
            && core_name(rest) != plain_name(rest)
        {
            self.add(asn, Tie::Name, plain_name(rest));
        }
        let core = core_name(name);
        if !core.is_empty() {
            self.add(asn, Tie::NameCore, core);
        }
    }

    fn add(&mut self, asn: Asn, tie: Tie, value: String) {
        if value.is_empty() || !asn.is_public() {
            return;
        }
        let key = (tie, value);
        if self.by_value.entry(key.clone()).or_default().insert(asn) {
            self.by_asn.entry(asn).or_default().push(key);
        }
    }

    /// How an AS is called; empty where no file says.
    #[must_use]
    pub fn name(&self, asn: Asn) -> &str {
        self.names.get(&asn).map_or("", String::as_str)
    }

    /// The siblings of an AS, ascending.
    #[must_use]
    pub fn of(&self, asn: Asn) -> Vec<Sibling> {
        let mut found: BTreeMap<Asn, Vec<(Tie, String)>> = BTreeMap::new();
        for key in self.by_asn.get(&asn).into_iter().flatten() {
            let Some(sharing) = self.by_value.get(key) else { continue };
            let most = match key.0 {
                Tie::NameCore | Tie::Handle | Tie::Maintainer | Tie::AbuseContact | Tie::Website => MOST_SHARING,
                _ => MOST_OF_ONE,
            };
            if sharing.len() > most {
                continue;
            }
            for other in sharing.iter().filter(|other| **other != asn) {
                found.entry(*other).or_default().push(key.clone());
            }
        }
        self.by_registry(asn, &mut found);
        let sibling = |(asn, mut ties): (Asn, Vec<(Tie, String)>)| {
            ties.sort();
            ties.dedup();
            // The whole name says all that its part does.
            if ties.iter().any(|(tie, _)| *tie == Tie::Name) {
                ties.retain(|(tie, _)| *tie != Tie::NameCore);
            }
            Sibling { asn, name: self.name(asn).to_owned(), ties }
        };
        found.into_iter().map(sibling).collect()
    }

    /// What ties an AS by its own entry in a registry's database. Asked only when needed: it looks through all objects.
    fn by_registry(&self, asn: Asn, found: &mut BTreeMap<Asn, Vec<(Tie, String)>>) {
        let Some(own) = self.knowledge.object(ObjectClass::AutNum, &asn.to_string(), self.date) else { return };
        let org = own.org.as_deref().map(|org| (Tie::Organisation, By::Org(org), org, MOST_OF_ONE));
        let contact = own.abuse_contact.as_deref();
        let contact = contact.map(|one| (Tie::AbuseContact, By::AbuseContact(one), one, MOST_SHARING));
        let maintainers = own.maintainers.iter().filter(|one| !is_registry_account(one));
        let maintainers = maintainers.map(|one| (Tie::Maintainer, By::Maintainer(one), one.as_str(), MOST_SHARING));
        for (tie, by, value, most) in org.into_iter().chain(contact).chain(maintainers) {
            let objects = self.knowledge.registry_by(by, self.date);
            // One member that vouches for both and keeps its account on both makes no sisters of two organisations.
            let vouched = |other: &RegistryObject| {
                tie != Tie::Organisation
                    && own.sponsor.is_some()
                    && own.sponsor == other.sponsor
                    && own.org.is_some()
                    && other.org.is_some()
                    && own.org != other.org
            };
            let (mut sharing, mut holders): (BTreeSet<Asn>, BTreeSet<&str>) = (BTreeSet::new(), BTreeSet::new());
            for object in &objects {
                let ObjectKey::Number(other) = object.key else { continue };
                holders.extend(object.org.as_deref());
                if other != asn && !vouched(object) {
                    sharing.insert(other);
                }
            }
            if sharing.len() <= most && (tie == Tie::Organisation || holders.len() <= MOST_HOLDERS) {
                for other in sharing {
                    found.entry(other).or_default().push((tie, value.to_owned()));
                }
            }
        }
    }
}

/// Whether a maintainer is a registry's own, found on everything it gives out.
pub(super) fn is_registry_account(maintainer: &str) -> bool {
    const REGISTRIES: &[&str] = &[
        "RIPE-NCC",
        "APNIC-HM",
        "AFRINIC-HM",
        "MAINT-APNIC",
        "ARIN-HM",
        "LACNIC-HM",
        "IANA",
        "MAINT-JPNIC",
        "MNT-KRNIC",
        "MAINT-CNNIC",
        "MAINT-TW-TWNIC",
        "MAINT-VN-VNNIC",
        "IRINN",
        "MAINT-IN-IRINN",
        "MNT-APJII",
        "IDNIC",
    ];
    REGISTRIES.iter().any(|one| maintainer.to_ascii_uppercase().starts_with(one))
}
