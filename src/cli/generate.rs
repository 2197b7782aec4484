//! `generate`: the manual page and completions.

use clap::CommandFactory;

use super::args::{Args, Generate};
use super::exit::{Exit, Stop};
use super::term::Output;

pub(super) fn run(generate: &Generate) -> Result<Exit, Stop> {
    let mut out = Output::open(None)?;
    match generate {
        Generate::Man => clap_mangen::Man::new(Args::command()).render(&mut out)?,
        Generate::Completions { shell } => {
            let mut bytes = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "hostkin", &mut bytes);
            std::io::Write::write_all(&mut out, &bytes)?;
        }
    }
    out.finish()?;
    Ok(Exit::Done)
}
