//! Addresses to services, in a seeded order that is never held in memory.
//!
//! In: a [`crate::scope::Scope`], perhaps a list of targets, a seed. Out: [`Targets`], which knows the host at each
//! position, and an [`Order`], which says in which order positions are visited, by which shard. The unit is the host:
//! one address with all its services, so that one worker asks a host one thing after the other. Nothing here sends or
//! resolves names.

mod line;
mod order;
mod targets;

pub use line::{LineProblem, TargetLine, parse_line, read_lines};
pub use order::{Order, Shard, ShardError};
pub use targets::{Host, LeftOut, Spot, Targets};

use std::io;
use std::path::PathBuf;

use crate::scope::address::Range;

/// Why a list of targets was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The list cannot be read.
    #[error("cannot read target list {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A line that names no target.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        /// The file, or what stands for it.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// What is wrong, and how to mend it.
        problem: LineProblem,
    },
    /// More hosts than can be visited.
    #[error(
        "{} to {} alone holds {} hosts, and one scan visits at most 2^48; list the IPv6 addresses or give longer prefixes",
        widest.first, widest.last, widest.count()
    )]
    TooMany {
        /// The widest range of all.
        widest: Range,
    },
}
