//! What can be typed for exports that leave the house.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args as ClapArgs, ValueEnum};

use crate::cli::args::{Export, What};
use crate::cli::exit::Stop;
use crate::report::denylist::Format;
use crate::report::{Marking, Pap, Tlp};

/// Options of what is shared with others.
#[derive(Debug, Default, ClapArgs)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that can be typed")]
#[command(next_help_heading = "What is shared with others")]
pub struct Sharing {
    /// Who may see it; amber unless said otherwise. Clear and green are refused while raw bytes, e-mail addresses or perhaps the
    /// scanner's own address are inside.
    #[arg(long, value_enum)]
    pub tlp: Option<TlpWord>,
    /// What may be done with it; amber unless said otherwise, green for deny lists, which are made to block.
    #[arg(long, value_enum)]
    pub pap: Option<PapWord>,
    /// An address of the scanner, taken out wherever a page repeats it; or `none`. The case remembers it.
    #[arg(long, value_name = "ADDRESS")]
    pub own: Vec<String>,
    /// Leave out exact bytes and e-mail addresses.
    #[arg(long)]
    pub minimise: bool,
    /// Write addresses and names so that nobody opens them by mistake: `203[.]0[.]113[.]7`. For what people read: rows, the report, the
    /// text of abuse reports. What machines read (STIX, MISP, `GraphML`, deny lists, XARF) stays as it is.
    #[arg(long)]
    pub defang: bool,
    /// Only this cluster; may be given again. Without it: those grown from a seed.
    #[arg(long, value_name = "ID")]
    pub cluster: Vec<String>,
    /// Hosts that a person confirmed become indicators (STIX) or `to_ids` (MISP).
    #[arg(long)]
    pub promote: bool,
    /// Holders, contacts and upstreams (TOML): see `docs/EXPORTS.md`.
    #[arg(long, value_name = "FILE")]
    pub registry: Option<PathBuf>,
    /// Least probability of hosts that no person confirmed, for deny lists and abuse reports; 0.95 unless said otherwise.
    #[arg(long, value_name = "P")]
    pub least: Option<f64>,

    /// The deny list's format.
    #[arg(long = "as", id = "as", value_enum, value_name = "FORMAT", help_heading = "Deny lists")]
    pub list: Option<ListFormat>,
    /// Networks that are never listed, one a line; may be given again. Has the last word.
    #[arg(long, value_name = "FILE", help_heading = "Deny lists")]
    pub allow: Vec<PathBuf>,
    /// Days an entry holds after the host was last seen; 90 unless said otherwise.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=366), help_heading = "Deny lists")]
    pub days: Option<u16>,
    /// List a range where the hosts seen in it support all of it; else single addresses.
    #[arg(long, help_heading = "Deny lists")]
    pub ranges: bool,
    /// Leave out what has ended by this date instead of today.
    #[arg(long, value_name = "DATE", help_heading = "Deny lists")]
    pub at: Option<String>,

    /// Addresses and domains that nothing is written to, one a line; may be given again.
    #[arg(long, value_name = "FILE", help_heading = "Abuse reports")]
    pub never_mail: Vec<PathBuf>,
    /// Write nothing to the holder and the announcing AS, who may be the provider and would be warned.
    #[arg(long, help_heading = "Abuse reports")]
    pub confidential: bool,
    /// What these hosts are known to do, in your words.
    #[arg(long, value_name = "TEXT", help_heading = "Abuse reports")]
    pub statement: Option<String>,
    /// Your mail address, where the scope's contact is none.
    #[arg(long, value_name = "MAIL", help_heading = "Abuse reports")]
    pub from: Option<String>,
}

/// `--tlp`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TlpWord {
    /// Everybody.
    Clear,
    /// The community.
    Green,
    /// The organisation and its clients, where they need to know.
    Amber,
    /// The organisation only.
    AmberStrict,
    /// Those it was given to.
    Red,
}

/// `--pap`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PapWord {
    /// Anything.
    Clear,
    /// Blocking and the like.
    Green,
    /// Passive look-ups only.
    Amber,
    /// Detection in own logs only.
    Red,
}

/// `--as`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// One network a line.
    Cidr,
    /// JSON lines like those of Spamhaus DROP.
    Drop,
    /// A script for `nft -f`.
    Nftables,
    /// For `ipset restore`.
    Ipset,
    /// A response policy zone.
    Rpz,
    /// Blackhole routes for BIRD 2.
    Bird,
    /// Blackhole routes as ExaBGP commands.
    Exabgp,
    /// FlowSpec rules as ExaBGP commands.
    Flowspec,
    /// A Suricata IP reputation list.
    Suricata,
    /// A Zeek intelligence file.
    Zeek,
}

impl ListFormat {
    /// The format it means.
    #[must_use]
    pub fn format(self) -> Format {
        match self {
            Self::Cidr => Format::Cidr,
            Self::Drop => Format::Drop,
            Self::Nftables => Format::Nftables,
            Self::Ipset => Format::Ipset,
            Self::Rpz => Format::Rpz,
            Self::Bird => Format::Bird,
            Self::Exabgp => Format::Exabgp,
            Self::Flowspec => Format::Flowspec,
            Self::Suricata => Format::Suricata,
            Self::Zeek => Format::Zeek,
        }
    }
}

impl Sharing {
    /// The markings asked for.
    pub(in crate::cli) fn marking(&self, what: What) -> Marking {
        let tlp = match self.tlp {
            Some(TlpWord::Clear) => Tlp::Clear,
            Some(TlpWord::Green) => Tlp::Green,
            Some(TlpWord::AmberStrict) => Tlp::AmberStrict,
            Some(TlpWord::Red) => Tlp::Red,
            Some(TlpWord::Amber) | None => Tlp::Amber,
        };
        let pap = match self.pap {
            Some(PapWord::Clear) => Pap::Clear,
            Some(PapWord::Green) => Pap::Green,
            Some(PapWord::Red) => Pap::Red,
            None if what == What::Denylist => Pap::Green,
            Some(PapWord::Amber) | None => Pap::Amber,
        };
        Marking { tlp, pap }
    }

    /// Refuses options that would do nothing.
    pub(in crate::cli) fn fits(&self, args: &Export) -> Result<(), Stop> {
        use What::{
            Abuse, Clusters, Denylist, Edges, Facets, Graphml, Misp, Nodes, Observations, Ranking, Report, Stix, Typst,
        };
        let shared: &[What] = &[Stix, Misp, Graphml, Nodes, Edges, Denylist, Abuse, Report, Typst];
        let grown: &[What] = &[Stix, Misp, Graphml, Nodes, Edges, Denylist, Abuse];
        let people: &[What] = &[Report, Typst, Abuse, Clusters, Ranking, Observations, Facets, Nodes, Edges];
        let chosen: &[What] = &[Denylist, Abuse];
        let given: [(&str, bool, &[What]); 17] = [
            ("--tlp", self.tlp.is_some(), shared),
            ("--pap", self.pap.is_some(), shared),
            ("--own", !self.own.is_empty(), shared),
            ("--minimise", self.minimise, shared),
            ("--cluster", !self.cluster.is_empty(), grown),
            ("--registry", self.registry.is_some(), grown),
            ("--defang", self.defang, people),
            ("--promote", self.promote, &[Stix, Misp]),
            ("--least", self.least.is_some(), chosen),
            ("--as", self.list.is_some(), &[Denylist]),
            ("--allow", !self.allow.is_empty(), &[Denylist]),
            ("--days", self.days.is_some(), &[Denylist]),
            ("--ranges", self.ranges, &[Denylist]),
            ("--at", self.at.is_some(), &[Denylist]),
            ("--never-mail", !self.never_mail.is_empty(), &[Abuse]),
            ("--confidential", self.confidential, &[Abuse]),
            ("--statement or --from", self.statement.is_some() || self.from.is_some(), &[Abuse]),
        ];
        for (option, given, of) in given {
            if given && !of.contains(&args.what) {
                let words: Vec<String> =
                    of.iter().filter_map(ValueEnum::to_possible_value).map(|one| one.get_name().to_owned()).collect();
                let why = if option == "--defang" { "; what machines read needs plain addresses" } else { "" };
                return Err(Stop::usage(anyhow!("{option} is for `export CASE {}`{why}", words.join("|"))));
            }
        }
        if self.least.is_some_and(|least| !(0.0..=1.0).contains(&least)) {
            return Err(Stop::usage(anyhow!("--least is a probability, from 0 to 1")));
        }
        Ok(())
    }
}
