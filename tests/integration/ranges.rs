//! Public files: what is read of each form, what a case keeps of them, and what becomes of cut and damaged ones.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command as Program;

use hostkin::range::fact::{Fact, Listed, ObjectKey, Relation, Resource, Use};
use hostkin::range::read::{How, Place, ReadError, Reading, read};
use hostkin::range::{Asn, Dataset, FactKind, Format, Held, Knowledge, ObjectClass, Role};
use jiff::civil::Date;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/range").join(name)
}

/// Every sample with the form it must be recognised as; `None` for those that must not be.
const SAMPLES: [(&str, Option<Format>); 25] = [
    ("rib_20140523_start.mrt.bz2", Some(Format::Mrt)),
    ("table_dump_v1.mrt", Some(Format::Mrt)),
    ("add_path_v4.mrt.gz", Some(Format::Mrt)),
    ("routeviews-20260401-1200.pfx2as", Some(Format::Pfx2as)),
    ("riswhoisdump_20260401.IPv4", Some(Format::RisWhois)),
    ("ip2asn_20260401.csv", Some(Format::Ip2asn)),
    ("iptoasn_20260401.tsv", Some(Format::Ip2asn)),
    ("ipasn_20260401.tsv", Some(Format::Ipasn)),
    ("20260401.as-rel2.txt", Some(Format::AsRel)),
    ("20260401.as-org2info.txt", Some(Format::As2org)),
    ("delegated-ripencc-extended", Some(Format::Delegated)),
    ("rir_md_20260401.txt", Some(Format::CountryNets)),
    ("ripe.db.20260401.txt", Some(Format::Rpsl)),
    ("peeringdb_20260401.json", Some(Format::Peeringdb)),
    ("drop_v4.json", Some(Format::Drop)),
    ("asndrop.json", Some(Format::AsnDrop)),
    ("firehol_sample.netset", Some(Format::Netset)),
    ("plain_20260401.txt", None),
    ("feodo.csv", Some(Format::Abusech)),
    ("listed_20260401.csv", Some(Format::ListCsv)),
    ("misp_scanners.json", Some(Format::Misp)),
    ("cloud_20260401.json", Some(Format::Cloud)),
    ("datacenters_20260401.csv", Some(Format::Datacenters)),
    ("asnames_20260401.json", Some(Format::AsNames)),
    ("ptr_20260401.tsv", Some(Format::Ptr)),
];

/// Reads bytes as a file of that name.
fn read_bytes(bytes: Vec<u8>, name: &str, how: &How) -> (Result<Reading, ReadError>, Vec<Fact>) {
    let facts = RefCell::new(Vec::new());
    let result = read(Cursor::new(bytes), name, how, &mut |fact| {
        facts.borrow_mut().push(fact);
        Ok(())
    });
    (result, facts.into_inner())
}

fn read_sample(name: &str) -> (Reading, Vec<Fact>) {
    let form = SAMPLES.iter().find(|(sample, _)| *sample == name).unwrap().1;
    let how = How { format: form.is_none().then_some(Format::Netset), ..How::default() };
    let (reading, facts) = read_bytes(fs::read(golden(name)).unwrap(), name, &how);
    (reading.unwrap(), facts)
}

fn text(name: &str, content: &str) -> (Result<Reading, ReadError>, Vec<Fact>) {
    read_bytes(content.as_bytes().to_vec(), name, &How::default())
}

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

#[test]
fn every_sample_is_recognised_and_read_whole_and_no_sample_is_left_out() {
    for (name, form) in SAMPLES {
        let bytes = fs::read(golden(name)).unwrap();
        let (result, _) = read_bytes(bytes, name, &How::default());
        match (form, result) {
            (Some(form), Ok(reading)) => {
                assert_eq!(reading.format, form, "{name}");
                assert!(reading.facts() > 0, "{name}");
                assert!(reading.date.is_some(), "{name} has a date");
                let cut = name.contains("_start.");
                assert_eq!(reading.flaw.is_some(), cut, "{name}: {:?}", reading.flaw);
                assert_eq!(reading.whole, !cut, "{name}");
            }
            (None, Err(ReadError::Form(words))) => assert!(words.contains("--format"), "{words}"),
            (_, other) => panic!("{name}: {other:?}"),
        }
    }
    let mut there: Vec<String> = fs::read_dir(golden(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md" && !name.contains(".expected."))
        .collect();
    there.sort();
    let mut listed: Vec<String> = SAMPLES.iter().map(|(name, _)| (*name).to_owned()).collect();
    listed.sort();
    assert_eq!(there, listed);
    let unread: Vec<&str> = Format::ALL
        .into_iter()
        .filter(|form| !SAMPLES.iter().any(|(_, of)| of == &Some(*form)))
        .map(Format::as_str)
        .collect();
    assert!(unread.is_empty(), "no sample of {unread:?}");
}

/// The start of a real table, against what an independent parser made of it.
#[test]
fn a_cut_table_gives_all_its_whole_records_and_then_one_clear_error() {
    let (reading, facts) = read_sample("rib_20140523_start.mrt.bz2");
    let flaw = reading.flaw.unwrap().to_string();
    assert!(flaw.starts_with("byte ") && flaw.contains("cut"), "{flaw}");
    let mut origins = String::new();
    let mut edges = 0;
    for fact in &facts {
        match fact {
            Fact::Origin(one) => {
                let numbers: Vec<String> = one.origins.iter().map(|asn| asn.0.to_string()).collect();
                let who = if one.is_set { format!("{{{}}}", numbers.join(",")) } else { numbers.join(" and ") };
                writeln!(origins, "{},{who},{}", one.prefix, one.peers_seen.unwrap()).unwrap();
            }
            Fact::Adjacency(_) => edges += 1,
            other => panic!("{other:?}"),
        }
    }
    let expected = fs::read_to_string(golden("rib_20140523_start.expected.csv")).unwrap();
    let expected = expected.strip_prefix("prefix,origin,peers_seen\n").unwrap();
    assert_eq!(origins, expected);
    assert_eq!(reading.records, 1 + 1_000, "the table of peers and a thousand prefixes");
    assert_eq!(edges, 858, "as counted by an independent parser");
}

#[test]
fn several_paths_of_one_peer_count_it_once() {
    let (_, facts) = read_sample("add_path_v4.mrt.gz");
    let seen = facts.iter().filter_map(|fact| match fact {
        Fact::Origin(origin) => origin.peers_seen,
        _ => None,
    });
    assert!(seen.max().unwrap() <= 2, "the file has two peers");
}

#[test]
fn forms_of_one_prefix_agree() {
    let origin = |name: &str, prefix: &str| -> Vec<u32> {
        let (_, facts) = read_sample(name);
        let mut found: Vec<u32> = facts
            .iter()
            .filter_map(|fact| match fact {
                Fact::Origin(one) if one.prefix.to_string() == prefix => Some(one.origins.iter().map(|asn| asn.0)),
                _ => None,
            })
            .flatten()
            .collect();
        found.sort_unstable();
        found
    };
    let files = [
        "routeviews-20260401-1200.pfx2as",
        "riswhoisdump_20260401.IPv4",
        "ip2asn_20260401.csv",
        "iptoasn_20260401.tsv",
        "ipasn_20260401.tsv",
    ];
    for file in files {
        assert_eq!(origin(file, "192.0.2.0/24"), [64_500], "{file}");
    }
    assert_eq!(origin("routeviews-20260401-1200.pfx2as", "198.51.100.0/24"), [64_501, 64_502], "MOAS");
    assert_eq!(origin("routeviews-20260401-1200.pfx2as", "203.0.113.0/25"), [64_503, 64_504], "AS set");
    // A range that is no CIDR.
    assert_eq!(origin("ip2asn_20260401.csv", "198.51.100.128/26"), [64_501]);
    assert_eq!(origin("ip2asn_20260401.csv", "198.51.100.192/27"), [64_501]);
}

#[test]
fn registry_objects_keep_their_odd_ranges_handles_and_dates() {
    let (reading, facts) = read_sample("ripe.db.20260401.txt");
    let objects: Vec<_> = facts
        .iter()
        .map(|fact| match fact {
            Fact::Registry(object) => object.as_ref(),
            other => panic!("{other:?}"),
        })
        .collect();
    let space = objects.iter().find(|one| one.class == ObjectClass::Inetnum).unwrap();
    assert_eq!(space.addresses().unwrap().to_string(), "192.0.2.16 - 192.0.2.40");
    assert_eq!(space.name, "EXAMPLE-SUB");
    assert_eq!(space.maintainers, ["EXAMPLE-MNT", "OTHER-MNT"]);
    assert_eq!(space.descr, ["Université d'exemple", "second line of it", "third"]);
    assert_eq!(space.created, Some(date("2024-02-03")));
    assert_eq!(space.org.as_deref(), Some("ORG-EX1-TEST"));
    assert!(objects.iter().any(|one| one.key == ObjectKey::Number(Asn(64_500))));
    assert!(objects.iter().any(|one| one.key == ObjectKey::Route("192.0.2.0/24".parse().unwrap(), Asn(64_500))));
    let role = objects.iter().find(|one| one.class == ObjectClass::Role).unwrap();
    assert_eq!(role.abuse_mailbox.as_deref(), Some("abuse@example.org"));
    assert!(!facts.iter().any(|fact| format!("{fact:?}").contains("Jane")), "persons are not read");
    assert_eq!(reading.lost, 2, "{:?}", reading.remarks);
    assert!(reading.remarks.iter().any(|words| words.starts_with("line ") && words.contains("192.0.2.300")));
}

#[test]
fn lists_say_what_they_list_and_since_when() {
    let (_, facts) = read_sample("feodo.csv");
    let Fact::Listing(first) = &facts[0] else { panic!() };
    assert_eq!(first.list, "abusech-feodo");
    assert_eq!((first.reason.as_deref(), first.since), (Some("ExampleBot"), Some(date("2026-03-01"))));
    let (_, facts) = read_sample("misp_scanners.json");
    assert!(facts.iter().all(|fact| matches!(fact, Fact::Named(named) if named.used_for == Use::Scanner)));
    let (_, facts) = read_sample("delegated-ripencc-extended");
    let odd = facts.iter().any(|fact| {
        matches!(fact, Fact::Delegation(one)
        if matches!(one.resource, Resource::Addresses(range) if range.count() == 768 && range.network().is_none()))
    });
    assert!(odd, "768 addresses are no CIDR");
    let (_, facts) = read_sample("asndrop.json");
    assert!(facts.iter().any(|fact| matches!(fact, Fact::Listing(one)
        if one.listed == Listed::Number(Asn(64_500)) && one.domain.as_deref() == Some("example.org"))));
}

#[test]
fn a_list_without_entries_is_broken_and_not_empty() {
    let end = r#"{"type":"metadata","timestamp":1775001600,"size":0,"records":0}"#;
    let how = How { format: Some(Format::Drop), ..How::default() };
    let (result, facts) = read_bytes(format!("{end}\n").into_bytes(), "drop_v4.json", &how);
    let flaw = result.unwrap().flaw.unwrap().to_string();
    assert!(flaw.contains("nothing in it could be read") && facts.is_empty(), "{flaw}");
    let (result, _) = text("x.json", "");
    assert_eq!(result.unwrap_err().to_string(), "the file is empty");
}

#[test]
fn a_list_that_lost_lines_says_how_many_are_missing() {
    let whole = fs::read_to_string(golden("drop_v4.json")).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    let without_second = [&lines[..1], &lines[2..]].concat().concat();
    let (result, _) = text("drop_v4.json", &without_second);
    let flaw = result.unwrap().flaw.unwrap().to_string();
    assert!(flaw.contains("3 records, and its last line promises 4"), "{flaw}");
    let without_end = lines[..4].concat();
    assert!(text("drop_v4.json", &without_end).0.unwrap().flaw.unwrap().to_string().contains("the file is cut"));
}

#[test]
fn reversed_and_foreign_ranges_are_told_with_their_line() {
    let content = "start,end,asn,org\n192.0.2.255,192.0.2.0,64500,x\n192.0.2.0,2001:db8::,64500,x\n192.0.2.0,192.0.2.255,64500,ok\n";
    let how = How { format: Some(Format::Ip2asn), ..How::default() };
    let (result, facts) = read_bytes(content.as_bytes().to_vec(), "x_20260401.csv", &how);
    let reading = result.unwrap();
    assert_eq!((reading.lost, facts.len()), (2, 2));
    assert!(reading.remarks[0].starts_with("line 2: the range ends before it begins"), "{:?}", reading.remarks);
    assert!(reading.remarks[1].starts_with("line 3: not understood"), "{:?}", reading.remarks);
}

#[test]
fn a_line_of_a_hundred_megabytes_costs_itself_alone() {
    struct Long(usize);
    impl std::io::Read for Long {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let count = self.0.min(into.len());
            into[..count].fill(b'7');
            self.0 -= count;
            Ok(count)
        }
    }
    let start = Cursor::new(b"192.0.2.0\t24\t64500\n".to_vec());
    let end = Cursor::new(b"\n198.51.100.0\t24\t64501\n".to_vec());
    let (before, _) = memory();
    let mut facts = 0;
    let reading = read(start.chain(Long(100_000_000)).chain(end), "x_20260401.pfx2as", &How::default(), &mut |_| {
        facts += 1;
        Ok(())
    })
    .unwrap();
    let (after, _) = memory();
    assert_eq!((facts, reading.lost), (2, 1));
    assert!(reading.remarks[0].contains("line 2: longer than 64 KiB"));
    assert!(after - before < 50_000, "grew by {} kB", after - before);
}

/// Peak and present memory in kB.
fn memory() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let of = |key: &str| {
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (of("VmHWM:"), of("VmRSS:"))
}

#[test]
fn a_bomb_is_refused_before_it_is_through() {
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mut lines = vec![b'x'; 1 << 20];
    lines[1_000] = b'\n';
    for _ in 0..80 {
        bomb.write_all(&lines).unwrap();
    }
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    for format in [Format::Netset, Format::Rpsl, Format::Drop] {
        let how = How { format: Some(format), ..How::default() };
        let (result, facts) = read_bytes(bomb.clone(), "x_20260401.gz", &how);
        let words = result.unwrap().flaw.unwrap().to_string();
        assert!(words.contains("a bomb"), "{format}: {words}");
        assert!(facts.is_empty());
    }
}

#[test]
fn an_endless_text_in_json_is_refused() {
    let mut json = br#"{"prefixes":[{"ip_prefix":"192.0.2.0/24"},{"ip_prefix":""#.to_vec();
    json.resize(20 << 20, b'1');
    let how = How { format: Some(Format::Cloud), ..How::default() };
    let (result, facts) = read_bytes(json, "x.json", &how);
    let flaw = result.unwrap().flaw.unwrap().to_string();
    assert!(flaw.contains("more than a megabyte") && facts.len() == 1, "{flaw}");
}

/// A small generator: which damage is done must not change from run to run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most.max(1)
    }
}

/// Reads damaged bytes in every way that a person could ask for; what comes out must be bounded and told.
fn survives(bytes: Vec<u8>, name: &str, format: Option<Format>) {
    let length = bytes.len();
    let how = How { format, ..How::default() };
    let (result, facts) = read_bytes(bytes, name, &how);
    match result {
        Ok(reading) => {
            assert_eq!(reading.facts(), facts.len() as u64, "{name}");
            assert!(reading.remarks.len() <= 22);
            for words in &reading.remarks {
                assert!(words.len() < 1_000, "{words}");
            }
            if let Some(flaw) = reading.flaw {
                assert!(flaw.to_string().len() < 1_000 && !reading.whole);
            } else {
                assert!(!facts.is_empty(), "{name}: nothing read and nothing said");
            }
        }
        Err(ReadError::Form(words)) => assert!(!words.is_empty()),
        Err(ReadError::Broken { place: Place::Byte(0), .. }) => assert!(facts.is_empty()),
        Err(error) => panic!("{name} of {length} bytes: {error}"),
    }
}

#[test]
fn cut_and_damaged_samples_are_told_and_break_nothing() {
    let mut draw = Draw(7);
    for (name, form) in SAMPLES {
        let whole = fs::read(golden(name)).unwrap();
        let format = form.or(Some(Format::Netset));
        // Damage under the compression too, where the readers themselves are reached.
        let unpacked = match name.rsplit('.').next().unwrap() {
            "gz" => {
                let mut out = Vec::new();
                flate2::read::GzDecoder::new(whole.as_slice()).read_to_end(&mut out).unwrap();
                Some(out)
            }
            "bz2" => {
                let mut out = Vec::new();
                let _ = bzip2::read::BzDecoder::new(whole.as_slice()).read_to_end(&mut out);
                out.truncate(200_000);
                Some(out)
            }
            _ => None,
        };
        for source in [Some(whole), unpacked].into_iter().flatten() {
            let turns = if source.len() > 50_000 { 12 } else { 60 };
            for turn in 0..turns {
                let mut bytes = source.clone();
                if turn % 3 != 1 {
                    bytes.truncate(draw.below(source.len()));
                }
                if turn % 3 != 0 {
                    for _ in 0..=draw.below(8) {
                        let at = draw.below(bytes.len());
                        if let Some(byte) = bytes.get_mut(at) {
                            *byte = u8::try_from(draw.below(256)).unwrap();
                        }
                    }
                }
                survives(bytes.clone(), name, None);
                survives(bytes, name, format);
            }
        }
    }
}

#[test]
fn any_sample_read_as_any_form_breaks_nothing() {
    for (name, _) in SAMPLES {
        let mut bytes = fs::read(golden(name)).unwrap();
        bytes.truncate(100_000);
        for format in Format::ALL {
            survives(bytes.clone(), name, Some(format));
        }
    }
}

fn held(id: i64, name: &str, day: &str) -> Held {
    let (reading, facts) = read_sample(name);
    let about = Dataset {
        id,
        format: reading.format,
        name: reading.name.clone(),
        source: name.to_owned(),
        date: date(day),
        sha256: reading.sha256,
        bytes: reading.bytes,
        licence: String::new(),
        counts: reading.counts.clone(),
        whole: reading.whole,
        warnings: Vec::new(),
    };
    Held::new(about, facts)
}

#[test]
fn who_announced_it_is_answered_for_the_day_asked() {
    let then = text("x_20250101.pfx2as", "192.0.2.0\t24\t64599\n192.0.0.0\t16\t64598\n").1;
    let old = Dataset {
        id: 1,
        format: Format::Pfx2as,
        name: "routeviews".to_owned(),
        source: String::new(),
        date: date("2025-01-01"),
        sha256: [1; 32],
        bytes: 1,
        licence: String::new(),
        counts: [(FactKind::Origins, 2)].into(),
        whole: true,
        warnings: Vec::new(),
    };
    let knowledge = Knowledge::new(vec![
        held(2, "routeviews-20260401-1200.pfx2as", "2026-04-01"),
        Held::new(old, then),
        held(3, "20260401.as-rel2.txt", "2026-04-01"),
        held(4, "drop_v4.json", "2026-04-01"),
        held(5, "ripe.db.20260401.txt", "2026-04-01"),
        held(6, "20260401.as-org2info.txt", "2026-04-01"),
    ]);
    let ip = "192.0.2.20".parse().unwrap();
    let origin = |day: Option<&str>| knowledge.origins_at(ip, day.map(date)).map(|found| found.origins.to_vec());
    assert_eq!(origin(Some("2024-12-31")), None, "no table is that old");
    assert_eq!(origin(Some("2025-06-01")), Some(vec![Asn(64_599)]));
    assert_eq!(origin(Some("2026-04-01")), Some(vec![Asn(64_500)]));
    assert_eq!(origin(None), Some(vec![Asn(64_500)]));
    let lengths = |day| -> Vec<u8> {
        knowledge.covering(ip, Some(date(day))).iter().map(|found| found.prefix.prefix_len()).collect()
    };
    assert_eq!(lengths("2025-06-01"), [24, 16]);
    let history: Vec<Option<Asn>> =
        knowledge.history(ip).into_iter().map(|(_, found)| found.map(|found| found.origins[0])).collect();
    assert_eq!(history, [Some(Asn(64_599)), Some(Asn(64_500))]);
    assert_eq!(knowledge.prefixes_of(Asn(64_598), None).len(), 0);
    assert_eq!(knowledge.prefixes_of(Asn(64_598), Some(date("2025-01-01"))).len(), 1);
    let holders: Vec<String> = knowledge.registry_at(ip, None).into_iter().map(|one| one.name).collect();
    assert_eq!(holders, ["EXAMPLE-SUB", ""], "smallest first, the route last");
    assert!(knowledge.listings_at("203.0.113.9".parse().unwrap(), Some(date("2026-03-31"))).is_empty());
    assert_eq!(knowledge.listings_at("203.0.113.9".parse().unwrap(), None).len(), 1);
    let neighbours = knowledge.neighbours(Asn(64_500), None);
    let roles: Vec<(u32, Role)> = neighbours.iter().map(|one| (one.asn.0, one.role)).collect();
    assert_eq!(roles, [(64_501, Role::Provider), (64_502, Role::Customer), (64_503, Role::Peer)]);
    assert!(neighbours.iter().all(|one| !one.inferred));
    assert_eq!(knowledge.org_of(Asn(64_500), None).unwrap().name, "Example One");
    let (_, links) = knowledge.relationships(None);
    assert!(links.iter().any(|link| link.relation == Relation::Peer));
}

fn hostkin(folder: &Path, words: &[&str]) -> (i32, String, String) {
    let done = Program::new(env!("CARGO_BIN_EXE_hostkin")).args(words).current_dir(folder).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
}

fn opened(folder: &Path) {
    let scope = Path::new(env!("CARGO_MANIFEST_DIR")).join("scopes/lab.toml");
    let (code, _, said) = hostkin(folder, &["new", "x.case", "--scope", scope.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
}

#[test]
fn an_import_is_on_record_with_digest_source_date_and_licence() {
    let folder = tempfile::tempdir().unwrap();
    opened(folder.path());
    let file = golden("drop_v4.json");
    let import = ["data", "import", "x.case", file.to_str().unwrap(), "--source", "the list's page"];
    let (code, _, said) = hostkin(folder.path(), &import);
    assert_eq!(code, 0, "{said}");
    let (code, rows, _) = hostkin(folder.path(), &["data", "list", "x.case", "--json"]);
    let row: serde_json::Value = serde_json::from_str(rows.trim()).unwrap();
    assert_eq!(code, 0);
    assert_eq!((row["source"].as_str(), row["date"].as_str()), (Some("the list's page"), Some("2026-04-01")));
    assert!(row["licence"].as_str().unwrap().contains("Spamhaus"));
    assert_eq!(row["sha256"].as_str().unwrap().len(), 64);
    let case = hostkin::store::Case::open_read_only(&folder.path().join("x.case")).unwrap();
    let records = case.records().unwrap();
    let record = records.iter().find(|record| record.action == "data").unwrap();
    assert_eq!(record.body["sha256"], row["sha256"]);
    assert_eq!(record.body["counts"]["listings"], 4);
    let (code, _, said) = hostkin(folder.path(), &import);
    assert!(code == 1 && said.contains("already"), "{said}");
}

#[test]
fn a_case_is_as_it_was_after_an_import_that_failed() {
    let folder = tempfile::tempdir().unwrap();
    opened(folder.path());
    let rows = || {
        let case = rusqlite::Connection::open(folder.path().join("x.case")).unwrap();
        let count = |table: &str| -> i64 {
            case.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
        };
        (count("records"), count("datasets"), count("dataset_parts"))
    };
    let before = rows();
    let file = golden("rib_20140523_start.mrt.bz2");
    let (code, _, said) = hostkin(folder.path(), &["data", "import", "x.case", file.to_str().unwrap()]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("1001 whole records") && said.contains("--partial") && said.contains("byte "), "{said}");
    assert_eq!(rows(), before);
    let (code, _, said) = hostkin(folder.path(), &["data", "import", "x.case", file.to_str().unwrap(), "--partial"]);
    assert_eq!(code, 4, "{said}");
    assert_eq!(rows().1, 1);
    let (_, list, _) = hostkin(folder.path(), &["data", "list", "x.case", "--json"]);
    let row: serde_json::Value = serde_json::from_str(list.trim()).unwrap();
    assert_eq!(row["whole"], false);
}

#[test]
fn hosts_get_their_origin_by_the_newest_table() {
    let folder = tempfile::tempdir().unwrap();
    opened(folder.path());
    fs::write(folder.path().join("hosts.jsonl"), "{\"ip\":\"192.0.2.7\",\"ports\":[22]}\n").unwrap();
    let (code, _, said) = hostkin(folder.path(), &["import", "x.case", "hosts", "hosts.jsonl"]);
    assert_eq!(code, 0, "{said}");
    let file = golden("routeviews-20260401-1200.pfx2as");
    let (code, _, said) = hostkin(folder.path(), &["data", "import", "x.case", file.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}");
    let case = rusqlite::Connection::open(folder.path().join("x.case")).unwrap();
    let (asn, prefix): (i64, String) =
        case.query_row("SELECT asn, prefix FROM v_hosts", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!((asn, prefix.as_str()), (64_500, "192.0.2.0/24"));
}

/// Connections a second of a scan of 64 dead hosts whose scope limits nothing but each AS.
fn rate(folder: &Path) -> f64 {
    let (code, _, said) =
        hostkin(folder, &["scan", "x.case", "--new", "--discovery", "connect", "--summary", "sum.json"]);
    assert_eq!(code, 0, "{said}");
    let summary: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("sum.json")).unwrap()).unwrap();
    assert_eq!(summary["connections"], 64);
    summary["rate_reached"].as_f64().unwrap()
}

#[test]
fn limits_per_as_bind_once_the_case_knows_origins() {
    let folder = tempfile::tempdir().unwrap();
    let scope = r#"
        schema = "hostkin/scope/1"
        title = "Limits per AS"
        authority = "none: loopback"
        valid_from = 2026-01-01T00:00:00Z
        valid_until = 2036-01-01T00:00:00Z
        lab = true
        [[grant]]
        name = "dead hosts"
        networks = ["127.90.7.0/26"]
        ports = { http = [9] }
        [limits]
        per_asn_per_second = 20
    "#;
    fs::write(folder.path().join("scope.toml"), scope).unwrap();
    let (code, _, said) = hostkin(folder.path(), &["new", "x.case", "--scope", "scope.toml"]);
    assert_eq!(code, 0, "{said}");
    let free = rate(folder.path());
    fs::write(folder.path().join("t_20260401.pfx2as"), "127.0.0.0\t8\t64500\n").unwrap();
    let (code, _, said) = hostkin(folder.path(), &["data", "import", "x.case", "t_20260401.pfx2as"]);
    assert_eq!(code, 0, "{said}");
    let bound = rate(folder.path());
    assert!(bound < 45.0 && free > 2.0 * bound, "{free:.0} a second without origins, {bound:.0} with them");
}
