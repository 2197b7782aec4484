//! Hosts that are dead, silent, slow, rude or not what they seem.

use super::super::plan::{Odd, Pace, Speaks};
use super::super::site::Site;
use super::super::sshd::Sshd;
use super::super::{pages, sshd, stacks, tls};
use super::{Newcomer, Town};

/// Everybody.
pub(super) fn settle(town: &mut Town) {
    for quarter in 0..3 {
        let host = town.newcomer("dead", quarter + 3).note("nobody at home");
        town.add(host);
    }
    let host = town.newcomer("silent", 2).note("accepts on every port and never answers");
    everywhere(town, host, Odd::Silent);
    let host = town.newcomer("garbage", 3).note("answers every port with noise");
    everywhere(town, host, Odd::Garbage);
    let host = town.newcomer("reset", 4).note("accepts and resets");
    everywhere(town, host, Odd::Reset);
    let host = town.newcomer("close", 5).note("accepts and closes");
    everywhere(town, host, Odd::Close);
    let host = town.newcomer("slow", 0).note("waits 700 ms before every answer");
    let host = stock(town, host).pace(Pace::Slow);
    town.add(host);
    let host = town.newcomer("drip", 1).note("sends a few bytes at a time");
    let host = stock(town, host).pace(Pace::Drip);
    town.add(host);
    let ports = town.layout.ports;
    let host = town.newcomer("endless", 2).note("an SSH banner and a page that never end; refuses TLS by alert");
    let host = host
        .offer(ports.ssh, Speaks::Odd(Odd::EndlessLines))
        .offer(ports.http, Speaks::Odd(Odd::EndlessPage))
        .offer(ports.tls, Speaks::Odd(Odd::Alert));
    town.add(host);
    settle_confused(town);
    for quarter in 4..6 {
        let host = town.newcomer("honeypot", quarter).note("answers everything, all of it stock");
        let own = host.own_keys();
        let certificate = host.default_certificate();
        let page = pages::welcome("nginx");
        let host = host
            .ssh(town, sshd::HONEYPOT, &sshd::BAIT, own)
            .http(town, &stacks::STOCK_NGINX, page.clone())
            .https(town, &tls::STOCK, certificate, &stacks::STOCK_NGINX, page);
        town.add(host);
    }
}

/// Right protocols on wrong ports.
fn settle_confused(town: &mut Town) {
    let ports = town.layout.ports;
    let host = town.newcomer("http-on-tls", 3).note("speaks clear HTTP on its TLS port");
    let page = pages::own(town.seed, &host.label);
    let site = Site { stack: &stacks::STOCK_APACHE, page };
    let host = host.offer(ports.tls, Speaks::Http(site.clone())).offer(ports.http, Speaks::Http(site));
    town.add(host);
    let host = town.newcomer("wrong-protocol", 4).note("a mail server on the SSH port, SSH on the web port");
    let keys = host.own_keys();
    let sshd = Sshd { banner: sshd::UBUNTU_22, before: &[], lists: &sshd::STOCK, keys };
    let host = host.offer(ports.ssh, Speaks::Odd(Odd::Mail)).offer(ports.http, Speaks::Ssh(sshd));
    town.add(host);
    let host = town.newcomer("chatty", 5).note("says a few lines before its SSH banner");
    let keys = host.own_keys();
    let before = &["This system is for its owners only.", "Every connection is written down."];
    let sshd = Sshd { banner: sshd::BARE_8, before, lists: &sshd::STOCK_POLICY, keys };
    let host = host.offer(ports.ssh, Speaks::Ssh(sshd));
    town.add(host);
}

fn everywhere(town: &mut Town, host: Newcomer, odd: Odd) {
    let ports = town.layout.ports;
    let host =
        [ports.ssh, ports.http, ports.tls].into_iter().fold(host, |host, port| host.offer(port, Speaks::Odd(odd)));
    town.add(host);
}

fn stock(town: &Town, host: Newcomer) -> Newcomer {
    let own = host.own_keys();
    let certificate = host.public_certificate(town);
    let page = pages::own(town.seed, &host.label);
    host.ssh(town, sshd::DEBIAN_12, &sshd::STOCK, own).http(town, &stacks::STOCK_NGINX, page.clone()).https(
        town,
        &tls::STOCK,
        certificate,
        &stacks::STOCK_NGINX,
        page,
    )
}
