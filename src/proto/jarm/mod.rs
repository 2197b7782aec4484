//! Stub.
use super::{Protocol, Reading};
use crate::observation::{Capture, Outcome, Speech};

/// Stub.
#[derive(Debug)]
pub struct Jarm;

impl Protocol for Jarm {
    fn id(&self) -> &'static str {
        "jarm"
    }

    fn speech(&self) -> Speech {
        Speech::Tls
    }

    fn read(&self, _capture: &Capture) -> Reading {
        Reading { outcome: Outcome::Failed, detail: None, facets: Vec::new() }
    }
}
