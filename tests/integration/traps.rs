//! Real cases that misled investigators, as small worlds: what is shared there must be called by its name and no more.
//!
//! Facts only, from published findings: the gshell and the Stark/WorkTitans case from `crimsonvector/BPH_Research` (MIT; the
//! template names as Sophos reported them in February 2026), the FEMO case from Palo Alto Unit 42's timely threat
//! intelligence of 2025-03-18, the saved Google Play page from a recorded Onyphe answer in `ninoseki/mihari` (MIT), shared
//! Cobalt Strike keys from `carbonblack/active_c2_ioc_public` (MIT). Addresses of the strangers are from ranges for
//! documentation.

use std::net::{IpAddr, Ipv4Addr};

use hostkin::clock::Timestamp;
use hostkin::facet::{FacetKind, HostFacts, Labels};
use hostkin::finding::{Finding, Findings, Level, Seed, Subject};
use hostkin::link::{Against, Builder, CheckVerdict, Explanation, Holder, Known, Linkage, Population, Weights, checks};

fn host(address: &str, asn: u32, ports: &[u16], facets: &[(FacetKind, &str)]) -> HostFacts {
    let mut built = HostFacts::new(address.parse().unwrap());
    built.asn = Some(asn);
    built.open_ports = ports.to_vec();
    built.facets = facets.iter().map(|(kind, value)| (*kind, value.as_bytes().to_vec())).collect();
    built
}

/// Ordinary servers: stock stacks, own keys.
fn strangers() -> Vec<HostFacts> {
    (0..1500_u32)
        .map(|n| {
            let [_, _, upper, lower] = n.to_be_bytes();
            let address = Ipv4Addr::new(198, 51 + upper % 4, upper.wrapping_mul(37) ^ (lower >> 3), lower);
            let own =
                [format!("SHA256:own{n}"), format!("cert{n}"), format!("body{}", n / 2), format!("Site {}", n / 3)];
            let banner = format!("SSH-2.0-OpenSSH_{}", n % 40);
            let (hassh, order, jarm) =
                (format!("hassh{}", n % 30), format!("order{}", n % 50), format!("jarm{}", n % 25));
            host(
                &address.to_string(),
                64500 + n % 60,
                &[22, 80, 443],
                &[
                    (FacetKind::SshHostKey, &own[0]),
                    (FacetKind::SshBanner, &banner),
                    (FacetKind::SshHasshServer, &hassh),
                    (FacetKind::CertSha256, &own[1]),
                    (FacetKind::HttpHeaderOrder, &order),
                    (FacetKind::TlsJarm, &jarm),
                    (FacetKind::HttpBodySha256, &own[2]),
                    (FacetKind::HttpTitle, &own[3]),
                ],
            )
        })
        .collect()
}

fn population(cases: &[HostFacts]) -> Population {
    let mut builder = Builder::new();
    for host in cases.iter().chain(&strangers()) {
        builder.add(host);
    }
    builder.finish()
}

fn seed(address: &str) -> Seed {
    Seed {
        provider: "known".to_owned(),
        subject: Subject::Host(address.parse().unwrap()),
        why: "the published case names it".to_owned(),
        source: None,
        date: None,
        recorded_at: Timestamp::UNIX_EPOCH,
    }
}

fn link(population: &Population, seeds: &[Seed]) -> Findings {
    Linkage::new(population, &Weights::builtin().unwrap(), &Labels::builtin().unwrap()).run(seeds, &[])
}

fn explain(population: &Population, seeds: &[Seed], address: &str) -> Explanation {
    let against = Against::Provider("known".to_owned());
    let (weights, labels) = (Weights::builtin().unwrap(), Labels::builtin().unwrap());
    Linkage::new(population, &weights, &labels).why(seeds, &[], address.parse().unwrap(), &against).unwrap()
}

fn found<'a>(findings: &'a Findings, address: &str) -> Option<&'a Finding> {
    let address: IpAddr = address.parse().unwrap();
    findings.ranking.iter().find(|one| one.address == address)
}

fn in_cluster(findings: &Findings, address: &str) -> bool {
    let address: IpAddr = address.parse().unwrap();
    let seeded = findings.clusters.iter().filter(|cluster| cluster.seeded);
    seeded.flat_map(|cluster| &cluster.members).any(|one| one.address == address)
}

fn verdict(of: &Explanation, name: &str) -> CheckVerdict {
    let all = checks(&of.evidence, &Known { nearby: of.nearby, ..Known::default() });
    all.into_iter().find(|check| check.name == name).unwrap().verdict
}

const GSHELL: &str = "CN=Gshell Server,O=Gshell C2";

/// Two servers share the framework's default certificate subject, and beside it serial and SSH host key; six others run
/// the same framework and share the subject alone.
#[test]
fn a_frameworks_default_subject_is_a_product_label_and_the_key_beside_it_is_the_operators() {
    let c2 = |address: &str, own: Option<&str>, serial: &str| {
        let key = own.map_or_else(|| "SHA256:TOJ3LH".to_owned(), |own| format!("SHA256:{own}"));
        let certificate = own.map_or_else(|| "AEE548".to_owned(), |own| format!("cert of {own}"));
        let banner = own.map_or_else(|| "SSH-2.0-OpenSSH_8.9 c2".to_owned(), |own| format!("SSH-2.0-{own}"));
        host(
            address,
            152_194,
            &[22, 8080, 8089],
            &[
                (FacetKind::SshHostKey, &key),
                (FacetKind::SshBanner, &banner),
                (FacetKind::CertSha256, &certificate),
                (FacetKind::CertSubject, GSHELL),
                (FacetKind::CertIssuer, GSHELL),
                (FacetKind::CertSerial, serial),
            ],
        )
    };
    let mut cases =
        vec![c2("134.122.204.86", None, "aee5481234567890"), c2("134.122.204.106", None, "aee5481234567890")];
    for n in 1..=6 {
        let name = format!("other{n}");
        let mut other = c2(&format!("203.0.113.{n}"), Some(&name), &format!("{n}{n}{n}{n}1234567890"));
        other.asn = Some(64_600 + n);
        other.open_ports = vec![22, 443];
        cases.push(other);
    }
    let population = population(&cases);
    let findings = link(&population, &[seed("134.122.204.86")]);
    assert!(in_cluster(&findings, "134.122.204.106"), "serial, key and certificate are the operator's");
    for n in 1..=6 {
        let address = format!("203.0.113.{n}");
        assert!(!in_cluster(&findings, &address), "{address} shares the framework alone");
        assert!(found(&findings, &address).is_none_or(|one| one.score < 0.5 && one.level != Level::Provider));
    }
}

/// One actor kept one SSH host key on two machines at two providers.
#[test]
fn a_customer_on_two_providers_does_not_make_them_one() {
    let key = "SHA256:HBbh48Fw679dkqkqWL6e7v4dOq7Gd6pRptPTznl28c";
    let other = |address: &str, asn: u32, n: u32| {
        let (own, banner) = (format!("SHA256:p{asn}-{n}"), format!("SSH-2.0-provider{asn}"));
        host(
            address,
            asn,
            &[22, 80],
            &[(FacetKind::SshHostKey, &own), (FacetKind::SshBanner, &banner), (FacetKind::SshHasshServer, &banner)],
        )
    };
    let mut cases: Vec<HostFacts> = (1..=9).map(|n| other(&format!("62.60.226.{n}"), 214_351, n)).collect();
    cases.extend((1..=9).map(|n| other(&format!("191.88.252.{n}"), 27_951, n)));
    let actors = |address: &str, asn: u32, ports: &[u16]| {
        let banner = format!("SSH-2.0-provider{asn}");
        host(
            address,
            asn,
            ports,
            &[(FacetKind::SshHostKey, key), (FacetKind::SshBanner, &banner), (FacetKind::SshHasshServer, &banner)],
        )
    };
    cases.push(actors("62.60.226.112", 214_351, &[22, 80]));
    cases.push(actors("191.88.252.140", 27_951, &[22, 30_204, 30_805]));
    let population = population(&cases);
    let seeds = [seed("62.60.226.112")];
    let findings = link(&population, &seeds);
    for n in 1..=9 {
        assert!(!in_cluster(&findings, &format!("191.88.252.{n}")), "the second provider is not the first");
    }
    let told = explain(&population, &seeds, "191.88.252.140");
    assert!(told.score < 0.5 && told.level != Level::Provider, "one key alone carries no claim: {}", told.summary);
    assert_eq!(verdict(&told, "ordinary_owner"), CheckVerdict::Failed, "{told:?}");
}

/// The same with a customer's page and certificate: two groups, and both are the customer's.
#[test]
fn a_customers_site_on_two_providers_does_not_make_them_one() {
    let of = |address: &str, asn: u32, n: u32, site: Option<&str>| {
        let (own, banner) = (format!("SHA256:p{asn}-{n}"), format!("SSH-2.0-provider{asn}"));
        let image = format!("SHA256:image{asn}-{}", n % 2);
        let (certificate, body) = (
            site.map_or_else(|| format!("cert{asn}-{n}"), |site| format!("cert of {site}")),
            site.map_or_else(|| format!("body{asn}-{n}"), |site| format!("body of {site}")),
        );
        let facets = [
            (FacetKind::SshHostKey, if n < 9 { image.as_str() } else { own.as_str() }),
            (FacetKind::SshBanner, banner.as_str()),
            (FacetKind::SshHasshServer, banner.as_str()),
            (FacetKind::CertSha256, certificate.as_str()),
            (FacetKind::HttpBodySha256, body.as_str()),
        ];
        host(address, asn, &[22, 443], &facets)
    };
    let mut cases: Vec<HostFacts> = (1..=9).map(|n| of(&format!("62.60.226.{n}"), 214_351, n, None)).collect();
    cases.extend((1..=9).map(|n| of(&format!("191.88.252.{n}"), 27_951, n, None)));
    // Three sites of one customer, each at both.
    for (n, site) in (20..).zip(["one", "two", "three"]) {
        cases.push(of(&format!("62.60.226.{n}"), 214_351, n, Some(site)));
        cases.push(of(&format!("191.88.252.{n}"), 27_951, n, Some(site)));
    }
    let population = population(&cases);
    let findings = link(&population, &[seed("62.60.226.1")]);
    assert!(in_cluster(&findings, "62.60.226.3"), "the provider's own image");
    for n in (1..=9).chain(20..23) {
        assert!(!in_cluster(&findings, &format!("191.88.252.{n}")), "the second provider is not the first: {n}");
    }
}

/// Four template names cover most machines of one panel, at many unrelated providers.
#[test]
fn the_name_of_a_template_links_nobody_by_itself() {
    let windows = |address: &str, asn: u32, build: &str, name: &str| {
        host(address, asn, &[3389], &[(FacetKind::RdpComputerName, name), (FacetKind::RdpBuild, build)])
    };
    let mut cases = vec![windows("203.0.113.1", 44_477, "10.0.14393", "WIN-J9D866ESIJ2")];
    for n in 2..=40_u32 {
        cases.push(windows(&format!("203.0.113.{n}"), 64_700 + n, "10.0.14393", "WIN-J9D866ESIJ2"));
        cases.push(windows(&format!("198.18.0.{n}"), 64_700 + n, "10.0.17763", &format!("WIN-OWN{n}")));
    }
    let population = population(&cases);
    let seeds = [seed("203.0.113.1")];
    let findings = link(&population, &seeds);
    for n in 2..=40 {
        assert!(!in_cluster(&findings, &format!("203.0.113.{n}")));
    }
    let told = explain(&population, &seeds, "203.0.113.7");
    let row = told.evidence.iter().find(|row| row.group == "rdp").unwrap();
    assert_eq!(row.default_of.as_deref(), Some("vendor"));
    assert!(row.log10_lr <= 4.0_f64.log10() + 1e-3, "a known default is capped: {row:?}");
    if row.log10_counted >= 0.301 {
        assert_eq!(verdict(&told, "vendor_default"), CheckVerdict::Failed);
    }
}

/// A saved page of Google Play: one kit on dynamic addresses of one network, with two bodies, and a third body behind
/// another server build at another network. Only the page's token is shared by all.
#[test]
fn a_cloned_page_is_two_clusters_and_not_one() {
    let page = |address: &str, asn: u32, body: &str, server: &str, port: u16| {
        host(
            address,
            asn,
            &[port],
            &[
                (FacetKind::HttpTitle, "Google Play token"),
                (FacetKind::HttpBodySha256, body),
                (FacetKind::HttpServer, server),
                (FacetKind::HttpHeaderOrder, server),
            ],
        )
    };
    let dynamic = [
        "61.230.137.228",
        "111.248.194.62",
        "61.230.203.232",
        "61.219.193.249",
        "111.240.220.30",
        "220.129.179.180",
        "1.162.118.9",
    ];
    let fixed = ["200.74.240.60", "200.74.240.68", "190.97.165.97", "190.97.165.96", "200.74.240.135", "200.74.240.58"];
    let mut cases: Vec<HostFacts> =
        dynamic.iter().map(|ip| page(ip, 3462, "c0dcd350b71aa715f7e4bc9d8c08f4b2", "Apache/2.4.23", 80)).collect();
    cases.push(page("114.24.172.167", 3462, "2db0152b65bb947071e554a10e3eccaf", "Apache/2.4.23", 80));
    cases.extend(fixed.iter().map(|ip| page(ip, 27_956, "1ee655a1245d7f151c713ba860df33d5", "Apache/2.4.18", 8080)));
    let population = population(&cases);
    for (first, others, foreign) in [(dynamic[0], &dynamic[1..], &fixed[..]), (fixed[0], &fixed[1..], &dynamic[..])] {
        let findings = link(&population, &[seed(first)]);
        for ip in foreign {
            assert!(!in_cluster(&findings, ip), "{first} and {ip} share a page's token alone");
        }
        let near = others.iter().filter_map(|ip| found(&findings, ip)).map(|one| one.score).fold(1.0, f64::min);
        let far = foreign.iter().filter_map(|ip| found(&findings, ip)).map(|one| one.score).fold(0.0, f64::max);
        assert!(near > far, "{first}: its own kind ranks first ({near} {far})");
    }
}

/// The key of a cracked build stood on hundreds of servers of people who have nothing to do with each other.
#[test]
fn a_key_of_hundreds_of_strangers_is_said_to_be_theirs() {
    let server = |n: u32, key: &str| {
        let [_, _, upper, lower] = n.to_be_bytes();
        let (banner, order) = (format!("SSH-2.0-x{}", n % 40), format!("order-x{}", n % 45));
        let address = Ipv4Addr::new(203, upper, lower, 7).to_string();
        host(
            &address,
            64_800 + n % 150,
            &[443],
            &[
                (FacetKind::CertSpkiSha256, key),
                (FacetKind::SshBanner, &banner),
                (FacetKind::SshHasshServer, &banner),
                (FacetKind::HttpHeaderOrder, &order),
            ],
        )
    };
    let cases: Vec<HostFacts> = (0..232).map(|n| server(n, "defb5d95ce99e1ebbf421a1a38d9cb64")).collect();
    let population = population(&cases);
    let seeds = [seed("203.0.0.7")];
    let findings = link(&population, &seeds);
    assert!((1..232).all(|n: u8| !in_cluster(&findings, &format!("203.0.{n}.7"))));
    let told = explain(&population, &seeds, "203.0.9.7");
    assert!(told.counter.iter().any(|line| line.contains("little else in common")), "{:?}", told.counter);
    let row = told.evidence.iter().find(|row| row.group == "cert").unwrap();
    assert!(row.likeness < 0.7, "{row:?}");
}

/// What a link rests on when nothing but the network is shared.
fn network_alone(holder: Option<&Holder>) -> (CheckVerdict, String) {
    let mut hosts = [host("192.0.2.7", 64_999, &[22], &[]), host("192.0.2.9", 64_999, &[22], &[])];
    for host in &mut hosts {
        host.prefix = Some("192.0.2.0/24".parse().unwrap());
    }
    let of = explain(&population(&hosts), &[seed("192.0.2.7")], "192.0.2.9");
    assert!(of.evidence.iter().any(|row| row.group == "net" && row.log10_counted > 0.301), "{:?}", of.evidence);
    let all = checks(&of.evidence, &Known { holder, ..Known::default() });
    let check = all.into_iter().find(|check| check.name == "as_reissued").unwrap();
    (check.verdict, check.words)
}

#[test]
fn a_network_that_went_to_another_holder_fails_its_check_and_one_that_did_not_passes() {
    let (verdict, words) = network_alone(None);
    assert!(verdict == CheckVerdict::NotCheckable && words.contains("not on record"), "{words}");
    let (verdict, words) = network_alone(Some(&Holder::Unknown("no table of that day".to_owned())));
    assert!(verdict == CheckVerdict::NotCheckable && words.contains("no table of that day"), "{words}");
    let changed = Holder::Changed("AS64500 was held by another".to_owned());
    let (verdict, words) = network_alone(Some(&changed));
    assert!(verdict == CheckVerdict::Failed && words.contains("was held by another"), "{words}");
    assert_eq!(network_alone(Some(&Holder::Same("the same".to_owned()))).0, CheckVerdict::Passed);
}
