//! Text with its host-specific parts taken out: names, digests and numbers become `<name>`, `<hex>` and `<n>`.
//!
//! A script that makes a certificate for every new machine leaves another text on each; the pattern is what stays.

/// The pattern of `text`. Host names (two labels or more, the last of letters) become `<name>`, words of eight or more
/// hex digits `<hex>`, other runs of digits `<n>`.
pub(super) fn pattern(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.first() {
        let length = rest.iter().position(|byte| !is_name_byte(*byte)).unwrap_or(rest.len());
        if length == 0 {
            out.push(*first);
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let (run, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        replace_run(run, &mut out);
        rest = after;
    }
    out
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-'
}

/// Writes the pattern of a run of letters, digits, dots and dashes.
fn replace_run(run: &[u8], out: &mut Vec<u8>) {
    let start = run.iter().position(u8::is_ascii_alphanumeric).unwrap_or(run.len());
    let (marks, run) = run.split_at_checked(start).unwrap_or((run, &[]));
    out.extend_from_slice(marks);
    if is_host_name(run) {
        out.extend_from_slice(b"<name>");
        return;
    }
    for piece in run.split_inclusive(|byte| !byte.is_ascii_alphanumeric()) {
        let (word, end) = match piece.split_last() {
            Some((last, word)) if !last.is_ascii_alphanumeric() => (word, Some(*last)),
            _ => (piece, None),
        };
        if word.len() >= 8 && word.iter().all(u8::is_ascii_hexdigit) {
            out.extend_from_slice(b"<hex>");
        } else {
            let mut in_number = false;
            for byte in word {
                let digit = byte.is_ascii_digit();
                match (digit, in_number) {
                    (true, false) => out.extend_from_slice(b"<n>"),
                    (true, true) => {}
                    (false, _) => out.push(*byte),
                }
                in_number = digit;
            }
        }
        out.extend(end);
    }
}

/// True for `a.example`: two labels or more, none empty, the last of two to 24 letters.
fn is_host_name(run: &[u8]) -> bool {
    let mut labels = run.split(|byte| *byte == b'.');
    let last = labels.next_back().unwrap_or_default();
    let mut others = labels.peekable();
    others.peek().is_some()
        && others.all(|label| !label.is_empty())
        && (2..=24).contains(&last.len())
        && last.iter().all(u8::is_ascii_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        String::from_utf8(pattern(text.as_bytes())).unwrap()
    }

    #[test]
    fn names_digests_and_numbers_are_taken_out() {
        assert_eq!(of("C=RU, O=Some, CN=vps12.host.example"), "C=RU, O=Some, CN=<name>");
        assert_eq!(of("CN=a1b2c3d4e5f6"), "CN=<hex>");
        assert_eq!(of("CN=node-17"), "CN=node-<n>");
        assert_eq!(of("*.cdn-4.example.org"), "*.<name>");
    }

    #[test]
    fn versions_and_plain_words_are_no_names() {
        assert_eq!(of("Apache2 Ubuntu Default Page: It works"), "Apache<n> Ubuntu Default Page: It works");
        assert_eq!(of("v1.24.0"), "v<n>.<n>.<n>");
        assert_eq!(of("Welcome."), "Welcome.");
        assert_eq!(of(""), "");
    }
}
