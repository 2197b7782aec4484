//! What became of reports: sent, acknowledged, refused, ignored, host gone. Later reports cite it, and it says how long the
//! provider's hosts outlive a report.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::clock::Timestamp;

/// What happened to a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// A person sent it.
    Sent,
    /// The recipient said that it arrived, or that something will be done.
    Acknowledged,
    /// The recipient said that nothing will be done.
    Refused,
    /// No answer in the time that was given.
    Ignored,
    /// The host no longer answers, or is in other hands.
    HostGone,
}

impl Event {
    /// All, in their usual order.
    pub const ALL: [Self; 5] = [Self::Sent, Self::Acknowledged, Self::Refused, Self::Ignored, Self::HostGone];

    /// The stable word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Acknowledged => "acknowledged",
            Self::Refused => "refused",
            Self::Ignored => "ignored",
            Self::HostGone => "host-gone",
        }
    }
}

/// A report that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its id.
    pub id: String,
    /// Who it is for.
    pub to: String,
    /// The hosts it names.
    pub hosts: Vec<IpAddr>,
}

/// One line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// The report's id.
    pub report: String,
    /// What.
    pub event: Event,
    /// When.
    pub on: Timestamp,
    /// The host it is about; all of the report where none is named.
    pub host: Option<IpAddr>,
    /// In the investigator's words.
    pub note: Option<String>,
}

/// Reports and what became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Every report written.
    pub written: Vec<Written>,
    /// What happened, oldest first.
    pub happened: Vec<Happened>,
}

/// How long hosts live on after they were reported.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Longevity {
    /// Hosts in reports that were sent.
    pub reported: usize,
    /// Of these, gone.
    pub gone: usize,
    /// Days after which half are gone (Kaplan and Meier 1958, which counts hosts still there for as long as they were watched);
    /// `None` while more than half live on.
    pub median_days: Option<i64>,
    /// Longest that a host still there has been watched since its report, in days.
    pub longest_days: i64,
}

impl Log {
    /// What happened to one report, oldest first.
    pub fn of<'a>(&'a self, report: &'a str) -> impl Iterator<Item = &'a Happened> {
        self.happened.iter().filter(move |one| one.report == report)
    }

    /// Reports that were sent and that name one of these hosts.
    pub fn sent_about<'a>(&'a self, hosts: &'a BTreeSet<IpAddr>) -> impl Iterator<Item = (&'a Written, Timestamp)> {
        let named = self.written.iter().filter(|one| one.hosts.iter().any(|host| hosts.contains(host)));
        named.filter_map(|one| Some((one, self.of(&one.id).find(|line| line.event == Event::Sent)?.on)))
    }

    /// One line on a report that was sent, for the next one.
    #[must_use]
    pub fn cite(&self, report: &Written, sent: Timestamp) -> String {
        let after: Vec<String> = self
            .of(&report.id)
            .filter(|line| line.event != Event::Sent)
            .map(|line| {
                let host = line.host.map(|host| format!(" ({host})")).unwrap_or_default();
                format!("{}{host} on {}", line.event.as_str(), line.on.strftime("%Y-%m-%d"))
            })
            .collect();
        let after = if after.is_empty() { "no answer on record".to_owned() } else { after.join(", ") };
        let short: String = report.id.chars().take(8).collect();
        format!("{short}, sent {} to {}, {} hosts: {after}", sent.strftime("%Y-%m-%d"), report.to, report.hosts.len())
    }

    /// How long hosts lived on after their first report, watched until `until`.
    #[must_use]
    pub fn longevity(&self, until: Timestamp) -> Longevity {
        let mut first = BTreeMap::<IpAddr, Timestamp>::new();
        let mut gone = BTreeMap::<IpAddr, Timestamp>::new();
        for report in &self.written {
            for line in self.of(&report.id) {
                let into = match line.event {
                    Event::Sent => &mut first,
                    Event::HostGone => &mut gone,
                    _ => continue,
                };
                for host in report.hosts.iter().filter(|host| line.host.is_none_or(|only| only == **host)) {
                    let at = into.entry(*host).or_insert(line.on);
                    *at = line.on.min(*at);
                }
            }
        }
        let days = |from: Timestamp, to: Timestamp| to.duration_since(from).as_hours().max(0) / 24;
        let mut lives: Vec<(i64, bool)> = first
            .iter()
            .map(|(host, from)| gone.get(host).map_or((days(*from, until), false), |end| (days(*from, *end), true)))
            .collect();
        // At one age those that went come before those only watched so long.
        lives.sort_by_key(|(age, ended)| (*age, !ended));
        let mut left = 1.0;
        let mut median_days = None;
        for (place, (age, ended)) in lives.iter().enumerate() {
            let at_risk = (lives.len() - place) as f64;
            if *ended {
                left *= 1.0 - 1.0 / at_risk;
            }
            if left <= 0.5 && median_days.is_none() {
                median_days = Some(*age);
            }
        }
        Longevity {
            reported: lives.len(),
            gone: lives.iter().filter(|(_, ended)| *ended).count(),
            median_days,
            longest_days: lives.iter().filter(|(_, ended)| !ended).map(|(age, _)| *age).max().unwrap_or(0),
        }
    }
}

impl Longevity {
    /// In a sentence; nothing before the first report was sent.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        if self.reported == 0 {
            return None;
        }
        let half = match self.median_days {
            Some(days) => format!("half were gone {days} days after their first report"),
            None => format!("more than half live on, the longest for {} days", self.longest_days),
        };
        Some(format!("{} hosts reported, {} gone; {half}", self.reported, self.gone))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> Timestamp {
        format!("2026-11-{day:02}T00:00:00Z").parse().unwrap()
    }

    fn line(report: &str, event: Event, on: u32, host: Option<&str>) -> Happened {
        Happened {
            report: report.to_owned(),
            event,
            on: day(on),
            host: host.map(|host| host.parse().unwrap()),
            note: None,
        }
    }

    fn log() -> Log {
        let hosts = |hosts: &[&str]| hosts.iter().map(|host| host.parse().unwrap()).collect();
        Log {
            written: vec![
                Written {
                    id: "a".to_owned(),
                    to: "x@example.net".to_owned(),
                    hosts: hosts(&["203.0.113.1", "203.0.113.2"]),
                },
                Written {
                    id: "b".to_owned(),
                    to: "y@example.net".to_owned(),
                    hosts: hosts(&["203.0.113.2", "203.0.113.3"]),
                },
            ],
            happened: vec![
                line("a", Event::Sent, 1, None),
                line("a", Event::Ignored, 8, None),
                line("b", Event::Sent, 5, None),
                line("b", Event::HostGone, 11, Some("203.0.113.2")),
            ],
        }
    }

    #[test]
    fn a_host_counts_from_its_first_report_and_those_still_there_as_long_as_watched() {
        let life = log().longevity(day(21));
        assert_eq!((life.reported, life.gone, life.median_days, life.longest_days), (3, 1, None, 20));
        let mut more = log();
        more.happened.push(line("a", Event::HostGone, 16, Some("203.0.113.1")));
        let life = more.longevity(day(21));
        assert_eq!((life.gone, life.median_days), (2, Some(15)), "2 of 3 gone after 10 and 15 days");
        assert_eq!(Log::default().longevity(day(21)).words(), None);
    }

    #[test]
    fn a_report_is_cited_with_what_became_of_it() {
        let log = log();
        let hosts = BTreeSet::from(["203.0.113.1".parse().unwrap()]);
        let cited: Vec<String> = log.sent_about(&hosts).map(|(one, sent)| log.cite(one, sent)).collect();
        assert_eq!(cited, ["a, sent 2026-11-01 to x@example.net, 2 hosts: ignored on 2026-11-08"]);
    }
}
