//! RPSL objects (RFC 2622, RFC 4012, RFC 2725), as in the registries' split dumps (`ripe.db.inetnum.gz`).
//!
//! Objects are parted by empty lines; `key: value`, continued on lines that begin with a blank, a tab or `+`; `#` begins a
//! comment, `%` and `#` in the first column a remark of the server. Text is UTF-8 or Latin-1. An `inetnum` runs from one
//! address to another and need not be a CIDR. Read are inetnum, inet6num, aut-num, route, route6, organisation, mntner,
//! role and irt (as a role: where `APNIC` has abuse reported); the other classes are passed over, persons above all. An object that cannot be read is told with its line.

use std::io::BufRead;

use super::error::{Place, ReadError};
use super::lines::{Line, Lines, shorten};
use super::out::Out;
use super::text::{bounded, date, decode, network, range, some};
use crate::range::fact::{Fact, MOST_LINES, ObjectClass, ObjectKey, RegistryObject};

/// Classes that are no fault, and of no use here.
const PASSED: [&str; 16] = [
    "person",
    "as-block",
    "as-set",
    "route-set",
    "rtr-set",
    "inet-rtr",
    "filter-set",
    "peering-set",
    "key-cert",
    "domain",
    "poem",
    "poetic-form",
    "dictionary",
    "repository",
    "limerick",
    "inetnum-set",
];

/// An object being read.
struct Open {
    line: u64,
    /// `None` for one that is passed over or spoilt.
    object: Option<RegistryObject>,
    /// The class's attribute and the origin of a route, joined when the object ends.
    first: (String, String),
    origin: String,
    /// `mnt-irt`.
    irt: Option<String>,
    spoilt: Option<(u64, String)>,
    /// The attribute that a continuation line goes on with.
    last: String,
}

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    let mut input = input;
    let mut lines = Lines::new(&mut input);
    let mut open: Option<Open> = None;
    let mut number = 0;
    while let Some(line) = lines.next()? {
        number += 1;
        let text = match line {
            Line::Text(bytes) => decode(bytes),
            Line::TooLong => {
                match &mut open {
                    Some(open) => open.spoil(number, "a line longer than 64 KiB"),
                    None => out.lost(Place::Line(number), "longer than 64 KiB"),
                }
                continue;
            }
        };
        if text.starts_with(['%', '#']) {
            continue;
        }
        // A line of blanks goes on with the attribute before it.
        if text.is_empty() {
            open.take().map_or(Ok(()), |open| open.close(out))?;
            continue;
        }
        match (&mut open, text.starts_with([' ', '\t', '+'])) {
            (Some(open), true) => {
                let more = text.trim_start_matches('+');
                let key = open.last.clone();
                open.attribute(&key, more, true);
            }
            (None, true) => out.lost(Place::Line(number), "a line that goes on with nothing"),
            (Some(open), false) => match text.split_once(':') {
                Some((key, value)) if is_key(key) => open.attribute(&key.trim().to_ascii_lowercase(), value, false),
                _ => open.spoil(number, &format!("no attribute: `{}`", shorten(&text))),
            },
            (None, false) => open = Some(Open::begin(number, &text)),
        }
    }
    open.take().map_or(Ok(()), |open| open.close(out))
}

fn is_key(key: &str) -> bool {
    let key = key.trim_end();
    !key.is_empty() && key.len() <= 64 && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_*".contains(&byte))
}

/// A value without its comment.
fn value_of(text: &str) -> &str {
    text.split('#').next().unwrap_or_default().trim()
}

impl Open {
    fn begin(line: u64, text: &str) -> Self {
        let (key, value) = text.split_once(':').unwrap_or((text, ""));
        let class = key.trim().to_ascii_lowercase();
        let first = (class.clone(), value_of(value).to_owned());
        let mut open =
            Self { line, object: None, first, origin: String::new(), irt: None, spoilt: None, last: class.clone() };
        let known = match class.as_str() {
            "inetnum" => Some(ObjectClass::Inetnum),
            "inet6num" => Some(ObjectClass::Inet6num),
            "aut-num" => Some(ObjectClass::AutNum),
            "route" | "route6" => Some(ObjectClass::Route),
            "organisation" => Some(ObjectClass::Organisation),
            "mntner" => Some(ObjectClass::Mntner),
            "role" | "irt" => Some(ObjectClass::Role),
            _ => None,
        };
        // The key is read when the object ends, since a value may go on in the next line.
        open.object = known.map(|class| RegistryObject::new(class, ObjectKey::Handle(String::new())));
        if known.is_none() && !PASSED.contains(&class.as_str()) {
            open.spoil(line, &format!("no class of object: `{}`", shorten(text)));
        }
        open
    }

    fn spoil(&mut self, line: u64, why: &str) {
        self.spoilt.get_or_insert_with(|| (line, why.to_owned()));
    }

    /// Takes one attribute in, or more of one.
    fn attribute(&mut self, key: &str, value: &str, more: bool) {
        if !more {
            key.clone_into(&mut self.last);
        }
        let whole = value.trim();
        let value = value_of(value);
        if more && key == self.first.0 {
            if self.first.1.len() < 256 {
                self.first.1.push(' ');
                self.first.1.push_str(&bounded(value));
            }
            return;
        }
        let Some(object) = &mut self.object else { return };
        match key {
            "netname" | "as-name" | "org-name" if object.name.is_empty() => object.name = bounded(value),
            "nic-hdl" if object.class == ObjectClass::Role => handle(value).clone_into(&mut self.origin),
            "origin" if object.class == ObjectClass::Route => value.clone_into(&mut self.origin),
            "org" => object.org = object.org.take().or_else(|| some(&handle(value))),
            "sponsoring-org" => object.sponsor = object.sponsor.take().or_else(|| some(&handle(value))),
            // Who may write routes (`mnt-routes`) is often the upstream, who serves many strangers.
            "mnt-by" | "mnt-lower" => value.split(',').for_each(|one| add(&mut object.maintainers, one)),
            "admin-c" | "tech-c" => value.split(',').for_each(|one| add(&mut object.contacts, one)),
            "abuse-c" => object.abuse_contact = object.abuse_contact.take().or_else(|| some(&handle(value))),
            // An irt is who answers for incidents where there is no abuse-c.
            "mnt-irt" => self.irt = self.irt.take().or_else(|| some(&handle(value))),
            "abuse-mailbox" => object.abuse_mailbox = object.abuse_mailbox.take().or_else(|| some(value)),
            "status" => object.status = some(value),
            "country" => object.country = object.country.take().or_else(|| some(value)),
            "created" => object.created = date(value),
            "last-modified" => object.last_modified = date(value),
            // Before registries wrote `last-modified`: who changed it and when, the last one last.
            "changed" => {
                let day = value.split_whitespace().last().and_then(date);
                object.last_modified = object.last_modified.max(day);
            }
            "source" => object.source = value.split_whitespace().next().map(bounded).unwrap_or_default(),
            "descr" => line(&mut object.descr, whole),
            "remarks" => line(&mut object.remarks, whole),
            _ => {}
        }
    }

    /// The object is whole: hands it on, or says why not.
    fn close(mut self, out: &mut Out<'_>) -> Result<(), ReadError> {
        out.records += 1;
        if let Some((line, why)) = self.spoilt {
            out.lost(Place::Line(line), &format!("the object of line {} was not read: {why}", self.line));
            return Ok(());
        }
        let Some(mut object) = self.object.take() else {
            out.passed += 1;
            return Ok(());
        };
        object.abuse_contact = object.abuse_contact.take().or_else(|| self.irt.take());
        let text = &self.first.1;
        let key = match object.class {
            ObjectClass::Inetnum | ObjectClass::Inet6num => {
                let v4 = object.class == ObjectClass::Inetnum;
                range(text).filter(|range| range.start().is_ipv4() == v4).map(ObjectKey::Addresses)
            }
            ObjectClass::AutNum => text.parse().ok().map(ObjectKey::Number),
            ObjectClass::Route => {
                network(text).zip(self.origin.parse().ok()).map(|(net, asn)| ObjectKey::Route(net, asn))
            }
            ObjectClass::Organisation | ObjectClass::Mntner => some(&handle(text)).map(ObjectKey::Handle),
            ObjectClass::Role => {
                object.name = bounded(text);
                let is_irt = self.first.0 == "irt";
                some(&handle(if is_irt { text } else { &self.origin })).map(ObjectKey::Handle)
            }
        };
        let Some(key) = key else {
            let words = format!("the key of `{}: {}` cannot be read", self.first.0, shorten(text));
            out.lost(Place::Line(self.line), &words);
            return Ok(());
        };
        object.key = key;
        out.fact(Fact::Registry(Box::new(object)))
    }
}

/// A handle as it is compared: upper case, bounded.
fn handle(text: &str) -> String {
    bounded(text).to_ascii_uppercase()
}

/// Adds a handle once. What stands behind it (`mnt-routes: X-MNT {192.0.2.0/24}`) is not kept.
fn add(list: &mut Vec<String>, text: &str) {
    let handle = handle(text.split_whitespace().next().unwrap_or_default());
    let is_handle = handle.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_:.".contains(&byte));
    if !handle.is_empty() && is_handle && list.len() < MOST_LINES && !list.contains(&handle) {
        list.push(handle);
    }
}

fn line(list: &mut Vec<String>, text: &str) {
    if list.len() < MOST_LINES
        && let Some(text) = some(text)
    {
        list.push(text);
    }
}
