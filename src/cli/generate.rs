//! `generate`: the manual page and completions.

use std::io::Write as _;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::args::{Args, Generate};
use super::exit::{Exit, Stop};
use super::term::Output;

pub(super) fn run(generate: &Generate) -> Result<Exit, Stop> {
    let mut out = Output::open(None)?;
    match generate {
        Generate::Man => out.write_all(&manual()?)?,
        Generate::Completions { shell } => {
            let mut bytes = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "hostkin", &mut bytes);
            out.write_all(&bytes)?;
        }
    }
    out.finish()?;
    Ok(Exit::Done)
}

/// One page with every verb, so that it refers to no page that is not there.
fn manual() -> std::io::Result<Vec<u8>> {
    let command = Args::command().disable_help_subcommand(true);
    let main = Man::new(command.clone());
    let mut page = Vec::new();
    main.render_title(&mut page)?;
    main.render_name_section(&mut page)?;
    main.render_synopsis_section(&mut page)?;
    main.render_description_section(&mut page)?;
    main.render_options_section(&mut page)?;
    for verb in command.get_subcommands() {
        section(&mut page, verb, "hostkin")?;
    }
    main.render_extra_section(&mut page)?;
    main.render_version_section(&mut page)?;
    Ok(page)
}

/// A verb as a section of the page; its own sections become subsections. A verb of verbs is told by these.
fn section(page: &mut Vec<u8>, verb: &Command, above: &str) -> std::io::Result<()> {
    let name = format!("{above} {}", verb.get_name());
    if verb.has_subcommands() {
        return verb.get_subcommands().try_for_each(|one| section(page, one, &name));
    }
    let man = Man::new(verb.clone().bin_name(name.clone()).disable_help_flag(true));
    let mut text = Vec::new();
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    if verb.get_arguments().next().is_some() {
        man.render_options_section(&mut text)?;
    }
    if verb.get_after_help().is_some() || verb.get_after_long_help().is_some() {
        man.render_extra_section(&mut text)?;
    }
    writeln!(page, ".SH \"{}\"", name.to_uppercase())?;
    for line in String::from_utf8_lossy(&text).lines() {
        match line.strip_prefix(".SH ") {
            Some(head) => writeln!(page, ".SS {head}")?,
            // Each part sets this up for itself; once is enough.
            None if line.starts_with(".ie ") || line.starts_with(".el ") => {}
            None => writeln!(page, "{line}")?,
        }
    }
    Ok(())
}
