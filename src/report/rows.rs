//! Rows in three forms: a table for people, CSV for spreadsheets, JSON lines for programs. The same columns in each.

use std::io::{self, Write};

use serde_json::{Map, Value};

use super::clean::defang;
use super::json::write_json_line;
use crate::facet::{escape_csv_cell, escape_terminal};

/// A column up to this many characters is not wrapped where that leaves [`LEAST`] to each other one.
const WHOLE: u32 = 40;
/// Characters that a wrapped column gets at least.
const LEAST: u32 = 14;
/// Characters between columns.
const GAP: u32 = 3;

/// Rows with one set of columns.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// Column names, in order.
    pub columns: Vec<&'static str>,
    /// One value per column.
    pub rows: Vec<Vec<Value>>,
}

impl Rows {
    /// No rows yet.
    #[must_use]
    pub fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; one value per column.
    pub fn push(&mut self, row: Vec<Value>) {
        debug_assert_eq!(row.len(), self.columns.len(), "one value per column");
        self.rows.push(row);
    }

    /// The same with every text made harmless ([`defang`]), where asked.
    #[must_use]
    pub fn defanged(mut self, asked: bool) -> Self {
        if asked {
            self.rows.iter_mut().flatten().for_each(defang_value);
        }
        self
    }

    /// One JSON object a line.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn write_jsonl(&self, out: &mut dyn Write) -> io::Result<()> {
        for row in &self.rows {
            let object: Map<String, Value> =
                self.columns.iter().map(|name| (*name).to_owned()).zip(row.iter().cloned()).collect();
            write_json_line(out, &Value::Object(object))?;
        }
        Ok(())
    }

    /// CSV with a header; lists joined by `; `, objects as JSON; formulas disarmed.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write_csv_part(out, true)
    }

    fn write_csv_part(&self, out: &mut dyn Write, header: bool) -> io::Result<()> {
        let mut writer = csv::Writer::from_writer(out);
        if header {
            writer.write_record(&self.columns).map_err(io_error)?;
        }
        for row in &self.rows {
            writer.write_record(row.iter().map(|value| escape_csv_cell(&plain(value)))).map_err(io_error)?;
        }
        writer.flush()
    }

    /// A table for people, as wide as it needs; `width` wraps it.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn write_table(&self, out: &mut dyn Write, width: Option<u16>) -> io::Result<()> {
        let mut table = comfy_table::Table::new();
        // A rule below the header alone: rows stand close, so that more of them fit a screen.
        table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY.row_separator(comfy_table::LineStyle::none()));
        table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
        if let Some(width) = width {
            table.set_width(width);
        }
        table.set_header(self.columns.iter().copied());
        for row in &self.rows {
            table.add_row(row.iter().map(for_people));
        }
        // Addresses, numbers and words stay whole, the shortest columns first, as long as each of the others keeps room.
        let mut widths: Vec<(usize, u32)> =
            table.column_max_content_widths().into_iter().map(u32::from).enumerate().collect();
        widths.sort_by_key(|(_, width)| *width);
        let room = width.map_or(u32::MAX, u32::from);
        let mut taken: u32 = widths.iter().map(|(_, width)| width.min(&LEAST) + GAP).sum();
        for (column, width) in widths {
            taken = taken.saturating_add(width.saturating_sub(LEAST));
            if width > WHOLE || taken > room {
                break;
            }
            if let Some(column) = table.column_mut(column) {
                column.set_constraint(comfy_table::ColumnConstraint::ContentWidth);
            }
        }
        for line in table.lines() {
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowForm {
    /// A table so many characters wide. A long one comes in blocks, each under the header.
    Table(u16),
    /// CSV with a header.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

/// Rows held in memory at most while they are written as they come.
const BLOCK: usize = 1000;

/// Rows written as they come, for results that need not fit the memory.
#[derive(Debug)]
pub struct RowStream<W> {
    out: W,
    form: RowForm,
    block: Rows,
    begun: bool,
}

impl<W: Write> RowStream<W> {
    /// Nothing written yet.
    pub fn new(out: W, form: RowForm, columns: &[&'static str]) -> Self {
        Self { out, form, block: Rows::new(columns), begun: false }
    }

    /// Takes a row; one value per column.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn push(&mut self, row: Vec<Value>) -> io::Result<()> {
        self.block.push(row);
        if self.block.rows.len() < BLOCK { Ok(()) } else { self.write_block() }
    }

    /// Writes what is left, and gives `out` back.
    ///
    /// # Errors
    /// When `out` fails.
    pub fn finish(mut self) -> io::Result<W> {
        if !self.block.rows.is_empty() || !self.begun {
            self.write_block()?;
        }
        Ok(self.out)
    }

    fn write_block(&mut self) -> io::Result<()> {
        match self.form {
            RowForm::Table(width) => self.block.write_table(&mut self.out, Some(width))?,
            RowForm::Csv => self.block.write_csv_part(&mut self.out, !self.begun)?,
            RowForm::Jsonl => self.block.write_jsonl(&mut self.out)?,
        }
        self.begun = true;
        self.block.rows.clear();
        Ok(())
    }
}

/// Makes every text inside harmless ([`defang`]); keys stay.
pub fn defang_value(value: &mut Value) {
    match value {
        Value::String(text) => *text = defang(text),
        Value::Array(items) => items.iter_mut().for_each(defang_value),
        Value::Object(map) => map.values_mut().for_each(defang_value),
        _ => {}
    }
}

/// The error of the stream itself, so that a reader who went away can be told from a full disk; csv's own conversion hides
/// which it was.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// A value as text: strings as they are, lists joined by `; `, nothing for null.
#[must_use]
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(plain).collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    }
}

/// A value for a table cell: safe, and cut where it would fill the screen.
fn for_people(value: &Value) -> String {
    const MOST: usize = 400;
    let text = match value {
        Value::Number(number) if number.is_f64() => format!("{:.3}", number.as_f64().unwrap_or_default()),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(|item| escape_terminal(&plain(item))).collect::<Vec<_>>().join("\n")
        }
        other => escape_terminal(&plain(other)),
    };
    if text.chars().count() > MOST {
        let cut: String = text.chars().take(MOST).collect();
        return format!("{cut}…");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hostile() -> Rows {
        let mut rows = Rows::new(&["ip", "title", "ports"]);
        rows.push(vec![json!("127.0.0.1"), json!("=HYPERLINK(\"x\")\u{1b}[2J"), json!([80, 443])]);
        rows
    }

    #[test]
    fn a_formula_and_an_escape_sequence_stay_text_in_csv() {
        let mut out = Vec::new();
        hostile().write_csv(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "ip,title,ports\n127.0.0.1,\"'=HYPERLINK(\"\"x\"\")\\u{1b}[2J\",80; 443\n");
    }

    #[test]
    fn json_lines_keep_the_exact_text() {
        let mut out = Vec::new();
        hostile().write_jsonl(&mut out).unwrap();
        let back: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(back["title"], "=HYPERLINK(\"x\")\u{1b}[2J");
        assert_eq!(back["ports"], json!([80, 443]));
    }

    #[test]
    fn a_stream_of_many_rows_is_the_file_that_one_writing_gives() {
        let mut all = Rows::new(&["n", "text"]);
        let mut stream = RowStream::new(Vec::new(), RowForm::Csv, &all.columns);
        for n in 0..=2 * BLOCK {
            all.push(vec![json!(n), json!("x")]);
            stream.push(vec![json!(n), json!("x")]).unwrap();
        }
        let mut whole = Vec::new();
        all.write_csv(&mut whole).unwrap();
        assert_eq!(stream.finish().unwrap(), whole);
        let empty = RowStream::new(Vec::new(), RowForm::Csv, &["n"]).finish().unwrap();
        assert_eq!(empty, b"n\n");
    }

    #[test]
    fn a_table_moves_no_cursor() {
        let mut out = Vec::new();
        hostile().write_table(&mut out, Some(100)).unwrap();
        assert!(!out.contains(&0x1b));
    }
}
