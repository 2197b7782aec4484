//! The `hostkin` program: parses the command line, runs it, and turns the result into an exit code.

use std::process::ExitCode;

use clap::Parser;
use hostkin::cli::{self, Args, Exit};

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version are asked for and go to standard output; anything else is wrong use.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = error.print();
            return exit.into();
        }
    };
    cli::run(args).into()
}
