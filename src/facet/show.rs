//! How strangers' text is shown: safely in each medium, without losing what it says.

use std::fmt::Write as _;

/// Bytes as text for JSON: UTF-8 as it is, every other byte as `\xNN`.
#[must_use]
pub fn show_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// A probability in per cent, never rounded up to certainty or down to none.
#[must_use]
pub fn show_percent(share: f64) -> String {
    match share {
        share if share > 0.999 => "> 99.9 %".to_owned(),
        share if share < 0.001 => "< 0.1 %".to_owned(),
        share => format!("{:.1} %", share * 100.0),
    }
}

/// Text cut to so many characters, with a sign that there were more.
#[must_use]
pub fn show_cut(text: &str, most: usize) -> String {
    let mut characters = text.char_indices();
    match (characters.nth(most.saturating_sub(1)), characters.next()) {
        (Some((at, _)), Some(_)) => text.get(..at).unwrap_or_default().to_owned() + "\u{2026}",
        _ => text.to_owned(),
    }
}

/// True for characters that move the cursor, hide, or reorder what is shown.
#[must_use]
pub fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Text for a terminal: control, bidi and zero-width characters as `\u{…}`.
#[must_use]
pub fn escape_terminal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_treacherous(c) {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// Text for HTML or SVG, in an element or a quoted attribute; treacherous characters as on a terminal.
#[must_use]
pub fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in escape_terminal(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// Text for a CSV cell. What a spreadsheet would run as a formula gets an apostrophe before it: at the start of the cell, and
/// behind a semicolon, where spreadsheets of many countries begin the next cell. Quoting is the writer's.
#[must_use]
pub fn escape_csv_cell(text: &str) -> String {
    let shown = escape_terminal(text);
    if !shown.contains(FORMULA) {
        return shown;
    }
    let parts = shown.split_inclusive(';').map(|part| {
        let start = part.trim_start();
        let runs = start.starts_with(FORMULA) && start.trim_end_matches(';').parse::<f64>().is_err();
        if runs { format!("{}'{start}", " ".repeat(part.len() - start.len())) } else { part.to_owned() }
    });
    parts.collect()
}

/// What begins a formula, in the full-width forms that spreadsheets take too.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_utf8_keep_their_value() {
        assert_eq!(show_bytes(b"a\xffb\xc3\xa4"), "a\\xffb\u{e4}");
    }

    #[test]
    fn certainty_is_never_claimed() {
        assert_eq!([1.0, 0.999, 0.5, 0.0].map(show_percent), ["> 99.9 %", "99.9 %", "50.0 %", "< 0.1 %"]);
    }

    #[test]
    fn what_was_cut_says_so() {
        assert_eq!(show_cut("\u{e4}bcd", 4), "\u{e4}bcd");
        assert_eq!(show_cut("\u{e4}bcde", 4), "\u{e4}bc\u{2026}");
        assert_eq!(show_cut("", 4), "");
    }

    #[test]
    fn a_terminal_gets_no_escape_and_no_reordering() {
        assert_eq!(escape_terminal("\u{1b}[31mx\u{202e}y"), "\\u{1b}[31mx\\u{202e}y");
    }

    #[test]
    fn a_formula_is_text_but_a_number_stays_one() {
        assert_eq!(escape_csv_cell("=cmd()"), "'=cmd()");
        assert_eq!(escape_csv_cell("-12"), "-12");
        assert_eq!(escape_csv_cell("a-b; 2"), "a-b; 2");
    }

    #[test]
    fn a_formula_in_full_width_or_behind_a_semicolon_is_text_too() {
        for start in ['\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'] {
            assert_eq!(escape_csv_cell(&format!("{start}cmd")), format!("'{start}cmd"));
        }
        assert_eq!(escape_csv_cell("80; =cmd()"), "80; '=cmd()");
        assert_eq!(escape_csv_cell("a;+b;-1;@c"), "a;'+b;-1;'@c");
        assert_eq!(escape_csv_cell("  =x"), "  '=x");
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(escape_html("<a href='x'>\"&"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;");
    }
}
