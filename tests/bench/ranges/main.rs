//! Figures of the range finder.
//!
//!     cargo run --release --example ranges -- forecast FOLDER [--fit|--known]
//!     cargo run --release --example ranges -- siblings FOLDER
//!     cargo run --release --example ranges -- score FOLDER
//!     cargo run --release --example ranges -- ties FOLDER
//!     cargo run --release --example ranges -- behaviour
//!     cargo run --release --example ranges -- rib FOLDER
//!
//! FOLDER holds `denylists/`, `bgp/` and `labelled/` with the files that the modules name; Spamhaus's lists cannot be redistributed, so
//! they are not in this repository.

#![expect(
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a program of its own that prints figures"
)]

use std::path::PathBuf;

mod behaviour;
mod forecast;
mod known;
mod labelled;
mod load;
mod rib;
mod siblings;

type Fault = Box<dyn std::error::Error>;

fn main() -> Result<(), Fault> {
    let mut args = std::env::args().skip(1);
    let (what, folder) = (args.next().unwrap_or_default(), args.next().map(PathBuf::from));
    match (what.as_str(), folder, args.next().as_deref()) {
        ("forecast", Some(folder), None) => forecast::run(&folder),
        ("forecast", Some(folder), Some("--fit")) => forecast::fit(&folder),
        ("forecast", Some(folder), Some("--known")) => known::run(&folder),
        ("score", Some(folder), None) => labelled::score(&folder),
        ("ties", Some(folder), None) => labelled::ties(&folder),
        ("siblings", Some(folder), None) => siblings::run(&folder),
        ("rib", Some(folder), None) => rib::run(&folder),
        ("behaviour", None, None) => {
            behaviour::run();
            Ok(())
        }
        _ => Err(
            "usage: ranges forecast FOLDER [--fit|--known] | siblings FOLDER | score FOLDER | ties FOLDER | rib FOLDER | behaviour"
                .into(),
        ),
    }
}
