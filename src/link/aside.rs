//! What is kept beside the columns, only to add hosts to them later.
//!
//! A value that one host alone shows has no code. When a host comes that shows it too, it becomes shared: so for each lone
//! value its host is kept, with a tag of four bytes. A tag that meets is checked against what the host shows, since
//! strangers choose values and four bytes can be made to meet.

use super::builder::Digest;
use super::rung::RUNGS;

/// Beside one rung.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Lone {
    /// Host and tag of each lone value, ascending.
    pub(super) tags: Vec<(u32, u32)>,
    /// Codes of values that are not kept whole, ascending, with the digests of the whole.
    pub(super) long: Vec<(u32, Digest)>,
}

/// Beside all rungs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Aside {
    pub(super) lone: [Lone; RUNGS],
    /// The simhashes of each host, ascending: families are made of all pages together.
    pub(super) simhashes: Vec<(u32, u64)>,
}

/// The tag of a value.
pub(super) fn tag(digest: &Digest) -> u32 {
    let [first, ..] = digest;
    *first
}
