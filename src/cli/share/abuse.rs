//! `export CASE abuse -o FOLDER`: mails as files, an index of them, and the record that later reports cite.

use std::fmt::Write as _;

use anyhow::anyhow;
use serde_json::{Value, json};

use super::registry::lines;
use crate::cli::actor;
use crate::cli::args::Export;
use crate::cli::exit::Stop;
use crate::cli::term::{Folder, Term, counted};
use crate::clock::{Clock as _, SystemClock};
use crate::facet::escape_terminal;
use crate::report::abuse::{Event, Happened, Log, Mail, Pack, Role, Sender, Settings, Written, is_mail, pack};
use crate::report::{Dossier, Registry};
use crate::store::{Action, Case, Record};

/// What the records of reports are filed under.
const SUBJECT: &str = "abuse";
/// Remarks shown on the terminal.
const MOST_TOLD: usize = 10;

pub(super) fn run(
    case: &mut Case,
    args: &Export,
    dossier: &Dossier,
    mut registry: Registry,
    remarks: Vec<String>,
    term: &Term,
) -> Result<(), Stop> {
    let sharing = &args.sharing;
    let Some(path) = &args.output else {
        return Err(Stop::usage(anyhow!("abuse reports are several files: name a new folder with -o")));
    };
    if sharing.registry.is_none() && registry.contacts.is_empty() {
        return Err(Stop::usage(anyhow!(
            "nothing says where abuse is reported. Take registry files in with `hostkin data import {} FILE…` (RPSL dumps, \
             PeeringDB, AS relations), or write holders and contacts down for --registry FILE; docs/EXPORTS.md has an example",
            args.case.display()
        )));
    }
    for file in &sharing.never_mail {
        registry.never_mail.extend(lines(file)?.into_iter().map(|(_, line)| line));
    }
    let mail = sharing.from.as_deref().or(dossier.contact_mail()).unwrap_or_default();
    if !is_mail(mail) {
        return Err(Stop::usage(anyhow!(
            "the scope's contact is no mail address that a report could come from; give yours with --from"
        )));
    }
    let settings = Settings {
        sender: Sender { organisation: dossier.case.authority.clone(), mail: mail.to_owned() },
        marking: sharing.marking(args.what),
        confidential: sharing.confidential,
        least_score: sharing.least.unwrap_or(0.95),
        defang: sharing.defang,
        statement: sharing.statement.clone(),
    };
    let log = log_of(&case.records()?);
    let mut pack = pack(dossier, &registry, &log, &settings);
    pack.remarks.splice(0..0, remarks);
    for remark in pack.remarks.iter().take(MOST_TOLD) {
        term.say(escape_terminal(remark));
    }
    if pack.remarks.len() > MOST_TOLD {
        term.say(format!("and {} more remarks, in README.txt", pack.remarks.len() - MOST_TOLD));
    }
    if pack.mails.is_empty() {
        return Err(anyhow!("there is nobody to write to; nothing was written").into());
    }
    let folder = Folder::create(path)?;
    for mail in &pack.mails {
        folder.put(&mail.file, &mail.bytes)?;
    }
    folder.put("README.txt", readme(&pack, args).as_bytes())?;
    let new: Vec<&Mail> =
        pack.mails.iter().filter(|mail| !log.written.iter().any(|known| known.id == mail.id.to_string())).collect();
    if !new.is_empty() {
        let reports: Vec<Value> = new.iter().map(|mail| object(mail)).collect();
        case.record(SystemClock::new().now(), &actor(), Action::Export, SUBJECT, &json!({ "reports": reports }))?;
    }
    folder.finish()?;
    term.say(format!(
        "{} in {}; nothing was sent. Read them, send them, and record it: `hostkin outcome {} REPORT sent`",
        counted(u64::try_from(pack.mails.len()).unwrap_or(u64::MAX), "mail"),
        path.display(),
        args.case.display()
    ));
    Ok(())
}

fn object(mail: &Mail) -> Value {
    let hosts: Vec<String> = mail.hosts.iter().map(ToString::to_string).collect();
    let asn = match &mail.role {
        Role::Holder => None,
        Role::Origin(asn) | Role::Upstream(asn, _) => Some(asn),
    };
    json!({
        "id": mail.id.to_string(), "to": mail.to, "role": mail.role.as_str(), "asn": asn, "hosts": hosts,
        "sha256": crate::scope::sha256_hex(&mail.bytes),
    })
}

fn readme(pack: &Pack, args: &Export) -> String {
    let mut out = "Abuse reports, as drafts. Nothing was sent. Read each, change what you know better, send it from your own mail\n\
        program, and record what became of it, so that the next report can cite it:\n\n"
        .to_owned();
    let case = args.case.file_name().unwrap_or_default().to_string_lossy();
    for mail in &pack.mails {
        let short: String = mail.id.to_string().chars().take(8).collect();
        let _ = writeln!(
            out,
            "{}\n    to {} ({}), {} hosts\n    hostkin outcome {case} {short} sent\n",
            mail.file,
            mail.to,
            mail.role.as_str(),
            mail.hosts.len()
        );
    }
    for remark in &pack.remarks {
        let _ = writeln!(out, "- {}", escape_terminal(remark));
    }
    out
}

/// Reports written and what became of them, from the case's records.
pub(in crate::cli) fn log_of(records: &[Record]) -> Log {
    let mut log = Log::default();
    let text = |body: &Value, key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    for record in records {
        if record.action == Action::Export.as_str() && record.subject == SUBJECT {
            for report in record.body.get("reports").and_then(Value::as_array).into_iter().flatten() {
                let (Some(id), Some(to)) = (text(report, "id"), text(report, "to")) else { continue };
                let hosts = report.get("hosts").and_then(Value::as_array).into_iter().flatten();
                let hosts = hosts.filter_map(|one| one.as_str()?.parse().ok()).collect();
                log.written.push(Written { id, to, hosts });
            }
        }
        if record.action == Action::Outcome.as_str() {
            let event = text(&record.body, "event");
            let Some(event) = Event::ALL.into_iter().find(|one| Some(one.as_str()) == event.as_deref()) else {
                continue;
            };
            log.happened.push(Happened {
                report: record.subject.clone(),
                event,
                on: text(&record.body, "on").and_then(|on| on.parse().ok()).unwrap_or(record.at),
                host: text(&record.body, "host").and_then(|host| host.parse().ok()),
                note: text(&record.body, "note"),
            });
        }
    }
    log.happened.sort_by_key(|one| one.on);
    log
}
