//! JSON documents, streamed: nothing is kept but what a reader asks for, and no single text grows past a megabyte.

use std::fmt;
use std::io::{self, BufRead, Read};
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::{Place, ReadError};

/// Most bytes without a quotation mark, and so of one text.
const MOST_UNQUOTED: usize = 1 << 20;
/// The largest public document, `PeeringDB`'s dump, has some 250 MB.
const MOST_DOCUMENT: u64 = 2 << 30;

/// Bounds one document.
struct Guarded<'a> {
    input: &'a mut dyn BufRead,
    since_quote: usize,
    bytes: u64,
}

impl Read for Guarded<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(into)?;
        let part = into.get(..count).unwrap_or_default();
        self.bytes += count as u64;
        // The longest stretch inside one buffer is shorter than the bound, so its ends are enough to look at.
        match (part.iter().position(|byte| *byte == b'"'), part.iter().rposition(|byte| *byte == b'"')) {
            (Some(first), Some(last)) if self.since_quote + first <= MOST_UNQUOTED => self.since_quote = count - last,
            (None, _) if self.since_quote + count <= MOST_UNQUOTED => self.since_quote += count,
            _ => return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a text of more than a megabyte")),
        }
        if self.bytes > MOST_DOCUMENT {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a JSON document of more than 2 GiB"));
        }
        Ok(count)
    }
}

/// Runs `seed` over the one document that the input holds.
fn document<'a, S: for<'de> DeserializeSeed<'de, Value = ()>>(
    input: &'a mut dyn BufRead,
    seed: S,
) -> Result<(), ReadError> {
    let guarded = Guarded { input, since_quote: 0, bytes: 0 };
    let mut deserializer = serde_json::Deserializer::from_reader(io::BufReader::with_capacity(1 << 15, guarded));
    let result = seed.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    result.map_err(|error| {
        let place = Place::Line(u64::try_from(error.line()).unwrap_or(u64::MAX).max(1));
        if error.is_eof() {
            return ReadError::broken(place, "the JSON document ends here in the middle: the file is cut");
        }
        match error.io_error_kind() {
            Some(io::ErrorKind::FileTooLarge) => ReadError::broken(place, error.to_string()),
            Some(kind) => ReadError::from_io(kind.into(), place),
            None => ReadError::broken(place, format!("this is not the JSON that was expected: {error}")),
        }
    })
}

/// What a caller's function refused with, carried past the parser, which only knows its own errors.
type Stopped = Option<ReadError>;

/// Gives `each` every text and whole number of the document with the key it stands under (through arrays, the key of the
/// array).
pub(super) fn each_text(
    input: &mut dyn BufRead,
    mut each: impl FnMut(&str, &str) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let mut stopped: Stopped = None;
    let result = document(input, Walk { key: "", each: &mut each, stopped: &mut stopped });
    stopped.map_or(result, Err)
}

struct Walk<'a, F> {
    key: &'a str,
    each: &'a mut F,
    stopped: &'a mut Stopped,
}

impl<F: FnMut(&str, &str) -> Result<(), ReadError>> Walk<'_, F> {
    fn tell<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        (self.each)(self.key, text).map_err(|error| {
            *self.stopped = Some(error);
            E::custom("stopped")
        })
    }
}

impl<'de, F: FnMut(&str, &str) -> Result<(), ReadError>> DeserializeSeed<'de> for Walk<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&str, &str) -> Result<(), ReadError>> Visitor<'de> for Walk<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<(), E> {
        self.tell(&number.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        self.tell(&number.to_string())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.tell(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq
            .next_element_seed(Walk { key: self.key, each: &mut *self.each, stopped: &mut *self.stopped })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            map.next_value_seed(Walk { key: &key, each: &mut *self.each, stopped: &mut *self.stopped })?;
        }
        Ok(())
    }
}

/// Gives `each` every element of every array of the document, with the nearest key that is not `data`.
pub(super) fn each_item<T: for<'de> Deserialize<'de>>(
    input: &mut dyn BufRead,
    mut each: impl FnMut(&str, T) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let mut stopped: Stopped = None;
    let result = document(input, Items { key: "", each: &mut each, stopped: &mut stopped, of: PhantomData });
    stopped.map_or(result, Err)
}

struct Items<'a, T, F> {
    key: &'a str,
    each: &'a mut F,
    stopped: &'a mut Stopped,
    of: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>, F: FnMut(&str, T) -> Result<(), ReadError>> DeserializeSeed<'de> for Items<'_, T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(&str, T) -> Result<(), ReadError>> Visitor<'de> for Items<'_, T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array of objects")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(item) = seq.next_element::<T>()? {
            if let Err(error) = (self.each)(self.key, item) {
                *self.stopped = Some(error);
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "meta" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let key = if key == "data" { self.key } else { &key };
            let inner = Items::<T, F> { key, each: &mut *self.each, stopped: &mut *self.stopped, of: PhantomData };
            map.next_value_seed(inner)?;
        }
        Ok(())
    }
}
