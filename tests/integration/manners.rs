//! Manners that outlast a process: few hosts half done at any moment, limits per host across parts of a run, one scan of a
//! case at a time.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::ground::{Desk, Street, far_side, page, scope, until};

#[test]
fn hosts_begun_are_finished_before_new_ones_are_begun() {
    let streets: Vec<Street> = (0..4).map(|place| Street::new(move |at| page(&format!("{place} {at}")))).collect();
    let ports: Vec<u16> = streets.iter().map(|street| street.port).collect();
    let desk = Desk::with_case(&scope(&[("\"127.92.0.0/24\"".into(), format!("http = {ports:?}"))], ""));
    let mut child = desk.start(&["scan", "x.case", "--rate", "80", "--favicon", "off"], "said.txt");
    let connections = || streets.iter().map(Street::connections).map(u64::from).sum::<u64>();
    until("a hundred connections", || connections() >= 100);
    // What is done is committed within a few tenths of a second.
    std::thread::sleep(Duration::from_millis(600));
    child.kill().unwrap();
    child.wait().unwrap();
    let (sent, done) = (connections(), desk.hosts_done());
    assert!(done >= 20, "{sent} connections, and only {done} hosts are done");
    let run = desk.last_run().unwrap();
    assert!(run.counters.connections >= 90, "{} of {sent} connections are on record", run.counters.connections);
}

#[test]
fn the_limit_of_a_host_holds_for_all_parts_of_a_run() {
    let heard = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&heard);
    // Closing at once settles each of JARM's ten hellos, so a whole scan would take more than the limit.
    let at = far_side(Ipv4Addr::new(127, 92, 2, 1), move |stream| {
        counter.fetch_add(1, Ordering::SeqCst);
        drop(stream.shutdown(std::net::Shutdown::Both));
    });
    let limits = "[limits]\nper_host_connections = 7\nper_host_per_second = 4";
    let desk = Desk::with_case(&scope(&[(format!("\"{}\"", at.ip()), format!("tls = [{}]", at.port()))], limits));
    for part in 1..=3 {
        let mut child = desk.start(&["scan", "x.case"], "said.txt");
        until("two more connections", || {
            heard.load(Ordering::SeqCst) >= 2 * part || child.try_wait().unwrap().is_some()
        });
        std::thread::sleep(Duration::from_millis(400));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!(desk.case().runs().unwrap().len(), 1, "all parts are one run");
    let heard = heard.load(Ordering::SeqCst);
    assert!(heard <= 7, "{heard} connections to a host that may get 7");
    assert!(heard >= 5, "only {heard} connections: the parts do not add up");
}

#[test]
fn a_case_is_scanned_by_one_process_at_a_time() {
    let street = Street::new(|at| page(&at.to_string()));
    let desk = Desk::with_case(&scope(&[("\"127.92.3.0/25\"".into(), format!("http = [{}]", street.port))], ""));
    let mut first = desk.start(&["scan", "x.case", "--rate", "40", "--favicon", "off"], "said.txt");
    until("something is committed", || desk.hosts_done() > 0);
    let second = desk.hostkin(&["scan", "x.case", "--favicon", "off"]);
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.err.contains("another hostkin is scanning"), "{}", second.err);
    desk.hostkin(&["info", "x.case"]).done();
    first.kill().unwrap();
    first.wait().unwrap();
    desk.hostkin(&["scan", "x.case", "--favicon", "off"]).done();
}

#[test]
fn a_summary_replaces_no_other_file() {
    let street = Street::new(|at| page(&at.to_string()));
    let desk = Desk::with_case(&scope(&[("\"127.92.4.1\"".into(), format!("http = [{}]", street.port))], ""));
    let text = std::fs::read_to_string(desk.path("scope.toml")).unwrap();
    let refused = desk.hostkin(&["scan", "x.case", "--summary", "scope.toml"]);
    assert_eq!((refused.code, street.connections()), (Some(2), 0), "{refused:?}");
    assert_eq!(std::fs::read_to_string(desk.path("scope.toml")).unwrap(), text);
    desk.hostkin(&["scan", "x.case", "--summary", "s.json"]).done();
    desk.hostkin(&["scan", "x.case", "--new", "--summary", "s.json"]).done();
}
