//! The order of candidate ranges: what it hangs on, and what it must not hang on.

use hostkin::range::behaviour::FEATURES;
use hostkin::range::{Asn, Behaviour, Format, Knowledge, Link, Looked, Ranking, Start, rank, rank_with};
use jiff::civil::date;

use super::candidates::{asn_drop, drop_list, femo, held, ranges, start};

/// The networks around the two hosts of the framework's case, with another AS of no tie to them.
fn gshell() -> Knowledge {
    let table = "134.122.163.0,134.122.255.255,152194,CTG Server Limited\n1.32.205.0,1.32.205.255,152194,CTG Server Limited\n\
        1.32.228.0,1.32.229.255,152194,CTG Server Limited\n134.122.0.0,134.122.127.255,14061,DigitalOcean LLC\n";
    Knowledge::new(vec![
        held(1, Format::Ip2asn, "table", date(2026, 6, 17), table),
        held(2, Format::AsnDrop, "asn-drop", date(2026, 10, 9), &asn_drop(&[(152_194, "ctgserver.com", "CTGSERVER")])),
    ])
}

/// The hoster that moved: its networks are another AS's now.
fn stark() -> Knowledge {
    let before = "45.15.156.0,45.15.156.255,44477,STARK INDUSTRIES SOLUTIONS LTD\n\
        77.91.68.0,77.91.68.255,44477,STARK INDUSTRIES SOLUTIONS LTD\n";
    let after = "45.15.156.0,45.15.156.255,209847,WorkTitans B.V.\n77.91.68.0,77.91.68.255,33993,UFO Hosting LLC\n\
        80.66.75.0,80.66.75.255,209847,WorkTitans B.V.\n203.0.113.0,203.0.113.255,216309,Somebody Else Srl\n";
    let sisters = asn_drop(&[
        (209_847, "stark-industries.solutions", "WT"),
        (33_993, "stark-industries.solutions", "UFO"),
        (44_477, "stark-industries.solutions", "STARK"),
    ]);
    Knowledge::new(vec![
        held(1, Format::Ip2asn, "table", date(2025, 3, 1), before),
        held(2, Format::Ip2asn, "table", date(2026, 6, 17), after),
        held(3, Format::AsnDrop, "asn-drop", date(2026, 6, 17), &sisters),
    ])
}

fn cases() -> Vec<(&'static str, Knowledge, Vec<Start>)> {
    vec![
        ("customer", femo(), vec![start("62.60.226.112", None, true)]),
        ("framework", gshell(), vec![start("134.122.204.86", None, true), start("134.122.204.106", None, true)]),
        ("moved", stark(), vec![start("45.15.156.9", None, true)]),
    ]
}

#[test]
fn the_order_of_the_public_cases_does_not_hang_on_the_working_values_within_a_factor_of_two() {
    for (name, knowledge, starts) in cases() {
        let usual = rank(&knowledge, &starts, &Looked::default(), None);
        assert!(usual.candidates.len() > 1, "{name}");
        // A network of the AS it moved to and one of a sister are equally near: which comes first is chance.
        let firm = if name == "moved" { 1 } else { usual.candidates.len() };
        for link in Link::ALL {
            for factor in [0.5, 2.0] {
                let times = move |one: Link| if one == link { factor } else { 1.0 };
                let other = rank_with(&knowledge, &starts, &Looked::default(), None, &times);
                let (mut usual, mut other) = (ranges(&usual), ranges(&other));
                assert_eq!(usual[..firm], other[..firm], "{name}: {} times {factor}", link.as_str());
                usual.sort_unstable();
                other.sort_unstable();
                assert_eq!(usual, other, "{name}: {} times {factor}", link.as_str());
            }
        }
    }
}

#[test]
fn no_stranger_of_the_public_cases_is_proposed() {
    for (name, knowledge, starts) in cases() {
        let ranking: Ranking = rank(&knowledge, &starts, &Looked::default(), None);
        for stranger in ["81.10.0.0/24", "134.122.0.0/17", "203.0.113.0/24", "191.88.252.0/22", "80.10.0.0/16"] {
            assert!(!ranges(&ranking).contains(&stranger.to_owned()), "{name}: {stranger}");
        }
        for number in [216_309, 14_061, 30_823, 64_197] {
            assert!(!ranking.ases.contains(&Asn(number)), "{name}: AS{number}");
        }
    }
    let (name, knowledge, starts) = cases().remove(0);
    let first = rank(&knowledge, &starts, &Looked::default(), None).candidates.swap_remove(0);
    assert!(first.range.start() <= starts[0].address && starts[0].address <= first.range.end(), "{name}");
}

#[test]
fn the_place_next_to_the_seed_comes_before_the_wide_network_around_it_and_before_the_rest_of_its_as() {
    let table = "80.10.0.0,80.10.255.255,64001,Wide Ltd\n90.1.1.0,90.1.1.255,64001,Wide Ltd\n";
    let registry = "inetnum: 80.10.7.0 - 80.10.7.255\nnetname: SEEDS-PLACE\nsource: RIPE\n";
    let seed = [start("80.10.7.9", None, true)];
    let table = || held(1, Format::Ip2asn, "table", date(2026, 1, 1), table);
    let alone = rank(&Knowledge::new(vec![table()]), &seed, &Looked::default(), None);
    assert_eq!(ranges(&alone), ["80.10.7.0/24", "90.1.1.0/24", "80.10.0.0/16"]);
    let words: Vec<&str> = alone.candidates[0].reasons.iter().map(|one| one.words.as_str()).collect();
    assert!(words.iter().any(|one| one.contains("the 256 addresses next to the seed 80.10.7.9")), "{words:?}");
    let both = vec![table(), held(2, Format::Rpsl, "ripe", date(2026, 1, 1), registry)];
    let both = rank(&Knowledge::new(both), &seed, &Looked::default(), None);
    let links: Vec<Link> = both.candidates[0].reasons.iter().map(|one| one.link).collect();
    assert!(links.contains(&Link::SubAllocation) && links.contains(&Link::Announced), "{links:?}");
    assert_eq!(ranges(&both)[0], "80.10.7.0/24");
}

#[test]
fn lasting_upstreams_and_leased_space_are_told_of_an_as() {
    let table = "80.10.0.0,80.10.0.255,64001,Lessor Ltd\n80.10.1.0,80.10.1.255,64001,Lessor Ltd\n80.20.0.0,80.20.0.255,64002,Own Ltd\n";
    let registry = "aut-num: AS64001\nas-name: A\norg: ORG-A-RIPE\nsource: RIPE\n\n\
        inetnum: 80.10.0.0 - 80.10.0.255\nnetname: A-OWN\norg: ORG-A-RIPE\nsource: RIPE\n\n\
        inetnum: 80.10.1.0 - 80.10.1.255\nnetname: LENT\norg: ORG-B-RIPE\nsource: RIPE\n\n\
        inetnum: 80.20.0.0 - 80.20.0.255\nnetname: NO-ORG\nsource: RIPE\n";
    let mut all = vec![
        held(1, Format::Ip2asn, "table", date(2026, 1, 1), table),
        held(2, Format::Rpsl, "ripe", date(2026, 1, 1), registry),
        held(3, Format::Drop, "drop", date(2026, 1, 1), &drop_list(&["80.10.1.0/24"])),
    ];
    for (at, second) in (1i8..=5).zip([64_011, 64_012, 64_012, 64_013, 64_012]) {
        let links = format!("64010|64001|-1\n{second}|64001|-1\n64010|64002|-1\n");
        all.push(held(3 + i64::from(at), Format::AsRel, "as-rel", date(2025, at, 1), &links));
    }
    let behaviour = Behaviour::new(&Knowledge::new(all), None);
    let of = |asn: u32, name: &str| {
        let place = FEATURES.iter().position(|one| one.name == name).unwrap();
        behaviour.values(Asn(asn)).unwrap()[place].map(|one| one.value)
    };
    assert_eq!((of(64_001, "leased"), of(64_002, "leased")), (Some(0.5), None));
    // 64010 in five of five tables, 64012 in three, the others in one.
    assert_eq!((of(64_001, "link_stability"), of(64_002, "link_stability")), (Some(0.25), Some(1.0)));
    assert!(of(64_001, "provider_churn").unwrap() > 0.4 && of(64_002, "provider_churn") == Some(0.0));
}

#[test]
fn names_in_reverse_dns_tie_ranges_but_not_by_one_machine_and_not_by_a_large_hosters_naming() {
    let mut names = String::from("192.0.2.9\tvm9.example.net\n192.0.2.9\tstatic.big-host.example.com\n");
    for n in 1..=3 {
        names.extend([format!("198.51.100.{n}\tvm{n}.Example.NET.\n")]);
    }
    names += "203.0.113.5\tmail.example.net\n";
    for block in 0..=250 {
        for n in 1..=3 {
            names.extend([format!("80.7.{block}.{n}\ts{n}.big-host.example.com\n")]);
        }
    }
    let tables = vec![held(1, Format::Ptr, "ptr", date(2026, 1, 1), &names)];
    let ranking = rank(&Knowledge::new(tables), &[start("192.0.2.9", None, true)], &Looked::default(), None);
    assert_eq!(ranges(&ranking), ["192.0.2.0/24", "198.51.100.0/24"]);
    let words = &ranking.candidates[1].reasons[0].words;
    assert!(words.contains("3 of its addresses have names in reverse DNS under example.net"), "{words}");
    assert!(ranking.candidates.iter().all(|one| one.collateral.is_empty()));
    assert!(ranking.evidence.iter().any(|one| one.contains("under example.com")), "{:?}", ranking.evidence);
}
