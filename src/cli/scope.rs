//! `scope check`: is the authorisation complete and in force, and what does it permit, in numbers.

use std::fmt::Write as _;
use std::io::Write as _;

use super::args::ScopeVerb;
use super::exit::{Exit, Stop};
use super::term::Output;
use crate::clock::{Clock, SystemClock};
use crate::facet::escape_terminal;
use crate::probe::Settings;
use crate::report::write_json_line;
use crate::scope::{Explanation, Scope, Totals};

pub(super) fn run(verb: &ScopeVerb) -> Result<Exit, Stop> {
    let ScopeVerb::Check { file, json } = verb;
    let scope = Scope::read(file).map_err(Stop::scope)?;
    let settings = Settings::full(None);
    let now = SystemClock::new().now();
    let explained = scope.explain(now, &|speech| settings.most_connections(speech));
    let mut out = Output::open(None)?;
    if *json {
        write_json_line(&mut out, &explained)?;
    } else {
        out.write_all(words(&explained).as_bytes())?;
    }
    out.finish()?;
    let usable = explained.not_in_force.is_none() && explained.total.addresses > 0 && explained.troubles.is_empty();
    Ok(if usable { Exit::Done } else { Exit::Scope })
}

/// The explanation for people.
fn words(explained: &Explanation) -> String {
    let mut out = String::new();
    let mut line = |name: &str, text: &str| {
        let text = format!("{name:<14}{}", escape_terminal(text));
        let _ = writeln!(out, "{}", text.trim_end());
    };
    line("title", &explained.title);
    line("authority", &explained.authority);
    line("contact", explained.contact.as_deref().unwrap_or("none (lab)"));
    line("page", explained.page.as_deref().unwrap_or("none (lab)"));
    line("in force", &format!("{} to {}", explained.valid_from, explained.valid_until));
    line("now", explained.not_in_force.as_deref().unwrap_or("in force"));
    line("sha256", &explained.sha256);
    for grant in &explained.grants {
        line("", "");
        line("grant", &format!("\"{}\" (line {})", grant.name, grant.line));
        let networks: Vec<String> = grant.networks.iter().map(ToString::to_string).collect();
        line("  networks", &format!("{}: {} as written", networks.join(", "), addresses(grant.written)));
        for removed in &grant.removed {
            line("  less", &format!("{} by {}", addresses(removed.addresses), removed.by));
        }
        line(
            "  leaves",
            &if grant.is_emptied() {
                "nothing: this grant permits nobody to be asked".to_owned()
            } else {
                totals(&grant.left)
            },
        );
    }
    line("", "");
    line("in all", &totals(&explained.total));
    line("one host", &format!("gets at most {} connections", explained.most_per_host));
    if let Some((network, most)) = &explained.most_per_network {
        line("one network", &format!("gets at most {most} connections ({network})"));
    }
    if let Some((asn, most)) = &explained.most_per_asn {
        line("one AS", &format!("gets at most {most} connections (AS{asn})"));
    }
    let limit = |rate: Option<f64>| rate.map_or("unlimited".to_owned(), |rate| format!("{rate}"));
    let limits = &explained.limits;
    let all = [
        limits.connections_per_second,
        limits.per_network_per_second,
        limits.per_host_per_second,
        limits.per_asn_per_second,
    ];
    if all.iter().all(Option::is_none) && limits.per_host_connections.is_none() {
        line("limits", "none");
    } else {
        line(
            "limits",
            &format!(
                "per second: {} in the run, {} to a network, {} to a host, {} to an AS; {} connections to a host in all",
                limit(limits.connections_per_second),
                limit(limits.per_network_per_second),
                limit(limits.per_host_per_second),
                limit(limits.per_asn_per_second),
                limits.per_host_connections.map_or("unlimited".to_owned(), |most| most.to_string())
            ),
        );
    }
    let time = match (explained.time.seconds, explained.time.bound_by) {
        (Some(seconds), Some(by)) => format!("{} for a full capture of everything, bound by {by}", span(seconds)),
        (Some(seconds), None) => format!("{} for a full capture of everything", span(seconds)),
        (None, _) => "no limit applies".to_owned(),
    };
    line("time", &time);
    for trouble in &explained.troubles {
        line("trouble", trouble);
    }
    let verdict = match &explained.not_in_force {
        _ if explained.total.addresses == 0 => "nothing may be asked: every address is excluded or none is granted",
        Some(why) => why,
        None if !explained.troubles.is_empty() => "nothing may be asked until the trouble above is mended",
        None => "complete and in force: a case can be opened under it and scanned",
    };
    line("verdict", verdict);
    out
}

fn totals(totals: &Totals) -> String {
    let services: Vec<String> = totals.services.iter().map(|(speech, count)| format!("{count} {speech}")).collect();
    let services = if services.is_empty() { "no services".to_owned() } else { services.join(", ") + " services" };
    format!("{}, {services}, at most {} connections", addresses(totals.addresses), totals.connections)
}

fn addresses(count: u128) -> String {
    if count == 1 { "1 address".to_owned() } else { format!("{count} addresses") }
}

/// Seconds as people say them.
pub(super) fn span(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5_400.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3_600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}
