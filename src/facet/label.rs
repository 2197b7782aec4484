//! Labels: values known to be a product's or a distribution's default, read from the tables in `fingerprints/`.
//!
//! A label says whose habit a value shows, so that a stock banner or a template's computer name is never taken for an
//! operator's mark. A table is CSV with the columns `kind,match,value,level,product`; lines that begin with `#` give its
//! source, licence and date. How a value is compared: `exact`; `glob`, where `*` stands for any text; `version`, the
//! text given, then a version number, then at most one remark in parentheses.

use std::collections::HashMap;
use std::str::FromStr as _;

use super::{FacetKind, Habit};

/// What is known of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Whose habit it shows.
    pub habit: Habit,
    /// Product or template it comes with.
    pub product: String,
    /// Where the table says this comes from.
    pub source: String,
    /// Licence of the table.
    pub licence: String,
    /// Date of the table.
    pub date: String,
}

/// Why a table of labels was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// The file is not CSV with five columns.
    #[error("cannot read label table `{table}`")]
    Csv {
        /// The table's name.
        table: String,
        /// What the CSV reader said.
        #[source]
        source: csv::Error,
    },
    /// A cell has a word that is not known.
    #[error("label table `{table}`, row {row}: `{word}` is not a known {column}")]
    Word {
        /// The table's name.
        table: String,
        /// Row of data, from 1.
        row: usize,
        /// Which column.
        column: &'static str,
        /// What stands there.
        word: String,
    },
}

/// All labels.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    entries: Vec<Label>,
    exact: HashMap<(FacetKind, Vec<u8>), usize>,
    patterns: Vec<(FacetKind, Pattern, usize)>,
}

/// The tables that come with the program: name and text.
const TABLES: &[(&str, &str)] = &[
    ("defaults.csv", include_str!("../../fingerprints/defaults.csv")),
    ("recog.csv", include_str!("../../fingerprints/recog.csv")),
    ("jarm.csv", include_str!("../../fingerprints/jarm.csv")),
    ("favicon.csv", include_str!("../../fingerprints/favicon.csv")),
    ("hassh.csv", include_str!("../../fingerprints/hassh.csv")),
];

impl Labels {
    /// The labels that come with the program.
    ///
    /// # Errors
    /// When a table is not well formed; a test holds that they are.
    pub fn builtin() -> Result<Self, LabelError> {
        let mut all = Self::default();
        for (table, text) in TABLES {
            all.add_table(table, text)?;
        }
        Ok(all)
    }

    /// Adds a table. Of two labels for one value the first stays.
    ///
    /// # Errors
    /// When the text is not a table of labels.
    pub fn add_table(&mut self, table: &str, text: &str) -> Result<(), LabelError> {
        let remark = |key: &str| {
            let found = text.lines().filter_map(|line| line.strip_prefix("# ")).find_map(|line| line.strip_prefix(key));
            found.unwrap_or_default().trim().to_owned()
        };
        let (source, licence, date) = (remark("source:"), remark("licence:"), remark("date:"));
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
        for (row, record) in reader.deserialize::<(String, String, String, String, String)>().enumerate() {
            let (kind, how, value, habit, product) =
                record.map_err(|source| LabelError::Csv { table: table.to_owned(), source })?;
            let unknown = |column, word: &str| LabelError::Word {
                table: table.to_owned(),
                row: row + 1,
                column,
                word: word.into(),
            };
            let parsed_kind = FacetKind::from_str(&kind).map_err(|_| unknown("facet kind", &kind))?;
            let habit = Habit::from_str(&habit).map_err(|_| unknown("level", &habit))?;
            let place = self.entries.len();
            match how.as_str() {
                "exact" => {
                    self.exact.entry((parsed_kind, value.into_bytes())).or_insert(place);
                }
                "glob" => self.patterns.push((parsed_kind, Pattern::Glob(value), place)),
                "version" => self.patterns.push((parsed_kind, Pattern::Version(value), place)),
                other => return Err(unknown("way to match", other)),
            }
            let (source, licence, date) = (source.clone(), licence.clone(), date.clone());
            self.entries.push(Label { habit, product, source, licence, date });
        }
        Ok(())
    }

    /// What is known of `value`; `None` for a value nobody listed.
    #[must_use]
    pub fn find(&self, kind: FacetKind, value: &[u8]) -> Option<&Label> {
        let exact = self.exact.get(&(kind, value.to_vec())).copied();
        let place = exact.or_else(|| {
            let text = std::str::from_utf8(value).ok()?;
            let fits = |(of, pattern, _): &&(FacetKind, Pattern, usize)| *of == kind && pattern.fits(text);
            self.patterns.iter().find(fits).map(|(_, _, place)| *place)
        })?;
        self.entries.get(place)
    }

    /// The values of `kind` that are listed exactly, in no order.
    pub fn exact_values(&self, kind: FacetKind) -> impl Iterator<Item = (&[u8], &Label)> {
        let of_kind = self.exact.iter().filter(move |((of, _), _)| *of == kind);
        of_kind.filter_map(|((_, value), place)| Some((value.as_slice(), self.entries.get(*place)?)))
    }
}

/// How a value that is not listed exactly is compared.
#[derive(Clone, Debug)]
enum Pattern {
    Glob(String),
    Version(String),
}

impl Pattern {
    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Glob(pattern) => glob(pattern, text),
            Self::Version(prefix) => text.strip_prefix(prefix.as_str()).is_some_and(is_version),
        }
    }
}

/// True when `text` is `pattern`, where each `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|head| text.strip_prefix(head)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    true
}

/// True for a version number, with at most one remark in parentheses: `2.4.52 (Ubuntu)`.
fn is_version(text: &str) -> bool {
    let (number, remark) = text.split_once(' ').unwrap_or((text, "()"));
    let version = number.starts_with(|c: char| c.is_ascii_digit())
        && number.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    version && remark.starts_with('(') && remark.ends_with(')')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_that_come_with_the_program_are_well_formed_and_name_their_source() {
        let labels = Labels::builtin().unwrap();
        assert!(labels.entries.len() > 3000);
        for label in &labels.entries {
            assert!(!label.source.is_empty() && !label.licence.is_empty() && !label.date.is_empty(), "{label:?}");
        }
    }

    #[test]
    fn a_stock_banner_is_the_distributions_and_an_altered_one_is_not() {
        let labels = Labels::builtin().unwrap();
        let find = |value: &str| labels.find(FacetKind::SshBanner, value.as_bytes()).map(|label| label.habit);
        assert_eq!(find("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10"), Some(Habit::Distribution));
        assert_eq!(find("SSH-2.0-OpenSSH_8.0"), Some(Habit::Distribution));
        assert_eq!(find("SSH-2.0-OpenSSH_9.9 hidden"), None);
        assert_eq!(find("SSH-2.0-mgmt"), None);
    }

    #[test]
    fn a_server_header_with_a_version_is_stock_and_a_made_up_one_is_not() {
        let labels = Labels::builtin().unwrap();
        let known = |value: &str| labels.find(FacetKind::HttpServer, value.as_bytes()).is_some();
        assert!(known("nginx/1.18.0 (Ubuntu)") && known("nginx") && known("Apache/2.4.52 (Ubuntu)"));
        assert!(!known("nginx/1.18.0 edge7") && !known("nginx/") && !known("front"));
    }

    #[test]
    fn the_empty_page_and_the_vm_templates_are_known() {
        let labels = Labels::builtin().unwrap();
        let empty = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(labels.find(FacetKind::HttpBodySha256, empty).unwrap().habit, Habit::Distribution);
        assert_eq!(labels.find(FacetKind::RdpComputerName, b"WIN-J9D866ESIJ2").unwrap().habit, Habit::Vendor);
        assert!(labels.find(FacetKind::RdpComputerName, b"WIN-AAAAAAAAAAA").is_none());
    }

    #[test]
    fn a_table_with_an_unknown_word_is_refused_by_row() {
        let text = "kind,match,value,level,product\nssh.banner,exact,x,vendor,y\nssh.banner,exact,x,nobody,y\n";
        let error = Labels::default().add_table("mine.csv", text).unwrap_err();
        assert_eq!(error.to_string(), "label table `mine.csv`, row 2: `nobody` is not a known level");
    }

    #[test]
    fn a_star_stands_for_any_text_and_the_ends_are_held() {
        assert!(glob("a*c*", "abcd") && glob("a*", "a") && glob("a", "a"));
        assert!(!glob("a*c", "abcd") && !glob("a", "ab") && !glob("b*", "ab"));
    }
}
