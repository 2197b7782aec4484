//! Words and numbers out of strangers' text.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;
use jiff::civil::Date;

use crate::range::fact::{Asn, MOST_TEXT};
use crate::range::span::AddressRange;

/// Bytes as text: UTF-8, or else Latin-1, as old registry dumps have it.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()),
    }
}

/// The text trimmed and cut to what a fact may hold.
pub(super) fn bounded(text: &str) -> String {
    text.trim().chars().take(MOST_TEXT).collect()
}

/// The same; `None` for nothing.
pub(super) fn some(text: &str) -> Option<String> {
    Some(bounded(text)).filter(|text| !text.is_empty())
}

/// A prefix without host bits, or one address.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let network: IpNet = match text.split_once('/') {
        Some((address, length)) => prefix(address, length)?,
        None => IpNet::from(text.parse::<IpAddr>().ok()?),
    };
    Some(network)
}

/// A prefix of two parts.
pub(super) fn prefix(address: &str, length: &str) -> Option<IpNet> {
    if length.is_empty() || length.len() > 3 || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let network = IpNet::new(address.parse().ok()?, length.parse().ok()?).ok()?;
    (network.trunc() == network).then_some(network)
}

/// A CIDR, an address, or `first-last`.
pub(super) fn range(text: &str) -> Option<AddressRange> {
    match text.split_once('-') {
        Some((first, last)) => AddressRange::new(first.trim().parse().ok()?, last.trim().parse().ok()?),
        None => network(text).map(AddressRange::of),
    }
}

/// Several AS numbers: `a_b` (MOAS), `a,b` and `{a,b}` (sets); ascending, each once.
pub(super) fn origins(text: &str) -> Option<Vec<Asn>> {
    let text = text.trim().trim_start_matches('{').trim_end_matches('}');
    let mut all = Vec::with_capacity(1);
    for part in text.split(['_', ',']) {
        all.push(part.trim().trim_start_matches('{').trim_end_matches('}').parse().ok()?);
    }
    if all.len() > 1 {
        all.sort_unstable();
        all.dedup();
    }
    Some(all)
}

/// `20260401`, `2026-04-01`, and these with a time behind them. None before 1970 or after 2100.
pub(super) fn date(text: &str) -> Option<Date> {
    let text = text.trim();
    let digits = |from: usize, to: usize| -> Option<i16> {
        let part = text.get(from..to)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let (year, month, day) = match text.as_bytes() {
        [_, _, _, _, b'-' | b'.' | b'/', _, _, b'-' | b'.' | b'/', ..] => {
            (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?)
        }
        _ => (digits(0, 4)?, digits(4, 6)?, digits(6, 8)?),
    };
    if !(1970..=2100).contains(&year) {
        return None;
    }
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// The day of a number of seconds since 1970.
pub(super) fn date_of_seconds(seconds: i64) -> Option<Date> {
    let at = jiff::Timestamp::from_second(seconds).ok()?;
    let day = at.to_zoned(jiff::tz::TimeZone::UTC).date();
    (1970..=2100).contains(&day.year()).then_some(day)
}

/// The first date in a file's name: `drop_v4_2025-03-04.json`, `rib.20140523.0600.bz2`.
pub(super) fn date_in_name(name: &str) -> Option<Date> {
    place_of_date(name).map(|(_, _, date)| date)
}

/// Where in a name a date stands, and which.
fn place_of_date(name: &str) -> Option<(usize, usize, Date)> {
    let bytes = name.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    (0..bytes.len()).filter(|at| digit(*at) && (*at == 0 || !digit(at - 1))).find_map(|at| {
        [10, 8].into_iter().find_map(|length| {
            let text = name.get(at..at + length)?;
            let dashed = !digit(at + 4);
            if digit(at + length) || dashed != (length == 10) {
                return None;
            }
            date(text).filter(|found| (1990..=2100).contains(&found.year())).map(|found| (at, at + length, found))
        })
    })
}

/// What a file is called without its folder, endings, date and time: the name of the table it is a state of.
pub(super) fn stem(file: &str) -> String {
    let mut name = file.rsplit(['/', '\\']).next().unwrap_or(file).to_ascii_lowercase();
    for end in [".gz", ".bz2", ".zst", ".txt", ".json", ".jsonl", ".csv", ".tsv", ".netset", ".ipset", ".mrt"] {
        if let Some(shorter) = name.strip_suffix(end).filter(|shorter| !shorter.is_empty()) {
            name = shorter.to_owned();
        }
    }
    while let Some((from, to, _)) = place_of_date(&name) {
        let head = name.get(..from).unwrap_or_default().trim_end_matches(['-', '_', '.']);
        let tail = name.get(to..).unwrap_or_default();
        let tail = tail.strip_prefix(['-', '_', '.']).map_or(tail, |rest| {
            // A time of four digits goes with the date.
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            if digits == 4 { rest.get(4..).unwrap_or_default() } else { tail }
        });
        name = format!("{head}{tail}");
    }
    let name = bounded(name.trim_matches(['-', '_', '.']));
    if name.is_empty() { "unnamed".to_owned() } else { name }
}

/// The fields of one line of separated values; quotes hold separators, two quotes are one. `None` for a quote that does
/// not end.
pub(super) fn fields(line: &str, separator: char) -> Option<Vec<Cow<'_, str>>> {
    if !line.contains('"') {
        return Some(line.split(separator).map(|field| Cow::Borrowed(field.trim())).collect());
    }
    let (mut all, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            _ if char == separator && !quoted => all.push(Cow::Owned(std::mem::take(&mut field).trim().to_owned())),
            _ => field.push(char),
        }
    }
    all.push(Cow::Owned(field.trim().to_owned()));
    (!quoted).then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_its_date_and_what_it_is_a_state_of() {
        let day = |name: &str| date_in_name(name).map(|date| date.to_string());
        assert_eq!(day("spamhaus_drop_v4_2025-03-04.jsonl").as_deref(), Some("2025-03-04"));
        assert_eq!(day("rib.20140523.0600.bz2").as_deref(), Some("2014-05-23"));
        assert_eq!(day("delegated-ripencc-extended-latest"), None);
        assert_eq!(day("2026133199.txt"), None);
        assert_eq!(stem("lists/drop_v4_2025-03-04.jsonl"), "drop_v4");
        assert_eq!(stem("routeviews-rv2-20260101-1200.pfx2as.gz"), "routeviews-rv2.pfx2as");
        assert_eq!(stem("20260101.as-rel2.txt.bz2"), "as-rel2");
        assert_eq!(stem("ripe.db.inetnum.gz"), "ripe.db.inetnum");
        assert_eq!(stem("2026-01-01.gz"), "unnamed");
        assert_eq!(stem("rib_20140523_first.bz2"), "rib_first");
    }

    #[test]
    fn quoted_fields_hold_commas_and_quotes() {
        let all = fields(r#"1, "Acme, ""Inc""" ,x"#, ',').unwrap();
        assert_eq!(all, ["1", r#"Acme, "Inc""#, "x"]);
        assert_eq!(fields(r#"1,"open"#, ','), None);
    }

    #[test]
    fn host_bits_and_odd_lengths_are_no_prefix() {
        assert!(network("192.0.2.0/24").is_some() && network("192.0.2.1").is_some());
        for text in ["192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/+8", "192.0.2.0/", "192.0.2/24", "x"] {
            assert_eq!(network(text), None, "{text}");
        }
    }

    #[test]
    fn latin_1_is_text_too() {
        assert_eq!(decode(b"Universit\xe9"), "Universit\u{e9}");
        assert_eq!(decode("é".as_bytes()), "é");
    }
}
