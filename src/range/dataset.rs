//! A file of public data, as the case remembers it.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;

use super::fact::FactKind;

/// A dataset's number in its case, from 1 in the order of import.
pub type DatasetId = i64;

/// The forms of files that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// CAIDA's prefix-to-AS table: `prefix TAB length TAB asn`.
    Pfx2as,
    /// RIS whois dump: `origin TAB prefix TAB peers`.
    RisWhois,
    /// Ranges with origin: `start,end,asn,name` (comma or tab).
    Ip2asn,
    /// `prefix TAB asn`.
    Ipasn,
    /// MRT routing tables and updates (RFC 6396, RFC 8050).
    Mrt,
    /// CAIDA's AS relationships, serial-1 and serial-2.
    AsRel,
    /// CAIDA's AS-to-organisation tables.
    As2org,
    /// RIR delegated and delegated-extended statistics.
    Delegated,
    /// CIDRs of one country, with `# Country:` in front.
    CountryNets,
    /// RPSL objects, as in the registries' split dumps.
    Rpsl,
    /// `PeeringDB` dumps.
    Peeringdb,
    /// Spamhaus DROP, JSON lines.
    Drop,
    /// Spamhaus ASN-DROP, JSON lines.
    AsnDrop,
    /// Plain or `FireHOL` lists of addresses and CIDRs.
    Netset,
    /// abuse.ch CSV (Feodo, `ThreatFox`, `URLhaus`, SSLBL).
    Abusech,
    /// CSV whose header names a column `ip`, `cidr`, `network` or `prefix`.
    ListCsv,
    /// MISP warning lists.
    Misp,
    /// Published ranges of clouds and CDNs, JSON.
    Cloud,
    /// `start,end,name,url` ranges of data centres.
    Datacenters,
    /// `address TAB name` tables of reverse DNS.
    Ptr,
    /// `asn,name` tables and `{asn: name}` objects.
    AsNames,
}

impl Format {
    /// All forms.
    pub const ALL: [Self; 21] = [
        Self::Pfx2as,
        Self::RisWhois,
        Self::Ip2asn,
        Self::Ipasn,
        Self::Mrt,
        Self::AsRel,
        Self::As2org,
        Self::Delegated,
        Self::CountryNets,
        Self::Rpsl,
        Self::Peeringdb,
        Self::Drop,
        Self::AsnDrop,
        Self::Netset,
        Self::Abusech,
        Self::ListCsv,
        Self::Misp,
        Self::Cloud,
        Self::Datacenters,
        Self::Ptr,
        Self::AsNames,
    ];

    /// The stable word, on the command line and in the case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pfx2as => "pfx2as",
            Self::RisWhois => "riswhois",
            Self::Ip2asn => "ip2asn",
            Self::Ipasn => "ipasn",
            Self::Mrt => "mrt",
            Self::AsRel => "as-rel",
            Self::As2org => "as2org",
            Self::Delegated => "delegated",
            Self::CountryNets => "country",
            Self::Rpsl => "rpsl",
            Self::Peeringdb => "peeringdb",
            Self::Drop => "drop",
            Self::AsnDrop => "asn-drop",
            Self::Netset => "netset",
            Self::Abusech => "abusech",
            Self::ListCsv => "list-csv",
            Self::Misp => "misp",
            Self::Cloud => "cloud",
            Self::Datacenters => "datacenters",
            Self::Ptr => "ptr",
            Self::AsNames => "as-names",
        }
    }

    /// What is known of the licence of files of this form, for the case's note; whoever imports may know better.
    #[must_use]
    pub fn licence(self) -> &'static str {
        match self {
            Self::Pfx2as | Self::AsRel | Self::As2org => "CAIDA's acceptable use agreement: cite, do not pass on",
            Self::RisWhois => "RIPE NCC RIS terms of service",
            Self::Mrt => "collectors' terms (RouteViews: CC BY 4.0; RIS: RIPE NCC terms of service)",
            Self::Delegated | Self::CountryNets => "published by the registries for free use",
            Self::Rpsl => "the registry's database terms: no bulk use of personal data",
            Self::Peeringdb => "PeeringDB's acceptable use policy",
            Self::Drop | Self::AsnDrop => "Spamhaus DROP terms: free to use with credit, not to be passed on",
            Self::Abusech => "abuse.ch: CC0",
            Self::Misp => "MISP warning lists: CC0",
            Self::Ip2asn
            | Self::Ipasn
            | Self::Netset
            | Self::ListCsv
            | Self::Cloud
            | Self::Datacenters
            | Self::Ptr
            | Self::AsNames => "not stated",
        }
    }

    /// The form of a stable word.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == word)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One imported file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Its number.
    pub id: DatasetId,
    /// Its form.
    pub format: Format,
    /// The list or table it is a state of (`spamhaus-drop`, `ripe.db.inetnum`): states of one name and form at several
    /// dates are snapshots of the same thing.
    pub name: String,
    /// Where it came from, in the words of whoever imported it; else the file's name.
    pub source: String,
    /// The day it speaks of.
    pub date: Date,
    /// SHA-256 of the file as it lay on disk, compressed or not.
    pub sha256: [u8; 32],
    /// Its length on disk in bytes.
    pub bytes: u64,
    /// A note on its licence.
    pub licence: String,
    /// Facts of each kind.
    pub counts: BTreeMap<FactKind, u64>,
    /// False when it is a part of what it stands for: a cut file, or updates without the table they change.
    pub whole: bool,
    /// What could not be read, the first of it line by line.
    pub warnings: Vec<String>,
}

impl Dataset {
    /// Facts of one kind.
    #[must_use]
    pub fn count(&self, kind: FactKind) -> u64 {
        self.counts.get(&kind).copied().unwrap_or(0)
    }
}
