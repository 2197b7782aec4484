//! Stub.
use super::{Protocol, Reading};
use crate::observation::{Capture, Outcome, Speech};

/// Stub.
#[derive(Debug)]
pub struct Ssh;

impl Protocol for Ssh {
    fn id(&self) -> &'static str {
        "ssh"
    }

    fn speech(&self) -> Speech {
        Speech::Ssh
    }

    fn read(&self, _capture: &Capture) -> Reading {
        Reading { outcome: Outcome::Failed, detail: None, facets: Vec::new() }
    }
}
