//! The demo finds the whole provider and nobody else, from whichever host it starts and wherever the hosts stand.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

const HOSTKIN: &str = env!("CARGO_BIN_EXE_hostkin");

fn start(out: &Path, block: &str, more: &[&str]) -> Child {
    let mut command = Command::new(HOSTKIN);
    command.args(["demo", "--block", block, "--out"]).arg(out).args(more);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn hostkin(args: &[&str]) -> String {
    let output = Command::new(HOSTKIN).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_same_verdict_from_four_seeds_on_shuffled_streets() {
    let folder = tempfile::tempdir().unwrap();
    let streets: [(&str, &[&str]); 4] = [
        ("127.71.0.0/16", &["--start", "0"]),
        ("127.72.0.0/16", &["--start", "1", "--shuffle", "11", "--seed", "2"]),
        ("127.73.0.0/16", &["--start", "2", "--shuffle", "12", "--seed", "3"]),
        ("127.74.0.0/16", &["--start", "3", "--shuffle", "13"]),
    ];
    let running: Vec<_> = streets
        .iter()
        .enumerate()
        .map(|(number, (block, more))| start(&folder.path().join(number.to_string()), block, more))
        .collect();
    for (child, (block, more)) in running.into_iter().zip(streets) {
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{block} {more:?}: {told}");
        assert!(told.contains("of the provider found; 0 of "), "{told}");
    }
    check_results(&folder.path().join("0"));
}

/// What the first demo left: a case that answers, and a report that stands alone.
fn check_results(out: &Path) {
    let case = out.join("case.hostkin");
    let case = case.to_str().unwrap();
    let clusters = hostkin(&["export", case, "clusters", "--json"]);
    let rows: Vec<Value> = clusters.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let members: Vec<&Value> = rows.iter().filter(|row| row["cluster_id"] == "the seed's provider").collect();
    assert!(members.len() >= 18, "{} members", members.len());
    let columns: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
    let wanted = [
        "cluster_id",
        "ip",
        "score",
        "log10_lr",
        "level",
        "first_seen",
        "last_seen",
        "ports",
        "asn",
        "prefix",
        "reasons",
        "against",
        "evidence",
    ];
    assert_eq!(columns, wanted);

    let strongest = members.iter().find(|row| row["reasons"].to_string().contains("SSH host key")).unwrap();
    let why = hostkin(&["why", case, strongest["ip"].as_str().unwrap()]);
    assert!(why.contains("same SSH host key") && why.contains("ssh.host_key") && why.contains("SHA256:"), "{why}");
    let with_certificate = members.iter().find(|row| row["reasons"].to_string().contains("certificate")).unwrap();
    assert!(hostkin(&["why", case, with_certificate["ip"].as_str().unwrap()]).contains("certificate"));
    let doubted = members.iter().find(|row| !row["against"].as_array().unwrap().is_empty()).unwrap();
    assert!(hostkin(&["why", case, doubted["ip"].as_str().unwrap()]).contains("against"));

    assert_eq!(hostkin(&["export", case, "clusters", "--json"]), clusters, "the same case gives the same bytes");
    let report = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.contains("Why each host is in") && !report.contains("<script") && !report.contains("http://"));
    assert_eq!(hostkin(&["export", case, "report"]), report);
}
