//! The whole linkage on a small street: seventy hosts, a fifth of them one provider's.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::facet::{FacetKind, HostFacts};
use crate::finding::{Finding, Level, Subject};

const A: u8 = 1;
const B: u8 = 2;
const STOCK: u8 = 3;
const CLONE: u8 = 4;
const CDN: u8 = 5;
const KIT: u8 = 6;
const CONTROL: u8 = 7;

fn address(block: u8, number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 77, block, number))
}

/// A host of a block with these facets.
fn host(block: u8, number: u8, facets: &[(FacetKind, String)]) -> HostFacts {
    let mut built = HostFacts::new(address(block, number));
    built.open_ports = vec![2222, 8080, 8443];
    built.facets = facets.iter().map(|(kind, value)| (*kind, value.clone().into_bytes())).collect();
    built
}

fn sshd(banner: &str, hassh: &str, key: &str) -> Vec<(FacetKind, String)> {
    vec![
        (FacetKind::SshBanner, banner.to_owned()),
        (FacetKind::SshHasshServer, hassh.to_owned()),
        (FacetKind::SshKexinitSha256, format!("kexinit of {hassh}")),
        (FacetKind::SshHostKey, format!("SHA256:{key}")),
    ]
}

fn web(server: &str, order: &str, jarm: &str) -> Vec<(FacetKind, String)> {
    vec![
        (FacetKind::HttpServer, server.to_owned()),
        (FacetKind::HttpHeaderOrder, order.to_owned()),
        (FacetKind::TlsJarm, jarm.to_owned()),
    ]
}

fn cert(digest: &str, subject: &str, issuer: &str, days: u32) -> Vec<(FacetKind, String)> {
    vec![
        (FacetKind::CertSha256, digest.to_owned()),
        (FacetKind::CertSpkiSha256, format!("key of {digest}")),
        (FacetKind::CertSubject, subject.to_owned()),
        (FacetKind::CertIssuer, issuer.to_owned()),
        (FacetKind::CertValiditySeconds, (days * 86_400).to_string()),
    ]
}

fn page(body: &str, title: &str) -> Vec<(FacetKind, String)> {
    vec![(FacetKind::HttpBodySha256, body.to_owned()), (FacetKind::HttpTitle, title.to_owned())]
}

const BANNER: &str = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3";
const NGINX_PAGE: &str = "38ffd4972ae513a0c79a8be4573403edcd709f0f572105362b08ff50cf6de521";

/// A street with every population the rules speak of.
fn street() -> Vec<HostFacts> {
    let mut hosts = Vec::new();
    // Provider A: own settings of sshd and proxy behind stock names, own way of making certificates. The first six came
    // from one image with its key, which is also in a public image; from the tenth on customers run their own web.
    for n in 1..=14_u8 {
        let key = if n <= 6 { "image-a".to_owned() } else { format!("a{n}") };
        let subject = format!("O=Alpha, CN=vps{n}.alpha.example");
        let mut facets = sshd(BANNER, "hassh-a", &key);
        facets.extend(cert(&format!("cert-a{n}"), &subject, &subject, 3650));
        facets.extend(if n <= 9 {
            web("nginx", "order-a", "jarm-stock")
        } else {
            web("Apache", "order-apache", "jarm-two")
        });
        facets.extend(page(&format!("page-a{n}"), &format!("Customer{n}")));
        hosts.push(host(A, n, &facets));
    }
    // One customer of A with a kit that also runs elsewhere.
    let mut facets = sshd(BANNER, "hassh-a", "a15");
    facets.extend(cert("cert-kit", "CN=kit.example", "CN=R3", 90));
    facets.extend(web("nginx", "order-a", "jarm-stock"));
    facets.extend(page("page-kit", "Login here"));
    hosts.push(host(A, 15, &facets));
    // Provider B.
    for n in 1..=8_u8 {
        let subject = format!("C=BZ, CN=node{n}.beta.example");
        let mut facets = sshd("SSH-2.0-OpenSSH_8.4p1 Debian-5+deb11u1", "hassh-b", &format!("b{n}"));
        facets.extend(cert(&format!("cert-b{n}"), &subject, &subject, 730));
        facets.extend(web("openresty", "order-b", "jarm-b"));
        facets.extend(page(&format!("page-b{n}"), &format!("Site{n}")));
        hosts.push(host(B, n, &facets));
    }
    // People on their own with a distribution's defaults: the banner, JARM and Server header of A.
    for n in 1..=24_u8 {
        let mut facets = sshd(BANNER, "hassh-stock", &format!("s{n}"));
        facets.extend(cert(&format!("cert-s{n}"), &format!("CN=site{n}.example"), "CN=R3", 90));
        facets.extend(web("nginx", "order-stock", "jarm-stock"));
        facets.extend(page(NGINX_PAGE, "Welcome to nginx!"));
        hosts.push(host(STOCK, n, &facets));
    }
    // Strangers with the key of the public image, unlike each other in everything else.
    for n in 1..=7_u8 {
        let mut facets = sshd(&format!("SSH-2.0-own{n}"), &format!("hassh-c{n}"), "image-a");
        facets.extend(web(&format!("srv{n}"), &format!("order-c{n}"), &format!("jarm-c{n}")));
        facets.extend(page(&format!("page-c{n}"), &format!("Clone{}", "x".repeat(n.into()))));
        hosts.push(host(CLONE, n, &facets));
    }
    // The fronts of a CDN: one certificate, one stack, many pages.
    for n in 1..=8_u8 {
        let mut facets = cert("cert-cdn", "CN=cdn.example", "CN=R3", 90);
        facets.extend(web("edge", "order-cdn", "jarm-cdn"));
        facets.extend(page(&format!("page-d{n}"), &format!("Shop{}", "y".repeat(n.into()))));
        hosts.push(host(CDN, n, &facets));
    }
    // The kit at other hosters.
    for n in 1..=4_u8 {
        let mut facets = sshd(&format!("SSH-2.0-other{n}"), &format!("hassh-k{n}"), &format!("k{n}"));
        facets.extend(cert("cert-kit", "CN=kit.example", "CN=R3", 90));
        facets.extend(web(&format!("kit{n}"), &format!("order-k{n}"), &format!("jarm-k{n}")));
        facets.extend(page("page-kit", "Login here"));
        hosts.push(host(KIT, n, &facets));
    }
    // Hosting nobody suspects.
    for n in 1..=10_u8 {
        let mut facets = sshd(&format!("SSH-2.0-OpenSSH_9.{n}"), &format!("hassh-{}", n % 4), &format!("n{n}"));
        facets.extend(web("Apache", &format!("order-{}", n % 3), &format!("jarm-{}", n % 5)));
        facets.extend(page(&format!("page-n{n}"), "Hello"));
        hosts.push(host(CONTROL, n, &facets));
    }
    hosts
}

fn population(hosts: &[HostFacts]) -> Population {
    let mut builder = Builder::new();
    for host in hosts {
        builder.add(host);
    }
    builder.finish()
}

fn seed(provider: &str, address: IpAddr) -> Seed {
    Seed {
        provider: provider.to_owned(),
        subject: Subject::Host(address),
        why: "an abuse report names it".to_owned(),
        source: None,
        date: None,
        recorded_at: Timestamp::UNIX_EPOCH,
    }
}

fn verdict(provider: &str, address: IpAddr, confirmed: bool) -> Verdict {
    Verdict {
        provider: provider.to_owned(),
        address,
        confirmed,
        why: "looked at by hand".to_owned(),
        recorded_at: Timestamp::UNIX_EPOCH,
    }
}

fn link(hosts: &[HostFacts], seeds: &[Seed], verdicts: &[Verdict]) -> Findings {
    Linkage::new(&population(hosts), &Weights::builtin().unwrap(), &Labels::builtin().unwrap()).run(seeds, verdicts)
}

fn explain(hosts: &[HostFacts], seeds: &[Seed], host: IpAddr, against: &Against) -> Explanation {
    let (weights, labels) = (Weights::builtin().unwrap(), Labels::builtin().unwrap());
    Linkage::new(&population(hosts), &weights, &labels).why(seeds, &[], host, against).unwrap()
}

/// Who is in the cluster of a provider.
fn members(found: &Findings, provider: &str) -> BTreeSet<IpAddr> {
    let clusters = found.clusters.iter().filter(|cluster| cluster.id == provider);
    clusters.flat_map(|cluster| cluster.members.iter().map(|one| one.address)).collect()
}

fn listed<'a>(found: &'a Findings, provider: &str, address: IpAddr) -> Option<&'a Finding> {
    found.ranking.iter().find(|one| one.provider == provider && one.address == address)
}

fn score(found: &Findings, provider: &str, address: IpAddr) -> f64 {
    listed(found, provider, address).map_or(0.0, |one| one.score)
}

fn block(number: u8, hosts: std::ops::RangeInclusive<u8>) -> BTreeSet<IpAddr> {
    hosts.map(|n| address(number, n)).collect()
}

#[test]
fn a_small_case_gives_the_provider_and_nobody_else() {
    let found = link(&street(), &[seed("alpha", address(A, 1))], &[]);
    assert_eq!(members(&found, "alpha"), block(A, 1..=15));
}

#[test]
fn any_good_seed_gives_the_same_cluster() {
    for n in [3, 7, 9] {
        let found = link(&street(), &[seed("alpha", address(A, n))], &[]);
        assert_eq!(members(&found, "alpha"), block(A, 1..=15), "seed {n}");
    }
}

#[test]
fn stock_hosts_with_the_seeds_banner_jarm_and_server_are_not_linked() {
    let found = link(&street(), &[seed("alpha", address(A, 1))], &[]);
    for n in 1..=24 {
        assert!(score(&found, "alpha", address(STOCK, n)) < 0.1, "{n}");
    }
}

#[test]
fn strangers_with_the_key_of_a_public_image_do_not_join() {
    let found = link(&street(), &[seed("alpha", address(A, 1))], &[]);
    for n in 1..=7 {
        let score = score(&found, "alpha", address(CLONE, n));
        assert!(score < 0.5, "{n}: {score}");
    }
}

#[test]
fn strangers_with_one_key_are_no_blind_cluster_either() {
    let mut hosts = street();
    hosts.retain(|host| host.address != address(A, 1));
    let found = link(&hosts, &[], &[]);
    for cluster in &found.clusters {
        let clones = cluster.members.iter().filter(|one| block(CLONE, 1..=7).contains(&one.address)).count();
        assert_eq!(clones, 0, "{}", cluster.id);
    }
}

#[test]
fn the_fronts_of_a_cdn_do_not_join_a_provider_whose_customer_shows_their_certificate() {
    let mut hosts = street();
    for host in hosts.iter_mut().filter(|host| host.address == address(A, 2)) {
        host.facets.retain(|(kind, _)| !kind.as_str().starts_with("cert."));
        let shared = cert("cert-cdn", "CN=cdn.example", "CN=R3", 90);
        host.facets.extend(shared.into_iter().map(|(kind, value)| (kind, value.into_bytes())));
    }
    let found = link(&hosts, &[seed("alpha", address(A, 1)), seed("alpha", address(A, 2))], &[]);
    let inside = members(&found, "alpha");
    assert!(inside.is_disjoint(&block(CDN, 1..=8)), "{inside:?}");
    assert!(inside.is_superset(&block(A, 1..=14)));
}

#[test]
fn a_customers_kit_elsewhere_is_the_same_tenant_and_not_the_same_provider() {
    let found = link(&street(), &[seed("alpha", address(A, 15))], &[]);
    assert!(members(&found, "alpha").is_disjoint(&block(KIT, 1..=4)));
    for n in 1..=4 {
        let one = listed(&found, "alpha", address(KIT, n)).expect("content ranks");
        assert_eq!(one.level, Level::Tenant);
        assert!(one.score < 0.5);
        assert!(one.against.iter().any(|line| line.contains("same content, not same provider")), "{:?}", one.against);
    }
}

#[test]
fn two_providers_stay_apart() {
    let found = link(&street(), &[seed("alpha", address(A, 1)), seed("beta", address(B, 1))], &[]);
    assert_eq!(members(&found, "alpha"), block(A, 1..=15));
    assert_eq!(members(&found, "beta"), block(B, 1..=8));
}

#[test]
fn a_seed_of_another_provider_is_evidence_against() {
    let alone = link(&street(), &[seed("alpha", address(A, 1))], &[]);
    let both = link(&street(), &[seed("alpha", address(A, 1)), seed("gamma", address(A, 7))], &[]);
    for n in [8, 9, 12] {
        let (before, after) = (score(&alone, "alpha", address(A, n)), score(&both, "alpha", address(A, n)));
        assert!(after < before, "{n}: {after} {before}");
        let words = &listed(&both, "alpha", address(A, n)).unwrap().against;
        assert!(words.iter().any(|line| line.contains("fits provider `gamma` too")), "{words:?}");
    }
    assert!(listed(&both, "alpha", address(A, 7)).is_none());
}

#[test]
fn a_rejected_host_leaves_and_takes_likeness_with_it() {
    let seeds = [seed("alpha", address(A, 1))];
    let before = link(&street(), &seeds, &[]);
    let after = link(&street(), &seeds, &[verdict("alpha", address(A, 12), false)]);
    assert!(members(&before, "alpha").contains(&address(A, 12)));
    assert!(listed(&after, "alpha", address(A, 12)).is_none());
    // Hosts 10 to 14 are made alike.
    assert!(score(&after, "alpha", address(A, 13)) < score(&before, "alpha", address(A, 13)));
    let words = {
        let (weights, labels) = (Weights::builtin().unwrap(), Labels::builtin().unwrap());
        let verdicts = [verdict("alpha", address(A, 12), false)];
        let against = Against::Provider("alpha".to_owned());
        Linkage::new(&population(&street()), &weights, &labels)
            .why(&seeds, &verdicts, address(A, 12), &against)
            .unwrap()
    };
    assert!(words.counter.iter().any(|line| line.contains("rejected by an analyst")), "{:?}", words.counter);
}

#[test]
fn a_confirmed_host_raises_those_like_it() {
    let seeds = [seed("beta", address(B, 1))];
    let before = link(&street(), &seeds, &[]);
    let after = link(&street(), &seeds, &[verdict("beta", address(CONTROL, 1), true)]);
    let near = address(CONTROL, 5);
    assert!(score(&after, "beta", near) >= score(&before, "beta", near));
    assert!(members(&after, "beta").contains(&address(CONTROL, 1)));
}

#[test]
fn a_facet_can_be_a_seed() {
    let subject = Subject::Facet("ssh.hassh_server".to_owned(), "hassh-b".to_owned());
    let seeds = [Seed { subject: subject.clone(), ..seed("beta", address(B, 1)) }];
    let mut population = population(&street());
    population.watch(&subject, block(B, 1..=8));
    let found = Linkage::new(&population, &Weights::builtin().unwrap(), &Labels::builtin().unwrap()).run(&seeds, &[]);
    assert_eq!(members(&found, "beta"), block(B, 1..=8));
    assert!(found.ranking.iter().all(|one| one.seed == "ssh.hassh_server=hassh-b"));
}

#[test]
fn a_middlebox_is_attributed_to_nobody() {
    let mut hosts = street();
    for host in hosts.iter_mut().filter(|host| host.address == address(A, 3)) {
        host.open_ports.clear();
        host.all_ports = true;
    }
    let found = link(&hosts, &[seed("alpha", address(A, 1))], &[]);
    assert!(listed(&found, "alpha", address(A, 3)).is_none());
}

#[test]
fn a_group_that_was_not_observed_counts_exactly_nothing() {
    let seeds = [seed("alpha", address(A, 1))];
    let found = explain(&street(), &seeds, address(A, 2), &Against::Provider("alpha".to_owned()));
    let rdp = found.evidence.iter().find(|row| row.group == "rdp").unwrap();
    assert!(!rdp.observed);
    assert!(rdp.log10_lr == 0.0 && rdp.log10_counted == 0.0);
    assert_eq!(found.not_observed.len(), found.evidence.iter().filter(|row| !row.observed).count());
}

#[test]
fn no_group_claims_more_than_a_third_of_the_background() {
    let found = link(&street(), &[seed("alpha", address(A, 1))], &[]);
    for one in &found.ranking {
        for row in &one.evidence {
            let most = (f64::from(u32::try_from(row.background).unwrap()) / 3.0).max(1.0).log10();
            assert!(row.log10_counted <= most + 0.01, "{}: {row:?}", one.address);
        }
    }
}

#[test]
fn one_group_alone_ranks_and_carries_no_claim() {
    let mut hosts = street();
    let mut facets = sshd("SSH-2.0-alien", "hassh-alien", "a8");
    facets.extend(web("alien", "order-alien", "jarm-alien"));
    hosts.push(host(CONTROL, 99, &facets));
    let found = link(&hosts, &[seed("alpha", address(A, 8))], &[]);
    assert!(!members(&found, "alpha").contains(&address(CONTROL, 99)));
    assert_ne!(listed(&found, "alpha", address(CONTROL, 99)).map(|one| one.level), Some(Level::Provider));
}

#[test]
fn two_hosts_are_explained_and_their_table_adds_up() {
    let found = explain(&street(), &[], address(A, 2), &Against::Host(address(A, 1)));
    let sum: f64 = found.evidence.iter().map(|row| row.log10_counted).sum();
    assert!((sum - found.log10_lr).abs() < 1e-3);
    let strongest = found.evidence.iter().map(|row| row.log10_counted).fold(0.0, f64::max);
    assert!((found.log10_lr - strongest - found.log10_lr_without_strongest).abs() < 1e-3);
    let key = found.evidence.iter().find(|row| row.group == "key").unwrap();
    assert_eq!((key.agrees_at.as_deref(), key.value.as_deref()), (Some("ssh.host_key"), Some("SHA256:image-a")));
    assert!(serde_json::to_string(&found).unwrap().contains("\"log10_prior\""));
}

#[test]
fn a_key_whose_holders_are_strangers_is_said_to_be_one() {
    let mut hosts = street();
    hosts.retain(|host| !block(A, 1..=15).contains(&host.address));
    let found = explain(&hosts, &[], address(CLONE, 2), &Against::Host(address(CLONE, 1)));
    assert!(found.counter.iter().any(|line| line.contains("public image")), "{:?}", found.counter);
    assert!(found.score < 0.2, "{}", found.score);
}

#[test]
fn a_stranger_is_explained_as_one() {
    let against = Against::Provider("alpha".to_owned());
    let found = explain(&street(), &[seed("alpha", address(A, 1))], address(CDN, 1), &against);
    assert!(found.score < 0.01 && found.level != Level::Provider, "{}", found.score);
    assert!(!found.counter.is_empty());
}

#[test]
fn hosts_of_one_hand_that_no_seed_explains_are_a_hypothesis() {
    // More strangers, so that eight hosts are a small part.
    let mut hosts = street();
    for n in 0..=999_u16 {
        let mut facets = sshd(&format!("SSH-2.0-own{n}"), &format!("hassh-z{n}"), &format!("z{n}"));
        facets.extend(web(&format!("z{n}"), &format!("order-z{n}"), &format!("jarm-z{n}")));
        let [upper, lower] = n.to_be_bytes();
        hosts.push(host(10 + upper, lower, &facets));
    }
    let found = link(&hosts, &[seed("alpha", address(A, 1))], &[]);
    let theirs = found.clusters.iter().find(|cluster| cluster.members.iter().any(|one| one.address == address(B, 1)));
    let theirs = theirs.expect("the second provider shows by itself");
    assert!(!theirs.seeded && theirs.id.starts_with("c-"));
    let inside: BTreeSet<IpAddr> = theirs.members.iter().map(|one| one.address).collect();
    assert!(inside.is_subset(&block(B, 1..=8)), "{inside:?}");
}

#[test]
fn nothing_in_gives_nothing_out() {
    let found = link(&[], &[seed("alpha", address(A, 1))], &[]);
    assert_eq!((found.hosts, found.ranking.len(), found.clusters.len()), (0, 0, 0));
}

#[test]
fn a_seed_outside_the_population_claims_nobody() {
    let found = link(&street(), &[seed("alpha", address(200, 1))], &[]);
    assert!(found.ranking.is_empty());
}

/// The same facts as bytes, so that nothing may differ.
fn bytes(found: &Findings) -> String {
    serde_json::to_string(found).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_order_of_hosts_seeds_and_verdicts_does_not_matter(order in Just(street()).prop_shuffle(), turn in any::<bool>()) {
        let mut seeds = vec![seed("alpha", address(A, 1)), seed("alpha", address(A, 4)), seed("beta", address(B, 1))];
        let mut verdicts = vec![verdict("alpha", address(A, 12), false), verdict("beta", address(B, 3), true)];
        let expected = bytes(&link(&street(), &seeds, &verdicts));
        if turn {
            seeds.reverse();
            verdicts.reverse();
        }
        prop_assert_eq!(bytes(&link(&order, &seeds, &verdicts)), expected);
    }

    #[test]
    fn a_value_on_every_host_weighs_nothing(value in "[a-z]{1,8}") {
        let mut hosts = street();
        for host in &mut hosts {
            host.facets.push((FacetKind::RdpBuild, value.clone().into_bytes()));
        }
        let found = explain(&hosts, &[], address(A, 2), &Against::Host(address(STOCK, 1)));
        let rdp = found.evidence.iter().find(|row| row.group == "rdp").unwrap();
        prop_assert!(rdp.observed);
        prop_assert!(rdp.log10_counted.abs() < 0.01, "{:?}", rdp);
    }

    #[test]
    fn an_unrelated_host_moves_a_link_no_more_than_its_count_does(strangers in 1_u8..=40, one in 2_u8..=15) {
        let mut hosts = street();
        let before = explain(&hosts, &[], address(A, one), &Against::Host(address(A, 1)));
        let size = f64::from(u32::try_from(hosts.len()).unwrap());
        for n in 1..=strangers {
            hosts.push(host(9, n, &[(FacetKind::SshHostKey, format!("lonely{n}"))]));
        }
        let after = explain(&hosts, &[], address(A, one), &Against::Host(address(A, 1)));
        // The value's own count, and through the share of one hand those of the other eight groups.
        let most = 3.0 * ((size + f64::from(strangers)) / size).log10();
        for (old, new) in before.evidence.iter().zip(&after.evidence) {
            prop_assert!(new.log10_lr <= old.log10_lr + most + 1e-3, "{:?} {:?}", old, new);
        }
    }
}

#[test]
fn a_confirmed_host_like_nobody_is_in_its_cluster_among_many() {
    // So many that by its own score it would not be listed.
    let mut builder = Builder::new();
    let at = |n: u32| IpAddr::V4(Ipv4Addr::from(0x7f4d_0000 + n));
    for n in 0..90_000 {
        let mut one = HostFacts::new(at(n));
        one.asn = Some(64_500 + n % 7);
        builder.add(&one);
    }
    let (population, weights, labels) = (builder.finish(), Weights::builtin().unwrap(), Labels::builtin().unwrap());
    let found = Linkage::new(&population, &weights, &labels).rank(&[seed("p", at(77))], &[]);
    let cluster = found.clusters.first().unwrap();
    assert_eq!(cluster.members.iter().map(|one| one.address).collect::<Vec<IpAddr>>(), [at(77)]);
    assert_eq!(found.ranking.first().map(|one| (one.address, one.score)), Some((at(77), 1.0)));
}
