use super::*;
use crate::report::denylist::tests::{dossier, host};
use crate::report::registry::{AnswersFor, Contact, ContactOrigin, Upstream};

fn contact(answers_for: AnswersFor, mail: &str) -> Contact {
    Contact {
        answers_for,
        origin: ContactOrigin::Network,
        mail: mail.to_owned(),
        name: Some("Example".to_owned()),
        source: "a test".to_owned(),
    }
}

fn registry() -> Registry {
    let network = AnswersFor::Network("203.0.113.0/25".parse().unwrap());
    let upstream = |asn, of| Upstream { asn, of, name: None, source: "a test".to_owned() };
    Registry {
        contacts: vec![
            contact(network, "abuse@holder.example"),
            contact(AnswersFor::Asn(64500), "abuse@origin.example"),
            contact(AnswersFor::Asn(64501), "abuse@transit.example"),
        ],
        upstreams: vec![upstream(64501, 64500), upstream(64501, 64502)],
        ..Registry::default()
    }
}

fn settings() -> Settings {
    let sender = Sender { organisation: "Example CERT".to_owned(), mail: "cert@example.org".to_owned() };
    Settings {
        sender,
        marking: Marking::default(),
        confidential: false,
        least_score: 0.95,
        defang: false,
        statement: None,
    }
}

fn told(pack: &Pack) -> Vec<(&str, &str, usize)> {
    pack.mails.iter().map(|mail| (mail.role.as_str(), mail.to.as_str(), mail.hosts.len())).collect()
}

#[test]
fn holder_origin_and_upstream_each_get_their_hosts_and_an_upstream_all_at_once() {
    let other = SharedHost { asn: Some(64502), ..host("198.51.100.1", 0.99) };
    let dossier =
        dossier(vec![host("203.0.113.1", 0.99), host("203.0.113.200", 0.99), other, host("203.0.113.3", 0.5)]);
    let pack = pack(&dossier, &registry(), &Log::default(), &settings());
    assert_eq!(
        told(&pack),
        [
            ("holder", "abuse@holder.example", 1),
            ("origin", "abuse@origin.example", 2),
            ("upstream", "abuse@transit.example", 3)
        ]
    );
    assert!(pack.remarks.contains(&"AS64502: no contact is known".to_owned()), "{:?}", pack.remarks);
}

#[test]
fn a_confidential_case_warns_nobody_who_may_be_the_provider() {
    let dossier = dossier(vec![host("203.0.113.1", 0.99)]);
    let pack = pack(&dossier, &registry(), &Log::default(), &Settings { confidential: true, ..settings() });
    assert_eq!(told(&pack), [("upstream", "abuse@transit.example", 1)]);
    assert!(pack.remarks[0].starts_with("confidential"));
    let mut registry = registry();
    let upstream = registry.contacts.iter_mut().find(|one| one.mail == "abuse@transit.example").unwrap();
    upstream.mail = "noc@Origin.example".to_owned();
    let settings = Settings { confidential: true, ..settings() };
    assert!(super::pack(&dossier, &registry, &Log::default(), &settings).mails.is_empty());
}

#[test]
fn one_mailbox_that_is_holder_and_origin_gets_one_mail() {
    let mut registry = registry();
    registry.contacts[0].mail = "Abuse@origin.example".to_owned();
    let dossier = dossier(vec![host("203.0.113.1", 0.99)]);
    let pack = pack(&dossier, &registry, &Log::default(), &settings());
    assert_eq!(told(&pack), [("origin", "abuse@origin.example", 1), ("upstream", "abuse@transit.example", 1)]);
}

#[test]
fn the_same_case_gives_the_same_mails_and_a_later_one_cites_those_sent() {
    let dossier = dossier(vec![host("203.0.113.1", 0.99)]);
    let first = pack(&dossier, &registry(), &Log::default(), &settings());
    assert_eq!(first, pack(&dossier, &registry(), &Log::default(), &settings()));
    let sent = Written {
        id: "0a1b2c3d-old".to_owned(),
        to: "abuse@origin.example".to_owned(),
        hosts: vec!["203.0.113.1".parse().unwrap()],
    };
    let happened =
        |event, on: &str| Happened { report: sent.id.clone(), event, on: on.parse().unwrap(), host: None, note: None };
    let log = Log {
        written: vec![sent.clone()],
        happened: vec![happened(Event::Sent, "2026-10-01T00:00:00Z"), happened(Event::Ignored, "2026-10-15T00:00:00Z")],
    };
    let later = pack(&dossier, &registry(), &log, &settings());
    for mail in &later.mails {
        let text = String::from_utf8(mail.bytes.clone()).unwrap();
        assert!(text.contains("0a1b2c3d, sent 2026-10-01 to abuse@origin.example"), "{text}");
    }
    assert_eq!(first.mails[0].id, later.mails[0].id, "the log changes the text, not the name of the report");
}

#[test]
fn what_strangers_wrote_ends_no_header_and_no_part() {
    let mut bad = host("203.0.113.1", 0.99);
    bad.reasons = vec!["x\r\n\r\n--boundary\r\nSubject: y\u{202e}\0<script>".to_owned()];
    let mut registry = registry();
    registry.contacts[0].name = Some("A\r\nBcc: all@example.net".to_owned());
    let mut dossier = dossier(vec![bad]);
    dossier.case.authority = "CERT\r\nBcc: all@example.net".to_owned();
    let mut settings = settings();
    settings.sender.organisation = dossier.case.authority.clone();
    for mail in pack(&dossier, &registry, &Log::default(), &settings).mails {
        let text = String::from_utf8(mail.bytes).unwrap();
        assert!(text.is_ascii());
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        let names: Vec<&str> = head
            .split("\r\n")
            .filter(|line| !line.starts_with([' ', '\t']))
            .filter_map(|line| line.split(':').next())
            .collect();
        assert_eq!(
            names,
            ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "X-Unsent", "X-XARF", "Content-Type"]
        );
        assert_eq!(text.lines().filter(|line| line.starts_with("Subject:")).count(), 1);
        assert!(!text.lines().any(|line| line.starts_with("--boundary")));
    }
}
