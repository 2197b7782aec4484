//! From recorded connections to outcome and facets, and which connections are still worth making.

use super::algorithm::KeyType;
use super::ident::{Ident, speaks_version_2, turned_away};
use super::transcript::{Transcript, end_words};
use crate::facet::{Facet, FacetKind};
use crate::observation::{Capture, End, Exchange, Outcome, Step};
use crate::proto::Reading;

/// Reads all connections of one probe: banner, algorithm lists, host keys, and keys that could not be had.
#[must_use]
pub fn read(capture: &Capture) -> Reading {
    let talks: Vec<Transcript<'_>> = transcripts(&capture.exchanges).collect();
    let mut facets = Vec::new();
    each_once(&mut facets, FacetKind::SshBanner, talks.iter().filter_map(|talk| talk.banner().map(<[u8]>::to_vec)));
    let lists = || talks.iter().filter_map(|talk| talk.talk.kexinit);
    each_once(&mut facets, FacetKind::SshHasshServer, lists().map(|lists| lists.hassh_server().into_bytes()));
    each_once(&mut facets, FacetKind::SshKexinitSha256, lists().map(|lists| lists.sha256().into_bytes()));
    facets.extend(host_keys(&talks));
    facets.extend(missing(&talks));
    let (outcome, detail) = ending(&talks);
    let outcome = capture.ended(outcome);
    Reading { outcome, detail, facets }
}

/// The host key algorithms still to be asked for, one for each type of key offered and not yet asked for, in the
/// server's order. Empty when there is nothing more to learn.
#[must_use]
pub fn wanted(exchanges: &[Exchange]) -> Vec<String> {
    let talks: Vec<Transcript<'_>> = transcripts(exchanges).collect();
    let Some(first) = talks.iter().find(|talk| talk.talk.kexinit.is_some_and(|lists| lists.no_kex().is_none())) else {
        return Vec::new();
    };
    let asked = |one: &KeyType<'_>| talks.iter().any(|talk| talk.asked_type() == Some(one.blob));
    let open = first.offers().into_iter().filter(|one| !asked(one));
    open.filter_map(|one| one.ask_as.map(|name| String::from_utf8_lossy(name).into_owned())).collect()
}

/// False when the connection may well go otherwise if made again: a time-out, our own fault, or an end before the
/// server had said anything but that it is too busy (sshd's `MaxStartups` drops at random). A tarpit, which says
/// something else line by line, is settled.
#[must_use]
pub fn is_settled(exchange: &Exchange) -> bool {
    let ident = Ident::find(&exchange.heard);
    match exchange.end {
        End::Done | End::Refused | End::Unreachable | End::Full | End::OutOfScope | End::Stopped => true,
        End::Failed | End::ConnectTimedOut => false,
        End::ReadTimedOut if matches!(ident, Ident::Found { line, .. } if speaks_version_2(line)) => false,
        End::ReadTimedOut | End::Closed | End::Reset => match ident {
            Ident::Unfinished { begun: true, .. } => false,
            _ => !exchange.heard.is_empty() && turned_away(&exchange.heard).is_none(),
        },
    }
}

fn transcripts(exchanges: &[Exchange]) -> impl Iterator<Item = Transcript<'_>> {
    exchanges.iter().filter(|one| matches!(one.step, Step::Kex(_))).map(Transcript::of)
}

/// Connections of one server may differ, behind a load balancer: every distinct value is a facet.
fn each_once(facets: &mut Vec<Facet>, kind: FacetKind, values: impl Iterator<Item = Vec<u8>>) {
    for value in values {
        let facet = Facet::new(kind, value);
        if !facets.contains(&facet) {
            facets.push(facet);
        }
    }
}

/// A host key as gathered from all connections.
struct Shown {
    value: Vec<u8>,
    plain_type: &'static str,
    bits: i64,
    proven: bool,
    certificate: bool,
}

/// Every distinct key once: proven when any connection proved it, a certificate's when any showed it in one.
fn host_keys(talks: &[Transcript<'_>]) -> impl Iterator<Item = Facet> {
    let mut keys: Vec<Shown> = Vec::new();
    for (talk, key) in talks.iter().filter_map(|talk| talk.host_key().map(|key| (talk, key))) {
        let proven = talk.proves(&key);
        let value = key.fingerprint().into_bytes();
        let certificate = key.is_certificate();
        if let Some(seen) = keys.iter_mut().find(|seen| seen.value == value) {
            seen.proven |= proven;
            seen.certificate |= certificate;
        } else {
            keys.push(Shown { value, plain_type: key.plain_type, bits: key.bits(), proven, certificate });
        }
    }
    keys.into_iter().map(|key| {
        let facet = Facet::new(FacetKind::SshHostKey, key.value)
            .with("type", key.plain_type)
            .with("bits", key.bits)
            .with("proven", key.proven);
        if key.certificate { facet.with("certificate", true) } else { facet }
    })
}

/// Every type of key that was offered and could not be had. A type that was never asked for, because the first key was
/// enough, is not missing.
fn missing(talks: &[Transcript<'_>]) -> Vec<Facet> {
    let had: Vec<&[u8]> = talks.iter().filter_map(Transcript::host_key).map(|key| key.blob_type).collect();
    let mut facets: Vec<Facet> = Vec::new();
    let mut done: Vec<&[u8]> = Vec::new();
    for talk in talks {
        for one in talk.offers() {
            if had.contains(&one.blob) || done.contains(&one.blob) {
                continue;
            }
            let Some(reason) = why_missing(talks, talk, one) else { continue };
            done.push(one.blob);
            facets.push(Facet::new(FacetKind::SshHostKeyMissing, one.offered_as).with("reason", reason));
        }
    }
    facets
}

fn why_missing(talks: &[Transcript<'_>], offering: &Transcript<'_>, one: KeyType<'_>) -> Option<String> {
    if one.ask_as.is_none() {
        return Some("algorithm not supported".to_owned());
    }
    if let Some(reason) = offering.talk.kexinit.and_then(|lists| lists.no_kex()) {
        return Some(reason.to_owned());
    }
    talks.iter().rfind(|talk| talk.asked_type() == Some(one.blob)).map(Transcript::why_no_key)
}

/// Outcome and detail: by the connection that got furthest, or else by the last.
fn ending(talks: &[Transcript<'_>]) -> (Outcome, Option<String>) {
    if talks.iter().any(|talk| talk.talk.kexinit.is_some()) {
        return (Outcome::Answered, None);
    }
    if let Some((talk, line)) = talks.iter().rev().find_map(|talk| talk.banner().map(|line| (talk, line))) {
        return (Outcome::Answered, Some(no_kexinit(talk, line)));
    }
    let Some(last) = talks.iter().rfind(|talk| !talk.heard().is_empty()).or(talks.last()) else {
        return (Outcome::Failed, Some("no connection was made".to_owned()));
    };
    let cut_off = "identification line cut off";
    match last.ident {
        Ident::Unfinished { lines: 0, .. } if last.heard().is_empty() => (last.end().outcome(), None),
        Ident::Unfinished { begun: true, .. } => (last.end().outcome(), Some(cut_off.to_owned())),
        _ => match turned_away(last.heard()) {
            Some(words) => (Outcome::Closed, Some(words.to_owned())),
            None => (Outcome::Mismatch, Some(not_ssh(last))),
        },
    }
}

fn no_kexinit(talk: &Transcript<'_>, line: &[u8]) -> String {
    if !speaks_version_2(line) {
        return if line.starts_with(b"SSH-1.") { "protocol version 1 only" } else { "unknown protocol version" }
            .to_owned();
    }
    match (talk.talk.disconnect, talk.talk.fault, talk.end()) {
        (None, None, End::ReadTimedOut) => "kexinit timed out".to_owned(),
        (None, None, end) => format!("kexinit missing: {}", end_words(end)),
        _ => format!("kexinit missing: {}", talk.why_no_key()),
    }
}

/// What a server that does not speak SSH seems to speak.
fn not_ssh(talk: &Transcript<'_>) -> String {
    let heard = talk.heard();
    let speaks = match heard {
        [0x15 | 0x16, 3, ..] => Some("tls"),
        [b'H', b'T', b'T', b'P', b'/', ..] => Some("http"),
        [b'2', b'2', b'0', ..] => Some("smtp or ftp"),
        [b'+', b'O', b'K', ..] => Some("pop3"),
        [b'*', b' ', b'O', b'K', ..] => Some("imap"),
        _ => None,
    };
    match (speaks, talk.ident) {
        (Some(name), _) => format!("not ssh but {name}"),
        (None, Ident::Unfinished { lines, .. }) => {
            format!("not ssh: {lines} lines, {} bytes, {}", heard.len(), end_words(talk.end()))
        }
        (None, _) => "no identification line within 50 lines and 8192 bytes".to_owned(),
    }
}
