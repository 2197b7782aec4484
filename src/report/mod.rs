//! Pure rendering: rows as table, CSV and JSON lines; the report as one HTML page. Computes no new facts.

mod as_graph;
mod findings;
mod html;
mod json;
mod observations;
mod range_map;
mod rows;

pub use as_graph::as_graph;
pub use findings::{HostSight, Sights, clusters, clusters_in_short, evidence_table, ranking};
pub use html::{CaseFacts, Picture, ReportError, RunFacts, html};
pub use json::write_json_line;
pub use observations::observation_json;
pub use range_map::range_map;
pub use rows::{Rows, plain};
