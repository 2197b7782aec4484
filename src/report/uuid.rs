//! Name-based UUIDs (RFC 9562 section 5.5, version 5): the same name gives the same id, on any machine.

use std::fmt;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use sha2::{Digest as _, Sha256};

/// A UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

/// The namespace of STIX 2.1 for the ids of cyber-observable objects (section 2.9). For nothing else.
pub(super) const STIX_OBSERVABLES: Uuid = Uuid::of(0x00ab_edb4_aa42_466c_9c01_fed2_3315_a9b7);

/// The namespace of everything of ours that belongs to no one case: this program, its property extension, who observed.
/// Ids of one case live in a namespace below it ([`Uuid::v5`] of the case's beginning and scope).
pub(super) const HOSTKIN: Uuid = Uuid::of(0x5907_303f_50ee_439b_9bdb_f1ae_16c1_7def);

impl Uuid {
    const fn of(number: u128) -> Self {
        Self(number.to_be_bytes())
    }

    /// Version 5: SHA-1 over namespace and name.
    #[must_use]
    pub fn v5(self, name: &str) -> Self {
        let named = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[&self.0, name.as_bytes()].concat());
        Self::stamped(named.as_ref(), 0x50)
    }

    /// The form of version 4, for formats that ask for it, from the digest of a name in place of chance.
    #[must_use]
    pub fn v4_of(self, name: &str) -> Self {
        Self::stamped(&Sha256::new().chain_update(self.0).chain_update(name).finalize(), 0x40)
    }

    /// The first 16 bytes of a digest under a version's number.
    fn stamped(digest: &[u8], version: u8) -> Self {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(digest) {
            *to = *from;
        }
        bytes[6] = bytes[6] & 0x0f | version;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", u128::from_be_bytes(self.0));
        let mut rest = hex.as_str();
        for length in [8, 4, 4, 4] {
            let (part, more) = rest.split_at_checked(length).unwrap_or((rest, ""));
            write!(f, "{part}-")?;
            rest = more;
        }
        f.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_9562_gives_its_uuid() {
        let dns = Uuid::of(0x6ba7_b810_9dad_11d1_80b4_00c0_4fd4_30c8);
        assert_eq!(dns.v5("www.example.com").to_string(), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    }

    #[test]
    fn an_id_in_the_form_of_version_4_says_so_and_repeats() {
        let id = HOSTKIN.v4_of("x").to_string();
        assert_eq!(id.get(14..15), Some("4"), "{id}");
        assert_eq!(HOSTKIN.v4_of("x").to_string(), id);
        assert_ne!(HOSTKIN.v4_of("y").to_string(), id);
    }
}
