//! Who may name whom: drawn, the house has no circle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each module with the modules it may name after `crate::`.
const MAY_USE: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("observation", &["clock"]),
    ("facet", &["clock"]),
    ("finding", &["clock", "facet"]),
    ("range", &["clock", "observation", "facet"]),
    ("scope", &["clock", "observation"]),
    ("target", &["observation", "scope"]),
    ("proto", &["observation", "facet", "clock"]),
    ("net", &["observation", "proto", "scope", "clock"]),
    ("discover", &["observation", "scope", "target", "net", "clock", "proto"]),
    ("probe", &["scope", "target", "net", "proto", "observation", "clock", "facet"]),
    ("seal", &[]),
    ("store", &["observation", "facet", "finding", "clock", "proto", "seal"]),
    ("evidence", &["clock", "observation", "facet", "finding", "proto", "seal", "store"]),
    ("scan", &["observation", "scope", "target", "net", "discover", "probe", "proto", "store", "clock", "facet"]),
    ("link", &["observation", "facet", "finding", "clock"]),
    ("report", &["facet", "finding", "observation", "clock", "link", "store", "range"]),
    ("lab", &["observation", "clock"]),
];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            into.push(path);
        }
    }
}

/// The top-level module that a file belongs to.
fn module_of(root: &Path, file: &Path) -> String {
    let inside = file.strip_prefix(root).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// Modules named after `crate::` in code, comments and doc links left out; `crate::{a, b}` counts each.
fn named(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let list = rest.strip_prefix('{').map_or(rest, |inner| inner.split('}').next().unwrap());
            let many = rest.starts_with('{');
            for item in list.split(',').take(if many { usize::MAX } else { 1 }) {
                let word: String = item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if !word.is_empty() {
                    found.insert(word);
                }
            }
        }
    }
    found
}

#[test]
fn modules_name_only_what_stands_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut wrong = Vec::new();
    let mut edges = 0;
    for file in &files {
        let module = module_of(&root, file);
        if ["main", "lib", "cli"].contains(&module.as_str()) {
            continue;
        }
        let may = allowed.get(module.as_str()).unwrap_or_else(|| panic!("`{module}` is not in MAY_USE"));
        let text = fs::read_to_string(file).unwrap();
        for other in named(&text) {
            edges += 1;
            if other != module && !may.contains(&other.as_str()) {
                wrong.push(format!("{}: `{module}` names `{other}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(edges > 50, "only {edges} names found: does the test still see the code?");
}

#[test]
fn the_table_itself_has_no_circle() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut placed: BTreeSet<&str> = BTreeSet::new();
    while placed.len() < allowed.len() {
        let next =
            allowed.iter().find(|(name, may)| !placed.contains(*name) && may.iter().all(|one| placed.contains(one)));
        let (name, _) =
            next.unwrap_or_else(|| panic!("a circle among {:?}", allowed.keys().filter(|n| !placed.contains(*n))));
        placed.insert(name);
    }
}

/// The lint sees methods; this sees the words, in every source file, so that a door cannot hide behind a macro.
#[test]
fn there_is_one_door() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let doors = [".connect(", "TcpStream::connect", "UdpSocket", "Socket::new", "lookup_host", "to_socket_addrs"];
    let raw = ["libc::socket", "libc::connect", "libc::send", "libc::write", "SynLine::open", "Sender::"];
    let mut found = Vec::new();
    let mut found_raw = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            let name = || file.strip_prefix(&root).unwrap().display().to_string();
            if doors.iter().any(|door| line.contains(door)) {
                found.push(name());
            }
            if raw.iter().any(|word| line.contains(word)) {
                found_raw.push(name());
            }
        }
    }
    found.dedup();
    assert_eq!(found, ["net/dial.rs"], "connections are opened in net/dial.rs alone");
    found_raw.sort();
    found_raw.dedup();
    assert_eq!(
        found_raw,
        ["discover/syn.rs", "net/raw.rs", "net/syn.rs"],
        "packets are written in net/raw.rs, sent by net/syn.rs with a permit, and asked for by discover/syn.rs alone"
    );
}
