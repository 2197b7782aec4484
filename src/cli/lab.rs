//! `lab`: the street alone.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;

use super::args::{Lab, LabArgs, LabDown};
use super::exit::{Exit, Stop};
use super::term::{Output, Term};
use crate::lab::{self, Ended, Layout, Plan};

/// How long `down` waits for the street to end.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn run(verb: &Lab, term: &Term) -> Result<Exit, Stop> {
    match verb {
        Lab::Up(args) => up(args, term),
        Lab::Down(args) => down(args, term),
        Lab::Truth(args) => {
            let mut out = Output::open(None)?;
            out.write_all(plan(args)?.truth_jsonl().as_bytes())?;
            out.finish()?;
            Ok(Exit::Done)
        }
    }
}

fn down(args: &LabDown, term: &Term) -> Result<Exit, Stop> {
    let folder = state(args.state.as_ref());
    let Some(running) = lab::read_state(&folder)? else {
        term.say("no street was up");
        return Ok(Exit::Done);
    };
    let street = format!("the street of seed {} in {}", running.seed, running.block);
    if args.seed.is_some_and(|seed| seed != running.seed) || args.block.is_some_and(|block| block != running.block) {
        return Err(Stop::usage(anyhow!("{street} is up, not the one named; it was left up")));
    }
    lab::request_stop(&folder, PATIENCE)?;
    term.say(format!("{street} is down"));
    Ok(Exit::Done)
}

fn up(args: &LabArgs, term: &Term) -> Result<Exit, Stop> {
    let plan = plan(args)?;
    let ports = plan.layout.ports;
    let ended = lab::run_until_stopped(&state(args.state.as_ref()), plan, |street| {
        let plan = street.plan();
        term.say(format!(
            "{} hosts are up in {} (tls {}, http {}, ssh {}); Ctrl-C or `hostkin lab down` ends them",
            plan.hosts.len(),
            plan.layout.block(),
            ports.tls,
            ports.http,
            ports.ssh
        ));
        if let Some(seed) = plan.good_seed() {
            term.say(format!("a good seed: {seed} of \"{}\"", plan.first));
        }
    })?;
    Ok(if ended == Ended::Asked { Exit::Done } else { Exit::Interrupted })
}

fn plan(args: &LabArgs) -> Result<Plan, Stop> {
    Ok(Plan::new(args.seed, Layout::new(args.block).map_err(Stop::usage)?))
}

/// Where a running street leaves word: one place for each account.
fn state(given: Option<&PathBuf>) -> PathBuf {
    given.cloned().unwrap_or_else(|| {
        let base = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        base.join(format!("hostkin-lab-{}", std::env::var("USER").unwrap_or_else(|_| "user".to_owned())))
    })
}
