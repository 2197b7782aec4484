//! Scopes by the digest of their text: the written authorisation each run went by.

use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};

use super::{Case, Result, StoreError};

/// The scope a case was opened with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseScope {
    /// SHA-256 of the text.
    pub sha256: [u8; 32],
    /// Its title.
    pub title: String,
    /// Where the file was when the case was opened.
    pub path: Option<String>,
    /// The file's text, as read.
    pub text: String,
}

impl Case {
    /// The scope the case was opened with.
    ///
    /// # Errors
    /// `Damaged` when it is not there.
    pub fn scope(&self) -> Result<CaseScope> {
        let missing = || StoreError::damaged("its scope is missing");
        let sha256 = self.meta("scope_sha256")?.as_deref().and_then(unhex).ok_or_else(missing)?;
        let read = "SELECT text FROM scopes WHERE sha256 = ?1";
        let text: String =
            self.connection.query_row(read, [&sha256[..]], |row| row.get(0)).map_err(|error| match error {
                rusqlite::Error::QueryReturnedNoRows => missing(),
                other => other.into(),
            })?;
        if digest(text.as_bytes()) != sha256 {
            return Err(StoreError::damaged("its scope does not have the digest it is filed under"));
        }
        Ok(CaseScope {
            sha256,
            title: self.meta("scope_title")?.unwrap_or_default(),
            path: self.meta("scope_path")?,
            text,
        })
    }
}

/// Files `text` and gives its digest.
pub(super) fn keep(connection: &Connection, text: &str) -> Result<[u8; 32]> {
    let sha256 = digest(text.as_bytes());
    let insert = "INSERT INTO scopes (sha256, text) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    connection.execute(insert, params![&sha256[..], text])?;
    Ok(sha256)
}

/// SHA-256.
pub(super) fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len().saturating_mul(2)), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// 64 hex digits as a digest.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| (byte << 4) | digit)).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_from_its_hex_and_nothing_else_does() {
        let sha256 = digest(b"scope");
        assert_eq!(unhex(&hex(&sha256)), Some(sha256));
        for bad in ["", "zz", &hex(&sha256)[1..], &format!("{}0", hex(&sha256))] {
            assert_eq!(unhex(bad), None);
        }
    }
}
