//! `ask`: the hosts whose confirmation or rejection would teach most.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;

use super::exit::{Exit, Stop};
use super::link::population;
use super::term::{Output, Term};
use crate::facet::{Labels, escape_terminal, show_cut, show_percent};
use crate::link::{Linkage, Question, Weights};
use crate::report;
use crate::store::Case;

/// Longest value shown, in characters.
const LONGEST: usize = 80;

/// `ask`
#[derive(Debug, Args)]
#[command(
    after_help = "Both answers are tried out for uncertain hosts, and the questions are ordered by how much the \
                        ranking is expected to change. Answer with `hostkin confirm` or `hostkin reject`, then `hostkin \
                        link` and ask again."
)]
pub struct Ask {
    /// The case file.
    pub case: PathBuf,
    /// How many questions at most.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub most: usize,
    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(args: &Ask, term: &Term) -> Result<Exit, Stop> {
    let case = Case::open_read_only(&args.case)?;
    let (seeds, verdicts) = (case.seeds()?, case.verdicts()?);
    if seeds.is_empty() {
        return Err(Stop::usage(anyhow!(
            "this case has no seed, so that there is nothing to ask about; record one with `hostkin seed {} ADDRESS --why TEXT`",
            args.case.display()
        )));
    }
    let population = population(&case, &seeds, Some(term))?;
    let (weights, labels) = (Weights::builtin()?, Labels::builtin()?);
    let questions = Linkage::new(&population, &weights, &labels).ask(&seeds, &verdicts, args.most);
    let several = seeds.iter().any(|seed| seeds.iter().any(|other| other.provider != seed.provider));
    let mut out = Output::open(None)?;
    for (question, number) in questions.iter().zip(1_u32..) {
        if args.json {
            report::write_json_line(&mut out, question)?;
        } else {
            out.write_all(words(question, number, &args.case.display().to_string(), several).as_bytes())?;
        }
    }
    out.finish()?;
    if questions.is_empty() {
        term.say("no open question: no host is uncertain whose answer would move another");
    }
    Ok(Exit::Done)
}

fn words(one: &Question, number: u32, case: &str, several: bool) -> String {
    let mut out = String::new();
    let provider = escape_terminal(&one.provider);
    let _ = writeln!(out, "{number}. Is {} of \"{provider}\"? It stands at {}.", one.address, show_percent(one.score));
    let _ = writeln!(out, "   {}", escape_terminal(&one.words));
    for shared in &one.shared {
        let _ = writeln!(out, "   {} = {}", shared.agrees_at, escape_terminal(&show_cut(&shared.value, LONGEST)));
    }
    let named = if several { format!(" --provider \"{provider}\"") } else { String::new() };
    let _ = writeln!(
        out,
        "   look: hostkin why {case} {0}   answer: hostkin confirm|reject {case} {0} --why TEXT{named}\n",
        one.address
    );
    out
}
