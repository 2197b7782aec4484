//! Captures: CBOR under zstd, filed under the SHA-256 of the CBOR.

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};
use zstd::bulk::{Compressor, Decompressor};

use super::scope::digest;
use super::{Result, StoreError, int};
use crate::observation::Capture;

/// Quick, and a capture is half certificates that no level makes smaller.
const LEVEL: i32 = 1;

/// Most bytes a stored capture may say it has: a file from a stranger must not fill the memory.
const MOST: usize = 64 << 20;

/// Makes captures ready to store; keeps its working memory.
pub(super) struct Packer {
    compressor: Compressor<'static>,
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Packer")
    }
}

impl Packer {
    pub(super) fn new() -> Result<Self> {
        Ok(Self { compressor: Compressor::new(LEVEL).map_err(|error| StoreError::Database(error.into()))? })
    }

    fn pack(&mut self, cbor: &[u8]) -> Result<Vec<u8>> {
        self.compressor.compress(cbor).map_err(|error| StoreError::Database(error.into()))
    }
}

/// Stores captures within one transaction.
pub(super) struct Keep<'a> {
    insert: CachedStatement<'a>,
    select: CachedStatement<'a>,
}

impl<'a> Keep<'a> {
    pub(super) fn new(connection: &'a Connection) -> Result<Self> {
        let insert = "INSERT INTO captures (sha256, length, body) VALUES (?1, ?2, ?3) ON CONFLICT (sha256) DO NOTHING";
        Ok(Self {
            insert: connection.prepare_cached(insert)?,
            select: connection.prepare_cached("SELECT id FROM captures WHERE sha256 = ?1")?,
        })
    }

    /// The number and digest of a capture, which is stored when it is new.
    pub(super) fn id(
        &mut self,
        connection: &Connection,
        packer: &mut Packer,
        capture: &Capture,
    ) -> Result<(i64, [u8; 32])> {
        let cbor = capture.to_cbor();
        let sha256 = digest(&cbor);
        let length = int(u64::try_from(cbor.len()).unwrap_or(u64::MAX));
        let packed = packer.pack(&cbor)?;
        if self.insert.execute(params![&sha256[..], length, packed])? == 1 {
            return Ok((connection.last_insert_rowid(), sha256));
        }
        let id = self.select.query_row([&sha256[..]], |row| row.get(0))?;
        // It may have been erased since.
        let fill = "UPDATE captures SET body = ?2 WHERE id = ?1 AND length(body) = 0";
        connection.prepare_cached(fill)?.execute(params![id, packed])?;
        Ok((id, sha256))
    }

    /// The number of a capture as another case holds it. A new one is checked against its digest first: nobody may have
    /// another's bytes pass for what was heard.
    pub(super) fn take_over(
        &mut self,
        connection: &Connection,
        sha256: &[u8],
        length: i64,
        body: &[u8],
    ) -> Result<i64> {
        if let Some(id) = self.select.query_row([sha256], |row| row.get(0)).optional()? {
            return Ok(id);
        }
        unpack(sha256, length, body)?;
        self.insert.execute(params![sha256, length, body])?;
        Ok(connection.last_insert_rowid())
    }
}

/// Reads a stored capture back, checking that it is what its digest names.
pub(super) fn unpack(sha256: &[u8], length: i64, body: &[u8]) -> Result<Capture> {
    let wrong = |why: &str| StoreError::damaged(format!("capture {} {why}", super::scope::hex(sha256)));
    let length = usize::try_from(length).ok().filter(|length| *length <= MOST).ok_or_else(|| wrong("is too long"))?;
    let mut decompressor = Decompressor::new().map_err(|error| StoreError::Database(error.into()))?;
    let cbor = decompressor.decompress(body, length).map_err(|_| wrong("does not unpack to its length"))?;
    if digest(&cbor) != sha256 {
        return Err(wrong("holds other bytes than its digest names"));
    }
    Capture::from_cbor(&cbor).map_err(|error| wrong(&format!("is not a capture this program knows: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed() -> (Vec<u8>, [u8; 32], i64) {
        let cbor = Capture { asked_as: "192.0.2.1".repeat(50), ..Capture::default() }.to_cbor();
        (Packer::new().unwrap().pack(&cbor).unwrap(), digest(&cbor), i64::try_from(cbor.len()).unwrap())
    }

    #[test]
    fn a_capture_reads_back_as_it_was() {
        let (body, sha256, length) = packed();
        assert_eq!(unpack(&sha256, length, &body).unwrap().asked_as, "192.0.2.1".repeat(50));
    }

    #[test]
    fn one_wrong_bit_is_told() {
        let (body, sha256, length) = packed();
        for at in 0..body.len() {
            let mut bad = body.clone();
            bad[at] ^= 4;
            // Some header bits mean nothing to zstd; then the bytes are the right ones.
            if let Ok(capture) = unpack(&sha256, length, &bad) {
                assert_eq!(capture.asked_as, "192.0.2.1".repeat(50));
            }
        }
        assert!(unpack(&[0; 32], length, &body).unwrap_err().to_string().contains("other bytes"));
    }

    #[test]
    fn a_capture_longer_than_it_says_is_not_unpacked() {
        let (body, sha256, length) = packed();
        assert!(unpack(&sha256, length - 1, &body).is_err());
        assert!(unpack(&sha256, i64::MAX, &body).is_err());
        assert!(unpack(&sha256, -1, &body).is_err());
    }
}
