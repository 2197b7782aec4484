//! `as` and `ip`: what the case's files say of one AS or one address.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::exit::{Exit, Stop};
use super::knowledge::knowledge;
use super::ranges::wrapped;
use super::term::{Output, width};
use crate::facet::escape_terminal;
use crate::range::behaviour::{FEATURES, Score};
use crate::range::{AddressRange, Announced, Asn, Behaviour, FactKind, Hazard, Knowledge, Role, Siblings};
use crate::store::Case;

/// `as`
#[derive(Debug, Args)]
pub struct LookAs {
    /// The case file.
    pub case: PathBuf,
    /// The AS: `AS64500` or `64500`.
    pub asn: Asn,
    /// Use only files up to this day.
    #[arg(long, value_name = "DATE")]
    pub date: Option<Date>,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `ip`
#[derive(Debug, Args)]
pub struct LookIp {
    /// The case file.
    pub case: PathBuf,
    /// The address.
    pub address: IpAddr,
    /// Use only files up to this day.
    #[arg(long, value_name = "DATE")]
    pub date: Option<Date>,
    /// One JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Networks of an AS that are shown.
const MOST: usize = 40;

/// A heading and its lines; strangers' text is escaped when shown.
type Section = (&'static str, Vec<String>);

pub(super) fn look_as(args: &LookAs) -> Result<Exit, Stop> {
    let case = Case::open_read_only(&args.case)?;
    let knowledge = knowledge(&case, &FactKind::ALL)?;
    let (asn, date) = (args.asn, args.date);
    let siblings = Siblings::new(&knowledge, date, true);
    let called = |asn: Asn| match siblings.name(asn) {
        "" => asn.to_string(),
        name => format!("{asn} ({name})"),
    };
    let mut sections: Vec<Section> = Vec::new();
    let mut names: Vec<String> = knowledge
        .as_info(asn, date)
        .into_iter()
        .map(|info| {
            let org = info.org.as_deref().map(|org| format!(", organisation {org}")).unwrap_or_default();
            let domain = info.domain.as_deref().map(|domain| format!(", domain {domain}")).unwrap_or_default();
            format!("{}{org}{domain}, says {}", info.name, info.source)
        })
        .collect();
    names.extend(knowledge.delegation_of(asn, date).iter().map(|one| {
        let day = one.date.map(|day| format!(" on {day}")).unwrap_or_default();
        format!("number given out by {}{day} ({} {})", one.registry, one.status, one.country)
    }));
    sections.push(("names and holders", names));
    let lists = knowledge.listings_of(asn, date);
    sections.push((
        "named by deny lists",
        lists.iter().map(|(file, listing)| format!("{} of {}", listing.list, file.date)).collect(),
    ));
    let prefixes = knowledge.prefixes_of(asn, date);
    let mut shown: Vec<String> = prefixes
        .iter()
        .take(MOST)
        .map(|found| {
            let range = AddressRange::of(found.prefix);
            let listed = knowledge.listings_in(&range, date);
            let mark = if listed.is_empty() {
                String::new()
            } else {
                format!("  on deny lists: {}", counted_entries(listed.len()))
            };
            format!("{}{mark}", found.prefix)
        })
        .collect();
    if prefixes.len() > MOST {
        shown.push(format!("and {} more", prefixes.len() - MOST));
    }
    sections.push(("networks that it announces", shown));
    let neighbours = knowledge.neighbours(asn, date);
    let of = |role: Role| -> Vec<String> {
        let those = neighbours.iter().filter(|one| one.role == role).take(MOST);
        those
            .map(|one| format!("{}{}", called(one.asn), if one.inferred { " (worked out from routes)" } else { "" }))
            .collect()
    };
    sections.push(("upstreams: evidence only, they serve innocents too", of(Role::Provider)));
    sections.push(("customers", of(Role::Customer)));
    let tied = siblings.of(asn);
    let told = tied.iter().take(MOST).map(|one| {
        let ties: Vec<String> = one.ties.iter().map(|(tie, value)| format!("{} ({value})", tie.words())).collect();
        format!("{}: {}", called(one.asn), ties.join("; "))
    });
    sections.push(("sister ASes", told.collect()));
    let behaviour = Behaviour::new(&knowledge, date);
    let values = behaviour.values(asn).unwrap_or_default();
    let told = values.iter().zip(FEATURES).filter_map(|(value, about)| {
        let value = (*value)?;
        let beside = match value.percentile {
            Some(percentile) => format!("above {:.0} % of ASes of like size", 100.0 * percentile),
            None => "too few ASes of like size on file to compare".to_owned(),
        };
        Some(format!("{}: {}, {beside}", about.words, short(value.value)))
    });
    sections.push(("behaviour, beside ASes of like size", told.collect()));
    let score = behaviour.score(asn);
    sections.push(("how unusual, all together", score.as_ref().map(in_words).into_iter().collect()));
    if args.json {
        let features: serde_json::Map<String, Value> = values
            .iter()
            .zip(FEATURES)
            .filter_map(|(value, about)| {
                Some((about.name.to_owned(), json!({ "value": (*value)?.value, "percentile": (*value)?.percentile })))
            })
            .collect();
        let score = score.map(|one| {
            json!({ "score": one.score, "ases": one.ases, "listed": one.listed,
            "listed_as_high": one.listed_as_high, "unlisted_as_high": one.unlisted_as_high })
        });
        return write_json(
            &json!({ "schema": "hostkin/as/1", "asn": asn.0, "sections": as_object(&sections), "features": features, "score": score }),
        );
    }
    write_sections(&called(asn), &sections)
}

/// The combined score, never without its base rate.
fn in_words(score: &Score) -> String {
    let high = score.listed_as_high + score.unlisted_as_high;
    let share = if high == 0 { 0.0 } else { 100.0 * score.listed_as_high as f64 / high as f64 };
    format!(
        "{:.2} of 1, from {} features. Of {} ASes on file {} are deny-listed. {} others score as high or higher: {} of them are listed ({share:.1} %), {} are not, and are innocent as far as anybody knows. A score says where to look first and is no finding about this AS",
        score.score, score.features, score.ases, score.listed, high, score.listed_as_high, score.unlisted_as_high
    )
}

fn counted_entries(count: usize) -> String {
    if count == 1 { "1 entry".to_owned() } else { format!("{count} entries") }
}

/// A number with as many digits as it needs.
fn short(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

pub(super) fn look_ip(args: &LookIp) -> Result<Exit, Stop> {
    let case = Case::open_read_only(&args.case)?;
    let knowledge = knowledge(&case, &FactKind::ALL)?;
    let sections = about_address(&knowledge, args.address, args.date);
    if args.json {
        return write_json(
            &json!({ "schema": "hostkin/ip/1", "ip": args.address.to_string(), "date": args.date.map(|day| day.to_string()), "sections": as_object(&sections) }),
        );
    }
    write_sections(&args.address.to_string(), &sections)
}

fn about_address(knowledge: &Knowledge, address: IpAddr, date: Option<Date>) -> Vec<Section> {
    let siblings = Siblings::new(knowledge, date, true);
    let called = |asns: &[Asn]| -> String {
        let one = |asn: &Asn| match siblings.name(*asn) {
            "" => asn.to_string(),
            name => format!("{asn} ({name})"),
        };
        asns.iter().map(one).collect::<Vec<_>>().join(" and ")
    };
    let mut sections: Vec<Section> = Vec::new();
    // A route put together of several ASes' is not announced by each as a whole (MOAS is).
    let who = |found: &Announced<'_>| {
        let ases = called(found.origins);
        if found.is_set { format!("a set of ASes, each with a part of it: {ases}") } else { ases }
    };
    let covering = knowledge.covering(address, date);
    sections.push((
        "announced",
        covering
            .iter()
            .map(|found| {
                format!("{} by {}, says {} of {}", found.prefix, who(found), found.dataset.name, found.dataset.date)
            })
            .collect(),
    ));
    let history = knowledge.history(address).into_iter().filter(|(file, _)| date.is_none_or(|day| file.date <= day));
    let told = history.map(|(file, found)| match found {
        Some(found) => format!("{}: {} by {}", file.date, found.prefix, who(&found)),
        None => format!("{}: announced by nobody in {}", file.date, file.name),
    });
    sections.push(("who announced it, table by table", told.collect()));
    let objects = knowledge.registry_at(address, date).into_iter().filter_map(|object| {
        let range = object.addresses()?;
        let org = object.org.map(|org| format!(", organisation {org}")).unwrap_or_default();
        let maintainers = if object.maintainers.is_empty() {
            String::new()
        } else {
            format!(", maintained by {}", object.maintainers.join(" "))
        };
        let made = object.created.map(|day| format!(", made on {day}")).unwrap_or_default();
        Some(format!("{range} \"{}\"{org}{maintainers}{made}", object.name))
    });
    sections.push(("who held it, by the registry", objects.collect()));
    let given = knowledge.delegations_at(address, date).into_iter().filter_map(|one| match one.resource {
        crate::range::fact::Resource::Addresses(range) => {
            let day = one.date.map(|day| format!(" on {day}")).unwrap_or_default();
            Some(format!("{range} given out by {}{day} ({} {})", one.registry, one.status, one.country))
        }
        crate::range::fact::Resource::Numbers(..) => None,
    });
    sections.push(("given out", given.collect()));
    let lists = knowledge.listings_at(address, date).into_iter().map(|(file, listing)| {
        let reason = listing.reason.as_deref().map(|reason| format!(" as {reason}")).unwrap_or_default();
        format!("{}{reason}, in the copy of {}", listing.list, file.date)
    });
    sections.push(("on deny lists", lists.collect()));
    let named = knowledge
        .named_at(address, date)
        .into_iter()
        .map(|one| format!("{} ({})", one.name, one.used_for.as_str().replace('_', " ")));
    sections.push(("known as", named.collect()));
    if let IpAddr::V4(v4) = address {
        let hazard = Hazard::new(knowledge, date, &std::collections::BTreeSet::new());
        if hazard.listed_networks() > 0 {
            let block = v4.to_bits() >> 8;
            let chance = 1000.0 * hazard.chance(block);
            let words = if hazard.is_listed(block) {
                "the network of 256 addresses around it is on a deny list, in whole or in part".to_owned()
            } else {
                format!(
                    "of 1,000 networks of 256 addresses in a place like this, {chance:.2} came to the deny list within half a year (measured on 2025)"
                )
            };
            sections.push(("where it lies", vec![words]));
        }
    }
    sections
}

fn as_object(sections: &[Section]) -> Value {
    Value::Object(sections.iter().map(|(name, lines)| ((*name).to_owned(), json!(lines))).collect())
}

fn write_json(value: &Value) -> Result<Exit, Stop> {
    let mut out = Output::open(None)?;
    crate::report::write_json_line(&mut out, value)?;
    out.finish()?;
    Ok(Exit::Done)
}

fn write_sections(title: &str, sections: &[Section]) -> Result<Exit, Stop> {
    let mut out = Output::open(None)?;
    writeln!(out, "{}", escape_terminal(title))?;
    for (name, lines) in sections {
        writeln!(out, "\n{name}")?;
        if lines.is_empty() {
            writeln!(out, "  - the files do not say")?;
        }
        for line in lines {
            writeln!(out, "  - {}", wrapped(&escape_terminal(line), width().into()))?;
        }
    }
    out.finish()?;
    Ok(Exit::Done)
}
