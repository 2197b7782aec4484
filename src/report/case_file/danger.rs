//! The named dangers of a link: in how many hosts of a set each was found.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::DangerRow;
use crate::link::{Check, CheckVerdict};

/// The checks of each host of each provider's set.
pub type HostChecks = BTreeMap<(String, IpAddr), Vec<Check>>;

/// One row a danger, in the order of the checks, and the number of hosts looked at.
pub(super) fn rows(all: &HostChecks, cluster: &str) -> (Vec<DangerRow>, usize) {
    let mut rows: Vec<DangerRow> = Vec::new();
    let mut hosts = 0;
    for ((_, address), checks) in all.iter().filter(|((of, _), _)| of == cluster) {
        hosts += 1;
        for check in checks {
            let row = match rows.iter_mut().find(|row| row.danger == check.danger) {
                Some(row) => row,
                None => rows.push_mut(DangerRow {
                    danger: check.danger.clone(),
                    passed: 0,
                    failed: 0,
                    unknown: 0,
                    words: check.words.clone(),
                }),
            };
            match check.verdict {
                CheckVerdict::Passed => row.passed += 1,
                CheckVerdict::NotCheckable => row.unknown += 1,
                CheckVerdict::Failed => {
                    if row.failed == 0 {
                        row.words = format!("{address}: {}", check.words);
                    }
                    row.failed += 1;
                }
            }
        }
    }
    (rows, hosts)
}

/// The dangers whose marks one host shows.
pub(super) fn of_host(all: &HostChecks, cluster: &str, address: IpAddr) -> Vec<String> {
    let checks = all.get(&(cluster.to_owned(), address)).into_iter().flatten();
    let failed = checks.filter(|check| check.verdict == CheckVerdict::Failed);
    failed.map(|check| format!("{}: {}", check.danger, check.words)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(verdict: CheckVerdict, words: &str) -> Check {
        Check { name: "honeypot".to_owned(), danger: "honeypot".to_owned(), verdict, words: words.to_owned() }
    }

    #[test]
    fn hosts_are_counted_by_verdict_and_the_first_that_fails_speaks() {
        let host = |last: u8| ("p".to_owned(), IpAddr::from([192, 0, 2, last]));
        let all = HostChecks::from([
            (host(1), vec![check(CheckVerdict::Passed, "fine")]),
            (host(2), vec![check(CheckVerdict::Failed, "bait")]),
            (host(3), vec![check(CheckVerdict::Failed, "more bait")]),
            (("q".to_owned(), IpAddr::from([192, 0, 2, 4])), vec![check(CheckVerdict::Failed, "other's")]),
        ]);
        let (rows, hosts) = rows(&all, "p");
        assert_eq!((rows.len(), hosts), (1, 3));
        assert_eq!((rows[0].passed, rows[0].failed, rows[0].unknown), (1, 2, 0));
        assert_eq!(rows[0].words, "192.0.2.2: bait");
        assert_eq!(of_host(&all, "p", IpAddr::from([192, 0, 2, 3])), ["honeypot: more bait"]);
        assert!(of_host(&all, "p", IpAddr::from([192, 0, 2, 1])).is_empty());
    }
}
