//! Links a generated landscape: `landscape DIR OUT [KNOWN]`.
//!
//! Reads `DIR/hosts.jsonl` (flat hosts) and `DIR/seeds.jsonl` (`{"seed": ip}` a line, each its own provider; further
//! confirmed hosts as `{"seed": ip, "ip": ip}` in KNOWN); writes `OUT/ranking.jsonl` and `OUT/clusters.jsonl` with the
//! columns of `export ranking` and `export clusters` that a judge reads, and the time taken to stderr. The clusters are
//! made without any seed, so that they are judged as hypotheses.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use hostkin::clock::{Clock, SystemClock, Timestamp};
use hostkin::facet::Labels;
use hostkin::facet::flat::FlatHosts;
use hostkin::finding::{Seed, Subject, Verdict};
use hostkin::link::{Builder, Linkage, Weights};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (Some(dir), Some(out)) = (args.first(), args.get(1)) else {
        return Err("usage: landscape DIR OUT [KNOWN]".into());
    };
    let clock = SystemClock::new();
    let mut builder = Builder::new();
    for host in FlatHosts::new(BufReader::new(File::open(Path::new(dir).join("hosts.jsonl"))?)) {
        builder.add(&host?.facts);
    }
    let population = builder.finish();
    let built = clock.elapsed();
    let mut seeds = Vec::new();
    for row in rows(&Path::new(dir).join("seeds.jsonl"))? {
        seeds.push(Seed {
            provider: text(&row, "seed"),
            subject: Subject::Host(text(&row, "seed").parse()?),
            why: "given".to_owned(),
            source: None,
            date: None,
            recorded_at: Timestamp::UNIX_EPOCH,
        });
    }
    let mut verdicts = Vec::new();
    if let Some(known) = args.get(2) {
        for row in rows(Path::new(known))? {
            verdicts.push(Verdict {
                provider: text(&row, "seed"),
                address: text(&row, "ip").parse()?,
                confirmed: true,
                why: "given".to_owned(),
                recorded_at: Timestamp::UNIX_EPOCH,
            });
        }
    }
    let (weights, labels) = (Weights::builtin()?, Labels::builtin()?);
    let linkage = Linkage::new(&population, &weights, &labels);
    let found = linkage.rank(&seeds, &verdicts);
    let hypotheses = linkage.run(&[], &[]).clusters;
    let linked = clock.elapsed();
    std::fs::create_dir_all(out)?;
    let mut ranking = BufWriter::new(File::create(Path::new(out).join("ranking.jsonl"))?);
    for one in &found.ranking {
        let row = json!({"provider": one.provider, "seed": one.seed, "ip": one.address, "score": one.score,
            "log10_lr": one.log10_lr, "rank": one.rank, "level": one.level, "reasons": one.reasons, "against": one.against});
        writeln!(ranking, "{row}")?;
    }
    let mut clusters = BufWriter::new(File::create(Path::new(out).join("clusters.jsonl"))?);
    for cluster in &hypotheses {
        for one in &cluster.members {
            writeln!(clusters, "{}", json!({"ip": one.address, "cluster_id": cluster.id, "score": one.score}))?;
        }
    }
    ranking.flush()?;
    clusters.flush()?;
    writeln!(
        std::io::stderr(),
        "{} hosts, {} seeds: columns {:.2} s, linkage {:.2} s, {} ranked, {} clusters",
        population.len(),
        seeds.len(),
        built.as_secs_f64(),
        (linked.saturating_sub(built)).as_secs_f64(),
        found.ranking.len(),
        hypotheses.len()
    )?;
    Ok(())
}

fn rows(path: &Path) -> Result<Vec<Value>, Box<dyn Error>> {
    BufReader::new(File::open(path)?).lines().map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}

fn text(row: &Value, key: &str) -> String {
    row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}
