//! Unit tests of [`Limiter`].

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::cells::{Wide, stretch};
use super::*;
use crate::clock::{FakeClock, Timestamp};

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn limiter(rates: Rates) -> (Limiter, Arc<FakeClock>) {
    let clock = Arc::new(FakeClock::at(Timestamp::UNIX_EPOCH));
    let shared: Arc<dyn Clock> = Arc::<FakeClock>::clone(&clock);
    (Limiter::new(rates, shared), clock)
}

/// Takes all turns that are given now.
fn take_all(limiter: &Limiter, address: IpAddr) -> u64 {
    std::iter::from_fn(|| limiter.take(address, None).ok()).map(|()| 1).sum()
}

#[test]
fn the_run_never_exceeds_rate_times_time_plus_ten_milliseconds_of_credit() {
    for rate in [1.0, 100.0, 1_000.0, 50_000.0] {
        let (limiter, clock) = limiter(Rates { run: Some(rate), ..Rates::default() });
        let (mut taken, mut millis) = (0, 0);
        for step in [0u64, 1, 1, 3, 40, 1, 2_000, 1, 7, 60_000, 1, 1, 1] {
            clock.advance(Duration::from_millis(step));
            millis += step;
            taken += take_all(&limiter, HOST);
            let most = rate * (millis as f64 / 1_000.0) + rate * 0.010 + 1.0;
            assert!((taken as f64) <= most, "{taken} taken by {millis} ms at {rate}/s");
        }
    }
}

#[test]
fn places_in_the_runs_line_that_come_up_to_eight_milliseconds_late_are_all_used() {
    for rate in [7.0, 100.0, 1_000.0, 20_000.0] {
        let mut run = Wide::default();
        let mut refused = 0;
        for place in 0..5_000u64 {
            let place = seconds(place as f64 / rate) + Duration::from_micros(place * 7_919 % 7_900);
            refused += u32::from(run.ready() > place);
            run.take(rate, place);
        }
        assert_eq!(refused, 0, "at {rate}/s");
    }
}

#[test]
fn a_machine_that_slept_gets_no_burst() {
    let (limiter, clock) = limiter(Rates { run: Some(200.0), network: Some(20.0), ..Rates::default() });
    assert_eq!(take_all(&limiter, HOST), 2);
    clock.advance(Duration::from_hours(1));
    assert_eq!(take_all(&limiter, HOST), 2);
}

#[test]
fn a_slowed_network_gets_its_part_and_at_no_time_more_than_its_limit() {
    let (limiter, clock) = limiter(Rates { network: Some(20.0), ..Rates::default() });
    for _ in 0..16 {
        limiter.back_off().learn(HOST, None, crate::net::Sample::Failed, clock.as_ref());
    }
    let mut taken: Vec<Duration> = Vec::new();
    // Slowed at first, and at its limit again after ten minutes.
    for _ in 0..900_000 {
        clock.advance(Duration::from_millis(1));
        while limiter.take(HOST, None).is_ok() {
            taken.push(clock.elapsed());
        }
    }
    for window in taken.windows(21) {
        assert!(window[20].saturating_sub(window[0]) > Duration::from_secs(1));
    }
    let within = |from: u64, to: u64| taken.iter().filter(|at| (from..to).contains(&at.as_secs())).count();
    assert!((595..=640).contains(&within(0, 60)), "{} in the first minute", within(0, 60));
    assert!((1_150..=1_200).contains(&within(720, 780)), "{} in a later one", within(720, 780));
}

#[test]
fn a_place_in_line_is_one_period_behind_the_last_and_idle_time_is_not_saved_up() {
    let at = Duration::from_millis;
    let mut run = Wide::default();
    assert_eq!([0, 0, 0].map(|now| run.line_up(100.0, at(now))), [0, 10, 20].map(at));
    assert_eq!([500, 501, 502].map(|now| run.line_up(100.0, at(now))), [500, 510, 520].map(at));
    let mut network = Narrow::default();
    assert_eq!([0, 0, 7].map(|now| network.line_up(10.0, at(now))), [0, 101, 202].map(at));
}

#[test]
fn no_second_holds_more_than_a_host_a_network_or_an_as_may_get() {
    for (rates, rate) in [
        (Rates { host: Some(2.0), ..Rates::default() }, 2.0),
        (Rates { network: Some(20.0), ..Rates::default() }, 20.0),
        (Rates { asn: Some(7.5), ..Rates::default() }, 7.5),
        (Rates { network: Some(500.0), ..Rates::default() }, 500.0),
        (Rates { host: Some(0.2), ..Rates::default() }, 0.2),
    ] {
        let (limiter, clock) = limiter(rates);
        let mut taken: Vec<Duration> = Vec::new();
        // Somebody tries all the time, at irregular moments.
        for step in 0..40_000u64 {
            clock.advance(Duration::from_micros(step * 7_919 % 1_900));
            while limiter.take(HOST, Some(64_500)).is_ok() {
                taken.push(clock.elapsed());
            }
        }
        let (most, _) = stretch(rate);
        for run in taken.windows(most + 1) {
            let length = run[most].saturating_sub(run[0]);
            assert!(length >= Duration::from_secs(1), "{} in {length:?} at {rate}/s", most + 1);
        }
        let reached = taken.len() as f64 / clock.elapsed().as_secs_f64();
        assert!(reached > rate * 0.97 - 0.1, "{reached} of {rate}");
    }
}

#[test]
fn a_corrected_wall_clock_changes_no_pace() {
    let (limiter, clock) = limiter(Rates { run: Some(1.0), host: Some(1.0), ..Rates::default() });
    assert_eq!(take_all(&limiter, HOST), 1);
    for utc in [Timestamp::MAX, Timestamp::UNIX_EPOCH, Timestamp::MIN] {
        clock.set_utc(utc);
        assert_eq!(limiter.take(HOST, None), Err(NoTurn::NotYet(Duration::from_millis(1_004))));
    }
    clock.advance(Duration::from_millis(1_004));
    assert_eq!(take_all(&limiter, HOST), 1);
}

#[test]
fn a_host_gets_no_more_than_its_total() {
    let (limiter, _) = limiter(Rates { host_total: Some(2), ..Rates::default() });
    assert_eq!([(); 3].map(|()| limiter.take(HOST, None)), [Ok(()), Ok(()), Err(NoTurn::Exhausted)]);
}

#[test]
fn neighbours_in_a_network_share_its_limit_and_strangers_do_not() {
    let (limiter, clock) = limiter(Rates { network: Some(1.0), ..Rates::default() });
    let [first, second, stranger] =
        ["127.0.5.1", "127.0.5.200", "127.0.6.1"].map(|text| text.parse::<IpAddr>().unwrap());
    assert_eq!(limiter.take(first, None), Ok(()));
    assert_eq!(limiter.take(second, None), Err(NoTurn::NotYet(Duration::from_millis(1_004))));
    assert_eq!(limiter.take(stranger, None), Ok(()));
    clock.advance(Duration::from_millis(1_004));
    assert_eq!(limiter.take(second, None), Ok(()));
}

#[test]
fn who_does_not_line_up_gets_the_whole_rate_and_no_more() {
    for rate in [10.0, 1_000.0, 20_000.0] {
        let (limiter, clock) = limiter(Rates { run: Some(rate), ..Rates::default() });
        let mut taken = 0u32;
        // Looked at every two milliseconds for ten seconds.
        for _ in 0..5_000 {
            clock.advance(Duration::from_millis(2));
            taken += std::iter::from_fn(|| limiter.step_in(HOST, None).ok()).map(|()| 1u32).sum::<u32>();
        }
        let share = f64::from(taken) / (rate * 10.0);
        assert!((0.99..=1.01).contains(&share), "{taken} in ten seconds at {rate}/s");
    }
}

#[test]
fn who_does_not_line_up_is_told_what_stands_in_the_way() {
    let rates = Rates { run: Some(1_000.0), network: Some(10.0), host: Some(2.0), host_total: Some(2), asn: None };
    let (limiter, clock) = limiter(rates);
    let [one, two] = ["127.0.8.1", "127.0.8.2"].map(|text| text.parse::<IpAddr>().unwrap());
    clock.advance(Duration::from_secs(1));
    assert_eq!(limiter.step_in(one, None), Ok(()));
    assert!(matches!(limiter.step_in(two, None), Err(Wait::Network(_))));
    assert!(matches!(limiter.step_in(one, None), Err(Wait::Host(_))));
    clock.advance(Duration::from_millis(101));
    assert_eq!(limiter.step_in(two, None), Ok(()), "nothing was taken before");
    clock.advance(Duration::from_secs(1));
    assert_eq!(limiter.step_in(one, None), Ok(()));
    clock.advance(Duration::from_secs(1));
    assert_eq!(limiter.step_in(one, None), Err(Wait::Exhausted));
}

#[test]
fn those_who_line_up_go_before_those_who_do_not() {
    let (limiter, clock) = limiter(Rates { run: Some(100.0), ..Rates::default() });
    clock.advance(Duration::from_secs(1));
    let now = clock.elapsed();
    for _ in 0..3 {
        limiter.lock().run.line_up(100.0, now);
    }
    assert_eq!(limiter.step_in(HOST, None), Err(Wait::Run));
    clock.advance(Duration::from_millis(29));
    assert_eq!(limiter.step_in(HOST, None), Err(Wait::Run));
    clock.advance(Duration::from_millis(1));
    assert_eq!(limiter.step_in(HOST, None), Ok(()));
}

#[test]
fn a_refused_turn_uses_nothing_up() {
    let rates = Rates { run: Some(1.0), network: Some(1.0), host_total: Some(2), ..Rates::default() };
    let (limiter, clock) = limiter(rates);
    let other: IpAddr = "127.0.6.1".parse().unwrap();
    assert_eq!(limiter.take(HOST, None), Ok(()));
    assert_eq!(take_all(&limiter, HOST) + take_all(&limiter, other), 0);
    clock.advance(Duration::from_secs(1));
    assert_eq!(limiter.take(other, None), Ok(()));
    clock.advance(Duration::from_secs(1));
    assert_eq!(limiter.take(HOST, None), Ok(()));
}

#[test]
fn cells_that_no_longer_bind_are_forgotten() {
    let rates = Rates { host: Some(2.0), network: Some(20.0), host_total: Some(5), ..Rates::default() };
    let (limiter, clock) = limiter(rates);
    for number in 0..20_000u32 {
        let address = IpAddr::V4((0x7f00_0000 + number * 256).into());
        assert_eq!(limiter.take(address, None), Ok(()));
        limiter.forget([address].into_iter());
        clock.advance(Duration::from_millis(5));
    }
    assert!(limiter.held() < 10_000, "{} cells", limiter.held());
}

#[test]
fn networks_are_24_and_48() {
    assert_eq!(network_of("127.1.2.3".parse().unwrap()), "127.1.2.0".parse::<IpAddr>().unwrap());
    assert_eq!(network_of("2001:db8:1:2::3".parse().unwrap()), "2001:db8:1::".parse::<IpAddr>().unwrap());
}

/// What one of many does at some moment.
#[derive(Clone, Copy, Debug)]
enum Try {
    /// Lines up, and takes its turn when its place has come.
    LineUp,
    /// Takes turns as one whose place has come.
    Take,
    /// Steps in beside the line.
    StepIn,
}

fn tries() -> impl Strategy<Value = Vec<(u64, Try, u32)>> {
    let one = prop_oneof![Just(Try::LineUp), Just(Try::Take), Just(Try::StepIn)];
    // Microseconds since the last, mostly short; and how often.
    let pause = prop_oneof![20 => 0..3_000_u64, 4 => 0..40_000_u64, 1 => 0..3_000_000_u64];
    prop::collection::vec((pause, one, 1..400_u32), 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whoever tries, whenever, and however the machine stalls: between any two moments no more than the rate allows in that
    /// time, and 10 ms of it, and one.
    #[test]
    fn no_stretch_of_time_holds_more_than_rate_times_time_and_ten_milliseconds_of_it(
        rate in prop_oneof![Just(100.0), Just(1_000.0), Just(10_000.0), Just(50_000.0), 0.5..60_000.0],
        network in prop_oneof![3 => Just(None), 1 => (0.5..60_000.0).prop_map(Some)],
        tries in tries(),
    ) {
        let (limiter, clock) = limiter(Rates { run: Some(rate), network, ..Rates::default() });
        // Moments, and how many turns were given then.
        let mut given: Vec<(f64, u32)> = Vec::new();
        for (pause, what, times) in tries {
            clock.advance(Duration::from_micros(pause));
            let now = clock.elapsed();
            let mut count = 0;
            for number in 0..times {
                let host = IpAddr::V4((0x7f00_0000 + number % 7).into());
                match what {
                    Try::LineUp => drop(limiter.lock().run.line_up(rate, now)),
                    Try::Take => count += u32::from(limiter.take(host, None).is_ok()),
                    Try::StepIn => count += u32::from(limiter.step_in(host, None).is_ok()),
                }
            }
            given.push((now.as_secs_f64(), count));
        }
        // The stretch that is furthest above the rate ends with turns and begins with turns.
        let (mut sum, mut least) = (0.0, f64::INFINITY);
        for (at, count) in &given {
            least = f64::min(least, sum - rate * at);
            sum += f64::from(*count);
            let ahead = sum - rate * at - least;
            prop_assert!(ahead <= rate * 0.010 + 1.0 + 1e-6 * sum, "{ahead} ahead at {rate}/s");
        }
        if let Some(network) = network.filter(|rate| *rate < 4_000.0) {
            let moments: Vec<f64> = given.iter().flat_map(|(at, count)| (0..*count).map(|_| *at)).collect();
            let (most, _) = stretch(network);
            for run in moments.windows(most + 1) {
                prop_assert!(run[most] - run[0] >= most as f64 / network - 1e-6, "{} within {}", most + 1, run[most] - run[0]);
            }
        }
    }

    /// Asked as often as discovery asks, or later by up to the credit less one look, the rate is reached to the percent.
    #[test]
    fn fifty_thousand_a_second_and_any_other_rate_are_reached_within_one_percent(
        rate in prop_oneof![Just(100.0), Just(1_000.0), Just(10_000.0), Just(50_000.0), 100.0..60_000.0],
        looks in prop::collection::vec(50..5_500_u64, 700),
    ) {
        let (limiter, clock) = limiter(Rates { run: Some(rate), ..Rates::default() });
        let mut taken = 0_u32;
        for pause in looks {
            clock.advance(Duration::from_micros(pause));
            while limiter.step_in(HOST, None).is_ok() {
                taken += 1;
            }
        }
        let wanted = rate * clock.elapsed().as_secs_f64();
        prop_assert!((f64::from(taken) - wanted).abs() <= wanted * 0.01 + rate * 0.010 + 1.0, "{taken} of {wanted}");
    }
}

#[test]
fn a_rate_slower_than_any_clock_waits_and_does_not_overflow() {
    let (limiter, clock) = limiter(Rates { run: Some(1e-30), network: Some(1e-30), ..Rates::default() });
    assert_eq!(limiter.take(HOST, None), Ok(()));
    for _ in 0..8 {
        clock.advance(Duration::from_hours(24));
        assert!(limiter.take(HOST, None).is_err());
    }
    let mut line = super::cells::Wide::default();
    let places: Vec<Duration> = (0..9).map(|_| line.line_up(1e-30, Duration::ZERO)).collect();
    assert!(places.is_sorted());
}
