//! The report as one Typst source with its data inside, for those who want a typeset PDF (`typst compile report.typ`).
//!
//! Values stand in one JSON text and reach the page as text only: Typst never reads them as markup or code.

use serde_json::Value;

use super::case_file::CaseFile;
use crate::facet::escape_terminal;

const TEMPLATE: &str = include_str!("report.typ");

/// The whole source: one line of data, then the layout.
///
/// # Errors
/// Only when the report cannot be written as JSON.
pub fn typst(file: &CaseFile) -> Result<String, serde_json::Error> {
    let mut data = serde_json::to_value(file)?;
    shown(&mut data);
    let literal = data.to_string().replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("#let file = json(bytes(\"{literal}\"))\n{TEMPLATE}"))
}

/// Every text as it may be shown; line ends and tabs stay.
fn shown(value: &mut Value) {
    match value {
        Value::String(text) => {
            let lines =
                text.split('\n').map(|line| line.split('\t').map(escape_terminal).collect::<Vec<_>>().join("\t"));
            *text = lines.collect::<Vec<_>>().join("\n");
        }
        Value::Array(all) => all.iter_mut().for_each(shown),
        Value::Object(map) => map.values_mut().for_each(shown),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Findings;
    use crate::report::{CaseFacts, Sights, case_file};

    #[test]
    fn strangers_text_stays_inside_its_literal() {
        let hostile = "\")) #panic(\"x\") \\u{41} \u{202e} \u{1b}[31m";
        let case = CaseFacts { title: hostile.to_owned(), ..CaseFacts::default() };
        let source = typst(&case_file(&case, &[], &Findings::default(), &Sights::new())).unwrap();
        let data = source.lines().next().unwrap();
        let inner = data.strip_prefix("#let file = json(bytes(\"").unwrap().strip_suffix("\"))").unwrap();
        // Read as Typst reads a literal: a backslash takes the next character with it, and no bare quote ends it early.
        let mut json = String::new();
        let mut rest = inner.chars();
        while let Some(c) = rest.next() {
            assert_ne!(c, '"', "the literal ends early");
            json.push(if c == '\\' { rest.next().unwrap() } else { c });
        }
        let read: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["title"], "\")) #panic(\"x\") \\u{41} \\u{202e} \\u{1b}[31m");
    }
}
