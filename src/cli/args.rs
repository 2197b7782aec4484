//! What can be typed: DESIGN 4.1. `plan` says what it means.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// From one confirmed bulletproof host to the rest of its provider.
#[derive(Debug, Parser)]
#[command(
    name = "hostkin",
    version,
    about = "From one confirmed bulletproof host to the rest of its provider",
    long_about = "hostkin scans inside a written scope, fingerprints every host (certificates, JARM, HTTP, SSH), keeps \
                  every byte heard in one case file, links hosts to the seed with reasons, and exports the cluster.\n\
                  Start with `hostkin demo`.",
    after_help = "Exit codes: 0 done, 1 fault, 2 usage, 3 scope refused and nothing sent, 4 done in part, 130 interrupted."
)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// Say less; twice: only errors.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub quiet: u8,
    /// Say more; twice: one line per target, three times: bytes.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Colour on a terminal. `NO_COLOR` turns it off too.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the whole job on a built-in street of servers on loopback, and leave a case and a report.
    Demo(Demo),
    /// The built-in street alone, for training and tests.
    #[command(subcommand)]
    Lab(Lab),
    /// Open a case: a new file that will hold all of one investigation.
    New(New),
    /// What a case holds: runs, what can be continued, counts, sizes, scope, last records.
    Info(Info),
    /// Look at a scope file.
    #[command(subcommand)]
    Scope(ScopeVerb),
    /// Record a confirmed host of the provider.
    Seed(Seed),
    /// Withdraw a seed; a recorded correction.
    Unseed(Unseed),
    /// Record that a host is the provider's.
    Confirm(super::verdict::Judge),
    /// Record that a host is not the provider's: evidence against.
    Reject(super::verdict::Judge),
    /// The hosts whose confirmation or rejection would teach most.
    Ask(super::ask::Ask),
    /// Whether scores mean what they say, on labelled worlds or cases: the reliability table.
    Calibrate(super::calibrate::Calibrate),
    /// Public files about addresses and networks: BGP tables, registry data, deny lists, cloud ranges.
    #[command(subcommand)]
    Data(super::data::Data),
    /// Where to look next and why: candidate ranges from the case's public files. Sends nothing, permits nothing.
    Ranges(super::ranges::Ranges),
    /// What the case's files say of one AS: holders, networks, upstreams, sisters, behaviour.
    As(super::look::LookAs),
    /// Who announced and who held an address, and who lists it, on a day.
    Ip(super::look::LookIp),
    /// What the next scan would send: connections, bytes and time, per /24. Sends nothing.
    Plan(Scan),
    /// Scan inside the scope; continues an unfinished run of the same plan.
    Scan(Scan),
    /// Take the scans of shards over from their own cases, as runs of this one.
    Merge(Merge),
    /// Ask single services without a case; observations go to standard output.
    Probe(Probe),
    /// Take in what others observed.
    Import(Import),
    /// Derive all facets again from what was heard. Asks nobody.
    Reread(CaseOnly),
    /// Weigh shared habits against the background: ranking and clusters.
    Link(CaseOnly),
    /// The reasons for and against one host, or a pair.
    Why(Why),
    /// Find hosts by facet: `ssh.host_key=SHA256:… and not port=3389`.
    Find(Find),
    /// What changed between two runs.
    Diff(Diff),
    /// Write results: the report, a bundle that strangers verify, clusters as rows, STIX, MISP, deny lists, abuse reports.
    Export(Export),
    /// Check a case or a bundle: chain, signatures, digests; read every fingerprint again.
    Verify(super::verify::Verify),
    /// Sign the record of a case, with its own key or another.
    Sign(super::sign::Sign),
    /// Erase what one host said, or what shows one value; a recorded redaction.
    Redact(super::redact::Redact),
    /// What is kept how long, and erasing what is older.
    Retention(super::redact::Retention),
    /// Record what became of an abuse report, or list the reports and how long hosts outlive them.
    Outcome(super::outcome::Outcome),
    /// Write the manual page or shell completions.
    #[command(subcommand)]
    Generate(Generate),
}

/// A verb that needs only the case.
#[derive(Debug, ClapArgs)]
pub struct CaseOnly {
    /// The case file.
    pub case: PathBuf,
}

/// `demo`
#[derive(Debug, ClapArgs)]
pub struct Demo {
    /// Folder for the case and the report.
    #[arg(long, default_value = "hostkin-demo", value_name = "FOLDER")]
    pub out: PathBuf,
    /// Seed of the street and of the scan's order.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Which of the provider's hosts to start from, 0 to 3.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=3))]
    pub start: u8,
    /// Give addresses and names to the street's hosts in another order.
    #[arg(long, value_name = "N")]
    pub shuffle: Option<u64>,
    /// The /16 of 127.0.0.0/8 in which the street stands, should another be up already.
    #[arg(long, value_name = "CIDR", default_value = "127.77.0.0/16")]
    pub block: ipnet::Ipv4Net,
}

/// `lab`
#[derive(Debug, Subcommand)]
pub enum Lab {
    /// Start the street and keep it running until Ctrl-C or `lab down`.
    Up(LabArgs),
    /// Stop a running street.
    Down(LabDown),
    /// Print what is true of each host of the street, as JSON lines.
    Truth(LabArgs),
}

/// Which street.
#[derive(Debug, ClapArgs)]
pub struct LabArgs {
    /// Seed of the street.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The /16 of 127.0.0.0/8 in which the street stands.
    #[arg(long, value_name = "CIDR", default_value = "127.77.0.0/16")]
    pub block: ipnet::Ipv4Net,
    /// Folder in which a running street leaves word of itself.
    #[arg(long, value_name = "FOLDER")]
    pub state: Option<PathBuf>,
}

/// The street to stop.
#[derive(Debug, ClapArgs)]
pub struct LabDown {
    /// Only if the running street has this seed.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Only if the running street stands here.
    #[arg(long, value_name = "CIDR")]
    pub block: Option<ipnet::Ipv4Net>,
    /// Folder in which the running street left word of itself.
    #[arg(long, value_name = "FOLDER")]
    pub state: Option<PathBuf>,
}

/// `new`
#[derive(Debug, ClapArgs)]
pub struct New {
    /// The case file to make.
    pub case: PathBuf,
    /// The written authorisation (TOML); see `scopes/` for examples.
    #[arg(long, value_name = "FILE")]
    pub scope: PathBuf,
    /// Sign with this private key (Ed25519, PKCS #8 in PEM) instead of a new one, which would be put at CASE.key.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

/// `info`
#[derive(Debug, ClapArgs)]
pub struct Info {
    /// The case file.
    pub case: PathBuf,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `scope`
#[derive(Debug, Subcommand)]
pub enum ScopeVerb {
    /// Is the authorisation complete and in force, and what does it permit, in numbers?
    Check {
        /// The scope file.
        file: PathBuf,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// `seed`
#[derive(Debug, ClapArgs)]
pub struct Seed {
    /// The case file.
    pub case: PathBuf,
    /// The confirmed host.
    #[arg(conflicts_with = "facet")]
    pub ip: Option<IpAddr>,
    /// A facet known to be the provider's, instead of a host: `ssh.host_key=SHA256:…`.
    #[arg(long, value_name = "KIND=VALUE")]
    pub facet: Option<String>,
    /// Why it is confirmed, in your words.
    #[arg(long)]
    pub why: String,
    /// Who says so.
    #[arg(long)]
    pub source: Option<String>,
    /// The date it holds for (2026-11-22 or 2026-11-22T10:00:00Z).
    #[arg(long)]
    pub date: Option<String>,
    /// The provider's name; seeds of one name are one provider. Without it: the one provider of the case, if there is one.
    #[arg(long)]
    pub provider: Option<String>,
}

/// `unseed`
#[derive(Debug, ClapArgs)]
pub struct Unseed {
    /// The case file.
    pub case: PathBuf,
    /// The host to withdraw.
    #[arg(conflicts_with = "facet")]
    pub ip: Option<IpAddr>,
    /// The facet to withdraw.
    #[arg(long, value_name = "KIND=VALUE")]
    pub facet: Option<String>,
    /// Why, in your words.
    #[arg(long)]
    pub why: String,
}

/// `scan` and `plan`
#[derive(Debug, ClapArgs)]
pub struct Scan {
    /// The case file.
    pub case: PathBuf,
    /// Only these targets, inside the scope: a file of `[NAME@]ADDRESS[:PORT]` lines or CIDRs, or one CIDR. May repeat.
    #[arg(long, value_name = "FILE|CIDR")]
    pub targets: Vec<String>,
    /// Full capture of every host; what a case without observed seeds does anyway.
    #[arg(long, conflicts_with = "hunt")]
    pub full: bool,
    /// Rule hosts out by the first telling answers, and capture in full only those that are like a seed; the default
    /// once a seed has observations on record.
    #[arg(long)]
    pub hunt: bool,
    /// What speaks for a host in a hunt. `auto`: it is ruled out only when its TLS and its SSH both differ from every
    /// seed's. A protocol: that one alone, where the host offers it, which costs less and misses hosts that share only
    /// another. `any`: it is ruled out only when HTTP differs too.
    #[arg(long, value_enum, default_value_t = HuntBy::Auto, conflicts_with = "full")]
    pub hunt_by: HuntBy,
    /// Leave out the rest of a /24 once its answering hosts show that fewer than SHARE of them are like a seed, where
    /// CHANCE look alike anyway (a tenth of SHARE) and at most MISS of the networks may be overlooked (0.01). Off unless
    /// given; `plan` prints its error rates.
    #[arg(long, value_name = "SHARE[:CHANCE[:MISS]]", conflicts_with = "full")]
    pub give_up: Option<String>,
    /// Only these fingerprints.
    #[arg(long, value_name = "jarm,cert,http,ssh")]
    pub only: Option<String>,
    /// How many host keys to ask each SSH server for.
    #[arg(long, value_enum, default_value_t = Keys::All)]
    pub ssh_keys: Keys,
    /// When to open a full TLS session: `always` unless this is a hunt, which needs it only of seeds and hosts like them.
    #[arg(long, value_enum)]
    pub proof: Option<ProofArg>,
    /// Ask pages that answered for their favicon.
    #[arg(long, value_enum, default_value_t = Switch::On)]
    pub favicon: Switch,
    /// Connections a second, below what the scope permits.
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// Send from this address of the machine.
    #[arg(long, value_name = "ADDRESS")]
    pub source: Option<IpAddr>,
    /// Only this share of the hosts: `2/4` is the second of four. Shards of one scan need one order, so without --seed it is
    /// derived from the plan: give every shard the same options and scope. `merge` joins their cases.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<String>,
    /// Seed of the order; drawn at random for a new run, derived from the plan for a shard.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Start another run although one of the same plan is unfinished.
    #[arg(long)]
    pub new: bool,
    /// Write the summary as JSON.
    #[arg(long, value_name = "FILE")]
    pub summary: Option<PathBuf>,
    /// Hosts at once; by default as many as the rate needs.
    #[arg(long, value_name = "N")]
    pub in_flight: Option<usize>,
    /// How to find out who answers: by the first connection, or by SYNs alone (IPv4, needs `CAP_NET_RAW`). `auto` takes
    /// SYNs where they pay: for thousands of services beyond loopback.
    #[arg(long, value_enum, default_value_t = DiscoveryArg::Auto)]
    pub discovery: DiscoveryArg,
    /// How often discovery by SYN asks a silent port again.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=3))]
    pub syn_repeats: u8,
}

/// `--discovery`
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DiscoveryArg {
    /// What pays.
    Auto,
    /// The first connection is the question.
    Connect,
    /// SYNs first, connections only to those who answer.
    Syn,
}

/// `merge`
#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Shards are cases scanned with `--shard I/N` under the same scope file, with the same options and \
                        the same seed of the order (`scan --shard` derives one from the plan). All shards are taken \
                        over, or nothing is. Merging again adds only what a shard has gained since."
)]
pub struct Merge {
    /// The case file, opened under the same scope as the shards.
    pub case: PathBuf,
    /// The shards' case files; they are only read.
    #[arg(required = true, value_name = "SHARD")]
    pub shards: Vec<PathBuf>,
}

/// What speaks for a host in a hunt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum HuntBy {
    /// TLS and SSH, each that it offers; HTTP where it offers neither.
    Auto,
    /// The first telling service that it offers, TLS first.
    Jarm,
    /// The same, SSH first.
    Ssh,
    /// The same, HTTP first.
    Http,
    /// All telling services that it offers.
    Any,
}

/// How many host keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Keys {
    /// One: one connection.
    First,
    /// One of each type, one connection each.
    All,
}

/// When a full TLS session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ProofArg {
    /// Only where the clear answers gave no certificate.
    Needed,
    /// For every TLS service.
    Always,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Yes.
    On,
    /// No.
    Off,
}

/// `probe`
#[derive(Debug, ClapArgs)]
pub struct Probe {
    /// `[NAME@]ADDRESS[:PORT]` or a CIDR; NAME is the SNI and Host to use, ports default to the scope's.
    #[arg(required = true, value_name = "TARGET")]
    pub targets: Vec<String>,
    /// The written authorisation.
    #[arg(long, value_name = "FILE")]
    pub scope: PathBuf,
    /// Only these fingerprints.
    #[arg(long, value_name = "jarm,cert,http,ssh")]
    pub only: Option<String>,
    /// Send from this address of the machine.
    #[arg(long, value_name = "ADDRESS")]
    pub source: Option<IpAddr>,
}

/// What a flat host may say, for the help of `import`.
const HOSTS_HELP: &str = "\
Keys of a flat host (all but `ip` may be missing):
  ip asn prefix ports[] timeouts[] all_ports ssh_banner hassh ssh_key ssh_port server
  hdr_order jarm cert spki subject issuer serial validity_days san[] title body simhash
  favicon rdp_host rdp_build

A line like:
  {\"ip\":\"203.0.113.7\",\"ports\":[22,443],\"ssh_key\":\"SHA256:…\",\"timeouts\":[\"rdp\"]}

`timeouts` names services that were asked and did not answer (ssh web tls http rdp mail ports):
unknown, not absent. Lists may be arrays or one text with commas. Unknown keys are noted and
left out. Nothing is sent, so that addresses need not be in the scope.";

/// `import`
#[derive(Debug, ClapArgs)]
#[command(after_help = HOSTS_HELP)]
pub struct Import {
    /// The case file.
    pub case: PathBuf,
    /// Whose form the files have.
    #[arg(value_enum)]
    pub format: ImportFormat,
    /// The files; `-` is standard input.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
}

/// What can be taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportFormat {
    /// Flat hosts: JSON lines, one object for each host.
    Hosts,
    /// Answers of a time-stamp authority (RFC 3161) to what `hostkin export CASE timestamp-request` wrote.
    Timestamp,
}

/// `why`
#[derive(Debug, ClapArgs)]
pub struct Why {
    /// The case file; or a bundle, whose sealed results are shown once they verify.
    #[arg(value_name = "CASE|BUNDLE")]
    pub case: PathBuf,
    /// The host. Of a bundle: without it, every host that is attributed.
    pub ip: Option<IpAddr>,
    /// A second host, to explain the pair.
    pub other: Option<IpAddr>,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
}

/// The language of `find`, for its long help.
const QUERY_HELP: &str = "\
A query is terms joined by `and`, `or`, `not` and parentheses; `and` binds closer than `or`.

  KIND=VALUE   a facet with exactly this value, as exports show it
  KIND~TEXT    a facet whose value contains this text, in upper or lower case
  port=N       the port is open
  ip=CIDR      the address, or any in the network
  asn=N        the origin AS

Values with blanks or parentheses stand in quotes. A facet counts when any look at the host
ever showed it.

Kinds, among others: ssh.host_key ssh.banner ssh.hassh_server tls.jarm tls.ja3s cert.sha256
cert.spki_sha256 cert.subject cert.issuer cert.san http.server http.title http.header_order
http.body_sha256 http.favicon_mmh3; `hostkin export CASE facets` lists all values of a case.

Examples:
  hostkin find x.case 'http.title~login and not port=22'
  hostkin find x.case 'ssh.host_key=SHA256:…'
  hostkin find x.case '(http.server=nginx or asn=64500) and ip=203.0.113.0/24'
  hostkin find x.case 'cert.subject~\"CN=panel\"' --json";

/// `find`
#[derive(Debug, ClapArgs)]
#[command(after_long_help = QUERY_HELP)]
pub struct Find {
    /// The case file.
    pub case: PathBuf,
    /// The query: `http.server~nginx and port=443`; --help explains it.
    pub query: String,
    /// Output form.
    #[command(flatten)]
    pub form: Form,
}

/// How `diff` is to be read, for its long help.
const DIFF_HELP: &str = "\
Changes: `gained` (the later run heard a service where the earlier heard nothing), `lost` (the
other way round), `outcome` (a service ended differently), `facet` (other values of one kind).

`gained` and `lost` can also mean that one of the runs did not ask: when it is unfinished, or
its targets or options were others. A warning says so, and protocols that one of the two did
not want (--only) are skipped.";

/// `diff`
#[derive(Debug, ClapArgs)]
#[command(after_long_help = DIFF_HELP)]
pub struct Diff {
    /// The case file.
    pub case: PathBuf,
    /// The earlier run's number (see `info`).
    pub before: i64,
    /// The later run's number.
    pub after: i64,
    /// Output form.
    #[command(flatten)]
    pub form: Form,
}

/// `export`
#[derive(Debug, ClapArgs)]
pub struct Export {
    /// The case file.
    pub case: PathBuf,
    /// What to write.
    #[arg(value_enum)]
    pub what: What,
    /// Output form.
    #[command(flatten)]
    pub form: Form,
    /// Write to this file instead of standard output; it must not exist yet. Abuse reports: a new folder.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long, requires = "output")]
    pub force: bool,
    /// `bundle`: only what concerns this host; may be given more than once.
    #[arg(long, value_name = "IP")]
    pub host: Vec<IpAddr>,
    /// What is shared with others.
    #[command(flatten)]
    pub sharing: super::share::Sharing,
}

impl Export {
    /// True when the case keeps on record what was exported, or what was said with it.
    #[must_use]
    pub fn records(&self) -> bool {
        self.what == What::Abuse
            || (self.what == What::Denylist && self.output.is_some())
            || !self.sharing.own.is_empty()
    }
}

/// What can be exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// Clusters with their hosts.
    Clusters,
    /// Hosts by probability, per provider.
    Ranking,
    /// What every service answered.
    Observations,
    /// Every facet with how many hosts show it.
    Facets,
    /// One HTML page that prints.
    Report,
    /// The report as Typst source with its data, for a typeset PDF.
    Typst,
    /// The scope's exact text, as the case was opened with it.
    Scope,
    /// One archive with everything that a stranger needs to check the case: `hostkin verify FILE`.
    Bundle,
    /// A question for a time-stamp authority (RFC 3161) over the last record; `hostkin import CASE timestamp FILE` takes the answer.
    TimestampRequest,
    /// A STIX 2.1 bundle.
    Stix,
    /// A MISP event.
    Misp,
    /// Hosts and the values they share, as a graph (GraphML).
    Graphml,
    /// The graph's nodes, as rows.
    Nodes,
    /// The graph's edges, as rows.
    Edges,
    /// Addresses to block, in the words of a firewall (--as).
    Denylist,
    /// Abuse reports to holders, announcing ASes and upstreams, as mails in a folder. Nothing is sent.
    Abuse,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, ClapArgs)]
pub struct Form {
    /// The form; a table unless said otherwise. `export -o` goes by the file's ending: `.csv` or `.jsonl`.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// The same as `--format jsonl`.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
}

/// Forms of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For spreadsheets.
    Csv,
    /// One object a line.
    Jsonl,
}

impl Form {
    /// The form asked for; a table unless said otherwise.
    #[must_use]
    pub fn format(self) -> Format {
        if self.json { Format::Jsonl } else { self.format.unwrap_or(Format::Table) }
    }
}

/// `generate`
#[derive(Debug, Subcommand)]
pub enum Generate {
    /// The manual page with all verbs, in roff: `hostkin generate man | man -l -`.
    Man,
    /// Completions for a shell.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}
