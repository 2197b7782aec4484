//! Plain lists: an address, CIDR or `first-last` a line, comments behind `#` or `;`. `FireHOL`'s files say in front what they
//! are (`# firehol_level1`, `# This File Date : Sat Oct 25 04:03:43 UTC 2025`, `# Entries : 4500 subnets`,
//! <https://iplists.firehol.org>); Tor's `ExitAddress 192.0.2.1 2026-04-01 …` is read too.

use std::io::BufRead;

use jiff::civil::Date;

use super::error::{Place, ReadError};
use super::lines::each_line;
use super::listed::{Remark, give};
use super::out::Out;
use super::text::range;

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    let (mut promised, mut entries) = (0u64, 0u64);
    each_line(input, out, |line, _, out| {
        let (entry, comment) = match line.find(['#', ';']) {
            Some(at) => (line.get(..at).unwrap_or_default().trim(), line.get(at + 1..).map(str::trim)),
            None => (line.trim(), None),
        };
        if entry.is_empty() {
            if let Some(comment) = comment {
                header(comment, &mut promised, out);
            }
            return Ok(true);
        }
        let text = match entry.split_once(char::is_whitespace) {
            Some(("ExitAddress", rest)) => rest.split_whitespace().next().unwrap_or_default(),
            Some(("ExitNode" | "Published" | "LastStatus", _)) => return Ok(true),
            _ => entry,
        };
        entries += 1;
        let Some(addresses) = range(text) else { return Ok(false) };
        give(addresses, Remark { reason: comment.filter(|text| !text.is_empty()), ..Remark::default() }, out)?;
        Ok(true)
    })?;
    if entries < promised {
        let why = format!("{entries} entries, and its header promises {promised}: the file is cut");
        return Err(ReadError::broken(Place::File, why));
    }
    Ok(())
}

/// What `FireHOL` says in front.
fn header(comment: &str, promised: &mut u64, out: &mut Out<'_>) {
    match comment.split_once(':') {
        Some((key, value)) => match key.trim() {
            "This File Date" | "Source File Date" => {
                // The source's own date stands first and is the better one.
                out.date = out.date.or_else(|| unix_date(value));
            }
            "Entries" => {
                // Of a netset, its CIDRs; of an ipset, its addresses: lines either way.
                *promised = value.split_whitespace().next().and_then(|count| count.parse().ok()).unwrap_or(0);
            }
            _ => {}
        },
        None if out.facts() == 0 && comment.starts_with("firehol_") => {
            out.call(&comment.chars().take(64).collect::<String>());
        }
        None => {}
    }
}

/// `Sat Oct 25 04:03:43 UTC 2025`.
fn unix_date(text: &str) -> Option<Date> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [_, month, day, _, .., year] = words.as_slice() else { return None };
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|name| name == month)?;
    let year: i16 = year.parse().ok().filter(|year| (1970..=2100).contains(year))?;
    Date::new(year, i8::try_from(month + 1).ok()?, day.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_as_unix_prints_it_is_read() {
        assert_eq!(unix_date(" Sat Oct 25 04:03:43 UTC 2025").unwrap().to_string(), "2025-10-25");
        assert_eq!(unix_date("Sat Oct 45 04:03:43 UTC 2025"), None);
    }
}
