//! Dates of certificates ([RFC 5280 §4.1.2.5](https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5)), as sent by real ones.
//!
//! Years from 0 to 9999. Seconds may be left out, a `GeneralizedTime` may have a fraction (dropped), and an offset is
//! turned into UTC: all are forbidden by the RFC and all are seen.

use jiff::ToSpan as _;
use jiff::civil::DateTime;

use super::der::{self, Tlv};

/// A date in UTC; `None` when the text names no date.
#[must_use]
pub(super) fn read(date: &Tlv<'_>) -> Option<DateTime> {
    let text = date.body;
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at_checked(digits)?;
    let (year, number) = number.split_at_checked(match date.tag {
        der::UTC_TIME => 2,
        der::GENERALIZED_TIME => 4,
        _ => return None,
    })?;
    let year = match (year.len(), decimal(year)?) {
        // RFC 5280 4.1.2.5.1: 50 to 99 are the last century.
        (2, late) if late >= 50 => 1900 + late,
        (2, early) => 2000 + early,
        (_, whole) => whole,
    };
    let pairs: Option<Vec<i8>> = number.chunks(2).map(pair).collect();
    let (month, day, hour, minute, second) = match pairs?.as_slice() {
        [month, day, hour] => (*month, *day, *hour, 0, 0),
        [month, day, hour, minute] => (*month, *day, *hour, *minute, 0),
        [month, day, hour, minute, second] => (*month, *day, *hour, *minute, *second),
        _ => return None,
    };
    let local = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    local.checked_sub(offset_minutes(without_fraction(rest))?.minutes()).ok()
}

/// RFC 3339 in UTC, to the second.
#[must_use]
pub(super) fn rfc3339(date: DateTime) -> String {
    let (year, month, day) = (date.year(), date.month(), date.day());
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", date.hour(), date.minute(), date.second())
}

/// Seconds from `start` to `end`; negative when the end comes first.
#[must_use]
pub(super) fn seconds_between(start: DateTime, end: DateTime) -> i64 {
    end.duration_since(start).as_secs()
}

/// Two digits.
fn pair(digits: &[u8]) -> Option<i8> {
    if digits.len() == 2 { decimal(digits).and_then(|number| i8::try_from(number).ok()) } else { None }
}

fn decimal(digits: &[u8]) -> Option<i16> {
    digits.iter().try_fold(0i16, |sum, digit| sum.checked_mul(10)?.checked_add(i16::from(digit.wrapping_sub(b'0'))))
}

fn without_fraction(rest: &[u8]) -> &[u8] {
    match rest.split_first() {
        Some((b'.' | b',', fraction)) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            fraction.get(digits..).unwrap_or_default()
        }
        _ => rest,
    }
}

/// Minutes east of UTC; no zone at all is taken as UTC.
fn offset_minutes(zone: &[u8]) -> Option<i64> {
    let (sign, digits) = match zone.split_first() {
        None | Some((b'Z', [])) => return Some(0),
        Some((b'+', digits)) => (1, digits),
        Some((b'-', digits)) => (-1, digits),
        Some(_) => return None,
    };
    if digits.len() != 4 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = i64::from(decimal(digits)?);
    Some(sign * (number / 100 * 60 + number % 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(tag: u8, text: &str) -> Option<String> {
        read(&Tlv { tag, body: text.as_bytes(), whole: text.as_bytes(), cut: false }).map(rfc3339)
    }

    #[test]
    fn two_digit_years_turn_at_fifty() {
        assert_eq!(shown(der::UTC_TIME, "500101000000Z").as_deref(), Some("1950-01-01T00:00:00Z"));
        assert_eq!(shown(der::UTC_TIME, "491231235959Z").as_deref(), Some("2049-12-31T23:59:59Z"));
    }

    #[test]
    fn the_first_and_the_last_year_have_dates() {
        assert_eq!(shown(der::GENERALIZED_TIME, "99991231235959Z").as_deref(), Some("9999-12-31T23:59:59Z"));
        assert_eq!(shown(der::GENERALIZED_TIME, "00000101000000Z").as_deref(), Some("0000-01-01T00:00:00Z"));
    }

    #[test]
    fn forbidden_but_seen_forms_are_read() {
        assert_eq!(shown(der::UTC_TIME, "2401020304Z").as_deref(), Some("2024-01-02T03:04:00Z"));
        assert_eq!(shown(der::UTC_TIME, "240102030405+0130").as_deref(), Some("2024-01-02T01:34:05Z"));
        assert_eq!(shown(der::UTC_TIME, "240102030405").as_deref(), Some("2024-01-02T03:04:05Z"));
        assert_eq!(shown(der::GENERALIZED_TIME, "20240102030405.678Z").as_deref(), Some("2024-01-02T03:04:05Z"));
    }

    #[test]
    fn what_is_no_date_gives_none() {
        for text in ["", "24", "240230000000Z", "241301000000Z", "240102036005Z", "24010203040Z", "240102030405X", "x"]
        {
            assert_eq!(shown(der::UTC_TIME, text), None, "{text}");
        }
        assert_eq!(shown(der::GENERALIZED_TIME, "999999999999999999999999Z"), None);
        assert_eq!(shown(der::OCTET_STRING, "240102030405Z"), None);
    }

    #[test]
    fn an_offset_past_the_last_year_gives_none() {
        assert_eq!(shown(der::GENERALIZED_TIME, "99991231235959-0100"), None);
    }
}
