//! Unit tests of [`BackOff`].

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::state::{FEWEST, FEWEST_FAILED, FLOOR, MOST_CELLS, MOST_STOPPED};
use super::*;
use crate::clock::FakeClock;
use crate::observation::Step;

const LIMIT: f64 = 20.0;

fn limited() -> (BackOff, FakeClock) {
    let rates = Rates { network: Some(LIMIT), asn: Some(50.0), ..Rates::default() };
    (BackOff::new(&rates), FakeClock::at(Timestamp::UNIX_EPOCH))
}

fn host(network: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 1, network, 9))
}

fn learn(back_off: &BackOff, clock: &FakeClock, network: u8, samples: &str) {
    for letter in samples.chars() {
        let sample = if letter == 'x' { Sample::Failed } else { Sample::Fine };
        back_off.learn(host(network), Some(64_496), sample, clock);
    }
}

fn rate(back_off: &BackOff, clock: &FakeClock, network: u8) -> f64 {
    back_off.network_rate(host(network), LIMIT, clock.elapsed())
}

#[test]
fn a_network_whose_failures_rise_is_halved_and_comes_back_by_a_twentieth_a_minute() {
    let (back_off, clock) = limited();
    learn(&back_off, &clock, 1, &".".repeat(100));
    learn(&back_off, &clock, 1, "xxxxx");
    assert_eq!(rate(&back_off, &clock, 1), LIMIT, "five can be chance");
    learn(&back_off, &clock, 1, "x");
    let expected = rate(&back_off, &clock, 1);
    assert_eq!(expected, LIMIT / 2.0);
    assert_eq!(rate(&back_off, &clock, 2), LIMIT, "the neighbour is not");
    let notices: Vec<Notice> = back_off.notices().into_iter().filter(|one| !one.network.starts_with("AS")).collect();
    assert_eq!((notices.len(), notices[0].network.as_str(), notices[0].part), (1, "127.1.1.0/24", 0.5));
    assert!(notices[0].why.contains("of the last 64"), "{}", notices[0].why);
    clock.advance(Duration::from_mins(4));
    assert!((rate(&back_off, &clock, 1) - LIMIT * 0.7).abs() < 1e-9);
    clock.advance(Duration::from_hours(9));
    assert_eq!(rate(&back_off, &clock, 1), LIMIT, "never above the limit");
    assert!(back_off.notices().is_empty(), "told once");
}

#[test]
fn a_network_that_always_failed_so_is_left_at_its_rate() {
    let (back_off, clock) = limited();
    // A third of all resets everything, here and elsewhere.
    for round in 0..200 {
        for network in 1..4 {
            learn(&back_off, &clock, network, if round % 3 == 0 { "x" } else { "." });
        }
        // The first rounds may be taken for a rise.
        if round == 60 {
            clock.advance(Duration::from_hours(1));
        }
    }
    assert_eq!(rate(&back_off, &clock, 2), LIMIT);
}

#[test]
fn fifteen_samples_are_not_enough_and_sixteen_are() {
    let (back_off, clock) = limited();
    learn(&back_off, &clock, 1, &"x".repeat(15));
    assert_eq!(rate(&back_off, &clock, 1), LIMIT);
    learn(&back_off, &clock, 1, "x");
    assert_eq!(rate(&back_off, &clock, 1), LIMIT / 2.0);
    learn(&back_off, &clock, 1, &"x".repeat(15));
    assert_eq!(rate(&back_off, &clock, 1), LIMIT / 2.0, "the next halving needs samples of its own");
    learn(&back_off, &clock, 1, &"x".repeat(300));
    assert_eq!(rate(&back_off, &clock, 1), LIMIT * FLOOR, "some is left");
    assert!(back_off.system_rate(64_496, 50.0, clock.elapsed()) < 50.0, "the AS is slower too");
    assert_eq!(back_off.system_rate(64_497, 50.0, clock.elapsed()), 50.0);
}

#[test]
fn without_limits_only_a_no_counts() {
    let back_off = BackOff::new(&Rates { run: Some(5_000.0), ..Rates::default() });
    let clock = FakeClock::at(Timestamp::UNIX_EPOCH);
    learn(&back_off, &clock, 1, &"x".repeat(1_000));
    assert!(back_off.notices().is_empty() && !back_off.is_stopped(host(1)));
    back_off.stop(host(1), "prohibited", &clock);
    back_off.stop(host(1), "prohibited", &clock);
    assert!(back_off.is_stopped(IpAddr::V4(Ipv4Addr::new(127, 1, 1, 200))) && !back_off.is_stopped(host(2)));
    let notices = back_off.notices();
    assert_eq!((notices.len(), notices[0].part, notices[0].why.as_str()), (1, 0.0, "prohibited"));
}

#[test]
fn what_is_restored_is_stopped_without_a_notice() {
    let (back_off, _) = limited();
    back_off.restore([IpAddr::V4(Ipv4Addr::new(127, 1, 5, 0))]);
    assert!(back_off.is_stopped(host(5)) && back_off.notices().is_empty());
}

#[test]
fn memory_is_bounded_and_the_slowed_are_remembered_longest() {
    let mut state = State::default();
    let key = |number: u32| Key::Network(IpAddr::V4((number << 8).into()));
    let mut at = Duration::ZERO;
    for _ in 0..16 {
        state.sample(key(0), true, at);
    }
    for number in 1..200_000 {
        at += Duration::from_micros(1);
        state.sample(key(number), false, at);
        assert!(state.cells.len() <= MOST_CELLS);
    }
    assert!(state.cells[&key(0)].part(at) < 0.51);
    for number in 0..3 * u32::try_from(MOST_STOPPED).unwrap() {
        state.stopped.put(IpAddr::V4((number << 8).into()));
    }
    assert!(state.stopped.young.len() <= MOST_STOPPED && state.stopped.old.len() <= MOST_STOPPED);
}

#[test]
fn a_service_that_was_there_and_went_is_a_failure_and_a_dead_one_is_nothing() {
    let one = |end, heard: &[u8]| Exchange { heard: heard.to_vec(), ..Exchange::unsent(Step::Page, end, None) };
    let of = |exchanges: &[Exchange]| Sample::of(exchanges);
    for end in [End::Refused, End::Unreachable, End::ConnectTimedOut, End::OutOfScope, End::Failed, End::Stopped] {
        assert_eq!(of(&[one(end, b"")]), None, "{end:?}");
    }
    for end in [End::Reset, End::ReadTimedOut] {
        assert_eq!(of(&[one(end, b"")]), Some(Sample::Failed), "{end:?}");
        assert_eq!(of(&[one(end, b"x")]), Some(Sample::Fine), "{end:?} after an answer");
    }
    let there = one(End::Done, b"x");
    for end in [End::ConnectTimedOut, End::Refused, End::Unreachable, End::Reset] {
        assert_eq!(of(&[there.clone(), one(end, b"")]), Some(Sample::Failed), "{end:?} later");
    }
    assert_eq!(of(&[one(End::Reset, b""), there.clone()]), Some(Sample::Fine), "one probe of many that is not liked");
    assert_eq!(of(&[there, one(End::Stopped, b"")]), Some(Sample::Fine));
    assert_eq!(of(&[one(End::Closed, b"")]), Some(Sample::Fine));
}

proptest! {
    #[test]
    fn the_rate_stays_between_its_floor_and_its_limit_and_halves_only_on_samples_of_its_own(
        steps in prop::collection::vec((any::<bool>(), 0_u64..90), 1..600),
    ) {
        let (back_off, clock) = limited();
        let (mut since, mut failed_since) = (0, 0);
        for (failed, seconds) in steps {
            clock.advance(Duration::from_secs(seconds));
            let before = rate(&back_off, &clock, 1);
            learn(&back_off, &clock, 1, if failed { "x" } else { "." });
            let after = rate(&back_off, &clock, 1);
            since += 1;
            failed_since += u32::from(failed);
            prop_assert!((LIMIT * FLOOR..=LIMIT).contains(&after));
            if after < before {
                prop_assert!((after - (before / 2.0).max(LIMIT * FLOOR)).abs() < 1e-9);
                prop_assert!(since >= FEWEST && failed_since >= FEWEST_FAILED);
                (since, failed_since) = (0, 0);
            } else {
                prop_assert!((after - before).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_network_that_never_fails_is_never_slowed(others in prop::collection::vec(any::<bool>(), 0..300)) {
        let (back_off, clock) = limited();
        for failed in others {
            learn(&back_off, &clock, 2, if failed { "x" } else { "." });
            learn(&back_off, &clock, 1, ".");
            prop_assert_eq!(rate(&back_off, &clock, 1), LIMIT);
        }
    }
}
