//! `calibrate`: whether scores mean what they say, on labelled worlds or on the team's own labelled cases.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::exit::{Exit, Stop};
use super::link::population;
use super::term::{Output, Term};
use crate::clock::Timestamp;
use crate::facet::Labels;
use crate::facet::flat::{FlatError, FlatHosts};
use crate::finding::{Seed, Subject, Verdict};
use crate::link::{self, Builder, Labelled, Linkage, Plan, Population, Reliability, Weights, World};
use crate::report;
use crate::store::Case;

/// Labelled hosts of one case that are tried at most; each costs a linkage.
const MOST_TRIED: usize = 200;

/// `calibrate`
#[derive(Debug, Args)]
#[command(after_help = "A folder is a labelled world: hosts.jsonl (flat hosts), seeds.jsonl ({\"seed\": ip}) and \
                        truth.jsonl ({\"ip\": ip, \"operator\": name}). A file is a case: each of its confirmed and rejected \
                        hosts is scored as if nobody had judged it. The same host must not have been used to fit the weights.")]
pub struct Calibrate {
    /// Folders of labelled worlds, or cases with verdicts.
    #[arg(required = true, value_name = "FOLDER|CASE")]
    pub labelled: Vec<PathBuf>,
    /// Weights to check, or to start from, instead of those that come with the program.
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Fit new weights on what is given and write them to FILE. Check them on others.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    pub fit: Option<PathBuf>,
    /// Name of the new weights.
    #[arg(long, value_name = "NAME", default_value = "own-1", requires = "fit")]
    pub name: String,
    /// Where the new weights come from, for the record; by default what they were fitted on.
    #[arg(long, value_name = "TEXT", requires = "fit")]
    pub source: Option<String>,
    /// Seeds drawn from each world or case for the fit.
    #[arg(long, value_name = "N", default_value_t = 24, requires = "fit")]
    pub seeds: usize,
    /// Decides which: the same number draws the same.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "fit")]
    pub random: u64,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
}

/// What was scored, and how many true hosts there were.
#[derive(Default)]
struct Judged {
    pairs: Vec<Labelled>,
    wanted: Vec<(String, u64)>,
}

pub(super) fn run(args: &Calibrate, term: &Term) -> Result<Exit, Stop> {
    let weights = match &args.weights {
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
            Weights::from_json(&text).with_context(|| format!("`{}` holds no weights", file.display()))?
        }
        None => Weights::builtin()?,
    };
    let labels = Labels::builtin()?;
    if let Some(file) = &args.fit {
        return fit(args, file, &weights, &labels, term);
    }
    let mut judged = Judged::default();
    for place in &args.labelled {
        let one = if place.is_dir() { world(place, &weights, &labels)? } else { case(place, &weights, &labels, term)? };
        judged.pairs.extend(one.pairs);
        judged.wanted.extend(one.wanted);
    }
    if judged.wanted.iter().all(|one| one.1 == 0) {
        return Err(Stop::usage(anyhow!(
            "nothing here is labelled as a provider's, so that nothing can be checked; `hostkin confirm` and `hostkin reject` label hosts of a case"
        )));
    }
    let found = link::reliability(&judged.pairs, &judged.wanted);
    let mut out = Output::open(None)?;
    if args.json {
        report::write_json_line(&mut out, &json!({ "weights": weights.label(), "reliability": found }))?;
    } else {
        out.write_all(words(&found, &weights.label()).as_bytes())?;
    }
    out.finish()?;
    Ok(Exit::Done)
}

#[derive(Deserialize)]
struct Given {
    seed: IpAddr,
}

#[derive(Deserialize)]
struct True {
    ip: IpAddr,
    operator: Option<String>,
    kind: Option<String>,
}

/// What the generator calls hosts of the providers that are sought.
const SOUGHT: &str = "bph";

/// The hosts of a world.
fn hosts(folder: &Path) -> anyhow::Result<Population> {
    let hosts = folder.join("hosts.jsonl");
    let file = File::open(&hosts).with_context(|| format!("cannot read `{}`", hosts.display()))?;
    let mut builder = Builder::new();
    for host in FlatHosts::new(BufReader::new(file)) {
        match host {
            Ok(host) => builder.add(&host.facts),
            Err(error @ FlatError::Io { .. }) => return Err(error.into()),
            Err(_) => {}
        }
    }
    Ok(builder.finish())
}

/// Fits weights and writes them. In a world every host of a sought provider may be a seed, and of any provider where no
/// kind is given. In a case those are its confirmed hosts, and all others count as strangers: a closed case is meant.
fn fit(args: &Calibrate, to: &Path, start: &Weights, labels: &Labels, term: &Term) -> Result<Exit, Stop> {
    let mut read: Vec<(Population, BTreeMap<IpAddr, String>, BTreeSet<IpAddr>)> = Vec::new();
    for place in &args.labelled {
        if place.is_dir() {
            let rows = rows::<True>(place, "truth.jsonl")?;
            let sought = |row: &&True| row.kind.as_deref().is_none_or(|kind| kind == SOUGHT);
            let seeds = rows.iter().filter(sought).filter(|row| row.operator.is_some()).map(|row| row.ip).collect();
            let operators = rows.into_iter().filter_map(|row| Some((row.ip, row.operator?))).collect();
            read.push((hosts(place)?, operators, seeds));
        } else {
            let case = Case::open_read_only(place)?;
            let (seeds, verdicts) = (case.seeds()?, case.verdicts()?);
            let population = population(&case, &seeds, Some(term))?;
            let of_seed = |seed: &Seed| match seed.subject {
                Subject::Host(ip) => Some((ip, seed.provider.clone())),
                Subject::Facet(..) => None,
            };
            let confirmed = verdicts.iter().filter(|one| one.confirmed).map(|one| (one.address, one.provider.clone()));
            let operators: BTreeMap<IpAddr, String> = seeds.iter().filter_map(of_seed).chain(confirmed).collect();
            let seeds = operators.keys().copied().collect();
            read.push((population, operators, seeds));
        }
    }
    if read.iter().all(|(_, _, seeds)| seeds.is_empty()) {
        return Err(Stop::usage(anyhow!("nothing here is labelled as a provider's, so that nothing can be fitted")));
    }
    let worlds: Vec<World<'_>> = read.iter().map(|(hosts, labels, seeds)| World::new(hosts, labels, seeds)).collect();
    let names: Vec<String> = args.labelled.iter().map(|place| place.display().to_string()).collect();
    let source = args.source.clone().unwrap_or_else(|| format!("hostkin calibrate --fit on {}", names.join(", ")));
    let plan = Plan { name: args.name.clone(), source, seeds: args.seeds, random: args.random };
    let fitted = link::fit(&worlds, start, labels, &plan);
    let mut out = Output::create(to, false)?;
    out.write_all(fitted.to_json().as_bytes())?;
    out.finish()?;
    term.say(format!(
        "weights {} written to {}; check them on hosts that they were not fitted on",
        fitted.label(),
        to.display()
    ));
    Ok(Exit::Done)
}

fn rows<T: for<'a> Deserialize<'a>>(folder: &Path, name: &str) -> anyhow::Result<Vec<T>> {
    let path = folder.join(name);
    let file = File::open(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let mut rows = Vec::new();
    for (line, number) in BufReader::new(file).lines().zip(1_u64..) {
        let place = || format!("`{}`, line {number}", path.display());
        rows.push(serde_json::from_str(&line.with_context(place)?).with_context(place)?);
    }
    Ok(rows)
}

/// A labelled world: every seed is a provider of its own.
fn world(folder: &Path, weights: &Weights, labels: &Labels) -> anyhow::Result<Judged> {
    let operators: BTreeMap<IpAddr, String> =
        rows::<True>(folder, "truth.jsonl")?.into_iter().filter_map(|row| Some((row.ip, row.operator?))).collect();
    let mut sizes: BTreeMap<&str, u64> = BTreeMap::new();
    for operator in operators.values() {
        *sizes.entry(operator).or_default() += 1;
    }
    let name = |seed: IpAddr| format!("{} {seed}", folder.display());
    let seeds: Vec<Seed> = rows::<Given>(folder, "seeds.jsonl")?
        .into_iter()
        .map(|row| Seed {
            provider: name(row.seed),
            subject: Subject::Host(row.seed),
            why: "given".to_owned(),
            source: None,
            date: None,
            recorded_at: Timestamp::UNIX_EPOCH,
        })
        .collect();
    let own: BTreeMap<&str, (IpAddr, Option<&String>)> = seeds
        .iter()
        .filter_map(|seed| match seed.subject {
            Subject::Host(ip) => Some((seed.provider.as_str(), (ip, operators.get(&ip)))),
            Subject::Facet(..) => None,
        })
        .collect();
    let found = Linkage::new(&hosts(folder)?, weights, labels).rank(&seeds, &[]);
    let mut judged = Judged::default();
    for one in &found.ranking {
        if let Some((seed, operator)) = own.get(one.provider.as_str()).filter(|(seed, _)| *seed != one.address) {
            let is_true = operator.is_some() && operators.get(&one.address) == *operator && *seed != one.address;
            judged.pairs.push(Labelled { of: one.provider.clone(), score: one.score, is_true });
        }
    }
    let others =
        |operator: Option<&String>| operator.and_then(|name| sizes.get(name.as_str())).map_or(0, |all| all - 1);
    judged.wanted = own.iter().map(|(name, (_, operator))| ((*name).to_owned(), others(*operator))).collect();
    Ok(judged)
}

/// A case: every judged host is scored as if nobody had judged it.
fn case(path: &Path, weights: &Weights, labels: &Labels, term: &Term) -> Result<Judged, Stop> {
    let case = Case::open_read_only(path)?;
    let (seeds, verdicts) = (case.seeds()?, case.verdicts()?);
    let population = population(&case, &seeds, Some(term))?;
    if verdicts.len() > MOST_TRIED {
        term.warn(format!("{}: the first {MOST_TRIED} of {} verdicts are tried", path.display(), verdicts.len()));
    }
    let linkage = Linkage::new(&population, weights, labels);
    let mut judged = Judged::default();
    let mut wanted: BTreeMap<String, u64> = BTreeMap::new();
    for verdict in verdicts.iter().take(MOST_TRIED).filter(|one| population.contains(one.address)) {
        let of = format!("{} {}", path.display(), verdict.provider);
        let score = score_unjudged(&linkage, &seeds, &verdicts, verdict);
        judged.pairs.push(Labelled { of: of.clone(), score, is_true: verdict.confirmed });
        *wanted.entry(of).or_default() += u64::from(verdict.confirmed);
    }
    judged.wanted = wanted.into_iter().collect();
    Ok(judged)
}

fn score_unjudged(linkage: &Linkage<'_>, seeds: &[Seed], verdicts: &[Verdict], left_out: &Verdict) -> f64 {
    let others: Vec<Verdict> = verdicts.iter().filter(|one| *one != left_out).cloned().collect();
    let against = link::Against::Provider(left_out.provider.clone());
    let found = linkage.why(seeds, &others, left_out.address, &against);
    found.map_or(0.0, |found| found.score)
}

fn words(of: &Reliability, weights: &str) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "weights {weights}");
    let _ = writeln!(
        out,
        "{} seeds, {} hosts wanted, {} listed with a score of 0.01 or more\n",
        of.seeds, of.wanted, of.listed
    );
    let _ = writeln!(out, "average precision          {:.3}", of.average_precision);
    let _ = writeln!(out, "recall at 99 % precision   {:.3}", of.recall_at_99);
    let _ = writeln!(out, "precision at score >= 0.5  {:.3}, recall {:.3}", of.precision_at_half, of.recall_at_half);
    let _ = writeln!(out, "calibration error          {:.3}, Brier score {:.3}\n", of.calibration_error, of.brier);
    let _ = writeln!(out, "score          pairs   claimed   true     95 % interval");
    for bin in of.bins.iter().filter(|bin| bin.pairs > 0) {
        let fits = if (bin.low..=bin.high).contains(&bin.claimed) { "" } else { "  off" };
        let _ = writeln!(
            out,
            "{:.2} to {:.2} {:>9}   {:>7.3} {:>6.3}     {:.3} to {:.3}{fits}",
            bin.from, bin.to, bin.pairs, bin.claimed, bin.share, bin.low, bin.high
        );
    }
    out
}
