//! People who have nothing to do with either provider, though parts of what they show look alike: stock software, a
//! content delivery network, a cloned public image, a vendor's panel, a lawful company, a copied page; and the control
//! sample.

use super::super::certificate::{CertKey, Certificate, Issuer, Part};
use super::super::site::{Page, Stack};
use super::super::sshd::Lists;
use super::super::tls::Manners;
use super::super::{pages, sshd, stacks, tls};
use super::{KeyKind, Newcomer, Town, keys, public_certificate};

/// Stock SSH servers.
const SSHDS: [(&str, &Lists); 5] = [
    (sshd::DEBIAN_12, &sshd::STOCK),
    (sshd::UBUNTU_22, &sshd::STOCK),
    (sshd::DEBIAN_11, &sshd::STOCK_OLD),
    (sshd::BARE_8, &sshd::STOCK_POLICY),
    (sshd::DROPBEAR, &sshd::SMALL),
];
/// Stock web servers, with the name their welcome page gives.
const STACKS: [(&Stack, &str); 5] = [
    (&stacks::STOCK_NGINX, "nginx"),
    (&stacks::STOCK_APACHE, "Apache"),
    (&stacks::QUIET_NGINX, "nginx"),
    (&stacks::STOCK_LIGHT, "lighttpd"),
    (&stacks::STOCK_NGINX_OLD, "nginx"),
];
/// Stock TLS settings.
const MANNERS: [&Manners; 4] = [&tls::STOCK, &tls::STOCK_H2, &tls::STOCK_PLAIN, &tls::ONLY_12];

/// Everybody.
pub(super) fn settle(town: &mut Town) {
    for number in 0..10 {
        let host = town.newcomer("stock", number).note("stock software, nothing in common but chance");
        add_stock(town, host, number);
    }
    settle_coincidences(town);
    settle_specialists(town);
    settle_edge(town);
    settle_clones(town);
    settle_panels(town);
    settle_fleet(town);
    let host = town.newcomer("false-flag", 1).note("shows the first provider's placeholder page on stock software");
    let page = pages::placeholder(&town.names.first);
    let own = host.own_keys();
    let certificate = host.public_certificate(town);
    let host = host
        .ssh(town, sshd::DEBIAN_11, &sshd::STOCK_OLD, own)
        .http(town, &stacks::QUIET_NGINX, page.clone())
        .https(town, &tls::STOCK, certificate, &stacks::QUIET_NGINX, page);
    town.add(host);
    for number in 0..240 {
        let host = town.control("control", number).note("control sample: hosting that nobody suspects");
        add_stock(town, host, number * 3 + 1);
    }
}

/// A machine on stock software; `number` chooses which.
fn add_stock(town: &mut Town, host: Newcomer, number: usize) {
    let (banner, lists) = SSHDS.get(number % SSHDS.len()).copied().unwrap_or((sshd::DEBIAN_12, &sshd::STOCK));
    let (stack, program) = STACKS.get((number / 2) % STACKS.len()).copied().unwrap_or((&stacks::STOCK_NGINX, "nginx"));
    let manners = MANNERS.get((number / 3) % MANNERS.len()).copied().unwrap_or(&tls::STOCK);
    let page = match number % 4 {
        0 => pages::welcome(program),
        1 => pages::own(town.seed, &host.label),
        2 => Page { chunked: true, ..pages::own(town.seed, &host.label) },
        _ => pages::locked("restricted"),
    };
    let certificate = if number % 3 == 2 { host.default_certificate() } else { host.public_certificate(town) };
    let own = host.own_keys();
    let host = if number % 7 == 6 { host } else { host.ssh(town, banner, lists, own) };
    let host = host.http(town, stack, page.clone());
    let host = if number % 5 == 4 { host } else { host.https(town, manners, certificate, stack, page) };
    town.add(host);
}

/// Strangers who share one habit with the first provider by chance.
fn settle_coincidences(town: &mut Town) {
    for quarter in 0..3 {
        let host = town.newcomer("stock", quarter).note("its TLS settings are by chance those of the first provider");
        let certificate = host.public_certificate(town);
        let own = host.own_keys();
        let page = pages::own(town.seed, &host.label);
        let host = host
            .ssh(town, sshd::DEBIAN_12, &sshd::STOCK, own)
            .http(town, &stacks::STOCK_NGINX, page.clone())
            .https(town, &tls::FIRST, certificate, &stacks::STOCK_NGINX, page);
        town.add(host);
    }
    for quarter in 2..4 {
        let host =
            town.newcomer("stock", quarter).note("follows the hardening guide the first provider's sshd came from");
        let own = host.own_keys();
        let certificate = host.default_certificate();
        let page = pages::own(town.seed, &host.label);
        let host = host.ssh(town, sshd::DEBIAN_12, &sshd::FIRST, own).https(
            town,
            &tls::STOCK_PLAIN,
            certificate,
            &stacks::STOCK_LIGHT,
            page,
        );
        town.add(host);
    }
}

/// Stock software set up in ways that a prober must cope with.
fn settle_specialists(town: &mut Town) {
    let specials: [(&'static Manners, CertKey, &str); 4] = [
        (&tls::ONLY_13, CertKey::P256, "speaks TLS 1.3 alone"),
        (&tls::MUTUAL, CertKey::P256, "demands a certificate of the client"),
        (&tls::STOCK, CertKey::Ed25519, "has an Ed25519 certificate alone, which JARM cannot see"),
        (&tls::STOCK, CertKey::P384, "has P-384 keys"),
    ];
    for (quarter, (manners, kind, words)) in specials.into_iter().enumerate() {
        let host = town.newcomer("special", quarter + 2).note(words);
        let mut certificate = host.public_certificate(town);
        certificate.key.0 = kind;
        let kinds: &[KeyKind] =
            if kind == CertKey::P384 { &[KeyKind::P384, KeyKind::P256] } else { &[KeyKind::P256, KeyKind::Ed25519] };
        let own = keys(kinds, &host.label);
        let page = pages::own(town.seed, &host.label);
        let host = host
            .ssh(town, sshd::DEBIAN_12, &sshd::STOCK, own)
            .http(town, &stacks::STOCK_NGINX, pages::moved(302, "/start"))
            .https(town, manners, certificate, &stacks::STOCK_NGINX, page);
        town.add(host);
    }
    let host = town.newcomer("special", 0).note("a script somebody left running, beside stock SSH");
    let own = host.own_keys();
    let page = pages::own(town.seed, &host.label);
    let host = host.ssh(town, sshd::BARE_8, &sshd::STOCK_POLICY, own).http(town, &stacks::SCRIPT, page);
    town.add(host);
}

/// Seven edges of a content delivery network: one certificate and one key for all.
fn settle_edge(town: &mut Town) {
    let domain = town.names.edge.domain.clone();
    let names = (1..=12).map(|number| format!("customer{number}.example")).chain([format!("*.{domain}")]).collect();
    for quarter in 0..7 {
        let certificate = public_certificate(town, "edge", &domain, Vec::clone(&names));
        let mut page = pages::moved(301, &format!("https://www.{domain}/"));
        page.status = 403;
        page.location = None;
        let provider = town.names.edge.name.clone();
        let host = town.newcomer("cdn", quarter).of(&provider, &["web", "cert"]);
        let host = host
            .note("an edge of a content delivery network: many customers, one certificate")
            .http(town, &stacks::EDGE, page.clone())
            .https(town, &tls::EDGE, certificate, &stacks::EDGE, page);
        town.add(host);
    }
}

/// Six strangers who started from the same public image and never made new host keys.
fn settle_clones(town: &mut Town) {
    for number in 0..6 {
        let host = town.newcomer("clone", number).note("shares its SSH host key with every copy of a public image");
        let (banner, lists) = SSHDS.get(number % 3).copied().unwrap_or((sshd::DEBIAN_12, &sshd::STOCK));
        let (stack, _) = STACKS.get(number % STACKS.len()).copied().unwrap_or((&stacks::STOCK_NGINX, "nginx"));
        let manners = MANNERS.get(number % MANNERS.len()).copied().unwrap_or(&tls::STOCK);
        let certificate = if number % 2 == 0 { host.public_certificate(town) } else { host.default_certificate() };
        let page = pages::own(town.seed, &host.label);
        let host = host
            .ssh(town, banner, lists, keys(&[KeyKind::P256, KeyKind::Ed25519], "public-image"))
            .http(town, stack, page.clone())
            .https(town, manners, certificate, stack, page);
        town.add(host);
    }
}

/// Five unrelated owners of the same control panel, with the certificate subject it comes with.
fn settle_panels(town: &mut Town) {
    for number in 0..5 {
        let host = town.newcomer("panel", number + 1).note("a vendor's control panel as it comes out of the box");
        let certificate = Certificate {
            label: host.label.clone(),
            key: (CertKey::P256, host.label.clone()),
            issuer: Issuer::Itself,
            subject: vec![(Part::Organisation, town.names.panel.name.clone()), (Part::Name, "localhost".to_owned())],
            names: vec!["localhost".to_owned()],
            from: (2024, 1, 1, 0),
            lasts: 7300 * 86_400,
            serial: Some(1),
        };
        let (banner, lists) = SSHDS.get(number % SSHDS.len()).copied().unwrap_or((sshd::DEBIAN_12, &sshd::STOCK));
        let own = host.own_keys();
        let host = host.ssh(town, banner, lists, own).https(
            town,
            &tls::PANEL,
            certificate,
            &stacks::PANEL,
            pages::panel(&town.names.panel),
        );
        town.add(host);
    }
}

/// Four machines of a lawful company: a fleet with habits as clear as any provider's.
fn settle_fleet(town: &mut Town) {
    let fleet = town.names.fleet.clone();
    for number in 0..4 {
        let host = town.newcomer("fleet", number + 2).of(&fleet.name, &["sshd", "web", "cert"]);
        let wild = format!("*.{}", fleet.domain);
        let certificate = public_certificate(town, "fleet", &fleet.domain, vec![fleet.domain.clone(), wild]);
        let own = host.own_keys();
        let host = host
            .note("a lawful company's fleet: one hand, but no provider's")
            .ssh(town, sshd::BARE_8, &sshd::FLEET, own)
            .http(town, &stacks::FLEET, pages::moved(301, &format!("https://{}/", fleet.domain)))
            .https(town, &tls::FLEET, certificate, &stacks::FLEET, pages::own(town.seed, "fleet"));
        town.add(host);
    }
}
