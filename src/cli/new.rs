//! `new`: opens a case.

use anyhow::anyhow;

use super::args::New;
use super::exit::{Exit, Stop};
use super::term::Term;
use super::{VERSION, actor, sign};
use crate::clock::{Clock, SystemClock};
use crate::evidence::{Signer, fingerprint, key_path};
use crate::scope::Scope;
use crate::store::{Case, NewCase};

pub(super) fn run(new: &New, term: &Term) -> Result<Exit, Stop> {
    let clock = SystemClock::new();
    let scope = Scope::load(&new.scope, &clock).map_err(Stop::scope)?;
    // The case remembers where its scope is, whatever folder it is used from.
    let path = std::path::absolute(&new.scope)?;
    // A key that cannot be used is told before there is a case.
    if let Some(key) = &new.key {
        Signer::load(key)?;
    } else if !new.case.exists() && key_path(&new.case).exists() {
        return Err(Stop::from(anyhow!(
            "`{path}` is there already, perhaps from another case; sign with it by `--key {path}`, or move it away",
            path = key_path(&new.case).display()
        )));
    }
    let mut case = Case::create(
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
    let signer = sign::give(&mut case, new.key.as_deref())?;
    signer.sign(&mut case, clock.now(), &actor())?;
    let key = new.key.clone().unwrap_or_else(|| key_path(&new.case));
    term.say(format!("its record is signed with {}; keep that file to yourself", key.display()));
    term.say(format!("signer  {}  (give this to whoever will check the case)", fingerprint(&signer.public_key())));
    term.say(format!("next: hostkin seed {} ADDRESS --why TEXT", new.case.display()));
    Ok(Exit::Done)
}
