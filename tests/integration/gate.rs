//! The gate: whatever the scope and however the pipeline runs, only what is granted and not excluded is dialled, at the
//! pace that was written down.
//!
//! The witness at the door records every address before it is dialled; the street beside it counts who came, by the
//! kernel's word and not by ours.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostkin::clock::{Clock, FakeClock, SystemClock};
use hostkin::net::{Door, Limiter, Rates, Timing, stop_switch};
use hostkin::observation::{End, Outcome, Presence, Presences, Service, Speech, Step};
use hostkin::probe::{self, Asked, Settings};
use hostkin::proto::http::PageConversation;
use hostkin::scope::Scope;
use hostkin::target::{Order, Shard, Targets};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::task::{JoinSet, LocalSet};

use super::ground::{Refusing, Street, scope};

/// A moment by the door's own clock, and who was dialled then.
type Dialled = Arc<Mutex<Vec<(Duration, SocketAddr)>>>;

/// A pipeline from scope to probe, with a witness at the door.
struct Pipeline {
    scope: Scope,
    door: Door,
    clock: Arc<dyn Clock>,
    dialled: Dialled,
}

impl Pipeline {
    fn new(scope: Scope) -> Self {
        let limits = scope.limits();
        let rates = Rates {
            run: limits.connections_per_second,
            network: limits.per_network_per_second,
            host: limits.per_host_per_second,
            host_total: limits.per_host_connections.map(|most| u32::try_from(most).unwrap()),
            asn: limits.per_asn_per_second,
        };
        let clock = SystemClock::shared();
        let limiter = Arc::new(Limiter::new(rates, Arc::clone(&clock)));
        let (_, stop) = stop_switch();
        let dialled = Dialled::default();
        let (record, now) = (Arc::clone(&dialled), Arc::clone(&clock));
        let door = Door::new(Arc::new(scope.clone()), limiter, Arc::clone(&clock), stop)
            .with_timing(Timing { silence: Duration::from_secs(2), ..Timing::default() })
            .with_witness(Arc::new(move |to| record.lock().unwrap().push((now.elapsed(), to))));
        Self { scope, door, clock, dialled }
    }

    /// Asks every host of the scope, `at_once` at a time, in the order of `seed`, while `meanwhile` goes on. Gives what
    /// came of it, and how late this thread ever was: what the witness sees may be that much later than it was granted.
    fn run(&self, seed: u64, at_once: usize, meanwhile: impl AsyncFn()) -> (Vec<Asked>, Duration) {
        let targets = Targets::from_scope(&self.scope).unwrap();
        let order = Order::new(seed, targets.hosts(), Shard::WHOLE);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async {
            let worst = Rc::new(std::cell::Cell::new(Duration::ZERO));
            let ticking = tokio::task::spawn_local(lateness(Arc::clone(&self.clock), Rc::clone(&worst)));
            let work = async {
                let mut hosts = (0..order.len()).map(|index| targets.host(order.position(index).unwrap()).unwrap());
                let (mut tasks, mut all) = (JoinSet::new(), Vec::new());
                loop {
                    for host in hosts.by_ref().take(at_once - tasks.len()) {
                        let door = self.door.clone();
                        tasks.spawn_local(async move {
                            probe::host(&door, &host, Presences::NONE, &Settings::full(None), true).await
                        });
                    }
                    match tasks.join_next().await {
                        Some(asked) => all.extend(asked.unwrap()),
                        None => return all,
                    }
                }
            };
            let (all, ()) = tokio::join!(work, meanwhile());
            ticking.abort();
            (all, worst.get())
        })
    }

    fn dialled(&self) -> Vec<(Duration, SocketAddr)> {
        self.dialled.lock().unwrap().clone()
    }
}

/// Measures by how much a sleep of a millisecond is ever overslept.
async fn lateness(clock: Arc<dyn Clock>, worst: Rc<std::cell::Cell<Duration>>) {
    let nap = Duration::from_millis(1);
    loop {
        let before = clock.elapsed();
        tokio::time::sleep(nap).await;
        worst.set(worst.get().max(clock.elapsed().saturating_sub(before + nap)));
    }
}

async fn nothing() {}

// ---- who is dialled ----

/// Addresses from `first`, by prefix length.
#[derive(Clone, Copy, Debug)]
struct Block {
    offset: u8,
    prefix: u8,
}

impl Block {
    fn holds(self, last: u8) -> bool {
        let mask = u8::try_from(0xff_u16 << (32 - self.prefix) & 0xff).unwrap();
        last & mask == self.offset & mask
    }

    fn written(self, net: [u8; 3]) -> String {
        let mask = u8::try_from(0xff_u16 << (32 - self.prefix) & 0xff).unwrap();
        format!("\"{}.{}.{}.{}/{}\"", net[0], net[1], net[2], self.offset & mask, self.prefix)
    }
}

fn block(prefixes: std::ops::RangeInclusive<u8>) -> impl Strategy<Value = Block> {
    (any::<u8>(), prefixes).prop_map(|(offset, prefix)| Block { offset, prefix })
}

/// A grant: a block, and for each of three ports whether it is asked, and as what.
fn grant() -> impl Strategy<Value = (Block, Vec<(usize, Speech)>)> {
    let ports = proptest::collection::vec((0..3_usize, prop::sample::select(Speech::ALL.to_vec())), 1..4);
    (block(29..=32), ports)
}

#[test]
fn whatever_the_scope_only_what_it_grants_is_dialled_and_all_of_it() {
    const NET: [u8; 3] = [127, 92, 7];
    let (street, closing, refusing) =
        (Street::new(|_| "HTTP/1.1 204 No\r\n\r\n".into()), Street::new(|_| String::new()), Refusing::new());
    let ports = [street.port, closing.port, refusing.port];
    let cases =
        (proptest::collection::vec(grant(), 1..4), proptest::collection::vec(block(29..=32), 0..4), any::<u64>());
    let config = Config { cases: 24, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&cases, |(grants, excluded, seed)| {
            let written: Vec<(String, String)> = grants
                .iter()
                .map(|(block, services)| {
                    let list = |speech: Speech| {
                        let mut here: Vec<u16> =
                            services.iter().filter(|(_, other)| *other == speech).map(|(at, _)| ports[*at]).collect();
                        here.sort_unstable();
                        here.dedup();
                        (!here.is_empty()).then(|| format!("{speech} = {here:?}"))
                    };
                    let ports: Vec<String> = Speech::ALL.into_iter().filter_map(list).collect();
                    (block.written(NET), ports.join(", "))
                })
                .collect();
            let excludes: Vec<String> = excluded.iter().map(|block| block.written(NET)).collect();
            let text = scope(&written, &format!("[exclude]\nnetworks = [{}]", excludes.join(", ")));
            let scope = Scope::parse(&text, Path::new("scope.toml"), Some(Path::new("."))).unwrap();

            // Worked out address by address, and by nothing of what is tested.
            let mut permitted = BTreeSet::new();
            for last in 0..=255 {
                let open = !excluded.iter().any(|block| block.holds(last));
                for (block, services) in grants.iter().filter(|(block, _)| open && block.holds(last)) {
                    assert!(block.holds(last));
                    permitted.extend(
                        services.iter().map(|(at, _)| SocketAddr::from(([NET[0], NET[1], NET[2], last], ports[*at]))),
                    );
                }
            }

            let before = (street.asked(), closing.asked());
            let pipeline = Pipeline::new(scope);
            let (asked, _) = pipeline.run(seed, 16, nothing);
            prop_assert!(asked.iter().all(|one| one.presence != Presence::Unasked));
            let dialled: BTreeSet<SocketAddr> = pipeline.dialled().into_iter().map(|(_, to)| to).collect();
            prop_assert_eq!(&dialled, &permitted);
            // The kernel's own word: nobody else was connected to.
            for (listener, before) in [(&street, before.0), (&closing, before.1)] {
                let visited = listener.asked().into_iter().filter(|(at, count)| before.get(at) != Some(count));
                for (at, _) in visited.filter(|(at, _)| at.octets()[..3] == NET) {
                    prop_assert!(permitted.contains(&SocketAddr::from((at, listener.port))), "{} was visited", at);
                }
            }

            // Straight at the door, past target and order: around the scope, its ports, and what else is spoken there.
            let already = pipeline.dialled().len();
            for (address, port, speech) in outside(NET, &ports, &permitted, &grants, &excluded) {
                let service = Service { address, port, speech, name: None };
                prop_assert_eq!(knock(&pipeline.door, &service), End::OutOfScope, "{:?}", service);
            }
            prop_assert_eq!(pipeline.dialled().len(), already, "nothing of this was dialled");
            Ok(())
        })
        .unwrap();
}

/// Services that no grant names: all that is not permitted in and around the network, and permitted ones at another port
/// or spoken to in another protocol.
fn outside(
    net: [u8; 3],
    ports: &[u16; 3],
    permitted: &BTreeSet<SocketAddr>,
    grants: &[(Block, Vec<(usize, Speech)>)],
    excluded: &[Block],
) -> Vec<(IpAddr, u16, Speech)> {
    let address = |last: u8| IpAddr::from([net[0], net[1], net[2], last]);
    let mut all = Vec::new();
    for last in 0..=255 {
        for port in ports {
            for speech in Speech::ALL {
                let named = |(block, services): &(Block, Vec<(usize, Speech)>)| {
                    block.holds(last) && services.iter().any(|(at, one)| ports[*at] == *port && *one == speech)
                };
                let open = !excluded.iter().any(|block| block.holds(last));
                if !(open && grants.iter().any(named)) {
                    all.push((address(last), *port, speech));
                }
            }
        }
    }
    let beyond = [[10, 0, 0, 1], [127, 92, 6, 255], [127, 92, 8, 0], [127, 0, 0, 1], [192, 0, 2, 1], [0, 0, 0, 0]];
    all.extend(beyond.map(|octets| (IpAddr::from(octets), ports[0], Speech::Http)));
    all.push(("::1".parse().unwrap(), ports[0], Speech::Http));
    all.push(("::ffff:127.92.7.1".parse().unwrap(), ports[0], Speech::Http));
    all.extend(permitted.iter().map(|at| (at.ip(), at.port() ^ 1, Speech::Http)));
    all
}

/// One conversation at the door, and how it ended.
fn knock(door: &Door, service: &Service) -> End {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut talk = PageConversation::new(b"GET / HTTP/1.1\r\n\r\n".to_vec());
    runtime.block_on(door.converse(service, Step::Page, &mut talk, Duration::ZERO)).end
}

// ---- opting out ----

#[test]
fn who_opts_out_while_a_scan_runs_is_not_dialled_a_second_later() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("opt-out.txt");
    std::fs::write(&list, "127.93.3.255\n").unwrap();
    let refusing = Refusing::new();
    let text = scope(
        &[("\"127.93.0.0/22\"".into(), format!("http = [{}]", refusing.port))],
        "[exclude]\nfiles = [\"opt-out.txt\"]\n[limits]\nconnections_per_second = 300",
    );
    let scope = Scope::parse(&text, &folder.path().join("scope.toml"), Some(folder.path())).unwrap();
    let pipeline = Pipeline::new(scope);
    let told = Arc::new(Mutex::new(Duration::ZERO));
    let (asked, late) = pipeline.run(7, 64, async || {
        tokio::time::sleep(Duration::from_millis(700)).await;
        std::fs::write(&list, "127.93.3.255\n127.93.2.0/23\n").unwrap();
        *told.lock().unwrap() = pipeline.clock.elapsed();
    });
    let told = *told.lock().unwrap();
    let out = |at: &SocketAddr| matches!(at.ip(), IpAddr::V4(ip) if ip.octets()[2] >= 2);
    let dialled = pipeline.dialled();
    assert!(dialled.iter().any(|(when, at)| *when < told && out(at)), "some were dialled before");
    let after: Vec<_> =
        dialled.iter().filter(|(when, at)| *when > told + Duration::from_secs(1) + late && out(at)).collect();
    assert!(after.is_empty(), "{} dialled after they had opted out", after.len());
    let others = dialled.iter().filter(|(when, at)| *when > told + Duration::from_secs(1) && !out(at)).count();
    assert!(others > 100, "the scan went on with the others: {others}");
    let refused = asked.iter().filter(|one| one.observations[0].0.outcome == Outcome::OutOfScope).count();
    assert!(refused > 200, "{refused} rows say out of scope");
    assert!(!dialled.iter().any(|(_, at)| at.ip() == IpAddr::V4(Ipv4Addr::new(127, 93, 3, 255))));
}

// ---- how fast ----

/// The most that any second holds of these moments.
fn most_in_a_second(moments: impl Iterator<Item = Duration>) -> usize {
    let mut moments: Vec<Duration> = moments.collect();
    moments.sort_unstable();
    let until = |from: Duration| moments.partition_point(|at| *at < from + Duration::from_secs(1));
    moments.iter().enumerate().map(|(place, from)| until(*from) - place).max().unwrap_or(0)
}

/// Checks every sliding second against `rate` and `credit`, once for each of what `key` tells apart.
fn held<K: Ord + std::fmt::Debug>(
    what: &str,
    dialled: &[(Duration, SocketAddr)],
    key: impl Fn(IpAddr) -> K,
    (rate, credit): (f64, f64),
    late: Duration,
) {
    let keys: BTreeSet<K> = dialled.iter().map(|(_, at)| key(at.ip())).collect();
    for one in keys {
        let most = most_in_a_second(dialled.iter().filter(|(_, at)| key(at.ip()) == one).map(|(when, _)| *when));
        // What was granted in a second, and what a thread that was late let pile up before it.
        let permitted = (rate * (1.0 + late.as_secs_f64())).ceil() + credit;
        assert!((most as f64) <= permitted, "{what} {one:?}: {most} in a second, {permitted} permitted, {late:?} late");
    }
}

fn network(address: IpAddr) -> IpAddr {
    hostkin::net::network_of(address)
}

#[test]
fn no_second_holds_more_than_the_limits_of_run_network_and_host() {
    let closing = Street::new(|_| String::new());
    let text = scope(
        &[(
            "\"127.94.0.0/29\", \"127.94.1.0/29\", \"127.94.2.0/29\", \"127.94.3.0/29\", \"127.94.4.0/30\"".into(),
            format!("tls = [{}]", closing.port),
        )],
        "[limits]\nconnections_per_second = 100\nper_network_per_second = 25\nper_host_per_second = 8\nper_host_connections = 9",
    );
    let pipeline = Pipeline::new(Scope::parse(&text, Path::new("scope.toml"), Some(Path::new("."))).unwrap());
    let (_, late) = pipeline.run(3, 64, nothing);
    let dialled = pipeline.dialled();
    // The run's credit is 10 ms and at least one; host and network have none. One more where a second begins and ends.
    held("run", &dialled, |_| (), (100.0, 2.0), late);
    held("network", &dialled, network, (25.0, 1.0), late);
    held("host", &dialled, |address| address, (8.0, 1.0), late);
    let hosts: BTreeSet<IpAddr> = dialled.iter().map(|(_, at)| at.ip()).collect();
    assert_eq!((hosts.len(), dialled.len()), (36, 36 * 9), "each host has had all it may get, and no more");
    assert_eq!(closing.connections(), 36 * 9);
}

#[test]
fn a_scan_that_was_held_back_does_not_catch_up_in_a_burst() {
    let folder = tempfile::tempdir().unwrap();
    let (list, away) = (folder.path().join("opt-out.txt"), folder.path().join("away.txt"));
    std::fs::write(&list, "127.95.200.1\n").unwrap();
    let refusing = Refusing::new();
    let text = scope(
        &[("\"127.95.0.0/25\", \"127.95.1.0/25\", \"127.95.2.0/25\"".into(), format!("http = [{}]", refusing.port))],
        "[exclude]\nfiles = [\"opt-out.txt\"]\n[limits]\nconnections_per_second = 90\nper_network_per_second = 40",
    );
    let pipeline = Pipeline::new(Scope::parse(&text, &folder.path().join("scope.toml"), Some(folder.path())).unwrap());
    let (_, late) = pipeline.run(5, 384, async || {
        // While the list cannot be read nobody is dialled.
        tokio::time::sleep(Duration::from_millis(500)).await;
        std::fs::rename(&list, &away).unwrap();
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        std::fs::rename(&away, &list).unwrap();
    });
    let dialled = pipeline.dialled();
    assert_eq!(dialled.len(), 384, "no host is lost for it");
    let quiet = dialled.windows(2).map(|pair| pair[1].0.saturating_sub(pair[0].0)).max().unwrap();
    assert!(quiet > Duration::from_millis(1_500), "it was held back: {quiet:?}");
    held("run", &dialled, |_| (), (90.0, 2.0), late);
    held("network", &dialled, network, (40.0, 1.0), late);
}

// ---- when ----

/// A door under a clock of the test's own.
fn door_at(text: &str, clock: &Arc<FakeClock>) -> (Door, Dialled) {
    let scope = Scope::parse(text, Path::new("scope.toml"), Some(Path::new("."))).unwrap();
    let shared: Arc<dyn Clock> = Arc::<FakeClock>::clone(clock);
    let limiter = Arc::new(Limiter::new(Rates::default(), Arc::clone(&shared)));
    let (_, stop) = stop_switch();
    let dialled = Dialled::default();
    let record = Arc::clone(&dialled);
    let witness = Arc::new(move |to| record.lock().unwrap().push((Duration::ZERO, to)));
    (Door::new(Arc::new(scope), limiter, shared, stop).with_witness(witness), dialled)
}

#[test]
fn a_wall_clock_set_back_before_the_scope_holds_everybody_and_one_set_past_its_end_asks_nobody() {
    let refusing = Refusing::new();
    let text = scope(&[("\"127.98.0.1\"".into(), format!("http = [{}]", refusing.port))], "");
    let at = |text: &str| text.parse::<hostkin::clock::Timestamp>().unwrap();
    let service = Service { address: [127, 98, 0, 1].into(), port: refusing.port, speech: Speech::Http, name: None };
    let clock = Arc::new(FakeClock::at(at("2026-06-01T00:00:00Z")));
    let (door, dialled) = door_at(&text, &clock);
    assert_eq!(knock(&door, &service), End::Refused);
    assert!(!door.is_over());

    // Set back by mistake: held until it is put right.
    clock.set_utc(at("1970-01-01T00:00:00Z"));
    let waiting = std::thread::spawn({
        let (door, service) = (door.clone(), service.clone());
        move || knock(&door, &service)
    });
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!((waiting.is_finished(), dialled.lock().unwrap().len()), (false, 1), "held back");
    clock.set_utc(at("2026-06-01T00:00:01Z"));
    assert_eq!(waiting.join().unwrap(), End::Refused);
    assert_eq!(dialled.lock().unwrap().len(), 2);

    clock.set_utc(at("2100-01-01T00:00:00Z"));
    assert_eq!(knock(&door, &service), End::OutOfScope, "the end is the first instant outside");
    assert!(door.is_over());
    assert_eq!(dialled.lock().unwrap().len(), 2);
}
