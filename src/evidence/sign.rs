//! Ed25519 signatures ([RFC 8032](https://www.rfc-editor.org/rfc/rfc8032)) over heads of the chain.
//!
//! The private key is a PKCS #8 file in PEM, as `openssl genpkey -algorithm ed25519` writes it, readable by its owner alone.
//! It stands beside the case, or where its owner says, and never inside.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde_json::json;

use super::EvidenceError;
use crate::clock::Timestamp;
use crate::seal::{hex, sha256, unhex};
use crate::store::{Action, Case};

/// What stands before the 32 bytes of a private key in PKCS #8 (RFC 8410 §7).
const PRIVATE: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// What stands before the 32 bytes of a public key in a `SubjectPublicKeyInfo` (RFC 8410 §4).
const PUBLIC: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// Longest key file read.
const MOST: u64 = 64 << 10;

/// A key that signs.
#[derive(Debug)]
pub struct Signer {
    pair: Ed25519KeyPair,
}

impl Signer {
    /// Makes a key and writes it to a new file that only its owner can read.
    ///
    /// # Errors
    /// When the file exists already or cannot be written.
    pub fn create(path: &Path) -> Result<Self, EvidenceError> {
        let mut seed = [0; 32];
        SystemRandom::new().fill(&mut seed).map_err(|_| EvidenceError::Random)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| EvidenceError::Random)?;
        let text = pem("PRIVATE KEY", &[&PRIVATE[..], &seed].concat());
        let io = |source| EvidenceError::Io { path: path.to_owned(), source };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
        Ok(Self { pair })
    }

    /// Reads a key.
    ///
    /// # Errors
    /// `Io`, `Exposed` when others can read the file, `Key` when it holds something else.
    pub fn load(path: &Path) -> Result<Self, EvidenceError> {
        let io = |source| EvidenceError::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io)?;
        let about = file.metadata().map_err(io)?;
        if about.permissions().mode() & 0o077 != 0 {
            return Err(EvidenceError::Exposed { path: path.to_owned() });
        }
        let key = || EvidenceError::Key { path: path.to_owned() };
        let der = unpem("PRIVATE KEY", &read(path)?).ok_or_else(key)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| key())?;
        Ok(Self { pair })
    }

    /// The public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.pair.public_key().as_ref().try_into().unwrap_or_default()
    }

    /// Makes this the case's key from here on: a record says so. Does nothing when it is that already.
    ///
    /// # Errors
    /// When the case cannot be written.
    pub fn introduce(&self, case: &mut Case, at: Timestamp, actor: &str) -> Result<(), EvidenceError> {
        let public_key = self.public_key();
        let records = case.records()?;
        let mine = hex(&public_key);
        let known = records.iter().rev().find(|record| record.action == Action::Key.as_str());
        if known.and_then(|record| record.body.get("public_key")).and_then(serde_json::Value::as_str) != Some(&*mine) {
            let body = json!({ "public_key": mine, "fingerprint": fingerprint(&public_key) });
            case.record(at, actor, Action::Key, "", &body)?;
        }
        Ok(())
    }

    /// Seals what waits and signs the chain as it stands. Does nothing when nothing happened since the last signature.
    ///
    /// # Errors
    /// When the case cannot be written.
    pub fn sign(&self, case: &mut Case, at: Timestamp, actor: &str) -> Result<bool, EvidenceError> {
        if case.is_signed()? {
            return Ok(false);
        }
        self.introduce(case, at, actor)?;
        case.sign_head(at, actor, &self.public_key(), |line| {
            self.pair.sign(line.as_bytes()).as_ref().try_into().unwrap_or([0; 64])
        })?;
        Ok(true)
    }
}

/// Where the key of a case stands unless its owner chose another place.
#[must_use]
pub fn key_path(case: &Path) -> PathBuf {
    let mut name = case.as_os_str().to_owned();
    name.push(".key");
    PathBuf::from(name)
}

/// True when the signature is this key's over `line`.
pub(super) fn is_signed_by(public_key: &[u8; 32], line: &str, signature: &[u8; 64]) -> bool {
    UnparsedPublicKey::new(&ED25519, public_key).verify(line.as_bytes(), signature).is_ok()
}

/// A signer's fingerprint: SHA-256 of the key's `SubjectPublicKeyInfo`, in hex. The same as
/// `openssl pkey -pubin -in FILE -outform der | sha256sum`.
#[must_use]
pub fn fingerprint(public_key: &[u8; 32]) -> String {
    hex(&sha256(&[&PUBLIC[..], public_key].concat()))
}

/// A public key as PEM.
#[must_use]
pub fn public_pem(public_key: &[u8; 32]) -> String {
    pem("PUBLIC KEY", &[&PUBLIC[..], public_key].concat())
}

/// A fingerprint as typed, or that of the public or private key in a file.
///
/// # Errors
/// `Signer` when it is neither.
pub fn fingerprint_of_file(text: &str) -> Result<String, EvidenceError> {
    let typed: String = text.chars().filter(|c| *c != ':').collect::<String>().to_ascii_lowercase();
    if unhex::<32>(&typed).is_some() {
        return Ok(typed);
    }
    let neither = || EvidenceError::Signer { text: text.to_owned() };
    let found = read(Path::new(text)).map_err(|_| neither())?;
    if let Some(der) = unpem("PUBLIC KEY", &found) {
        let key = der.strip_prefix(&PUBLIC[..]).and_then(|key| <[u8; 32]>::try_from(key).ok());
        return key.map(|key| fingerprint(&key)).ok_or_else(neither);
    }
    let der = unpem("PRIVATE KEY", &found).ok_or_else(neither)?;
    let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| neither())?;
    Ok(fingerprint(&Signer { pair }.public_key()))
}

fn read(path: &Path) -> Result<String, EvidenceError> {
    let io = |source| EvidenceError::Io { path: path.to_owned(), source };
    if fs::metadata(path).map_err(io)?.len() > MOST {
        return Err(EvidenceError::Key { path: path.to_owned() });
    }
    let bytes = fs::read(path).map_err(io)?;
    String::from_utf8(bytes).map_err(|_| EvidenceError::Key { path: path.to_owned() })
}

/// PEM of at most one line of base64 a row (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let rows: Vec<&str> = text.as_bytes().chunks(64).map(|row| std::str::from_utf8(row).unwrap_or_default()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", rows.join("\n"))
}

fn unpem(label: &str, text: &str) -> Option<Vec<u8>> {
    let (_, after) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (inside, _) = after.split_once(&format!("-----END {label}-----"))?;
    let inside: String = inside.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    BASE64_STANDARD.decode(inside).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        let made = Signer::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Signer::load(&path).unwrap().public_key(), made.public_key());
        assert!(Signer::create(&path).is_err(), "a key is never overwritten");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Signer::load(&path), Err(EvidenceError::Exposed { .. })));
    }

    #[test]
    fn the_key_that_openssl_writes_is_read() {
        // RFC 8410 §10.3 and §10.1.
        let private = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
        let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        let folder = tempfile::tempdir().unwrap();
        let (key, other) = (folder.path().join("k"), folder.path().join("p"));
        fs::write(&key, private).unwrap();
        fs::write(&other, public).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let signer = Signer::load(&key).unwrap();
        assert_eq!(public_pem(&signer.public_key()), public);
        let print = fingerprint(&signer.public_key());
        assert_eq!(fingerprint_of_file(other.to_str().unwrap()).unwrap(), print);
        assert_eq!(fingerprint_of_file(key.to_str().unwrap()).unwrap(), print);
        assert_eq!(fingerprint_of_file(&print.to_uppercase()).unwrap(), print);
        assert!(fingerprint_of_file("neither").is_err());
    }
}
