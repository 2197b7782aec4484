//! Stub.
use super::{Protocol, Reading};
use crate::observation::{Capture, Outcome, Speech};

/// Stub.
#[derive(Debug)]
pub struct Tls;

impl Protocol for Tls {
    fn id(&self) -> &'static str {
        "tls"
    }

    fn speech(&self) -> Speech {
        Speech::Tls
    }

    fn read(&self, _capture: &Capture) -> Reading {
        Reading { outcome: Outcome::Failed, detail: None, facets: Vec::new() }
    }
}

/// Stub.
#[must_use]
pub fn read_row(capture: &Capture) -> Reading {
    Tls.read(capture)
}
