//! The text for people: what, where, when, how it is known, what is asked; fit for who reads it.

use std::fmt::Write as _;

use super::{Role, Settings, told};
use crate::facet::{escape_terminal, show_cut, show_percent};
use crate::report::clean::defang;
use crate::report::dossier::{Dossier, SharedHost, Standing};
use crate::report::uuid::Uuid;

/// Hosts whose reasons are told one by one.
const MOST_TOLD: usize = 10;
/// Digests listed for one host.
const MOST_DIGESTS: usize = 6;

/// What a letter is made of.
pub(super) struct Letter<'a> {
    pub(super) dossier: &'a Dossier,
    pub(super) settings: &'a Settings,
    pub(super) role: &'a Role,
    pub(super) name: Option<&'a str>,
    pub(super) contact_source: &'a str,
    pub(super) hosts: &'a [&'a SharedHost],
    pub(super) earlier: &'a [String],
    pub(super) longevity: Option<String>,
    pub(super) reports: usize,
    pub(super) id: Uuid,
}

impl Letter<'_> {
    pub(super) fn subject(&self) -> String {
        let where_to = match self.role {
            Role::Holder => "in networks registered to you".to_owned(),
            Role::Origin(asn) => format!("announced by AS{asn}"),
            Role::Upstream(_, of) => format!("behind your customer {}", systems(of)),
        };
        format!("Abuse report: {} {where_to}, ref {}", self.count(), self.short_id())
    }

    pub(super) fn text(&self) -> String {
        let case = &self.dossier.case;
        let whom = self.name.map(|name| format!(" of {}", plain(name))).unwrap_or_default();
        let mut out = format!("To the abuse desk{whom}\n\n");
        let _ = writeln!(out, "{} reports {} {}.", plain(&case.authority), self.count(), self.relation());
        out.push_str("All times are UTC. This is a draft written by a program and sent by a person.\n");
        section(&mut out, "What", &self.what());
        section(&mut out, "What we ask of you", self.asked());
        section(&mut out, "Where and when", &self.table());
        section(&mut out, "Why, host by host", &self.reasons());
        if !self.earlier.is_empty() {
            let mut lines = String::new();
            for line in self.earlier {
                let _ = writeln!(lines, "  {}", self.shown(line));
            }
            if let Some(words) = &self.longevity {
                let _ = writeln!(lines, "  In all: {words}.");
            }
            section(&mut out, "Earlier reports about these hosts", &lines);
        }
        section(&mut out, "Evidence", &self.evidence());
        section(&mut out, "Limits", LIMITS);
        let _ = write!(
            out,
            "\nReference {}; case \"{}\"; state of {:.0}; {}; {}\nContact: {} <{}>\n{}Your address was taken from: {}\n",
            self.id,
            plain(&case.title),
            case.as_of,
            self.settings.marking.tlp,
            self.settings.marking.pap,
            plain(&self.settings.sender.organisation),
            self.settings.sender.mail,
            case.page
                .as_deref()
                .map(|page| format!("About our measurements, and how to be left out of them: {}\n", plain(page)))
                .unwrap_or_default(),
            plain(self.contact_source),
        );
        out
    }

    fn count(&self) -> String {
        if self.hosts.len() == 1 { "1 host".to_owned() } else { format!("{} hosts", self.hosts.len()) }
    }

    fn short_id(&self) -> String {
        self.id.to_string().chars().take(8).collect()
    }

    fn relation(&self) -> String {
        match self.role {
            Role::Holder => "in networks registered to you".to_owned(),
            Role::Origin(asn) => format!("in networks that AS{asn} announces"),
            Role::Upstream(asn, of) => {
                format!("in networks of {} that reach the Internet through AS{asn}", systems(of))
            }
        }
    }

    fn what(&self) -> String {
        let confirmed = match self.hosts.iter().filter(|host| host.standing == Standing::Confirmed).count() {
            1 => "one was".to_owned(),
            count => format!("{count} were"),
        };
        let statement = self.settings.statement.as_deref().map(|text| {
            let lines: Vec<String> = text.lines().map(|line| self.shown(line)).collect();
            format!("{}\n\n", lines.join("\n"))
        });
        format!(
            "{}Each host below is consistent with the infrastructure of one hosting provider under investigation. Of these,\n\
             {confirmed} confirmed by a person from other sources; the others share with confirmed hosts habits of set-up\n\
             (keys, certificates, server configuration) that hardly any other host in the same surroundings has.\n",
            statement.unwrap_or_default()
        )
    }

    fn asked(&self) -> &'static str {
        match self.role {
            Role::Holder => {
                "1. Look at these hosts and at the customer behind them, under your terms of use.\n\
                 2. Keep logs, images and customer records of them for the authorities.\n\
                 3. End the service where your own check confirms this, and tell us what was done and when.\n\
                 4. Tell us which addresses are in other hands by now, so that we correct our records.\n"
            }
            Role::Origin(_) => {
                "1. Pass this on to the customer's contract side, not only to the customer: it may be the customer itself\n\
                 that is reported here.\n\
                 2. Keep the assignment and contract records of these addresses for the authorities.\n\
                 3. Check the registration of these networks; end the service where your own check confirms this report.\n\
                 4. Tell us what was done and when, and which addresses are in other hands by now.\n"
            }
            Role::Upstream(..) => {
                "1. Take this up with your customer under the acceptable-use clause of your contract.\n\
                 2. Ask what was done about the earlier reports named below, if there are any.\n\
                 3. Where reports go unanswered, consider the steps that your contract gives you.\n\
                 4. Tell us what was done and when. We do not ask you to block a whole network or AS.\n"
            }
        }
    }

    /// Every host on a line.
    fn table(&self) -> String {
        let mut out =
            format!("  {:<39} {:<16} {:<16} {:>9}  AS       ports\n", "address", "first seen", "last seen", "probab.");
        for host in self.hosts {
            let time = |at: Option<crate::clock::Timestamp>| {
                at.map_or("-".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M").to_string())
            };
            let ports: Vec<String> = host.ports.iter().take(12).map(u16::to_string).collect();
            let line = format!(
                "  {:<39} {:<16} {:<16} {:>9}  {:<8} {}",
                self.shown(&host.address.to_string()),
                time(host.first_seen),
                time(host.last_seen),
                show_percent(host.score),
                host.asn.map_or("-".to_owned(), |asn| format!("AS{asn}")),
                ports.join(" ")
            );
            let _ = writeln!(out, "{}", line.trim_end());
            if let Some(holder) = &host.holder {
                let _ = writeln!(
                    out,
                    "  {:<39} {}, {} ({})",
                    "",
                    holder.network,
                    plain(&holder.name),
                    plain(&holder.source)
                );
            }
        }
        out
    }

    fn reasons(&self) -> String {
        let mut out = String::new();
        for host in self.hosts.iter().take(MOST_TOLD) {
            let _ = writeln!(out, "  {}", self.shown(&host.address.to_string()));
            for reason in told(host).take(5) {
                let _ = writeln!(out, "    + {}", self.shown(&show_cut(reason, 300)));
            }
            for reason in host.against.iter().take(5) {
                let _ = writeln!(out, "    - against: {}", self.shown(&show_cut(reason, 300)));
            }
        }
        if self.hosts.len() > MOST_TOLD {
            let _ = writeln!(
                out,
                "  The reasons for the other {} are of the same kind; we send them on request.",
                self.hosts.len() - MOST_TOLD
            );
        }
        out
    }

    fn evidence(&self) -> String {
        let mut out = format!(
            "The raw bytes of each of our connections were kept, with time and SHA-256. Attached are machine-readable reports (XARF\n\
             v4) of {} of {}. Digests of what was heard:\n",
            self.reports,
            self.count()
        );
        for host in self.hosts.iter().take(MOST_TOLD) {
            let digests: Vec<&String> =
                self.dossier.services(host.address).iter().flat_map(|service| &service.captures).collect();
            let _ = writeln!(
                out,
                "  {}{}",
                self.shown(&host.address.to_string()),
                if digests.is_empty() { ": observed by others, no raw bytes of our own" } else { "" }
            );
            for digest in digests.iter().take(MOST_DIGESTS) {
                let _ = writeln!(out, "    {digest}");
            }
            if digests.len() > MOST_DIGESTS {
                let _ = writeln!(out, "    and {} more", digests.len() - MOST_DIGESTS);
            }
        }
        out
    }

    /// Text as this mail shows it.
    fn shown(&self, text: &str) -> String {
        let text = plain(text);
        if self.settings.defang { defang(&text) } else { text }
    }
}

fn section(out: &mut String, title: &str, text: &str) {
    let _ = write!(out, "\n{}\n{}\n{}", title.to_uppercase(), "-".repeat(title.chars().count()), text);
    if !out.ends_with('\n') {
        out.push('\n');
    }
}

const LIMITS: &str = "A probability is no proof: it says how much the shared habits move the odds, against a sample of hosts that are\n\
    not the provider's. A host may have changed hands since it was last seen. Nobody logged in anywhere: what is said here\n\
    rests on what each host tells any visitor.\n";

/// One line that moves no cursor.
fn plain(text: &str) -> String {
    escape_terminal(text)
}

fn systems(of: &std::collections::BTreeSet<u32>) -> String {
    of.iter().map(|asn| format!("AS{asn}")).collect::<Vec<_>>().join(", ")
}
