//! JSON lines that are safe to look at: characters that move a terminal's cursor, hide or reorder text are written as
//! `\uXXXX`, which says the same to every reader of JSON.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use crate::facet::is_treacherous;

/// Writes `value` as one line.
///
/// # Errors
/// When `out` fails.
pub fn write_json_line(out: &mut (impl Write + ?Sized), value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut *out, Tame))?;
    out.write_all(b"\n")
}

/// The compact form of `serde_json`; the characters that JSON itself does not escape are escaped where they are treacherous.
struct Tame;

impl Formatter for Tame {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, found)) = rest.char_indices().find(|(_, c)| is_treacherous(*c)) {
            let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
            writer.write_all(before.as_bytes())?;
            for unit in found.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = from.get(found.len_utf8()..).unwrap_or_default();
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_play_tricks_on_a_terminal_is_written_as_numbers_and_reads_back_the_same() {
        let text = "a\u{9b}2Jb\u{202e}c\u{7f}\u{e0041}d\u{1b}\"\\é😀";
        let mut out = Vec::new();
        write_json_line(&mut out, &serde_json::json!({ "title": text })).unwrap();
        let line = String::from_utf8(out).unwrap();
        assert_eq!(line, "{\"title\":\"a\\u009b2Jb\\u202ec\\u007f\\udb40\\udc41d\\u001b\\\"\\\\é😀\"}\n");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap()["title"], text);
    }
}
