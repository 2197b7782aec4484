//! The methods others use, on the worlds ours is judged on: `baselines OUT DIR...`.
//!
//! For each labelled world `DIR` (`hosts.jsonl`, `seeds.jsonl`, `truth.jsonl`) and each method a ranking is written to
//! `OUT/DIR-METHOD.jsonl` with the columns a judge reads (`seed ip score`), and a table is printed. Methods, one seed each:
//!
//! - `window`: values that 2 to 120 hosts show lead to these hosts, and theirs to others once more (the rule of `CensEye`:
//!   more shared values first, then rarer ones);
//! - `components`: hosts that share a strong value of at most 20 holders are one set;
//! - `tfidf`: cosine of all values weighted by ln(N / holders);
//! - `fellegi-sunter`: one likelihood ratio a group, adjusted for the frequency of the value, nothing fitted;
//! - `hostkin`: this project.

#![expect(clippy::indexing_slicing, reason = "places are numbers that were given out here")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::net::IpAddr;
use std::path::Path;

use hostkin::clock::Timestamp;
use hostkin::facet::flat::FlatHosts;
use hostkin::facet::{FacetKind, HostFacts, Labels};
use hostkin::finding::{Seed, Subject};
use hostkin::link::{Builder, Labelled, Linkage, Weights, reliability};
use serde_json::{Value, json};

/// Holders of a value that the window rule follows.
const WINDOW: std::ops::RangeInclusive<usize> = 2..=120;
/// Holders of a value that joins a component.
const RARE: std::ops::RangeInclusive<usize> = 2..=20;
/// Expected hosts of an operator, for the prior of Fellegi and Sunter.
const EXPECTED: f64 = 65.0;

/// Facets that the window rule pivots on.
const PIVOTS: [&str; 15] = [
    "ssh.host_key",
    "cert.sha256",
    "cert.spki_sha256",
    "http.body_sha256",
    "http.favicon_mmh3",
    "cert.subject",
    "rdp.computer_name",
    "http.title",
    "http.header_order",
    "tls.jarm",
    "ssh.hassh_server",
    "ssh.banner",
    "http.server",
    "cert.serial",
    "cert.san",
];
/// Facets strong enough to join a component.
const STRONG: [&str; 7] = [
    "ssh.host_key",
    "cert.sha256",
    "cert.spki_sha256",
    "http.body_sha256",
    "http.favicon_mmh3",
    "rdp.computer_name",
    "cert.subject",
];
/// The groups of Fellegi and Sunter, each from its most specific field to the most general.
const GROUPS: [&[&str]; 8] = [
    &["ssh.host_key"],
    &["sshd", "ssh.hassh_server"],
    &["cert.sha256", "cert.spki_sha256", "cert.subject"],
    &["stack", "http.header_order", "tls.jarm"],
    &["http.body_sha256", "http.favicon_mmh3", "http.title"],
    &["rdp.computer_name", "rdp.build"],
    &["ports"],
    &["prefix", "asn"],
];

/// Hosts with numbered values, and who shows each.
struct World {
    hosts: Vec<IpAddr>,
    places: HashMap<IpAddr, usize>,
    /// For each host (field, value), a value's number being its place in `holders`.
    values: Vec<Vec<(&'static str, usize)>>,
    holders: Vec<Vec<usize>>,
}

impl World {
    fn add(&mut self, facts: &HostFacts, numbers: &mut HashMap<(&'static str, Vec<u8>), usize>) {
        let host = self.hosts.len();
        self.hosts.push(facts.address);
        self.places.insert(facts.address, host);
        let of = |kind: FacetKind| facts.facets.iter().find(|one| one.0 == kind).map(|one| one.1.as_slice());
        let mut fields: Vec<(&'static str, Vec<u8>)> =
            facts.facets.iter().map(|(kind, value)| (kind.as_str(), value.clone())).collect();
        let joined =
            |kinds: &[FacetKind]| kinds.iter().map(|kind| of(*kind).unwrap_or_default()).collect::<Vec<_>>().join(&0);
        if of(FacetKind::SshBanner).is_some() {
            fields.push(("sshd", joined(&[FacetKind::SshBanner, FacetKind::SshHasshServer])));
        }
        if of(FacetKind::HttpHeaderOrder).is_some() {
            fields.push(("stack", joined(&[FacetKind::HttpServer, FacetKind::HttpHeaderOrder, FacetKind::TlsJarm])));
        }
        let ports = facts.open_ports.iter().filter(|port| ![22, 80, 443, 3389].contains(*port));
        let ports: Vec<String> = ports.map(ToString::to_string).collect();
        if !ports.is_empty() {
            fields.push(("ports", ports.join(",").into_bytes()));
        }
        fields.extend(facts.prefix.map(|prefix| ("prefix", prefix.to_string().into_bytes())));
        fields.extend(facts.asn.map(|asn| ("asn", asn.to_string().into_bytes())));
        let mut own: Vec<(&'static str, usize)> = Vec::new();
        for (field, value) in fields {
            let next = self.holders.len();
            let number = *numbers.entry((field, value)).or_insert(next);
            if number == next {
                self.holders.push(Vec::new());
            }
            if self.holders[number].last() != Some(&host) {
                self.holders[number].push(host);
                own.push((field, number));
            }
        }
        self.values.push(own);
    }

    fn size(&self) -> f64 {
        f64::from(u32::try_from(self.hosts.len()).unwrap_or(u32::MAX))
    }

    fn count(&self, value: usize) -> f64 {
        f64::from(u32::try_from(self.holders[value].len()).unwrap_or(u32::MAX))
    }
}

type Ranking = Vec<(usize, f64)>;

fn window(world: &World, seed: usize) -> Ranking {
    let mut score: BTreeMap<usize, f64> = BTreeMap::from([(seed, 1.0)]);
    let mut used: BTreeSet<usize> = BTreeSet::new();
    let mut front = vec![seed];
    for weight in [1.0, 0.5] {
        let mut met: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
        for host in front {
            for (field, value) in &world.values[host] {
                let fits = PIVOTS.contains(field) && WINDOW.contains(&world.holders[*value].len());
                if fits && used.insert(*value) {
                    for other in &world.holders[*value] {
                        let (shared, rarest) = met.entry(*other).or_default();
                        *shared += 1.0;
                        *rarest = f64::max(*rarest, 1.0 / world.count(*value));
                    }
                }
            }
        }
        front = met.keys().copied().filter(|host| !score.contains_key(host)).collect();
        for host in &front {
            let (shared, rarest) = met[host];
            score.insert(*host, (1.0 - 1.0 / (1.0 + shared + f64::min(0.9, rarest))) * weight);
        }
    }
    score.into_iter().filter(|(host, _)| *host != seed).collect()
}

/// The component of each host, by its lowest host.
fn components(world: &World) -> Vec<usize> {
    fn root(of: &mut [usize], mut host: usize) -> usize {
        while of[host] != host {
            of[host] = of[of[host]];
            host = of[host];
        }
        host
    }
    let mut of: Vec<usize> = (0..world.hosts.len()).collect();
    for host in 0..world.hosts.len() {
        for (field, value) in &world.values[host] {
            if STRONG.contains(field) && RARE.contains(&world.holders[*value].len()) {
                let (one, other) = (root(&mut of, host), root(&mut of, world.holders[*value][0]));
                of[one.max(other)] = one.min(other);
            }
        }
    }
    (0..of.len()).map(|host| root(&mut of, host)).collect()
}

fn tfidf(world: &World, lengths: &[f64], seed: usize) -> Ranking {
    let mut dot: HashMap<usize, f64> = HashMap::new();
    for (_, value) in &world.values[seed] {
        let weight = (world.size() / world.count(*value)).ln().powi(2);
        if world.holders[*value].len() >= 2 {
            for other in &world.holders[*value] {
                *dot.entry(*other).or_default() += weight;
            }
        }
    }
    let cosine = |host: usize, dot: f64| dot / (lengths[host] * lengths[seed]).max(1e-9);
    let all = dot.into_iter().map(|(host, dot)| (host, cosine(host, dot)));
    all.filter(|(host, score)| *host != seed && *score > 0.05).collect()
}

fn lengths(world: &World) -> Vec<f64> {
    let square = |value: usize| {
        if world.holders[value].len() < 2 { 0.0 } else { (world.size() / world.count(value)).ln().powi(2) }
    };
    world.values.iter().map(|own| own.iter().map(|(_, value)| square(*value)).sum::<f64>().sqrt()).collect()
}

fn fellegi_sunter(world: &World, seed: usize) -> Ranking {
    let mut candidates: BTreeSet<usize> = BTreeSet::new();
    for (_, value) in &world.values[seed] {
        if world.holders[*value].len() <= 300.max(world.hosts.len() / 100) {
            candidates.extend(&world.holders[*value]);
        }
    }
    candidates.remove(&seed);
    let prior = (EXPECTED / world.size()).ln();
    candidates
        .into_iter()
        .map(|host| {
            let sum: f64 = GROUPS.iter().map(|group| ratio(world, group, seed, host)).sum();
            (host, 1.0 / (1.0 + (-(prior + sum)).exp()))
        })
        .collect()
}

/// The log likelihood ratio of one group: half of the mass on the shared value, the rest on the levels below.
fn ratio(world: &World, group: &[&str], one: usize, other: usize) -> f64 {
    let mut ratio = 1.0;
    for field in group.iter().rev() {
        let of = |host: usize| {
            world.values[host].iter().filter(|(name, _)| name == field).map(|(_, value)| *value).collect::<Vec<_>>()
        };
        let (mine, theirs) = (of(one), of(other));
        if mine.is_empty() || theirs.is_empty() {
            continue;
        }
        let shared = mine.iter().filter(|value| theirs.contains(value)).map(|value| world.count(*value));
        let gain = shared.map(|count| 0.5 * world.size() / count).fold(0.0, f64::max);
        ratio = f64::midpoint(gain, 1.5 * ratio);
    }
    ratio.ln()
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [out, dirs @ ..] = args.as_slice() else { return Err("usage: baselines OUT DIR...".into()) };
    std::fs::create_dir_all(out)?;
    let mut table = std::io::stdout().lock();
    writeln!(
        table,
        "| world | method | AP | R@99 | precision at 0.5 | calibration error |\n|---|---|---|---|---|---|"
    )?;
    for dir in dirs {
        one_world(Path::new(dir), Path::new(out), &mut table)?;
    }
    Ok(())
}

fn one_world(dir: &Path, out: &Path, table: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut world = World { hosts: Vec::new(), places: HashMap::new(), values: Vec::new(), holders: Vec::new() };
    let (mut numbers, mut builder) = (HashMap::new(), Builder::new());
    for host in FlatHosts::new(BufReader::new(File::open(dir.join("hosts.jsonl"))?)) {
        let facts = host?.facts;
        world.add(&facts, &mut numbers);
        builder.add(&facts);
    }
    let seeds: Vec<IpAddr> =
        rows(&dir.join("seeds.jsonl"))?.iter().map(|row| text(row, "seed").parse()).collect::<Result<_, _>>()?;
    let truth: HashMap<IpAddr, String> = rows(&dir.join("truth.jsonl"))?
        .iter()
        .map(|row| Ok((text(row, "ip").parse()?, text(row, "operator"))))
        .collect::<Result<_, std::net::AddrParseError>>()?;
    let (component, lengths) = (components(&world), lengths(&world));
    let together = |seed: usize| {
        (0..component.len())
            .filter(|host| *host != seed && component[*host] == component[seed])
            .map(|host| (host, 1.0))
            .collect()
    };
    let methods: [(&str, &dyn Fn(usize) -> Ranking); 4] = [
        ("window", &|seed| window(&world, seed)),
        ("components", &together),
        ("tfidf", &|seed| tfidf(&world, &lengths, seed)),
        ("fellegi-sunter", &|seed| fellegi_sunter(&world, seed)),
    ];
    let name = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    for (method, rank) in methods {
        let ranked = seeds.iter().map(|seed| {
            (*seed, rank(world.places[seed]).into_iter().map(|(host, score)| (world.hosts[host], score)).collect())
        });
        judge(&name, method, &ranked.collect::<Vec<_>>(), &truth, out, table)?;
    }
    let given: Vec<Seed> = seeds
        .iter()
        .map(|seed| Seed {
            provider: seed.to_string(),
            subject: Subject::Host(*seed),
            why: "given".to_owned(),
            source: None,
            date: None,
            recorded_at: Timestamp::UNIX_EPOCH,
        })
        .collect();
    let found = Linkage::new(&builder.finish(), &Weights::builtin()?, &Labels::builtin()?).run(&given, &[]);
    let own = |seed: &IpAddr| {
        let rows = found.ranking.iter().filter(|one| one.provider == seed.to_string() && one.address != *seed);
        (*seed, rows.map(|one| (one.address, one.score)).collect())
    };
    judge(&name, "hostkin", &seeds.iter().map(own).collect::<Vec<_>>(), &truth, out, table)
}

/// Writes a ranking, and its row of the table.
fn judge(
    world: &str,
    method: &str,
    ranked: &[(IpAddr, Vec<(IpAddr, f64)>)],
    truth: &HashMap<IpAddr, String>,
    out: &Path,
    table: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let mut file = BufWriter::new(File::create(out.join(format!("{world}-{method}.jsonl")))?);
    let (mut pairs, mut wanted) = (Vec::new(), Vec::new());
    for (seed, ranking) in ranked {
        let operator = truth.get(seed).filter(|operator| !operator.is_empty());
        for (ip, score) in ranking {
            writeln!(file, "{}", json!({"seed": seed, "ip": ip, "score": score}))?;
            let is_true = operator.is_some() && truth.get(ip) == operator;
            pairs.push(Labelled { of: seed.to_string(), score: *score, is_true });
        }
        let own = truth.values().filter(|one| Some(*one) == operator).count();
        wanted.push((seed.to_string(), u64::try_from(own.saturating_sub(1))?));
    }
    file.flush()?;
    let found = reliability(&pairs, &wanted);
    writeln!(
        table,
        "| {world} | {method} | {:.3} | {:.3} | {:.3} | {:.3} |",
        found.average_precision, found.recall_at_99, found.precision_at_half, found.calibration_error
    )?;
    Ok(())
}

fn rows(path: &Path) -> Result<Vec<Value>, Box<dyn Error>> {
    BufReader::new(File::open(path)?).lines().map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

fn text(row: &Value, key: &str) -> String {
    row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}
