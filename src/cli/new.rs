//! `new`: opens a case.

use super::args::New;
use super::exit::{Exit, Stop};
use super::term::Term;
use super::{VERSION, actor};
use crate::clock::{Clock, SystemClock};
use crate::scope::Scope;
use crate::store::{Case, NewCase};

pub(super) fn run(new: &New, term: &Term) -> Result<Exit, Stop> {
    let clock = SystemClock::new();
    let scope = Scope::load(&new.scope, &clock).map_err(Stop::scope)?;
    // The case remembers where its scope is, whatever folder it is used from.
    let path = std::path::absolute(&new.scope)?;
    Case::create(
        &new.case,
        &NewCase {
            scope_text: scope.text().to_owned(),
            scope_title: scope.title().to_owned(),
            scope_path: Some(path.to_string_lossy().into_owned()),
            actor: actor(),
            at: clock.now(),
            version: VERSION.to_owned(),
        },
    )?;
    term.say(format!("opened {} under \"{}\"", new.case.display(), scope.title()));
    term.say(format!("next: hostkin seed {} ADDRESS --why TEXT", new.case.display()));
    Ok(Exit::Done)
}
