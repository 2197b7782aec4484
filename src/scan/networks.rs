//! When a hunt leaves out the rest of a network: Wald's sequential test for each IPv4 /24.
//!
//! Each answering host of the network that the hunt could tell speaks for one of two hypotheses: at least `share` of the
//! answering hosts are like a seed, or no more than `chance` are (strangers that look alike). After each host the log of
//! the likelihood ratio is compared with two bounds. Below the lower one the network is given up: of networks that hold
//! `share` or more, at most about `miss` are wrongly given up (A. Wald, "Sequential Tests of Statistical Hypotheses",
//! Annals of Mathematical Statistics 16, 1945). Above the upper one it is kept for good: at most about `keep` of those that
//! hold `chance` or less. A network whose hosts run out between the two is asked to its end.
//!
//! Hosts come in the run's random order, so they are a sample of the network; and no /27 may give more than a quarter of
//! what it takes, so that a customer's block does not speak for its neighbours. IPv6 is never given up: nobody knows how
//! many hosts a /64 has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::probe::hunt::Verdict;

/// When to give a network up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GiveUp {
    /// Share of the answering hosts that are like a seed where the provider is.
    pub share: f64,
    /// Share of the answering hosts that look alike by chance where it is not.
    pub chance: f64,
    /// How often a network that holds `share` may be given up.
    pub miss: f64,
    /// How often a network that holds only `chance` may be kept.
    pub keep: f64,
}

/// Settings that are no test.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` gives no test; write SHARE, SHARE:CHANCE or SHARE:CHANCE:MISS, each between 0 and 1 and CHANCE below SHARE, like 0.1:0.01:0.01"
)]
pub struct GiveUpError(pub String);

impl std::str::FromStr for GiveUp {
    type Err = GiveUpError;

    fn from_str(text: &str) -> Result<Self, GiveUpError> {
        let wrong = || GiveUpError(text.to_owned());
        let mut numbers = Vec::new();
        for part in text.split(':') {
            let number: f64 = part.parse().map_err(|_| wrong())?;
            if !(number > 0.0 && number < 1.0) {
                return Err(wrong());
            }
            numbers.push(number);
        }
        let (share, chance, miss) = match *numbers.as_slice() {
            [share] => (share, share / 10.0, 0.01),
            [share, chance] => (share, chance, 0.01),
            [share, chance, miss] => (share, chance, miss),
            _ => return Err(wrong()),
        };
        if chance >= share { Err(wrong()) } else { Ok(Self { share, chance, miss, keep: 0.05 }) }
    }
}

impl GiveUp {
    /// What one host adds to the log of the likelihood ratio.
    fn step(&self, like: bool) -> f64 {
        if like { (self.share / self.chance).ln() } else { ((1.0 - self.share) / (1.0 - self.chance)).ln() }
    }

    /// At or below this the network is given up.
    fn lower(&self) -> f64 {
        (self.miss / (1.0 - self.keep)).ln()
    }

    /// At or above this it is kept for good.
    fn upper(&self) -> f64 {
        ((1.0 - self.miss) / self.keep).ln()
    }

    /// How many answering hosts that all differ it takes.
    #[must_use]
    pub fn hosts_needed(&self) -> u32 {
        self.needed_beside(0)
    }

    /// How many differing hosts it takes beside so many that are like a seed.
    fn needed_beside(&self, like: u32) -> u32 {
        let needed = ((self.lower() - f64::from(like) * self.step(true)) / self.step(false)).ceil();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and clamped")]
        let needed = needed.clamp(1.0, 1e9) as u32;
        needed
    }

    /// Probability that a network of `hosts` answering ones, `like` of them like a seed, is given up before one of these
    /// has been met: for `plan`, in numbers that can be checked.
    #[must_use]
    pub fn overlooks(&self, hosts: u32, like: u32) -> f64 {
        let needed = self.hosts_needed();
        if needed > hosts.saturating_sub(like) {
            return 0.0;
        }
        (0..needed).map(|met| f64::from(hosts - like - met) / f64::from(hosts - met)).product()
    }
}

/// A network that was given up, as the case keeps it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GivenUp {
    /// The /24.
    pub network: String,
    /// Answering hosts that differed from every seed.
    pub differ: u32,
    /// Answering hosts that are like one.
    pub like: u32,
    /// By which test.
    pub test: GiveUp,
}

/// One /24 so far.
#[derive(Clone, Copy, Debug, Default)]
struct Network {
    /// Hosts that differ, by /27.
    differ: [u32; 8],
    like: u32,
    fate: Fate,
}

impl Network {
    /// What the network's hosts say for the seeds (above 0) or against. No /27 gives more than a quarter of what it takes
    /// to give the network up.
    fn log_ratio(&self, test: GiveUp) -> f64 {
        let most = test.needed_beside(self.like).div_ceil(4);
        let differ: u32 = self.differ.iter().map(|count| (*count).min(most)).sum();
        f64::from(self.like) * test.step(true) + f64::from(differ) * test.step(false)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    Open,
    Kept,
    GivenUp,
}

/// The networks of a run.
#[derive(Debug)]
pub struct Networks {
    test: GiveUp,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    networks: HashMap<Ipv4Addr, Network>,
    /// Given up and not yet told to the writer.
    untold: Vec<GivenUp>,
}

impl Networks {
    /// Nothing is known of any, but those that an earlier part of the run has given up.
    #[must_use]
    pub fn new(test: GiveUp, given_up: impl IntoIterator<Item = Ipv4Addr>) -> Self {
        let gone = Network { fate: Fate::GivenUp, ..Network::default() };
        let networks = given_up.into_iter().map(|network| (network, gone)).collect();
        Self { test, state: Mutex::new(State { networks, untold: Vec::new() }) }
    }

    /// True when nobody else of this address's network need be asked.
    #[must_use]
    pub fn is_given_up(&self, address: IpAddr) -> bool {
        let Some((network, _)) = place(address) else { return false };
        self.lock().networks.get(&network).is_some_and(|one| one.fate == Fate::GivenUp)
    }

    /// Takes in what the hunt made of one answering host. One that could not be told says nothing.
    pub fn hear(&self, address: IpAddr, verdict: Verdict) {
        let Some((network, block)) = place(address) else { return };
        let like = match verdict {
            Verdict::Like => true,
            Verdict::RuledOut => false,
            Verdict::Open => return,
        };
        let test = self.test;
        let mut state = self.lock();
        let one = state.networks.entry(network).or_default();
        if one.fate != Fate::Open {
            return;
        }
        if like {
            one.like += 1;
        } else if let Some(count) = one.differ.get_mut(block) {
            *count += 1;
        }
        let log = one.log_ratio(test);
        if log >= test.upper() {
            one.fate = Fate::Kept;
        } else if log <= test.lower() {
            one.fate = Fate::GivenUp;
            let (like, differ) = (one.like, one.differ.iter().sum());
            state.untold.push(GivenUp { network: format!("{network}/24"), differ, like, test });
        }
    }

    /// What was given up since the last call. Told before any host that was left out for it can be committed.
    pub(super) fn untold(&self) -> Vec<GivenUp> {
        std::mem::take(&mut self.lock().untold)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The /24 of an IPv4 address, and which of its /27s.
fn place(address: IpAddr) -> Option<(Ipv4Addr, usize)> {
    let IpAddr::V4(address) = address else { return None };
    let [a, b, c, d] = address.octets();
    Some((Ipv4Addr::new(a, b, c, 0), usize::from(d / 32)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(text: &str) -> GiveUp {
        text.parse().unwrap()
    }

    fn at(host: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, u8::try_from(host % 256).unwrap()))
    }

    /// A number from 0 to 1 that looks random.
    fn draw(state: &mut u64) -> f64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from(u32::try_from(*state >> 33).unwrap()) / f64::from(1u32 << 31)
    }

    #[test]
    fn a_network_is_given_up_after_as_many_differing_hosts_as_the_plan_says() {
        let test = test("0.1:0.01:0.01");
        let networks = Networks::new(test, []);
        for host in 0..test.hosts_needed() {
            assert!(!networks.is_given_up(at(0)), "after {host}");
            networks.hear(at(host * 37), Verdict::RuledOut);
        }
        assert!(networks.is_given_up(at(0)) && !networks.is_given_up("192.0.3.1".parse().unwrap()));
        let told = networks.untold();
        assert_eq!((told.len(), told[0].network.as_str(), told[0].like), (1, "192.0.2.0/24", 0));
        assert!(networks.untold().is_empty());
    }

    #[test]
    fn a_single_block_or_hosts_that_could_not_be_told_never_give_a_network_up() {
        let networks = Networks::new(test("0.5"), []);
        for host in 0..1000 {
            networks.hear(at(host % 32), Verdict::RuledOut);
            networks.hear(at(host), Verdict::Open);
            networks.hear("2001:db8::1".parse().unwrap(), Verdict::RuledOut);
        }
        assert!(!networks.is_given_up(at(0)) && !networks.is_given_up("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn what_was_given_up_in_an_earlier_part_stays_so() {
        let networks = Networks::new(test("0.1"), [Ipv4Addr::new(192, 0, 2, 0)]);
        assert!(networks.is_given_up(at(9)));
    }

    #[test]
    fn both_errors_are_no_more_frequent_than_stated() {
        let mut state = 7;
        for text in ["0.1:0.01:0.02", "0.1", "0.3:0.1", "0.05:0.005:0.05"] {
            let test = test(text);
            let runs = 1500;
            let mut given_up = |share: f64| {
                let gone = (0..runs).filter(|_| {
                    let networks = Networks::new(test, []);
                    for host in 0..600u32 {
                        let verdict = if draw(&mut state) < share { Verdict::Like } else { Verdict::RuledOut };
                        networks.hear(at(host * 37), verdict);
                        if networks.is_given_up(at(0)) {
                            break;
                        }
                    }
                    networks.is_given_up(at(0))
                });
                gone.count() as f64 / f64::from(runs)
            };
            let (missed, gone) = (given_up(test.share), given_up(test.chance));
            // Wald's bounds are on miss / (1 - keep) and keep / (1 - miss); the rest is the draw's: four standard errors.
            let bound = |rate: f64, other: f64| rate / (1.0 - other) + 4.0 * (rate / f64::from(runs)).sqrt();
            assert!(missed < bound(test.miss, test.keep), "{text}: {missed} were overlooked");
            assert!(missed > test.miss / 5.0, "{text}: {missed}: the statement is of another test");
            assert!(1.0 - gone < bound(test.keep, test.miss), "{text}: {} were kept in vain", 1.0 - gone);
        }
    }

    #[test]
    fn what_plan_prints_for_a_whole_network_is_what_happens_to_one() {
        let test = test("0.1:0.01:0.01");
        let mut state = 11;
        for like in [1, 5, 20] {
            let runs = 4000;
            let overlooked = (0..runs).filter(|_| {
                let mut hosts: Vec<u32> = (0..200).map(|place| place * 256 / 200).collect();
                hosts.sort_by_cached_key(|_| draw(&mut state).to_bits());
                // Which hosts are like a seed does not hang on the order they come in.
                let networks = Networks::new(test, []);
                let is_like = |host: u32| (0..like).any(|one| one * 256 / 200 == host);
                let met = hosts.iter().take_while(|host| {
                    let verdict = if is_like(**host) { Verdict::Like } else { Verdict::RuledOut };
                    networks.hear(at(**host), verdict);
                    !is_like(**host) && !networks.is_given_up(at(0))
                });
                let _ = met.count();
                networks.is_given_up(at(0))
            });
            let (rate, stated) = (overlooked.count() as f64 / f64::from(runs), test.overlooks(200, like));
            // A /27 that gave its quarter already puts the end off, so a little fewer than stated are overlooked.
            assert!(rate < stated + 0.025 && rate > stated * 0.75 - 0.025, "{like}: {rate}, stated {stated}");
        }
    }

    #[test]
    fn the_figures_of_the_plan_are_those_of_drawing_without_putting_back() {
        let test = test("0.1:0.01:0.01");
        let needed = f64::from(test.hosts_needed());
        assert!((test.overlooks(200, 1) - (1.0 - needed / 200.0)).abs() < 1e-9);
        assert!(test.overlooks(200, 20) < test.miss);
        assert!(test.overlooks(20, 1) < 1e-9, "too few hosts to give up at all");
    }

    #[test]
    fn settings_that_are_no_test_are_refused() {
        for text in ["", "0", "1", "x", "0.1:0.2", "0.1:0.1", "0.1:0.01:0", "0.1:0.01:0.01:0.05", "NaN", "-0.1"] {
            assert!(text.parse::<GiveUp>().is_err(), "{text}");
        }
        assert_eq!(test("0.2"), GiveUp { share: 0.2, chance: 0.02, miss: 0.01, keep: 0.05 });
    }
}
