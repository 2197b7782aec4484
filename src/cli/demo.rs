//! `demo`: the whole job on the built-in street, on loopback, with every step printed, and a last look at the truth.
//!
//! Everything before the last step knows only what an investigator would: a scope, one confirmed host, and why.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use super::args::{Color, Demo, New, Scan, Seed as SeedArgs};
use super::exit::{Exit, Stop};
use super::report::write_page;
use super::term::Term;
use super::{export, interrupt, link, new, scan, seed};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::facet::{escape_terminal, show_percent};
use crate::finding::Findings;
use crate::lab::{Expected, Layout, Plan, Street, TruthRow};
use crate::net::stop_switch;
use crate::store::Case;

/// Name of the provider as the investigator of the demo would call it.
const PROVIDER: &str = "the seed's provider";

pub(super) fn run(args: &Demo, term: &Term) -> Result<Exit, Stop> {
    let clock = SystemClock::new();
    let started = clock.elapsed();
    crate::scan::raise_descriptor_limit().ok();
    let plan = Plan::new(args.seed, Layout::new(args.block).map_err(Stop::usage)?);
    let plan = args.shuffle.map_or_else(|| plan.clone(), |shuffle| plan.shuffled(shuffle));
    let starts: Vec<IpAddr> = plan.good_seed().into_iter().chain(plan.alternative_seeds()).collect();
    let start =
        *starts.get(usize::from(args.start)).ok_or_else(|| anyhow!("the street has no such host to start from"))?;

    term.step(format!("1. A street of {} hosts on loopback ({})", plan.hosts.len(), plan.layout.block()));
    let street = Street::up(plan)?;
    let out = folder(&args.out)?;
    let case = out.join("case.hostkin");

    term.step("2. A written scope, and a case under it");
    let scope = out.join("scope.toml");
    fs::write(&scope, scope_text(street.plan(), clock.now())).context("cannot write the scope")?;
    new::run(&New { case: case.clone(), scope, key: None }, &quiet(term))?;
    term.say(format!("   {}", case.display()));

    term.step(format!("3. One confirmed host: {start}"));
    seed::add(&seed_args(&case, start), &quiet(term))?;

    term.step("4. Scan: every host of the scope, in random order");
    let (stopper, stop) = stop_switch();
    interrupt::catch(&stopper, term)?;
    let (summary, stopped) = scan::scan(&scan_args(&case, args.seed), term, &stopper, &stop)?;
    if stopped || !summary.complete {
        return Ok(Exit::Interrupted);
    }

    term.step("5. Link: what the seed's habits say about the others");
    let mut opened = Case::open(&case)?;
    let findings = link::link(&mut opened)?;
    let report = out.join("report.html");
    write_page(&opened, &report)?;
    let rows = crate::report::clusters(&findings, &export::sights(&opened)?);
    for (name, csv) in [("clusters.csv", true), ("clusters.jsonl", false)] {
        let mut file = super::term::Output::open(Some(&out.join(name)))?;
        if csv {
            rows.write_csv(&mut file)?;
        } else {
            rows.write_jsonl(&mut file)?;
        }
        file.finish()?;
    }
    drop(opened);
    super::sign::after(&case, term);
    show(&findings, start, term);

    term.step("6. Against what is true of the street");
    let wrong = judge(&findings, &street.truth(), &street.plan().first, term);
    street.down();
    term.say(format!(
        "\ncase    {}\nreport  {}\ntook    {:.0} s",
        case.display(),
        report.display(),
        clock.elapsed().saturating_sub(started).as_secs_f64()
    ));
    // The last one of the cluster has the most to explain.
    let doubtful = findings.clusters.iter().find(|cluster| cluster.seeded).and_then(|cluster| cluster.members.last());
    let program = std::env::current_exe().unwrap_or_else(|_| "hostkin".into());
    let (program, case, bundle) = (typed(&program), typed(&case), typed(&out.join("bundle.tar")));
    term.say(format!("next    {program} why {case} {}", doubtful.map_or(start, |member| member.address)));
    term.say(format!("        {program} export {case} bundle -o {bundle}    # everything that a stranger needs"));
    term.say(format!(
        "        {program} verify {bundle}    # anywhere, without the case; `why {bundle}` then says who is in it"
    ));
    Ok(if wrong == 0 { Exit::Done } else { Exit::Fault })
}

/// A new folder; an earlier demo's is left alone and the next number taken.
fn folder(wanted: &Path) -> Result<PathBuf, Stop> {
    let mut folder = wanted.to_owned();
    let mut number = 1;
    while folder.exists() {
        number += 1;
        let name = format!("{}-{number}", wanted.file_name().unwrap_or_default().to_string_lossy());
        folder = wanted.with_file_name(name);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    Ok(folder)
}

/// A path as it can be typed into a shell.
fn typed(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = path.chars().all(|c| c.is_alphanumeric() || "/._-+@".contains(c));
    if plain { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

/// The scope of the demo: the street's networks, for one day.
fn scope_text(plan: &Plan, now: Timestamp) -> String {
    let networks: Vec<String> =
        plan.networks(false).into_iter().chain(plan.networks(true)).map(|network| format!("\"{network}\"")).collect();
    let day = std::time::Duration::from_hours(24);
    let ports = plan.layout.ports;
    format!(
        "schema = \"hostkin/scope/1\"\ntitle = \"Demo: the built-in street\"\nauthority = \"The person who typed hostkin demo\"\nvalid_from = {from:.0}\nvalid_until = {until:.0}\nlab = true\n\n[[grant]]\nname = \"the street\"\nnetworks = [{networks}]\nports = {{ ssh = [{ssh}], http = [{http}], tls = [{tls}] }}\n",
        from = now - day,
        until = now + day,
        networks = networks.join(", "),
        ssh = ports.ssh,
        http = ports.http,
        tls = ports.tls,
    )
}

fn seed_args(case: &Path, ip: IpAddr) -> SeedArgs {
    SeedArgs {
        case: case.to_owned(),
        ip: Some(ip),
        facet: None,
        why: "the street's register names it".to_owned(),
        source: Some("hostkin demo".to_owned()),
        date: None,
        provider: Some(PROVIDER.to_owned()),
    }
}

fn scan_args(case: &Path, seed: u64) -> Scan {
    use super::args::{DiscoveryArg, HuntBy, Keys, ProofArg, Switch};
    Scan {
        case: case.to_owned(),
        targets: Vec::new(),
        full: true,
        hunt: false,
        hunt_by: HuntBy::Auto,
        give_up: None,
        only: None,
        ssh_keys: Keys::All,
        proof: Some(ProofArg::Always),
        favicon: Switch::On,
        rate: None,
        source: None,
        shard: None,
        seed: Some(seed),
        new: false,
        summary: None,
        in_flight: None,
        discovery: DiscoveryArg::Connect,
        syn_repeats: 0,
    }
}

/// Verbs inside the demo keep their hints to themselves.
fn quiet(_term: &Term) -> Term {
    Term::new(Color::Never, 1)
}

/// What was found, in a few lines.
fn show(findings: &Findings, start: IpAddr, term: &Term) {
    let Some(cluster) = findings.clusters.iter().find(|cluster| cluster.seeded) else {
        term.warn("no cluster grew from the seed");
        return;
    };
    term.say(format!("   {} hosts are attributed, purity {:.2}", cluster.members.len(), cluster.purity));
    for member in &cluster.members {
        let mark = if member.address == start { "seed" } else { "" };
        let first = member.reasons.first().map_or("", String::as_str);
        term.say(format!(
            "   {:<15} {:>8}  {mark:<4}  {}",
            member.address,
            show_percent(member.score),
            escape_terminal(first)
        ));
    }
}

/// Compares with the truth. Returns how many verdicts are wrong.
fn judge(findings: &Findings, truth: &[TruthRow], provider: &str, term: &Term) -> usize {
    let inside: BTreeMap<IpAddr, f64> = findings
        .clusters
        .iter()
        .filter(|cluster| cluster.seeded)
        .flat_map(|cluster| cluster.members.iter().map(|member| (member.address, member.score)))
        .collect();
    let known: BTreeMap<IpAddr, &TruthRow> = truth.iter().map(|row| (row.address, row)).collect();
    let mut wrong = Vec::new();
    let (mut found, mut wanted) = (0, 0);
    for row in truth {
        let is_in = inside.contains_key(&row.address);
        if row.expected == Expected::InCluster {
            wanted += 1;
            found += usize::from(is_in);
            if !is_in {
                wrong.push(format!("missed: {} ({})", row.address, row.note));
            }
        }
        if row.expected == Expected::NotInCluster && is_in {
            wrong.push(format!("wrongly in: {} ({}: {})", row.address, row.role, row.note));
        }
    }
    for address in inside.keys().filter(|address| !known.contains_key(address)) {
        wrong.push(format!("wrongly in: {address} (nobody lives there)"));
    }
    let strangers = truth.iter().filter(|row| row.provider.as_deref() != Some(provider)).count();
    let mut hidden: BTreeMap<&str, usize> = BTreeMap::new();
    let own = truth.iter().filter(|row| row.provider.as_deref() == Some(provider));
    for row in own.filter(|row| row.expected != Expected::InCluster) {
        *hidden.entry(row.role.as_str()).or_default() += 1;
    }
    term.say(format!(
        "   {found} of {wanted} hosts of the provider found; {} of {strangers} others in the cluster",
        wrong.iter().filter(|text| text.starts_with("wrongly")).count()
    ));
    if !hidden.is_empty() {
        let words: Vec<String> =
            hidden.iter().map(|(role, count)| format!("{count} {}", role.replace('-', " "))).collect();
        term.say(format!(
            "   {} more hosts of the provider are out of reach, as they show too little: {}",
            hidden.values().sum::<usize>(),
            words.join(", ")
        ));
    }
    for text in &wrong {
        term.say(format!("   {text}"));
    }
    wrong.len()
}
