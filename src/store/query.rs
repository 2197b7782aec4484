//! The language of `hostkin find`: terms, `and`, `or`, `not`, parentheses.
//!
//! ```text
//! query  = and-part { "or" and-part }
//! and-part = part { "and" part }
//! part   = "not" part | "(" query ")" | term
//! term   = KIND "=" VALUE      a facet with exactly this value, as exports show it
//!        | KIND "~" VALUE      a facet whose value contains this text, ASCII case ignored
//!        | "port=" N           the port is open
//!        | "ip=" CIDR          the address, or one in the network
//!        | "asn=" N            the origin AS
//! VALUE  = bare text up to a blank or parenthesis, or text in '…' or "…"; inside quotes \' \" \\ stand for themselves
//! ```

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

use crate::facet::FacetKind;

/// Deepest nesting of parentheses and `not`.
const DEEPEST: usize = 50;

/// Most terms in one query.
const MOST_TERMS: usize = 200;

/// A question about hosts, as a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// All of these.
    And(Vec<Self>),
    /// Any of these.
    Or(Vec<Self>),
    /// Not this.
    Not(Box<Self>),
    /// A facet with exactly this value, as shown in exports.
    Is(FacetKind, String),
    /// A facet whose value contains this text, ASCII case ignored.
    Contains(FacetKind, String),
    /// This port is open.
    Port(u16),
    /// The address is in this network.
    Network(IpNet),
    /// The origin AS.
    Asn(u32),
}

/// Where and why a query could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("query, column {column}: {why}")]
pub struct QueryError {
    /// The character at which it went wrong, from 1.
    pub column: usize,
    /// What was expected there.
    pub why: String,
}

impl FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        let mut parser = Parser { text, at: 0, depth: 0, terms: 0 };
        let query = parser.any()?;
        match parser.peek() {
            None => Ok(query),
            Some(')') => Err(parser.error("a `)` without its `(`")),
            Some(_) => Err(parser.error("expected `and`, `or` or the end here")),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    /// Byte offset, always between characters.
    at: usize,
    depth: usize,
    terms: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next character that is not a blank.
    fn peek(&mut self) -> Option<char> {
        self.at = self.text.len() - self.rest().trim_start().len();
        self.rest().chars().next()
    }

    fn error(&self, why: impl Into<String>) -> QueryError {
        self.error_at(self.at, why)
    }

    fn error_at(&self, at: usize, why: impl Into<String>) -> QueryError {
        let column = self.text.get(..at).unwrap_or_default().chars().count() + 1;
        QueryError { column, why: why.into() }
    }

    /// Steps over `word` if it stands here alone, in any case.
    fn word(&mut self, word: &str) -> bool {
        self.peek();
        let Some((head, tail)) = self.rest().split_at_checked(word.len()) else { return false };
        let alone = tail.chars().next().is_none_or(|c| c.is_whitespace() || c == '(' || c == ')');
        let here = head.eq_ignore_ascii_case(word) && alone;
        if here {
            self.at += word.len();
        }
        here
    }

    fn any(&mut self) -> Result<Query, QueryError> {
        let mut parts = vec![self.all()?];
        while self.word("or") {
            parts.push(self.all()?);
        }
        Ok(if parts.len() > 1 { Query::Or(parts) } else { parts.swap_remove(0) })
    }

    fn all(&mut self) -> Result<Query, QueryError> {
        let mut parts = vec![self.part()?];
        while self.word("and") {
            parts.push(self.part()?);
        }
        Ok(if parts.len() > 1 { Query::And(parts) } else { parts.swap_remove(0) })
    }

    fn part(&mut self) -> Result<Query, QueryError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error("too many parentheses and `not` inside each other"));
        }
        let part = if self.word("not") {
            Query::Not(Box::new(self.part()?))
        } else if self.peek() == Some('(') {
            let opened = self.at;
            self.at += 1;
            let inner = self.any()?;
            match self.peek() {
                Some(')') => self.at += 1,
                Some(_) => return Err(self.error("expected `and`, `or` or `)` here")),
                None => return Err(self.error_at(opened, "this `(` is never closed")),
            }
            inner
        } else {
            self.term()?
        };
        self.depth -= 1;
        Ok(part)
    }

    fn term(&mut self) -> Result<Query, QueryError> {
        self.peek();
        let start = self.at;
        let key = self.rest().split(|c: char| c.is_whitespace() || "=~()'\"".contains(c)).next().unwrap_or_default();
        if key.is_empty() {
            return Err(self.error("expected a term such as `port=22` or `ssh.host_key=SHA256:…` here"));
        }
        self.terms += 1;
        if self.terms > MOST_TERMS {
            return Err(self.error(format!("more than {MOST_TERMS} terms")));
        }
        self.at += key.len();
        let operator = self.peek();
        if !matches!(operator, Some('=' | '~')) {
            return Err(self.error(format!("expected `=` or `~` after `{key}`")));
        }
        let operator_at = self.at;
        self.at += 1;
        self.peek();
        let value_at = self.at;
        let value = self.value()?;
        let number_only = |parser: &Self| match operator {
            Some('~') => Err(parser.error_at(operator_at, format!("`{key}` takes `=`"))),
            _ => Ok(()),
        };
        match key {
            "port" => {
                number_only(self)?;
                value
                    .parse()
                    .map(Query::Port)
                    .map_err(|_| self.error_at(value_at, "a port is a number from 0 to 65535"))
            }
            "asn" => {
                number_only(self)?;
                let digits = value.strip_prefix("AS").or_else(|| value.strip_prefix("as")).unwrap_or(&value);
                digits.parse().map(Query::Asn).map_err(|_| self.error_at(value_at, "an AS is a number such as 64496"))
            }
            "ip" => {
                number_only(self)?;
                let network = value.parse::<IpNet>().or_else(|_| value.parse::<IpAddr>().map(IpNet::from));
                network
                    .map(Query::Network)
                    .map_err(|_| self.error_at(value_at, "expected an address or a network such as 192.0.2.0/24"))
            }
            _ => {
                let kind: FacetKind = key.parse().map_err(|_| self.error_at(start, unknown(key)))?;
                Ok(if operator == Some('~') { Query::Contains(kind, value) } else { Query::Is(kind, value) })
            }
        }
    }

    fn value(&mut self) -> Result<String, QueryError> {
        let opened = self.at;
        let Some(quote @ ('\'' | '"')) = self.peek() else {
            let bare =
                self.rest().split(|c: char| c.is_whitespace() || c == '(' || c == ')').next().unwrap_or_default();
            if bare.is_empty() {
                return Err(self.error("expected a value here; an empty one is written ''"));
            }
            self.at += bare.len();
            return Ok(bare.to_owned());
        };
        let mut value = String::new();
        let mut characters = self.rest().char_indices().skip(1).peekable();
        while let Some((offset, c)) = characters.next() {
            if c == quote {
                self.at = opened + offset + 1;
                return Ok(value);
            }
            match characters.peek() {
                Some((_, next @ ('\'' | '"' | '\\'))) if c == '\\' => {
                    value.push(*next);
                    characters.next();
                }
                // Anything else after a backslash is left as it is: exports show odd bytes as \xNN.
                _ => value.push(c),
            }
        }
        Err(self.error_at(opened, "this quote is never closed"))
    }
}

/// Words for a key that is none, with kinds that look like it.
fn unknown(key: &str) -> String {
    let tail = key.rsplit('.').next().unwrap_or(key);
    let like: Vec<&str> = FacetKind::ALL
        .iter()
        .map(|kind| kind.as_str())
        .filter(|name| !tail.is_empty() && name.contains(tail))
        .collect();
    match like.as_slice() {
        [] => format!("`{key}` is not a facet kind, nor `port`, `ip` or `asn`; kinds look like `ssh.host_key`"),
        some => format!("`{key}` is not a facet kind; did you mean `{}`?", some.join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Query {
        text.parse().unwrap()
    }

    fn fails(text: &str) -> (usize, String) {
        let error = text.parse::<Query>().unwrap_err();
        (error.column, error.why)
    }

    #[test]
    fn and_binds_tighter_than_or_and_not_tighter_than_and() {
        let port = Query::Port;
        let not = |query| Query::Not(Box::new(query));
        assert_eq!(
            parse("port=1 or not port=2 and port=3"),
            Query::Or(vec![port(1), Query::And(vec![not(port(2)), port(3)])])
        );
        assert_eq!(
            parse("(port=1 OR port=2)AND NOT(port=3)"),
            Query::And(vec![Query::Or(vec![port(1), port(2)]), not(port(3))])
        );
    }

    #[test]
    fn values_may_hold_equals_signs_and_quoted_ones_anything() {
        assert_eq!(
            parse("ssh.host_key=SHA256:a+/b= and not port=3389"),
            Query::And(vec![
                Query::Is(FacetKind::SshHostKey, "SHA256:a+/b=".into()),
                Query::Not(Box::new(Query::Port(3389))),
            ])
        );
        assert_eq!(
            parse(r#"http.title~'it\'s (not) "or" \xff'"#),
            Query::Contains(FacetKind::HttpTitle, r#"it's (not) "or" \xff"#.into())
        );
        assert_eq!(parse("http.title = ''"), Query::Is(FacetKind::HttpTitle, String::new()));
    }

    #[test]
    fn networks_addresses_and_systems_are_read() {
        assert_eq!(parse("ip=192.0.2.7"), Query::Network("192.0.2.7/32".parse().unwrap()));
        assert_eq!(parse("ip=2001:db8::/32"), Query::Network("2001:db8::/32".parse().unwrap()));
        assert_eq!(parse("asn=AS64496"), Query::Asn(64496));
    }

    #[test]
    fn errors_name_the_place_and_what_was_expected() {
        assert_eq!(fails("").0, 1);
        assert_eq!(fails("port=22 port=23"), (9, "expected `and`, `or` or the end here".into()));
        assert_eq!(
            fails("port=22 and"),
            (12, "expected a term such as `port=22` or `ssh.host_key=SHA256:…` here".into())
        );
        assert_eq!(fails("(port=22"), (1, "this `(` is never closed".into()));
        assert_eq!(fails("port=22)"), (8, "a `)` without its `(`".into()));
        assert_eq!(fails("ssh.host_key"), (13, "expected `=` or `~` after `ssh.host_key`".into()));
        assert_eq!(fails("port=x").0, 6);
        assert_eq!(fails("port~22").0, 5);
        assert_eq!(fails("http.title='ä\" and port=1"), (12, "this quote is never closed".into()));
        assert_eq!(fails("http.title='ä' and ssh.hostkey=1").0, 20);
        assert!(fails("x.jarm=1").1.contains("`tls.jarm`"));
        assert_eq!(fails("ip=192.0.2.0/99").0, 4);
    }

    #[test]
    fn endless_questions_are_refused_not_overflowed() {
        assert!(fails(&"(".repeat(100_000)).1.contains("inside each other"));
        assert!(fails(&"not ".repeat(100_000)).1.contains("inside each other"));
        assert!(fails(&vec!["port=1"; 1000].join(" or ")).1.contains("more than 200"));
        assert_eq!(
            parse(&vec!["not(port=1)"; 200].join(" and ")),
            Query::And(vec![Query::Not(Box::new(Query::Port(1))); 200])
        );
    }

    proptest! {
        #[test]
        fn any_text_gives_a_query_or_an_error(text in r#"([a-z.=~()'"\\ äö]|port=1| and | or | not ){0,40}"#) {
            let _ = text.parse::<Query>();
        }
    }
}
