//! Real labelled servers: `labelled DIR`, where DIR holds `maltrail_fingerprint_blocks.jsonl` (stamparm/maltrail, MIT) and
//! `cobaltstrike_servers.csv` (`carbonblack/active_c2_ioc_public`, MIT).
//!
//! **Families.** Each block of the first file names servers of a malware family and what they have in common (page, title,
//! certificate, header digests). One server a family is the seed. Distractors, 30 % and 60 % of all hosts, take each kind of
//! value from a server drawn at random, so that stock values meet as they do outside. What is shared here is a kit's content:
//! the right claim is the same tenant's, never the same provider's, so that both the ranking and the claims are counted.
//!
//! **Keys.** In the second file widely shared keys are those of leaked builds. For keys by the number of their holders: how
//! many are said to be held by strangers, and how many pairs are claimed for one provider by the key alone.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use hostkin::clock::Timestamp;
use hostkin::facet::{FacetKind, HostFacts, Labels};
use hostkin::finding::{Level, Seed, Subject};
use hostkin::link::{Against, Builder, Labelled, Linkage, Weights, reliability};
use serde_json::Value;

/// Keys with so many holders are widely shared.
const WIDE: usize = 30;
/// A server in many families shares its address with them and tells nothing.
const FAMILIES: usize = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let Some(dir) = std::env::args().nth(1) else { return Err("usage: labelled DIR".into()) };
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "| families, share of distractors | seeds | hosts | AP | R@99 | precision at 0.5 | calibration error | claimed for one provider |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|---|")?;
    let blocks = Blocks::read(&Path::new(&dir).join("maltrail_fingerprint_blocks.jsonl"))?;
    for share in [30, 60] {
        families(&blocks, share, &mut out)?;
    }
    keys(&Path::new(&dir).join("cobaltstrike_servers.csv"), &mut out)
}

/// What a server shows.
type Shown = BTreeSet<(FacetKind, String)>;

/// Servers with their families and facets.
#[derive(Default)]
struct Blocks {
    hosts: BTreeMap<IpAddr, (BTreeSet<String>, Shown)>,
}

impl Blocks {
    fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let mut blocks = Self::default();
        for line in BufReader::new(File::open(path)?).lines() {
            let block: Value = serde_json::from_str(&line?)?;
            let family = block.get("family").and_then(Value::as_str).unwrap_or_default();
            let prints = block.get("fingerprints").and_then(Value::as_array).into_iter().flatten();
            let facets: Vec<(FacetKind, String)> = prints.filter_map(facet).collect();
            for host in block.get("hosts").and_then(Value::as_array).into_iter().flatten() {
                let ip = host.get("ip").and_then(Value::as_str).and_then(|ip| ip.parse().ok());
                if let Some(ip) = ip {
                    let (families, own) = blocks.hosts.entry(ip).or_default();
                    families.insert(family.to_owned());
                    own.extend(facets.iter().cloned());
                }
            }
        }
        blocks.hosts.retain(|_, (families, facets)| families.len() <= FAMILIES && !facets.is_empty());
        Ok(blocks)
    }
}

/// A fingerprint of a scan service as the facet that stands nearest.
fn facet(print: &Value) -> Option<(FacetKind, String)> {
    let value = print.get("value")?.as_str()?.to_owned();
    Some(match print.get("type")?.as_str()? {
        "BANNER_0_HASH" | "HEADER_HASH" => (FacetKind::HttpHeaderOrder, value),
        "TITLE" => (FacetKind::HttpTitle, value),
        "CLASS_0_HASH" => (FacetKind::HttpBodySimhash, value.get(..16)?.to_owned()),
        "FAVICON_HASH" => (FacetKind::HttpFaviconMmh3, value),
        "BODY_SHA1" => (FacetKind::HttpBodySha256, value),
        "CERT_FINGERPRINT_SHA256" | "CERT_FINGERPRINT" => (FacetKind::CertSha256, value),
        "CERT_CN" => (FacetKind::CertSubject, format!("CN={value}")),
        "SERVER" => (FacetKind::HttpServer, value),
        _ => return None,
    })
}

/// The same numbers on every machine: a linear congruential generator (Knuth, MMIX).
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit.max(1)
    }
}

fn families(blocks: &Blocks, share: usize, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut builder = Builder::new();
    let mut members: BTreeMap<&str, Vec<IpAddr>> = BTreeMap::new();
    for (ip, (families, facets)) in &blocks.hosts {
        let mut host = HostFacts::new(*ip);
        host.facets = facets.iter().map(|(kind, value)| (*kind, value.clone().into_bytes())).collect();
        builder.add(&host);
        for family in families {
            members.entry(family).or_default().push(*ip);
        }
    }
    let kinds: BTreeSet<FacetKind> = blocks.hosts.values().flat_map(|one| one.1.iter().map(|facet| facet.0)).collect();
    let pools: BTreeMap<FacetKind, Vec<&String>> = kinds
        .into_iter()
        .map(|kind| {
            let values = blocks.hosts.values().flat_map(|one| &one.1).filter(move |facet| facet.0 == kind);
            (kind, values.map(|facet| &facet.1).collect())
        })
        .collect();
    let mut draw = Draw(share as u64);
    let distractors = blocks.hosts.len() * share / (100 - share);
    for n in 0..distractors {
        let [_, upper, middle, lower] = u32::try_from(n)?.to_be_bytes();
        let mut host = HostFacts::new(Ipv4Addr::new(192 + upper, 0, middle, lower).into());
        for (kind, pool) in &pools {
            // As often as servers show the kind at all.
            if draw.below(blocks.hosts.len()) < pool.len()
                && let Some(value) = pool.get(draw.below(pool.len()))
            {
                // Half of the time a value of its own.
                let own = draw.below(2) == 0;
                let value = if own { format!("{value} {n}") } else { (*value).clone() };
                host.facets.push((*kind, value.into_bytes()));
            }
        }
        builder.add(&host);
    }
    let population = builder.finish();
    let (weights, labels) = (Weights::builtin()?, Labels::builtin()?);
    let linkage = Linkage::new(&population, &weights, &labels);
    let (mut pairs, mut wanted, mut claimed) = (Vec::new(), Vec::new(), 0_u64);
    for (family, hosts) in members.iter().filter(|(_, hosts)| hosts.len() >= 3) {
        let Some(first) = hosts.first() else { continue };
        let found = linkage.run(&[seed(*first)], &[]);
        for one in found.ranking.iter().filter(|one| one.address != *first) {
            let is_true = hosts.contains(&one.address);
            claimed += u64::from(one.level == Level::Provider && one.score >= 0.5);
            pairs.push(Labelled { of: (*family).to_owned(), score: one.score, is_true });
        }
        wanted.push(((*family).to_owned(), u64::try_from(hosts.len() - 1)?));
    }
    let found = reliability(&pairs, &wanted);
    writeln!(
        out,
        "| {share} % | {} | {} | {:.3} | {:.3} | {:.3} | {:.3} | {claimed} of {} pairs |",
        found.seeds,
        population.len(),
        found.average_precision,
        found.recall_at_99,
        found.precision_at_half,
        found.calibration_error,
        pairs.len()
    )?;
    Ok(())
}

fn seed(address: IpAddr) -> Seed {
    Seed {
        provider: "known".to_owned(),
        subject: Subject::Host(address),
        why: "given".to_owned(),
        source: None,
        date: None,
        recorded_at: Timestamp::UNIX_EPOCH,
    }
}

fn keys(path: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut hosts: BTreeMap<IpAddr, HostFacts> = BTreeMap::new();
    let mut holders: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
    let mut reader = csv::Reader::from_path(path)?;
    let columns = reader.headers()?.clone();
    for row in reader.records() {
        let row = row?;
        let of = |name: &str| {
            columns.iter().position(|one| one == name).and_then(|place| row.get(place)).unwrap_or_default()
        };
        let Ok(ip) = of("c2_ip").parse::<IpAddr>() else { continue };
        let host = hosts.entry(ip).or_insert_with(|| HostFacts::new(ip));
        host.open_ports.extend(of("port").parse::<u16>());
        let key = (FacetKind::CertSpkiSha256, of("pubkey_md5").as_bytes().to_vec());
        if !host.facets.contains(&key) {
            host.facets.push(key);
        }
        // The URIs that a beacon asks for stand for its profile, which is what the page is elsewhere.
        let profile = of("domains").split_once('/').map_or("", |(_, path)| path);
        host.facets.push((FacetKind::HttpTitle, profile.as_bytes().to_vec()));
        holders.entry(of("pubkey_md5").to_owned()).or_default().insert(ip);
    }
    let mut builder = Builder::new();
    for host in hosts.values_mut() {
        host.open_ports.sort_unstable();
        host.open_ports.dedup();
        builder.add(host);
    }
    let population = builder.finish();
    let (weights, labels) = (Weights::builtin()?, Labels::builtin()?);
    let linkage = Linkage::new(&population, &weights, &labels);
    writeln!(
        out,
        "\n| holders of a key | keys | said to be held by strangers | pairs looked at | claimed for one provider | same tenant's at most |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|")?;
    let mut ranges: Vec<(String, Vec<&BTreeSet<IpAddr>>)> = Vec::new();
    for (words, range) in [("2 to 5", 2..=5), ("6 to 29", 6..=WIDE - 1)] {
        let own = holders.values().filter(|own| range.contains(&own.len()));
        ranges.push((words.to_owned(), own.collect()));
    }
    // Wide ones each for itself: a key may be wide because it leaked, or because its one owner has many servers.
    for (key, own) in holders.iter().filter(|(_, own)| own.len() >= WIDE) {
        ranges.push((format!("{} ({}…)", own.len(), key.get(..8).unwrap_or(key)), vec![own]));
    }
    for (words, keys) in ranges {
        let (mut flagged, mut pairs, mut provider, mut tenant) = (0, 0, 0, 0);
        for own in &keys {
            let Some(first) = own.first() else { continue };
            let mut strangers = false;
            for other in own.iter().skip(1).take(20) {
                let Some(told) = linkage.why(&[], &[], *other, &Against::Host(*first)) else {
                    continue;
                };
                pairs += 1;
                provider += u32::from(told.level == Level::Provider);
                tenant += u32::from(told.level == Level::Tenant);
                strangers |= told.counter.iter().any(|line| line.contains("little else in common"));
            }
            flagged += u32::from(strangers);
        }
        writeln!(out, "| {words} | {} | {flagged} | {pairs} | {provider} | {tenant} |", keys.len())?;
    }
    Ok(())
}
