//! Strangers who stand in the files beside a provider, and must not be followed: the labelled ones whom public tables took
//! for the provider's by mistake or whose numbers were re-issued, and the kinds of entries that thousands share. The files
//! are small and made up in the forms of the real ones.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use hostkin::range::{Asn, Format, Knowledge, Link, Looked, Ranking, Siblings, Tie, rank};
use jiff::civil::date;

use super::candidates::{asn_drop, held, ranges, start};

fn ranked(knowledge: &Knowledge, seed: &str) -> Ranking {
    rank(knowledge, &[start(seed, None, true)], &Looked::default(), None)
}

fn sisters(knowledge: &Knowledge, asn: u32) -> Vec<u32> {
    Siblings::new(knowledge, None, true).of(Asn(asn)).into_iter().map(|one| one.asn.0).collect()
}

/// AS215552 was taken for Aeza's: here it shares an upstream, words of the trade in its name, and the account of the member
/// that vouches for both.
#[test]
fn a_stranger_with_a_like_name_an_upstream_and_a_registrar_in_common_is_not_followed() {
    let table = "192.0.2.0,192.0.2.255,210644,AEZA INTERNATIONAL LTD\n198.51.100.0,198.51.100.255,216246,Aeza Group LLC\n\
        203.0.113.0,203.0.113.255,215552,Hosting International Group LTD\n80.10.0.0,80.10.255.255,30823,aurologic GmbH\n";
    let entry = |asn: u32, org: &str| {
        format!(
            "aut-num: AS{asn}\nas-name: X{asn}\norg: {org}\nsponsoring-org: ORG-REG1-RIPE\nmnt-by: RIPE-NCC-END-MNT\nmnt-by: REG-MNT\nabuse-c: REG-RIPE\nsource: RIPE\n\n"
        )
    };
    let registry = entry(210_644, "ORG-A1-RIPE") + &entry(215_552, "ORG-S1-RIPE");
    let knowledge = Knowledge::new(vec![
        held(1, Format::Ip2asn, "table", date(2026, 6, 17), table),
        held(2, Format::Rpsl, "ripe", date(2026, 6, 17), &registry),
        held(3, Format::AsRel, "rel", date(2026, 6, 1), "30823|210644|-1\n30823|215552|-1\n30823|216246|-1\n"),
    ]);
    assert_eq!(sisters(&knowledge, 210_644), [216_246]);
    let ranking = ranked(&knowledge, "192.0.2.7");
    assert_eq!(ranges(&ranking), ["192.0.2.0/24", "198.51.100.0/24"]);
    assert!(ranking.evidence.iter().any(|one| one.contains("AS30823")), "{:?}", ranking.evidence);
    // The same account on a sister with the same organisation ties as before, and on one that nobody vouches for.
    let own = registry.replace("ORG-S1-RIPE", "ORG-A1-RIPE");
    let own = Knowledge::new(vec![held(2, Format::Rpsl, "ripe", date(2026, 6, 17), &own)]);
    assert_eq!(sisters(&own, 210_644), [215_552]);
    let alone = registry.replace("sponsoring-org: ORG-REG1-RIPE\n", "");
    let alone = Knowledge::new(vec![held(2, Format::Rpsl, "ripe", date(2026, 6, 17), &alone)]);
    assert_eq!(sisters(&alone, 210_644), [215_552]);
}

#[test]
fn a_maintainer_of_many_organisations_numbers_makes_no_sisters() {
    let mut registry = String::new();
    for n in 0..7 {
        let lines = format!("org: ORG-H{n}-RIPE\nmnt-by: REGISTRAR-MNT\nabuse-c: REG-RIPE\nsource: RIPE");
        write!(registry, "aut-num: AS{}\nas-name: N{n}\n{lines}\n\n", 64_100 + n).unwrap();
    }
    let knowledge = Knowledge::new(vec![held(1, Format::Rpsl, "ripe", date(2026, 1, 1), &registry)]);
    assert_eq!(sisters(&knowledge, 64_100), [0u32; 0]);
}

#[test]
fn a_web_page_is_told_as_the_ases_own_word_and_a_lists_domain_as_the_lists() {
    let pages = "{\"net\":{\"data\":[{\"id\":1,\"org_id\":1,\"asn\":64001,\"name\":\"One\",\"website\":\"https://x.example/\"},\
        {\"id\":2,\"org_id\":2,\"asn\":64002,\"name\":\"Two\",\"website\":\"https://x.example\"}]}}";
    let list = asn_drop(&[(64_001, "y.example", "ONE"), (64_003, "y.example", "THREE")]);
    let knowledge = Knowledge::new(vec![
        held(1, Format::Peeringdb, "pdb", date(2026, 1, 1), pages),
        held(2, Format::AsnDrop, "asn-drop", date(2026, 1, 1), &list),
    ]);
    let found = Siblings::new(&knowledge, None, true).of(Asn(64_001));
    let ties: Vec<(u32, Vec<Tie>)> =
        found.iter().map(|one| (one.asn.0, one.ties.iter().map(|(tie, _)| *tie).collect())).collect();
    assert_eq!(ties, [(64_002, vec![Tie::Website]), (64_003, vec![Tie::Domain])]);
}

#[test]
fn a_seed_older_than_every_file_is_told() {
    let table = held(1, Format::Pfx2as, "t", date(2026, 1, 1), "192.0.2.0\t24\t64001\n");
    let seed = start("192.0.2.7", Some(date(2020, 1, 1)), true);
    let ranking = rank(&Knowledge::new(vec![table]), &[seed], &Looked::default(), None);
    let told = ranking.evidence.iter().any(|one| one.contains("2020-01-01") && one.contains("no file tells"));
    assert!(told, "{:?}", ranking.evidence);
}

/// AS198465 was the provider's number before, and was given out anew.
#[test]
fn an_earlier_number_that_was_given_out_anew_is_not_followed() {
    let before = "192.0.2.0,192.0.2.255,198465,BtHoster LTD\n";
    let after = "192.0.2.0,192.0.2.255,213790,BtHoster LTD\n203.0.113.0,203.0.113.255,198465,Beijing Example Co Ltd\n";
    let given = "2|ripencc|1|1|19830101|20260601|+0000\nripencc|*|asn|*|1|summary\nripencc|CN|asn|198465|1|20260301|allocated|y\n";
    let knowledge = Knowledge::new(vec![
        held(1, Format::Ip2asn, "table", date(2025, 1, 1), before),
        held(2, Format::Ip2asn, "table", date(2026, 6, 17), after),
        held(3, Format::Delegated, "delegated", date(2026, 6, 1), given),
    ]);
    let ranking = ranked(&knowledge, "192.0.2.7");
    assert_eq!(ranges(&ranking), ["192.0.2.0/24"]);
    let refused = ranking.refused.join("\n");
    assert!(refused.contains("AS198465") && refused.contains("re-issued"), "{refused}");
}

/// AS203727 was the provider's number before; only the names of two tables tell.
#[test]
fn an_earlier_number_that_has_another_name_now_is_not_followed() {
    let before = "192.0.2.0,192.0.2.255,203727,Alviva Holding Limited\n198.51.100.0,198.51.100.255,203727,Alviva Holding Limited\n";
    let after =
        "192.0.2.0,192.0.2.255,209946,Alviva Holding Limited\n203.0.113.0,203.0.113.255,203727,Honest Bakery Srl\n";
    let knowledge = Knowledge::new(vec![
        held(1, Format::Ip2asn, "table", date(2025, 1, 1), before),
        held(2, Format::Ip2asn, "table", date(2026, 6, 17), after),
    ]);
    assert_eq!(sisters(&knowledge, 209_946), [0u32; 0]);
    let ranking = ranked(&knowledge, "192.0.2.7");
    assert_eq!(ranges(&ranking), ["192.0.2.0/24"]);
    assert!(ranking.refused.iter().any(|one| one.contains("Honest Bakery")), "{:?}", ranking.refused);
}

#[test]
fn a_default_route_is_nobodys_network() {
    let table = "0.0.0.0\t0\t64001\n198.51.100.0\t24\t64001\n203.0.113.0\t24\t64002\n";
    let knowledge = Knowledge::new(vec![held(1, Format::Pfx2as, "t", date(2026, 1, 1), table)]);
    assert!(knowledge.origins_at("192.0.2.7".parse().unwrap(), None).is_none());
    assert_eq!(knowledge.covering("192.0.2.7".parse().unwrap(), None).len(), 1, "`ip` still shows it");
    assert_eq!(ranges(&ranked(&knowledge, "192.0.2.7")), ["192.0.2.0/24"]);
    let whole = ranges(&ranked(&knowledge, "198.51.100.7"));
    assert_eq!(whole, ["198.51.100.0/24"]);
}

#[test]
fn parts_of_a_wide_network_that_others_announce_are_not_proposed_for_lying_in_it() {
    let table = "80.0.0.0\t10\t64001\n80.1.1.0\t24\t64001\n80.2.0.0\t24\t64002\n80.3.0.0\t24\t64003\n";
    let knowledge = Knowledge::new(vec![held(1, Format::Pfx2as, "t", date(2026, 1, 1), table)]);
    let ranking = ranked(&knowledge, "80.7.7.7");
    let found = ranges(&ranking);
    assert!(found.contains(&"80.1.1.0/24".to_owned()) && found.contains(&"80.7.7.0/24".to_owned()), "{found:?}");
    assert!(!found.contains(&"80.2.0.0/24".to_owned()) && !found.contains(&"80.3.0.0/24".to_owned()), "{found:?}");
    assert!(ranking.evidence.iter().any(|one| one.contains("2 of the parts of 80.0.0.0/10")), "{:?}", ranking.evidence);
}

#[test]
fn the_networks_of_a_carrier_and_of_its_sisters_are_not_proposed() {
    let table = "80.0.0.0,80.63.255.255,64001,Examplix Telecom Ltd\n90.1.1.0,90.1.1.255,64001,Examplix Telecom Ltd\n\
        91.1.1.0,91.1.1.255,64002,Examplix Hosting Ltd\n";
    let knowledge = Knowledge::new(vec![held(1, Format::Ip2asn, "t", date(2026, 1, 1), table)]);
    let ranking = ranked(&knowledge, "90.1.1.7");
    assert_eq!(ranges(&ranking), ["90.1.1.0/24"]);
    assert!(ranking.evidence.iter().any(|one| one.contains("the size of a carrier")), "{:?}", ranking.evidence);
}

#[test]
fn a_set_of_ases_around_the_seed_is_told_and_none_of_them_followed() {
    use hostkin::range::fact::Origin;
    use hostkin::range::{Fact, HeldBuilder};
    let mut builder = HeldBuilder::default();
    let fact = |prefix: &str, origins: &[u32], is_set| {
        let origins = origins.iter().map(|asn| Asn(*asn)).collect();
        Fact::Origin(Origin { prefix: prefix.parse().unwrap(), origins, is_set, peers_seen: None })
    };
    builder.add(fact("192.0.2.0/24", &[64_001, 64_002], true));
    builder.add(fact("198.51.100.0/24", &[64_001], false));
    builder.add(fact("203.0.113.0/24", &[64_002, 64_003], false));
    let about = held(1, Format::Pfx2as, "t", date(2026, 1, 1), "192.0.2.0\t24\t64001\n").about;
    let knowledge = Knowledge::new(vec![builder.finish(about)]);
    let at = |address: &str| knowledge.origins_at(address.parse().unwrap(), None).unwrap().is_set;
    assert!(at("192.0.2.7") && !at("203.0.113.7"), "several origins by themselves are no set");
    let ranking = ranked(&knowledge, "192.0.2.7");
    assert_eq!(ranges(&ranking), ["192.0.2.0/24"]);
    assert!(ranking.ases.is_empty() && ranking.evidence.iter().any(|one| one.contains("several ASes")), "{ranking:?}");
    assert_eq!(ranges(&ranked(&knowledge, "198.51.100.7")), ["198.51.100.0/24"], "nor from a member's own network");
}

#[test]
fn registry_entries_that_thousands_share_tie_no_ranges() {
    let space = |net: &str, name: &str, rest: &str| format!("inetnum: {net}\nnetname: {name}\n{rest}source: RIPE\n\n");
    // A registry's account, an upstream's right to routes, and a name that says what a network is for.
    let common = "mnt-by: RIPE-NCC-HM-MNT\nmnt-routes: UPSTREAM-MNT\n";
    let text = space("192.0.2.0 - 192.0.2.63", "CUSTOMER-1", common)
        + &space("192.0.9.0 - 192.0.9.63", "CUSTOMER-2", common)
        + &space("203.0.113.0 - 203.0.113.63", "INNOCENT", common);
    let knowledge = |text: &str| Knowledge::new(vec![held(1, Format::Rpsl, "ripe", date(2026, 1, 1), text)]);
    let found = ranges(&ranked(&knowledge(&text), "192.0.2.7"));
    assert!(found.iter().all(|one| one.starts_with("192.0.2.")), "{found:?}");
    // The abuse desk of somebody who serves many organisations.
    let mut text = space("192.0.2.0 - 192.0.2.63", "SEED-PLACE", "org: ORG-X-RIPE\nabuse-c: DESK-RIPE\n");
    for n in 0..7 {
        text += &space(
            &format!("203.0.{n}.0 - 203.0.{n}.63"),
            &format!("SHOP{n}X"),
            &format!("org: ORG-S{n}-RIPE\nabuse-c: DESK-RIPE\n"),
        );
    }
    let ranking = ranked(&knowledge(&text), "192.0.2.7");
    assert!(ranges(&ranking).iter().all(|one| one.starts_with("192.0.2.")), "{:?}", ranges(&ranking));
    assert!(ranking.evidence.iter().any(|one| one.contains("somebody who serves them all")), "{:?}", ranking.evidence);
    // Space that a registry's entry calls somebody else's, and a whole family.
    let text = space("192.0.2.0 - 192.0.3.255", "NON-RIPE-NCC-MANAGED-ADDRESS-BLOCK", "")
        + "inet6num: ::/0\nnetname: ROOT\norg: ORG-R-RIPE\nsource: RIPE\n\ninet6num: 2001:db8::/32\nnetname: MEMBER\norg: ORG-R-RIPE\nsource: RIPE\n\n";
    for (seed, expected) in [("192.0.2.7", "192.0.2.0/24"), ("2001:db8::7", "2001:db8::/48")] {
        assert_eq!(ranges(&ranked(&knowledge(&text), seed)), [expected]);
    }
}

#[test]
fn a_seed_behind_a_delivery_network_says_nothing_of_its_neighbours() {
    let table = "192.0.2.0\t24\t64001\n198.51.100.0\t24\t64001\n";
    let cdn = "{\"name\":\"List of known Examplecdn ranges\",\"type\":\"cidr\",\"version\":20260101,\"list\":[\"192.0.2.0/24\"]}";
    let mut about = held(1, Format::Pfx2as, "t", date(2026, 1, 1), table).about;
    let mut builder = hostkin::range::HeldBuilder::default();
    let how = hostkin::range::read::How {
        format: Some(Format::Misp),
        used_for: Some(hostkin::range::fact::Use::Cdn),
        ..Default::default()
    };
    let reading = hostkin::range::read::read(std::io::Cursor::new(cdn.as_bytes()), "misp", &how, &mut |fact| {
        builder.add(fact);
        Ok(())
    })
    .unwrap();
    (about.id, about.format, about.counts) = (2, Format::Misp, reading.counts);
    let table = held(1, Format::Pfx2as, "t", date(2026, 1, 1), table);
    let ranking = ranked(&Knowledge::new(vec![table, builder.finish(about)]), "192.0.2.7");
    assert_eq!(ranges(&ranking), ["192.0.2.0/24"]);
    assert!(ranking.refused.iter().any(|one| one.contains("delivery network")), "{:?}", ranking.refused);
}

#[test]
fn files_later_than_the_day_asked_for_and_later_holders_of_the_space_are_left_out() {
    let row = |asn: u32, name: &str| {
        format!("192.0.2.0,192.0.2.255,{asn},{name}\n198.51.{}.0,198.51.{}.255,{asn},{name}\n", asn % 100, asn % 100)
    };
    let tables = || {
        vec![
            held(1, Format::Ip2asn, "t", date(2025, 1, 1), &row(64_001, "First Example Ltd")),
            held(2, Format::Ip2asn, "t", date(2026, 1, 1), &row(64_002, "Second Example Ltd")),
        ]
    };
    let day = Some(date(2025, 6, 1));
    let then = rank(&Knowledge::new(tables()), &[start("192.0.2.7", None, true)], &Looked::default(), day);
    assert_eq!(ranges(&then), ["192.0.2.0/24", "198.51.1.0/24"], "no table of a day to come");
    // The space went to a stranger after the seed's day.
    let mut all = tables();
    let object = "inetnum: 192.0.2.0 - 192.0.2.255\nnetname: HONEST-NET\ncreated: 2025-09-01T00:00:00Z\nsource: RIPE\n";
    all.push(held(3, Format::Rpsl, "ripe", date(2026, 1, 1), object));
    let ranking = rank(&Knowledge::new(all), &[start("192.0.2.7", day, true)], &Looked::default(), None);
    assert!(ranges(&ranking).iter().all(|one| one != "198.51.2.0/24"), "{:?}", ranges(&ranking));
    assert!(ranking.refused.iter().any(|one| one.contains("re-assigned")), "{:?}", ranking.refused);
}

#[test]
fn a_network_that_was_given_to_a_stranger_does_not_follow_the_as_that_lost_it() {
    let before = "192.0.2.0,192.0.2.255,64001,Example Ltd\n198.51.100.0,198.51.100.255,64001,Example Ltd\n";
    let after = "192.0.2.0,192.0.2.255,64001,Example Ltd\n198.51.100.0,198.51.100.255,64002,Bakery Srl\n";
    let object =
        "inetnum: 198.51.100.0 - 198.51.100.255\nnetname: BAKERY\ncreated: 2025-09-01T00:00:00Z\nsource: RIPE\n";
    let knowledge = Knowledge::new(vec![
        held(1, Format::Ip2asn, "t", date(2025, 1, 1), before),
        held(2, Format::Ip2asn, "t", date(2026, 1, 1), after),
        held(3, Format::Rpsl, "ripe", date(2026, 1, 1), object),
    ]);
    let ranking = ranked(&knowledge, "192.0.2.7");
    assert_eq!(ranges(&ranking), ["192.0.2.0/24"]);
    assert!(ranking.refused.iter().any(|one| one.contains("198.51.100.0/24")), "{:?}", ranking.refused);
}

#[test]
fn a_table_of_one_family_says_nothing_against_ranges_of_the_other() {
    let table = held(1, Format::Pfx2as, "t6", date(2026, 1, 1), "2001:db8::\t32\t64001\n");
    let ranking = ranked(&Knowledge::new(vec![table]), "192.0.2.7");
    assert!(ranking.candidates[0].against.is_empty(), "{:?}", ranking.candidates[0].against);
    // And in IPv6 what is next to a seed is its /48, not the /32 of all customers.
    let table = held(1, Format::Pfx2as, "t6", date(2026, 1, 1), "2001:db8::\t32\t64001\n");
    let ranking = ranked(&Knowledge::new(vec![table]), "2001:db8:7::9");
    let near = ranking.candidates.iter().find(|one| one.range.to_string() == "2001:db8:7::/48").unwrap();
    assert!(near.reasons.iter().any(|one| one.link == Link::Announced), "{:?}", near.reasons);
}

fn hostkin(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostkin"));
    command.current_dir(folder).args(args).env("COLUMNS", "80").env("HOSTKIN_ACTOR", "tester").output().unwrap()
}

#[test]
fn a_draft_leaves_alone_whom_the_cases_scope_leaves_alone_and_is_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let scope = "schema = \"hostkin/scope/1\"\ntitle = \"t\"\nauthority = \"a\"\nlab = true\nvalid_from = 2020-01-01T00:00:00Z\n\
        valid_until = 2099-01-01T00:00:00Z\n[[grant]]\nnetworks = [\"127.0.0.1/32\"]\nports = { ssh = [22] }\n\
        [exclude]\nnetworks = [\"80.10.7.128/25\"]\nfiles = [\"opt-out.txt\"]\n";
    std::fs::write(here.join("scope.toml"), scope).unwrap();
    std::fs::write(here.join("opt-out.txt"), "80.10.7.64/32\n").unwrap();
    std::fs::write(here.join("t-2026-06-17.csv"), "80.10.0.0,80.10.255.255,64001,Examplix Ltd\n").unwrap();
    let done = |args: &[&str]| {
        let output = hostkin(here, args);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words}");
        (String::from_utf8_lossy(&output.stdout).into_owned(), words)
    };
    done(&["new", "x.case", "--scope", "scope.toml"]);
    done(&["seed", "x.case", "80.10.7.9", "--why", "test"]);
    done(&["data", "import", "x.case", "--format", "ip2asn", "t-2026-06-17.csv"]);
    let (why, _) = done(&["ranges", "x.case", "--why", "1"]);
    assert!(why.lines().all(|line| line.chars().count() <= 80), "{why}");

    let (_, words) = done(&["ranges", "x.case", "--approve", "80.10.7.0/24", "80.10.0.0/16", "-o", "draft.toml"]);
    assert!(words.contains("a part of 80.10.7.0/24 lies in 80.10.7.128/25"), "{words}");
    let draft = std::fs::read_to_string(here.join("draft.toml")).unwrap();
    assert!(
        draft.contains("networks = [\"80.10.7.128/25\"]") && draft.contains("files = [\"opt-out.txt\"]"),
        "{draft}"
    );
    let again = hostkin(here, &["ranges", "x.case", "--approve", "80.10.7.0/24", "-o", "draft.toml"]);
    assert!(!again.status.success(), "a draft that a person may be completing was written over");
    assert_eq!(std::fs::read_to_string(here.join("draft.toml")).unwrap(), draft);

    // Completed, overlapping grants count each address once, and the exclusion holds.
    let filled = draft.replace("hostkin/scope-draft/1", "hostkin/scope/1").replace("# authority", "authority");
    let filled = filled.replace("# contact", "contact").replace("# page", "page").replace("# valid", "valid");
    std::fs::write(here.join("next.toml"), filled.replace("2026-02-01", "2099-02-01")).unwrap();
    let (shown, _) = done(&["scope", "check", "next.toml"]);
    assert!(
        shown.contains("65,408") || shown.contains("65408") || shown.contains("65,407") || shown.contains("65407"),
        "{shown}"
    );

    // What was rejected as a whole stays out, and the draft says so.
    done(&["ranges", "x.case", "--reject", "80.10.0.0/16"]);
    let (_, words) = done(&["ranges", "x.case", "--approve", "80.10.7.0/24", "-o", "second.toml"]);
    assert!(words.contains("all of 80.10.7.0/24 lies in 80.10.0.0/16, which was rejected"), "{words}");
}
