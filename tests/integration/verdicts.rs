//! An analyst's verdicts, from the command line to the ranking: what a confirmation brings in, what a rejection takes with
//! it, that the last word counts, and that `ask` foretells what an answer does.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use hostkin::link::columns_version;
use hostkin::store::KeptColumns;
use serde_json::{Value, json};

use super::ground::{Desk, scope};

/// Twelve hosts of one image, eight of another of the same provider that share its certificates' habit on a few, six of a
/// third kind, and strangers.
pub(super) fn world() -> String {
    let mut out = String::new();
    let mut put = |value: Value| {
        let _ = writeln!(out, "{value}");
    };
    let stack = |name: &str| json!({"server": format!("srv-{name}"), "hdr_order": format!("order-{name}"), "jarm": format!("jarm-{name}")});
    let join = |parts: &[Value]| {
        let all = parts.iter().filter_map(Value::as_object).flatten();
        Value::Object(all.map(|(key, value)| (key.clone(), value.clone())).collect())
    };
    for n in 1..=12 {
        let host = json!({"ip": format!("198.51.100.{n}"), "asn": 64500 + n % 3, "ssh_banner": "SSH-2.0-fleet-a", "hassh": "hassh-a",
            "ssh_key": format!("SHA256:a{n}"), "ports": [22, 443, 8081], "body": format!("body-a{n}"), "title": format!("Alpha{n}")});
        put(join(&[host, stack("a")]));
    }
    for n in 1..=8 {
        // Two of them still run the first image's SSH server.
        let hassh = if n <= 2 { ("SSH-2.0-fleet-a", "hassh-a") } else { ("SSH-2.0-fleet-b", "hassh-b") };
        let host = json!({"ip": format!("203.0.113.{n}"), "asn": 64510, "ssh_banner": hassh.0, "hassh": hassh.1,
            "ssh_key": format!("SHA256:b{n}"), "ports": [22, 443], "body": format!("body-b{n}"), "title": format!("Beta{n}")});
        put(join(&[host, stack("b")]));
    }
    for n in 0..700 {
        let own = n / 3;
        let host = json!({"ip": format!("192.0.{}.{}", 2 + n / 250, n % 250), "asn": 65000 + n % 20, "ssh_banner": format!("SSH-2.0-s{}", own % 90),
            "hassh": format!("hassh-{}", own % 70), "ssh_key": format!("SHA256:s{n}"), "ports": [22, 80, 443], "title": "Welcome",
            "timeouts": if n % 5 == 0 { json!(["web", "rdp"]) } else { json!([]) }, "all_ports": n % 97 == 0, "body": format!("body-s{}", own % 200)});
        put(join(&[host, stack(&(own % 60).to_string())]));
    }
    out
}

pub(super) fn desk() -> Desk {
    let desk = Desk::with_case(&scope(&[("\"127.0.0.0/8\"".into(), "ssh = [22]".into())], ""));
    std::fs::write(desk.path("world.jsonl"), world()).unwrap();
    desk.hostkin(&["import", "x.case", "hosts", "world.jsonl"]).done();
    desk.hostkin(&["seed", "x.case", "198.51.100.1", "--why", "an abuse report", "--provider", "alpha"]).done();
    desk
}

/// Links, and gives the members of the provider's cluster with their scores.
fn members(desk: &Desk) -> Vec<(String, f64)> {
    desk.hostkin(&["link", "x.case"]).done();
    let said = desk.hostkin(&["export", "x.case", "clusters", "--json"]).done();
    let rows = said.lines().into_iter().filter(|row| row["cluster_id"] == "alpha");
    rows.map(|row| (row["ip"].as_str().unwrap().to_owned(), row["score"].as_f64().unwrap())).collect()
}

pub(super) fn names(desk: &Desk) -> BTreeSet<String> {
    members(desk).into_iter().map(|(ip, _)| ip).collect()
}

fn ranking(desk: &Desk) -> Vec<Value> {
    desk.hostkin(&["export", "x.case", "ranking", "--json"]).done().lines()
}

fn score(desk: &Desk, ip: &str) -> f64 {
    let row = ranking(desk).into_iter().find(|row| row["ip"] == ip);
    row.map_or(0.0, |row| row["score"].as_f64().unwrap())
}

fn say(desk: &Desk, verb: &str, ip: &str) {
    desk.hostkin(&[verb, "x.case", ip, "--why", "looked at by hand"]).done();
}

#[test]
fn a_rejected_host_leaves_the_cluster_and_is_listed_no_more() {
    let desk = desk();
    assert!(names(&desk).contains("198.51.100.7"));
    let before = score(&desk, "198.51.100.8");
    say(&desk, "reject", "198.51.100.7");
    assert!(!names(&desk).contains("198.51.100.7"));
    assert!(ranking(&desk).iter().all(|row| row["ip"] != "198.51.100.7"));
    assert!(score(&desk, "198.51.100.8") < before, "values shared with a rejected host count less");
    let why = desk.hostkin(&["why", "x.case", "198.51.100.7"]).done();
    assert!(why.out.contains("rejected by an analyst: looked at by hand"), "{}", why.out);
    let info = desk.hostkin(&["info", "x.case"]).done();
    assert!(info.out.contains("198.51.100.7 rejected for \"alpha\": looked at by hand"), "{}", info.out);
}

#[test]
fn a_confirmed_host_widens_the_cluster_to_those_like_it() {
    let desk = desk();
    let beta: BTreeSet<String> = (1..=8).map(|n| format!("203.0.113.{n}")).collect();
    assert!(names(&desk).is_disjoint(&beta));
    let why = desk.hostkin(&["why", "x.case", "203.0.113.5"]).done();
    assert!(why.out.contains("one group alone ties it to the confirmed hosts"), "{}", why.out);
    say(&desk, "confirm", "203.0.113.5");
    let after = names(&desk);
    assert!(after.is_superset(&beta), "{after:?}");
    let row = ranking(&desk).into_iter().find(|row| row["ip"] == "203.0.113.5").unwrap();
    assert_eq!(row["reasons"][0], "confirmed by an analyst: looked at by hand");
}

#[test]
fn the_last_word_counts_and_a_withdrawal_leaves_the_ranking_as_it_was() {
    let desk = desk();
    members(&desk);
    let before = ranking(&desk);
    say(&desk, "confirm", "203.0.113.5");
    say(&desk, "reject", "203.0.113.5");
    members(&desk);
    let rejected = ranking(&desk);
    assert!(rejected.iter().all(|row| row["ip"] != "203.0.113.5"));
    let other = self::desk();
    say(&other, "reject", "203.0.113.5");
    members(&other);
    assert_eq!(ranking(&other), rejected, "former words leave nothing behind");
    let withdraw = ["reject", "x.case", "203.0.113.5", "--withdraw", "--why", "not sure any more"];
    desk.hostkin(&withdraw).done();
    members(&desk);
    assert_eq!(ranking(&desk), before);
    assert_eq!(desk.hostkin(&withdraw).code, Some(2), "there is nothing left to withdraw");
    let words: Vec<String> = desk.case().records().unwrap().into_iter().map(|one| one.action).collect();
    let told: Vec<&str> =
        words.iter().map(String::as_str).filter(|one| matches!(*one, "confirm" | "reject" | "withdraw")).collect();
    assert_eq!(told, ["confirm", "reject", "withdraw"], "every word stays on record");
}

#[test]
fn verdicts_that_cannot_be_meant_are_refused() {
    let desk = desk();
    let code = |arguments: &[&str]| desk.hostkin(arguments).code;
    assert_eq!(code(&["reject", "x.case", "198.51.100.1", "--why", "w"]), Some(2), "a seed is taken back by unseed");
    assert_eq!(code(&["confirm", "x.case", "203.0.113.1", "--why", " "]), Some(2), "a reason is needed");
    assert_eq!(
        code(&["confirm", "x.case", "203.0.113.1", "--why", "w", "--provider", "beta"]),
        Some(2),
        "no such provider"
    );
    assert_eq!(desk.case().verdicts().unwrap(), []);
    let unheard = desk.hostkin(&["confirm", "x.case", "192.0.2.255", "--why", "w"]).done();
    assert!(unheard.err.contains("nothing was heard of 192.0.2.255"), "{}", unheard.err);
}

#[test]
fn ask_foretells_what_an_answer_does() {
    let desk = desk();
    let before = names(&desk);
    let questions = desk.hostkin(&["ask", "x.case", "--json"]).done().lines();
    let first = questions.first().expect("the second image is an open question");
    let ip = first["address"].as_str().unwrap();
    assert!(ip.starts_with("203.0.113."), "{first}");
    assert!(first["hinges"].as_u64().unwrap() >= 5, "{first}");
    assert!(!first["shared"].as_array().unwrap().is_empty(), "{first}");
    let joining = first["if_confirmed"]["joining"].as_u64().unwrap();
    say(&desk, "confirm", ip);
    let after = names(&desk);
    let joined = after.difference(&before).filter(|one| *one != ip).count();
    assert_eq!(joined as u64, joining, "{first} {after:?}");
    let text = desk.hostkin(&["ask", "x.case"]).done();
    assert!(!text.out.contains(&format!("Is {ip} ")), "what was answered is not asked again: {}", text.out);
}

#[test]
fn a_facet_seed_finds_its_hosts_in_kept_columns_too() {
    let desk = desk();
    desk.hostkin(&["unseed", "x.case", "198.51.100.1", "--why", "by its facet instead"]).done();
    desk.hostkin(&["seed", "x.case", "--facet", "ssh.hassh_server=hassh-b", "--why", "w", "--provider", "alpha"])
        .done();
    assert_eq!(desk.case().kept_columns(&columns_version()).unwrap(), KeptColumns::Current);
    let inside = names(&desk);
    let expected: BTreeSet<String> = (3..=8).map(|n| format!("203.0.113.{n}")).collect();
    assert!(inside.is_superset(&expected), "{inside:?}");
}
