//! Exports that leave the house, as a person types them; what the formats' own tools say of them is asked by `tests/exports`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::ground::{Desk, scope};

const PROVIDER: &str = "unnamed-1";

/// A linked case: six hosts of one provider among three hundred strangers, as imports.
fn linked() -> Desk {
    let desk = Desk::with_case(&scope(&[("\"127.76.9.0/30\"".to_owned(), "ssh = [22]".to_owned())], ""));
    let mut lines = String::new();
    let mut host = |ip: String, number: u32, kin: bool| {
        let own = if kin { 7 } else { 1000 + number };
        let line = json!({
            "ip": ip, "asn": 64500, "ports": [22, 80, 443], "ssh_key": format!("SHA256:{own:043}"), "hdr_order": format!("{:064x}", own % 97),
            "jarm": format!("{:062x}", own % 89 + 1), "server": format!("s{}", own % 13), "ssh_banner": "SSH-2.0-OpenSSH_9.2",
            "title": format!("=1+1 jo@example.org you are 192.0.2.99 {number}"), "cert": format!("{number:064x}"), "spki": format!("{own:064x}"),
        });
        writeln!(lines, "{line}").unwrap();
    };
    for number in 1..=6 {
        host(format!("203.0.113.{number}"), number, true);
    }
    for number in 0..300 {
        host(format!("198.51.{}.{}", 100 + number / 200, number % 200 + 1), number, false);
    }
    std::fs::write(desk.path("hosts.jsonl"), lines).unwrap();
    desk.hostkin(&["import", "x.case", "hosts", "hosts.jsonl"]).done();
    desk.hostkin(&["seed", "x.case", "203.0.113.1", "--why", "a test", "--provider", PROVIDER]).done();
    desk.hostkin(&["link", "x.case"]).done();
    desk
}

fn export(desk: &Desk, more: &[&str]) -> String {
    desk.hostkin(&[&["export", "x.case"], more].concat()).done().out
}

fn read(desk: &Desk, name: &str) -> String {
    std::fs::read_to_string(desk.path(name)).unwrap()
}

/// A registry as a person writes it.
const REGISTRY: &str =
    "[[contact]]\nasn = 64500\nmail = \"abuse@origin.example\"\norigin = \"aut-num\"\nsource = \"a test\"\n";

#[test]
fn exports_repeat_byte_for_byte_whatever_was_exported_between() {
    let desk = linked();
    let whats = ["stix", "misp", "graphml", "nodes", "edges", "clusters"];
    // The report names the last record of the chain, so that it changes with every record.
    assert_eq!(export(&desk, &["report"]), export(&desk, &["report"]));
    let before: Vec<String> = whats.iter().map(|what| export(&desk, &[what])).collect();
    std::fs::write(desk.path("registry.toml"), REGISTRY).unwrap();
    export(&desk, &["denylist", "--as", "cidr", "-o", "list"]);
    export(&desk, &["abuse", "--registry", "registry.toml", "--from", "cert@example.org", "-o", "mails"]);
    for (what, before) in whats.iter().zip(before) {
        assert_eq!(export(&desk, &[what]), before, "{what}");
    }
    export(&desk, &["abuse", "--registry", "registry.toml", "--from", "cert@example.org", "-o", "again"]);
    let mails = |folder: &str| {
        let mut mails: Vec<_> = std::fs::read_dir(desk.path(folder)).unwrap().map(|one| one.unwrap().path()).collect();
        mails.sort();
        mails.iter().map(|path| std::fs::read(path).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(mails("mails"), mails("again"));
}

/// What can be exported, as the program's own help lists it, with what each needs; a new kind is tested without a word here.
fn kinds(desk: &Desk) -> Vec<Vec<String>> {
    let help = desk.hostkin(&["export", "-h"]).done().out;
    let words =
        help.split("<WHAT>").find_map(|part| part.split_once("[possible values: ")?.1.split_once(']')).unwrap().0;
    let words = words.split(',').map(|word| word.trim().to_owned());
    let lists = ["cidr", "drop", "nftables", "ipset", "rpz", "bird", "exabgp", "flowspec", "suricata", "zeek"];
    let rows = ["clusters", "ranking", "observations", "facets", "nodes", "edges"];
    let own = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    words
        .flat_map(|what| match what.as_str() {
            "denylist" => lists.map(|list| own(&["denylist", "--as", list, "--at", "2026-11-22"])).to_vec(),
            "abuse" => vec![own(&["abuse", "--registry", "registry.toml", "--from", "cert@example.org"])],
            row if rows.contains(&row) => vec![own(&[row]), own(&[row, "--format", "csv"]), own(&[row, "--json"])],
            _ => vec![vec![what]],
        })
        .collect()
}

/// All bytes of a file, or of all files of a folder in order.
fn bytes(path: &std::path::Path) -> Vec<u8> {
    if path.is_file() {
        return std::fs::read(path).unwrap();
    }
    let mut paths: Vec<_> = std::fs::read_dir(path).unwrap().map(|one| one.unwrap().path()).collect();
    paths.sort();
    paths
        .iter()
        .flat_map(|path| [path.file_name().unwrap().as_encoded_bytes().to_vec(), bytes(path)].concat())
        .collect()
}

#[test]
fn every_kind_of_export_is_the_same_twice_on_one_processor_and_on_all_and_touches_no_file_that_is_there() {
    let desk = linked();
    std::fs::write(desk.path("registry.toml"), REGISTRY).unwrap();
    let kinds = kinds(&desk);
    assert!(kinds.len() >= 35, "{kinds:?}");
    for kind in &kinds {
        let arguments = |to: &'static str| {
            let kind = kind.iter().map(String::as_str);
            ["export", "x.case"].into_iter().chain(kind).chain(["-o", to]).collect::<Vec<_>>()
        };
        desk.hostkin(&arguments("first")).done();
        let there = desk.hostkin(&arguments("first"));
        assert!(there.code == Some(1) && there.err.contains("exists already"), "{kind:?}: {there:?}");
        // `taskset` is a part of every Debian.
        let one = std::process::Command::new("taskset")
            .args(["-c", "0", env!("CARGO_BIN_EXE_hostkin")])
            .args(arguments("second"))
            .current_dir(desk.path(""))
            .env("HOSTKIN_ACTOR", "tester")
            .output()
            .unwrap();
        assert!(one.status.success(), "{kind:?}: {one:?}");
        let (first, second) = (desk.path("first"), desk.path("second"));
        assert!(bytes(&first) == bytes(&second), "{kind:?}: other bytes");
        assert!(bytes(&first).len() > 20, "{kind:?}");
        for name in ["first", "second"] {
            for ending in ["", ".add", ".remove"] {
                let path = desk.path(&format!("{name}{ending}"));
                let _ = std::fs::remove_file(&path);
                let _ = std::fs::remove_dir_all(&path);
            }
        }
    }
    assert!(!desk.names().iter().any(|name| name.contains(".part")), "{:?}", desk.names());
}

#[test]
fn clear_and_green_are_refused_until_nothing_raw_personal_or_ours_is_inside() {
    let desk = linked();
    let said = desk.hostkin(&["export", "x.case", "stix", "--tlp", "clear"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(
        said.err.contains("e-mail")
            && said.err.contains("--own")
            && said.err.contains("--minimise")
            && said.out.is_empty(),
        "{said:?}"
    );
    let said = desk.hostkin(&["export", "x.case", "stix", "--tlp", "clear", "--own", "192.0.2.99"]);
    assert!(said.err.contains("e-mail") && !said.err.contains("--own"), "named once, remembered: {said:?}");
    let out = export(&desk, &["stix", "--tlp", "clear", "--minimise"]);
    assert!(!out.contains("jo@example.org") && !out.contains("192.0.2.99") && out.contains("[own address]"));
    assert!(out.contains("marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487"));
    let amber = export(&desk, &["stix"]);
    assert!(amber.contains("jo@example.org") && !amber.contains("192.0.2.99") && amber.contains("TLP:AMBER"));
}

/// What public registers say of the hosts, as dumps have it.
const REGISTERS: &str = "\
inetnum: 203.0.113.0 - 203.0.113.127\nnetname: SUB-NET\norg: ORG-SUB\nabuse-c: AR-SUB\ncreated: 2020-01-01T00:00:00Z\nsource: RIPE\n\n\
inetnum: 203.0.113.0 - 203.0.113.255\nnetname: WHOLE-NET\norg: ORG-LIR\ncreated: 2010-01-01T00:00:00Z\nsource: RIPE\n\n\
organisation: ORG-SUB\norg-name: =1+1 Sub Hosting\nsource: RIPE\n\n\
organisation: ORG-LIR\norg-name: Lir Ltd\nabuse-c: AR-LIR\nsource: RIPE\n\n\
role: Sub Abuse\nnic-hdl: AR-SUB\nabuse-mailbox: abuse@sub.example\nsource: RIPE\n\n\
role: Lir Abuse\nnic-hdl: AR-LIR\nabuse-mailbox: abuse@lir.example\nsource: RIPE\n\n\
aut-num: AS64500\nas-name: ORIGIN\norg: ORG-LIR\nsource: RIPE\n\n\
aut-num: AS64511\nas-name: CARRIER-TOO\norg: ORG-LIR\nsource: RIPE\n";
const DESKS: &str = r#"{"net": {"data": [{"id": 7, "asn": 64510, "name": "Transit", "irr_as_set": "", "status": "ok"}]},
 "poc": {"data": [{"id": 1, "net_id": 7, "role": "Abuse", "visible": "Public", "email": "abuse@transit.example", "status": "ok"},
                  {"id": 2, "net_id": 7, "role": "Abuse", "visible": "Private", "email": "jo@transit.example", "status": "ok"}]}}"#;

/// The mails of a folder, by their recipient.
fn mails(desk: &Desk, folder: &str) -> Vec<(String, String)> {
    let paths = std::fs::read_dir(desk.path(folder)).unwrap().map(|one| one.unwrap().path());
    let texts = paths
        .filter(|path| path.extension().is_some_and(|end| end == "eml"))
        .map(|path| std::fs::read_to_string(path).unwrap());
    let mut mails: Vec<_> =
        texts.map(|text| (text.lines().find_map(|line| line.strip_prefix("To: ")).unwrap().to_owned(), text)).collect();
    mails.sort();
    mails
}

#[test]
fn contacts_and_holders_come_from_the_files_of_the_case_and_name_them() {
    let desk = linked();
    std::fs::write(desk.path("ripe.db.20260401.txt"), REGISTERS).unwrap();
    std::fs::write(desk.path("peeringdb_20260402.json"), DESKS).unwrap();
    std::fs::write(
        desk.path("20260403.as-rel2.txt"),
        "# source:topology|BGP\n64510|64500|-1|bgp\n64511|64500|-1|bgp\n",
    )
    .unwrap();
    let nobody = desk.hostkin(&["export", "x.case", "abuse", "--from", "cert@example.org", "-o", "none"]);
    assert!(nobody.code == Some(2) && nobody.err.contains("data import"), "{nobody:?}");
    desk.hostkin(&[
        "data",
        "import",
        "x.case",
        "ripe.db.20260401.txt",
        "peeringdb_20260402.json",
        "20260403.as-rel2.txt",
    ])
    .done();
    export(&desk, &["abuse", "--from", "cert@example.org", "-o", "mails"]);
    let all = mails(&desk, "mails");
    let to: Vec<&str> = all.iter().map(|(to, _)| to.as_str()).collect();
    // One desk answers for AS64500 and carries it as AS64511: it is written to as both.
    assert_eq!(to, ["abuse@lir.example", "abuse@lir.example", "abuse@sub.example", "abuse@transit.example"]);
    let digest = hostkin::seal::hex(&hostkin::seal::sha256(REGISTERS.as_bytes()));
    let sub = all[2].1.replace("=\r\n", "").replace("=\n", "");
    assert!(sub.contains("inetnum, abuse contact AR-SUB of inetnum SUB-NET; ripe.db"), "{sub}");
    assert!(
        sub.contains(" of 2026-04-01, SHA-256 ") && sub.contains(&digest) && sub.contains("203.0.113.0/25"),
        "{sub}"
    );
    // The upstreams alone, and of these not the one whose desk is the announcing AS's own.
    let said = desk
        .hostkin(&["export", "x.case", "abuse", "--from", "cert@example.org", "--confidential", "-o", "quiet"])
        .done();
    assert_eq!(mails(&desk, "quiet").iter().map(|(to, _)| to.as_str()).collect::<Vec<_>>(), ["abuse@transit.example"]);
    assert!(said.err.contains("AS64511: abuse@lir.example has its mail where the desk"), "{said:?}");
    // What a person wrote down speaks first, and what is on the never-mail list is passed over.
    let own = "never_mail = [\"transit.example\"]\n[[contact]]\nasn = 64500\nmail = \"me@person.example\"\norigin = \"person\"\nsource = \"by telephone\"\n";
    std::fs::write(desk.path("own.toml"), own).unwrap();
    export(&desk, &["abuse", "--from", "cert@example.org", "--registry", "own.toml", "-o", "mine"]);
    let to: Vec<String> = mails(&desk, "mine").into_iter().map(|(to, _)| to).collect();
    assert_eq!(to, ["abuse@lir.example", "abuse@sub.example", "me@person.example"]);
    let list = export(&desk, &["denylist", "--as", "drop"]);
    let first: Value = serde_json::from_str(list.lines().next().unwrap()).unwrap();
    let holder = first["holder"].as_str().unwrap();
    assert!(holder.contains("=1+1 Sub Hosting (203.0.113.0/25, ripe.db") && holder.contains(&digest), "{holder}");
}

#[test]
fn the_report_is_marked_on_every_page_and_guarded_like_other_exports() {
    let desk = linked();
    let page = export(&desk, &["report", "--tlp", "amber-strict", "--pap", "red"]);
    assert!(page.contains("<b class=\"amber\">TLP:AMBER+STRICT</b> <b>PAP:RED</b>"));
    assert!(page.contains("@top-right { content: \"TLP:AMBER+STRICT   PAP:RED\""), "on each sheet of paper");
    let source = export(&desk, &["typst", "--tlp", "red"]);
    assert!(source.contains("TLP:RED") && source.contains("header: align(right"), "on each sheet of paper");
    for what in ["report", "typst"] {
        let refused = desk.hostkin(&["export", "x.case", what, "--tlp", "green"]);
        assert!(refused.code == Some(2) && refused.err.contains("--minimise") && refused.out.is_empty(), "{refused:?}");
        let page = export(&desk, &[what, "--tlp", "green", "--minimise", "--own", "192.0.2.99"]);
        assert!(page.contains("TLP:GREEN") && !page.contains("jo@example.org") && !page.contains("192.0.2.99"));
    }
}

#[test]
fn results_older_than_what_is_known_say_so_and_neither_block_nor_accuse() {
    let desk = linked();
    assert!(!desk.hostkin(&["export", "x.case", "clusters"]).done().err.contains("worked out before"));
    assert!(!export(&desk, &["report"]).contains("Out of date"));
    desk.hostkin(&["confirm", "x.case", "203.0.113.2", "--why", "a test", "--provider", PROVIDER]).done();
    let list = desk.hostkin(&["export", "x.case", "denylist", "--as", "cidr"]).done();
    assert!(list.err.contains("worked out before record") && list.out.contains("203.0.113.3/32"), "{list:?}");
    assert!(export(&desk, &["report"]).contains("Out of date: the results were worked out before record"));
    desk.hostkin(&["reject", "x.case", "203.0.113.2", "--why", "a test", "--provider", PROVIDER]).done();
    let list = desk.hostkin(&["export", "x.case", "denylist", "--as", "cidr", "-o", "list"]);
    assert!(list.code == Some(1) && list.err.contains("run `hostkin link x.case` first"), "{list:?}");
    assert!(!desk.path("list").exists());
    desk.hostkin(&["link", "x.case"]).done();
    let list = desk.hostkin(&["export", "x.case", "denylist", "--as", "cidr"]).done();
    assert!(!list.err.contains("worked out before") && !list.out.contains("203.0.113.2/32"), "{list:?}");
}

#[test]
fn no_address_that_people_read_opens_once_it_is_defanged() {
    let desk = linked();
    let kinds: [&[&str]; 10] = [
        &["clusters"],
        &["clusters", "--json"],
        &["ranking", "--format", "csv"],
        &["observations"],
        &["observations", "--json"],
        &["facets", "--json"],
        &["nodes", "--json"],
        &["edges"],
        &["report"],
        &["typst"],
    ];
    for kind in kinds {
        let out = export(&desk, &[kind, &["--defang"]].concat());
        // The scope stays as written, since its digest stands beside it.
        let out = out.replace("127.76.9.0/30", "");
        for one in ["203.0.113.1", "198.51.100.7", "jo@example.org"] {
            assert!(!out.contains(one), "{kind:?}: {one}");
        }
        assert!(out.contains("[.]") || kind == ["facets", "--json"], "{kind:?}");
    }
}

#[test]
fn a_list_tells_what_came_and_what_went_since_the_one_before() {
    let desk = linked();
    let list = |more: &[&str]| {
        export(&desk, &[&["denylist", "--as", "cidr", "-o", "list"], more].concat());
        ["list", "list.add", "list.remove"].map(|name| {
            let text = read(&desk, name);
            text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
        })
    };
    let [all, added, removed] = list(&[]);
    assert!(
        all.len() >= 5 && all.iter().all(|line| line.starts_with("203.0.113.") && line.ends_with("/32")),
        "{all:?}"
    );
    assert_eq!((added, removed.len()), (all.clone(), 0));
    std::fs::write(desk.path("allow"), "203.0.113.2 # ours\n").unwrap();
    let [fewer, added, removed] = list(&["--force", "--allow", "allow"]);
    assert_eq!((fewer.len(), added.len(), removed), (all.len() - 1, 0, vec!["203.0.113.2/32".to_owned()]));
    let [_, added, removed] = list(&["--force"]);
    assert_eq!((added, removed.len()), (vec!["203.0.113.2/32".to_owned()], 0));
    let ranges = export(&desk, &["denylist", "--as", "drop", "--ranges"]);
    let first: Value = serde_json::from_str(ranges.lines().next().unwrap()).unwrap();
    assert_eq!(first["cidr"], "203.0.113.0/29", "six of eight, and nobody else seen: {first}");
    assert_eq!(first["collateral"]["unknown_addresses"], "2");
    let lapsed = desk.hostkin(&["export", "x.case", "denylist", "--as", "cidr", "--at", "2099-01-01"]).done();
    assert!(!lapsed.out.contains("/32") && lapsed.err.contains("days ago"), "{lapsed:?}");
}

#[test]
fn reports_are_written_once_on_record_and_cited_by_the_next() {
    let desk = linked();
    std::fs::write(desk.path("registry.toml"), REGISTRY).unwrap();
    let abuse = ["export", "x.case", "abuse", "--registry", "registry.toml", "--from", "cert@example.org", "-o"];
    desk.hostkin(&[&abuse[..], &["mails"]].concat()).done();
    let again = desk.hostkin(&[&abuse[..], &["mails"]].concat());
    assert!(again.code == Some(1) && again.err.contains("exists already"), "{again:?}");
    let listed = desk.hostkin(&["outcome", "x.case", "--json"]).done().lines();
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["to"], &listed[0]["event"]), (&json!("abuse@origin.example"), &json!("written")));
    let id = listed[0]["report"].as_str().unwrap().to_owned();
    for (arguments, word) in [
        (vec!["ffffffff-", "sent"], "no report"),
        (vec![&id, "ignored"], "not on record as sent"),
        (vec![&id, "sent", "--date", "2099-01-01"], "not come yet"),
        (vec![&id, "sent", "--host", "198.51.100.1"], "not in this report"),
    ] {
        let said = desk.hostkin(&[&["outcome", "x.case"][..], &arguments[..]].concat());
        assert!(said.code == Some(2) && said.err.contains(word), "{word}: {said:?}");
    }
    desk.hostkin(&["outcome", "x.case", &id[..8], "sent", "--date", "2026-01-02"]).done();
    desk.hostkin(&["outcome", "x.case", &id, "host-gone", "--host", "203.0.113.3", "--date", "2026-01-12"]).done();
    let told = desk.hostkin(&["outcome", "x.case"]).done().out;
    assert!(told.contains("1 gone") && told.contains("203.0.113.3"), "{told}");
    desk.hostkin(&[&abuse[..], &["next"]].concat()).done();
    let mail = std::fs::read_dir(desk.path("next"))
        .unwrap()
        .map(|one| one.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "eml"));
    let text = std::fs::read_to_string(mail.unwrap()).unwrap();
    assert!(text.contains(&format!("{}, sent 2026-01-02 to abuse@origin.example", &id[..8])), "{text}");
}

#[test]
fn what_does_not_fit_is_said_and_nothing_is_written() {
    let desk = linked();
    let before = desk.names();
    for (arguments, word) in [
        (vec!["clusters", "--tlp", "red"], "--tlp is for"),
        (vec!["stix", "--as", "cidr"], "--as is for"),
        (vec!["stix", "--json"], "a form of its own"),
        (vec!["denylist"], "--as"),
        (vec!["denylist", "--as", "cidr", "--least", "2"], "from 0 to 1"),
        (vec!["abuse"], "-o"),
        (vec!["abuse", "-o", "y"], "--registry"),
        (vec!["stix", "--defang"], "machines read"),
        (vec!["report", "--cluster", "x"], "--cluster is for"),
        (vec!["stix", "--own", "here"], "takes an address"),
        (vec!["stix", "--cluster", "nobody"], "there is no cluster"),
        (vec!["misp", "--force"], "--output"),
    ] {
        let said = desk.hostkin(&[&["export", "x.case"][..], &arguments[..]].concat());
        assert!(said.code == Some(2) && said.err.contains(word) && said.out.is_empty(), "{arguments:?}: {said:?}");
    }
    std::fs::write(
        desk.path("bad.toml"),
        "[[contact]]\nasn = 1\nmail = \"a@b.example\"\norigin = \"guess\"\nsource = \"x\"\n",
    )
    .unwrap();
    let said = desk.hostkin(&["export", "x.case", "abuse", "--registry", "bad.toml", "-o", "y"]);
    assert!(said.code == Some(1) && said.err.contains("`guess` is none of: person"), "{said:?}");
    let new: Vec<String> = desk.names().into_iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(new, ["bad.toml"], "nothing was written but by this test");
    let without = Desk::with_case(&scope(&[("\"127.76.9.0/30\"".to_owned(), "ssh = [22]".to_owned())], ""));
    let said = without.hostkin(&["export", "x.case", "stix"]);
    assert!(said.code == Some(1) && said.err.contains("hostkin link"), "{said:?}");
}
