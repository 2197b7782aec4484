//! `confirm` and `reject`: an analyst's word on one host, as a record. The last word on a host counts.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;

use super::actor;
use super::exit::{Exit, Stop};
use super::term::Term;
use crate::clock::{Clock, SystemClock};
use crate::facet::escape_terminal;
use crate::finding::{Seed, Subject, Verdict};
use crate::store::{Case, StoreError};

/// `confirm` and `reject`
#[derive(Debug, Args)]
#[command(
    after_help = "The last word on a host counts: a later `confirm` or `reject` takes the earlier one back, and \
                        --withdraw leaves the host without a verdict again. Every word stays on record. `hostkin link` \
                        then goes by it: confirmed hosts are known hosts of the provider, rejected ones are evidence \
                        against it."
)]
pub struct Judge {
    /// The case file.
    pub case: PathBuf,
    /// The host.
    pub ip: IpAddr,
    /// Why, in your words.
    #[arg(long)]
    pub why: String,
    /// The provider it is about. Without it: the one provider of the case, if there is one.
    #[arg(long)]
    pub provider: Option<String>,
    /// Take the standing verdict on this host back instead of giving one.
    #[arg(long)]
    pub withdraw: bool,
}

pub(super) fn run(args: &Judge, confirmed: bool, term: &Term) -> Result<Exit, Stop> {
    if args.why.trim().is_empty() {
        return Err(Stop::usage(anyhow!("--why is empty; say in your words how you know, a reader will ask")));
    }
    let mut case = Case::open(&args.case)?;
    let seeds = case.seeds()?;
    let provider = provider(args.provider.as_deref(), &seeds)?;
    let shown = escape_terminal(&provider);
    let at = SystemClock::new().now();
    if args.withdraw {
        return match case.withdraw_verdict(args.ip, &provider, &args.why, &actor(), at) {
            Err(StoreError::NoVerdict { .. }) => {
                Err(Stop::usage(anyhow!("there is no verdict on {} for \"{shown}\" to take back", args.ip)))
            }
            done => {
                done?;
                term.say(format!("recorded: the verdict on {} for \"{shown}\" is withdrawn", args.ip));
                Ok(Exit::Done)
            }
        };
    }
    let subject = Subject::Host(args.ip);
    if let Some(seed) = seeds.iter().find(|seed| seed.subject == subject && (!confirmed || seed.provider != provider)) {
        return Err(Stop::usage(anyhow!(
            "{} is a seed of \"{}\"; take that back first: `hostkin unseed {} {} --why TEXT`",
            args.ip,
            escape_terminal(&seed.provider),
            args.case.display(),
            args.ip
        )));
    }
    let before = case.verdicts()?.into_iter().find(|one| one.address == args.ip && one.provider == provider);
    let verdict = Verdict { provider, address: args.ip, confirmed, why: args.why.clone(), recorded_at: at };
    case.add_verdict(&verdict, &actor())?;
    let word = if confirmed { "is a confirmed host of" } else { "is not a host of" };
    term.say(format!("recorded: {} {word} \"{shown}\"", args.ip));
    if let Some(before) = before {
        let former = if before.confirmed { "confirmed" } else { "rejected" };
        term.say(format!("it was {former} before ({}); that stays on record", escape_terminal(&before.why)));
    }
    if case.host(args.ip)?.is_none() {
        term.warn(format!(
            "nothing was heard of {} in this case yet, so that the verdict changes nothing until something is",
            args.ip
        ));
    }
    term.say(format!("next: hostkin link {0}, hostkin ask {0}", args.case.display()));
    Ok(Exit::Done)
}

/// The provider a verdict is about: one that has a seed.
fn provider(given: Option<&str>, seeds: &[Seed]) -> Result<String, Stop> {
    let mut known: Vec<&str> = seeds.iter().map(|seed| seed.provider.as_str()).collect();
    known.sort_unstable();
    known.dedup();
    let listed = escape_terminal(&known.join("\", \""));
    match (given.map(str::trim), known.as_slice()) {
        (_, []) => Err(Stop::usage(anyhow!(
            "this case has no seed yet, so that there is no provider to judge by; record one with `hostkin seed`"
        ))),
        (None, [one]) => Ok((*one).to_owned()),
        (None, _) => {
            Err(Stop::usage(anyhow!("this case has several providers; say which with --provider: \"{listed}\"")))
        }
        (Some(given), known) if known.contains(&given) => Ok(given.to_owned()),
        (Some(given), _) => Err(Stop::usage(anyhow!(
            "no seed names a provider \"{}\"; this case has \"{listed}\"",
            escape_terminal(given)
        ))),
    }
}
