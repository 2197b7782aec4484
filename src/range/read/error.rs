//! Why a file was not read, or not to its end.

use std::error::Error;
use std::fmt;
use std::io;

/// Where in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line, from 1.
    Line(u64),
    /// A byte of the content (after decompression), from 0.
    Byte(u64),
    /// The file as a whole.
    File,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}: "),
            Self::Byte(byte) => write!(f, "byte {byte} of the content: "),
            Self::File => Ok(()),
        }
    }
}

/// Why reading ended early. What came before was given out whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The operating system said no.
    #[error("the file cannot be read")]
    Io(#[source] io::Error),
    /// The file is cut, damaged or not what it was taken for.
    #[error("{place}{why}")]
    Broken {
        /// From where on nothing was read.
        place: Place,
        /// What is wrong there.
        why: String,
    },
    /// The form was not recognised.
    #[error("{0}")]
    Form(String),
    /// Whoever takes the facts refused.
    #[error(transparent)]
    Taker(Box<dyn Error + Send + Sync>),
}

impl ReadError {
    /// A flaw of the file itself.
    pub(super) fn broken(place: Place, why: impl Into<String>) -> Self {
        Self::Broken { place, why: why.into() }
    }

    /// A failed read: damage found by a decompressor is a flaw of the file, all else is not.
    pub(super) fn from_io(error: io::Error, place: Place) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                Self::broken(place, "the compressed data end here in the middle: the file is cut")
            }
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
                Self::broken(place, format!("the compressed data are damaged ({error})"))
            }
            _ => Self::Io(error),
        }
    }
}
