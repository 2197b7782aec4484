//! Pure rendering: rows as table, CSV and JSON lines; the report as one HTML page or Typst source. Computes no new facts.

mod case_file;
mod findings;
mod html;
mod json;
mod observations;
mod picture;
mod rows;
mod typst;

pub use case_file::{CaseFacts, CaseFile, RunFacts, case_file};
pub use findings::{HostSight, Sights, clusters, clusters_in_short, evidence_table, ranking};
pub use html::{ReportError, html};
pub use json::write_json_line;
pub use observations::observation_json;
pub use rows::{Rows, plain};
pub use typst::typst;
