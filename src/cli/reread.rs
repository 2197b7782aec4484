//! `reread`: derives all facets again from what was heard.

use super::actor;
use super::args::CaseOnly;
use super::exit::{Exit, Stop};
use super::term::Term;
use crate::clock::{Clock, SystemClock};
use crate::probe;
use crate::store::Case;

pub(super) fn run(args: &CaseOnly, term: &Term) -> Result<Exit, Stop> {
    let mut case = Case::open(&args.case)?;
    let counts = case.reread(&actor(), SystemClock::new().now(), |observation| {
        probe::read(observation.service.speech, &observation.capture)
    })?;
    case.build_postings()?;
    term.say(format!(
        "{} observations read again, {} of them say something else than before; nobody was asked",
        counts.observations, counts.changed
    ));
    Ok(Exit::Done)
}
