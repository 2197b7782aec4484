//! `export bundle` and `export timestamp-request`: what others check and stamp.

use std::io::{IsTerminal as _, Write as _};

use anyhow::anyhow;

use super::args::{Export, What};
use super::exit::{Exit, Stop};
use super::export::output;
use super::sign;
use super::term::{Term, counted};
use crate::evidence;
use crate::seal::hex;
use crate::store::Case;

pub(super) fn run(args: &Export, term: &Term) -> Result<Exit, Stop> {
    // What waits is sealed and signed first, where the case may be written.
    sign::after(&args.case, term);
    let case = Case::open_read_only(&args.case)?;
    if args.what == What::Bundle {
        bundle(&case, args, term)?;
    } else {
        question(&case, args, term)?;
    }
    Ok(Exit::Done)
}

/// Writes the question for a time-stamp authority.
fn question(case: &Case, args: &Export, term: &Term) -> Result<(), Stop> {
    let (record, digest, question) = evidence::request(case)?;
    refuse_terminal(args, "a question for a time-stamp authority")?;
    let mut out = output(args)?;
    out.write_all(&question)?;
    out.finish()?;
    term.say(format!("record {record} with the digest {}: send the file to an authority you trust, as", hex(&digest)));
    term.say("application/timestamp-query, and take its answer in with `hostkin import CASE timestamp FILE`");
    Ok(())
}

/// Bytes that no terminal can show.
fn refuse_terminal(args: &Export, what: &str) -> Result<(), Stop> {
    if args.output.is_none() && std::io::stdout().is_terminal() {
        return Err(Stop::usage(anyhow!("{what} is no text for a terminal; give a file with -o FILE")));
    }
    Ok(())
}

/// Writes a bundle, whole or of chosen hosts.
fn bundle(case: &Case, args: &Export, term: &Term) -> Result<(), Stop> {
    refuse_terminal(args, "a bundle")?;
    let mut out = output(args)?;
    let hosts = (!args.host.is_empty()).then_some(args.host.as_slice());
    let counts = evidence::write_bundle(case, hosts, &mut out)?;
    out.finish()?;
    let file = args.output.as_deref().map_or("FILE".to_owned(), |path| path.display().to_string());
    term.say(format!(
        "{}: {}, {} with the bytes of {}",
        file,
        counted(counts.records, "record"),
        counted(counts.observations, "observation"),
        counts.captures
    ));
    if counts.waiting > 0 {
        term.warn(format!(
            "{} not sealed yet and left out; a scan is under way",
            counted(counts.waiting, "observation")
        ));
    }
    match counts.signers.as_slice() {
        [] => term.warn("nothing in it is signed: it shows that nothing was changed, not by whom it was made"),
        signers => term.say(format!("signer  {}  (give this on another way than the file)", signers.join(", "))),
    }
    term.say(format!("anybody checks it with: hostkin verify {file}"));
    Ok(())
}
