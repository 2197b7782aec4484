//! What most verbs start with: the case, and the scope it stands under.

use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::exit::Stop;
use super::knowledge::{for_scope, newest_origins};
use super::term::Term;
use crate::clock::{Clock, Timestamp};
use crate::finding::Subject;
use crate::scope::Scope;
use crate::store::{Action, Case, OWN_ADDRESSES, Record};

/// The scope under which the case may send now. The file is read anew: what the authority changed there holds.
pub(super) fn scope_in_force(case: &Case, clock: &dyn Clock, term: &Term) -> Result<Scope, Stop> {
    let kept = case.scope()?;
    let path = scope_path(case.path(), kept.path.as_deref())?;
    let scope = Scope::load(&path, clock).map_err(Stop::scope)?;
    if scope.text() != kept.text {
        term.warn(format!(
            "{} is not the text this case was opened with; this run goes by the file as it is now (sha256 {}), and the case keeps both",
            path.display(),
            scope.sha256()
        ));
    }
    // Limits per AS bind where the origin AS is known.
    Ok(match newest_origins(case)? {
        Some(knowledge) => scope.with_origins(for_scope(knowledge)),
        None => scope,
    })
}

/// Where the scope file is: where it was, or beside the case.
fn scope_path(case: &Path, kept: Option<&str>) -> Result<PathBuf, Stop> {
    let kept = PathBuf::from(kept.unwrap_or("scope.toml"));
    let beside = case.with_file_name(kept.file_name().unwrap_or_default());
    if kept.is_file() {
        return Ok(kept);
    }
    if beside.is_file() {
        return Ok(beside);
    }
    Err(Stop::scope(anyhow!(
        "the scope file of this case is gone: neither `{}` nor `{}` is there. Nothing was sent; put the file back (its exact text is in the case: `hostkin export {} scope -o scope.toml`)",
        kept.display(),
        beside.display(),
        case.display()
    )))
}

/// The scope as it was when the case was opened, for showing only.
pub(super) fn scope_as_kept(case: &Case) -> Result<Scope, Stop> {
    let kept = case.scope()?;
    Ok(Scope::parse(&kept.text, Path::new(kept.path.as_deref().unwrap_or("scope.toml")), None)?)
}

/// The last change of a case that changes what is known. Exports, signatures and whose addresses are taken out do not, so that
/// the same case gives the same bytes however often it was exported.
pub(super) fn last_change(records: &[Record]) -> Option<&Record> {
    const KEEPING: [Action; 7] = [
        Action::Export,
        Action::Sealed,
        Action::Head,
        Action::Key,
        Action::Chained,
        Action::Timestamp,
        Action::Retention,
    ];
    let says_nothing = |record: &&Record| {
        KEEPING.iter().any(|action| record.action == action.as_str())
            || (record.action == Action::Note.as_str() && record.subject == OWN_ADDRESSES)
    };
    records.iter().rev().find(|record| !says_nothing(record))
}

/// When the case last changed.
pub(super) fn as_of(records: &[Record]) -> Timestamp {
    last_change(records).map(|record| record.at).unwrap_or_default()
}

/// What was said or heard since the case was linked last, which its results do not know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SinceLink {
    /// In words.
    pub(super) words: String,
    /// True when a person took something back: hosts may be in the results for that reason alone.
    pub(super) taken_back: bool,
}

/// What came after the last linkage; nothing where that is nothing, or where the case was never linked.
pub(super) fn since_link(records: &[Record]) -> Option<SinceLink> {
    const BACK: [Action; 3] = [Action::Unseed, Action::Reject, Action::Withdraw];
    const MORE: [Action; 7] = [
        Action::Seed,
        Action::Confirm,
        Action::Import,
        Action::ScanStarted,
        Action::ScanEnded,
        Action::Merge,
        Action::Reread,
    ];
    let is_one = |record: &&Record, of: &[Action]| of.iter().any(|one| one.as_str() == record.action);
    let linked = records.iter().rposition(|record| record.action == Action::Link.as_str())?;
    let after = records.iter().skip(linked);
    let later: Vec<&Record> = after.filter(|one| is_one(one, &BACK) || is_one(one, &MORE)).collect();
    let (first, more) = later.split_first()?;
    let more = if more.is_empty() { String::new() } else { format!(" and {} more", more.len()) };
    Some(SinceLink {
        words: format!(
            "the results were worked out before record {} ({}){more} and do not know of it",
            first.seq, first.action
        ),
        taken_back: later.iter().any(|one| is_one(one, &BACK)),
    })
}

/// `KIND=VALUE` as a subject.
pub(super) fn facet_subject(text: &str) -> Result<Subject, Stop> {
    let (kind, value) = text
        .split_once('=')
        .ok_or_else(|| Stop::usage(anyhow!("`{text}` is no facet; write KIND=VALUE, like ssh.host_key=SHA256:…")))?;
    let kind: crate::facet::FacetKind = kind.trim().parse().map_err(Stop::usage)?;
    Ok(Subject::Facet(kind.as_str().to_owned(), value.trim().to_owned()))
}

/// A date or a moment, as typed.
pub(super) fn moment(text: &str) -> Result<Timestamp, Stop> {
    let day = text.parse::<jiff::civil::Date>().ok().and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok());
    match day {
        Some(day) => Ok(day.timestamp()),
        None => text
            .parse()
            .map_err(|_| Stop::usage(anyhow!("`{text}` is no date; write 2026-11-22 or 2026-11-22T10:00:00Z"))),
    }
}
