//! The pattern a certificate was made to (`cert.template`): how, not for whom. Ours; not JA4X.
//!
//! The text, whose SHA-256 is the facet, is
//! `v|signature OID|key type|issuer OIDs|subject OIDs and patterns|extensions|validity in seconds`:
//!
//! * `v1` to `v3`; the signature algorithm as dotted OID; the key as in `cert.key_type`;
//! * issuer: the attribute types in order, joined by `,`, those of one RDN by `+`;
//! * subject: the same, each followed by `=` and the pattern of its value, `#` when it is no string;
//! * extensions in order, joined by `,`, the critical ones with `!`;
//! * what cannot be read is `?`.
//!
//! Pattern of a value: host names of two and more labels become `host/` and the number of labels, other runs of
//! letters become `a`, of digits `9`, of hex digits with both `h`, of letters and digits otherwise `x`; everything between
//! stays, the separators of this text with a `\` in front.

use std::fmt::Write as _;

use super::certificate::Certificate;
use super::der::{Tlv, oid_text};
use super::key::key_type;
use super::name::attributes;

/// The template text of a certificate.
#[must_use]
pub(super) fn text(certificate: &Certificate<'_>, validity_seconds: Option<i64>) -> String {
    let unknown = || "?".to_owned();
    let version = certificate.version.map_or_else(|| "v?".to_owned(), |version| format!("v{version}"));
    let signature = certificate.signature.map_or_else(unknown, oid_text);
    let key = certificate.key.as_ref().map_or_else(unknown, key_type);
    let issuer = certificate.issuer.as_ref().map_or_else(unknown, |name| name_text(name, false));
    let subject = certificate.subject.as_ref().map_or_else(unknown, |name| name_text(name, true));
    let mark = |critical: bool| if critical { "!" } else { "" };
    let extensions: Vec<String> =
        certificate.extensions.iter().map(|one| format!("{}{}", oid_text(one.oid), mark(one.critical))).collect();
    let validity = validity_seconds.map_or_else(unknown, |seconds| seconds.to_string());
    [version, signature, key, issuer, subject, extensions.join(","), validity].join("|")
}

fn name_text(name: &Tlv<'_>, with_values: bool) -> String {
    let rdns = attributes(name);
    let shown: Vec<String> = rdns
        .iter()
        .map(|rdn| {
            let parts: Vec<String> = rdn
                .iter()
                .map(|one| match (&one.text, with_values) {
                    (_, false) => one.oid.clone(),
                    (Some(text), true) => format!("{}={}", one.oid, pattern(&String::from_utf8_lossy(text))),
                    (None, true) => format!("{}=#", one.oid),
                })
                .collect();
            parts.join("+")
        })
        .collect();
    shown.join(",")
}

/// The pattern of one value.
#[must_use]
pub(super) fn pattern(value: &str) -> String {
    let in_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    runs(value, in_name, |run| match labels(run) {
        Some(count) => format!("host/{count}"),
        None => runs(run, char::is_alphanumeric, class),
    })
}

/// Replaces each longest run of characters that `belong`, from a letter or digit on, by what `replace` makes of it and keeps the rest.
fn runs(text: &str, belong: impl Fn(char) -> bool, replace: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first.is_alphanumeric() {
            let end = rest.find(|c| !belong(c)).unwrap_or(rest.len());
            let (run, after) = rest.split_at(end);
            out.push_str(&replace(run));
            rest = after;
        } else {
            if matches!(first, '|' | ',' | '+' | '=' | '\\') {
                out.push('\\');
            }
            if first.is_control() {
                let _ = write!(out, "\\{:x}", u32::from(first));
            } else {
                out.push(first);
            }
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    out
}

/// How many labels, if `run` looks like a host name: two or more, none empty, the last one a top-level domain's.
fn labels(run: &str) -> Option<usize> {
    let labels: Vec<&str> = run.split('.').collect();
    let last = labels.last()?;
    let top = last.len() >= 2 && (last.chars().all(char::is_alphabetic) || last.starts_with("xn--"));
    (labels.len() >= 2 && top && labels.iter().all(|label| !label.is_empty())).then_some(labels.len())
}

fn class(run: &str) -> String {
    let letters = run.chars().any(|c| !c.is_numeric());
    let digits = run.chars().any(char::is_numeric);
    let hex = run.chars().all(|c| c.is_ascii_hexdigit());
    match (letters, digits) {
        (true, false) => "a",
        (false, _) => "9",
        (true, true) if hex => "h",
        (true, true) => "x",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_patterns() {
        for (value, expected) in [
            ("US", "a"),
            ("Internet Widgits Pty Ltd", "a a a a"),
            ("www.example.test", "host/3"),
            ("*.example.test", "*.host/2"),
            ("xn--e1afmkfd.xn--p1ai", "host/2"),
            ("203.0.113.7", "9.9.9.9"),
            ("admin@example.test", "a@host/2"),
            ("WIN-4A7K2QXBV1P", "a-x"),
            ("panel-8f3a2b1c", "a-h"),
            ("Street Test TLS CA 3", "a a a a 9"),
            ("Acme Inc.", "a a."),
            ("a|b,c", "a\\|a\\,a"),
            ("\u{41f}\u{440}\u{438}", "a"),
            ("", ""),
        ] {
            assert_eq!(pattern(value), expected, "{value}");
        }
    }
}
