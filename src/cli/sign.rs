//! `sign`: a signature over the chain as it stands; and the signature that every verb leaves which changes a case.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;

use super::actor;
use super::exit::{Exit, Stop};
use super::term::Term;
use crate::clock::{Clock, SystemClock};
use crate::evidence::{Signer, fingerprint, key_path};
use crate::store::{Action, Case};

/// `sign`
#[derive(Debug, ClapArgs)]
pub struct Sign {
    /// The case file.
    pub case: PathBuf,
    /// The private key from now on (Ed25519, PKCS #8 in PEM); without it the case's own, which is made where there is none.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

pub(super) fn run(args: &Sign, term: &Term) -> Result<Exit, Stop> {
    let mut case = Case::open(&args.case)?;
    let signer = give(&mut case, args.key.as_deref())?;
    let print = fingerprint(&signer.public_key());
    if signer.sign(&mut case, SystemClock::new().now(), &actor())? {
        term.say(format!("signed, by {print}"));
    } else {
        term.say(format!("nothing was changed since the last signature; the key is {print}"));
    }
    Ok(Exit::Done)
}

/// The key of a case: the one given, which is remembered, or its own, which is made where no key has signed yet.
pub(super) fn give(case: &mut Case, given: Option<&Path>) -> Result<Signer, Stop> {
    if let Some(path) = given {
        let signer = Signer::load(path)?;
        case.set_key_path(&std::path::absolute(path)?)?;
        signer.introduce(case, SystemClock::new().now(), &actor())?;
        return Ok(signer);
    }
    let path = place(case)?;
    if !path.exists() && !has_key(case)? {
        return Ok(Signer::create(&path)?);
    }
    Ok(Signer::load(&path)?)
}

/// Where the case's key is.
fn place(case: &Case) -> Result<PathBuf, Stop> {
    if let Some(path) = std::env::var_os("HOSTKIN_KEY").filter(|path| !path.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    Ok(case.key_path()?.unwrap_or_else(|| key_path(case.path())))
}

/// True when a key has been introduced.
fn has_key(case: &Case) -> Result<bool, Stop> {
    Ok(case.records()?.iter().any(|record| record.action == Action::Key.as_str()))
}

/// Signs what a verb has changed. What hinders that is said and spoils nothing: the chain stands without it.
pub(super) fn after(path: &Path, term: &Term) {
    let Ok(mut case) = Case::open(path) else { return };
    if matches!(case.is_signed(), Ok(true)) {
        return;
    }
    let signed = place(&case).and_then(|key| {
        if !key.exists() && !has_key(&case)? {
            return Ok(false);
        }
        let signer = Signer::load(&key)?;
        Ok(signer.sign(&mut case, SystemClock::new().now(), &actor())?)
    });
    match signed {
        Ok(true) => {}
        Ok(false) => tracing::info!("this case has no key to sign with; `hostkin sign` makes one"),
        Err(Stop { error, .. }) => {
            term.warn(format!("what was done is on record and chained, but not signed: {error:#}"));
        }
    }
}
