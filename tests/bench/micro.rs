//! `cargo bench`: what the engine's own parts cost, in processor time (`getrusage`), so that a busy machine does not show.
//!
//! Short by design, with no statistics but the median of a few rounds and their range: a change worth making shows. A word
//! given as argument picks the benchmarks whose name holds it: `cargo bench -- jarm`.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark fails loudly and prints"
)]

use std::cell::Cell;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hostkin::clock::{Clock as _, FakeClock, SystemClock, Timestamp};
use hostkin::evidence::{Signer, verify_bundle, verify_case, write_bundle};
use hostkin::facet::{Facet, FacetKind};
use hostkin::net::{Limiter, NoTurn, Rates, SystemEntropy};
use hostkin::observation::{Capture, End, Exchange, Observation, Outcome, Service, Speech, Step};
use hostkin::proto::jarm::{self, HelloRandom};
use hostkin::proto::ssh::{self, Kex, Want};
use hostkin::proto::{self, Conversation as _, Event, Reading, flight, http, x509};
use hostkin::range::fact::Origin;
use hostkin::range::{Asn, Dataset, Fact, FactKind, Format, Held, Knowledge};
use hostkin::scan::usage;
use hostkin::seal::{self, Leaf, ReadingText};
use hostkin::store::{
    AskedState, Case, Counters, HostDone, NewCase, RunId, RunSpec, RunWriter, ServiceDone, StoredFacet,
};
use hostkin::target::{Order, Shard};
use serde_json::Value as Json;
use tokio::task::{JoinSet, LocalSet};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(150);

fn main() {
    // Cargo itself passes `--bench`.
    let only = std::env::args().skip(1).find(|word| !word.starts_with("--"));
    let bench = Bench { only };
    println!("{:<44} {:>12} {:>14}   range of {ROUNDS} rounds", "", "per CPU s", "ns each");
    hellos(&bench);
    answers(&bench);
    order(&bench);
    limiter(&bench);
    writer(&bench);
    lookup(&bench);
    evidence(&bench);
}

struct Bench {
    only: Option<String>,
}

impl Bench {
    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }

    /// Times one operation, repeated as often as a round takes.
    fn each<T>(&self, name: &str, mut one: impl FnMut() -> T) {
        if !self.wants(name) {
            return;
        }
        let mut times = 1u64;
        while cpu(|| repeat(times, &mut one)) < ROUND / 4 {
            times *= 2;
        }
        let times = times * 4;
        self.rounds(name, || (times, cpu(|| repeat(times, &mut one))));
    }

    /// Rounds that say themselves how much they did, and in which processor time.
    fn rounds(&self, name: &str, mut round: impl FnMut() -> (u64, Duration)) {
        if !self.wants(name) {
            return;
        }
        let mut each: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let (times, took) = round();
                took.as_secs_f64() * 1e9 / times as f64
            })
            .collect();
        each.sort_by(f64::total_cmp);
        let (least, middle, most) = (each[0], each[ROUNDS / 2], each[ROUNDS - 1]);
        println!("{name:<44} {:>12.0} {middle:>14.1}   {least:.1} to {most:.1}", 1e9 / middle);
    }
}

fn repeat<T>(times: u64, one: &mut impl FnMut() -> T) {
    for _ in 0..times {
        black_box(one());
    }
}

/// Processor time of the whole process while `work` ran.
fn cpu(work: impl FnOnce()) -> Duration {
    let (before, _) = usage();
    work();
    usage().0.saturating_sub(before)
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn hellos(bench: &Bench) {
    let random = HelloRandom::draw(&mut SystemEntropy, [9; 32]);
    bench.each("hello: JARM's ten", || {
        (0..10).map(|probe| jarm::hello::hello(probe, "198.18.77.104", &random).len()).sum::<usize>()
    });
    bench.each("hello: JARM's ten with their random numbers", || {
        let hello =
            |probe| jarm::hello::hello(probe, "198.18.77.104", &HelloRandom::draw(&mut SystemEntropy, [9; 32])).len();
        (0..10).map(hello).sum::<usize>()
    });
    bench.each("hello: SSH, identification and KEXINIT", || {
        let mut out = Vec::new();
        let _ = Kex::new(Want::First, &mut SystemEntropy).next(Event::Connected, &[], &mut out);
        out
    });
    bench.each("hello: HTTP request", || {
        http::request("/", "198.18.77.104", 80, false, Some("https://scan.example.org/"))
    });
}

/// JARM's ten answers of a real nginx, the certificates in clear.
fn jarm_capture() -> Capture {
    let servers = json(include_str!("../golden/jarm/servers.json"));
    let flights = json(include_str!("../golden/jarm/flights.json"));
    let server = &servers[0];
    let whole = flights.as_array().unwrap().iter().find(|one| one["id"] == server["id"] && one["probe"] == 0).unwrap();
    let mut heard: Vec<Vec<u8>> =
        server["heard"].as_array().unwrap().iter().map(|one| unhex(one.as_str().unwrap_or_default())).collect();
    heard[0] = unhex(whole["flight"].as_str().unwrap());
    let exchange = |(probe, heard): (u8, Vec<u8>)| Exchange {
        first_read: u32::try_from(heard.len()).unwrap(),
        heard,
        ..Exchange::unsent(Step::Jarm(probe), End::Done, None)
    };
    Capture { exchanges: (0..10).zip(heard).map(exchange).collect(), ..Capture::default() }
}

fn ssh_capture() -> Capture {
    let captures = json(include_str!("../golden/ssh/captures.json"));
    Capture::from_cbor(&STANDARD.decode(captures[0]["capture"].as_str().unwrap()).unwrap()).unwrap()
}

fn http_capture() -> Capture {
    let servers = json(include_str!("../golden/http/servers.json"));
    let heard = STANDARD.decode(servers["servers"][0]["heard_b64"].as_str().unwrap()).unwrap();
    let page = Exchange { heard, ..Exchange::unsent(Step::Page, End::Closed, None) };
    Capture { exchanges: vec![page], ..Capture::default() }
}

fn leaf() -> Vec<u8> {
    let chains = json(include_str!("../golden/x509/chains.json"));
    STANDARD.decode(chains["servers"][0]["chain"][0]["der"].as_str().unwrap()).unwrap()
}

fn answers(bench: &Bench) {
    let (jarm_ten, ssh_one, page, leaf) = (jarm_capture(), ssh_capture(), http_capture(), leaf());
    let first = &jarm_ten.exchanges[0].heard;
    assert!(!flight::read(first).chain.is_empty(), "the first answer carries its certificate");
    bench.each("answer: one JARM slot", || jarm::slot(&jarm_ten.exchanges[0]));
    bench.each("answer: clear flight with certificate", || flight::read(first));
    bench.each("answer: row of ten JARM answers", || proto::read(Speech::Tls, &jarm_ten));
    bench.each("answer: HTTP page", || proto::read(Speech::Http, &page));
    let heard = &ssh_one.exchanges[0].heard;
    assert!(ssh::kexinit(heard).is_some());
    bench.each("answer: SSH KEXINIT and hasshServer", || ssh::kexinit(heard).map(|one| one.hassh_server()));
    bench.each("answer: SSH row with host key proofs", || proto::read(Speech::Ssh, &ssh_one));
    bench.each("answer: X.509 leaf", || x509::leaf_facets(&leaf, "handshake", Some(true)));
}

fn order(bench: &Bench) {
    for hosts in [1 << 16, 1 << 20, 3_700_000_000] {
        let order = Order::new(7, hosts, Shard::WHOLE);
        let mut n = 0;
        bench.each(&format!("order: position among {hosts}"), || {
            n = (n + 1) % hosts;
            order.position(n)
        });
    }
}

fn limiter(bench: &Bench) {
    // Spread over a million addresses, so that neighbours rarely meet in time.
    let host = |n: u32| IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + (n.wrapping_mul(2_654_435_761) >> 12)));
    let clock = Arc::new(FakeClock::at(Timestamp::UNIX_EPOCH));
    let narrow = Rates { network: Some(20.0), host: Some(2.0), host_total: Some(32), asn: Some(50.0), run: Some(1e6) };
    let limiter = Limiter::new(narrow, Arc::<FakeClock>::clone(&clock));
    let mut n = 0;
    bench.each("limiter: a turn under all limits", || {
        n += 1;
        clock.advance(Duration::from_millis(1));
        let turn = limiter.take(host(n), Some(n % 50));
        limiter.forget([host(n)].into_iter());
        turn
    });
    // What the pace of the whole run costs with 256 hosts waiting, their timers included.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for rate in [1_000, 10_000, 50_000] {
        let limiter = Limiter::new(Rates { run: Some(f64::from(rate)), ..Rates::default() }, SystemClock::shared());
        let limiter = Rc::new(limiter);
        let turns = rate / 4;
        bench.rounds(&format!("limiter: a turn at {rate} a second"), || {
            let next = Rc::new(Cell::new(0));
            let all = async {
                let mut waiting = JoinSet::new();
                for _ in 0..256 {
                    let (limiter, next) = (Rc::clone(&limiter), Rc::clone(&next));
                    waiting.spawn_local(async move {
                        while next.get() < turns {
                            next.set(next.get() + 1);
                            turn(&limiter, host(next.get())).await;
                        }
                    });
                }
                while waiting.join_next().await.is_some() {}
            };
            let took = cpu(|| LocalSet::new().block_on(&runtime, all));
            (u64::from(turns), took)
        });
    }
}

async fn turn(limiter: &Limiter, host: IpAddr) {
    limiter.line_up(host, None).await;
    while let Err(NoTurn::NotYet(time)) = limiter.take(host, None) {
        limiter.line_up_again(time).await;
    }
    limiter.forget([host].into_iter());
}

/// A host with all three services, most of whose values others have too; certificate and SSH key are its own.
fn host(index: u64, samples: &[(Speech, Capture, Reading)]) -> HostDone {
    let address = IpAddr::from(u32::try_from(0x0a00_0000 + index).unwrap().to_be_bytes());
    let heard = samples.iter().enumerate().map(|(place, (speech, capture, reading))| {
        let service = Service { address, port: 22 + u16::try_from(place).unwrap(), speech: *speech, name: None };
        let mut capture = capture.clone();
        capture.asked_as = address.to_string();
        capture.exchanges[0].sent = index.to_le_bytes().repeat(64);
        let mut facets = reading.facets.clone();
        let own = match speech {
            Speech::Tls => FacetKind::CertSha256,
            Speech::Ssh => FacetKind::SshHostKey,
            Speech::Http => FacetKind::HttpEtag,
        };
        facets.push(Facet::new(own, format!("{index:064x}")));
        let observation = Observation {
            service,
            over_tls: false,
            started_at: Timestamp::from_millisecond(i64::try_from(index).unwrap()).unwrap(),
            outcome: Outcome::Answered,
            detail: None,
            capture,
        };
        let reading = Reading { outcome: Outcome::Answered, detail: None, facets };
        let ordinal = u32::try_from(place).unwrap();
        ServiceDone { ordinal, state: AskedState::Heard, heard: vec![(observation, reading)] }
    });
    HostDone { index, address, asn: Some(64500), prefix: None, services: heard.collect() }
}

fn new_run(folder: &Path) -> (Case, RunId) {
    let at = Timestamp::UNIX_EPOCH;
    let new = NewCase {
        scope_text: "schema".into(),
        scope_title: "bench".into(),
        scope_path: None,
        actor: "bench".into(),
        at,
        version: "0".into(),
    };
    let mut case = Case::create(&folder.join("a.case"), &new).unwrap();
    let spec = RunSpec {
        plan_sha256: [1; 32],
        plan: serde_json::json!({}),
        seed: 1,
        scope_text: "schema".into(),
        limits: serde_json::json!({}),
        version: "0".into(),
        shard: (1, 1),
        hosts: 1 << 20,
        services: 3,
        actor: "bench".into(),
        at,
    };
    let run = case.begin_run(&spec).unwrap();
    (case, run)
}

fn writer(bench: &Bench) {
    const BATCH: u64 = 1024;
    let samples = [(Speech::Tls, jarm_capture()), (Speech::Http, http_capture()), (Speech::Ssh, ssh_capture())]
        .map(|(speech, capture)| (speech, capture.clone(), proto::read(speech, &capture)));
    let facets = samples.iter().map(|(_, _, reading)| reading.facets.len() as u64 + 1).sum::<u64>();
    let folder = tempfile::tempdir().unwrap();
    let (case, run) = new_run(folder.path());
    let mut writer = RunWriter::open(case.path(), run).unwrap();
    let mut next = 0;
    let mut batch = || {
        let hosts: Vec<HostDone> = (next..next + BATCH).map(|index| host(index, &samples)).collect();
        next += BATCH;
        let mut position = writer.position().clone();
        for host in &hosts {
            position.mark(host.index);
        }
        cpu(|| {
            writer.commit(&hosts, &position, &Counters::default()).unwrap();
        })
    };
    bench.rounds("writer: a facet, committed", || (4 * BATCH * facets, (0..4).map(|_| batch()).sum()));
    bench.rounds(&format!("writer: a host of {facets} facets, committed"), || {
        (4 * BATCH, (0..4).map(|_| batch()).sum())
    });
}

/// What 10,000 hosts cost to bundle and to verify, by the clock on the wall; only when asked for, since it takes its time.
fn evidence(bench: &Bench) {
    const HOSTS: u64 = 10_000;
    if bench.only.is_none() || !bench.wants("evidence") {
        return;
    }
    let samples = [(Speech::Tls, jarm_capture()), (Speech::Http, http_capture()), (Speech::Ssh, ssh_capture())];
    sealing(bench, &samples);
    let folder = tempfile::tempdir().unwrap();
    let (mut case, run) = new_run(folder.path());
    let mut writer = RunWriter::open(case.path(), run).unwrap();
    for first in (0..HOSTS).step_by(500) {
        let hosts: Vec<HostDone> = (first..first + 500).map(|index| true_host(index, &samples)).collect();
        let mut position = writer.position().clone();
        for host in &hosts {
            position.mark(host.index);
        }
        writer.commit(&hosts, &position, &Counters::default()).unwrap();
    }
    drop(writer);
    let at = Timestamp::UNIX_EPOCH;
    case.end_run(run, hostkin::store::State::Done, &serde_json::json!({}), "bench", at).unwrap();
    let signer = Signer::create(&folder.path().join("key")).unwrap();
    signer.sign(&mut case, at, "bench").unwrap();
    let bundle = folder.path().join("b.tar");
    let clock = SystemClock::new();
    let timed = |name: &str, work: &mut dyn FnMut() -> u64| {
        let before = clock.elapsed();
        let mut count = 0;
        let spent = cpu(|| count = work());
        let wall = clock.elapsed().saturating_sub(before);
        println!(
            "{name:<44} {:.1} s by the wall, {:.1} s of processors, {count} observations",
            wall.as_secs_f64(),
            spent.as_secs_f64()
        );
    };
    timed("evidence: 10,000 hosts, bundled", &mut || {
        write_bundle(&case, None, std::fs::File::create(&bundle).unwrap()).unwrap().observations
    });
    println!("{:<44} {} MB", "", std::fs::metadata(&bundle).unwrap().len() / 1_000_000);
    timed("evidence: 10,000 hosts, the bundle verified", &mut || {
        let report = verify_bundle(&bundle, &[], &hostkin::probe::read).unwrap();
        assert!(report.is_clean(), "{:?}", report.faults.first());
        report.derived
    });
    timed("evidence: 10,000 hosts, the case verified", &mut || {
        let report = verify_case(&case, &[], &hostkin::probe::read).unwrap();
        assert!(report.is_clean(), "{:?}", report.faults.first());
        report.derived
    });
}

/// What a scan pays for its seals: salt, both texts, their digests, the row with its leaf, and its share of the tree.
fn sealing(bench: &Bench, samples: &[(Speech, Capture)]) {
    let readings: Vec<Reading> = samples.iter().map(|(speech, one)| hostkin::probe::read(*speech, one)).collect();
    let folder = tempfile::tempdir().unwrap();
    let rows = rusqlite::Connection::open(folder.path().join("leaves")).unwrap();
    rows.execute_batch(
        "PRAGMA journal_mode = WAL; CREATE TABLE leaves (number INTEGER PRIMARY KEY, observation INTEGER, hash BLOB, reading BLOB, salt BLOB) STRICT;
         CREATE INDEX leaves_by_observation ON leaves (observation); BEGIN",
    )
    .unwrap();
    let mut insert =
        rows.prepare("INSERT INTO leaves (observation, hash, reading, salt) VALUES (?1, ?2, ?3, ?4)").unwrap();
    let (mut number, mut hashes) = (0u64, Vec::new());
    bench.each("evidence: an observation sealed", || {
        let reading = &readings[usize::try_from(number).unwrap() % readings.len()];
        let mut text = ReadingText::new(reading.outcome.as_str(), reading.detail.as_deref());
        for facet in &reading.facets {
            text.facet(facet.kind.as_str(), &StoredFacet::of(facet).value, None);
        }
        let digest = ReadingText::digest(&text.finish());
        let mut salt = [0; 16];
        hostkin::proto::Entropy::fill(&mut SystemEntropy, &mut salt);
        let leaf = Leaf {
            salt: seal::hex(&salt),
            run: 1,
            ip: "192.0.2.104".to_owned(),
            port: 443,
            protocol: "tls".to_owned(),
            over_tls: false,
            name: None,
            started_at_ms: 1_700_000_000_000,
            connections: 10,
            bytes_sent: 5_120,
            bytes_heard: 6_200,
            timed_out: None,
            capture_sha256: Some(seal::hex(&digest)),
            reading_sha256: seal::hex(&digest),
        };
        hashes.push(leaf.hash());
        insert
            .execute(rusqlite::params![
                i64::try_from(number).unwrap(),
                &hashes[hashes.len() - 1][..],
                &digest[..],
                &salt[..]
            ])
            .unwrap();
        number += 1;
        if number.is_multiple_of(1024) {
            black_box(seal::root(&hashes));
            hashes.clear();
            rows.execute_batch("COMMIT; BEGIN").unwrap();
        }
    });
}

/// A host whose readings are those of its captures.
fn true_host(index: u64, samples: &[(Speech, Capture)]) -> HostDone {
    let address = IpAddr::from(u32::try_from(0x0a00_0000 + index).unwrap().to_be_bytes());
    let heard = samples.iter().enumerate().map(|(place, (speech, capture))| {
        let mut capture = capture.clone();
        capture.asked_as = address.to_string();
        let reading = hostkin::probe::read(*speech, &capture);
        let service = Service { address, port: 22 + u16::try_from(place).unwrap(), speech: *speech, name: None };
        let observation = Observation {
            service,
            over_tls: false,
            started_at: Timestamp::from_millisecond(i64::try_from(index).unwrap()).unwrap(),
            outcome: reading.outcome,
            detail: reading.detail.clone(),
            capture,
        };
        let ordinal = u32::try_from(place).unwrap();
        ServiceDone { ordinal, state: AskedState::Heard, heard: vec![(observation, reading)] }
    });
    HostDone { index, address, asn: None, prefix: None, services: heard.collect() }
}

/// Longest matches over a million prefixes of each family, addresses at random, half of them inside a prefix at least.
fn lookup(bench: &Bench) {
    if !bench.wants("lookup") {
        return;
    }
    let mut state = 1u64;
    let mut draw = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u128::from(state >> 32)
    };
    for v4 in [true, false] {
        // As in real tables: most are /24 and /48, nested in shorter ones.
        let lengths: &[u8] = if v4 { &[24, 24, 24, 24, 22, 20, 16] } else { &[48, 48, 48, 44, 40, 32] };
        let mut address = move || {
            let (low, high) = (draw(), draw());
            let v4_bits = u32::try_from((high % (223 << 24)) + (1 << 24)).unwrap();
            let v6_bits = (0x2a00u128 << 112) + (high << 84) + low;
            if v4 { IpAddr::V4(Ipv4Addr::from_bits(v4_bits)) } else { IpAddr::V6(Ipv6Addr::from_bits(v6_bits)) }
        };
        let prefixes: Vec<_> = (0..1_000_000)
            .map(|at| ipnet::IpNet::new(address(), lengths[at % lengths.len()]).unwrap().trunc())
            .collect();
        let asked: Vec<IpAddr> =
            (0..1 << 16).map(|at| if at % 2 == 0 { prefixes[at * 15].addr() } else { address() }).collect();
        let fact =
            |prefix| Fact::Origin(Origin { prefix, origins: vec![Asn(64_500)], is_set: false, peers_seen: None });
        let about = Dataset {
            id: 1,
            format: Format::Pfx2as,
            name: "made up".to_owned(),
            source: String::new(),
            date: jiff::civil::Date::constant(2026, 4, 1),
            sha256: [0; 32],
            bytes: 0,
            licence: String::new(),
            counts: [(FactKind::Origins, 1_000_000)].into(),
            whole: true,
            warnings: Vec::new(),
        };
        let facts: Vec<Fact> = prefixes.iter().copied().map(fact).collect();
        let knowledge = Knowledge::new(vec![Held::new(about, facts)]);
        bench.rounds(if v4 { "lookup: IPv4, a million prefixes" } else { "lookup: IPv6, a million prefixes" }, || {
            let took = cpu(|| {
                for address in asked.iter().cycle().take(1 << 20) {
                    black_box(knowledge.origins_at(*address, None).map(|found| found.origins[0]));
                }
            });
            (1 << 20, took)
        });
    }
}
