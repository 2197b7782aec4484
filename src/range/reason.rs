//! Why a range is a candidate: the kinds of ties between a seed and a range, each with what it is worth and in words.

use super::dataset::DatasetId;

/// How a range is tied to a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Link {
    /// The smallest registered range that holds the seed.
    SubAllocation,
    /// The announced prefix that holds the seed.
    Announced,
    /// A part of that prefix that is announced on its own.
    MoreSpecific,
    /// Holds hosts that the case has linked to the seed.
    Match,
    /// A range that shares a registry entry with the seed's.
    SiblingAllocation,
    /// Another prefix of the seed's AS.
    SameAs,
    /// A prefix of a sibling AS.
    SiblingAs,
    /// A prefix that the seed's AS used to announce.
    Former,
    /// A prefix of the AS that announced the seed's prefix before.
    Before,
    /// On a deny list.
    Listed,
    /// Many of its addresses are on deny lists.
    Dense,
    /// Ranges of this kind were listed more often than others.
    Hazard,
    /// Behind the same upstream; evidence only.
    Upstream,
}

impl Link {
    /// All kinds, strongest first.
    pub const ALL: [Self; 13] = [
        Self::SubAllocation,
        Self::Announced,
        Self::MoreSpecific,
        Self::Match,
        Self::SiblingAllocation,
        Self::SameAs,
        Self::SiblingAs,
        Self::Former,
        Self::Before,
        Self::Listed,
        Self::Dense,
        Self::Hazard,
        Self::Upstream,
    ];

    /// The stable word, in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SubAllocation => "sub_allocation",
            Self::Announced => "announced",
            Self::MoreSpecific => "more_specific",
            Self::Match => "match",
            Self::SiblingAllocation => "sibling_allocation",
            Self::SameAs => "same_as",
            Self::SiblingAs => "sibling_as",
            Self::Former => "former",
            Self::Before => "before",
            Self::Listed => "listed",
            Self::Dense => "dense",
            Self::Hazard => "hazard",
            Self::Upstream => "upstream",
        }
    }

    /// Whether it makes a range a candidate. The others are evidence about ranges that are candidates for another reason:
    /// a deny list knows nothing of this provider, and an upstream has innocent customers.
    #[must_use]
    pub fn widens(self) -> bool {
        !matches!(self, Self::Listed | Self::Dense | Self::Hazard | Self::Upstream)
    }

    /// Whether it rests on an AS as a whole, so that it falls when the AS has another holder now.
    #[must_use]
    pub fn rests_on_as(self) -> bool {
        matches!(self, Self::SameAs | Self::SiblingAs | Self::Former | Self::Before | Self::Upstream)
    }

    /// Working value of the share of occupied addresses in such a range that are the provider's, for a range of up to 1,024
    /// addresses. A judgement that sets the order, not a measurement; `Hazard` brings a measured value of its own.
    #[must_use]
    pub(super) fn share(self) -> f64 {
        match self {
            Self::SubAllocation => 0.30,
            Self::Announced | Self::MoreSpecific => 0.20,
            Self::Match | Self::SiblingAllocation | Self::Listed => 0.15,
            Self::SameAs | Self::SiblingAs => 0.10,
            Self::Former => 0.05,
            Self::Dense => 0.04,
            Self::Before => 0.03,
            Self::Upstream => 0.005,
            Self::Hazard => 0.0,
        }
    }
}

/// One reason for a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// Its kind.
    pub link: Link,
    /// In plain words; may hold strangers' text.
    pub words: String,
    /// Share of occupied addresses that it alone would let expect, 0 to 1.
    pub share: f64,
    /// The files it rests on.
    pub datasets: Vec<DatasetId>,
}

impl Reason {
    /// A reason worth its kind's working value for a range of `addresses`: a reason about a large range says little of each
    /// of its addresses.
    #[must_use]
    pub fn new(link: Link, words: String, addresses: u128, datasets: Vec<DatasetId>) -> Self {
        let share = link.share() * (1024.0 / addresses as f64).min(1.0).sqrt();
        Self { link, words, share, datasets }
    }
}
