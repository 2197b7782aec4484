//! What the linkage costs at scale: `scale HOSTS|FILE [blind]`.
//!
//! FILE holds flat hosts, one a line. HOSTS is a number of hosts made on the way: a fifth of them belong to operators of
//! 20 to 220 hosts, whose fleets share settings of sshd and proxy, a way of making certificates and, for some, a key; the
//! others are strangers with stock software. Prints the processor time of each step, and for 100 seeds the least, the
//! median and the 95th percentile of what a ranking takes, on the clock too, of 100 others with every reason; `blind`
//! clusters without a seed too. Writes nothing.

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hostkin::clock::{Clock, SystemClock, Timestamp};
use hostkin::facet::flat::FlatHosts;
use hostkin::facet::{FacetKind, HostFacts, Labels};
use hostkin::finding::{Seed, Subject};
use hostkin::link::{Builder, Linkage, Population, Weights};

/// Seeds that are timed, after one that is not.
const SEEDS: usize = 200;

/// The same numbers on every machine: splitmix64 (Steele, Lea and Flood 2014).
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The address of the n-th host: all different, in no order.
fn address(n: u32) -> IpAddr {
    Ipv4Addr::from(0x0b00_0000_u32.wrapping_add(n.wrapping_mul(2_654_435_761) % 0xc000_0000)).into()
}

/// The operator of the n-th host; its size grows with its number up to 520.
fn operator(n: u32) -> Option<u64> {
    let block = u64::from(n) / 540;
    let place = n % 540;
    let size = 20 + mixed(block) % 200;
    (u64::from(place) < size).then_some(block)
}

fn host(n: u32) -> HostFacts {
    let mut host = HostFacts::new(address(n));
    let own = mixed(u64::from(n) << 20);
    let draw = |turn: u64, limit: u64| mixed(own ^ turn) % limit;
    let fleet = operator(n).map(|op| (op, op * 4 + draw(1, 2)));
    // A stranger's stock software, by popularity: squaring makes small numbers common.
    let stock = |turn: u64, limit: u64| draw(turn, limit) * draw(turn + 100, limit) / limit;
    let mut put = |kind: FacetKind, value: String| host.facets.push((kind, value.into_bytes()));
    put(FacetKind::SshBanner, format!("SSH-2.0-OpenSSH_{}", stock(2, 60)));
    match fleet {
        Some((_, fleet)) if draw(3, 10) < 7 => put(FacetKind::SshHasshServer, format!("hassh-f{fleet}")),
        _ => put(FacetKind::SshHasshServer, format!("hassh-{}", stock(4, 300))),
    }
    match fleet {
        Some((_, fleet)) if fleet % 5 == 0 && draw(5, 10) < 6 => {
            put(FacetKind::SshHostKey, format!("SHA256:image{fleet}"));
        }
        _ => put(FacetKind::SshHostKey, format!("SHA256:{own:016x}{:016x}", mixed(own))),
    }
    let (server, order) = match fleet {
        Some((_, fleet)) if draw(6, 10) < 6 => ("nginx".to_owned(), format!("order-f{fleet}")),
        _ => (format!("server {}", stock(7, 200)), format!("order {}", stock(8, 400))),
    };
    put(FacetKind::HttpServer, server);
    put(FacetKind::HttpHeaderOrder, order);
    put(FacetKind::TlsJarm, format!("jarm {}", stock(9, 500)));
    put(FacetKind::CertSha256, format!("{own:016x}c"));
    put(FacetKind::CertSpkiSha256, format!("{own:016x}k"));
    let subject = match fleet {
        Some((op, _)) if draw(10, 10) < 5 => format!("O=Op{op}, CN=vps{n}.example"),
        _ => format!("CN=site{n}.example"),
    };
    put(FacetKind::CertIssuer, if draw(11, 3) == 0 { subject.clone() } else { "CN=R3".to_owned() });
    put(FacetKind::CertSubject, subject);
    put(FacetKind::CertValiditySeconds, (draw(12, 4) * 7_776_000).to_string());
    put(FacetKind::HttpTitle, format!("title {}", stock(13, 100_000)));
    put(FacetKind::HttpBodySha256, format!("body {}", draw(14, 3_000_000)));
    host.asn = Some(u32::try_from(fleet.map_or_else(|| draw(15, 30_000), |(op, _)| op * 3 + draw(16, 3))).unwrap_or(1));
    host.open_ports = vec![22, 80, 443, u16::try_from(8000 + stock(17, 90)).unwrap_or(8000)];
    host
}

/// Processor time of all threads, in seconds.
fn spent() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default().as_secs_f64()
}

/// The hosts of a file, or made on the way.
fn add(builder: &mut Builder, what: &str) -> Result<(), Box<dyn Error>> {
    if let Ok(hosts) = what.parse::<u32>() {
        (0..hosts).for_each(|n| builder.add(&host(n)));
        return Ok(());
    }
    for host in FlatHosts::new(BufReader::new(File::open(what)?)) {
        builder.add(&host?.facts);
    }
    Ok(())
}

/// Hosts to start from, evenly spread: of made hosts each one an operator's.
fn seeds(what: &str, population: &Population) -> Vec<IpAddr> {
    let all: Vec<IpAddr> = match what.parse::<u32>() {
        Ok(hosts) => (0..hosts).step_by(540).filter(|n| operator(*n).is_some()).map(address).collect(),
        Err(_) => population.addresses().collect(),
    };
    let step = (all.len() / (SEEDS + 1)).max(1);
    all.into_iter().step_by(step).take(SEEDS + 1).collect()
}

/// The least, the median, the 95th percentile and the most of some times in seconds, of the processors and of the clock,
/// each with the number listed.
fn summary(said: &mut impl Write, what: &str, took: &[(f64, f64, usize)]) -> std::io::Result<()> {
    let listed = took.iter().map(|one| one.2).sum::<usize>() / took.len().max(1);
    writeln!(said, "{what}, {listed} hosts listed on average:")?;
    let all =
        [("processors", took.iter().map(|one| one.0).collect()), ("clock", took.iter().map(|one| one.1).collect())];
    for (name, mut times) in all as [(&str, Vec<f64>); 2] {
        times.sort_by(f64::total_cmp);
        let at = |share: usize| times.get(times.len() * share / 100).or(times.last()).copied().unwrap_or(0.0) * 1000.0;
        let (least, median, nearly_all, most) = (at(0), at(50), at(95), at(100));
        writeln!(
            said,
            "  {name:<11} least {least:.1} ms, median {median:.1}, 95 of 100 within {nearly_all:.1}, most {most:.1}"
        )?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let what = args.first().ok_or("usage: scale HOSTS|FILE [blind]")?;
    let mut said = std::io::stdout().lock();
    let mut last = spent();
    let mut step = |said: &mut std::io::StdoutLock<'_>, what: &str| -> std::io::Result<()> {
        let now = spent();
        writeln!(said, "{what:<44} {:>9.3} s", now - last)?;
        last = now;
        said.flush()
    };
    let mut builder = Builder::new();
    add(&mut builder, what)?;
    step(&mut said, &format!("{} hosts read and added", builder.len()))?;
    let population = builder.finish();
    step(&mut said, "columns")?;
    let mut bytes = 0;
    let mut parts = std::collections::HashMap::new();
    for part in Population::parts() {
        let body = population.to_part(&part);
        bytes += body.len();
        parts.insert(part, body);
    }
    step(&mut said, &format!("written: {} MB", bytes / 1_000_000))?;
    drop(population);
    let back = Population::from_parts(|part| {
        let bytes = parts.remove(part).unwrap_or_default();
        Ok::<_, std::io::Error>(|| Some(bytes))
    })?;
    let population = back.ok_or("the parts do not fit")?;
    step(&mut said, "read back")?;
    let (weights, labels) = (Weights::builtin()?, Labels::builtin()?);
    let linkage = Linkage::new(&population, &weights, &labels);
    step(&mut said, "weights and labels")?;
    let clock = SystemClock::new();
    let (mut scores, mut reasons) = (Vec::new(), Vec::new());
    for (turn, address) in seeds(what, &population).into_iter().enumerate() {
        let seed = [Seed {
            provider: "p".to_owned(),
            subject: Subject::Host(address),
            why: "given".to_owned(),
            source: None,
            date: None,
            recorded_at: Timestamp::UNIX_EPOCH,
        }];
        let (before, begun) = (spent(), clock.elapsed());
        let (took, listed) = if turn % 2 == 0 {
            let listed = linkage.rank(&seed, &[]).ranking.len();
            (&mut reasons, listed)
        } else {
            let listed = linkage.scores(&seed, &[]).len();
            (&mut scores, listed)
        };
        took.push((spent() - before, clock.elapsed().saturating_sub(begun).as_secs_f64(), listed));
    }
    step(&mut said, &format!("{} seeds", scores.len() + reasons.len()))?;
    summary(&mut said, "scores of one seed", &scores)?;
    summary(&mut said, "one seed with every reason", reasons.get(1..).unwrap_or_default())?;
    if args.get(1).is_some_and(|word| word == "blind") {
        let found = linkage.run(&[], &[]);
        step(&mut said, &format!("without a seed: {} clusters", found.clusters.len()))?;
    }
    Ok(())
}
