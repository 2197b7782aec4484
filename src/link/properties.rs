//! What must hold of any population, tried on made-up ones.

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::facet::{FacetKind, Group, HostFacts};
use crate::finding::Subject;

/// Kinds with their groups, as the linkage reads them.
const KINDS: [(FacetKind, Group); 14] = [
    (FacetKind::SshHostKey, Group::Key),
    (FacetKind::SshBanner, Group::Sshd),
    (FacetKind::SshHasshServer, Group::Sshd),
    (FacetKind::CertSha256, Group::Cert),
    (FacetKind::CertSubject, Group::Cert),
    (FacetKind::HttpHeaderOrder, Group::Web),
    (FacetKind::TlsJarm, Group::Web),
    (FacetKind::HttpBodySha256, Group::Page),
    (FacetKind::HttpTitle, Group::Page),
    (FacetKind::RdpComputerName, Group::Rdp),
    (FacetKind::RdpBuild, Group::Rdp),
    (FacetKind::SmtpBanner, Group::Mail),
    (FacetKind::HttpServer, Group::Web),
    (FacetKind::HttpBodySimhash, Group::Page),
];

fn address(number: usize) -> IpAddr {
    let [upper, lower] = u16::try_from(number).unwrap().to_be_bytes();
    Ipv4Addr::new(192, 0, upper, lower).into()
}

/// A host by small numbers: for each kind nothing, or one of a few values.
fn host(number: usize, values: &[u8], ports: &[u16]) -> HostFacts {
    let mut built = HostFacts::new(address(number));
    let shown = KINDS.iter().zip(values).filter(|(_, value)| **value > 0);
    built.facets =
        shown.map(|((kind, _), value)| (*kind, format!("{:016x}", u64::from(*value) << 20).into_bytes())).collect();
    built.open_ports = ports.to_vec();
    built
}

fn world() -> impl Strategy<Value = Vec<HostFacts>> {
    let one = (
        prop::collection::vec(0_u8..8, KINDS.len()),
        prop::collection::btree_set(prop_oneof![Just(22), Just(443), Just(8080), Just(20_000)], 0..3),
    );
    prop::collection::vec(one, 8..60).prop_map(|all| {
        let hosts = all.iter().enumerate();
        hosts.map(|(n, (values, ports))| host(n, values, &ports.iter().copied().collect::<Vec<u16>>())).collect()
    })
}

fn population(hosts: &[HostFacts]) -> Population {
    let mut builder = Builder::new();
    for host in hosts {
        builder.add(host);
    }
    builder.finish()
}

fn seeds() -> Vec<Seed> {
    let seed = |provider: &str, number| Seed {
        provider: provider.to_owned(),
        subject: Subject::Host(address(number)),
        why: "w".to_owned(),
        source: None,
        date: None,
        recorded_at: Timestamp::UNIX_EPOCH,
    };
    vec![seed("a", 0), seed("a", 1), seed("b", 2)]
}

fn explain(of: &Population, one: usize, against: &Against) -> Explanation {
    let (weights, labels) = (Weights::builtin().unwrap(), Labels::builtin().unwrap());
    Linkage::new(of, &weights, &labels).why(&seeds(), &[], address(one), against).unwrap()
}

fn linked(of: &Population) -> String {
    serde_json::to_string(
        &Linkage::new(of, &Weights::builtin().unwrap(), &Labels::builtin().unwrap()).run(&seeds(), &[]),
    )
    .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_group_that_one_side_does_not_show_has_the_ratio_one(mut hosts in world(), one in 3_usize..8, group in 0_usize..7, theirs in any::<bool>()) {
        let group = [Group::Key, Group::Sshd, Group::Cert, Group::Web, Group::Page, Group::Rdp, Group::Mail][group];
        let hidden = if theirs { 2 } else { one };
        hosts[hidden].facets.retain(|(kind, _)| !KINDS.contains(&(*kind, group)));
        // A page that answered without a title has one that is empty.
        if group == Group::Page {
            hosts[hidden].facets.retain(|(kind, _)| *kind != FacetKind::HttpHeaderOrder);
        }
        let population = population(&hosts);
        for against in [Against::Host(address(2)), Against::Provider("b".to_owned())] {
            // The grown set of a provider may show what its seed does not.
            if theirs && against != Against::Host(address(2)) {
                continue;
            }
            let told = explain(&population, one, &against);
            let row = told.evidence.iter().find(|row| row.group == group.as_str()).unwrap();
            prop_assert!(!row.observed && row.log10_lr == 0.0 && row.log10_counted == 0.0, "{:?}", row);
        }
    }

    #[test]
    fn a_host_that_shares_nothing_moves_no_ratio_beyond_the_change_in_counts(mut hosts in world(), one in 3_usize..8, strangers in 1_usize..30) {
        let against = Against::Host(address(2));
        let before = explain(&population(&hosts), one, &against);
        let size = hosts.len() as f64;
        for n in 0..strangers {
            let mut stranger = HostFacts::new(Ipv4Addr::new(203, 0, 113, u8::try_from(n).unwrap()).into());
            stranger.facets = KINDS.iter().map(|(kind, _)| (*kind, format!("only {n} {}", "x".repeat(n)).into_bytes())).collect();
            hosts.push(stranger);
        }
        let after = explain(&population(&hosts), one, &against);
        // The value's own count, and through the share of one hand those of the other eight groups.
        let most = 9.0 * ((size + strangers as f64 + 1.0) / size).log10();
        for (old, new) in before.evidence.iter().zip(&after.evidence) {
            prop_assert!(new.log10_lr <= old.log10_lr.max(0.0) + most + 1e-3, "{:?} {:?}", old, new);
        }
    }

    #[test]
    fn a_value_that_everybody_shows_weighs_nothing(mut hosts in world(), kind in 0_usize..KINDS.len(), one in 3_usize..8) {
        let (kind, group) = KINDS[kind];
        let others: Vec<FacetKind> = KINDS.iter().filter(|(_, of)| *of == group).map(|(kind, _)| *kind).collect();
        for host in &mut hosts {
            host.facets.retain(|(of, _)| !others.contains(of));
            host.facets.push((kind, b"00000000000000ff".to_vec()));
        }
        let told = explain(&population(&hosts), one, &Against::Host(address(2)));
        let row = told.evidence.iter().find(|row| row.group == group.as_str()).unwrap();
        prop_assert!(row.log10_lr.abs() <= 0.05 && row.log10_counted.abs() <= 0.05, "{:?}", row);
    }

    #[test]
    fn neither_order_nor_pieces_nor_threads_change_a_byte(hosts in world(), order in any::<prop::sample::Index>(), threads in prop::sample::select(vec![1_usize, 2, 8])) {
        let expected = linked(&population(&hosts));
        let mut turned = hosts.clone();
        turned.rotate_left(order.index(hosts.len()));
        turned.reverse();
        // Every hash table of every thread has its own order.
        let all: Vec<String> = std::thread::scope(|scope| {
            let made: Vec<_> = (0..threads).map(|_| scope.spawn(|| linked(&population(&turned)))).collect();
            made.into_iter().map(|one| one.join().unwrap()).collect()
        });
        for one in all {
            prop_assert_eq!(&one, &expected);
        }
    }

    #[test]
    fn kept_columns_give_what_made_columns_give(hosts in world()) {
        let made = population(&hosts);
        let part = |name: &str| {
            let bytes = made.to_part(name);
            Ok::<_, ()>(|| Some(bytes))
        };
        let back = Population::from_parts(part).unwrap().unwrap();
        prop_assert_eq!(linked(&back), linked(&made));
    }
}
