use proptest::prelude::*;

use super::*;
use crate::facet::FacetKind;
use crate::observation::{Capture, End, Exchange, Session, Speech, Step};
use crate::proto;

/// A `ServerHello` of TLS 1.2 with this cipher and no extension.
fn hello(cipher: u16) -> Vec<u8> {
    let mut bytes = vec![22, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3];
    bytes.extend([7; 32]);
    bytes.push(0);
    bytes.extend(cipher.to_be_bytes());
    bytes.push(0);
    bytes
}

fn heard(step: Step, bytes: &[u8], end: End) -> Exchange {
    let first_read = u32::try_from(bytes.len()).unwrap();
    Exchange { heard: bytes.to_vec(), first_read, ..Exchange::unsent(step, end, None) }
}

fn jarm(probe: u8, cipher: u16) -> Exchange {
    heard(Step::Jarm(probe), &hello(cipher), End::Done)
}

fn capture(exchanges: Vec<Exchange>) -> Capture {
    Capture { exchanges, ..Capture::default() }
}

/// Ten answers; the last in another cipher.
fn stack(cipher: u16, last: u16) -> Vec<Exchange> {
    (0..10).map(|probe| jarm(probe, if probe == 9 { last } else { cipher })).collect()
}

fn facts(name: &str, speech: Speech, exchanges: Vec<Exchange>) -> SeedFacts {
    let reading = proto::read(speech, &capture(exchanges));
    let facets = reading.facets.iter().map(|facet| (facet.kind, facet.stored())).collect();
    SeedFacts {
        name: name.to_owned(),
        services: vec![ServiceFacts { speech, imported: false, own_issuer: false, facets }],
    }
}

fn hunt_of(seeds: &[SeedFacts], by: By) -> Hunt {
    Hunt::new(seeds, Want::ALL, by, None, &Labels::default(), &Background::default()).unwrap()
}

fn tls_hunt() -> Hunt {
    hunt_of(&[facts("192.0.2.1", Speech::Tls, stack(0xc02f, 0xc030))], By::First)
}

fn answer(hunt: &Hunt, speech: Speech, exchanges: Vec<Exchange>) -> Answer {
    hunt.compare(&Shown::read(speech, &capture(exchanges)))[0]
}

const PAGE: &[u8] = b"HTTP/1.1 200 OK\r\nServer: a\r\nX-Own: 1\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_jarm_is_open_until_a_slot_differs_or_all_ten_agree() {
    let hunt = tls_hunt();
    let same = stack(0xc02f, 0xc030);
    for upto in 1..10 {
        assert_eq!(answer(&hunt, Speech::Tls, same[..upto].to_vec()), Answer::Open, "{upto}");
    }
    assert_eq!(answer(&hunt, Speech::Tls, same), Answer::Like);
    assert_eq!(answer(&hunt, Speech::Tls, stack(0xc02f, 0xc02f)), Answer::Differs, "the tenth alone");
    assert_eq!(answer(&hunt, Speech::Tls, vec![jarm(7, 0xc030)]), Answer::Differs);
}

#[test]
fn void_answers_differ_from_a_hello_and_time_outs_and_refusals_do_not() {
    let hunt = tls_hunt();
    let one = |bytes: &[u8], end| answer(&hunt, Speech::Tls, vec![heard(Step::Jarm(0), bytes, end)]);
    let alert = &[21, 3, 3, 0, 2, 2, 40];
    assert_eq!(one(alert, End::Closed), Answer::Differs);
    assert_eq!(one(b"SSH-2.0-x\r\n", End::ReadTimedOut), Answer::Differs, "it spoke, and not TLS");
    assert_eq!(one(b"", End::Closed), Answer::Differs);
    assert_eq!(one(b"", End::ReadTimedOut), Answer::Open);
    assert_eq!(one(&[22, 3, 3], End::ReadTimedOut), Answer::Open);
    for end in [End::ConnectTimedOut, End::Unreachable] {
        assert_eq!(one(b"", end), Answer::Nothing, "{end:?}");
    }
    assert_eq!(one(b"", End::Refused), Answer::Absent);
    let later = vec![jarm(0, 0xc02f), heard(Step::Jarm(1), b"", End::Refused)];
    assert_eq!(answer(&hunt, Speech::Tls, later), Answer::Open, "a port that begins to refuse refuses us");
}

#[test]
fn of_several_seeds_each_is_compared_by_itself() {
    let seeds = [
        facts("192.0.2.1", Speech::Tls, stack(0xc02f, 0xc030)),
        facts("192.0.2.2", Speech::Tls, stack(0xc02c, 0xc030)),
        facts("192.0.2.3", Speech::Http, vec![heard(Step::Page, PAGE, End::Done)]),
    ];
    let hunt = hunt_of(&seeds, By::First);
    let shown = Shown::read(Speech::Tls, &capture(vec![jarm(0, 0xc02c)]));
    assert_eq!(hunt.compare(&shown), [Answer::Differs, Answer::Open, Answer::Nothing]);
    assert!(hunt.is_seed("192.0.2.3".parse().unwrap()) && !hunt.is_seed("192.0.2.4".parse().unwrap()));
}

#[test]
fn a_page_is_like_only_with_the_order_and_the_server_of_the_seed() {
    let hunt = hunt_of(&[facts("192.0.2.1", Speech::Http, vec![heard(Step::Page, PAGE, End::Done)])], By::First);
    let one = |bytes: &[u8], end| answer(&hunt, Speech::Http, vec![heard(Step::Page, bytes, end)]);
    let dated = b"HTTP/1.1 404 No\r\nDate: now\r\nServer: a\r\nX-Own: 2\r\n\r\n";
    assert_eq!(one(dated, End::Closed), Answer::Like);
    assert_eq!(one(b"HTTP/1.1 200 OK\r\nServer: b\r\nX-Own: 1\r\n\r\n", End::Closed), Answer::Differs);
    assert_eq!(one(b"HTTP/1.1 200 OK\r\nServer: a\r\n\r\n", End::Closed), Answer::Differs, "only the Server is shared");
    assert_eq!(one(b"HTTP/1.1 200 OK\r\nServer: b\r\n", End::ReadTimedOut), Answer::Open, "half a head");
    assert_eq!(one(b"", End::ReadTimedOut), Answer::Open);
    assert_eq!(one(b"", End::Reset), Answer::Nothing);
    assert_eq!(one(b"SSH-2.0-x\r\n", End::Closed), Answer::Differs);
}

#[test]
fn imported_digests_are_not_compared_but_a_jarm_is() {
    let jarm = "29d29d00029d29d00042d42d000000a4e0bd6dd0cd1d3c3c5a1b6dfb3c1b2d";
    let facets = vec![
        (FacetKind::TlsJarm, jarm.as_bytes().to_vec()),
        (FacetKind::HttpHeaderOrder, b"x".to_vec()),
        (FacetKind::SshKexinitSha256, b"y".to_vec()),
    ];
    let services = [Speech::Tls, Speech::Http, Speech::Ssh].map(|speech| ServiceFacts {
        speech,
        imported: true,
        own_issuer: false,
        facets: facets.clone(),
    });
    let hunt = hunt_of(&[SeedFacts { name: "192.0.2.1".into(), services: services.into() }], By::First);
    assert_eq!(hunt.services, [Telling::Jarm]);
    let shown = Shown::read(Speech::Tls, &capture(vec![heard(Step::Jarm(2), &[21, 3, 3, 0, 2, 2, 40], End::Done)]));
    assert_eq!(hunt.compare(&shown), [Answer::Open], "000 in slot 2 of the seed too");
    let shown = Shown::read(Speech::Tls, &capture(vec![jarm_of_code_29d(0), jarm_of_code_29d(1)]));
    assert_eq!(hunt.compare(&shown), [Answer::Open]);
    let shown = Shown::read(Speech::Tls, &capture(vec![jarm_of_code_29d(2)]));
    assert_eq!(hunt.compare(&shown), [Answer::Differs]);
}

/// Cipher number 0x29 is 0xc02f; `d` is TLS 1.2.
fn jarm_of_code_29d(probe: u8) -> Exchange {
    jarm(probe, 0xc02f)
}

#[test]
fn a_jarm_of_ten_voids_is_nobodys_template() {
    let voids = (0..10).map(|probe| heard(Step::Jarm(probe), b"", End::Closed)).collect();
    let seeds = [facts("192.0.2.1", Speech::Tls, voids)];
    assert_eq!(Hunt::new(&seeds, Want::ALL, By::First, None, &Labels::default(), &Background::default()), None);
}

#[test]
fn the_first_service_speaks_or_tls_and_ssh_or_all() {
    use Answer::{Absent, Differs, Like, Nothing, Open};
    use Verdict::{Like as L, Open as O, RuledOut as R};
    let seeds = [facts("192.0.2.1", Speech::Tls, stack(0xc02f, 0xc030))];
    let standing = |by, heard: &[&[Answer]]| {
        let mut standing = Standing::new(&hunt_of(&seeds, by));
        for (telling, answers) in Telling::ALL.into_iter().zip(heard) {
            standing.hear(telling, &answers.iter().map(|one| vec![*one]).collect::<Vec<_>>());
        }
        (standing.so_far(&Telling::ALL[heard.len()..]), standing.verdict())
    };
    assert_eq!(standing(By::First, &[&[Differs]]), (Some(R), R));
    assert_eq!(standing(By::Each, &[&[Differs]]), (None, R));
    assert_eq!(standing(By::Each, &[&[Differs], &[Like]]), (Some(L), L), "its SSH is the seed's");
    assert_eq!(standing(By::Each, &[&[Differs], &[Differs]]), (Some(R), R), "HTTP need not be asked");
    assert_eq!(standing(By::Each, &[&[Differs], &[]]), (Some(R), R), "it has no SSH");
    assert_eq!(standing(By::Each, &[&[Nothing], &[Differs]]), (Some(R), R));
    assert_eq!(standing(By::Each, &[&[], &[]]), (None, O), "HTTP speaks where neither answers");
    assert_eq!(standing(By::Each, &[&[], &[], &[Differs]]), (Some(R), R));
    assert_eq!(standing(By::Each, &[&[Absent], &[Absent]]), (None, R), "HTTP may still speak");
    assert_eq!(standing(By::Each, &[&[Absent], &[Absent], &[Like]]), (Some(L), L));
    assert_eq!(standing(By::First, &[&[Absent], &[Differs]]), (Some(R), R));
    assert_eq!(standing(By::Each, &[&[Absent], &[Nothing], &[Nothing]]), (None, R), "it cannot be like the seed");
    assert_eq!(standing(By::Each, &[&[Absent, Open], &[Differs]]), (Some(O), O), "two ports");
    assert_eq!(standing(By::Each, &[&[Open]]), (Some(O), O));
    assert_eq!(standing(By::Any, &[&[Differs], &[Differs]]), (None, R));
    assert_eq!(standing(By::Any, &[&[Differs]]), (None, R));
    assert_eq!(standing(By::Any, &[&[Differs], &[Like]]), (Some(L), L));
    assert_eq!(standing(By::Any, &[&[Differs], &[Open]]), (Some(O), O));
    assert_eq!(standing(By::First, &[&[Nothing]]), (None, O));
    assert_eq!(standing(By::First, &[&[Nothing], &[Differs]]), (Some(R), R));
    assert_eq!(standing(By::First, &[&[Differs, Like]]), (Some(L), L), "two ports, one like the seed's");
    assert_eq!(standing(By::First, &[&[Differs, Open]]), (Some(O), O));
    assert_eq!(standing(By::First, &[]), (None, O), "a host that offers nothing telling is not ruled out");
}

#[test]
fn the_hello_that_leaves_fewest_strangers_goes_first() {
    let seed = facts("192.0.2.1", Speech::Tls, stack(0xc02f, 0xc030));
    let mut background = Background::default();
    // Every stranger differs in the tenth slot, and half of them in the second too.
    for other in [
        stack(0xc02f, 0xc02b),
        [stack(0xc02f, 0xc02b)[..1].to_vec(), vec![jarm(1, 0x9c)], stack(0xc02f, 0xc02b)[2..].to_vec()].concat(),
    ] {
        let reading = proto::read(Speech::Tls, &capture(other));
        for facet in &reading.facets {
            background.add(facet.kind, &facet.stored());
        }
    }
    let hunt = Hunt::new(&[seed], Want::ALL, By::First, None, &Labels::default(), &background).unwrap();
    assert_eq!(hunt.jarm_order[0], 9);
    let mut sorted = hunt.jarm_order;
    sorted.sort_unstable();
    assert_eq!(sorted, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn enough_hosts_on_record_change_which_service_goes_first() {
    let mut seed = facts("192.0.2.1", Speech::Tls, stack(0xc02f, 0xc030));
    seed.services.extend(facts("", Speech::Http, vec![heard(Step::Page, PAGE, End::Done)]).services);
    let jarm = seed.services[0].facets.iter().find(|(kind, _)| *kind == FacetKind::TlsJarm).unwrap().1.clone();
    let order = |background: &Background| {
        Hunt::new(std::slice::from_ref(&seed), Want::ALL, By::First, None, &Labels::default(), background)
            .unwrap()
            .services
    };
    let mut background = Background::default();
    assert_eq!(order(&background), [Telling::Jarm, Telling::Http]);
    for host in 0..100 {
        background.add(FacetKind::TlsJarm, &jarm);
        background.add(FacetKind::HttpHeaderOrder, format!("{host}").as_bytes());
    }
    assert_eq!(order(&background), [Telling::Http, Telling::Jarm], "everybody has the seed's JARM");
}

#[test]
fn a_hunt_survives_being_written_down() {
    let seeds = [
        facts("192.0.2.1", Speech::Tls, stack(0xc02f, 0xc030)),
        facts("192.0.2.2", Speech::Http, vec![heard(Step::Page, PAGE, End::Done)]),
        facts("192.0.2.3", Speech::Http, vec![heard(Step::Page, b"", End::Closed)]),
    ];
    let hunt = hunt_of(&seeds, By::Any);
    assert_eq!(hunt.unseen, ["192.0.2.3"]);
    let text = serde_json::to_value(&hunt).unwrap().to_string();
    let back: Hunt = serde_json::from_value(serde_json::from_str(&text).unwrap()).unwrap();
    assert_eq!(back, hunt);
}

/// A certificate message behind a hello, as a server of TLS 1.2 sends it.
fn flight_with(leaf: &[u8], cipher: u16) -> Vec<u8> {
    let long = |length: usize| u32::try_from(length).unwrap().to_be_bytes()[1..].to_vec();
    let list = [long(leaf.len()), leaf.to_vec()].concat();
    let body = [long(list.len()), list].concat();
    let message = [vec![11], long(body.len()), body].concat();
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    [hello(cipher), vec![22, 3, 3], length.to_vec(), message].concat()
}

/// A leaf of `subject` from an authority `issuer`.
fn leaf(subject: &str, issuer: &str) -> Vec<u8> {
    let named = |name: &str| {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params
    };
    let authority = rcgen::Issuer::new(named(issuer), rcgen::KeyPair::generate().unwrap());
    named(subject).signed_by(&rcgen::KeyPair::generate().unwrap(), &authority).unwrap().der().to_vec()
}

#[test]
fn a_private_authority_or_a_certificate_key_keeps_a_host_whose_jarm_differs() {
    let own = leaf("one", "node CA G1");
    assert!(has_own_issuer(&own) && !has_own_issuer(&leaf("x", "x")), "self-signed names are nobody's authority");
    let mut exchanges = stack(0xc02f, 0xc030);
    exchanges[0] = heard(Step::Jarm(0), &flight_with(&own, 0xc02f), End::Done);
    let mut seed = facts("192.0.2.1", Speech::Tls, exchanges);
    let shows = |bytes: &[u8]| vec![heard(Step::Jarm(0), &flight_with(bytes, 0x9c), End::Done)];
    let hunt = hunt_of(std::slice::from_ref(&seed), By::First);
    assert_eq!(answer(&hunt, Speech::Tls, shows(&own)), Answer::Like, "the same key");
    assert_eq!(answer(&hunt, Speech::Tls, shows(&leaf("two", "node CA G2"))), Answer::Differs);
    assert!(hunt.jarm_order[0] < 4, "the first answer must show the certificate");
    seed.services[0].own_issuer = true;
    let hunt = hunt_of(&[seed], By::First);
    assert_eq!(answer(&hunt, Speech::Tls, shows(&leaf("two", "node CA G2"))), Answer::Like, "the next generation");
    assert_eq!(answer(&hunt, Speech::Tls, shows(&leaf("two", "other CA"))), Answer::Differs);
}

#[test]
fn where_no_answer_shows_a_certificate_only_a_session_tells() {
    let own = leaf("one", "x");
    let mut exchanges = stack(0xc02f, 0xc030);
    exchanges[0] = heard(Step::Jarm(0), &flight_with(&own, 0xc02f), End::Done);
    let hunt = hunt_of(&[facts("192.0.2.1", Speech::Tls, exchanges)], By::Each);
    let session = |leaf: Option<&[u8]>, end| {
        let chain = leaf.map(|leaf| vec![crate::observation::Blob(leaf.to_vec())]).unwrap_or_default();
        let session = Some(Session { chain, ..Session::default() });
        Exchange { session, ..heard(Step::Session(true), b"", end) }
    };
    let after = |alert: &[u8], more: Vec<Exchange>| {
        let shown = Shown::read(Speech::Tls, &capture([vec![heard(Step::Jarm(0), alert, End::Done)], more].concat()));
        (hunt.compare(&shown)[0], hunt.lacks_leaf(&shown))
    };
    let alert: &[u8] = &[21, 3, 3, 0, 2, 2, 40];
    assert_eq!(after(alert, vec![]), (Answer::Open, true));
    assert_eq!(after(alert, vec![session(Some(&own), End::Done)]), (Answer::Like, false), "a clone behind TLS 1.3");
    assert_eq!(after(alert, vec![session(Some(&leaf("two", "y")), End::Done)]), (Answer::Differs, false));
    assert_eq!(after(alert, vec![session(None, End::Closed)]), (Answer::Differs, false));
    assert_eq!(after(alert, vec![session(None, End::ReadTimedOut)]).0, Answer::Open, "a time-out is no mismatch");
    assert_eq!(after(b"HTTP/1.1 400 Bad Request\r\n", vec![]), (Answer::Differs, false), "nobody speaks TLS there");
    assert_eq!(after(&hello(0xc02f), vec![]), (Answer::Open, false), "the next hello may tell");
}

#[test]
fn stock_lists_tell_only_where_the_seed_shows_nothing_better() {
    let ssh = |kinds: &[FacetKind]| ServiceFacts {
        speech: Speech::Ssh,
        imported: false,
        own_issuer: false,
        facets: kinds.iter().map(|kind| (*kind, b"x".to_vec())).collect(),
    };
    let lists = [FacetKind::SshKexinitSha256, FacetKind::SshBanner];
    let mut background = Background::default();
    for _ in 0..100 {
        background.add(FacetKind::SshKexinitSha256, b"x");
    }
    let looks = |services: Vec<ServiceFacts>, by| {
        let seed = SeedFacts { name: "192.0.2.1".into(), services };
        let hunt = Hunt::new(&[seed], Want::ALL, by, None, &Labels::default(), &background).unwrap();
        hunt.seeds[0].ssh.len()
    };
    let keyed = [&lists[..], &[FacetKind::SshHostKey]].concat();
    assert_eq!(looks(vec![ssh(&lists)], By::Each), 1);
    assert_eq!(looks(vec![ssh(&keyed)], By::Each), 1, "the key alone");
    assert_eq!(looks(vec![ssh(&keyed)], By::First), 2);
    let tls = facts("", Speech::Tls, stack(0xc02f, 0xc030)).services;
    assert_eq!(looks([tls, vec![ssh(&lists)]].concat(), By::Each), 0);
}

#[test]
fn a_later_look_that_heard_less_takes_nothing_away() {
    let look = |imported, facets: &[(FacetKind, &str)]| ServiceFacts {
        speech: Speech::Tls,
        imported,
        own_issuer: false,
        facets: facets.iter().map(|(kind, value)| (*kind, value.as_bytes().to_vec())).collect(),
    };
    let (jarm, key) = (FacetKind::TlsJarm, FacetKind::CertSpkiSha256);
    let mut known = look(false, &[(jarm, "a"), (key, "b")]);
    known.look_again(look(false, &[(key, "c")]));
    assert_eq!(known, look(false, &[(jarm, "a"), (key, "c")]));
    known.look_again(look(true, &[(jarm, "x")]));
    assert_eq!(known, look(false, &[(jarm, "a"), (key, "c")]), "what others heard");
    let mut known = look(true, &[(jarm, "x"), (key, "y")]);
    known.look_again(look(false, &[(jarm, "a")]));
    assert_eq!(known, look(false, &[(jarm, "a")]));
}

fn any_end() -> impl Strategy<Value = End> {
    prop::sample::select(vec![
        End::Done,
        End::Closed,
        End::Reset,
        End::Refused,
        End::Unreachable,
        End::ConnectTimedOut,
        End::ReadTimedOut,
        End::Full,
        End::OutOfScope,
        End::Stopped,
        End::Failed,
    ])
}

proptest! {
    #[test]
    fn silence_never_rules_anybody_out(
        speech in prop::sample::select(Speech::ALL.to_vec()),
        ends in prop::collection::vec(prop::sample::select(vec![End::ConnectTimedOut, End::ReadTimedOut, End::Refused]), 0..12),
    ) {
        let seeds = [
            facts("192.0.2.1", Speech::Tls, stack(0xc02f, 0xc030)),
            facts("192.0.2.2", Speech::Http, vec![heard(Step::Page, PAGE, End::Done)]),
        ];
        let step = |place: u8| match speech {
            Speech::Tls => Step::Jarm(place % 10),
            Speech::Http => Step::Page,
            Speech::Ssh => Step::Kex(String::new()),
        };
        let exchanges = (0..).zip(ends).map(|(place, end)| heard(step(place), b"", end)).collect();
        let shown = Shown::read(speech, &capture(exchanges));
        for by in [By::First, By::Each, By::Any] {
            let hunt = hunt_of(&seeds, by);
            let mut standing = Standing::new(&hunt);
            standing.hear(Telling::Jarm, &[hunt.compare(&shown)]);
            prop_assert_ne!(standing.verdict(), Verdict::RuledOut);
        }
    }

    #[test]
    fn an_answer_cut_off_by_a_time_out_rules_nobody_out(
        upto in 0..52_usize, probe in 0..10_u8, page in 0..40_usize,
    ) {
        let seeds = [
            facts("192.0.2.1", Speech::Tls, stack(0xc02f, 0xc030)),
            facts("192.0.2.1", Speech::Http, vec![heard(Step::Page, PAGE, End::Done)]),
        ];
        let hunt = hunt_of(&seeds, By::First);
        let other = hello(0x9c);
        let cut = heard(Step::Jarm(probe), &other[..upto.min(other.len() - 1)], End::ReadTimedOut);
        prop_assert_ne!(answer(&hunt, Speech::Tls, vec![cut]), Answer::Differs);
        let other = b"HTTP/1.1 200 OK\r\nServer: other\r\nDate: now\r\n\r\n";
        let cut = heard(Step::Page, &other[..page.max(5)], End::ReadTimedOut);
        prop_assert_ne!(hunt.compare(&Shown::read(Speech::Http, &capture(vec![cut])))[1], Answer::Differs);
    }

    #[test]
    fn a_host_that_differs_once_differs_whatever_more_is_heard_of_the_same_slots(
        order in Just((0..10_u8).collect::<Vec<_>>()).prop_shuffle(),
        differing in prop::collection::vec(any::<bool>(), 10),
    ) {
        let hunt = tls_hunt();
        let same = stack(0xc02f, 0xc030);
        let mut exchanges = Vec::new();
        let mut out = false;
        for probe in order {
            let other = differing[usize::from(probe)];
            exchanges.push(if other { jarm(probe, 0x9c) } else { same[usize::from(probe)].clone() });
            out |= other;
            let whole = exchanges.len() == 10;
            let expected = if out { Answer::Differs } else if whole { Answer::Like } else { Answer::Open };
            prop_assert_eq!(answer(&hunt, Speech::Tls, exchanges.clone()), expected);
        }
    }

    #[test]
    fn any_connections_can_be_compared(
        speech in prop::sample::select(Speech::ALL.to_vec()),
        all in prop::collection::vec((0..12_u8, any_end(), prop::collection::vec(any::<u8>(), 0..30)), 0..6),
    ) {
        let step = |place: u8| match place % 4 {
            0 => Step::Page,
            1 => Step::Kex(String::new()),
            _ => Step::Jarm(place),
        };
        let exchanges = all.into_iter().map(|(place, end, bytes)| heard(step(place), &bytes, end)).collect();
        let _ = tls_hunt().compare(&Shown::read(speech, &capture(exchanges)));
    }
}
