//! Who may see an export (TLP 2.0), what may be done with it (PAP), and what must not be inside when all may see it.

use std::fmt;

use super::Dossier;

/// Traffic Light Protocol 2.0 (FIRST, August 2022).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Tlp {
    /// Everybody.
    Clear,
    /// The community.
    Green,
    /// The organisation and its clients, where they need to know.
    #[default]
    Amber,
    /// The organisation only.
    AmberStrict,
    /// Those it was given to.
    Red,
}

impl Tlp {
    /// All, most open first.
    pub const ALL: [Self; 5] = [Self::Clear, Self::Green, Self::Amber, Self::AmberStrict, Self::Red];

    /// The label without its `TLP:`, in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Green => "green",
            Self::Amber => "amber",
            Self::AmberStrict => "amber+strict",
            Self::Red => "red",
        }
    }

    /// Who may see it, in a sentence (FIRST's definitions in short).
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Clear => "may be told to everybody",
            Self::Green => "may be told within the community, not in public",
            Self::Amber => "may be told in the recipient's organisation and to its clients where they need to know",
            Self::AmberStrict => "may be told in the recipient's organisation only",
            Self::Red => "for those it was given to, nobody else",
        }
    }

    /// The id that OASIS gave its marking definition in STIX.
    #[must_use]
    pub fn stix_id(self) -> &'static str {
        match self {
            Self::Clear => "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
            Self::Green => "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
            Self::Amber => "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
            Self::AmberStrict => "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
            Self::Red => "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
        }
    }
}

impl fmt::Display for Tlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLP:{}", self.as_str().to_uppercase())
    }
}

/// Permissible Actions Protocol: what a recipient may do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Pap {
    /// Anything.
    Clear,
    /// Active steps that do not touch the target: blocking, for example.
    Green,
    /// Passive look-ups only, nothing that the target can see.
    #[default]
    Amber,
    /// Nothing but detection in one's own logs.
    Red,
}

impl Pap {
    /// All, most open first.
    pub const ALL: [Self; 4] = [Self::Clear, Self::Green, Self::Amber, Self::Red];

    /// The label without its `PAP:`, in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Green => "green",
            Self::Amber => "amber",
            Self::Red => "red",
        }
    }

    /// What it permits, in a sentence.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Clear => "no restriction on use",
            Self::Green => "active use allowed that does not touch the target, such as blocking",
            Self::Amber => "passive use only: nothing that the target could notice",
            Self::Red => "detection in own logs only",
        }
    }
}

impl fmt::Display for Pap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PAP:{}", self.as_str().to_uppercase())
    }
}

/// Both markings of one export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Marking {
    /// Who may see it.
    pub tlp: Tlp,
    /// What may be done with it.
    pub pap: Pap,
}

/// Why an export is not written under so open a marking.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not written as {tlp}, since all could read it: {}. Take TLP:AMBER, or {remedy}", what.join("; "))]
pub struct TooOpen {
    /// The marking asked for.
    pub tlp: Tlp,
    /// What is inside.
    pub what: Vec<String>,
    /// What would help.
    pub remedy: &'static str,
}

/// How much of a case a format holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Hosts and reasons: graphs, deny lists.
    Reasons,
    /// What each service showed, as text: abuse reports.
    Services,
    /// The exact bytes too, where text is not exactly them: STIX, MISP.
    Bytes,
}

impl Marking {
    /// Refuses TLP:CLEAR and TLP:GREEN for what is not everybody's to read.
    ///
    /// # Errors
    /// [`TooOpen`] names what is inside and where.
    pub fn check(self, dossier: &Dossier, depth: Depth) -> Result<(), TooOpen> {
        if self.tlp >= Tlp::Amber {
            return Ok(());
        }
        let raw = if depth >= Depth::Bytes { dossier.raw() } else { Vec::new() };
        self.check_places(raw, dossier.personal(depth >= Depth::Services), dossier.own_known)
    }

    /// The same for what is no dossier: where raw bytes and e-mail addresses stand, and whether own addresses were known, so that
    /// they are out.
    ///
    /// # Errors
    /// [`TooOpen`] names what is inside and where.
    pub fn check_places(self, raw: Vec<String>, personal: Vec<String>, own_known: bool) -> Result<(), TooOpen> {
        if self.tlp >= Tlp::Amber {
            return Ok(());
        }
        let mut what = Vec::new();
        for (words, places) in [("raw bytes as captured", raw), ("e-mail addresses, which are personal data", personal)]
        {
            if let Some((first, more)) = places.split_first() {
                what.push(format!("{words} ({first}, and {} more)", more.len()));
            }
        }
        let clean = what.is_empty();
        if !own_known {
            what.push("perhaps the scanner's own address, which pages like to repeat: it was never named".to_owned());
        }
        let remedy = match (clean, own_known) {
            (true, _) => "name the scanner's addresses with --own (`--own none` where there is nothing to hide)",
            (_, true) => "leave these out with --minimise",
            _ => "leave these out with --minimise and name the scanner's addresses with --own",
        };
        if what.is_empty() { Ok(()) } else { Err(TooOpen { tlp: self.tlp, what, remedy }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facet::{Facet, FacetKind};
    use crate::report::clean::Cleaner;
    use crate::report::dossier::{SharedFacet, SharedService};
    use crate::store::StoredFacet;

    #[test]
    fn what_all_could_read_holds_nothing_raw_personal_or_of_our_own() {
        let open = Marking { tlp: Tlp::Green, pap: Pap::Clear };
        let clean = Dossier { own_known: true, ..Dossier::default() };
        assert_eq!(open.check(&clean, Depth::Bytes), Ok(()));
        let showing = |title: &[u8]| {
            let mut dossier = clean.clone();
            let facet =
                SharedFacet::of(&StoredFacet::of(&Facet::new(FacetKind::HttpTitle, title)), &Cleaner::default());
            dossier
                .services
                .insert("203.0.113.7".parse().unwrap(), vec![SharedService::of_facets(80, "http", vec![facet])]);
            dossier
        };
        assert_eq!(open.check(&showing(b"plain"), Depth::Bytes), Ok(()));
        for bad in [Dossier::default(), showing(b"raw \xff"), showing(b"write to jo@example.org")] {
            let refused = open.check(&bad, Depth::Bytes).unwrap_err().to_string();
            assert!(refused.contains("TLP:GREEN") && refused.contains("--"), "{refused}");
            assert_eq!(Marking::default().check(&bad, Depth::Bytes), Ok(()), "amber may");
        }
    }
}
