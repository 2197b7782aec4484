//! The one integration binary; a module per subject.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    missing_docs,
    reason = "tests fail by panicking, start the program and listen on loopback"
)]

mod backoff;
mod candidates;
mod columns;
mod demo;
mod dependencies;
mod evidence;
mod exits;
mod exports;
mod gate;
mod golden_http;
mod golden_jarm;
mod golden_ssh;
mod golden_x509;
mod ground;
mod honest;
mod hunt;
mod hunt_street;
mod kill;
mod lab;
mod layering;
mod manners;
mod merge;
mod order;
mod protocols;
mod ranges;
mod run;
mod scope;
mod shards;
mod store;
mod strangers;
mod traps;
mod verdicts;
