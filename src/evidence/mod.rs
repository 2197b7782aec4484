//! Evidence that a stranger can check: signatures over the chain, bundles that need nothing beside them, verification, and
//! time stamps.
//!
//! In: a case, or a bundle made from one. Out: a bundle, or a [`Report`] that names everything that is not as it was sealed.
//! What is sealed, and how, stands in [`crate::seal`]; the case writes its own chain ([`crate::store`]). Nothing here sends,
//! and no private key is ever written into a case or a bundle.

mod archive;
mod bundle;
mod case;
mod chain;
mod contents;
mod layout;
mod observed;
mod report;
mod sign;
mod timestamp;
mod unbundle;

use std::path::PathBuf;

pub use bundle::{BundleCounts, write_bundle};
pub use case::verify_case;
pub use observed::Reread;
pub use report::{Fault, Report};
pub use sign::{Signer, fingerprint, fingerprint_of_file, key_path, public_pem};
pub use timestamp::{Stamp, import_stamp, read_response, request};
pub use unbundle::{is_bundle, results, verify_bundle};

use crate::store::StoreError;

/// Why something could not be signed, bundled or read. What a verification finds is a [`Fault`], not an error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The case could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be read or written.
    #[error("cannot use `{path}`")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Writing the bundle failed.
    #[error("cannot write the bundle")]
    Write(#[from] std::io::Error),
    /// A key file that is none.
    #[error(
        "`{path}` holds no Ed25519 key as PEM; make one with `openssl genpkey -algorithm ed25519`, or leave the choice to `hostkin new`"
    )]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// A private key that others can read.
    #[error("`{path}` can be read by others, so that its signatures prove nothing; run `chmod 600 {path}`")]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// Random numbers are not to be had.
    #[error("the system gives no random numbers, so that no key can be made")]
    Random,
    /// Neither a fingerprint nor a key file.
    #[error("`{text}` is neither the fingerprint of a signer (64 hex digits) nor a file with a public key")]
    Signer {
        /// As given.
        text: String,
    },
    /// The case's last records are not signed, although it has a key.
    #[error(
        "the last records of this case are not signed, and a bundle must end with a signature; run `hostkin sign CASE` where its key is, or name the key in HOSTKIN_KEY"
    )]
    Unsigned,
    /// A host that the case does not know.
    #[error("the case knows no host {ip}; `hostkin export CASE observations` lists them")]
    NoHost {
        /// As given.
        ip: String,
    },
    /// A text too long for a bundle.
    #[error("`{name}` is too large for a bundle; make one of chosen hosts with `--host`")]
    TooLarge {
        /// The file in the bundle.
        name: String,
    },
    /// No answer of a time-stamp authority.
    #[error("this is no usable answer of a time-stamp authority: {why}")]
    Stamp {
        /// What is wrong.
        why: String,
    },
}
