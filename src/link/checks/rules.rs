//! The rule behind each named danger.

use std::collections::BTreeSet;

use super::{CheckVerdict, Holder, Known, Nearby};
use crate::facet::{FacetKind, Group};
use crate::finding::Evidence;

/// Evidence counts from here on: log10 of 2, where the verbal scale begins.
const COUNTS: f64 = 0.301;
/// Below this likeness the holders of a value are strangers to each other.
const STRANGERS: f64 = 0.7;
/// Hosts of the own network needed to speak of a control sample.
const CONTROL: u64 = 10;
/// Registered names on one certificate from which on it is shared hosting.
const MANY_NAMES: usize = 10;
/// Open ports from which on a box is bait rather than a server.
const MANY_PORTS: usize = 50;
/// A sight older than this many days, against the newest of the case, is stale.
const STALE_DAYS: i64 = 90;
/// Hosts needed to say that a web stack is odd.
const ENOUGH: u64 = 100;

/// Names that fronts give themselves in `Server`, in lower case.
const FRONTS: [&str; 14] = [
    "cloudflare",
    "ddos-guard",
    "akamaighost",
    "cloudfront",
    "ecacc",
    "ecs (",
    "sucuri",
    "bunnycdn",
    "qrator",
    "imperva",
    "incapsula",
    "stormwall",
    "fastly",
    "gcore",
];
/// Words of pages that stand for nobody.
const PARKED: [&str; 8] = [
    "parked",
    "parking",
    "domain for sale",
    "buy this domain",
    "account suspended",
    "site suspended",
    "coming soon",
    "under construction",
];
/// Words of seized and sinkholed hosts.
const SINKHOLES: [&str; 3] = ["sinkhole", "has been seized", "domain seized"];
/// Authorities that sign for anybody, as patterns leave them.
const PUBLIC_ISSUERS: [&str; 11] = [
    "let's encrypt",
    "zerossl",
    "sectigo",
    "digicert",
    "globalsign",
    "google trust",
    "godaddy",
    "amazon",
    "buypass",
    "ssl.com",
    "cn=r<n>",
];

pub(super) type Said = (CheckVerdict, String);
pub(super) type Rule<'a> = fn(&Table<'a>) -> Said;

fn passed(words: impl Into<String>) -> Said {
    (CheckVerdict::Passed, words.into())
}

fn failed(words: impl Into<String>) -> Said {
    (CheckVerdict::Failed, words.into())
}

fn unknown(words: impl Into<String>) -> Said {
    (CheckVerdict::NotCheckable, words.into())
}

pub(super) struct Table<'a> {
    pub(super) evidence: &'a [Evidence],
    pub(super) known: Known<'a>,
}

impl Table<'_> {
    fn row(&self, group: Group) -> Option<&Evidence> {
        self.evidence.iter().find(|row| row.group == group.as_str())
    }

    /// The row of a group, if it speaks for the link.
    fn counting(&self, group: Group) -> Option<&Evidence> {
        self.row(group).filter(|row| row.agrees_at.is_some() && row.log10_counted >= COUNTS)
    }

    fn all_counting(&self) -> impl Iterator<Item = &Evidence> {
        Group::ALL.into_iter().filter_map(|group| self.counting(group))
    }

    fn observed(&self, groups: &[Group]) -> bool {
        groups.iter().any(|group| self.row(*group).is_some_and(|row| row.observed))
    }

    /// What is left of the evidence without some groups.
    fn without(&self, rows: &[&Evidence]) -> String {
        let left: f64 = self
            .evidence
            .iter()
            .filter(|row| !rows.iter().any(|other| other.group == row.group))
            .map(|row| row.log10_counted)
            .sum();
        let names: Vec<&str> = rows.iter().map(|row| row.group.as_str()).collect();
        format!("without {} the evidence counts 10^{left:.1}", names.join(" and "))
    }

    /// The values of a kind, as text in lower case.
    fn texts(&self, kind: FacetKind) -> Vec<String> {
        let facets = self.known.facts.map(|facts| facts.facets.as_slice()).unwrap_or_default();
        let of_kind = facets.iter().filter(|(of, _)| *of == kind);
        of_kind.map(|(_, value)| String::from_utf8_lossy(value).to_lowercase()).collect()
    }

    fn text_with(&self, kinds: &[FacetKind], words: &[&str]) -> Option<String> {
        let mut texts = kinds.iter().flat_map(|kind| self.texts(*kind));
        texts.find(|text| words.iter().any(|word| text.contains(word)))
    }

    pub(super) fn cdn_front(&self) -> Said {
        if !self.observed(&[Group::Web, Group::Cert]) {
            return unknown("neither a web server nor a certificate to compare");
        }
        let rows: Vec<&Evidence> = [Group::Web, Group::Cert].into_iter().filter_map(|one| self.counting(one)).collect();
        let strangers: Vec<&Evidence> = rows.iter().filter(|row| row.likeness < STRANGERS).copied().collect();
        let front = self.text_with(&[FacetKind::HttpServer], &FRONTS);
        match (&front, rows.is_empty(), strangers.is_empty()) {
            (Some(front), false, _) => {
                failed(format!("the web server calls itself \"{front}\", a front for many; {}", self.without(&rows)))
            }
            (_, _, false) => failed(format!(
                "hosts that show what is shared have little else in common, as behind a front; {}",
                self.without(&strangers)
            )),
            (Some(front), true, _) => passed(format!("\"{front}\" stands before it, and nothing of a front counts")),
            _ => passed("no front names itself, and the holders of what is shared are alike in other things too"),
        }
    }

    pub(super) fn shared_hosting(&self) -> Said {
        let names = self.texts(FacetKind::CertSan);
        if names.is_empty() {
            return unknown("no certificate names on record, and names that point here were not collected");
        }
        let registered: BTreeSet<String> = names.iter().map(|name| registered(name)).collect();
        match (registered.len(), self.counting(Group::Cert).or(self.counting(Group::Page))) {
            (many, Some(row)) if many >= MANY_NAMES => failed(format!(
                "its certificates name {many} different domains: a platform of many customers; {}",
                self.without(&[row])
            )),
            (many, _) => passed(format!("its certificates name {many} different domains")),
        }
    }

    pub(super) fn public_image(&self) -> Said {
        let groups = [Group::Key, Group::Rdp, Group::Cert, Group::Page];
        if !self.observed(&groups) {
            return unknown("none of the things an image brings along was observed");
        }
        let rows: Vec<&Evidence> = groups
            .into_iter()
            .filter_map(|one| self.counting(one))
            .filter(|row| row.likeness < STRANGERS || row.default_of.as_deref() == Some("vendor"))
            .collect();
        if rows.is_empty() {
            return passed(
                "no shared key, name, certificate or page is a known template or held by hosts unlike each other",
            );
        }
        failed(format!("a shared value is a template's, or its holders are unlike each other; {}", self.without(&rows)))
    }

    pub(super) fn hosters_image(&self) -> Said {
        match self.known.nearby {
            None => unknown("no shared value of the provider's side to look for in its own network"),
            Some(Nearby { hosts, .. }) if hosts < CONTROL => unknown(format!(
                "{hosts} other hosts of its own network are on record, {CONTROL} are needed; scan a control sample there with --full"
            )),
            Some(Nearby { hosts, showing }) if showing * 5 >= hosts => failed(format!(
                "{showing} of {hosts} other hosts of its own network show the strongest shared value: it may be the hoster's image"
            )),
            Some(Nearby { hosts, showing }) => {
                passed(format!("{showing} of {hosts} other hosts of its own network show the strongest shared value"))
            }
        }
    }

    fn default_of(&self, habit: &str, words: &str) -> Said {
        let rows: Vec<&Evidence> = self.all_counting().filter(|row| row.default_of.as_deref() == Some(habit)).collect();
        if self.all_counting().next().is_none() {
            return unknown("nothing agrees that counts");
        }
        if rows.is_empty() {
            return passed(format!("no value that counts is a known default of a {habit}"));
        }
        failed(format!("{words}, and counts for little already; {}", self.without(&rows)))
    }

    pub(super) fn vendor_default(&self) -> Said {
        self.default_of("vendor", "a shared value is a known default of a product")
    }

    pub(super) fn distribution_default(&self) -> Said {
        self.default_of("distribution", "a shared value is a known default of a distribution")
    }

    pub(super) fn ordinary_owner(&self) -> Said {
        let keys: Vec<&Evidence> = [Group::Key, Group::Cert].into_iter().filter_map(|one| self.counting(one)).collect();
        let others = self.all_counting().count() - keys.len();
        match (keys.is_empty(), others) {
            (true, _) => passed("the link does not rest on a shared key or certificate"),
            (false, 0) => failed(
                "only keys or certificates agree, which ordinary owners share too (mirrors, several addresses, wildcard \
                 certificates): the same owner, perhaps, and nothing more",
            ),
            (false, others) => passed(format!("{others} other groups agree beside the key or certificate")),
        }
    }

    pub(super) fn parked_page(&self) -> Said {
        if !self.observed(&[Group::Page]) || self.known.facts.is_none() {
            return unknown("no page on record");
        }
        match (self.text_with(&[FacetKind::HttpTitle], &PARKED), self.counting(Group::Page)) {
            (Some(title), Some(row)) => {
                failed(format!("the page stands for nobody (\"{title}\"); {}", self.without(&[row])))
            }
            (Some(title), None) => passed(format!("the page stands for nobody (\"{title}\"), and does not count")),
            (None, _) => passed("the page's title is none of a parked or suspended site"),
        }
    }

    pub(super) fn public_issuer(&self) -> Said {
        let Some(row) = self.row(Group::Cert).filter(|row| row.observed) else {
            return unknown("no certificate to compare");
        };
        let made_alike = row.agrees_at.as_deref().is_some_and(|at| at.contains("cert.issuer"));
        let value = row.value.as_deref().unwrap_or_default().to_lowercase();
        match self.counting(Group::Cert) {
            Some(row) if made_alike && PUBLIC_ISSUERS.iter().any(|name| value.contains(name)) => failed(format!(
                "the certificates agree only in how they were made, by an authority that signs for anybody; {}",
                self.without(&[row])
            )),
            _ => passed("no agreement rests on a public authority"),
        }
    }

    pub(super) fn odd_headers(&self) -> Said {
        let Some(row) = self.counting(Group::Web) else { return passed("no odd web stack counts") };
        match (row.others, row.background) {
            (_, few) if few < ENOUGH => {
                unknown(format!("only {few} other web servers are on record: too few to call a stack odd"))
            }
            (others, all) if others * 100 >= all => failed(format!(
                "{others} of {all} other hosts show this web stack: it only looks odd; {}",
                self.without(&[row])
            )),
            (others, all) => passed(format!("{others} of {all} other hosts show this web stack")),
        }
    }

    pub(super) fn honeypot(&self) -> Said {
        let Some(facts) = self.known.facts else { return unknown("its facets were not given") };
        if facts.all_ports && facts.open_ports.is_empty() || facts.open_ports.len() > MANY_PORTS {
            return failed("more ports are open than any server has: bait, or a box in the middle");
        }
        let windows =
            !self.texts(FacetKind::RdpBuild).is_empty() || self.text_with(&[FacetKind::HttpServer], &["iis"]).is_some();
        let linux = self.text_with(&[FacetKind::SshBanner], &["ubuntu", "debian", "raspbian"]).is_some();
        if windows && linux {
            return failed("it claims to be Windows and Linux at once: bait, or several machines behind one address");
        }
        if facts.facets.is_empty() && facts.open_ports.is_empty() {
            return unknown("nothing is known of its services");
        }
        passed("its services go together, and their number is a server's")
    }

    pub(super) fn forged(&self) -> Said {
        let holds = |row: &Evidence, kinds: &[FacetKind]| {
            kinds.iter().any(|kind| row.agrees_at.as_deref() == Some(kind.as_str()))
        };
        let secret = [FacetKind::SshHostKey, FacetKind::CertSha256, FacetKind::CertSpkiSha256];
        let rows: Vec<&Evidence> = self.all_counting().filter(|row| holds(row, &secret)).collect();
        let all = self.all_counting().count();
        match (rows.is_empty(), self.known.proven) {
            (false, Some(proven)) if secret.iter().any(|kind| proven.contains(kind)) => {
                passed("it proved that it holds a shared private key, which cannot be copied off the wire")
            }
            (false, Some(_)) => failed(format!(
                "a certificate or key is shared and its possession was not proven; {}",
                self.without(&rows)
            )),
            (false, None) => unknown("whether it holds the shared private key was not recorded (an import)"),
            (true, _) if all >= 3 => {
                passed(format!("no secret is shared, but {all} groups would all have to be imitated"))
            }
            (true, _) if all == 0 => unknown("nothing agrees that counts"),
            (true, _) => failed("all that agrees can be copied without any secret; look at it again at another time"),
        }
    }

    pub(super) fn sinkhole(&self) -> Said {
        let kinds = [FacetKind::HttpTitle, FacetKind::HttpServer, FacetKind::CertSubject, FacetKind::CertSan];
        if self.known.facts.is_none() || kinds.iter().all(|kind| self.texts(*kind).is_empty()) {
            return unknown("no page, header or certificate that would say so");
        }
        match self.text_with(&kinds, &SINKHOLES) {
            Some(text) => failed(format!("it says itself that it was seized or is a sinkhole: \"{text}\"")),
            None => passed("nothing it shows speaks of a seizure or sinkhole"),
        }
    }

    pub(super) fn stale_data(&self) -> Said {
        let seen = self.known.facts.and_then(|facts| facts.last_seen);
        let (Some(seen), Some(as_of)) = (seen, self.known.as_of) else {
            return unknown("when it was last seen is not recorded");
        };
        match as_of.duration_since(seen).as_hours() / 24 {
            days if days > STALE_DAYS => failed(format!(
                "last seen {days} days before the newest sight of the case: the address may have changed hands since"
            )),
            days => passed(format!("seen within {} days of the newest sight of the case", days.max(0) + 1)),
        }
    }

    pub(super) fn as_reissued(&self) -> Said {
        let Some(row) = self.counting(Group::Net) else { return passed("the link does not rest on the network") };
        let without = self.without(&[row]);
        match self.known.holder {
            Some(Holder::Same(words)) => passed(words.as_str()),
            Some(Holder::Changed(words)) => failed(format!("{words}; {without}")),
            Some(Holder::Unknown(words)) => unknown(format!("{words}; {without}")),
            None => unknown(format!(
                "who held this network before is not on record; compare holder then and now; {without}"
            )),
        }
    }

    pub(super) fn scanners_echo(&self) -> Said {
        let Some(facts) = self.known.facts else { return unknown("its facets were not given") };
        let kinds = [FacetKind::HttpTitle, FacetKind::HttpLocation, FacetKind::SmtpBanner, FacetKind::FtpBanner];
        let own = facts.address.to_string();
        let texts = kinds.iter().flat_map(|kind| self.texts(*kind)).collect::<Vec<_>>();
        match texts.iter().find(|text| addresses(text).any(|found| found != own)) {
            Some(text) => failed(format!(
                "it repeats an address that is not its own (\"{text}\"), perhaps the asker's: digests of its page change \
                 with who asks, and a shared file would tell that address"
            )),
            None => passed("it repeats no address of somebody else"),
        }
    }

    pub(super) fn cloaking(&self) -> Said {
        let Some(page) = self.row(Group::Page).filter(|row| row.observed) else { return unknown("no page on record") };
        let status = self.texts(FacetKind::HttpStatus);
        let Some(refused) = status.iter().find(|status| matches!(status.as_str(), "403" | "429" | "451" | "503"))
        else {
            return if status.is_empty() {
                unknown("the page's status is not on record")
            } else {
                passed("the page was served")
            };
        };
        if page.log10_counted.abs() < COUNTS {
            return passed(format!("the page was refused with status {refused}, and does not count either way"));
        }
        failed(format!(
            "the page was refused with status {refused}: what it shows others is not known; {}",
            self.without(&[page])
        ))
    }
}

/// Why an address is likely not one customer's alone, in words: what its web server calls itself, or how many different domains
/// its certificates name. Where it is blocked, others are hit.
#[must_use]
pub fn shared_address<'a>(
    servers: impl Iterator<Item = &'a str>,
    names: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let mut fronts = servers.filter(|server| FRONTS.iter().any(|front| server.to_lowercase().contains(front)));
    if let Some(front) = fronts.next() {
        return Some(format!("the web server calls itself \"{front}\", a front for many"));
    }
    let domains: BTreeSet<String> = names.map(|name| registered(&name.to_lowercase())).collect();
    (domains.len() >= MANY_NAMES).then(|| format!("its certificates name {} different domains", domains.len()))
}

/// The last two labels of a certificate's name.
fn registered(name: &str) -> String {
    let name = name.strip_prefix("dns:").unwrap_or(name);
    let labels: Vec<&str> = name.rsplit('.').take(2).collect();
    labels.into_iter().rev().collect::<Vec<_>>().join(".")
}

/// IPv4 addresses that stand alone in a text; a version number is none.
fn addresses(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| c.is_whitespace() || "[]()<>\"',;:/".contains(c));
    words.filter(|word| word.parse::<std::net::Ipv4Addr>().is_ok()).map(str::to_owned)
}
