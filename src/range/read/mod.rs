//! Readers of public files: bytes in, [facts](super::Fact) out, one file for each form.
//!
//! Every file is hostile: it may be cut, damaged, endless, a bomb, or something else altogether. Lines are bounded, texts are
//! bounded, nothing is allocated on a file's word alone, and no byte makes a reader panic. A line or record that cannot be
//! read is told with its place and passed over; a flaw of the file as a whole (cut, damaged, another form) ends the reading,
//! and what was whole before it has been given out. Whether to keep that is the caller's choice.

mod abusech;
mod as2org;
mod as_names;
mod as_rel;
mod asn_drop;
mod cloud;
mod country;
mod datacenters;
mod delegated;
mod drop;
mod error;
mod input;
mod ip2asn;
mod ipasn;
mod json;
mod lines;
mod list_csv;
mod listed;
mod misp;
mod mrt;
mod netset;
mod out;
mod peeringdb;
mod pfx2as;
mod ptr;
mod ris_whois;
mod rpsl;
mod sniff;
mod text;

use std::collections::BTreeMap;
use std::io::Read;

use jiff::civil::Date;

pub use self::error::{Place, ReadError};
use self::input::Input;
use self::out::Out;
pub use self::out::Taker;
use super::dataset::Format;
use super::fact::{FactKind, Use};

/// How a file is to be read.
#[derive(Clone, Debug, Default)]
pub struct How {
    /// Its form; recognised where not given.
    pub format: Option<Format>,
    /// What the table or list is called; else as the file says, else the file's name without date and endings.
    pub name: Option<String>,
    /// What a list of ranges is of; without it a plain list is a deny list, and a published list is taken for what it says.
    pub used_for: Option<Use>,
}

/// What there is to say of a file after its facts have been given out.
#[derive(Debug)]
pub struct Reading {
    /// Its form.
    pub format: Format,
    /// The table or list it is a state of.
    pub name: String,
    /// The day it speaks of, by its content or else its name.
    pub date: Option<Date>,
    /// SHA-256 of the file as it lay on disk.
    pub sha256: [u8; 32],
    /// Its length there.
    pub bytes: u64,
    /// Facts of each kind.
    pub counts: BTreeMap<FactKind, u64>,
    /// Records (MRT) or objects (RPSL) met, whole ones.
    pub records: u64,
    /// Lines or records that could not be read.
    pub lost: u64,
    /// False when it is a part of what it stands for.
    pub whole: bool,
    /// Remarks, the first ones word by word with their places.
    pub remarks: Vec<String>,
    /// Why the reading ended early, if it did: never [`ReadError::Taker`].
    pub flaw: Option<ReadError>,
}

impl Reading {
    /// Facts in all.
    #[must_use]
    pub fn facts(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// Reads a file, giving each fact to `taker` as it comes. `file_name` is only looked at for a date and a name.
///
/// # Errors
/// When the file cannot be read at all, its form is not recognised, or the taker refuses. A flaw met later stands in
/// [`Reading::flaw`].
pub fn read(
    file: impl Read + 'static,
    file_name: &str,
    how: &How,
    taker: &mut Taker<'_>,
) -> Result<Reading, ReadError> {
    let stem = text::stem(file_name);
    let mut input = Input::new(file)?;
    let format = match how.format {
        Some(format) => format,
        None => sniff::form(input.look()?, &stem).map_err(ReadError::Form)?,
    };
    let name = how.name.clone().unwrap_or(stem);
    let mut out = Out::new(taker, name, how.name.is_some(), how.used_for);
    let result = read_as(format, &mut input, &mut out).and_then(|()| sound(format, &out));
    let flaw = match result {
        Ok(()) => None,
        Err(error @ (ReadError::Taker(_) | ReadError::Io(_))) => return Err(error),
        Err(flaw) => Some(flaw),
    };
    let (sha256, bytes) = input.digest()?;
    Ok(Reading {
        format,
        date: out.date.or_else(|| text::date_in_name(file_name.rsplit(['/', '\\']).next().unwrap_or(file_name))),
        sha256,
        bytes,
        records: out.records,
        lost: out.lost,
        whole: out.whole && flaw.is_none(),
        remarks: out.remarks(),
        flaw,
        counts: out.counts,
        name: out.name,
    })
}

fn read_as<R: Read + 'static>(format: Format, input: &mut Input<R>, out: &mut Out<'_>) -> Result<(), ReadError> {
    match format {
        Format::Pfx2as => pfx2as::read(input, out),
        Format::RisWhois => ris_whois::read(input, out),
        Format::Ip2asn => ip2asn::read(input, out),
        Format::Ipasn => ipasn::read(input, out),
        Format::Mrt => mrt::read(input, out),
        Format::AsRel => as_rel::read(input, out),
        Format::As2org => as2org::read(input, out),
        Format::Delegated => delegated::read(input, out),
        Format::CountryNets => country::read(input, out),
        Format::Rpsl => rpsl::read(input, out),
        Format::Peeringdb => peeringdb::read(input, out),
        Format::Drop => drop::read(input, out),
        Format::AsnDrop => asn_drop::read(input, out),
        Format::Netset => netset::read(input, out),
        Format::Abusech => abusech::read(input, out),
        Format::ListCsv => list_csv::read(input, out),
        Format::Misp => misp::read(input, out),
        Format::Cloud => cloud::read(input, out),
        Format::Datacenters => datacenters::read(input, out),
        Format::Ptr => ptr::read(input, out),
        Format::AsNames => {
            let json = input.look()?.trim_ascii_start().first().is_some_and(|byte| *byte == b'{');
            as_names::read(input, json, out)
        }
    }
}

/// Fewest lost lines from which on a file is doubted.
const DOUBTED_FROM: u64 = 20;

/// Whether what was read can be what the file was taken for.
fn sound(format: Format, out: &Out<'_>) -> Result<(), ReadError> {
    if out.facts() == 0 {
        let why = format!(
            "nothing in it could be read as `{format}`: an empty or broken file is not taken for \"nothing to say\""
        );
        return Err(ReadError::broken(Place::File, why));
    }
    if out.lost >= DOUBTED_FROM && out.lost > out.facts() {
        let why = format!(
            "{} lines or records could not be read as `{format}` and only {} facts were: is it of another form?",
            out.lost,
            out.facts()
        );
        return Err(ReadError::broken(Place::File, why));
    }
    Ok(())
}
