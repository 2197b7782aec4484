//! The two providers. Each has an image with habits of its own: baked host keys, an sshd configuration, a proxy in front of
//! everything, a way to make certificates, a placeholder page. Customers change some of it and leave the rest.

use super::super::certificate::{CertKey, Certificate, Issuer, Part};
use super::super::plan::{Odd, SeedRank, Speaks};
use super::super::{pages, sshd, stacks, tls};
use super::{HostKey, KeyKind, Newcomer, Town, keys, public_certificate};

/// The first image's baked key.
const IMAGE_ONE: &str = "first/image-1";
/// The second image's.
const IMAGE_TWO: &str = "first/image-2";
/// The second provider's.
const POOL: &str = "second/pool";

/// Quarters where the first provider rents.
const FIRST_AT: [usize; 4] = [0, 1, 3, 4];
/// Quarters where the second does.
const SECOND_AT: [usize; 3] = [2, 3, 5];

/// Twenty-two hosts: untouched ones, customised ones, two that hardly show, two that say nothing.
pub(super) fn settle_first(town: &mut Town) {
    for place in 0..4 {
        let rank = if place == 0 { SeedRank::Good } else { SeedRank::Alternative };
        let host = first(town, "image", place, &["key", "sshd", "web", "cert"]).seed(Some(rank));
        add_untouched(town, host.note("untouched, first image"), keys(&[KeyKind::Ed25519], IMAGE_ONE));
    }
    for place in 0..3 {
        let rank = (place == 0).then_some(SeedRank::Alternative);
        let host = first(town, "image-2", place + 1, &["key", "sshd", "web", "cert"]).seed(rank);
        let baked = keys(&[KeyKind::P256, KeyKind::Ed25519], IMAGE_TWO);
        add_untouched(town, host.note("untouched, second image with another baked key"), baked);
    }
    for place in 0..2 {
        let rank = (place == 0).then_some(SeedRank::Alternative);
        let host = first(town, "rekeyed", place + 2, &["sshd", "web", "cert"]).seed(rank);
        let own = host.own_keys();
        add_untouched(town, host.note("untouched but for its own host keys"), own);
    }
    settle_first_tenants(town);
    for (place, shared_key) in [(1, true), (3, false)] {
        let habits: &[&str] = if shared_key { &["key", "sshd", "web"] } else { &["sshd", "web"] };
        let host = first(town, "kit", place, habits).note("a shop whose owner also rents from the other provider");
        let own = if shared_key { keys(&[KeyKind::Ed25519], IMAGE_ONE) } else { host.own_keys() };
        let host = host.ssh(town, sshd::DEBIAN_12, &sshd::FIRST, own);
        let host = host.http(town, &stacks::FIRST, pages::moved(301, &format!("https://{}/", town.names.shop.domain)));
        let host = host.https(town, &tls::FIRST, shop_certificate(town), &stacks::FIRST, pages::shop(&town.names.shop));
        town.add(host);
    }
    let host = first(town, "one-habit", 2, &["sshd"]).note("rebuilt by its customer; only the sshd settings are left");
    let own = host.own_keys();
    let host = with_own_web(town, host.ssh(town, sshd::DEBIAN_12, &sshd::FIRST, own));
    town.add(host);
    let host =
        first(town, "moved-out", 0, &[]).note("reinstalled from a stock image; nothing of the provider's is left");
    let own = host.own_keys();
    let host = with_own_web(town, host.ssh(town, sshd::UBUNTU_22, &sshd::STOCK, own));
    town.add(host);
    let host = first(town, "dead", 1, &[]).note("rented out, switched off");
    town.add(host);
    let host = first(town, "silent", 3, &[]).note("accepts on every port and never answers");
    let host = [town.layout.ports.ssh, town.layout.ports.http, town.layout.ports.tls]
        .into_iter()
        .fold(host, |host, port| host.offer(port, Speaks::Odd(Odd::Silent)));
    town.add(host);
}

/// Seven customers, each with other habits of the provider's left.
fn settle_first_tenants(town: &mut Town) {
    let one = || keys(&[KeyKind::Ed25519], IMAGE_ONE);
    let two = || keys(&[KeyKind::P256, KeyKind::Ed25519], IMAGE_TWO);

    let host =
        first(town, "tenant", 0, &["key", "sshd", "web"]).note("own certificate and page; the rest is the image's");
    let certificate = host.public_certificate(town);
    let page = pages::own(town.seed, &host.label);
    let host = host
        .ssh(town, sshd::DEBIAN_12, &sshd::FIRST, one())
        .http(town, &stacks::FIRST, pages::moved(301, "/home"))
        .https(town, &tls::FIRST, certificate, &stacks::FIRST, page);
    town.add(host);

    let host = first(town, "tenant", 1, &["key", "sshd"]).note("own web server; key and sshd settings are the image's");
    let host = with_own_web(town, host.ssh(town, sshd::DEBIAN_12, &sshd::FIRST, two()));
    town.add(host);

    let host = first(town, "tenant", 2, &["web", "cert"])
        .note("another SSH server, and a vendor's panel behind the provider's proxy");
    let own = keys(&[KeyKind::Ed25519], &host.label);
    let certificate = first_certificate(town, &host);
    let host = host
        .ssh(town, sshd::DROPBEAR, &sshd::SMALL, own)
        .http(town, &stacks::FIRST, pages::moved(301, "/panel"))
        .https(town, &tls::FIRST, certificate, &stacks::FIRST, pages::panel(&town.names.panel));
    town.add(host);

    let host = first(town, "tenant", 3, &["web", "cert"]).note("stock sshd; proxy and certificate are the provider's");
    let own = host.own_keys();
    let certificate = first_certificate(town, &host);
    let page = pages::own(town.seed, &host.label);
    let host = host.ssh(town, sshd::DEBIAN_12, &sshd::STOCK, own).http(town, &stacks::FIRST, page.clone()).https(
        town,
        &tls::FIRST,
        certificate,
        &stacks::FIRST,
        page,
    );
    town.add(host);

    let host = first(town, "tenant", 0, &["sshd", "cert"]).note("own web server with the provider's certificate");
    let own = host.own_keys();
    let certificate = first_certificate(town, &host);
    let page = pages::own(town.seed, &host.label);
    let host = host
        .ssh(town, sshd::DEBIAN_12, &sshd::FIRST, own)
        .http(town, &stacks::STOCK_APACHE, page.clone())
        .https(town, &tls::STOCK, certificate, &stacks::STOCK_APACHE, page);
    town.add(host);

    let host =
        first(town, "tenant", 1, &["web", "cert"]).note("SSH is closed; proxy and certificate are the provider's");
    let certificate = first_certificate(town, &host);
    let page = pages::own(town.seed, &host.label);
    let host = host.http(town, &stacks::FIRST, pages::moved(301, "/app")).https(
        town,
        &tls::FIRST,
        certificate,
        &stacks::FIRST,
        page,
    );
    town.add(host);

    let host = first(town, "tenant", 3, &["key", "sshd"]).note("no web server at all");
    let host = host.ssh(town, sshd::DEBIAN_12, &sshd::FIRST, one());
    town.add(host);
}

/// Twelve hosts of the other provider.
pub(super) fn settle_second(town: &mut Town) {
    for place in 0..6 {
        let baked = place < 3;
        let habits: &[&str] = if baked { &["key", "sshd", "web", "cert"] } else { &["sshd", "web", "cert"] };
        let rank = match place {
            0 => Some(SeedRank::Good),
            1..=3 => Some(SeedRank::Alternative),
            _ => None,
        };
        let host = second(town, "image", place, habits).seed(rank).note("untouched");
        let own = if baked { keys(&[KeyKind::Ed25519], POOL) } else { host.own_keys() };
        let certificate = second_certificate(town, &host);
        let page = pages::placeholder(&town.names.second);
        let host = host.ssh(town, sshd::UBUNTU_22, &sshd::SECOND, own).http(town, &stacks::SECOND, page.clone()).https(
            town,
            &tls::SECOND,
            certificate,
            &stacks::SECOND,
            page,
        );
        town.add(host);
    }
    let host =
        second(town, "tenant", 0, &["key", "sshd"]).note("own web server; key and sshd settings are the image's");
    let host = with_own_web(town, host.ssh(town, sshd::UBUNTU_22, &sshd::SECOND, keys(&[KeyKind::Ed25519], POOL)));
    town.add(host);
    let host = second(town, "tenant", 1, &["web", "cert"]).note("stock sshd; proxy and certificate are the provider's");
    let own = host.own_keys();
    let certificate = second_certificate(town, &host);
    let page = pages::own(town.seed, &host.label);
    let host = host.ssh(town, sshd::UBUNTU_22, &sshd::STOCK, own).https(
        town,
        &tls::SECOND,
        certificate,
        &stacks::SECOND,
        page,
    );
    town.add(host);
    for place in 1..3 {
        let host =
            second(town, "kit", place, &["sshd", "web"]).note("the shop that is also on the first provider's hosts");
        let own = host.own_keys();
        let host = host.ssh(town, sshd::UBUNTU_22, &sshd::SECOND, own).https(
            town,
            &tls::SECOND,
            shop_certificate(town),
            &stacks::SECOND,
            pages::shop(&town.names.shop),
        );
        town.add(host);
    }
    let host = second(town, "moved-out", 2, &[]).note("reinstalled from a stock image");
    let own = host.own_keys();
    let host = with_own_web(town, host.ssh(town, sshd::DEBIAN_11, &sshd::STOCK_OLD, own));
    town.add(host);
    let host = second(town, "dead", 0, &[]).note("rented out, switched off");
    town.add(host);
}

fn first(town: &mut Town, role: &'static str, place: usize, habits: &[&'static str]) -> Newcomer {
    let quarter = FIRST_AT.get(place % FIRST_AT.len()).copied().unwrap_or_default();
    let name = town.names.first.name.clone();
    town.newcomer(role, quarter).of(&name, habits)
}

fn second(town: &mut Town, role: &'static str, place: usize, habits: &[&'static str]) -> Newcomer {
    let quarter = SECOND_AT.get(place % SECOND_AT.len()).copied().unwrap_or_default();
    let name = town.names.second.name.clone();
    town.newcomer(role, quarter).of(&name, habits)
}

fn add_untouched(town: &mut Town, host: Newcomer, keys: Vec<HostKey>) {
    let certificate = first_certificate(town, &host);
    let page = pages::placeholder(&town.names.first);
    let host = host
        .ssh(town, sshd::DEBIAN_12, &sshd::FIRST, keys)
        .http(town, &stacks::FIRST, pages::moved(301, "/ready"))
        .https(town, &tls::FIRST, certificate, &stacks::FIRST, page);
    town.add(host);
}

/// Stock web server, public certificate, a page of its own.
fn with_own_web(town: &Town, host: Newcomer) -> Newcomer {
    let certificate = host.public_certificate(town);
    let page = pages::own(town.seed, &host.label);
    host.http(town, &stacks::STOCK_NGINX, page.clone()).https(
        town,
        &tls::STOCK,
        certificate,
        &stacks::STOCK_NGINX,
        page,
    )
}

/// A node certificate of the first provider's private authority: numbered name, the address, 397 days from three in the
/// morning.
fn first_certificate(town: &Town, host: &Newcomer) -> Certificate {
    let house = &town.names.first;
    let name = format!("node-{:04}.{}", 400 + host.number, house.domain);
    let number = u64::try_from(host.number).unwrap_or(0);
    Certificate {
        label: host.label.clone(),
        key: (CertKey::P256, host.label.clone()),
        issuer: Issuer::Authority(vec![
            (Part::Organisation, house.name.clone()),
            (Part::Name, format!("{} node CA G2", house.short)),
        ]),
        subject: vec![(Part::Organisation, house.name.clone()), (Part::Name, name.clone())],
        names: vec![name, host.host.address.to_string()],
        from: (2026, 2, 11, 3 * 3600 + number),
        lasts: 397 * 86_400,
        serial: Some(0x4e00_0000 + number),
    }
}

/// What the second provider's setup script makes: signed by itself, ten years, serial 1.
fn second_certificate(town: &Town, host: &Newcomer) -> Certificate {
    let house = &town.names.second;
    Certificate {
        label: host.label.clone(),
        key: (CertKey::P256, host.label.clone()),
        issuer: Issuer::Itself,
        subject: vec![
            (Part::State, "Pool".to_owned()),
            (Part::Organisation, house.name.clone()),
            (Part::Unit, "setup".to_owned()),
            (Part::Name, format!("vps-{:05}", 12_000 + host.number)),
        ],
        names: Vec::new(),
        from: (2025, 11, 3, 60 * u64::try_from(host.number).unwrap_or(0)),
        lasts: 3652 * 86_400,
        serial: Some(1),
    }
}

/// The customer's certificate, with its key on every host of the shop.
fn shop_certificate(town: &Town) -> Certificate {
    let domain = &town.names.shop.domain;
    public_certificate(town, "shop", domain, vec![domain.clone(), format!("track.{domain}")])
}
