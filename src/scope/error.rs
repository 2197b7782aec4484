//! Why a scope was not accepted: always the file and line, what is wrong there, and how to mend it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use super::network::NetworkError;
use crate::clock::Timestamp;
use crate::observation::Speech;

/// Why a scope was not accepted. Nothing is sent when one is returned.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScopeError {
    /// The file cannot be read.
    #[error("cannot read scope file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is longer than any scope.
    #[error("scope file {} is longer than {longest} bytes; move long lists of networks to an opt-out or target file", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// What is read at most.
        longest: u64,
    },
    /// Something in the file is wrong.
    #[error("{place}: {problem}")]
    Wrong {
        /// Where.
        place: Place,
        /// What, and how to mend it.
        problem: Problem,
    },
    /// The scope begins later.
    #[error("scope {} is not yet valid: it begins on {from}, and now it is {now}; wait, or have the authority move `valid_from`", path.display())]
    NotYetValid {
        /// The file.
        path: PathBuf,
        /// First instant inside.
        from: Timestamp,
        /// When it was asked.
        now: Timestamp,
    },
    /// The scope has ended.
    #[error("scope {} has expired: it ended on {until}, and now it is {now}; ask the authority for a new one", path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// First instant outside.
        until: Timestamp,
        /// When it was asked.
        now: Timestamp,
    },
    /// A flag that would leave nothing to do or is no number.
    #[error("{0}")]
    Flag(FlagProblem),
    /// The built-in table is broken: a fault of this program.
    #[error("line {line} of the built-in table of special-purpose blocks cannot be read; please report this")]
    SpecialPurpose {
        /// Its line.
        line: usize,
    },
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file as given.
    pub path: PathBuf,
    /// From 1.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.line)
    }
}

/// Why flags could not narrow the scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FlagProblem {
    /// A rate that is no rate.
    #[error("a rate of `{0}` connections per second is no rate; give a number above 0")]
    Rate(String),
    /// No protocol left.
    #[error("nothing of what was asked for is granted: the scope grants {granted}")]
    Nothing {
        /// What the scope grants, in words.
        granted: String,
    },
    /// No shards at all.
    #[error("a scan has at least one shard")]
    NoShards,
}

/// What is wrong at one place of a scope file or opt-out file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Not TOML.
    #[error("not valid TOML: {0}")]
    NotToml(String),
    /// Not text.
    #[error("not UTF-8 text; save the file as UTF-8")]
    NotUtf8,
    /// A key nobody knows.
    #[error("unknown key `{key}` in {table}; {advice}")]
    UnknownKey {
        /// As written.
        key: String,
        /// `the scope`, `[limits]` …
        table: &'static str,
        /// The nearest known key, or all of them.
        advice: String,
    },
    /// A key that must be there.
    #[error("`{key}` is missing in {table}; add a line like `{example}`")]
    Missing {
        /// The key.
        key: &'static str,
        /// Where it belongs.
        table: &'static str,
        /// A line that would do.
        example: &'static str,
    },
    /// A value of another type.
    #[error("`{key}` is {found}, not {wanted}; write it like `{example}`")]
    WrongType {
        /// The key.
        key: &'static str,
        /// What it is.
        found: &'static str,
        /// What it should be.
        wanted: &'static str,
        /// A line that would do.
        example: &'static str,
    },
    /// A text that says nothing.
    #[error("`{key}` is empty; write it like `{example}`")]
    Empty {
        /// The key.
        key: &'static str,
        /// A line that would do.
        example: &'static str,
    },
    /// A text with control characters, or far too long.
    #[error("`{key}` must be one line of at most {longest} characters without control characters")]
    NotOneLine {
        /// The key.
        key: &'static str,
        /// In characters.
        longest: usize,
    },
    /// A draft that nobody has authorised.
    #[error(
        "this is a draft that hostkin wrote, and nobody has authorised it yet: it permits nothing. Read the reasons of every grant, fill in `authority`, `contact`, `page`, `valid_from` and `valid_until`, and then change this line to `schema = \"hostkin/scope/1\"`"
    )]
    Draft,
    /// A file of another kind or version.
    #[error("schema `{found}` is not known; this program reads `schema = \"hostkin/scope/1\"`")]
    Schema {
        /// As written.
        found: String,
    },
    /// A contact nobody can use.
    #[error(
        "contact `{0}` is neither a mail address nor a page; write `contact = \"mailto:scan@example.org\"` or an https: address"
    )]
    Contact(String),
    /// A page nobody can open.
    #[error("page `{0}` is not a web address; write `page = \"https://scan.example.org/\"`")]
    Page(String),
    /// A date without offset, or no date.
    #[error("`{key}` needs date, time and offset; write it like `{example}`")]
    Date {
        /// The key.
        key: &'static str,
        /// A line that would do.
        example: &'static str,
    },
    /// An end before the beginning.
    #[error("`valid_until` ({until}) is not after `valid_from` ({from}); exchange them, or mend the year")]
    Dates {
        /// First instant inside.
        from: Timestamp,
        /// First instant outside.
        until: Timestamp,
    },
    /// A network that cannot be read.
    #[error("{0}")]
    Network(#[from] NetworkError),
    /// A lab that reaches beyond this machine.
    #[error(
        "`{0}` is outside 127.0.0.0/8, ::1 and 198.18.0.0/15, and `lab = true` permits no other; take it out, or set `lab = false` and give contact and page"
    )]
    NotLab(IpNet),
    /// A grant without a protocol.
    #[error("the grant names no port; write it like `ports = {{ ssh = [22], http = [80], tls = [443] }}`")]
    NoPorts,
    /// A protocol nobody speaks.
    #[error("`{word}` is not a protocol of a grant; {advice}")]
    Speech {
        /// As written.
        word: String,
        /// What to write.
        advice: String,
    },
    /// A port that does not exist.
    #[error("port {port} of {speech} does not exist; ports go from 1 to 65535")]
    Port {
        /// As written.
        port: String,
        /// Of which protocol.
        speech: Speech,
    },
    /// A protocol without ports.
    #[error("{0} has no ports; list some like `[443]`, or leave {0} out")]
    PortsEmpty(Speech),
    /// Two grants of one name.
    #[error("a second grant is called `{0}`; give each grant a name of its own, so that messages can tell them apart")]
    SameName(String),
    /// A limit that is none.
    #[error("`{key}` is {found}; a limit is a number above 0 and at most {most}, like `{example}`")]
    Limit {
        /// The key.
        key: &'static str,
        /// As written.
        found: String,
        /// The highest that is taken.
        most: u32,
        /// A line that would do.
        example: &'static str,
    },
    /// An opt-out file that cannot be read.
    #[error("cannot read opt-out file {}: {source}; make the file (an empty one will do) or take it out of `files`", path.display())]
    OptOutUnreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// An opt-out file longer than any list.
    #[error("opt-out file {} is longer than {longest} bytes; join its addresses into CIDRs", path.display())]
    OptOutTooLong {
        /// The file.
        path: PathBuf,
        /// What is read at most.
        longest: u64,
    },
}

impl Problem {
    /// The error at this line of this file.
    pub(super) fn at(self, path: &Path, line: usize) -> ScopeError {
        ScopeError::Wrong { place: Place { path: path.to_owned(), line }, problem: self }
    }
}
