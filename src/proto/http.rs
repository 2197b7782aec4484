//! Stub.
use super::{Protocol, Reading};
use crate::observation::{Capture, Outcome, Speech};

/// Stub.
#[derive(Debug)]
pub struct Http;

impl Protocol for Http {
    fn id(&self) -> &'static str {
        "http"
    }

    fn speech(&self) -> Speech {
        Speech::Http
    }

    fn read(&self, _capture: &Capture) -> Reading {
        Reading { outcome: Outcome::Failed, detail: None, facets: Vec::new() }
    }
}
