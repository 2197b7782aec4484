//! From the facets of one host to its values on every rung.

use std::net::IpAddr;

use super::pattern::pattern;
use super::rung::Rung;
use crate::facet::{FacetKind, Group, HostFacts};

/// Stands between the parts of a composed value; cannot occur in text as sent by a well-behaved server, and if it does,
/// only that server's own value changes.
pub(super) const PART: u8 = 0x1f;
/// Stands between several values of one part.
pub(super) const ITEM: u8 = 0x1e;

/// Longest value of one part; more is cut, so that a hostile host cannot fill the memory.
const LONGEST_PART: usize = 1024;
/// Most values of one part or rung of one host.
const MOST_VALUES: usize = 16;
/// A sweep that found more ports than this open heard a middlebox, not services.
const SERVICES_AT_MOST: usize = 200;
/// Ports that say nothing by being open.
const USUAL_PORTS: [u16; 4] = [22, 80, 443, 3389];
/// Ports from here on are counted as hopping, not named.
const HIGH_PORT: u16 = 10_000;

/// What the linkage takes from one host.
pub(super) struct Values {
    /// Values by rung, each rung's sorted and distinct.
    pub(super) by_rung: Vec<(Rung, Vec<u8>)>,
    /// Simhashes of its pages, for [`Rung::PageFamily`].
    pub(super) simhashes: Vec<u64>,
    /// True when every port seems to answer: such a box is attributed to nobody.
    pub(super) answers_everywhere: bool,
}

/// Reads the values of a host. Several values of one kind (two host keys, two certificates) stand beside each other on a
/// rung of that kind alone. A rung that joins kinds takes the *set* of each: the facets do not say which header belongs
/// to which JARM, so two hosts agree there only if they show all the same.
pub(super) fn values(facts: &HostFacts) -> Values {
    let mut reader = Reader { facts, by_rung: Vec::new() };
    let answers_everywhere =
        facts.all_ports && (facts.open_ports.is_empty() || facts.open_ports.len() > SERVICES_AT_MOST);
    reader.key_and_sshd();
    reader.certificate();
    reader.web_and_page();
    reader.each(Rung::ComputerName, FacetKind::RdpComputerName);
    reader.each(Rung::WindowsBuild, FacetKind::RdpBuild);
    if !answers_everywhere {
        reader.ports();
    }
    reader.network();
    reader.mail();
    let hashes = reader.all(FacetKind::HttpBodySimhash).into_iter().filter_map(|text| {
        let text = std::str::from_utf8(text).ok()?;
        u64::from_str_radix(text, 16).ok()
    });
    let mut simhashes: Vec<u64> = hashes.collect();
    simhashes.sort_unstable();
    simhashes.dedup();
    let mut by_rung = reader.by_rung;
    by_rung.sort_unstable();
    by_rung.dedup();
    Values { by_rung, simhashes, answers_everywhere }
}

struct Reader<'a> {
    facts: &'a HostFacts,
    by_rung: Vec<(Rung, Vec<u8>)>,
}

impl<'a> Reader<'a> {
    /// All values of a kind, sorted and distinct.
    fn all(&self, kind: FacetKind) -> Vec<&'a [u8]> {
        let of_kind = self.facts.facets.iter().filter(|(of, _)| *of == kind);
        let mut found: Vec<&[u8]> = of_kind.map(|(_, value)| cut(value)).collect();
        found.sort_unstable();
        found.dedup();
        found.truncate(MOST_VALUES);
        found
    }

    /// The set of values of a kind as one part.
    fn set(&self, kind: FacetKind) -> Vec<u8> {
        self.all(kind).join(&ITEM)
    }

    /// The set of patterns of a kind as one part.
    fn patterns(&self, kind: FacetKind) -> Vec<u8> {
        let mut found: Vec<Vec<u8>> = self.all(kind).into_iter().map(pattern).collect();
        found.sort_unstable();
        found.dedup();
        found.join(&ITEM)
    }

    fn put(&mut self, rung: Rung, value: Vec<u8>) {
        self.by_rung.push((rung, value));
    }

    /// Every value of a kind is a value of the rung.
    fn each(&mut self, rung: Rung, kind: FacetKind) {
        for value in self.all(kind) {
            self.put(rung, value.to_vec());
        }
    }

    /// All parts together are one value of the rung.
    fn joined(&mut self, rung: Rung, parts: &[Vec<u8>]) {
        self.put(rung, parts.join(&PART));
    }

    fn key_and_sshd(&mut self) {
        self.each(Rung::HostKey, FacetKind::SshHostKey);
        if !self.all(FacetKind::SshBanner).is_empty() {
            self.joined(Rung::SshdSetup, &[self.set(FacetKind::SshBanner), self.set(FacetKind::SshHasshServer)]);
        }
        self.each(Rung::Kexinit, FacetKind::SshKexinitSha256);
        self.each(Rung::Hassh, FacetKind::SshHasshServer);
    }

    fn certificate(&mut self) {
        self.each(Rung::Certificate, FacetKind::CertSha256);
        self.each(Rung::CertKey, FacetKind::CertSpkiSha256);
        self.each(Rung::CertTemplate, FacetKind::CertTemplate);
        let subjects = self.all(FacetKind::CertSubject);
        if subjects.is_empty() {
            return;
        }
        let own = self.all(FacetKind::CertIssuer) == subjects;
        let issuer = if own { b"self".to_vec() } else { self.patterns(FacetKind::CertIssuer) };
        let subject = self.patterns(FacetKind::CertSubject);
        // A long serial is drawn at random; a short one is a habit.
        let short = self.all(FacetKind::CertSerial).into_iter().filter(|serial| serial.len() <= 6);
        let serial = short.collect::<Vec<_>>().join(&ITEM);
        let (validity, names) = (self.set(FacetKind::CertValiditySeconds), self.patterns(FacetKind::CertSan));
        self.joined(Rung::CertScript, &[subject.clone(), issuer.clone(), validity, serial, names]);
        self.joined(Rung::CertNames, &[subject, issuer]);
    }

    fn web_and_page(&mut self) {
        let jarms: Vec<&[u8]> = self.all(FacetKind::TlsJarm).into_iter().filter(|jarm| !is_no_answer(jarm)).collect();
        for jarm in &jarms {
            self.put(Rung::Jarm, jarm.to_vec());
        }
        self.each(Rung::HeaderOrder, FacetKind::HttpHeaderOrder);
        let answered = !self.all(FacetKind::HttpHeaderOrder).is_empty();
        if answered {
            let parts = [self.set(FacetKind::HttpServer), self.set(FacetKind::HttpHeaderOrder), jarms.join(&ITEM)];
            self.joined(Rung::WebStack, &parts);
        }
        self.each(Rung::Body, FacetKind::HttpBodySha256);
        let (favicon, title) = (self.set(FacetKind::HttpFaviconMmh3), self.patterns(FacetKind::HttpTitle));
        if answered && !(favicon.is_empty() && title.is_empty()) {
            self.joined(Rung::FaviconTitle, &[favicon, title.clone()]);
        }
        if answered || !title.is_empty() {
            self.put(Rung::Title, title);
        }
    }

    fn ports(&mut self) {
        let open = &self.facts.open_ports;
        let named: Vec<String> = open
            .iter()
            .filter(|port| !USUAL_PORTS.contains(port) && **port < HIGH_PORT)
            .map(ToString::to_string)
            .collect();
        // A service that timed out may stand on any port, so that an empty rest says nothing.
        let unknown =
            self.facts.timed_out.contains(&Group::Ports) || (!self.facts.timed_out.is_empty() && named.is_empty());
        if open.is_empty() || unknown {
            return;
        }
        let hops = if open.iter().any(|port| *port >= HIGH_PORT) { " and high ports" } else { "" };
        let named = if named.is_empty() { "none".to_owned() } else { named.join(",") };
        self.put(Rung::PortSet, format!("{named}{hops}").into_bytes());
    }

    fn network(&mut self) {
        let neighbourhood =
            self.facts.prefix.map(|prefix| prefix.to_string()).or_else(|| own_network(self.facts.address));
        if let Some(prefix) = neighbourhood {
            self.put(Rung::Prefix, prefix.into_bytes());
        }
        if let Some(asn) = self.facts.asn {
            self.put(Rung::Asn, format!("AS{asn}").into_bytes());
        }
    }

    fn mail(&mut self) {
        let parts =
            [FacetKind::SmtpBanner, FacetKind::ImapBanner, FacetKind::FtpBanner].map(|kind| self.patterns(kind));
        if parts.iter().any(|part| !part.is_empty()) {
            self.joined(Rung::MailBanners, &parts);
        }
        self.each(Rung::MailExtensions, FacetKind::SmtpEhlo);
    }
}

fn cut(value: &[u8]) -> &[u8] {
    value.get(..LONGEST_PART).unwrap_or(value)
}

/// The JARM of a service that gave no TLS answer at all: no value.
fn is_no_answer(jarm: &[u8]) -> bool {
    jarm.iter().all(|byte| *byte == b'0')
}

/// The /24 or /48 of an address where no prefix is known. Loopback, private and benchmarking addresses say nothing
/// about who rents a network.
fn own_network(address: IpAddr) -> Option<String> {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let inner =
                v4.is_loopback() || v4.is_private() || v4.is_link_local() || (a == 198 && (18..20).contains(&b));
            (!inner).then(|| format!("{a}.{b}.{c}.0/24"))
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            let inner = v6.is_loopback() || (a & 0xfe00) == 0xfc00 || (a & 0xffc0) == 0xfe80;
            (!inner).then(|| format!("{a:x}:{b:x}:{c:x}::/48"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(facets: &[(FacetKind, &str)]) -> HostFacts {
        let mut built = HostFacts::new("192.0.2.1".parse().unwrap());
        built.facets = facets.iter().map(|(kind, value)| (*kind, value.as_bytes().to_vec())).collect();
        built
    }

    fn on(values: &Values, rung: Rung) -> Vec<&[u8]> {
        values.by_rung.iter().filter(|(of, _)| *of == rung).map(|(_, value)| value.as_slice()).collect()
    }

    #[test]
    fn a_jarm_of_zeros_is_no_value() {
        let zeros = "0".repeat(62);
        let read = values(&host(&[(FacetKind::TlsJarm, &zeros), (FacetKind::HttpHeaderOrder, "a")]));
        assert!(on(&read, Rung::Jarm).is_empty());
        assert_eq!(on(&read, Rung::WebStack), [b"\x1fa\x1f"]);
    }

    #[test]
    fn the_order_in_which_facets_were_heard_does_not_matter() {
        let one = values(&host(&[
            (FacetKind::HttpServer, "a"),
            (FacetKind::HttpServer, "b"),
            (FacetKind::HttpHeaderOrder, "x"),
        ]));
        let two = values(&host(&[
            (FacetKind::HttpHeaderOrder, "x"),
            (FacetKind::HttpServer, "b"),
            (FacetKind::HttpServer, "a"),
        ]));
        assert_eq!(one.by_rung, two.by_rung);
    }

    #[test]
    fn two_certificates_made_alike_share_their_script() {
        let made = |name: &str, serial: &str| {
            let subject = format!("O=Vps,CN={name}");
            let facets = [
                (FacetKind::CertSubject, subject.as_str()),
                (FacetKind::CertIssuer, subject.as_str()),
                (FacetKind::CertSerial, serial),
                (FacetKind::CertValiditySeconds, "864000"),
            ];
            values(&host(&facets)).by_rung.into_iter().find(|(rung, _)| *rung == Rung::CertScript)
        };
        assert_eq!(made("a.example", "1"), made("b.example", "1"));
        assert_ne!(made("a.example", "1"), made("a.example", "2"));
        assert_eq!(made("a.example", "1111111111"), made("b.example", "2222222222"));
    }

    #[test]
    fn a_box_that_answers_on_every_port_has_no_set_of_ports() {
        let mut facts = host(&[]);
        facts.all_ports = true;
        let read = values(&facts);
        assert!(read.answers_everywhere && on(&read, Rung::PortSet).is_empty());
    }

    #[test]
    fn loopback_is_no_neighbourhood() {
        let mut facts = host(&[]);
        assert_eq!(on(&values(&facts), Rung::Prefix), [b"192.0.2.0/24"]);
        facts.address = "127.77.1.2".parse().unwrap();
        assert!(on(&values(&facts), Rung::Prefix).is_empty());
    }
}
