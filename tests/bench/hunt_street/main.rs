//! The acceptance of a hunt: a street of live hosts on loopback, captured in full and hunted for one seed. Prints a table
//! in Markdown; ends with 1 where the hunt finds others than the full mode or costs more than it may.
//!
//! `hunt_street [HOSTS [all-ports]]`; `HOSTKIN` names the program, else the one built beside this.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "a test that is its own program"
)]

mod acceptance;
mod speak;
mod street;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use acceptance::{Bench, Cost, Scanned, cost, faults, most_each};
use street::{Resident, Role, Street};

fn main() -> std::process::ExitCode {
    let mut arguments = std::env::args().skip(1);
    let hosts = arguments.next().map_or(4096, |text| text.parse::<u32>().unwrap());
    let all_ports = arguments.next().as_deref() == Some("all-ports");
    hostkin::scan::raise_descriptor_limit().unwrap();
    let beside = || std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("hostkin");
    let program = std::env::var_os("HOSTKIN").map_or_else(beside, PathBuf::from).canonicalize().unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let street = Street::up(Ipv4Addr::new(127, 80, 0, 0), hosts, 100, all_ports, &golden);
    let folder = tempfile::tempdir().unwrap();
    let bits = 32 - hosts.next_power_of_two().trailing_zeros();
    let bench = Bench { program, folder: folder.path(), street: &street, network: format!("127.80.0.0/{bits}") };
    let full = bench.scan("full", &["--full"]);
    let hunts = [bench.scan("hunt", &["--hunt"]), bench.scan("hunt by jarm", &["--hunt", "--hunt-by", "jarm"])];
    let hunts = [&hunts[0], &hunts[1]];
    print(&street, &full, hunts, all_ports);
    let faults = faults(&street, &full, hunts[0], most_each(all_ports));
    for fault in &faults {
        eprintln!("{fault}");
    }
    if faults.is_empty() { std::process::ExitCode::SUCCESS } else { std::process::ExitCode::FAILURE }
}

fn print(street: &Street, full: &Scanned, [hunt, by_jarm]: [&Scanned; 2], all_ports: bool) {
    let ports = if all_ports { ", all of which offer TLS, SSH and HTTP" } else { "" };
    println!(
        "### A hunt with one seed on a street of {} live hosts{ports}\n",
        thousands(street.residents.len() as u64)
    );
    println!(
        "| group | hosts | full: connections a host | hunt: connections a host (most) | hunt by jarm | matches full / hunt / by jarm |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    let row = |words: &str, wanted: &dyn Fn(&Resident) -> bool| {
        let [full_cost, cost, jarm_cost]: [Cost; 3] = [full, hunt, by_jarm].map(|one| cost(street, one, wanted));
        if cost.hosts == 0 {
            return;
        }
        let found = [full, hunt, by_jarm]
            .map(|one| one.matches.iter().filter(|at| wanted(&street.residents[at])).count().to_string());
        println!(
            "| {words} | {} | {:.2} | **{:.2}** ({}) | {:.2} | {} |",
            thousands(cost.hosts.into()),
            full_cost.mean(),
            cost.mean(),
            cost.most,
            jarm_cost.mean(),
            found.join(" / ")
        );
    };
    for role in Role::ALL {
        row(role.words(), &move |one| one.role == role);
    }
    for (words, count) in [("both TLS and SSH", 2), ("one of the two", 1), ("only a page", 0)] {
        let offered = move |one: &Resident| u32::from(one.offers[0]) + u32::from(one.offers[1]);
        row(&format!("*who differ at once and offer {words}*"), &move |one| {
            one.role.differs_at_once() && offered(one) == count
        });
    }
    row("**all who differ at once**", &|one| one.role.differs_at_once());
    row("**all**", &|_| true);
    println!(
        "\n| scan | connections that stood | of the full mode's | begun, refused ones included | of the full mode's | seconds |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    for one in [full, hunt, by_jarm] {
        let stood = |scanned: &Scanned| u64::from(cost(street, scanned, |_| true).connections);
        println!(
            "| {} | {} | {:.1} % | {} | {:.1} % | {:.0} |",
            one.label,
            thousands(stood(one)),
            100.0 * stood(one) as f64 / stood(full) as f64,
            thousands(one.begun()),
            100.0 * one.begun() as f64 / full.begun() as f64,
            one.summary["seconds"].as_f64().unwrap()
        );
    }
}

/// A count with commas.
fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
