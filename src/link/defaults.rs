//! Which shared values are known defaults: labels looked up for the values of a rung.

use std::collections::HashMap;

use super::pattern::pattern;
use super::read::{ITEM, PART};
use super::rung::Rung;
use crate::facet::{FacetKind, Habit, Labels};

/// Agreement in a distribution's default counts at most this much: both run it, and so does half the Internet.
const DISTRIBUTION_AT_MOST: f64 = 2.0;
/// Agreement in a vendor's default: a panel, an appliance, a public image.
const VENDOR_AT_MOST: f64 = 4.0;

/// These hold up to so many hosts, and rise with the root of the number above.
const MEASURED_FROM: f64 = 2000.0;

/// The labels, ready to be asked about values of rungs.
#[derive(Debug)]
pub(super) struct Defaults<'a> {
    labels: &'a Labels,
    /// Labels of kinds that rungs hold as patterns, by pattern.
    patterns: HashMap<(FacetKind, Vec<u8>), Habit>,
}

/// Kinds that rungs hold as patterns.
const PATTERNED: [FacetKind; 5] =
    [FacetKind::HttpTitle, FacetKind::CertSubject, FacetKind::SmtpBanner, FacetKind::ImapBanner, FacetKind::FtpBanner];

impl<'a> Defaults<'a> {
    /// Takes the labels.
    pub(super) fn new(labels: &'a Labels) -> Self {
        let mut patterns: HashMap<(FacetKind, Vec<u8>), Habit> = HashMap::new();
        for kind in PATTERNED {
            for (value, label) in labels.exact_values(kind) {
                // Two labels may have one pattern: the weaker claim stays.
                let habit = patterns.entry((kind, pattern(value))).or_insert(label.habit);
                *habit = label.habit.max(*habit);
            }
        }
        Self { labels, patterns }
    }

    /// Whose default a value of a rung is, when all its deciding parts are known ones; `None` otherwise.
    pub(super) fn habit(&self, rung: Rung, value: &[u8]) -> Option<Habit> {
        let kinds = rung.labelled_by();
        let parts = value.split(|byte| *byte == PART);
        let mut found = None;
        let mut all_empty = true;
        for (kind, part) in kinds.iter().zip(parts) {
            for item in part.split(|byte| *byte == ITEM).filter(|item| !item.is_empty()) {
                found = found.max(Some(self.one(*kind, item)?));
                all_empty = false;
            }
        }
        match kinds.last() {
            Some(last) if all_empty => self.one(*last, b""),
            _ => found,
        }
    }

    fn one(&self, kind: FacetKind, item: &[u8]) -> Option<Habit> {
        let habit = if PATTERNED.contains(&kind) {
            self.patterns.get(&(kind, item.to_vec())).copied()
        } else {
            self.labels.find(kind, item).map(|label| label.habit)
        };
        habit.filter(|habit| matches!(habit, Habit::Vendor | Habit::Distribution))
    }
}

/// The largest likelihood ratio that agreement in such a default may give in a population of `hosts`. Who chose a small
/// population is not known, and a default's share in it says little; in a large one the share is measured.
pub(super) fn ceiling(habit: Option<Habit>, hosts: f64) -> f64 {
    let measured = (hosts / MEASURED_FROM).sqrt().max(1.0);
    match habit {
        Some(Habit::Distribution) => DISTRIBUTION_AT_MOST * measured,
        Some(Habit::Vendor) => VENDOR_AT_MOST * measured,
        Some(Habit::Tenant | Habit::Provider) | None => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_joined_value_is_a_default_only_if_all_its_parts_are() {
        let labels = Labels::builtin().unwrap();
        let defaults = Defaults::new(&labels);
        let hassh = labels.exact_values(FacetKind::SshHasshServer).next().unwrap().0.to_vec();
        let stock = [b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3".as_slice(), &hassh].join(&PART);
        let own = [b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3".as_slice(), b"0123"].join(&PART);
        assert!(defaults.habit(Rung::SshdSetup, &stock).is_some());
        assert_eq!(defaults.habit(Rung::SshdSetup, &own), None);
    }

    #[test]
    fn a_title_with_a_number_is_found_by_its_pattern() {
        let labels = Labels::builtin().unwrap();
        let defaults = Defaults::new(&labels);
        let title = pattern(b"Apache2 Ubuntu Default Page: It works");
        assert!(defaults.habit(Rung::Title, &title).is_some());
        assert_eq!(defaults.habit(Rung::Title, b""), Some(Habit::Distribution));
        assert_eq!(defaults.habit(Rung::Title, b"Client area"), None);
        assert!(defaults.habit(Rung::FaviconTitle, &[b"".as_slice(), &title].join(&PART)).is_some());
    }
}
