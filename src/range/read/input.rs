//! A file, decompressed as it is read, with its digest; bombs are refused.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use sha2::{Digest as _, Sha256};

use super::error::{Place, ReadError};

/// Bytes looked at to recognise a form.
pub(super) const LOOK: usize = 1 << 16;
/// From this much content on, its relation to the compressed size is watched.
const WATCHED_FROM: u64 = 64 << 20;
/// Registry dumps shrink to a tenth, routing tables to a twentieth; a bomb to a thousandth and less.
const MOST_FOLD: u64 = 250;
/// No file of public data is larger than this when decompressed.
const MOST_CONTENT: u64 = 64 << 30;

/// The file as it lies on disk: what was read of it so far.
struct Raw<R> {
    file: R,
    digest: Sha256,
    bytes: u64,
}

impl<R: Read> Read for Raw<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.digest.update(into.get(..count).unwrap_or_default());
        self.bytes += count as u64;
        Ok(count)
    }
}

/// Shared between the decompressor, which reads, and the end, which needs the digest.
struct Shared<R>(Rc<RefCell<Raw<R>>>);

impl<R: Read> Read for Shared<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(into)
    }
}

/// The content of a file.
pub(super) struct Input<R> {
    content: BufReader<Box<dyn Read>>,
    raw: Rc<RefCell<Raw<R>>>,
}

impl<R: Read + 'static> Input<R> {
    /// Looks at the first bytes and decompresses gzip, bzip2 and zstd.
    pub(super) fn new(file: R) -> Result<Self, ReadError> {
        let raw = Rc::new(RefCell::new(Raw { file, digest: Sha256::new(), bytes: 0 }));
        let mut start = BufReader::with_capacity(1 << 16, Shared(Rc::clone(&raw)));
        let magic = start.fill_buf().map_err(ReadError::Io)?;
        let content: Box<dyn Read> = match magic {
            [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(start)),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Box::new(MultiBzDecoder::new(start)),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::with_buffer(start).map_err(ReadError::Io)?),
            _ => Box::new(start),
        };
        let watched = Watched { content, raw: Rc::clone(&raw), bytes: 0, flaw: None };
        Ok(Self { content: BufReader::with_capacity(LOOK, Box::new(watched)), raw })
    }

    /// The first bytes of the content, at most [`LOOK`], without consuming them.
    pub(super) fn look(&mut self) -> Result<&[u8], ReadError> {
        self.content.fill_buf().map_err(|error| ReadError::from_io(error, Place::Byte(0)))
    }

    /// Reads the rest of the file for its digest; gives SHA-256 and length of what lay on disk.
    pub(super) fn digest(self) -> Result<([u8; 32], u64), ReadError> {
        drop(self.content);
        let mut raw = self.raw.borrow_mut();
        let mut block = vec![0; 1 << 16];
        while raw.read(&mut block).map_err(ReadError::Io)? > 0 {}
        Ok((raw.digest.clone().finalize().into(), raw.bytes))
    }
}

impl<R> Read for Input<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.content.read(into)
    }
}

impl<R> BufRead for Input<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.content.fill_buf()
    }

    fn consume(&mut self, count: usize) {
        self.content.consume(count);
    }
}

/// Counts what comes out of the decompressor against what went in.
struct Watched<R> {
    content: Box<dyn Read>,
    raw: Rc<RefCell<Raw<R>>>,
    bytes: u64,
    /// What the decompressor failed with.
    flaw: Option<io::Error>,
}

impl<R> Read for Watched<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // A whole buffer, so that the form is judged by more than a decompressor's first few bytes.
        let mut have = 0;
        while have < into.len() && self.flaw.is_none() {
            match self.content.read(into.get_mut(have..).unwrap_or_default()) {
                Ok(0) => break,
                Ok(count) => have += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // What came before the damage is given out first.
                Err(error) => {
                    self.flaw = Some(error);
                    break;
                }
            }
        }
        if have == 0
            && let Some(flaw) = self.flaw.take()
        {
            // Said again, should somebody ask again: some decompressors take damage for the end the second time.
            self.flaw = Some(io::Error::new(flaw.kind(), flaw.to_string()));
            return Err(flaw);
        }
        self.bytes += have as u64;
        let read = self.raw.borrow().bytes.max(1);
        if self.bytes > WATCHED_FROM && self.bytes / read > MOST_FOLD {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("they expand more than {MOST_FOLD}-fold, which no such file does: a bomb"),
            ));
        }
        if self.bytes > MOST_CONTENT {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "more than 64 GiB of content"));
        }
        Ok(have)
    }
}
