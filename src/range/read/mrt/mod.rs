//! MRT routing tables and updates (RFC 6396, RFC 8050 for several paths of one peer, RFC 6397 ignored): `TABLE_DUMP`, `TABLE_DUMP_V2`
//! and `BGP4MP` with their forms for four-byte numbers.
//!
//! Out come origins, with the number of peers that saw each, and pairs of neighbours on the paths. Records are read one by
//! one; memory holds one record and the pairs. A record whose inside makes no sense is told and passed over, since its
//! length leads on to the next; where the file ends inside a record, all before it has been given.

mod attribute;
mod bytes;
mod neighbours;
mod table;
mod update;

use std::io::{BufRead, Read as _};

use self::bytes::{Bytes, Short};
use self::neighbours::Neighbours;
use self::table::Tables;
use self::update::Updates;
use super::error::{Place, ReadError};
use super::out::Out;
use super::text::date_of_seconds;

/// Longest record: 65,535 peers' entries would not fit, and no collector has a thousand of them.
const MOST_RECORD: u32 = 16 << 20;

/// What kinds of records tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    seconds: u32,
    kind: u16,
    subtype: u16,
    length: u32,
}

pub(super) fn read(input: &mut dyn BufRead, out: &mut Out<'_>) -> Result<(), ReadError> {
    let mut reader = Reader { input, at: 0, record: Vec::new() };
    let mut neighbours = Neighbours::default();
    let (mut tables, mut updates) = (Tables::default(), Updates::default());
    let result = records(&mut reader, &mut tables, &mut updates, &mut neighbours, out);
    // What was whole before a flaw is given too.
    if !matches!(result, Err(ReadError::Taker(_))) {
        tables.close(&mut neighbours, out)?;
        if out.facts() == 0 || updates.any() {
            out.whole = false;
        }
        updates.end(out)?;
        neighbours.end(out)?;
    }
    result
}

fn records(
    reader: &mut Reader<'_>,
    tables: &mut Tables,
    updates: &mut Updates,
    neighbours: &mut Neighbours,
    out: &mut Out<'_>,
) -> Result<(), ReadError> {
    while let Some((header, place)) = reader.next()? {
        let mut body = Bytes::new(&reader.record);
        if out.date.is_none() {
            out.speaks_of(date_of_seconds(i64::from(header.seconds)));
        }
        let read = match header.kind {
            12 => tables.old(header.subtype, &mut body, neighbours, out),
            13 => tables.new_form(header.subtype, &mut body, neighbours, out),
            16 => updates.message(header.subtype, &mut body, neighbours),
            // The same with microseconds in front.
            17 => {
                body.skip(4).map_err(Flaw::from).and_then(|()| updates.message(header.subtype, &mut body, neighbours))
            }
            11 | 32 | 33 | 48 | 49 | 5 => Ok(false),
            other => Err(Flaw::Record(format!("record type {other} is none of MRT's"))),
        };
        out.records += 1;
        match read {
            Ok(true) => {}
            Ok(false) => out.passed += 1,
            Err(Flaw::Record(why)) => out.lost(place, &format!("record {}: {why}", out.records)),
            Err(Flaw::End(error)) => return Err(error),
        }
    }
    Ok(())
}

/// Why a record was not read.
enum Flaw {
    /// Its inside makes no sense; the next one may.
    Record(String),
    /// Nothing more is read.
    End(ReadError),
}

impl From<Short> for Flaw {
    fn from(short: Short) -> Self {
        Self::Record(short.to_string())
    }
}

impl From<ReadError> for Flaw {
    fn from(error: ReadError) -> Self {
        Self::End(error)
    }
}

/// Cuts the content into records.
struct Reader<'a> {
    input: &'a mut dyn BufRead,
    at: u64,
    record: Vec<u8>,
}

impl Reader<'_> {
    /// The next record's header and place; its body stands in `record`.
    fn next(&mut self) -> Result<Option<(Header, Place)>, ReadError> {
        let place = Place::Byte(self.at);
        if self.take(12, place)? == 0 {
            return Ok(None);
        }
        let mut head = Bytes::new(&self.record);
        let header = (|| {
            Ok::<_, Short>(Header {
                seconds: head.u32()?,
                kind: head.u16()?,
                subtype: head.u16()?,
                length: head.u32()?,
            })
        })();
        let Ok(header) = header else {
            return Err(ReadError::broken(place, "the file ends here inside a record's header: it is cut"));
        };
        if header.length > MOST_RECORD {
            let why = format!("a record of {} bytes: the file is damaged here, or no MRT", header.length);
            return Err(ReadError::broken(place, why));
        }
        let have = self.take(header.length, place)?;
        if have < header.length as usize {
            let why = format!("the file ends inside this record, after {have} of {} bytes: it is cut", header.length);
            return Err(ReadError::broken(place, why));
        }
        Ok(Some((header, place)))
    }

    /// Reads up to `count` bytes into `record`; memory grows with what is there, not with what is promised.
    fn take(&mut self, count: u32, place: Place) -> Result<usize, ReadError> {
        self.record.clear();
        let read = (&mut *self.input).take(u64::from(count)).read_to_end(&mut self.record);
        self.at += self.record.len() as u64;
        match read {
            Ok(have) => Ok(have),
            Err(error) => Err(ReadError::from_io(error, place)),
        }
    }
}
