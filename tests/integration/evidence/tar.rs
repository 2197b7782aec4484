//! A bundle taken apart and put together again, as somebody would who wants to deceive: digests, counts and headers are made
//! to fit.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The files of a bundle, in their order.
#[derive(Clone)]
pub(super) struct Files(pub(super) Vec<(String, Vec<u8>)>);

impl Files {
    pub(super) fn open(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let mut at = 0;
        let mut files = Vec::new();
        while bytes[at] != 0 {
            let name = bytes[at..at + 100].split(|byte| *byte == 0).next().unwrap();
            let name = std::str::from_utf8(name).unwrap().strip_prefix("bundle/").unwrap().to_owned();
            let size = usize::from_str_radix(std::str::from_utf8(&bytes[at + 124..at + 135]).unwrap(), 8).unwrap();
            files.push((name, bytes[at + 512..at + 512 + size].to_vec()));
            at += 512 + size.div_ceil(512) * 512;
        }
        Self(files)
    }

    pub(super) fn get(&mut self, name: &str) -> &mut Vec<u8> {
        let found = self.0.iter_mut().find(|(one, _)| one == name || name.ends_with('/') && one.starts_with(name));
        &mut found.unwrap_or_else(|| panic!("no {name}")).1
    }

    pub(super) fn lines(&mut self, name: &str) -> Vec<String> {
        String::from_utf8(self.get(name).clone()).unwrap().lines().map(str::to_owned).collect()
    }

    pub(super) fn set_lines(&mut self, name: &str, lines: &[String]) {
        *self.get(name) = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>().into_bytes();
    }

    pub(super) fn manifest(&mut self, change: impl FnOnce(&mut Value)) {
        let mut manifest: Value = serde_json::from_slice(self.get("manifest.json")).unwrap();
        change(&mut manifest);
        *self.get("manifest.json") = (serde_json::to_string_pretty(&manifest).unwrap() + "\n").into_bytes();
    }

    /// Makes everything fit that needs no key, and writes the bundle.
    pub(super) fn write(mut self, path: &Path) {
        let lines = self.lines("records.jsonl");
        let leaves: usize = self
            .0
            .iter()
            .filter(|(name, _)| name.starts_with("observations/"))
            .map(|(_, bytes)| bytes.split(|byte| *byte == b'\n').count() - 1)
            .sum();
        let captures = self.0.iter().filter(|(name, _)| name.starts_with("captures/")).count();
        let results = self
            .0
            .iter()
            .find(|(name, _)| name == "results.jsonl")
            .map_or(0, |(_, bytes)| bytes.split(|byte| *byte == b'\n').count() - 1);
        self.manifest(|manifest| {
            manifest["records"] = lines.len().into();
            manifest["last_record_sha256"] = hex(&Sha256::digest(lines.last().unwrap())).into();
            manifest["leaves"] = leaves.into();
            manifest["observations"] = leaves.into();
            manifest["captures"] = captures.into();
            manifest["results"] = results.into();
        });
        self.0.retain(|(name, _)| name != "SHA256SUMS");
        let mut sums = String::new();
        for (name, bytes) in &self.0 {
            writeln!(sums, "{}  {name}", hex(&Sha256::digest(bytes))).unwrap();
        }
        self.0.push(("SHA256SUMS".to_owned(), sums.into_bytes()));
        self.write_as_it_is(path);
    }

    pub(super) fn write_as_it_is(&self, path: &Path) {
        let mut out = Vec::new();
        for (name, bytes) in &self.0 {
            out.extend(header(&format!("bundle/{name}"), bytes.len()));
            out.extend_from_slice(bytes);
            out.resize(out.len().next_multiple_of(512), 0);
        }
        out.extend([0; 1024]);
        std::fs::write(path, out).unwrap();
    }
}

pub(super) fn header(path: &str, size: usize) -> [u8; 512] {
    let mut header = [0; 512];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, path);
    put(100, "0000644\0");
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size:011o}\0"));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\0");
    put(263, "00");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

pub(super) fn hex(bytes: &[u8]) -> String {
    hostkin::seal::hex(bytes)
}
