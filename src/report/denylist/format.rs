//! A list in the words of each firewall.

use ipnet::IpNet;

use super::Entry;
use super::text::{Line, bare, bird, drop, head, ipset, listed, nftables, rpz, zeek};
use crate::report::dossier::CaseLabel;
use crate::report::marking::Marking;

/// Formats of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One network a line.
    Cidr,
    /// JSON lines as those of Spamhaus DROP, with a last line of metadata.
    Drop,
    /// A script for `nft -f`.
    Nftables,
    /// Commands for `ipset restore`.
    Ipset,
    /// A zone of response policy triggers (`rpz-ip`).
    Rpz,
    /// Static protocols for BIRD 2, marked BLACKHOLE (RFC 7999).
    Bird,
    /// ExaBGP API commands, marked BLACKHOLE (RFC 7999).
    Exabgp,
    /// FlowSpec rules (RFC 8955) as ExaBGP API commands.
    Flowspec,
    /// A Suricata IP reputation list.
    Suricata,
    /// A Zeek intelligence file.
    Zeek,
}

/// What a file says of the list.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// All of it.
    Whole(&'a [Entry]),
    /// What is new.
    Added(&'a [Entry]),
    /// What is no longer in it.
    Removed(&'a [IpNet]),
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 10] = [
        Self::Cidr,
        Self::Drop,
        Self::Nftables,
        Self::Ipset,
        Self::Rpz,
        Self::Bird,
        Self::Exabgp,
        Self::Flowspec,
        Self::Suricata,
        Self::Zeek,
    ];

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cidr => "cidr",
            Self::Drop => "drop",
            Self::Nftables => "nftables",
            Self::Ipset => "ipset",
            Self::Rpz => "rpz",
            Self::Bird => "bird",
            Self::Exabgp => "exabgp",
            Self::Flowspec => "flowspec",
            Self::Suricata => "suricata",
            Self::Zeek => "zeek",
        }
    }

    /// The text of a file.
    #[must_use]
    pub fn write(self, change: Change<'_>, case: &CaseLabel, marking: Marking) -> String {
        let lines: Vec<Line<'_>> = match change {
            Change::Whole(entries) | Change::Added(entries) => {
                entries.iter().map(|one| Line { network: one.network, entry: Some(one) }).collect()
            }
            Change::Removed(networks) => {
                networks.iter().map(|network| Line { network: *network, entry: None }).collect()
            }
        };
        let head = head(self, change, lines.len(), case, marking);
        match self {
            Self::Bird if matches!(change, Change::Whole(_)) => bird(&head, &lines),
            // BIRD reads whole files: what came and what went is told as plain networks.
            Self::Cidr | Self::Bird => listed(&head, &lines, |line| line.network.to_string()),
            Self::Drop => drop(&lines, case, marking),
            Self::Nftables => nftables(&head, change, &lines),
            Self::Ipset => ipset(&head, change, &lines),
            Self::Rpz => rpz(&head, change, &lines, case),
            Self::Exabgp => {
                let verb = verb(change);
                listed(&head, &lines, |line| {
                    format!("{verb} route {} next-hop self community [65535:666]", line.network)
                })
            }
            Self::Flowspec => {
                let verb = verb(change);
                let rule = |way: &str, to: IpNet| {
                    format!("{verb} flow route {{ match {{ {way} {to}; }} then {{ discard; }} }}")
                };
                listed(&head, &lines, |line| {
                    format!("{}\n{}", rule("destination", line.network), rule("source", line.network))
                })
            }
            Self::Suricata => {
                listed(&head, &lines, |line| format!("{},1,{}", bare(line.network), line.entry.map_or(0, |_| 100)))
            }
            Self::Zeek => zeek(&lines),
        }
    }
}

fn verb(change: Change<'_>) -> &'static str {
    if matches!(change, Change::Removed(_)) { "withdraw" } else { "announce" }
}
