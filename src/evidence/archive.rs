//! The archive of a bundle: a plain tar (POSIX ustar) in which nothing is left to chance, so that the same files always give
//! the same bytes, and one flipped byte is seen.
//!
//! Reading trusts nothing: names come from a fixed list of forms, sizes are checked against the file, nothing is unpacked to
//! disk, and a header must be exactly the one that would be written for its name and size.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Write};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::EvidenceError;
use super::report::Fault;
use crate::seal::{Digest, hex};

/// The folder that all files stand in.
pub(super) const FOLDER: &str = "bundle/";
/// A block of a tar.
const BLOCK: usize = 512;
const BLOCK_LONG: u64 = 512;
/// Largest text taken into memory.
pub(super) const MOST_TEXT: u64 = 512 << 20;

/// Writes an archive.
pub(super) struct Writer<W: Write> {
    out: W,
    sums: String,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, sums: String::new() }
    }

    /// Adds a file and its line in `SHA256SUMS`.
    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), EvidenceError> {
        let digest: Digest = Sha256::digest(bytes).into();
        self.sums.push_str(&sum_line(&digest, name));
        self.put(name, bytes)
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), EvidenceError> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let header = header(name, size).ok_or_else(|| EvidenceError::TooLarge { name: name.to_owned() })?;
        self.out.write_all(&header)?;
        self.out.write_all(bytes)?;
        let rest = bytes.len() % BLOCK;
        if rest > 0 {
            self.out.write_all(&vec![0; BLOCK - rest])?;
        }
        Ok(())
    }

    /// Ends the archive with `SHA256SUMS`.
    pub(super) fn finish(mut self) -> Result<(), EvidenceError> {
        let sums = std::mem::take(&mut self.sums);
        self.put("SHA256SUMS", sums.as_bytes())?;
        self.out.write_all(&[0; BLOCK * 2])?;
        self.out.flush()?;
        Ok(())
    }
}

/// A line as `sha256sum` writes and checks it.
pub(super) fn sum_line(digest: &Digest, name: &str) -> String {
    format!("{}  {name}\n", hex(digest))
}

/// The one header that a file of this name and size has; `None` when they do not fit one.
fn header(name: &str, size: u64) -> Option<[u8; BLOCK]> {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &str| -> Option<()> {
        header.get_mut(at..)?.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(())
    };
    let path = format!("{FOLDER}{name}");
    if path.len() > 100 || size > 0o777_7777_7777 {
        return None;
    }
    put(0, &path)?;
    put(100, "0000644\0")?;
    put(108, "0000000\0")?;
    put(116, "0000000\0")?;
    put(124, &format!("{size:011o}\0"))?;
    put(136, "00000000000\0")?;
    put(148, "        ")?;
    put(156, "0")?;
    put(257, "ustar\u{0}00")?;
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    let mut put = |at: usize, text: &str| -> Option<()> {
        header.get_mut(at..)?.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(())
    };
    put(148, &format!("{sum:06o}\0 "))?;
    Some(header)
}

/// A file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) sha256: Digest,
}

/// An archive that was looked through.
#[derive(Debug)]
pub(super) struct Archive {
    file: File,
    pub(super) entries: Vec<Entry>,
    /// Where its form ends to be that of an archive.
    pub(super) fault: Option<Fault>,
}

impl Archive {
    /// Reads every byte of the file once.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn open(path: &Path) -> Result<Self, EvidenceError> {
        let io = |source| EvidenceError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut walk = Walk { input: BufReader::with_capacity(1 << 20, file.try_clone().map_err(io)?), at: 0, length };
        let mut entries = Vec::new();
        let fault = loop {
            match walk.next().map_err(io)? {
                Step::File(entry) => entries.push(entry),
                Step::End => break None,
                Step::Broken(expected, found) => {
                    let after =
                        entries.last().map_or_else(String::new, |entry: &Entry| format!(", after {}", entry.name));
                    let place = format!("the archive at byte {}{after}", walk.at);
                    break Some(Fault { place, expected: expected.to_owned(), found });
                }
            }
        };
        Ok(Self { file, entries, fault })
    }

    /// The entry of this name.
    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The bytes of a file.
    pub(super) fn read(&self, entry: &Entry) -> io::Result<Vec<u8>> {
        let size = usize::try_from(entry.size).map_err(io::Error::other)?;
        let mut bytes = vec![0; size];
        self.file.read_exact_at(&mut bytes, entry.offset)?;
        Ok(bytes)
    }
}

enum Step {
    File(Entry),
    End,
    Broken(&'static str, String),
}

struct Walk {
    input: BufReader<File>,
    at: u64,
    length: u64,
}

impl Walk {
    fn next(&mut self) -> io::Result<Step> {
        let left = self.length - self.at;
        if left < BLOCK_LONG {
            return Ok(Step::Broken("another file, or the end of the archive", format!("{left} bytes")));
        }
        let mut block = [0; BLOCK];
        self.input.read_exact(&mut block)?;
        if block == [0; BLOCK] {
            return self.end(left);
        }
        let read = || -> Option<(&str, u64)> {
            let path = block.get(..100)?.split(|byte| *byte == 0).next()?;
            let name = std::str::from_utf8(path).ok()?.strip_prefix(FOLDER)?;
            let size = std::str::from_utf8(block.get(124..135)?).ok()?;
            let size = u64::from_str_radix(size, 8).ok()?;
            (header(name, size)? == block).then_some((name, size))
        };
        let Some((name, size)) = read() else {
            return Ok(Step::Broken("the header of a file", "other bytes".to_owned()));
        };
        let padded = size.div_ceil(BLOCK_LONG).saturating_mul(BLOCK_LONG);
        if padded > left - BLOCK_LONG {
            return Ok(Step::Broken("a file that fits the archive", format!("`{name}` of {size} bytes, cut off")));
        }
        let name = name.to_owned();
        let offset = self.at + BLOCK_LONG;
        let sha256 = self.digest(size)?;
        let mut padding = vec![0; usize::try_from(padded - size).unwrap_or(0)];
        self.input.read_exact(&mut padding)?;
        if padding.iter().any(|byte| *byte != 0) {
            self.at = offset + size;
            return Ok(Step::Broken("zeros up to the next file", "other bytes".to_owned()));
        }
        self.at = offset + padded;
        Ok(Step::File(Entry { name, offset, size, sha256 }))
    }

    fn digest(&mut self, size: u64) -> io::Result<Digest> {
        let mut digest = Sha256::new();
        let mut block = vec![0; 1 << 16];
        let mut left = size;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
            let part = block.get_mut(..most).unwrap_or_default();
            self.input.read_exact(part)?;
            digest.update(&*part);
            left -= u64::try_from(most).unwrap_or(left);
        }
        Ok(digest.finalize().into())
    }

    /// Exactly two blocks of zeros, and then nothing.
    fn end(&mut self, left: u64) -> io::Result<Step> {
        let mut block = [0; BLOCK];
        let two = left == BLOCK_LONG * 2 && {
            self.input.read_exact(&mut block)?;
            block == [0; BLOCK]
        };
        if two {
            Ok(Step::End)
        } else {
            Ok(Step::Broken("the end of the archive", "more, less or other bytes".to_owned()))
        }
    }
}
