//! The case file as data: every sentence and figure of the report, once, for the HTML page and the Typst source alike.
//!
//! The templates lay out and decide nothing. Strings are strangers' text wherever they came from one; whoever shows
//! them escapes them for its medium.

mod build;
mod danger;
mod steps;
mod texts;
mod weigh;
mod words;

use serde::Serialize;

pub use build::{CaseFacts, RunFacts, case_file};
pub use danger::HostChecks;

/// Hosts of one cluster whose evidence is laid out group by group; the others stand in the matrix.
pub const DETAILED: usize = 60;
/// Hosts of one cluster drawn one by one on the time line; beyond, they are counted.
pub(super) const DRAWN: usize = 40;

/// Hypotheses shown, the largest first.
const HYPOTHESES: usize = 12;

/// The whole report.
#[derive(Clone, Debug, Serialize)]
pub struct CaseFile {
    /// `hostkin/report/1`.
    pub schema: &'static str,
    /// Who may see it and what may be done with it.
    pub marking: MarkingWords,
    /// Title of the case.
    pub title: String,
    /// One line below it: what this is, and as of when.
    pub subtitle: String,
    /// The conclusion in sentences, strongest first.
    pub summary: Vec<Sentence>,
    /// How to read it.
    pub caution: String,
    /// Who permitted what.
    pub authority: Vec<Pair>,
    /// How the result came about, in paragraphs.
    pub method: Vec<String>,
    /// What is confirmed, by whom.
    pub seeds: Vec<SeedRow>,
    /// Attributed sets, then hypotheses.
    pub clusters: Vec<ClusterPart>,
    /// What stands in place of a time line where no host was seen at a known time.
    pub unseen: &'static str,
    /// How many hypotheses are left out; empty where none is.
    pub more_hypotheses: String,
    /// Hosts that looked alike and are not attributed.
    pub near: Vec<NearRow>,
    /// What the result does not say.
    pub limits: Vec<String>,
    /// What a reader may do next.
    pub actions: Vec<String>,
    /// Words explained.
    pub glossary: Vec<Pair>,
    /// What was sent and when.
    pub runs: Vec<RunFacts>,
    /// Sizes.
    pub counts: Vec<Pair>,
    /// Digests that the report can be checked by.
    pub digests: Vec<Pair>,
    /// The scope as written.
    pub scope_text: String,
}

/// The marking, as every page shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MarkingWords {
    /// `TLP:AMBER`.
    pub tlp: String,
    /// `PAP:AMBER`.
    pub pap: String,
    /// The first without its `TLP:`, in small letters: names its colour.
    pub colour: &'static str,
    /// What both mean, in a sentence.
    pub words: String,
}

/// A sentence, and whether it carries the conclusion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sentence {
    /// The words.
    pub text: String,
    /// True for the conclusion itself.
    pub strong: bool,
}

/// A name and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pair {
    /// The name.
    pub name: String,
    /// What belongs to it.
    pub value: String,
}

/// A seed.
#[derive(Clone, Debug, Serialize)]
pub struct SeedRow {
    /// The provider's name.
    pub provider: String,
    /// Address, or `kind=value`.
    pub subject: String,
    /// True for an address.
    pub is_host: bool,
    /// Why it is one.
    pub why: String,
    /// Who says so, and for which date.
    pub source: String,
    /// When it was written down, UTC.
    pub recorded_at: String,
}

/// A set of hosts.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterPart {
    /// Its id: the provider's name where it grew from a seed.
    pub id: String,
    /// True when it grew from a seed.
    pub seeded: bool,
    /// What it is, in a sentence or two.
    pub intro: String,
    /// For hypotheses: what most members share.
    pub shared: Vec<String>,
    /// Names of the groups of evidence, in the order of the matrix's cells.
    pub groups: Vec<String>,
    /// Its hosts, best first.
    pub members: Vec<MemberRow>,
    /// The evidence of the first [`DETAILED`] hosts; none for a hypothesis.
    pub details: Vec<Detail>,
    /// How many hosts have no detail here.
    pub without_detail: usize,
    /// The named dangers that were looked for; none for a hypothesis.
    pub dangers: Vec<DangerRow>,
    /// How many hosts they were looked for in.
    pub looked_at: usize,
    /// What would change the conclusion.
    pub changes: Vec<String>,
    /// First and last sights.
    pub timeline: Timeline,
}

/// A host of a set: its row in table and matrix.
#[derive(Clone, Debug, Serialize)]
pub struct MemberRow {
    /// Address.
    pub ip: String,
    /// True for a confirmed host.
    pub is_seed: bool,
    /// Calibrated probability, in words of per cent.
    pub probability: String,
    /// log10 of all counted evidence.
    pub log10_lr: String,
    /// The same without its strongest group.
    pub without_strongest: String,
    /// Level of the claim.
    pub level: String,
    /// Open ports.
    pub ports: String,
    /// First and last sight, UTC.
    pub seen: String,
    /// One a group.
    pub cells: Vec<Cell>,
}

/// What one group says of one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// log10 of the counted ratio, or empty where nothing was observed.
    pub text: String,
    /// `strong`, `some`, `none`, `against` or `unseen`.
    pub class: &'static str,
}

/// Why one host is in.
#[derive(Clone, Debug, Serialize)]
pub struct Detail {
    /// Address.
    pub ip: String,
    /// Probability, level, and whether it is confirmed.
    pub claim: String,
    /// For, strongest first.
    pub reasons: Vec<String>,
    /// Against, strongest first.
    pub against: Vec<String>,
    /// Dangers whose marks it shows.
    pub dangers: Vec<String>,
    /// The waterfall: groups in order of their weight.
    pub steps: Vec<Step>,
    /// Least and greatest value that the waterfall reaches, 0 included.
    pub span: (f64, f64),
    /// Sum of the steps.
    pub total: String,
    /// Groups that could not be compared.
    pub not_observed: String,
}

/// One step of a waterfall.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// Group.
    pub group: String,
    /// The facet kind at which they agree, or `nowhere`.
    pub agrees_at: String,
    /// What they share.
    pub value: String,
    /// How many of the set show it.
    pub in_set: String,
    /// How many others show it.
    pub others: String,
    /// log10 of the ratio as counted.
    pub counted: String,
    /// The sum before this step.
    pub from: f64,
    /// The sum after it.
    pub to: f64,
}

/// One named danger, and in how many hosts of a set it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DangerRow {
    /// What was looked for.
    pub danger: String,
    /// Hosts without its marks.
    pub passed: usize,
    /// Hosts that show them.
    pub failed: usize,
    /// Hosts of which too little is known.
    pub unknown: usize,
    /// Of the first host that shows them, else of the first: why.
    pub words: String,
}

/// When hosts were seen.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Timeline {
    /// First moment, UTC; empty where nothing was seen.
    pub from: String,
    /// Last moment, UTC.
    pub to: String,
    /// Hosts drawn one by one: none where there are more than [`DRAWN`].
    pub bars: Vec<Bar>,
    /// Else: hosts in sight in each of equal parts of the time.
    pub counts: Vec<usize>,
}

/// One host on the time line.
#[derive(Clone, Debug, Serialize)]
pub struct Bar {
    /// Address.
    pub ip: String,
    /// First sight, as a share of the whole span.
    pub from: f64,
    /// Last sight.
    pub to: f64,
}

/// A host that is not attributed.
#[derive(Clone, Debug, Serialize)]
pub struct NearRow {
    /// The provider it resembles.
    pub provider: String,
    /// Address.
    pub ip: String,
    /// Probability.
    pub probability: String,
    /// For.
    pub reasons: String,
    /// Against.
    pub against: String,
}
