//! Whatever is changed in a bundle or in a case is found, and named.

use std::fs::OpenOptions;
use std::net::IpAddr;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::case::{checked, clean, export, faults, folder, hostkin, small};
use super::tar::{Files, header};

/// Bytes flipped of a bundle of one host, drawn with [`SEED`]. `TAMPER=all` in the environment flips every one, in some minutes.
const DRAWN: usize = 2_000;
/// Where the draw starts, the same each time.
const SEED: u64 = 6;

#[test]
fn a_flipped_byte_is_found_wherever_it_is() {
    let (folder, bundle) = small();
    let bytes = std::fs::read(bundle).unwrap();
    let mut files = Vec::new();
    let mut at = 0;
    for (name, body) in &Files::open(bundle).0 {
        files.push((at + 512, at + 512 + body.len(), name.clone()));
        at += 512 + body.len().next_multiple_of(512);
    }
    let path = folder.path().join("flipped.tar");
    std::fs::write(&path, &bytes).unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let all = std::env::var_os("TAMPER").is_some_and(|word| word == "all");
    let mut places: Vec<usize> =
        if all { (0..bytes.len()).collect() } else { drawn(bytes.len()).take(DRAWN).collect() };
    // The last byte of each file and of the archive, where what is cut off would begin.
    places.extend(files.iter().map(|(_, last, _)| last - 1).chain([bytes.len() - 1]));
    let mut tried = 0;
    for at in places {
        let bit = 1 << (tried % 8);
        file.write_all_at(&[bytes[at] ^ bit], at as u64).unwrap();
        let found = faults(&path);
        let inside = files.iter().find(|(first, last, _)| (*first..*last).contains(&at));
        match inside {
            Some((_, _, name)) => assert!(found.contains(name), "byte {at} of {name}: {found}"),
            None => assert!(found.contains("the archive at byte"), "byte {at}: {found}"),
        }
        file.write_all_at(&[bytes[at]], at as u64).unwrap();
        tried += 1;
    }
    assert!(tried > DRAWN, "{tried} bytes");
    clean(&path);
}

/// Places below `end`, in the order of `SplitMix64` (Steele, Lea and Flood 2014).
fn drawn(end: usize) -> impl Iterator<Item = usize> {
    let mut state = SEED;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % end as u64).unwrap()
    })
}

#[test]
fn a_bundle_cut_short_or_made_longer_is_no_bundle() {
    let (folder, bundle) = small();
    let bytes = std::fs::read(bundle).unwrap();
    let path = folder.path().join("cut.tar");
    for length in (0..bytes.len()).step_by(997).chain([bytes.len() - 512, bytes.len() - 1]) {
        std::fs::write(&path, &bytes[..length]).unwrap();
        assert!(faults(&path).contains("the archive at byte"), "{length} bytes");
    }
    std::fs::write(&path, [&bytes[..], &[0]].concat()).unwrap();
    assert!(faults(&path).contains("the end of the archive"));
}

/// Changes the lines of a file, makes everything fit that needs no key, and gives what is found.
fn forged(name: &str, change: impl FnOnce(&mut Vec<String>)) -> String {
    let (folder, bundle) = small();
    let mut files = Files::open(bundle);
    let mut lines = files.lines(name);
    change(&mut lines);
    files.set_lines(name, &lines);
    let path = folder.path().join(format!("forged-{:?}.tar", std::thread::current().id()));
    files.write(&path);
    faults(&path)
}

#[test]
fn each_record_dropped_doubled_or_swapped_is_named() {
    let count = Files::open(&small().1).lines("records.jsonl").len();
    assert!(count >= 9, "{count} records");
    for at in 0..count {
        let place = at + 1;
        // The last is missed by what is signed: the end is cut off.
        let found = forged_records(|lines| drop(lines.remove(at)));
        let last = place == count;
        assert!(
            found.contains(&if last { "a signature at the end".into() } else { format!("record {place}") }),
            "{found}"
        );
        let found = forged_records(|lines| lines.insert(at, lines[at].clone()));
        assert!(
            found.contains(&format!("record {}: expected record {} in its place", place + 1, place + 1)),
            "{found}"
        );
        if !last {
            let found = forged_records(|lines| lines.swap(at, at + 1));
            assert!(found.contains(&format!("record {place}: expected record {place} in its place")), "{found}");
        }
    }
}

/// Records with their details, as a deceiver moves them.
fn forged_records(mut change: impl FnMut(&mut Vec<String>)) -> String {
    let (folder, bundle) = small();
    let mut files = Files::open(bundle);
    for name in ["records.jsonl", "details.jsonl"] {
        let mut lines = files.lines(name);
        change(&mut lines);
        files.set_lines(name, &lines);
    }
    let path = folder.path().join("records.tar");
    files.write(&path);
    faults(&path)
}

#[test]
fn a_changed_record_is_named_though_all_digests_are_made_to_fit() {
    let found = forged("records.jsonl", |lines| lines[3] = lines[3].replace("tester", "another"));
    assert!(found.contains("record 4: expected digest"), "{found}");
    // The last one, which no other names: its signature does not fit.
    let found = forged("records.jsonl", |lines| {
        let last = lines.last_mut().unwrap();
        *last = last.replace("tester", "another");
    });
    assert!(found.contains("(head), its signature: expected one by"), "{found}");
    let found = forged("details.jsonl", |lines| lines[3] = lines[3].replace("told by the register", "made up"));
    assert!(found.contains("record 4 (seed), what was said"), "{found}");
    let found = forged("details.jsonl", |lines| lines[3] = "null".to_owned());
    assert!(found.contains("record 4, its details: expected a text"), "{found}");
    let found = forged("signatures.jsonl", |lines| drop(lines.pop()));
    assert!(found.contains("(head): expected a signature, found none"), "{found}");
}

#[test]
fn a_changed_dropped_doubled_or_swapped_observation_is_named() {
    let name = "observations/";
    let found = forged(name, |lines| lines[1] = lines[1].replace("\"port\":22", "\"port\":23"));
    assert!(found.contains("observation 2 (192.0.2.0 port 23 tls, run 1): expected hash"), "{found}");
    let found = forged(name, |lines| lines[0] = lines[0].replace("SSH-2.0-OpenSSH", "SSH-2.0-OpenSSX"));
    assert!(found.contains("observation 1 (192.0.2.0 port 22 ssh, run 1), what was read"), "{found}");
    let found = forged(name, |lines| drop(lines.remove(0)));
    assert!(found.contains("leaf 1: expected leaf 1 in its place, found leaf 2"), "{found}");
    let found = forged(name, |lines| drop(lines.pop()));
    assert!(found.contains("leaves 3 to 2") || found.contains("leaves 2 to 2"), "{found}");
    let found = forged(name, |lines| lines.push(lines[1].clone()));
    assert!(found.contains("found leaf 2"), "{found}");
    let found = forged(name, |lines| lines.swap(0, 1));
    assert!(found.contains("leaf 1: expected leaf 1 in its place"), "{found}");
    // Hash, text and reading all made to fit each other: the root says it.
    let found = forged(name, |lines| {
        let mut line: Value = serde_json::from_str(&lines[1]).unwrap();
        line["observation"]["port"] = 23.into();
        let text = line["observation"].to_string();
        line["hash"] = super::tar::hex(&hostkin::seal::leaf_hash(text.as_bytes())).into();
        lines[1] = line.to_string();
    });
    assert!(found.contains("(sealed), the root over leaves 1 to 2"), "{found}");
}

#[test]
fn a_reading_that_the_bytes_do_not_give_is_named() {
    // As a dishonest investigator would: sealed, chained and signed like everything else.
    let (folder, path) = folder(1);
    let raw = rusqlite::Connection::open(&path).unwrap();
    let id: i64 =
        raw.query_row("SELECT id FROM facet_values WHERE kind = 'ssh.hassh_server'", [], |row| row.get(0)).unwrap();
    raw.execute("UPDATE facet_values SET value = CAST('0123' AS BLOB) WHERE id = ?1", [id]).unwrap();
    // The reading is sealed anew, with the leaf and the root, as if it had been so from the start.
    let found = faults(&path);
    assert!(found.contains("port 22 ssh, run 1), what was read"), "{found}");
    drop(raw);
    let mut case = hostkin::store::Case::open(&path).unwrap();
    let mut reading = None;
    case.observations::<hostkin::store::StoreError>(
        &hostkin::store::ObservationFilter { captures: true, ..Default::default() },
        |one| {
            if one.protocol == "ssh" {
                let seen = one.to_observation().unwrap();
                let mut read = hostkin::probe::read(seen.service.speech, &seen.capture);
                read.facets.retain(|facet| facet.kind != hostkin::facet::FacetKind::SshHasshServer);
                read.facets.push(hostkin::facet::Facet::new(hostkin::facet::FacetKind::SshHasshServer, "0123"));
                reading = Some((one.id, read));
            }
            Ok(())
        },
    )
    .unwrap();
    let (id, reading) = reading.unwrap();
    case.set_reading(id, &reading).unwrap();
    drop(case);
    assert!(hostkin(folder.path(), &["sign", "x.case"]).status.success());
    let found = faults(&path);
    assert!(found.contains("derived again from what was heard: expected") && found.contains("0123"), "{found}");
    assert_eq!(found.lines().count(), 1, "{found}");
}

#[test]
fn what_was_read_cannot_be_left_out_with_the_bytes_it_was_read_from() {
    let (folder, bundle) = small();
    let (_other, part) = part();
    for bundle in [bundle, &part] {
        let path = folder.path().join("unread.tar");
        let mut files = Files::open(bundle);
        let mut lines = files.lines("observations/");
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        let leaf = &line["leaf"];
        let capture = format!("captures/{}.cbor.zst", line["observation"]["capture_sha256"].as_str().unwrap());
        // The texts that are hashed keep the order of their keys.
        lines[0] = {
            let (before, after) = lines[0].split_once(",\"reading\":").unwrap();
            let (_, path) = after.rsplit_once(",\"path\":").unwrap();
            format!("{before},\"reading\":null,\"path\":{path}")
        };
        files.set_lines("observations/", &lines);
        let needed = lines.iter().skip(1).any(|line| line.contains(&capture["captures/".len()..][..64]));
        if !needed {
            files.0.retain(|(name, _)| *name != capture);
        }
        files.write(&path);
        let found = faults(&path);
        assert!(found.contains(&format!("leaf {leaf}, what was read: expected its text")), "{found}");
    }
}

#[test]
fn a_bundle_cut_back_to_an_earlier_signature_is_whole_and_a_digest_noted_elsewhere_tells() {
    let (folder, bundle) = small();
    let path = folder.path().join("older.tar");
    let mut files = Files::open(bundle);
    let records = files.lines("records.jsonl");
    let last = super::tar::hex(&hostkin::seal::sha256(records.last().unwrap().as_bytes()));
    let head = records.iter().position(|line| line.contains("\"action\":\"head\"")).unwrap() + 1;
    assert!(head < records.len());
    for (name, keep) in [("records.jsonl", head), ("details.jsonl", head), ("signatures.jsonl", 1)] {
        let lines = files.lines(name);
        files.set_lines(name, &lines[..keep]);
    }
    files.0.retain(|(name, _)| !["observations/", "captures/", "results"].iter().any(|gone| name.starts_with(gone)));
    files.write(&path);
    clean(&path);
    let said = hostkin(folder.path(), &["verify", "older.tar", "--contains", &last]);
    assert_eq!(said.status.code(), Some(1));
    assert!(String::from_utf8(said.stdout).unwrap().contains("WRONG  the chain"));
}

#[test]
fn captures_dropped_changed_swapped_or_added_are_named() {
    let (folder, bundle) = small();
    let files = Files::open(bundle);
    let path = folder.path().join("captures.tar");
    let captures: Vec<usize> = (0..files.0.len()).filter(|at| files.0[*at].0.starts_with("captures/")).collect();
    assert_eq!(captures.len(), 2);
    let mut one = files.clone();
    one.0.remove(captures[0]);
    one.write(&path);
    assert!(faults(&path).contains("what was heard: expected bytes with digest"));
    let mut one = files.clone();
    let (first, second) = (one.0[captures[0]].1.clone(), one.0[captures[1]].1.clone());
    one.0[captures[0]].1 = second;
    one.0[captures[1]].1 = first;
    one.write(&path);
    assert_eq!(faults(&path).matches("what was heard: expected digest").count(), 2);
    let mut one = files.clone();
    one.0.push((format!("captures/{}.cbor.zst", "0".repeat(64)), b"more".to_vec()));
    one.write(&path);
    assert!(faults(&path).contains("an observation that refers to it, found none"));
    // A proof that does not hold: the signature inside the bytes is another.
    let mut one = files.clone();
    for at in captures {
        let cbor = zstd::decode_all(&one.0[at].1[..]).unwrap();
        let mut capture = hostkin::observation::Capture::from_cbor(&cbor).unwrap();
        if let Some(proof) = capture.exchanges[0].session.as_mut().and_then(|session| session.proof.as_mut()) {
            proof.signature[5] ^= 1;
            one.0[at].1 = zstd::bulk::compress(&capture.to_cbor(), 1).unwrap();
        }
    }
    one.write(&path);
    assert!(faults(&path).contains("port 22 tls, run 1), what was heard"));
}

#[test]
fn results_scopes_and_what_does_not_belong_are_named() {
    let found = forged("results.jsonl", |lines| lines[0] = lines[0].replace("\"score\":0.5", "\"score\":0.9"));
    assert!(found.contains("the results of record") && found.contains("(link): expected root"), "{found}");
    let found = forged("results.jsonl", |lines| drop(lines.pop()));
    assert!(found.contains("(link): expected root"), "{found}");
    let (folder, bundle) = small();
    let path = folder.path().join("others.tar");
    let files = Files::open(bundle);
    let mut one = files.clone();
    one.get("scopes/").extend(b"# more is allowed\n");
    one.write(&path);
    assert!(faults(&path).contains("scope "));
    let mut one = files.clone();
    one.get("signers/").extend(b"\n");
    one.write(&path);
    assert!(faults(&path).contains("file signers/"));
    let mut one = files.clone();
    one.get("README.txt").extend(b"Believe me.\n");
    one.write(&path);
    assert!(faults(&path).contains("file README.txt"));
    let mut one = files.clone();
    one.0.insert(1, ("run-me.sh".to_owned(), b"echo".to_vec()));
    one.write(&path);
    assert!(faults(&path).contains("file run-me.sh: expected nothing of this name"));
    let mut one = files;
    let twice = one.0[1].clone();
    one.0.insert(2, twice);
    one.write(&path);
    assert!(faults(&path).contains("file records.jsonl: expected it once, found it twice"));
}

#[test]
fn an_archive_made_to_harm_does_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.tar");
    let put = |bytes: Vec<u8>| {
        std::fs::write(&path, bytes).unwrap();
        faults(&path)
    };
    // Longer than the file; out of its folder; a size that is none.
    assert!(put([&header("bundle/records.jsonl", 0o7_777_777_777)[..], &[0; 1024]].concat()).contains("cut off"));
    for name in ["bundle/../../etc/passwd", "/etc/passwd", "bundle/", "bundle/captures/../x"] {
        let found = put([&header(name, 0)[..], &[0; 1024]].concat());
        assert!(found.contains("the archive at byte") || found.contains("nothing of this name"), "{name}: {found}");
    }
    let mut odd = header("bundle/records.jsonl", 4);
    odd[124..135].copy_from_slice(b"-0000000001");
    assert!(put([&odd[..], &[0; 1024]].concat()).contains("the header of a file"));
    // A capture that says it unpacks to 4 GB.
    let (_, bundle) = small();
    let mut files = Files::open(bundle);
    let name = files.0.iter().position(|(name, _)| name.starts_with("captures/")).unwrap();
    files.0[name].1 = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa4, 0xff, 0xff, 0xff, 0xff, 0x01, 0, 0];
    files.write(&path);
    let found = faults(&path);
    assert!(found.contains("more than a capture has"), "{found}");
}

/// Changes a case behind its back.
fn behind(change: &str) -> String {
    let (_folder, path) = folder(2);
    let raw = rusqlite::Connection::open(&path).unwrap();
    let triggers: Vec<String> = {
        let mut statement = raw.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    for trigger in triggers {
        raw.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
    }
    raw.execute_batch(&format!("PRAGMA foreign_keys = OFF; {change}")).unwrap();
    drop(raw);
    faults(&path)
}

#[test]
fn a_case_changed_behind_its_back_is_found_out() {
    for (change, expected) in [
        ("UPDATE records SET actor = 'x' WHERE seq = 4", "record 4, its actor: expected \"tester\", found \"x\""),
        ("UPDATE records SET body = '{}' WHERE seq = 4", "record 4 (seed), what was said"),
        ("UPDATE records SET at_ms = 5 WHERE seq = 4", "record 4, its time"),
        ("DELETE FROM records WHERE seq = 4", "record 4: expected the record itself"),
        ("DELETE FROM chain WHERE seq = 4", "record 4: expected a line in the chain"),
        (
            "DELETE FROM signatures WHERE seq = 4; DELETE FROM chain WHERE seq = 4; DELETE FROM records WHERE seq = 4",
            "record 4: expected record 4 in its place, found record 5",
        ),
        ("INSERT INTO records VALUES (99, 1, 'x', 'note', '', '{}')", "expected record"),
        ("UPDATE chain SET line = replace(line, 'tester', 'x') WHERE seq = 4", "record 4: expected digest"),
        ("UPDATE chain SET salt = NULL WHERE seq = 4", "record 4, its details: expected a text"),
        (
            "UPDATE observations SET outcome = 'refused' WHERE id = 1",
            "observation 1 (192.0.2.0 port 22 ssh, run 1), what was read",
        ),
        (
            "UPDATE observations SET started_at_ms = 5 WHERE id = 1",
            "observation 1 (192.0.2.0 port 22 ssh, run 1): expected hash",
        ),
        ("UPDATE hosts SET address = x'04c0000209' WHERE id = 1", "observation 1 (192.0.2.9"),
        ("DELETE FROM observations WHERE id = 1", "leaf 1: expected an observation, found none"),
        ("DELETE FROM facets WHERE observation = 1 AND place = 1", "what was read"),
        ("UPDATE facet_values SET value = x'00' WHERE kind = 'ssh.banner'", "what was read"),
        (
            "INSERT INTO observations SELECT 99, run, host, 23, protocol, over_tls, name, outcome, detail, started_at_ms, connections, bytes_sent, bytes_heard, timed_out, capture FROM observations WHERE id = 1",
            "row 99 (192.0.2.0 port 23 ssh): expected a seal",
        ),
        (
            "UPDATE captures SET body = (SELECT body FROM captures WHERE id = 2) WHERE id = 1",
            "what was heard: expected digest",
        ),
        ("UPDATE captures SET body = x'' WHERE id = 1", "what was heard: expected bytes with digest"),
        ("DELETE FROM leaves WHERE number = 2", "leaf 2: expected leaf 2 in its place, found leaf 3"),
        ("UPDATE leaves SET hash = zeroblob(32) WHERE number = 2", "(sealed), the root over leaves"),
        ("UPDATE links SET score = 0.99 WHERE id = 1", "the results of record"),
        ("DELETE FROM links; DELETE FROM clusters; DELETE FROM findings", "the results of record"),
        ("UPDATE findings SET background = background + 1000", "(link), its background: expected"),
        ("UPDATE scopes SET text = text || '#'", "scope "),
        ("UPDATE signatures SET signature = zeroblob(64)", "its signature: expected one by"),
    ] {
        let found = behind(change);
        assert!(found.contains(expected), "{change}: {found}");
    }
}

/// The bundle of one host of three.
fn part() -> (tempfile::TempDir, PathBuf) {
    let (folder, path) = folder(3);
    let bundle = folder.path().join("part.tar");
    export(&path, Some(&[IpAddr::from([192, 0, 2, 1])]), &bundle);
    (folder, bundle)
}

#[test]
fn a_bundle_of_chosen_hosts_verifies_and_tells_nothing_of_the_others() {
    let (folder, bundle) = part();
    let report = clean(&bundle);
    assert_eq!((report.observations, report.withheld, report.results), (2, 4, 2));
    let files = Files::open(&bundle);
    // A row of results says in whose name and why: its seed and its reasons stay with it.
    for (name, bytes) in files.0.iter().filter(|(name, _)| name != "results.jsonl") {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains("192.0.2.2\"") && !text.contains("192.0.2.0\""), "{name} names another host");
    }
    let notes = report.notes.join("\n");
    assert!(notes.contains("Nothing shows that none of them is of the same host"), "{notes}");
    assert!(notes.contains("records that do not show what they say: 1 "), "{notes}");
    let unknown = hostkin(folder.path(), &["export", "x.case", "bundle", "--host", "203.0.113.1", "-o", "u.tar"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(!folder.path().join("u.tar").exists());
}

#[test]
fn a_part_cannot_keep_to_itself_what_speaks_of_no_host() {
    let (folder, bundle) = part();
    let path = folder.path().join("silent.tar");
    let mut files = Files::open(&bundle);
    let at = files.lines("records.jsonl").iter().position(|line| line.contains("\"action\":\"scan_started\"")).unwrap();
    let mut details = files.lines("details.jsonl");
    details[at] = "null".to_owned();
    files.set_lines("details.jsonl", &details);
    files.write(&path);
    let found = faults(&path);
    assert!(found.contains("its details: expected a text with digest"), "{found}");
}

#[test]
fn a_forged_part_is_found_by_its_path() {
    let (folder, bundle) = part();
    let path = folder.path().join("forged.tar");
    let change = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut files = Files::open(&bundle);
        let mut lines = files.lines(name);
        let mut line: Value = serde_json::from_str(&lines[0]).unwrap();
        change(&mut line);
        lines[0] = line.to_string();
        files.set_lines(name, &lines);
        files.write(&path);
        faults(&path)
    };
    let found = change("observations/", &|line| {
        line["observation"]["port"] = 23.into();
        let text = line["observation"].to_string();
        line["hash"] = super::tar::hex(&hostkin::seal::leaf_hash(text.as_bytes())).into();
    });
    assert!(found.contains("leaf 3, its path: expected root"), "{found}");
    let found = change("observations/", &|line| line["leaf"] = 4.into());
    assert!(found.contains("its path"), "{found}");
    let found = change("observations/", &|line| line["path"] = Value::Null);
    assert!(found.contains("no way to it"), "{found}");
    let found = change("results.jsonl", &|line| line["row"]["score"] = 0.9.into());
    assert!(found.contains("file results.jsonl, line 1: expected root"), "{found}");
    // Said to be of another host than it is.
    let mut files = Files::open(&bundle);
    files.manifest(|manifest| manifest["hosts"] = serde_json::json!(["192.0.2.7"]));
    files.write(&path);
    assert!(faults(&path).contains("a host of manifest.json"), "{:?}", checked(Path::new(&path)).faults);
}
