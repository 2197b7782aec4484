//! Time stamps as files: the question that goes out, and answers that are taken in or refused.

use hostkin::evidence::read_response;
use hostkin::seal::sha256;
use hostkin::store::Case;

use super::case::{clean, export, faults, folder, hostkin};

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[tag, 0x82][..], &length, &body].concat()
}

/// An answer as an authority gives it, without its signature.
fn answer(imprint: &[u8]) -> Vec<u8> {
    let oid = |bytes: &[u8]| der(0x06, &[bytes]);
    let sha256_oid = oid(&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01]);
    let imprint = der(0x30, &[&der(0x30, &[&sha256_oid, &[5, 0]]), &der(0x04, &[imprint])]);
    let time = der(0x18, &[b"20261122130000.5Z"]);
    let info = der(0x30, &[&[2, 1, 1], &oid(&[0x2a, 0x03]), &imprint, &[2, 1, 0x2a], &time]);
    let tst = oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04]);
    let content = der(0x30, &[&tst, &der(0xa0, &[&der(0x04, &[&info])])]);
    let signed = der(0x30, &[&[2, 1, 3], &der(0x31, &[]), &content, &der(0x31, &[])]);
    let token = der(0x30, &[&oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02]), &der(0xa0, &[&signed])]);
    der(0x30, &[&der(0x30, &[&[2, 1, 0]]), &token])
}

#[test]
fn a_time_stamp_is_asked_for_taken_in_and_checked() {
    let (folder, path) = folder(1);
    let (_, line) = Case::open_read_only(&path).unwrap().last_line().unwrap();
    let imprint = sha256(line.as_bytes());
    assert!(hostkin(folder.path(), &["export", "x.case", "timestamp-request", "-o", "h.tsq"]).status.success());
    let question = std::fs::read(folder.path().join("h.tsq")).unwrap();
    assert_eq!(question[question.len() - 35..question.len() - 3], imprint);
    std::fs::write(folder.path().join("h.tsr"), answer(&imprint)).unwrap();
    let said = hostkin(folder.path(), &["import", "x.case", "timestamp", "h.tsr"]);
    let said = String::from_utf8(said.stderr).unwrap();
    assert!(said.contains("existed at 2026-11-22T13:00:00.5Z"), "{said}");
    let report = clean(&path);
    assert_eq!((report.stamps, report.signed_upto), (1, report.records));
    assert!(report.notes.concat().contains("by this answer an authority stamped record"), "{:?}", report.notes);
    let bundle = folder.path().join("b.tar");
    export(&path, None, &bundle);
    assert_eq!(clean(&bundle).stamps, 1);
    // The line bears the machine's time, this answer always the same.
    let apart = report.notes.iter().any(|note| note.contains("after the authority stamped it"));
    assert_eq!(apart, line_is_younger(&line), "{:?}", report.notes);
    let raw = rusqlite::Connection::open(&path).unwrap();
    raw.execute("UPDATE stamps SET response = ?1", [answer(&[9; 32])]).unwrap();
    drop(raw);
    assert!(faults(&path).contains("time stamp of record"));
}

fn line_is_younger(line: &str) -> bool {
    let at = hostkin::seal::RecordLine::parse(line).unwrap().at;
    at.as_str() > "2026-11-22T13:01:00.5Z"
}

#[test]
fn an_answer_to_another_question_is_refused() {
    let (folder, path) = folder(1);
    for (name, bytes) in [("other", answer(&[9; 32])), ("none", b"<html>".to_vec()), ("empty", Vec::new())] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        let refused = hostkin(folder.path(), &["import", "x.case", "timestamp", name]);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    }
    assert_eq!(clean(&path).stamps, 0);
}

#[test]
fn any_bytes_are_an_answer_or_an_error() {
    let whole = answer(&[9; 32]);
    assert!(read_response(&whole).is_ok());
    for at in 0..whole.len() {
        assert!(read_response(&whole[..at]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut odd = whole.clone();
            odd[at] ^= 1 << bit;
            let _ = read_response(&odd);
        }
    }
}
