//! A strict reader of TOML tables: knows the line of every key and value, and refuses keys nobody asked about.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::error::{Problem, ScopeError};
use super::line_of;
use super::network::shorten;
use crate::clock::Timestamp;

/// A key a table may have, and a line that shows how it is written.
pub(super) type Key = (&'static str, &'static str);

/// Longest text value, in characters.
const LONGEST_TEXT: usize = 500;

/// Where errors are.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) path: &'a Path,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// The error at this byte.
    pub(super) fn at(&self, offset: usize, problem: Problem) -> ScopeError {
        problem.at(self.path, line_of(self.text.as_bytes(), offset))
    }
}

/// A table with the keys it may have.
pub(super) struct Table<'a> {
    source: Source<'a>,
    name: &'static str,
    start: usize,
    values: &'a DeTable<'a>,
    keys: &'static [Key],
}

/// A value and where it begins.
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) offset: usize,
}

impl<'a> Table<'a> {
    /// A table that begins at byte `start`; `name` is how messages call it.
    ///
    /// # Errors
    /// [`Problem::UnknownKey`].
    pub(super) fn new(
        source: Source<'a>,
        name: &'static str,
        start: usize,
        values: &'a DeTable<'a>,
        keys: &'static [Key],
    ) -> Result<Self, ScopeError> {
        let unknown = |key: &&Spanned<_>| {
            let key: &Spanned<std::borrow::Cow<'_, str>> = key;
            keys.iter().all(|(known, _)| known != key.get_ref())
        };
        // The first in the file, not in the alphabet.
        if let Some(key) = values.keys().filter(unknown).min_by_key(|key| key.span().start) {
            let known: Vec<&str> = keys.iter().map(|(known, _)| *known).collect();
            let advice = advice(key.get_ref(), &known);
            return Err(
                source.at(key.span().start, Problem::UnknownKey { key: shorten(key.get_ref()), table: name, advice })
            );
        }
        Ok(Self { source, name, start, values, keys })
    }

    fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.values.get(key)
    }

    fn key(&self, key: &str) -> Key {
        self.keys.iter().copied().find(|(known, _)| *known == key).unwrap_or_default()
    }

    /// The error for a key that must be there.
    pub(super) fn missing(&self, key: &str) -> ScopeError {
        let (key, example) = self.key(key);
        self.source.at(self.start, Problem::Missing { key, table: self.name, example })
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &'static str) -> ScopeError {
        let (key, example) = self.key(key);
        let found = type_words(value.get_ref());
        self.source.at(value.span().start, Problem::WrongType { key, found, wanted, example })
    }

    /// A text of one line, not empty.
    pub(super) fn text(&self, key: &str) -> Result<Option<At<String>>, ScopeError> {
        self.get(key).map(|value| self.text_of(key, value)).transpose()
    }

    fn text_of(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<At<String>, ScopeError> {
        let DeValue::String(text) = value.get_ref() else {
            return Err(self.wrong_type(key, value, "a text in quotes"));
        };
        let offset = value.span().start;
        let (key, example) = self.key(key);
        let text = text.trim();
        if text.is_empty() {
            return Err(self.source.at(offset, Problem::Empty { key, example }));
        }
        if text.chars().any(char::is_control) || text.chars().nth(LONGEST_TEXT).is_some() {
            return Err(self.source.at(offset, Problem::NotOneLine { key, longest: LONGEST_TEXT }));
        }
        Ok(At { value: text.to_owned(), offset })
    }

    /// The same, required.
    pub(super) fn required_text(&self, key: &str) -> Result<At<String>, ScopeError> {
        self.text(key)?.ok_or_else(|| self.missing(key))
    }

    /// Several texts; none when the key is absent.
    pub(super) fn texts(&self, key: &str) -> Result<Option<At<Vec<At<String>>>>, ScopeError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let items = self.array_of(key, value, "a list of texts")?;
        let texts = items.iter().map(|item| self.text_of(key, item)).collect::<Result<_, _>>()?;
        Ok(Some(At { value: texts, offset: value.span().start }))
    }

    fn array_of(
        &self,
        key: &str,
        value: &'a Spanned<DeValue<'a>>,
        wanted: &'static str,
    ) -> Result<&'a DeArray<'a>, ScopeError> {
        match value.get_ref() {
            DeValue::Array(items) => Ok(items),
            _ => Err(self.wrong_type(key, value, wanted)),
        }
    }

    /// Yes or no; no when absent.
    pub(super) fn flag(&self, key: &str) -> Result<bool, ScopeError> {
        match self.get(key) {
            None => Ok(false),
            Some(value) => match value.get_ref() {
                DeValue::Boolean(flag) => Ok(*flag),
                _ => Err(self.wrong_type(key, value, "true or false")),
            },
        }
    }

    /// An instant: date, time and offset.
    pub(super) fn required_instant(&self, key: &str) -> Result<At<Timestamp>, ScopeError> {
        let value = self.get(key).ok_or_else(|| self.missing(key))?;
        let DeValue::Datetime(written) = value.get_ref() else {
            return Err(self.wrong_type(key, value, "a date without quotes"));
        };
        let offset = value.span().start;
        let (key, example) = self.key(key);
        let instant = written.offset.and_then(|_| written.to_string().parse().ok());
        let value = instant.ok_or_else(|| self.source.at(offset, Problem::Date { key, example }))?;
        Ok(At { value, offset })
    }

    /// A number as written, whole or not.
    pub(super) fn number(&self, key: &str) -> Result<Option<At<String>>, ScopeError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let written = match value.get_ref() {
            DeValue::Integer(whole) if whole.radix() == 10 => whole.to_string(),
            DeValue::Float(float) => float.as_str().to_owned(),
            _ => return Err(self.wrong_type(key, value, "a decimal number")),
        };
        Ok(Some(At { value: written, offset: value.span().start }))
    }

    /// A table within this one.
    pub(super) fn table(&self, key: &str) -> Result<Option<At<&'a DeTable<'a>>>, ScopeError> {
        match self.get(key) {
            None => Ok(None),
            Some(value) => match value.get_ref() {
                DeValue::Table(table) => Ok(Some(At { value: table, offset: value.span().start })),
                _ => Err(self.wrong_type(key, value, "a table")),
            },
        }
    }

    /// Tables within this one; none when the key is absent.
    pub(super) fn tables(&self, key: &str) -> Result<Vec<At<&'a DeTable<'a>>>, ScopeError> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let items = self.array_of(key, value, "a list of tables")?;
        let each = |item: &'a Spanned<DeValue<'a>>| match item.get_ref() {
            DeValue::Table(table) => Ok(At { value: table, offset: item.span().start }),
            _ => Err(self.wrong_type(key, item, "a table")),
        };
        items.iter().map(each).collect()
    }
}

/// What a value is, for messages.
pub(super) fn type_words(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The nearest known word, or all of them when none is near.
pub(super) fn advice(word: &str, known: &[&str]) -> String {
    let near = known.iter().map(|one| (distance(word, one), one)).min();
    match near {
        Some((steps, one)) if steps <= 3 && steps < one.len() => format!("did you mean `{one}`?"),
        _ => format!("known are {}", known.join(", ")),
    }
}

/// Letters to add, drop or exchange to make one word of the other (Levenshtein); long words are not measured.
fn distance(one: &str, other: &str) -> usize {
    if one.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (at, a) in one.chars().enumerate() {
        let mut corner = at;
        let mut left = at.saturating_add(1);
        for (cell, b) in row.iter_mut().zip(std::iter::once(None).chain(other.chars().map(Some))) {
            let Some(b) = b else {
                *cell = left;
                continue;
            };
            let exchanged = corner.saturating_add(usize::from(a != b));
            corner = *cell;
            left = exchanged.min(left.saturating_add(1)).min(cell.saturating_add(1));
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_letters() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("valid_untill", "valid_until"), 1);
    }

    #[test]
    fn a_word_far_from_all_gets_the_whole_list() {
        assert_eq!(advice("contakt", &["contact", "page"]), "did you mean `contact`?");
        assert_eq!(advice("zzzzzzzzz", &["contact", "page"]), "known are contact, page");
    }
}
