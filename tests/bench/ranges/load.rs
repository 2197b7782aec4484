//! Files of the data folder as what is known.

use std::io::Cursor;
use std::path::PathBuf;

use hostkin::range::read::{How, read};
use hostkin::range::{Dataset, Held, HeldBuilder};
use jiff::civil::Date;

use crate::Fault;

/// A file, or text in its place.
pub(crate) enum Source {
    /// A file.
    File(PathBuf),
    /// Text.
    Text(String),
}

/// Reads a file as a dataset of `day`; what is whole of a cut file counts.
pub(crate) fn held(source: Source, day: Date, how: &How, id: i64) -> Result<Held, Fault> {
    let mut builder = HeldBuilder::default();
    let mut taker = |fact| {
        builder.add(fact);
        Ok(())
    };
    let reading = match source {
        Source::File(path) => {
            let file =
                std::fs::File::open(&path).map_err(|error| format!("cannot open {}: {error}", path.display()))?;
            read(file, &path.to_string_lossy(), how, &mut taker)?
        }
        Source::Text(text) => read(Cursor::new(text.into_bytes()), "table", how, &mut taker)?,
    };
    Ok(builder.finish(Dataset {
        id,
        format: reading.format,
        name: reading.name,
        source: String::new(),
        date: day,
        sha256: reading.sha256,
        bytes: reading.bytes,
        licence: String::new(),
        counts: reading.counts,
        whole: true,
        warnings: reading.remarks,
    }))
}
