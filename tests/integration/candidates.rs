//! Candidate ranges, from files to a scope draft. The files are small and made up in the forms of the real ones; where they
//! name real networks, these are facts of the public case that the test tells (Unit 42, 2025-03-18).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Cursor;
use std::path::Path;
use std::process::{Command, Output};

use hostkin::range::behaviour::FEATURES;
use hostkin::range::density::listed_in;
use hostkin::range::fact::Use;
use hostkin::range::read::{How, read};
use hostkin::range::{
    AddressRange, Asn, Behaviour, Dataset, Densities, Format, Hazard, Held, HeldBuilder, Knowledge, Link, Looked,
    Ranking, Siblings, Start, control, rank,
};
use jiff::civil::{Date, date};

pub(crate) fn held(id: i64, format: Format, name: &str, day: Date, text: &str) -> Held {
    let mut builder = HeldBuilder::default();
    let how = How { format: Some(format), name: Some(name.to_owned()), ..How::default() };
    let reading = read(Cursor::new(text.to_owned().into_bytes()), name, &how, &mut |fact| {
        builder.add(fact);
        Ok(())
    })
    .unwrap();
    assert!(reading.flaw.is_none() && reading.lost == 0, "{name}: {:?}", reading.remarks);
    builder.finish(Dataset {
        id,
        format,
        name: name.to_owned(),
        source: name.to_owned(),
        date: day,
        sha256: [0; 32],
        bytes: 0,
        licence: String::new(),
        counts: reading.counts,
        whole: true,
        warnings: Vec::new(),
    })
}

pub(crate) fn drop_list(networks: &[&str]) -> String {
    let mut text = String::new();
    for net in networks {
        writeln!(text, "{{\"cidr\":\"{net}\",\"sblid\":\"SBL1\",\"rir\":\"x\"}}").unwrap();
    }
    writeln!(text, "{{\"type\":\"metadata\",\"timestamp\":1780000000,\"records\":{}}}", networks.len()).unwrap();
    text
}

pub(crate) fn asn_drop(rows: &[(u32, &str, &str)]) -> String {
    let row = |(asn, domain, name): &(u32, &str, &str)| {
        format!("{{\"asn\":{asn},\"rir\":\"x\",\"domain\":\"{domain}\",\"cc\":\"XX\",\"asname\":\"{name}\"}}\n")
    };
    let mut text: String = rows.iter().map(row).collect();
    writeln!(text, "{{\"type\":\"metadata\",\"timestamp\":1780000000,\"records\":{}}}", rows.len()).unwrap();
    text
}

const TABLE: &str = "62.60.226.0,62.60.226.255,214351,FEMO IT SOLUTIONS LIMITED\n\
    192.162.199.0,192.162.199.255,214351,FEMO IT SOLUTIONS LIMITED\n\
    80.10.0.0,80.10.255.255,30823,aurologic GmbH\n\
    81.10.0.0,81.10.0.255,64197,Innocent Customer GmbH\n\
    191.88.252.0,191.88.255.255,27831,Colombia Movil\n";

pub(crate) fn femo() -> Knowledge {
    Knowledge::new(vec![
        held(1, Format::Ip2asn, "table", date(2026, 6, 17), TABLE),
        held(2, Format::Drop, "drop", date(2026, 4, 5), &drop_list(&["62.60.226.0/24", "81.10.0.0/24"])),
        held(3, Format::AsnDrop, "asn-drop", date(2026, 10, 9), &asn_drop(&[(214_351, "as214351.com", "FEMOIT")])),
        held(4, Format::AsRel, "as-rel", date(2026, 9, 1), "30823|214351|-1\n30823|64197|-1\n"),
    ])
}

pub(crate) fn start(address: &str, day: Option<Date>, is_seed: bool) -> Start {
    Start { address: address.parse().unwrap(), date: day, is_seed }
}

pub(crate) fn ranges(ranking: &Ranking) -> Vec<String> {
    ranking.candidates.iter().map(|one| one.range.to_string()).collect()
}

#[test]
fn the_chain_of_the_case_is_found_and_its_upstream_widens_nothing() {
    let seed = start("62.60.226.112", Some(date(2026, 6, 20)), true);
    let ranking = rank(&femo(), &[seed], &Looked::default(), None);
    assert_eq!(ranges(&ranking), ["62.60.226.0/24", "192.162.199.0/24"]);
    let first = &ranking.candidates[0];
    assert!(first.reasons.iter().any(|one| one.link == Link::Announced && one.words.contains("FEMO IT SOLUTIONS")));
    assert!(first.reasons.iter().any(|one| one.link == Link::Listed && one.words.contains("on the deny list drop")));
    let said = ranking.evidence.join("\n");
    assert!(
        said.contains("AS30823 (aurologic GmbH), its only one on file; 1 of its 1 other known customers"),
        "{said}"
    );
    assert!(said.contains("deny list spamhaus-asn-drop") || said.contains("deny list asn-drop"), "{said}");
    assert!(ranking.refused.is_empty(), "{:?}", ranking.refused);
}

#[test]
fn a_customers_second_host_brings_its_own_network_and_no_second_provider() {
    let starts = [start("62.60.226.112", None, true), start("191.88.252.140", None, false)];
    let ranking = rank(&femo(), &starts, &Looked::default(), None);
    let theirs: Vec<_> =
        ranking.candidates.iter().filter(|one| one.range.start().to_string().starts_with("191.")).collect();
    assert_eq!(theirs.len(), 1, "{:?}", ranges(&ranking));
    assert!(theirs[0].range.count() <= 1024 && theirs[0].reasons.iter().all(|one| !one.link.rests_on_as()));
    assert!(!ranking.ases.contains(&Asn(27_831)));
}

#[test]
fn a_re_issued_number_and_re_assigned_space_are_not_followed() {
    // The holder's name changed between two states of the table.
    let before =
        "192.0.2.0,192.0.2.255,64190,Old Bulletproof Ltd\n198.51.100.0,198.51.100.255,64190,Old Bulletproof Ltd\n";
    let after =
        "192.0.2.0,192.0.2.255,64190,Societa Onesta S.p.A.\n203.0.113.0,203.0.113.255,64190,Societa Onesta S.p.A.\n";
    let knowledge = Knowledge::new(vec![
        held(1, Format::Ip2asn, "table", date(2025, 1, 1), before),
        held(2, Format::Ip2asn, "table", date(2026, 1, 1), after),
    ]);
    let ranking = rank(&knowledge, &[start("192.0.2.7", Some(date(2025, 2, 1)), true)], &Looked::default(), None);
    assert_eq!(ranges(&ranking), ["192.0.2.0/24"]);
    assert!(
        ranking.refused.iter().any(|one| one.contains("Old Bulletproof") && one.contains("Onesta")),
        "{:?}",
        ranking.refused
    );

    // The number was given out after the seed's day.
    let given = "2|ripencc|1|1|19830101|20260101|+0000\nripencc|*|asn|*|1|summary\nripencc|IT|asn|64190|1|20260301|allocated|x\n";
    let knowledge = Knowledge::new(vec![
        held(1, Format::Ip2asn, "table", date(2026, 4, 1), after),
        held(2, Format::Delegated, "delegated", date(2026, 4, 1), given),
    ]);
    let ranking = rank(&knowledge, &[start("192.0.2.7", Some(date(2025, 2, 1)), true)], &Looked::default(), None);
    assert!(ranking.refused.iter().any(|one| one.contains("re-issued")), "{:?}", ranking.refused);
    assert_eq!(ranges(&ranking), ["192.0.2.0/24"]);

    // The space was registered anew after the seed's day: nothing around it is proposed.
    let object = "inetnum: 192.0.2.0 - 192.0.2.255\nnetname: HONEST-NET\norg: ORG-H1-RIPE\nmnt-by: H-MNT\ncreated: 2026-02-01T00:00:00Z\nsource: RIPE\n";
    let knowledge = Knowledge::new(vec![
        held(1, Format::Ip2asn, "table", date(2025, 1, 1), before),
        held(2, Format::Rpsl, "ripe", date(2026, 4, 1), object),
    ]);
    let ranking = rank(&knowledge, &[start("192.0.2.7", Some(date(2025, 2, 1)), true)], &Looked::default(), None);
    assert!(ranking.refused.iter().any(|one| one.contains("re-assigned")), "{:?}", ranking.refused);
    assert!(ranking.candidates.iter().all(|one| one.reasons.iter().all(|reason| reason.link != Link::SubAllocation)));
}

#[test]
fn a_provider_that_moved_is_followed_by_its_networks() {
    let before = "192.0.2.0,192.0.2.255,44477,Stark Example Ltd\n198.51.100.0,198.51.100.255,44477,Stark Example Ltd\n";
    let after = "192.0.2.0,192.0.2.255,44477,Stark Example Ltd\n198.51.100.0,198.51.100.255,209847,WorkTitans B.V.\n";
    let knowledge = Knowledge::new(vec![
        held(1, Format::Ip2asn, "table", date(2025, 4, 1), before),
        held(2, Format::Ip2asn, "table", date(2025, 7, 1), after),
    ]);
    let ranking = rank(&knowledge, &[start("192.0.2.7", None, true)], &Looked::default(), None);
    let moved = ranking.candidates.iter().find(|one| one.range.to_string() == "198.51.100.0/24").unwrap();
    assert!(
        moved.reasons.iter().any(|one| one.link == Link::Former && one.words.contains("WorkTitans")),
        "{:?}",
        moved.reasons
    );
    // And back: a seed in the moved network names who announced it before.
    let ranking = rank(&knowledge, &[start("198.51.100.9", None, true)], &Looked::default(), None);
    let old = ranking.candidates.iter().find(|one| one.range.to_string() == "192.0.2.0/24").unwrap();
    assert!(old.reasons.iter().any(|one| one.link == Link::Before), "{:?}", old.reasons);
}

#[test]
fn sub_allocations_are_tied_by_registry_entries_and_not_by_a_resellers_account() {
    let mut text = String::from(
        "inetnum: 192.0.2.64 - 192.0.2.127\nnetname: BAD-NET-1\norg: ORG-B1-RIPE\nmnt-by: BAD-MNT\nmnt-by: RESELL-MNT\nsource: RIPE\n\n",
    );
    text += "inetnum: 203.0.113.32 - 203.0.113.63\nnetname: OTHER\nmnt-by: BAD-MNT\nsource: RIPE\n\n";
    for n in 0..250 {
        let lines = ["netname: CUSTOMER", "mnt-by: RESELL-MNT", "source: RIPE"].join("\n");
        text.extend([format!("inetnum: 198.51.{n}.0 - 198.51.{n}.255\n{lines}\n\n")]);
    }
    let knowledge = Knowledge::new(vec![held(1, Format::Rpsl, "ripe", date(2026, 1, 1), &text)]);
    let ranking = rank(&knowledge, &[start("192.0.2.70", None, true)], &Looked::default(), None);
    assert_eq!(ranking.candidates[0].range.to_string(), "192.0.2.64/26", "{:?}", ranges(&ranking));
    assert!(ranges(&ranking).contains(&"203.0.113.32/27".to_owned()));
    assert!(!ranges(&ranking).iter().any(|range| range.starts_with("198.51.")), "{:?}", ranges(&ranking));
    assert!(ranking.evidence.iter().any(|one| one.contains("reseller")));
}

#[test]
fn collateral_is_named_and_lowers_the_rank_and_hosts_looked_at_count() {
    let clouds = "{\"prefixes\":[\"192.162.199.0/24\"]}";
    let mut tables = vec![held(9, Format::Cloud, "bigcloud", date(2026, 1, 1), clouds)];
    tables.push(held(1, Format::Ip2asn, "table", date(2026, 6, 17), TABLE));
    let ranking = rank(&Knowledge::new(tables), &[start("62.60.226.112", None, true)], &Looked::default(), None);
    let last = ranking.candidates.last().unwrap();
    assert_eq!(last.range.to_string(), "192.162.199.0/24");
    assert!(last.collateral.iter().any(|one| one.contains("innocent")), "{:?}", last.collateral);

    let seen = (0..40).map(|n| (format!("62.60.226.{n}").parse().unwrap(), false)).collect();
    let before = rank(&femo(), &[start("62.60.226.112", None, true)], &Looked::default(), None);
    let after = rank(&femo(), &[start("62.60.226.112", None, true)], &Looked { hosts: seen }, None);
    let of = |ranking: &Ranking| {
        ranking.candidates.iter().find(|one| one.range.to_string() == "62.60.226.0/24").unwrap().per_thousand
    };
    assert!(of(&after) < of(&before) / 3.0, "{} {}", of(&after), of(&before));
}

#[test]
fn sisters_share_a_holder_and_strangers_share_only_words_of_the_trade() {
    let table = "192.0.2.0,192.0.2.255,64001,Examplix Group LLC\n198.51.100.0,198.51.100.255,64002,EXAMPLIX INTERNATIONAL LTD\n\
        203.0.113.0,203.0.113.255,64003,Global Telecom Group LLC\n80.1.0.0,80.1.0.255,64004,Global Telecom Services Ltd\n";
    let knowledge = Knowledge::new(vec![held(1, Format::Ip2asn, "table", date(2026, 1, 1), table)]);
    let siblings = Siblings::new(&knowledge, None, true);
    let of = |asn| siblings.of(Asn(asn)).into_iter().map(|one| one.asn.0).collect::<Vec<_>>();
    assert_eq!((of(64_001), of(64_003)), (vec![64_002], vec![]));

    // A short name is a company's only as a whole.
    let names = "asn,name\n64001,Beispiel-Solutions\n64002,Beispiel Solutions S.R.L.\n64003,BEISPIEL-PEER\n64004,TELECOM-AS\n\
        64005,Telecom Ltd\n";
    let knowledge = Knowledge::new(vec![held(1, Format::AsNames, "names", date(2026, 1, 1), names)]);
    let siblings = Siblings::new(&knowledge, None, true);
    let of = |asn| siblings.of(Asn(asn)).into_iter().map(|one| one.asn.0).collect::<Vec<_>>();
    assert_eq!((of(64_001), of(64_003), of(64_004)), (vec![64_002], vec![], vec![]));
}

#[test]
fn behaviour_tells_values_beside_like_ases_and_never_a_score_without_its_base_rate() {
    let mut table = String::new();
    for n in 0..40 {
        writeln!(table, "80.{n}.0.0,80.{n}.3.255,{},Net {n}", 100 + n).unwrap();
    }
    // One that is strewn over many blocks in small pieces, and listed.
    for n in 0..4 {
        writeln!(table, "{}.7.0.0,{}.7.0.255,200,Strewn Ltd", 90 + n, 90 + n).unwrap();
    }
    let knowledge = Knowledge::new(vec![
        held(1, Format::Ip2asn, "table", date(2026, 1, 1), &table),
        held(2, Format::Drop, "drop", date(2026, 1, 1), &drop_list(&["90.7.0.0/24"])),
    ]);
    let behaviour = Behaviour::new(&knowledge, None);
    let values = behaviour.values(Asn(200)).unwrap();
    let of = |name: &str| FEATURES.iter().position(|one| one.name == name).and_then(|at| values[at]).unwrap();
    assert_eq!((of("prefixes").value, of("spread_8").value, of("addresses").value), (4.0, 4.0, 1024.0));
    assert!(of("spread_8").percentile.unwrap() > 0.95);
    let score = behaviour.score(Asn(200)).unwrap();
    assert_eq!((score.ases, score.listed, score.listed_as_high, score.unlisted_as_high), (41, 1, 0, 0));
    let innocent = behaviour.score(Asn(105)).unwrap();
    assert_eq!((innocent.listed_as_high, innocent.unlisted_as_high), (1, 39));
    assert!(behaviour.score(Asn(1)).is_none());
}

#[test]
fn near_a_listed_network_the_hazard_is_higher_and_scanners_are_not_dense() {
    let hosts = "# list\n198.51.100.1\n198.51.100.2\n198.51.100.3\n192.0.2.9\n";
    let scanner = "{\"prefixes\":[\"198.51.100.0/24\"]}";
    let mut builder = HeldBuilder::default();
    let how = How { format: Some(Format::Cloud), used_for: Some(Use::Scanner), ..How::default() };
    let reading = read(Cursor::new(scanner.as_bytes().to_vec()), "scan", &how, &mut |fact| {
        builder.add(fact);
        Ok(())
    })
    .unwrap();
    let mut about = held(5, Format::Drop, "x", date(2026, 1, 1), &drop_list(&["203.0.113.0/24"])).about;
    (about.format, about.counts, about.id) = (Format::Cloud, reading.counts, 9);
    let table = "192.0.2.0,192.0.2.255,200,Small\n198.51.100.0,198.51.100.255,300,Scanner\n";
    let knowledge = Knowledge::new(vec![
        builder.finish(about),
        held(1, Format::Ip2asn, "table", date(2026, 1, 1), table),
        held(2, Format::Drop, "drop", date(2026, 1, 1), &drop_list(&["80.0.4.0/24", "80.0.6.0/24"])),
        held(3, Format::Netset, "hosts", date(2026, 1, 1), hosts),
    ]);
    let densities = Densities::new(&knowledge, None);
    assert_eq!((densities.count(Asn(200)).listed, densities.count(Asn(300)).listed), (1, 0));
    let range = AddressRange::of("192.0.2.0/24".parse().unwrap());
    assert_eq!(listed_in(&knowledge, &range, None).listed, 1);
    let hazard = Hazard::new(&knowledge, None, &[Asn(200)].into());
    let block = |text: &str| text.parse::<std::net::Ipv4Addr>().unwrap().to_bits() >> 8;
    let chance = |text: &str| hazard.chance(block(text));
    assert!(chance("80.0.5.0") > 20.0 * chance("150.1.1.0"), "{} {}", chance("80.0.5.0"), chance("150.1.1.0"));
    assert!(hazard.is_listed(block("80.0.4.0")) && !hazard.is_listed(block("80.0.5.0")));
    assert!(hazard.is_reported(block("192.0.2.0")) && chance("192.0.2.0") > 0.001);
    assert_eq!(hazard.distance(block("80.0.5.0")), 1);
}

#[test]
fn control_ranges_lie_outside_of_all_suspicion() {
    let mut table = String::from("192.0.2.0,192.0.2.255,64001,Parent\n");
    for n in 0..20 {
        writeln!(table, "198.51.{n}.0,198.51.{n}.255,64001,Parent").unwrap();
    }
    let knowledge = Knowledge::new(vec![
        held(1, Format::Ip2asn, "table", date(2026, 1, 1), &table),
        held(2, Format::Drop, "drop", date(2026, 1, 1), &drop_list(&["198.51.3.0/24"])),
    ]);
    let range = |net: &str| AddressRange::of(net.parse().unwrap());
    let suspected = [range("192.0.2.0/24"), range("198.51.5.0/24")];
    let found = control(&knowledge, range("192.0.2.0/24"), &suspected, &[Asn(64_001)].into(), None);
    let addresses: u128 = found.networks.iter().map(|net| AddressRange::of(*net).count()).sum();
    assert!(addresses >= 1024, "{found:?}");
    for bad in ["192.0.2.0/24", "198.51.3.0/24", "198.51.5.0/24"] {
        assert!(found.networks.iter().all(|net| net.to_string() != bad), "{found:?}");
    }
    assert!(found.words.contains("AS64001"), "{}", found.words);
}

fn hostkin(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostkin"));
    command.current_dir(folder).args(args).env("COLUMNS", "160").env("HOSTKIN_ACTOR", "tester").output().unwrap()
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn from_a_fresh_case_to_a_draft_that_a_person_must_complete() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let scope = "schema = \"hostkin/scope/1\"\ntitle = \"t\"\nauthority = \"a\"\nlab = true\nvalid_from = 2020-01-01T00:00:00Z\n\
        valid_until = 2099-01-01T00:00:00Z\n[[grant]]\nnetworks = [\"127.0.0.1/32\"]\nports = { ssh = [22] }\n";
    std::fs::write(here.join("scope.toml"), scope).unwrap();
    let odd = TABLE.replace("FEMO IT SOLUTIONS LIMITED", "FEMO \u{202e}<b>\u{1b}[31m LIMITED");
    std::fs::write(here.join("table-2026-06-17.csv"), odd).unwrap();
    std::fs::write(here.join("drop.json"), drop_list(&["62.60.226.0/24"])).unwrap();
    out(&hostkin(here, &["new", "x.case", "--scope", "scope.toml"]));
    let refused = hostkin(here, &["ranges", "x.case"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("hostkin seed"), "{refused:?}");
    out(&hostkin(here, &["seed", "x.case", "62.60.226.112", "--why", "test"]));
    out(&hostkin(here, &["data", "import", "x.case", "--format", "ip2asn", "table-2026-06-17.csv"]));
    out(&hostkin(here, &["data", "import", "x.case", "drop.json"]));

    let table = out(&hostkin(here, &["ranges", "x.case"]));
    assert!(table.contains("62.60.226.0/24") && !table.contains('\u{1b}') && !table.contains('\u{202e}'), "{table}");
    let rows: Vec<serde_json::Value> = out(&hostkin(here, &["ranges", "x.case", "--json"]))
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows[0]["range"], "62.60.226.0/24");
    assert!(rows[0]["reasons"].as_array().unwrap().iter().any(|one| one["link"] == "announced"));
    let why = out(&hostkin(here, &["ranges", "x.case", "--why", "1"]));
    assert!(
        why.contains("holds the seed 62.60.226.112") && why.contains("against") && !why.contains('\u{1b}'),
        "{why}"
    );

    out(&hostkin(here, &["ranges", "x.case", "--reject", "192.162.199.0/24", "--because", "sold"]));
    out(&hostkin(here, &["ranges", "x.case", "--approve", "1", "-o", "draft.toml"]));
    let draft = std::fs::read_to_string(here.join("draft.toml")).unwrap();
    assert!(draft.contains("[[grant]]") && draft.contains("networks = [\"192.162.199.0/24\"]"), "{draft}");
    assert!(!draft.contains('\u{1b}') && !draft.contains('\u{202e}'), "{draft}");
    let checked = hostkin(here, &["scope", "check", "draft.toml"]);
    let words = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert_eq!(checked.status.code(), Some(3), "{words}");
    assert!(words.contains("draft") && words.contains("nobody has authorised it"), "{words}");
    assert_eq!(hostkin(here, &["new", "y.case", "--scope", "draft.toml"]).status.code(), Some(3));

    let rows = out(&hostkin(here, &["ranges", "x.case", "--json"]));
    let states: BTreeMap<String, serde_json::Value> = rows
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|row| (row["range"].as_str().unwrap().to_owned(), row["state"].clone()))
        .collect();
    assert_eq!((&states["62.60.226.0/24"], &states["192.162.199.0/24"]), (&"approved".into(), &"rejected".into()));

    std::fs::write(here.join("20260601.as-rel.txt"), "30823|214351|-1\n3356|214351|-1\n30823|64197|-1\n").unwrap();
    std::fs::write(here.join("20260901.as-rel.txt"), "30823|214351|-1\n30823|64197|-1\n").unwrap();
    out(&hostkin(here, &["data", "import", "x.case", "20260601.as-rel.txt", "20260901.as-rel.txt"]));
    let told = hostkin(here, &["ranges", "x.case"]);
    let words = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(words.contains("reaches the Internet through AS30823") && words.contains("nothing was widened"), "{words}");
    assert!(!out(&told).contains("80.10.0.0"), "an upstream widens nothing");
    let rows = out(&hostkin(here, &["as", "x.case", "214351", "--json"]));
    let row: serde_json::Value = serde_json::from_str(&rows).unwrap();
    assert_eq!(row["sections"]["upstreams: evidence only, they serve innocents too"][0], "AS30823 (aurologic GmbH)");
    assert_eq!(row["features"]["provider_churn"]["value"], 0.5);
    assert_eq!(row["features"]["link_stability"]["value"], 0.5);
    let look = out(&hostkin(here, &["as", "x.case", "AS214351"]));
    assert!(look.contains("192.162.199.0/24") && look.contains("like size") && !look.contains('\u{1b}'), "{look}");
    let look = out(&hostkin(here, &["ip", "x.case", "62.60.226.112", "--date", "2026-06-20"]));
    assert!(look.contains("62.60.226.0/24 by AS214351"), "{look}");
    let early = out(&hostkin(here, &["ip", "x.case", "62.60.226.112", "--date", "2020-01-01"]));
    assert!(!early.contains("AS214351"), "{early}");
    let page = out(&hostkin(here, &["export", "x.case", "report"]));
    assert!(
        page.contains("<svg")
            && page.contains("The networks around the seed 62.60.226.112")
            && !page.contains("<b>\\u"),
        "no pictures"
    );
}
