//! Pure rendering: rows as table, CSV and JSON lines; the report as one HTML page or Typst source; what is shared with others as
//! STIX, MISP, graphs, abuse reports and deny lists. Computes no new facts.

pub mod abuse;
mod as_graph;
mod canonical;
mod case_file;
mod clean;
pub mod denylist;
mod dossier;
mod findings;
mod graph;
mod html;
mod json;
mod marking;
mod misp;
mod observations;
mod picture;
mod range_map;
mod registry;
mod rows;
mod stix;
mod typst;
mod uuid;

pub use as_graph::as_graph;
pub use case_file::{CaseFacts, CaseFile, DETAILED, HostChecks, RunFacts, case_file};
pub use clean::{Cleaner, LONGEST_TEXT, SafeText, defang};
pub use dossier::{CaseLabel, Dossier, SharedCluster, SharedFacet, SharedHost, SharedService, Standing};
pub use findings::{HostSight, Sights, clusters, clusters_in_short, evidence_table, ranking};
pub use graph::{edges, graphml, nodes};
pub use html::{Picture, ReportError, html};
pub use json::write_json_line;
pub use marking::{Depth, Marking, Pap, Tlp, TooOpen};
pub use misp::misp;
pub use observations::{OBSERVATION_COLUMNS, observation_json, observation_row, stored_observation_json};
pub use range_map::range_map;
pub use registry::{AnswersFor, Contact, ContactOrigin, Holder, Registry, Upstream};
pub use rows::{RowForm, RowStream, Rows, defang_value, plain};
pub use stix::stix;
pub use typst::typst;
pub use uuid::Uuid;
