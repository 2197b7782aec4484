//! MISP warning lists (<https://github.com/MISP/misp-warninglists>, CC0): `{"name","version","type","list",…}`. Those of type
//! `cidr` are ranges with a known use; lists of names are refused.

use std::io::BufRead;

use super::cloud::looks_like_a_network;
use super::error::{Place, ReadError};
use super::json::each_text;
use super::lines::shorten;
use super::out::Out;
use super::text::{bounded, date, network};
use crate::range::fact::{Fact, NamedRange, Use};
use crate::range::span::AddressRange;

/// Entries held until the list's name, which may stand behind them, is known. MISP's longest has some 100,000.
const MOST_ENTRIES: usize = 2_000_000;

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    let (mut ranges, mut name, mut kind) = (Vec::new(), String::new(), String::new());
    each_text(input, |key, text| {
        match key {
            "name" => name = bounded(text),
            "type" => kind = bounded(text),
            "version" => out.speaks_of(date(text)),
            "list" => match network(text) {
                Some(network) if ranges.len() < MOST_ENTRIES => ranges.push(network),
                Some(_) => return Err(ReadError::broken(Place::File, "more than two million entries")),
                None if looks_like_a_network(text) => {
                    out.lost(Place::File, &format!("no network: `{}`", shorten(text)));
                }
                None => out.passed += 1,
            },
            _ => {}
        }
        Ok(())
    })?;
    if ranges.is_empty() && !kind.is_empty() && kind != "cidr" {
        return Err(ReadError::broken(Place::File, format!("a warning list of type `{kind}` names no networks")));
    }
    if !name.is_empty() {
        out.call(&name);
    }
    let used_for = out.used_for.unwrap_or_else(|| guess(&out.name));
    for network in ranges {
        let addresses = AddressRange::of(network);
        out.fact(Fact::Named(NamedRange { addresses, name: out.name.clone(), used_for }))?;
    }
    Ok(())
}

/// What a list of this name is about.
fn guess(name: &str) -> Use {
    let name = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["scanner", "censys", "shodan", "shadowserver", "security-provider", "security provider", "sinkhole"]) {
        Use::Scanner
    } else if has(&["cdn", "cloudflare", "fastly", "akamai", "content delivery"]) {
        Use::Cdn
    } else if has(&["amazon", "aws", "azure", "gcp", "google cloud", "ovh", "digitalocean", "linode", "cloud"]) {
        Use::Cloud
    } else if has(&["tor exit", "tor node", "tor-"]) {
        Use::Tor
    } else if has(&["mobile", "residential", "dynamic", "dial-up", "access network"]) {
        Use::Access
    } else {
        Use::WellKnown
    }
}
