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
    assert!(said.code == Some(1) && said.err.contains("`guess` is none of: inetnum"), "{said:?}");
    let new: Vec<String> = desk.names().into_iter().filter(|name| !before.contains(name)).collect();
    assert_eq!(new, ["bad.toml"], "nothing was written but by this test");
    let without = Desk::with_case(&scope(&[("\"127.76.9.0/30\"".to_owned(), "ssh = [22]".to_owned())], ""));
    let said = without.hostkin(&["export", "x.case", "stix"]);
    assert!(said.code == Some(1) && said.err.contains("hostkin link"), "{said:?}");
}
