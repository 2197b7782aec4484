//! Lines of text, bounded: a line of a hundred megabytes costs its own loss and no memory.

use std::io::{self, BufRead};
use std::net::IpAddr;

use super::error::{Place, ReadError};
use super::out::Out;
use super::text::decode;

/// Longest line that is read. Those of registry dumps stay far below.
pub(super) const MOST_LINE: usize = 1 << 16;

/// One line.
pub(super) enum Line<'a> {
    /// Its bytes, without the line end.
    Text(&'a [u8]),
    /// Longer than [`MOST_LINE`], and passed over.
    TooLong,
}

/// The lines of a file.
pub(super) struct Lines<'a, I> {
    input: &'a mut I,
    line: Vec<u8>,
    number: u64,
    /// False once a last line had no line feed.
    pub(super) finished: bool,
}

impl<'a, I: BufRead> Lines<'a, I> {
    pub(super) fn new(input: &'a mut I) -> Self {
        Self { input, line: Vec::new(), number: 0, finished: true }
    }

    /// The next line, without line feed, carriage return and (the first) byte order mark.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, ReadError> {
        self.line.clear();
        let (mut any, mut long, mut ended) = (false, false, false);
        while !ended {
            let place = Place::Line(self.number + 1);
            let have = match self.input.fill_buf() {
                Ok(have) => have,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ReadError::from_io(error, place)),
            };
            if have.is_empty() {
                break;
            }
            any = true;
            let feed = have.iter().position(|byte| *byte == b'\n');
            ended = feed.is_some();
            let part = have.get(..feed.unwrap_or(have.len())).unwrap_or_default();
            if self.line.len() + part.len() > MOST_LINE {
                long = true;
            } else if !long {
                self.line.extend_from_slice(part);
            }
            let used = feed.map_or(have.len(), |at| at + 1);
            self.input.consume(used);
        }
        if !any {
            return Ok(None);
        }
        self.number += 1;
        self.finished = ended;
        if long {
            return Ok(Some(Line::TooLong));
        }
        let mut line = self.line.as_slice();
        if self.number == 1 {
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        Ok(Some(Line::Text(line.strip_suffix(b"\r").unwrap_or(line))))
    }
}

/// Gives `each` every line that is not empty, as text. `Ok(false)` says that the line could not be read.
pub(super) fn each_line(
    input: &mut dyn BufRead,
    out: &mut Out<'_>,
    mut each: impl FnMut(&str, Place, &mut Out<'_>) -> Result<bool, ReadError>,
) -> Result<(), ReadError> {
    let mut input = input;
    let mut lines = Lines::new(&mut input);
    let (mut number, mut last_was_data) = (0, false);
    while let Some(line) = lines.next()? {
        number += 1;
        let place = Place::Line(number);
        let Line::Text(bytes) = line else {
            out.lost(place, "longer than 64 KiB");
            continue;
        };
        let text = decode(bytes);
        last_was_data = !text.trim().is_empty();
        if last_was_data && !each(&text, place, out)? {
            let why = if reversed(&text) { "the range ends before it begins" } else { "not understood" };
            out.lost(place, &format!("{why}: `{}`", shorten(text.trim())));
        }
    }
    if !lines.finished && last_was_data {
        out.remark(Place::Line(number), "the last line has no line end: the file may be cut there");
    }
    Ok(())
}

/// Whether a line begins with two addresses of one family, the higher first.
fn reversed(text: &str) -> bool {
    let mut fields =
        text.split([',', '\t', ' ', '-']).map(|field| field.trim_matches('"')).filter(|field| !field.is_empty());
    let mut address = || fields.next().and_then(|field| field.parse::<IpAddr>().ok());
    matches!((address(), address()), (Some(first), Some(last)) if first.is_ipv4() == last.is_ipv4() && first > last)
}

/// A text for a remark, cut short.
pub(super) fn shorten(text: &str) -> String {
    let cut: String = text.chars().take(80).collect();
    if text.chars().nth(80).is_some() { format!("{cut}…") } else { cut }
}
